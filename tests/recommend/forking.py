"""Recommend, fork, recommend in the child: a script for test_server.py.

python forking.py MODEL...    prints each model that passes
"""

from __future__ import annotations

import sys

import pandas as pd
from forked import in_child

import kgrec

USERS = ["u1", "u2", "u3", "u4", "u5", "u6", "u1", "u2"]


def check(folder: str) -> None:
    rec = kgrec.Recommender.load(folder)

    def answers() -> bytes:
        frames = [
            rec.recommend(USERS, k=3),
            rec.recommend(USERS[:1], k=9, where="genres = Romance"),
            rec.recommend_for_history([["f1"], ["f4"]] * 20, k=3),
            rec.similar_items(["f1", "f2"], k=3),
            rec.similar_users(USERS, k=3),
        ]
        return "".join(frame.drop(columns="score").to_csv() for frame in frames).encode()

    def changed() -> bytes:
        rec.add_items(film("n1"))
        rec.remove_items(["f1"])
        rec.update_items(film("f2"))
        rec.save(f"{folder}-of-the-child")
        return ",".join(rec.item_embeddings.ids.tolist()).encode()

    before = answers()
    assert in_child(answers) == before
    assert rec.add_items(film("f1")).known == ["f1"]
    assert in_child(changed) == b"f2,f3,f4,f5,f6,n1"
    assert answers() == before
    print(folder, flush=True)


def film(id_: str) -> pd.DataFrame:
    columns = {"id": [id_], "title": ["Moon"], "plot": [""], "genres": ["Romance"], "director": ["Ada"]}
    return pd.DataFrame(columns)


if __name__ == "__main__":
    for model in sys.argv[1:]:
        check(model)
