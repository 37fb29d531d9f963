"""Items removed, added again, updated; and what a reader of the folder sees meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kgrec
from kgrec.errors import ArtifactError, ConfigError, UnknownId

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
    rescore=kgrec.RescoreConfig(weights={"embedding": 4, "graph": 2, "text": 2, "co_occurrence": 2}),
)
ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]
COLUMNS = ["id", "title", "plot", "genres", "director"]
#: as in films.csv
F1 = ("f1", "Alien Dawn", "a crew meets a creature in space", "Horror|Science fiction", "Ada")
N1 = ("n1", "Moon Base", "a crew in space meets danger", "Science fiction", "Ada")
N2 = ("n2", "Spring Love", "a couple falls in love in spring", "Romance|Comedy", "Cy")


def rows(*films: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(films, columns=COLUMNS)


@pytest.fixture
def rec(catalogue: Path, bag_of_words) -> kgrec.Recommender:
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    return kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)


def everything(rec: kgrec.Recommender, user: str = "u1") -> dict[str, float]:
    """All that a user may get, with the scores."""
    frame = rec.recommend([user], k=100, exclude_seen=False)
    return dict(zip(frame["item_id"], frame["score"], strict=True))


def facts(rec: kgrec.Recommender, item: str) -> list[tuple[str, str]]:
    frame = rec.model.graph().neighbors("film", item)
    return sorted(zip(frame["relation"], frame["key"], strict=True))


# removing


def test_a_removed_item_is_in_no_list(rec):
    rec.add_items(rows(N1))
    before = everything(rec)
    removed = rec.remove_items(["f2", "n1"])
    assert (removed.ids, removed.labels, removed.before, len(removed)) == (
        ["f2", "n1"],
        ["Star Drift", "Moon Base"],
        [],
        2,
    )
    left = {item: score for item, score in before.items() if item not in ("f2", "n1")}
    assert everything(rec) == left
    gone = {"f2", "n1"}
    for frame in (
        rec.recommend_for_history([["f1"]], 100),
        rec.recommend(["u3"], 100, candidates=["f1", "f2", "n1"]),
        rec.recommend(["u3"], 100, deny=["f1"]),
        rec.recommend(["u3"], 100, where="genres = 'Science fiction'"),
        rec.recommend(["u3"], 100, new_item_boost=1),
        rec.similar_items(["f1"], 100).rename(columns={"item_id": "", "similar_id": "item_id"}),
        rec.recommend_for_text(["a crew in space"], 100),
    ):
        assert len(frame) and gone.isdisjoint(frame["item_id"])
    assert rec.item_embeddings.ids.tolist() == ["f1", "f3", "f4", "f5", "f6"]
    assert rec.item_embeddings.vectors.shape == (5, 8)


def test_a_removed_item_goes_on_to_count_where_it_was_taken(rec):
    vectors, before = rec.user_embeddings.vectors, everything(rec)
    was = rec.explain("u1", "f2")
    rec.remove_items(["f2"])
    np.testing.assert_array_equal(rec.user_embeddings.vectors, vectors)
    assert everything(rec) == {item: score for item, score in before.items() if item != "f2"}
    now = rec.explain("u1", "f2")
    assert now.score == was.score
    pd.testing.assert_frame_equal(now.history, was.history)
    assert "f2" in rec.explain("u1", "f1").history["item_id"].tolist()
    assert rec.similar_items(["f2"], 1)["similar_id"].tolist() != []
    assert rec.recommend_for_history([["f2"]], 1).shape == (1, 4)
    assert rec.label("f2") == "Star Drift"


def test_removing_twice_and_removing_what_is_unknown(rec):
    rec.remove_items(["f2"])
    again = rec.remove_items(["f3", "f2", "f3"])
    assert (again.ids, again.before) == (["f3"], ["f2"])
    model = rec.model
    assert len(rec.remove_items(["f2"])) == 0 and rec.model is model
    with pytest.raises(UnknownId, match="There is no item 'f9'"):
        rec.remove_items(["f1", "f9"])
    assert rec.model is model
    assert rec.remove_items(["f1", "f9"], on_unknown="skip").ids == ["f1"]
    rec.remove_items(["f4", "f5", "f6"])
    assert everything(rec) == {}


def test_removals_are_kept_on_the_disk(rec, tmp_path, bag_of_words):
    rec.add_items(rows(N1))
    rec.remove_items(["f2", "n1"])
    rec.save(tmp_path / "model")
    loaded = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    assert loaded.model.items.removed.tolist() == [1, 6]
    assert everything(loaded) == everything(rec)
    assert "7 items (6 known to training, 2 no longer" in (tmp_path / "model" / "README.md").read_text()
    assert loaded.add_items(rows(N1)).ids == ["n1"]


# adding again


def test_an_item_added_again_has_its_row_and_what_its_users_taught(rec):
    before, vectors = everything(rec), rec.item_embeddings.vectors
    rec.remove_items(["f1"])
    added = rec.add_items(rows(F1, N1))
    assert (added.ids, added.labels, added.known) == (["f1", "n1"], ["Alien Dawn", "Moon Base"], [])
    assert rec.model.items.ids.tolist() == [*ITEMS, "n1"]
    np.testing.assert_allclose(rec.item_embeddings.vectors[:6], vectors, atol=1e-6)
    after = everything(rec)
    assert {item: after[item] for item in ITEMS} == pytest.approx(before, abs=1e-5)


def test_adding_and_removing_leaves_no_dead_rows(rec):
    rec.add_items(rows(N1))
    size, graph = len(rec.model.items), len(rec.model.graph())
    once = everything(rec)
    for _ in range(4):
        rec.remove_items(["n1"])
        rec.add_items(rows(N1))
    assert len(rec.model.items) == size and len(rec.model.graph()) == graph
    assert rec.model.index.search(rec.model.items.vectors[:1], 100)[0].max() == size - 1
    assert everything(rec) == pytest.approx(once, abs=1e-5)


def test_an_item_added_again_is_what_its_new_row_says(rec):
    rec.add_items(rows(N1, N2))
    rec.remove_items(["n1"])
    rec.add_items(rows(("n1", *N2[1:])))
    assert rec.label("n1") == "Spring Love"
    assert facts(rec, "n1") == facts(rec, "n2")
    scores = everything(rec)
    assert scores["n1"] == pytest.approx(scores["n2"], abs=1e-6)


# updating


def test_an_update_changes_content_and_keeps_the_row_and_the_residual(rec):
    before, old = everything(rec), rec.item_embeddings.vectors
    histories = rec.model.liked
    changed = ("f1", "Dawn of Love", "a couple falls in love in spring", "Romance|Comedy", "Cy")
    updated = rec.update_items(rows(changed))
    assert (updated.ids, updated.labels, updated.linked, updated.words) == (
        ["f1"],
        ["Dawn of Love"],
        [3],
        [10],
    )
    assert (updated.same, updated.unknown, updated.bare, len(updated)) == ([], [], [], 1)
    assert facts(rec, "f1") == [("directed_by", "Cy"), ("genres", "Comedy"), ("genres", "Romance")]
    vectors = rec.item_embeddings.vectors
    np.testing.assert_array_equal(vectors[1:], old[1:])
    assert np.abs(vectors[0] - old[0]).max() > 0.1
    # content of n2 plus the residual of f1
    model = rec.model
    rec.add_items(rows(("n2", *changed[1:])))
    content = rec.model.items.vectors[6] * rec.model.items.lengths[6]
    residual = model.parameters().arrays["identity"][0]
    np.testing.assert_allclose(model.items.vectors[0] * model.items.lengths[0], content + residual, atol=1e-5)
    assert (rec.model.liked[:, :6] != histories).nnz == 0
    for item in ("f1", "f2"):
        found = rec.explain("u1", item)
        assert found.score == pytest.approx(everything(rec)[item], abs=1e-5)
        assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
    # and back
    rec.update_items(rows(F1))
    np.testing.assert_allclose(rec.item_embeddings.vectors[:6], old, atol=1e-6)
    assert {item: everything(rec)[item] for item in ITEMS} == pytest.approx(before, abs=1e-5)


def test_an_update_of_an_added_item_is_as_if_it_had_come_so(rec, catalogue, bag_of_words):
    other = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    other.add_items(rows(("n1", *N2[1:])))
    rec.add_items(rows(N1))
    rec.update_items(rows(("n1", *N2[1:])))
    assert everything(rec) == pytest.approx(everything(other), abs=1e-6)
    assert rec.similar_items(["n1"], 9).equals(other.similar_items(["n1"], 9))


def test_an_update_that_changes_nothing_does_nothing(rec):
    model = rec.model
    updated = rec.update_items(rows(F1))
    assert (updated.ids, updated.same) == ([], ["f1"])
    assert rec.model is model
    mixed = rec.update_items(rows(F1, ("f2", "Star Drift", "a crew lost at sea", "Science fiction", "Ada")))
    assert (mixed.ids, mixed.same) == (["f2"], ["f1"])


def test_rows_of_items_that_are_not_offered_update_nothing(rec):
    rec.remove_items(["f2"])
    model = rec.model
    updated = rec.update_items(rows(("f2", "Other", "", "", ""), N1))
    assert (updated.ids, updated.unknown) == ([], ["f2", "n1"])
    assert rec.model is model and rec.label("f2") == "Star Drift"
    mixed = rec.update_items(rows(N1, ("f3", "Mars", "", "Science fiction", "Bo")))
    assert mixed.ids == ["f3"]
    added = rec.add_items(rows(("n1", "Later", "", "Comedy", "")))
    assert added.labels == ["Later"] and facts(rec, "n1") == [("genres", "Comedy")]


def test_an_empty_cell_takes_back_what_was_known(rec):
    updated = rec.update_items(rows(("f1", "", "", "", "")))
    assert (updated.labels, updated.linked, updated.words, updated.bare) == ([""], [0], [0], ["f1"])
    assert facts(rec, "f1") == []
    # what its users taught is left
    assert everything(rec)["f1"] > 0


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_an_approximate_index_follows(rec, catalogue, bag_of_words, kind: str):
    index = kgrec.IndexConfig(kind=kind, min_recall=0)
    config = CONFIG.model_copy(update={"index": index})
    other = kgrec.Recommender(config, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    for one in (rec, other):
        one.add_items(rows(N1))
        one.update_items(rows(("f1", *N2[1:]), ("n1", *F1[1:])))
        one.remove_items(["f4"])
    assert other.model.index.built.kind == kind
    assert everything(other) == pytest.approx(everything(rec), abs=1e-5)
    found = other.similar_items(["f1"], 1)["similar_id"].tolist()
    assert found == rec.similar_items(["f1"], 1)["similar_id"].tolist()


EDGES = """\
version: 1
base: https://example.org/
nodes:
  film: {item: true, file: films.csv, key: id, columns: {title: label, year: number, shape: vector}}
