import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from models import items, model

import kgrec
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.whitening import Whitening
from kgrec.errors import ArtifactError, CorruptArtifact, VersionMismatch
from kgrec.graph.histories import Histories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model import storage
from kgrec.model.model import Model
from kgrec.storage import artifacts

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=2, temperature=0.1, threads=1, valid_share=0, seed=5),
)
ITEM_COLUMNS = ("labels", "entities", "vectors", "lengths", "trained")
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)


def small(histories: list[list[float]]) -> Model:
    """Three items, of which the second counts half; users by row."""
    matrix = sp.csr_matrix(np.array(histories, np.float32).reshape(-1, 3))
    weight = np.array([1, 0.5, 1], np.float32)
    return model(items(VECTORS, "abc"), matrix, history_weight=weight, config=CONFIG)


def test_a_user_is_the_weighted_sum_of_the_history():
    there = small([])
    users = there.user_vectors(
        Histories.of_matrix(sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]], np.float32)))
    )
    # a + b/2 = (1, .5); b alone; b/2 + c = (.6, 1.3)
    expected = [np.array(v) / np.hypot(*v) for v in ([1, 0.5], [0, 1], [0.6, 1.3])]
    np.testing.assert_allclose(users, expected, rtol=1e-6)
    assert users.dtype == np.float32


def test_without_a_history_a_user_is_the_mean_of_all_users():
    there = small([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        there.user_vectors(Histories.of_matrix(sp.csr_matrix((1, 3), dtype=np.float32))),
        [[half, half]],
        rtol=1e-6,
    )


def test_without_any_user_it_is_the_mean_of_all_items():
    total = VECTORS.sum(axis=0)
    typical = small([]).user_vectors(Histories.of_matrix(sp.csr_matrix((2, 3), dtype=np.float32)))
    np.testing.assert_allclose(typical, [total / np.linalg.norm(total)] * 2, rtol=1e-6)


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), max_size=5))
def test_histories_become_rows_of_ones(histories):
    matrix = small([]).history_matrix([np.array(rows, np.int64) for rows in histories])
    expected = [[float(item in rows) for item in range(3)] for rows in histories]
    assert matrix.toarray().tolist() == expected and matrix.shape == (len(histories), 3)


def test_a_featurizer_is_kept_as_tables():
    featurizer = Featurizer(
        # an edge may have the name of a number
        ("b", "^b", "~word", "a", "b"),
        Vocabulary(["genre/x", "genre/y\n"]),
        np.array([1, 2], np.float32),
        {"a": np.array([0.0, 1.0]), "b": np.array([5.0, 6.0, 7.0])},
        {"text": Whitening(np.zeros(4, np.float32), np.eye(4, 2, dtype=np.float32))},
        ("sea",),
        np.array([3], np.float32),
    )
    arrays = dict(sorted(featurizer.arrays().items(), reverse=True))
    back = Featurizer.of_stored(featurizer.relations, featurizer.nodes, arrays)
    assert back.relations == featurizer.relations and back.n_nodes == 8
    assert {name: values.tolist() for name, values in back.bins.items()} == {"a": [0, 1], "b": [5, 6, 7]}
    assert [*back.bins] == ["a", "b"] and back.label_tokens == ("sea",)
    assert back.entities == featurizer.entities
    np.testing.assert_array_equal(back.idf, featurizer.idf)
    np.testing.assert_array_equal(back.token_idf, featurizer.token_idf)
    np.testing.assert_array_equal(back.whitenings["text"].map, featurizer.whitenings["text"].map)


# on the disk


@pytest.fixture
def rec(catalogue, bag_of_words):
    return kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )


@pytest.fixture
def folder(rec, tmp_path):
    rec.save(tmp_path / "model")
    return tmp_path / "model"


def test_every_value_survives_the_disk(rec, folder):
    saved, loaded = rec.model, storage.load(folder)
    for name in ("config", "users", "inputs", "metrics"):
        assert getattr(loaded, name) == getattr(saved, name), name
    assert (loaded.items.ids, loaded.items.aliases) == (saved.items.ids, saved.items.aliases)
    columns = [
        *((getattr(one.items, name).whole for one in (loaded, saved)) for name in ITEM_COLUMNS),
        (one.user_encoder.history_weight.whole for one in (loaded, saved)),
    ]
    for one, other in columns:
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    for name in ("liked", "seen"):
        assert (getattr(loaded, name) != getattr(saved, name)).nnz == 0
    # u2 saw f4 without liking it
    assert loaded.seen.nnz == loaded.liked.nnz + 1
    assert loaded.parameters().featurizer.relations == saved.parameters().featurizer.relations
    assert loaded.parameters().featurizer.entities == saved.parameters().featurizer.entities
    for name, array in saved.parameters().arrays.items():
        np.testing.assert_array_equal(loaded.parameters().arrays[name], array)
    assert loaded.graph().names == saved.graph().names
    assert loaded.version == saved.version != ""


