"""Folders of older formats are read, migrated, and saved in today's format; formats/README.md says how they were made."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from text_encoders import BagOfWords

from kgrec import KnowledgeGraph, Recommender
from kgrec.errors import CorruptArtifact
from kgrec.retrieve import Built
from kgrec.storage import artifacts
from kgrec.storage.artifacts import FORMAT_VERSION
from kgrec.storage.files import digest, read_json, read_table, write_json
from kgrec.storage.migrations import StoredModel, migrated_interactions, migrated_model, migrated_parameters

FORMATS = Path(__file__).parent / "formats"
LATER = FORMATS / "catalogue" / "later"
OLD = [version for version in artifacts.READABLE if version < artifacts.FORMAT_VERSION]
EVERY_OLD = pytest.mark.parametrize("version", OLD)


def load(folder: Path) -> Recommender:
    return Recommender.load(folder, text_encoder=BagOfWords())


def stored(version: int) -> Path:
    return FORMATS / str(version) / "model"


def check_lists(rec: Recommender, path: Path) -> None:
    """The same items and ranks as an old kgrec wrote to `path`, and the same scores but for rounding."""
    now, then = rec.recommend(rec.model.users.tolist(), k=10), pd.read_csv(path)
    for column in ("user_id", "item_id", "rank"):
        assert now[column].tolist() == then[column].tolist()
    np.testing.assert_allclose(now["score"], then["score"], rtol=0, atol=1e-6)


# folders that an old kgrec wrote


def test_every_older_format_has_a_stored_folder():
    assert OLD == [2, 3, 4, 5, 6, 7]
    for version in OLD:
        for folder in (stored(version), stored(version) / "graph"):
            assert read_json(folder / artifacts.MANIFEST)["format_version"] == version


@EVERY_OLD
def test_an_old_model_gives_the_lists_that_it_gave(version: int):
    check_lists(load(stored(version)), FORMATS / str(version) / "lists.csv")


@EVERY_OLD
def test_an_old_model_takes_a_new_item_as_it_did(version: int):
    """Its parameters and its graph are read and migrated on first use."""
    rec = load(stored(version))
    assert rec.add_items(LATER).ids == ["l1"]
    check_lists(rec, FORMATS / str(version) / "lists_later.csv")


@EVERY_OLD
def test_an_old_model_explains_its_scores(version: int):
    rec = load(stored(version))
    scores = rec.recommend(["u1"], k=1000).set_index("item_id")["score"]
    for item in ("f7", "n1"):
        explanation = rec.explain("u1", item)
        assert explanation.score == pytest.approx(scores[item], abs=1e-5)
        assert explanation.sources["contribution"].sum() == pytest.approx(scores[item], abs=1e-5)


@EVERY_OLD
def test_an_old_model_is_saved_in_todays_format(version: int, tmp_path: Path):
    load(stored(version)).save(tmp_path / "model")
    assert artifacts.current(tmp_path / "model", "model").format_version == FORMAT_VERSION
    assert artifacts.current(tmp_path / "model" / "graph", "graph").format_version == FORMAT_VERSION
    again = load(tmp_path / "model")
    check_lists(again, FORMATS / str(version) / "lists.csv")
    again.add_items(LATER)
    check_lists(again, FORMATS / str(version) / "lists_later.csv")


@EVERY_OLD
def test_reading_leaves_an_old_folder_as_it_is(version: int):
    def hashes() -> dict[Path, str]:
        return {path: digest(path) for path in sorted(stored(version).rglob("*")) if path.is_file()}

    before = hashes()
    rec = load(stored(version))
    rec.add_items(LATER)
    rec.recommend(["u1"])
    assert len(before) == 20 + (version in (2, 3, 4, 7)) and hashes() == before


@EVERY_OLD
def test_an_old_graph_has_all_its_parts(version: int):
    graph = KnowledgeGraph.load(stored(version) / "graph")
    assert {"f1", "f7", "n1", "n2"} <= set(graph.item_ids) and "f8" not in graph.item_ids
    assert graph.item_codes(["f8"]) == graph.item_codes(["f3"])
    log = graph.interactions
    assert (len(log), int(log.positive.sum()), log.users.tolist()) == (
        16,
        14,
        ["u1", "u2", "u3", "u4", "u5", "u6"],
    )
    assert log.time is not None and int(log.time.min()) == pd.Timestamp("2020-01-01", tz="UTC").timestamp()


def test_an_index_of_format_2_is_flat(tmp_path: Path):
    rec = load(stored(2))
    assert rec.model.index.built == Built(kind="flat")
    assert rec.model.items.removed.tolist() == []
    rec.save(tmp_path / "model")
    assert (stored(2) / "index.faiss").exists() and not (tmp_path / "model" / "index.faiss").exists()


def test_an_index_of_format_3_keeps_the_recall_of_short_lists_alone():
    model = load(stored(3)).model
    assert read_json(stored(3) / "config.json")["index"]["deep_k"] == 119
    assert model.index.built == Built(kind="ivf", effort=43, recall=1.0, min_recall=0.98, k=100, sample=6)
    # beyond the lists that were measured, every item is compared
    assert model.index.built.effort_for(101) is None


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_removed_items_stay_removed(version: int):
    rec = load(stored(version))
    assert [rec.model.items.ids[row] for row in rec.model.items.removed] == ["f2"]
    assert "f2" not in set(rec.recommend(rec.model.users.tolist(), k=1000)["item_id"])


@pytest.mark.parametrize(
    ("version", "offset", "prior"), [(4, 0.0, 0.0), (5, -0.05, -0.05), (6, -0.05, -0.05)]
)
def test_items_without_interactions_have_a_prior_since_format_5(version: int, offset: float, prior: float):
    model = load(stored(version)).model
    assert model.config.rescore.cold_offset == offset
    assert model.rescorer.prior[model.items.rows(["f1", "f7", "n1"])].tolist() == pytest.approx([0, prior, 0])


@pytest.mark.parametrize(("version", "tokens"), [(5, ()), (6, ("comedy", "space"))])
def test_label_tokens_are_nodes_since_format_6(version: int, tokens: tuple[str, ...]):
    model = load(stored(version)).model
    assert model.config.encoder.label_tokens == bool(tokens)
    featurizer = model.parameters().featurizer
    assert featurizer.label_tokens == tokens and len(featurizer.token_idf) == len(tokens)
    assert featurizer.bins.keys() == {"year"} and featurizer.whitenings.keys() == {"", "mood"}


def test_a_saved_history_says_that_it_has_no_order(tmp_path: Path):
    """Format 6 with a half-life: an interaction 60 days before the last of its user weighs a quarter."""
    load(stored(6)).save(tmp_path / "model")
    history = read_table(tmp_path / "model" / "history.parquet")
    assert history.column_names == ["user", "item", "positive", "weight", "count"]
    assert read_json(tmp_path / "model" / "config.json")["ordered"] is False
    of_u1 = history.slice(0, 3).to_pydict()
    assert (of_u1["user"], of_u1["item"], of_u1["count"]) == ([0, 0, 0], [0, 1, 2], [1, 1, 1])
    # 2020-01-01 and 2020-02-01 are 60 and 29 days before 2020-03-01; the half-life is 30 days
    assert of_u1["weight"] == pytest.approx([0.5**2, 0.5 ** (29 / 30), 1])


def test_a_broken_folder_of_an_older_format_is_refused(tmp_path: Path):
    folder = Path(shutil.copytree(stored(6), tmp_path / "model"))
    write_json({"n_items": 9}, folder / "config.json")
    (folder / artifacts.MANIFEST).unlink()
    artifacts._seal(folder, artifacts.Manifest("model", format_version=6))
    with pytest.raises(CorruptArtifact) as raised:
        load(folder)
    assert raised.value.problem == f"{folder} is not a model of format 6 ('config')."


# steps, on values written out


def a_model(**changes: object) -> StoredModel:
    """The content of a folder of an early commit of format 2, cut to what the steps look at."""
    parts = {
        "config": {"config": {"encoder": {"dim": 8}, "rescore": {"depth": 500}, "index": {"kind": "flat"}}},
        "items": pa.table({"item_id": ["a", "b"]}),
        "history": pa.table({"user": [0], "item": [1], "positive": [True]}),
        "rescore": {"weights": np.ones(4, np.float32), "together.data": np.ones(1, np.float32)},
        "metrics": {"chosen": {"epochs": 1, "weights": {"embedding": 0.5, "together": 0.5}}, "log": []},
    }
    return StoredModel(**{**parts, **changes})


def test_all_steps_of_a_model():
    now = migrated_model(a_model(), 2)
    assert now.config == {
        "config": {
            "encoder": {"dim": 8, "label_tokens": False},
            "rescore": {"depth": 500, "cold_offset": 0.0},
            "index": {"kind": "flat"},
        },
        "index": {"kind": "flat"},
        "ordered": False,
    }
    assert now.items.to_pydict() == {"item_id": ["a", "b"], "removed": [False, False]}
    assert now.history.to_pydict() == {
        "user": [0],
        "item": [1],
        "positive": [True],
        "weight": [1.0],
        "count": [1],
    }
    assert [str(now.history.schema.field(name).type) for name in ("weight", "count")] == ["float", "int32"]
    assert {name: array.tolist() for name, array in now.rescore.items()} == {
        **{f"weight.{name}": [1] for name in ("embedding", "graph", "text", "co_occurrence")},
        "weight.sequence": [0],
        "weight.random_walk": [0],
        "co_occurrence.data": [1],
        "co_occurrence.decay": [1],
        "prior": [0, 0],
    }
    assert now.metrics == {
        "chosen": {"epochs": 1, "weights": {"embedding": 0.5, "co_occurrence": 0.5}},
        "log": [],
    }


def test_a_step_keeps_what_a_later_folder_of_its_format_has():
    """Removed items and a half-life came while the format was 3, the name of whitening while it was 6."""
    chosen = {"whitening": 0.5, "unmet": -0.1, "valid_blended_ndcg": 0.25, "valid_blended_recall": 0.75}
    before = a_model(
        config={
            "config": {
                "encoder": {"words": True},
                "rescore": {"together": False, "unmet": None, "weights": [4, 2, 0, 1]},
            },
            "index": {"kind": "ivf", "effort": 8, "deep_effort": 16, "deep_recall": 0.99, "deep_k": 1000},
        },
        items=pa.table({"item_id": ["a", "b"], "removed": [False, True]}),
        history=pa.table({"user": [0], "item": [1], "positive": [True], "weight": [0.25]}),
        metrics={"chosen": chosen, "log": []},
    )
    now = migrated_model(before, 3)
    assert now.config == {
        "config": {
            "encoder": {"label_tokens": True},
            "rescore": {
                "co_occurrence": False,
                "cold_offset": None,
                "weights": {"embedding": 4, "graph": 2, "text": 0, "co_occurrence": 1},
            },
        },
        "index": {"kind": "ivf", "effort": 8},
        "ordered": False,
    }
    assert now.items["removed"].to_pylist() == [False, True]
    assert now.history["weight"].to_pylist() == [0.25]
    assert now.metrics["chosen"] == {
        "whitening": 0.5,
        "cold_offset": -0.1,
        "valid_fused_ndcg": 0.25,
        "valid_fused_recall": 0.75,
    }
    assert migrated_model(a_model(metrics={"chosen": {"evenness": 0.5}}), 4).metrics == {
        "chosen": {"whitening": 0.5}
    }


def test_a_migration_changes_nothing_in_its_input():
    before, same = a_model(), a_model()
    migrated_model(before, 2)
    assert before.config == same.config and before.metrics == same.metrics
    assert before.rescore.keys() == same.rescore.keys()


def names_of(rows: np.ndarray) -> pa.Array:
    return pa.array([f"genre/{row}" for row in rows.tolist()])


def test_parameters_are_renamed_and_nodes_are_named():
    names = [
        *("dense", "schema.idf", "schema.word_idf"),
        *("schema.knots.year", "schema.mean.", "schema.map.", "schema.mean.schema.x"),
    ]
    arrays = {name: np.full(1, place) for place, name in enumerate(names)}
    arrays |= {"schema.entities": np.array([7, 9]), "schema.words": np.frombuffer(b"sea\nship", np.uint8)}
    now, nodes = migrated_parameters(arrays, 6, names_of)
    assert {name: int(array[0]) for name, array in now.items()} == {
        "dense": 0,
        "featurizer.idf": 1,
        "featurizer.token_idf": 2,
        "featurizer.bins.year": 3,
        "featurizer.mean.": 4,
        "featurizer.map.": 5,
        "featurizer.mean.schema.x": 6,
    }
    assert nodes.to_pydict() == {
        "kind": ["entity", "entity", "token", "token"],
        "name": ["genre/7", "genre/9", "sea", "ship"],
    }


def test_parameters_without_label_tokens_get_an_empty_array():
    now, nodes = migrated_parameters({"dense": np.ones(1), "schema.entities": np.array([7])}, 2, names_of)
    assert {name: (str(array.dtype), array.shape) for name, array in now.items()} == {
        "dense": ("float64", (1,)),
        "featurizer.token_idf": ("float32", (0,)),
    }
    assert nodes.to_pydict() == {"kind": ["entity"], "name": ["genre/7"]}


def test_interactions_are_counted_once():
    now = migrated_interactions(pa.table({"user_id": ["u", "v"]}), 2)
    assert now.to_pydict() == {"user_id": ["u", "v"], "count": [1, 1]}
    assert now.schema.field("count").type == pa.int32()


def test_todays_format_is_left_as_it_is():
    model, table = a_model(), pa.table({"user_id": ["u"]})
    assert migrated_model(model, FORMAT_VERSION) is model
    assert migrated_interactions(table, FORMAT_VERSION) is table
