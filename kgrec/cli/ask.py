"""`kgrec recommend`, `similar` and `explain`: asking a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli.console import Console, Json, Quiet, console
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.batch import Delivery
    from kgrec.serve.requests import Asked, Question

#: lists at a time
_BATCH = 4096
_NO_USERS = "Give histories of users with --history."
_WHAT = {"user_id": "users", "item_id": "items", "text": "texts"}

ModelFolder = Annotated[Path, typer.Argument(help="A model folder.")]
Length = Annotated[int, typer.Option("-k", help="Items a list.", min=1)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write: .parquet, .csv or .jsonl.")
]
Like = Annotated[list[str] | None, typer.Option("--like", help="An item that is liked; may be repeated.")]
Dislike = Annotated[list[str] | None, typer.Option("--dislike", help="An item that is not; may be repeated.")]
Candidates = Annotated[
    Path | None, typer.Option("--candidates", help="The only items to rank, one id a line.")
]
Deny = Annotated[Path | None, typer.Option("--deny", help="Items to leave out, one id a line.")]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", help="A condition on the items, such as 'genres = Horror and year >= 1990'."),
]
SkipUnknown = Annotated[
    bool, typer.Option("--skip-unknown", help="Pass over unknown users and items, and count them.")
]
Boost = Annotated[
    float, typer.Option("--new-item-boost", help="Added to the score of items that training did not know.")
]
MinScore = Annotated[float | None, typer.Option("--min-score", help="What a score must reach.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the file of this name that was cut off.")]
Shards = Annotated[
    int | None, typer.Option("--shards", help="Files that as many runs write, each for its share.", min=1)
]
Shard = Annotated[int | None, typer.Option("--shard", help="Which of them this run writes, from 0.", min=0)]
BatchSize = Annotated[
    int, typer.Option("--batch", help="Lists at a time: a row group, and a part that is kept.", min=1)
]


def recommend(
    model: ModelFolder,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Every user of the model.")] = False,
    users_file: Annotated[Path | None, typer.Option("--users-file", help="Users, one a line.")] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="A table of user_id, item_id: histories of users.")
    ] = None,
    known_users: Annotated[
        str,
        typer.Option(
            "--known-users",
            help="With --history: merge with, or replace, the history that the model has of a user.",
        ),
    ] = "merge",
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="What is looked for; may be repeated.")
    ] = None,
    like: Like = None,
    dislike: Dislike = None,
    k: Length = 10,
    output: Output = None,
    candidates: Candidates = None,
    deny: Deny = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    new_item_boost: Boost = 0.0,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also items that the user has had already.")
    ] = False,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = _BATCH,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Recommend items to users: to a file for many, to the screen for a few.

    Example: `kgrec recommend model/ --all-users -k 100 -o recs.parquet`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve import requests
    from kgrec.serve.batch import Delivery
    from kgrec.serve.input_files import read_ids

    out = console(as_json, quiet)
    given = [bool(user), all_users, users_file is not None, history is not None, bool(text)]
    if sum([*given, bool(like or dislike)]) != 1:
        raise ConfigError(
            "It is not clear whom to recommend to.",
            "Give one of --user, --users-file, --all-users, --history, --text and --like.",
        )
    if text and new_item_boost:
        raise ConfigError(
            "--new-item-boost is for lists of users; a text finds new items as it finds known ones.",
            "Leave it out.",
        )
    delivery = Delivery.of(output, batch, resume, shards, shard)
    recommender = Recommender.load(model)
    asked = requests.Asked(skip_unknown)
    limits = {"k": k, "min_score": min_score, **requests.limits(recommender, asked, candidates, deny, where)}
    options = {**limits, "exclude_seen": not include_seen, "new_item_boost": new_item_boost}
    if text:
        question = requests.of_texts(recommender, text, limits)
    elif history is not None:
        told = {**options, "known_users": known_users}
        question = requests.of_histories(recommender, history, told, asked)
    elif like or dislike:
        question = requests.of_taste(recommender, like or [], dislike or [], options, asked)
    elif all_users:
        question = requests.of_users(recommender, requests.known_users(recommender, _NO_USERS), options)
    else:
        users = requests.checked_users(recommender, user or read_ids(users_file or Path()), asked)
        question = requests.of_users(recommender, users, options)
    _deliver(recommender, question, delivery, out, asked)


def similar(
    model: ModelFolder,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="An item; may be repeated.")] = None,
    all_items: Annotated[bool, typer.Option("--all-items", help="Every item of the model.")] = False,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    k: Length = 10,
    output: Output = None,
    candidates: Candidates = None,
    deny: Deny = None,
    where: WhereOption = None,
    min_score: MinScore = None,
    skip_unknown: SkipUnknown = False,
    resume: Resume = False,
    shards: Shards = None,
    shard: Shard = None,
    batch: BatchSize = _BATCH,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the items nearest to an item, or the users nearest to a user.

    Example: `kgrec similar model/ --item the-matrix-1999 -k 10`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve import requests
    from kgrec.serve.batch import Delivery

    out = console(as_json, quiet)
    if bool(item) + all_items + bool(user) != 1:
        raise ConfigError(
            "It is not clear what is to be similar.",
            "Give --item, or --user, once or more, or --all-items.",
        )
    if user and (candidates or deny or where):
        raise ConfigError(
            "--candidates, --deny and --where are about items; these are users.", "Leave them out."
        )
    delivery = Delivery.of(output, batch, resume, shards, shard)
    recommender = Recommender.load(model)
    asked = requests.Asked(skip_unknown)
    limits = {"k": k, "min_score": min_score, **requests.limits(recommender, asked, candidates, deny, where)}
    if user:
        question = requests.near_users(recommender, requests.checked_users(recommender, user, asked), limits)
    else:
        question = requests.near_items(recommender, item, limits, asked)
    _deliver(recommender, question, delivery, out, asked)


def explain(
    model: ModelFolder,
    item: Annotated[str, typer.Option("--item", "-i", help="The item to explain.")],
    user: Annotated[str | None, typer.Option("--user", "-u", help="A user of the model.")] = None,
    like: Like = None,
    dislike: Dislike = None,
    new_item_boost: Boost = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say why an item has its score for a user: parts that sum to it, and paths in the graph.

    Example: `kgrec explain model/ --user viewer-001 --item the-matrix-1999`
    """
    from kgrec.recommend.recommender import Recommender

    out = console(as_json, quiet)
    if (user is None) == (not like) or (user and dislike):
        raise ConfigError(
            "It is not clear whom to explain it to.", "Give --user; or --like once or more, and --dislike."
        )
    recommender = Recommender.load(model)
    if user:
        explanation = recommender.explain(user, item, new_item_boost=new_item_boost)
    else:
        explanation = recommender.explain_history(
            like or [], item, dislikes=dislike or [], new_item_boost=new_item_boost
        )
    out.result(explanation.to_dict(), str(explanation))


