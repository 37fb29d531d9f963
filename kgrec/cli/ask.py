"""`kgrec recommend`, `similar` and `explain`: queries to a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kgrec.cli.console import Console, Json, LogLines, Quiet, Stopped, Verbose, console, stopping
from kgrec.cli.options import ListLength, ModelFolder
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from kgrec.recommend.feedback import KnownUserPolicy
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.request import Request
    from kgrec.serve.batch_options import BatchOptions, RunSummary
    from kgrec.serve.requests import BatchQuery

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write: .parquet, .csv or .jsonl.")
]
Like = Annotated[list[str] | None, typer.Option("--like", help="A liked item; may be repeated.")]
Dislike = Annotated[list[str] | None, typer.Option("--dislike", help="A disliked item; may be repeated.")]
CandidatesFile = Annotated[
    Path | None,
    typer.Option("--candidates", help="File of items to which the lists are limited, one id per line."),
]
DenyFile = Annotated[Path | None, typer.Option("--deny", help="File of items to exclude, one id per line.")]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", help="A condition on the items, such as 'genres = Horror and year >= 1990'."),
]
SkipUnknown = Annotated[
    bool, typer.Option("--skip-unknown", help="Skip unknown users and items, and count them.")
]
Boost = Annotated[
    float,
    typer.Option("--new-item-boost", help="Added to the score of items without interactions at training."),
]
MinScore = Annotated[float | None, typer.Option("--min-score", help="Smallest score of a listed item.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted run that wrote to the same file.")
]
Shards = Annotated[int | None, typer.Option("--shards", help="Number of runs that share the lists.", min=1)]
Shard = Annotated[int | None, typer.Option("--shard", help="Number of the shard to write, from 0.", min=0)]
BatchSize = Annotated[
    int, typer.Option("--batch", help="Lists per part: a row group, and the unit of --resume.", min=1)
]
ExecutorName = Annotated[
    str | None,
    typer.Option("--executor", help="local: this process; processes: --workers processes."),
]
Workers = Annotated[int, typer.Option("--workers", help="Processes, each with one thread.", min=1)]


def recommend(
    model: ModelFolder,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every user of the model.")] = False,
    users_file: Annotated[
        Path | None, typer.Option("--users-file", help="File of users, one per line.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Table of histories, with columns user_id and item_id.")
    ] = None,
    known_users: Annotated[
        str,
        typer.Option(
            "--known-users",
            help="With --history: merge with the stored history of a known user, or replace it.",
        ),
    ] = "merge",
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="A description of items; may be repeated.")
    ] = None,
    like: Like = None,
    dislike: Dislike = None,
    k: ListLength = 10,
    output: Output = None,
    candidates: CandidatesFile = None,
    deny: DenyFile = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    new_item_boost: Boost = 0.0,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Include items that the user has interacted with.")
    ] = False,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = 4096,
    executor: ExecutorName = None,
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Recommend items to users: to a file for many, to the screen for a few.

    Example: `kgrec recommend model/ --all-users -k 100 -o recs.parquet`
    """
    from kgrec.serve import requests
    from kgrec.serve.batch_options import BatchOptions

    given = [bool(user), all_users, users_file is not None, history is not None, bool(text)]
    if sum([*given, bool(like or dislike)]) != 1:
        raise ConfigError(
            "It is not clear for whom to recommend.",
            "Give one of --user, --users-file, --all-users, --history, --text and --like.",
        )
    options = BatchOptions(batch, executor, workers, resume, shard, shards)
    request = _request(k, candidates, deny, where, min_score, skip_unknown, new_item_boost, not include_seen)

    def query(recommender: Recommender) -> BatchQuery:
        if text:
            return requests.texts_query(recommender, text, request)
        if history is not None:
            policy = cast("KnownUserPolicy", known_users)  # checked where it is used
            return requests.histories_query(recommender, history, request, policy)
        if like or dislike:
            return requests.feedback_query(recommender, like or [], dislike or [], request)
        return requests.users_query(recommender, None if all_users else user or users_file, request)

    _run(model, query, output, options, console(as_json, quiet, verbose, log_format))


def similar(
    model: ModelFolder,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="An item; may be repeated.")] = None,
    all_items: Annotated[bool, typer.Option("--all-items", help="Every item of the model.")] = False,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    k: ListLength = 10,
    output: Output = None,
    candidates: CandidatesFile = None,
    deny: DenyFile = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = 4096,
    executor: ExecutorName = None,
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Show the items nearest to an item, or the users nearest to a user.

    Example: `kgrec similar model/ --item the-matrix-1999 -k 10`
    """
    from kgrec.serve import requests
    from kgrec.serve.batch_options import BatchOptions

    if bool(item) + all_items + bool(user) != 1:
        raise ConfigError(
            "It is not clear whose similar items or users to list.",
            "Give --item or --user, once or more, or --all-items.",
        )
    options = BatchOptions(batch, executor, workers, resume, shard, shards)
    request = _request(k, candidates, deny, where, min_score, skip_unknown)

    def query(recommender: Recommender) -> BatchQuery:
        if user:
            return requests.similar_users_query(recommender, user, request)
        return requests.similar_items_query(recommender, item, request)

    _run(model, query, output, options, console(as_json, quiet, verbose, log_format))


def explain(
    model: ModelFolder,
    item: Annotated[str, typer.Option("--item", "-i", help="The item to explain.")],
    user: Annotated[str | None, typer.Option("--user", "-u", help="A user of the model.")] = None,
    like: Like = None,
    dislike: Dislike = None,
    new_item_boost: Boost = 0.0,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every part by itself, however small, instead of groups.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explain the score of an item for a user: parts that sum to it, and paths in the graph.

    Example: `kgrec explain model/ --user viewer-001 --item the-matrix-1999`
    """
    from kgrec.recommend.recommender import Recommender

    out = console(as_json, quiet)
    if (user is None) == (not like) or (user and dislike):
        raise ConfigError(
            "It is not clear for whom to explain the score.",
            "Give --user; or --like once or more, and --dislike.",
        )
    recommender = Recommender.load(model)
    if user:
        explanation = recommender.explain(user, item, new_item_boost=new_item_boost)
    else:
        explanation = recommender.explain_history(
            like or [], item, dislikes=dislike or [], new_item_boost=new_item_boost
        )
    out.result(explanation.to_dict(), explanation.text(1.0) if everything else str(explanation))


