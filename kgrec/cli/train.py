"""`kgrec train`: train a model on a graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli import project
from kgrec.cli.console import (
    Console,
    Json,
    LogLines,
    Quiet,
    Stopped,
    Verbose,
    console,
    counted,
    stopping,
)
from kgrec.cli.options import (
    Address,
    ConfigFile,
    ConfigSettings,
    ExecutorName,
    GpusPerWorker,
    GraphFolder,
    Keep,
    Workers,
    output_folder,
)
from kgrec.errors import ConfigError, NoStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.cli.training_log import TrainingLogFiles
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.parallel import Executor
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.feedback_log import TrainingFeedback
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
            help="Source to train without, to measure its contribution: graph, text, id, co-occurrence, or the control "
            "shuffle-graph; may be repeated.",
        ),
    ] = None,
    feedback: Annotated[
        str | None,
        typer.Option(
            "--feedback",
            help="Feedback store of kgrec serve, a path or a URL; the model also learns from its items and events.",
        ),
    ] = None,
    allow_missing_store: Annotated[
        bool,
        typer.Option(
            "--allow-missing-store",
            help="If the store of --feedback does not exist yet, train on the graph alone, with a warning.",
        ),
    ] = False,
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
    executor: ExecutorName = None,
    workers: Workers = 1,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    keep: Keep = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Train a model on a graph and its interactions.

    Example: `kgrec train graph/ -o model/ --set dim=128 --seed 1`
    """
    from kgrec.cli.training_log import TrainingLogFiles
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.parallel import executor_for
    from kgrec.storage.artifacts import check_output
    from kgrec.train import checkpoint

    out = console(as_json, quiet, verbose, log_format)
    if allow_missing_store and feedback is None:
        raise ConfigError("--allow-missing-store needs a store to look for.", "Also give --feedback STORE.")
    output = output or project.beside(graph, "model")
    check_output(output, "model")
    chosen = [*(settings or []), *([] if seed is None else [f"train.seed={seed}"])]
    options = Config.read(config, chosen)
    encoders = executor_for(executor, workers, address, gpus_per_worker)
    state = checkpoint.Checkpoint(checkpoint.beside(output), resume=resume)
    with out.working() as progress:
        progress.stage("reading the graph folder")
        loaded = KnowledgeGraph.load(graph)
        taken = feedback_of(feedback, loaded, out, allow_missing=allow_missing_store) if feedback else None
        with TrainingLogFiles(log, tensorboard) as logs:
            recommender = fitted(
                taken.graph if taken else loaded, options, out, valid, ablate or (), state, logs, encoders
            )
        if taken:
            recommender = taken.completed(recommender)
        progress.stage("writing the model folder")
        with stopping(lambda: _stopped(state)):
            recommender.save(output, keep=keep)
        state.remove()
    out.say(summary(recommender))
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
    executor: Executor | None = None,
) -> Recommender:
    """Train within `out.working()`, and show progress.

    Args:
        graph: Contains the items and the interactions.
        config: Options of all stages.
        out: Prints remarks.
        valid: Table of validation interactions; None: a share of each user's positives is held out.
        ablate: Sources to leave out; see `kgrec.evaluate.ablation.ablated`. The model's metrics name them under "ablated".
        state: Checkpoint from which an interrupted training resumes; None: it cannot resume.
        logs: Receives each record of the training log; None: no log is written.
        executor: Encodes the texts; None: this process encodes them.

    Raises:
        ConfigError: A source is unknown.
        SourceError: The validation interactions cannot be used.
        Stopped: Ctrl-C was pressed.
    """
    from kgrec.cli.training_progress import TrainingProgress, ahead
    from kgrec.evaluate.ablation import ablated
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.input_files import read_interactions

    ablate = list(dict.fromkeys(ablate))
    graph, config = ablated(graph, config, ablate)
    held_out = None if valid is None else read_interactions(valid, graph)
    if not len(graph.interactions):
        out.say("There are no interactions, so the model uses only content and has no users.")
    out.progress.note(ahead(graph, config, validated=held_out is not None))
    shown = TrainingProgress(out.progress, config, lambda: len(state.finished) if state else 0)

    def on_epoch(record: EpochRecord, done: int, planned: int) -> None:
        shown.epoch(record, done, planned)
        if logs is not None:
            logs.write(record)

    with stopping(lambda: _stopped(state, shown.encoded if config.text.cache else 0)):
        recommender = Recommender(config).fit(
            graph,
            valid=held_out,
            checkpoint=state,
            executor=executor,
            on_text=shown.text,
            on_epoch=on_epoch,
            on_stage=shown.stage,
        )
    if ablate:
        recommender.model.metrics["ablated"] = ablate
    return recommender


def feedback_of(
    store: str, graph: KnowledgeGraph, out: Console, *, allow_missing: bool = False
) -> TrainingFeedback | None:
    """The graph with the items and events of a feedback store; prints which were left out.

    Raises:
        NoStore: There is no store, and `allow_missing` is false. If it is true, a warning is printed and the result is None.
    """
    from kgrec.serve.feedback_log import opened_store, training_feedback

    out.progress.stage("reading the feedback store")
    try:
        opened = opened_store(store)
    except NoStore as error:
        if not allow_missing:
            remedy = (
                f"{error.remedy} Before the first event, --allow-missing-store trains on the graph alone."
            )
            raise NoStore(error.problem, remedy) from None
        out.progress.note(f"{error.problem} The model is trained on the graph alone.", "warning")
        return None
    with opened:
        taken = training_feedback(graph, opened)
    items = f" and {counted(taken.added_items, 'added item')}" if taken.added_items else ""
    out.say(
        f"The store has {counted(taken.events, 'event')} of {counted(taken.users, 'user')}{items} to learn from, "
        f"up to revision {taken.revision:,}."
    )
    if taken.unknown:
        some = ", ".join(f"'{item}'" for item in taken.unknown_items)
        out.say(f"Left out: {counted(taken.unknown, 'event')} of unknown items, such as {some}.")
    for type_, count in taken.unlisted.items():
        out.say(
            f"Left out: {counted(count, 'event')} of type '{type_}', which the mapping's `events:` does not list."
        )
    if taken.erased:
        out.say(f"Left out: interactions in the graph of {counted(taken.erased, 'erased user')}.")
    return taken


