"""Speed, memory and recall of retrieval beside bare FAISS and other libraries, as ratios from one run.

    python tests/benchmarks/retrieval.py                                  # all; or some of: batch filter user load peers
    python tests/benchmarks/retrieval.py batch --items 200000 --users 10000 --folder there/

Enters: nothing; vectors and models are made from a seed in a temporary folder, or in `--folder`, where a later run finds
them, indexes included. Leaves: tables on the screen. Every measure runs in a process of its own, which says how many
seconds it took, of the CPU and on the clock, imports and loading left out unless they are what is measured, and the peak
of its memory, to which the pages of mapped files that it touched are counted.

Items are mixtures of three topics of one genre and something of their own that weighs more, so that the spectrum of the
vectors and the cosines of users with their nearest items fall as those of trained models do; there is a topic for
50 items, and a user takes 20 items of three topics of a genre.
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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

# models of tests, made by hand
sys.path.insert(0, str(Path(__file__).parents[1]))

DIM, HISTORY, K = 256, 20, 100
#: weight of a genre in its topics, and of what is an item's own beside its topics
GENRES, SHARED, OWN = 800, 0.7, 2.0
#: variance by direction
POWER = 1 / np.arange(10, 10 + DIM, dtype=np.float32)
SCALE = np.sqrt(POWER / POWER.sum())
KINDS = ("hnsw", "ivf", "ivfpq")
#: of the items that a filter allows
SHARES = (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_ROWS = 50_000

MAPPING = """\
version: 1
nodes:
  item:
    item: true
    file: items.parquet
    key: item_id
    columns: {title: label, tags: {as: node, type: tag, split: "|"}}
"""

# the vectors, and models


def units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def drawn(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Random vectors about as long as 1."""
    return rng.standard_normal((rows, DIM), np.float32) * SCALE


def make_vectors(folder: Path, items: int, users: int) -> None:
    """vectors.npy of items, histories.npy and users.npy."""
    rng = np.random.default_rng(0)
    topics = max(GENRES, items // 50)
    share = 1 / np.sqrt(np.arange(1, GENRES + 1))
    genre = np.sort(rng.choice(GENRES, topics, p=share / share.sum()))
    first, end = np.searchsorted(genre, genre), np.searchsorted(genre, genre, side="right")
    directions = units(SHARED * drawn(rng, GENRES)[genre] + drawn(rng, topics))
    topic = rng.integers(topics, size=items)

    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (items, DIM))
    for start in range(0, items, _ROWS):
        main = topic[start : start + _ROWS]
        rows = OWN * drawn(rng, len(main)) + directions[main]
        for _ in range(2):
            other = rng.integers(first[main], end[main])
            rows += rng.exponential(0.5, (len(main), 1)).astype(np.float32) * directions[other]
        vectors[start : start + _ROWS] = units(rows)
    vectors.flush()

    liked = rng.integers(topics, size=users)
    liked = rng.integers(first[liked, None], end[liked, None], (users, 3))
    taken = liked[np.arange(users)[:, None], rng.integers(3, size=(users, HISTORY))]
    by_topic = np.argsort(topic, kind="stable")
    low, high = (np.searchsorted(topic[by_topic], taken, side=side) for side in ("left", "right"))
    place = low + (rng.random(taken.shape) * (high - low)).astype(np.int64)
    histories = by_topic[np.minimum(place, items - 1)]
    np.save(folder / "histories.npy", histories)
    np.save(folder / "users.npy", units(np.stack([vectors[rows].sum(axis=0) for rows in histories])))


