"""Why keys do not match."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from kgrec.ingest.key_mismatch import Keys, Setting, counted_from, likely_mismatch

SETTING = Setting(lambda name: f"by {name}", lambda name: f"from {name}", "user", "swap them")
KNOWN = ["11", "12", "13", "14"]


def keys(*values: str, file: str = "log.csv", column: str = "item", cells: int | None = None) -> Keys:
    return Keys(file, column, pa.array(values, pa.large_string()), len(values) if cells is None else cells)


def cause(wanted: list[str], known: list[str] = KNOWN, beside=None, catalogue=None) -> str:
    found = likely_mismatch(
        keys(*wanted), keys(*known, file="items.csv", column="id"), beside or {}, catalogue or {}, SETTING
    )
    return str(found)


@pytest.mark.parametrize(
    ("wanted", "known", "what"),
    [
        (["11.0", "12.0"], KNOWN, 'a final ".0": "11.0" in log.csv is "11" in items.csv'),
        (["11", "12"], ["11.0", "12.0"], 'a final ".0": "11" in log.csv is "11.0" in items.csv'),
        (["0011", "0012"], KNOWN, 'leading zeros: "0011" in log.csv is "11"'),
        (["11", "12"], ["011", "012"], 'leading zeros: "11" in log.csv is "011"'),
        (["ab1", "CD2"], ["AB1", "CD2"], 'upper and lower case: "ab1" in log.csv is "AB1"'),
        (["a b1", "c d2"], ["ab1", "cd2"], 'blanks: "a b1" in log.csv is "ab1"'),
        (["a\u00a0b1"], ["a b1"], 'blanks: "a\u00a0b1" in log.csv is "a b1"'),
        (["978-3-16", "978-3-17"], ["978316", "978317"], 'punctuation: "978-3-16" in log.csv is "978316"'),
        (["'11'", "'12'"], KNOWN, 'punctuation: "\'11\'" in log.csv is "11"'),
        (
            ["http://e.org/i/11", "http://e.org/i/12"],
            KNOWN,
            'a prefix: "http://e.org/i/11" in log.csv is "11"',
        ),
        (["i11", "i12"], KNOWN, 'a prefix: "i11" in log.csv is "11"'),
        (["11", "12"], ["movie_11", "movie_12", "movie_13"], 'a prefix: "11" in log.csv is "movie_11"'),
        (["011.0", "012.0"], KNOWN, 'leading zeros and a final ".0"'),
        (["M-0011", "M-0012"], KNOWN, '"M-0011" in log.csv is "11"'),
    ],
)
def test_the_difference_is_named_with_an_example(wanted, known, what):
    said = cause(wanted, known)
    assert what in said and "(100% of these ids match then)" in said


def test_a_part_of_the_keys_may_match_already():
    assert 'a final ".0": "13.0"' in cause(["11", "12", "13.0"])
    # most of the others do not match under any candidate
    assert cause(["11", "12", "13.0", "x", "y", "z"]) == "None"


def test_another_column_of_the_catalogue():
    others = {"isbn": keys("x1", "x2", file="items.csv"), "year": keys("x1", "x2", cells=40)}
    said = cause(["x1", "x2", "11"], catalogue=others)
    assert "'item' has values of the column 'isbn' of items.csv, not of 'id' (67%" in said
    assert said.endswith("by isbn")
    # a column that repeats its values is no key
    assert cause(["x1", "x2"], catalogue={"year": others["year"]}) == "None"


def test_another_column_of_the_log():
    beside = {"stars": keys("11"), "code": keys("11", "12", "13", "x")}
    wanted = ["a", "b", "c", "d", "e", "f"]
    said = cause(wanted, beside=beside)
    assert "the ids are in the column 'code' of log.csv, not in 'item' (75%" in said
    assert said.endswith("from code")
    swapped = cause(wanted, beside={"user": keys("11", "12", "13")})
    assert "the columns 'item' and 'user' are swapped (100%" in swapped and swapped.endswith("swap them")


def test_numbers_at_an_offset():
    assert "the ids of log.csv are 100 above those of items.csv" in cause(["111", "112", "114"])
    assert "the ids of log.csv are 10 below those of items.csv" in cause(["1", "2", "3"])
    # too few, or not all of them
    assert cause(["111", "112"]) == "None"
    assert cause(["111", "112", "114", "x"]) == "None"


def test_nothing_is_named_that_explains_little():
    assert cause(["q", "r"]) == "None"
    assert cause([], KNOWN) == cause(["q"], []) == "None"


@pytest.mark.parametrize(
    ("unknown", "said"), [("10", True), ("15", True), ("16", False), ("x", False), ("9", False)]
)
def test_one_unknown_number_beside_the_others_makes_all_doubtful(unknown, said):
    found = counted_from(unknown, pa.array(KNOWN, pa.large_string()))
    assert bool(found) is said
    assert not said or f"the only unknown id is {unknown}, next to the ids 11 to 14" in found


def test_keys_that_are_no_numbers_have_no_start():
    assert counted_from("10", pa.array([*KNOWN, "x"], pa.large_string())) == ""
    assert counted_from("2", pa.array(["1"], pa.large_string())) == ""


def test_a_column_of_numbers_is_weaker_evidence_than_a_prefix():
    user = {"user": keys("11", "12", "13", "14")}
    assert 'a prefix: "i11" in log.csv is "11"' in cause(["i11", "i12", "i13"], beside=user)
    assert "are swapped (100%" in cause(["q", "r", "s"], beside=user)
    # unless the keys are those of the other column
    proven = replace(SETTING, partner_known=keys("i11", "i12", "i13"))
    found = likely_mismatch(keys("i11", "i12", "i13"), keys(*KNOWN), user, {}, proven)
    assert "are swapped (100%" in str(found)


def test_a_column_of_texts_is_stronger_evidence_than_a_prefix():
    beside = {"code": keys("c1", "c2", "c3")}
    said = cause(["z1", "z2", "z3"], ["c1", "c2", "c3"], beside=beside)
    assert "the ids are in the column 'code'" in said
