"""Labels and their numbers."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import ConfigError
from kgrec.graph.vocabulary import Vocabulary


def test_strings_are_numbered_in_the_order_given():
    words = Vocabulary(["b", "a"])
    assert (len(words), words[0], words[-1], words.tolist()) == (2, "b", "a", ["b", "a"])
    assert words.ids(["a", "z"]).tolist() == words.ids(pa.array(["a", "z"])).tolist() == [1, -1]
    with pytest.raises(ConfigError, match="must be distinct"):
        Vocabulary(["a", "a"])


def test_an_extended_vocabulary_has_all_and_leaves_the_first_as_it_is():
    words = Vocabulary(["b", "a"])
    assert words.ids(["a"]).tolist() == [1]
    larger = words.extended(["d"]).extended(["c", "e"])
    assert larger.tolist() == list(larger) == larger.to_numpy().tolist() == ["b", "a", "d", "c", "e"]
    assert (len(words), words.ids(["d"]).tolist()) == (2, [-1])
    asked = ["e", "b", "x", "d"]
    assert larger.ids(asked).tolist() == larger.ids(pa.array(asked)).tolist() == [4, 0, -1, 2]
    assert larger.take(np.array([4, 0, 3])).to_pylist() == ["e", "b", "c"]
    assert (larger[2], larger[-1]) == ("d", "e")
    assert larger == Vocabulary(["b", "a", "d", "c", "e"])


def test_what_is_there_already_cannot_be_appended():
    words = Vocabulary(["a"]).extended(["b"])
    for again in (["a"], ["b"], ["c", "c"]):
        with pytest.raises(ConfigError, match="must be distinct"):
            words.extended(again)


@given(st.lists(st.text()))
def test_a_vocabulary_gives_its_labels_back(labels: list[str]):
    words = Vocabulary.of(labels)
    assert words.tolist() == sorted(set(labels), key=lambda label: label.encode("utf-8"))
    assert [words[i] for i in words.ids(labels)] == labels
    assert words.ids(pa.array(labels, pa.large_string())).tolist() == words.ids(labels).tolist()


def test_a_vocabulary_says_what_is_unknown_and_near():
    words = Vocabulary(["beta", "alpha"])
    assert words.ids(["alpha", "gamma"]).tolist() == [1, -1]
    assert words.nearest("alpa") == ["alpha"]
    with pytest.raises(ConfigError, match="must be distinct"):
        Vocabulary(["a", "a"])
