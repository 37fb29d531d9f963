"""`kgrec evaluate`: compare kgrec with baselines, and with kgrec without a source, on held-out interactions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli import project
from kgrec.cli.console import Json, LogLines, Quiet, Stopped, Verbose, console, counted, stopping
from kgrec.cli.evaluation_folds import folds_of
from kgrec.cli.evaluation_progress import EvaluationProgress
from kgrec.cli.options import (
    Address,
    ConfigFile,
    ConfigSettings,
    ExecutorName,
    FoldCount,
    GpusPerWorker,
    GraphFolder,
    HeldOutShare,
    LastPositives,
    SplitProtocol,
    SplitSeed,
    ValidationShare,
    Workers,
    output_folder,
)
from kgrec.cli.progress import Progress
from kgrec.cli.split import description, protocol_of, sizes
from kgrec.cli.training_progress import TrainingProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from kgrec.config import Config
    from kgrec.encode.text import TextEncoder, TextProgress
    from kgrec.errors import KgrecError
    from kgrec.evaluate.benchmark.benchmark_results import BenchmarkResults
    from kgrec.evaluate.benchmark.run import KeptEntries
    from kgrec.evaluate.benchmark.systems import System
    from kgrec.evaluate.benchmark.task import Task
    from kgrec.evaluate.benchmark.trade_offs import Variant
    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.splits import Protocol
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.parallel import Executor

_Train = Annotated[
    Path | None,
    typer.Option("--train", help="With --test: table of training interactions that replaces the graph's."),
]
_Valid = Annotated[
    Path | None, typer.Option("--valid", help="With --test: table of interactions for tuning the baselines.")
]
_Test = Annotated[
    list[Path] | None,
    typer.Option("--test", help="Table of test interactions that replaces a protocol; may be repeated."),
]
_New = Annotated[
    Path | None,
    typer.Option("--new", help="With --test: folder of new items, added after training as kgrec add does."),
]
#: protocols that hold out later interactions
_ORDERED_PROTOCOLS = ("last", "time")


def evaluate(
    graph: GraphFolder,
    output: Annotated[Path | None, output_folder("Folder", "report")] = None,
    protocol: SplitProtocol = "random",
    share: HeldOutShare = None,
    last: LastPositives = None,
    folds: FoldCount = None,
    valid_share: ValidationShare = None,
    seed: SplitSeed = 0,
    train: _Train = None,
    valid: _Valid = None,
    test: _Test = None,
    new: _New = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="Folder written by kgrec split that replaces a protocol.")
    ] = None,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k",
            "--k",
            help="Items per list; may be repeated. Systems are sorted by NDCG at the first length. Default: 20 and 10.",
        ),
    ] = None,
    baselines: Annotated[
        list[str] | None,
        typer.Option(
            "--baselines",
            help="Baselines: quick, all, none, or names separated by commas; may be repeated. Default: quick.",
        ),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            "--ablate",
            help="Also evaluate kgrec trained without this source: graph, text, id, co-occurrence, shuffle-graph, or none; "
            "may be repeated. Default: graph, text and shuffle-graph, if the graph has edges and texts.",
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
        typer.Option("--by", help="Node type for the calibration metric, such as genre; may be repeated."),
    ] = None,
    trade_offs: Annotated[
        bool,
        typer.Option(
            "--trade-offs",
            help="Also measure kgrec's lists at several strengths of diversity, novelty, calibration and exposure.",
        ),
    ] = False,
    budget: Annotated[
        float,
        typer.Option("--budget", min=0, help="CPU seconds for the option search of each baseline."),
    ] = 60.0,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the data set in the report. Default: `name:` in the mapping."),
    ] = None,
    config: ConfigFile = None,
    settings: ConfigSettings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted evaluation.")] = False,
    executor: ExecutorName = None,
    workers: Workers = 1,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Compare kgrec with baselines, and with kgrec without a source, on held-out interactions; write a report.

    Example: `kgrec evaluate graph/ --protocol time --baselines all -o report/`
    """
    from kgrec.config import Config
    from kgrec.errors import ConfigError
    from kgrec.evaluate.benchmark.benchmark_results import BenchmarkResults
    from kgrec.evaluate.benchmark.run import KeptEntries, run_benchmark
    from kgrec.evaluate.benchmark.trade_offs import variants
    from kgrec.evaluate.report.page import check_installed, page
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.parallel import executor_for
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet, verbose, log_format)
    output = output or project.beside(graph, "report")
    check_output(output, "report")
    check_installed()
    ks = list(dict.fromkeys(k or (20, 10)))
    if min(ks) < 1:
        raise ConfigError(f"-k is {min(ks)}.", "Give lengths of 1 or more.")
    options = Config.read(config, [*(settings or []), f"train.seed={seed}"])
    chosen = None if test or split else protocol_of(protocol, share, last, folds, valid_share, seed)
    computing = executor_for(executor, workers, address, gpus_per_worker)
    if new is not None and not computing.shares_memory:
        raise ConfigError(
            "--new does not apply to a run with workers.", "Leave out --executor and --workers."
        )
    with out.working() as progress:
        progress.stage("reading the graph folder")
        loaded = KnowledgeGraph.load(graph)
        progress.stage("splitting interactions")
        parts = folds_of(loaded, chosen, train, valid, test or [], new, split, valid_share, seed)
        for fold in parts:
            out.say(f"{'' if len(parts) == 1 else f'Fold {fold.number + 1}: '}{description(fold)}.")
        progress.stage("preparing the test")
        tasks = _tasks(parts, ks, by, options, progress, computing)
        varied = variants(tasks[0].classes) if trade_offs else ()
        ordered = parts[0].train.ordered and (chosen is None or chosen.kind in _ORDERED_PROTOCOLS)
        source, named = parts[0].source, lists or []
        systems = _systems(
            source, options, baselines, ablate, named, budget, seed, varied, progress, ordered=ordered
        )
        _check_names(systems)
        run = {
            "graph": loaded.inputs,
            "parts": [sizes(fold) for fold in parts],
            "protocol": chosen.model_dump() if chosen else None,
            "config": options.model_dump(mode="json"),
            "k": ks,
            "budget": budget,
            "variants": [variant.name for variant in varied],
        }
        kept = KeptEntries(output.with_name(f"{output.name}.parts"), run, resume=resume)
        runs = EvaluationProgress(progress, systems, len(parts), budget, out.say)
        with stopping(lambda: _stopped(kept, len(systems) * len(parts))):
            failed = None
            if not computing.shares_memory:
                failed = _predicted(computing, graph, tasks, chosen, options, systems, kept, progress)
            entries = run_benchmark(tasks, systems, ks, kept, runs.run, failed=failed)
            runs.finish()
            progress.stage("comparing the systems")
            results = BenchmarkResults(
                parts, entries, ks, chosen, str(graph), _title(loaded, name), seed=seed
            )
            _ = results.comparisons
            progress.stage("writing the report")
            record = results.save(output, page)
        kept.remove()
    out.say(_summary(results))
    out.say(f"Wrote {output}. Open {output / 'report.html'} in a browser.")
    out.result({"report": str(output), **record})


