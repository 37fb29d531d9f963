"""Lists for many users or items, written to a file or streamed as Arrow tables.

Enters: a model folder or a `Recommender`, ids or histories, a `Request`, and `BatchOptions`. Leaves: lists in the order of the
names; every executor gives the same bytes. Writes a result file, completely or not at all; an interrupted run
resumes from its finished parts. Memory holds the model, the names and a few parts, regardless of the number of lists.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgrec.arguments import options as arguments
from kgrec.arguments.ids import is_frame
from kgrec.recommend.feedback import KnownUserPolicy, checked_policy
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.request import Request
from kgrec.serve.batch_options import BatchOptions, RunSummary, RunWatcher
from kgrec.serve.batch_run import (
    ModelSource,
    checked,
    for_stream,
    opened,
    tables,
    without_numbers,
    write_query,
)
from kgrec.serve.item_fields import ItemFields
from kgrec.serve.requests import (
    BatchQuery,
    HistorySource,
    Ids,
    Lists,
    chunks,
    histories_query,
    lists_for_histories,
    pairs_of,
    similar_items_query,
    users_query,
)
from kgrec.serve.result_files import check_result


def write_recommendations(
    model: ModelSource,
    output: str | Path,
    users: Ids = None,
    *,
    request: Request | None = None,
    options: BatchOptions | None = None,
    watcher: RunWatcher | None = None,
) -> RunSummary:
    """Write lists for known users to a file: columns user_id, item_id, score and rank.

    Args:
        model: A model folder, or a recommender.
        output: A file that ends in .parquet, .csv or .jsonl.
        users: Ids of the users, duplicates ignored; or the `Path` of a file with one id per line; None: all users.
        request: Options of the lists.
        options: Parts, executor, workers, resume and shards.
        watcher: Receives progress and remarks.

    Raises:
        UnknownId: A user or an item is unknown; nothing is written.
        ConfigError: Options contradict each other; or resume or workers need a saved model, and the model has changed since it
            was saved.
        ArtifactError: The file cannot be written, or the finished parts belong to another run.
        WorkerError: A worker process died; finished parts are kept.

    Example:
        >>> options = BatchOptions(workers=4, resume=True)
        >>> write_recommendations("model", "recs.parquet", request=Request(k=100), options=options)  # doctest: +SKIP
    """
    query = partial(users_query, users=users, request=_request(request))
    return _write(model, output, query, options, watcher)


def write_recommendations_for_histories(
    model: ModelSource,
    output: str | Path,
    histories: HistorySource,
    *,
    known_users: KnownUserPolicy = "merge",
    request: Request | None = None,
    options: BatchOptions | None = None,
    watcher: RunWatcher | None = None,
) -> RunSummary:
    """Write lists for users with given histories to a file, like `write_recommendations`.

    Args:
        model: A model folder, or a recommender.
        output: A file that ends in .parquet, .csv or .jsonl.
        histories: Pairs of a user and the ids of liked items, or a dict of such lists; or a frame, or the `Path` of a table, with
            columns user_id and item_id and rows in any order.
        known_users: As for `Recommender.recommend_for_history`.
        request: Options of the lists.
        options: Parts, executor, workers, resume and shards.
        watcher: Receives progress and remarks.

    Raises:
        SourceError: The table cannot be read, or has no rows.
        KgrecError: As for `write_recommendations`.
    """
    query = partial(histories_query, histories=histories, request=_request(request), known_users=known_users)
    return _write(model, output, query, options, watcher)


def write_similar_items(
    model: ModelSource,
    output: str | Path,
    items: Ids = None,
    *,
    request: Request | None = None,
    options: BatchOptions | None = None,
    watcher: RunWatcher | None = None,
) -> RunSummary:
    """Write the nearest items of each item to a file: columns item_id, similar_id, score and rank.

    Args:
        model: A model folder, or a recommender.
        output: A file that ends in .parquet, .csv or .jsonl.
        items: Ids of the items, duplicates ignored; or the `Path` of a file with one id per line; None: all items.
        request: Options of the lists.
        options: Parts, executor, workers, resume and shards.
        watcher: Receives progress and remarks.

    Raises:
        KgrecError: As for `write_recommendations`.
    """
    query = partial(similar_items_query, items=items, request=_request(request))
    return _write(model, output, query, options, watcher)


def stream_recommendations(
    model: ModelSource,
    users: Ids = None,
    *,
    request: Request | None = None,
    options: BatchOptions | None = None,
) -> Generator[pa.Table, None, None]:
    """Lists for known users, one Arrow table per part, in the order of the users.

    Args:
        model: A model folder, or a recommender.
        users: Ids of the users, duplicates ignored; or the `Path` of a file with one id per line; None: all users.
        request: Options of the lists.
        options: Parts, executor and workers.

    Returns:
        Tables with columns user_id, item_id, score and rank. Lists are computed while the caller reads the tables; workers are a
        few parts ahead.

    Raises:
        UnknownId: A user or an item is unknown; no list is computed.
        ConfigError: As for `write_recommendations`.
        WorkerError: A worker process died.

    Example:
        >>> for table in stream_recommendations("model", request=Request(k=100)):  # doctest: +SKIP
        ...     database.insert(table)
    """
    query = partial(users_query, users=users, request=_request(request))
    return _stream(model, query, options)


def stream_recommendations_for_histories(
    model: ModelSource,
    histories: HistorySource,
    *,
    known_users: KnownUserPolicy = "merge",
    request: Request | None = None,
    options: BatchOptions | None = None,
) -> Generator[pa.Table, None, None]:
    """Lists for users with given histories, one Arrow table per part, in the order of the users.

    An iterable is read while the lists are computed, so it may have any length. Therefore an unknown item raises UnknownId only when
    its part is computed, and a user with two pairs gets two lists.

    Args:
        model: A model folder, or a recommender.
        histories: Pairs of a user and the ids of liked items, or a dict of such lists; or a frame, or the `Path` of a table, with
            columns user_id and item_id.
        known_users: As for `Recommender.recommend_for_history`.
        request: Options of the lists.
        options: Parts, executor and workers.

    Raises:
        SourceError: The table cannot be read, or has no rows.
        KgrecError: As for `stream_recommendations`.
    """
    request, options = _request(request), for_stream(options)
    if isinstance(histories, Path) or is_frame(histories):
        query = partial(histories_query, histories=histories, request=request, known_users=known_users)
        return _stream(model, query, options)
    lists = partial(lists_for_histories, request, checked_policy(known_users))
    parts = (
        ([user for user, _ in some], [items for _, items in some], None, [()] * len(some))
        for some in chunks(pairs_of(histories), options.batch)
    )
    return _stream_parts(opened(model), lists, parts, options)


def stream_similar_items(
    model: ModelSource,
    items: Ids = None,
    *,
    request: Request | None = None,
    options: BatchOptions | None = None,
) -> Generator[pa.Table, None, None]:
    """The nearest items of each item, one Arrow table per part, in the order of the items.

    Args:
        model: A model folder, or a recommender.
        items: Ids of the items, duplicates ignored; or the `Path` of a file with one id per line; None: all items.
        request: Options of the lists.
        options: Parts, executor and workers.

    Returns:
        Tables with columns item_id, similar_id, score and rank.

    Raises:
        KgrecError: As for `stream_recommendations`.
    """
    query = partial(similar_items_query, items=items, request=_request(request))
    return _stream(model, query, options)


def _request(request: Request | None) -> Request:
    return arguments.optional("request", request, Request, "Give kgrec.Request(k=20).") or Request()


def _write(
    model: ModelSource,
    output: str | Path,
    query: Callable[[Recommender], BatchQuery],
    options: BatchOptions | None,
    watcher: RunWatcher | None,
) -> RunSummary:
    options, output = checked(options), arguments.path("output", output)
    watcher = arguments.optional("watcher", watcher, RunWatcher, "Give kgrec.RunWatcher(progress=...).")
    check_result(options.file(output), format=options.format)
    recommender = opened(model)
    return write_query(recommender, query(recommender), output, options, watcher)


def _stream(
    model: ModelSource, query: Callable[[Recommender], BatchQuery], options: BatchOptions | None
) -> Generator[pa.Table, None, None]:
    options, recommender = for_stream(options), opened(model)
    whole = query(recommender)
    return _stream_parts(recommender, whole.lists, whole.parts(options.batch), options)


def _stream_parts(
    recommender: Recommender, lists: Lists, parts: Iterable[Any], options: BatchOptions
) -> Generator[pa.Table, None, None]:
    fields = ItemFields.of(recommender.model, options.item_fields)
    computed = without_numbers(tables(recommender, lists, parts, options.new_executor()))
    return fields.beside_each(computed)
