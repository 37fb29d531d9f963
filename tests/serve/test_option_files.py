"""Tables that options name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.errors import SourceError
from kgrec.serve.option_files import read_items_by_user, read_numbers


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_of_items(tmp_path: Path):
    path = written(tmp_path, "boost,item_id,why\n0.5,f1,new\n-2,f2,\n")
    assert read_numbers(path, "boost") == {"f1": 0.5, "f2": -2}


def test_pairs(tmp_path: Path):
    path = written(tmp_path, "item_id,user_id\nf1,u1\nf2,u1\n")
    assert read_items_by_user(path).to_pydict() == {"user_id": ["u1", "u1"], "item_id": ["f1", "f2"]}
    assert len(read_items_by_user(written(tmp_path, "item_id,user_id\n"))) == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("item_id,boost\nf1,high\n", "{}:2: 'boost' is \"high\", which is not a finite number."),
        ("item_id,boost\nf1,1\nf2,inf\n", "{}:3: 'boost' is \"inf\", which is not a finite number."),
        ("item_id,boost\nf1,1\nf1,2\n", "{}:3: the item 'f1' occurs twice."),
        ("item_id,boost\nf1,\n", "{}:2: 'boost' is empty."),
        ("item_id,boots\nf1,1\n", "{} has no column 'boost'."),
        ("item_id,boost\nf1,1,2\n", "{}:2: the row cannot be split into columns."),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, problem: str):
    path = written(tmp_path, text)
    with pytest.raises(SourceError) as caught:
        read_numbers(path, "boost")
    assert caught.value.problem == problem.format(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(SourceError, match="is not there"):
        read_items_by_user(tmp_path / "no.csv")
