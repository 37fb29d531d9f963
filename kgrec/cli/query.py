"""`kgrec recommend`, `similar`, `embed` and `explain`: asking a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec._version import __version__
from kgrec.cli.console import Console, Json, Quiet, console
from kgrec.errors import ConfigError, SourceError, UnknownId

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from kgrec.recommend import Recommender

#: users a row group
_CHUNK = 4096
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
Where = Annotated[
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
    where: Where = None,
    min_score: MinScore = None,
    new_item_boost: Boost = 0.0,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also items that the user has had already.")
    ] = False,
    skip_unknown: SkipUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Recommend items to users: to a file for many, to the screen for a few.

    Example: `kgrec recommend model/ --all-users -k 100 -o recs.parquet`
    """
    from kgrec.cli.files import check_result, read_ids
    from kgrec.recommend import Recommender

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
    if output is not None:
        check_result(output)
    recommender = Recommender.load(model)
    asked = _Asked(skip_unknown)
    limits = {"k": k, "min_score": min_score, **_limits(recommender, asked, candidates, deny, where)}
    options = {**limits, "exclude_seen": not include_seen, "new_item_boost": new_item_boost}
    columns = ("text" if text else "user_id", "item_id")
    if text:
        texts = list(dict.fromkeys(text))
        tables, total = iter([recommender.recommend_for_text(texts, arrow=True, **limits)]), len(texts)
    elif history is not None:
        tables, total = _for_histories(recommender, history, {**options, "known_users": known_users}, asked)
    elif like or dislike:
        tables, total = _for_taste(recommender, like or [], dislike or [], options, asked), 1
    else:
        users = _known_users(recommender, _NO_USERS) if all_users else user or read_ids(users_file or Path())
        users = list(dict.fromkeys(users))
        asked.check(recommender.model.users.ids, users, "users")
        tables, total = _for_users(recommender, users, options)
    _deliver(recommender, tables, total, output, out, columns, asked)


def similar(
    model: ModelFolder,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="An item; may be repeated.")] = None,
    user: Annotated[list[str] | None, typer.Option("--user", "-u", help="A user; may be repeated.")] = None,
    k: Length = 10,
    output: Output = None,
    candidates: Candidates = None,
    deny: Deny = None,
    where: Where = None,
    min_score: MinScore = None,
    skip_unknown: SkipUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the items nearest to an item, or the users nearest to a user.

    Example: `kgrec similar model/ --item the-matrix-1999 -k 10`
    """
    from kgrec.cli.files import check_result
    from kgrec.recommend import Recommender

    out = console(as_json, quiet)
    if bool(item) == bool(user):
        raise ConfigError("It is not clear what is to be similar.", "Give --item, or --user, once or more.")
    if user and (candidates or deny or where):
        raise ConfigError(
            "--candidates, --deny and --where are about items; these are users.", "Leave them out."
        )
    if output is not None:
        check_result(output)
    recommender = Recommender.load(model)
    asked, names = _Asked(skip_unknown), list(dict.fromkeys(item or user or ()))
    limits = _limits(recommender, asked, candidates, deny, where)
    if item:
        asked.check(recommender.model.item_rows, names, "items")
        table = recommender.similar_items(names, k, min_score=min_score, arrow=True, **limits)
    else:
        asked.check(recommender.model.users.ids, names, "users")
        unknown = limits["on_unknown"]
        table = recommender.similar_users(names, k, min_score=min_score, on_unknown=unknown, arrow=True)
    columns = ("item_id" if item else "user_id", "similar_id")
    _deliver(recommender, iter([table]), len(names), output, out, columns, asked)


def embed(
    model: ModelFolder,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .parquet or .jsonl.")] = Path(
        "embeddings.parquet"
    ),
    users: Annotated[bool, typer.Option("--users", help="Users instead of items.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the embeddings of all items, or of all users: columns id and vector.

    Example: `kgrec embed model/ -o embeddings.parquet`
    """
    from kgrec.cli.files import check_result, result_file
    from kgrec.recommend import Recommender

    if output.suffix == ".csv":
        raise ConfigError(f"{output}: CSV has no cells for vectors.", "Name it .parquet or .jsonl.")
    check_result(output)
    out = console(as_json, quiet)
    recommender = Recommender.load(model)
    if users:
        _known_users(recommender, "Leave out --users for the vectors of items.")
    embeddings = recommender.user_embeddings if users else recommender.item_embeddings
    with result_file(output, _metadata(recommender)) as file:
        file.write(embeddings.to_arrow())
    count, dim = embeddings.vectors.shape
    out.say(f"Wrote {count:,} vectors of length {dim} to {output}.")
    out.result({"output": str(output), "count": count, "dim": dim})


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
    from kgrec.recommend import Recommender

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


@dataclass
class _Asked:
    """Which of the ids that were asked for the model does not know."""

    skip: bool
    #: what -> ids passed over
    skipped: dict[str, list[str]] = field(default_factory=dict)
    #: what else is to be said before the results
    remarks: list[str] = field(default_factory=list)

    def check(self, rows_of: Callable[[list[str]], np.ndarray], names: Iterable[str], what: str) -> None:
        """Note the unknown ones among `names`; where they are not to be skipped, the library refuses them."""
        names = list(dict.fromkeys(names))
        unknown = [name for name, row in zip(names, rows_of(names), strict=True) if row < 0]
        if self.skip and unknown:
            self.skipped[what] = unknown

    def lines(self) -> Iterator[str]:
        yield from self.remarks
        for what, names in self.skipped.items():
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            yield f"Passed over {len(names):,} {what} that the model does not know: {shown}"

    def record(self) -> dict[str, Any]:
        return {"skipped": self.skipped} if self.skip else {}


