"""Names of files and columns: their words, and the things that they name.

Enters: a name, such as `User-ID`, `userId`, `USER_ID` or `visitorid`. Leaves: its words; whether it names users, items,
identifiers, ratings, counts, times, kinds of events; and the type of node that it names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from kgrec.ingest.compressed import COMPRESSION
from kgrec.ingest.mapping.roles import is_type_name

#: beginning of the names of columns that have no name in the file
UNNAMED = "column_"
#: names of durations
DURATION = re.compile(r"duration|length|runtime|running|time|dauer|laenge|länge", re.IGNORECASE)
LABELS = ("title", "name", "label", "headline")

_PARTS = re.compile(
    r"[\W_]+|(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)
_IDS = "id|ids|key|code|no|nr|num|number|ref|uuid|guid|uri|iri|pk|hash|idx"
_USERS = (
    "user|customer|visitor|member|account|reviewer|viewer|listener|reader|client|buyer|shopper|subscriber|student|learner"
    "|kunden?|benutzer|usuario|utilisateur"
)
_ITEMS = (
    "item|product|movie|film|video|show|series|book|article|paper|artist|album|track|song|podcast|episode|game|app|recipe"
    "|news|post|page|course|job|offer|listing|business|restaurant|hotel|place|venue|anime|manga|beer|wine|joke|doc|document"
    "|content|photo|asset|program|programme|poi|question|exercise|poem|drug|repo|stock|artikel|goods|merchandise|variant|sku|asin|isbn|ean|gtin|upc|iid"
)
_USER_ID = re.compile(rf"(\w+_)?({_USERS})_?({_IDS})|uid|u_id")
_USER_BARE = re.compile(
    rf"{_USERS}|(user|login|nick|reviewer|screen)_?name|username|(\w+_)?session(_?({_IDS}))?"
)
_USER_PLURAL = re.compile(rf"({_USERS})s")
_ITEM_ID = re.compile(rf"({_ITEMS})_?({_IDS})|sku|asin|isbn|ean|gtin|upc|iid")
_ITEM_LONG = re.compile(rf"\w+_({_ITEMS})_?({_IDS})")
_ITEM_BARE = re.compile(rf"{_ITEMS}")
#: nouns for items that, alone, are also names of numbers
_NUMBERED = (
    "page",
    "episode",
    "track",
    "stock",
    "show",
    "post",
    "place",
    "question",
    "exercise",
    "photo",
    "video",
    "game",
)
_ITEM_PLURAL = re.compile(rf"({_ITEMS})s|stories|movies")

_ID_WORDS = (
    *_IDS.split("|"),
    "sku",
    "asin",
    "isbn",
    "issn",
    "ean",
    "gtin",
    "upc",
    "doi",
    "barcode",
    "identifier",
)
#: identifiers that describe nothing, even if they repeat
_CONTACTS: tuple[str, ...] = (
    "phone",
    "telephone",
    "tel",
    "fax",
    "mobile",
    "cellphone",
    "phonenumber",
    "isbn",
    "issn",
    "ean",
    "gtin",
)
_CONTACTS += ("upc", "barcode", "oclc", "lccn", "doi", "uuid", "guid", "iban", "ssn", "imei", "vin")
_AREAS = ("zip", "zipcode", "postcode", "postal", "postalcode", "plz", "fips")
_GLUED = re.compile(
    rf"({_USERS}|{_ITEMS}|parent|category|transaction|event|order|session|tag|genre|author|brand|store|shop|seller"
    "|publisher|person|actor|director|company|country|city|language|imdb|tmdb|steam|review|rating|topic|class|group"
    "|vendor|channel|playlist|[uipcmtvbag])ids?"
)
_RATINGS = (
    "rating|ratings|rate|score|scores|star|stars|overall|grade|preference|label|liked?|dislike|feedback|thumbs?|vote"
    "|satisfaction|sentiment|recommended|reaction|opinion|given|clicked|click|purchased|bought|watched|note|bewertung"
)
_COUNTS = (
    "count|counts|cnt|plays?|listens?|quantity|qty|weight|hours|playtime|times|views|visits|clicks|purchases|frequency|freq"
    "|minutes|seconds|scrobbles|amount|total|n|anzahl|menge|playcount|listencount|viewcount"
)
_PERCENTS = "percent|percentage|pct|progress|completion|ratio|fraction|watched"
_RATING, _COUNT = re.compile(rf"({_RATINGS})(_\d+)?"), re.compile(_COUNTS)
_PERCENT = re.compile(_PERCENTS)
_DEEDS = "rating|vote|voter|review|like|dislike|view|download|sale|play|listen|listener|scrobble|purchase|click|watch|favou?rite|share"
_DEEDS += "|comment|owner|voted_user|text_review|user_for_review|critic_for_review|user_review|borrow|checkout|order|star|read|reader"
_POPULAR = re.compile(
    rf"(\w+_)?({_DEEDS})s?_(count|counts|cnt|num|total|\d+)|(\w+_)?(num|number|nb|no|n|count|total)_(of_)?(\w+_)?({_DEEDS})s?"
    r"|popularity|sales_?rank|(\w+_)?playcount|(\w+_)?viewcount|(\w+_)?(reviews|ratings|votes|views|plays|downloads|listeners|sales|likes|dislikes|favou?rites|comments|readers)"
)
_TIME = re.compile(
    r"(.*_)?(time|timestamp|date|datetime|ts|at|day|when|created|utc|epoch|zeit|datum)|timestamp_?\w{1,2}|unixtime|eventtime"
)
_POSITION = re.compile(
    r"(\w+_)?(position|pos|sequence|seq|step|ordinal)(_(number|num|no|nr|id|index))?(_in_\w+)?"
)
_EVENT = re.compile(
    r"((event|action|behaviou?r|interaction|activity|feedback|signal|operation|engagement)(_?(type|name|kind|code|id))?|verb|type"
    r"|kind|(\w+_)?(action|event)_type)"
)
#: names of numbers that are not keys, even if all of them are among the keys
NUMERIC = re.compile(
    r"year|count|\bnum\b|price|rating|score|\bage\b|length|runtime|duration|votes|rank|weight|amount|quantity|stars|percent"
    r"|subscribers|followers|views|likes|size|width|height|position|month|\bday\b|hour|minute|second|salary|budget|revenue"
    r"|pages|order|level|latitude|longitude|\bla[t]\b|\blon\b|\blng\b|relevance|similarity"
)
#: names of logs, and of held-out parts of a log
_LOGS = (
    "rating|interaction|event|log|play|click|purchase|order|review|view|history|train|feedback|action|transaction|behavio"
    "|recommendation|session|watch|listen|visit|read|like|favorite|bookmark"
)
_LOG = re.compile(rf"(^|_)(u_data|user_\w+|({_LOGS})\w*)(_|$)")
_SURE_LOG = re.compile(
    r"(^|_)(u_data|ratings?|interactions?|events?|clicks?|purchases?|plays?|log|train)(_|$)"
)
_HELD_OUT = re.compile(r"(^|_)(test|valid|validation|val|dev|holdout|heldout|held_out|eval|probe|quiz)(_|$)")
_ROWS = re.compile(
    r"review|rating|event|order|transaction|interaction|purchase|play|click|log|visit|view|row|record|line|index"
)

_IRREGULAR = {"people": "person", "persons": "person", "children": "child", "women": "woman", "men": "man"}
#: names of columns of properties, and of their values
_PROPERTY, _ITS_VALUE = ("property", "attribute", "feature", "field", "key", "variable"), ("value", "val")
_NO_PLURAL = ("movies", "series", "cookies", "zombies")
#: suffixes of formats, which do not name the content
_FORM = re.compile("csv|tsv|tab|jsonl|ndjson|json|parquet|pq|dat|data|txt|text|out|log|dump|list", re.I)
#: words that describe a file rather than its rows
_OF_FILES = re.compile(
    r"bx|ml|tree|meta|metadata|info|data|dataset|table|list|details|all|full|clean(ed)?|final|new|raw|part|dim|\d+"
)


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `user`, `id` for `User-ID`, `userID` and `USER_ID`."""
    return tuple(part.lower() for part in _PARTS.split(name.replace("IDs", "Ids")) if part)


