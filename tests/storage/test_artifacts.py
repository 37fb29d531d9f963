"""Folders on disk: whole or absent, of one kind and version, and unchanged since they were written."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kgrec import Config, KnowledgeGraph, Recommender, build_graph
from kgrec.errors import ArtifactError, CorruptArtifact, VersionMismatch
from kgrec.storage import artifacts
from kgrec.storage.files import digest, map_array, read_json, write_json

AGAIN = "Make the folder again, or restore it from a copy."
QUICK = ["text.model=none", "epochs=1", "temperature=0.1", "train.threads=1"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, shared_catalogue: Path) -> Path:
    """graph/ and model/."""
    place = tmp_path_factory.mktemp("written")
    graph = build_graph(shared_catalogue / "kgrec.yaml")
    graph.save(place / "graph")
    Recommender(Config.read(settings=QUICK)).fit(graph).save(place / "model")
    return place


@pytest.fixture
def own(written: Path, tmp_path: Path) -> Path:
    """A copy of both, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "own"))


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def loads(own: Path) -> dict[str, Callable[[], object]]:
    return {
        "graph": lambda: KnowledgeGraph.load(own / "graph"),
        "model": lambda: whole(own / "model"),
    }


def whole(folder: Path) -> None:
    """Load a model, and what it reads on first use."""
    model = Recommender.load(folder).model
    model.parameters()
    model.graph()


def small(folder: Path, number: int = 1, kind: artifacts.ArtifactKind = "graph") -> None:
    with artifacts.writing(folder, kind=kind) as place:
        write_json(number, place / "number.json")


def number_in(folder: Path) -> object:
    return artifacts.reading(folder, "graph", lambda place, _: read_json(place / "number.json"))


# damage is found, and its file named


def test_every_file_is_checked_byte_by_byte(own: Path):
    checked = 0
    for kind, load in loads(own).items():
        for path in files(own / kind):
            if path.name == artifacts.MANIFEST and path.parent == own / kind:
                continue
            content = path.read_bytes()
            for at in {0, len(content) // 2, len(content) - 1}:
                path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
                with pytest.raises(CorruptArtifact) as raised:
                    load()
                assert raised.value.problem == f"{path} differs from what was written."
                assert raised.value.remedy == AGAIN
            path.write_bytes(content)
            checked += 1
        load()
    assert (
        checked == 9 + 9 + 1 + 10
    )  # files of graph/, those of model/ itself, the manifest and files of model/graph/


def test_a_shorter_or_missing_file_is_found(own: Path):
    for kind, load in loads(own).items():
        for path in files(own / kind):
            content = path.read_bytes()
            if path != own / kind / artifacts.MANIFEST:
                path.write_bytes(content[:-1])
                with pytest.raises(CorruptArtifact) as raised:
                    load()
                assert raised.value.problem == (
                    f"{path} has {len(content) - 1:,} bytes where {len(content):,} were written."
                )
            path.unlink()
            with pytest.raises(ArtifactError) as missing:
                load()
            assert missing.value.problem in (
                f"{path} is missing.",
                f"{own / kind}: has no manifest.json, so it is not a {kind} folder.",
            )
            path.write_bytes(content)
        load()


@pytest.mark.parametrize("kind", ["graph", "model"])
def test_a_change_of_any_byte_of_a_manifest_is_found(own: Path, kind: artifacts.ArtifactKind):
    path = own / kind / artifacts.MANIFEST
    content = path.read_bytes()
    for at in range(0, len(content), 3):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ArtifactError) as raised:
            artifacts.current(own / kind, kind)
        assert str(own / kind) in raised.value.problem
    for other in (
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"kind": "graph"}',
        content * 2,
        content[: len(content) // 2],
    ):
        path.write_bytes(other)
        with pytest.raises(ArtifactError):
            loads(own)[kind]()


@pytest.mark.parametrize("version", [1, 9, 99, None])
def test_a_folder_of_an_unknown_version_is_refused(own: Path, version: int | None):
    path = own / "model" / artifacts.MANIFEST
    changed = {"format_version": version, "kgrec_version": "9.0"}
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(VersionMismatch) as raised:
        Recommender.load(own / "model")
    assert raised.value.problem == (
        f"{own / 'model'} has format version {version} (kgrec 9.0); "
        f"this is kgrec {artifacts.__version__}, which reads versions 2 to 8."
    )
    assert raised.value.remedy == (
        "Make it again with this version of kgrec, or install the version that wrote it."
    )


