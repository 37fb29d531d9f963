import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kgrec
from kgrec.errors import ConfigError, SourceError, TrainingError, UnknownId

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)
ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]
NEW = pd.DataFrame(
    {
        "id": ["n1", "n2"],
        "title": ["Moon Base", "Spring Love"],
        "plot": ["a crew in space meets danger", "a couple falls in love in spring"],
        "genres": ["Science fiction", "Romance|Comedy"],
        "director": ["Ada", "Cy"],
    }
)


@pytest.fixture
def graph(catalogue):
    return kgrec.build_graph(catalogue / "kgrec.yaml")


@pytest.fixture
def rec(graph, bag_of_words) -> kgrec.Recommender:
    return kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)


def replaced(catalogue: Path, name: str, old: str, new: str) -> None:
    path = catalogue / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def error(kind, call, *args, **options) -> tuple[str, str]:
    """Both lines of the error."""
    with pytest.raises(kind) as raised:
        call(*args, **options)
    return raised.value.problem, raised.value.remedy


def lists(frame) -> dict[str, list[str]]:
    return {user: part["item_id"].tolist() for user, part in frame.groupby("user_id", sort=False)}


# lists


def test_the_list_is_the_order_of_cosines(rec):
    frame = rec.recommend(["u3", "u1"], k=4, exclude_seen=False)
    assert [*frame.columns] == ["user_id", "item_id", "score", "rank"]
    assert frame["user_id"].tolist() == ["u3"] * 4 + ["u1"] * 4
    assert frame["rank"].tolist() == [1, 2, 3, 4] * 2
    items, users = rec.item_embeddings, rec.user_embeddings
    for user, part in frame.groupby("user_id"):
        cosines = items.vectors @ users.vectors[users.ids.tolist().index(user)]
        best = np.argsort(-cosines, kind="stable")[:4]
        assert part["item_id"].tolist() == [items.ids[i] for i in best]
        np.testing.assert_allclose(part["score"], cosines[best], rtol=1e-5, atol=1e-6)


def test_what_a_user_saw_is_left_out_negatives_included(rec):
    """u2 liked f1 and f3, and gave f4 one star."""
    assert sorted(lists(rec.recommend(["u2"], k=9))["u2"]) == ["f2", "f5", "f6"]
    assert sorted(lists(rec.recommend(["u2"], k=9, exclude_seen=False))["u2"]) == ITEMS


def test_negatives_are_not_learned_from(rec, catalogue, bag_of_words):
    replaced(catalogue, "log.csv", "u2,f4,1\n", "")
    without = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    assert without.item_embeddings.vectors.tobytes() == rec.item_embeddings.vectors.tobytes()
    assert without.user_embeddings.vectors.tobytes() == rec.user_embeddings.vectors.tobytes()


def test_only_candidates_are_ranked(rec):
    for candidates in (["f6", "f3", "f6"], {"f3", "f6"}, iter(["f6", "f3"]), pd.Series(["f3", "f6"])):
        frame = rec.recommend(["u4"], k=9, exclude_seen=False, candidates=candidates)
        assert sorted(frame["item_id"]) == ["f3", "f6"]
    assert rec.recommend(["u4"], candidates="f3")["item_id"].tolist() == ["f3"]
    with pytest.raises(ConfigError, match="candidates is empty"):
        rec.recommend(["u4"], candidates=[])
    # f6 is seen
    assert rec.recommend(["u4"], candidates=["f3", "f6"])["item_id"].tolist() == ["f3"]


def test_candidates_do_not_change_scores(rec):
    whole = rec.recommend(["u1"], k=9, exclude_seen=False).set_index("item_id")["score"]
    part = rec.recommend(["u1"], k=9, exclude_seen=False, candidates=["f2", "f5"]).set_index("item_id")[
        "score"
    ]
    np.testing.assert_allclose(part, whole[part.index], rtol=1e-6)


