"""Conditions on items: from text to a tree.

Enters: text such as `genres = Horror and year >= 1990 and not directed_by in ("Ridley Scott", "James Cameron")`.
Leaves: a `Condition`, which :mod:`kgrec.graph.where` evaluates. Errors name the character, counted from 1. The grammar::

    condition = both { "or" both }
    both      = single { "and" single }
    single    = "not" single | "(" condition ")" | "has" name | name compared
    compared  = ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" ) value | [ "not" ] "in" "(" value { "," value } ")"

Names and values are words, or text between single or double quotes, in which a quote is written twice. A word ends at
a space, a quote, or one of `(),=!<>~`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kgrec.errors import ConfigError

Operator = Literal["=", "<", "<=", ">", ">=", "~"]

#: larger conditions are rejected, because they cost time and stack
MAX_DEPTH, MAX_COMPARISONS = 50, 200

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted> "(?:[^"]|"")*" | '(?:[^']|'')*' )
      | (?P<operator> != | <= | >= | [=<>~] )
      | (?P<mark> [(),] )
      | (?P<word> [^\s"'(),=!<>~]+ )
    )""",
    re.VERBOSE,
)
_KEYWORDS = ("and", "or", "not", "in", "has")
_OPERATORS: tuple[Operator, ...] = ("=", "<", "<=", ">", ">=", "~")
_SYNTAX = 'Write conditions such as: genres = Horror and year >= 1990 and not directed_by = "Ridley Scott".'


@dataclass(frozen=True)
class Word:
    """A name or a value, and its position in the text, counted from 1."""

    text: str
    at: int

    def __str__(self) -> str:
        return f"where, character {self.at}: '{self.text}'"


@dataclass(frozen=True)
class ValueComparison:
    """A name compared with values, at least one of which must match."""

    name: Word
    operator: Operator
    values: tuple[Word, ...]


@dataclass(frozen=True)
class Has:
    """The item has any value by that name."""

    name: Word


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds."""

    parts: tuple[Condition, ...]


Condition = ValueComparison | Has | Not | And | Or


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConfigError: The text is not a condition, or too long, or nested too deeply.
    """
    return _Parser(text).whole()


@dataclass(frozen=True)
class _Token:
    """`kind` is "quoted", "word", "end" after the last token, or otherwise the text itself in lower case."""

    kind: str
    word: Word


class _Parser:
    """Recursive descent: one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = list(reversed(_tokens(text)))
        self._depth = self._comparisons = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._next.kind != "end":
            raise _unexpected(self._next, "'and' or 'or'")
        return condition

    @property
    def _next(self) -> _Token:
        return self._tokens[-1]

    def _taken(self) -> _Token:
        return self._tokens.pop() if self._next.kind != "end" else self._next

    def _took(self, kind: str) -> bool:
        return self._next.kind == kind and bool(self._taken())

    def _either(self) -> Condition:
        return self._joined("or", self._both, Or)

    def _both(self) -> Condition:
        return self._joined("and", self._single, And)

    def _joined(self, keyword: str, part: Callable[[], Condition], kind: type[And] | type[Or]) -> Condition:
        parts = [part()]
        while self._took(keyword):
            parts.append(part())
        return kind(tuple(parts)) if len(parts) > 1 else parts[0]

    def _single(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            problem = f"the condition is nested more than {MAX_DEPTH} levels deep"
            raise _refused(self._next.word.at, problem, "Use fewer parentheses and 'not'.")
        condition = self._unnested()
        self._depth -= 1
        return condition

    def _unnested(self) -> Condition:
        if self._took("not"):
            return Not(self._single())
        if self._took("("):
            condition = self._either()
            self._expect(")")
            return condition
        if self._took("has"):
            return Has(self._word("a name"))
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._word("a name")
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            problem = f"there are more than {MAX_COMPARISONS} comparisons"
            raise _refused(name.at, problem, "Write alternatives as: name in (one, another).")
        if self._took("not"):
            self._expect("in")
            return Not(ValueComparison(name, "=", self._values()))
        if self._took("in"):
            return ValueComparison(name, "=", self._values())
        if self._took("!="):
            return Not(ValueComparison(name, "=", (self._value(),)))
        for operator in _OPERATORS:
            if self._took(operator):
                return ValueComparison(name, operator, (self._value(),))
        raise _unexpected(self._next, "=, !=, <, <=, >, >=, ~ or 'in'")

    def _values(self) -> tuple[Word, ...]:
        self._expect("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Word:
        word = self._word("a value")
        if not word.text:
            raise _refused(word.at, "the value is empty", "For items without any, write: not has name.")
        return word

    def _word(self, what: str) -> Word:
        if self._next.kind not in ("word", "quoted"):
            raise _unexpected(self._next, what)
        return self._taken().word

    def _expect(self, kind: str) -> None:
        if not self._took(kind):
            raise _unexpected(self._next, f"'{kind}'")


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise _no_token(text[at], at + 1)
        group = str(found.lastgroup)
        tokens.append(_token(group, found[group], found.start(group) + 1))
        at = found.end()
    return [*tokens, _Token("end", Word("", end + 1))]


def _token(group: str, text: str, at: int) -> _Token:
    if group == "quoted":
        return _Token(group, Word(text[1:-1].replace(text[0] * 2, text[0]), at))
    if group == "word" and text.lower() not in _KEYWORDS:
        return _Token(group, Word(text, at))
    return _Token(text.lower(), Word(text, at))


def _no_token(character: str, at: int) -> ConfigError:
    if character in "\"'":
        return _refused(at, "this quote is not closed", "Close it; inside quotes, a quote is written twice.")
    return _refused(at, f"'{character}' is not an operator", "Write != for 'is not'.")


def _unexpected(token: _Token, expected: str) -> ConfigError:
    if token.kind == "end":
        return _refused(token.word.at, f"expected {expected}, but the condition ends", _SYNTAX)
    remedy = _SYNTAX
    if token.kind in ("word", "quoted") and expected.startswith("'and'"):
        remedy = 'Put quotes around text with spaces: directed_by = "Ridley Scott".'
    elif token.kind in _KEYWORDS and expected.startswith("a "):
        remedy = f'Put it in quotes if it is {expected}: "{token.word.text}".'
    return _refused(token.word.at, f"expected {expected}, but found '{token.word.text}'", remedy)


def _refused(at: int, problem: str, remedy: str) -> ConfigError:
    return ConfigError(f"where, character {at}: {problem}.", remedy)