def _deliver(
    recommender: Recommender, question: Question, delivery: Delivery, out: Console, asked: Asked
) -> None:
    """Write the answer to a file, or print it."""
    from kgrec.serve.batch import RunWatcher, write

    for line in asked.lines():
        out.say(line)
    what = _WHAT[question.columns[0]]
    if delivery.output is None:
        _print(recommender, question, delivery.batch, out, asked)
        return
    question = delivery.dealt(question)
    with out.bars() as bars:
        watcher = RunWatcher(
            progress=lambda step, done, total: bars.step(step)(done, total),
            say=out.say,
            warn=lambda text: typer.echo(f"\n{text}", err=True),
        )
        written = write(question, recommender.model, delivery, what, watcher)
    total, place = len(question.names), delivery.output
    out.say(f"Wrote {written.rows:,} rows for {written.lists:,} of {total:,} {what} to {place}.")
    if total > delivery.batch:
        rate = (total - written.resumed) / max(written.seconds, 1e-9)
        out.say(f"That took {written.seconds:,.1f} s, {rate:,.0f} {what} a second.")
    out.result(
        {
            "output": str(place),
            "rows": written.rows,
            "lists": written.lists,
            "asked": total,
            "resumed": written.resumed,
            "seconds": round(written.seconds, 3),
            **asked.record(),
        }
    )


def _print(recommender: Recommender, question: Question, batch: int, out: Console, asked: Asked) -> None:
    import pyarrow as pa

    table = pa.concat_tables(question.answer(names) for names in question.parts(batch))
    what = _WHAT[question.columns[0]]
    nobody = len(asked.skipped.get(what, ())) == len(question.names)
    why = f"none of these {what} is known" if nobody else "every item is excluded"
    text = _readable(recommender, table, *question.columns) or f"There is nothing to recommend: {why}."
    out.result({"results": table.to_pylist(), **asked.record()}, text)


def _readable(recommender: Recommender, table: pa.Table, query: str, result: str) -> str:
    lines: list[str] = []
    model, last = recommender.model, ""
    of_users = (query, result) == ("user_id", "similar_id")
    items = (
        []
        if of_users
        else table[result].to_pylist() + (table[query].to_pylist() if query == "item_id" else [])
    )
    labels = {
        name: model.items.labels[row]
        for name, row in zip(items, model.items.rows(items).tolist(), strict=True)
    }
    for row in table.to_pylist():
        if row[query] != last:
            last = row[query]
            lines.append(f"{last}  {labels.get(last, '')}".rstrip() if query == "item_id" else last)
        label = labels.get(row[result], "")
        lines.append(f"  {row['rank']:>3}. {row['score']:+.3f}  {row[result]}  {label}".rstrip())
    return "\n".join(lines)
