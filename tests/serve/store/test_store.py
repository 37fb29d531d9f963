"""What a store promises, whatever database holds it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text

from kgrec.errors import ConfigError, StoreError, VersionMismatch
from kgrec.serve.store import store as store_module
from kgrec.serve.store.records import (
    Added,
    Erasure,
    Impression,
    Rejected,
    StoredEvent,
    StoredItem,
    StoreFigures,
)
from kgrec.serve.store.store import Store

#: as in conftest.py
NOW = 1_796_040_000_000


def event(name: str, user: str = "u1", item: str = "i1", **others: Any) -> dict[str, Any]:
    return {"event_id": name, "user": user, "item": item, "type": "click", **others}


def listed(store: Store, seq: int = 0, **options: Any) -> list[tuple[int, str]]:
    return [(e.seq, e.event_id) for e in store.events_since(seq, **options)]


# events


def test_an_event_comes_back_as_it_went_in(store: Store):
    full = event("e1", type="rating", value=4.5, time=NOW - 5, rid="r1", position=3)
    assert store.add_events([full, event("e2")]) == Added(2, 0, (), 2)
    assert list(store.events_since()) == [
        StoredEvent(1, "e1", "u1", "i1", "rating", 4.5, NOW - 5, "r1", 3, NOW),
        StoredEvent(2, "e2", "u1", "i1", "click", None, NOW, None, None, NOW),
    ]


def test_an_event_counts_once_within_and_across_calls(store: Store):
    assert store.add_events([event("e1"), event("e1", item="i2"), event("e2")]) == Added(2, 1, (), 3)
    assert store.add_events([event("e2"), event("e1")]) == Added(0, 2, (), 3)
    assert store.add_events([event("e3"), event("e1")]) == Added(1, 1, (), 5)
    assert [(e.event_id, e.item) for e in store.events_since()] == [("e1", "i1"), ("e2", "i1"), ("e3", "i1")]


def test_events_of_several_callers_are_one_transaction(store: Store):
    added = store.add_batches(
        [[event("e1"), event("e2")], [], [event("e2"), event("", item="i2"), event("e3")]]
    )
    assert added[:2] == [Added(2, 0, (), 2), Added(0, 0, (), 2)]
    assert (added[2].accepted, added[2].duplicate, [one.index for one in added[2].rejected]) == (1, 1, [1])
    assert [e.event_id for e in store.events_since()] == ["e1", "e2", "e3"]
    with pytest.raises(ConfigError):
        store.add_batches([[event("e4")], 5])  # type: ignore[list-item]
    assert [e.event_id for e in store.events_since()] == ["e1", "e2", "e3"]


def test_many_events_count_once_each(store: Store):
    """So many that PostgreSQL takes them by COPY."""
    many = [event(f"e{n % 2500}", item=f"tab\t back\\ {n}", value=n / 4) for n in range(3000)]
    assert store.add_events(many) == Added(2500, 500, (), 3000)
    assert store.add_events(many) == Added(0, 3000, (), 3000)
    found = {e.event_id: (e.item, e.value, e.rid) for e in store.events_since()}
    assert found == {f"e{n}": (f"tab\t back\\ {n}", n / 4, None) for n in range(2500)}


def test_no_events_change_nothing(store: Store):
    assert store.add_events([]) == Added(0, 0, (), 0)


def test_a_bad_event_is_rejected_and_the_others_are_kept(store: Store):
    added = store.add_events(
        [event("e1"), event("x", value=float("nan")), event("e2"), event("y", user="a\0b")]
    )
    assert (added.accepted, added.duplicate, added.revision) == (2, 0, 2)
    assert [(one.index, one.problem) for one in added.rejected] == [
        (1, "value is nan."),
        (3, "user is 'a\\x00b', which has a NUL character."),
    ]
    assert [e.event_id for e in store.events_since()] == ["e1", "e2"]


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5, unique=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_any_text_that_is_accepted_comes_back(store: Store, ids: list[str]):
    added = store.add_events([event(f"{name}", user=name, item=name, rid=name) for name in ids])
    refused = {ids[one.index] for one in added.rejected}
    assert all(not name.strip() or "\0" in name for name in refused)
    for name in set(ids) - refused:
        assert {(e.user, e.item, e.rid) for e in store.events_of(name)} == {(name, name, name)}


def test_whole_numbers_are_ids(store: Store):
    store.add_events([event("e1", user=7, item=8.0)])
    assert [(e.user, e.item) for e in store.events_of("7")] == [("7", "8")]


def test_sql_in_an_id_is_text(store: Store):
    name = "'); DROP TABLE events; --"
    store.add_events([event(name, user=name, item="%s ? :x")])
    assert [(e.event_id, e.item) for e in store.events_of(name)] == [(name, "%s ? :x")]


def test_events_are_read_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "_ROWS", 2)
    store.add_events([event(f"e{n}") for n in range(1, 6)])
    assert listed(store) == [(n, f"e{n}") for n in range(1, 6)]
    assert listed(store, 1, until=4) == [(2, "e2"), (3, "e3"), (4, "e4")]
    assert listed(store, 5) == []


@pytest.mark.parametrize("bad", [-1, 1.5, "1", None, 2**63])
def test_what_is_no_revision_is_refused_at_once(tmp_path: Path, bad: Any):
    with Store.open(tmp_path / "store.sqlite") as store:
        for read in (store.events_since, store.items_since, store.erased_since):
            with pytest.raises(ConfigError, match="revision is"):
                read(bad)


def test_a_long_call_is_refused(store: Store):
    with pytest.raises(ConfigError, match="There are 100,001 events"):
        store.add_events([event("e1")] * 100_001)
    with pytest.raises(ConfigError, match="events is"):
        store.add_events("e1")  # type: ignore[arg-type]


def test_the_latest_events_of_a_user(store: Store):
    store.add_events([event("e1"), event("e2", user="u2"), event("e3"), event("e4")])
    assert [e.event_id for e in store.events_of("u1")] == ["e1", "e3", "e4"]
    assert [e.event_id for e in store.events_of("u1", limit=2)] == ["e3", "e4"]
    assert [e.event_id for e in store.events_of("u1", since=3)] == ["e4"]
    assert store.events_of("nobody") == []


def test_interactions_are_exported_as_arrow(store: Store):
    store.add_events([event("e1", value=2.0, time=NOW - 1), event("e2", user="u2", item="i2", type="like")])
    table = store.export_interactions().read_all()
    assert table.schema == pa.schema(
        {
            "user_id": pa.large_string(),
            "item_id": pa.large_string(),
            "type": pa.large_string(),
            "value": pa.float64(),
            "time": pa.timestamp("ms", "UTC"),
        }
    )
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("u1", "i1", "click", 2.0, at - timedelta(milliseconds=1)),
        ("u2", "i2", "like", None, at),
    ]
    assert list(store.export_interactions(since=2)) == []
    assert store.export_interactions(since=2).read_all().schema == table.schema


# revisions


def test_every_change_takes_the_next_number(store: Store):
    assert store.revision() == 0
    assert store.add_events([event("e1"), event("e2")]).revision == 2
    assert store.put_items({"n1": {}, "n2": {}}) == 4
    assert store.erase_user("u9").revision == 5
    assert store.put_scenario("home", {}) == 6
    assert store.remove_items(["n1"]) == 7
    assert store.add_events([event("e3")]).revision == 8
    assert store.revision() == 8


def test_waiting_ends_with_the_revision_or_with_the_time(store: Store):
    store.add_events([event("e1")])
    assert store.wait_for_revision(1, timeout=60) == 1
    assert store.wait_for_revision(2, timeout=0.01) == 1


@pytest.mark.parametrize("same", [True, False], ids=["same object", "another object"])
def test_a_waiting_reader_wakes(store: Store, url: str, same: bool):
    with Store.open(url) as other:
        found: list[int] = []
        reader = store if same else other
        waiting = threading.Thread(target=lambda: found.append(reader.wait_for_revision(2, timeout=60)))
        waiting.start()
        store.add_events([event("e1")])
        time.sleep(0.1)
        store.add_events([event("e2")])
        waiting.join()
    assert found == [2]


def test_the_watermark(store: Store):
    assert store.watermark() == 0
    store.add_events([event("e1")])
    store.set_watermark(1)
    assert store.watermark() == 1
    for bad in (2, -1, "1"):
        with pytest.raises(ConfigError, match="watermark is"):
            store.set_watermark(bad)  # type: ignore[arg-type]
    assert store.watermark() == 1


def test_readers_by_number_miss_nothing_while_others_write(store: Store, url: str):
    """Four writers; a reader that only looks after the last number it has seen gets every event once."""
    seen: list[str] = []
    last = 0

    def write(writer: int) -> None:
        with Store.open(url) as own:
            for n in range(20):
                own.add_events([event(f"{writer}-{n}-{part}") for part in range(3)])

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for one in writers:
        one.start()
    while any(one.is_alive() for one in writers) or last < store.revision():
        for found in store.events_since(last):
            assert found.seq > last
            seen.append(found.event_id)
            last = found.seq
    assert len(seen) == 240
    assert set(seen) == {f"{w}-{n}-{part}" for w in range(4) for n in range(20) for part in range(3)}


# users


def test_an_erased_user_leaves_a_tombstone(store: Store):
    store.add_events([event("e1"), event("e2", user="u2")])
    store.add_impressions([Impression("r1", "u1", ("i1",), NOW), Impression("r2", "u2", ("i1",), NOW)])
    assert store.erase_user("u1") == Erasure("u1", NOW, 3)
    assert [e.event_id for e in store.events_since()] == ["e2"]
    assert (store.impression("r1"), store.impression("r2")) == (None, Impression("r2", "u2", ("i1",), NOW))
    assert list(store.erased_since()) == [Erasure("u1", NOW, 3)]
    assert list(store.erased_since(3)) == []


def test_events_of_an_erased_user_count_after_the_erasure(store: Store, url: str):
    store.erase_user("u1")
    added = store.add_events(
        [event("e1", time=NOW), event("e2", time=NOW + 1), event("e3", user="u2", time=NOW - 9)]
    )
    problem = "The data of user 'u1' was erased after the time of this event."
    assert added == Added(
        2, 0, (Rejected(0, problem, "Send only events that happened after the erasure."),), 3
    )
    assert store.add_impressions([Impression(f"r{n}", "u1", (), NOW + n) for n in range(2)]) == 1
    with Store.open(url, clock=lambda: NOW / 1000 + 60) as later:
        assert later.erase_user("u1") == Erasure("u1", NOW + 60_000, 4)
    assert list(store.erased_since()) == [Erasure("u1", NOW + 60_000, 4)]
    assert [e.event_id for e in store.events_since()] == ["e3"]


# impressions


def test_an_impression_comes_back(store: Store):
    full = Impression("r1", "u1", ("i2", "i1"), NOW, "home", "b", "model-7", 42)
    bare = Impression("r0", None, (), NOW)
    assert store.add_impressions([full, bare]) == 2
    assert store.add_impression(Impression("r1", "u2", ("i9",), NOW)) == 0
    assert (store.impression("r1"), store.impression("r0"), store.impression("r9")) == (full, bare, None)
    assert list(store.impressions()) == [bare, full]
    assert list(store.impressions(scenario="home")) == [full]


def test_a_bad_impression_is_refused_whole(store: Store):
    good = Impression("r1", "u1", ("i1",), NOW)
    for bad in (
        Impression("", "u1", ("i1",), NOW),
        Impression("r2", "u1", ("i\0",), NOW),
        Impression("r2", "u1", ("i",) * 10_001, NOW),
        Impression("r2", "u1", ("i1",), NOW, variant="v" * 65),
        Impression("r2", "u1", ("i1",), NOW, revision=-1),
        "r2",
    ):
        with pytest.raises(ConfigError):
            store.add_impressions([good, bad])  # type: ignore[list-item]
    assert store.impression("r1") is None


# items


def test_items_are_followed_by_revision(store: Store):
    assert store.put_items({"n1": {"movie": [{"title": "Ämil \0"}]}, "n2": [1.5, None]}) == 2
    assert store.remove_items(["n2", "old", "n2"]) == 4
    assert list(store.items_since()) == [
        StoredItem("n1", {"movie": [{"title": "Ämil \0"}]}, False, 1),
        StoredItem("n2", None, True, 3),
        StoredItem("old", None, True, 4),
    ]
    assert store.put_items({"n2": "again"}) == 5
    assert list(store.items_since(3)) == [
        StoredItem("old", None, True, 4),
        StoredItem("n2", "again", False, 5),
    ]


def test_items_are_put_unless_another_writer_changed_them(store: Store, url: str):
    with Store.open(url) as other:
        assert other.put_items({"n1": "other"}) == 1
        assert store.put_items({"n1": "mine", "n2": "mine"}, unless_changed_since=0) is None
        assert store.revision() == 1
        assert store.put_items({"n2": "mine"}, unless_changed_since=0) == 2
        assert store.put_items({"n1": "both"}, unless_changed_since=1) == 3
        assert other.remove_items(["n2"]) == 4
        assert store.put_items({"n2": "mine"}, unless_changed_since=3) is None
    assert {one.id: one.rows for one in store.items_since()} == {"n1": "both", "n2": None}


@pytest.mark.parametrize("bad", [float("nan"), object(), {"x": b"y"}, "\ud800", "x" * 1_000_001])
def test_values_that_are_no_json_are_refused(store: Store, bad: Any):
    with pytest.raises(ConfigError):
        store.put_items({"n1": {}, "n2": bad})
    with pytest.raises(ConfigError):
        store.put_scenario("home", {"x": bad})
    assert store.revision() == 0


# scenarios


def test_scenarios(store: Store):
    store.put_scenario("home", {"k": 20})
    store.put_scenario("basket", {"k": 5, "variants": [{"name": "a"}]})
    store.put_scenario("home", {"k": 30})
    assert store.scenario("home") == {"k": 30}
    assert store.scenario("none") is None
    assert store.scenarios() == {"basket": {"k": 5, "variants": [{"name": "a"}]}, "home": {"k": 30}}
    with pytest.raises(ConfigError):
        store.put_scenario("home", [])  # type: ignore[arg-type]


# the whole


def filled(store: Store) -> None:
    store.add_events([event("e1"), event("e2", user="u2", value=1.5)])
    store.add_impression(Impression("r1", "u2", ("i1",), NOW, "home"))
    store.put_items({"n1": {"movie": []}})
    store.erase_user("u1")
    store.put_scenario("home", {"k": 20})
    store.set_watermark(2)


def content(store: Store) -> list[Any]:
    figures = store.figures()
    parts = [store.events_since(), store.impressions(), store.items_since(), store.erased_since()]
    return [*map(list, parts), store.scenarios(), figures.rows, figures.revision, figures.watermark]


def test_a_store_outlives_its_process(store: Store, url: str):
    filled(store)
    before = content(store)
    store.close()
    with Store.open(url) as again:
        assert content(again) == before


def test_figures(store: Store):
    filled(store)
    figures = store.figures()
    rows = {"events": 1, "impressions": 1, "items": 1, "scenarios": 1, "users": 1}
    assert figures == StoreFigures(rows, figures.bytes, 5, 2)
    assert figures.bytes > 10_000


def test_a_backup_is_a_store(store: Store, tmp_path: Path):
    filled(store)
    copy = tmp_path / "copy.sqlite"
    copy.write_text("an older backup")
    store.backup(copy)
    store.add_events([event("e3")])
    with Store.open(copy, create=False) as opened:
        assert opened.revision() == 5
        store.erase_user("u3")
        assert [e.event_id for e in opened.events_since()] == ["e2"]
        assert content(opened)[:4] != content(store)[:4]
        assert opened.add_events([event("e2"), event("e4")]).accepted == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_backup_that_cannot_be_written(store: Store, tmp_path: Path):
    with pytest.raises(StoreError, match="folder that does not exist"):
        store.backup(tmp_path / "nowhere" / "copy.sqlite")


# opening


def changed(url: str, *statements: str) -> None:
    """Run statements on the tables behind a store's back."""
    plain = make_url(url)
    plain = plain.set(drivername=f"{plain.drivername}+{'pysqlite' if 'sqlite' in url else 'psycopg'}")
    engine = create_engine(plain)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.usefixtures("store")
