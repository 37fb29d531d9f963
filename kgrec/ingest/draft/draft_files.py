"""The part that each file plays: tables of nodes with their keys, logs, tables of facts about nodes.

Enters: samples, and identifiers in RDF. Leaves: `DraftFiles`. Every column is compared with all identifiers first; parts are
chosen by evidence that is scored, so the order of the files does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.logs import ENOUGH, Held, Log, log_of
from kgrec.ingest.draft.sample import REPEATED, Sample
from kgrec.ingest.draft.targets import Match, Target, is_same, matches, shown
from kgrec.ingest.statements import RESOURCE

#: evidence from which a file with a key is a table of nodes, though its columns might be those of a log
_SURELY_NODES = 4
#: share of the pairs of user and item from which one log repeats another
_COPY = 0.9
_SOME, _HALF, _NEARLY_ALL = 0.2, 0.5, 0.9
#: names of columns that number the rows
_ROW_NUMBERS = ("", "unnamed_0", "unnamed", "index", "row", "level_0")


@dataclass
class DraftFiles:
    """The parts of the files."""

    tables: list[Sample]
    logs: list[Log]
    #: the identifiers of the items
    item: Target
    #: all identifiers of tables and of RDF
    targets: list[Target]
    #: files with facts about nodes of tables
    facts: list[Sample] = field(default_factory=list)
    why_items: str = ""

    @property
    def log(self) -> Log | None:
        """The first log."""
        return next(iter(self.logs), None)

    def held(self, sample: Sample) -> Held:
        """Column -> the identifiers that it holds, the best first."""
        return held_by(sample, self.targets)


def sort_files(
    samples: Sequence[Sample], of_rdf: Sequence[Target], doubts: Doubts, otherwise: SourceError | None = None
) -> DraftFiles:
    """Find the part of each file; files that are left out get a reason.

    Args:
        samples: Samples of tables and logs.
        of_rdf: Identifiers in RDF.
        doubts: Collects or asks doubtful choices.
        otherwise: Error to raise if nothing can be the items; None: one about the samples.

    Raises:
        SourceError: Nothing can be the items.
    """
    samples = sorted(samples, key=lambda sample: sample.source.name)
    for sample in samples:
        _find_key(sample)
    # first with the identifiers of all files, then without those of the logs
    every = [*_targets(samples), *of_rdf]
    others, rest = _split(samples, every)
    targets = [*_targets(others), *of_rdf]
    logs = _logs(rest, targets, doubts)
    taken = [*others, *(log.sample for log in logs)]
    facts = [sample for sample in samples if sample not in taken and not sample.left_out]
    if not targets and not logs:
        raise otherwise or _no_key()
    facts += _only_joins(others, targets, logs)
    files = DraftFiles([sample for sample in others if sample not in facts], logs, _NOTHING, targets, facts)
    files.targets = [target for target in targets if target.table is None or target.table in files.tables]
    _choose_items(files, doubts, otherwise)
    _choose_keys(files)
    _name_types(files)
    _leave_out(files)
    return files


def held_by(sample: Sample, targets: Sequence[Target]) -> dict[str, list[Match]]:
    """Column -> the identifiers that it holds, the best first; the columns of the table itself are not compared by row."""
    found = {}
    for name in sample.plain:
        profile = sample.profile(name)
        others = [one for one in targets if not is_same(sample, name, one)]
        if (one := matches(profile, others, sample, has_names=sample.has_names)) and not profile.is_time:
            found[name] = one
    return found


# tables


def _find_key(sample: Sample) -> None:
    """Set the key and its reason; the key stays None if no column can be one."""
    type_ = names.type_of_file(sample.source.path)
    alone = [
        name
        for name in sample.plain
        if looks.is_unique(sample.columns[name]) and name not in sample.repeating
    ]
    named = [name for name in alone if names.is_id(name) and not names.is_code(name)]
    usual = [name for name in named if names.is_plain_id(name) or names.base(name) == type_]
    rest = [name for name in alone if not sample.profile(name).is_time and not _is_measure(name)]
    ids = [name for name in rest if sample.profile(name).may_be_ids]
    short = [
        name for name in rest if not looks.is_long(sample.columns[name]) and name.lower() not in names.LABELS
    ]
    # a column without a name usually numbers the rows: the last resort
    plain = [name for name in [*ids, *short] if names.snake(name) not in _ROW_NUMBERS] or ids
    for name in usual or named or plain:
        sample.key = name
        like = " and named like an id" if named else ""
        sample.why_key = f"it is filled and unique in all sampled rows{like}"
        break
    else:
        _find_repeated_key(sample)
    sample.type = names.type_of_file(sample.source.path, sample.key or "")


def _is_measure(name: str) -> bool:
    """Whether a column is named like numbers or values, which may happen to be unique in a small table."""
    return not names.is_id(name) and (
        names.is_numeric(name) or names.is_value(name) or names.is_popularity(name)
    )


def _find_repeated_key(sample: Sample) -> None:
    for name in (name for name in sample.plain if names.is_id(name)):
        array = sample.columns[name]
        repeated = len(array) - looks.distinct(array)
        if len(looks.filled(array)) == len(array) and repeated <= REPEATED * len(array):
            sample.key = name
            sample.why_key = (
                f"it is named like an id, and only {repeated:,} of the sampled rows repeat a value"
            )
            return


def _targets(samples: Iterable[Sample]) -> list[Target]:
    """The unique columns of tables, as identifiers that other columns may hold."""
    return [target for sample in samples if sample.key is not None for target in _targets_of(sample)]


def _targets_of(sample: Sample) -> Iterator[Target]:
    worth = _worth(sample)
    for name in sample.plain:
        profile = sample.profile(name)
        named = names.is_label(name)
        fits = profile.may_be_ids or (named and not looks.is_long(profile.filled))
        fits &= looks.share(profile.values, looks.IRIS) < _HALF
        is_other = sample.has_names and profile.is_unique and name not in sample.repeating and fits
        is_number = names.is_numeric(name) and not names.is_id(name)
        if name == sample.key or (is_other and not profile.is_time and not is_number and name):
            yield Target(sample.type, sample.values(name), worth, sample, name)


def _worth(sample: Sample) -> float:
    texts = [sample.profile(name) for name in sample.plain]
    lengths = [looks.mean_length(one.filled) for one in texts if one.numbers is None and not one.is_time]
    has_label = any(map(names.is_label, sample.plain))
    return max(lengths, default=0.0) + 1000 * has_label + 500 * (sample.type == names.base(sample.key or ""))


# logs


def _split(samples: Sequence[Sample], targets: Sequence[Target]) -> tuple[list[Sample], list[Sample]]:
    """Tables of nodes, and the files that are logs or have no key."""
    used = _uses(samples, targets)
    tables: list[Sample] = []
    rest: list[Sample] = []
    for sample in samples:
        others = [target for target in targets if target.table is not sample]
        log = log_of(sample, held_by(sample, others), others)
        is_log = log is not None and log.score >= ENOUGH
        if not sample.has_names:
            is_log = log is not None and ("time" in log.columns or log.kinds is not None)
        if log is not None and log.score >= ENOUGH - 1 and names.is_held_out(sample.source.path):
            rest.append(sample)
            continue
        is_table = sample.key is not None and not (is_log and _signs_of_nodes(sample, used) < _SURELY_NODES)
        (tables if is_table else rest).append(sample)
    return tables, rest


def _signs_of_nodes(sample: Sample, used: Mapping[tuple[int, str], int]) -> int:
    """How much a file with a key is like a table of nodes."""
    key, signs = sample.key or "", 0
    if not names.is_of_rows(key) and not (names.is_plain_id(key) and names.is_of_rows(sample.type)):
        of_its_own = names.item_rank(key) > 1 or names.user_rank(key) > 1 or names.base(key) == sample.type
        signs += 3 if of_its_own else 2 if names.item_rank(sample.type) and names.is_plain_id(key) else 0
    signs += 2 * bool(used.get((id(sample), key)))
    signs += names.is_id(key)
    return signs + any(
        names.words(name)[-1:] in [(label,) for label in names.LABELS] for name in sample.plain
    )


def _uses(samples: Sequence[Sample], targets: Sequence[Target]) -> dict[tuple[int, str], int]:
    """(table, column) -> number of columns in other files that hold its identifiers, by name too."""
    counts: dict[tuple[int, str], int] = {}
    for sample in samples:
        for found in held_by(sample, targets).values():
            best = found[0]
            if best.target.table not in (None, sample) and best.strength >= 2 and best.named >= 2:
                place = (id(best.target.table), best.target.column)
                counts[place] = counts.get(place, 0) + 1
    return counts


def _logs(rest: Sequence[Sample], targets: Sequence[Target], doubts: Doubts) -> list[Log]:
    """The logs, the surest first; copies, held-out parts and tables of tags are left out."""
    found = [log_of(sample, held_by(sample, targets), targets) for sample in rest]
    logs = [
        log
        for log in found
        if log is not None
        and (log.score >= ENOUGH - names.is_held_out(log.sample.source.path) or not log.sample.has_names)
    ]
    logs.sort(
        key=lambda log: (
            names.is_held_out(log.sample.source.path),
            -log.score,
            -names.log_rank(log.sample.source.path),
            -_size(log.sample),
            log.sample.source.name,
        )
    )
    kept: list[Log] = []
    tags = [log for log in logs if _has_tags(log, targets)]
    if len(tags) < len(logs):
        logs = [log for log in logs if log not in tags]
    for log in logs:
        why = _why_no_log(log, kept, doubts)
        if why:
            log.sample.why("*", "left out", why)
            log.sample.left_out = why
        else:
            kept.append(log)
    return _checked(kept, doubts)


def _size(sample: Sample) -> int:
    return (
        sample.rows
        if sample.rest is None
        else sum(one.source.path.stat().st_size for one in (sample, *sample.parts))
    )


def _why_no_log(log: Log, kept: Sequence[Log], doubts: Doubts) -> str:
    """Why a log is left out: it is held out, or repeats another one; "" if it is read."""
    name = log.sample.source.name
    if kept and names.is_held_out(log.sample.source.path):
        return "its name is that of rows to test with, which must not be learned from: see kgrec evaluate"
    for other in kept:
        share, back = (
            looks.overlap(_rows(log, other), _rows(other, log)),
            looks.overlap(_rows(other, log), _rows(log, other)),
        )
        if share < _COPY:
            continue
        if back >= _COPY or _are_timed(log, other):
            return f"{shown(share)} of its rows are in {other.sample.source.name}"
        doubts.warn(
            f"{shown(share)} of the pairs of user and item of {name} are in {other.sample.source.name}, too.",
            f"If {name} is a part of it, leave it out.",
        )
    return ""


def _are_timed(log: Log, other: Log) -> bool:
    return "time" in log.columns and "time" in other.columns


def _rows(log: Log, other: Log) -> pa.Array:
    """The rows as text: user, item, and what both logs have of value, time and event."""
    shared = [role for role in log.columns if role in other.columns]
    columns = [pc.utf8_trim_whitespace(log.sample.columns[log.columns[role][0]]) for role in shared]
    return pc.binary_join_element_wise(*(column.cast(pa.string()) for column in columns), "\x1f")


_TAGS = ("tag", "tags", "label", "genre", "category", "keyword", "shelf", "collection", "topic", "list")


def _has_tags(log: Log, targets: Sequence[Target]) -> bool:
    """Whether the rows only say that users gave tags to items."""
    if log.kinds is not None or "value" in log.columns or not log.sample.has_names:
        return False
    held = held_by(log.sample, targets)
    for name in log.sample.plain:
        best = next(iter(held.get(name, ())), None)
        is_ref = best is not None and best.strength >= 2 and not best.target.are_users
        if name not in (log.user, log.item) and (
            is_ref or names.words(name)[-1:] in [(tag,) for tag in _TAGS] or names.base(name) in _TAGS
        ):
            return True
    return False


def _checked(logs: list[Log], doubts: Doubts) -> list[Log]:
    """The logs; doubtful ones are asked or marked."""
    if len(logs) > 1 and logs[0].score == ENOUGH:
        first, why = doubts.choose(
            "Which file has the interactions of users with items?",
            [str(log) for log in logs],
            "its columns and its name fit best",
        )
        logs = [logs[first]]
        logs[0].sample.why("*", "interactions", why)
    for log in logs:
        if log.sample.has_names and "most distinct" in log.columns["user"][1]:
            doubts.warn(
                f"{log.sample.source.name}: no column is named like users; {log.user} is taken, since {log.columns['user'][1]}.",
                "If the file is no log, take `interactions:` out.",
            )
    return logs


# the items

_NOTHING = Target("", pa.array([], pa.string()))


def _choose_items(files: DraftFiles, doubts: Doubts, otherwise: SourceError | None) -> None:
    """Set the identifiers of the items: those in the log's item column, or else those named like items."""
    if files.log is None:
        if not files.targets:
            raise otherwise or _no_key()
        files.item, files.why_items = _items_alone(files, doubts)
        return
    log, match = files.log, files.log.match
    log.name_columns()
    if match is not None and match.strength >= 2 and not match.target.are_users:
        files.item, files.why_items = match.target, _why_match(match, log)
        return
    near = _likely_items(files, log)
    if near is not None:
        files.item, files.why_items = near.target, f"they are the likeliest items of {log.sample.source.name}"
        if near.share < _HALF or near.named < 2:
            log.sample.marks["item"] = (
                doubts.warn(
                    f"{log.sample.source.name}: {_only(near.share)} of the values of {log.item} are keys of {near.target.source}"
                    f" ({near.target.column}).{_form_of(log.sample.values(log.item), near.target.values)}",
                    "The other rows count for nothing. Name the table of the items, or another column.",
                )
                if near.share < _NEARLY_ALL
                else doubts.warn(
                    f"{log.sample.source.name}: the values of {log.item} may be keys of {near.target.source} by chance: both are"
                    f" numbers, and {shown(near.chance)} of the numbers in their range are keys.",
                    "Check the column of the items.",
                )
            )
        return
    if not _items_of_rows(files, log, doubts):
        raise otherwise or _no_items(log)