def spectrum(folder: Path) -> str:
    """Share of the squared length that the strongest directions hold, and cosines of users with their nearest items."""
    vectors, users = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "users.npy")[:200]
    power = np.linalg.svd(vectors[:: max(1, len(vectors) // 5000)], compute_uv=False) ** 2
    held = np.cumsum(power) / power.sum()
    nearest = -np.sort(-(users @ vectors.T), axis=1)[:, [0, 9, 99]].mean(axis=0)
    return (
        f"directions 1, 8, 32, 128 hold {', '.join(f'{held[n - 1]:.2f}' for n in (1, 8, 32, 128))}; "
        f"cosines of the 1st, 10th, 100th item {', '.join(f'{value:.2f}' for value in nearest)}"
    )


def make_model(folder: Path, items: int) -> None:
    """graph/, and two models over the vectors: `embedding/`, and `parts/` whose score has all four parts.

    Nothing is learned: the vectors are those of `make_vectors`, the rest is random, of the size that it has in a trained
    model, 10 neighbours, 100 items taken together and a text of 384 numbers for each item.
    """
    import models
    import pandas as pd
    import scipy.sparse as sp

    from kgrec import Config
    from kgrec.encode.featurizer import Featurizer
    from kgrec.graph.build import build_graph
    from kgrec.graph.vocabulary import Vocabulary
    from kgrec.model import storage
    from kgrec.model.model import Parameters
    from kgrec.rank.scorers import unit_rows

    rng, users = np.random.default_rng(0), 10_000
    make_vectors(folder, items, users)
    vectors, histories = np.load(folder / "vectors.npy"), np.load(folder / "histories.npy")
    names = np.array([f"B{row:07d}" for row in range(items)])
    tags = rng.integers(items // 20, size=(items, 10))
    rows = {"item_id": names, "title": names, "tags": ["|".join(map(str, row)) for row in tags.tolist()]}
    pd.DataFrame(rows).to_parquet(folder / "items.parquet")
    (folder / "kgrec.yaml").write_text(MAPPING)
    graph = build_graph(folder / "kgrec.yaml")

    def sparse(columns: np.ndarray, width: int, values: np.ndarray) -> sp.csr_matrix:
        bounds = np.arange(0, columns.size + 1, columns.shape[1])
        matrix = sp.csr_matrix((values.ravel(), columns.ravel(), bounds), (len(columns), width))
        matrix.sum_duplicates()
        return matrix

    log = sparse(histories, items, np.ones(histories.shape, np.float32))
    neighbours = sparse(tags, items // 20, np.ones(tags.shape, np.float32))
    near = rng.integers(items, size=(items, 100))
    together = sparse(near, items, rng.random(near.shape, np.float32) / 100)
    text = units(rng.standard_normal((items, 384), np.float32)).astype(np.float16)
    arrays = {"identity": vectors, "entity": vectors[: items // 20], "dense": vectors[:0]}
    arrays |= {"relation_scale": np.ones(0, np.float32), "degree_exponent": np.array(0.5, np.float32)}
    parameters = Parameters(arrays, Featurizer((), Vocabulary([]), np.zeros(0, np.float32)))
    parts = {"embedding": 0.3, "graph": 0.2, "text": 0.2, "co_occurrence": 0.3}
    for name, weights in (("embedding", {"embedding": 1}), ("parts", parts)):
        scored = models.rescorer(
            items, weights, graph=unit_rows(neighbours), text=text, co_occurrence=together
        )
        model = models.model(
            models.items(vectors, names.tolist(), entities=graph.item_entities),
            log,
            scored=scored,
            config=Config.read(settings=["text.model=none"]),
            graph=lambda: graph,
            parameters=lambda: parameters,
        )
        storage.save(model, folder / name)


# what is measured, each in a process of its own, in a folder that has what it needs


class Clock:
    """Seconds of the CPU and on the clock within a `with`, and the peak of memory at its end."""

    def __enter__(self) -> Clock:
        self._since = cpu_seconds(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu, self.wall = cpu_seconds() - self._since[0], time.perf_counter() - self._since[1]

    def result(self, **more: Any) -> dict[str, Any]:
        return {"cpu": self.cpu, "wall": self.wall, "peak": peak(), **more}


def cpu_seconds() -> float:
    return time.process_time()


def peak() -> float:
    """MB; getrusage would count what the process that started this one had held, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def mapped(folder: Path) -> np.ndarray:
    return np.asarray(np.load(folder / "vectors.npy", mmap_mode="r"))


def queries(folder: Path, users: int) -> np.ndarray:
    return np.load(folder / "users.npy")[:users]


def built(folder: Path, kind: str) -> Any:
    from kgrec.retrieve import Built

    return (
        Built() if kind == "flat" else Built.model_validate_json((folder / kind / "built.json").read_text())
    )


def run_build(folder: Path, kind: str, _: int) -> dict[str, Any]:
    """Build an index, and measure its recall."""
    from kgrec.retrieve import IndexConfig, VectorIndex

    vectors, users = mapped(folder), np.load(folder / "users.npy")
    with Clock() as clock:
        index = VectorIndex.build(vectors, IndexConfig(kind=kind), users)  # type: ignore[arg-type]
    (folder / kind).mkdir()
    index.save(folder / kind)
    (folder / kind / "built.json").write_text(index.built.model_dump_json())
    return clock.result()


def run_kgrec(folder: Path, kind: str, users: int) -> dict[str, Any]:
    """`VectorIndex.search`."""
    from kgrec.retrieve import VectorIndex

    asked = queries(folder, users)
    index = VectorIndex.load(folder / kind, mapped(folder), built(folder, kind))
    with Clock() as clock:
        found, _ = index.search(asked, K)
    return clock.result(found=found)


def run_faiss(folder: Path, kind: str, users: int) -> dict[str, Any]:
    """FAISS's own reading and search of the same index at the same effort, the vectors copied into it."""
    import faiss

    asked, effort = queries(folder, users), built(folder, kind).effort
    index = faiss.read_index(str(folder / kind / "index.faiss")) if kind != "flat" else None
    flat = faiss.IndexFlatIP(DIM)
    if kind != "ivf":
        flat.add(np.load(folder / "vectors.npy", mmap_mode="r"))
    if kind == "flat":
        index, parameters = flat, None
    elif kind == "hnsw":
        index.storage = flat
        parameters = faiss.SearchParametersHNSW(efSearch=effort)
    else:
        parameters = faiss.SearchParametersIVF(nprobe=effort)
    if kind == "ivfpq":
        index = faiss.IndexRefine(index, flat)
        parameters = faiss.IndexRefineSearchParameters(
            k_factor=max(4, effort / 16), base_index_params=parameters
        )
    with Clock() as clock:
        _, found = index.search(asked, K, params=parameters)
    return clock.result(found=found)


def run_recommend(folder: Path, kind: str, users: int) -> dict[str, Any]:
    """`Recommender.recommend` by the embeddings alone: vectors of users, what they have seen left out, an Arrow table."""
    import models
    import scipy.sparse as sp

    from kgrec import Config, Recommender
    from kgrec.retrieve import VectorIndex
    from kgrec.retrieve.segmented_index import SegmentedIndex

    vectors, histories = mapped(folder), np.load(folder / "histories.npy")[:users]
    items, bounds = len(vectors), np.arange(0, histories.size + 1, HISTORY)
    log = sp.csr_matrix((np.ones(histories.size, np.float32), histories.ravel(), bounds), (users, items))
    log.sum_duplicates()
    rec = Recommender(Config())
    rec._fitted = replace(
        models.model(models.items(vectors, [f"B{row:07d}" for row in range(items)]), log),
        index=SegmentedIndex.of(VectorIndex.load(folder / kind, vectors, built(folder, kind)), vectors),
    )
    names = rec.model.users.tolist()
    with Clock() as clock:
        for start in range(0, users, 4096):
            rec.recommend(names[start : start + 4096], k=K, arrow=True)
    return clock.result()


def run_exact(folder: Path, _: str, users: int) -> dict[str, Any]:
    """The least score among the exact K best."""
    import faiss

    with Clock() as clock:
        scores, _ids = faiss.knn(queries(folder, users), mapped(folder), K, faiss.METRIC_INNER_PRODUCT)
    return clock.result(found=scores[:, -1])


def run_hnswlib(folder: Path, _: str, users: int) -> dict[str, Any]:
    """With the links of kgrec's graph, the effort of FAISS's default in building, and kgrec's in the search."""
    import hnswlib

    from kgrec.retrieve.approximate import HNSW_LINKS

    vectors, asked = mapped(folder), queries(folder, users)
    index = hnswlib.Index("ip", DIM)
    threads = int(os.environ["OMP_NUM_THREADS"])
    index.set_num_threads(threads)
    with Clock() as building:
        index.init_index(len(vectors), ef_construction=40, M=HNSW_LINKS)
        index.add_items(vectors)
    index.set_ef(max(K, built(folder, "hnsw").effort))
    with Clock() as clock:
        found, _ = index.knn_query(asked, K)
    return clock.result(found=found.astype(np.int64), build=building.cpu)


def run_implicit(folder: Path, name: str, users: int) -> dict[str, Any]:
    """implicit's `recommend` over these vectors in place of factors that it learned."""
    import implicit.als
    import implicit.bpr
    import scipy.sparse as sp

    classes = {
        "als": implicit.als.AlternatingLeastSquares,
        "bpr": implicit.bpr.BayesianPersonalizedRanking,
    }
    model = classes[name](factors=DIM, num_threads=int(os.environ["OMP_NUM_THREADS"]))
    model.item_factors, model.user_factors = np.load(folder / "vectors.npy"), queries(folder, users)
    nothing = sp.csr_matrix((users, len(model.item_factors)), dtype=np.float32)
    found = np.empty((users, K), np.int64)
    with Clock() as clock:
        for start in range(0, users, 1024):
            some = np.arange(start, min(users, start + 1024))
            found[some] = model.recommend(some, nothing[some], N=K, filter_already_liked_items=False)[0]
    return clock.result(found=found)


def run_user(folder: Path, name: str, users: int) -> dict[str, Any]:
    """One user at a time, and FAISS's search for the same vector in turn with it; milliseconds, CPU and clock of each."""
    import faiss

    from kgrec import Recommender

    rec = Recommender.load(folder / name)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(rec.model.items.vectors.whole)
    names, vectors = rec.model.users.tolist()[:users], queries(folder, users)
    took = []
    with Clock() as clock:
        for at, user in enumerate(names):
            with Clock() as ours:
                rec.recommend([user], k=10)
            with Clock() as theirs:
                flat.search(vectors[[at]], 10)
            took.append([[ours.cpu, theirs.cpu], [ours.wall, theirs.wall]])
    # the first ones read the vectors from the disk
    return clock.result(found=1000 * np.array(took[len(took) // 10 :]))


def run_filter(folder: Path, kind: str, users: int) -> dict[str, Any]:
    """Under filters at random: share allowed, recall of `index.search`, and CPU ms a user of it and of comparing with all allowed."""
    from kgrec.retrieve import IndexConfig, VectorIndex

    vectors, asked, rng = mapped(folder), queries(folder, users), np.random.default_rng(0)
    index = VectorIndex.load(folder / kind, vectors, built(folder, kind))
    exact = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    lines = []
    with Clock() as clock:
        for share in SHARES:
            only = np.flatnonzero(rng.random(len(vectors)) < share)
            with Clock() as ours:
                scores = index.search(asked, K, only=only)[1]
            with Clock() as theirs:
                best = exact.search(asked, K, only=only)[1]
            recall = (scores >= best[:, -1:] - 1e-6).mean()
            lines.append([share, recall, *(1000 * c.cpu / users for c in (ours, theirs))])
    return clock.result(found=np.array(lines))


def run_load(folder: Path, name: str, _: int) -> dict[str, Any]:
    """From the start of the interpreter to the first list, in CPU seconds of the process."""
    start = cpu_seconds()
    from kgrec import Recommender

    for module in ("faiss", "pandas", "pyarrow.parquet", "safetensors.numpy"):
        __import__(module)
    imported = cpu_seconds()
    rec = Recommender.load(folder / name)
    loaded = cpu_seconds()
    with Clock() as clock:
        rec.recommend(["u7"], k=10)
    done = cpu_seconds()
    torch = "torch" in sys.modules
    parts = {"start": start, "imports": imported - start, "load": loaded - imported, "list": done - loaded}
    return clock.result(parts=parts, total=done, torch=torch)


RUNS: dict[str, Callable[[Path, str, int], dict[str, Any]]] = {
    "build": run_build,
    "kgrec": run_kgrec,
    "faiss": run_faiss,
    "recommend": run_recommend,
    "exact": run_exact,
    "hnswlib": run_hnswlib,
    "implicit": run_implicit,
    "user": run_user,
    "filter": run_filter,
    "load": run_load,
}
IMPORTS = {
    "build": "kgrec.retrieve faiss",
    "kgrec": "kgrec.retrieve faiss",
    "faiss": "faiss kgrec.retrieve",
    "recommend": "kgrec.recommend.recommender faiss pandas",
    "exact": "faiss",
    "user": "kgrec.recommend.recommender faiss pandas",
    "filter": "kgrec.retrieve faiss",
}


def child(run: str, folder: Path, name: str, users: int) -> None:
    """Run one measure here, and print what it took; what it found goes to a file."""
    for module in IMPORTS.get(run, "").split():
        __import__(module)
    result = RUNS[run](folder, name, users)
    if "found" in result:
        np.save(folder / f"{run}-{name}.npy", result.pop("found"))
    print(json.dumps(result))


def measured(given: argparse.Namespace, run: str, folder: Path, name: str = "-") -> dict[str, Any]:
    """What one measure took, and found."""
    command = [sys.executable, __file__, "--child", run, str(folder), name, str(given.users)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found = folder / f"{run}-{name}.npy"
    if found.exists():
        result["found"] = np.load(found)
        found.unlink()
    return result


def made(make: Callable[..., None], folder: Path, *arguments: int) -> Path:
    """A folder that `make` filled, now or in an earlier run."""
    if not (folder / "users.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        # not here: a process that is started has the peak of the one that starts it
        maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, *arguments))
        maker.start()
        maker.join()
    return folder


# the comparisons


def row(what: str, result: dict[str, Any], said: str = "") -> None:
    print(
        f"  {what:<34} {result['cpu']:>8.1f} s CPU {result['wall']:>8.1f} s {result['peak']:>7,.0f} MB   {said}",
        flush=True,
    )


def vectors_and_indexes(place: Path, given: argparse.Namespace) -> Path:
    """Vectors, and the indexes of `--kinds`."""
    folder = made(make_vectors, place / f"vectors-{given.items}", given.items, 50_000)
    print(f"{given.items:,} items, {given.users:,} users; {spectrum(folder)}")
    for kind in given.kinds:
        if not (folder / kind / "built.json").exists():
            row(f"{kind}: build", measured(given, "build", folder, kind))
        print(f"  {built(folder, kind)}", flush=True)
    return folder


def compare_batch(place: Path, given: argparse.Namespace) -> None:
    folder = vectors_and_indexes(place, given)
    for kind in given.kinds:
        size = 4 * DIM * given.items + (folder / kind / "index.faiss").stat().st_size
        for _ in range(given.repeat):
            theirs = measured(given, "faiss", folder, kind)
            ours = measured(given, "kgrec", folder, kind)
            whole = measured(given, "recommend", folder, kind)
            same = np.mean(
                [np.isin(a, b).mean() for a, b in zip(ours["found"], theirs["found"], strict=True)]
            )
            row(f"{kind}: bare FAISS", theirs, f"{size / 2**20:,.0f} MB of vectors and index")
            for what, result in (("index.search", ours), ("recommend", whole)):
                ratios = [result["cpu"] / theirs["cpu"], result["wall"] / theirs["wall"]]
                row(
                    f"{kind}: {what}",
                    result,
                    f"{ratios[0]:.2f} times the CPU, {ratios[1]:.2f} the clock (bar 1.3); "
                    f"peak {result['peak'] * 2**20 / size:.2f} times vectors and index (bar 1.5)",
                )
            print(f"  {kind}: {same:.4f} of the items that FAISS finds are those that index.search finds")


def compare_user(place: Path, given: argparse.Namespace) -> None:
    folder = made(make_model, place / f"model-{given.model_items}", given.model_items)
    print(f"{given.model_items:,} items, flat, one user at a time, 10 items")
    for name, what in (("embedding", "by the embedding"), ("parts", "by all four parts")):
        took = measured(argparse.Namespace(users=given.one_by_one, threads=1), "user", folder, name)["found"]
        (cpu, clock), (_, late) = np.percentile(took, [50, 99], axis=0)
        print(
            f"  {what:<20} p50 {cpu[0]:.2f} ms CPU, {clock[0]:.2f} ms, p99 {late[0]:.2f} ms; bare FAISS p50 {cpu[1]:.2f} ms CPU, "
            f"{clock[1]:.2f} ms, p99 {late[1]:.2f} ms; p50 {cpu[0] / cpu[1]:.2f} times the CPU, {clock[0] / clock[1]:.2f} the clock (bar 2)",
            flush=True,
        )


def compare_filter(place: Path, given: argparse.Namespace) -> None:
    folder = vectors_and_indexes(place, given)
    few = argparse.Namespace(users=min(given.users, 1000), threads=1)
    for kind in given.kinds:
        print(
            f"  {kind}, filters at random: allowed, recall@{K}, CPU ms a user, and comparing with all allowed"
        )
        for share, recall, ours, exact in measured(few, "filter", folder, kind)["found"]:
            print(f"    {share:>4.0%}   {recall:.4f}   {ours:>6.2f}   {exact:>6.2f}", flush=True)


def compare_load(place: Path, given: argparse.Namespace) -> None:
    folder = made(make_model, place / f"model-{given.model_items}", given.model_items)
    for name in ("embedding", "parts"):
        size = sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file())
        print(f"{given.model_items:,} items, {name}/ of {size / 2**20:,.0f} MB, to the first list")
        for _ in range(max(3, given.repeat)):
            result = measured(given, "load", folder, name)
            parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in result["parts"].items())
            print(
                f"  {result['parts']['load'] + result['parts']['list']:.2f} CPU s without imports (bar 1 s), "
                f"{result['total']:.2f} in all ({parts}), torch {'' if result['torch'] else 'not '}imported, "
                f"{result['peak']:,.0f} MB",
                flush=True,
            )
        seconds = sorted(command_seconds(folder / name) for _ in range(max(5, given.repeat)))
        middle = seconds[len(seconds) // 2]
        print(
            f"  kgrec recommend --user: {middle:.2f} CPU s ({seconds[0]:.2f} to {seconds[-1]:.2f}), the whole process"
        )


def command_seconds(model: Path) -> float:
    """CPU seconds of `kgrec recommend` for one user, from the start of the process to its end."""
    command = [sys.executable, "-m", "kgrec", "recommend", str(model), "--user", "u7", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_utime + usage.ru_stime


def compare_peers(place: Path, given: argparse.Namespace) -> None:
    folder = vectors_and_indexes(place, given)
    exact = measured(given, "exact", folder)["found"]
    vectors, users = mapped(folder), queries(folder, given.users)

    def line(what: str, result: dict[str, Any], said: str = "") -> None:
        found = result["found"]
        scores = np.stack([vectors[rows] @ user for rows, user in zip(found, users, strict=True)])
        recall = (scores >= exact[:, None] - 1e-5).mean()
        print(
            f"  {what:<34} {given.users / result['cpu']:>8,.0f} lists a CPU s {given.users / result['wall']:>8,.0f} a s   "
            f"recall@{K} {recall:.4f}   {result['peak']:>6,.0f} MB {said}",
            flush=True,
        )

    for kind in ("flat", *given.kinds):
        line(f"kgrec, {kind}", measured(given, "kgrec", folder, kind))
    if "hnsw" in given.kinds and installed("hnswlib"):
        result = measured(given, "hnswlib", folder)
        line("hnswlib", result, f"(built in {result['build']:.0f} CPU s)")
    for name in ("als", "bpr") if installed("implicit") else ():
        line(f"implicit, {name}", measured(given, "implicit", folder, name))


def installed(module: str) -> bool:
    from importlib.util import find_spec

    there = find_spec(module) is not None
    if not there:
        print(f"  {module} is not installed: left out")
    return there


PARTS = {
    "batch": compare_batch,
    "filter": compare_filter,
    "user": compare_user,
    "load": compare_load,
    "peers": compare_peers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="batch, filter, user, load, peers; none: all"
    )
    parser.add_argument("--items", type=int, default=1_000_000, help="of batch, filter and peers")
    parser.add_argument(
        "--users", type=int, default=50_000, help="of batch, filter (1,000 at most) and peers, 50,000 at most"
    )
    parser.add_argument("--model-items", type=int, default=100_000, help="of user and load")
    parser.add_argument("--one-by-one", type=int, default=1000, help="users of user, on one thread")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["hnsw", "ivf"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1, help="how often each comparison is run")
    parser.add_argument("--folder", type=Path, help="where the data and the indexes are kept")
    parser.add_argument(
        "--child", nargs=4, metavar=("RUN", "FOLDER", "NAME", "USERS"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.child:
        run, folder, name, users = given.child
        child(run, Path(folder), name, int(users))
        return
    with tempfile.TemporaryDirectory() as place:
        for name in given.parts or PARTS:
            PARTS[name](given.folder or Path(place), given)


if __name__ == "__main__":
    main()
