"""MovieLens (Harper & Konstan 2015): 100k, 1m, and later releases.

Enters: u.data and u.item; ratings.dat and movies.dat; or ratings.csv, movies.csv, links.csv, tags.csv. Leaves: movies.csv,
interactions.csv, tags.csv, kgrec.yaml. Years are taken from the titles; ratings of 4 and more are positive.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest.batches import Batch
from kgrec.ingest.datasets.job import EMPTY, InteractionWriter, Job
from kgrec.ingest.datasets.plain import opened
from kgrec.ingest.table_statements import BROKEN

_GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
_NO_GENRE = ("unknown", "(no genres listed)")
_TITLED = re.compile(r"(.*\S)\s*\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(rf"(\d\d?)-({'|'.join(_MONTHS)})-(\d{{4}})")
_COLUMNS = {"user_id": "user", "item_id": "item", "rating": "rating", "timestamp": "time"}
_LATEST = {"user_id": "userId", "item_id": "movieId", "rating": "rating", "timestamp": "timestamp"}
_SITES = {
    "imdbId": ("imdb", "https://www.imdb.com/title/tt"),
    "tmdbId": ("tmdb", "https://www.themoviedb.org/movie/"),
}

_TAGS = ["movieId", "tag", "userId"]

MovieRow = tuple[int, list[str]]


def read_100k(job: Job) -> None:
    """Read u.data, u.item and, if it exists, u.genre.

    Raises:
        SourceError: A file is absent, or has another format.
    """
    log = _log(job, _COLUMNS)
    for batch in job.rows(job.need("u.data"), list(_COLUMNS.values()), "\t"):
        log.add(batch)
    job.close(job.tally("u.data"))
    genres = _genres(job)
    movies = _Movies(job, "u.item", ("movie_id", "title", "year", "released", "genres"))
    for line, cells in _split(job, job.need("u.item"), "|"):
        if len(cells) != 5 + len(genres):
            movies.drop(BROKEN, line)
            continue
        named = [genre for genre, flag in zip(genres, cells[5:], strict=True) if flag == "1"]
        movies.add(line, cells[0], cells[1], [_date(cells[2])], named)
    _finish(job, movies, log, {"released": "date"})


def read_1m(job: Job) -> None:
    """Read ratings.dat, movies.dat and, if it exists, tags.dat, as in ML-1M and ML-10M.

    Raises:
        SourceError: A file is absent, or has another format.
    """
    # Arrow has one-character delimiters: "::" is read as two of them with an empty column between
    names = ["user", "_1", "item", "_2", "rating", "_3", "time"]
    log = _log(job, _COLUMNS)
    for batch in job.rows(job.need("ratings.dat"), names, ":"):
        log.add(batch)
    job.close(job.tally("ratings.dat"))
    movies = _Movies(job, "movies.dat", ("movie_id", "title", "year", "genres"))
    for line, cells in _split(job, job.need("movies.dat"), "::"):
        if len(cells) == 3:
            movies.add(line, cells[0], cells[1], [], cells[2].split("|"))
        else:
            movies.drop(BROKEN, line)
    _finish(job, movies, log, {})
    if "tags.dat" in job.files:
        names = ["userId", "_1", "movieId", "_2", "tag", "_3", "timestamp"]
        _tags(job, "tags.dat", job.rows("tags.dat", names, ":"))


def read_latest(job: Job) -> None:
    """Read ratings.csv, movies.csv and, if they exist, links.csv and tags.csv.

    Raises:
        SourceError: A file is absent, or lacks a column.
    """
    log, ratings, table = _log(job, _LATEST), _named(job, "ratings.csv"), _named(job, "movies.csv")
    for batch in _table(job, ratings, list(_LATEST.values())):
        log.add(batch)
    job.close(job.tally(ratings))
    name = _named(job, "links.csv")
    links, sites = _links(job, name) if name in job.files else ({}, [])
    movies = _Movies(job, table, ("movie_id", "title", "year", *sites, "genres"))
    for batch in _table(job, table, ["movieId", "title", "genres"]):
        columns = [batch.columns[name].to_pylist() for name in ("movieId", "title", "genres")]
        for line, key, title, genres in zip(batch.lines.tolist(), *columns, strict=True):
            movies.add(
                line,
                key,
                title,
                [links.get((site, key), "") for site in sites],
                genres.split("|"),
                counted=True,
            )
    _finish(job, movies, log, dict.fromkeys(sites, "same_as"))
    if (name := _named(job, "tags.csv")) in job.files:
        _tags(job, name, _table(job, name, _TAGS))


def _named(job: Job, name: str) -> str:
    """`name`, or its singular as on Kaggle, whichever exists."""
    singular = name.replace("s.csv", ".csv")
    return singular if name not in job.files and singular in job.files else name


class _Movies:
    """Rows of movies.csv, by key, in the order of the source."""

    def __init__(self, job: Job, source: str, header: Sequence[str]) -> None:
        self.job, self.source, self.header = job, source, header
        self.tally = job.tally(source)
        self.rows: dict[str, list[str]] = {}

    def drop(self, reason: str, line: int) -> None:
        self.tally.report.rows += 1
        self.tally.drop(reason, 1, (f"{self.source}:{line}",))

    def add(
        self,
        line: int,
        key: str,
        title: str,
        more: list[str],
        genres: Sequence[str],
        *,
        counted: bool = False,
    ) -> None:
        """Add a movie; `more` are the cells between year and genres."""
        self.tally.report.rows += not counted
        if not key.strip() or key in self.rows:
            why = "has the key of an earlier row" if key.strip() else EMPTY
            self.tally.drop(why, 1, (f"{self.source}:{line}",))
            return
        match = _TITLED.fullmatch(title.strip())
        name, year = (match[1], match[2]) if match else (title.strip(), "")
        named = "|".join(genre for genre in genres if genre and genre not in _NO_GENRE)
        self.rows[key] = [key, name, year, *more, named]
        self.tally.report.used += 1


def _log(job: Job, columns: dict[str, str]) -> InteractionWriter:
    return InteractionWriter(job, "interactions.csv", columns)


def _table(job: Job, name: str, columns: list[str]) -> Iterator[Batch]:
    header, batches = job.table(job.need(name))
    missing = [column for column in columns if column not in header]
    if missing:
        raise SourceError(f"{name} has no column '{missing[0]}'.", f"It has {', '.join(header)}.")
    return batches


def _finish(job: Job, movies: _Movies, log: InteractionWriter, roles: dict[str, str]) -> None:
    """Write movies.csv and the mapping; a movie that is only in the log gets a row with its key alone."""
    job.close(movies.tally)
    only = [key for key in log.items if key not in movies.rows]
    if only:
        job.remarks.append(
            f"Movies in the log that are not in {movies.source}: {len(only):,}, such as {only[0]}; they are kept without a title."
        )
    blank = [""] * (len(movies.header) - 1)
    job.write("movies.csv", movies.header, [*movies.rows.values(), *([key, *blank] for key in only)])
    columns: dict[str, Any] = {"title": "label", "year": "number", **roles}
    columns["genres"] = {"as": "node", "type": "genre", "edge": "genre", "split": "|"}
    job.mapping["nodes"]["movie"] = {
        "item": True,
        "file": "movies.csv",
        "key": "movie_id",
        "columns": columns,
    }
    job.mapping["interactions"] = log.mapped(">= 4")
    job.remarks.append(
        'Ratings of 4 and more are positive: change `positive: ">= 4"` in kgrec.yaml for another threshold.'
    )


def _genres(job: Job) -> list[str]:
    """The genres of the flags in u.item, in order."""
    if "u.genre" not in job.files:
        job.remarks.append("There is no u.genre: the flags in u.item are read as the 19 genres of ML-100k.")
        return _GENRES
    rows = [(line, cells) for line, cells in _split(job, "u.genre", "|") if cells[0]]
    numbers = [cells[-1] for _, cells in rows]
    if numbers != [str(i) for i in range(len(rows))]:
        raise SourceError(
            "u.genre does not number its genres from 0.", "Download it again, or remove it from the source."
        )
    part = job.report.file("u.genre")
    part.rows = part.used = len(rows)
    return [cells[0] for _, cells in rows]


def _split(job: Job, name: str, separator: str) -> Iterator[MovieRow]:
    """Line number and cells of each line of a small file, in UTF-8 or otherwise in Latin-1, which GroupLens used."""
    with opened(job.files[name], name) as stream:
        data: bytes = stream.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            yield number, line.rstrip("\r\n").split(separator)


def _date(text: str) -> str:
    """01-Jan-1995 as 1995-01-01; other texts unchanged, for the build to report."""
    match = _DATE.fullmatch(text.strip())
    return f"{match[3]}-{_MONTHS.index(match[2]) + 1:02}-{match[1]:0>2}" if match else text.strip()


def _links(job: Job, name: str) -> tuple[dict[tuple[str, str], str], list[str]]:
    """(site, movie) -> IRI, and the sites."""
    found: dict[tuple[str, str], str] = {}
    sites: list[str] = []
    batches = list(_table(job, name, ["movieId"]))
    for column, (site, base) in _SITES.items():
        ours: dict[tuple[str, str], str] = {}
        for batch in (batch for batch in batches if column in batch.columns):
            pairs = zip(*(batch.columns[key].to_pylist() for key in ("movieId", column)), strict=True)
            ours.update({(site, key): base + number for key, number in pairs if number})
        found |= ours
        sites += [site] if ours else []
    part = job.report.file(name)
    part.used = sum(map(len, batches))
    return found, sites


def _tags(job: Job, name: str, batches: Iterator[Batch]) -> None:
    """Write tags.csv: tags in lower case, with the number of users who gave each tag to each movie."""
    tally = job.tally(name)
    parts = []
    for batch in batches:
        rows = pa.table({column: batch.columns[column] for column in _TAGS})
        rows = rows.set_column(1, "tag", pc.utf8_lower(pc.utf8_trim_whitespace(rows["tag"])))
        full = pc.and_(pc.not_equal(rows["movieId"], ""), pc.not_equal(rows["tag"], ""))
        empty = pc.invert(full).combine_chunks().to_numpy(zero_copy_only=False).nonzero()[0]
        tally.drop(EMPTY, len(empty), batch.places(empty))
        parts.append(rows.filter(full))
        tally.report.used += len(parts[-1])
    job.close(tally)
    if not tally.report.used:
        return
    counted = pa.concat_tables(parts).group_by(["movieId", "tag"]).aggregate([("userId", "count_distinct")])
    counted = counted.select(["movieId", "tag", "userId_count_distinct"]).sort_by(
        [("movieId", "ascending"), ("tag", "ascending")]
    )
    counted = counted.rename_columns(["movie_id", "tag", "users"])
    job.append("tags.csv", counted.set_column(2, "users", pc.cast(counted["users"], pa.string())))
    edges = {"file": "tags.csv", "from": {"movie": "movie_id"}, "to": {"tag": "tag"}, "weight": "users"}
    job.mapping["edges"] = {"tagged": edges}