def _why_match(match: Match, log: Log) -> str:
    return f"its keys are in the interactions: {shown(match.share)} of the values of {log.item} there"


def _likely_items(files: DraftFiles, log: Log) -> Match | None:
    """The likeliest identifiers for the log's items, though few of them fit: by name, or the only ones."""
    found = [one for one in files.held(log.sample).get(log.item, ()) if not one.target.are_users]
    if found:
        return found[0]
    named = [
        target
        for target in files.targets
        if not target.are_users
        and names.item_rank(target.type)
        and (target.table is None or target.column == target.table.key)
    ]
    if not named or not names.item_rank(log.item):
        return None
    values = log.sample.values(log.item)
    best = max(named, key=lambda target: (looks.overlap(values, target.values), target.worth))
    return Match(
        log.item, best, looks.overlap(values, best.values), looks.overlap(best.values, values), 0.0, 1
    )


def _is_mute(table: Sample) -> bool:
    """Whether a table has nothing but keys that are no names."""
    return len(table.columns) == 1 and looks.share(table.keys, r"\S\s+\S") < _SOME


def _only(share: float) -> str:
    return f"only {shown(share)}" if share else "none"


def _form_of(values: pa.Array, keys: pa.Array) -> str:
    """In what form the values would be keys, as a sentence; "" if in none."""
    forms = {
        "without '.0' at the end": lambda array: pc.replace_substring_regex(array, r"\.0+$", ""),
        "without leading zeros": lambda array: pc.replace_substring_regex(array, "^0+", ""),
        "in lower case": pc.utf8_lower,
    }
    for how, form in forms.items():
        share = looks.overlap(form(values), form(keys))
        if share >= _HALF:
            return f" Written {how}, {shown(share)} are."
    return ""


