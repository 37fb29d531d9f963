"""Nightly runs: what is published, when, and what stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from forked import in_child

import kgrec
from kgrec.errors import ArtifactError, ConfigError, SelfTestError
from kgrec.model import storage
from kgrec.serve import nightly as nightly_module
from kgrec.serve import releases as releases_of
from kgrec.serve.nightly import NightlyRules, NightlySources, nightly
from kgrec.serve.store.store import Store
from kgrec.train import newest_slice
from kgrec.train import refresh as refresh_module
from kgrec.train.newest_slice import Comparison

CONFIG = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1", "search_seconds=0"])
WORSE = Comparison(20, 9, 0.5, 0.4, -0.2, -0.1, 0.01)
ALL = NightlyRules(max_new=1)
DAY = 86_400


class Clock:
    """Seconds that go on by one with each look."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six films, with a log that has times: a minute apart, the newest three weeks old."""
    folder = tmp_path_factory.mktemp("nightly")
    shutil.copytree(shared_catalogue, folder / "films")
    mapping = (
        (folder / "films/kgrec.yaml").read_text().replace('positive: ">= 4"', 'positive: ">= 4", time: at')
    )
    (folder / "films/kgrec.yaml").write_text(mapping)
    header, *rows = (folder / "films/log.csv").read_text().split()
    lines = [f"{row},{1_790_000_000 + 60 * at}" for at, row in enumerate(rows)]
    (folder / "films/log.csv").write_text("\n".join([f"{header},at", *lines]) + "\n")
    kgrec.build_graph(folder / "films/kgrec.yaml").save(folder / "graph")
    return folder / "graph"


@pytest.fixture(scope="module")
def first(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("first")
    done = nightly(place, NightlySources(graph=graph), config=CONFIG, clock=lambda: 1_796_000_000)
    assert (done.outcome, done.why, done.release) == ("trained", "there was no release", "2026-11-30T005320Z")
    return place


@pytest.fixture
def releases(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "releases"))


@pytest.fixture
def clock(releases: Path) -> Clock:
    """A minute after the first release was written."""
    return Clock(kgrec_time(releases_of.newest(releases).manifest.created) + 60)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "feedback.sqlite", clock=clock) as opened:
        yield opened


