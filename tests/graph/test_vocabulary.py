import numpy as np
import pyarrow as pa
import pytest

from kgrec.graph.vocabulary import Vocabulary


def test_strings_are_numbered_in_the_order_given():
    words = Vocabulary(["b", "a"])
    assert (len(words), words[0], words[-1], words.tolist()) == (2, "b", "a", ["b", "a"])
    assert words.ids(["a", "z"]).tolist() == words.ids(pa.array(["a", "z"])).tolist() == [1, -1]
    with pytest.raises(ValueError, match="must be distinct"):
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
        with pytest.raises(ValueError, match="must be distinct"):
            words.extended(again)
