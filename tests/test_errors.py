"""The tree of errors, and what their second lines suggest."""

from __future__ import annotations

import inspect

import pytest

import kgrec
from kgrec import errors
from kgrec.errors import KgrecError, did_you_mean, nearest, sharing_words

TREE = """\
KgrecError
├── MappingError
├── ConfigError
├── SourceError
│   └── TooManyBadRows
├── UnknownId
├── EncoderNotFound
├── TrainingError
├── WorkerError
├── StoreError
│   └── NoStore
├── SelfTestError
└── ArtifactError
    ├── VersionMismatch
    └── CorruptArtifact"""


def drawn(error: type[KgrecError], indent: str = "") -> list[str]:
    lines = []
    below = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    for child in below:
        last = child is below[-1]
        lines.append(f"{indent}{'└── ' if last else '├── '}{child.__name__}")
        lines += drawn(child, indent + ("    " if last else "│   "))
    return lines


def test_the_tree_is_as_drawn():
    assert ["KgrecError", *drawn(KgrecError)] == TREE.splitlines()
    shown = inspect.cleandoc(errors.__doc__ or "")
    for line in TREE.splitlines():
        assert line in shown


def test_every_error_is_public():
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, KgrecError):
            assert getattr(kgrec, name) is value


def test_an_error_has_two_lines():
    error = errors.SourceError("films.csv is empty.", "Write a header.")
    assert (error.problem, error.remedy) == ("films.csv is empty.", "Write a header.")
    assert str(error) == "films.csv is empty.\n  Write a header."


def test_characters_that_nobody_sees_are_escaped():
    error = KgrecError("There is no item 'a\0b\u200b' or '\ud800' or 'Crème\n日本'.", "Tab:\t.")
    assert str(error) == r"There is no item 'a\x00b\u200b' or '\ud800' or 'Crème 日本'." + "\n  Tab:\\t."


def test_exit_codes():
    codes = {
        e.__name__: e.exit_code
        for e in vars(errors).values()
        if inspect.isclass(e) and hasattr(e, "exit_code")
    }
    assert {name for name, code in codes.items() if code != 2} == {"TooManyBadRows"}
    assert codes["TooManyBadRows"] == 3


@pytest.mark.parametrize(
    ("name", "known", "clause"),
    [
        ("titel", ["id", "title", "plot"], "Did you mean 'title'?"),
        ("TITLE", ["id", "title"], "Did you mean 'title'?"),
        ("f11", ["f1", "f2", "f12"], "Did you mean 'f1' or 'f12'?"),
        (
            "year",
            ["title", "original_publication_year", "yearn"],
            "Did you mean 'original_publication_year' or 'yearn'?",
        ),
        ("year", ["id", "originalPublicationYear", "pages"], "Did you mean 'originalPublicationYear'?"),
        ("country", ["release countries", "count"], "Did you mean 'release countries' or 'count'?"),
        ("genre", ["genres", "schema:genre", "gene"], "Did you mean 'genres', 'schema:genre' or 'gene'?"),
        ("genre", ["genre1", "Genre2", "gen"], "Did you mean 'genre1', 'Genre2' or 'gen'?"),
        ("publication year", ["year", "year_of_publication"], "Did you mean 'year_of_publication'?"),
        ("zzz", [], "There are none."),
        ("zzz", ["a"], "There is 'a'."),
        ("zzz", ["a", "b", "c"], "There are 'a', 'b' and 'c'."),
        ("zzz", list("abcdefg"), "There are 7, such as 'a', 'b', 'c', 'd' and 'e'."),
    ],
)
def test_the_nearest_names_are_suggested(name: str, known: list[str], clause: str):
    assert did_you_mean(name, known) == clause


def test_among_many_names_the_neighbourhood_is_searched():
    known = [f"item-{n:06}" for n in range(100_000)]
    assert nearest("item-050000x", known)[0] == "item-050000"
    assert len(nearest("item-0500001", known)) == 3


def test_all_names_with_the_word_are_suggested():
    genres = [
        f"genre_{name}"
        for name in [
            "action",
            "comedy",
            "crime",
            "drama",
            "film_noir",
            "horror",
            "musical",
            "romance",
            "sci_fi",
            "thriller",
            "war",
            "western",
        ]
    ]
    clause = did_you_mean("genre", ["id", "general", *genres, "title"])
    assert all(f"'{name}'" in clause for name in genres) and "general" not in clause


def test_ids_of_a_large_catalogue_are_compared_by_their_spelling():
    known = [f"item {n:06}" for n in range(30_000)]
    assert sharing_words("item", known) == []