def _title(graph: KnowledgeGraph, name: str | None) -> str:
    """The name of the data set; if it has none, the number and types of its items."""
    given = name or graph.mapping.name
    return given or counted(len(graph.item_ids), " and ".join(graph.item_types) or "item")


def _stopped(kept: KeptEntries, runs: int) -> Stopped:
    """Report the work kept of an evaluation that Ctrl-C stopped; remove its folder if it is empty."""
    if not kept.count:
        kept.remove()
        return Stopped("No part of the evaluation is kept.")
    return Stopped(
        f"{kept.folder} keeps the lists of {kept.count} of {counted(runs, 'run')}.", resumable=True
    )


class _Reported:
    """A text encoder that reports its progress."""

    def __init__(self, encoder: TextEncoder, progress: TextProgress) -> None:
        self._encoder, self._progress = encoder, progress

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        """See `TextEncoder`."""
        return self._encoder.encode(texts, progress or self._progress)


def _tasks(
    folds: Sequence[Fold],
    ks: Sequence[int],
    by: Sequence[str] | None,
    config: Config,
    progress: Progress,
    executor: Executor,
) -> list[Task]:
    from kgrec.encode.text import SentenceEncoder
    from kgrec.evaluate.benchmark.task import Task, small_types

    shown = TrainingProgress(progress, config)
    none = config.text.model == "none"
    encoder = None if none else _Reported(SentenceEncoder(config.text, executor), shown.text)
    classes = tuple(by) if by else small_types(folds[0].source)
    return [Task(fold, max(ks), classes, encoder) for fold in folds]


