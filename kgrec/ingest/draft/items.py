"""Decides which nodes are the items.

Enters: tables, logs and identifiers. Leaves: the identifiers of the items, with the reason; a table made from the rows of a log
if no file has the items.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.keys import held_by
from kgrec.ingest.draft.logs import Held, Log
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Match, Target, shown

_SOME, _HALF, _NEARLY_ALL = 0.2, 0.5, 0.9


@dataclass
class DraftFiles:
    """The use of each file."""

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
        """Column -> the identifiers that it holds, best first."""
        return held_by(sample, self.targets)


NOTHING = Target("", pa.array([], pa.string()))


def choose_items(files: DraftFiles, doubts: Doubts, otherwise: SourceError | None) -> None:
    """Set the identifiers of the items: those in the log's item column, or otherwise those named like items."""
    if files.log is None:
        if not files.targets:
            raise otherwise or no_key()
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
                    "The other rows are ignored. Name the table of the items, or another column.",
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
    """The likeliest identifiers for the log's items, although few of them fit: by name, or the only ones."""
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
    """Whether a table has only keys, and these are not names."""
    return len(table.columns) == 1 and looks.share(table.keys, r"\S\s+\S") < _SOME


def _only(share: float) -> str:
    return f"only {shown(share)}" if share else "none"


def _form_of(values: pa.Array, keys: pa.Array) -> str:
    """A sentence on the form in which the values would be keys; "" if there is none."""
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
    """Make a table of items from the rows of a file that names them: a file of facts, or the log itself.

    Returns False if the log is the only file, and says nothing about the items.
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
        "If a file has their titles or other facts, name it too.",
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
    """The items if there is no log: by name, by the words in the table, by the number of its columns."""
    keys = [target for target in files.targets if target.table is None or target.column == target.table.key]

    def order(target: Target) -> tuple[bool, bool, bool, int, float, str]:
        if target.table is None:  # classes are sorted by number of triples, descending
            return not target.are_users, False, False, 0, -float(keys.index(target)), ""
        columns, named = len(target.table.columns), names.item_rank(target.type) > 0
        return not target.are_users, True, named, columns, target.worth, target.type

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
        "Which table has the items to recommend?",
        [target.source for target in choices],
        "it has the most information about its rows",
    )
    return choices[taken], why


def no_key() -> SourceError:
    """The error for files without any column of identifiers."""
    return SourceError(
        "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
    )


def _no_items(log: Log) -> SourceError:
    return SourceError(
        f"{log.sample.source.name} is a log of interactions, and no file has the items.",
        "Also name a table with one item per row, or RDF: kgrec init items.csv ratings.csv",
    )
