"""Conditions on a graph: by hand, and against plain Python that goes through the triples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kgrec
from kgrec.errors import ConfigError, KgrecError, UnknownId
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.graph.where import matching
from kgrec.graph.where_syntax import parse
from kgrec.ingest.assemble import NUMBER_SCHEMA, TEXT_SCHEMA, VECTOR_SCHEMA
from kgrec.ingest.build_report import Report

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      year: number
      released: date
      genres: {as: node, type: genre, split: "|"}
      director: {as: node, type: person, edge: directed_by}
      follows: {as: ref, to: film}
"""
FILMS = """\
id,title,plot,year,released,genres,director,follows
f1,Alien Dawn,A crew in SPACE,1979,1979-05-25,Horror|Science fiction,Ada Low,
f2,Alien Dusk,a crew again,1986,1986-07-18T22:30:00+02:00,Science fiction,Bo,f1
f3,Paris Waltz,two dancers,,1986-12-31,Romance,Ada Low,
f4,,,1986.5,,,,f2
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    folder = tmp_path_factory.mktemp("films")
    (folder / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    (folder / "films.csv").write_text(FILMS, encoding="utf-8")
    return kgrec.build_graph(folder / "kgrec.yaml")


def found(graph: KnowledgeGraph, text: str, *, skip_unknown: bool = False) -> list[str]:
    mask = matching(graph, parse(text), skip_unknown=skip_unknown)
    assert mask.shape == (len(graph),) and mask.dtype == bool
    return [name for name, entity in zip(graph.item_ids, graph.item_entities, strict=True) if mask[entity]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # relations: by label or key, type/key, IRI; forwards and backwards
        ("genres = Horror", ["f1"]),
        ("genres = genre/Horror", ["f1"]),
        ("genres = https://example.org/genre/Horror", ["f1"]),
        ("genres in (Horror, Romance, Horror)", ["f1", "f3"]),
        ("genres != 'Science fiction'", ["f3", "f4"]),
        ("genres not in (Romance, Horror)", ["f2", "f4"]),
        ("genres ~ sCiEnce", ["f1", "f2"]),
        ("genres ~ western", []),
        ("directed_by = 'Ada Low' and not genres = Horror", ["f3"]),
        ("follows = f1", ["f2"]),
        ("follows = 'Alien Dawn'", ["f2"]),
        ("^follows = 'Alien Dusk'", ["f1"]),
        ("^follows = f4", ["f2"]),
        ("has follows", ["f2", "f4"]),
        ("has ^follows", ["f1", "f2"]),
        ("not has genres", ["f4"]),
        # a type of neighbours, by any relation
        ("genre = Horror", ["f1"]),
        ("person ~ low", ["f1", "f3"]),
        ("film = f2", ["f4"]),
        ("^film = f2", ["f1"]),
        ("has person", ["f1", "f2", "f3"]),
        # numbers: a film without any is only in what is denied
        ("year = 1986", ["f2"]),
        ("year = 1986.0", ["f2"]),
        ("year = 1986.5", ["f4"]),
        ("year in (1979, 1986.5)", ["f1", "f4"]),
        ("year < 1986", ["f1"]),
        ("year <= 1986", ["f1", "f2"]),
        ("year > 1986", ["f4"]),
        ("year >= 1.986e3", ["f2", "f4"]),
        ("year != 1986", ["f1", "f3", "f4"]),
        ("year = 1900", []),
        ("has year", ["f1", "f2", "f4"]),
        # dates: as wide as they are written, in UTC
        ("released = 1986", ["f2", "f3"]),
        ("released = 1986-07", ["f2"]),
        ("released = 1986-07-18", ["f2"]),
        ("released = 1986-07-19", []),
        ("released = 1986-07-18T20:30:00", ["f2"]),
        ("released = 1986-07-18T22:30+02:00", ["f2"]),
        ("released > 1979", ["f2", "f3"]),
        ("released >= 1979", ["f1", "f2", "f3"]),
        ("released > 1979-05-25", ["f2", "f3"]),
        ("released >= 1979-05-25", ["f1", "f2", "f3"]),
        ("released <= 1986-07", ["f1", "f2"]),
        ("released < 1986-07-18", ["f1"]),
        ("released <= 1986-07-18", ["f1", "f2"]),
        ("released <= 1986-12-30", ["f1", "f2"]),
        ("released < 1979", []),
        # texts and labels
        ("plot ~ 'in space'", ["f1"]),
        ("plot = 'two dancers'", ["f3"]),
        ("plot = 'Two dancers'", []),
        ("has plot", ["f1", "f2", "f3"]),
        ("label = 'Alien Dawn'", ["f1"]),
        ("title = 'Alien Dawn'", ["f1"]),
        ("title ~ alien", ["f1", "f2"]),
        ("not has label", ["f4"]),
        ("type = film", ["f1", "f2", "f3", "f4"]),
        # joined
        ("genres = Horror or year > 1986 and has follows", ["f1", "f4"]),
        ("(genres = Horror or year > 1986) and has follows", ["f4"]),
        ("not (genres = Horror or genres = Romance)", ["f2", "f4"]),
    ],
)
def test_items_that_meet_a_condition(graph: KnowledgeGraph, text: str, expected: list[str]):
    assert found(graph, text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "problem", "remedy"),
    [
        (
            "year = 1986 and genre s = Horror",
            ConfigError,
            "where, character 23: expected =, !=, <, <=, >, >=, ~ or 'in', but found 's'.",
            "Write conditions such as",
        ),
        (
            "yeer = 1986",
            ConfigError,
            "where, character 1: 'yeer' is not a relation, predicate or type in the graph.",
            "Did you mean 'year'",
        ),
        (
            "has ^year",
            ConfigError,
            "where, character 5: '^year' is not a relation, predicate or type in the graph.",
            "Did you mean 'year'",
        ),
        (
            "has year and genres = horor",
            UnknownId,
            "where, character 23: 'horor' matches no neighbour by 'genres'.",
            "Did you mean 'Horror'?",
        ),
        (
            "genres not in (Horror, Romanze)",
            UnknownId,
            "where, character 24: 'Romanze' matches no neighbour by 'genres'.",
            "Did you mean 'Romance'?",
        ),
        (
            "directed_by = Horror",
            UnknownId,
            "where, character 15: 'Horror' matches no neighbour by 'directed_by'.",
            "There are 'Ada Low' and 'Bo'.",
        ),
        (
            "title = 'Alien Down'",
            UnknownId,
            "where, character 9: 'Alien Down' is not the title of any item.",
            "Did you mean 'Alien Dawn'",
        ),
        (
            "type = genre",
            UnknownId,
            "where, character 8: 'genre' is not the type of any item.",
            "There is 'film'.",
        ),
        (
            "year = 1986-05",
            ConfigError,
            "where, character 8: '1986-05' is not a number, but 'year' holds numbers.",
            "Write a number",
        ),
        (
            "year = nan",
            ConfigError,
            "where, character 8: 'nan' is not a number, but 'year' holds numbers.",
            "Write a number",
        ),
        (
            "released > 1986-13",
            ConfigError,
            "where, character 12: '1986-13' is not a date, but 'released' holds dates.",
            "Write a year, a month",
        ),
        (
            "genres > Horror",
            ConfigError,
            "where, character 1: 'genres' is a relation and cannot be compared with '>'.",
            "Use one of =, !=, in, ~; or: has genres.",
        ),
        (
            "year ~ 19",
            ConfigError,
            "where, character 1: 'year' is a number and cannot be compared with '~'.",
            "Use one of =, !=, in, <, <=, >, >=; or: has year.",
        ),
    ],
)
def test_errors_name_the_place_the_value_and_the_near_names(
    graph: KnowledgeGraph, text: str, kind: type[KgrecError], problem: str, remedy: str
):
    with pytest.raises(kind) as raised:
        found(graph, text)
    assert type(raised.value) is kind
    assert raised.value.problem == problem
    assert raised.value.remedy.startswith(remedy)


def test_unknown_values_may_match_nothing_but_unknown_names_never_do(graph: KnowledgeGraph):
    assert found(graph, "genres = Western", skip_unknown=True) == []
    assert found(graph, "genres in (Western, Horror)", skip_unknown=True) == ["f1"]
    assert found(graph, "genres != Western and has year", skip_unknown=True) == ["f1", "f2", "f4"]
    for text in ("genra = Horror", "year = Horror"):
        with pytest.raises(ConfigError):
            found(graph, text, skip_unknown=True)


def test_the_graph_s_own_names_come_before_the_general_ones(tmp_path):
    """A column `type`, one `label`, and a relation that has the name of a type."""
    (tmp_path / "kgrec.yaml").write_text(
        "version: 1\nnodes:\n  film:\n    item: true\n    file: films.csv\n    key: id\n    columns:\n"
        "      name: label\n      label: text\n      type: category\n      genre: {as: node, type: theme}\n"
        "      second: {as: node, type: genre}\n"
    )
    (tmp_path / "films.csv").write_text(
        "id,name,label,type,genre,second\nf1,A,big,short,x,y\nf2,B,small,long,y,x\n"
    )
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    assert found(graph, "type = short") == ["f1"]
    assert found(graph, "label = small") == ["f2"]
    assert found(graph, "name = A") == ["f1"]
    assert found(graph, "genre = x") == ["f1"]
    assert found(graph, "theme = y") == ["f2"]


def test_a_name_may_be_a_relation_and_a_number_at_once(graph: KnowledgeGraph):
    """As a predicate of RDF may have literals and resources."""
    year = graph.numbers.set_column(1, "predicate", pa.array(["genres"] * len(graph.numbers), pa.string()))
    both = kgrec.KnowledgeGraph(**{**vars_of(graph), "numbers": year})
    assert found(both, "genres = Horror or genres < 1980") == ["f1"]
    assert found(both, "genres = 1986") == ["f2"]
    assert found(both, "has genres") == ["f1", "f2", "f3", "f4"]
    with pytest.raises(UnknownId, match="'Western' matches no neighbour"):
        found(both, "genres = Western")


def test_a_merged_node_answers_to_its_old_names(graph: KnowledgeGraph):
    bo = graph.find("person", "Bo")
    aliases = pa.table(
        {"id": pa.array([bo], pa.int32()), "type": ["person"], "key": ["Bob"], "iri": ["http://x.example/B"]}
    ).cast(graph.aliases.schema)
    merged = kgrec.KnowledgeGraph(**{**vars_of(graph), "aliases": aliases})
    for name in ("Bo", "Bob", "person/Bob", "http://x.example/B"):
        assert found(merged, f"directed_by = {name}") == ["f2"]


# against plain Python


@dataclass(frozen=True)
class Facts:
    """What is said of a few nodes: i0, i1, ... are items, the others of two more types."""

    labels: list[str]
    n_items: int
    edges: set[tuple[int, str, int]]
    numbers: set[tuple[int, float]]
    dates: set[tuple[int, datetime]]
    texts: set[tuple[int, str]]

    def type(self, node: int) -> str:
        return "item" if node < self.n_items else f"t{node % 2}"

    def names(self, node: int) -> set[str]:
        key, type_ = f"k{node}", self.type(node)
        return {self.labels[node], key, f"{type_}/{key}", f"http://x.example/{node}"} - {""}

    def neighbors(self, node: int, name: str) -> set[int]:
        """By a relation, or of a type; "^" backwards."""
        bare, back = name.removeprefix("^"), name.startswith("^")
        pairs = {(t, r, h) if back else (h, r, t) for h, r, t in self.edges}
        return {far for near, r, far in pairs if near == node and bare in (r, self.type(far))}

    def graph(self) -> KnowledgeGraph:
        size = len(self.labels)
        relations = sorted({r for _, r, _ in self.edges})
        triples = sorted((relations.index(r), h, t) for h, r, t in self.edges)
        numbers = sorted((n, "year", value) for n, value in self.numbers)
        numbers += sorted((n, "day", date.timestamp()) for n, date in self.dates)
        entities = {
            "id": pa.array(range(size), pa.int32()),
            "type": pa.array(map(self.type, range(size)), pa.string()).dictionary_encode(),
            "key": pa.array([f"k{n}" for n in range(size)], pa.string()),
            "iri": pa.array([f"http://x.example/{n}" for n in range(size)], pa.string()),
            "label": pa.array(self.labels, pa.string()),
        }
        aliases = pa.table({name: entities[name][:0] for name in ("id", "type", "key", "iri")})
        columns = {"title": "label", "day": "date", "year": "number", "plot": "text"}
        table = {"item": True, "file": "x.csv", "key": "id", "columns": columns}
        mapping = kgrec.Mapping.from_dict({"version": 1, "nodes": {"item": table}})
        keys = Vocabulary(sorted(f"k{n}" for n in range(self.n_items)))
        return KnowledgeGraph(
            entities=pa.table(entities),
            relations=pa.table(
                {"id": pa.array(range(len(relations)), pa.int32()), "name": pa.array(relations, pa.string())}
            ),
            triples=pa.table(
                {
                    name: pa.array([triple[at] for triple in triples], pa.int32())
                    for name, at in (("head", 1), ("relation", 0), ("tail", 2))
                }
            ),
            text=pa.table(
                {
                    "id": [n for n, _ in sorted(self.texts)],
                    "predicate": ["plot"] * len(self.texts),
                    "lang": [""] * len(self.texts),
                    "text": [text for _, text in sorted(self.texts)],
                }
            ).cast(TEXT_SCHEMA)
            if self.texts
            else TEXT_SCHEMA.empty_table(),
            numbers=pa.Table.from_pylist(
                [dict(zip(("id", "predicate", "value"), row, strict=True)) for row in numbers], NUMBER_SCHEMA
            ),
            vectors=VECTOR_SCHEMA.empty_table(),
            aliases=aliases,
            interactions=Interactions.none(keys),
            item_types=("item",),
            mapping=mapping,
            report=Report(),
        )


def vars_of(graph: KnowledgeGraph) -> dict[str, object]:
    return {name: getattr(graph, name) for name in graph.__dataclass_fields__}


Meets = Callable[[Facts, int], bool]
TEXTS = st.text(st.sampled_from("aAb c"), min_size=1, max_size=4).filter(str.strip)
DAYS = st.sampled_from(
    [
        datetime(*day, tzinfo=UTC)
        for day in ((1999, 12, 31), (2000, 1, 1), (2000, 1, 31), (2000, 2, 1), (2001, 1, 1))
    ]
)
DATES = st.builds(lambda day, second: day + timedelta(seconds=second), DAYS, st.sampled_from([0, 1, 86_399]))
PARTS = {
    "%Y": lambda d: (d.year,),
    "%Y-%m": lambda d: (d.year, d.month),
    "%Y-%m-%d": lambda d: (d.year, d.month, d.day),
    "%Y-%m-%dT%H:%M:%S": lambda d: (d,),
}
OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    n_items, n_others = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    size = n_items + n_others
    node = st.integers(0, size - 1)
    return Facts(
        labels=draw(st.lists(TEXTS | st.just(""), min_size=size, max_size=size)),
        n_items=n_items,
        edges=draw(st.sets(st.tuples(node, st.sampled_from("rs"), node), min_size=1, max_size=20))
        # all names of the conditions below are there
        | {(n_items - 1, "r", size - 1), (0, "s", 0)},
        numbers=draw(st.sets(st.tuples(node, st.integers(-4, 4).map(lambda n: n / 2)), max_size=8))
        | {(0, 1.0)},
        dates=draw(st.sets(st.tuples(node, DATES), max_size=8)) | {(0, datetime(2000, 5, 1, tzinfo=UTC))},
        texts=draw(st.sets(st.tuples(node, TEXTS), max_size=8)) | {(0, "a b")},
    )


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@st.composite
def of_relation(draw: st.DrawFn) -> tuple[str, Meets]:
    name = draw(st.sampled_from(["r", "s", "^r", "^s", "item", "^item"]))
    names = st.integers(0, 6).flatmap(
        lambda n: st.sampled_from([f"k{n}", f"http://x.example/{n}", f"t{n % 2}/k{n}"])
    )
    values = draw(st.lists(names | TEXTS, min_size=1, max_size=3))
    form = draw(st.sampled_from(["=", "!=", "in", "not in", "~", "has"]))

    def any_called(facts: Facts, node: int) -> bool:
        asked = values if "in" in form else values[:1]
        return any(facts.names(far) & set(asked) for far in facts.neighbors(node, name))

    def contains(facts: Facts, node: int) -> bool:
        return any(values[0].lower() in facts.labels[far].lower() for far in facts.neighbors(node, name))

    if form == "has":
        return f"has {name}", lambda facts, node: bool(facts.neighbors(node, name))
    if form == "~":
        return f"{name} ~ {quoted(values[0])}", contains
    listed = f"({', '.join(map(quoted, values))})" if "in" in form else quoted(values[0])
    negated = form in ("!=", "not in")
    return f"{name} {form} {listed}", lambda facts, node: any_called(facts, node) != negated


@st.composite
def of_number(draw: st.DrawFn) -> tuple[str, Meets]:
    operator, value = draw(st.sampled_from([*OPERATORS])), draw(st.integers(-4, 4)) / 2
    holds = OPERATORS[operator]
    return (
        f"year{operator}{value:g}",
        lambda facts, node: any(holds(own, value) for n, own in facts.numbers if n == node),
    )


@st.composite
def of_date(draw: st.DrawFn) -> tuple[str, Meets]:
    operator, date = draw(st.sampled_from([*OPERATORS])), draw(DATES)
    form = draw(st.sampled_from([*PARTS]))
    holds, part = OPERATORS[operator], PARTS[form]
    return (
        f"day {operator} {date.strftime(form)}",
        lambda facts, node: any(holds(part(own), part(date)) for n, own in facts.dates if n == node),
    )


@st.composite
def of_text(draw: st.DrawFn) -> tuple[str, Meets]:
    name, operator, value = draw(st.sampled_from(["plot", "title"])), draw(st.sampled_from("=~")), draw(TEXTS)

    def holds(facts: Facts, node: int) -> bool:
        own = [facts.labels[node]] if name == "title" else [text for n, text in facts.texts if n == node]
        return any(value == text if operator == "=" else value.lower() in text.lower() for text in own)

    return f"{name} {operator} {quoted(value)}", holds


def joined(parts: st.SearchStrategy[tuple[str, Meets]]) -> st.SearchStrategy[tuple[str, Meets]]:
    def of(pair: tuple[tuple[str, Meets], tuple[str, Meets]], how: str) -> tuple[str, Meets]:
        (left, is_left), (right, is_right) = pair
        if how == "not":
            return f"not ({left})", lambda facts, node: not is_left(facts, node)
        if how == "and":
            return (
                f"({left}) AND ({right})",
                lambda facts, node: is_left(facts, node) and is_right(facts, node),
            )
        return f"({left})or({right})", lambda facts, node: is_left(facts, node) or is_right(facts, node)

    return st.builds(of, st.tuples(parts, parts), st.sampled_from(["not", "and", "or"]))


CONDITIONS = st.recursive(of_relation() | of_number() | of_date() | of_text(), joined, max_leaves=6)


@settings(max_examples=400)
@given(facts(), CONDITIONS)
def test_conditions_say_what_plain_python_says(facts: Facts, condition: tuple[str, Meets]):
    text, meets = condition
    mask = matching(facts.graph(), parse(text), skip_unknown=True)
    expected = [meets(facts, node) for node in range(facts.n_items)]
    np.testing.assert_array_equal(mask[: facts.n_items], expected, text)
