"""What many tests share: a small catalogue made by hand, and an encoder that needs no weights."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from text_encoders import BagOfWords

# How long a test takes is the machine's affair.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

#: environment of the cluster of the tests
_RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      genres: {as: node, type: genre, split: "|"}
      director: {as: node, type: person, edge: directed_by}
interactions: {file: log.csv, user: user, item: film, value: stars, positive: ">= 4"}
"""
FILMS = """\
id,title,plot,genres,director
f1,Alien Dawn,a crew meets a creature in space,Horror|Science fiction,Ada
f2,Star Drift,a crew lost in space,Science fiction,Ada
f3,Red Planet,a colony in space fails,Science fiction,Bo
f4,Paris Waltz,two dancers fall in love,Romance|Comedy,Cy
f5,Rome Summer,a couple falls in love in summer,Romance,Cy
f6,Wedding Mess,a wedding goes wrong and love wins,Romance|Comedy,Di
"""
LOG = """\
user,film,stars
u1,f1,5
u1,f2,5
u1,f3,4
u2,f1,4
u2,f3,5
u2,f4,1
u3,f4,5
u3,f5,5
u3,f6,4
u4,f5,4
u4,f6,5
u5,f2,5
u5,f3,4
u6,f4,4
u6,f5,5
"""
NEW_FILMS = """\
id,title,plot,genres,director
n1,Moon Base,a crew in space meets danger,Science fiction,Ada
n2,Spring Love,a couple falls in love in spring,Romance|Comedy,Cy
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder with kgrec.yaml, films.csv, log.csv and new/films.csv."""
    return _written(tmp_path / "catalogue")


@pytest.fixture(scope="session")
def shared_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for tests that change nothing in it."""
    return _written(tmp_path_factory.mktemp("shared") / "catalogue")


def _written(folder: Path) -> Path:
    (folder / "new").mkdir(parents=True)
    for name, text in {
        "kgrec.yaml": MAPPING,
        "films.csv": FILMS,
        "log.csv": LOG,
        "new/films.csv": NEW_FILMS,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def bag_of_words() -> BagOfWords:
    return BagOfWords()


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    """The address of a Ray cluster on this machine, to which this process is connected; without Ray, its tests are skipped."""
    ray = pytest.importorskip("ray")
    # Names of sockets below the folder may have 107 characters. A token would be written to the home folder.
    folder = tempfile.mkdtemp(prefix="kg", dir="/tmp")
    # Workers import the functions of test modules.
    settings = {**_RAY, "PYTHONPATH": os.pathsep.join(sys.path)}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        ray.init(
            num_cpus=4,
            object_store_memory=200 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        yield ray.get_runtime_context().gcs_address
    finally:
        ray.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The Chromium whose path is in KGREC_TEST_BROWSER, driven by playwright; without it, tests of scripts are skipped."""
    path = os.environ.get("KGREC_TEST_BROWSER")
    if not path:
        pytest.skip("KGREC_TEST_BROWSER names no Chromium")
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=30_000)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
