"""Label tokens, which join items whose neighbours have similar names."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kgrec
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.label_tokens import LABEL_TOKEN, token_mentions
from kgrec.encode.neighborhoods import neighborhoods_of
from kgrec.evaluate.ablation import ablated
from kgrec.graph.build import read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  paper:
    item: true
    file: papers.csv
    key: id
    columns:
      title: label
      tags: {as: node, type: tag, split: "|"}
      cites: {as: ref, to: paper}
      journal: {as: ref, to: journal}
  journal: {file: journals.csv, key: id, columns: {name: label, about: {as: node, type: field}}}
rdf: [{file: facts.nt, predicates: {"*": {as: ref}}}]
"""
PAPERS = """\
id,title,tags,cites,journal
a,The Networks,metabolic_network,,j
b,,METABOLIC networks|x|2004,a,j
c,Genes: an essay,Network-Analysis,,
d,Économie et réseaux,genetics,c,j
e,A networked planet,,,
f,,genetics,,k
g,Network effects,,,
"""
FILES = {
    "kgrec.yaml": MAPPING,
    "papers.csv": PAPERS,
    "journals.csv": "id,name,about\nj,Journal of Genetics,biology\nk,,\n",
    "facts.nt": "<https://example.org/paper/g> <https://d.org/on> <https://d.org/C:G%C3%A9n%C3%A9_of_Genetic_codes> .\n",
}
#: stems of the label tokens of each paper; cited items and entities two hops away give none
STEMS = {
    "a": {"the", "networ", "metabo", "journa", "of", "geneti"},
    "b": {"metabo", "networ", "journa", "of", "geneti"},
    "c": {"genes", "an", "essay", "networ", "analys"},
    "d": {"économ", "et", "réseau", "geneti", "journa", "of"},
    "e": {"networ", "planet"},
    "f": {"geneti"},
    "g": {"networ", "effect", "géné", "of", "geneti", "codes"},
}
#: weight of a token that five of the seven papers have, and of one that four have
FIVE, FOUR = math.log(1 + 7 / 5) ** 0.7, math.log(1 + 7 / 4) ** 0.7


