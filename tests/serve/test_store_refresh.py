"""A refresh with what a feedback store received."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.errors import ConfigError, TrainingError
from kgrec.serve.live import LiveModel, watermark
from kgrec.serve.store.store import Store
from kgrec.serve.store_refresh import refreshed_from_store

NOW = 1_796_040_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "feedback.sqlite", clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = kgrec.Config.read(settings=["dim=8", "epochs=4", "train.threads=1"])
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    place = tmp_path_factory.mktemp("store_refresh") / "model"
    kgrec.Recommender(config, text_encoder=BagOfWords()).fit(graph).save(place)
    return place


@pytest.fixture
def rec(folder: Path) -> kgrec.Recommender:
    return kgrec.Recommender.load(folder, text_encoder=BagOfWords())


def event(user: str, item: str, ago: float = 0, type_: str = "click") -> dict[str, object]:
    return {
        "event_id": f"{user}-{item}-{type_}",
        "user": user,
        "item": item,
        "type": type_,
        "time": int((NOW - ago) * 1000),
    }


def test_items_and_events_of_a_store_are_learned(rec: kgrec.Recommender, store: Store, tmp_path: Path):
    row = {
        "id": "n2",
        "title": "Spring Love",
        "plot": "a couple falls in love",
        "genres": "Romance",
        "director": "Cy",
    }
    store.put_items({"n2": {"film": [row]}})
    store.add_events([event("u7", "n2", 50), event("u7", "f4", 40), event("u1", "f5", 30), event("u7", "x1")])
    fresh, done = refreshed_from_store(rec, store)
    assert (done.accepted, done.interactions, done.users, done.new_items) == (True, 3, 2, 1)
    assert done.newly_learned_items == 1
    assert watermark(rec.model) == 0 and "n2" not in rec.model.items.ids.tolist()
    assert watermark(fresh.model) == store.revision()
    fresh.save(tmp_path / "model")
    # a server that takes it has nothing to add, and one with older events does
    loaded = kgrec.Recommender.load(tmp_path / "model", text_encoder=BagOfWords())
    assert LiveModel(loaded, store).state.model is loaded.model
    with pytest.raises(TrainingError, match="nothing to learn"):
        refreshed_from_store(loaded, store)
    store.add_events([event("u9", "f1")])
    assert refreshed_from_store(loaded, store)[1].interactions == 1


def test_an_erased_user_is_gone_from_the_refreshed_model(rec: kgrec.Recommender, store: Store):
    store.add_events([event("u7", "f4", 40), event("u8", "f5", 30), event("u8", "f6", 20)])
    store.erase_user("u7")
    store.erase_user("u3")
    fresh, done = refreshed_from_store(rec, store)
    assert done.interactions == 2
    known = fresh.model.users.tolist()
    lengths = dict(
        zip(
            known,
            (fresh.model.histories.indptr[1:] - fresh.model.histories.indptr[:-1]).tolist(),
            strict=True,
        )
    )  # type: ignore[union-attr]
    assert lengths["u3"] == 0 and lengths["u8"] == 2 and "u7" not in lengths


def test_the_store_of_another_model_is_refused(rec: kgrec.Recommender, store: Store, tmp_path: Path):
    store.add_events([event("u7", "f4")])
    fresh, _ = refreshed_from_store(rec, store)
    with Store.open(tmp_path / "other.sqlite") as other, pytest.raises(ConfigError, match="revision"):
        refreshed_from_store(fresh, other)
