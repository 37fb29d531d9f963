"""`kgrec init`, `build` and `inspect`: draft a mapping, build a graph, show its contents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli import inspect_model, project
from kgrec.cli.console import Console, Json, LogLines, Quiet, Verbose, console, counted
from kgrec.cli.options import GraphOrModelFolder, Keep, MappingFile, output_folder
from kgrec.errors import ArtifactError, UnknownId

if TYPE_CHECKING:
    import pyarrow as pa

    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.ingest.draft.doubts import Doubt


def init(
    files: Annotated[
        list[Path], typer.Argument(help="Tables and RDF files of items, other entities and interactions.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Mapping to write.")] = Path("kgrec.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Ask no questions: take the most likely answers, and mark them CHECK."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draft a mapping from the contents of the files, with the reason for each choice. On a terminal, ask about doubtful choices.

    Example: `kgrec init *.csv -o kgrec.yaml`
    """
    from kgrec.ingest.draft import draft_mapping

    out = console(as_json, quiet)
    if output.exists() and not force:
        raise ArtifactError(
            f"{output} already exists.", "Give --force to replace it, or another name with -o."
        )
    is_asked = not (yes or as_json or quiet) and sys.stdin.isatty() and sys.stdout.isatty()
    draft = draft_mapping(files, output.parent, _answer if is_asked else None)
    _write(output, draft.yaml)
    for number, doubt in enumerate(draft.doubts, 1):
        out.say(f"CHECK {number}: {doubt}")
    if draft.doubts:
        out.say()
    for reason in draft.reasons:
        out.say(reason)
    here = output.parent.resolve()
    outside = "" if all(f.resolve().is_relative_to(here) for f in files) else " --allow-outside"
    checks = f"the {counted(len(draft.doubts), 'line')} marked CHECK, and the rest" if draft.doubts else "it"
    out.say(f"\nWrote {output}. Check {checks}, then run: kgrec build {output} -o graph/{outside}")
    doubts = [
        {"text": doubt.text, "answers": list(doubt.answers), "reason": doubt.reason} for doubt in draft.doubts
    ]
    out.result({"mapping": str(output), "doubts": doubts, "reasons": draft.reasons})


def build(
    mapping: MappingFile,
    output: Annotated[Path | None, output_folder("Graph folder", "graph")] = None,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Allow files outside the mapping's folder.")
    ] = False,
    keep: Keep = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Build a graph from the files of a mapping, and report every dropped row.

    Example: `kgrec build kgrec.yaml -o graph/`
    """
    from kgrec.graph.build import build_graph
    from kgrec.graph.stats import BRIEF
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet, verbose, log_format)
    output = output or project.beside(mapping, project.GRAPH)
    check_output(output, "graph")
    with out.working() as progress:
        graph = build_graph(
            mapping, allow_outside=allow_outside, progress=lambda stage, *_: progress.stage(stage)
        )
        progress.stage("writing the graph folder")
        graph.save(output, keep=keep)
        progress.stage("counting")
        stats = graph.stats()
    out.say(str(graph.report))
    out.say()
    out.say(_summary({name: stats[name] for name in BRIEF}))
    out.say(f"\nWrote {output}. Next: kgrec train {output} -o {project.beside(output, project.MODEL)}/")
    out.result({"graph": str(output), "report": graph.report.to_dict(), "stats": stats})


def inspect(
    folder: GraphOrModelFolder,
    node: Annotated[
        str | None, typer.Option("--node", help="Node to show, as type/key, or by its label.")
    ] = None,
    shapes: Annotated[
        Path | None,
        typer.Option(
            "--shapes", help="File of SHACL shapes to validate the graph against; needs kgrec[shacl]."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the contents of a graph or a model, or one node with its neighbours; or validate the graph.

    Example: `kgrec inspect graph/ --node movie/the-matrix-1999`
    """
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import kind_of

    out = console(as_json, quiet)
    if kind_of(folder) == "model":
        from kgrec.recommend.recommender import Recommender

        recommender = Recommender.load(folder)
        if shapes is None and node is None:
            values = recommender.summary()
            out.result(values, "\n".join(inspect_model.lines(values)))
            return
        loaded = recommender.model.graph()
    else:
        loaded = KnowledgeGraph.load(folder)
    if shapes is not None:
        _show_findings(loaded, shapes, out)
    elif node is None:
        stats = loaded.stats()
        out.result({"stats": stats, "report": loaded.report.to_dict()}, _summary(stats))
    else:
        _show_node(loaded, node, out)


