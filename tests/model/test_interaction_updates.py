"""Interactions since training: a model with added rows is one whose histories had them from the beginning."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from models import items, model

import kgrec
from kgrec.config import Config, EncoderConfig
from kgrec.errors import SourceError, TooManyBadRows
from kgrec.graph.histories import Histories
from kgrec.graph.live_histories import LiveHistories
from kgrec.model.interaction_updates import read_interaction_updates, with_interaction_updates
from kgrec.model.model import Model

ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]
DAY = 86_400
TIMED = """\
version: 1
nodes: {film: {item: true, file: films.csv, key: id, columns: {title: label, "*": ignore}}}
interactions: {file: log.csv, user: who, item: film, value: stars, positive: ">= 4", time: at}
"""


def vectors() -> np.ndarray:
    angles = np.deg2rad([0, 10, 30, 80, 90, 120])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture
def timed(catalogue: Path) -> kgrec.KnowledgeGraph:
    """u1 took f1 on day 1 and f2 on day 3, u2 saw f4 on day 2."""
    (catalogue / "kgrec.yaml").write_text(TIMED, encoding="utf-8")
    rows = [("u1", "f1", 5, DAY), ("u1", "f2", 4, 3 * DAY), ("u2", "f4", 1, 2 * DAY)]
    frame = pd.DataFrame(rows, columns=["who", "film", "stars", "at"])
    frame.to_csv(catalogue / "log.csv", index=False)
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def of_graph(graph: kgrec.KnowledgeGraph, half_life: float | None = None) -> Model:
    """A model that nobody trained; the cosine is all of its score."""
    made = model(
        items(vectors(), graph.item_ids.tolist(), entities=graph.item_entities),
        sp.csr_matrix((0, 6), dtype=np.float32),
        users=[],
        graph=lambda: graph,
        config=Config(encoder=EncoderConfig(half_life=half_life)),
    )
    log = graph.interactions
    return replace(made, users=log.users, histories=Histories.of(log, half_life))


def added(made: Model, rows, **options) -> Model:
    return with_interaction_updates(made, read_interaction_updates(made, rows, **options))


def liked(made: Model, user: str) -> list[str]:
    history = made.histories.take(made.users.ids([user]))
    return [made.items.ids[row] for row in history.item[history.positive].tolist()]


def seen(made: Model, user: str) -> list[str]:
    history = made.histories.take(made.users.ids([user]))
    return [made.items.ids[row] for row in history.item.tolist()]


def frame(*rows: tuple, columns=("user", "film", "stars")) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))


# by hand


def test_rows_have_the_columns_of_the_mapping_and_meet_its_rule(graph):
    made = added(of_graph(graph), frame(("u1", "f4", 5), ("u1", "f5", 2), ("new", "f6", 4)))
    assert liked(made, "u1") == ["f1", "f2", "f3", "f4"] and seen(made, "u1")[-2:] == ["f4", "f5"]
    assert liked(made, "new") == ["f6"] and made.users.tolist()[-1] == "new"


def test_rows_without_a_value_are_positive(graph):
    made = added(of_graph(graph), frame(("u1", "f4"), columns=("user_id", "item_id")))
    assert liked(made, "u1") == ["f1", "f2", "f3", "f4"]


def test_the_latest_row_of_a_pair_decides(graph, timed):
    """Without times that is the added one."""
    assert liked(added(of_graph(graph), frame(("u1", "f1", 1))), "u1") == ["f2", "f3"]
    assert liked(added(of_graph(graph), frame(("u2", "f4", 5))), "u2") == ["f1", "f3", "f4"]
    columns = ("who", "film", "stars", "at")
    late = frame(("u1", "f2", 1, 2 * DAY), ("u1", "f1", 1, 2 * DAY), columns=columns)
    made = added(of_graph(timed), late)
    assert liked(made, "u1") == ["f2"]
    assert made.histories.take(made.users.ids(["u1"])).count.tolist() == [2, 2]


def test_rows_of_a_user_stay_in_the_order_of_time(timed):
    columns = ("who", "film", "stars", "at")
    rows = frame(("u1", "f6", 5, 2 * DAY), ("u1", "f5", 5, 4 * DAY), ("u1", "f4", 5, 0), columns=columns)
    made = added(of_graph(timed), rows, clock=lambda: 9 * DAY)
    history = made.histories.take(made.users.ids(["u1"]))
    assert [made.items.ids[row] for row in history.item] == ["f1", "f6", "f2", "f5", "f4"]
    assert (history.time // DAY).tolist() == [1, 2, 3, 4, 9] and history.ordered


def test_rows_without_a_time_are_the_newest_where_others_have_times(timed, graph):
    rows = frame(("u1", "f6"), columns=("user_id", "item_id"))
    assert seen(added(of_graph(timed), rows, clock=lambda: 9 * DAY), "u1") == ["f1", "f2", "f6"]
    assert not added(of_graph(graph), rows).histories.ordered


def test_weights_by_age_are_computed_anew(timed):
    columns = ("who", "film", "stars", "at")
    made = added(of_graph(timed, half_life=2.0), frame(("u1", "f6", 5, 5 * DAY), columns=columns))
    weights = made.histories.take(made.users.ids(["u1"])).weight
    assert weights.tolist() == [0.25, 0.5, 1]


def test_added_one_by_one_or_at_once_is_the_same_as_a_model_that_had_them(graph, catalogue):
    rows = [("u1", "f4", 5), ("u9", "f1", 4), ("u9", "f2", 1), ("u2", "f1", 2), ("u9", "f2", 5)]
    one_by_one = of_graph(graph)
    for row in rows:
        one_by_one = added(one_by_one, frame(row))
    # of one file, of rows without times the better value counts
    at_once = added(of_graph(graph), frame(*rows))
    log = pd.concat(
        [pd.read_csv(catalogue / "log.csv").query("not (user == 'u2' and film == 'f1')"), frame(*rows)]
    )
    log.to_csv(catalogue / "log.csv", index=False)
    whole = of_graph(kgrec.build_graph(catalogue / "kgrec.yaml"))
    assert whole.users.tolist() == one_by_one.users.tolist() == at_once.users.tolist()
    for made in (one_by_one, at_once):
        assert (made.liked != whole.liked).nnz == 0 and (made.seen != whole.seen).nnz == 0
        expected = whole.ranked(whole.histories, 3)
        found = made.ranked(made.histories.take(np.arange(len(made.users))), 3)
        assert found[0].tolist() == expected[0].tolist() and found[1].tolist() == expected[1].tolist()


def test_near_users_know_added_interactions_whether_they_were_asked_before_or_not(graph):
    early = of_graph(graph)
    early.near_users(np.array([0]), 2)  # makes the index of users
    rows = frame(("u9", "f1", 5), ("u9", "f2", 5), ("u4", "f1", 5))
    known, fresh = added(early, rows), added(of_graph(graph), rows)
    assert "_user_index" in known.__dict__ and "_user_index" not in fresh.__dict__
    for user in range(7):
        one, other = (made.near_users(np.array([user]), 6) for made in (known, fresh))
        assert one[0].tolist() == other[0].tolist()
        np.testing.assert_allclose(one[1], other[1], atol=1e-6)
    assert 6 in fresh.near_users(np.array([0]), 3)[0]


def test_an_addition_shares_all_but_the_histories_of_its_users(graph):
    early = of_graph(graph)
    made = added(early, frame(("u1", "f4", 5)))
    assert isinstance(made.histories, LiveHistories) and made.histories.base is early.histories
    assert made.items is early.items and made.rescorer is early.rescorer and made.index is early.index
    assert liked(early, "u1") == ["f1", "f2", "f3"]


# files and bad rows


def test_a_file_has_its_rows_named_by_line(graph, tmp_path):
    path = tmp_path / "since.csv"
    path.write_text("user,film,stars\nu1,f4,5\n,f5,5\nu1,f9,5\nu1,f5,many\n", encoding="utf-8")
    new = read_interaction_updates(of_graph(graph), path)
    assert new.rows.item.tolist() == [3, 4] and new.rows.positive.tolist() == [True, False]
    report = new.report.files[str(path)]
    assert (report.rows, report.used) == (4, 2)
    assert report.dropped["has an empty user or item"].first == [f"{path}:3"]
    assert report.failed["stars"].first == [f'{path}:5: "many"']
    assert new.report.unknown_items.first == [f'{path}:4: "f9"']
    made = with_interaction_updates(of_graph(graph), new)
    (name,) = made.inputs
    assert name.startswith("added/") and name.endswith("/since.csv")


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl", ".parquet", ".tsv"])
def test_formats_by_suffix(graph, tmp_path, suffix):
    path, rows = tmp_path / f"since{suffix}", frame(("u1", "f4"), columns=("user_id", "item_id"))
    if suffix == ".csv.gz":
        path.write_bytes(gzip.compress(rows.to_csv(index=False).encode()))
    elif suffix == ".parquet":
        rows.to_parquet(path)
    elif suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_csv(path, sep="\t", index=False)
    assert liked(added(of_graph(graph), path), "u1") == ["f1", "f2", "f3", "f4"]


def test_a_file_without_a_header_is_read_as_the_mapping_says(catalogue, tmp_path):
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8")
    form = 'file: log.dat, format: csv, delimiter: "|", header: [user, film, stars]'
    (catalogue / "kgrec.yaml").write_text(mapping.replace("file: log.csv", form), encoding="utf-8")
    (catalogue / "log.dat").write_text("u1|f1|5\n", encoding="utf-8")
    made = of_graph(kgrec.build_graph(catalogue / "kgrec.yaml"))
    for name in ("since.dat", "since.csv"):
        (tmp_path / name).write_text("u1|f4|5\nu1|f5|1\n", encoding="utf-8")
        assert liked(added(made, tmp_path / name), "u1") == ["f1", "f4"]
    (tmp_path / "named.csv").write_text("item_id,user_id\nf4,u1\n", encoding="utf-8")
    assert liked(added(made, tmp_path / "named.csv"), "u1") == ["f1", "f4"]


def problem(made: Model, rows, kind=SourceError) -> str:
    with pytest.raises(kind) as raised:
        read_interaction_updates(made, rows)
    return raised.value.problem


def test_what_cannot_be_added_is_refused(graph, tmp_path):
    made = of_graph(graph)
    assert problem(made, frame(("u1", "f9", 5))) == (
        'interactions: none of 1 interactions can be used (1 an unknown item, first interactions:1: "f9").'
    )
    assert problem(made, frame()) == "interactions has no rows."
    assert problem(made, frame(("u1", 1), columns=("user", "stars"))) == (
        "interactions has no column 'item_id'."
    )
    assert problem(made, tmp_path / "no.csv") == f"{tmp_path / 'no.csv'} is not there."
    bad = tmp_path / "bad.csv"
    bad.write_text("user,film,stars\n,f1,5\n,f2,5\nu1,f3,5\n", encoding="utf-8")
    assert "2 of 3 rows are bad" in problem(made, bad, TooManyBadRows)
    assert problem(made, 7) == "interactions is 7, not a frame."


def test_interactions_of_another_graph_are_matched_by_their_ids(graph):
    others = kgrec.Vocabulary(["f9", "f4", "f5"])
    log = kgrec.Interactions.from_frame(
        frame(("u1", "f4"), ("x", "f9"), ("y", "f5"), columns=("user_id", "item_id")), others
    )
    new = read_interaction_updates(of_graph(graph), log)
    made = with_interaction_updates(of_graph(graph), new)
    assert liked(made, "u1") == ["f1", "f2", "f3", "f4"] and liked(made, "y") == ["f5"]
    assert new.new_users == ["y"] and new.report.unknown_items.count == 1


def test_items_by_other_names_and_removed_items_are_known(graph):
    made = of_graph(graph)
    made = replace(made, items=replace(made.items.without(np.array([3])), aliases={"old": 4}))
    made = added(made, frame(("u1", "old", 5), ("u1", "f4", 5)))
    assert liked(made, "u1") == ["f1", "f2", "f3", "f4", "f5"]


# events and several logs

EVENTS = """\
version: 1
nodes: {film: {item: true, file: films.csv, key: id, columns: {title: label, "*": ignore}}}
interactions:
  - {file: log.csv, user: who, item: film, event: kind, events: {look: 0, view: 1, buy: 5}, time: at}
  - {file: stars.csv, user: user, item: film, value: stars, positive: ">= 4", weight: 2}