def _stopped(state: Checkpoint | None, encoded: int = 0) -> Stopped:
    """Report the work kept of a training that Ctrl-C stopped."""
    finished = state.interrupted() if state else ""
    texts = f"The vectors of {counted(encoded, 'text')} are in the cache. " if encoded else ""
    kept = f"{state.folder} keeps {finished}." if state and finished else "No part of the training is kept."
    return Stopped(f"{texts}{kept}", resumable=bool(finished))


def summary(recommender: Recommender) -> str:
    """Text with the training data, the options chosen by validation, and the validation metrics."""
    model = recommender.model
    ablated, chosen = model.metrics.get("ablated"), model.metrics["chosen"]
    index = [str(model.index.built)] if model.index.built.effort is not None else []
    lines = [f"Ablated: {', '.join(ablated)}."] if ablated else []
    if not chosen:
        return "\n".join([*lines, f"{_data_sentence(recommender)} There was no validation.", *index])
    weights = ", ".join(
        f"{name.replace('_', '-')} {weight:.2f}" for name, weight in chosen["weights"].items() if weight
    )
    whitening = f", whitening {chosen['whitening']:g}" if chosen["whitening"] else ""
    lines += [
        _data_sentence(recommender),
        *_target_sentence(recommender),
        f"Chosen on validation data: temperature {chosen['temperature']:g}, learning rate {chosen['learning_rate']:g}, "
        f"{counted(chosen['epochs'], 'epoch')}{whitening}; weights of the scores: {weights}.",
        *_weights_of_zero(recommender),
        *_ranker_sentence(chosen),
        f"{_validation_sentence(chosen)} The final model is trained on all interactions.",
    ]
    return "\n".join([*lines, *index])


def _target_sentence(recommender: Recommender) -> list[str]:
    """A sentence about the choice of `train.target: auto`, if it chose the next item."""
    if recommender.config.train.target != "auto" or recommender.model.metrics["chosen"]["target"] == "any":
        return []
    return [
        "The log has an order, so the model was trained and validated on the next item of each history; "
        "with train.target=any, any later item counts."
    ]


def _weights_of_zero(recommender: Recommender) -> list[str]:
    """One sentence per score with weight 0 after validation, about what this means."""
    model, config = recommender.model, recommender.config.rescore
    if config.weights is not None:
        return []
    weights, scorers = model.rescorer.weights, model.rescorer.scorers
    there = {
        "graph": bool(scorers["graph"].arrays("graph")["graph.data"].size),
        "text": bool(scorers["text"].arrays("text")["text"].any()),
        "co_occurrence": config.co_occurrence,
    }
    users_of_it = "Embeddings" if weights["embedding"] else "The embeddings, which retrieve the candidates,"
    tried = {
        "graph": ("The graph", "what they share in the graph", "use the graph", "graph"),
        "text": ("Text", "how near their texts are", "use the texts", "text"),
        "co_occurrence": ("Co-occurrence", "which the same users liked", "learn from it", "co-occurrence"),
    }
    sentences = {
        name: f"{title} has weight 0: scoring items by {evidence} did not improve the lists on validation data. "
        f"{users_of_it} still {use}; kgrec evaluate with --ablate {option} measures how much that is worth."
        for name, (title, evidence, use, option) in tried.items()
    }
    zero = [text for name, text in sentences.items() if there[name] and not weights[name]]
    if not there["graph"] and "graph" not in model.metrics.get("ablated", ()):
        zero.insert(0, "The graph has weight 0: no two items share a neighbour in it, so it connects none.")
    if not weights["embedding"]:
        zero.append("Embeddings have weight 0: they retrieve the candidates, and the other scores rank them.")
    return zero


def _ranker_sentence(chosen: dict[str, Any]) -> list[str]:
    """A sentence about the learned ranker that was kept, or that none was; nothing if no ranker was tried."""
    if "ranker" not in chosen:
        return []
    kept, reached = chosen["ranker"]["kind"], dict(chosen["ranker"]["valid_ndcg"])
    fused = reached.pop("fused")
    tried = ", ".join(f"{name} {value:.3f}" for name, value in reached.items() if f"{name}_p" in reached)
    found = f"No ranker is significantly better than {fused:.3f}" if kept == "none" else f"Ranker: {kept}"
    return [
        f"{found}. NDCG@{chosen['valid_k']} by cross-fitting on validation data: {tried}; without a ranker {fused:.3f}."
    ]


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
        sentence += f"; {counted(without, 'item')} without interactions, embedded by content like new items"
    return f"{sentence}."


def _validation_sentence(chosen: dict[str, Any]) -> str:
    k, new_share = chosen["valid_k"], round(chosen["valid_new_share"], 2)
    part = f", {new_share:.0%} of it with all interactions of some items held out" if new_share else ""

    def reached(prefix: str) -> str:
        return (
            f"recall@{k} {chosen[f'valid_{prefix}recall']:.3f}, NDCG@{k} {chosen[f'valid_{prefix}ndcg']:.3f}"
        )

    if "valid_fused_ndcg" not in chosen:
        return f"On validation data{part}: {reached('')}."
    return f"On validation data{part}: {reached('')} with the embedding score; {reached('fused_')} with all scores."