def test_a_long_list_holds_every_item_once(rec):
    frame = rec.recommend(["u1"], k=10**9, exclude_seen=False)
    assert sorted(frame["item_id"]) == ITEMS and frame["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert sorted(rec.similar_items(["f1"], k=10**9)["similar_id"]) == ITEMS[1:]


@pytest.mark.parametrize("k", [0, -3])
def test_an_empty_list_is_no_request(rec, k):
    expected = (f"k is {k}.", "It must be a whole number, 1 or more, such as 1.")
    assert error(ConfigError, rec.recommend, ["u1"], k) == expected
    assert error(ConfigError, rec.recommend_for_history, [["f1"]], k) == expected
    assert error(ConfigError, rec.similar_items, ["f1"], k) == expected


def test_nobody_asks(rec):
    for frame in (rec.recommend([]), rec.recommend_for_history([])):
        assert [*frame.columns] == ["user_id", "item_id", "score", "rank"] and frame.empty


def test_users_come_as_any_sequence_and_results_as_arrow(rec):
    expected = rec.recommend(["u1", "u2"], k=2)
    for users in (pd.Series(["u1", "u2"]), pl.Series(["u1", "u2"]), np.array(["u1", "u2"]), ("u1", "u2")):
        pd.testing.assert_frame_equal(rec.recommend(users, k=2), expected)
    table = rec.recommend(["u1", "u2"], k=2, arrow=True)
    assert isinstance(table, pa.Table) and table.column_names == ["user_id", "item_id", "score", "rank"]
    pd.testing.assert_frame_equal(table.to_pandas(), expected)
    similar = rec.similar_items(["f1"], k=2, arrow=True)
    assert similar.column_names == ["item_id", "similar_id", "score", "rank"]
    assert rec.recommend_for_history([["f1"]], arrow=True).num_rows == 5


def test_one_user_may_be_given_as_a_string(rec):
    pd.testing.assert_frame_equal(rec.recommend("u1"), rec.recommend(["u1"]))


# unknown ids


def test_unknown_ids_are_named_with_the_nearest(rec):
    problem, remedy = error(UnknownId, rec.recommend, ["u1", "uu1"])
    assert problem == "There is no user 'uu1' in the model."
    assert remedy.startswith("Did you mean 'u1'") and remedy.endswith(
        " For a new user, give the history instead."
    )
    problem, remedy = error(UnknownId, rec.recommend, ["u1"], candidates=["f11", "f1", "f66"])
    assert problem == "There is no item 'f11' (and 1 more) in the model."
    assert remedy.startswith("Did you mean 'f1'") and "history" not in remedy
    assert (
        error(UnknownId, rec.recommend_for_history, [["f1"], ["f99"]])[0]
        == "There is no item 'f99' in the model."
    )
    for call in (rec.similar_items, rec.label, lambda item: rec.explain("u1", item)):
        assert error(UnknownId, call, ["f99"] if call == rec.similar_items else "f99")[0].endswith(
            "in the model."
        )
    assert error(UnknownId, rec.explain, "u9", "f1")[0] == "There is no user 'u9' in the model."


def test_unknown_ids_may_be_skipped(rec):
    frame = rec.recommend(["nobody", "u1"], candidates=["f4", "f99"], on_unknown="skip")
    assert frame[["user_id", "item_id"]].values.tolist() == [["u1", "f4"]]
    known, skipped = (
        rec.recommend_for_history([history], on_unknown="skip") for history in (["f1"], ["f1", "f99"])
    )
    pd.testing.assert_frame_equal(known, skipped)
    assert rec.recommend(["nobody"], on_unknown="skip").empty


# users by history


def test_a_new_user_with_the_history_of_a_known_one_gets_the_same_list(rec):
    known = rec.recommend(["u1", "u4"], k=9)
    new = rec.recommend_for_history([["f3", "f1", "f2"], ["f5", "f6"]], k=9, users=["u1", "u4"])
    pd.testing.assert_frame_equal(known, new)
    np.testing.assert_array_equal(
        rec.embed_histories([["f2", "f1", "f3"]])[0], rec.user_embeddings.vectors[0]
    )


def test_an_item_counts_once_in_a_history(rec):
    np.testing.assert_array_equal(*rec.embed_histories([["f1", "f2"], ["f2", "f1", "f1", "f2"]]))


def test_new_users_are_numbered_unless_named(rec):
    histories = [["f1"], ["f4", "f5"]]
    assert [*lists(rec.recommend_for_history(histories))] == ["0", "1"]
    assert [*lists(rec.recommend_for_history(histories, users=["x", "y"]))] == ["x", "y"]
    assert error(ConfigError, rec.recommend_for_history, histories, users=["x"]) == (
        "There are 2 histories but 1 names in `users`.",
        "Give one for each history.",
    )


def test_without_a_history_one_gets_what_most_people_take(catalogue, bag_of_words):
    replaced(catalogue, "log.csv", "u6,f4,4\n", "u7,f1,1\nu6,f4,4\n")
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    users = rec.user_embeddings
    others = users.vectors[[name != "u7" for name in users.ids]]
    mean = others.sum(axis=0) / np.linalg.norm(others.sum(axis=0))
    np.testing.assert_allclose(rec.embed_histories([[]])[0], mean, rtol=1e-5, atol=1e-6)
    typical = rec.recommend_for_history([[]], k=9)["item_id"].tolist()
    assert sorted(typical) == ITEMS
    # u7 saw f1 and did not like it
    assert lists(rec.recommend(["u7"], k=9))["u7"] == [item for item in typical if item != "f1"]


# vectors


def test_embeddings_are_unit_vectors_in_the_order_of_their_ids(rec):
    items, users = rec.item_embeddings, rec.user_embeddings
    assert items.ids.tolist() == ITEMS and users.ids.tolist() == ["u1", "u2", "u3", "u4", "u5", "u6"]
    for embeddings in (items, users):
        assert embeddings.vectors.shape == (6, 8) and embeddings.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, rtol=1e-5)
        table = embeddings.to_arrow()
        assert table["id"].to_pylist() == embeddings.ids.tolist()
        np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), embeddings.vectors)