edges:
  has_genre: {file: genres.csv, from: {film: film}, to: {genre: genre}}
  acted_in: {file: cast.csv, from: {person: person}, to: {film: film}}
"""


def test_files_that_are_absent_say_nothing_anew(tmp_path):
    world = {
        "kgrec.yaml": EDGES,
        "films.csv": 'id,title,year,shape\na,Ape,1990,"[1,2]"\nb,Bee,1991,"[2,1]"\nc,Cat,1992,"[0,1]"\n',
        "genres.csv": "film,genre\na,x\na,y\nb,x\nc,y\n",
        "cast.csv": "person,film\np,a\np,b\nq,c\nq,a\n",
        "one/films.csv": 'id,title,year,shape\na,Ape,2000,"[1,3]"\n',
        "two/films.csv": "id,title,year,shape\na,Ape,2000,\n",
        "two/genres.csv": "film,genre\na,y\na,z\n",
    }
    for name, text in world.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = kgrec.Config.read(settings=["text.model=none", "dim=4", "epochs=1"])
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(tmp_path / "kgrec.yaml"))
    edges = [("acted_in", "p"), ("acted_in", "q"), ("has_genre", "x"), ("has_genre", "y")]
    assert facts(rec, "a") == edges
    assert rec.update_items(tmp_path / "one").ids == ["a"]
    graph = rec.model.graph()
    assert facts(rec, "a") == edges
    assert graph.numbers["value"].to_pylist() == [2000, 1991, 1992]
    assert graph.vectors["vector"].to_pylist() == [[1, 3], [2, 1], [0, 1]]
    assert rec.update_items(tmp_path / "one").same == ["a"]
    assert rec.update_items(tmp_path / "two").ids == ["a"]
    assert facts(rec, "a") == [("acted_in", "p"), ("acted_in", "q"), ("has_genre", "y"), ("has_genre", "z")]
    assert rec.model.graph().vectors["id"].to_pylist() == [1, 2]
    rec.save(tmp_path / "model")
    assert kgrec.Recommender.load(tmp_path / "model").model.graph().validate() == []


MERGED = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, genres: {as: node, type: genre, split: "|"}, wiki: same_as}
errors: {shared_identity: merge}
"""


