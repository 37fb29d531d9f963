"""Labels and their numbers."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.graph.vocabulary import Vocabulary


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
    with pytest.raises(ValueError, match="must be distinct"):
        Vocabulary(["a", "a"])