def test_a_store_of_a_later_kgrec_is_refused(url: str):
    changed(url, "UPDATE meta SET value = 99 WHERE name = 'schema_version'")
    with pytest.raises(
        VersionMismatch, match="has schema version 99; this version of kgrec supports versions up to 2"
    ):
        Store.open(url)


def test_a_store_of_the_first_version_is_migrated(url: str):
    with Store.open(url) as store:
        store.add_impression(Impression("r1", "u", ("a",), NOW))
    changed(
        url,
        "ALTER TABLE impressions DROP COLUMN propensities",
        "UPDATE meta SET value = 1 WHERE name = 'schema_version'",
    )
    with Store.open(url) as store:
        assert store.impression("r1") == Impression("r1", "u", ("a",), NOW)
        drawn = Impression("r2", "u", ("a", "b"), NOW, propensities=(0.25, 1.0))
        store.add_impression(drawn)
        assert store.impression("r2") == drawn


@pytest.mark.parametrize("bad", [(0.5,), (0.5, 0), (0.5, 1.5), (0.5, float("nan")), ("x", 1), 1])
def test_propensities_are_probabilities_of_each_item(store: Store, bad: Any):
    with pytest.raises(ConfigError, match="propensit"):
        store.add_impression(Impression("r1", "u", ("a", "b"), NOW, propensities=bad))


