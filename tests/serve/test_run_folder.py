"""Interrupted runs are resumed from their finished parts, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import USERS, Stop, resuming, write

from kgrec import Request
from kgrec.errors import ArtifactError, CorruptArtifact


@pytest.fixture
def interrupted(model: Path, tmp_path: Path) -> Path:
    """The output of a run that was stopped by Ctrl-C after two of its three parts."""
    output, stop = tmp_path / "recs.parquet", Stop(4)
    with pytest.raises(KeyboardInterrupt):
        write(model, output, watcher=stop.watcher)
    folder = Path(f"{output}.parts")
    assert stop.warnings == [f"2 finished parts are kept in {folder}; run again with resume to continue."]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recs.parquet.parts"]
    assert sorted(path.name for path in folder.iterdir()) == ["000000.arrow", "000001.arrow", "run.json"]
    return output


def test_a_run_resumes_after_its_last_part(model: Path, interrupted: Path):
    parts = Path(f"{interrupted}.parts")
    # a run without finished parts that began at the same time ends in the same file
    other = interrupted.with_name("other.parquet")
    Path(f"{other}.parts").mkdir()
    shutil.copy(parts / "run.json", Path(f"{other}.parts"))
    assert write(model, other, resuming()).resumed == 0
    heard = Stop()
    summary = write(model, interrupted, resuming(), watcher=heard.watcher)
    assert (summary.queries, summary.rows, summary.lists, summary.resumed) == (6, 18, 6, 4)
    assert heard.notes == ["Resuming: 4 of 6 users are done."]
    assert [done for _, done, _ in heard.steps] == [0, 2, 4, 4, 6]
    assert interrupted.read_bytes() == other.read_bytes()
    assert not parts.exists() and not Path(f"{other}.parts").exists()


def test_finished_parts_are_not_computed_again(model: Path, interrupted: Path):
    place = Path(f"{interrupted}.parts") / "000000.arrow"
    with pa.OSFile(str(place)) as file:
        table = pa.ipc.open_file(file).read_all()
    with pa.OSFile(str(place), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.slice(0, 1))
    summary = write(model, interrupted, resuming())
    assert (summary.rows, summary.resumed) == (13, 4)


def test_without_resume_it_starts_over(model: Path, interrupted: Path):
    (Path(f"{interrupted}.parts") / "000000.arrow").write_bytes(b"no part")
    summary = write(model, interrupted)
    assert (summary.rows, summary.resumed) == (18, 0)
    assert not Path(f"{interrupted}.parts").exists()


def test_resume_without_parts_starts_over(model: Path, tmp_path: Path):
    assert write(model, tmp_path / "r.csv", resuming()).resumed == 0


def test_parts_after_a_missing_one_are_computed_again(model: Path, interrupted: Path):
    (Path(f"{interrupted}.parts") / "000000.arrow").unlink()
    assert write(model, interrupted, resuming()).resumed == 0
    assert len(pq.read_table(interrupted)) == 18


def test_a_damaged_part_is_refused(model: Path, interrupted: Path):
    place = Path(f"{interrupted}.parts") / "000000.arrow"
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(CorruptArtifact) as caught:
        write(model, interrupted, resuming())
    assert caught.value.problem.startswith(f"{place} cannot be read (")
    assert caught.value.remedy == "Run again without resume."
    (place.parent / "run.json").write_text("[]")
    with pytest.raises(CorruptArtifact, match=r"run\.json is damaged\.\n  Run again without resume\.$"):
        write(model, interrupted, resuming())
    assert not interrupted.exists()


@pytest.mark.parametrize(
    ("options", "request_", "differs"),
    [
        ({}, Request(k=2), "k (stored: 3, now: 2)"),
        ({}, Request(k=3, exclude_seen=False), "exclude_seen (stored: True, now: False)"),
        ({}, Request(k=3, min_score=0.5), "min_score (stored: None, now: 0.5)"),
        ({}, Request(k=3, where="genres = Horror"), "where (stored: None, now: genres = Horror)"),
        ({}, Request(k=3, candidates=["f1", "f2"]), "candidates"),
        ({"batch": 3}, Request(k=2), "batch (stored: 2, now: 3), k (stored: 3, now: 2)"),
    ],
)
def test_parts_of_other_options_are_refused(
    options: dict[str, Any], request_: Request, differs: str, model: Path, interrupted: Path
):
    with pytest.raises(ArtifactError) as caught:
        write(model, interrupted, resuming(**options), request=request_)
    folder = Path(f"{interrupted}.parts")
    assert caught.value.problem == f"{folder} holds parts of another run, which differs in {differs}."
    assert caught.value.remedy.endswith("or run without resume, which starts over.")
    assert not interrupted.exists() and len(list(folder.glob("*.arrow"))) == 2


def test_parts_of_other_users_or_another_model_are_refused(
    model: Path, rec, interrupted: Path, tmp_path: Path
):
    with pytest.raises(ArtifactError, match="which differs in users"):
        write(model, interrupted, resuming(), users=reversed(USERS))
    rec.save(tmp_path / "again")
    with pytest.raises(ArtifactError, match="which differs in model"):
        write(tmp_path / "again", interrupted, resuming())


def test_foreign_files_in_the_folder_are_kept(model: Path, tmp_path: Path):
    folder = tmp_path / "recs.parquet.parts"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    write(model, tmp_path / "recs.parquet")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (tmp_path / "near.csv.parts").write_text("mine")
    with pytest.raises(ArtifactError, match=r"near\.csv\.parts/run\.json cannot be written \("):
        write(model, tmp_path / "near.csv")
    assert (tmp_path / "near.csv.parts").read_text() == "mine"