def _request(
    k: int,
    candidates: Path | None,
    deny: Path | None,
    where: str | None,
    min_score: float | None,
    skip_unknown: bool,
    new_item_boost: float = 0.0,
    exclude_seen: bool = True,
) -> Request:
    """The request of a command; lists of ids come from files."""
    from kgrec.recommend.request import Request
    from kgrec.serve.input_files import read_ids

    return Request(
        k,
        candidates=None if candidates is None else read_ids(candidates),
        deny=None if deny is None else read_ids(deny, may_be_empty=True),
        where=where,
        min_score=min_score,
        exclude_seen=exclude_seen,
        new_item_boost=new_item_boost,
        on_unknown="skip" if skip_unknown else "raise",
    )


def _run(
    model: Path,
    query: Callable[[Recommender], BatchQuery],
    output: Path | None,
    options: BatchOptions,
    out: Console,
) -> None:
    """Write the lists to a file, or print them."""
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.batch_run import parts_of, write_query
    from kgrec.serve.result_files import check_result

    if output is None:
        if options.resume or options.shards is not None:
            raise ConfigError(
                "--resume, --shards and --shard apply to an output file.", "Name it with --output."
            )
        recommender = Recommender.load(model)
        _print(recommender, query(recommender), options, out)
        return
    check_result(options.file(output))
    with (
        out.watcher() as watcher,
        stopping(lambda: Stopped(resumable=parts_of(options.file(output)).exists())),
    ):
        out.progress.stage("reading the model folder")
        recommender = Recommender.load(model)
        out.progress.stage("reading the queries")
        whole = query(recommender)
        summary = write_query(recommender, whole, output, options, watcher)
    _report(summary, whole.request, options, out)


def _report(summary: RunSummary, request: Request, options: BatchOptions, out: Console) -> None:
    total, noun = summary.queries, summary.noun
    out.say(f"Wrote {summary.rows:,} rows for {summary.lists:,} of {total:,} {noun} to {summary.output}.")
    if total > options.batch:
        rate = (total - summary.resumed) / max(summary.seconds, 1e-9)
        out.say(f"That took {summary.seconds:,.1f} s, {rate:,.0f} {noun} per second.")
    counts = {name: getattr(summary, name) for name in ("queries", "rows", "lists", "resumed")}
    seconds = round(summary.seconds, 3)
    out.result(
        {"output": str(summary.output), **counts, "seconds": seconds, **_skipped(request, summary.skipped)}
    )


def _print(recommender: Recommender, query: BatchQuery, options: BatchOptions, out: Console) -> None:
    import pyarrow as pa

    from kgrec.serve.batch_run import tables

    for line in query.remarks():
        out.say(line)
    computed = tables(recommender, query.lists, query.parts(options.batch), options.new_executor())
    table = pa.concat_tables(part for _, part in computed)
    all_unknown = len(query.skipped.get(query.noun, ())) == len(query.names)
    reason = f"none of these {query.noun} is known" if all_unknown else "every item is excluded"
    text = _readable(recommender, table, *query.columns) or f"There is nothing to recommend: {reason}."
    out.result({"results": table.to_pylist(), **_skipped(query.request, query.skipped)}, text)


def _skipped(request: Request, ids: dict[str, list[str]]) -> dict[str, Any]:
    return {"skipped": ids} if request.on_unknown == "skip" else {}


def _readable(recommender: Recommender, table: pa.Table, query: str, result: str) -> str:
    """The lists as text, with labels of items; `query` and `result` are the names of the first two columns."""
    lines: list[str] = []
    model, last = recommender.model, ""
    of_users = (query, result) == ("user_id", "similar_id")
    items = (
        []
        if of_users
        else table[result].to_pylist() + (table[query].to_pylist() if query == "item_id" else [])
    )
    labels = {
        name: model.items.label(row)
        for name, row in zip(items, model.items.rows(items).tolist(), strict=True)
    }
    for row in table.to_pylist():
        if row[query] != last:
            last = row[query]
            lines.append(f"{last}  {labels.get(last, '')}".rstrip() if query == "item_id" else last)
        label = labels.get(row[result], "")
        lines.append(f"  {row['rank']:>3}. {row['score']:+.3f}  {row[result]}  {label}".rstrip())
    return "\n".join(lines)