def test_similar_items_are_the_nearest_others(rec):
    frame = rec.similar_items(["f4", "f1"], k=2)
    vectors = rec.item_embeddings.vectors
    for item, part in frame.groupby("item_id"):
        cosines = vectors @ vectors[ITEMS.index(item)]
        cosines[ITEMS.index(item)] = -2
        assert part["similar_id"].tolist() == [ITEMS[i] for i in np.argsort(-cosines)[:2]]
        np.testing.assert_allclose(part["score"], np.sort(cosines)[::-1][:2], rtol=1e-5)
    assert frame["item_id"].tolist() == ["f4", "f4", "f1", "f1"]


def test_labels(rec):
    assert rec.label("f4") == "Paris Waltz"


# interactions of one's own


def test_interactions_come_as_any_frame(graph, bag_of_words):
    frame = pd.DataFrame({"user_id": ["a", "a", "b", "b"], "item_id": ["f1", "f2", "f4", "f5"]})
    models = [
        kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph, interactions=log)
        for log in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), frame.iloc[::-1])
    ]
    assert models[0].user_embeddings.ids.tolist() == ["a", "b"]
    assert len({model.item_embeddings.vectors.tobytes() for model in models}) == 1


def test_interactions_with_an_unknown_item_are_refused(graph, bag_of_words):
    frame = pd.DataFrame({"user_id": ["a"], "item_id": ["f99"]})
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words)
    problem, _ = error(SourceError, rec.fit, graph, interactions=frame)
    assert "f99" in problem


def test_a_validation_frame_chooses_and_is_not_learned_from(graph, bag_of_words):
    valid = pd.DataFrame({"user_id": ["u1", "u3", "stranger"], "item_id": ["f4", "f1", "f1"]})
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph, valid=valid)
    assert rec.model.metrics["chosen"].keys() == {
        *(
            "target",
            "temperature",
            "learning_rate",
            "epochs",
            "user",
            "whitening",
            "item_item",
            "weights",
            "cold_offset",
            "popularity",
        ),
        *(
            "valid_k",
            "valid_new_share",
            "valid_ndcg",
            "valid_recall",
            "valid_fused_ndcg",
            "valid_fused_recall",
        ),
    }
    assert rec.model.liked.nnz == 14 and "stranger" not in rec.model.users.tolist()


# adding


