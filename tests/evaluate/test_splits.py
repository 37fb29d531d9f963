"""Training never sees held-out data: six films, edges between films, and interactions with times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kgrec.config import Config, TrainConfig
from kgrec.errors import ArtifactError, SourceError
from kgrec.evaluate.benchmark.task import Task
from kgrec.evaluate.folds import concealed, fold_of, revealed
from kgrec.evaluate.splits import Protocol, given_split, load_folds, save_folds, split_graph
from kgrec.graph.build import build_graph
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.recommend.recommender import Recommender

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      year: number
      genres: {as: node, type: genre, split: "|"}
      director: {as: node, type: person, edge: directed_by}
      studio: {as: ref, to: studio, edge: made_by}
  studio: {file: studios.csv, key: id, columns: {name: label}}
edges:
  sequel_of: {file: sequels.csv, from: {film: film}, to: {film: of}}
interactions: {file: log.csv, user: user, item: film, value: stars, time: time, positive: ">= 4"}
"""
FILES = {
    "films.csv": """\
id,title,plot,year,genres,director,studio
f1,Alien Dawn,a crew meets a creature,1979,Horror|Space,Ada,s1
f2,Alien Dusk,a crew meets it again,1986,Space,Ada,s1
f3,Red Planet,a colony fails,2000,Space,Bo,s2
f4,Paris Waltz,two dancers fall in love,1990,Romance,Cy,s2
f5,Rome Summer,love in summer,1995,Romance,Cy,s1
f6,Wedding Mess,a wedding goes wrong,2001,Romance|Farce,Di,s3
""",
    "studios.csv": "id,name\ns1,One\ns2,Two\ns3,Three\n",
    "sequels.csv": "film,of\nf2,f1\nf6,f5\n",
    "log.csv": "user,film,stars,time\n"
    + "".join(
        f"u{user},f{film},{stars},{time}\n"
        for user, film, stars, time in [
            (1, 1, 5, 10),
            (1, 2, 5, 20),
            (1, 3, 4, 30),
            (1, 4, 1, 40),
            (2, 1, 4, 11),
            (2, 3, 5, 21),
            (2, 2, 5, 31),
            (2, 6, 5, 90),
            (3, 4, 5, 12),
            (3, 5, 5, 22),
            (3, 3, 2, 32),
            (3, 6, 4, 91),
            (4, 5, 4, 13),
            (4, 4, 5, 23),
            (4, 6, 4, 92),
        ]
    ),
}
EVERY = [
    Protocol(kind="time", share=0.2, valid_share=0.2),
    Protocol(kind="last"),
    Protocol(kind="random", share=0.3),
    Protocol(kind="folds", folds=3),
    Protocol(kind="cold-items", share=0.3),
    Protocol(kind="cold-users", share=0.5),
]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    folder = tmp_path_factory.mktemp("films")
    for name, text in {"kgrec.yaml": MAPPING, **FILES}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return build_graph(folder / "kgrec.yaml")


def pairs(log: Interactions) -> set[tuple[str, str]]:
    return {(log.users[user], log.items[item]) for user, item in zip(log.user, log.item, strict=True)}


def facts(graph: KnowledgeGraph) -> dict[str, list[tuple]]:
    """Everything that a graph says, by name."""
    names = graph.names.to_numpy()
    relations = np.array(graph.relations["name"].to_pylist())
    heads, kinds, tails = (graph.triples[c].to_numpy() for c in ("head", "relation", "tail"))
    said = {"triples": sorted(zip(names[heads], relations[kinds], names[tails], strict=True))}
    for table in ("text", "numbers", "aliases"):
        rows = getattr(graph, table).to_pylist()
        said[table] = sorted((names[row.pop("id")], *map(str, row.values())) for row in rows)
    labels = graph.entities["label"].to_pylist()
    return said | {"labels": sorted(zip(names, labels, strict=True))}


