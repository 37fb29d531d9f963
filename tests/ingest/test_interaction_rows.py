"""Events, filters, times and several tables of interactions, from files to the log of a graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.errors import MappingError, TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import load_mapping

HEAD = """\
version: 1
nodes: {item: {item: true, file: items.csv, key: id}}
interactions:
"""
EVENTS = (
    "  - {file: events.csv, user: user, item: item, event: kind, events: {view: 1, cart: 3, purchase: 10}"
)
ROWS = """\
user,item,kind,at,land
ann,1,view,2019-10-11 00:00:02 UTC,de
ann,1,purchase,2019-10-11 00:00:03 UTC,de
ann,2,view,2019-10-11 00:00:04 UTC,fr
bob,2, cart ,2019-10-11 00:00:05 UTC,de
bob,3,remove_from_cart,2019-10-11 00:00:06 UTC,de
bob,3,,2019-10-11 00:00:07 UTC,de
"""


def built(folder: Path, mapping: str, **files: str) -> tuple[Interactions, Report]:
    (folder / "items.csv").write_text("id\n1\n2\n3\n")
    for name, text in {"events": ROWS, **files}.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "kgrec.yaml").write_text(HEAD + mapping)
    graph = build_graph(folder / "kgrec.yaml")
    return graph.interactions, Report.from_dict(graph.report.to_dict())


def rows(log: Interactions) -> dict[tuple[str, str], float]:
    pairs = zip(log.user, log.item, strict=True)
    weights = log.weight.tolist()
    return {(log.users[user], log.items[item]): w for (user, item), w in zip(pairs, weights, strict=True)}


def test_an_interaction_weighs_what_its_event_says(tmp_path: Path):
    log, report = built(tmp_path, f"{EVENTS}, time: at}}\n")
    assert rows(log) == {("ann", "1"): 10, ("ann", "2"): 1, ("bob", "2"): 3}
    part = report.files["events.csv"]
    assert (part.rows, part.used, part.bad) == (6, 4, 0)
    assert part.left_out == {"kind": {"remove_from_cart": 1, "": 1}}
    assert "  left out by 'kind': (empty) 1, remove_from_cart 1" in str(report)
    assert part.times == "dates, from 2019-10-11 00:00:02 to 2019-10-11 00:00:05"


def test_the_order_of_rows_goes_on_over_files(tmp_path: Path):
    mapping = "  {file: [one.csv, two.csv], user: user, item: item, order: rows}\n"
    one, two = "user,item\nann,3\nbob,1\nann,9\n", "user,item\nann,1\nbob,3\nann,2\n"
    log, report = built(tmp_path, mapping + "errors: {unmatched: 1, stop_above: 1}\n", one=one, two=two)
    assert [log.items[row] for row in log.item] == ["3", "1", "2", "1", "3"]
    assert log.position.tolist() == [0, 3, 5, 1, 4] and log.time is None
    assert report.files["one.csv"].rows == 3
    histories = Histories.of(log)
    assert histories.ordered and histories.time is None
    again = Histories.from_arrow(histories.to_arrow(), 2, 3, ordered=True)
    assert again.item.tolist() == histories.item.tolist() == [2, 0, 1, 0, 2]


def test_a_graph_keeps_positions(tmp_path: Path):
    built(tmp_path, "  {file: events.csv, user: user, item: item, order: rows}\n")
    graph = build_graph(tmp_path / "kgrec.yaml")
    graph.save(tmp_path / "graph")
    loaded = KnowledgeGraph.load(tmp_path / "graph").interactions
    assert loaded.position.tolist() == graph.interactions.position.tolist() == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ("{file: a.csv, user: u, item: i, time: t, order: rows}", "`time:` and `order:` both order the log"),
        ("{file: a.csv, user: u, item: i, position: p, order: rows}", "`position:` and `order:` both order"),
        ("{file: a.csv, user: u, item: i, order: time}", "Input should be 'rows'"),
        (
            "[{file: a.csv, user: u, item: i, order: rows}, {file: b.csv, user: u, item: i, time: t}]",
            "give all of them `time:`",
        ),
        (
            "[{file: a.csv, user: u, item: i, position: p}, {file: b.csv, user: u, item: i}]",
            "give all of them `time:`",
        ),
    ],
)
def test_a_log_has_one_order(tmp_path: Path, tables: str, problem: str):
    (tmp_path / "kgrec.yaml").write_text(HEAD.rstrip() + f" {tables}\n")
    with pytest.raises(MappingError) as caught:
        load_mapping(tmp_path / "kgrec.yaml")
    assert problem in str(caught.value)


def test_histories_have_the_weights(tmp_path: Path):
    log, _ = built(tmp_path, f"{EVENTS}}}\n")
    mean = (10 + 1 + 3) / 3
    assert Histories.of(log).weight.tolist() == pytest.approx([10 / mean, 1 / mean, 3 / mean])


def test_only_chosen_rows_are_read(tmp_path: Path):
    log, report = built(tmp_path, f"{EVENTS}, only: {{land: de}}}}\n")
    assert rows(log) == {("ann", "1"): 10, ("bob", "2"): 3}
    assert report.files["events.csv"].left_out == {"land": {"fr": 1}, "kind": {"remove_from_cart": 1, "": 1}}


def test_rows_that_are_left_out_are_not_bad(tmp_path: Path):
    """A row of another kind may have any item, user or time."""
    events = ROWS + ",9,remove_from_cart,soon,de\n"
    _, report = built(tmp_path, f"{EVENTS}, time: at}}\n", events=events)
    part = report.files["events.csv"]
    assert part.bad == 0 and report.unknown_items.count == 0


def test_a_value_that_no_row_has_is_named(tmp_path: Path):
    mapping = EVENTS.replace("view: 1", "view: 1, buy: 4") + "}\n"
    _, report = built(tmp_path, mapping)
    assert report.warnings == [
        "events.csv: no row has 'buy' in 'kind', which `events:` lists. There are '' and 'remove_from_cart'."
    ]
    with pytest.raises(TooManyBadRows) as caught:
        built(tmp_path, f"{EVENTS}, only: {{land: [DE, FR]}}}}\n")
    assert str(caught.value) == (
        "events.csv: no row has a value of 'land' that `only:` lists; its values are 'de', 'fr'.\n"
        "  Did you mean 'de'?"
    )


def test_many_values_are_counted_together(tmp_path: Path):
    lines = "".join(f"ann,1,kind{n},,\n" for n in range(30))
    _, report = built(tmp_path, f"{EVENTS}}}\n", events=ROWS + lines)
    counts = report.files["events.csv"].left_out["kind"]
    assert len(counts) == 21 and sum(counts.values()) == 32 and counts["(other values)"] == 12


def test_several_tables_make_one_log(tmp_path: Path):
    ratings = "who,what,stars,when\nann,2,5,1570752010000\nbob,2,1,1570752001000\nann,1,2,1570752020000\n"
    second = '  - {file: ratings.csv, user: who, item: what, value: stars, time: when, positive: ">= 4", weight: 2}\n'
    log, report = built(tmp_path, f"{EVENTS}, time: at}}\n{second}", ratings=ratings)
    assert rows(log) == {("ann", "1"): 10, ("ann", "2"): 2, ("bob", "2"): 3}
    # of ann and 1 the latest row is a bad rating; of bob and 2 the latest is the event
    pairs = zip(log.user.tolist(), log.item.tolist(), log.positive.tolist(), log.time.tolist(), strict=True)
    assert list(pairs) == [(0, 1, True, 1570752010), (0, 0, False, 1570752020), (1, 1, True, 1570752005)]
    assert log.count.tolist() == [2, 3, 2]
    assert report.files["ratings.csv"].times.startswith("milliseconds since 1970, from 2019-10-11 00:00:01")


def test_a_table_without_times_or_values_may_stand_beside_one_with_them(tmp_path: Path):
    first = "  - {file: events.csv, user: user, item: item}\n"
    second = "  - {file: ratings.csv, user: who, item: what, value: stars, time: when}\n"
    ratings = "who,what,stars,when\ncy,2,5,1570752010\n"
    log, _ = built(tmp_path, first + second, ratings=ratings)
    assert log.weight is None and len(log) == 5
    assert log.time.tolist() == [0, 0, 0, 0, 1570752010]
    assert log.value.tolist()[-1] == 5 and all(value != value for value in log.value.tolist()[:-1])


def test_one_file_may_stand_in_two_tables(tmp_path: Path):
    mapping = "".join(
        f"  - {{file: events.csv, user: user, item: item, only: {{kind: {kind}}}, weight: {weight}}}\n"
        for kind, weight in (("view", 1), ("purchase", 10))
    )
    log, _ = built(tmp_path, mapping)
    assert rows(log) == {("ann", "1"): 10, ("ann", "2"): 1}


def test_a_time_in_another_unit_than_the_others_is_a_bad_cell(tmp_path: Path):
    times = [1570752000000 + n for n in range(200)] + [1570752000]
    events = "user,item,kind,at,land\n" + "".join(f"u{n},1,view,{at},de\n" for n, at in enumerate(times))
    log, report = built(tmp_path, "  {file: events.csv, user: user, item: item, time: at}\n", events=events)
    part = report.files["events.csv"]
    assert (part.spoiled, part.failed["at"].first) == (1, ['events.csv:202: "1570752000"'])
    assert sorted(set(log.time.tolist())) == [0, 1570752000]


def test_the_unit_of_the_mapping_scales_all_times(tmp_path: Path):
    mapping = "  {file: events.csv, user: user, item: item, time: at, time_unit: milliseconds}\n"
    events = "user,item,at\nann,1,5000\nann,2,1570752000000\n"
    log, report = built(tmp_path, mapping, events=events)
    assert log.time.tolist() == [5, 1570752000] and report.files["events.csv"].bad == 0
