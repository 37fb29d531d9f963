"""`kgrec demo`: run every step on the bundled catalogue."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Console, Json, LogLines, Quiet, Verbose, console
from kgrec.cli.items import added_lines
from kgrec.cli.options import ListLength
from kgrec.cli.train import fitted, summary

if TYPE_CHECKING:
    from kgrec.config import Config
    from kgrec.recommend.recommender import Recommender


def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="FOLDER", help="Folder to keep graph/ and model/ in.")
    ] = None,
    k: ListLength = 10,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Run every step on the bundled film catalogue: build, train, recommend, explain, add new films.

    Example: `kgrec demo --keep demo/`
    """
    from kgrec.config import Config
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet, verbose, log_format)
    if keep is not None:
        check_output(keep / "graph", "graph")
        check_output(keep / "model", "model")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        record = tour(keep or Path(temporary), k, Config.read(settings=["train.threads=1"]), out)
    out.say(f"\nThe demo took {time.perf_counter() - started:.0f} seconds.")
    if keep is not None:
        out.say(f"Next: kgrec recommend {keep / 'model'} --user viewer-001")
    out.result(record)


def tour(folder: Path, k: int, config: Config, out: Console) -> dict[str, Any]:
    """Run all steps, with graph/ and model/ in `folder`; return the value that `--json` prints."""
    import kg_data
    from kgrec.graph.build import build_graph

    source = kg_data.movies()
    out.say(f"1. Build a graph from {source}")
    out.say("   (real films with hand-written descriptions, simulated viewers)\n")
    with out.working() as progress:
        graph = build_graph(source / "kgrec.yaml", progress=lambda stage, *_: progress.stage(stage))
        graph.save(folder / "graph")
    out.say(str(graph.report))
    out.say("\n2. Train a model\n")
    with out.working() as progress:
        recommender = fitted(graph, config, out)
        progress.stage("writing the model folder")
        recommender.save(folder / "model")
    out.say(summary(recommender))
    out.say("\n3. Recommend films to three viewers\n")
    users = _example_users(recommender)
    lists = {user: _shown(recommender, user, k, out) for user in users}
    out.say("4. Explain a recommendation\n")
    explanation = recommender.explain(users[0], lists[users[0]][0]["item_id"])
    out.say(f"{explanation}\n")
    out.say("5. Add films that were not in the training data\n")
    audience = _new_films(recommender, source / "new", folder, out)
    return {"lists": lists, "explanation": explanation.to_dict(), "new": audience}


def _example_users(recommender: Recommender) -> list[str]:
    """Three users whose histories are short enough to print."""
    import numpy as np

    lengths = np.diff(recommender.model.liked.indptr)
    fitting = np.flatnonzero((lengths >= 6) & (lengths <= 9))
    return [recommender.model.users[row] for row in fitting[:3].tolist()]


def _shown(recommender: Recommender, user: str, k: int, out: Console) -> list[dict[str, Any]]:
    model = recommender.model
    row = model.users.ids([user])[0]
    out.say(f"{user} liked: {', '.join(model.items.ids[i] for i in model.liked[[row]].indices.tolist())}")
    found = recommender.recommend([user], k).to_dict("records")
    for one in found:
        one["label"] = recommender.label(one["item_id"])
        out.say(f"  {one['rank']:>2}. {one['score']:.3f}  {one['label']}  ({one['item_id']})")
    out.say()
    return list(found)


def _new_films(
    recommender: Recommender, new: Path, folder: Path, out: Console
) -> dict[str, list[dict[str, Any]]]:
    added = recommender.add_items(new)
    recommender.save(folder / "model")
    for line in added_lines(added):
        out.say(line)
    out.say("\nThe first new film ranks best for these three viewers, among films that they have not seen:")
    film = added.ids[0]
    everyone = recommender.recommend(recommender.model.users.tolist(), len(recommender.model.items))
    audience = (
        everyone[everyone["item_id"] == film].sort_values(["rank", "user_id"]).head(3).to_dict("records")
    )
    for one in audience:
        out.say(f"  {one['user_id']}: rank {one['rank']}, score {one['score']:.3f}")
    out.say(f"\n{recommender.explain(audience[0]['user_id'], film)}")
    return {film: audience}