def test_a_folder_of_another_kind_is_refused(written: Path):
    with pytest.raises(ArtifactError, match=r"model is a model folder\.\n  This needs a graph folder\."):
        KnowledgeGraph.load(written / "model")
    with pytest.raises(ArtifactError, match=r"graph is a graph folder\.\n  This needs a model folder\."):
        Recommender.load(written / "graph")
    with pytest.raises(ArtifactError, match="there is no such folder"):
        KnowledgeGraph.load(written / "none")
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        KnowledgeGraph.load(written)


def test_a_damaged_folder_can_be_overwritten(own: Path, shared_catalogue: Path):
    (own / "graph" / "triples.parquet").write_bytes(b"")
    build_graph(shared_catalogue / "kgrec.yaml").save(own / "graph")
    assert len(KnowledgeGraph.load(own / "graph")) == 14


def test_the_manifest_names_sources_seed_and_files(written: Path, shared_catalogue: Path):
    manifest = artifacts.current(written / "model", "model")
    assert manifest.inputs == {name: digest(shared_catalogue / name) for name in ("films.csv", "log.csv")}
    assert manifest.config["seed"] == 0
    assert manifest.kgrec_version == artifacts.__version__
    on_disk = {path.relative_to(written / "model").as_posix() for path in files(written / "model")}
    assert manifest.files.keys() == on_disk - {artifacts.MANIFEST}


def test_the_same_graph_gives_the_same_bytes(written: Path, shared_catalogue: Path, tmp_path: Path):
    build_graph(shared_catalogue / "kgrec.yaml").save(tmp_path / "graph")
    one, other = (artifacts.current(place / "graph", "graph") for place in (written, tmp_path))
    assert one.files == other.files


# writing


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    folder = tmp_path / "deep" / "down"
    with pytest.raises(ZeroDivisionError), artifacts.writing(folder, kind="graph") as place:
        (place / "half").touch()
        raise ZeroDivisionError
    assert not folder.exists() and list(folder.parent.iterdir()) == []
    small(folder, 1)
    small(folder, 2)
    assert number_in(folder) == 2
    with pytest.raises(ZeroDivisionError), artifacts.writing(folder, kind="graph") as place:
        raise ZeroDivisionError
    assert number_in(folder) == 2
    assert list(folder.parent.iterdir()) == [folder]


def test_an_empty_folder_may_be_the_output(tmp_path: Path):
    (tmp_path / "graph").mkdir()
    artifacts.check_output(tmp_path / "graph", "graph")
    small(tmp_path / "graph")
    assert number_in(tmp_path / "graph") == 1


def test_only_an_artefact_of_the_same_kind_is_replaced(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("mine, too")
    small(tmp_path / "model", kind="model")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / artifacts.MANIFEST).write_text("{")
    for name in ("mine", "file", "model", "broken"):
        for refuse in (artifacts.check_output, lambda folder, kind: small(folder, kind=kind)):
            with pytest.raises(ArtifactError) as raised:
                refuse(tmp_path / name, "graph")
            assert raised.value.problem == (
                f"{tmp_path / name} exists and is not a graph folder, so it is not replaced."
            )
            assert raised.value.remedy == "Choose another output folder, or remove this one."
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken", "file", "mine", "model"]


def test_only_leftovers_of_dead_processes_are_removed(tmp_path: Path):
    host = socket.gethostname()
    dead = tmp_path / f".graph.{host}.{2**22 + 1}.0123abcd.tmp"
    alive = tmp_path / f".graph.{host}.{os.getpid()}.0123abcd.tmp"
    elsewhere = tmp_path / ".graph.another-host.1.0123abcd.tmp"
    strange = tmp_path / f".graph.{host}.x.y.tmp"
    other = tmp_path / f".graphs.{host}.{2**22 + 1}.0123abcd.tmp"
    for folder in (dead, alive, elsewhere, strange, other):
        (folder / "sub").mkdir(parents=True)
    small(tmp_path / "graph")
    assert {p.name for p in tmp_path.iterdir()} == {
        "graph",
        *(p.name for p in (alive, elsewhere, strange, other)),
    }


