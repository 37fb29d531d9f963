"""Items that a change of others reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import kgrec
from kgrec.model.item_updates import embed, read_features
from kgrec.model.model import units
from kgrec.rank.scorers import unit_rows

MAPPING = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      like: {as: ref, to: film, split: "|"}
      studio: {as: ref, to: studio}
  studio: {file: studios.csv, key: id, columns: {lies_in: {as: ref, to: country, split: "|"}}}
  country: {file: countries.csv, key: id, columns: {speaks: {as: node, type: language}}}
"""
FILMS = "id,title,like,studio\na,Ape,b|c,s\nb,Bee,a,s\nc,Cat,b,t\nd,Dog,,t\ne,Elk,b|c,t\nf,Fox,,\n"
STUDIOS = "id,lies_in\ns,x|y\nt,x|z\n"
COUNTRIES = "id,speaks\nx,l\ny,\nz,m\n"


def fitted(place: Path, hops: int, encoder) -> kgrec.Recommender:
    (place / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    (place / "films.csv").write_text(FILMS, encoding="utf-8")
    (place / "studios.csv").write_text(STUDIOS, encoding="utf-8")
    (place / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    config = kgrec.Config.read(settings=["dim=4", "epochs=1", f"hops={hops}"])
    weighed = config.model_copy(
        update={"rescore": kgrec.RescoreConfig(weights={"embedding": 1, "graph": 1, "text": 1})}
    )
    return kgrec.Recommender(weighed, text_encoder=encoder).fit(kgrec.build_graph(place / "kgrec.yaml"))


def updated(rec: kgrec.Recommender, place: Path, **files: str) -> kgrec.Updated:
    (place / "changed").mkdir()
    for name, text in files.items():
        (place / "changed" / f"{name}.csv").write_text(text, encoding="utf-8")
    return rec.update_items(place / "changed")


def check_anew(rec: kgrec.Recommender, encoder) -> None:
    """Every item is where it is when all of them are read and embedded anew."""
    model, parameters = rec.model, rec.model.parameters()
    features = read_features(parameters, model.graph(), model.items.entities.whole, encoder)
    vectors, lengths = units(embed(parameters, model.config, features) + parameters.arrays["identity"])
    np.testing.assert_allclose(model.items.vectors, vectors, atol=1e-6)
    np.testing.assert_allclose(model.items.lengths, lengths, atol=1e-6)
    codes = parameters.featurizer.codes(features.relation, features.entity)
    scorers = model.rescorer.scorers
    graph = np.zeros(scorers["graph"].neighbors.shape, np.float32)
    there = np.isin(codes, scorers["graph"].columns)
    graph[:, np.searchsorted(scorers["graph"].columns, codes[there])] = features.neighbors.toarray()[:, there]
    np.testing.assert_allclose(
        scorers["graph"].neighbors.whole.toarray(), unit_rows(sp.csr_matrix(graph)).toarray(), atol=1e-6
    )
    np.testing.assert_array_equal(scorers["text"].vectors.whole, features.dense.astype(np.float16))
    found = model.index.search(model.items.vectors, len(model.items))[1]
    np.testing.assert_allclose(found, -np.sort(-(vectors @ vectors.T), axis=1), atol=1e-6)


def test_items_that_an_updated_one_names_no_longer_move_too(tmp_path, bag_of_words):
    rec = fitted(tmp_path, 1, bag_of_words)
    check_anew(rec, bag_of_words)
    before = rec.model.items.vectors
    # c is named no longer, d is named now, b as before
    changed = updated(rec, tmp_path, films="id,title,like,studio\na,Ape,b|d,s\n")
    assert (changed.ids, changed.reached) == (["a"], ["c", "d"])
    moved = np.abs(rec.model.items.vectors.whole - before.whole).max(axis=1) > 1e-6
    assert [rec.model.items.ids[row] for row in np.flatnonzero(moved)] == ["a", "c", "d"]
    check_anew(rec, bag_of_words)


def test_a_change_of_text_moves_no_other_item(tmp_path, bag_of_words):
    rec = fitted(tmp_path, 2, bag_of_words)
    before = rec.model.items.vectors
    changed = updated(rec, tmp_path, films="id,title,like,studio\na,Ant,b|c,s\n")
    assert (changed.ids, changed.reached) == (["a"], [])
    np.testing.assert_array_equal(rec.model.items.vectors[1:], before[1:])
    check_anew(rec, bag_of_words)


@pytest.mark.parametrize(("hops", "moved"), [(1, []), (2, ["b"]), (3, ["b"])])
def test_what_changes_two_hops_away_moves_items_that_read_two_hops(tmp_path, bag_of_words, hops, moved):
    rec = fitted(tmp_path, hops, bag_of_words)
    films, studios = "id,title,like,studio\na,Ant,b|c,s\n", "id,lies_in\ns,z\n"
    changed = updated(rec, tmp_path, films=films, studios=studios)
    assert (changed.ids, changed.reached) == (["a"], moved)
    check_anew(rec, bag_of_words)


@pytest.mark.parametrize(("hops", "moved"), [(2, []), (3, ["b"])])
def test_what_changes_three_hops_away_moves_items_that_read_three_hops(tmp_path, bag_of_words, hops, moved):
    rec = fitted(tmp_path, hops, bag_of_words)
    films, countries = "id,title,like,studio\na,Ant,b|c,s\n", "id,speaks\ny,m\n"
    changed = updated(rec, tmp_path, films=films, countries=countries)
    assert (changed.ids, changed.reached) == (["a"], moved)
    check_anew(rec, bag_of_words)
