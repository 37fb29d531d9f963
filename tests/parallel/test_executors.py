"""One contract for every executor, and what processes and actors of Ray add: one thread, deaths, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kgrec.errors import ArtifactError, ConfigError, SourceError, WorkerError
from kgrec.parallel import EXECUTORS, Executor, LocalExecutor, ProcessExecutor, RayExecutor, executor_for

MAKERS: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
    "one process": ProcessExecutor,
    "three processes": lambda: ProcessExecutor(3),
    "two actors of Ray": lambda: RayExecutor(2),
}


@pytest.fixture(params=MAKERS)
def executor(request: pytest.FixtureRequest) -> Executor:
    if "Ray" in request.param:
        request.getfixturevalue("ray_cluster")
    return MAKERS[request.param]()


# Workers: processes import them by name.


def adder(offset: int) -> Callable[[int], int]:
    return lambda number: number + offset


def sleeper() -> Callable[[float], float]:
    def sleep(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    return sleep


def counting() -> Callable[[str], tuple[int, int]]:
    """Its process, and how many parts this worker has computed."""
    parts: list[str] = []

    def count(part: str) -> tuple[int, int]:
        parts.append(part)
        return os.getpid(), len(parts)

    return count


def failing() -> Callable[[int], int]:
    def compute(number: int) -> int:
        if number == 2:
            raise SourceError("films.csv is empty.", "Write a header.")
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number

    return compute


def unready() -> Callable[[int], int]:
    raise SourceError("films.csv is absent.", "Put it there.")


class Unportable(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def unportable() -> Callable[[int], int]:
    def compute(_: int) -> int:
        raise Unportable("cats", "dogs")

    return compute


def dying(how: str) -> Callable[[int], int]:
    def compute(number: int) -> int:
        if number == 1 and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 1:
            os._exit(3)
        return number

    return compute


def environment() -> Callable[[str], str | None]:
    return lambda name: os.environ.get(name)


def thread_counts() -> Callable[[str], int]:
    def count(library: str) -> int:
        if library == "faiss":
            import faiss

            return int(faiss.omp_get_max_threads())
        import torch

        return int(torch.get_num_threads())

    return count


# the contract


def test_results_come_in_the_order_of_the_parts(executor: Executor):
    assert list(executor.map(adder, (10,), [3, 1, 2])) == [(0, 13), (1, 11), (2, 12)]
    seconds = [0.2, 0.0, 0.1, 0.0, 0.0, 0.05, 0.0]
    assert list(executor.map(sleeper, (), seconds)) == list(enumerate(seconds))


def test_a_worker_is_prepared_once(executor: Executor):
    found = [result for _, result in executor.map(counting, (), "abcdefg")]
    workers = {process for process, _ in found}
    assert len(workers) <= getattr(executor, "workers", 1)
    assert executor.shares_memory == (workers == {os.getpid()})
    for worker in workers:
        counts = [count for process, count in found if process == worker]
        assert counts == list(range(1, 1 + len(counts)))


def test_no_part_no_result(executor: Executor):
    assert list(executor.map(unready, (), [])) == []


def test_parts_are_drawn_as_they_are_needed(executor: Executor):
    drawn: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = executor.map(adder, (0,), parts())
    assert drawn == []
    for number in range(20):
        assert next(results) == (number, number)
        assert number < len(drawn) <= number + 1 + 2 * getattr(executor, "workers", 0)
    results.close()
    assert len(drawn) < 30


def test_an_error_comes_after_the_results_before_it(executor: Executor):
    results = executor.map(failing, (), [0, 1, 2, 3, 4])
    assert [next(results), next(results)] == [(0, 0), (1, 1)]
    with pytest.raises(SourceError) as caught:
        next(results)
    assert (caught.value.problem, caught.value.remedy) == ("films.csv is empty.", "Write a header.")
    assert list(results) == []


def test_an_error_of_python_keeps_its_type(executor: Executor):
    with pytest.raises(ValueError, match="-3 is negative") as caught:
        list(executor.map(failing, (), [-3]))
    if not executor.shares_memory:
        assert "in compute\n    raise ValueError" in caught.value.__notes__[0]


def test_a_worker_that_cannot_be_prepared(executor: Executor):
    with pytest.raises(SourceError, match=r"films\.csv is absent"):
        list(executor.map(unready, (), [1, 2]))


def test_an_executor_maps_more_than_once(executor: Executor):
    for _ in range(2):
        assert list(executor.map(adder, (1,), [0])) == [(0, 1)]


# by name


def test_executors_have_names():
    assert set(EXECUTORS) == {"local", "processes", "ray"}
    assert isinstance(executor_for(), LocalExecutor)
    three = executor_for(workers=3)
    assert isinstance(three, ProcessExecutor) and three.workers == 3
    one = executor_for("processes")
    assert isinstance(one, ProcessExecutor) and one.workers == 1


@pytest.mark.parametrize(
    ("name", "workers", "problem", "remedy"),
    [
        ("procesess", 2, "There is no executor 'procesess'.", "Did you mean 'processes'?"),
        ("local", 4, "The executor 'local' has one worker, not 4.", "Choose the executor 'processes'."),
        (None, 0, "workers is 0.", "It must be 1 or more."),
        ("processes", -1, "workers is -1.", "It must be 1 or more."),
    ],
)
def test_executors_that_there_are_not(name: str | None, workers: int, problem: str, remedy: str):
    with pytest.raises(ConfigError) as caught:
        executor_for(name, workers)
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)


@pytest.mark.parametrize("options", [{"address": "auto"}, {"gpus_per_worker": 0.5}])
def test_options_of_ray_alone(options: dict[str, Any]):
    (name,) = options
    for executor in ("local", "processes"):
        with pytest.raises(ConfigError) as caught:
            executor_for(executor, **options)
        assert caught.value.problem == f"{name} applies to the executor 'ray', not to '{executor}'."


# processes


def test_an_error_that_cannot_be_sent_is_told_in_words():
    with pytest.raises(RuntimeError, match=r"^Unportable: cats and dogs"):
        list(ProcessExecutor().map(unportable, (), [1]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signals")
def test_a_killed_worker_is_an_error():
    results = ProcessExecutor().map(dying, ("kill",), [0, 1, 2])
    assert next(results) == (0, 0)
    with pytest.raises(
        WorkerError, match=r"^Worker process \d+ was killed by signal 9 \(SIGKILL\)\."
    ) as caught:
        next(results)
    assert caught.value.remedy == "If memory ran out, use fewer workers or smaller parts."


def test_a_worker_that_exits_is_an_error():
    with pytest.raises(WorkerError, match=r"^Worker process \d+ ended with exit code 3\."):
        list(ProcessExecutor(2).map(dying, ("exit",), [0, 1, 2]))


def test_workers_have_one_thread_and_the_caller_keeps_its_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    before = dict(os.environ)
    assert [value for _, value in ProcessExecutor().map(environment, (), names)] == ["1", "1", "1"]
    assert dict(os.environ) == before


def test_faiss_and_torch_have_one_thread_in_a_worker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert list(ProcessExecutor().map(thread_counts, (), ["faiss", "torch"])) == [(0, 1), (1, 1)]


# actors of Ray


def dying_once(folder: Path) -> Callable[[int], int]:
    """A worker whose process is killed at part 1, the first time."""

    def compute(number: int) -> int:
        if number == 1 and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return compute


def absent(folder: Path) -> Callable[[int], int]:
    raise ArtifactError(f"{folder}: there is no such folder.", "Train it first.")


def test_a_part_of_a_killed_actor_is_computed_again(ray_cluster: str, tmp_path: Path):
    results = RayExecutor(2, address=ray_cluster).map(dying_once, (tmp_path,), range(5))
    assert list(results) == [(number, number) for number in range(5)]
    assert (tmp_path / "died").exists()


@pytest.mark.usefixtures("ray_cluster")
def test_a_part_that_always_kills_its_actor_is_an_error():
    results = RayExecutor().map(dying, ("kill",), [0, 1, 2])
    assert next(results) == (0, 0)
    with pytest.raises(WorkerError, match=r"^A worker of Ray died: ") as caught:
        next(results)
    assert "use smaller parts" in caught.value.remedy


@pytest.mark.usefixtures("ray_cluster")
def test_an_actor_has_one_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"]
    assert [value for _, value in RayExecutor().map(environment, (), names)] == ["1"] * 4


def test_a_folder_that_a_node_lacks_is_an_error_with_its_address(ray_cluster: str):
    with pytest.raises(ArtifactError) as caught:
        list(RayExecutor().map(absent, (Path("/data/model"),), [1]))
    node = ray_cluster.partition(":")[0]
    assert caught.value.problem == f"On the node {node}: /data/model: there is no such folder."
    assert caught.value.remedy == "Train it first. Every node must have the folder at this path."


def test_a_process_has_one_cluster(ray_cluster: str):
    with pytest.raises(ConfigError) as caught:
        list(RayExecutor(address="192.0.2.1:6379").map(adder, (1,), [1]))
    assert (
        caught.value.problem == f"This process is connected to Ray at {ray_cluster}, not at 192.0.2.1:6379."
    )


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_goes_on_with_the_actors_that_have_started():
    """Eight actors are asked for, and the cluster of the tests has four CPUs."""
    assert list(RayExecutor(8).map(adder, (1,), range(20))) == [(n, n + 1) for n in range(20)]


@pytest.mark.parametrize("gpus", [-1.0, 1.5])
def test_gpus_that_cannot_be_reserved(gpus: float):
    with pytest.raises(ConfigError, match=rf"^gpus_per_worker is {gpus:g}\."):
        RayExecutor(gpus_per_worker=gpus)


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError) as caught:
        executor_for("ray", 2)
    assert caught.value.problem == "The executor 'ray' needs Ray, which is not installed."
    assert caught.value.remedy == "pip install 'kgrec[ray]'"


SCRIPT = """\
import os, time
from kgrec.parallel import ProcessExecutor