def test_new_items_are_recommendable_at_once(rec):
    before = rec.item_embeddings.vectors.copy()
    added = rec.add_items(NEW)
    assert (added.ids, added.labels, added.known) == (["n1", "n2"], ["Moon Base", "Spring Love"], [])
    # of director and genre, those that two films share: Ada and Science fiction; Cy, Romance and Comedy
    assert added.linked == [2, 3] and added.words == [8, 9] and len(added) == 2
    assert rec.item_embeddings.ids.tolist() == [*ITEMS, "n1", "n2"]
    np.testing.assert_array_equal(rec.item_embeddings.vectors[:6], before)
    assert rec.label("n1") == "Moon Base"
    frame = rec.recommend(["u1"], k=9, candidates=["n1", "n2"])
    assert frame["item_id"].tolist() == ["n1", "n2"], "u1 likes space"
    assert rec.recommend(["u3"], candidates=["n1", "n2"])["item_id"].tolist() == ["n2", "n1"]
    assert rec.recommend_for_history([["n2"]], k=1).shape == (1, 4)
    assert rec.similar_items(["n1"], k=1)["similar_id"].tolist() != ["n2"]


def test_rows_may_come_in_any_shape(rec, catalogue, bag_of_words):
    rec.save(catalogue / "model")
    NEW.to_parquet(catalogue / "more.parquet")
    vectors = []
    for rows in (
        catalogue / "new",
        str(catalogue / "new"),
        catalogue / "new" / "films.csv",
        catalogue / "more.parquet",
        NEW,
        pl.from_pandas(NEW),
        pa.Table.from_pandas(NEW),
        {"film": NEW},
        NEW.iloc[::-1],
    ):
        fresh = kgrec.Recommender.load(catalogue / "model", text_encoder=bag_of_words)
        assert fresh.add_items(rows).ids == ["n1", "n2"]
        vectors.append(fresh.item_embeddings.vectors.tobytes())
    assert len(set(vectors)) == 1


def test_embedding_items_stores_nothing(rec):
    embeddings = rec.embed_items(NEW)
    assert embeddings.ids.tolist() == ["n1", "n2"] and rec.item_embeddings.ids.tolist() == ITEMS
    np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, rtol=1e-6)
    rec.add_items(NEW)
    np.testing.assert_allclose(rec.item_embeddings.vectors[6:], embeddings.vectors, rtol=1e-6)


def test_items_may_come_one_at_a_time_or_together(rec, graph, bag_of_words):
    together = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)
    together.add_items(NEW)
    rec.add_items(NEW[:1])
    rec.add_items(NEW[1:])
    np.testing.assert_allclose(
        rec.item_embeddings.vectors, together.item_embeddings.vectors, rtol=1e-5, atol=1e-6
    )


def test_known_items_stay_as_they_are_and_are_reported(rec, catalogue):
    before = rec.item_embeddings.vectors.copy()
    changed = pd.DataFrame(
        [{"id": "f1", "title": "Other", "plot": "a waltz", "genres": "Romance", "director": "Cy"}]
    )
    added = rec.add_items(pd.concat([changed, NEW[:1]], ignore_index=True))
    assert (added.ids, added.known) == (["n1"], ["f1"])
    np.testing.assert_array_equal(rec.item_embeddings.vectors[:6], before)
    assert rec.label("f1") == "Alien Dawn"
    again = rec.add_items(catalogue / "new")
    assert (again.ids, again.known) == (["n2"], ["n1"])
    nothing = rec.add_items(NEW)
    assert (nothing.ids, nothing.labels, nothing.linked, nothing.words, nothing.known) == (
        [],
        [],
        [],
        [],
        ["n1", "n2"],
    )
    assert rec.item_embeddings.ids.tolist() == [*ITEMS, "n1", "n2"]


def test_a_new_item_without_text_or_neighbours_is_kept_with_a_zero_vector(rec):
    rows = pd.DataFrame([{"id": "n0", "title": "", "plot": "", "genres": "", "director": ""}])
    assert rec.add_items(rows).linked == [0]
    assert not rec.item_embeddings.vectors[6].any()
    assert rec.recommend(["u1"], candidates=["n0"])["score"].tolist() == [0]
    assert rec.explain("u1", "n0").score == 0


def test_rows_that_are_not_there(rec, tmp_path):
    (tmp_path / "empty").mkdir()
    for rows in (tmp_path / "absent", tmp_path / "empty", {}):
        with pytest.raises(SourceError):
            rec.add_items(rows)
    assert rec.item_embeddings.ids.tolist() == ITEMS


# on the disk


