"""Imports point one way: a module may import from the layers before its own, and from its own part."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kgrec"

#: a module may import what stands before it
LAYERS = [
    "_version",
    "errors",
    "atomic",
    "artifacts",
    "_yaml",
    "roles",
    "prefixes",
    "mapping",
    "ingest.cells",
    "ingest.sources",
    "ingest.batches",
    "ingest.jsonl",
    "ingest.tables",
    "ingest.report",
    "ingest.statements",
    "ingest.rows",
    "ingest.log",
    "ingest.terms",
    "ingest.blank",
    "ingest.triples",
    "ingest.rdf",
    "ingest.read",
    "ingest.shared",
    "ingest.identities",
    "ingest.unique",
    "ingest.assemble",
    "ingest.draft.looks",
    "ingest.draft.lines",
    "ingest.draft.sniff",
    "ingest.draft.sample",
    "ingest.draft.files",
    "ingest.draft.rdf",
    "ingest.draft.columns",
    "ingest.draft.knowledge",
    "ingest.draft",
    "ingest.foreign.place",
    "ingest.foreign.plain",
    "ingest.foreign.job",
    "ingest.foreign.movielens",
    "ingest.foreign.recbole",
    "ingest.foreign.kgat",
    "ingest.foreign.kgcn",
    "ingest.foreign.triples",
    "ingest.foreign",
    "ingest",
    "vocabulary",
    "interactions",
    "graph",
    "where",
    "conditions",
    "rdf",
    "views",
    "summary",
    "parts",
    "validate",
    "addition",
    "export",
    "text.config",
    "text.cache",
    "text.batches",
    "text.static",
    "text.models",
    "text.encoder",
    "text",
    "index.config",
    "index.exact",
    "index.approximate",
    "index.recall",
    "index.search",
    "index",
    "rescore",
    "settings",
    "evaluate",
    "evaluate.accuracy",
    "evaluate.ranking",
    "evaluate.beyond",
    "evaluate.folds",
    "evaluate.protocols",
    "evaluate.significance",
    "evaluate.evaluation",
    "evaluate.world",
    "evaluate.measure",
    "evaluate.comparison",
    "dense",
    "links",
    "words",
    "features",
    "encoder",
    "slim",
    "newcomers",
    "optimizer",
    "train",
    "blend",
    "evening",
    "checkpoint",
    "search",
    "baselines",
    "baselines.data",
    "baselines.contract",
    "baselines.scorers",
    "baselines.popularity",
    "baselines.similarity",
    "baselines.item_knn",
    "baselines.user_knn",
    "baselines.rp3",
    "baselines.ease",
    "baselines.svd",
    "baselines.content",
    "baselines.hybrid",
    "baselines.factors",
    "baselines.pairs",
    "baselines.lightgcn",
    "baselines.kgat",
    "baselines.catalogue",
    "baselines.tune",
    "model",
    "stored",
    "ablate",
    "fit",
    "reach",
    "cold",
    "lookup",
    "taste",
    "freetext",
    "results",
    "query",
    "recommend",
    "explain",
    "contest",
    "contest.question",
    "contest.systems",
    "contest.run",
    "contest.results",
    "report",
    "report.numbers",
    "report.record",
    "report.words",
    "report.plots",
    "report.tables",
    "report.page",
    "cli.console",
    "cli.files",
    "cli.histories",
    "cli.build",
    "cli.imports",
    "cli.log",
    "cli.train",
    "cli.results",
    "cli.questions",
    "cli.runs",
    "cli.query",
    "cli.embed",
    "cli.cold",
    "cli.export",
    "cli.split",
    "cli.evaluate",
    "cli.doctor",
    "cli.demo",
    "cli",
    "__main__",
]

#: (module, what it imports from below) -> why
EXCEPTIONS = {
    ("graph", "views"): "methods of KnowledgeGraph, in a module of their own for their length",
    ("graph", "summary"): "a method of KnowledgeGraph, in a module of its own for its length",
    ("graph", "parts"): "methods of KnowledgeGraph, in a module of their own for their length",
    ("graph", "validate"): "a method of KnowledgeGraph, in a module of its own for its length",
    ("graph", "export"): "a method of KnowledgeGraph, in a module of its own for its length",
    ("graph", "addition"): "a method of KnowledgeGraph, in a module of its own for its length",
    ("recommend", "explain"): "a method of Recommender, in a module of its own for its length",
}

#: library -> the only modules that import it
LIBRARIES = {
    "torch": {
        "encoder",
        "optimizer",
        "train",
        "evening",
        "checkpoint",
        "search",
        "fit",
        "cold",
        "cli.log",
        "cli.doctor",
        "text.static",
        "baselines.pairs",
        "baselines.lightgcn",
        "baselines.kgat",
        "views",
    },  # views: PyG's form of the graph
    "torch_geometric": {"baselines.kgat", "encoder", "graph", "views"},  # graph: the type that a method gives
    "sentence_transformers": {"text.batches", "text.static", "text.models", "text.encoder"},
    "transformers": {"text.batches", "text.models"},
    "faiss": {"index.exact", "index.approximate", "index.search"},
    "rdflib": {"views", "validate", "graph"},  # graph: the type that a method gives
    "pyoxigraph": {"export", "ingest.triples", "ingest.terms"},
    "networkx": {"views", "export", "graph"},  # graph: the type that a method gives
    "pyshacl": {"validate"},
    "implicit": {"baselines.factors"},
    "jinja2": {"report.page"},
    "matplotlib": {"report.plots"},
    "threadpoolctl": {"baselines.factors"},
    "safetensors": {"artifacts", "checkpoint", "rescore", "stored"},
    "typer": {m for m in LAYERS if m.startswith("cli")},
    "rich": {"cli.console"},
}
#: imported where they are used, never when a module is loaded
LAZY = {
    "pyshacl",
    "implicit",
    "jinja2",
    "matplotlib",
    "threadpoolctl",
    "sentence_transformers",
    "transformers",
    "faiss",
    "rdflib",
    "networkx",
    "rich",
    "safetensors",
}

NAMES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


@cache
def imports(name: str) -> tuple[tuple[str, bool], ...]:
    return tuple(_imports(name))


def _imports(name: str) -> Iterator[tuple[str, bool]]:
    """Every module that `name` imports, in functions and under TYPE_CHECKING too; and whether on loading."""
    tree = ast.parse(NAMES[name].read_text(encoding="utf-8"))
    later = {
        id(node)
        for part in ast.walk(tree)
        if isinstance(part, ast.FunctionDef)
        or (isinstance(part, ast.If) and "TYPE_CHECKING" in ast.dump(part.test))
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            assert node.module is not None
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [b if b.removeprefix("kgrec.") in NAMES else node.module for b in below]
        else:
            continue
        yield from ((module, id(node) not in later) for module in found)


def of_ours(name: str) -> set[str]:
    found = {module.removeprefix("kgrec.") for module, _ in imports(name) if module.startswith("kgrec.")}
    assert not any(module == "kgrec" for module, _ in imports(name)), f"{name} imports kgrec itself"
    return found - {name}


def test_every_module_has_its_place():
    assert sorted(NAMES) == sorted(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_imports_point_one_way(name: str):
    allowed = set(LAYERS[: LAYERS.index(name)]) | {b for a, b in EXCEPTIONS if a == name}
    assert of_ours(name) <= allowed, sorted(of_ours(name) - allowed)


def test_exceptions_are_needed():
    for name, imported in EXCEPTIONS:
        assert imported in of_ours(name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_stays_where_it_is_used(library: str):
    users = {name for name in NAMES if library in {module.partition(".")[0] for module, _ in imports(name)}}
    assert users == LIBRARIES[library] & users and users, sorted(users - LIBRARIES[library])
    if library in LAZY:
        eager = {
            name for name in users if (library, True) in {(m.partition(".")[0], e) for m, e in imports(name)}
        }
        assert not eager


def test_kg_data_does_not_need_kgrec():
    for path in PACKAGE.with_name("kg_data").glob("*.py"):
        assert "kgrec." not in path.read_text(encoding="utf-8").replace("kgrec.yaml", "")
