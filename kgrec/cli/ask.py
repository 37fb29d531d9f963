"""`kgrec recommend` and `similar`: lists from a model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kgrec.cli.boosts import ItemBoostFile, UserCandidatesFile, UserDenyFile, WhereBoost, list_options
from kgrec.cli.console import Console, Json, LogLines, Quiet, Stopped, Verbose, console, stopping
from kgrec.cli.list_wishes import (
    AtLeast,
    AtMost,
    CalibrateBy,
    CalibrationOption,
    DiversityMethodOption,
    DiversityOption,
    ExposureBy,
    ExposureOption,
    ExposureTargetOption,
    NoveltyOption,
    wishes,
)
from kgrec.cli.options import (
    STANDARD_OUTPUT,
    Address,
    ExecutorName,
    GpusPerWorker,
    ListLength,
    ModelFolder,
    Workers,
    one_of,
)
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from kgrec.recommend.feedback import KnownUserPolicy
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.request import Request
    from kgrec.serve.batch_options import BatchOptions, RunSummary
    from kgrec.serve.requests import BatchQuery

#: columns of a list that are not item fields
_NO_FIELDS = ("score", "rank", "label", "because", "evidence")
#: largest number of history items shown per user
_HISTORY = 10

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="File to write: .parquet, .csv or .jsonl; - for standard output, as CSV."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="parquet|csv|jsonl",
        autocompletion=one_of("parquet", "csv", "jsonl"),
        help="Format of the file, or of standard output (csv or jsonl). Default: given by the suffix.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Item fields to add as columns, separated by commas: label, relations, types of neighbours, and columns of "
        "numbers, dates or texts; such as label,genres,year.",
    ),
]
Like = Annotated[
    list[str] | None, typer.Option("--like", help="A liked item, by id or label; may be repeated.")
]
Dislike = Annotated[
    list[str] | None, typer.Option("--dislike", help="A disliked item, by id or label; may be repeated.")
]
CandidatesFile = Annotated[
    Path | None,
    typer.Option("--candidates", help="File of the only items to rank, one id per line."),
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
MinScore = Annotated[float | None, typer.Option("--min-score", help="Lowest score of a listed item.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted run that wrote to the same file.")
]
Shards = Annotated[
    int | None, typer.Option("--shards", help="Number of runs that divide the lists among them.", min=1)
]
Shard = Annotated[
    int | None, typer.Option("--shard", help="Number of the shard to write, starting at 0.", min=0)
]
BatchSize = Annotated[
    int,
    typer.Option("--batch", help="Lists per part; a part is one row group, and the unit of --resume.", min=1),
]


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
            autocompletion=one_of("merge", "replace"),
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
    format: Format = None,
    with_: Fields = None,
    show_history: Annotated[
        bool, typer.Option("--show-history", help="On the screen, also show what each user likes.")
    ] = False,
    candidates: CandidatesFile = None,
    deny: DenyFile = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    new_item_boost: Boost = 0.0,
    item_boost: ItemBoostFile = None,
    where_boost: WhereBoost = None,
    user_candidates: UserCandidatesFile = None,
    user_deny: UserDenyFile = None,
    diversity: DiversityOption = 0.0,
    diversity_method: DiversityMethodOption = "mmr",
    calibration: CalibrationOption = 0.0,
    calibrate_by: CalibrateBy = None,
    novelty: NoveltyOption = 0.0,
    exposure: ExposureOption = 0.0,
    exposure_by: ExposureBy = None,
    exposure_target: ExposureTargetOption = "equal",
    at_most: AtMost = None,
    at_least: AtLeast = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Include items that the user has interacted with.")
    ] = False,
    with_reasons: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Say why each item is listed, in two columns: because (a sentence) and evidence.",
        ),
    ] = False,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = 4096,
    executor: ExecutorName = None,
    workers: Workers = 1,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Recommend items to users; write the lists to a file, or show them on the screen.

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
    out = _console(console(as_json, quiet, verbose, log_format), output)
    options = BatchOptions(
        *(batch, executor, workers, resume, shard, shards, _names(with_), _format(format)),
        address=address,
        gpus_per_worker=gpus_per_worker,
    )
    request = replace(
        _request(k, candidates, deny, where, min_score, skip_unknown, new_item_boost, not include_seen),
        **list_options(item_boost, where_boost, user_candidates, user_deny),
        **wishes(
            *(diversity, diversity_method, calibration, calibrate_by, novelty),
            *(exposure, exposure_by, exposure_target, at_most, at_least),
        ),
        explain=with_reasons,
    )

    def query(recommender: Recommender) -> BatchQuery:
        if text:
            return requests.texts_query(recommender, text, request)
        if history is not None:
            policy = cast("KnownUserPolicy", known_users)  # checked where it is used
            return requests.histories_query(recommender, history, request, policy)
        if like or dislike:
            liked, disliked = (
                item_ids(recommender, names or [], out, skip_unknown) for names in (like, dislike)
            )
            return requests.feedback_query(recommender, liked, disliked, request)
        return requests.users_query(recommender, None if all_users else user or users_file, request)

    _run(model, query, output, options, out, show_history=show_history)


def similar(
    model: ModelFolder,
    item: Annotated[
        list[str] | None, typer.Option("--item", "-i", help="An item, by id or label; may be repeated.")
    ] = None,
    all_items: Annotated[bool, typer.Option("--all-items", help="Every item of the model.")] = False,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    k: ListLength = 10,
    output: Output = None,
    format: Format = None,
    with_: Fields = None,
    candidates: CandidatesFile = None,
    deny: DenyFile = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    item_boost: ItemBoostFile = None,
    where_boost: WhereBoost = None,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = 4096,
    executor: ExecutorName = None,
    workers: Workers = 1,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
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
    out = _console(console(as_json, quiet, verbose, log_format), output)
    options = BatchOptions(
        *(batch, executor, workers, resume, shard, shards, _names(with_), _format(format)),
        address=address,
        gpus_per_worker=gpus_per_worker,
    )
    request = replace(
        _request(k, candidates, deny, where, min_score, skip_unknown), **list_options(item_boost, where_boost)
    )

    def query(recommender: Recommender) -> BatchQuery:
        if user:
            return requests.similar_users_query(recommender, user, request)
        ids = None if item is None else item_ids(recommender, item, out, skip_unknown)
        return requests.similar_items_query(recommender, ids, request)

    _run(model, query, output, options, out)


class _BesidePipe(Console):
    """A console whose remarks go to stderr, because results go to standard output."""

    def say(self, text: str = "") -> None:
        """Print a remark to stderr."""
        if not self.quiet:
            with self.progress.room():
                typer.echo(text, err=True)


def _console(out: Console, output: Path | None) -> Console:
    return _BesidePipe(**vars(out)) if output == STANDARD_OUTPUT else out


def item_ids(
    recommender: Recommender, names: list[str], out: Console, skip_unknown: bool = False
) -> list[str]:
    """The ids of items given by id or label; prints which item each label was resolved to."""
    from kgrec.recommend.item_names import named_items

    named = named_items(recommender.model, names, skip_unknown=skip_unknown)
    for remark in named.remarks:
        out.say(remark)
    return named.ids


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
    """The request of a command; reads lists of ids from files."""
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


def _names(options: list[str] | None) -> tuple[str, ...]:
    """Names from a repeatable option whose values are separated by commas."""
    return tuple(name.strip() for option in options or () for name in option.split(",") if name.strip())


def _format(format: str | None) -> Any:
    return None if format is None else format.lower().removeprefix(".")  # checked by BatchOptions


def _run(
    model: Path,
    query: Callable[[Recommender], BatchQuery],
    output: Path | None,
    options: BatchOptions,
    out: Console,
    *,
    show_history: bool = False,
) -> None:
    """Write the lists to a file or to standard output, or print them."""
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.batch_run import parts_of, write_query
    from kgrec.serve.result_files import check_result

    to_file = output is not None and output != STANDARD_OUTPUT
    if not to_file and (options.resume or options.shards is not None):
        raise ConfigError(
            "--resume, --shards and --shard apply only to an output file.", "Name one with --output."
        )
    if show_history and output is not None:
        raise ConfigError(
            "--show-history applies only to lists on the screen.", "Leave out --output or --show-history."
        )
    if output is None and options.format is not None:
        raise ConfigError(
            "--format applies only to an output file or pipe.",
            "Name a file with --output, or give -o - for a pipe.",
        )
    if output == STANDARD_OUTPUT and options.format == "parquet":
        raise ConfigError(
            "Parquet cannot be written to standard output.", "Give --format csv or jsonl, or a file."
        )
    if output is None or not to_file:
        recommender = Recommender.load(model)
        if output is None:
            _print(recommender, query(recommender), options, out, show_history=show_history)
        else:
            _pipe(recommender, query(recommender), options, out)
        return
    check_result(options.file(output), format=options.format)
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


def _pipe(recommender: Recommender, query: BatchQuery, options: BatchOptions, out: Console) -> None:
    """Write the lists to standard output, as CSV or JSON lines."""
    from kgrec.serve.batch_run import stream_query
    from kgrec.serve.result_files import ResultWriter

    for line in query.remarks():
        out.say(line)
    writer = ResultWriter(sys.stdout.buffer, f".{options.format or 'csv'}", {})
    for table in stream_query(recommender, query, options):
        writer.write(table)
        sys.stdout.buffer.flush()
    writer.close()


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


def _print(
    recommender: Recommender, query: BatchQuery, options: BatchOptions, out: Console, *, show_history: bool
) -> None:
    import pyarrow as pa

    from kgrec.serve.batch_run import stream_query

    for line in query.remarks():
        out.say(line)
    history = query.history
    if show_history and history is None:
        raise ConfigError("--show-history needs users.", "Leave it out; texts have no history.")
    table = pa.concat_tables(list(stream_query(recommender, query, options)))
    all_unknown = len(query.skipped.get(query.noun, ())) == len(query.names)
    reason = f"none of these {query.noun} is known" if all_unknown else "every item is excluded"
    listed = list(dict.fromkeys(table.column(0).to_pylist()))
    histories = {name: history(name) for name in listed} if show_history and history is not None else {}
    text = (
        _readable(recommender, table, *query.columns, histories)
        or f"There is nothing to recommend: {reason}."
    )
    values: dict[str, Any] = {"results": table.to_pylist()}
    if show_history:
        values["histories"] = {
            name: [{"item_id": item, "label": recommender.label(item)} for item in _known(recommender, items)]
            for name, items in histories.items()
        }
    out.result({**values, **_skipped(query.request, query.skipped)}, text)


def _skipped(request: Request, ids: dict[str, list[str]]) -> dict[str, Any]:
    return {"skipped": ids} if request.on_unknown == "skip" else {}


def _readable(
    recommender: Recommender, table: pa.Table, query: str, result: str, histories: dict[str, list[str]]
) -> str:
    """The lists as text with item labels; `query` and `result` name the first two columns."""
    lines, last = list[str](), ""
    of_users = (query, result) == ("user_id", "similar_id")
    labels = _labels(recommender, [] if of_users else table[result].to_pylist())
    asked = _labels(recommender, table[query].to_pylist()) if query == "item_id" else {}
    fields = [name for name in table.column_names if name not in (query, result, *_NO_FIELDS)]
    for row in table.to_pylist():
        if row[query] != last:
            last = row[query]
            lines.append(f"{last}  {asked.get(last, '')}".rstrip())
            lines += _liked(recommender, histories[last]) if last in histories else []
        label = labels.get(row[result], "")
        values = "".join(f"  {name}: {_shown(row[name])}" for name in fields if row[name] not in (None, []))
        lines.append(f"  {row['rank']:>3}. {row['score']:+.3f}  {row[result]}  {label}".rstrip() + values)
        lines += [f"       {row['because']}"] if "because" in row else []
    return "\n".join(lines)


def _labels(recommender: Recommender, items: list[str]) -> dict[str, str]:
    store = recommender.model.items
    distinct = list(dict.fromkeys(items))
    return {name: store.label(row) for name, row in zip(distinct, store.rows(distinct).tolist(), strict=True)}


def _known(recommender: Recommender, items: list[str]) -> list[str]:
    rows = recommender.model.items.rows(items).tolist()
    return [item for item, row in zip(items, rows, strict=True) if row >= 0]


def _liked(recommender: Recommender, items: list[str]) -> list[str]:
    """A line that shows a history, latest items first."""
    names = list(dict.fromkeys(reversed(_known(recommender, items))))
    labels = _labels(recommender, names)
    shown = [labels[name] or name for name in names[:_HISTORY]]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return [f"  likes: {', '.join(shown)}{more}" if shown else "  likes no known item"]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return ", ".join(value) if isinstance(value, list) else str(value)
