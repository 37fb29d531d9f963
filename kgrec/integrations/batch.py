"""Callable classes over Arrow batches: `map_batches` of Ray Data, `mapInArrow` of Spark, batch functions of Daft.

Enters: batches with ids, histories or texts. Leaves: batches with lists or vectors. Writes nothing.

An object holds names and options until its first batch; then it loads the model. It is pickled as those names and options, so an
engine may send it to its workers. Results do not depend on the division into batches, the last digit of scores apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.arguments import options
from kgrec.encode.text import PACKAGED, SentenceEncoder, TextConfig
from kgrec.errors import ConfigError, SourceError, did_you_mean
from kgrec.recommend.request import Request
from kgrec.serve.batch_run import OneThreadQueries, opened

#: columns of `Recommend`
USER, ITEMS = "user_id", "items"


class _OfBatches(ABC):
    """A function of batches that can be pickled."""

    @abstractmethod
    def __call__(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """The result for a batch."""

    def each(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The results for batches, one after the other, as `DataFrame.mapInArrow` of Spark wants them."""
        for batch in batches:
            yield from self(batch).combine_chunks().to_batches()

    def __getstate__(self) -> dict[str, Any]:
        """Names and options, without what was loaded by them."""
        return {name: value for name, value in vars(self).items() if name not in ("_queries", "_encoder")}


class Recommend(_OfBatches):
    """Lists for the users of a batch: columns user_id, item_id, score and rank; several rows per user.

    A batch has a column user_id, and may have a column items with lists of ids, the latest last: the histories of these users, which
    are merged with the stored history of a known one.

    Args:
        folder: A model folder, which every worker can read at this path.
        k: Items per list.
        where: A condition on the items.
        request: All options of the lists, in place of `k` and `where`.

    Raises:
        ConfigError: An option is out of range, or `request` is given beside another one.

    Example:
        >>> lists = users.map_batches(Recommend, fn_constructor_args=["/models/films"], batch_format="pyarrow")  # doctest: +SKIP
    """

    #: columns of the results
    SCHEMA = pa.schema(
        {USER: pa.large_string(), "item_id": pa.large_string(), "score": pa.float32(), "rank": pa.int32()}
    )

    def __init__(
        self,
        folder: str | Path,
        k: int | None = None,
        where: str | None = None,
        *,
        request: Request | None = None,
    ) -> None:
        if request is not None and (k is not None or where is not None):
            raise ConfigError(
                "k and where are options of the request.", "Give request=Request(k=..., where=...) alone."
            )
        self.folder = options.path("folder", folder)
        given = options.optional("request", request, Request, "Give kgrec.Request(k=20).")
        self.request = given or Request(Request().k if k is None else k, where=where)

    def __call__(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """The lists of a batch's users.

        Raises:
            SourceError: The batch has no column user_id.
            UnknownId: A user or an item is unknown, unless the request skips these.
            ArtifactError: The folder cannot be read.
        """
        users = _column(batch, USER).to_pylist()
        if ITEMS in batch.schema.names:
            histories = [items or [] for items in _column(batch, ITEMS).to_pylist()]
            found = self._queries.recommend_for_history(
                histories, users=users, request=self.request, arrow=True
            )
        else:
            found = self._queries.recommend(users, request=self.request, arrow=True)
        return found.cast(self.SCHEMA)

    @cached_property
    def _queries(self) -> OneThreadQueries:
        return OneThreadQueries(opened(self.folder))


class Encode(_OfBatches):
    """Vectors of the texts of a batch: its columns, and one more with unit vectors; null where the text is null.

    Args:
        model: "minilm", "static", or a sentence-transformers name or folder, which every worker has.
        column: Column of the texts.
        into: Column of the vectors, lists of 32-bit floats.
        config: All options of the text encoder, in place of `model`. Its cache is of the worker's machine; without `config` there is none.

    Raises:
        ConfigError: A name is no text, or `config` is given beside `model`.
    """

    def __init__(
        self,
        model: str | None = None,
        column: str = "text",
        into: str = "vector",
        *,
        config: TextConfig | None = None,
    ) -> None:
        if config is not None and model is not None:
            raise ConfigError("model is an option of the config.", "Give config=TextConfig(model=...) alone.")
        given = options.optional("config", config, TextConfig, "Give TextConfig(model=...).")
        name = options.text("model", PACKAGED if model is None else model, "'minilm'")
        self.config = given or TextConfig(model=name, cache=False)
        self.column, self.into = options.text("column", column), options.text("into", into)

    def __call__(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """The batch with a column of vectors, in place of one of that name.

        Raises:
            SourceError: The batch has no such column of texts.
            EncoderNotFound: The model cannot be loaded.
        """
        texts = _column(batch, self.column)
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            raise SourceError(
                f"The column '{self.column}' of the batch has the type {texts.type}.",
                "Give a column of texts.",
            )
        vectors = _lists(self._encoder.encode(texts.drop_null().to_pylist()), np.asarray(texts.is_valid()))
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        if self.into in table.column_names:
            table = table.drop([self.into])
        return table.append_column(self.into, vectors)

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config)


def _column(batch: pa.Table | pa.RecordBatch, name: str) -> pa.Array:
    """A column of a batch, in one piece.

    Raises:
        SourceError: There is none.
    """
    names = batch.schema.names
    if name not in names:
        raise SourceError(f"The batch has no column '{name}'.", did_you_mean(name, names))
    column = batch.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _lists(vectors: np.ndarray, present: np.ndarray) -> pa.Array:
    """Vectors as lists, with nulls between them.

    Args:
        vectors: Of the present rows; shape (n_present, dim), float32.
        present: Which rows have a vector; shape (n,), bool.
    """
    ends = np.cumsum(present) * vectors.shape[1]
    starts = np.concatenate([[0], ends]).astype(np.int32)
    mask = pa.array(~present)
    return pa.ListArray.from_arrays(pa.array(starts), pa.array(vectors.ravel()), mask=mask)
