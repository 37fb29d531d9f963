"""A model that answers while it changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stores import both_databases, new_database

import kgrec
from kgrec.errors import ConfigError, UnknownId
from kgrec.serve.live import LiveModel, watermark
from kgrec.serve.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.sqlite") as opened:
        yield opened


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a store in the database of `both_databases`."""
    with new_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def live(model: Path, store: Store) -> LiveModel:
    return LiveModel.load(model, store)


def event(name: str, user: str, item: str, type_: str = "like") -> dict[str, Any]:
    return {"event_id": name, "user": user, "item": item, "type": type_}


def items(live: LiveModel, user: str) -> list[str]:
    return list(live.state.recommender.recommend([user], k=9)["item_id"])


def test_a_state_never_changes(live: LiveModel):
    before = live.state
    listed = items(live, "u1")
    live.add_events([[event("a", "u1", "f4")]])
    live.add_items({"film": [{"id": "n1", "title": "X", "plot": "", "genres": "Romance", "director": "Cy"}]})
    live.remove_items(["f5"])
    assert list(before.recommender.recommend(["u1"], k=9)["item_id"]) == listed
    assert (before.revision, live.state.revision) == (0, 3)
    assert set(items(live, "u1")) == {"f6", "n1"}


def test_receipts_of_several_callers(live: LiveModel):
    first, second = live.add_events(
        [[event("a", "u1", "f4"), event("b", "u1", "x")], [event("a", "u1", "f4"), event("c", "u2", "f5")]]
    )
    assert (first.accepted, first.duplicate, [row[0] for row in first.rejected]) == (1, 0, [1])
    assert (second.accepted, second.duplicate, second.rejected) == (1, 1, [])
    assert first.revision == second.revision == live.state.revision


def test_an_item_that_is_removed_in_vain_is_not_in_the_store(live: LiveModel):
    with pytest.raises(UnknownId):
        live.remove_items(["f1", "nothing"])
    assert list(live.store.items_since()) == [] and live.state.revision == 0


def test_a_restart_makes_the_same_state(live: LiveModel, model: Path):
    live.add_items({"film": [{"id": "n1", "title": "X", "plot": "p", "genres": "Romance", "director": "Cy"}]})
    live.add_events([[event("a", "new", "n1"), event("b", "u1", "f4", "hide")]])
    live.update_items({"film": [{"id": "n1", "title": "Y"}]})
    live.erase_user("u2")
    live.remove_items(["f5"])
    again = LiveModel.load(model, live.store)
    for user in ("u1", "u3", "new"):
        assert items(again, user) == items(live, user)
    assert again.state.recommender.label("n1") == "Y"
    assert again.state.erased == live.state.erased == {"u2"}
    assert again.state.revision == live.state.revision


def test_an_update_keeps_what_earlier_rows_said(live: LiveModel):
    live.add_items({"film": [{"id": "n1", "title": "X", "plot": "p", "genres": "Romance", "director": "Cy"}]})
    live.update_items({"film": [{"id": "n1", "title": "Y"}]})
    [kept] = live.store.items_since()
    assert kept.rows == {
        "film": [{"id": "n1", "title": "Y", "plot": "p", "genres": "Romance", "director": "Cy"}]
    }


class Crossed(Store):
    """A store into which others write just before and just after this process puts items."""

    before: Callable[[], Any] = staticmethod(lambda: None)
    after: Callable[[], Any] = staticmethod(lambda: None)

    def put_items(self, items: Mapping[str, Any], **options: Any) -> int | None:
        self.before()
        done = super().put_items(items, **options)
        self.after()
        return done


