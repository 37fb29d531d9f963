"""kgrec: recommendations from a catalogue and a log, through a knowledge graph.

A catalogue in CSV or RDF becomes a graph, the graph and the log become embeddings, a FAISS index
answers; a new item is recommendable as soon as its row is read.

Example:
    >>> import kg_data, kgrec
    >>> graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    >>> rec = kgrec.Recommender().fit(graph)  # doctest: +SKIP
    >>> rec.recommend(["viewer-001"], k=10)  # doctest: +SKIP

Importing this module imports nothing heavy: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from kgrec._version import __version__

if TYPE_CHECKING:
    from kgrec.errors import (
        ArtifactError,
        ConfigError,
        CorruptArtifact,
        EncoderNotFound,
        KgrecError,
        MappingError,
        SourceError,
        TooManyBadRows,
        TrainingError,
        UnknownId,
        VersionMismatch,
    )
    from kgrec.evaluate.comparison import compare
    from kgrec.evaluate.evaluation import Evaluation
    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.measure import evaluate_lists
    from kgrec.evaluate.protocols import Protocol, given_split, load_folds, save_folds, split_graph
    from kgrec.explain import Explanation
    from kgrec.graph import KnowledgeGraph, Vocabulary, build_graph
    from kgrec.index import IndexConfig
    from kgrec.interactions import Interactions
    from kgrec.mapping import Mapping, load_mapping
    from kgrec.recommend import Recommender
    from kgrec.rescore import RescoreConfig
    from kgrec.results import Added, Embeddings, Removed, Updated
    from kgrec.settings import Config, EncoderConfig, TrainConfig
    from kgrec.text import TextConfig

__all__ = [
    "Added",
    "ArtifactError",
    "Config",
    "ConfigError",
    "CorruptArtifact",
    "Embeddings",
    "EncoderConfig",
    "EncoderNotFound",
    "Evaluation",
    "Explanation",
    "Fold",
    "IndexConfig",
    "Interactions",
    "KgrecError",
    "KnowledgeGraph",
    "Mapping",
    "MappingError",
    "Protocol",
    "Recommender",
    "Removed",
    "RescoreConfig",
    "SourceError",
    "TextConfig",
    "TooManyBadRows",
    "TrainConfig",
    "TrainingError",
    "UnknownId",
    "Updated",
    "VersionMismatch",
    "Vocabulary",
    "__version__",
    "build_graph",
    "compare",
    "evaluate_lists",
    "given_split",
    "load_folds",
    "load_mapping",
    "save_folds",
    "split_graph",
]

_HOMES = {
    "errors": (
        "ArtifactError",
        "ConfigError",
        "CorruptArtifact",
        "EncoderNotFound",
        "KgrecError",
        "MappingError",
        "SourceError",
        "TooManyBadRows",
        "TrainingError",
        "UnknownId",
        "VersionMismatch",
    ),
    "evaluate.comparison": ("compare",),
    "evaluate.folds": ("Fold",),
    "evaluate.evaluation": ("Evaluation",),
    "evaluate.measure": ("evaluate_lists",),
    "evaluate.protocols": ("Protocol", "given_split", "load_folds", "save_folds", "split_graph"),
    "explain": ("Explanation",),
    "graph": ("KnowledgeGraph", "Vocabulary", "build_graph"),
    "index": ("IndexConfig",),
    "interactions": ("Interactions",),
    "mapping": ("Mapping", "load_mapping"),
    "recommend": ("Recommender",),
    "rescore": ("RescoreConfig",),
    "results": ("Added", "Embeddings", "Removed", "Updated"),
    "settings": ("Config", "EncoderConfig", "TrainConfig"),
    "text": ("TextConfig",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'kgrec' has no attribute {name!r}")
    return getattr(import_module(f"kgrec.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
