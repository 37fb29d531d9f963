"""`kgrec explain`: why an item has its score, what keeps it in a list, and which parts of the data drive a model's scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgrec.cli.ask import Boost, Dislike, Like, item_ids
from kgrec.cli.boosts import ItemBoostFile, WhereBoost, list_options
from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.list_wishes import (
    AtLeast,
    AtMost,
    CalibrateBy,
    CalibrationOption,
    DiversityMethodOption,
    DiversityOption,
    ExposureBy,
    ExposureOption,
    ExposureTargetOption,
    NoveltyOption,
    wishes,
)
from kgrec.cli.options import ListLength, ModelFolder
from kgrec.errors import ConfigError


def explain(
    model: ModelFolder,
    item: Annotated[
        str | None, typer.Option("--item", "-i", help="The item to explain, by id or label.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="A user of the model.")] = None,
    like: Like = None,
    dislike: Dislike = None,
    new_item_boost: Boost = 0.0,
    item_boost: ItemBoostFile = None,
    where_boost: WhereBoost = None,
    k: ListLength = 10,
    diversity: DiversityOption = 0.0,
    diversity_method: DiversityMethodOption = "mmr",
    calibration: CalibrationOption = 0.0,
    calibrate_by: CalibrateBy = None,
    novelty: NoveltyOption = 0.0,
    exposure: ExposureOption = 0.0,
    exposure_by: ExposureBy = None,
    exposure_target: ExposureTargetOption = "equal",
    at_most: AtMost = None,
    at_least: AtLeast = None,
    counterfactual: Annotated[
        bool,
        typer.Option(
            "--counterfactual",
            help="Also find the smallest set of history items whose removal drops the item from the list of -k, verified by ranking again.",
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="HTML page to write, with the explanation as one picture.")
    ] = None,
    of_model: Annotated[
        bool,
        typer.Option(
            "--global",
            help="Explain no single score, but which relations, columns and words drive the scores in lists of -k, by segment.",
        ),
    ] = False,
    sample: Annotated[
        int, typer.Option("--sample", help="With --global: number of users whose lists are analysed.", min=1)
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", help="With --global: seed of the sample.", min=0)] = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every part separately, however small, instead of groups.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explain the score of an item for a user: one sentence, parts that sum to it, and paths in the graph.

    Example: `kgrec explain model/ --user viewer-001 --item the-matrix-1999`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.request import Request
    from kgrec.serve.result_files import check_result, whole_file

    out = console(as_json, quiet)
    if of_model:
        if item or user or like or dislike or html or counterfactual:
            raise ConfigError(
                "--global does not explain a single score.", "Combine it only with -k, --sample and --seed."
            )
        whole = Recommender.load(model).explain_global(k=k, sample=sample, seed=seed)
        out.result(whole.to_dict(), str(whole))
        return
    if item is None:
        raise ConfigError(
            "It is not clear which score to explain.", "Give --item, or --global for the whole model."
        )
    if html is not None:
        check_result(html, (".html",))
    if (user is None) == (not like) or (user and dislike):
        raise ConfigError(
            "It is not clear for whom to explain the score.",
            "Give --user, or --like once or more; --dislike is optional.",
        )
    request = Request(
        k,
        new_item_boost=new_item_boost,
        **list_options(item_boost, where_boost),
        **wishes(
            *(diversity, diversity_method, calibration, calibrate_by, novelty),
            *(exposure, exposure_by, exposure_target, at_most, at_least),
        ),
    )
    recommender = Recommender.load(model)
    item = item_ids(recommender, [item], out)[0]
    if user:
        explanation = recommender.explain(user, item, counterfactual=counterfactual, request=request)
    else:
        liked, disliked = (item_ids(recommender, names or [], out) for names in (like, dislike))
        explanation = recommender.explain_history(
            liked, item, dislikes=disliked, counterfactual=counterfactual, request=request
        )
    if html is not None:
        with whole_file(html) as temporary:
            temporary.write_text(explanation.to_html(), encoding="utf-8")
        out.say(f"Wrote {html}.")
    out.result(explanation.to_dict(), explanation.text(1.0) if everything else str(explanation))
