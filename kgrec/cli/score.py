"""`kgrec score`: score given pairs of a user and an item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgrec.cli.ask import Boost, SkipUnknown
from kgrec.cli.boosts import ItemBoostFile, WhereBoost, list_options
from kgrec.cli.console import Json, LogLines, Quiet, Verbose, console
from kgrec.cli.options import ModelFolder


def score(
    model: ModelFolder,
    pairs: Annotated[
        Path, typer.Argument(help="Table of pairs, with columns user_id and item_id, or the mapping's.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .parquet, .csv or .jsonl.")
    ] = Path("scores.parquet"),
    new_item_boost: Boost = 0.0,
    item_boost: ItemBoostFile = None,
    where_boost: WhereBoost = None,
    skip_unknown: SkipUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Score given pairs of a user and an item; each score equals the one in the user's list.

    Example: `kgrec score model/ pairs.parquet -o scores.parquet`
    """
    from kgrec.recommend.request import Request
    from kgrec.serve.pair_scores import write_scores

    out = console(as_json, quiet, verbose, log_format)
    request = Request(
        new_item_boost=new_item_boost,
        on_unknown="skip" if skip_unknown else "raise",
        **list_options(item_boost, where_boost),
    )
    with out.watcher() as watcher:
        summary = write_scores(model, output, pairs, request=request, watcher=watcher)
    for noun, ids in summary.skipped.items():
        out.say(
            f"Skipped unknown {noun} ({len(ids):,}): {', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''}"
        )
    out.say(f"Wrote the scores of {summary.rows:,} of {summary.pairs:,} pairs to {output}.")
    record = {"output": str(output), "pairs": summary.pairs, "rows": summary.rows}
    out.result({**record, "seconds": round(summary.seconds, 3), "skipped": summary.skipped})