def _items_of_rows(files: DraftFiles, log: Log, doubts: Doubts) -> bool:
    """Make a table of items from the rows of a file that names them: one of facts, or the log itself.

    Returns False if the log is all there is, and says nothing about the items.
    """
    values = log.sample.values(log.item)
    shares = {
        sample.source.name: (looks.overlap(values, sample.profile(log.item).values), sample)
        for sample in files.facts
        if log.item in sample.columns and not sample.left_out
    }
    share, provider = max(shares.values(), key=lambda one: one[0], default=(0.0, log.sample))
    if share < _NEARLY_ALL:
        provider = log.sample
    type_ = names.type_of_key(log.item) if provider.has_names else "item"
    table = provider.with_rows_of(log.item, type_, {name for name, _ in log.columns.values()})
    used = {name for name, _ in log.columns.values()}
    more = log.sample.facts_about(log.item, {*table.columns, *used})
    if not files.tables and not files.facts and more is None and _is_mute(table):
        return False
    files.facts += [more] if more is not None else []
    log.sample.elsewhere = {*table.columns, *(more.columns if more is not None else ())}
    files.tables.append(table)
    files.item = Target(type_, table.keys, 0.0, table, log.item)
    files.targets.append(files.item)
    files.why_items = f"no table has the items of {log.sample.source.name}"
    doubts.warn(
        f"No file has one row per item: the items are the values of {log.item} in {provider.source.name}.",
        "If a file has their titles or other facts, name it, too.",
    )
    for target in files.targets:
        share = looks.overlap(values, target.values)
        if 0 < share < _HALF:
            log.sample.why(
                log.item,
                f"no reference to {target.source}",
                f"only {shown(share)} of its values are keys there",
            )
    return True


