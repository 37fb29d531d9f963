"""Speed and memory of `kgrec build` beside libraries that everyone has, as ratios from one run.

    python tests/benchmarks/ingest.py [rdf] [log] [items] [--scale 1.0]

Enters: nothing; the inputs are made from a seed in a temporary folder. Leaves: a table on the screen. Every measure runs
in a process of its own, which says how many CPU seconds it took, imports left out, and the peak of its memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

STATEMENTS, INTERACTIONS, ITEMS = 2_000_000, 5_000_000, 1_000_000
#: rdflib reads this share of the statements; its time is multiplied
SHARE = 0.1
XSD, EX = "http://www.w3.org/2001/XMLSchema#", "http://example.com/"

RDF_MAPPING = """\
version: 1
prefixes: {ex: http://example.com/}
rdf:
  - file: data.nt
    types: {film: ex:Film}
    items: [film]
    predicates:
      ex:title: {as: label, lang: [en, de]}
      ex:plot: {as: text, lang: [en, ""]}
      ex:runtime: number
      ex:released: date
      ex:genre: {as: node, type: genre}
      ex:actor: ref
      ex:director: ref
      ex:follows: ref
      "*": ignore
"""
LOG_MAPPING = """\
version: 1
nodes:
  item: {item: true, file: items.csv, key: item_id, columns: {name: label}}
interactions: {file: log.csv, user: user_id, item: item_id}
"""
ITEMS_MAPPING = """\
version: 1
nodes:
  item:
    item: true
    file: items.csv
    key: item_id
    columns:
      title: label
      plot: text
      year: number
      tags: {as: node, type: tag, split: "|"}
      maker: {as: category, type: maker}
"""

# the inputs


def words(generator: np.random.Generator, rows: int, count: int) -> list[str]:
    """`rows` texts of `count` made-up words."""
    known = np.array([f"word{i}" for i in range(5000)], dtype=object)
    texts = known[generator.integers(len(known), size=rows)]
    for _ in range(count - 1):
        texts = texts + " " + known[generator.integers(len(known), size=rows)]
    return list(texts)


def film_lines(film: int, draw: np.ndarray, plot: str) -> Iterator[str]:
    """Twenty statements about one film: eleven links, nine literals, five of them with a language or a datatype."""
    s = f"<{EX}film/{film}>"
    yield f"{s} <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{EX}Film> ."
    yield f'{s} <{EX}title> "The film {film}"@en .'
    yield f'{s} <{EX}title> "Der Film {film}"@de .'
    yield f'{s} <{EX}title> "Le film n\\u00B0 {film}"@fr .'
    yield f'{s} <{EX}plot> "{plot}" .'
    yield f'{s} <{EX}runtime> "{60 + draw[0] % 120}"^^<{XSD}integer> .'
    yield f'{s} <{EX}released> "{1950 + draw[1] % 70}-0{1 + draw[2] % 9}-1{draw[3] % 10}"^^<{XSD}date> .'
    yield f'{s} <{EX}genre> "genre {draw[4] % 30}" .'
    yield f'{s} <{EX}genre> "genre {30 + draw[5] % 300}" .'
    yield f'{s} <{EX}budget> "{draw[6]}" .'
    yield f"{s} <{EX}director> <{EX}person/{draw[7] % 20_000}> ."
    for i in range(8, 15):
        yield f"{s} <{EX}actor> <{EX}person/{draw[i] % 100_000}> ."
    yield f"{s} <{EX}follows> <{EX}film/{draw[15] % (film + 1)}> ."
    yield f"{s} <{EX}madeIn> <{EX}country/{draw[16] % 100}> ."


def make_rdf(folder: Path, scale: float) -> None:
    """data.nt, its first tenth as part.nt, and the mapping."""
    generator = np.random.default_rng(0)
    films = int(STATEMENTS * scale) // 20
    draws = generator.integers(1 << 30, size=(films, 17))
    plots = words(generator, films, 12)
    with (folder / "data.nt").open("w") as whole, (folder / "part.nt").open("w") as part:
        for film in range(films):
            text = "\n".join(film_lines(film, draws[film], plots[film])) + "\n"
            whole.write(text)
            if film < films * SHARE:
                part.write(text)
    (folder / "kgrec.yaml").write_text(RDF_MAPPING)


def make_log(folder: Path, scale: float) -> None:
    """items.csv, log.csv and the mapping: 100,000 items, 200,000 users, popular ones more often."""
    generator = np.random.default_rng(0)
    rows = int(INTERACTIONS * scale)
    items = [f"B{i:07d}" for i in range(100_000)]
    pd.DataFrame({"item_id": items, "name": [f"item {i}" for i in range(len(items))]}).to_csv(
        folder / "items.csv", index=False
    )
    item = (generator.random(rows) ** 2 * len(items)).astype(np.int64)
    user = (generator.random(rows) ** 1.5 * 200_000).astype(np.int64)
    log = {"user_id": [f"user_{i:x}" for i in user], "item_id": np.array(items)[item]}
    pd.DataFrame(log).to_csv(folder / "log.csv", index=False)
    (folder / "kgrec.yaml").write_text(LOG_MAPPING)


def make_items(folder: Path, scale: float) -> None:
    """items.csv with a label, a text, a number, a list and a category, and the mapping."""
    generator = np.random.default_rng(0)
    rows = int(ITEMS * scale)
    tags = np.array([f"tag {i}" for i in range(2000)], dtype=object)
    chosen = tags[(generator.random((rows, 4)) ** 2 * len(tags)).astype(np.int64)]
    frame = {
        "item_id": [f"B{i:07d}" for i in generator.permutation(rows)],
        "title": words(generator, rows, 4),
        "plot": words(generator, rows, 12),
        "year": generator.integers(1950, 2025, size=rows),
        "tags": ["|".join(row) for row in chosen],
        "maker": [f"maker {i}" for i in generator.integers(20_000, size=rows)],
    }
    pd.DataFrame(frame).to_csv(folder / "items.csv", index=False)
    (folder / "kgrec.yaml").write_text(ITEMS_MAPPING)


# what is measured, each in a process of its own


def run_kgrec(folder: Path) -> None:
    from kgrec.graph.build import build_graph

    build_graph(folder / "kgrec.yaml").save(folder / "graph")


def run_rdflib(folder: Path) -> None:
    import rdflib

    rdflib.Graph().parse(folder / "part.nt", format="nt")


def run_pyoxigraph(folder: Path) -> None:
    """Iterate, and read every value."""
    import pyoxigraph

    total = 0
    for quad in pyoxigraph.parse(path=folder / "data.nt", format=pyoxigraph.RdfFormat.N_TRIPLES):
        total += len(quad.subject.value) + len(quad.predicate.value) + len(quad.object.value)


def run_pandas(folder: Path) -> None:
    """With Arrow's reader, the faster of the two that pandas has."""
    log = pd.read_csv(folder / "log.csv", engine="pyarrow")
    for column in ("user_id", "item_id"):
        pd.factorize(log[column])


RUNS = {"kgrec": run_kgrec, "rdflib": run_rdflib, "pyoxigraph": run_pyoxigraph, "pandas": run_pandas}
IMPORTS = {
    "kgrec": "kgrec.graph.knowledge_graph pyarrow.csv pyarrow.parquet",
    "rdflib": "rdflib rdflib.plugins.parsers.ntriples",
    "pyoxigraph": "pyoxigraph",
    "pandas": "pandas pyarrow",
}


def child(name: str, folder: Path) -> None:
    """Run one measure here, and print what it took."""
    for module in IMPORTS.get(name, "").split():
        __import__(module)
    before = cpu_seconds()
    RUNS[name](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu_seconds() - before, "peak": peak}))


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of one measure."""
    command = [sys.executable, __file__, "--child", name, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return result["cpu"], result["peak"]


# the comparisons


def row(what: str, seconds: float, peak: float, said: str = "") -> None:
    print(f"  {what:<42} {seconds:>8.2f} s {peak:>8,.0f} MB   {said}", flush=True)


def compare_rdf(folder: Path) -> None:
    parsed, peak_parsed = measured("pyoxigraph", folder)
    ours, peak = measured("kgrec", folder)
    theirs, peak_theirs = measured("rdflib", folder)
    theirs /= SHARE
    row("kgrec: N-Triples to graph/", ours, peak, "bar: peak below 1,500 MB")
    row(
        "rdflib: parse (a tenth, multiplied)",
        theirs,
        peak_theirs,
        f"kgrec {theirs / ours:.2f} times as fast; bar 5",
    )
    row(
        "pyoxigraph: iterate, read values",
        parsed,
        peak_parsed,
        f"kgrec {parsed / ours:.2f} of its rate; bar 0.5",
    )


def compare_log(folder: Path) -> None:
    theirs, peak_theirs = measured("pandas", folder)
    ours, peak = measured("kgrec", folder)
    row("kgrec: interactions to graph/", ours, peak, f"{ours / theirs:.2f} times pandas; bar 2.5")
    row("pandas: read, factorise both columns", theirs, peak_theirs)


def compare_items(folder: Path) -> None:
    ours, peak = measured("kgrec", folder)
    row("kgrec: items to graph/", ours, peak, "bar: peak below 2,000 MB")


PARTS = {
    "rdf": (f"{STATEMENTS:,} statements", make_rdf, compare_rdf),
    "log": (f"{INTERACTIONS:,} interactions", make_log, compare_log),
    "items": (f"{ITEMS:,} items with five columns", make_items, compare_items),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="rdf, log, items; none: all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows to make")
    parser.add_argument("--repeat", type=int, default=1, help="how often each comparison is run")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]))
        return
    for name in given.parts or PARTS:
        title, make, compare = PARTS[name]
        with tempfile.TemporaryDirectory() as place:
            # not here: a process that is started has the peak of the one that starts it
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(Path(place), given.scale))
            maker.start()
            maker.join()
            print(f"{title}{f' x {given.scale:g}' if given.scale != 1 else ''}")
            for _ in range(given.repeat):
                compare(Path(place))


if __name__ == "__main__":
    main()
