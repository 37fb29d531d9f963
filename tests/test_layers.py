"""Where libraries are imported, and when; which folder may import which is the contract in pyproject.toml."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kgrec"

#: library -> the only folders and modules that import it
LIBRARIES = {
    "torch": {
        "encode",
        "train",
        "evaluate.baselines",
        "model.item_updates",
        "graph.views",
        "cli",
    },
    "torch_geometric": {"encode.sparse", "evaluate.baselines.kgat", "graph"},
    "sentence_transformers": {"encode.text"},
    "transformers": {"encode.text"},
    "faiss": {"retrieve"},
    "rdflib": {"graph"},
    "pyoxigraph": {"graph.export", "ingest.rdf_parser", "ingest.rdf_terms", "serve.sparql"},
    "fastapi": {"serve.http"},
    "uvicorn": {"serve.http.server"},
    "prometheus_client": {"serve.http.metrics"},
    "networkx": {"graph"},
    "pyshacl": {"graph.validate"},
    "anywidget": {"notebook.widget"},
    "traitlets": {"notebook.widget"},
    "implicit": {"evaluate.baselines.factors"},
    "jinja2": {"evaluate.report.page"},
    "matplotlib": {"evaluate.report.plots"},
    "lightgbm": {"rank.boosted"},
    "threadpoolctl": {"evaluate.baselines.factors"},
    "safetensors": {"storage.files", "model.storage", "train.checkpoint"},
    "sqlalchemy": {"serve.store"},
    "ray": {"parallel.ray_actors"},
    "typer": {"cli"},
    "rich": {"cli.status"},
}
#: imported where they are used, never when a module is loaded
LAZY = {
    "faiss",
    "implicit",
    "jinja2",
    "lightgbm",
    "matplotlib",
    "networkx",
    "pyshacl",
    "ray",
    "rdflib",
    "rich",
    "safetensors",
    "sentence_transformers",
    "threadpoolctl",
    "transformers",
}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


@cache
def imports(name: str) -> tuple[tuple[str, bool], ...]:
    """Top-level packages that a module imports, and whether it does so when it is loaded."""
    return tuple(_imports(ast.parse(MODULES[name].read_text(encoding="utf-8"))))


def _imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    later = {
        id(node)
        for part in ast.walk(tree)
        if isinstance(part, ast.FunctionDef)
        or (isinstance(part, ast.If) and "TYPE_CHECKING" in ast.dump(part.test))
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], id(node) not in later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, "imports are absolute"
            yield node.module.partition(".")[0], id(node) not in later


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_stays_where_it_is_used(library: str):
    users = {name for name in MODULES if library in {imported for imported, _ in imports(name)}}
    homes = {home for home in LIBRARIES[library] if any(f"{name}.".startswith(f"{home}.") for name in users)}
    assert homes == LIBRARIES[library], "a module or folder of the list does not import it any more"
    strangers = {
        name for name in users if not any(f"{name}.".startswith(f"{h}.") for h in LIBRARIES[library])
    }
    assert not strangers


@pytest.mark.parametrize("library", sorted(LAZY))
def test_a_heavy_library_is_imported_when_it_is_used(library: str):
    assert {name for name in MODULES if (library, True) in imports(name)} == set()


def test_the_top_of_the_package_is_short():
    files = {path.name for path in PACKAGE.glob("*.py")}
    assert files == {"__init__.py", "__main__.py", "_version.py", "config.py", "errors.py"}


def test_kg_data_does_not_need_kgrec():
    for path in PACKAGE.with_name("kg_data").glob("*.py"):
        assert "kgrec." not in path.read_text(encoding="utf-8").replace("kgrec.yaml", "")