def _items_alone(files: DraftFiles, doubts: Doubts) -> tuple[Target, str]:
    """The items where there is no log: by name, by the words in the table, by the number of its columns."""
    keys = [target for target in files.targets if target.table is None or target.column == target.table.key]

    def order(target: Target) -> tuple[bool, bool, bool, int, float, str]:
        columns = len(target.table.columns) if target.table is not None else 0
        named = names.item_rank(target.type) > 0
        return not target.are_users, target.table is not None, named, columns, target.worth, target.type

    best, *others = sorted(keys, key=order, reverse=True)
    if best.table is None:
        return best, "no table has items"
    if sum(target.table is not None for target in keys) == 1:
        return best, "it is the only table"
    if order(best)[2] and not any(order(target)[:3] == order(best)[:3] for target in others):
        return best, "its name is that of items"
    choices = [best, *(target for target in others if target.table is not None and not target.are_users)]
    if len(choices) == 1:
        return best, "the other tables are of users"
    taken, why = doubts.choose(
        "Which table has the items, which are recommended?",
        [target.source for target in choices],
        "it says the most about its rows",
    )
    return choices[taken], why


def _no_key() -> SourceError:
    return SourceError(
        "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
    )


def _no_items(log: Log) -> SourceError:
    return SourceError(
        f"{log.sample.source.name} is a log of interactions, and no file has the items.",
        "Also name a table with one item per row, or RDF: kgrec init items.csv ratings.csv",
    )


