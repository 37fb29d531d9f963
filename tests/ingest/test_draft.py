import pytest

from kgrec.errors import SourceError
from kgrec.graph import build_graph
from kgrec.ingest.draft import draft_mapping

MOVIES = """movie_id,title,plot,genres,year,rated,studio_id,sequels,link,embedding,released
1,One,{long},Drama|War,1999,PG,s1,3,http://ex.org/Q1,"[1, 0.5]",1999-01-02
2,Two,{long},War,1998,PG,s2,1|3,http://ex.org/Q2,"[0, 1]",1998-01-02
3,Three,{long},Drama,1999,R,s1,1,http://ex.org/Q3,"[1, 1]",1999-03-04
4,Four,{long},Drama,2001,R,s2,1,http://ex.org/Q4,"[2, 1]",2001-03-04
"""
STUDIOS = "id,name\ns1,Studio A\ns2,Studio B\n"
LOG = "userId,movieId,rating,timestamp\nu1,1,5,10\nu1,2,1,20\nu2,1,4,30\n"


@pytest.fixture
def paths(tmp_path):
    contents = {
        "movies.csv": MOVIES.replace("{long}", "word " * 20),
        "studios.csv": STUDIOS,
        "ratings.csv": LOG,
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    return [tmp_path / name for name in contents]


def test_a_draft_names_every_column_and_why(paths):
    draft = draft_mapping(paths)
    assert draft.yaml == (
        """version: 1
base: https://example.org/
nodes:
  movie:
    item: true
    file: movies.csv
    key: movie_id
    columns:
      title: label
      plot: text
      genres: {as: node, type: genre, edge: genres, split: "|"}
      year: number
      rated: category
      studio_id: {as: ref, to: studio, edge: studio_id}
      sequels: {as: ref, to: movie, edge: sequels, split: "|"}
      link: same_as
      embedding: vector
      released: date
  studio:
    file: studios.csv
    key: id
    columns:
      name: label
interactions:
  file: ratings.csv
  user: userId
  item: movieId
  value: rating
  time: timestamp
  positive: ">= 4"
"""
    )
    assert (
        "movies.csv: studio_id: {as: ref, to: studio, edge: studio_id}, since its values are keys of studios.csv"
        in (draft.reasons)
    )
    assert len(draft.reasons) == 12 + 2 + 5


def test_a_draft_builds_as_it_is(paths):
    (paths[0].parent / "kgrec.yaml").write_text(draft_mapping(paths).yaml)
    graph = build_graph(paths[0].parent / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"genre": 2, "movie": 4, "rated": 2, "studio": 2}
    assert graph.stats()["edges"] == {"genres": 5, "rated": 4, "sequels": 5, "studio_id": 4}
    assert len(graph.interactions) == 3 and graph.report.missing == {}


def test_what_cannot_be_drafted_is_said(tmp_path):
    with pytest.raises(SourceError, match="no file to draft"):
        draft_mapping([])
    with pytest.raises(SourceError, match=r"none.csv is not there"):
        draft_mapping([tmp_path / "none.csv"])
    (tmp_path / "a.csv").write_text("x,y\n1,1\n1,1\n")
    with pytest.raises(SourceError, match="No file has a column that can be a key"):
        draft_mapping([tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("name", "line"),
    [("u.data", "196\t242\t3\t881250949"), ("u.item", "1|Toy (1995)|01-Jan-1995||u|0|0|1|1|1")],
)
def test_a_file_without_names_of_columns_is_refused_with_a_way_out(tmp_path, name, line):
    (tmp_path / name).write_text(f"{line}\n{line}\n")
    with pytest.raises(
        SourceError, match=rf"{name}:1: the first line has no names of columns.*\n.*kgrec import"
    ):
        draft_mapping([tmp_path / name])
