"""Functions on graphs need no more than `GraphTables`, and return the class that they get."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from movie_graph import FILES, HEAD, MAPPING, SHAPES, write

import kgrec.graph
from kgrec.config import Config
from kgrec.errors import UnknownId
from kgrec.evaluate.ablation import ablated
from kgrec.graph import (
    export,
    extend,
    memberships,
    name_search,
    ntriples,
    stats,
    subgraph,
    validate,
    views,
    where,
    where_names,
)
from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.tables import TABLES, GraphTables
from kgrec.graph.where_syntax import parse


class OtherGraph(GraphTables):
    """A class of graphs that kgrec does not know."""


NEW = dict.fromkeys(HEAD.split(","), "") | {"id": "9", "title": "Nine", "genres": "War"}
#: item 01 with another runtime
KNOWN = dict.fromkeys(HEAD.split(","), "") | {"id": "01", "title": "One", "runtime": "91"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


@pytest.fixture(scope="module")
def addition(graph: KnowledgeGraph) -> KnowledgeGraph:
    return added(graph, None, None)


def added(graph: Any, _: Any, __: Any) -> KnowledgeGraph:
    return read_addition(graph.mapping, frames={"movie": pd.DataFrame([NEW, KNOWN])}, known=graph)


def as_class(cls: type[GraphTables], graph: GraphTables) -> Any:
    return cls(**{field.name: getattr(graph, field.name) for field in fields(GraphTables)})


def exported(graph: Any, _: Any, folder: Path) -> list[tuple[str, bytes]]:
    for name in ("graph.nt", "graph.ttl", "graph.graphml", "graph.parquet"):
        export.export(graph, folder / name)
    export.export(graph, folder / "recbole", "recbole")
    return [
        (str(path.relative_to(folder)), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def validated(graph: Any, _: Any, folder: Path) -> list[str]:
    (folder / "shapes.ttl").write_text(SHAPES, encoding="utf-8")
    return list(map(str, validate.validate(graph, folder / "shapes.ttl")))


def outdated(graph: Any, addition: Any, __: Path) -> GraphTables:
    ids, _ = extend.matched(graph, addition)
    return extend.outdated(graph, addition, ids, np.flatnonzero(ids < len(graph)))


def differing(graph: Any, addition: Any, _: Path) -> np.ndarray:
    return extend.differing(graph, extend.extended(graph, addition)[0], np.arange(len(graph)))


#: function of kgrec.graph that takes a graph -> a call of it, given a graph, an addition to it and an empty folder
CALLS: dict[str, Callable[[Any, Any, Path], Any]] = {
    "build.read_addition": added,
    "export.export": exported,
    "extend.differing": differing,
    "extend.extended": lambda graph, addition, _: extend.extended(graph, addition),
    "extend.matched": lambda graph, addition, _: extend.matched(graph, addition),
    "extend.outdated": outdated,
    "extend.without": lambda graph, *_: extend.without(graph, np.array([3])),
    "memberships.linked_nodes": lambda graph, *_: memberships.linked_nodes(graph, np.arange(3), "genre")[
        0
    ].toarray(),
    "name_search.find_nodes": lambda graph, *_: name_search.find_nodes(graph, "star", 3, None, False).to_dict(
        "list"
    ),
    "ntriples.class_iri": lambda graph, *_: ntriples.class_iri(graph, "movie"),
    "ntriples.mapping_back": lambda graph, *_: ntriples.mapping_back(graph, "graph.nt"),
    "ntriples.ntriples": lambda graph, *_: list(ntriples.ntriples(graph)),
    "ntriples.predicate_iri": lambda graph, *_: ntriples.predicate_iri(graph, "plot"),
    "ntriples.not_in_rdf": lambda graph, *_: ntriples.not_in_rdf(graph),
    "stats.stats": lambda graph, *_: stats.stats(graph),
    "subgraph.csr": lambda graph, *_: subgraph.csr(graph, None, "both").toarray(),
    "subgraph.subgraph": lambda graph, *_: subgraph.subgraph(graph, ["movie/01"], 1),
    "validate.validate": validated,
    "views.neighbors": lambda graph, *_: views.neighbors(graph, 4).to_dict("list"),
    "views.to_hetero_data": lambda graph, *_: str(views.to_hetero_data(graph)),
    "views.to_networkx": lambda graph, *_: list(views.to_networkx(graph).edges(keys=True, data="weight")),
    "views.to_rdflib": lambda graph, *_: sorted(views.to_rdflib(graph)),
    "where.matching": lambda graph, *_: where.matching(graph, parse("genres = War")),
    "where_names.condition_names": lambda graph, *_: where_names.condition_names(graph),
    "where_names.condition_values": lambda graph, *_: where_names.condition_values(graph, "genres", "", 5),
}


def functions() -> dict[str, Any]:
    """The public functions of kgrec.graph with a parameter that is a graph."""
    found = {}
    for info in pkgutil.iter_modules(kgrec.graph.__path__):
        module = importlib.import_module(f"kgrec.graph.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and {"GraphTables", "GraphT", "KnowledgeGraph"} & set(function.__annotations__.values()):
                found[f"{info.name}.{name}"] = function
    return found


def plain(value: Any) -> Any:
    """A result as values that can be compared."""
    if isinstance(value, GraphTables):
        tables = {name: getattr(value, name).to_pylist() for name in TABLES}
        return {**tables, "interactions": value.interactions.to_arrow().to_pylist()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_every_function_on_graphs_is_called_here():
    takes = {
        name
        for name, function in functions().items()
        if function.__annotations__["return"] != "KnowledgeGraph"
    }
    assert takes | {"build.read_addition"} == set(CALLS)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_bare_tables_are_enough(name: str, graph: KnowledgeGraph, addition: KnowledgeGraph, tmp_path: Path):
    for folder in ("whole", "bare"):
        (tmp_path / folder).mkdir()
    whole = CALLS[name](graph, addition, tmp_path / "whole")
    bare = (as_class(GraphTables, part) for part in (graph, addition))
    assert plain(CALLS[name](*bare, tmp_path / "bare")) == plain(whole)


def test_a_changed_graph_is_of_the_class_that_was_given(
    graph: KnowledgeGraph, addition: KnowledgeGraph, tmp_path: Path
):
    names = [
        name
        for name, function in functions().items()
        if "GraphT" in re.split(r"\W", function.__annotations__["return"])
    ]
    assert names == ["extend.extended", "extend.outdated", "extend.without", "subgraph.subgraph"]
    for cls in (GraphTables, KnowledgeGraph, OtherGraph):
        for name in names:
            made = CALLS[name](as_class(cls, graph), addition, tmp_path)
            assert type(made[0] if isinstance(made, tuple) else made) is cls, name
        for source in ("graph", "text", "id", "co-occurrence", "shuffle-graph"):
            assert type(ablated(as_class(cls, graph), Config(), [source])[0]) is cls, source


def test_methods_keep_the_class_of_a_subclass(
    graph: KnowledgeGraph, addition: KnowledgeGraph, tmp_path: Path
):
    class Special(KnowledgeGraph):
        pass

    special = as_class(Special, graph)
    special.save(tmp_path / "graph")
    made = (special.subgraph(["movie/01"]), special.extended(addition)[0], Special.load(tmp_path / "graph"))
    assert [type(one) for one in made] == [Special, Special, Special]


def test_look_ups(tmp_path: Path):
    """Item 2 claims the IRI of 01, and is merged into it; the studio 01 has the key of a movie."""
    files = {
        **FILES,
        "movies.csv": [*FILES["movies.csv"][:2], "2,Two,,,,,,,,http://ex.org/Q1,,", FILES["movies.csv"][3]],
        "studios.csv": ["id,name", "01,Studio"],
    }
    mapping = MAPPING.replace("studio: {file", "studio: {item: true, file").replace(
        "stop_above: 0.9", "stop_above: 0.9, shared_identity: merge"
    )
    graph = as_class(GraphTables, build_graph(write(tmp_path, files, mapping)))
    assert graph.names.tolist() == [
        "genre/Drama",
        "genre/War",
        "movie/01",
        "movie/a/b c",
        "person/Ann",
        "person/Bob",
        "rated/PG",
        "resource/http://ex.org/topic",
        "studio/01",
    ]
    assert graph.item_ids.tolist() == ["a/b c", "movie/01", "studio/01"]
    assert graph.item_entities.tolist() == [3, 2, 8] and graph.item_entities.dtype == np.int32
    assert graph.item_aliases == {
        "2": 1,
        "movie/2": 1,
        "http://ex.org/Q1": 1,
        "resource/http://ex.org/Q1": 1,
    }
    assert graph.item_codes(["2", "01", "studio/01", "a/b c"]).tolist() == [1, -1, 2, 0]
    assert graph.ids(["movie/2", "studio/01", "2"]).tolist() == [2, 8, -1]
    assert graph.find("movie", "2") == 2
    with pytest.raises(UnknownId, match=r"There is no movie '3' in the graph"):
        graph.find("movie", "3")
    assert len(graph) == 9
    assert repr(graph) == "GraphTables(9 entities, 8 triples, 3 items, 1 interactions)"


def test_only_some_entities_may_be_items(graph: KnowledgeGraph):
    some = as_class(GraphTables, replace(graph, only_items=np.array([4], np.int32)))
    assert some.item_ids.tolist() == ["2"] and some.item_entities.tolist() == [4]
    assert repr(some).startswith("GraphTables(11 entities, 12 triples, 1 items")
