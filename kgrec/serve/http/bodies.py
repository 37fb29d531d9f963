"""Bodies of requests and answers: bounded, and described for OpenAPI.

Enters: JSON. Leaves: options of a list for `Request.from_dict`. Each option has the same name as in the library.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from kgrec.recommend.request import Request

MAX_K = 1000
MAX_IDS = 10_000
MAX_QUERIES = 256
MAX_EXPLAINED = 10
MAX_EDGES = 1000


def _id(text: str) -> str:
    """An id in the form in which the store keeps it."""
    if "\0" in text or text.isspace():
        raise ValueError("an id needs a visible character, and must not contain NUL")
    return text


Id = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_id)]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Boosts = Annotated[dict[Text, Number], Field(max_length=1000)]
Limits = Annotated[dict[Text, Annotated[int, Field(ge=0, le=MAX_K)]], Field(max_length=20)]
Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[int, Field(ge=1, le=MAX_K)]


class Body(BaseModel):
    """A body that accepts only its own fields."""

    model_config = ConfigDict(extra="forbid")


class ListOptions(Body):
    """Options of a list; see `kgrec.Request`."""

    k: Length = Field(10, description="Items per list; fewer only if fewer are allowed.")
    candidates: Ids | None = Field(None, description="The only items to rank.")
    deny: Ids | None = Field(None, description="Items to leave out.")
    where: Text | None = Field(None, description="A condition on the items.", examples=["year >= 1990"])
    min_score: Number | None = Field(None, description="Lowest returned score.")
    exclude_seen: bool = Field(True, description="Leave out items that the user has interacted with.")
    new_item_boost: Number = Field(
        0.0, description="Added to the score of items without interactions at training."
    )
    item_boost: Boosts | None = Field(None, description="Boosts added to the scores of items: id to number.")
    where_boost: Boosts | None = Field(
        None, description="Boosts added to the scores of items that meet conditions: condition to number."
    )
    diversity: Share = Field(
        0.0,
        description="Weight of diversity: how much an item gains by being unlike the items listed before it.",
    )
    diversity_method: Literal["mmr", "dpp"] = "mmr"
    calibration: Share = Field(
        0.0,
        description="Weight of calibration: how closely the list follows the history's shares of calibrate_by.",
    )
    calibrate_by: Name | None = Field(None, description="A node type or a relation, such as genre.")
    novelty: Share = Field(0.0, description="Weight of novelty: how much items with few users gain.")
    exposure: Share = Field(
        0.0, description="Weight of exposure: how closely the attention of each group follows its target."
    )
    exposure_by: Name | None = Field(None, description="The groups for exposure: a node type or a relation.")
    exposure_target: Literal["equal", "catalogue", "relevance"] = "equal"
    at_most: Limits | None = Field(
        None, description="Largest number of items in the list for each node of a type: type to number."
    )
    at_least: Limits | None = Field(
        None,
        description="Smallest number of items in the list that meet a condition, or are new: condition to number.",
    )
    on_unknown: Literal["raise", "skip"] = Field(
        "raise", description="Whether unknown ids and values raise an error or are skipped."
    )

    def options(self) -> dict[str, Any]:
        """The options given in the body."""
        return {
            name: value
            for name in self.model_fields_set & _OPTIONS
            if (value := getattr(self, name)) is not None
        }


class Shown(ListOptions):
    """Options of a list, and the item fields to show."""

    fields: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Fields to return for each item: label, relations, numbers, texts.",
    )
    min_revision: int = Field(
        0,
        ge=0,
        description="The answer includes all changes up to this revision, which a change returned; the server waits for them if necessary.",
    )


class RecommendBody(Shown):
    """The user or history to recommend for, and options of the list."""

    user: Id | None = Field(None, description="A user; a user without a history gets a list for new users.")
    history: Ids | None = Field(
        None, description="Liked items, oldest first, added to the user's stored history."
    )
    likes: Ids | None = Field(None, description="More liked items, newer than those in history.")
    dislikes: Ids | None = Field(
        None, description="Disliked items; they are left out, and similar items rank lower."
    )
    scenario: Name | None = Field(
        None, description="A named set of options; options of the request override it."
    )
    explain: int = Field(
        0,
        ge=0,
        le=MAX_EXPLAINED,
        description="Number of items, from the top, that are explained in `because`.",
    )

    @property
    def liked(self) -> list[str]:
        """History and likes."""
        return [*(self.history or ()), *(self.likes or ())]


class BatchBody(Body):
    """Several requests for lists."""

    queries: list[RecommendBody] = Field(min_length=1, max_length=MAX_QUERIES)


class SimilarItemsBody(Shown):
    """A query for items similar to an item."""

    item: Id


class SimilarUsersBody(Body):
    """A query for users similar to a user."""

    user: Id
    k: Length = 10
    min_score: Number | None = None
    min_revision: int = Field(0, ge=0)


class SearchBody(Shown):
    """A query for items by text."""

    text: Text
    mode: Literal["meaning", "name"] = Field(
        "meaning", description="meaning: by the text encoder; the alternative is by ids and labels."
    )


class RankBody(Body):
    """A list of the caller's items to rank."""

    user: Id | None = None
    history: Ids | None = None
    likes: Ids | None = None
    dislikes: Ids | None = None
    items: Annotated[list[Id], Field(min_length=1, max_length=MAX_K)]
    fields: list[Name] = Field(default_factory=list, max_length=16)
    min_revision: int = Field(0, ge=0)