def _predicted(
    executor: Executor,
    graph: Path,
    tasks: Sequence[Task],
    protocol: Protocol | None,
    config: Config,
    systems: Sequence[System],
    kept: KeptEntries,
    progress: Progress,
) -> dict[str, KgrecError]:
    """Let workers compute the predictions that are not kept; return the errors of failed systems."""
    from kgrec.evaluate.benchmark.workers import TaskFolders, predict_by_workers
    from kgrec.evaluate.splits import save_folds

    assert kept.folder is not None
    for task in tasks:
        task.ground_truth  # noqa: B018  encodes texts into the cache, once for all workers
    split = kept.folder.absolute() / "split"
    save_folds([task.fold for task in tasks], split, protocol)
    folders = TaskFolders(graph.absolute(), split, tasks[0].k, tasks[0].classes, config.text)
    progress.stage("computing lists with workers")

    def done(finished: int, total: int) -> None:
        progress.detail(f"{finished} of {counted(total, 'run')}")

    return predict_by_workers(executor, folders, systems, len(tasks), kept, done)


def _systems(
    graph: KnowledgeGraph,
    config: Config,
    baselines: Sequence[str] | None,
    ablate: Sequence[str] | None,
    lists: Sequence[str],
    budget: float,
    seed: int,
    varied: Sequence[Variant],
    progress: Progress,
    *,
    ordered: bool,
) -> list[System]:
    from kgrec.errors import ConfigError, did_you_mean
    from kgrec.evaluate.baselines.registry import BASELINES, baseline_names
    from kgrec.evaluate.benchmark.systems import (
        ABLATION_NAMES,
        GivenLists,
        Kgrec,
        TunedBaseline,
        default_ablations,
    )
    from kgrec.serve.input_files import read_lists

    for source in ablate or ():
        if source not in (*ABLATION_NAMES, "none"):
            raise ConfigError(
                f"There is no source '{source}' to leave out.", did_you_mean(source, [*ABLATION_NAMES])
            )
    sources = default_ablations(graph, config) if ablate is None else list(dict.fromkeys(ablate))
    words = (name.strip() for option in baselines or ("quick",) for name in option.split(","))
    names = baseline_names(words, ordered=ordered)

    def kgrec(without: str = "") -> Kgrec:
        shown = TrainingProgress(progress)
        return Kgrec(
            config,
            without,
            on_text=shown.text,
            on_epoch=shown.epoch,
            on_stage=shown.stage,
            variants=() if without else varied,
        )

    return [
        kgrec(),
        *(GivenLists(name, read_lists(path)) for name, path in map(_name_and_path, lists)),
        *(TunedBaseline(name, BASELINES[name](), budget, seed, progress.stage) for name in names),
        *(kgrec(source) for source in sources if source != "none"),
    ]


def _name_and_path(option: str) -> tuple[str, Path]:
    from kgrec.errors import ConfigError

    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise ConfigError(f"--lists is '{option}'.", "Give NAME=FILE, such as today=recs.parquet.")
    return name, Path(path)


def _summary(results: BenchmarkResults) -> str:
    """A table of the systems, best first, and a comparison of the first system with the others."""
    names = (results.primary_metric, f"recall@{results.ks[0]}")
    lines = [f"{'':26} {names[0]:>9}  {'95 % interval':17} {names[1]:>10} {'CPU s':>8}"]
    for entry in results.ran:
        (value, low, high), (recall, *_) = (results.value(entry, name) for name in names)
        seconds = sum(entry.cpu_seconds.values())
        lines.append(f"{entry.name:26} {value:9.4f}  {low:.4f} to {high:.4f}  {recall:9.4f} {seconds:8,.0f}")
    lines += [f"{e.name:26} failed: {e.error.problem}" for e in results.entries if e.error]
    return "\n".join([*lines, *_verdict(results)])


def _verdict(results: BenchmarkResults) -> list[str]:
    """Sentences that say whether the first system differs significantly from the others on the primary metric."""
    if results.comparisons.empty:
        return []
    rows = results.comparisons[results.comparisons["metric"] == results.primary_metric]
    first = rows["model"].iloc[0]
    groups = {
        "is significantly better than": rows[rows["higher"] == first],
        "is significantly worse than": rows[rows["higher"] == rows["other"]],
        "does not differ significantly from": rows[rows["higher"] == ""],
    }
    return [
        f"By {results.primary_metric}, {first} {verb} {', '.join(others['other'])}."
        for verb, others in groups.items()
        if len(others)
    ]


def _check_names(systems: Sequence[System]) -> None:
    from kgrec.errors import ConfigError

    names = [system.name for system in systems]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Two systems are named '{name}'.", "Give the lists another name.")