def snake(name: str) -> str:
    """The words of a name, joined by `_`."""
    return "_".join(words(name))


def user_rank(name: str) -> int:
    """How surely a column is named like users: 3 `user_id`, 2 `user`, `session_id`, 1 `users` (which may count them), 0 not at all."""
    made = snake(name)
    if _USER_ID.fullmatch(made) and "session" not in made:
        return 3
    if _USER_BARE.fullmatch(made):
        return 2
    return 1 if _USER_PLURAL.fullmatch(made) else 0


def item_rank(name: str) -> int:
    """How surely a name is that of items: 3 `movie_id`, 2 `movie`, `goodreads_book_id`, 1 `movies`, 0 not at all."""
    made = snake(name)
    if _ITEM_ID.fullmatch(made):
        return 3
    if made in _NUMBERED:
        return 1
    if _ITEM_BARE.fullmatch(made) or _ITEM_LONG.fullmatch(made):
        return 2
    return 1 if _ITEM_PLURAL.fullmatch(made) else 0


def is_label(name: str) -> bool:
    """Whether a column is named like names or titles of the rows."""
    return words(name)[-1:] in [(label,) for label in LABELS]


def is_id(name: str) -> bool:
    """Whether a column is named like an identifier."""
    parts = [word for word in words(name) if not word.isdigit()]
    return bool(parts) and (parts[-1] in _ID_WORDS or _GLUED.fullmatch(parts[-1]) is not None)


