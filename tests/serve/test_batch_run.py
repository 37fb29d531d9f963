"""The model that workers get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import kgrec
from kgrec.errors import ArtifactError, ConfigError
from kgrec.parallel import LocalExecutor, ProcessExecutor
from kgrec.serve.batch_run import ModelReference, stored_version, tables


def described(queries: Any, _: str) -> pa.Table:
    """Process-independent facts of the model that a worker has: importable, as workers need it."""
    model = queries.model
    near = queries.similar_users(["u1"], 1, arrow=True)["similar_id"].to_pylist()
    return pa.table({"threads": [model.config.index.threads], "folder": [str(model.origin[0])], "near": near})


def facts(rec: kgrec.Recommender, executor: Any) -> dict[str, Any]:
    ((number, table),) = tables(rec, described, [""], executor)
    assert number == 0
    return dict(table.to_pylist()[0])


@pytest.fixture
def threaded(rec, tmp_path: Path) -> kgrec.Recommender:
    """A recommender whose searches use three threads."""
    options = ["text.model=none", "epochs=1", "train.threads=1", "index.threads=3"]
    threaded = kgrec.Recommender(kgrec.Config.read(settings=options)).fit(rec.model.graph())
    threaded.save(tmp_path / "threaded")
    return threaded


def test_any_executor_searches_with_one_thread(threaded: kgrec.Recommender):
    assert threaded.model.config.index.threads == 3
    here, there = facts(threaded, LocalExecutor()), facts(threaded, ProcessExecutor())
    assert here == there == {"threads": 1, "folder": str(threaded.folder), "near": "u2"}


def test_a_changed_model_has_no_folder_until_it_is_saved(model: Path, tmp_path: Path):
    rec = kgrec.Recommender.load(model)
    assert rec.folder == model
    assert (ModelReference.of(rec), stored_version(rec)) == (
        ModelReference(model, rec.model.origin[1].seal),
        rec.model.version,
    )
    rec.remove_items(["f6"])
    assert (rec.folder, ModelReference.of(rec), stored_version(rec)) == (None, None, "")
    with pytest.raises(ConfigError, match="Workers load the model from its folder"):
        tables(rec, described, [""], ProcessExecutor())
    rec.save(tmp_path / "other")
    stored = ModelReference.of(rec)
    assert stored is not None and rec.folder == stored.folder == tmp_path / "other"
    assert stored.load().model.items.removed.tolist() == [5]


def test_a_folder_that_was_replaced_is_refused(model: Path, tmp_path: Path):
    rec, folder = kgrec.Recommender.load(model), tmp_path / "model"
    rec.save(folder)
    stored = ModelReference.of(rec)
    assert stored is not None
    other = kgrec.Recommender.load(folder)
    other.remove_items(["f6"])
    other.save(folder)
    with pytest.raises(ArtifactError) as caught:
        stored.load()
    assert (caught.value.problem, caught.value.remedy) == (
        f"{folder} was replaced during the run.",
        "Run again, without resume.",
    )
    with pytest.raises(ArtifactError, match="was replaced during the run"):
        list(tables(rec, described, [""], ProcessExecutor()))


def test_an_untrained_recommender_has_no_folder():
    assert kgrec.Recommender().folder is None
