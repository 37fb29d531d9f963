import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kgrec.storage.string_index import StringIndex, hashed


def strings(values: list[str]) -> pa.Array:
    return pa.array(values, pa.large_string())


def test_the_hash_is_fnv_1a():
    """Values of the authors' test suite."""
    assert [hex(one) for one in hashed(strings(["", "a", "foobar"]))] == [
        *("0xcbf29ce484222325", "0xaf63dc4c8601ec8c", "0x85944171f73967e8")
    ]


@given(st.lists(st.text(), unique=True), st.lists(st.text()))
def test_places_are_those_of_a_dictionary(known: list[str], asked: list[str]):
    places = {label: place for place, label in enumerate(known)}
    asked = [*asked, *known]
    found = StringIndex(strings(known)).places(strings(asked))
    assert found.tolist() == [places.get(label, -1) for label in asked]


def test_a_slice_of_an_array_is_read_from_its_beginning():
    assert StringIndex(strings(["x", "a", "b"]).slice(1)).places(
        strings(["b", "x", "a"]).slice(1)
    ).tolist() == [-1, 0]
