"""`kgrec evaluate`: is this better than what there is, for whom, and what does the knowledge bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli.console import Bars, Console, Json, Quiet, console
from kgrec.cli.split import Folds, Last, Seed, Share, SplitKind, ValidShare, counts, protocol_of, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.config import Config
    from kgrec.evaluate.benchmark.results import Results
    from kgrec.evaluate.benchmark.run import OnSystem
    from kgrec.evaluate.benchmark.systems import System
    from kgrec.evaluate.benchmark.task import Task
    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.splits import Protocol
    from kgrec.graph.knowledge_graph import KnowledgeGraph

#: what `--baselines quick` stands for: seconds each, and the best of them is hard to beat
QUICK = ("popularity", "item-knn", "rp3beta", "ease", "content-tfidf")
_DEFAULT_ABLATIONS = ("graph", "text", "shuffle-graph")

_Train = Annotated[
    Path | None,
    typer.Option("--train", help="Interactions to learn from, in place of the graph's, with --test."),
]
_Valid = Annotated[
    Path | None, typer.Option("--valid", help="Interactions to tune baselines by, with --test.")
]
_Test = Annotated[
    list[Path] | None,
    typer.Option("--test", help="Interactions to ask for, instead of a protocol; may be repeated."),
]
_New = Annotated[
    Path | None, typer.Option("--new", help="A folder of new items, added after training, as for kgrec add.")
]


def evaluate(
    graph: Annotated[Path, typer.Argument(help="A graph folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")] = Path("report"),
    protocol: SplitKind = "random",
    share: Share = None,
    last: Last = None,
    folds: Folds = None,
    valid_share: ValidShare = None,
    seed: Seed = 0,
    train: _Train = None,
    valid: _Valid = None,
    test: _Test = None,
    new: _New = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="A folder that kgrec split wrote, instead of a protocol.")
    ] = None,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k", help="Length of lists; may be repeated, and the first decides the order. Else 20 and 10."
        ),
    ] = None,
    baselines: Annotated[
        list[str] | None,
        typer.Option(
            "--baselines",
            help="quick, all, none, or names with commas between; may be repeated. Else quick.",
        ),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            "--ablate",
            help="Sources that kgrec is also trained without: graph, text, id, co-occurrence, shuffle-graph, or none; may be "
            "repeated. Without this option: graph, text and shuffle-graph, as far as the graph has them.",
        ),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--lists", help="Lists of another system, as NAME=FILE; may be repeated. Needs --split or --test."
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="A node type, such as genre, by which lists are held against histories."),
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", min=0, help="Seconds of CPU to search each baseline's options in.")
    ] = 60.0,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file of kgrec's options.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One option of kgrec, such as dim=128; may be repeated.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an evaluation that was cut off.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure kgrec on held-out data, beside baselines, and without its knowledge; write a report.

    Example: `kgrec evaluate graph/ --protocol time --baselines all -o report/`
    """
    from kgrec.config import Config
    from kgrec.errors import ConfigError
    from kgrec.evaluate.benchmark.results import Results
    from kgrec.evaluate.benchmark.run import KeptEntries, run_benchmark
    from kgrec.evaluate.report.page import check_installed, page
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    check_output(output, "report")
    check_installed()
    ks = list(dict.fromkeys(k or (20, 10)))
    if min(ks) < 1:
        raise ConfigError(f"-k is {min(ks)}.", "Give lengths of 1 or more.")
    options = Config.read(config, [*(settings or []), f"train.seed={seed}"])
    chosen = None if test or split else protocol_of(protocol, share, last, folds, valid_share, seed)
    loaded = KnowledgeGraph.load(graph)
    found = _held_back(loaded, chosen, train, valid, test or [], new, split, valid_share, seed)
    for fold in found:
        out.say(f"{'' if len(found) == 1 else f'Fold {fold.number + 1}: '}{counts(fold)}.")
    with out.bars() as bars:
        questions = _questions(found, ks, by, options)
        systems = _systems(found[0].source, options, baselines, ablate, lists or [], budget, seed, bars)
        _check_names(systems)
        deciding = {
            "graph": loaded.inputs,
            "parts": [sizes(fold) for fold in found],
            "protocol": chosen.model_dump() if chosen else None,
            "config": options.model_dump(mode="json"),
            "k": ks,
            "budget": budget,
        }
        kept = KeptEntries(output.with_name(f"{output.name}.parts"), deciding, resume=resume)
        entries = run_benchmark(questions, systems, ks, kept, _told(out))
        results = Results(found, entries, ks, chosen, str(graph), seed=seed)
        record = results.save(output, page)
        kept.remove()
    out.say(_summary(results))
    out.say(f"Wrote {output}. Open {output / 'report.html'} in a browser.")
    out.result({"report": str(output), **record})


def _held_back(
    graph: KnowledgeGraph,
    protocol: Protocol | None,
    train: Path | None,
    valid: Path | None,
    test: Sequence[Path],
    new: Path | None,
    split: Path | None,
    valid_share: float | None,
    seed: int,
) -> list[Fold]:
    from kgrec.errors import ConfigError
    from kgrec.evaluate.splits import load_folds, split_graph

    if split is not None and test:
        raise ConfigError("--split and --test both say what is asked for.", "Give one of them.")
    if (train or valid or new) and not test:
        raise ConfigError("--train, --valid and --new say nothing without --test.", "Give --test, too.")
    if split is not None:
        return load_folds(graph, split)
    if protocol is not None:
        return split_graph(graph, protocol)
    return [_given(graph, train, valid, test, new, 0.1 if valid_share is None else valid_share, seed)]


