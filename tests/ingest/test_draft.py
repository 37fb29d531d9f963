import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kgrec.errors import SourceError
from kgrec.graph.build import build_graph
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
# Reasons of recommendations: write them in your own words and language.
say:
  liked: "Because you liked {items}"
  users: "users with the same taste like it"
  text: "its description is similar"
  shared:
    genres: "the same genre ({nodes})"
    year: "a similar year"
    rated: "the same rated ({nodes})"
    studio_id: "the same studio ({nodes})"
    sequels: "the same sequel ({nodes})"
    released: "a similar released"
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
    with pytest.raises(SourceError, match=r"none.csv does not exist"):
        draft_mapping([tmp_path / "none.csv"])
    (tmp_path / "a.jsonl").write_text('{"id": 1, "\\ud800": 2}\n')
    assert '"\ufffd": number' in draft_mapping([tmp_path / "a.jsonl"]).yaml
    with pytest.raises(SourceError, match=r"is a folder.\n.*kgrec init .*/\*"):
        draft_mapping([tmp_path])
    (tmp_path / "a.csv").write_text("x,y\n1,1\n1,1\n")
    with pytest.raises(SourceError, match="No file has a column that can be a key"):
        draft_mapping([tmp_path / "a.csv"])


def drafted(folder, **files):
    """A draft for some files, `u_item` for u.item, and the graph that it builds untouched."""
    paths = [folder / name.replace("_", ".", 1) for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    draft = draft_mapping(paths)
    (folder / "kgrec.yaml").write_text(draft.yaml, encoding="utf-8")
    return draft, build_graph(folder / "kgrec.yaml")


def roles(draft, name="nodes"):
    """Column -> role, as the draft has them, of the first table."""
    values = yaml.safe_load(draft.yaml)[name]
    return next(iter(values.values()))["columns"]


ITEMS = """1|Amélie (1995)|01-Jan-1995||http://ex.org/m?1|0|1
2|Brazil (1985)|4-Feb-1985||http://ex.org/m?2|0|0
3|Casque d'or (1952)|||http://ex.org/m?3|1|0
4|Dune (1984)|14-Dec-1984||http://ex.org/m?4|0|1
5|Eraserhead (1977)|19-Mar-1977||http://ex.org/m?5|1|1
""".encode("latin-1")
USERS = "1|24|M|writer|85711\n2|53|F|other|94043\n3|23|M|writer|32067\n"
TAKEN = "".join(
    f"{user}\t{item}\t{stars}\t{881250000 + 7 * user + item}\n"
    for user, item, stars in [
        (1, 5, 5),
        (2, 4, 3),
        (1, 4, 4),
        (3, 1, 5),
        (2, 2, 1),
        (3, 3, 2),
        (1, 1, 5),
        (2, 5, 4),
    ]
)


def test_files_without_a_header_are_drafted_by_their_values(tmp_path):
    draft, graph = drafted(tmp_path, u_item=ITEMS, u_data=TAKEN)
    assert draft.yaml.partition("# Reasons")[0] == (
        """version: 1
base: https://example.org/
nodes:
  item:
    item: true
    file: u.item
    format: csv
    delimiter: "|"
    encoding: latin-1
    header: [id, title, date, column_4, url, column_6, column_7]
    key: id
    columns:
      title: label
      date: {as: date, format: "%d-%b-%Y"}
      column_4: ignore
      url: same_as
      column_6: number
      column_7: number
interactions:
  file: u.data
  format: tsv
  header: [user, item, value, time]
  user: user
  item: item
  value: value
  time: time
  positive: ">= 4"
"""
    )
    assert [reason for reason in draft.reasons if reason.startswith("u.data")] == [
        "u.data: format: tsv, since the suffix does not show it, and the lines have 4 columns",
        "u.data: header: 4 columns named here, since line 1 has values: '1' is a number, as are those below it",
        "u.data: user: user, since it has the most distinct values of the other columns, 3",
        "u.data: item: item, since 100% of its values are keys of u.item, of which it has 100%",
        "u.data: value: value, since it has few distinct numbers, 5",
        "u.data: time: time, since its numbers are like seconds since 1970",
        "u.data: value: positive: >= 4, since it looks like ratings from 1 to 5",
    ]
    assert graph.entities["label"][0].as_py() == "Amélie (1995)"
    assert (len(graph.interactions), graph.interactions.positive.sum()) == (8, 5)
    assert graph.report.files["u.data"].bad == 0


def test_a_copy_of_a_log_is_left_out(tmp_path):
    numbered = "".join(f"r{i}\t{line}\n" for i, line in enumerate(TAKEN.splitlines()))
    draft, graph = drafted(tmp_path, u_item=ITEMS, u_data=numbered, more_data=numbered)
    why = "100% of its rows are in u.data"
    assert f"more.data: *: left out, since {why}" in draft.reasons
    assert len(graph.interactions) == 8


def test_facts_about_users_are_left_out(tmp_path):
    draft, graph = drafted(tmp_path, u_user=USERS, u_item=ITEMS, u_data=TAKEN)
    why = "its keys are the users of u.data, and attributes of users are not read"
    assert f"u.user: *: left out, since {why}" in draft.reasons
    assert graph.stats()["nodes"] == {"item": 5} and len(graph.interactions) == 8
    named = "user_id,age,zip_code\n" + USERS.replace("|M|writer", "").replace("|F|other", "").replace(
        "|", ","
    )
    draft, graph = drafted(tmp_path, people_csv=named, u_item=ITEMS, u_data=TAKEN)
    assert f"people.csv: *: left out, since {why}" in draft.reasons


def test_a_log_by_its_values_though_its_columns_have_other_names(tmp_path):
    items = "sku,title\na1,One\na2,Two\na3,Three\n"
    log = "who,what,when,stars_given\nx,a1,3.5.2020 10:00,5\ny,a2,4.5.2020 11:00,1\ny,a1,5.5.2020 12:00,4\nx,a2,5.5.2020 12:00,4\n"
    draft, graph = drafted(tmp_path, items_csv=items, log_csv=log)
    assert draft.yaml.endswith(
        """interactions:
  file: log.csv
  user: who
  item: what
  value: stars_given
  time: when
  time_format: "%d.%m.%Y %H:%M"
  positive: ">= 4"
"""
    )
    assert graph.interactions.time.min() == 1588500000


def test_the_column_of_items_is_the_one_with_keys(tmp_path):
    items = "id\ttitle\n51\tOne\n52\tTwo\n53\tThree\n"
    log = "userID\tartistID\tweight\n2\t51\t52\n2\t52\t9000\n3\t51\t70\n"
    draft, _ = drafted(tmp_path, items_tsv=items, plays_tsv=log)
    assert draft.yaml.endswith("user: userID\n  item: artistID\n  value: weight\n")
    swapped = "user,item_group,content\nx,g1,51\ny,g1,52\ny,g2,51\n"
    draft, _ = drafted(tmp_path, items_tsv=items, seen_csv=swapped)
    assert draft.yaml.endswith("user: user\n  item: content\n")


def test_a_log_alone_says_what_is_missing(tmp_path):
    (tmp_path / "log.csv").write_text("user,item\nx,a\ny,a\n")
    with pytest.raises(SourceError, match=r"log.csv is a log of interactions, and no file has the items"):
        draft_mapping([tmp_path / "log.csv"])


EUROPEAN = """Artikelnr;Titel;Preis;Seit;Gruppe
A1;"Haus; groß";12,50;31.12.1999;x
A2;Stuhl;9,00;01.02.2000;x
A3;Tisch, lang;1.099,90;13.02.2001;y
A4;Lampe;19,90;14.03.2001;y
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_csv_as_european_tools_write_it(tmp_path, encoding):
    draft, graph = drafted(tmp_path, waren_csv=EUROPEAN.encode(encoding))
    assert roles(draft) == {
        "Titel": "label",
        "Preis": "ignore",
        "Seit": {"as": "date", "format": "%d.%m.%Y"},
        "Gruppe": "category",
    }
    assert graph.entities["label"].to_pylist()[2] == "Haus; groß"


def test_json_lines_with_nested_values(tmp_path):
    rows = [
        {
            "id": f"p{i}",
            "title": f"Product {'abcd'[i]}",
            "kinds": ["Gift", "Card"],
            "also": ["p1", "z9"],
            "notes": ["A sentence that is long enough to be one of prose, with words."],
            "details": {"size": i},
            "rank": f"1,{i}00 in Gifts",
            "image": [f"http://ex.org/{i}.jpg"],
            "empty": [],
            "code": f"X-{i}",
        }
        for i in range(4)
    ]
    draft, graph = drafted(tmp_path, p_jsonl="".join(json.dumps(row) + "\n" for row in rows))
    assert roles(draft) == {
        "title": "label",
        "kinds": {"as": "node", "type": "kind", "edge": "kinds"},
        "also": {"as": "ref", "to": "p", "edge": "also"},
        "notes": "text",
        "details.size": "number",
        "rank": "ignore",
        "image": "ignore",
        "empty": "ignore",
        "code": "ignore",
    }
    assert graph.stats()["edges"] == {"also": 4, "kinds": 8}


def test_numbers_that_are_codes(tmp_path):
    rows = [(i, f"Film {'abcdefghijkl'[i]}", i % 3, 100 + i, f"0{i % 2}1", "yes") for i in range(12)] * 2
    lines = [
        f"{i + 12 * (n // 12)},{rest[0]} {n},{','.join(map(str, rest[1:]))}"
        for n, (i, *rest) in enumerate(rows)
    ]
    draft, _ = drafted(tmp_path, f_csv="id,title,studio_id,tmdb_id,area,kept\n" + "\n".join(lines) + "\n")
    assert roles(draft) == {
        "title": "label",
        "studio_id": "category",
        "tmdb_id": "category",
        "area": "category",
        "kept": "ignore",
    }


def test_columns_that_hold_the_same_kind_share_a_type(tmp_path):
    names = ["Ann", "Bob", "Cyd"]
    rows = [f"{i},Film {'abcdef'[i]},{names[i % 3]},{names[(i + 1) % 3]},{i % 2}" for i in range(6)]
    content = "id,movie_title,actor_1_name,actor_2_name,movie name\n" + "\n".join(rows) + "\n"
    draft, graph = drafted(tmp_path, movies_csv=content)
    assert roles(draft) == {
        "movie_title": "label",
        "actor_1_name": {"as": "category", "type": "actor"},
        "actor_2_name": {"as": "category", "type": "actor"},
        "movie name": "number",
    }
    assert graph.stats()["nodes"] == {"actor": 3, "movie": 6}


def test_types_of_files_with_one_name_differ(tmp_path):
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "items.csv", tmp_path / "b" / "items.csv"):
        path.write_text("id,title\n1,One\n2,Two\n")
    draft = draft_mapping([tmp_path / "items.csv", tmp_path / "b" / "items.csv"])
    assert list(yaml.safe_load(draft.yaml)["nodes"]) == ["item", "item_2"]


def test_a_key_may_repeat_once_in_a_long_file(tmp_path):
    lines = [f"p{i},Product number {i} of many" for i in range(400)]
    draft, graph = drafted(tmp_path, p_csv="sku,title\n" + "\n".join([*lines, "p7,Again"]) + "\n")
    assert (
        "p.csv: sku: key, since it is named like an id, and only 1 of the sampled rows repeat a value"
        in draft.reasons
    )
    assert len(graph.item_ids) == 400


def test_addresses(tmp_path):
    rows = [
        (
            f"http://ex.org/{i}",
            f"http://ex.org/{i % 3}",
            f"http://ex.org/a|http://ex.org/{i % 2}",
            f"http://ex.org/{i or 1}",
        )
        for i in range(20)
    ]
    content = "id,own,maker,tags,nearly\n" + "\n".join(f"i{n}," + ",".join(row) for n, row in enumerate(rows))
    draft, graph = drafted(tmp_path, a_csv=content + "\n")
    assert roles(draft) == {
        "own": "same_as",
        "maker": "category",
        "tags": {"as": "node", "type": "tag", "edge": "tags", "split": "|"},
        "nearly": "same_as",
    }
    assert graph.report.merged_items.count == 0 and graph.report.shared.first == [
        "a/i0, a/i1: http://ex.org/1"
    ]


def test_of_two_tables_with_the_same_keys_the_items_have_the_words(tmp_path):
    links = "movieId,imdbId\n" + "".join(f"{i},01{i}\n" for i in range(1, 7))
    movies = "movieId,title\n" + "".join(f"{i},Film {'abcdefg'[i]}\n" for i in range(1, 7))
    log = "userId,movieId,rating\n" + "".join(f"u{i % 3},{i % 6 + 1},{i % 5 + 1}\n" for i in range(12))
    draft, graph = drafted(tmp_path, links_csv=links, movies_csv=movies, ratings_csv=log)
    assert list(yaml.safe_load(draft.yaml)["nodes"]) == ["movie"]
    why = "it has the keys of movies.csv, and a type has one table: join the two"
    assert f"links.csv: *: left out, since {why}" in draft.reasons
    assert len(graph.item_ids) == 6


def test_without_a_log_the_items_are_what_is_called_so(tmp_path):
    files = {"makers_csv": "id,name\n1,Ann\n2,Bob\n", "products_csv": "id,title\n7,One\n8,Two\n"}
    draft, graph = drafted(tmp_path, **files)
    assert "products.csv: *: items, since its name is that of items" in draft.reasons
    assert graph.item_types == ("product",)
    draft, _ = drafted(tmp_path, makers_csv=files["makers_csv"], tools_csv=files["products_csv"])
    assert draft.doubts[0].answers == ("tools.csv", "makers.csv")
    assert draft.yaml.startswith("# CHECK 1: Which table has the items to recommend? Taken: tools.csv, ")


def test_columns_of_parquet_that_have_no_text_are_ignored(tmp_path):
    table = pa.table(
        {
            "id": [1, 2],
            "title": ["One A", "Two B"],
            "sizes": [{"x": 1}, None],
            "parts": [[{"x": 1}], []],
            "grid": [[[1]], [[2]]],
            "tags": [["a", "b"], ["b"]],
            "vector": pa.array([[0.5, 1], [1, 0]], pa.list_(pa.float32())),
            "on": [datetime(2001, 2, 3), None],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    draft, graph = drafted(tmp_path, t_parquet=(tmp_path / "t.parquet").read_bytes())
    assert roles(draft) == {
        "title": "label",
        "sizes.x": "number",
        "parts": {"as": "node", "type": "part", "edge": "parts", "field": "x"},
        "grid": "ignore",
        "tags": {"as": "node", "type": "tag", "edge": "tags"},
        "vector": "vector",
        "on": "date",
    }
    assert "t.parquet: grid: ignore, since its type has no text form" in draft.reasons
    assert len(graph.vectors) == 2


def test_cells_of_separators_alone_are_ignored(tmp_path):
    draft, _ = drafted(tmp_path, a_csv="id,title,tags\n1,One A,|\n2,Two B,||\n")
    assert roles(draft) == {"title": "label", "tags": "ignore"}


def test_of_two_tables_that_have_the_numbers_the_column_says_which(tmp_path):
    artists = "id\tname\n" + "".join(f"{i}\tThe {'abcdefghij'[i]} band\n" for i in range(10))
    tags = "tagID\ttag\n" + "".join(f"{i}\ta long word of genre {'abcdefgh'[i]}\n" for i in range(8))
    log = "userID\tartistID\n" + "".join(f"{u}\t{(u + i) % 8}\n" for u in range(5) for i in range(4))
    draft, _ = drafted(tmp_path, artists_tsv=artists, tags_tsv=tags, plays_tsv=log)
    why = "its keys are in the interactions: 100% of the values of artistID there"
    assert f"artists.tsv: *: items, since {why}" in draft.reasons


@pytest.mark.parametrize(
    ("dates", "form", "said"),
    [
        (
            ["01/02/2000", "03/04/2001"],
            "%d/%m/%Y",
            'and "%m/%d/%Y" too: check whether the day or the month is first',
        ),
        (["01/02/2000", "03/14/2001"], "%m/%d/%Y", 'all its values match "%m/%d/%Y"'),
    ],
)
def test_dates_of_items_and_of_the_log(tmp_path, dates, form, said):
    items = f"id,title,released\na,One,{dates[0]}\nb,Two,{dates[1]}\n"
    log = f"user,item,seen_on\nx,a,{dates[0]}\ny,a,{dates[1]}\nx,b,{dates[1]}\n"
    draft, graph = drafted(tmp_path, items_csv=items, log_csv=log)
    assert roles(draft)["released"] == {"as": "date", "format": form}
    assert yaml.safe_load(draft.yaml)["interactions"] == {
        "file": "log.csv",
        "user": "user",
        "item": "item",
        "time": "seen_on",
        "time_format": form,
    }
    for column in ("items.csv: released: ", "log.csv: seen_on: time, "):
        assert any(reason.startswith(column) and reason.endswith(said) for reason in draft.reasons)
    assert graph.report.files["log.csv"].failed == {} and len(graph.numbers) == 2