# keys


def _only_joins(tables: Sequence[Sample], targets: Sequence[Target], logs: Sequence[Log]) -> list[Sample]:
    """Tables whose rows only join nodes of other tables, though a column numbers them."""
    used = _uses([*tables, *(log.sample for log in logs)], targets)
    found = []
    for sample in tables:
        refs = [
            name
            for name, held in held_by(sample, targets).items()
            if held[0].strength >= 2
            and held[0].target.table is not sample
            and not held[0].target.are_users
            and name != sample.key
            and not names.is_label(name)
        ]
        key = sample.key or ""
        says_nothing = names.snake(key) in _ROW_NUMBERS or names.is_plain_id(key) or names.is_of_rows(key)
        if (
            sample.has_names
            and len(refs) > 1
            and says_nothing
            and _signs_of_nodes(sample, used) < _SURELY_NODES - 1
        ):
            found.append(sample)
    return found


def _choose_keys(files: DraftFiles) -> None:
    """The key of each table is the column that the first log uses, or else most other files; other used ones are `keys:`."""
    uses: dict[tuple[int, str], list[Match]] = {}
    if files.log is not None and files.item.table is not None:
        place = (id(files.item.table), files.item.column)
        uses[place] = [Match(files.log.item, files.item, 1.0, 1.0, 0.0, 3)] * 1000
    for sample in [*(log.sample for log in files.logs), *files.facts, *files.tables]:
        for held in files.held(sample).values():
            best = held[0]
            if best.target.table is None or best.strength < 2 or (best.named < 1 and best.chance > 0.1):
                continue
            if best.target.table is sample and best.named < 2:
                continue
            if sample in files.tables and names.is_label(best.name):
                continue
            uses.setdefault((id(best.target.table), best.target.column), []).append(best)
    for table in files.tables:
        columns = {name: uses[id(table), name] for name in table.columns if (id(table), name) in uses}
        whole = [name for name in columns if looks.is_unique(table.columns[name])]
        if names.is_id(table.key or ""):
            # titles may repeat in what is added later
            whole = [name for name in whole if not names.is_label(name)]
        if whole and table.key not in whole:
            table.key = max(whole, key=lambda name: (len(columns[name]), name))
            table.why_key = "it is filled and unique in all sampled rows, and other files refer to it"
        elif whole:
            table.key = max(whole, key=lambda name: (len(columns[name]), name == table.key, name))
        for name, found in columns.items():
            if name != table.key:
                best = found[0]
                table.other_keys[name] = (
                    f"{shown(best.share)} of the values of {best.name} in another file are in it"
                )


