"""`kgrec split`: what is learned from and what is asked for, as files; and the options that say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console, counted

if TYPE_CHECKING:
    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.splits import Protocol

SplitKind = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="What is held back: random, last (of each user), time (a cut), folds (cross-validation), cold-items, cold-users.",
    ),
]
Share = Annotated[float | None, typer.Option("--share", help="How much is held back, 0 to 1.")]
Last = Annotated[int | None, typer.Option("--last", help="Positives of each user that `last` holds back.")]
Folds = Annotated[int | None, typer.Option("--folds", help="Parts of a cross-validation.")]
ValidShare = Annotated[
    float | None, typer.Option("--valid-share", help="How much of the rest baselines are tuned by.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of all that is drawn.")]


def split(
    graph: Annotated[Path, typer.Argument(help="A graph folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")] = Path("split"),
    protocol: SplitKind = "random",
    share: Share = None,
    last: Last = None,
    folds: Folds = None,
    valid_share: ValidShare = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Divide the interactions into what is learned from and what is asked for, as files.

    Another system trains on these, and its lists are then measured by `kgrec evaluate --split`.

    Example: `kgrec split graph/ --protocol time -o split/`
    """
    from kgrec.evaluate.splits import save_folds, split_graph
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    check_output(output, "split")
    loaded = KnowledgeGraph.load(graph)
    chosen = protocol_of(protocol, share, last, folds, valid_share, seed)
    found = split_graph(loaded, chosen)
    save_folds(found, output, chosen)
    for fold in found:
        out.say(f"{output / str(fold.number)}: {counts(fold)}")
    out.result({"split": str(output), "folds": [sizes(fold) for fold in found]})


def protocol_of(
    kind: str,
    share: float | None,
    last: int | None,
    folds: int | None,
    valid_share: float | None,
    seed: int,
) -> Protocol:
    """The protocol that the options say; None stands for its default.

    Raises:
        ConfigError: There is no such protocol, or a value is out of range.
    """
    from pydantic import ValidationError

    from kgrec.errors import ConfigError
    from kgrec.evaluate.splits import Protocol

    options: dict[str, Any] = {"share": share, "last": last, "folds": folds, "valid_share": valid_share}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Protocol(kind=kind, seed=seed, **given)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--protocol" if first["loc"][0] == "kind" else f"--{first['loc'][0]}".replace("_", "-")
        raise ConfigError(
            f"{option} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}.",
            "See kgrec evaluate --help.",
        ) from None


def sizes(fold: Fold) -> dict[str, int]:
    """Interactions of each part, and items that are hidden."""
    parts = {"train": fold.train, "valid": fold.valid, "history": fold.history, "test": fold.test}
    return {name: len(part) for name, part in parts.items()} | {"hidden": len(fold.hidden)}


def counts(fold: Fold) -> str:
    """The same in words, with the number of users who are asked about."""
    nouns = {
        "train": "to learn from",
        "valid": "to tune by",
        "history": "told with the question",
        "test": "asked for",
    }
    size = sizes(fold)
    said = ", ".join(f"{size[name]:,} {noun}" for name, noun in nouns.items() if size[name])
    hidden = f"; {counted(size['hidden'], 'item')} hidden" if size["hidden"] else ""
    return f"interactions: {said}, of {counted(len(fold.test.users), 'user')}{hidden}"
