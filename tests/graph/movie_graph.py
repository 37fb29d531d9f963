"""A small graph with a value of every kind: its sources, and its rows as tuples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgrec.graph.tables import GraphTables

MAPPING = """\
version: 1
prefixes: {ex: http://ex.org/}
nodes:
  movie:
    item: true
    file: movies.csv
    key: id
    columns:
      title: label
      plot: {as: text, lang: en}
      runtime: number
      released: {as: date, format: "%d/%m/%Y"}
      rated: category
      genres: {as: node, type: genre, split: "|"}
      studio: {as: ref, to: studio, edge: made_by}
      sequels: {as: ref, to: movie, edge: sequel, split: "|"}
      wikidata: same_as
      poster: vector
      notes: ignore
  studio: {file: studios.csv, key: id, columns: {name: label}}
edges:
  acted_in: {file: cast.csv, from: {person: actor}, to: {movie: movie}, weight: billing}
rdf:
  - {file: more.nt, predicates: {ex:about: ref, ex:name: label}}
interactions: {file: log.csv, user: u, item: i, value: r, time: t, positive: ">= 4"}
errors: {unmatched: 1, stop_above: 0.9}
"""
HEAD = "id,title,plot,runtime,released,rated,genres,studio,sequels,wikidata,poster,notes"
FILES = {
    "movies.csv": [
        HEAD,
        '01,One,A plot,90,02/01/1970,PG,Drama|War,s1,2,http://ex.org/Q1,"[1, 0.5]",x',
        '2,Two,,,,PG,"[""Drama"", ""Art|House""]",s9,,,,y',
        "a/b c,Three,,,,,,,,,,",
    ],
    "studios.csv": ["id,name", "s1,Studio"],
    "cast.csv": ["actor,movie,billing", "Ann,01,2", "Ann,77,1", "Bob,2,"],
    "more.nt": [
        "<http://ex.org/Q1> <http://ex.org/about> <http://ex.org/topic> .",
        "<https://example.org/movie/a%2Fb%20c> <http://ex.org/about> <http://ex.org/topic> .",
        "<https://example.org/movie/gone> <http://ex.org/about> <http://ex.org/topic> .",
        '<http://ex.org/topic> <http://ex.org/name> "Topic" .',
    ],
    "log.csv": ["u,i,r,t", "u2,01,5,10", "u1,2,3,30", "u1,01,4,20", "u1,2,5,40", "u3,99,5,1", ",01,5,1"],
}
#: the runtime of item 01 is too long, and the item "a/b c" has no rating
SHAPES = """\
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix r: <https://example.org/relation/> .
[] a sh:NodeShape ; sh:targetClass <https://example.org/type/movie> ;
  sh:property [ sh:path r:runtime ; sh:datatype xsd:integer ; sh:maxInclusive 80 ; sh:message "too long" ] ;
  sh:property [ sh:path r:rated ; sh:minCount 1 ; sh:severity sh:Warning ] .
"""


def write(folder: Path, files: dict[str, list[str]] = FILES, mapping: str = MAPPING) -> Path:
    """Write the files and kgrec.yaml to a folder, made if it is absent; returns the path of kgrec.yaml."""
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    return folder / "kgrec.yaml"


def changed(name: str, line: int, content: str) -> dict[str, list[str]]:
    """FILES with another line, counted from 0, in one of them."""
    lines = FILES[name]
    return {**FILES, name: [*lines[:line], content, *lines[line + 1 :]]}


def table_rows(graph: GraphTables, name: str) -> list[tuple[Any, ...]]:
    """Rows of one of the graph's tables."""
    return [tuple(row.values()) for row in getattr(graph, name).to_pylist()]


def edges(graph: GraphTables, ids: Sequence[int] | np.ndarray) -> list[tuple[int, str, int]]:
    """(head, relation, tail) of each edge; `ids` renumbers the entities."""
    names = graph.relations["name"].to_pylist()
    return [(int(ids[h]), names[r], int(ids[t])) for h, r, t, _ in table_rows(graph, "triples")]


def named_edges(graph: GraphTables) -> list[tuple[str, str, str]]:
    """(type/key of the head, relation, type/key of the tail) of each edge."""
    names = graph.names.tolist()
    return [(names[h], r, names[t]) for h, r, t in edges(graph, range(len(graph)))]