def test_rows_of_one_item_by_two_names_are_one(tmp_path):
    (tmp_path / "kgrec.yaml").write_text(MERGED, encoding="utf-8")
    films = "id,title,genres,wiki\na,Ape,x,http://w.org/1\nb,Ape,x,http://w.org/1\nc,Cat,x|y,\nd,Dog,y,\n"
    (tmp_path / "films.csv").write_text(films, encoding="utf-8")
    config = kgrec.Config.read(settings=["text.model=none", "dim=4", "epochs=1"])
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(tmp_path / "kgrec.yaml"))
    assert rec.model.items.ids.tolist() == ["a", "c", "d"]
    changed = pd.DataFrame(
        [["a", "Ant", "y", ""], ["b", "Ant", "x", ""]], columns=["id", "title", "genres", "wiki"]
    )
    updated = rec.update_items(changed)
    assert (updated.ids, updated.labels, updated.unknown) == (["a"], ["Ant"], [])
    assert facts(rec, "a") == [("genres", "x"), ("genres", "y")]
    assert rec.remove_items(["b"]).ids == ["a"]
    assert rec.add_items(changed).ids == ["a"]


RDF = """\
version: 1
base: https://example.org/
prefixes: {f: "http://f.example/"}
rdf:
  - file: films.ttl
    types: {film: f:Film, genre: f:Genre}
    items: [film]
    predicates: {rdfs:label: label, f:year: number, f:genre: {as: ref}, f:like: {as: ref}}
"""
PREFIXES = "@prefix f: <http://f.example/> .\n@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"


