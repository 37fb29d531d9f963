"""The columns of a log of interactions.

Enters: a sample, and the identifiers that its columns hold. Leaves: a `Log`: columns of user, item, value, time and event, with
reasons, and a score for how much the file looks like a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.profile import Profile
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.scales import Kinds, are_stars, kinds_of
from kgrec.ingest.draft.targets import Match, Target, matches, shown

#: role -> (column, reason)
Choices = dict[str, tuple[str, str]]
#: identifiers that each column holds, best first
Held = Mapping[str, Sequence[Match]]

#: score from which on a file is a log
ENOUGH = 4
_BY_NAME = "its name fits, in a file of users and items"
#: largest number of distinct numbers that counts as few
_MAX_SCALE_VALUES = 101
#: smallest share of a log's items that are keys
_HALF = 0.5
#: names of people who are not users
_PEOPLE = (
    "person",
    "who",
    "profile",
    "author",
    "nick",
    "name",
    "login",
    "email",
    "handle",
    "device",
    "household",
    "patient",
    "player",
)


@dataclass(eq=False)
class Log:
    """A file that may be a log."""

    sample: Sample
    #: user, item, and possibly value, time, position, event
    columns: Choices
    #: the identifiers of the item column; None if no table has them
    match: Match | None
    #: how much the file looks like a log
    score: int
    kinds: Kinds | None = None
    #: evidence in words
    signs: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.sample.source.name} ({', '.join(self.signs)})"

    def name_columns(self) -> None:
        """Name unnamed columns by their roles."""
        if not self.sample.has_names:
            known = self.sample.rename({name: role for role, (name, _) in self.columns.items()})
            self.columns = {role: (known.get(name, name), why) for role, (name, why) in self.columns.items()}

    @property
    def user(self) -> str:
        """The column of users."""
        return self.columns["user"][0]

    @property
    def item(self) -> str:
        """The column of items."""
        return self.columns["item"][0]


def log_of(sample: Sample, held: Held, targets: Sequence[Target]) -> Log | None:
    """The columns that the file has as a log; None if it has no column of users or of items."""
    if not sample.has_names:
        return _unnamed(sample, targets)
    if names.are_properties(sample.columns):
        return None
    columns: Choices = {}
    user = _user(sample, held)
    item = _item(sample, held, taken=user)
    if item is None:
        return None
    if user is None:
        user = _leftover(sample, held, item)
    if user is None:
        return None
    columns["user"], columns["item"] = user[1:], item[1:]
    columns |= _others(sample, _free(sample, columns))
    columns |= _position(sample, columns)
    if "most distinct" in user[2] and not _tells_of_users(sample, columns):
        return None
    match = next(iter(held.get(item[1], ())), None)
    log = Log(sample, columns, match, user[0] + item[0])
    log.signs = [f"user {user[1]}", f"item {item[1]}{f', {match.why}' if match else ''}"]
    _score(log)
    return log


_Scored = tuple[int, str, str]


def _user(sample: Sample, held: Held) -> _Scored | None:
    """A column of users, found by the user identifiers that it holds, or by name; with its score."""
    found: list[tuple[int, int, str, str]] = []
    for place, name in enumerate(sample.plain):
        profile, rank = sample.profile(name), names.user_rank(name)
        match = next((one for one in held.get(name, ()) if one.target.are_users and one.strength >= 2), None)
        # `users` and `subscribers` may be counts, which rarely repeat
        if rank == 1 and profile.numbers is not None and 2 * len(profile.values) > len(profile.filled):
            rank = 0
        if profile.is_list or (profile.numbers is not None and not profile.are_integers and match is None):
            continue
        if match is not None and match.named > 0:
            found.append((4, -place, name, match.why))
        elif rank:
            found.append((rank, -place, name, _BY_NAME))
        elif match is not None and match.target.column and names.is_id(name):
            found.append((2, -place, name, match.why))
    if not found:
        return None
    rank, _, name, why = max(found)
    return min(rank, 3), name, why


def _item(sample: Sample, held: Held, taken: _Scored | None) -> _Scored | None:
    """A column of items, found by the identifiers that it holds and by name; with its score."""
    found: list[tuple[tuple[float, ...], int, str, str]] = []
    for place, name in enumerate(sample.plain):
        if taken is not None and name == taken[1]:
            continue
        profile, rank = sample.profile(name), names.item_rank(name)
        match = next((one for one in held.get(name, ()) if not one.target.are_users), None)
        strength = match.strength if match is not None else 0
        if rank == 1 and profile.numbers is not None:
            rank = 0
        needed = 2 if names.is_id(name) or not profile.are_integers else 3
        if not rank and strength < needed and not (taken is not None and _covers(name, match, profile)):
            continue
        if profile.is_list or profile.is_time or not (profile.numbers is None or profile.are_whole):
            continue
        of_items = match is not None and names.item_rank(match.target.type) > 0
        order = (strength >= 2, rank + of_items, strength, match.target.worth if match else 0.0, -place)
        why = match.why if match is not None and strength else _BY_NAME
        found.append((order, min(3, strength) + (rank > 1), name, why))
    if not found:
        return None
    _, score, name, why = max(found)
    return max(score, 2 if names.item_rank(name) > 1 else 1), name, why


def _covers(name: str, match: Match | None, profile: Profile) -> bool:
    """Whether a column of ids beside a column of users has most keys of a table, and nothing else: dense numbers, which chance explains."""
    return (
        match is not None
        and names.is_id(name)
        and not profile.is_unique
        and match.share == 1
        and match.cover >= _HALF
    )


def _leftover(sample: Sample, held: Held, item: _Scored) -> _Scored | None:
    """A column that may be users, without a name of users: ids that are not keys, and repeat."""
    free = [name for name in sample.plain if name != item[1] and not held.get(name)]
    free = [
        name
        for name in free
        if not names.is_value(name) and not names.is_numeric(name) and not names.is_event(name)
    ]
    ids = []
    for name in free:
        profile = sample.profile(name)
        if profile.may_be_ids and not profile.is_time and not profile.is_unique and not are_stars(profile):
            ids.append(name)
    if not ids:
        return None
    name = max(ids, key=lambda name: (len(sample.profile(name).values), name))
    # `tag_id` is not named after users
    penalty = 3 if names.is_id(name) and names.base(name) not in ("", *_PEOPLE) else 0
    count = len(sample.profile(name).values)
    return 1 - penalty, name, f"it has the most distinct values of the other columns, {count:,}"


def _tells_of_users(sample: Sample, columns: Choices) -> bool:
    """Whether there is more than a count, which tags and attributes of items have too."""
    value = columns["value"][0] if "value" in columns else ""
    is_rated = bool(value) and (names.is_rating(value) or are_stars(sample.profile(value)))
    return "time" in columns or "event" in columns or is_rated or names.base(columns["user"][0]) in _PEOPLE


def _free(sample: Sample, columns: Choices) -> list[str]:
    taken = {name for name, _ in columns.values()}
    return [name for name in sample.plain if name not in taken]


def _others(sample: Sample, free: Sequence[str]) -> Choices:
    """Columns of time, value and event."""
    found: Choices = {}
    for role, choose in (("time", _time), ("event", _event), ("value", _value)):
        choice = choose(sample, [name for name in free if name not in {n for n, _ in found.values()}])
        if choice is not None:
            found[role] = choice
    return {role: found[role] for role in ("value", "time", "event") if role in found}


def _time(sample: Sample, free: Sequence[str]) -> tuple[str, str] | None:
    """The first column with values that are times, columns with names of times first; or a numeric column with such a name."""
    named = [name for name in free if names.is_time(name) and sample.has_names]
    for name in [*named, *free]:
        profile = sample.profile(name)
        if unit := looks.clock_of(profile.filled):
            return name, f"its numbers are like {unit} since 1970"
        if (form := looks.date_form(profile.filled, name)) is not None:
            return name, form.reason
    return next(((name, _BY_NAME) for name in named if sample.profile(name).numbers is not None), None)


def _position(sample: Sample, columns: Choices) -> Choices:
    """A column named like positions, in a log without times; each position of a user must be unique."""
    if "time" in columns:
        return {}
    for name in _free(sample, columns):
        if names.is_position(name) and sample.profile(name).are_integers:
            users, places = (sample.columns[column].to_pylist() for column in (columns["user"][0], name))
            if len(set(zip(users, places, strict=True))) == sample.rows:
                return {"position": (name, "its name fits, there is no time, and no user has a number twice")}
    return {}


def _event(sample: Sample, free: Sequence[str]) -> tuple[str, str] | None:
    found = [(name, kinds) for name in free if (kinds := kinds_of(sample.profile(name))) is not None]
    if not found:
        return None
    name, kinds = max(found, key=lambda one: (len(one[1].unknown) == 0, names.is_event(one[0])))
    return name, f"its {len(kinds.weights)} values are kinds of events"


def _value(sample: Sample, free: Sequence[str]) -> tuple[str, str] | None:
    """A numeric column named like ratings, or like counts, or with values like ratings."""
    numeric = [name for name in free if sample.profile(name).numbers is not None]
    if not sample.has_names:
        few = {name: len(sample.profile(name).values) for name in numeric}
        name = next((name for name in numeric if few[name] <= _MAX_SCALE_VALUES), "")
        return (name, f"it has few distinct numbers, {few[name]:,}") if name else None
    for fits in (names.is_rating, names.is_value):
        for name in numeric:
            if fits(name) and not names.is_id(name):
                return name, _BY_NAME
    return next(
        ((name, "its values are like ratings") for name in numeric if are_stars(sample.profile(name))), None
    )


def _score(log: Log) -> None:
    """Add the evidence of columns and names to the score and the signs."""
    sample = log.sample
    if "value" in log.columns:
        name = log.columns["value"][0]
        log.score += 2 if names.is_rating(name) or are_stars(sample.profile(name)) else 1
        log.signs.append(f"value {name}")
    if "time" in log.columns:
        log.score += 2 if names.is_time(log.columns["time"][0]) or not sample.has_names else 1
        log.signs.append(f"time {log.columns['time'][0]}")
    if "event" in log.columns:
        log.kinds = kinds_of(sample.profile(log.columns["event"][0]))
        log.score += 2
        log.signs.append(f"kinds of events {log.columns['event'][0]}")
    log.score += min(names.log_rank(sample.source.path), 1)
    log.score += len(sample.columns) == len(log.columns)
    if sample.profile(log.user).is_unique and sample.rows > 1:
        log.score -= 1
    if sample.profile(log.item).is_unique and sample.rows > 1:
        log.score -= 4


# files without column names


def _unnamed(sample: Sample, targets: Sequence[Target]) -> Log | None:
    """A log found by the values of its columns: the item column holds keys, the user column has the most distinct ids of the others."""
    columns: Choices = {}
    time = _time(sample, sample.plain)
    free = [name for name in sample.plain if time is None or name != time[0]]
    chosen = _assigned(sample, free, targets)
    items = {number: one for number, one in chosen.items() if not targets[number].are_users}
    kinds = _event(sample, free)
    if not items:
        return _by_place(sample, free, time, kinds)
    best = max(items, key=lambda number: targets[number].worth)
    match = items[best]
    share = f"{shown(match.share)} of its values are keys of {targets[best].source}, of which it has {match.cover:.0%}"
    columns["item"] = (match.name, share)
    user = next((one for number, one in chosen.items() if targets[number].are_users), None)
    if user is not None:
        columns["user"] = (user.name, f"{shown(user.share)} of its values are keys of users")
    else:
        taken = (match.name, kinds[0] if kinds else "")
        ids = [name for name in free if sample.profile(name).may_be_ids and name not in taken]
        ids = [name for name in ids if not are_stars(sample.profile(name))] or ids
        name = max(ids, key=lambda name: len(sample.profile(name).values), default="")
        if not name:
            return None
        count = len(sample.profile(name).values)
        columns["user"] = (name, f"it has the most distinct values of the other columns, {count:,}")
        again = next(
            (one for one in matches(sample.profile(name), [targets[best]], None, has_names=False)), None
        )
        if again is not None and again.strength >= 2:
            # both columns hold the same keys: this is a table of edges
            return None
    columns |= _others(sample, _free(sample, columns))
    ordered: Choices = {
        role: columns[role] for role in ("user", "item", "value", "time", "event") if role in columns
    }
    log = Log(sample, ordered, match, 2 + (user is not None))
    log.signs = [f"item {match.name}, {share}"]
    _score(log)
    return log


def _by_place(
    sample: Sample, free: Sequence[str], time: tuple[str, str] | None, kinds: tuple[str, str] | None
) -> Log | None:
    """A log of kinds of events without a table of items: the user comes first, then the item."""
    texts = []
    for name in free:
        profile = sample.profile(name)
        is_name = profile.numbers is None and not profile.is_list and not looks.is_long(profile.filled)
        repeats = len(profile.values) < len(profile.filled)
        if repeats and (is_name or profile.are_integers) and (kinds is None or name != kinds[0]):
            texts.append(name)
    if kinds is None or len(texts) < 2:
        return None
    why = "the file has kinds of events, and columns without names: the first one is read as the user, the next as the item"
    columns: Choices = {"user": (texts[0], why), "item": (texts[1], why)}
    if time is not None:
        columns["time"] = time
    columns["event"] = kinds
    log = Log(sample, columns, None, 2)
    log.signs = [f"user {texts[0]}", f"item {texts[1]}"]
    _score(log)
    return log


def _assigned(sample: Sample, free: Sequence[str], targets: Sequence[Target]) -> dict[int, Match]:
    """Index of identifiers -> the column that holds them.

    Numbers of users may also be keys of items, but cover fewer of them: each column is assigned to the identifiers that
    Numbers of users may also be keys of items, but they cover fewer of them: each column is assigned to the identifiers that
    """
    fits = []
    for name in free:
        values = sample.profile(name).values
        for number, target in enumerate(targets):
            share = looks.overlap(values, target.values)
            if share >= 0.9:
                match = Match(name, target, share, looks.overlap(target.values, values), 0.0, 0)
                fits.append((round(share, 2), match.cover, number, match))
    chosen: dict[int, Match] = {}
    for _, _, number, match in sorted(fits, key=lambda fit: (-fit[0], -fit[1])):
        if number not in chosen and match.name not in [other.name for other in chosen.values()]:
            chosen[number] = match
    return chosen