def test_what_is_loaded_answers_as_what_was_saved(rec, tmp_path, bag_of_words):
    rec.save(tmp_path / "model")
    loaded = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    for grown in (False, True):
        if grown:
            assert loaded.add_items(NEW) == rec.add_items(NEW)
            # over the folder that it was loaded from
            loaded.save(tmp_path / "model")
            loaded = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
        users = [f"u{n}" for n in range(1, 7)]
        pd.testing.assert_frame_equal(loaded.recommend(users, k=9), rec.recommend(users, k=9))
        for item in ("f4", "n1") if grown else ("f4",):
            one, other = loaded.explain("u1", item), rec.explain("u1", item)
            assert one.to_dict() == other.to_dict() and str(one) == str(other)
    assert loaded.add_items(NEW).known == ["n1", "n2"]


def test_an_untrained_recommender_says_so():
    assert error(TrainingError, kgrec.Recommender().recommend, ["u1"]) == (
        "This recommender is not trained.",
        "Call fit(graph), or Recommender.load(folder).",
    )


def run(code: str, *args: str) -> list[str]:
    """Words that a fresh Python prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    code = """
    import sys, kgrec
    print(*[m for m in ("torch", "faiss", "pandas", "pyarrow", "numpy", "scipy", "pydantic") if m in sys.modules])
    """
    assert run(code) == []


def test_serving_needs_neither_torch_nor_the_text_encoder(rec, tmp_path):
    rec.save(tmp_path / "model")
    code = """
    import sys, kgrec
    rec = kgrec.Recommender.load(sys.argv[1])
    frame = rec.recommend(["u1"], k=2)
    rec.recommend_for_history([["f1"]]); rec.similar_items(["f1"]); rec.explain("u1", "f4")
    print(*frame["item_id"])
    print(*[m for m in ("torch", "sentence_transformers", "torch_geometric") if m in sys.modules])
    """
    assert run(code, str(tmp_path / "model")) == lists(rec.recommend(["u1"], k=2))["u1"]


def test_two_item_types_may_share_keys(tmp_path, bag_of_words):
    """Then an item's name is type/key, also of an item that is added later."""
    mapping = """\
version: 1
base: https://example.org/
nodes:
  film: {item: true, file: films.csv, key: id, columns: {title: label}}
  book: {item: true, file: books.csv, key: id, columns: {title: label}}
"""
    (tmp_path / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    (tmp_path / "films.csv").write_text("id,title\n1,Dawn\n2,Noon\n", encoding="utf-8")
    (tmp_path / "books.csv").write_text("id,title\n1,Dawn of all\n", encoding="utf-8")
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(kgrec.build_graph(tmp_path / "kgrec.yaml"))
    assert sorted(rec.item_embeddings.ids) == ["2", "book/1", "film/1"]
    book = pd.DataFrame({"id": ["1", "2", "3"], "title": ["Dawn of all", "High noon", "Dusk"]})
    added = rec.add_items({"book": book})
    assert (added.ids, added.known) == (["book/2", "3"], ["book/1"])
    assert rec.label("book/2") == "High noon" and rec.label("2") == "Noon"
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    assert again.add_items({"book": book}).known == ["book/1", "book/2", "3"]
    # a table alone does not say whether it has films or books
    with pytest.raises(ConfigError) as raised:
        rec.add_items(book)
    assert raised.value.remedy == "Give a folder laid out as the mapping says, or a dict of frames by type."


def test_a_model_says_that_it_needs_the_text_encoder_it_was_trained_with(catalogue, bag_of_words, tmp_path):
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    kgrec.Recommender(text_encoder=bag_of_words).fit(graph).save(tmp_path / "model")
    with pytest.raises(kgrec.EncoderNotFound, match=r"a custom text encoder.*\n.*load\(folder, text_encoder"):
        kgrec.Recommender.load(tmp_path / "model").add_items(catalogue / "new")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    assert again.add_items(catalogue / "new").ids == ["n1", "n2"]
    assert {name.split("/")[0] for name in again.model.graph().inputs} == {"films.csv", "log.csv", "added"}


def test_a_filtered_pandas_frame_has_no_column_of_its_index(catalogue, bag_of_words):
    rec = kgrec.Recommender(text_encoder=bag_of_words).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    frame = pd.read_csv(catalogue / "new" / "films.csv")
    assert rec.add_items(frame[frame["id"] == "n2"]).ids == ["n2"]
