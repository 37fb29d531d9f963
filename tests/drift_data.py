"""A simulated shop: users with a taste for genres, items with a popularity, and a model that knows both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import models
import numpy as np
import pandas as pd
import scipy.sparse as sp

import kgrec
from kgrec.graph.histories import Histories

GENRES = ("comedy", "crime", "drama", "horror")
DAY = 86_400
START = 1_700_000_000
#: the model learns from the first weeks, and later ones are recent
WEEKS, LEARNED = 20, 16
_MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: {as: label}
      genre: {as: node, type: genre, edge: has_genre}
interactions: {file: log.csv, user: user_id, item: item_id, time: time}
"""


@dataclass
class Shop:
    """What users do: item i has genre i % 4; the arrays may be changed to make drift."""

    #: weight of each genre for each user; shape (n_users, 4)
    taste: np.ndarray
    #: shape (n_items,)
    popularity: np.ndarray
    #: probability of a user to be the next one to act; shape (n_users,)
    activity: np.ndarray

    @classmethod
    def of(cls, rng: np.random.Generator, n_users: int = 240, n_items: int = 160) -> Shop:
        taste = 0.15 + 4 * np.eye(4)[rng.integers(4, size=n_users)]
        activity = rng.gamma(2, size=n_users)
        return cls(taste, rng.permutation(1 / np.arange(3, n_items + 3) ** 0.8), activity / activity.sum())

    def log(self, rng: np.random.Generator, n: int, since: int, weeks: int) -> pd.DataFrame:
        """Interactions of so many weeks from a week on, each pair once, at times in any order."""
        user = rng.choice(len(self.activity), n, p=self.activity)
        item = np.empty(n, np.int64)
        genre = np.arange(len(self.popularity)) % 4
        for one in np.unique(user):
            weight = self.taste[one, genre] * self.popularity
            rows = np.flatnonzero(user == one)
            item[rows] = rng.choice(len(weight), len(rows), p=weight / weight.sum())
        time = START + (since * 7 * DAY) + rng.integers(weeks * 7 * DAY, size=n)
        frame = pd.DataFrame({"user_id": user, "item_id": item, "time": time})
        frame = frame.astype({"user_id": str, "item_id": str})
        return frame.drop_duplicates(["user_id", "item_id"]).reset_index(drop=True)


def shop_and_log(seed: int, n: int = 9_000) -> tuple[Shop, pd.DataFrame, np.random.Generator]:
    """A shop, and what its users do in all weeks without any drift."""
    rng = np.random.default_rng(seed)
    shop = Shop.of(rng)
    return shop, shop.log(rng, n, 0, WEEKS), rng


def learned_and_recent(log: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The log before and after the time at which the model was trained."""
    old = log["time"] < START + LEARNED * 7 * DAY
    return log[old], log[~old]


def catalogue(folder: Path, n_items: int = 160) -> kgrec.KnowledgeGraph:
    """The graph of the films, without interactions that matter."""
    folder.mkdir(exist_ok=True)
    names = [str(item) for item in range(n_items)]
    films = pd.DataFrame({"id": names, "title": [f"Film {name}" for name in names]})
    films.assign(genre=[GENRES[item % 4] for item in range(n_items)]).to_csv(
        folder / "films.csv", index=False
    )
    pd.DataFrame({"user_id": ["0"], "item_id": ["0"], "time": [START]}).to_csv(
        folder / "log.csv", index=False
    )
    (folder / "kgrec.yaml").write_text(_MAPPING, encoding="utf-8")
    return kgrec.build_graph(folder / "kgrec.yaml")


def trained(graph: kgrec.KnowledgeGraph, log: pd.DataFrame, *, timed: bool = True) -> kgrec.Recommender:
    """A recommender that knows the log: vectors of items are their genre, and a share of popularity."""
    learned = kgrec.Interactions.from_frame(log, graph.item_ids, time="time" if timed else None)
    genre = np.array([int(name) % 4 for name in graph.item_ids])
    popular = np.bincount(learned.item, minlength=len(genre)) / 400
    vectors = np.column_stack([np.eye(4)[genre], popular])
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    store = models.items(vectors, graph.item_ids.tolist(), entities=np.asarray(graph.item_entities))
    empty = sp.csr_matrix((len(learned.users), len(genre)), dtype=np.float32)
    made = models.model(store, empty, users=learned.users.tolist(), graph=lambda: graph)
    return kgrec.Recommender().with_model(replace(made, histories=Histories.of(learned)))
