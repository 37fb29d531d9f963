"""What one added item costs as the catalogue grows, and what many cost by stage.

    python tests/benchmarks/add.py                                    # one item beside 10^4 and 10^5 items
    python tests/benchmarks/add.py --items 10000 100000 1000000 --keep there/
    python tests/benchmarks/add.py --rows 1000 --items 100000         # 1,000 items in one call

Enters: nothing; catalogues are made from a seed as in `scale.py`, and a model of each is trained in one epoch. Leaves: for
each catalogue the CPU milliseconds of the first addition to a loaded model, and of the median of the next ones, by stage: reading
the rows, looking up what they name, joining, features, embedding, and putting them into items, index and scorers; and the ratio to
the smallest catalogue. Each catalogue is measured in a process of its own, on one thread.

Known items have ten interactions on average, one at least; a million items have a million and some, so that the model is made in
minutes. New items are further rows of the same kind: their tags, cast and makers are shared with known items. Texts become vectors by a
random one for each word, as in `scale.py`, which stands for a text encoder whose vectors are cached.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scale import MAPPING, RandomVectors, item_table, log_table

GROUPS, NEW, SINGLE = 50, 1000, 30
#: interactions per item, and in all
PER_ITEM, INTERACTIONS = 10, 1_000_000


def make(folder: Path, items: int) -> None:
    """model/ of so many items, and new.parquet."""
    import kgrec

    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(GROUPS, size=items + NEW))
    rows = item_table(rng, group)
    new = np.sort(rng.choice(items + NEW, NEW, replace=False))
    known = np.delete(np.arange(items + NEW), new)
    log = with_every_item(rng, log_table(rng, group, min(items * PER_ITEM, INTERACTIONS)), rows["item_id"])
    ids = rows["item_id"].take(pa.array(new))
    log = log.filter(pa.compute.invert(pa.compute.is_in(log["item_id"], value_set=ids.combine_chunks())))
    pq.write_table(rows.take(pa.array(known)), folder / "items.parquet")
    pq.write_table(log, folder / "log.parquet")
    pq.write_table(rows.take(pa.array(rng.permutation(new))), folder / "new.parquet")
    (folder / "kgrec.yaml").write_text(MAPPING)
    graph = kgrec.build_graph(folder / "kgrec.yaml")
    settings = ["epochs=1", "search_seconds=0", "valid_share=0", "train.threads=1", "rescore.cold_offset=0"]
    weights = "rescore.weights={embedding: 1, graph: 1, text: 1, co_occurrence: 1}"
    config = kgrec.Config.read(settings=[*settings, weights])
    kgrec.Recommender(config, text_encoder=RandomVectors()).fit(graph).save(folder / "model")


def with_every_item(rng: np.random.Generator, log: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """The log, with one interaction of a random user for each item that has none: an item that nobody took is another cost."""
    unmet = ids.filter(pa.compute.invert(pa.compute.is_in(ids, value_set=log["item_id"].combine_chunks())))
    users = pa.compute.unique(log["user_id"])
    some = users.take(pa.array(rng.integers(len(users), size=len(unmet))))
    return pa.concat_tables([log, pa.table({"user_id": some, "item_id": unmet.combine_chunks()})])


class Clock:
    """CPU seconds within functions, by stage; time within an inner stage is its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    def watch(self, owner: object, name: str, stage: str) -> None:
        call = getattr(owner, name)

        def timed(*args: object, **options: object) -> object:
            begun = time.process_time()
            self._inner.append(0.0)
            try:
                return call(*args, **options)
            finally:
                spent = time.process_time() - begun
                own = spent - self._inner.pop()
                self._inner[-1] += spent
                self.seconds[stage] = self.seconds.get(stage, 0) + own

        setattr(owner, name, timed)

    def take(self) -> dict[str, float]:
        """What was counted since the last time."""
        taken, self.seconds = self.seconds, {}
        return taken


STAGES = ("read rows", "look up", "join", "features", "text", "embed", "put in", "other")


def child(folder: Path, count: int) -> None:
    """Add so many rows at a time, and print what the first and each of the next calls took."""
    from kgrec import Recommender
    from kgrec.graph.live_graph import LiveGraph
    from kgrec.model import item_updates

    rows = pq.read_table(folder / "new.parquet")
    rec = Recommender.load(folder / "model", text_encoder=RandomVectors())
    clock = Clock()
    for owner, name, stage in (
        (item_updates, "_addition", "read rows"),
        (LiveGraph, "ids", "look up"),
        (item_updates, "_scope", "look up"),
        (item_updates, "_larger", "join"),
        (item_updates, "_live", "join"),
        (item_updates, "read_features", "features"),
        (RandomVectors, "encode", "text"),
        (item_updates, "embed", "embed"),
        (item_updates, "with_updates", "put in"),
    ):
        clock.watch(owner, name, stage)
    rec.model.graph(), rec.model.parameters()
    measured = []
    for at in range(0, min(len(rows), SINGLE * count), count):
        some = rows.slice(at, count)
        begun = time.process_time()
        added = rec.add_items(some)
        seconds = time.process_time() - begun
        assert len(added.ids) == count and len(rec.model.items) >= count
        stages = clock.take()
        measured.append({**stages, "other": seconds - sum(stages.values()), "all": seconds})
    print(json.dumps(measured))


def line(name: str, stages: dict[str, float], base: float | None) -> str:
    parts = "".join(f"{1e3 * stages.get(stage, 0):11.1f}" for stage in STAGES)
    ratio = "" if base is None else f"{stages['all'] / base:8.2f}"
    return f"{name:>24}{parts}{1e3 * stages['all']:11.1f}{ratio}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1, help=f"new items per call, {NEW:,} at most")
    parser.add_argument("--items", nargs="+", type=int, default=[10_000, 100_000], help="known items")
    parser.add_argument("--keep", type=Path, help="a folder for the data, to be used again")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "ROWS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), int(given.child[1]))
        return
    print(f"CPU ms of one call that adds {given.rows:,}")
    print(f"{'':24}{''.join(f'{stage:>11}' for stage in STAGES)}{'all':>11}   ratio")
    smallest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for items in given.items:
            folder = (given.keep or Path(place)) / f"{items}"
            if not (folder / "model").exists():
                folder.mkdir(parents=True, exist_ok=True)
                # not here: a process that is started has the peak of the one that starts it
                maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, items))
                maker.start()
                maker.join()
            command = [sys.executable, __file__, "--child", str(folder), str(given.rows)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            first, *later = json.loads(done.stdout.splitlines()[-1])
            typical = sorted(later or [first], key=lambda one: one["all"])[len(later) // 2]
            for name, stages in (("first", first), ("median", typical)):
                base = smallest.setdefault(name, stages["all"])
                print(line(f"{items:,} items, {name}", stages, base), flush=True)


if __name__ == "__main__":
    main()
