"""The graph in files of other tools.

Enters: `GraphTables`. Leaves: remarks on what the format cannot represent. Writes one file of N-Triples, Turtle, GraphML or
Parquet, or a folder of RecBole's atomic files, whole or not at all.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from kgrec.arguments import options
from kgrec.errors import ArtifactError, ConfigError, did_you_mean
from kgrec.graph.ntriples import not_in_rdf, ntriples, predicate_iri
from kgrec.graph.tables import GraphTables
from kgrec.storage.atomic import put_in_place, temporary_beside

_ATOMIC = (".inter", ".item", ".kg", ".link")
_BATCH = 1_000_000
#: characters that XML 1.0 does not allow
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_TABS = '[\t\r\n"]'
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")


def export(graph: GraphTables, path: str | Path, format: str | None = None) -> list[str]:
    """Write the graph for another tool.

    Args:
        graph: The graph to write.
        path: The file to write; for "recbole" the folder, whose name becomes the name of the dataset.
        format: "nt", "ttl", "graphml", "recbole" or "parquet"; None: by the suffix of `path`.

    Returns:
        Remarks, one for each kind of content that the format cannot represent.

    Raises:
        ConfigError: The format is unknown.
        ArtifactError: The file cannot be written.
    """
    path = options.path("path", path)
    if format is not None:
        options.text("format", format, "'ttl'")
    name = format_of(path, format)
    check_place(path, name)
    with _in_place(path) as temporary:
        if name == "recbole":
            return _recbole(graph, temporary, path.name)
        return _WRITERS[name](graph, temporary)


def format_of(path: Path, format: str | None) -> str:
    """The given format, or otherwise the format of the suffix.

    Raises:
        ConfigError: The format or the suffix is unknown.
    """
    if format is not None and format not in _WRITERS:
        raise ConfigError(f"'{format}' is not an export format.", did_you_mean(format, sorted(_WRITERS)))
    name = format or path.suffix.removeprefix(".")
    if name not in _WRITERS:
        raise ConfigError(
            f"{path} has no suffix that says its format.", f"Give a format: {', '.join(_WRITERS)}."
        )
    return name


def check_place(path: Path, format: str) -> None:
    """Check an output path before any work is done.

    Raises:
        ArtifactError: The parent folder is absent, or something that must not be replaced has this path.
    """
    if not path.absolute().parent.is_dir():
        raise ArtifactError(f"{path.parent}: there is no such folder.", "Make it, or choose another output.")
    if format != "recbole":
        if path.is_dir():
            raise ArtifactError(f"{path} is a folder.", "Choose another output file.")
    elif path.exists() and not (path.is_dir() and all(file.suffix in _ATOMIC for file in path.iterdir())):
        raise ArtifactError(
            f"{path} exists and is not a folder of RecBole's files, so it is not replaced.",
            "Choose another output folder, or remove this one.",
        )


@contextmanager
def _in_place(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes `path` when the block ends without an error."""
    temporary = temporary_beside(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Choose another output, or check whether the disk is full.",
        ) from None
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink()


# one function per format: writes the file, and returns remarks


def _nt(graph: GraphTables, path: Path) -> list[str]:
    with path.open("wb") as stream:
        for lines in ntriples(graph):
            stream.write(lines)
    return _remarks("RDF", not_in_rdf(graph))


def _ttl(graph: GraphTables, path: Path) -> list[str]:
    import pyoxigraph as ox

    triples = (
        triple
        for lines in ntriples(graph)
        for triple in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES, lenient=True)
    )
    with path.open("wb") as stream:
        ox.serialize(triples, stream, format=ox.RdfFormat.TURTLE, prefixes=_prefixes(graph))
    _sort_first_lines(path, len(_prefixes(graph)))
    return _remarks("RDF", not_in_rdf(graph))


def _sort_first_lines(path: Path, count: int) -> None:
    """Sort the prefix declarations, which pyoxigraph writes in random order."""
    with path.open("r+b") as stream:
        lines = sorted(stream.readline() for _ in range(count))
        stream.seek(0)
        stream.writelines(lines)


