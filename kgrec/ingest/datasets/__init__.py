"""Importers of datasets in published formats.

Enters: a folder, or files, of RecBole, KGAT, RippleNet or KGCN, MovieLens, SASRec, or plain triples. Leaves: a folder with CSV tables,
N-Triples and kgrec.yaml for `kgrec build`, and `import.json` with counts of what was read and left out. Ids of users and items
do not change.

job        reading, writing and counting, for all formats
plain      files without a header, and arrays
shapes     the content of files without a header
names      names beside ids
place      the output folder, whole or absent
recbole, kgat, kgcn, movielens, log, sequence, triples   one format each
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgrec._version import __version__
from kgrec.errors import ConfigError, SourceError, did_you_mean
from kgrec.ingest.build_report import Report
from kgrec.ingest.datasets.job import Job
from kgrec.ingest.datasets.kgat import read_kgat
from kgrec.ingest.datasets.kgcn import read_kgcn
from kgrec.ingest.datasets.log import log_files, read_log
from kgrec.ingest.datasets.movielens import read_1m, read_100k, read_latest
from kgrec.ingest.datasets.place import check_place, placing
from kgrec.ingest.datasets.plain import first_line
from kgrec.ingest.datasets.recbole import header_of, read_recbole
from kgrec.ingest.datasets.sequence import is_sequence, read_sequence
from kgrec.ingest.datasets.shapes import begins_with_counts, has_a_row_per_pair, log_shapes
from kgrec.ingest.datasets.triples import read_triples_table, triple_files
from kgrec.ingest.mapping.schema import load_mapping
from kgrec.storage.files import digest

Files = dict[str, Path]


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    folder: Path
    format: str
    #: reason for choosing the format
    reason: str
    report: Report
    #: decisions with their reasons, and warnings
    remarks: list[str]
    #: names of files that were not read
    unread: list[str]
    #: name of each file written -> its rows
    written: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format": self.format,
            "reason": self.reason,
            "report": self.report.to_dict(),
            "remarks": self.remarks,
            "unread": self.unread,
            "written": self.written,
        }


@dataclass(frozen=True)
class Format:
    """A published format of datasets."""

    #: names of its files
    about: str
    #: returns the reason why files have this format; None if they do not
    recognise: Callable[[Files], str | None]
    read: Callable[[Job], None]


def import_dataset(
    sources: Sequence[str | Path],
    output: str | Path,
    *,
    format: str | None = None,
    items: str | Path | None = None,
    force: bool = False,
) -> Imported:
    """Import a published dataset into a folder for `kgrec build`.

    Args:
        sources: One folder, or files.
        output: The folder to write, whole or not at all.
        format: One of `DATASET_FORMATS`; None: detected from the names and first lines of the files.
        items: For triples: a file with the heads that are items, one per line.
        force: Also replace a folder that is not an unchanged import.

    Raises:
        SourceError: The files are in no known format, or do not conform to their format.
        ArtifactError: The output folder must not be replaced, or cannot be written.
    """
    output = Path(output)
    files = _files([Path(source) for source in sources])
    if items is not None:
        listing = _listing(Path(items)).resolve()
        files = {name: path for name, path in files.items() if path.resolve() != listing}
    check_place(output, [*files.values(), *([Path(items)] if items else [])], force=force)
    name, reason = _recognised(files) if format is None else (_known(format), "it was requested")
    if items is not None and name != "triples":
        raise ConfigError(
            f"The format {name} has its own list of items.", "Give --items only with --format triples."
        )
    result: dict[str, Any] = {}
    with placing(output, lambda: result) as folder:
        job = Job(name, files, folder, Path(items) if items else None)
        DATASET_FORMATS[name].read(job)
        imported = _finished(job, reason, output)
        hashes = {file: digest(files[file]) for file in job.report.files if file in files}
        result |= {"kgrec_version": __version__, "inputs": hashes, **imported.to_dict()}
    return imported


def _finished(job: Job, reason: str, output: Path) -> Imported:
    if not job.mapping.get("rdf", True):
        del job.mapping["rdf"]
    if not job.written.get("items.csv", job.written.get("movies.csv")):
        raise SourceError(
            "The source has no items.",
            f"Check whether the format is {job.format}; --format sets another one.",
        )
    if job.mapping.get("interactions") and not job.written.get("interactions.csv"):
        raise SourceError("The source has no usable interactions.", "Check whether the files are complete.")
    held_out = [name for name in ("valid.csv", "test.csv") if name in job.written]
    if held_out:
        job.remarks.append(f"Held out, and therefore not in kgrec.yaml: {', '.join(held_out)}.")
    job.write_mapping(reason)
    load_mapping(job.folder / "kgrec.yaml")
    unread = sorted(set(job.files) - set(job.report.files))
    return Imported(output, job.format, reason, job.report, job.remarks, unread, job.written)


# which files, and which format


def _files(sources: list[Path]) -> Files:
    for source in sources:
        if not source.exists():
            raise SourceError(f"{source} does not exist.", "Name a folder, or files.")
    if len(sources) == 1 and sources[0].is_dir():
        found = [path for path in sources[0].iterdir() if path.is_file() and not path.name.startswith(".")]
    else:
        found = sources
    for path in found:
        if not path.is_file():
            raise SourceError(f"{path} is a folder among other sources.", "Name one folder, or files.")
    if not found:
        within = sorted(path.name for path in sources[0].iterdir() if path.is_dir()) if sources else []
        inside = (
            f"Name one of the folders in it: {', '.join(within[:5])}."
            if within
            else "Name a folder with files in it."
        )
        raise SourceError(f"{sources[0] if sources else 'The source'} contains no files.", inside)
    names = [path.name for path in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"Two files are named {twice}.", "Name the files of a single dataset.")
    return dict(sorted(zip(names, found, strict=True)))


def _listing(items: Path) -> Path:
    if not items.is_file():
        raise SourceError(f"{items} does not exist.", "Give a file with one head per line.")
    return items


def _known(name: str) -> str:
    if name not in DATASET_FORMATS:
        raise ConfigError(
            f"There is no format '{name}'.",
            did_you_mean(name, list(DATASET_FORMATS)) + f" Known: {', '.join(DATASET_FORMATS)}.",
        )
    return name


def _recognised(files: Files) -> tuple[str, str]:
    for name, known in DATASET_FORMATS.items():
        if (reason := known.recognise(files)) is not None:
            return name, reason
    found = ", ".join(list(files)[:8]) + (", ..." if len(files) > 8 else "")
    known_ones = "; ".join(f"{name} ({known.about})" for name, known in DATASET_FORMATS.items())
    raise SourceError(
        f"These files are in no known format: {found}.",
        f"Looked for: {known_ones}. Choose one by --format, or draft a mapping for any tables and RDF: kgrec init {_tables(files)}",
    )


def _tables(files: Files) -> str:
    """The files that `kgrec init` can read, as arguments of its call."""
    paths = [
        str(path)
        for name, path in files.items()
        if not re.search(r"(?i)readme|licen[cs]e|\.(md|pdf|npy|py|zip)$", name)
    ]
    return " ".join(paths[:6] or ["FILE"]) + (" ..." if len(paths) > 6 else "")


def _is_recbole(files: Files) -> str | None:
    for suffix in (".inter", ".item", ".kg"):
        for name, path in files.items():
            if name.endswith(suffix) and header_of(first_line(path, name)) is not None:
                return f"{name} has a header of typed columns"
    return None


def _is_kgcn(files: Files) -> str | None:
    links = [name for name in files if name.startswith("item_index2entity_id")]
    return f"there is {links[0]}" if links and any(name.startswith("kg") for name in files) else None


def _is_log(files: Files) -> str | None:
    parts = log_files(log_shapes(files))
    if not parts:
        return None
    return f"the lines of {' and '.join(parts)} have a user, an item and numbers, and no header"


def _is_kgat(files: Files) -> str | None:
    beside = [name for name in ("kg_final.txt", "kg.txt", "item_list.txt", "test.txt") if name in files]
    if "train.txt" not in files or not beside:
        return None
    path = files["train.txt"]
    if has_a_row_per_pair(path, "train.txt") or begins_with_counts(path, "train.txt"):
        return None
    words = first_line(files["train.txt"], "train.txt").split(" ")
    numbers = all(word.isdecimal() for word in words if word)
    return f"train.txt has a user and items per line, and there is {beside[0]}" if numbers else None


def _is_100k(files: Files) -> str | None:
    return "there are u.data and u.item" if {"u.data", "u.item"} <= set(files) else None


def _is_1m(files: Files) -> str | None:
    if not {"ratings.dat", "movies.dat"} <= set(files) or "::" not in first_line(
        files["ratings.dat"], "ratings.dat"
    ):
        return None
    return "there are ratings.dat, with '::' between its columns, and movies.dat"


def _is_latest(files: Files) -> str | None:
    for ratings, movies in (("ratings.csv", "movies.csv"), ("rating.csv", "movie.csv")):
        if {ratings, movies} <= set(files):
            header = first_line(files[ratings], ratings).replace('"', "").split(",")
            return f"there is {movies}, and {ratings} has a column movieId" if "movieId" in header else None
    return None


def _is_triples(files: Files) -> str | None:
    logs = log_shapes(files)
    names = [] if any(name in logs for name in triple_files(files)) else triple_files(files)
    return f"the lines of {names[0]} have three columns" if names else None


def _is_sasrec(files: Files) -> str | None:
    names = [name for name, path in files.items() if is_sequence(path, name)]
    return (
        f"the lines of {names[0]} have a user and an item, and the lines of each user are consecutive"
        if len(names) == 1
        else None
    )


DATASET_FORMATS: dict[str, Format] = {
    "recbole": Format(".inter .item .kg .link", _is_recbole, read_recbole),
    "kgcn": Format("kg.txt item_index2entity_id*.txt", _is_kgcn, read_kgcn),
    "kgat": Format("train.txt test.txt with the items of a user per line, kg_final.txt", _is_kgat, read_kgat),
    "ml-100k": Format("u.data u.item", _is_100k, read_100k),
    "ml-1m": Format("ratings.dat movies.dat", _is_1m, read_1m),
    "ml-latest": Format("ratings.csv movies.csv", _is_latest, read_latest),
    "log": Format(
        "ratings_final.txt or .npy, train.txt test.txt without a header, kg_final.txt or .npy",
        _is_log,
        read_log,
    ),
    "triples": Format("tab-separated triples", _is_triples, read_triples_table),
    "sasrec": Format("one file with a user and an item per line, oldest first", _is_sasrec, read_sequence),
}