def _limits(
    recommender: Recommender, asked: _Asked, candidates: Path | None, deny: Path | None, where: str | None
) -> dict[str, Any]:
    """Which items may be in a list, as the library takes it."""
    from kgrec.cli.files import read_ids

    only = None if candidates is None else read_ids(candidates)
    out = None if deny is None else read_ids(deny, may_be_empty=True)
    for names, what in ((only, "candidates"), (out, "items of the deny list")):
        asked.check(recommender.model.item_rows, names or [], what)
    unknown = "skip" if asked.skip else "raise"
    return {"candidates": only, "deny": out, "where": where, "on_unknown": unknown}


def _known_users(recommender: Recommender, remedy: str) -> list[str]:
    users = recommender.model.users.tolist()
    if not users:
        raise UnknownId("The model knows no users: it was trained without interactions.", remedy)
    return users


def _for_users(
    recommender: Recommender, users: list[str], options: dict[str, Any]
) -> tuple[Iterator[pa.Table], int]:
    chunks = [users[start : start + _CHUNK] for start in range(0, len(users), _CHUNK)]
    return (recommender.recommend(chunk, arrow=True, **options) for chunk in chunks), len(users)


def _for_histories(
    recommender: Recommender, path: Path, options: dict[str, Any], asked: _Asked
) -> tuple[Iterator[pa.Table], int]:
    histories = _histories(recommender, path)
    users = list(histories)
    asked.check(
        recommender.model.item_rows, (item for items in histories.values() for item in items), "items"
    )
    known = int((recommender.model.users.ids(users) >= 0).sum())
    if known:
        what = "go with" if options["known_users"] == "merge" else "take the place of"
        asked.remarks.append(f"{known:,} of {len(users):,} users are known: these histories {what} theirs.")
    chunks = [users[start : start + _CHUNK] for start in range(0, len(users), _CHUNK)]
    tables = (
        recommender.recommend_for_history([histories[u] for u in chunk], users=chunk, arrow=True, **options)
        for chunk in chunks
    )
    return tables, len(users)


def _for_taste(
    recommender: Recommender, like: list[str], dislike: list[str], options: dict[str, Any], asked: _Asked
) -> Iterator[pa.Table]:
    """The list of one nameless user."""
    asked.check(recommender.model.item_rows, [*like, *dislike], "items")
    table = recommender.recommend_for_history([like], dislikes=[dislike], users=[""], arrow=True, **options)
    return iter([table])


def _histories(recommender: Recommender, path: Path) -> dict[str, list[str]]:
    """Items of each user, in the order of the file; the mapping names columns only where they are not ours."""
    from kgrec.cli.files import has_columns, read_pairs

    model = recommender.model
    mapped = None if has_columns(path, ("user_id", "item_id")) else model.graph().mapping.interactions
    table = read_pairs(path, mapped)
    histories: dict[str, list[str]] = {}
    for user, item in zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True):
        histories.setdefault(user, []).append(item)
    if not histories:
        raise SourceError(f"{path} has no rows.", "Write one user and one item a row.")
    return histories


def _deliver(
    recommender: Recommender,
    tables: Iterator[pa.Table],
    total: int,
    output: Path | None,
    out: Console,
    columns: tuple[str, str],
    asked: _Asked,
) -> None:
    """Write the tables to a file, or print them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from kgrec.cli.files import result_file

    for line in asked.lines():
        out.say(line)
    if output is None:
        table = pa.concat_tables(tables)
        what = _WHAT[columns[0]]
        nobody = len(asked.skipped.get(what, ())) == total
        why = f"none of these {what} is known" if nobody else "every item is excluded"
        text = _readable(recommender, table, *columns) or f"There is nothing to recommend: {why}."
        out.result({"results": table.to_pylist(), **asked.record()}, text)
        return
    rows, lists = 0, 0
    with result_file(output, _metadata(recommender)) as file, out.bars() as bars:
        for done, table in enumerate(tables, 1):
            file.write(table)
            rows += len(table)
            lists += len(pc.unique(table[columns[0]]))
            bars.step("writing lists")(min(done * _CHUNK, total), total)
    out.say(f"Wrote {rows:,} rows for {lists:,} of {total:,} {_WHAT[columns[0]]} to {output}.")
    out.result({"output": str(output), "rows": rows, "lists": lists, "asked": total, **asked.record()})


def _readable(recommender: Recommender, table: pa.Table, query: str, result: str) -> str:
    lines: list[str] = []
    model, last = recommender.model, ""
    of_users = (query, result) == ("user_id", "similar_id")
    labels = {} if of_users else dict(zip(model.items, model.labels, strict=True))
    for row in table.to_pylist():
        if row[query] != last:
            last = row[query]
            lines.append(f"{last}  {labels.get(last, '')}".rstrip() if query == "item_id" else last)
        label = labels.get(row[result], "")
        lines.append(f"  {row['rank']:>3}. {row['score']:+.3f}  {row[result]}  {label}".rstrip())
    return "\n".join(lines)


def _metadata(recommender: Recommender) -> dict[str, str]:
    model = recommender.model
    return {
        "kgrec.version": __version__,
        "kgrec.written": datetime.now(UTC).isoformat(timespec="seconds"),
        "kgrec.model": model.version,
    }
