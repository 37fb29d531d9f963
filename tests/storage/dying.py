"""Run commands of kgrec in children that are killed at a chosen moment: a script for test_interrupted.py.

Reads one JSON object per line, a request, and answers each with one. Everything heavy is imported once; each
command runs in a fork, so that hundreds of deaths take seconds.

    {"words": [...]}    a command; with "event": n it dies just before its n-th change of the folder
                        "watch" (or gets another "signal" there), with "seconds": s after that long, with
                        "bytes": n no file may be longer
    {"replace": [one, other], "target": t, "times": n}    saves two models in the place of t by turns

With "exchange": false, folders cannot be exchanged in one step, as on some file systems.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

# imported here, so that no child imports them again
import faiss  # noqa: F401
import pandas as pd  # noqa: F401
import safetensors.numpy  # noqa: F401

import kgrec.cli
import kgrec.recommend.explain
import kgrec.train.fit
from kgrec.model import storage
from kgrec.recommend.recommender import Recommender
from kgrec.storage import atomic

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        said, saying = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(request, saying)
        os.close(saying)
        if "seconds" in request:
            time.sleep(request["seconds"])
            os.kill(pid, signal.SIGKILL)
        with os.fdopen(said) as text:
            answer: dict[str, Any] = {"said": text.read()}
        answer["code"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        answer["seconds"] = time.perf_counter() - began
        print(json.dumps(answer), flush=True)


def _child(request: dict[str, Any], said: int) -> None:
    os.dup2(said, 1)
    os.dup2(said, 2)
    code: object = 1
    try:
        if not request.get("exchange", True):
            atomic._exchange = lambda *_: False
        if "event" in request:
            # as in a terminal, whatever this script was started from
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _die_at(request["event"], request["watch"], request.get("signal", signal.SIGKILL))
        if "bytes" in request:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["bytes"], request["bytes"]))
        if "replace" in request:
            _replace(request["replace"], request["target"], request["times"])
            code = 0
        else:
            sys.argv = ["kgrec", *request["words"]]
            kgrec.cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _die_at(event: int, watch: str, by: int) -> None:
    left = event
    removed = 0

    def matters(name: str, values: tuple[Any, ...]) -> bool:
        """Whether an event counts: a change (every fifth removal), a file opened for writing, or the folder opened to be synced."""
        nonlocal removed
        removed += name == "os.remove"
        if name == "open":
            path, mode, flags = str(values[0]), values[1], values[2]
            written = path.startswith(watch) and flags & (os.O_WRONLY | os.O_RDWR) != 0
            return written or (path == watch and mode is None)
        return name in _CHANGES and (name != "os.remove" or removed % 5 == 1)

    def hook(name: str, values: tuple[Any, ...]) -> None:
        nonlocal left
        if matters(name, values):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), by)

    sys.addaudithook(hook)


def _replace(models: list[str], target: str, times: int) -> None:
    loaded = [Recommender.load(model).model for model in models]
    for model in loaded:
        model.parameters(), model.graph()
    for n in range(times):
        # each model comes from a folder of its own, so it may replace the other
        storage.save(loaded[n % 2], Path(target))
        time.sleep(0.01)


if __name__ == "__main__":
    main()
