"""The page about clusters: its manifest is one, and what it says about S3 holds on a server that speaks S3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import kgrec

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "clusters.md").read_text(encoding="utf-8")


def block(language: str, contains: str) -> str:
    """The block of the page that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (found,) = (one for one in blocks if contains in one)
    return str(found)


@pytest.fixture(scope="module")
def model(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    folder = tmp_path_factory.mktemp("models") / "model"
    kgrec.Recommender(config).fit(graph).save(folder)
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """Environment of a client of a server that speaks S3, in a process of its own, with the buckets `models` and `lists`."""
    pytest.importorskip("moto")
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("s3fs")
    code = (
        "from moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)\n"
        "server.start()\n"
        "print(server.get_host_and_port()[1], flush=True)\n"
        "input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as server:
        assert server.stdin is not None and server.stdout is not None
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
        }
        store = fsspec.filesystem(
            "s3",
            key="test",
            secret="test",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            skip_instance_cache=True,
        )
        for bucket in ("models", "lists"):
            store.mkdir(bucket)
        yield environment
        server.stdin.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lists_to_s3_of_a_model_from_there(s3: dict[str, str], model: Path, tmp_path: Path):
    import fsspec

    options = {"key": "test", "secret": "test", "endpoint_url": s3["AWS_ENDPOINT_URL"]}
    store: Any = fsspec.filesystem("s3", **options, skip_instance_cache=True)
    store.put(f"{model}/", "models/films/", recursive=True)
    (tmp_path / "script.py").write_text(block("python", "fsspec.filesystem"))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, **s3},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    store.invalidate_cache()
    expected = list(kgrec.stream_recommendations(model, request=kgrec.Request(k=10)))
    with store.open("lists/recs.parquet") as file:
        assert pq.read_table(file).to_pylist() == expected[0].to_pylist()
    assert store.size("lists/near.parquet") == (tmp_path / "near.parquet").stat().st_size


def test_the_manifest_of_kubernetes_runs_a_command_that_there_is():
    from typer.main import get_command

    from kgrec.cli import app

    job = yaml.safe_load(block("yaml", "kind: RayJob"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    program, command, *words = job["spec"]["entrypoint"].split()
    commands: Any = get_command(app)
    options = {name for one in commands.commands[command].params for name in one.opts}
    assert program == "kgrec" and {word for word in words if word.startswith("-")} <= options
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    cpus = int(workers["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    assert cpus * workers["maxReplicas"] == int(words[words.index("--workers") + 1])


def test_the_example_of_spark_makes_the_columns_of_its_schema(model: Path):
    """`spark` calls `each` with record batches, as `mapInArrow` does."""
    import pyarrow as pa

    made: list[list[str]] = []

    class Frame:
        def __init__(self, *columns: str) -> None:
            self.batches = pa.table(
                {name: ["u1" if name == "user_id" else None] for name in columns}
            ).to_batches()

        def select(self, *columns: str) -> Frame:
            return Frame(*columns)

        def mapInArrow(self, function: Any, schema: str) -> None:  # noqa: N802
            named = [column.split()[0] for column in schema.split(", ")]
            batches = [batch for batch in self.batches if "plot" not in named]
            made.append(named)
            assert all(batch.schema.names == named for batch in function(iter(batches)))

    class Spark:
        def table(self, name: str) -> Frame:
            return Frame("user_id") if name == "users" else Frame("id", "plot")

    code = block("python", "mapInArrow").replace("/data/model", str(model))
    exec(compile(code, "clusters.md", "exec"), {"spark": Spark()})
    assert made == [["user_id", "item_id", "score", "rank"], ["id", "plot", "vector"]]
