"""Thread counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from forked import in_child

from kgrec.train.threads import idle_cores, thread_count, threads, usable_cores

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def system(root: Path, cgroup: str, **files: str) -> Path:
    """A folder with proc/self/cgroup, and files in sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


# how many threads


def test_a_number_is_taken_as_it_is():
    assert thread_count(7, {"OMP_NUM_THREADS": "3"}) == 7


def test_without_a_number_it_is_the_usable_cores_whatever_the_load():
    assert thread_count(None, {}) == usable_cores()


@pytest.mark.parametrize(("setting", "count"), [("3", 3), ("3,2", 3), (" 5 ", 5)])
def test_omp_num_threads_replaces_the_number_of_cores(setting: str, count: int):
    assert thread_count(None, {"OMP_NUM_THREADS": setting}) == count


@pytest.mark.parametrize("setting", ["", "0", "many", "-1"])
def test_an_omp_num_threads_that_is_no_count_is_passed_over(setting: str):
    assert thread_count(None, {"OMP_NUM_THREADS": setting}) == usable_cores()


def test_idle_is_at_most_omp_num_threads():
    assert thread_count("idle", {"OMP_NUM_THREADS": "1"}) == 1
    assert 1 <= thread_count("idle", {}) <= usable_cores()
    assert 1 <= idle_cores() <= usable_cores()


# usable cores


def test_without_control_groups_the_affinity_counts(tmp_path: Path):
    assert usable_cores(tmp_path) == CORES


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", CORES), ("100000 100000", 1), ("190000 100000", 1), ("50000 100000", 1), ("1", CORES)],
)
def test_a_quota_of_version_2_is_rounded_down_to_whole_cores(quota: str, cores: int, tmp_path: Path):
    root = system(tmp_path, "0::/jobs/one\n", **{"jobs/one/cpu.max": quota})
    assert usable_cores(root) == cores


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_a_quota_of_more_than_all_cores_leaves_the_affinity(tmp_path: Path):
    root = system(tmp_path, "0::/\n", **{"cpu.max": f"{CORES + 1}00000 100000"})
    assert usable_cores(root) == CORES


def test_a_quota_of_a_group_around_counts(tmp_path: Path):
    files = {"jobs/one/cpu.max": "max 100000", "jobs/cpu.max": "100000 100000"}
    assert usable_cores(system(tmp_path, "0::/jobs/one\n", **files)) == 1


def test_in_a_container_the_group_is_the_root(tmp_path: Path):
    """/proc names the group as the machine does, and /sys shows it as the only one."""
    assert usable_cores(system(tmp_path, "0::/docker/abc\n", **{"cpu.max": "100000 100000"})) == 1


@pytest.mark.parametrize(("quota", "cores"), [("-1", CORES), ("100000", 1)])
def test_a_quota_of_version_1(quota: str, cores: int, tmp_path: Path):
    files = {"cpu/jobs/cpu.cfs_quota_us": quota, "cpu/jobs/cpu.cfs_period_us": "100000"}
    cgroup = "4:memory:/other\n2:cpuacct,cpu:/jobs\n0::/\n"
    assert usable_cores(system(tmp_path, cgroup, **files)) == cores


# torch


def test_torch_has_the_threads_within_the_block_alone():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@forks
def test_torch_has_one_thread_in_a_forked_child():
    with threads(3):
        assert in_child(lambda: b"%d" % torch.get_num_threads()) == b"1"
        assert torch.get_num_threads() == 3
