"""`kgrec train`: from a graph to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli import project
from kgrec.cli.console import Console, Json, Quiet, console, counted
from kgrec.cli.options import ConfigFile, ConfigSettings, GraphFolder, Keep, output_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.cli.training_log import TrainingLogFiles
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.recommend.recommender import Recommender
    from kgrec.train.checkpoint import Checkpoint
    from kgrec.train.data import EpochRecord


def train(
    graph: GraphFolder,
    output: Annotated[Path | None, output_folder("Model folder", "model")] = None,
    config: ConfigFile = None,
    settings: ConfigSettings = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all random choices.")] = None,
    valid: Annotated[
        Path | None,
        typer.Option(
            "--valid",
            help="Table of validation interactions. Default: a share of each user's positives is held out.",
        ),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            "--ablate",
            help="Source to train without, to measure what it contributes: graph, text, id, co-occurrence, or the control "
            "shuffle-graph; may be repeated.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted training of this model.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="File for the training log, .csv or .jsonl: one line per epoch."),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Folder for TensorBoard; needs kgrec[tensorboard].")
    ] = None,
    keep: Keep = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on a graph and its interactions.

    Example: `kgrec train graph/ -o model/ --set dim=128 --seed 1`
    """
    from kgrec.cli.training_log import TrainingLogFiles
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output
    from kgrec.train import checkpoint

    out = console(as_json, quiet)
    output = output or project.beside(graph, "model")
    check_output(output, "model")
    chosen = [*(settings or []), *([] if seed is None else [f"train.seed={seed}"])]
    options = Config.read(config, chosen)
    loaded = KnowledgeGraph.load(graph)
    state = checkpoint.Checkpoint(checkpoint.beside(output), resume=resume)
    with TrainingLogFiles(log, tensorboard) as logs:
        recommender = fitted(loaded, options, out, valid, ablate or (), state, logs)
    recommender.save(output, keep=keep)
    state.remove()
    out.say(f"Wrote {output}. Next: kgrec recommend {output} --all-users -o recs.parquet")
    out.result({"model": str(output), **recommender.model.metrics})


def fitted(
    graph: KnowledgeGraph,
    config: Config,
    out: Console,
    valid: Path | None = None,
    ablate: Sequence[str] = (),
    state: Checkpoint | None = None,
    logs: TrainingLogFiles | None = None,
) -> Recommender:
    """Train, show progress, and report what validation chose.

    Args:
        graph: Holds the items and the interactions.
        config: Options of all stages.
        out: Prints the report.
        valid: Table of validation interactions; None: a share of each user's positives is held out.
        ablate: Sources to leave out; see `kgrec.evaluate.ablation.ablated`. The model's metrics name them under "ablated".
        state: Where an interrupted training is resumed from; None: it cannot be resumed.
        logs: Receives each record of the training log; None: no log is written.

    Raises:
        ConfigError: A source is unknown.
        SourceError: The validation interactions cannot be used.
    """
    from kgrec.evaluate.ablation import ablated
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.input_files import read_interactions

    ablate = list(dict.fromkeys(ablate))
    graph, config = ablated(graph, config, ablate)
    held_out = None if valid is None else read_interactions(valid, graph)
    if not len(graph.interactions):
        out.say("There are no interactions: the model uses content only, and has no users.")
    with out.bars() as bars:

        def on_epoch(record: EpochRecord, done: int, planned: int) -> None:
            bars.epoch(record, done, planned)
            if logs is not None:
                logs.write(record)

        recommender = Recommender(config).fit(
            graph,
            valid=held_out,
            checkpoint=state,
            on_text=bars.step("encoding text"),
            on_epoch=on_epoch,
        )
    if ablate:
        recommender.model.metrics["ablated"] = ablate
        out.say(f"Ablated: {', '.join(ablate)}.")
    out.say(_summary(recommender))
    if recommender.model.index.built.effort is not None:
        out.say(str(recommender.model.index.built))
    return recommender


def _summary(recommender: Recommender) -> str:
    """What the model was trained on, what validation chose, and the validation metrics."""
    model = recommender.model
    chosen = model.metrics["chosen"]
    if not chosen:
        return f"{_data_sentence(recommender)} There was no validation."
    weights = ", ".join(
        f"{name.replace('_', '-')} {weight:.2f}" for name, weight in chosen["weights"].items() if weight
    )
    whitening = f", whitening {chosen['whitening']:g}" if chosen["whitening"] else ""
    return (
        f"{_data_sentence(recommender)}\n"
        f"Chosen on validation data: temperature {chosen['temperature']:g}, learning rate {chosen['learning_rate']:g}, "
        f"{counted(chosen['epochs'], 'epoch')}{whitening}; weights of the scores: {weights}.\n"
        f"{_validation_sentence(chosen)} The final model is trained on all interactions."
    )


def _data_sentence(recommender: Recommender) -> str:
    model = recommender.model
    counts = (
        (len(model.items), "item"),
        (len(model.users), "user"),
        (model.liked.nnz, "positive interaction"),
    )
    sentence = f"Trained on {', '.join(counted(count, name) for count, name in counts)}"
    without = len(model.items) - model.items.n_trained
    if without and len(model.users):
        sentence += f"; {counted(without, 'item')} without interactions, embedded by content as new items are"
    return f"{sentence}."


def _validation_sentence(chosen: dict[str, Any]) -> str:
    k, new_share = chosen["valid_k"], round(chosen["valid_new_share"], 2)
    part = f", {new_share:.0%} of it with items held out whole" if new_share else ""

    def reached(prefix: str) -> str:
        return (
            f"recall@{k} {chosen[f'valid_{prefix}recall']:.3f}, NDCG@{k} {chosen[f'valid_{prefix}ndcg']:.3f}"
        )

    if "valid_fused_ndcg" not in chosen:
        return f"On validation data{part}: {reached('')}."
    return f"On validation data{part}: {reached('')} with the embedding score; {reached('fused_')} with all scores."
