"""Memory and speed of batch runs over 10,000, 100,000 and a million users of a small model.

    python tests/benchmarks/batch.py                       # one process
    python tests/benchmarks/batch.py --workers 2
    python tests/benchmarks/batch.py --users 1e4 --keep there/

Enters: nothing; a model of the bundled catalogue (411 films) is trained for two epochs, and its 600 users are repeated under new
names until there are enough. Leaves: a table on the screen, with a row per run, each in a process of its own:

- file: `write_recommendations` of all users of a model that knows them, ten items each, to Parquet
- stream: `stream_recommendations_for_histories` of as many new users, from a generator, on the smallest model

Columns: resident memory when the model is loaded (of the model with so many users), the highest during the run, their
difference, the highest of any worker, and users per second of wall-clock time. The difference holds ids, parts and what the
libraries allocate at first use. Memory is read from /proc, so this runs on Linux alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MB = 1024
K = 10


def make(folder: Path, counts: list[int]) -> None:
    """model-N/ for each number of users."""
    from dataclasses import replace

    import numpy as np

    import kg_data
    import kgrec
    from kgrec.graph.vocabulary import Vocabulary

    graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    settings = ["text.model=none", "dim=64", "epochs=2", "search_seconds=0", "train.threads=1"]
    rec = kgrec.Recommender(kgrec.Config.read(settings=settings)).fit(graph)
    model = rec.model
    for count in counts:
        rows = np.arange(count) % len(model.users)
        users = Vocabulary([f"user-{number:07}" for number in range(count)])
        rec._fitted = replace(
            model, users=users, histories=model.histories[rows], seen=model.seen[rows], origin=None
        )
        rec.save(folder / f"model-{count}")


def status(name: str) -> float:
    """A line of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / MB


def new_users(count: int, films: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Users who liked three films each."""
    for number in range(count):
        yield f"new-{number}", [films[(number * step) % len(films)] for step in (1, 7, 31)]


def child(folder: Path, kind: str, count: int, smallest: int, workers: int) -> None:
    """One run; prints its row."""
    import kgrec
    from kgrec.serve.batch_run import opened

    rec = opened(folder / f"model-{count if kind == 'file' else smallest}")
    request, options = kgrec.Request(k=K), kgrec.BatchOptions(workers=workers)
    rec.recommend(rec.model.users[0], request=request)  # libraries are loaded
    before, begun = status("VmRSS"), time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM is the peak from here on
    if kind == "file":
        rows = kgrec.write_recommendations(
            rec, folder / "recs.parquet", request=request, options=options
        ).rows
    else:
        users = new_users(count, rec.model.items.tolist())
        tables = kgrec.stream_recommendations_for_histories(rec, users, request=request, options=options)
        rows = sum(len(table) for table in tables)
    seconds, peak = time.perf_counter() - begun, status("VmHWM")
    assert rows == K * count, rows
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / MB if workers > 1 else 0
    print(
        f"{kind:<8}{count:>10,}{before:>12,.0f}{peak:>12,.0f}{peak - before:>12,.0f}{worker:>12,.0f}"
        f"{count / seconds:>12,.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", nargs="+", type=float, default=[1e4, 1e5, 1e6])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the models, to be used again")
    parser.add_argument("--child", nargs=5, metavar="WORD", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        folder, kind, count, smallest, workers = given.child
        child(Path(folder), kind, int(count), int(smallest), int(workers))
        return
    counts = sorted(int(count) for count in given.users)
    with tempfile.TemporaryDirectory() as place:
        folder = given.keep or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        missing = [count for count in counts if not (folder / f"model-{count}").exists()]
        if missing:
            # in a process of its own: a child inherits the peak memory of its parent
            code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import batch, pathlib\n"
            code += f"batch.make(pathlib.Path({str(folder)!r}), {missing})"
            subprocess.run([sys.executable, "-c", code], check=True)
        print(
            f"{'run':<8}{'users':>10}{'model MB':>12}{'peak MB':>12}{'run MB':>12}{'worker MB':>12}{'users/s':>12}"
        )
        for kind in ("file", "stream"):
            for count in counts:
                words = [folder, kind, count, counts[0], given.workers]
                subprocess.run([sys.executable, __file__, "--child", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
