"""Commands with grouped, short help, whose options may also come from environment variables.

Enters: a function with typer's annotations. Leaves: a command; each of its options has a panel, a word for its value, and a variable.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

GENERAL = "General"
_EVERYWHERE = ("--json", "--quiet", "--verbose", "--log-format")
_EXECUTOR = ("--executor", "--workers", "--address", "--gpus-per-worker")
_LARGE_RUNS = ("--resume", "--shards", "--shard", "--batch", *_EXECUTOR)
_WHICH_ITEMS = ("--candidates", "--deny", "--where", "--min-score", "--skip-unknown")
_BOOSTS = ("--new-item-boost", "--item-boost", "--where-boost")
_WISHES = (
    *("--diversity", "--diversity-method", "--calibration", "--calibrate-by", "--novelty"),
    *("--exposure", "--exposure-by", "--exposure-target", "--at-most", "--at-least"),
)
_SPLIT = ("--protocol", "--share", "--last", "--folds", "--valid-share", "--seed")
#: command -> panel -> its options; all other options are in "Options"
PANELS: dict[str, dict[str, tuple[str, ...]]] = {
    "recommend": {
        "Recipients (give one of these)": (
            *("--user", "--all-users", "--users-file", "--history", "--known-users"),
            *("--text", "--like", "--dislike"),
        ),
        "Which items": (*_WHICH_ITEMS, "--user-candidates", "--user-deny", "--include-seen"),
        "Boosts": _BOOSTS,
        "Lists as a whole": _WISHES,
        "Lists": ("--k", "--output", "--format", "--with", "--show-history", "--explain"),
        "Large runs": _LARGE_RUNS,
    },
    "similar": {
        "Query (give one of these)": ("--item", "--all-items", "--user"),
        "Which items": _WHICH_ITEMS,
        "Boosts": _BOOSTS[1:],
        "Lists": ("--k", "--output", "--format", "--with"),
        "Large runs": _LARGE_RUNS,
    },
    "explain": {
        "Recipient": ("--user", "--like", "--dislike"),
        "Boosts": _BOOSTS,
        "Lists as a whole": (*_WISHES, "--k"),
        "The whole model": ("--global", "--sample", "--seed"),
    },
    "train": {
        "Configuration": ("--config", "--set", "--seed", "--ablate"),
        "Log": ("--log", "--tensorboard"),
        "Text encoding": _EXECUTOR,
    },
    "nightly": {
        "New data": ("--from-store", "--interactions", "--items"),
        "Full trainings": ("--graph", "--max-age", "--max-new", "--full", "--config", "--set"),
    },
    "split": {"Hold-out": _SPLIT},
    "serve": {
        "Where": ("--host", "--port", "--drain"),
        "Model and store": ("--store", "--releases", "--drift", "--warm-text", "--check"),
        "Keys": ("--keys", "--make-key", "--scopes"),
        "Limits": ("--queue", "--deadline"),
        "Records": ("--access-log", "--impressions"),
    },
    "evaluate": {
        "Hold-out": (*_SPLIT, "--split", "--test", "--train", "--valid", "--new"),
        "Systems": ("--baselines", "--budget", "--ablate", "--lists", "--config", "--set"),
        "Measures": ("--k", "--by", "--trade-offs"),
        "Workers": _EXECUTOR,
    },
    "simulate": {
        "Lists": ("--policy", "--k", "--config", "--set"),
        "World": ("--by", "--provider", "--viewers", "--rounds", "--seeds", "--seed", "--option"),
    },
}
#: option -> the word for its value in the help; the choices themselves if they are few
VALUES = {
    **dict.fromkeys(("--user",), "USER"),
    **dict.fromkeys(("--item", "--like", "--dislike"), "ITEM"),
    **dict.fromkeys(("--text",), "TEXT"),
    **dict.fromkeys(
        ("--users-file", "--items-file", "--history", "--candidates", "--deny", "--output", "--config"),
        "FILE",
    ),
    **dict.fromkeys(
        ("--log", "--shapes", "--mapping", "--train", "--valid", "--test", "--interactions"), "FILE"
    ),
    **dict.fromkeys(("--new", "--split", "--tensorboard", "--model"), "FOLDER"),
    **dict.fromkeys(
        ("--k", "--shards", "--shard", "--batch", "--workers", "--folds", "--last", "--seed"), "N"
    ),
    **dict.fromkeys(("--keep", "--most", "--sample", "--viewers", "--rounds", "--seeds"), "N"),
    "--html": "FILE",
    "--max-age": "DAYS",
    **dict.fromkeys(
        ("--min-score", "--new-item-boost", "--share", "--valid-share", "--replay", "--max-new"), "NUMBER"
    ),
    **dict.fromkeys(("--item-boost", "--user-candidates", "--user-deny"), "FILE"),
    "--where-boost": "CONDITION:NUMBER",
    **dict.fromkeys(("--diversity", "--calibration", "--novelty", "--exposure"), "NUMBER"),
    **dict.fromkeys(("--calibrate-by", "--exposure-by"), "TYPE"),
    "--diversity-method": "mmr|dpp",
    "--exposure-target": "TARGET",
    "--at-most": "TYPE=N",
    "--at-least": "CONDITION=N",
    "--budget": "SECONDS",
    "--where": "CONDITION",
    "--known-users": "merge|replace",
    "--executor": "local|processes|ray",
    "--address": "ADDRESS",
    **dict.fromkeys(("--gpus-per-worker", "--times"), "NUMBER"),
    "--log-format": "text|json",
    "--format": "FORMAT",
    "--protocol": "PROTOCOL",
    "--with": "FIELDS",
    "--set": "NAME=VALUE",
    "--lists": "NAME=FILE",
    "--ablate": "SOURCE",
    "--baselines": "NAMES",
    **dict.fromkeys(("--by", "--provider"), "TYPE"),
    "--policy": "NAME",
    "--option": "NAME=VALUE",
    "--type": "TYPE",
    "--node": "TYPE/KEY",
    **dict.fromkeys(("--encoder", "--name"), "NAME"),
    "--to": "VERSION",
    "--host": "ADDRESS",
    **dict.fromkeys(("--port", "--queue"), "N"),
    **dict.fromkeys(("--drain", "--deadline"), "SECONDS"),
    **dict.fromkeys(("--store", "--feedback", "--from-store"), "URL"),
    "--scenario": "NAME",
    "--click": "TYPE",
    "--keys": "FILE",
    "--make-key": "NAME",
    "--scopes": "SCOPES",
    **dict.fromkeys(("--releases", "--drift"), "FOLDER"),
}


class Command(TyperCommand):
    """A command of kgrec."""

    def __init__(self, name: str | None, **options: Any) -> None:
        super().__init__(name, **options)
        panels = [*PANELS.get(name or "", {}).items(), (GENERAL, _EVERYWHERE)]
        parameters: list[Any] = list(self.params)
        for argument in (one for one in parameters if one.param_type_name == "argument"):
            argument.display_type = lambda _: ""  # the argument's name already tells its type
        for option in (one for one in parameters if one.param_type_name == "option"):
            long = long_name(option)
            option.rich_help_panel = next((panel for panel, names in panels if long in names), None)
            option.metavar = "" if option.is_flag else option.metavar or VALUES.get(long, "VALUE")
            option.envvar, option.show_envvar = variables(name or "", long), False
        order = [None, *(panel for panel, _ in panels)]
        self.params.sort(key=lambda one: order.index(getattr(one, "rich_help_panel", None)))
        self.epilog = f"Options may also be set by environment variables: --NAME by {variables(name or '', '--NAME')[0]}."

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, in the panel of general options."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel, option.metavar, option.allow_from_autoenv = GENERAL, "", False
        return option


def long_name(option: Any) -> str:
    """The long form of an option, such as "--output"."""
    return next((name for name in option.opts if name.startswith("--")), str(option.opts[0]))


def variables(command: str, option: str) -> list[str]:
    """Environment variables that set an option; the first one applies to this command only."""
    word = option.removeprefix("--").replace("-", "_").upper()
    everywhere = [f"KGREC_{word}"] if option in _EVERYWHERE else []
    return [f"KGREC_{command.upper()}_{word}", *everywhere]
