"""The public names."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import kg_data
import kgrec

HEAVY = {"faiss", "networkx", "numpy", "pandas", "polars", "pyarrow", "pyoxigraph", "rdflib", "scipy", "yaml"}
HEAVY |= {"sentence_transformers", "torch", "torch_geometric", "transformers"}


@pytest.mark.parametrize("package", [kgrec, kg_data], ids=lambda package: package.__name__)
def test_all_is_sorted_and_true(package: ModuleType):
    assert package.__all__ == sorted(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert hasattr(package, name), name


def test_every_public_name_is_documented():
    for package in (kgrec, kg_data):
        assert inspect.getdoc(package)
        for name in set(package.__all__) - {"__version__"}:
            value = getattr(package, name)
            doc = inspect.getdoc(value) or ""
            # pydantic and dataclasses make a docstring of their own where there is none
            assert doc and not doc.startswith((f"{name}(", "!!!")), name
            for member, part in vars(value).items() if inspect.isclass(value) else ():
                public = inspect.isfunction(part) or isinstance(part, classmethod | property)
                if public and not member.startswith("_"):
                    assert inspect.getdoc(part), f"{name}.{member}"


def test_dir_lists_the_public_names():
    assert dir(kgrec) == kgrec.__all__


def test_the_stub_is_the_list_of_names():
    stub = ast.parse(Path(kgrec.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    names = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == kgrec.__all__


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="No kgrec attribute Recomender"):
        _ = kgrec.Recomender  # type: ignore[attr-defined]


def loaded_by(code: str) -> set[str]:
    """Which heavy modules a fresh interpreter has after `code`."""
    ask = f"import sys; print('loaded', *({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("code", ["import kgrec", "import kg_data", "import kgrec; kgrec.KgrecError"])
def test_importing_is_light(code: str):
    assert loaded_by(code) == set()


def test_evaluating_needs_no_torch():
    assert not loaded_by("import kgrec; kgrec.split_graph, kgrec.evaluate_lists, kgrec.compare") & {
        "torch",
        "faiss",
    }


@pytest.mark.parametrize("words", [["--help"], ["recommend", "--help"], ["--version"], ["similar"]])
def test_the_command_line_starts_light(words: list[str]):
    code = (
        f"import sys; sys.argv = ['kgrec', *{words!r}]\n"
        "from kgrec.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert loaded_by(code) == set()


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "kgrec", "--version"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"kgrec {kgrec.__version__}\n", "")
