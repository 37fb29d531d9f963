"""Runs the code in pages as a reader would, and compares what it prints with what the pages show.

`python tests/pages.py docs/tutorial.md docs/library.md` runs the pages and writes what they print now into them.

Blocks of `console` are commands after `$ `, each followed by its output; a block of `python` may be followed by a block of
`text` with its output. All blocks of a page run in one folder and share their names.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import kg_data
import kgrec
from kgrec.cli import app

ROOT = Path(__file__).parents[1]
#: names that the Python blocks of a page take from its prose
PRELUDES = {
    "docs/baselines.md": """
import kgrec
graph = kgrec.KnowledgeGraph.load("graph")
_fold = kgrec.split_graph(graph, kgrec.Protocol(valid_share=0.1))[0]
train, valid, test, names = _fold.train, _fold.valid, _fold.test, ["popularity", "rp3beta"]
""",
    "docs/cli.md": """
import re
from pathlib import Path
Path("shapes.ttl").write_text(re.search(r"```turtle\\n(.*?)```", page.read_text(), re.DOTALL)[1])
""",
    "docs/how-to/drift.md": """
import pandas
_log = pandas.read_csv("interactions.csv")
_recent = _log.tail(500).assign(movie_id=_log["movie_id"].sample(500, random_state=0).to_numpy())
_pairs = pandas.concat([_log, _recent]).duplicated(["user_id", "movie_id"]).tail(500)
_recent[~_pairs].to_parquet("recent.parquet")
""",
    "docs/how-to/evaluate.md": """
import kgrec
graph = kgrec.KnowledgeGraph.load("graph")
""",
}
#: beginnings of commands whose output stays as it is shown, since they read files that the page only describes
KEPT = {
    "docs/cli.md": ("kgrec init u.item", "kgrec train"),
    "docs/how-to/feedback-store.md": ("kgrec replay",),
}
#: lines of progress, which a terminal removes
_PROGRESS = re.compile(r"^(Training on .* Ahead: .*|trial \d+: .*|.* in \d+\.\d s)$")
FIGURE = re.compile(r"[-+]?\d*\.\d+(e-\d+)?|\bnan\b|\bNaN\b")
#: lines without figures that depend on the model: reasons, ranks, names of listed films, scorers without weight
_OF_A_MODEL = re.compile(r"^\s+(Because |without |rank \d+ )|\['[a-z0-9-]+-\d{4}'|ha(s|ve) weight 0: ")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHELL = re.compile(r"[|><;&()]")


def blocks(text: str, *languages: str) -> list[str]:
    """The blocks of some languages."""
    return [match[2] for match in _FENCE.finditer(text) if match[1] in languages]


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a `console` block with their output."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


@dataclass
class Reader:
    """Runs blocks in the working folder."""

    names: dict[str, Any] = field(default_factory=dict)

    def page(self, path: Path) -> str:
        """The page with what its blocks print now."""
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        self.names["page"] = path
        exec(PRELUDES.get(name, ""), self.names)
        kept = KEPT.get(name, ())
        parts, end, printed = [], 0, None
        for match in _FENCE.finditer(text):
            language, code = match[1], match[2]
            if language == "console":
                code = "".join(
                    f"$ {command}\n{shown if command.startswith(kept) else _cut(self.command(command), shown)}"
                    for command, shown in commands(code)
                )
            elif language == "python":
                printed = None if absent(code) else self.python(code)
            elif language == "text" and printed is not None and not text[end : match.start()].strip():
                code, printed = printed, None
            parts += [text[end : match.start()], f"```{language}\n{code}```"]
            end = match.end()
        return "".join([*parts, text[end:]])

    def python(self, code: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "page", "exec"), self.names)
        return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())

    def command(self, command: str) -> str:
        """What a command prints; `kgrec` without shell syntax runs in this process."""
        words = shlex.split(command)
        if words[0] == "kgrec" and not _SHELL.search(command):
            printed = CliRunner().invoke(app, words[1:]).output
        else:
            code = f'kgrec() {{ "{sys.executable}" -m kgrec "$@"; }}; {command}'
            done = subprocess.run(
                ["bash", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300
            )
            printed = done.stdout.decode()
        lines = [line.rstrip() for line in printed.splitlines()]
        return "".join(f"{line}\n" for line in lines if not _PROGRESS.match(line))


def differences(shown: str, printed: str) -> str:
    """How two versions of a page differ, apart from lines that depend on a model; empty if they do not.

    Scores and listed items differ between machines. Consecutive lines that contain them count as one line.
    """
    old, new = [_plain(text) for text in (shown, printed)]
    return "\n".join(difflib.unified_diff(old, new, "shown", "printed", lineterm="", n=1))


def absent(code: str) -> set[str]:
    """Modules that a block imports and that are not installed; such a block is for another library, and is not run."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {root for name in names if not importlib.util.find_spec(root := name.partition(".")[0])}


def _cut(printed: str, shown: str) -> str:
    """If the page leaves lines out with a line of three dots, what is printed without as many."""
    lines, short = printed.splitlines(keepends=True), shown.splitlines(keepends=True)
    dots = [n for n, line in enumerate(short) if line.strip() == "..."]
    if not dots:
        return printed
    (n,) = dots
    return "".join([*lines[:n], short[n], *lines[len(lines) - (len(short) - n - 1) :]])


def _plain(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        plain = "<figures>" if FIGURE.search(line) or _OF_A_MODEL.search(line) else " ".join(line.split())
        if plain != "<figures>" or lines[-1:] != [plain]:
            lines.append(plain)
    return lines


@contextlib.contextmanager
def catalogue(folder: Path) -> Iterator[Path]:
    """The bundled catalogue with a graph and a model, as the tutorial makes them; the working folder while it lasts."""
    shutil.copytree(kg_data.movies(), folder, dirs_exist_ok=True)
    shutil.copytree(kg_data.movies(), folder / "movies")
    with contextlib.chdir(folder):
        graph = kgrec.build_graph("kgrec.yaml")
        graph.save("graph")
        kgrec.Recommender(kgrec.Config.read(settings=["train.threads=1"])).fit(graph).save("model")
        yield folder


def main(names: list[str]) -> None:
    """Writes what the pages print into them."""
    pages = [Path(name).resolve() for name in names]
    with tempfile.TemporaryDirectory() as folder, catalogue(Path(folder) / "all"):
        for page in pages:
            work = Path(folder) / page.stem
            shutil.copytree(Path(folder) / "all", work)
            with contextlib.chdir(work):
                page.write_text(Reader().page(page), encoding="utf-8")
            print(os.path.relpath(page), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