def test_the_folder_is_as_documented(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "featurizer.parquet",
        "graph",
        "history.parquet",
        "item_embeddings.npy",
        "items.parquet",
        "manifest.json",
        "metrics.json",
        "model.safetensors",
        "rescore.safetensors",
        "users.parquet",
    ]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["kind"] == "model" and manifest["config"]["seed"] == 5
    assert {"films.csv", "log.csv"} <= {name.rsplit("/")[-1] for name in manifest["inputs"]}


def test_the_model_card_counts(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert (
        "6 items (6 known to training, 0 no longer recommended) and 6 users with 14 positive interactions"
        in card
    )
    assert "nothing: there was no validation" in card


@pytest.mark.parametrize("name", ["item_embeddings.npy", "items.parquet", "graph/triples.parquet"])
def test_a_changed_file_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptArtifact) as raised:
        storage.load(folder).graph()
    assert raised.value.problem == f"{folder / name} differs from what was written."


def test_a_configuration_of_another_shape_is_found(folder):
    """A folder that was sealed with a wrong configuration."""
    from kgrec.storage import artifacts

    with artifacts.writing(folder.with_name("other"), kind="model") as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        (place / "manifest.json").unlink()
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        (place / "config.json").write_text(json.dumps(config | {"surprise": 1}), encoding="utf-8")
    with pytest.raises(CorruptArtifact, match="is not a model's configuration"):
        storage.load(folder.with_name("other"))


def test_another_folder_is_refused(rec, folder, tmp_path):
    with pytest.raises(ArtifactError, match="there is no such folder"):
        storage.load(tmp_path / "absent")
    rec.model.graph().save(tmp_path / "graph")
    with pytest.raises(ArtifactError, match="is a graph folder"):
        storage.load(tmp_path / "graph")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}), encoding="utf-8")
    with pytest.raises(VersionMismatch):
        storage.load(folder)


def test_a_model_read_between_two_renames_is_one_of_its_place(rec, folder):
    """Where folders cannot be exchanged, a writer moves the old one aside for an instant."""
    previous = folder.with_name(f".{folder.name}.previous")
    folder.rename(previous)
    early, late = storage.load(folder), storage.load(folder)
    assert len(early.graph()) == len(rec.model.graph())
    assert early.origin is not None and early.origin[0] == folder.resolve()
    rec.save(folder)
    assert not previous.exists()
    with pytest.raises(ArtifactError) as raised:
        late.graph()
    assert raised.value.problem == f"{folder} was replaced after it was loaded."


def test_a_folder_that_was_replaced_is_not_read_further(rec, folder):
    """The graph and the parameters are read late; by then they may be another model's."""
    early = storage.load(folder)
    rec.add_items(
        pd.DataFrame([{"id": "n", "title": "New", "plot": "", "genres": "Romance", "director": "Cy"}])
    )
    shutil.rmtree(folder)
    rec.save(folder)
    for part in (early.parameters, early.graph):
        with pytest.raises(ArtifactError) as raised:
            part()
        assert (raised.value.problem, raised.value.remedy) == (
            f"{folder} was replaced after it was loaded.",
            "Load it again.",
        )
    # what was read at once still answers
    assert early.user_vectors(early.histories).shape == (6, 8)


def test_saving_twice_writes_the_same(rec, folder, tmp_path):
    rec.save(tmp_path / "again")
    names = [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    ]
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


# merged items

