"""Time and memory of training as the data grows: items, interactions and triples tenfold each time.

    python tests/benchmarks/scale.py                                  # 1e5 and 1e6 interactions
    python tests/benchmarks/scale.py 1e7 --set epochs=1 --set search_seconds=0
    python tests/benchmarks/scale.py --graph graph/                   # the same table for a graph of your own

Enters: nothing; catalogue and log are made from a seed in a temporary folder and built with `kgrec.build_graph`; or a
graph/ folder. Leaves: for each size a table on the screen, CPU seconds and shares of the stages of training with the
default configuration (`--set` changes it), what an epoch takes per million interactions and triples, and the peak of
memory. Making the data and training run each in a process of its own, on one thread, with at most `--memory` GB
of memory. A run that is stopped prints the table of what it did.

A size is its number of interactions. Every user takes 20 items on average, most from three groups of items that are the
user's own, popular ones more often (Zipf). An item is taken 10 times on average and has 10 links, by three relations,
to tags, persons and a maker, most of them shared within its group, a number, and a text of made-up words, some of them
its group's. Names of tags and persons are two words, which others have too. Texts become vectors by a random one for each
word: a transformer would take longer than all the rest.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PER_ITEM, PER_USER, GROUP = 10, 20, 200
#: distinct words; the dimension of a text's vector is that of the default text encoder
WORDS, DIM = 20_000, 384

MAPPING = """\
version: 1
nodes:
  item:
    item: true
    file: items.parquet
    key: item_id
    columns:
      title: label
      plot: text
      year: number
      tags: {as: node, type: tag, split: "|"}
      cast: {as: node, type: person, split: "|"}
      maker: {as: category, type: maker}
interactions: {file: log.parquet, user: user_id, item: item_id}
"""

# the data


def make(folder: Path, interactions: int) -> None:
    """graph/ of so many interactions, a tenth of items, and ten triples an item."""
    from kgrec.graph.build import build_graph

    rng = np.random.default_rng(0)
    n_items = interactions // PER_ITEM
    group = np.sort((rng.random(n_items) ** 1.3 * (n_items / GROUP)).astype(np.int64))
    pq.write_table(item_table(rng, group), folder / "items.parquet")
    pq.write_table(log_table(rng, group, interactions), folder / "log.parquet")
    (folder / "kgrec.yaml").write_text(MAPPING)
    build_graph(folder / "kgrec.yaml").save(folder / "graph")
    for name in ("items.parquet", "log.parquet"):
        (folder / name).unlink()


def item_table(rng: np.random.Generator, group: np.ndarray) -> pa.Table:
    """Items and what is known of them; `group` of each, sorted."""
    n = len(group)
    tags = np.concatenate(
        [skewed(rng, (n, 5), 30) + 11 * group[:, None], skewed(rng, (n, 2), n // 20)], axis=1
    ) % (n // 20)
    cast = (skewed(rng, (n, 2), 60) + 40 * group[:, None]) % (n // 5)
    words = (
        np.concatenate([skewed(rng, (n, 4), 12) + 7 * group[:, None], skewed(rng, (n, 5), WORDS)], axis=1)
        % WORDS
    )
    return pa.table(
        {
            "item_id": names("B", np.arange(n)),
            "title": joined("w", words[:, 3:5], " "),
            "plot": joined("w", np.delete(words, 3, axis=1), " "),
            "year": 1950 + skewed(rng, (n,), 75),
            "tags": joined("t", tags, "|", 2_000),
            "cast": joined("p", cast, "|", 5_000),
            "maker": names("m", (skewed(rng, (n,), 5) + group) % (n // 50)),
        }
    )


def log_table(rng: np.random.Generator, group: np.ndarray, rows: int) -> pa.Table:
    """Who took what, each pair once."""
    n_users, n_items = rows // PER_USER, len(group)
    popularity = (1 + rng.permutation(n_items)) ** -0.8
    before = np.concatenate([[0], np.cumsum(popularity)])
    length = rng.lognormal(0, 1, n_users)
    user = np.repeat(np.arange(n_users), np.ceil(length * rows * 1.3 / length.sum()).astype(np.int64))
    own = group[rng.integers(n_items, size=(n_users, 3))][user, rng.integers(3, size=len(user))]
    first, end = np.searchsorted(group, own), np.searchsorted(group, own, side="right")
    anywhere = rng.random(len(user)) < 0.2
    low, high = np.where(anywhere, 0, before[first]), np.where(anywhere, before[-1], before[end])
    item = np.searchsorted(before, low + rng.random(len(user)) * (high - low), side="right") - 1
    pair = np.unique(user * n_items + np.minimum(item, n_items - 1))
    pair = np.sort(rng.permutation(pair)[:rows])
    return pa.table({"user_id": names("u", pair // n_items), "item_id": names("B", pair % n_items)})


def skewed(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> np.ndarray:
    """Numbers below `most`, small ones more often."""
    return (rng.random(shape) ** 2 * most).astype(np.int64)


def names(prefix: str, numbers: np.ndarray) -> list[str]:
    return [f"{prefix}{number}" for number in numbers.tolist()]


def joined(prefix: str, numbers: np.ndarray, between: str, words: int | None = None) -> list[str]:
    """Names of each row's numbers, in one string; with `words` of two words each, the first one of so many."""
    distinct, at = np.unique(numbers, return_inverse=True)
    if words:
        named = [f"{prefix}{n % words} {prefix}{words + n // words}" for n in distinct.tolist()]
    else:
        named = [f"{prefix}{n}" for n in distinct.tolist()]
    return [between.join(map(named.__getitem__, row)) for row in at.reshape(numbers.shape).tolist()]


