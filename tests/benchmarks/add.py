"""What `kgrec add` takes for one new item and for 1,000: parse, encode, embed, index, persist.

    python tests/benchmarks/add.py
    python tests/benchmarks/add.py --items 10000 --new 1 1000 --repeat 3 --folder kept/

Enters: nothing; catalogue, log and model are made from a seed in a temporary folder, or in `--folder`, where a later run
finds them. Leaves: a table on the screen, CPU seconds and shares of the stages from a model in memory to one on the disk that
has the items; each run in a process of its own, on one thread. What a process takes once, imports, loading the transformer
and the model, is printed beside it.

Items are those of `scale.py`, their texts those of `text.py`. Training takes a random vector for each word; the new items
are encoded by all-MiniLM-L6-v2, and no vector is kept from one run to the next.
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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scale import GROUP, MAPPING, PER_ITEM, RandomVectors, Stages, item_table, log_table

STAGES = ("parse", "encode", "embed", "index", "persist", "rest")
SETTINGS = ("train.threads=1", "epochs=2", "search_seconds=0", "dim=64")

# the data


def make(folder: Path, known: int, new: int) -> None:
    """model/ of so many items, and the rows of more, later.parquet."""
    from text import made_texts

    from kgrec import Config, Recommender
    from kgrec.graph import build_graph
    from kgrec.text import TextConfig
    from kgrec.text.models import load

    rng, n = np.random.default_rng(0), known + new
    group = np.sort((rng.random(n) ** 1.3 * (n / GROUP)).astype(np.int64))
    items, log = item_table(rng, group), log_table(rng, group, PER_ITEM * n)
    texts = pa.array(made_texts(load(TextConfig()), n))
    items = items.set_column(items.column_names.index("plot"), "plot", texts)
    later = pa.array(rng.permutation(np.arange(n) < new))
    pq.write_table(items.filter(later), folder / "later.parquet")
    pq.write_table(items.filter(pc.invert(later)), folder / "items.parquet")
    unseen = pc.is_in(log["item_id"], value_set=items["item_id"].filter(later))
    pq.write_table(log.filter(pc.invert(unseen)), folder / "log.parquet")
    (folder / "kgrec.yaml").write_text(MAPPING)
    rec = Recommender(Config.read(settings=SETTINGS), text_encoder=RandomVectors())
    rec.fit(build_graph(folder / "kgrec.yaml")).save(folder / "model")


# what is measured


def watched() -> Stages:
    """Timers around the stages of `add`."""
    from kgrec import cold, stored
    from kgrec.text import SentenceEncoder

    stages = Stages()
    stages.watch(cold, "read_arrivals", "embed")
    for function in ("_addition", "matched", "_larger"):
        stages.watch(cold, function, "parse")
    stages.watch(SentenceEncoder, "encode", "encode")
    stages.watch(cold, "with_arrivals", "index")
    stages.watch(stored, "save", "persist")
    return stages


def child(folder: Path, new: int) -> None:
    """Add items, and print what it took as JSON."""
    times = [time.process_time()]
    from kgrec import Recommender, cold  # noqa: F401  # imports are not counted
    from kgrec.text import SentenceEncoder, TextConfig

    times.append(time.process_time())
    encoder = SentenceEncoder(TextConfig(cache=False))
    encoder.encode(["A text."])
    times.append(time.process_time())
    rec = Recommender.load(folder / "model", text_encoder=encoder)
    rec.recommend(rec.model.users.tolist()[:1])
    times.append(time.process_time())
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "new"
        rows.mkdir()
        pq.write_table(pq.read_table(folder / "later.parquet").slice(0, new), rows / "items.parquet")
        stages = watched()
        added = rec.add_items(rows)
        rec.save(Path(place) / "model")
        took = stages.totals()
    once = dict(zip(("imports", "transformer", "model"), np.diff(times).tolist(), strict=True))
    print(json.dumps({"stages": took, "once": once, "items": len(added), "words": sum(added.words)}))


def measured(folder: Path, new: int) -> dict[str, Any]:
    """What a child took."""
    command = [sys.executable, __file__, "--child", str(folder), str(new)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["items"] == new
    return result


def compare(folder: Path, new: int, repeat: int) -> None:
    """Print the run of which the sum is the median."""
    runs = sorted((measured(folder, new) for _ in range(repeat)), key=lambda run: sum(run["stages"].values()))
    took, once = runs[len(runs) // 2]["stages"], runs[len(runs) // 2]["once"]
    total = sum(took.values())
    every = [sum(run["stages"].values()) for run in runs]
    print(
        f"{new:,} new, {runs[0]['words'] / new:.0f} words each: {total:.2f} CPU s ({every[0]:.2f} to {every[-1]:.2f})"
    )
    for stage in STAGES:
        seconds = took.get(stage, 0.0)
        print(f"  {stage:<12}{seconds:>9.3f} s {seconds / total:>7.1%}")
    print(
        f"  once a process: {', '.join(f'{what} {seconds:.2f}' for what, seconds in once.items())}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=10_000, help="that the model knows")
    parser.add_argument("--new", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the data and the model are kept")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "NEW"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), int(given.child[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = (given.folder or Path(place)) / f"{given.items}-{max(given.new)}"
        if not (folder / "model").exists():
            folder.mkdir(parents=True, exist_ok=True)
            sizes = (given.items, max(given.new))
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, *sizes))
            maker.start()
            maker.join()
        for new in given.new:
            compare(folder, new, given.repeat)


if __name__ == "__main__":
    main()