def is_plain_id(name: str) -> bool:
    """Whether a name of an identifier does not say what it identifies, so that equal names mean nothing."""
    return all(word in _ID_WORDS for word in words(name))


def is_code(name: str) -> bool:
    """Whether a column is named like numbers that only identify or contact something: `isbn13`, `phone`."""
    return any(word in _CONTACTS for word in words(name))


def is_area(name: str) -> bool:
    """Whether a column is named like postal codes."""
    return any(word in _AREAS for word in words(name))


def is_rating(name: str) -> bool:
    """Whether a column of a log is named like ratings or answers."""
    parts = words(name)
    return bool(parts) and not is_count(name) and any(_RATING.fullmatch(word) for word in parts)


def is_count(name: str) -> bool:
    """Whether a column is named like counts of something, such as plays."""
    parts = words(name)
    return bool(parts) and (
        _COUNT.fullmatch(parts[-1]) is not None or parts[0] in ("num", "number", "nb", "count", "total")
    )


def is_percent(name: str) -> bool:
    """Whether a column is named like percentages."""
    return any(_PERCENT.fullmatch(word) for word in words(name))


def is_value(name: str) -> bool:
    """Whether a column of a log is named like a rating, a count or another strength."""
    return is_rating(name) or is_count(name) or is_percent(name) or words(name)[-1:] == ("value",)


def is_popularity(name: str) -> bool:
    """Whether a column of items is named like a number of ratings, views and the like."""
    return _POPULAR.fullmatch(snake(name)) is not None


def is_time(name: str) -> bool:
    """Whether a column is named like times."""
    return _TIME.fullmatch(snake(name)) is not None


def is_position(name: str) -> bool:
    """Whether a column of a log is named like positions in a history."""
    return _POSITION.fullmatch(snake(name)) is not None


def is_event(name: str) -> bool:
    """Whether a column is named like kinds of events."""
    return _EVENT.fullmatch(snake(name)) is not None


def is_numeric(name: str) -> bool:
    """Whether a column is named like numbers that are not keys."""
    return NUMERIC.search(" ".join(words(name))) is not None


