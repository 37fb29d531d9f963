"""`kgrec export`: write a graph in the formats of other tools."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.options import STANDARD_OUTPUT, GraphFolder
from kgrec.errors import ArtifactError

if TYPE_CHECKING:
    from kgrec.graph.knowledge_graph import KnowledgeGraph


def export(
    graph: GraphFolder,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; for recbole, a folder; - for standard output."),
    ],
    format: Annotated[
        str | None,
        typer.Option("--format", help="nt, ttl, graphml, recbole or parquet. Default: given by the suffix."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", help="With nt and ttl: also write a mapping that rebuilds the graph from the file."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a graph in the format of another tool; report on stderr what the format cannot hold.

    Example: `kgrec export graph/ --format ttl -o graph.ttl`
    """
    from kgrec.graph.export import check_place, format_of
    from kgrec.graph.knowledge_graph import KnowledgeGraph

    out = console(as_json, quiet)
    if output == STANDARD_OUTPUT:
        _pipe(KnowledgeGraph.load(graph), format_of(Path("graph"), format or "nt"), quiet=quiet)
        return
    kind = format_of(output, format)
    check_place(output, kind)
    if mapping is not None:
        _check_mapping(mapping, output, kind)
    loaded = KnowledgeGraph.load(graph)
    remarks = loaded.export(output, kind)
    if mapping is not None:
        _write_mapping(loaded, mapping, output, kind)
    size = sum(file.stat().st_size for file in ([output] if output.is_file() else output.iterdir()))
    for remark in remarks if not quiet else ():
        typer.echo(f"Note: {remark}", err=True)
    out.say(f"Wrote {output}, {size:,} bytes.")
    out.result({"output": str(output), "format": kind, "bytes": size, "remarks": remarks})


def _pipe(graph: KnowledgeGraph, kind: str, *, quiet: bool) -> None:
    """Write a graph to standard output.

    Raises:
        ArtifactError: The format is a folder.
    """
    if kind not in ("nt", "ttl", "graphml"):
        raise ArtifactError(
            f"{kind} is written into a folder.", "Give --format nt, ttl or graphml, or a folder."
        )
    with tempfile.TemporaryDirectory() as place:
        remarks = graph.export(file := Path(place) / f"graph.{kind}", kind)
        for remark in remarks if not quiet else ():
            typer.echo(f"Note: {remark}", err=True)
        with file.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _check_mapping(mapping: Path, output: Path, kind: str) -> None:
    if kind not in ("nt", "ttl"):
        raise ArtifactError(
            f"--mapping works with nt and ttl only, and {output} is {kind}.",
            "Leave out --mapping, or export nt or ttl.",
        )
    if mapping.exists():
        raise ArtifactError(f"{mapping} already exists.", "Choose another name for --mapping.")
    if mapping.absolute().parent != output.absolute().parent:
        raise ArtifactError(
            f"{mapping} and {output} are in different folders.", "Write the mapping beside the exported file."
        )


def _write_mapping(graph: KnowledgeGraph, mapping: Path, output: Path, kind: str) -> None:
    import yaml

    from kgrec.graph.ntriples import mapping_back

    values = mapping_back(graph, output.name)
    values["rdf"][0]["format"] = "ntriples" if kind == "nt" else "turtle"
    try:
        mapping.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise ArtifactError(
            f"{mapping} cannot be written ({error.strerror}).", "Choose another file."
        ) from None
