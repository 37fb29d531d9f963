"""Bodies of requests and answers: bounded, and described for OpenAPI.

Enters: JSON. Leaves: options of a list as `Request.from_dict` takes them. An option has the name that it has in the library.
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
    """An id as the store keeps it."""
    if "\0" in text or text.isspace():
        raise ValueError("an id needs a character that can be seen, and no NUL")
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
    """A body that takes nothing else than its fields."""

    model_config = ConfigDict(extra="forbid")


class ListOptions(Body):
    """Options of a list; see `kgrec.Request`."""

    k: Length = Field(10, description="Items per list; fewer only where fewer are allowed.")
    candidates: Ids | None = Field(None, description="The only items to rank.")
    deny: Ids | None = Field(None, description="Items to leave out.")
    where: Text | None = Field(None, description="A condition on the items.", examples=["year >= 1990"])
    min_score: Number | None = Field(None, description="Lowest score that is returned.")
    exclude_seen: bool = Field(True, description="Leave out the items that the user has interacted with.")
    new_item_boost: Number = Field(
        0.0, description="Added to the score of items without interactions at training."
    )
    item_boost: Boosts | None = Field(None, description="Added to the scores of items: id to number.")
    where_boost: Boosts | None = Field(
        None, description="Added to items that meet conditions: condition to number."
    )
    diversity: Share = Field(0.0, description="How much items unlike those listed before them count.")
    diversity_method: Literal["mmr", "dpp"] = "mmr"
    calibration: Share = Field(
        0.0, description="How much it counts that the list has the shares of the history."
    )
    calibrate_by: Name | None = Field(None, description="A type of nodes or a relation, such as genre.")
    novelty: Share = Field(0.0, description="How much it counts that few users have an item.")
    exposure: Share = Field(
        0.0, description="How much it counts that the attention of groups is near its target."
    )
    exposure_by: Name | None = Field(None, description="The groups: a type of nodes or a relation.")
    exposure_target: Literal["equal", "catalogue", "relevance"] = "equal"
    at_most: Limits | None = Field(None, description="Items of the list per node of a type: type to number.")
    at_least: Limits | None = Field(
        None, description="Items of the list that meet a condition, or are new: condition to number."
    )
    on_unknown: Literal["raise", "skip"] = Field(
        "raise", description="What to do about ids and values that are unknown."
    )

    def options(self) -> dict[str, Any]:
        """The options that were given."""
        return {
            name: value
            for name in self.model_fields_set & _OPTIONS
            if (value := getattr(self, name)) is not None
        }


class Shown(ListOptions):
    """Options of a list, and what is shown of its items."""

    fields: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Further values of each item: label, relations, numbers, texts.",
    )
    min_revision: int = Field(
        0,
        ge=0,
        description="The answer counts all changes up to this revision, as a change returned it; it waits for them if need be.",
    )


class RecommendBody(Shown):
    """For whom, and which items."""

    user: Id | None = Field(None, description="A user; one without a history gets a list for new users.")
    history: Ids | None = Field(
        None, description="Liked items, oldest first, added to what is known of the user."
    )
    likes: Ids | None = Field(None, description="The same as history, after it.")
    dislikes: Ids | None = Field(None, description="Items that are left out, and similar ones sink.")
    scenario: Name | None = Field(None, description="Named options; those of the request come before them.")
    explain: int = Field(
        0, ge=0, le=MAX_EXPLAINED, description="Items, from the first on, that are explained in `because`."
    )

    @property
    def liked(self) -> list[str]:
        """History and likes."""
        return [*(self.history or ()), *(self.likes or ())]


class BatchBody(Body):
    """Several requests for lists."""

    queries: list[RecommendBody] = Field(min_length=1, max_length=MAX_QUERIES)


class SimilarItemsBody(Shown):
    """Items like an item."""

    item: Id


class SimilarUsersBody(Body):
    """Users like a user."""

    user: Id
    k: Length = 10
    min_score: Number | None = None
    min_revision: int = Field(0, ge=0)


class SearchBody(Shown):
    """Items by a text."""

    text: Text
    mode: Literal["meaning", "name"] = Field(
        "meaning", description="By what the text means, as the text encoder reads it; or by ids and labels."
    )


class RankBody(Body):
    """The caller's own list, to be put in order."""

    user: Id | None = None
    history: Ids | None = None
    likes: Ids | None = None
    dislikes: Ids | None = None
    items: Annotated[list[Id], Field(min_length=1, max_length=MAX_K)]
    fields: list[Name] = Field(default_factory=list, max_length=16)
    min_revision: int = Field(0, ge=0)


class ExplainBody(ListOptions):
    """Whose score of which item; the options are those of the list that the item is in, or should be."""

    user: Id | None = None
    history: Ids | None = None
    likes: Ids | None = None
    dislikes: Ids | None = None
    item: Id
    edges: int = Field(
        0,
        ge=0,
        le=MAX_EDGES,
        description="Paths and items of the history that are listed singly, for a drawing.",
    )
    counterfactual: bool = Field(
        False,
        description="Also the fewest history items without which the item is not in the list; it has to be in the list.",
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
        description="Each with event_id, user, item, type, and perhaps value, time (milliseconds since 1970, or ISO 8601), rid and position.",
        examples=[
            [{"event_id": "e1", "user": "u1", "item": "50", "type": "click", "rid": "r", "position": 1}]
        ],
    )


class LikedItem(BaseModel):
    """An item of the history that speaks for a listed item."""

    item_id: str
    label: str
    share: float = Field(description="Of all that speaks for the item.")


class SharedNodes(BaseModel):
    """What an item and the history have in common by one relation."""

    relation: str
    nodes: list[str]
    often: bool = Field(description="Whether much of the history has them; otherwise a named item has.")
    share: float


class Source(BaseModel):
    """Where a part of a score comes from."""

    source: Literal["users", "text", "graph", "inherited", "boost"]
    share: float


class Reason(BaseModel):
    """Why an item is listed: a sentence, and the evidence, without parts below a share of 0.05."""

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
    revision: int = Field(description="Changes up to this revision count.")
    scenario: str | None = None
    variant: str | None = None
    fallback: Literal["unknown_user", "no_history"] | None = Field(
        None, description="Why the list is not personal: it has the items nearest to the mean user."
    )
    items: list[ListedItem]


class Rejected(BaseModel):
    """An event that was not kept."""

    index: int
    problem: str
    remedy: str


class FeedbackAnswer(BaseModel):
    """What became of the events; they are durable, and count in the next request."""

    revision: int
    accepted: int
    duplicate: int
    rejected: list[Rejected]


#: `explain` of a body is a number of items
_OPTIONS = {field.name for field in fields(Request)} - {"explain"}
