"""What baselines read from a graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords

from kgrec.errors import SourceError
from kgrec.evaluate.baselines.baseline_data import data_of, over_items_of
from kgrec.graph.build import build_graph
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary


def test_baseline_data_of_a_graph(shared_catalogue: Path, bag_of_words: BagOfWords):
    graph = build_graph(shared_catalogue / "kgrec.yaml")
    log = pd.DataFrame(
        {"user_id": ["u", "u", "v"], "item_id": ["f1", "f3", "f1"], "day": [0, 86_400, 5 * 86_400]}
    )
    interactions = Interactions.from_frame(log, graph.item_ids, time="day")
    found = data_of(graph, interactions, text_encoder=bag_of_words, hidden=np.array([5]))
    assert found.positives.toarray().tolist() == [[1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert found.ages is not None and found.ages.toarray().tolist() == [[5, 0, 4, 0, 0, 0], [0] * 6]
    assert found.ages.indices.tolist() == [0, 2, 0]
    assert found.places is not None and found.places.toarray().tolist() == [[1, 0, 2, 0, 0, 0], [1] + [0] * 5]
    assert found.histories.ordered and found.histories.item.tolist() == [0, 2, 0]
    turned = replace(interactions, time=None, position=np.array([7, 3, 1]))
    by_position = found.with_interactions(graph, turned)
    assert by_position.ages is None and by_position.histories.item.tolist() == [2, 0, 0]
    assert found.texts[0] == "Alien Dawn. a crew meets a creature in space"
    # Horror, Science fiction, Ada; the director alone is shared with f2 beside the second
    assert found.neighbors is not None
    assert (found.neighbors @ found.neighbors.T).toarray()[0].tolist() == [3, 2, 1, 0, 0, 0]
    assert found.triples is not None and len(found.triples) == len(graph.triples)
    heads = found.triples[found.triples[:, 0] < 6]
    assert np.bincount(heads[:, 0]).tolist() == [3, 2, 2, 3, 2, 3] and (heads[:, 2] >= 6).all()
    assert found.vectors is not None and found.vectors.shape == (6, 32)
    assert found.known.tolist() == [0, 1, 2, 3, 4]
    assert over_items_of(graph, interactions) is interactions
    fewer = replace(interactions, items=Vocabulary(["f3", "f1"]), item=np.array([1, 0, 1], np.int32))
    assert over_items_of(graph, fewer).item.tolist() == interactions.item.tolist() == [0, 2, 0]
    with pytest.raises(SourceError, match="The graph has no item 'f9', which is in the interactions"):
        over_items_of(graph, replace(fewer, items=Vocabulary(["f3", "f9"])))
    plain = data_of(graph)
    assert plain.places is None and not plain.histories.ordered
    assert plain.ages is None and plain.vectors is None and plain.known.tolist() == [0, 1, 2, 3, 4, 5]
    assert plain.positives.nnz == 14  # u2 gave f4 one star
