"""Durations: how they are written, and in which unit they are read."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_rdf import built

from kgrec.graph.build import build_graph
from kgrec.ingest.draft import draft_mapping
from kgrec.ingest.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H30M", 5400),
        ("PT1H", 3600),
        ("PT90M", 5400),
        ("PT1.5S", 1.5),
        ("PT0,5H", 1800),
        ("P1DT1S", 86_401),
        ("P2W", 1_209_600),
        ("P1Y", 31_556_952),
        ("P1M", 2_629_746),
        ("-PT5M", -300),
        ("PT0S", 0),
        ("1 h 30 min", 5400),
        ("1h30m", 5400),
        ("1h30", 5400),
        ("1 h 30", 5400),
        ("1 hour and 30 minutes", 5400),
        ("1 hr. 30 min.", 5400),
        ("2 Std. 10 Min.", 7800),
        ("1.5 h", 5400),
        ("90 min", 5400),
        ("90 mins", 5400),
        ("3m 20s", 200),
        ("3m20", 200),
        ("45 sec", 45),
        ("2 days", 172_800),
        ("250 ms", 0.25),
        ("1:30:00", 5400),
        ("01:30:00.5", 5400.5),
        ("0 days 01:30:00", 5400),
        ("1 day, 0:00:01", 86_401),
    ],
)
def test_a_duration_in_seconds(text, seconds):
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1",
        "5 m",
        "1.80 m",
        "30 min 1 h",
        "1 h 1 h",
        "1:30",
        "16:9",
        "1:70:00",
        "1 h x",
        "h",
        "90",
        "5 kg",
    ],
)
def test_what_is_no_duration(text):
    assert duration(text) is None


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("PT1H30M", "min", 90),
        ("PT1H30M", "h", 1.5),
        ("PT1H30M", "Minutes", 90),
        ("1:30:00", "min", 90),
        ("3:45", "mm:ss", 225),
        ("1:45", "h:mm", 6300),
        ("PT1H", "mm:ss", 3600),
        ("PT1H30M", "kg", None),
        ("3:45", "min", None),
    ],
)
def test_a_duration_in_a_unit(text, unit, value):
    assert duration(text, unit) == value


TABLE = "id,title,runtime\n1,One,PT1H30M\n2,Two,75 min\n3,Three,80\n4,Four,1:00:00\n5,Five,soon\n"


def numbers(graph):
    return graph.numbers["value"].to_pylist()


def test_a_column_of_durations(tmp_path):
    (tmp_path / "items.csv").write_text(TABLE)
    mapping = """version: 1
nodes: {item: {item: true, file: items.csv, key: id, columns: {title: label, runtime: {as: number, unit: min}}}}
errors: {stop_above: 0.5}
"""
    (tmp_path / "kgrec.yaml").write_text(mapping)
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert numbers(graph) == [90, 75, 80, 60]
    assert graph.report.files["items.csv"].failed["runtime"].first == ['items.csv:6: "soon"']
    (tmp_path / "kgrec.yaml").write_text(mapping.replace("unit: min", "unit: km").replace("0.5", "1"))
    assert numbers(build_graph(tmp_path / "kgrec.yaml")) == [80]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_of_parquet_keep_their_unit(tmp_path, unit):
    """They were read as the number of their own unit: 5,400,000,000 for an hour and a half."""
    lengths = [timedelta(minutes=90), timedelta(minutes=-75), None]
    columns = {"id": ["1", "2", "3"], "runtime": pa.array(lengths, pa.duration(unit))}
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    mapping = (
        "version: 1\nnodes: {item: {item: true, file: items.parquet, key: id, columns: {runtime: number}}}\n"
    )
    (tmp_path / "kgrec.yaml").write_text(mapping)
    assert numbers(build_graph(tmp_path / "kgrec.yaml")) == [5400, -4500]
    (tmp_path / "kgrec.yaml").write_text(
        mapping.replace("runtime: number", "runtime: {as: number, unit: min}")
    )
    assert numbers(build_graph(tmp_path / "kgrec.yaml")) == [90, -75]


def test_durations_of_rdf(tmp_path):
    xsd = "http://www.w3.org/2001/XMLSchema#"
    text = f'@prefix ex: <http://ex.org/> .\nex:a a ex:Film ; ex:year "PT1H30M"^^<{xsd}duration>, "PT10S"^^<{xsd}dayTimeDuration> .'
    assert numbers(built(tmp_path, "a.ttl", text)) == [10, 5400]
    in_minutes = {"ex:year: number": "ex:year: {as: number, unit: min}"}
    assert numbers(built(tmp_path, "a.ttl", text, **in_minutes)) == [pytest.approx(1 / 6), 90]


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["PT1H30M", "PT2H", "PT45M"], "min"),
        (["PT1H30M", "PT2H1S", "PT45M"], "s"),
        (["1 h 30 min", "2 h", "45 min"], "min"),
        (["75 min", "80 min", "95 min"], "min"),
        (["75 min", "80", "95 min"], "min"),
        (["1:30:00", "2:00:10", "0:45:00"], "s"),
        (["P1D", "P2D", "P10D"], "day"),
    ],
)
def test_durations_are_drafted(tmp_path, values, unit):
    rows = [f"{i},Film number {i},{value}" for i, value in enumerate(values)]
    (tmp_path / "films.csv").write_text("id,title,runtime\n" + "\n".join(rows) + "\n")
    draft = draft_mapping([tmp_path / "films.csv"])
    assert f"runtime: {{as: number, unit: {unit}}}" in draft.yaml
    (tmp_path / "kgrec.yaml").write_text(draft.yaml)
    assert len(numbers(build_graph(tmp_path / "kgrec.yaml"))) == 3


@pytest.mark.parametrize("values", [["1.80 m", "5 m", "7 m"], ["16:9", "4:3", "1:1"], ["PT1H", "80", "x"]])
def test_other_values_are_not_drafted_as_durations(tmp_path, values):
    rows = [f"{i},Film number {i},{value}" for i, value in enumerate(values)]
    (tmp_path / "films.csv").write_text("id,title,size\n" + "\n".join(rows) + "\n")
    assert "as: number" not in draft_mapping([tmp_path / "films.csv"]).yaml


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("length", ["3:45", "12:10", "4:05"], "{as: number, unit: mm:ss}"),
        ("length", ["1:45", "2:10", "1:05"], "ignore"),
        ("ratio", ["16:09", "4:03", "1:01"], "ignore"),
    ],
)
def test_two_numbers_are_read_as_what_they_must_be(tmp_path, name, values, role):
    rows = [f"{i},Song number {i},{value}" for i, value in enumerate(values)]
    (tmp_path / "songs.csv").write_text(f"id,title,{name}\n" + "\n".join(rows) + "\n")
    draft = draft_mapping([tmp_path / "songs.csv"])
    assert f"{name}: {role}\n" in draft.yaml
    if role == "ignore":
        assert any("write {as: number, unit: mm:ss} or h:mm" in why for why in draft.reasons)