def slow():
    def compute(part):
        os.write(1, b"part\\n")  # in one piece, for workers write at the same time
        time.sleep(part)
        return part
    return compute

if __name__ == "__main__":
    for number, _ in ProcessExecutor(2).map(slow, (), [{seconds}] * 4):
        os.write(1, b"result\\n")
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Starts a process with two workers, in a group of its own; its output ends when all of them have ended."""
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.format(seconds=seconds))
        words = [sys.executable, path]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(words, text=True, start_new_session=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="signals of a group")
def test_ctrl_c_ends_the_workers(script: Callable[[float], subprocess.Popen[str]]):
    process = script(600)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["part\n"] * 2
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err.count("Traceback") == 1 and err.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_end_after_the_caller_was_killed(script: Callable[[float], subprocess.Popen[str]]):
    process = script(2)
    assert process.stdout is not None
    assert process.stdout.readline() == "part\n"
    process.kill()
    out, err = process.communicate(timeout=60)
    assert out in ("", "part\n") and err == ""


def test_a_script_without_a_guard_learns_of_it(tmp_path: Path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(seconds=0).replace('if __name__ == "__main__":', "if True:"))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ended with exit code 1." in done.stderr
    assert 'a script that starts workers needs `if __name__ == "__main__":`.' in done.stderr
