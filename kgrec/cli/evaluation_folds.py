"""The folds that `kgrec evaluate` measures on: from a protocol, a folder, or files.

Enters: a graph, and options of the command. Leaves: folds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.evaluate.folds import Fold
    from kgrec.evaluate.splits import Protocol
    from kgrec.graph.knowledge_graph import KnowledgeGraph

#: share of the training interactions that a run with --test keeps for tuning
_VALID_SHARE_OF_FILES = 0.1


def folds_of(
    graph: KnowledgeGraph,
    protocol: Protocol | None,
    train: Path | None,
    valid: Path | None,
    test: Sequence[Path],
    new: Path | None,
    split: Path | None,
    valid_share: float | None,
    seed: int,
) -> list[Fold]:
    """The folds of a protocol, a folder, or files."""
    from kgrec.errors import ConfigError
    from kgrec.evaluate.splits import load_folds, split_graph

    if split is not None and test:
        raise ConfigError("--split and --test cannot be combined.", "Give one of them.")
    if (train or valid or new) and not test:
        raise ConfigError("--train, --valid and --new need --test.", "Also give --test.")
    if split is not None:
        return load_folds(graph, split)
    if protocol is not None:
        return split_graph(graph, protocol)
    share = _VALID_SHARE_OF_FILES if valid_share is None else valid_share
    return [_fold_of_files(graph, train, valid, test, new, share, seed)]


def _fold_of_files(
    graph: KnowledgeGraph,
    train: Path | None,
    valid: Path | None,
    test: Sequence[Path],
    new: Path | None,
    valid_share: float,
    seed: int,
) -> Fold:
    import pyarrow as pa

    from kgrec.evaluate.splits import given_split
    from kgrec.graph.build import read_addition
    from kgrec.graph.interactions import Interactions
    from kgrec.serve.input_files import read_interactions

    whole, hidden = graph, list[str]()
    if new is not None:
        whole, _ = graph.extended(read_addition(graph.mapping, new, known=graph))
        names = whole.item_ids.labels
        hidden = names.filter(pa.array(graph.item_ids.ids(names) < 0)).to_pylist()
    tables = [read_interactions(path, whole).to_arrow() for path in test]
    together = pa.concat_tables(tables, promote_options="default").unify_dictionaries().combine_chunks()
    return given_split(
        whole,
        whole.interactions if train is None else read_interactions(train, whole),
        Interactions.from_arrow(together, whole.item_ids),
        None if valid is None else read_interactions(valid, whole),
        hidden=hidden,
        valid_share=valid_share,
        seed=seed,
    )