"""
KINDS = ("who", "film", "kind", "at")


@pytest.fixture
def events(catalogue: Path) -> kgrec.KnowledgeGraph:
    """u1 viewed f1 and bought f2, u2 rated f3: weights 1, 5 and 2, of mean 8 / 3."""
    (catalogue / "kgrec.yaml").write_text(EVENTS, encoding="utf-8")
    frame(("u1", "f1", "view", DAY), ("u1", "f2", "buy", 2 * DAY), columns=KINDS).to_csv(
        catalogue / "log.csv", index=False
    )
    frame(("u2", "f3", 5)).to_csv(catalogue / "stars.csv", index=False)
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def weights(made: Model, user: str) -> dict[str, float]:
    history = made.histories.take(made.users.ids([user]))
    found = zip(history.item.tolist(), (history.weight * 8 / 3).round(4).tolist(), strict=True)
    return {made.items.ids[row]: weight for row, weight in found}


def test_events_weigh_as_at_training(events):
    rows = frame(
        ("u1", "f1", "buy", 3 * DAY),
        ("u1", "f4", "view", 3 * DAY),
        ("u1", "f2", "look", 3 * DAY),
        columns=KINDS,
    )
    made = added(of_graph(events), rows)
    assert weights(of_graph(events), "u1") == {"f1": 1, "f2": 5}
    # the largest weight of a pair counts; a look yields to a purchase, however late it is
    assert weights(made, "u1") == {"f2": 5, "f1": 5, "f4": 1}
    assert liked(made, "u1") == ["f2", "f1", "f4"]
    again = added(made, frame(("u1", "f1", "view", 4 * DAY), ("u1", "f6", "look", 4 * DAY), columns=KINDS))
    assert weights(again, "u1") == {"f2": 5, "f4": 1, "f1": 5, "f6": 0}
    assert "f6" not in liked(again, "u1") and "f6" in seen(again, "u1")


def test_a_file_is_read_by_the_table_that_has_its_columns(events, tmp_path):
    (tmp_path / "new.csv").write_text("user,film,stars\nu2,f4,5\nu2,f5,1\n", encoding="utf-8")
    made = added(of_graph(events), tmp_path / "new.csv", clock=lambda: 9 * DAY)
    assert weights(made, "u2") == {"f3": 2, "f4": 2, "f5": 0}
    new = read_interaction_updates(
        of_graph(events), frame(("u1", "f4", "return", 3 * DAY), ("u1", "f5", "buy", 1), columns=KINDS)
    )
    assert new.rows.item.tolist() == [4]


def test_weights_and_ages_are_kept_apart(events):
    made = added(of_graph(events, half_life=1.0), frame(("u1", "f4", "view", 4 * DAY), columns=KINDS))
    # of f1, three days old, and of f2, two days old
    assert weights(made, "u1") == {"f1": 1 / 8, "f2": 5 / 4, "f4": 1}
