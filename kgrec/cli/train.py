"""`kgrec train`: from a graph to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Console, Json, Quiet, console, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.cli.training_log import Logs
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.recommend.recommender import Recommender
    from kgrec.train.checkpoint import Checkpoint
    from kgrec.train.data import EpochRecord


def train(
    graph: Annotated[Path, typer.Argument(help="A graph folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model folder to write.")] = Path(
        "model"
    ),
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file of options.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One option, such as dim=128; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all random choices.")] = None,
    valid: Annotated[
        Path | None,
        typer.Option("--valid", help="Held-out interactions to choose epochs and temperature by."),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            "--ablate",
            help="A source to leave out, to see what it brings: graph, text, id, co-occurrence, or shuffle-graph as a "
            "control; may be repeated.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training of this model that was cut off.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="A file for the training log: .csv or .jsonl, a line an epoch."),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="A folder for TensorBoard; needs kgrec[tensorboard].")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on a graph and its interactions.

    Example: `kgrec train graph/ -o model/ --set dim=128 --seed 1`
    """
    from kgrec.cli.training_log import Logs
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output
    from kgrec.train import checkpoint

    out = console(as_json, quiet)
    check_output(output, "model")
    chosen = [*(settings or []), *([] if seed is None else [f"train.seed={seed}"])]
    options = Config.read(config, chosen)
    loaded = KnowledgeGraph.load(graph)
    state = checkpoint.Checkpoint(checkpoint.beside(output), resume=resume)
    with Logs(log, tensorboard) as logs:
        recommender = fitted(loaded, options, out, valid, ablate or (), state, logs)
    recommender.save(output)
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
    logs: Logs | None = None,
) -> Recommender:
    """Train with progress shown, and say what was chosen."""
    from kgrec.evaluate.ablation import ablated
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.input_files import read_interactions

    graph, config = ablated(graph, config, ablate)
    held_out = None if valid is None else read_interactions(valid, graph)
    if not len(graph.interactions):
        out.say("There are no interactions: the model rests on content alone, and knows no users.")
    with out.bars() as bars:

        def on_epoch(line: EpochRecord, done: int, planned: int) -> None:
            bars.epoch(line, done, planned)
            if logs is not None:
                logs.write(line)

        recommender = Recommender(config).fit(
            graph,
            valid=held_out,
            checkpoint=state,
            on_text=bars.step("encoding text"),
            on_epoch=on_epoch,
        )
    if ablate:
        recommender.model.metrics["ablated"] = list(ablate)
        out.say(f"Left out on purpose: {', '.join(ablate)}.")
    out.say(_summary(recommender))
    if recommender.model.index.built.effort is not None:
        out.say(str(recommender.model.index.built))
    return recommender


def _summary(recommender: Recommender) -> str:
    model = recommender.model
    counts = (
        (len(model.items), "item"),
        (len(model.users), "user"),
        (model.histories.nnz, "positive interaction"),
    )
    what = f"Trained on {', '.join(counted(count, name) for count, name in counts)}"
    new = len(model.items) - model.items.n_trained
    if new and len(model.users):
        what += f"; {counted(new, 'item')} without interactions, placed by content as new ones are"
    chosen = model.metrics["chosen"]
    if not chosen:
        return f"{what}; nothing was held out to choose by."
    k, weights = chosen["valid_k"], chosen["weights"]
    parts = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items() if weight)
    whitening = f", whitening {chosen['whitening']:g}" if chosen["whitening"] else ""
    figures = [(chosen[f"valid_{kind}recall"], chosen[f"valid_{kind}ndcg"]) for kind in _stages(chosen)]
    quality = ", then ".join(f"recall@{k} {recall:.3f} NDCG {ndcg:.3f}" for recall, ndcg in figures)
    new_share = round(chosen["valid_new_share"], 2)
    where = f"There, {new_share:.0%} of it with items made new" if new_share else "There"
    return (
        f"{what}.\nChosen on held-out data: temperature {chosen['temperature']:g}, learning rate "
        f"{chosen['learning_rate']:g}, {counted(chosen['epochs'], 'epoch')}{whitening}; parts of the score: {parts}.\n"
        f"{where}: {quality}{' with all parts' if len(figures) > 1 else ''}. Then trained again on everything."
    )


def _stages(chosen: dict[str, Any]) -> list[str]:
    return ["", "fused_"] if "valid_fused_ndcg" in chosen else [""]