def test_items_that_rdf_brings_are_added_and_updated(tmp_path):
    world = {
        "kgrec.yaml": RDF,
        "films.ttl": PREFIXES
        + 'f:a a f:Film ; rdfs:label "Ape" ; f:year 1990 ; f:genre f:x .\n'
        + 'f:b a f:Film ; rdfs:label "Bee" ; f:year 1991 ; f:genre f:x, f:y .\n'
        + 'f:c a f:Film ; rdfs:label "Cat" ; f:year 1992 ; f:genre f:y .\n'
        + "f:x a f:Genre . f:y a f:Genre .\n",
        "new/films.ttl": PREFIXES
        + 'f:d a f:Film ; rdfs:label "Dog" ; f:year 1991 ; f:genre f:x ; f:like f:a .\n',
        "changed/films.ttl": PREFIXES + 'f:a a f:Film ; rdfs:label "Ant" ; f:genre f:y .\n',
    }
    for name, text in world.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = kgrec.Config.read(settings=["text.model=none", "dim=4", "epochs=1"])
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(tmp_path / "kgrec.yaml"))
    a, d = "http://f.example/a", "http://f.example/d"
    added = rec.add_items(tmp_path / "new")
    assert (added.ids, added.labels, added.linked, added.known) == ([d], ["Dog"], [1], [])
    updated = rec.update_items(tmp_path / "changed")
    assert (updated.ids, updated.labels) == ([a], ["Ant"])
    # other genres; the year, of which nothing is said, stays
    assert ("genre", "http://f.example/y") in [
        (relation.rpartition(":")[2], key) for relation, key in facts(rec, a)
    ]
    assert "http://f.example/x" not in [key for _, key in facts(rec, a)]
    assert 1990 in rec.model.graph().numbers["value"].to_pylist()
    assert rec.update_items(tmp_path / "changed").same == [a]