def test_an_older_folder_between_two_renames_is_found(tmp_path: Path):
    """Where two folders cannot be exchanged, a killed writer may leave the old one under another name."""
    small(tmp_path / "graph", 1)
    (tmp_path / "graph").rename(tmp_path / ".graph.previous")
    assert number_in(tmp_path / "graph") == 1
    with pytest.raises(ZeroDivisionError), artifacts.writing(tmp_path / "graph", kind="graph"):
        raise ZeroDivisionError
    assert number_in(tmp_path / "graph") == 1
    small(tmp_path / "graph", 2)
    assert number_in(tmp_path / "graph") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["graph"]


# reading


def test_a_reader_starts_again_when_a_writer_replaces_the_folder(tmp_path: Path):
    folder, seen = tmp_path / "graph", []
    small(folder, 0)

    def load(place: Path, _: artifacts.Manifest) -> object:
        seen.append(read_json(place / "number.json"))
        if len(seen) < 3:
            small(folder, len(seen))
        if len(seen) == 2:
            raise OSError("it vanished")
        return seen[-1]

    assert artifacts.reading(folder, "graph", load) == 2
    assert seen == [0, 1, 2]


def test_a_reader_between_two_renames_of_a_writer_reads_the_old_or_the_new(tmp_path: Path):
    folder, previous, seen = tmp_path / "graph", tmp_path / ".graph.previous", []
    small(folder, 1)
    small(tmp_path / "new", 2)
    folder.rename(previous)

    def load(place: Path, _: artifacts.Manifest) -> object:
        seen.append(place)
        if place == previous:
            (tmp_path / "new").rename(folder)
            previous.rename(tmp_path / "gone")
        return read_json(place / "number.json")

    assert artifacts.reading(folder, "graph", load) == 2
    assert seen == [previous, folder]


def test_a_nested_folder_between_two_renames_is_found(tmp_path: Path):
    with artifacts.writing(tmp_path / "model", kind="model") as place:
        small(place / "graph", 1)
    (tmp_path / "model").rename(tmp_path / ".model.previous")
    assert number_in(tmp_path / "model" / "graph") == 1
    with pytest.raises(ArtifactError, match=r"none: there is no such folder"):
        number_in(tmp_path / "none")


def test_late_reads_refuse_a_replaced_folder(tmp_path: Path):
    folder, previous = tmp_path / "graph", tmp_path / ".graph.previous"
    small(folder, 1)
    manifest = artifacts.current(folder, "graph")

    def again(load: Callable[[Path], object]) -> object:
        return artifacts.reading_again(folder, manifest, "number.json", load)

    assert again(read_json) == 1
    with pytest.raises(CorruptArtifact, match=r"number\.json is not an npy file"):
        again(lambda path: map_array(path, (None,)))
    folder.rename(previous)
    assert again(lambda path: (path.parent, read_json(path))) == (previous, 1)

    def replaced_meanwhile(path: Path) -> object:
        small(folder, 2)
        return read_json(path)

    with pytest.raises(ArtifactError) as raised:
        again(replaced_meanwhile)
    assert (raised.value.problem, raised.value.remedy) == (
        f"{folder} was replaced after it was loaded.",
        "Load it again.",
    )


def test_a_reader_gives_up_after_a_while(tmp_path: Path):
    folder = tmp_path / "graph"
    small(folder)
    numbers = iter(range(2, 100))
    with pytest.raises(ArtifactError, match=r"graph was replaced 20 times while it was read") as raised:
        artifacts.reading(folder, "graph", lambda *_: small(folder, next(numbers)))
    assert raised.value.remedy == "Try again when no writer is active."


def test_a_disk_error_is_reported(tmp_path: Path):
    small(tmp_path / "graph")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error", "number.json")

    with pytest.raises(ArtifactError, match=r"number\.json: cannot be read \(Input/output error\)"):
        artifacts.reading(tmp_path / "graph", "graph", fail)


def test_files_read_on_first_use_are_checked_then(own: Path):
    """A model with a damaged graph still recommends; whatever needs the graph raises an error."""
    for name, use in (
        ("model.safetensors", lambda model: model.parameters()),
        ("graph/triples.parquet", lambda model: model.graph()),
        ("graph/manifest.json", lambda model: model.graph()),
    ):
        path = own / "model" / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        rec = Recommender.load(own / "model")
        assert len(rec.recommend(rec.model.users.tolist()[:1], k=2)) == 2
        with pytest.raises(CorruptArtifact) as raised:
            use(rec.model)
        assert raised.value.problem == f"{path} differs from what was written."
        path.write_bytes(content)
