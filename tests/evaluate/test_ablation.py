"""Ablation of sources, and the control with a shuffled graph."""

import numpy as np
import pytest

import kgrec
from kgrec.errors import ConfigError
from kgrec.evaluate.ablation import ablated

CONFIG = kgrec.Config()


@pytest.fixture
def graph(catalogue) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def edges(graph: kgrec.KnowledgeGraph) -> set[tuple[int, int, int]]:
    columns = (graph.triples[name].to_pylist() for name in ("head", "relation", "tail"))
    return set(zip(*columns, strict=True))


def test_each_source_is_left_out_of_graph_or_configuration(graph):
    bare, config = ablated(graph, CONFIG, ["graph"])
    assert len(bare.triples) == len(bare.numbers) == 0 and config == CONFIG
    assert bare.text.equals(graph.text) and len(graph.triples) == 15

    for name, changed in {
        "text": {"text": CONFIG.text.model_copy(update={"model": "none"})},
        "id": {"encoder": CONFIG.encoder.model_copy(update={"identity": False})},
        "co-occurrence": {"rescore": CONFIG.rescore.model_copy(update={"co_occurrence": False})},
    }.items():
        same, config = ablated(graph, CONFIG, [name])
        assert same is graph and config == CONFIG.model_copy(update=changed)


def test_several_sources_at_once(graph):
    bare, config = ablated(graph, CONFIG, ["graph", "id"])
    assert len(bare.triples) == 0 and not config.encoder.identity and config.text == CONFIG.text


def test_shuffled_items_swap_their_edges(graph):
    shuffled, config = ablated(graph, CONFIG, ["shuffle-graph"])
    assert config == CONFIG and edges(shuffled) != edges(graph)
    items = set(graph.item_entities.tolist())

    def of_items(these: set[tuple[int, int, int]]) -> list[list[tuple[int, int]]]:
        """The edges of each item, without its name."""
        return sorted(sorted((r, t) for h, r, t in these if h == item) for item in items)

    # the same bundles of edges, handed to others; what is no item's stays where it was
    assert of_items(edges(shuffled)) == of_items(edges(graph))
    rest = [{edge for edge in edges(one) if edge[0] not in items} for one in (shuffled, graph)]
    assert rest[0] == rest[1]
    again, _ = ablated(graph, CONFIG, ["shuffle-graph"])
    assert again.triples.equals(shuffled.triples)
    order = shuffled.triples.select(["relation", "head", "tail"]).to_pandas().to_numpy()
    assert (np.lexsort(order.T[::-1]) == np.arange(len(order))).all(), "sorted, as every graph's triples are"


def test_an_unknown_source_is_an_error_with_a_suggestion(graph):
    with pytest.raises(ConfigError) as raised:
        ablated(graph, CONFIG, ["shuffle_graph"])
    assert raised.value.problem == "There is no source 'shuffle_graph' to leave out."
    assert "'shuffle-graph'" in raised.value.remedy


class Unused:
    """A text encoder that must not be called."""

    def encode(self, texts: list[str], _: object = None) -> np.ndarray:
        raise AssertionError(f"{len(texts)} texts are encoded")


def test_text_is_ablated_though_an_encoder_is_passed_in(graph):
    config = kgrec.Config.read(settings=["dim=8", "epochs=2", "train.threads=1", "valid_share=0"])
    with pytest.raises(AssertionError, match="6 texts"):
        kgrec.Recommender(config, text_encoder=Unused()).fit(graph)
    same, without_text = ablated(graph, config, ["text"])
    rec = kgrec.Recommender(without_text, text_encoder=Unused()).fit(same)
    assert rec.model.config.text.model == "none" and not rec.model.own_text_encoder


def test_a_model_without_residuals_treats_known_items_as_new_ones(graph, bag_of_words):
    config = kgrec.Config.read(settings=["dim=8", "epochs=2", "train.threads=1", "valid_share=0"])
    known, without_id = ablated(graph, config, ["id"])
    rec = kgrec.Recommender(without_id, text_encoder=bag_of_words).fit(known)
    assert not rec.model.parameters().arrays["identity"].any()
    # what is left out of the model is left out of its graph too
    bare = kgrec.Recommender(config, text_encoder=bag_of_words).fit(ablated(graph, config, ["graph"])[0])
    assert len(bare.model.graph().triples) == 0
