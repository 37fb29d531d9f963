"""The server under kills, swaps, requests that nobody would send, and load for long.

    python tests/benchmarks/endure.py model/ kills                      # 200 SIGKILLs under load
    python tests/benchmarks/endure.py model/ kills --n 20 --store postgresql://postgres@127.0.0.1:5432/test
    python tests/benchmarks/endure.py model/ swaps                      # 100 models, swapped under load
    python tests/benchmarks/endure.py model/ requests                   # 20,000 by schemathesis (pip install schemathesis)
    python tests/benchmarks/endure.py model/ load                       # 600 seconds

Enters: a model folder, which is only read. Leaves: one line per run with what was counted. A run fails where an acknowledged event is lost or
counts twice, a request fails, a list mixes two models, a status is 500 or above, or memory grows by more than 5 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from endurance import endure_kills, endure_load, endure_requests, endure_swaps

#: kind of a run -> its full length
FULL = {"kills": 200, "swaps": 100, "requests": 20_000, "load": 600}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("kind", choices=list(FULL))
    parser.add_argument("--n", type=int, help="kills, swaps, requests or seconds; default: the full length")
    parser.add_argument("--store", help="store for the kills: a URL; default: a SQLite file")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    n = options.n or FULL[options.kind]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if options.kind == "kills":
            counted = endure_kills(options.model, options.store or f"sqlite:///{place / 'store.sqlite'}", n)
        else:
            runs = {"swaps": endure_swaps, "requests": endure_requests, "load": endure_load}
            counted = runs[options.kind](options.model, place, n)
    print(options.kind, ", ".join(f"{what} {value:,.6g}" for what, value in counted.items()))
    if counted.get("growth", 0) > 0.05:
        raise SystemExit("Memory grew by more than 5 %.")


if __name__ == "__main__":
    main()