@pytest.mark.parametrize("protocol", EVERY, ids=lambda protocol: protocol.kind)
def test_the_parts_of_every_protocol_are_disjoint(graph, protocol):
    folds = split_graph(graph, protocol)
    positives = pairs(graph.interactions.rows(graph.interactions.positive))
    for fold in folds:
        parts = [pairs(part) for part in (fold.train, fold.valid, fold.test, fold.history)]
        assert sum(map(len, parts)) == len(set().union(*parts)), "a pair is in two parts"
        assert parts[2] and parts[2] <= positives and parts[1] <= positives
        assert pairs(fold.graph.interactions) == parts[0] | parts[1]
        assert fold.test.items == graph.item_ids and fold.train.items == fold.graph.item_ids
        assert fold.popularity.sum() == fold.graph.interactions.positive.sum()
        assert ((fold.truth.toarray() + fold.seen.toarray()) <= 1).all()
        assert ((fold.known.toarray() > 0) <= (fold.seen.toarray() > 0)).all()
        hidden = {graph.item_ids[row] for row in fold.hidden}
        assert set(fold.graph.item_ids) == set(graph.item_ids) - hidden
        assert facts(fold.graph.extended(fold.later)[0]) == facts(graph)


@pytest.mark.parametrize("protocol", EVERY, ids=lambda protocol: protocol.kind)
def test_a_split_is_determined_by_its_seed_and_survives_a_round_trip(graph, protocol, tmp_path: Path):
    folds, again = split_graph(graph, protocol), split_graph(graph, protocol)
    save_folds(folds, tmp_path / "split", protocol)
    read = load_folds(graph, tmp_path / "split")
    assert len(folds) == len(again) == len(read)
    for one, same, back in zip(folds, again, read, strict=True):
        for other in (same, back):
            for name in ("train", "valid", "test", "history"):
                assert pairs(getattr(one, name)) == pairs(getattr(other, name))
            assert one.hidden.tolist() == other.hidden.tolist() and one.cut == other.cut
            assert facts(one.graph) == facts(other.graph)
            assert one.graph.interactions.to_arrow().equals(other.graph.interactions.to_arrow())


def test_by_time_training_sees_nothing_of_later_items(graph):
    fold = split_graph(graph, Protocol(kind="time", share=0.25, valid_share=0))[0]
    assert fold.cut == 40 and fold.train.time.max() == 32
    assert pairs(fold.test) == {("u2", "f6"), ("u3", "f6"), ("u4", "f6")}
    assert [graph.item_ids[row] for row in fold.hidden] == ["f6"]
    assert ("u1", "f4") not in pairs(fold.train) | pairs(fold.valid), "a later row, though not positive"
    names = set(fold.graph.names)
    assert not {"film/f6", "genre/Farce", "person/Di"} & names
    assert "studio/s3" in names, "a studio has a table of its own"
    assert [name for name, *_ in facts(fold.later)["text"]] == ["film/f6"]


def test_the_last_of_each_user_are_held_out(graph):
    fold = split_graph(graph, Protocol(kind="last"))[0]
    assert pairs(fold.test) == {("u1", "f3"), ("u2", "f6"), ("u3", "f6"), ("u4", "f6")}
    assert pairs(fold.valid) == {("u1", "f2"), ("u2", "f2"), ("u3", "f5"), ("u4", "f4")}
    # what u1 and u3 disliked came after what is asked for
    assert pairs(fold.train) == {("u1", "f1"), ("u2", "f1"), ("u2", "f3"), ("u3", "f4"), ("u4", "f5")}


def test_positions_are_an_order_within_a_user_and_no_times(graph):
    """The split by positions is that by times; no moment is the same for all users."""
    log = graph.interactions
    ordered = replace(graph, interactions=replace(log, time=None, position=log.time))
    by_time, by_position = (split_graph(one, Protocol(kind="last"))[0] for one in (graph, ordered))
    for part in ("train", "valid", "test"):
        assert pairs(getattr(by_position, part)) == pairs(getattr(by_time, part)), part
    whole = by_position.graph.interactions
    assert whole.time is None and whole.ordered and len(whole.position) == len(whole)
    with pytest.raises(SourceError, match="an order but no times") as caught:
        split_graph(ordered, Protocol(kind="time"))
    assert "Choose the protocol 'last'" in caught.value.remedy


def test_histories_of_test_users_are_in_order(graph):
    fold = split_graph(graph, Protocol(kind="last"))[0]
    task = Task(fold, 3)
    items = [fold.source.item_ids[row] for row in task.histories.item]
    assert items == ["f1", "f2", "f1", "f3", "f2", "f4", "f5", "f5", "f4"] and task.histories.ordered
    log = graph.interactions
    plain = split_graph(replace(graph, interactions=replace(log, time=None)))[0]
    assert plain.places is None and not Task(plain, 3).histories.ordered