class RandomVectors:
    """A text is the sum of its words, each a random direction."""

    def __init__(self) -> None:
        self.directions = np.random.default_rng(0).standard_normal((1 << 15, DIM), np.float32)

    def encode(self, texts: Sequence[str], _: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), DIM), float32."""
        vectors = np.empty((len(texts), DIM), np.float32)
        for row, text in enumerate(texts):
            rows = [zlib.crc32(word.encode()) % len(self.directions) for word in text.split()]
            self.directions[rows].sum(axis=0, out=vectors[row])
            vectors[row] /= np.linalg.norm(vectors[row])
        return vectors


# the stages


class Stages:
    """CPU seconds by stage; a stage within another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        #: GB, highest so far when the stage was left last
        self.peak: dict[str, float] = {}
        self._open: list[str] = []
        self._since = time.process_time()

    def watch(self, owner: Any, attribute: str, stage: str) -> None:
        """Count what a function takes for `stage`."""
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._open.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._open.pop()
                self.calls[stage] = self.calls.get(stage, 0) + 1
                self.peak[stage] = peak()

        setattr(owner, attribute, timed)

    def _turn(self) -> None:
        now = time.process_time()
        stage = self._open[-1] if self._open else "rest"
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def totals(self) -> dict[str, float]:
        """CPU seconds of each stage until now, in the order in which they were first left."""
        self._turn()
        return self.seconds

    def table(self) -> str:
        """One line per stage."""
        total = sum(self.totals().values())
        lines = [
            f"  {stage:<32} {seconds:>9.2f} s {seconds / total:>7.1%} {self.calls.get(stage, 0):>8,}"
            f" {self.peak.get(stage, peak()):>8.1f} GB"
            for stage, seconds in self.seconds.items()
        ]
        head = f"  {'stage':<32} {'CPU':>11} {'share':>7} {'calls':>8} {'peak then':>11}"
        return "\n".join([head, *lines, f"  {'together':<32} {total:>9.1f} s {'':>16} {peak():>8.1f} GB"])