# reloading


def test_reload_takes_what_another_process_wrote(rec, tmp_path, bag_of_words):
    folder = tmp_path / "model"
    with pytest.raises(ConfigError, match="no folder to reload from"):
        rec.reload()
    rec.save(folder)
    reader = kgrec.Recommender.load(folder, text_encoder=bag_of_words)
    model = reader.model
    assert reader.reload() is False and reader.model is model
    rec.add_items(rows(N1))
    rec.save(folder)
    assert "n1" not in everything(reader)
    assert reader.reload() is True and "n1" in everything(reader)
    assert rec.reload() is False, "it wrote this itself"
    rec.remove_items(["n1"])
    assert rec.reload() is False and "n1" not in everything(rec), "nothing was replaced, so the change stays"
    rec.fit(rec.model.graph())
    with pytest.raises(ConfigError, match="no folder to reload from"):
        rec.reload()


def test_reload_follows_a_link_and_survives_a_broken_folder(rec, tmp_path, bag_of_words):
    rec.save(tmp_path / "one")
    rec.add_items(rows(N1))
    rec.save(tmp_path / "two")
    (tmp_path / "current").symlink_to(tmp_path / "one")
    reader = kgrec.Recommender.load(tmp_path / "current", text_encoder=bag_of_words)
    (tmp_path / "next").symlink_to(tmp_path / "two")
    (tmp_path / "next").replace(tmp_path / "current")
    assert reader.reload() is True and "n1" in everything(reader)
    (tmp_path / "one" / "users.parquet").write_bytes(b"")
    (tmp_path / "next").symlink_to(tmp_path / "one")
    (tmp_path / "next").replace(tmp_path / "current")
    with pytest.raises(ArtifactError, match="users"):
        reader.reload()
    assert "n1" in everything(reader)


class Counting(kgrec.Recommender):
    """Counts how often its model is looked at."""

    looks = 0

    @property
    def model(self):
        self.looks += 1
        return super().model


@pytest.mark.parametrize(
    "question",
    [
        lambda rec: rec.recommend(["u1"], where="genres = Horror", new_item_boost=0.1),
        lambda rec: rec.recommend_for_history([["f1"]], dislikes=[["f4"]], users=["u1"]),
        lambda rec: rec.recommend_for_text(["space"]),
        lambda rec: rec.similar_items(["f1"]),
        lambda rec: rec.similar_users(["u1"]),
        lambda rec: rec.explain("u1", "f1"),
        lambda rec: rec.explain_history(["f1"], "f2"),
        lambda rec: rec.embed_histories([["f1"]]),
        lambda rec: rec.embed_items(rows(N1)),
        lambda rec: rec.item_embeddings,
        lambda rec: rec.user_embeddings,
        lambda rec: rec.label("f1"),
    ],
)
def test_a_question_looks_at_the_model_once(rec, tmp_path, bag_of_words, question):
    """So that another thread may reload at any time."""
    rec.save(tmp_path / "model")
    counting = Counting.load(tmp_path / "model", text_encoder=bag_of_words)
    question(counting)
    assert counting.looks == 1


WRITER = """
import sys, pathlib
import pandas as pd
import kgrec
folder, stop = sys.argv[1], pathlib.Path(sys.argv[2])
rec = kgrec.Recommender.load(folder)
rows = pd.DataFrame([["n1", "Moon Base", "", "Science fiction", "Ada"], ["n2", "Spring", "", "Romance", "Cy"]],
                    columns=["id", "title", "plot", "genres", "director"])
turns = 0
while turns < 8 or (not stop.exists() and turns < 500):
    assert len(rec.add_items(rows)) == 2
    rec.save(folder)
    assert len(rec.remove_items(["n1", "n2"])) == 2
    rec.save(folder)
    turns += 1
print(turns)
"""