def test_the_training_graph_of_a_log_with_weights_has_them(graph):
    log = graph.interactions
    weights = np.arange(1, len(log) + 1, dtype=np.float32)
    fold = split_graph(replace(graph, interactions=replace(log, weight=weights)), Protocol(kind="last"))[0]
    whole = fold.graph.interactions
    given = {(log.users[u], log.items[i]): w for u, i, w in zip(log.user, log.item, weights, strict=True)}
    found = zip(whole.user, whole.item, whole.weight, strict=True)
    assert all(given[whole.users[u], whole.items[i]] == w for u, i, w in found) and len(whole.weight)


def test_a_cross_validation_tests_each_positive_once(graph):
    folds = split_graph(graph, Protocol(kind="folds", folds=3))
    asked = [pair for fold in folds for pair in pairs(fold.test)]
    assert sorted(asked) == sorted(pairs(graph.interactions.rows(graph.interactions.positive)))
    assert [fold.number for fold in folds] == [0, 1, 2]


def test_a_cold_item_is_unknown_until_it_is_added(graph):
    """f1 is hidden: nothing of it is left, nor the genre that only it has, nor the edge of its sequel."""
    hidden = np.array([0])
    smaller, later = concealed(graph, hidden), revealed(graph, hidden)
    assert set(graph.names) - set(smaller.names) == {"film/f1", "genre/Horror"}
    relations = {(head, kind, tail) for head, kind, tail in facts(smaller)["triples"]}
    assert ("film/f6", "sequel_of", "film/f5") in relations and not any("f1" in str(r) for r in relations)
    assert later.item_ids.tolist() == ["f1"]
    assert ("film/f2", "sequel_of", "film/f1") in facts(later)["triples"]
    assert {name for name, *_ in facts(later)["text"] + facts(later)["numbers"]} == {"film/f1"}
    assert not len(later.interactions)


def test_cold_users_have_half_of_their_positives_as_history(graph):
    fold = split_graph(graph, Protocol(kind="cold-users", share=0.5, valid_share=0))[0]
    cold = set(fold.test.users)
    assert len(cold) == 2 and not cold & set(fold.train.users)
    assert {user for user, _ in pairs(fold.history)} == cold == {user for user, _ in pairs(fold.test)}
    assert fold.known.sum() == fold.history.positive.sum()
    own = graph.interactions.rows(graph.interactions.positive)
    for user in cold:
        total = sum(one == user for one, _ in pairs(own))
        assert sum(one == user for one, _ in pairs(fold.test)) == (total + 1) // 2


@pytest.mark.parametrize("given_valid", [False, True])
def test_a_model_trains_without_hidden_items_and_adds_them_later(graph, bag_of_words, given_valid):
    fold = split_graph(graph, Protocol(kind="cold-items", share=0.2, valid_share=0.2))[0]
    config = Config(train=TrainConfig(epochs=2, threads=1))
    parts = {"interactions": fold.train, "valid": fold.valid} if given_valid else {}
    rec = Recommender(config, text_encoder=bag_of_words).fit(fold.graph, **parts)
    hidden = [graph.item_ids[row] for row in fold.hidden]
    assert not set(hidden) & set(rec.item_embeddings.ids)
    added = rec.add_items(fold.later)
    assert added.ids == hidden and min(added.words) > 0 and min(added.linked) > 0
    found = rec.recommend(fold.test.users.tolist(), k=6)
    assert set(hidden) <= set(found["item_id"])
    if not given_valid:
        own = set(zip(found["user_id"], found["item_id"], strict=True))
        assert not own & pairs(fold.graph.interactions)


# planted leaks


@pytest.fixture
def cold(graph):
    """A fold of which f1 and f6 are hidden."""
    log, hidden = graph.interactions, np.array([0, 5])
    with_hidden = np.isin(log.item, hidden)
    train, valid, test = log.rows(~with_hidden), log.rows(log.user < 0), log.rows(with_hidden & log.positive)
    return fold_of(graph, train, valid, test, hidden=hidden)


def test_training_on_the_whole_graph_is_a_leak(graph, cold):
    whole = replace(graph, interactions=Interactions.none(graph.item_ids))
    with pytest.raises(SourceError, match="leaks: film/f1 is hidden, but in the graph"):
        replace(cold, graph=whole).check()