def written(folder: Path, papers: str = PAPERS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {**FILES, "papers.csv": papers}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "kgrec.yaml"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return kgrec.build_graph(written(tmp_path_factory.mktemp("papers")))


def raw(graph: KnowledgeGraph) -> dict[str, np.ndarray]:
    """Vectors of texts."""
    return {"": np.eye(len(graph.item_ids), dtype=np.float32)}


def learned(graph: KnowledgeGraph, **options) -> Featurizer:
    return Featurizer.learn(graph, graph.item_entities, raw(graph), **options)


def tokens_of(graph: KnowledgeGraph, featurizer: Featurizer) -> dict[str, dict[str, float]]:
    """Item -> weight of each of its label tokens."""
    features = featurizer.features(graph, graph.item_entities)
    assert featurizer.relations.count(LABEL_TOKEN) == 1
    is_token = np.flatnonzero(features.relation == featurizer.relations.index(LABEL_TOKEN))
    assert (features.entity[is_token] >= featurizer.first_token).all()
    table = features.neighbors[:, is_token].toarray()
    names = [featurizer.label_tokens[node - featurizer.first_token] for node in features.entity[is_token]]
    return {
        item: {name: float(weight) for name, weight in zip(names, row, strict=True) if weight}
        for item, row in zip(graph.item_ids, table, strict=True)
    }


@pytest.mark.parametrize("hops", [1, 2])
def test_an_item_has_the_tokens_of_its_label_and_of_its_neighbours(graph, hops):
    found = token_mentions(
        graph, graph.item_entities, neighborhoods_of(graph, graph.item_entities, hops), own=True
    )
    stems = np.array(found.stems.to_pylist())
    assert {
        item: set(stems[row.indices]) for item, row in zip(graph.item_ids, found.by_item, strict=True)
    } == STEMS
    counts = dict(zip(stems, zip(found.neighbor_counts, found.item_counts, strict=True), strict=True))
    assert (counts["networ"], counts["geneti"], counts["planet"], counts["codes"]) == (
        (3, 3),
        (3, 0),
        (0, 1),
        (1, 0),
    )
    tokens = dict(zip(stems, found.tokens.to_pylist(), strict=True))
    assert (tokens["networ"], tokens["geneti"], tokens["metabo"]) == ("network", "genetics", "metabolic")


def test_without_own_labels_items_have_the_tokens_of_their_neighbours(graph):
    found = token_mentions(
        graph, graph.item_entities, neighborhoods_of(graph, graph.item_entities), own=False
    )
    stems = np.array(found.stems.to_pylist())
    assert {
        item: set(stems[row.indices]) for item, row in zip(graph.item_ids, found.by_item, strict=True)
    } == {
        **STEMS,
        "a": STEMS["a"] - {"the"},
        "c": {"networ", "analys"},
        "d": {"geneti", "journa", "of"},
        "e": set(),
        "g": {"géné", "of", "geneti", "codes"},
    }
    assert not found.item_counts.any()


def test_a_token_is_a_node_if_it_is_in_two_labels_and_of_enough_items(graph):
    featurizer = learned(graph)
    # "journal" and "codes" are in one label, "metabolic" and "the" are not in four papers
    assert featurizer.label_tokens == ("genetics", "network", "of")
    np.testing.assert_allclose(featurizer.token_idf, [FIVE, FIVE, FOUR], rtol=1e-6)
    assert featurizer.n_nodes == featurizer.first_token + 3
    assert learned(graph, label_tokens=False).label_tokens == ()


def test_the_tokens_of_an_item_are_a_unit_vector(graph):
    three = math.sqrt(2 * FIVE**2 + FOUR**2)
    all_three = {"genetics": FIVE / three, "network": FIVE / three, "of": FOUR / three}
    two = math.sqrt(FIVE**2 + FOUR**2)
    expected = {
        "a": all_three,
        "b": all_three,
        "c": {"network": 1},
        "d": {"genetics": FIVE / two, "of": FOUR / two},
        "e": {"network": 1},
        "f": {"genetics": 1},
        "g": all_three,
    }
    found = tokens_of(graph, learned(graph))
    assert found.keys() == expected.keys()
    for item, words in expected.items():
        assert found[item] == pytest.approx(words, rel=1e-6), item


def test_a_new_item_has_the_tokens_of_a_tag_unknown_to_training(graph, tmp_path):
    (tmp_path / "papers.csv").write_text(
        "id,title,tags,cites,journal\nn,,networking-genetics|unheard,,\no,Networks?,,,\n", encoding="utf-8"
    )
    larger, _ = graph.extended(read_addition(graph.mapping, tmp_path, known=graph))
    words = tokens_of(larger, learned(graph))
    half = 1 / math.sqrt(2)
    assert words["n"] == pytest.approx({"genetics": half, "network": half}, rel=1e-6)
    assert words["o"] == {"network": 1}


def test_without_texts_own_labels_give_no_tokens(graph):
    featurizer = Featurizer.learn(graph, graph.item_entities, {})
    assert featurizer.label_tokens == ("genetics", "of")
    assert tokens_of(graph, featurizer)["e"] == {}


def test_tokens_are_stored_with_the_other_parameters(graph):
    featurizer = learned(graph)
    kept = Featurizer.of_stored(featurizer.relations, featurizer.nodes, featurizer.arrays())
    assert kept.label_tokens == featurizer.label_tokens
    assert kept.relations == featurizer.relations
    np.testing.assert_array_equal(kept.token_idf, featurizer.token_idf)
    none = learned(graph, label_tokens=False)
    assert Featurizer.of_stored(none.relations, none.nodes, none.arrays()).label_tokens == ()


def test_labels_in_other_scripts_have_tokens(tmp_path):
    tags = ["сетевые анализы", "СЕТЕВЫХ связей", "نظرية الشبكات", "الشبكات", "神経 回路", "神経 科学"]
    papers = "\n".join(f"{n},,{tags[n % len(tags)]},," for n in range(24))
    graph = kgrec.build_graph(written(tmp_path, f"id,title,tags,cites,journal\ng,,,,\n{papers}\n"))
    assert learned(graph).label_tokens == ("сетевые", "الشبكات", "神経")


def test_codes_with_equal_beginnings_are_different_tokens(tmp_path):
    papers = "\n".join(f"{n},,sku12345{n % 2} b0012345{n % 3}x,," for n in range(24))
    graph = kgrec.build_graph(written(tmp_path, f"id,title,tags,cites,journal\ng,,,,\n{papers}\n"))
    assert learned(graph).label_tokens == ("b00123450x", "b00123451x", "b00123452x", "sku123450", "sku123451")


def test_tokens_of_own_labels_count_where_neighbours_have_none(tmp_path):
    papers = "\n".join(f"{n},of ships {n}x,sea_birds|sea_fish,," for n in range(4))
    graph = kgrec.build_graph(written(tmp_path, f"id,title,tags,cites,journal\ng,,,,\n{papers}\n"))
    # most papers have tokens of tags, so "ships" is left out; "of" is in the name of a resource too
    assert learned(graph).label_tokens == ("of", "sea")
    assert learned(ablated(graph, kgrec.Config(), ["graph"])[0]).label_tokens == ("of", "ships")
    assert Featurizer.learn(graph, graph.item_entities, {}).label_tokens == ("sea",)


@pytest.fixture
def fitted(tmp_path) -> kgrec.Recommender:
    graph = kgrec.build_graph(written(tmp_path / "data"))
    log = pd.DataFrame({"user_id": list("uuvvww"), "item_id": list("abbcde")})
    config = kgrec.Config.read(settings=["dim=8", "epochs=2", "text.model=none", "train.threads=1"])
    return kgrec.Recommender(config).fit(graph, log)


def test_an_explanation_names_the_token(fitted):
    explanation = fitted.explain("u", "g")
    words = explanation.sources.query("type == 'word'")
    assert set(words["label"]) == {"genetics", "of"}
    assert set(words["relation"]) == {LABEL_TOKEN}
    assert explanation.sources["contribution"].sum() == pytest.approx(explanation.score, abs=1e-5)
    through = explanation.paths.query("type == 'word'")
    assert set(zip(through["item_id"], through["label"], strict=True)) == {
        (item, word) for item in "ab" for word in ("genetics", "of")
    }
    assert "words of names genetics" in str(explanation)


def test_items_move_when_their_neighbour_gets_a_name(fitted, tmp_path):
    before = fitted.model
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "journals.csv").write_text("id,name,about\nk,Out of the Box,\n", encoding="utf-8")
    (tmp_path / "new" / "papers.csv").write_text(
        "id,title,tags,cites,journal\nc,Genes: an essay,Network-Analysis|genetics,,\n", encoding="utf-8"
    )
    fitted.update_items(tmp_path / "new")
    after = fitted.model
    moved = (np.abs(after.items.vectors.whole - before.items.vectors.whole) > 1e-6).any(axis=1)
    assert {after.items.ids[row] for row in np.flatnonzero(moved)} == {"c", "f"}
    assert set(tokens_of(after.graph(), after.parameters().featurizer)["f"]) == {"genetics", "of"}


