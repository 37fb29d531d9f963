"""`kgrec demo`: the bundled catalogue, end to end."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Console, Json, Quiet, console
from kgrec.cli.items import lines
from kgrec.cli.train import fitted

if TYPE_CHECKING:
    from kgrec.config import Config
    from kgrec.recommend.recommender import Recommender


def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep graph/ and model/ in this folder.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items a list.", min=1)] = 10,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run everything on the bundled film catalogue: build, train, recommend, explain, add a new film.

    Example: `kgrec demo --keep demo/`
    """
    from kgrec.config import Config
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    if keep is not None:
        check_output(keep / "graph", "graph")
        check_output(keep / "model", "model")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        record = tour(keep or Path(temporary), k, Config.read(settings=["train.threads=1"]), out)
    out.say(f"\nAll of this took {time.perf_counter() - started:.0f} seconds.")
    if keep is not None:
        out.say(f"Ask more: kgrec recommend {keep / 'model'} --user viewer-001")
    out.result(record)


def tour(folder: Path, k: int, config: Config, out: Console) -> dict[str, Any]:
    """All steps, graph/ and model/ in `folder`; gives what `--json` prints."""
    import kg_data
    from kgrec.graph.build import build_graph

    source = kg_data.movies()
    out.say(f"1. The graph, from {source}")
    out.say("   (real films, described by hand; the viewers are simulated)\n")
    with out.bars() as bars:
        advance = bars.step("reading")
        graph = build_graph(source / "kgrec.yaml", progress=lambda _, done, total: advance(done, total))
    graph.save(folder / "graph")
    out.say(str(graph.report))
    out.say("\n2. The model\n")
    recommender = fitted(graph, config, out)
    recommender.save(folder / "model")
    out.say("\n3. Recommendations for three simulated viewers\n")
    users = _three(recommender)
    lists = {user: _shown(recommender, user, k, out) for user in users}
    out.say("4. Why?\n")
    explanation = recommender.explain(users[0], lists[users[0]][0]["item_id"])
    out.say(f"{explanation}\n")
    out.say("5. Films that training never saw\n")
    audience = _new_films(recommender, source / "new", folder, out)
    return {"lists": lists, "explanation": explanation.to_dict(), "new": audience}


def _three(recommender: Recommender) -> list[str]:
    """Three viewers with histories of a length that fits on a screen."""
    import numpy as np

    lengths = np.diff(recommender.model.histories.indptr)
    fitting = np.flatnonzero((lengths >= 6) & (lengths <= 9))
    return [recommender.model.users[row] for row in fitting[:3].tolist()]


def _shown(recommender: Recommender, user: str, k: int, out: Console) -> list[dict[str, Any]]:
    model = recommender.model
    row = model.users.ids([user])[0]
    out.say(f"{user} liked: {', '.join(model.items.ids[i] for i in model.histories[[row]].indices.tolist())}")
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
    for line in lines(added):
        out.say(line)
    out.say("\nWho gets the first of them (its rank among the films that the viewer has not seen):")
    film = added.ids[0]
    everyone = recommender.recommend(recommender.model.users.tolist(), len(recommender.model.items))
    audience = (
        everyone[everyone["item_id"] == film].sort_values(["rank", "user_id"]).head(3).to_dict("records")
    )
    for one in audience:
        out.say(f"  {one['user_id']}: rank {one['rank']}, score {one['score']:.3f}")
    out.say(f"\n{recommender.explain(audience[0]['user_id'], film)}")
    return {film: audience}
