"""Reading conditions: what text becomes which tree, and what errors say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import ConfigError
from kgrec.graph.where_syntax import (
    MAX_COMPARISONS,
    MAX_DEPTH,
    And,
    Condition,
    Has,
    Not,
    Operator,
    Or,
    ValueComparison,
    Word,
    parse,
)


def compared(name: str, operator: Operator, *values: str) -> ValueComparison:
    return ValueComparison(Word(name, 0), operator, tuple(Word(value, 0) for value in values))


def bare(condition: Condition) -> Condition:
    """Without the places in the text."""
    if isinstance(condition, ValueComparison):
        return compared(condition.name.text, condition.operator, *(value.text for value in condition.values))
    if isinstance(condition, Has):
        return Has(Word(condition.name.text, 0))
    if isinstance(condition, Not):
        return Not(bare(condition.part))
    return type(condition)(tuple(map(bare, condition.parts)))


A, B, C = compared("a", "=", "1"), compared("b", "=", "2"), compared("c", "=", "3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", A),
        ("a=1", A),
        (" a\n=\t1 ", A),
        ("\"a\" = '1'", A),
        ("a != 1", Not(A)),
        ("a < 1", compared("a", "<", "1")),
        ("a <= 1", compared("a", "<=", "1")),
        ("a > 1", compared("a", ">", "1")),
        ("a>=1", compared("a", ">=", "1")),
        ("a ~ 1", compared("a", "~", "1")),
        ("a in (1)", A),
        ("a in(1,x ,'y z')", compared("a", "=", "1", "x", "y z")),
        ("a not in (1, 2)", Not(compared("a", "=", "1", "2"))),
        ("has a", Has(Word("a", 0))),
        ("not has ^a", Not(Has(Word("^a", 0)))),
        ("a = 1 and b = 2 and c = 3", And((A, B, C))),
        ("a = 1 or b = 2 and c = 3", Or((A, And((B, C))))),
        ("a = 1 and b = 2 or c = 3", Or((And((A, B)), C))),
        ("(a = 1 or b = 2) and c = 3", And((Or((A, B)), C))),
        ("not a = 1 and b = 2", And((Not(A), B))),
        ("not (a = 1 and b = 2)", Not(And((A, B)))),
        ("NOT a = 1 Or b = 2", Or((Not(A), B))),
        ("not not a = 1", Not(Not(A))),
        ('"and" = "or"', compared("and", "=", "or")),
        ("'it''s' = \"a \"\"b\"\" 'c'\"", compared("it's", "=", "a \"b\" 'c'")),
        ("dbo:author = http://x.example/A#b?c", compared("dbo:author", "=", "http://x.example/A#b?c")),
        ("a >= -1.5e3", compared("a", ">=", "-1.5e3")),
        ("Ä = ß", compared("Ä", "=", "ß")),
    ],
)
def test_text_becomes_this_tree(text: str, expected: Condition):
    assert bare(parse(text)) == expected


def test_words_know_where_they_stand():
    assert parse(" genres in ( Horror, 'Film noir')") == ValueComparison(
        Word("genres", 2), "=", (Word("Horror", 14), Word("Film noir", 22))
    )


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("", "1: expected a name, but the condition ends", "Write conditions such as: genres = Horror"),
        ("a = 1 or ", "9: expected a name, but the condition ends", "Write conditions such as"),
        ("a", "2: expected =, !=, <, <=, >, >=, ~ or 'in', but the condition ends", "Write conditions"),
        ("a = ", "4: expected a value, but the condition ends", "Write conditions"),
        ("a = Ridley Scott", "12: expected 'and' or 'or', but found 'Scott'", "Put quotes around text"),
        (
            "a = 1 b = 2",
            "7: expected 'and' or 'or', but found 'b'",
            "Put quotes around text with spaces",
        ),
        (
            "a = in",
            "5: expected a value, but found 'in'",
            "Put it in quotes if it is a value",
        ),
        ("a = 1)", "6: expected 'and' or 'or', but found ')'", "Write conditions"),
        ("(a = 1", "7: expected ')', but the condition ends", "Write conditions"),
        ("a in 1", "6: expected '(', but found '1'", "Write conditions"),
        ("a in (1 2)", "9: expected ')', but found '2'", "Write conditions"),
        ("a not = 1", "7: expected 'in', but found '='", "Write conditions"),
        ("a == 1", "4: expected a value, but found '='", "Write conditions"),
        ("a ! 1", "3: '!' is not an operator", "Write != for 'is not'"),
        ("a = 'b", "5: this quote is not closed", "Close it; inside quotes, a quote is written twice"),
        ("a = Schindler's", "14: this quote is not closed", "Close it"),
        ("a = ''", "5: the value is empty", "For items without any, write: not has name"),
    ],
)
def test_errors_name_the_place(text: str, problem: str, remedy: str):
    with pytest.raises(ConfigError) as raised:
        parse(text)
    assert raised.value.problem == f"where, character {problem}."
    assert raised.value.remedy.startswith(remedy)


def test_nesting_and_length_are_bounded():
    for opened, closed in (("(", ")"), ("not ", "")):
        parse(opened * (MAX_DEPTH - 1) + "a = 1" + closed * (MAX_DEPTH - 1))
        with pytest.raises(ConfigError, match="nested more than 50 levels deep"):
            parse(opened * 100_000 + "a = 1" + closed * 100_000)
    parse(" or ".join(["a = 1"] * MAX_COMPARISONS))
    with pytest.raises(ConfigError, match="more than 200 comparisons"):
        parse(" or ".join(["a = 1"] * (MAX_COMPARISONS + 1)))


@given(st.text(st.sampled_from("ab =!<>~(),'\"^\n") | st.characters(codec="utf-8")))
def test_any_text_is_a_condition_or_an_error(text: str):
    try:
        parse(text)
    except ConfigError as error:
        at = int(error.problem.split()[2].rstrip(":"))
        assert 1 <= at <= len(text) + 1


@given(st.text(min_size=1), st.sampled_from("\"'"))
def test_anything_can_be_quoted(text: str, quote: str):
    quoted = quote + text.replace(quote, 2 * quote) + quote
    assert bare(parse(f"{quoted}={quoted}")) == compared(text, "=", text)