def _given(
    graph: KnowledgeGraph,
    train: Path | None,
    valid: Path | None,
    test: Sequence[Path],
    new: Path | None,
    valid_share: float,
    seed: int,
) -> Fold:
    import pyarrow as pa

    from kgrec.evaluate.splits import given_split
    from kgrec.graph.build import read_addition
    from kgrec.graph.interactions import Interactions
    from kgrec.serve.input_files import read_interactions

    whole, hidden = graph, list[str]()
    if new is not None:
        whole, _ = graph.extended(read_addition(graph.mapping, new, known=graph))
        names = whole.item_ids.labels
        hidden = names.filter(pa.array(graph.item_ids.ids(names) < 0)).to_pylist()
    asked = [read_interactions(path, whole).to_arrow() for path in test]
    together = pa.concat_tables(asked, promote_options="default").unify_dictionaries().combine_chunks()
    return given_split(
        whole,
        whole.interactions if train is None else read_interactions(train, whole),
        Interactions.from_arrow(together, whole.item_ids),
        None if valid is None else read_interactions(valid, whole),
        hidden=hidden,
        valid_share=valid_share,
        seed=seed,
    )


def _questions(
    folds: Sequence[Fold], ks: Sequence[int], by: Sequence[str] | None, config: Config
) -> list[Task]:
    from kgrec.encode.text import SentenceEncoder
    from kgrec.evaluate.benchmark.task import Task, small_types

    encoder = None if config.text.model == "none" else SentenceEncoder(config.text)
    classes = tuple(by) if by else small_types(folds[0].source)
    return [Task(fold, max(ks), classes, encoder) for fold in folds]


def _systems(
    graph: KnowledgeGraph,
    config: Config,
    baselines: Sequence[str] | None,
    ablate: Sequence[str] | None,
    lists: Sequence[str],
    budget: float,
    seed: int,
    bars: Bars,
) -> list[System]:
    from kgrec.errors import ConfigError, did_you_mean
    from kgrec.evaluate.baselines.registry import BASELINES
    from kgrec.evaluate.benchmark.systems import ABLATION_NAMES, GivenLists, Kgrec, TunedBaseline
    from kgrec.serve.input_files import read_lists

    for source in ablate or ():
        if source not in (*ABLATION_NAMES, "none"):
            raise ConfigError(
                f"There is no source '{source}' to leave out.", did_you_mean(source, [*ABLATION_NAMES])
            )
    sources = _sources(graph, config) if ablate is None else [one for one in ablate if one != "none"]
    named: dict[str, Sequence[str]] = {"quick": QUICK, "all": tuple(BASELINES), "none": ()}
    given = [name.strip() for option in baselines or ("quick",) for name in option.split(",")]
    names = list(dict.fromkeys(each for name in given for each in named.get(name, (name,))))
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"There is no baseline '{name}'.", did_you_mean(name, [*named, *BASELINES]))

    def kgrec(without: str = "") -> Kgrec:
        return Kgrec(config, without, on_text=bars.step("encoding text"), on_epoch=bars.epoch)

    return [
        kgrec(),
        *(GivenLists(name, read_lists(path)) for name, path in map(_named, lists)),
        *(TunedBaseline(name, BASELINES[name](), budget, seed) for name in names),
        *map(kgrec, sources),
    ]


def _named(option: str) -> tuple[str, Path]:
    from kgrec.errors import ConfigError

    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise ConfigError(f"--lists is '{option}'.", "Give NAME=FILE, such as today=recs.parquet.")
    return name, Path(path)


def _sources(graph: KnowledgeGraph, config: Config) -> list[str]:
    """What kgrec is trained without if nothing is said: what the graph has."""
    edges, texts = bool(len(graph.triples)), config.text.model != "none" and bool(len(graph.text))
    there = {"graph": edges, "text": texts, "shuffle-graph": edges}
    return [source for source in _DEFAULT_ABLATIONS if there[source]]


def _told(out: Console) -> OnSystem:
    return lambda name, number, total: out.say(f"[{number + 1}/{total}] {name}")


def _summary(results: Results) -> str:
    """A table of the systems, the best first, and what may be said of the first one against the others."""
    figure, recall = results.main, f"recall@{results.ks[0]}"
    lines = [f"{'':26} {figure:>9}  {'95 % interval':17} {recall:>10} {'CPU s':>8}"]
    for entry in results.ran:
        (value, low, high), (second, *_) = (results.value(entry, name) for name in (figure, recall))
        seconds = sum(entry.seconds.values())
        lines.append(f"{entry.name:26} {value:9.4f}  {low:.4f} to {high:.4f}  {second:9.4f} {seconds:8,.0f}")
    lines += [f"{e.name:26} did not run: {e.problem.problem}" for e in results.entries if e.problem]
    return "\n".join([*lines, *_verdict(results)])


def _verdict(results: Results) -> list[str]:
    """How the first system stands to the others, on the main figure."""
    if results.comparisons.empty:
        return []
    rows = results.comparisons[results.comparisons["metric"] == results.main]
    first = rows["model"].iloc[0]
    groups = {
        "is better than": rows[rows["higher"] == first],
        "is worse than": rows[rows["higher"] == rows["other"]],
        "does not differ beyond the noise from": rows[rows["higher"] == ""],
    }
    return [
        f"By {results.main}, {first} {what} {', '.join(some['other'])}."
        for what, some in groups.items()
        if len(some)
    ]


def _check_names(systems: Sequence[System]) -> None:
    from kgrec.errors import ConfigError

    names = [system.name for system in systems]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Two systems are called '{name}'.", "Give lists another name.")