def _prefixes(graph: GraphTables) -> dict[str, str]:
    """The prefixes that the graph uses, and one for each type of node below the base."""
    mapping, base = graph.mapping, graph.mapping.base
    named = {*graph.text["predicate"].unique().to_pylist(), *graph.numbers["predicate"].unique().to_pylist()}
    iris = [*graph.relations["iri"].to_pylist(), *(predicate_iri(graph, name) for name in named)]
    used = {
        prefix: namespace
        for prefix, namespace in mapping.all_prefixes.items()
        if prefix in ("rdf", "rdfs", "owl", "skos", "xsd")
        or any(iri.startswith(namespace) for iri in iris)
        or pc.any(pc.starts_with(graph.entities["iri"], namespace)).as_py()
    }
    types = pc.cast(graph.entities["type"], pa.string()).unique().to_pylist()
    own = {name: f"{base}{name}/" for name in ("type", "relation", *types) if _PREFIX.fullmatch(name)}
    return {**own, **used}


def _graphml(graph: GraphTables, path: Path) -> list[str]:
    import networkx as nx

    view, replaced = nx.MultiDiGraph(), 0

    def clean(text: str) -> str:
        nonlocal replaced
        mended = _NOT_IN_XML.sub("�", text)
        replaced += mended != text
        return mended

    items = set(graph.item_entities.tolist())
    columns = (graph.entities[name].to_pylist() for name in ("type", "key", "label", "iri"))
    for row, (type_, key, label, iri) in enumerate(zip(*columns, strict=True)):
        view.add_node(row, type=type_, key=clean(key), label=clean(label), iri=clean(iri), item=row in items)
    relations = [clean(name) for name in graph.relations["name"].to_pylist()]
    triples = (graph.triples[name].to_pylist() for name in ("head", "relation", "tail", "weight"))
    for number, (head, relation, tail, weight) in enumerate(zip(*triples, strict=True)):
        view.add_edge(head, tail, key=f"e{number}", relation=relations[relation], weight=weight)
    nx.write_graphml_xml(view, path)
    lost = {
        "texts": len(graph.text),
        "numbers": len(graph.numbers),
        "vectors": len(graph.vectors),
        "interactions": len(graph.interactions),
    }
    mended = (
        [f"{replaced:,} texts have characters that XML does not allow; these characters are replaced."]
        if replaced
        else []
    )
    return [*_remarks("GraphML as written here", lost), *mended]


def _parquet(graph: GraphTables, path: Path) -> list[str]:
    names = pa.schema(
        [
            *((f"head_{name}", pa.string()) for name in ("type", "key")),
            ("relation", pa.string()),
            *((f"tail_{name}", pa.string()) for name in ("type", "key")),
            ("weight", pa.float32()),
        ]
    )
    ends = {name: pc.cast(graph.entities[name], pa.string()) for name in ("type", "key")}
    with pq.ParquetWriter(path, names, compression="zstd") as writer:
        for start in range(0, max(len(graph.triples), 1), _BATCH):
            rows = graph.triples.slice(start, _BATCH)
            heads, tails = ([column.take(rows[end]) for column in ends.values()] for end in ("head", "tail"))
            columns = [*heads, graph.relations["name"].take(rows["relation"]), *tails, rows["weight"]]
            writer.write_table(pa.table(columns, schema=names))
    lost = {
        "labels": int(pc.sum(pc.not_equal(graph.entities["label"], "")).as_py() or 0),
        "texts": len(graph.text),
        "numbers": len(graph.numbers),
        "vectors": len(graph.vectors),
        "interactions": len(graph.interactions),
    }
    return _remarks("A table of triples", lost)


def _recbole(graph: GraphTables, folder: Path, name: str = "graph") -> list[str]:
    folder.mkdir()
    names = _Tabbed()
    entities = names.ids(graph.names.labels)
    items = names.ids(graph.item_ids.labels)
    own = entities.take(pa.array(graph.item_entities))
    triples = graph.triples
    tables = {
        ".inter": _inter(graph, items, names),
        ".item": _item(graph, items, names),
        ".kg": {
            "head_id:token": entities.take(triples["head"]),
            "relation_id:token": names.ids(graph.relations["name"]).take(triples["relation"]),
            "tail_id:token": entities.take(triples["tail"]),
        },
        ".link": {"item_id:token": items, "entity_id:token": own},
    }
    for suffix, columns in tables.items():
        _write_tabbed(pa.table(columns), folder / f"{name}{suffix}")
    weights = int((triples["weight"].to_numpy() != 1).sum())
    lost = {"weights other than 1": weights, "vectors": len(graph.vectors)}
    return [*_remarks("RecBole's files", {k: v for k, v in lost.items() if v}), *names.remarks()]


