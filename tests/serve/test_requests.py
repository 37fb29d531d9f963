"""Queries of batch runs: names, parts, and what is skipped."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import kgrec
from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.recommend.request import Request
from kgrec.serve.requests import (
    BatchQuery,
    chunks,
    feedback_query,
    histories_query,
    similar_items_query,
    similar_users_query,
    slices,
    texts_query,
    users_query,
)

SKIP = Request(k=2, on_unknown="skip")


def computed(query: BatchQuery, rec: kgrec.Recommender, size: int = 4) -> pa.Table:
    """The lists of all parts, each part pickled as for another process."""
    lists = pickle.loads(pickle.dumps(query.lists))
    return pa.concat_tables(lists(rec, pickle.loads(pickle.dumps(part))) for part in query.parts(size))


def test_names_are_split_into_parts():
    names = pa.array(["a", "b", "c", "d", "e"], pa.large_string())
    assert list(slices(names, 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(slices(names, 2, first=2)) == [["e"]]
    assert list(slices(names, 5)) == [["a", "b", "c", "d", "e"]]
    assert list(slices(names.slice(0, 0), 2)) == [[]]
    query = BatchQuery(names, "items", ("item_id", "similar_id"), Request(), lambda *_: pa.table({}), len)
    assert list(query.parts(2, first=1)) == [2, 1]


def test_shards_take_turns():
    names = pa.array(["a", "b", "c", "d", "e"], pa.large_string())
    query = BatchQuery(names, "items", ("item_id", "similar_id"), Request(), lambda *_: pa.table({}))
    shares = [query.shard(shard, 3).names.to_pylist() for shard in range(3)]
    assert shares == [["a", "d"], ["b", "e"], ["c"]]
    assert query.shard(0, 1) is query
    assert query.shard(7, 9).names.to_pylist() == []


def test_chunks_read_lazily():
    drawn: list[int] = []
    some = chunks((drawn.append(number) or number for number in range(9)), 4)  # type: ignore[func-returns-value]
    assert next(some) == [0, 1, 2, 3] and drawn == [0, 1, 2, 3]
    assert list(some) == [[4, 5, 6, 7], [8]]


def test_all_users_in_the_order_of_the_model(rec):
    query = users_query(rec, None, Request(k=2))
    assert query.names.to_pylist() == ["u1", "u2", "u3", "u4", "u5", "u6"]
    assert (query.noun, query.columns, query.skipped) == ("users", ("user_id", "item_id"), {})
    assert computed(query, rec).equals(rec.recommend(query.names.to_pylist(), 2, arrow=True))


@pytest.mark.parametrize("source", ["a list", "an iterator", "a file", "one"])
def test_users_count_once_in_their_order(source: str, rec, tmp_path: Path):
    path = tmp_path / "users.txt"
    path.write_text("u6\nu1\nu6\n")
    some: Any = {
        "a list": ["u6", "u1", "u6"],
        "an iterator": iter(["u6", "u1", "u6"]),
        "a file": path,
        "one": "u6",
    }
    names = users_query(rec, some[source], Request()).names.to_pylist()
    assert names == (["u6"] if source == "one" else ["u6", "u1"])


@pytest.mark.parametrize(
    "query",
    [
        lambda rec, request: users_query(rec, ["u1", "x1"], request),
        lambda rec, request: similar_users_query(rec, ["u1", "x1"], request),
    ],
)
def test_unknown_users(query: Callable[..., BatchQuery], rec):
    with pytest.raises(UnknownId, match="There is no user 'x1' in the model"):
        query(rec, Request())
    skipping = query(rec, SKIP)
    assert skipping.skipped == {"users": ["x1"]}
    assert list(skipping.remarks()) == ["Skipped unknown users (1): x1"]
    assert set(computed(skipping, rec)["user_id"].to_pylist()) == {"u1"}


def test_unknown_items(rec):
    with pytest.raises(UnknownId, match="There is no item 'f9' in the model"):
        similar_items_query(rec, ["f1", "f9"], Request())
    with pytest.raises(UnknownId, match="There is no item 'f9' in the model"):
        feedback_query(rec, ["f1"], ["f9"], Request())
    assert similar_items_query(rec, ["f1", "f9"], SKIP).skipped == {"items": ["f9"]}
    assert feedback_query(rec, ["f1", "f8"], ["f9"], SKIP).skipped == {"items": ["f8", "f9"]}


def test_unknown_items_of_the_request(rec):
    request = Request(candidates=["f1", "y1", "y1"], deny=["y2", "f2"])
    for query in (users_query, similar_items_query):
        with pytest.raises(UnknownId, match="There is no item 'y1'"):
            query(rec, None, request)
    skipping = Request(candidates=request.candidates, deny=request.deny, on_unknown="skip")
    assert users_query(rec, ["u1", "x1"], skipping).skipped == {
        "candidates": ["y1"],
        "items of the deny list": ["y2"],
        "users": ["x1"],
    }


def test_a_remark_names_a_few_of_many(rec):
    ids = [f"x{n}" for n in range(1234)]
    line = "Skipped unknown users (1,234): x0, x1, x2, x3, x4, ..."
    assert list(users_query(rec, ids, SKIP).remarks()) == [line]


def test_a_condition_is_applied_before_the_first_part(rec):
    with pytest.raises(UnknownId, match="'Western' matches no neighbour by 'genres'"):
        users_query(rec, None, Request(where="genres = Western"))


def test_a_model_without_users(catalogue: Path):
    mapping = catalogue / "kgrec.yaml"
    mapping.write_text(mapping.read_text().split("interactions:")[0])
    config = kgrec.Config.read(settings=["text.model=none", "epochs=1", "train.threads=1"])
    cold = kgrec.Recommender(config).fit(kgrec.build_graph(mapping))
    with pytest.raises(UnknownId) as caught:
        users_query(cold, None, Request())
    assert caught.value.problem == "The model knows no users: it was trained without interactions."
    assert caught.value.remedy == "Give histories of users instead."


# histories

ROWS = [("new", "f1"), ("u1", "f4"), ("new", "f2")]
EXPECTED = {"new": ["f1", "f2"], "u1": ["f4"]}


@pytest.mark.parametrize("header", ["user_id,item_id", "user,film", "stars,item_id,user_id"])
def test_histories_of_a_table(header: str, rec, tmp_path: Path):
    path = tmp_path / "history.csv"
    lines = [f"5,{item},{user}" if header.startswith("stars") else f"{user},{item}" for user, item in ROWS]
    path.write_text("\n".join([header, *lines, ""]))
    query = histories_query(rec, path, Request(k=2))
    users, histories, weights, seen = next(query.parts(9))
    assert weights is None
    assert dict(zip(users, histories, strict=True)) == EXPECTED and seen == [[], []]
    expected = rec.recommend_for_history([["f1", "f2"], ["f4"]], 2, users=["new", "u1"], arrow=True)
    assert computed(query, rec).equals(expected)


def test_rows_of_a_history_that_are_not_positive_are_left_out_and_not_liked(rec, tmp_path: Path):
    path = tmp_path / "history.csv"
    path.write_text("user,film,stars\nnew,f1,5\nnew,f4,1\nu1,f1,2\n")
    query = histories_query(rec, path, Request(k=6))
    assert list(query.remarks()) == [
        "2 of 3 rows are not positive, so they count only as seen. "
        "1 of 2 users are known: their histories are merged with these."
    ]
    found = computed(query, rec).to_pandas()
    expected = rec.recommend_for_history([["f1"]], 6, users=["new"], deny=["f4"])
    assert found[found["user_id"] == "new"].to_dict("records") == expected.to_dict("records")
    # u1 has taken f1, f2 and f3; the newer row takes f1 out of what u1 likes
    less = rec.recommend_for_history([["f2", "f3"]], 6, users=["u1"], known_users="replace", deny=["f1"])
    assert found[found["user_id"] == "u1"].to_dict("records") == less.to_dict("records")
    everything = computed(histories_query(rec, path, Request(k=6, exclude_seen=False)), rec).to_pandas()
    assert set(everything[everything["user_id"] == "new"]["item_id"]) == {f"f{n}" for n in range(1, 7)}


def test_histories_of_an_iterable(rec):
    query = histories_query(rec, ((user, items) for user, items in EXPECTED.items()), Request())
    assert list(query.parts(1)) == [
        (["new"], [["f1", "f2"]], None, [[]]),
        (["u1"], [["f4"]], None, [[]]),
    ]
    popular = histories_query(rec, [("nobody", [])], Request(k=3))
    assert computed(popular, rec).equals(rec.recommend_for_history([[]], 3, users=["nobody"], arrow=True))


@pytest.mark.parametrize(("policy", "how"), [("merge", "merged with"), ("replace", "replaced by")])
def test_histories_of_known_users(policy: Any, how: str, rec):
    query = histories_query(rec, EXPECTED.items(), Request(), policy)
    assert list(query.remarks()) == [f"1 of 2 users are known: their histories are {how} these."]
    expected = rec.recommend_for_history(
        list(EXPECTED.values()), users=list(EXPECTED), known_users=policy, arrow=True
    )
    assert computed(query, rec).equals(expected)
    assert query.options["known_users"] == policy


def test_what_determines_the_lists_of_histories_is_in_the_options(rec):
    digests = {
        histories_query(rec, histories, Request()).options["histories"]
        for histories in ([("a", ["f1"])], [("a", ["f2"])], [("a", ["f1", "f1"])], [("a", [])])
    }
    assert len(digests) == 4
    assert all(digest.startswith("sha256:") for digest in digests)


def test_invalid_histories_are_refused(rec, tmp_path: Path):
    (tmp_path / "h.csv").write_text("user_id,item_id\n")
    with pytest.raises(SourceError, match=r"h\.csv has no rows"):
        histories_query(rec, tmp_path / "h.csv", Request())
    with pytest.raises(ConfigError, match="known_users is 'add'"):
        histories_query(rec, EXPECTED.items(), Request(), "add")  # type: ignore[arg-type]
    with pytest.raises(UnknownId, match="There is no item 'f9'"):
        histories_query(rec, [("a", ["f1", "f9"])], Request())
    skipping = histories_query(rec, [("a", ["f1", "f9", "f9"])], SKIP)
    assert skipping.skipped == {"items": ["f9"]}
    expected = rec.recommend_for_history([["f1"]], 2, users=["a"], arrow=True)
    assert computed(skipping, rec).equals(expected)


# others


def test_likes_and_dislikes_of_one_user(rec):
    query = feedback_query(rec, ["f1"], ["f5"], Request(k=2))
    assert query.options == {"like": ["f1"], "dislike": ["f5"]}
    expected = rec.recommend_for_history([["f1"]], 2, dislikes=[["f5"]], users=[""], arrow=True)
    assert computed(query, rec).equals(expected)
    assert len(computed(query.shard(1, 2), rec)) == 0


def test_similar_items_and_users(rec):
    items = similar_items_query(rec, None, Request(k=2))
    assert items.names.to_pylist() == ["f1", "f2", "f3", "f4", "f5", "f6"]
    assert computed(items, rec, 6).equals(rec.similar_items(items.names.to_pylist(), 2, arrow=True))
    users = similar_users_query(rec, ["u3"], Request(k=2))
    assert (users.noun, users.columns) == ("users", ("user_id", "similar_id"))
    assert computed(users, rec).equals(rec.similar_users(["u3"], 2, arrow=True))


def test_options_that_a_query_cannot_use(rec):
    boosted = Request(new_item_boost=0.1)
    with pytest.raises(ConfigError, match="new_item_boost does not apply to texts"):
        texts_query(rec, ["space"], boosted)
    with pytest.raises(ConfigError, match="new_item_boost does not apply to similar items"):
        similar_items_query(rec, None, boosted)
    with pytest.raises(ConfigError, match="candidates does not apply to similar users"):
        similar_users_query(rec, None, Request(candidates=["f1"]))


def test_a_column_of_weights_counts(rec, tmp_path: Path):
    table = tmp_path / "histories.csv"
    table.write_text("user_id,item_id,weight\nb,f4,1\na,f1,5\na,f4,1\n", encoding="utf-8")
    query = histories_query(rec, table, Request(k=9))
    assert query.note == "The column 'weight' gives the weights of rows."
    found = query.lists(rec, query.part(["b", "a"]))
    expected = rec.recommend_for_history([["f4"], ["f1", "f4"]], 9, users=["b", "a"], weights=[[1], [5, 1]])
    assert found.to_pandas().equals(expected)
    table.write_text("user_id,item_id,weight\nb,f4,1\na,f1,1\na,f4,1\n", encoding="utf-8")
    other = histories_query(rec, table, Request(k=9))
    assert other.options["histories"] != query.options["histories"]


@pytest.mark.parametrize("cell", ["0", "-1", "much", "inf", ""])
def test_weights_that_are_no_numbers_above_0_are_named(rec, tmp_path: Path, cell: str):
    table = tmp_path / "histories.csv"
    table.write_text(f"user_id,item_id,weight\na,f4,1\na,f1,{cell}\n", encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        histories_query(rec, table, Request())
    assert caught.value.problem == f"{table}:3: 'weight' is \"{cell}\", which is not a number above 0."


def test_the_name_of_a_file_is_no_id(rec):
    with pytest.raises(ConfigError) as caught:
        users_query(rec, "users.txt", Request())
    assert caught.value.problem == "users is 'users.txt', which looks like a file name."
    assert caught.value.remedy == "Give pathlib.Path('users.txt'), or ['users.txt'] for an id."


def test_histories_are_pairs_a_dict_or_a_frame(rec):
    pairs = [("x", ["f1", "f2"]), ("y", ["f4"])]
    frame = pd.DataFrame({"user_id": ["x", "y", "x"], "item_id": ["f1", "f4", "f2"]})
    for histories in (pairs, dict(pairs), iter(pairs), frame):
        query = histories_query(rec, histories, Request())
        assert list(query.parts(9)) == [(["x", "y"], [["f1", "f2"], ["f4"]], None, [[], []])]
    with pytest.raises(ConfigError, match=r"^histories\[1\] is 'ab', which is not a pair"):
        histories_query(rec, [pairs[0], "ab"], Request())
    with pytest.raises(ConfigError, match=r"^histories\[0\]\[0\] is None"):
        histories_query(rec, [(None, ["f1"])], Request())
