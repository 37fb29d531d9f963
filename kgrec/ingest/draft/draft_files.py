"""The use of each file: tables of nodes with their keys, logs, tables of facts about nodes.

Enters: samples, and identifiers in RDF. Leaves: `DraftFiles`. Every column is first compared with all identifiers; uses are
chosen by scored evidence, so the order of the files does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from kgrec.errors import SourceError
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.chosen_logs import SURELY_NODES, chosen_logs, signs_of_nodes, split, uses
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.items import NOTHING, DraftFiles, choose_items, no_key
from kgrec.ingest.draft.keys import ROW_NUMBERS, find_key, held_by, targets_of
from kgrec.ingest.draft.logs import Log
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Match, Target, shown
from kgrec.ingest.statements import RESOURCE

_HALF, _NEARLY_ALL = 0.5, 0.9


def sort_files(
    samples: Sequence[Sample], of_rdf: Sequence[Target], doubts: Doubts, otherwise: SourceError | None = None
) -> DraftFiles:
    """Find the use of each file; files that are left out get a reason.

    Args:
        samples: Samples of tables and logs.
        of_rdf: Identifiers in RDF.
        doubts: Collects doubtful choices, or asks about them.
        otherwise: Error to raise if nothing can be the items; None: an error about the samples.

    Raises:
        SourceError: Nothing can be the items.
    """
    samples = sorted(samples, key=lambda sample: sample.source.name)
    for sample in samples:
        find_key(sample)
    # first with the identifiers of all files, then without those of the logs
    every = [*targets_of(samples), *of_rdf]
    others, rest = split(samples, every)
    targets = [*targets_of(others), *of_rdf]
    logs = chosen_logs(rest, targets, doubts)
    taken = [*others, *(log.sample for log in logs)]
    facts = [sample for sample in samples if sample not in taken and not sample.left_out]
    if not targets and not logs:
        raise otherwise or no_key()
    facts += _only_joins(others, targets, logs)
    files = DraftFiles([sample for sample in others if sample not in facts], logs, NOTHING, targets, facts)
    files.targets = [target for target in targets if target.table is None or target.table in files.tables]
    choose_items(files, doubts, otherwise)
    _choose_keys(files)
    _name_types(files)
    _leave_out(files)
    return files


# keys


def _only_joins(tables: Sequence[Sample], targets: Sequence[Target], logs: Sequence[Log]) -> list[Sample]:
    """Tables whose rows only connect nodes of other tables, although a column numbers the rows."""
    used = uses([*tables, *(log.sample for log in logs)], targets)
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
        says_nothing = names.snake(key) in ROW_NUMBERS or names.is_plain_id(key) or names.is_of_rows(key)
        if (
            sample.has_names
            and len(refs) > 1
            and says_nothing
            and signs_of_nodes(sample, used) < SURELY_NODES - 1
        ):
            found.append(sample)
    return found


def _choose_keys(files: DraftFiles) -> None:
    """The key of each table is the column that the first log uses, or otherwise most other files; other used columns are `keys:`."""
    found_in: dict[tuple[int, str], list[Match]] = {}
    if files.log is not None and files.item.table is not None:
        place = (id(files.item.table), files.item.column)
        found_in[place] = [Match(files.log.item, files.item, 1.0, 1.0, 0.0, 3)] * 1000
    for sample in [*(log.sample for log in files.logs), *files.facts, *files.tables]:
        for held in files.held(sample).values():
            best = held[0]
            if best.target.table is None or best.strength < 2 or (best.named < 1 and best.chance > 0.1):
                continue
            if best.target.table is sample and best.named < 2:
                continue
            if sample in files.tables and names.is_label(best.name):
                continue
            found_in.setdefault((id(best.target.table), best.target.column), []).append(best)
    for table in files.tables:
        columns = {name: found_in[id(table), name] for name in table.columns if (id(table), name) in found_in}
        whole = [name for name in columns if looks.is_unique(table.columns[name])]
        if names.is_id(table.key or ""):
            # titles may repeat in items that are added later
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
    """Give each table a type of its own; RDF nodes without a type are called resource, so no table may have this type."""
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
    """Leave out tables of users; a table with the keys of another table has facts about its nodes."""
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
    """The table of the nodes for which another table also has one row each; None if there is none."""
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
