"""Similar items and users, search by name, ranking of a given list."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from film_server import Server, Start
from text_encoders import BagOfWords

import kgrec
from kgrec.encode.text import TextProgress


class Gated(BagOfWords):
    """An encoder whose calls wait while it is closed."""

    def __init__(self) -> None:
        self.called, self.open = threading.Event(), threading.Event()
        self.open.set()

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        self.called.set()
        assert self.open.wait(60)
        return super().encode(texts, progress)


def names(answer, what: str = "items", of: str = "item") -> list[str]:
    return [one[of] for one in answer[what]]


def test_similar_items(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/similar/items", {"item": "f1", "k": 3, "where": "genres = Romance"})
    assert names(answer) == rec.similar_items(["f1"], k=3, where="genres = Romance")["similar_id"].tolist()
    assert server.post("/v1/similar/items", {"item": "x"}, 404)["where"] == "body.item"


def test_similar_users(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/similar/users", {"user": "u1", "k": 2})
    assert names(answer, "users", "user") == rec.similar_users(["u1"], k=2)["similar_id"].tolist()
    assert server.post("/v1/similar/users", {"user": "x"}, 422)["where"] == "body.user"


def test_search_by_name(server: Server):
    answer = server.post("/v1/search", {"text": "summer", "mode": "name"})
    assert (names(answer), answer["items"][0]["match"]) == (["f5"], "words")
    assert (
        names(server.post("/v1/search", {"text": "summer", "mode": "name", "where": "genres = Horror"})) == []
    )


def test_search_by_meaning_needs_a_model_with_texts(server: Server):
    problem = server.post("/v1/search", {"text": "space"}, 422)
    assert problem["problem"] == "This model was trained without text, so it cannot recommend by text."


def test_requests_behind_a_slow_text_are_refused_at_their_deadline(
    start: Start, shared_catalogue: Path, tmp_path: Path
):
    encoder = Gated()
    config = kgrec.Config.read(settings=["dim=8", "epochs=2", "train.threads=1"])
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    kgrec.Recommender(config, text_encoder=encoder).fit(graph).save(tmp_path / "texts")
    server = start(tmp_path / "texts", text_encoder=encoder, deadline=0.5)
    encoder.open.clear()
    encoder.called.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.post, "/v1/search", {"text": "space"})
        try:
            assert encoder.called.wait(60)
            for path, body in (
                ("/v1/similar/items", {"item": "f1"}),
                ("/v1/search", {"text": "summer", "mode": "name"}),
            ):
                assert server.post(path, body, 503)["type"] == "/problems/too-late"
            assert server.items(user="u1") and not slow.done()
        finally:
            encoder.open.set()
        assert names(slow.result())
    assert 'kgrec_shed_total{reason="late"} 2.0' in server.client.get("/metrics").text


def test_a_given_list_is_put_in_order(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/rank", {"user": "u1", "items": ["f4", "f1", "nothing", "f6"]})
    expected = rec.recommend(["u1"], candidates=["f4", "f1", "f6"], exclude_seen=False)["item_id"].tolist()
    assert (names(answer), answer["unknown"]) == (expected, ["nothing"])