def peak() -> float:
    """Most memory that this process has held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def watched() -> Stages:
    """Timers around the stages of training."""
    import torch

    from kgrec.encode import featurizer
    from kgrec.encode.featurizer import Featurizer
    from kgrec.model import storage
    from kgrec.rank import fusion_weights, item_item
    from kgrec.train import assembly, fit, hyperparameters, learner
    from kgrec.train.optimizer import RowAdam

    stages = Stages()
    stages.watch(fit, "raw_blocks", "text")
    stages.watch(featurizer.ItemFacts, "read", "features: neighborhoods")
    stages.watch(Featurizer, "of_facts", "features")
    stages.watch(Featurizer, "features_of", "features")
    stages.watch(featurizer, "token_mentions", "features: label tokens")
    stages.watch(learner.Learner, "epoch", "epochs: batches")
    stages.watch(learner.Learner, "_step", "epochs: forward")
    stages.watch(torch.Tensor, "backward", "epochs: backward")
    for optimizer in (torch.optim.Adam, RowAdam):
        stages.watch(optimizer, "step", "epochs: optimizer")
    stages.watch(hyperparameters._Trials, "_shortlist", "validation")
    for choice in ("choose", "cold_offset"):
        stages.watch(fusion_weights.FusionSearch, choice, "choice of weights")
    stages.watch(item_item, "item_weights", "slim")
    stages.watch(item_item, "ease_weights", "ease")
    stages.watch(item_item, "walk_weights", "random walks")
    stages.watch(fit, "assembled", "embeddings of all items")
    stages.watch(assembly.VectorIndex, "build", "index")
    stages.watch(storage, "save", "save")
    return stages


def child(folder: Path, settings: Sequence[str], memory: float) -> None:
    """Train on graph/ in `folder`, and print what it took."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory * 1e9), int(memory * 1e9)))
    from kgrec import Recommender
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.train import fit  # noqa: F401  # imports are not counted

    own = (folder / "kgrec.yaml").exists()
    graph_folder = folder / "graph" if own else folder
    stages = watched()
    stages.watch(KnowledgeGraph, "load", "reading")
    graph = KnowledgeGraph.load(graph_folder)
    n_items, n_interactions, n_triples = len(graph.item_ids), len(graph.interactions), len(graph.triples)
    print(f"{n_items:,} items, {n_interactions:,} interactions, {n_triples:,} triples, ", end="")
    print(f"{len(graph) - n_items:,} other entities, {len(graph.interactions.users):,} users")
    took: list[float] = []

    def on_epoch(line: Any, *_: int) -> None:
        if line.loss is None:
            print(
                f"  {line.hyperparameters} NDCG {line.valid_ndcg:.4f}, recall {line.valid_recall:.4f}",
                flush=True,
            )
            return
        took.append(line.seconds)
        print(f"  {line.stage} epoch {line.epoch}: loss {line.loss:.4f}, {line.seconds:.1f} s", flush=True)

    encoder = RandomVectors() if own else None
    rec = Recommender(Config.read(settings=["train.threads=1", *settings]), text_encoder=encoder)
    stages.watch(rec, "recommend", "recommend to 1,000 users")
    # one that is stopped, or runs out of memory, still says what it took
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        rec.fit(graph, on_epoch=on_epoch)
        rec.recommend(graph.interactions.users.tolist()[:1000], k=20)
        with tempfile.TemporaryDirectory() as place:
            rec.save(Path(place) / "model")
    finally:
        print(stages.table(), flush=True)
    epochs = sum(seconds for stage, seconds in stages.seconds.items() if stage.startswith("epochs"))
    per_epoch, millions = epochs / len(took), (n_interactions + n_triples) / 1e6
    print(
        f"  an epoch: {per_epoch:.1f} CPU s, {per_epoch / millions:.1f} a million interactions and triples\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sizes", nargs="*", type=float, help="interactions; none: 1e5 1e6")
    parser.add_argument("--graph", type=Path, help="a graph/ folder to train on instead")
    parser.add_argument("--set", action="append", default=[], help="an option, as of `kgrec train`")
    parser.add_argument("--memory", type=float, default=20.0, help="GB that training may take")
    parser.add_argument("--keep", type=Path, help="a folder for the data, to be used again")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.set, given.memory)
    elif given.graph:
        trained(given.graph, given)
    for size in () if given.child or given.graph else given.sizes or (1e5, 1e6):
        with tempfile.TemporaryDirectory() as place:
            folder = (given.keep or Path(place)) / f"{size:.0e}"
            if not folder.exists():
                folder.mkdir(parents=True)
                # not here: a process that is started has the peak of the one that starts it
                maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, int(size)))
                maker.start()
                maker.join()
            trained(folder, given)


def trained(folder: Path, given: argparse.Namespace) -> None:
    options = [part for option in given.set for part in ("--set", option)]
    command = [sys.executable, __file__, "--child", str(folder), "--memory", str(given.memory), *options]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)


if __name__ == "__main__":
    main()