def _answer(doubt: Doubt) -> int:
    """Ask a question on the terminal, and return the index of the answer."""
    typer.echo(f"{doubt.text}\n  The most likely answer is 1, because {doubt.reason}.")
    for number, answer in enumerate(doubt.answers, 1):
        typer.echo(f"  {number}  {answer}")
    while True:
        chosen = int(typer.prompt("Number", default=1, type=int))
        if 1 <= chosen <= len(doubt.answers):
            typer.echo()
            return chosen - 1
        typer.echo(f"Enter a number from 1 to {len(doubt.answers)}.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be written ({error.strerror}).", "Choose another output file."
        ) from None


def _show_findings(graph: KnowledgeGraph, shapes: Path, out: Console) -> None:
    findings = graph.validate(shapes)
    counts = {kind: sum(f.severity == kind for f in findings) for kind in ("violation", "warning", "info")}
    lines = [str(finding) for finding in findings]
    lines.append(", ".join(f"{kind}s: {count:,}" for kind, count in counts.items()))
    values = [{"severity": f.severity, "where": f.where, "message": f.message} for f in findings]
    out.result({"findings": values}, "\n".join(lines))
    if counts["violation"]:
        raise typer.Exit(2)


def _show_node(graph: KnowledgeGraph, node: str, out: Console) -> None:
    from kgrec.graph.ntriples import iso_date

    type_, key = _named(graph, node)
    row = graph.find(type_, key)
    facts = graph.entities.slice(row, 1).to_pylist()[0]
    texts, numbers, names = (_rows_of(table, row) for table in (graph.text, graph.numbers, graph.aliases))
    for number in numbers:
        if number["predicate"] in graph.mapping.date_predicates:
            number["date"] = iso_date(number["value"], number["value"] % 86_400 == 0)
    edges = graph.neighbors(type_, key)
    lines = [f"{facts['type']}/{facts['key']}  {facts['label']}", f"<{facts['iri']}>"]
    lines += [f"also {name['type']}/{name['key']}  <{name['iri']}>" for name in names]
    lines += [f"{t['predicate']}{'@' if t['lang'] else ''}{t['lang']}: {t['text']}" for t in texts]
    lines += [f"{number['predicate']}: {number.get('date', _plain(number['value']))}" for number in numbers]
    lines += [f"  {_arrow(edge)} {edge.type}/{edge.key}  {edge.label}" for edge in edges.itertuples()]
    shown = {"text": texts, "numbers": numbers, "aliases": names, "neighbors": edges.to_dict("records")}
    out.result({**facts, **shown}, "\n".join(lines))


def _named(graph: KnowledgeGraph, node: str) -> tuple[str, str]:
    """Type and key of a node, given as type/key, as type/label, or by a unique label.

    Raises:
        UnknownId: No node has this name, or several nodes do.
    """
    type_, slash, name = node.partition("/")
    if slash and graph.ids([node])[0] >= 0:
        return type_, name
    types = set(graph.entities["type"].to_pylist())
    within, text = (type_, name) if slash and type_ in types else (None, node)
    found = graph.find_nodes(text, 6, type=within)
    nodes = [f"{one.type}/{one.key} ({one.label})" for one in found.itertuples()]
    same = found[found["match"].isin(["id", "label"])]
    if len(same) > 1:
        raise UnknownId(
            f"'{node}' is the name of {len(same)} nodes: {', '.join(nodes[: len(same)])}.", "Give type/key."
        )
    if same.empty:
        near = (
            f"Did you mean {', '.join(nodes)}?" if nodes else "Write it as type/key, such as movie/tt0133093."
        )
        raise UnknownId(f"There is no node '{node}' in the graph.", near)
    return str(same["type"].iloc[0]), str(same["key"].iloc[0])


def _rows_of(table: pa.Table, entity: int) -> list[dict[str, Any]]:
    import pyarrow.compute as pc

    return list(table.filter(pc.equal(table["id"], entity)).to_pylist())


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _arrow(edge: Any) -> str:
    return f"-{edge.relation}->" if edge.direction == "out" else f"<-{edge.relation}-"


def _summary(stats: dict[str, Any]) -> str:
    return "\n".join(_lines(stats))


def _lines(stats: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in stats.items():
        if not isinstance(value, dict):
            lines.append(f"{name}: {value:,}")
        elif value.keys() == {"count", "first"}:
            first = f" ({', '.join(value['first'])}{', ...' if value['count'] > len(value['first']) else ''})"
            lines.append(f"{name}: {value['count']:,}{first if value['count'] else ''}")
        else:
            lines.append(f"{name}: {', '.join(f'{key} {count:,}' for key, count in value.items()) or 'none'}")
    return lines
