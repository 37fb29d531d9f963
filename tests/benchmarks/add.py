"""What `kgrec add` takes, by stage, for one new item and for many.

    python tests/benchmarks/add.py                        # 10,000 items; 1 and 1,000 new ones
    python tests/benchmarks/add.py --rows 1 100 --items 100000 --keep there/

Enters: nothing; a catalogue is made from a seed as in `scale.py`, and a model of it is trained in a few epochs. Leaves: for
each number of new rows a table on the screen, CPU seconds and shares of reading the rows, encoding their texts with
all-MiniLM-L6-v2 (no cache), joining them to the graph, embedding, putting them into index and second look, and
writing the model. Imports, loading the model and loading the transformer are told apart from these. Each number runs in
a process of its own, on one thread.

New items are further rows of the same kind: their tags, cast and makers are shared with known items. Their texts are a title
of 4 to 12 words, and for two of three an abstract, as in `text.py`. Texts of the known items become vectors by a random one
for each word, as in `scale.py`: a transformer would take longer than all the rest, and what they say plays no part here.
"""

from __future__ import annotations

import argparse
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
from scale import MAPPING, PER_ITEM, RandomVectors, Stages, item_table, log_table

GROUPS, NEW = 50, 1000


def make(folder: Path, items: int) -> None:
    """model/ of so many items, and new.parquet."""
    import kgrec

    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(GROUPS, size=items + NEW))
    rows = item_table(rng, group)
    new = np.sort(rng.choice(items + NEW, NEW, replace=False))
    known = np.delete(np.arange(items + NEW), new)
    log = log_table(rng, group, items * PER_ITEM)
    ids = rows["item_id"].take(pa.array(new))
    log = log.filter(pa.compute.invert(pa.compute.is_in(log["item_id"], value_set=ids.combine_chunks())))
    pq.write_table(rows.take(pa.array(known)), folder / "items.parquet")
    pq.write_table(log, folder / "log.parquet")
    pq.write_table(with_texts(rows.take(pa.array(rng.permutation(new)))), folder / "new.parquet")
    (folder / "kgrec.yaml").write_text(MAPPING)
    graph = kgrec.build_graph(folder / "kgrec.yaml")
    config = kgrec.Config.read(settings=["epochs=2", "search_seconds=0", "train.threads=1"])
    kgrec.Recommender(config, text_encoder=RandomVectors()).fit(graph).save(folder / "model")


def with_texts(rows: pa.Table) -> pa.Table:
    """The rows with words that a transformer knows."""
    from text import made_texts

    from kgrec.encode.text import TextConfig
    from kgrec.encode.text.models import load

    texts = [text.split() for text in made_texts(load(TextConfig()), len(rows))]
    titles, plots = ([" ".join(words[part]) for words in texts] for part in (slice(8), slice(8, None)))
    for name, values in (("title", titles), ("plot", plots)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    return rows


def child(folder: Path, count: int) -> None:
    """Add so many rows to the model, and print what it took."""
    from kgrec import Recommender
    from kgrec.encode.text import SentenceEncoder, TextConfig
    from kgrec.model import item_updates, storage

    rows = pq.read_table(folder / "new.parquet").slice(0, count)
    begun = time.process_time()
    encoder = SentenceEncoder(TextConfig(cache=False))
    encoder.encode(["A text."])
    encoder_loaded = time.process_time()
    rec = Recommender.load(folder / "model", text_encoder=encoder)
    rec.model.graph(), rec.model.parameters()
    loaded = time.process_time()
    stages = Stages()
    for owner, name, stage in (
        (item_updates, "_addition", "parse"),
        (item_updates, "matched", "join"),
        (item_updates, "_larger", "join"),
        (item_updates, "read_features", "embed"),
        (SentenceEncoder, "encode", "encode"),
        (item_updates, "embed", "embed"),
        (item_updates, "with_arrivals", "index"),
        (storage, "save", "persist"),
    ):
        stages.watch(owner, name, stage)
    rec.add_items(rows)
    rec.save(folder / f"model-{count}")
    table = stages.table()
    words = sum(len(text.split()) for name in ("title", "plot") for text in rows[name].to_pylist())
    print(f"{count:,} new of {words / count:.0f} words beside {len(rec.model.items) - count:,} items")
    print(f"{table}\n  before that: transformer {encoder_loaded - begun:.1f} s, ", end="")
    print(f"model and its graph {loaded - encoder_loaded:.1f} s\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", nargs="+", type=int, default=[1, NEW], help=f"new items, {NEW:,} at most")
    parser.add_argument("--items", type=int, default=10_000, help="known items")
    parser.add_argument("--repeat", type=int, default=1, help="how often each is run")
    parser.add_argument("--keep", type=Path, help="a folder for the data, to be used again")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "ROWS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), int(given.child[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = (given.keep or Path(place)) / f"{given.items}"
        if not (folder / "model").exists():
            folder.mkdir(parents=True, exist_ok=True)
            # not here: a process that is started has the peak of the one that starts it
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, given.items))
            maker.start()
            maker.join()
        for count in given.repeat * given.rows:
            subprocess.run([sys.executable, __file__, "--child", str(folder), str(count)], check=True)


if __name__ == "__main__":
    main()