def test_tables_of_something_else_are_left_alone(url: str):
    changed(url, "CREATE TABLE users (id INTEGER)", "CREATE TABLE meta (a INTEGER)")
    with pytest.raises(StoreError, match="has a table 'meta' that does not belong to a feedback store"):
        Store.open(url)


def test_a_store_is_not_made_where_none_is_wanted(url: str):
    with pytest.raises(StoreError, match=r"not contain a feedback store|no store"):
        Store.open(url, create=False)


def test_several_processes_may_make_a_store_at_once(url: str):
    failed: list[BaseException] = []

    def make() -> None:
        try:
            with Store.open(url) as own:
                own.add_events([event(f"{threading.get_ident()}")])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    with Store.open(url) as own:
        assert own.revision() == 6


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("mysql://host/db", ConfigError, "cannot be kept in 'mysql'"),
        ("sqlite://", ConfigError, "must name only a file"),
        ("sqlite:///:memory:", ConfigError, "must name only a file"),
        ("postgresql://host:port/db", ConfigError, "cannot be read"),
        ("", ConfigError, "is not a path"),
        (7, ConfigError, "store is 7"),
        ("no/such/folder/x.sqlite", StoreError, "folder that does not exist"),
        (Path(), StoreError, "is a folder"),
    ],
)
def test_urls_that_open_nothing(bad: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        Store.open(bad)


def test_a_file_of_something_else(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no database " * 100)
    with pytest.raises(StoreError, match=r"notes.txt cannot be opened: file is not a database"):
        Store.open(tmp_path / "notes.txt")


def test_an_absent_server_is_named_without_the_password():
    with pytest.raises(StoreError) as caught:
        Store.open("postgresql://me:secret@127.0.0.1:1/db")
    assert "postgresql://me:***@127.0.0.1:1/db cannot be read" in str(caught.value)
    assert "secret" not in str(caught.value)
