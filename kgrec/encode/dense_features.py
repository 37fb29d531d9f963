"""Dense vectors of items: text embeddings by a sentence-transformer, and vectors from columns of the source.

Enters: a KnowledgeGraph and a text encoder. Leaves: blocks of raw vectors by name. Nothing is written.
:mod:`kgrec.encode.whitening` makes each block comparable between known and new items.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from kgrec.encode.text import TextEncoder, TextProgress
from kgrec.errors import ConfigError
from kgrec.graph.knowledge_graph import KnowledgeGraph

#: name of the text block; the other blocks have the names of their predicates
TEXT = ""


def raw_blocks(
    graph: KnowledgeGraph,
    items: np.ndarray,
    encoder: TextEncoder | None,
    widths: Mapping[str, int] | None = None,
    progress: TextProgress | None = None,
) -> dict[str, np.ndarray]:
    """Raw vectors of items by block, zero where an item has none; each of shape (n, dim), float32.

    Args:
        graph: Holds the items.
        items: Their entity ids; shape (n,), int64.
        encoder: Turns texts into vectors; None: texts are ignored.
        widths: Block of a trained model -> its dim; None: all blocks of the graph.
        progress: Called with the number of encoded texts and the total.

    Raises:
        ConfigError: Vectors of one block differ in length, or their length differs from that in training.
    """
    blocks = {}
    for name in [TEXT, *_predicates(graph)] if widths is None else widths:
        if name == TEXT:
            blocks[name] = text_vectors(encoder, item_texts(graph, items), progress)
        else:
            blocks[name] = item_vectors(graph, items, name)
    if widths is None:
        return {name: block for name, block in blocks.items() if block.any()}
    return {name: as_wide(block, widths[name], name, len(items)) for name, block in blocks.items()}


def item_texts(graph: KnowledgeGraph, items: np.ndarray) -> list[str]:
    """Label and texts of each item, joined; "" for an item without label and text."""
    parts: dict[int, list[str]] = {int(item): [] for item in items}
    labels = graph.entities["label"].take(items).to_pylist()
    for item, label in zip(items.tolist(), labels, strict=True):
        if label:
            parts[item].append(label)
    for entity, text in zip(graph.text["id"].to_pylist(), graph.text["text"].to_pylist(), strict=True):
        if entity in parts:
            parts[entity].append(text)
    return [". ".join(parts[item]) for item in items.tolist()]


def item_vectors(graph: KnowledgeGraph, items: np.ndarray, predicate: str) -> np.ndarray:
    """The vector of each item for a predicate, zero where it has none; shape (n, dim), float32.

    An item with several vectors gets their mean.

    Raises:
        ConfigError: The vectors have different lengths.
    """
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    table = graph.vectors.filter(pc.equal(graph.vectors["predicate"], predicate)).combine_chunks()
    table = table.filter(np.asarray(row[table["id"].to_numpy()] >= 0))
    lengths = pc.unique(pc.list_value_length(table["vector"])).to_pylist()
    if len(lengths) > 1:
        raise ConfigError(
            f"The vectors of '{predicate}' have {' and '.join(f'{n:,}' for n in sorted(lengths)[:2])} numbers.",
            "Give all of them the same length, or ignore the column in the mapping.",
        )
    sums = np.zeros((len(items), lengths[0] if lengths else 0), np.float32)
    owner = row[table["id"].to_numpy()]
    values = pc.list_flatten(table["vector"].combine_chunks()).to_numpy(zero_copy_only=False)
    # np.add.at, because `sums[owner] += ...` would keep only the last of an item's vectors.
    np.add.at(sums, owner, values.reshape(len(owner), sums.shape[1]))
    counts = np.maximum(np.bincount(owner, minlength=len(items)), 1).astype(np.float32)
    return sums / counts[:, None]


def text_vectors(
    encoder: TextEncoder | None, texts: list[str], progress: TextProgress | None = None
) -> np.ndarray:
    """Raw vectors, zero for an empty text; shape (len(texts), dim), float32; dim 0 without an encoder."""
    present = [row for row, text in enumerate(texts) if text]
    if encoder is None or not present:
        return np.zeros((len(texts), 0), np.float32)
    encoded = encoder.encode([texts[row] for row in present], progress)
    vectors = np.zeros((len(texts), encoded.shape[1]), np.float32)
    vectors[present] = encoded
    return vectors


def _predicates(graph: KnowledgeGraph) -> list[str]:
    return sorted(set(graph.vectors["predicate"].to_pylist()))


def as_wide(block: np.ndarray, width: int, name: str, n: int) -> np.ndarray:
    """The `n` vectors of a block, checked against the width in training; zeros where no item has a vector.

    Raises:
        ConfigError: The width differs from that in training.
    """
    if not block.any():
        return np.zeros((n, width), np.float32)
    if block.shape[1] != width:
        source = "The text encoder gives" if name == TEXT else f"'{name}' has"
        raise ConfigError(
            f"{source} vectors of {block.shape[1]:,} numbers; the model was trained with {width:,}.",
            "Use the text encoder that the model was trained with."
            if name == TEXT
            else "Give vectors of the same kind as in training.",
        )
    return block
