"""Write a model folder of an older format with the kgrec that wrote such folders; README.md says how.

    PYTHONPATH=<a checkout of that kgrec> python make.py <format>

Enters: catalogue/. Leaves: <format>/model, and what the old kgrec answers: <format>/lists.csv (ten items per user) and
<format>/lists_later.csv (the same after the film of catalogue/later was added).
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kgrec

HERE = Path(__file__).parent
#: options of every format: small, the same at each run, and with all four parts of a score
COMMON = ["dim=8", "epochs=3", "temperature=0.1", "learning_rate=0.05", "train.threads=1"]
COMMON += ["rescore.weights=[0.4, 0.2, 0.2, 0.2]"]
#: format -> options that only some formats have
OPTIONS = {
    2: [],
    3: ["index.kind=ivf", "half_life=30"],
    4: ["index.kind=hnsw"],
    5: ["unmet=-0.05"],
    6: ["unmet=-0.05", "half_life=30"],
    7: ["rescore.cold_offset=-0.05", "rescore.weights={embedding: 4, graph: 2, text: 2, co_occurrence: 2}"],
}
#: format -> times that each film is in the catalogue: an index is approximate only for more than a hundred items
COPIES = {3: 15, 4: 15}
#: formats of a kgrec that can remove items
REMOVING = (3, 4, 5, 6, 7)


class BagOfWords:
    """A text encoder without weights: each word has a direction of its own, drawn from its checksum."""

    dim = 32

    def encode(self, texts: Sequence[str], progress: Any = None) -> np.ndarray:
        vectors = np.stack([self._sum(text) for text in texts]) if texts else np.zeros((0, self.dim))
        if progress:
            progress(len(texts), len(texts))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _sum(self, text: str) -> np.ndarray:
        words = text.lower().replace(".", " ").split()
        return np.sum(
            [np.random.default_rng(zlib.crc32(w.encode())).normal(size=self.dim) for w in words], axis=0
        )


def main(version: int) -> None:
    output = HERE / str(version)
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as place:
        source = Path(shutil.copytree(HERE / "catalogue", Path(place) / "catalogue"))
        repeat(source / "films.csv", COPIES.get(version, 1))
        graph = kgrec.build_graph(source / "kgrec.yaml")
        config = kgrec.Config.read(settings=[*COMMON, *OPTIONS[version]])
        trained = kgrec.Recommender(config, text_encoder=BagOfWords()).fit(graph)
        trained.add_items(source / "new")
        if version in REMOVING:
            trained.remove_items(["f2"])
        trained.save(output / "model")
        rec = kgrec.Recommender.load(output / "model", text_encoder=BagOfWords())
        write_lists(rec, output / "lists.csv")
        rec.add_items(source / "later")
        write_lists(rec, output / "lists_later.csv")


def repeat(table: Path, copies: int) -> None:
    """Give each film of a table some copies under other keys and titles, without their pages and a year later each."""
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with table.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        for copy in range(2, copies + 1):
            for row in rows:
                named = {"id": f"{row['id']}-{copy}", "title": f"{row['title']} {copy}", "page": ""}
                writer.writerow({**row, **named, "year": int(row["year"]) + copy})


def write_lists(rec: Any, path: Path) -> None:
    """Write ten items for each user; scores in so many digits that they give the same float32."""
    lists = rec.recommend(rec.model.users.tolist(), k=10)
    lists.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