@both_databases
def test_two_processes_change_one_item(model: Path, store_url: str):
    """Columns of both stay, in the store and in each model, whether the other is a moment earlier or later."""
    with Crossed.open(store_url) as crossed, Store.open(store_url) as plain:
        assert isinstance(crossed, Crossed)
        one, other = LiveModel.load(model, crossed), LiveModel.load(model, plain)
        earlier = iter([{"title": "Y"}, {"plot": "q"}])

        def change(columns: dict[str, str] | None) -> None:
            if columns is not None:
                other.update_items({"film": [{"id": "f1", **columns}]})

        crossed.before = lambda: change(next(earlier, None))
        later = iter([None, None, {"genres": "Romance|Comedy"}])
        crossed.after = lambda: change(next(later, None))
        done, state = one.update_items({"film": [{"id": "f1", "director": "Cy"}]})
        other.catch_up()
        [kept] = plain.items_since()
    assert kept.rows == {
        "film": [{"id": "f1", "title": "Y", "plot": "q", "director": "Cy", "genres": "Romance|Comedy"}]
    }
    assert (done.ids, state.revision) == (["f1"], 4)
    for live in (one, other):
        state = live.state
        assert state.recommender.label("f1") == "Y"
        fields = state.fields(["genres", "directed_by"])
        assert sorted(fields["genres"][0].as_py()) == ["Comedy", "Romance"]
        assert fields["directed_by"][0].as_py() == ["Cy"]


@both_databases
def test_two_processes_add_one_item(model: Path, store_url: str):
    """The first one adds it; to the second it is known."""
    with Crossed.open(store_url) as crossed, Store.open(store_url) as plain:
        assert isinstance(crossed, Crossed)
        one, other = LiveModel.load(model, crossed), LiveModel.load(model, plain)
        row = {"id": "n1", "title": "X", "plot": "p", "genres": "Romance", "director": "Cy"}
        crossed.before = lambda: other.add_items({"film": [row]})
        done, state = one.add_items({"film": [{**row, "title": "Z"}]})
    assert (done.ids, done.known, state.revision) == ([], ["n1"], 1)
    assert state.recommender.label("n1") == "X"


def test_a_model_with_events_needs_its_store(live: LiveModel, model: Path, tmp_path: Path):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    live.add_events([[event("a", "u1", "f4")]])
    state = live.snapshot(folder)
    assert watermark(kgrec.Recommender.load(folder).model) == state.revision == 1
    again = LiveModel.load(folder, live.store)
    assert items(again, "u1") == items(live, "u1")
    with (
        Store.open(tmp_path / "another.sqlite") as another,
        pytest.raises(ConfigError, match="up to revision 1"),
    ):
        LiveModel.load(folder, another)


def test_the_mean_user_follows_events_and_erasures(live: LiveModel):
    """The sum of the users' vectors that follows changes is that of a new computation."""
    live.state.model.user_vectors(live.state.model.histories.take(np.array([0])))
    before = live.state.model._vector_sum.copy()
    live.add_events([[event("a", "u1", "f4"), event("b", "new", "f5"), event("c", "u2", "f1", "hide")]])
    live.erase_user("u3")
    live.remove_items(["f6"])
    model = live.state.model
    followed = model._vector_sum
    computed = model.user_encoder.encode(
        model.histories.take(np.arange(len(model.histories))), model.items.vectors
    )
    np.testing.assert_allclose(followed, computed.sum(axis=0), atol=1e-5)
    assert not np.allclose(followed, before, atol=1e-3)


def test_fields_are_kept_by_state(live: LiveModel):
    column = live.state.fields(["genres"])["genres"]
    assert live.state.fields(["genres"])["genres"] is column
    live.update_items({"film": [{"id": "f1", "genres": "Romance"}]})
    assert live.state.fields(["genres"])["genres"][0].as_py() == ["Romance"]


def test_changes_do_not_need_the_folder_any_more(model: Path, store: Store, tmp_path: Path):
    """A training may replace or remove it while the server runs."""
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    live = LiveModel.load(folder, store)
    shutil.rmtree(folder)
    live.add_events([[event("a", "u1", "f4")]])
    live.add_items({"film": [{"id": "n1", "title": "X", "plot": "p", "genres": "Romance", "director": "Cy"}]})
    live.update_items({"film": [{"id": "n1", "title": "Y"}, {"id": "f1", "title": "Z"}]})
    live.add_items({"film": [{"id": "n2", "title": "X", "plot": "p", "genres": "Romance", "director": "Cy"}]})
    live.remove_items(["f5"])
    live.erase_user("u2")
    live.add_events([[event("b", "u1", "n2")]])
    assert live.state.recommender.explain("u1", "f6").parts()["sources"]
    live.snapshot(tmp_path / "snapshot")
    shutil.rmtree(tmp_path / "snapshot")
    live.update_items({"film": [{"id": "n2", "title": "W"}]})
    assert live.state.recommender.label("n2") == "W"
