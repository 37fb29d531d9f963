"""What many tests share: a small catalogue made by hand, and an encoder that needs no weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from text_encoders import BagOfWords

# How long a test takes is the machine's affair.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

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