class ExplainBody(ListOptions):
    """The user and item of a score to explain; the options are those of the list that contains, or should contain, the item."""

    user: Id | None = None
    history: Ids | None = None
    likes: Ids | None = None
    dislikes: Ids | None = None
    item: Id
    edges: int = Field(
        0,
        ge=0,
        le=MAX_EDGES,
        description="Number of paths and history items to list separately, for a drawing.",
    )
    counterfactual: bool = Field(
        False,
        description="Also find the smallest set of history items whose removal drops the item from the list; the item must be in the list.",
    )
    min_revision: int = Field(0, ge=0)


class ItemsBody(Body):
    """Rows of nodes by type, with the columns of kgrec.yaml."""

    rows: dict[Name, Annotated[list[dict[Name, Any]], Field(max_length=10_000)]] = Field(
        min_length=1,
        max_length=100,
        examples=[{"movie": [{"movie_id": "m1", "title": "Moon Base", "genres": "Drama"}]}],
    )


class FeedbackBody(Body):
    """What users did."""

    events: list[dict[str, Any]] = Field(
        max_length=10_000,
        description="Events with event_id, user, item and type, and optionally value, time (milliseconds since 1970, or ISO 8601), rid and position.",
        examples=[
            [{"event_id": "e1", "user": "u1", "item": "50", "type": "click", "rid": "r", "position": 1}]
        ],
    )


class LikedItem(BaseModel):
    """A history item that supports a listed item."""

    item_id: str
    label: str
    share: float = Field(description="Share of the total support for the item.")


class SharedNodes(BaseModel):
    """Nodes that an item and the history share by one relation."""

    relation: str
    nodes: list[str]
    often: bool = Field(
        description="Whether much of the history has these nodes; otherwise a named item has them."
    )
    share: float


class Source(BaseModel):
    """The source of a part of a score."""

    source: Literal["users", "text", "graph", "inherited", "boost"]
    share: float


class Reason(BaseModel):
    """Why an item is listed: a sentence, and the evidence with shares of at least 0.05."""

    text: str
    items: list[LikedItem]
    shared: list[SharedNodes]
    sources: list[Source]


class ListedItem(BaseModel):
    """An item of a list."""

    item: str
    rank: int
    score: float
    label: str
    fields: dict[str, Any] | None = None
    because: Reason | None = None


class ListAnswer(BaseModel):
    """A list."""

    rid: str = Field(description="Id of the recommendation, for events and for its next page.")
    model: str = Field(description="Name of the trained model.")
    revision: int = Field(description="The answer includes changes up to this revision.")
    scenario: str | None = None
    variant: str | None = None
    fallback: Literal["unknown_user", "no_history"] | None = Field(
        None, description="Why the list is not personal; it then contains the items nearest to the mean user."
    )
    items: list[ListedItem]


class Rejected(BaseModel):
    """An event that was not stored."""

    index: int
    problem: str
    remedy: str


class FeedbackAnswer(BaseModel):
    """The outcome of storing events; stored events are durable and take effect in the next request."""

    revision: int
    accepted: int
    duplicate: int
    rejected: list[Rejected]


#: `explain` of a body is a number of items
_OPTIONS = {field.name for field in fields(Request)} - {"explain"}