def kgrec_time(created: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(created).timestamp()


def events(store: Store, *pairs: tuple[str, str]) -> None:
    made = [
        {"event_id": f"{user}-{item}", "user": user, "item": item, "type": "rating", "value": 5}
        for user, item in pairs
    ]
    assert store.add_events(made).accepted == len(made)


def loaded(releases: Path) -> kgrec.Recommender:
    return kgrec.Recommender.load(releases_of.newest(releases).folder)


def test_the_newest_release_learns_what_came(releases: Path, store: Store, clock: Clock):
    events(store, ("u7", "f4"), ("u7", "f5"), ("u1", "f6"))
    done = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert (done.outcome, done.parent, done.due) == ("refreshed", "2026-11-30T005320Z", "")
    assert done.release == releases_of.newest(releases).folder.name != done.parent
    model = loaded(releases).model
    assert model.inputs["feedback"] == "3" and "u7" in model.users.tolist()
    assert [entry["interactions"] for entry in model.metrics["lineage"]] == [3]
    # called again, there is nothing to do
    again = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert (again.outcome, again.release, again.parent) == ("unchanged", done.release, done.release)
    assert len(releases_of.all_of(releases)) == 2


def test_a_table_instead_of_a_store(releases: Path, tmp_path: Path, clock: Clock, shared_catalogue: Path):
    (tmp_path / "new.csv").write_text("user,film,stars,at\nu7,n2,5,1796000000\nu7,f4,4,1796000001\n")
    given = NightlySources(interactions=tmp_path / "new.csv", items=shared_catalogue / "new")
    assert nightly(releases, given, ALL, clock=clock).outcome == "refreshed"
    assert loaded(releases).model.items.trained.whole.tolist() == [True] * 6 + [False, True]
    assert nightly(releases, given, ALL, clock=clock).outcome == "unchanged"


def test_the_first_release_needs_a_graph(tmp_path: Path, store: Store):
    with pytest.raises(ConfigError, match="no release yet"):
        nightly(tmp_path / "none", NightlySources(store))


Change = Callable[[Clock], dict[str, Any]]


def older(clock: Clock) -> dict[str, Any]:
    clock.now += 8 * DAY
    return {"rules": ALL}


REASONS: dict[str, tuple[Change, str]] = {
    "age": (older, "the last full training is 8.0 days old"),
    "share": (lambda _: {"rules": NightlyRules(max_new=0.1)}, "17% of the interactions came since"),
    "asked": (lambda _: {"rules": replace(ALL, full=True)}, "a full training was requested"),
    "drift": (
        lambda _: {"rules": ALL, "drift": lambda *_: "retrain"},
        "the drift check against newer data says retrain",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_model_is_trained_anew_for_a_reason(
    name: str, releases: Path, graph: Path, store: Store, clock: Clock
):
    change, why = REASONS[name]
    events(store, ("u7", "f4"), ("u7", "f5"), ("u1", "f6"))
    done = nightly(releases, NightlySources(store, graph), clock=clock, **change(clock))
    assert done.outcome == "trained" and why in done.why
    model = loaded(releases).model
    assert model.inputs["feedback"] == "3" and "u7" in model.users.tolist()
    assert model.histories.item.shape == (18,)  # type: ignore[union-attr]
    # the last day was learned by a refresh of what was trained on the rest
    assert [entry["parent"] for entry in model.metrics["lineage"]] == [""]
    clock.now = time.time()
    assert nightly(releases, NightlySources(store, graph), ALL, clock=clock).outcome == "unchanged"


def test_without_a_graph_a_full_training_is_due(releases: Path, store: Store, clock: Clock):
    events(store, ("u7", "f4"))
    clock.now += 8 * DAY
    done = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert done.outcome == "refreshed" and done.due.startswith("the last full training is 8.")


def test_a_stable_drift_changes_nothing(releases: Path, graph: Path, store: Store, clock: Clock):
    events(store, ("u7", "f4"))
    asked: list[int] = []

    def drift(release: kgrec.Recommender, recent: kgrec.Interactions) -> str:
        assert release.model.users.ids(["u7"])[0] == -1
        assert recent.users.take(recent.user).to_pylist() == ["u7"]
        asked.append(len(recent))
        return "stable"

    assert (
        nightly(releases, NightlySources(store, graph), ALL, drift=drift, clock=clock).outcome == "refreshed"
    )
    assert asked == [1]


def test_what_ranks_worse_is_not_published(
    releases: Path, graph: Path, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """A refresh that is rejected leads to a full training, and one that is rejected, too, to nothing."""
    events(store, ("u7", "f4"), ("u1", "f6"))
    before = releases_of.newest(releases).folder
    monkeypatch.setattr(refresh_module, "compared", lambda *_, **__: WORSE)
    done = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert (done.outcome, done.release, done.ndcg["after"]) == ("rejected", before.name, 0.4)
    with monkeypatch.context() as patched:
        patched.setattr(newest_slice, "compared_by_name", lambda *_, **__: WORSE)
        done = nightly(releases, NightlySources(store, graph), ALL, clock=clock)
        assert done.outcome == "rejected" and "the retrained model ranks worse" in done.why
    assert releases_of.newest(releases).folder == before
    done = nightly(releases, NightlySources(store, graph), ALL, clock=clock)
    assert (done.outcome, done.why) == ("trained", "the refreshed model ranks worse than its parent")
    events(store, ("u8", "f4"))
    assert (
        nightly(releases, NightlySources(store), replace(ALL, force=True), clock=clock).outcome == "refreshed"
    )


def test_the_last_five_stay(releases: Path, store: Store, clock: Clock):
    shutil.copytree(releases_of.newest(releases).folder, releases / "by-hand")
    names = [releases_of.newest(releases).folder.name]
    for at in range(3):
        events(store, (f"n{at}", "f4"))
        done = nightly(releases, NightlySources(store), replace(ALL, keep=2), clock=clock)
        assert done.release is not None
        names.append(done.release)
    assert done.removed == [names[-3]]
    left = {one.folder.name for one in releases_of.all_of(releases)}
    assert left == {*names[-2:], "by-hand"}, "what this command did not name stays"


def test_a_run_beside_another_does_nothing(releases: Path, store: Store, clock: Clock):
    events(store, ("u7", "f4"))
    with FileLock(releases / ".nightly.lock"):
        done = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert (done.outcome, done.release) == ("busy", releases_of.newest(releases).folder.name)
    assert nightly(releases, NightlySources(store), ALL, clock=clock).outcome == "refreshed"


def test_a_killed_run_leaves_the_earlier_release(releases: Path, store: Store, clock: Clock, tmp_path: Path):
    """It dies with half of the folder written; the next run removes that, and publishes."""
    events(store, ("u7", "f4"))
    before = releases_of.newest(releases).folder.name

    def dying() -> bytes:
        storage._card = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment,return-value]
        with Store.open(tmp_path / "feedback.sqlite") as own:
            nightly(releases, NightlySources(own), ALL)
        return b""

    with pytest.raises(ChildProcessError, match="-9"):
        in_child(dying, 300)
    assert [place for place in releases.iterdir() if place.suffix == ".tmp"]
    assert releases_of.newest(releases).folder.name == before
    done = nightly(releases, NightlySources(store), ALL, clock=clock)
    assert done.outcome == "refreshed"
    assert not [place for place in releases.iterdir() if place.suffix == ".tmp"]


def test_a_model_that_fails_its_test_is_not_published(
    releases: Path, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    def fails(_: Any) -> None:
        raise SelfTestError("A list is empty.", "Train again.")

    events(store, ("u7", "f4"))
    monkeypatch.setattr(nightly_module, "self_test", fails)
    with pytest.raises(SelfTestError):
        nightly(releases, NightlySources(store), ALL, clock=clock)
    assert len(releases_of.all_of(releases)) == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path, graph: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write there"):
        nightly(tmp_path / "file" / "releases", NightlySources(graph=graph))


def test_figures_are_of_the_last_day(releases: Path, graph: Path, store: Store, clock: Clock):
    """u1 has a history before the last day, and likes f6 on it."""
    events(store, ("u1", "f6"), ("u7", "f4"))
    done = nightly(releases, NightlySources(store, graph), replace(ALL, full=True), clock=clock)
    assert done.ndcg["users"] == 1 and done.ndcg["k"] == 20
    assert json.dumps(vars(done))