def log_rank(path: Path) -> int:
    """How surely a file is named like a log: 2 `ratings.csv`, 1 `history.csv`, 0 not at all."""
    if _SURE_LOG.search(snake(path.name)):
        return 2
    return 1 if _LOG.search(snake(path.name)) else 0


def is_held_out(path: Path) -> bool:
    """Whether a file is named like the test part of a log."""
    return _HELD_OUT.search(snake(path.name)) is not None


def are_properties(columns: Collection[str]) -> bool:
    """Whether a file has the names and the values of properties in its rows."""
    own = {snake(name) for name in columns}
    return bool(own.intersection(_PROPERTY)) and bool(own.intersection(_ITS_VALUE))


def is_of_rows(name: str) -> bool:
    """Whether an identifier is named like that of a log's rows: `review_id`."""
    return _ROWS.match(base(name)) is not None


def singular(name: str) -> str:
    """A name in lower case, made a valid name of a type, in the singular."""
    stem = re.sub(r"\W+", "_", name).strip("_").lower() or "item"
    if (irregular := next((one for one in _IRREGULAR if re.search(rf"(^|_){one}$", stem)), None)) is not None:
        return stem.removesuffix(irregular) + _IRREGULAR[irregular]
    if stem.endswith("ies") and stem not in _NO_PLURAL:
        return stem[:-3] + "y"
    is_plural = (
        len(stem) > 1 and stem.endswith("s") and not stem.endswith(("ss", "us", "is", "series", "news"))
    )
    return stem[:-1] if is_plural else stem


def base(name: str) -> str:
    """The thing that an identifier identifies: `movie` for `movieId` and `movies`, `goodreads_book` for `goodreads_book_id`; "" for `id`."""
    parts = list(words(name))
    while parts and (parts[-1] in _ID_WORDS[:12] or parts[-1].isdigit()):
        parts.pop()
    if parts and _GLUED.fullmatch(parts[-1]):
        parts[-1] = re.sub("ids?$", "", parts[-1])
    return singular("_".join(parts)) if parts else ""


def type_of_key(name: str) -> str:
    """The type that a column refers to, by its name: `artist` for `artistID`."""
    return base(name) or singular(name)


def type_of_file(path: Path, key: str = "") -> str:
    """The type of a file's nodes: its name, or the suffix in names such as u.item; `key` is the column of its identifiers.

    For `category_tree.csv` with the key `categoryid` it is `category`.
    """
    stem, *suffixes = path.name.split(".")
    rest = [s for s in suffixes if f".{s.lower()}" not in COMPRESSION and not _FORM.fullmatch(s)]
    made = singular(rest[0] if len(stem) < 2 and rest else stem)
    own, parts = base(key), [singular(word) for word in words(made)]
    if own and own in parts and all(word == own or _OF_FILES.fullmatch(word) for word in parts):
        return own
    return made


def type_of_values(name: str, taken: Collection[str]) -> str:
    """The type of the values of a column or predicate: `actor` for `actor_1_name`, `column_4` for a column named 4.

    Args:
        name: Name of the column or predicate.
        taken: Types with keys, whose names cannot be used for values.
    """
    if not re.search(r"[^\W\d_]", name):
        name = UNNAMED + ("_".join(re.findall(r"\d+", name)) or "value")
    bare = name if name.startswith(UNNAMED) else re.sub(r"[_ .-]?\d+(?=[_ .-]|$)", "", name)
    bare = re.sub(r"(?<=\w)([_ .-]names?|Names?)$", "", bare)
    names = (singular(bare), singular(name))
    free = (made for made in names if made not in taken and is_type_name(made))
    return next(free, f"{singular(name)}_value")


def unique(name: str, taken: Collection[str]) -> str:
    """`name`, with a number if it is taken."""
    number, made = 2, name
    while made in taken:
        made, number = f"{name}_{number}", number + 1
    return made
