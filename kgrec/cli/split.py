"""`kgrec split`: split a graph's interactions into training and test files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kgrec.cli import project
from kgrec.cli.console import Json, Quiet, console, counted
from kgrec.cli.options import (
    FoldCount,
    GraphFolder,
    HeldOutShare,
    LastPositives,
    SplitProtocol,
    SplitSeed,
    ValidationShare,
    output_folder,
)

if TYPE_CHECKING:
    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.splits import Protocol


def split(
    graph: GraphFolder,
    output: Annotated[Path | None, output_folder("Folder", "split")] = None,
    protocol: SplitProtocol = "random",
    share: HeldOutShare = None,
    last: LastPositives = None,
    folds: FoldCount = None,
    valid_share: ValidationShare = None,
    seed: SplitSeed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Split the interactions of a graph into training and test files.

    Train another system on these files, and measure its lists with `kgrec evaluate --split`.

    Example: `kgrec split graph/ --protocol time -o split/`
    """
    from kgrec.evaluate.splits import save_folds, split_graph
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    output = output or project.beside(graph, "split")
    check_output(output, "split")
    loaded = KnowledgeGraph.load(graph)
    chosen = protocol_of(protocol, share, last, folds, valid_share, seed)
    written = split_graph(loaded, chosen)
    save_folds(written, output, chosen)
    for fold in written:
        out.say(f"{output / str(fold.number)}: {description(fold)}")
    out.result({"split": str(output), "folds": [sizes(fold) for fold in written]})


def protocol_of(
    kind: str,
    share: float | None,
    last: int | None,
    folds: int | None,
    valid_share: float | None,
    seed: int,
) -> Protocol:
    """The protocol that the options describe; None means the default.

    Raises:
        ConfigError: The protocol is unknown, or a value is out of range.
    """
    from pydantic import ValidationError

    from kgrec.errors import ConfigError
    from kgrec.evaluate.splits import Protocol

    options: dict[str, Any] = {"share": share, "last": last, "folds": folds, "valid_share": valid_share}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Protocol.model_validate({"kind": kind, "seed": seed, **given})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--protocol" if first["loc"][0] == "kind" else f"--{first['loc'][0]}".replace("_", "-")
        raise ConfigError(
            f"{option} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}.",
            "See kgrec evaluate --help.",
        ) from None


def sizes(fold: Fold) -> dict[str, int]:
    """Number of interactions in each part, and number of hidden items."""
    parts = {"train": fold.train, "valid": fold.valid, "history": fold.history, "test": fold.test}
    return {name: len(part) for name, part in parts.items()} | {"hidden": len(fold.hidden)}


def description(fold: Fold) -> str:
    """The sizes of a fold in words, with the number of test users."""
    purposes = {
        "train": "for training",
        "valid": "for tuning",
        "history": "as histories of new users",
        "test": "for testing",
    }
    size = sizes(fold)
    parts = ", ".join(f"{size[name]:,} {purpose}" for name, purpose in purposes.items() if size[name])
    hidden = f"; {counted(size['hidden'], 'item')} hidden" if size["hidden"] else ""
    return f"interactions: {parts}, of {counted(len(fold.test.users), 'user')}{hidden}"
