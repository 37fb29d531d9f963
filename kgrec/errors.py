"""All errors that kgrec raises intentionally.

The first line of an error states the problem and its place; the second line states the remedy::

    KgrecError
    ├── MappingError          kgrec.yaml is not a valid mapping
    ├── ConfigError           an option of a stage is unknown or out of range
    ├── SourceError           a source file is absent, empty, wrongly encoded, or lacks a column
    │   └── TooManyBadRows    more rows were bad than `errors:` in the mapping allows
    ├── UnknownId             a user, item or node is not in the graph or the model
    ├── EncoderNotFound       no sentence-transformer with the given name can be loaded
    ├── TrainingError         the data cannot train a model
    ├── WorkerError           a process of a parallel run died
    ├── StoreError            a feedback store cannot be opened, read or written
    │   └── NoStore           there is no feedback store at this place
    ├── SelfTestError         a loaded model fails its self-test
    └── ArtifactError         a graph/ or model/ folder cannot be read or written
        ├── VersionMismatch   it was written by an incompatible version
        └── CorruptArtifact   a file is absent, or does not match the manifest
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Sequence

_MAX_COMPARED = 20_000
_COMPARED_NEIGHBORS = 500
#: largest number of suggestions that share a word; enough for all columns of a table of twelve genres
_MOST_BY_WORD = 20
#: with at least this many suggestions by words, names that are only spelled alike are left out
_FEW = 3
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])")
_BETWEEN_WORDS = re.compile(r"[\W_]+")


class KgrecError(Exception):
    """Base class of all errors in this package.

    Args:
        problem: One line with the problem and its place.
        remedy: One line with what the user can do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n  ".join(_printable(" ".join(part.splitlines())) for part in (self.problem, self.remedy))


class MappingError(KgrecError):
    """The mapping is not valid."""


class ConfigError(KgrecError):
    """An option of a stage is unknown, or its value is out of range."""


class SourceError(KgrecError):
    """A source file is absent, empty, wrongly encoded, or lacks a column."""


class TooManyBadRows(SourceError):
    """More rows were bad than the mapping's `errors:` section allows."""

    exit_code = 3


class UnknownId(KgrecError):
    """A user, item or node is not in the graph or the model."""


class EncoderNotFound(KgrecError):
    """No sentence-transformer with the given name can be loaded."""


class TrainingError(KgrecError):
    """The data cannot train a model."""


class WorkerError(KgrecError):
    """A process of a parallel run died, so its part has no result."""


class StoreError(KgrecError):
    """A feedback store cannot be opened, read or written."""


class NoStore(StoreError):
    """There is no feedback store at this place."""


class SelfTestError(KgrecError):
    """A loaded model fails its self-test."""


class ArtifactError(KgrecError):
    """A graph/ or model/ folder cannot be read or written."""


class VersionMismatch(ArtifactError):
    """A folder was written by a version of kgrec that this one cannot read."""


class CorruptArtifact(ArtifactError):
    """A file of a folder is absent, or does not match the manifest."""


def nearest(name: str, known: Sequence[str], n: int = 3) -> list[str]:
    """The `n` names in `known` that are most similar to `name`, best first.

    If `known` has more than 20,000 names, only the alphabetical neighbourhood of `name` is
    compared, and `known` must be sorted.
    """
    if len(known) > _MAX_COMPARED:
        at = bisect_left(known, name)
        known = known[max(0, at - _COMPARED_NEIGHBORS) : at + _COMPARED_NEIGHBORS]
    lowered = {k.lower(): k for k in reversed(known)}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, n, 0.5)]


def sharing_words(name: str, known: Sequence[str], n: int = _MOST_BY_WORD) -> list[str]:
    """The names in `known` that contain all words of `name`: for "year", "original_publication_year"; for "genre", "genre_1" and "genres".

    A character other than a letter or digit separates words, and a capital letter or a number begins a new word; plural and singular are equal. Names with
    fewer words come first, and at most `n` are returned. More than 20,000 names are taken to be ids, whose words are not compared.
    """
    wanted = _words(name)
    if not any(word.isalpha() and len(word) > 1 for word in wanted) or len(known) > _MAX_COMPARED:
        return []
    found = [(len(words), one) for one in known if (words := _words(one)) >= wanted]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])][:n]


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A clause for an error's second line: names with the same words and the nearest names, or a sample of the known names."""
    by_word = sharing_words(name, known)
    close = nearest(name, known)
    # if no name has the same words, the name with the most similar spelling comes first
    suggested = list(dict.fromkeys([*by_word, *close])) if len(by_word) < _FEW else by_word
    if suggested:
        return f"Did you mean {_listed(suggested)}?"
    if not known:
        return "There are none."
    if len(known) > 5:
        return f"There are {len(known):,}, such as {_listed(known[:5], 'and')}."
    return f"There {'is' if len(known) == 1 else 'are'} {_listed(known, 'and')}."


def _words(name: str) -> frozenset[str]:
    """The words of a name, in lower case and in the singular."""
    parted = _CAPITAL.sub(" ", name)
    return frozenset(_singular(word) for word in _BETWEEN_WORDS.sub(" ", parted).lower().split())


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def _printable(text: str) -> str:
    """The text with invisible characters escaped; ids, columns and file names may contain any character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _listed(names: Sequence[str], joiner: str = "or") -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joiner} {quoted[-1]}"