class _Tabbed:
    """Prepares texts for tab-separated files without quotes, and counts the texts that it changed."""

    def __init__(self) -> None:
        self.changed = 0

    def ids(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Names with forbidden characters percent-encoded, so that they stay distinct."""
        return self._mended(column, lambda found: quote(found[0], safe=""))

    def texts(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Texts with white space replaced by spaces, and quotation marks by apostrophes."""
        return self._mended(column, lambda found: "'" if found[0] == '"' else " ")

    def remarks(self) -> list[str]:
        if not self.changed:
            return []
        return [
            f"{self.changed:,} names and texts have tabs, line breaks or quotation marks; these are replaced."
        ]

    def _mended(self, column: pa.Array | pa.ChunkedArray, change: Callable[[re.Match[str]], str]) -> pa.Array:
        column = pc.cast(column, pa.large_string())
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        bad = pc.match_substring_regex(column, _NOT_IN_TABS)
        mended = [re.sub(_NOT_IN_TABS, change, text) for text in column.filter(bad).to_pylist()]
        self.changed += len(mended)
        return pc.replace_with_mask(column, bad, pa.array(mended, pa.large_string())) if mended else column


def _inter(graph: GraphTables, items: pa.Array, names: _Tabbed) -> dict[str, Any]:
    log = graph.interactions
    columns = {
        "user_id:token": names.ids(log.users.labels).take(pa.array(log.user)),
        "item_id:token": items.take(pa.array(log.item)),
    }
    if log.value is not None:
        columns["rating:float"] = pa.array(log.value, from_pandas=True)
    if log.time is not None:
        columns["timestamp:float"] = pa.array(log.time)
    if log.weight is not None:
        columns["weight:float"] = pa.array(log.weight)
    if not log.positive.all():
        columns["label:float"] = pa.array(log.positive.astype(np.int8))
    return columns


def _item(graph: GraphTables, items: pa.Array, names: _Tabbed) -> dict[str, Any]:
    """Columns of the items: label, texts (joined by predicate), and numbers (the first per predicate)."""
    place = np.full(len(graph), -1, dtype=np.int64)
    place[graph.item_entities] = np.arange(len(items))
    labels = graph.entities["label"].take(pa.array(graph.item_entities))
    columns = {"item_id:token": items, "title:token_seq": names.texts(labels)}
    for table, value, kind in ((graph.text, "text", "token_seq"), (graph.numbers, "value", "float")):
        at = place[table["id"].to_numpy()]
        for name in sorted(pc.unique(table["predicate"].filter(pa.array(at >= 0))).to_pylist()):
            rows = np.flatnonzero((at >= 0) & pc.equal(table["predicate"], name).to_numpy())
            column = re.sub(r"[^\w\-]", "_", name) + f":{kind}"
            while column in columns:
                column = f"_{column}"
            cells = table[value].take(pa.array(rows))
            columns[column] = _spread(at[rows], names.texts(cells) if value == "text" else cells, len(items))
    return columns


def _spread(at: np.ndarray, cells: Any, size: int) -> pa.Array:
    """A cell for each of `size` rows: the first number with that row in `at`, or its texts joined; null if there is none."""
    table = pa.table({"at": at, "cell": cells})
    how: list[Any] = [("cell", "list" if pa.types.is_large_string(table["cell"].type) else "first")]
    grouped = table.group_by("at", use_threads=False).aggregate(how)
    found = grouped.column(grouped.column_names.index(f"cell_{how[0][1]}")).combine_chunks()
    if pa.types.is_list(found.type):
        found = pc.binary_join(found, pa.scalar(" ", pa.large_string()))
    rows = np.full(size, -1, dtype=np.int64)
    rows[grouped["at"].to_numpy()] = np.arange(len(grouped))
    return found.take(pa.array(rows, mask=rows < 0))


def _write_tabbed(table: pa.Table, path: Path) -> None:
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with path.open("wb") as stream:
        stream.write(("\t".join(table.column_names) + "\n").encode())
        pyarrow.csv.write_csv(table, stream, options)


_WRITERS: dict[str, Callable[[GraphTables, Path], list[str]]] = {
    "nt": _nt,
    "ttl": _ttl,
    "graphml": _graphml,
    "recbole": _recbole,
    "parquet": _parquet,
}
EXPORT_FORMATS = tuple(_WRITERS)


def _remarks(what: str, lost: dict[str, int]) -> list[str]:
    parts = [f"{count:,} {name}" for name, count in lost.items() if count]
    return [f"{what} cannot carry {', '.join(parts)}."] if parts else []