def _name_types(files: DraftFiles) -> None:
    """Give each table a type of its own; RDF nodes without a type are resources, so no table may have this type."""
    taken = {RESOURCE}
    ordered = sorted(files.tables, key=lambda table: (table is not files.item.table, table.source.name))
    for table in ordered:
        table.type = names.unique(table.type, taken)
        taken.add(table.type)
    files.tables = ordered
    again = {
        id(target): Target(target.table.type, target.values, target.worth, target.table, target.column)
        for target in files.targets
        if target.table is not None
    }
    files.item = again.get(id(files.item), files.item)
    files.targets = [again.get(id(target), target) for target in files.targets]
    for log in files.logs:
        held = files.held(log.sample).get(log.item, [])
        log.match = next(
            (one for one in held if one.target.table is files.item.table and one.strength), log.match
        )


def _leave_out(files: DraftFiles) -> None:
    """Leave out tables of users; tables with the keys of another one are facts about its nodes."""
    for table in list(files.tables):
        if table is files.item.table:
            continue
        if why := _why_users(table, files.logs, files.targets):
            table.left_out = why
            table.why("*", "left out", why)
        elif (home := _home(table, files)) is not None:
            table.left_out = f"it has the keys of {home.source.name}, and a type has one table: join the two"
            table.home = home
            files.facts.append(table)
        else:
            continue
        files.tables.remove(table)
    files.targets = [
        target for target in files.targets if target.table is None or target.table in files.tables
    ]


def _why_users(table: Sample, logs: Sequence[Log], targets: Sequence[Target]) -> str:
    are_users = names.user_rank(table.type) > 0 or names.user_rank(table.key or "") == 3
    for log in logs:
        users = log.sample.profile(log.user).values
        are_named = are_users and looks.overlap(users, table.keys) >= _HALF
        best = next(iter(held_by(log.sample, targets).get(log.user, ())), None)
        if are_named or (best is not None and best.target.table is table and best.strength >= 2):
            return f"its keys are the users of {log.sample.source.name}, and attributes of users are not read"
    return ""


def _home(table: Sample, files: DraftFiles) -> Sample | None:
    """The table of the nodes that another table also has one row for each of; None if there is none."""
    key = table.key or ""
    for match in files.held(table).get(key, ()):
        other = match.target.table
        is_key = other is not None and other is not table and match.target.column == other.key
        if other is None or not is_key or match.share < _NEARLY_ALL or match.named < 3:
            continue
        if other is files.item.table or _weight_of(other, key) > _weight_of(table, key):
            return other
    return None


def _weight_of(table: Sample, key: str) -> tuple[bool, int, str]:
    return table.type == names.base(key), len(table.columns), table.source.name
