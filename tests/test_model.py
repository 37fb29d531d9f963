"""The model folder; what it answers is tested with the recommender."""

from pathlib import Path

import kgrec

MAPPING = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, wiki: {as: same_as}}
interactions: {file: log.csv, user: user, item: film}
"""
FILMS = "id,title,wiki\na,Dawn,http://w.org/1\nb,Dawn again,http://w.org/1\nc,Noon,http://w.org/2\n"
LOG = "user,film\nu1,a\nu1,c\nu2,b\nu2,c\n"


def test_an_item_is_found_by_a_name_that_was_merged_away(tmp_path: Path, bag_of_words):
    for name, text in {"kgrec.yaml": MAPPING, "films.csv": FILMS, "log.csv": LOG}.items():
        (tmp_path / name).write_text(text)
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    assert graph.item_ids.tolist() == ["a", "c"]

    rec = kgrec.Recommender(text_encoder=bag_of_words).fit(graph)
    rec.save(tmp_path / "model")
    for each in (rec, kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)):
        assert each.label("b") == "Dawn"
        assert each.similar_items(["b"], 1)["similar_id"].tolist() == ["c"]
        assert each.recommend_for_history([["c"]], 2, candidates=["b"])["item_id"].tolist() == ["a"]

    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "films.csv").write_text("id,title,wiki\nd,Dusk,\n")
    rec.add_items(tmp_path / "new")
    assert rec.label("b") == "Dawn"
    assert rec.label("d") == "Dusk"