MERGED = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, wiki: {as: same_as}}
interactions: {file: log.csv, user: user, item: film}
errors: {shared_identity: merge}
"""
MERGED_FILMS = "id,title,wiki\na,Dawn,http://w.org/1\nb,Dawn again,http://w.org/1\nc,Noon,http://w.org/2\n"
MERGED_LOG = "user,film\nu1,a\nu1,c\nu2,b\nu2,c\n"


def test_an_item_is_found_by_a_name_that_was_merged_away(tmp_path: Path, bag_of_words):
    for name, text in {"kgrec.yaml": MERGED, "films.csv": MERGED_FILMS, "log.csv": MERGED_LOG}.items():
        (tmp_path / name).write_text(text)
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    assert graph.item_ids.tolist() == ["a", "c"]

    rec = kgrec.Recommender(text_encoder=bag_of_words).fit(graph)
    rec.save(tmp_path / "model")
    for each in (rec, kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)):
        assert each.label("b") == "Dawn"
        assert each.similar_items(["b"], 1)["similar_id"].tolist() == ["c"]
        assert each.recommend_for_history([["c"]], 2, candidates=["b"])["item_id"].tolist() == ["a"]

    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "films.csv").write_text("id,title,wiki\nd,Dusk,\n")
    rec.add_items(tmp_path / "new")
    assert rec.label("b") == "Dawn"
    assert rec.label("d") == "Dusk"


def test_items_that_share_a_page_are_each_recommended_and_added(tmp_path: Path, bag_of_words):
    apart = MERGED.replace("merge", "apart")
    for name, text in {"kgrec.yaml": apart, "films.csv": MERGED_FILMS, "log.csv": MERGED_LOG}.items():
        (tmp_path / name).write_text(text)
    rec = kgrec.Recommender(text_encoder=bag_of_words).fit(kgrec.build_graph(tmp_path / "kgrec.yaml"))
    assert set(rec.similar_items(["c"], 5)["similar_id"]) == {"a", "b"}
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "films.csv").write_text(
        "id,title,wiki\nd,Dusk,http://w.org/1\ne,Eve,http://w.org/2\n"
    )
    assert rec.add_items(tmp_path / "new").ids == ["d", "e"]
    assert set(rec.recommend_for_history([["c"]], 9)["item_id"]) == {"a", "b", "d", "e"}
    rec.save(tmp_path / "model")
    assert kgrec.Recommender.load(tmp_path / "model").label("e") == "Eve"


def test_what_another_process_added_is_not_undone(catalogue: Path, bag_of_words, tmp_path: Path):
    folder = tmp_path / "model"
    rec = kgrec.Recommender(text_encoder=bag_of_words).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    rec.save(folder)
    rows = pd.read_csv(catalogue / "new" / "films.csv")
    one, other = (kgrec.Recommender.load(folder, text_encoder=bag_of_words) for _ in range(2))
    one.add_items(rows[:1])
    other.add_items(rows[1:])
    one.save(folder)
    with pytest.raises(
        kgrec.ArtifactError, match=r"was replaced after it was loaded\.\n  Nothing was written"
    ):
        other.save(folder)
    assert kgrec.Recommender.load(folder).label("n1") == "Moon Base"

    one.add_items(rows[1:])
    one.save(folder)
    other.save(tmp_path / "elsewhere")
    assert kgrec.Recommender.load(folder).label("n2") == "Spring Love"


@pytest.mark.parametrize("kind", ["hnsw", "ivf", "ivfpq"])
def test_an_approximate_index_is_kept_with_what_was_measured(catalogue, bag_of_words, tmp_path, kind):
    config = CONFIG.model_copy(update={"index": kgrec.IndexConfig(kind=kind)})
    rec = kgrec.Recommender(config, text_encoder=bag_of_words)
    rec.fit(kgrec.build_graph(catalogue / "kgrec.yaml")).save(tmp_path / "model")
    built = rec.model.index.built
    assert (built.kind, (tmp_path / "model" / "index.faiss").exists()) == (kind, True)
    assert built.recall > 0.95 and built.sample == np.count_nonzero(np.diff(rec.model.liked.indptr))
    assert artifacts.current(tmp_path / "model", "model").config["built"] == built.model_dump(mode="json")
    loaded = storage.load(tmp_path / "model")
    assert loaded.index.built == built
    users = rec.model.user_vectors(rec.model.histories)
    for one, other in zip(rec.model.index.search(users, 3), loaded.index.search(users, 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loaded_model_outlives_its_folder(rec, folder):
    loaded = storage.load(folder)
    rec.save(folder)
    shutil.rmtree(folder)
    np.testing.assert_array_equal(loaded.items.vectors, rec.model.items.vectors)
