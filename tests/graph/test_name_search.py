"""Names by case, accents, words and likeness."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kgrec.graph.name_search import NameSearch, folded_text

LABELS = [
    *(
        "The Hobbit",
        "the hobbit: an illustrated edition",
        "Amélie",
        "Harry Potter and the Goblet of Fire",
        "Alien",
    ),
    *("Aliens", "Straße nach Süden", "!!!", "攻殻機動隊", "Alien", "", "Potter's Field"),
]
IDS = [*("b1", "b2", "amelie-2001", "b4", "b5", "b6", "b7", "b8", "b9", "b10", "no-label-1999", "12")]


@pytest.fixture(scope="module")
def names() -> NameSearch:
    return NameSearch(pa.array(IDS, pa.large_string()), pa.array(LABELS, pa.large_string()))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b1", [("b1", "id"), ("b10", "prefix")]),
        ("The Hobbit", [("b1", "label"), ("b2", "prefix")]),
        ("THE  hobbit!", [("b1", "label"), ("b2", "prefix")]),
        ("amelie", [("amelie-2001", "label")]),
        ("AMÉLIE 2001", [("amelie-2001", "id")]),
        ("strasse", [("b7", "prefix")]),
        ("goblet harry", [("b4", "words")]),
        ("pott", [("12", "prefix"), ("b4", "words")]),
        ("obbi", [("b1", "part"), ("b2", "part")]),
        ("機動隊", [("b9", "part")]),
        ("!!!", [("b8", "label")]),
        ("1", []),
        ("12", [("12", "id")]),
        ("no label", [("no-label-1999", "prefix")]),
        ("The Hobit", [("b1", "similar"), ("b2", "similar")]),
        ("Hary Poter and the goblet", [("b4", "similar")]),
        ("zzzz", []),
        ("", []),
    ],
)
def test_how_names_are_found(text: str, found: list[tuple[str, str]], names: NameSearch):
    assert [(IDS[one.row], one.match) for one in names.search(text, 10)] == found


def test_the_best_k_are_returned(names: NameSearch):
    assert [IDS[one.row] for one in names.search("alien", 2)] == ["b5", "b10"]
    assert [IDS[one.row] for one in names.search("alien", 3)] == ["b5", "b10", "b6"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [("alien", ["b5", "b10"]), ("AMELIE", ["amelie-2001"]), ("b1", []), ("", []), ("?", [])],
)
def test_rows_with_a_label(text: str, ids: list[str], names: NameSearch):
    assert [IDS[row] for row in names.named(text)] == ids


def test_the_spelling_decides_between_labels_that_differ_in_case():
    names = NameSearch(pa.array(["1", "2"], pa.large_string()), pa.array(["US", "Us"], pa.large_string()))
    assert names.named("Us") == [1] and names.named("us") == [0, 1]


def test_similar_names_are_sorted_by_likeness(names: NameSearch):
    scores = [one.score for one in names.search("the hobit", 10)]
    assert scores == sorted(scores, reverse=True) and 0.6 <= scores[-1] < scores[0] < 1


def test_folding():
    assert folded_text("  L'Été - Œuvre №1, ŁÓDŹ ") == "l ete oeuvre no1 lodz"