def test_a_reader_never_sees_a_half_written_state(catalogue, tmp_path):
    config = CONFIG.model_copy(update={"text": kgrec.TextConfig(model="none")})
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    folder, stop = tmp_path / "model", tmp_path / "stop"
    rec.save(folder)
    without = everything(rec)
    added = rows(("n1", "Moon Base", "", "Science fiction", "Ada"), ("n2", "Spring", "", "Romance", "Cy"))
    rec.add_items(added)
    whole = everything(rec)
    reader = kgrec.Recommender.load(folder)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(stop)],
        cwd=Path(kgrec.__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = {False: 0, True: 0}
    while writer.poll() is None:
        reader.reload()
        answer = everything(reader)
        assert answer == pytest.approx(whole if "n1" in answer else without, abs=1e-6)
        seen["n1" in answer] += 1
        if min(seen.values()) >= 3:
            stop.touch()
    out, problems = writer.communicate()
    assert writer.returncode == 0, problems
    assert int(out) >= 8 and min(seen.values()) >= 3
    reader.reload()
    assert everything(reader) == pytest.approx(without, abs=1e-6)


# what an addition costs


@pytest.fixture
def graph(catalogue: Path) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def test_items_that_are_added_one_by_one_are_where_they_are_when_added_at_once(graph, bag_of_words):
    """Through the graph around each, and through the whole one that a saved and loaded model has."""
    new = pd.DataFrame(
        {
            "id": ["n1", "n2", "n3"],
            "title": ["Alien Moon", "Rome by Night", "Alien Rome"],
            "plot": ["a crew in space", "", "love and space"],
            "genres": ["Science fiction|Musical", "Romance", "Musical"],
            "director": ["Ada", "Zoe", "Zoe"],
        }
    )
    at_once, one_by_one = (kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph) for _ in range(2))
    at_once.add_items(new)
    for row in range(3):
        one_by_one.add_items(new.iloc[[row]])
    first, second = at_once.model, one_by_one.model
    assert second.graph.n_pending > 0 and second.graph.base() is graph, "nothing was merged yet"
    assert first.items.ids == second.items.ids
    np.testing.assert_allclose(first.items.vectors.whole, second.items.vectors.whole, atol=1e-6)
    assert sorted(first.graph().names) == sorted(second.graph().names)
    users = [f"u{n}" for n in range(1, 7)]
    one, other = (rec.recommend(users, k=9, exclude_seen=False) for rec in (at_once, one_by_one))
    pd.testing.assert_frame_equal(one, other, atol=1e-5)


def test_an_addition_leaves_the_arrays_of_the_catalogue_where_they_are(graph, bag_of_words):
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)
    before = rec.model
    rec.add_items(
        pd.DataFrame(
            {"id": ["n1"], "title": ["Alien Moon"], "plot": "", "genres": "Horror", "director": "Ada"}
        )
    )
    after = rec.model
    assert after.items.vectors.base is before.items.vectors.base and len(after.items.vectors.delta) == 1
    for name, part in (("graph", "neighbors"), ("text", "vectors"), ("co_occurrence", "weights")):
        one, other = (getattr(model.rescorer.scorers[name], part) for model in (before, after))
        assert one.base is other.base and len(other.at) == 1, name
    assert after.index.base is before.index.base
    assert after.merged().items.vectors.at.tolist() == []


def test_a_delta_that_grew_is_merged(graph, bag_of_words, monkeypatch):
    monkeypatch.setattr("kgrec.model.item_updates._DELTA", 2)
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)
    for number in range(4):
        row = {
            "id": [f"n{number}"],
            "title": ["Alien Moon"],
            "plot": "",
            "genres": "Horror",
            "director": "Ada",
        }
        rec.add_items(pd.DataFrame(row))
        assert len(rec.model.items.vectors.at) <= 2 and rec.model.graph.n_pending <= 3
    assert len(rec.model.items) == 10 == len(rec.model.graph().item_ids)
    assert set(rec.recommend(["u1"], k=10, exclude_seen=False)["item_id"]) >= {f"n{n}" for n in range(4)}