def test_an_edge_to_a_hidden_item_is_a_leak(graph, cold):
    """A sequels file that was read too early brings the hidden item back under another type, by its IRI."""
    graph = cold.graph
    iri = cold.source.entities["iri"][int(cold.source.item_entities[0])].as_py()
    row = {"id": len(graph), "type": "rdfs:Resource", "key": iri, "iri": iri, "label": ""}
    entities = pa.concat_tables([graph.entities, pa.Table.from_pylist([row], graph.entities.schema)])
    edge = {"head": graph.find("film", "f2"), "relation": 0, "tail": len(graph), "weight": 1.0}
    triples = pa.concat_tables([graph.triples, pa.Table.from_pylist([edge], graph.triples.schema)])
    planted = replace(cold, graph=replace(graph, entities=entities, triples=triples))
    with pytest.raises(SourceError, match="film/f1> is hidden, but in the graph"):
        planted.check()


def test_a_test_interaction_in_training_is_a_leak(graph):
    log = graph.interactions
    with pytest.raises(SourceError, match=r"user 'u1' with item 'f1' in train and in test"):
        fold_of(graph, log, log.rows(log.user < 0), log.rows(np.arange(len(log)) < 1))
    fold = split_graph(graph, Protocol(share=0.3))[0]
    with pytest.raises(SourceError, match="in the graph, not in train or valid"):
        replace(fold, graph=replace(fold.graph, interactions=log)).check()


def test_an_interaction_with_a_hidden_item_is_a_leak(graph, cold):
    log = graph.interactions
    with pytest.raises(SourceError, match="training has interactions with hidden items"):
        fold_of(
            graph,
            log.rows(log.user == 0),
            log.rows(log.user < 0),
            log.rows(log.user == 1),
            hidden=np.array([0]),
        )
    history = graph.interactions.rows((graph.interactions.item == 0) & (graph.interactions.user == 0))
    asked = cold.test.rows(cold.test.user != 0)
    with pytest.raises(SourceError, match="history has interactions with hidden items"):
        replace(cold, history=history, test=asked).check()


def test_an_interaction_after_the_cut_is_a_leak(graph):
    fold = split_graph(graph, Protocol(kind="time", share=0.2, valid_share=0))[0]
    with pytest.raises(SourceError, match="train has interactions after the cut"):
        replace(fold, cut=30).check()


# files of others


def frame(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def test_given_parts_are_kept(graph):
    fold = given_split(graph, frame(("a", "f1"), ("b", "f2")), frame(("a", "f6"), ("c", "f1")))
    assert pairs(fold.train) == {("a", "f1"), ("b", "f2")} and not len(fold.valid)
    assert pairs(fold.test) == {("a", "f6"), ("c", "f1")} and not len(fold.hidden)
    assert fold.known.toarray()[:, 0].tolist() == [1, 0]
    hidden = given_split(graph, frame(("a", "f1")), frame(("a", "f6")), frame(("a", "f2")), hide_new=True)
    assert [graph.item_ids[row] for row in hidden.hidden] == ["f6"]
    assert pairs(hidden.graph.interactions) == {("a", "f1"), ("a", "f2")}


def test_given_parts_that_overlap_are_refused(graph):
    with pytest.raises(SourceError, match="user 'a' with item 'f1' in train and in test") as caught:
        given_split(graph, frame(("a", "f1"), ("b", "f2")), frame(("a", "f1")))
    assert caught.value.remedy
    with pytest.raises(SourceError, match="in train and in valid"):
        given_split(graph, frame(("a", "f1")), frame(("a", "f2")), frame(("a", "f1")))


# refusals


def test_what_cannot_be_split_is_refused(graph, tmp_path):
    log = graph.interactions
    for kind, lacks in (("time", "times"), ("last", "order")):
        with pytest.raises(SourceError, match=f"no {lacks}, which the protocol '{kind}' needs"):
            split_graph(replace(graph, interactions=replace(log, time=None)), Protocol(kind=kind))
    with pytest.raises(SourceError, match="no positive interaction"):
        split_graph(replace(graph, interactions=Interactions.none(graph.item_ids)))
    single = replace(graph, interactions=log.rows(np.arange(len(log)) < 1))
    for kind in ("last", "random", "cold-items", "cold-users"):
        with pytest.raises(SourceError, match=r"no test interaction|no interaction is left"):
            split_graph(replace(single, interactions=single.interactions), Protocol(kind=kind))
    with pytest.raises(ArtifactError):
        load_folds(graph, tmp_path / "absent")


def test_a_split_of_another_graph_is_refused(graph, tmp_path):
    save_folds(split_graph(graph), tmp_path / "split")
    with pytest.raises(ArtifactError, match="is not an item of this graph"):
        load_folds(concealed(graph, np.array([2])), tmp_path / "split")