def test_a_shared_token_alone_places_a_new_item(tmp_path):
    """Two groups of users, each of whom likes items with one of two tokens in their tags; each tag has one item."""
    kinds = {
        "ocean": "currents|maps|life|storms|depths|ships",
        "desert": "winds|sands|life|nights|roads|wells",
    }
    tags = [f"{kind}_{topic}" for kind, topics in kinds.items() for topic in topics.split("|")]
    rows = "\n".join(f"{n},,{tag},," for n, tag in enumerate(tags))
    mapping = written(tmp_path, f"id,title,tags,cites,journal\ng,,,,\n{rows}\n")
    rng = np.random.default_rng(0)
    log = pd.DataFrame(
        [
            (f"{group}{user}", str(item))
            for group in (0, 6)
            for user in range(12)
            for item in group + rng.permutation(6)[:4]
        ],
        columns=["user_id", "item_id"],
    )
    tags = ["ocean_waves", "desert_foxes"]
    new = pd.DataFrame({"id": ["wet", "dry"], "title": "", "tags": tags, "cites": "", "journal": ""})
    margins = {}
    for enabled in ("true", "false"):
        config = kgrec.Config.read(
            settings=["dim=8", "text.model=none", "train.threads=1", f"label_tokens={enabled}"]
        )
        rec = kgrec.Recommender(config).fit(kgrec.build_graph(mapping), log)
        rec.add_items(new)
        scores = [rec.recommend([user], k=14).set_index("item_id")["score"] for user in ("00", "60")]
        margins[enabled] = [s.get("wet", 0) - s.get("dry", 0) for s in scores]
    assert margins["true"][0] > 0.1 > -0.1 > margins["true"][1]
    assert margins["false"] == pytest.approx([0, 0], abs=1e-6)
