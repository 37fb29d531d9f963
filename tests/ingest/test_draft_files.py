"""Which part each file plays in a draft: items, other nodes, logs, edges. The order of the files must not matter."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import yaml

from kgrec.errors import SourceError
from kgrec.graph.build import build_graph
from kgrec.ingest.draft import Draft, draft_mapping
from kgrec.ingest.mapping.schema import load_mapping


def draft_of(folder: Path, files: dict[str, str], ask=None) -> Draft:
    """The draft for some files; every order of them must give the same one, and it must be valid."""
    for name, content in files.items():
        (folder / name).write_text(content)
    drafts = [
        draft_mapping([folder / name for name in order], ask=ask) for order in list(permutations(files))[:6]
    ]
    assert len({(draft.yaml, tuple(draft.reasons)) for draft in drafts}) == 1
    (folder / "kgrec.yaml").write_text(drafts[0].yaml)
    load_mapping(folder / "kgrec.yaml")
    return drafts[0]


def parts(draft: Draft) -> dict:
    return yaml.safe_load(draft.yaml)


def graph_of(folder: Path):
    return build_graph(folder / "kgrec.yaml")


def table(header: str, *rows: tuple | list) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


BOOKS = table("book_id,title", *((i, f"Book {'abcdefgh'[i - 1]} of many") for i in range(1, 9)))
RATINGS = table("user_id,book_id,rating", *((f"u{i % 4}", i % 8 + 1, i % 5 + 1) for i in range(24)))


def test_ratings_among_the_numbers_of_the_catalogue_are_no_items(tmp_path):
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "ratings.csv": RATINGS})
    assert parts(draft)["interactions"] == {
        "file": "ratings.csv",
        "user": "user_id",
        "item": "book_id",
        "value": "rating",
        "positive": ">= 4",
    }
    assert (
        "ratings.csv: book_id: item, since 100% of its values are keys of books.csv (book_id)"
        in draft.reasons
    )
    assert draft.doubts == []


def test_a_table_that_comes_first_in_the_alphabet_is_not_the_log(tmp_path):
    tags = table("book_id,tag_id,count", *((i % 8 + 1, i % 3 + 1, i) for i in range(1, 25)))
    draft = draft_of(tmp_path, {"book_tags.csv": tags, "books.csv": BOOKS, "ratings.csv": RATINGS})
    assert parts(draft)["interactions"]["file"] == "ratings.csv"
    assert parts(draft)["edges"] == {
        "book_tags": {
            "file": "book_tags.csv",
            "from": {"book": "book_id"},
            "to": {"tag": "tag_id"},
            "weight": "count",
        }
    }
    graph = graph_of(tmp_path)
    assert graph.stats()["nodes"] == {"book": 8, "tag": 3} and len(graph.interactions) == 8
    assert graph.stats()["edges"] == {"book_tags": 24}


GOODREADS = {
    "books.csv": table(
        "book_id,goodreads_book_id,isbn13,authors,ratings_count,title",
        *(
            (i, 1000 * i + i, 9780000000000 + i, f'"{a}"', 10 * i, f"Book number {i}")
            for i, a in enumerate(
                ["Ann Bee", "Cy Dee", "Ann Bee, Cy Dee", "Flo Gee", "Ann Bee", "Cy Dee, Flo Gee"], 1
            )
        ),
    ),
    "ratings.csv": table("user_id,book_id,rating", *((i % 5, i % 6 + 1, i % 5 + 1) for i in range(30))),
    "book_tags.csv": table(
        "goodreads_book_id,tag_id,count", *((1001 * (i % 6 + 1), i % 4 + 1, 7 * i + 1) for i in range(24))
    ),
    "tags.csv": table("tag_id,tag_name", *((i, f"tag {'abcd'[i - 1]}") for i in range(1, 5))),
    "to_read.csv": table("user_id,book_id", *((i % 5 + 3, (i * 5) % 6 + 1) for i in range(0, 30, 4))),
}


def test_join_tables_use_the_keys_that_they_hold(tmp_path):
    draft = draft_of(tmp_path, GOODREADS)
    mapping = parts(draft)
    assert mapping["nodes"]["book"]["keys"] == ["book_id", "goodreads_book_id"]
    assert mapping["nodes"]["book"]["columns"] == {
        "isbn13": "ignore",
        "authors": {"as": "node", "type": "author", "edge": "authors", "split": ", "},
        "ratings_count": "ignore",
        "title": "label",
    }
    assert mapping["edges"]["book_tags"] == {
        "file": "book_tags.csv",
        "from": {"book.goodreads_book_id": "goodreads_book_id"},
        "to": {"tag": "tag_id"},
        "weight": "count",
    }
    assert mapping["nodes"]["tag"] == {"file": "tags.csv", "key": "tag_id", "columns": {"tag_name": "label"}}
    assert [log["file"] for log in mapping["interactions"]] == ["ratings.csv", "to_read.csv"]
    assert draft.doubts == []
    graph = graph_of(tmp_path)
    assert graph.stats()["nodes"] == {"author": 3, "book": 6, "tag": 4}
    assert graph.stats()["edges"]["book_tags"] == 12 and graph.report.missing == {}
    said = [
        reason
        for reason in draft.reasons
        if ": ratings_count: ignore, since it counts what users did" in reason
    ]
    assert len(said) == 1


def test_the_measured_share_goes_before_the_name(tmp_path):
    # the key of the log is `id`, though another column has its name
    files = GOODREADS | {
        "books.csv": GOODREADS["books.csv"].replace("book_id,goodreads_book_id", "id,book_id"),
    }
    mapping = parts(draft_of(tmp_path, files))
    assert mapping["nodes"]["book"]["keys"] == ["id", "book_id"]
    assert mapping["edges"]["book_tags"]["from"] == {"book.book_id": "goodreads_book_id"}
    assert mapping["interactions"][0]["item"] == "book_id"
    assert len(graph_of(tmp_path).interactions) > 0


def test_a_log_that_names_titles(tmp_path):
    log = table("user,book", *((f"u{i % 4}", f"Book {'abcdefgh'[i % 8]} of many") for i in range(24)))
    mapping = parts(draft_of(tmp_path, {"books.csv": BOOKS, "seen.csv": log}))
    assert mapping["nodes"]["book"]["keys"] == ["book_id", "title"]
    assert mapping["nodes"]["book"]["columns"] == {"title": "label"}
    assert mapping["interactions"]["item"] == {"book.title": "book"}
    graph = graph_of(tmp_path)
    assert len(graph.interactions) == 8 and graph.entities["label"][0].as_py() == "Book a of many"


def test_columns_with_hyphens_and_a_scale_to_ten(tmp_path):
    books = "\n".join(
        [
            '"ISBN";"Book-Title";"Publisher"',
            *(f'"{i:09d}X";"The {i}th book";"Simon &amp; {i % 3}"' for i in range(9)),
        ]
    )
    ratings = "\n".join(
        [
            '"User-ID";"ISBN";"Book-Rating"',
            *(f'"{i % 4 + 10}";"{i % 9:09d}X";"{[0, 0, 5, 8, 10][i % 5]}"' for i in range(40)),
        ]
    )
    draft = draft_of(tmp_path, {"BX-Books.csv": books + "\n", "BX-Book-Ratings.csv": ratings + "\n"})
    assert parts(draft)["nodes"]["bx_book"]["columns"] == {"Book-Title": "label", "Publisher": "category"}
    assert parts(draft)["interactions"] == {
        "file": "BX-Book-Ratings.csv",
        "delimiter": ";",
        "user": "User-ID",
        "item": "ISBN",
        "value": "Book-Rating",
        "positive": ">= 8",
    }
    assert draft.doubts[0].answers == ('positive: ">= 8"', 'positive: "> 0"', "every row is positive")
    assert draft.yaml.startswith("# CHECK 1: BX-Book-Ratings.csv: which values of Book-Rating mean that")
    assert '  positive: ">= 8"  # CHECK 1\n' in draft.yaml
    assert graph_of(tmp_path).interactions.positive.sum() == 15


MOVIES = table(
    "movieId,title,genres",
    *((3 * i, f"Film {'abcdefghij'[i]}", "Drama|War" if i % 2 else "War") for i in range(10)),
)


def test_tags_of_users_and_relevances_are_edges(tmp_path):
    files = {
        "movies.csv": MOVIES,
        "ratings.csv": table(
            "userId,movieId,rating,timestamp",
            *((i % 5, 3 * (i % 10), (i % 10 + 1) / 2, 978300000 + i) for i in range(50)),
        ),
        "tags.csv": table(
            "userId,movieId,tag,timestamp",
            *((i % 5, 3 * (i % 10), "odd" if i % 3 else "dark", 978300000 + i) for i in range(20)),
        ),
        "genome-tags.csv": table("tagId,tag", (1, "slow"), (2, "loud")),
        "genome-scores.csv": table(
            "movieId,tagId,relevance", *((3 * i, t, 0.25 * t) for i in range(10) for t in (1, 2))
        ),
        "links.csv": table("movieId,imdbId", *((3 * i, f"00{i}") for i in range(10))),
    }
    draft = draft_of(tmp_path, files)
    assert parts(draft)["edges"] == {
        "genome_scores": {
            "file": "genome-scores.csv",
            "from": {"movie": "movieId"},
            "to": {"genome_tag": "tagId"},
            "weight": "relevance",
        },
        "tags": {"file": "tags.csv", "from": {"movie": "movieId"}, "to": {"tag": "tag"}},
    }
    assert parts(draft)["interactions"]["file"] == "ratings.csv"
    assert parts(draft)["interactions"]["positive"] == ">= 4"
    why = "it has the keys of movies.csv, and a type has one table: join the two"
    assert f"links.csv: *: left out, since {why}" in draft.reasons
    assert draft.doubts == []
    assert graph_of(tmp_path).stats()["nodes"] == {"genome_tag": 2, "genre": 2, "movie": 10, "tag": 2}


def test_further_columns_of_the_same_nodes_in_another_file_are_said(tmp_path):
    plots = table("movieId,plot", *((3 * i, f"plot {i}") for i in range(10)))
    draft = draft_of(tmp_path, {"movies.csv": MOVIES, "plots.csv": plots})
    assert str(draft.doubts[0]) == (
        "plots.csv: plot of the nodes of movies.csv are left out, since a type has one table. Join the two files."
    )


EVENTS = table(
    "timestamp,visitorid,event,itemid,transactionid",
    *(
        (
            1433221332117 + i,
            1000 + i % 7,
            ["view", "view", "addtocart", "transaction"][i % 4],
            100_000 + 997 * (i % 20),
            "",
        )
        for i in range(80)
    ),
)


def test_a_category_tree_is_not_the_items_though_few_ids_are_in_both(tmp_path):
    # ids of items from 0 to 20, of which two are categories
    events = EVENTS.replace("100000", "3").replace("100997", "7")
    tree = table("categoryid,parentid", *((i, i // 2 or "") for i in range(1, 200)))
    draft = draft_of(tmp_path, {"events.csv": events, "category_tree.csv": tree})
    mapping = parts(draft)
    assert mapping["nodes"]["item"] == {
        "item": True,
        "file": "events.csv",
        "key": "itemid",
        "columns": {"*": "ignore"},
    }
    assert mapping["nodes"]["category"]["columns"] == {
        "parentid": {"as": "ref", "to": "category", "edge": "parentid"}
    }
    assert mapping["interactions"] == {
        "file": "events.csv",
        "user": "visitorid",
        "item": "itemid",
        "time": "timestamp",
        "time_unit": "milliseconds",
        "event": "event",
        "events": {"view": 1, "addtocart": 3, "transaction": 10},
    }
    why = "only 10% of its values are keys there"
    assert f"events.csv: itemid: no reference to category_tree.csv, since {why}" in draft.reasons
    said = [doubt.text for doubt in draft.doubts]
    assert said == [
        "No file has one row per item: the items are the values of itemid in events.csv.",
        "category_tree.csv: no column joins its nodes of type category to the items.",
    ]
    graph = graph_of(tmp_path)
    assert len(graph.item_ids) == 20 and len(graph.interactions) > 0


def test_properties_in_rows_cannot_be_said(tmp_path):
    rows = [(1433221332117, 100_000 + 997 * (i % 20), ["size", "categoryid"][i // 20], i) for i in range(40)]
    properties = table("timestamp,itemid,property,value", *rows)
    names = ("item_properties_part1.csv", "item_properties_part2.csv")
    draft = draft_of(tmp_path, {"events.csv": EVENTS, names[0]: properties, names[1]: properties})
    assert parts(draft)["nodes"]["item"]["file"] == list(names)
    assert "edges" not in parts(draft)
    assert any("has the name and the value of a property" in doubt.text for doubt in draft.doubts)


def test_a_log_that_describes_its_items(tmp_path):
    rows = [
        (
            f"2019-10-11 00:00:{i % 60:02d} UTC",
            ["view", "cart", "purchase"][i % 3],
            p,
            f"kind.{p % 2}",
            f"brand{p % 3}",
            10 + i,
            i % 8,
        )
        for i in range(60)
        for p in [40_000 + i % 10]
    ]
    log = table("event_time,event_type,product_id,category_code,brand,price,user_id", *rows)
    draft = draft_of(tmp_path, {"2019-Oct.csv": log, "2019-Nov.csv": log})
    files = ["2019-Nov.csv", "2019-Oct.csv"]
    assert parts(draft)["nodes"] == {
        "product": {
            "item": True,
            "file": files,
            "key": "product_id",
            "columns": {"category_code": "category", "brand": "category", "*": "ignore"},
        }
    }
    assert parts(draft)["interactions"] == {
        "file": files,
        "user": "user_id",
        "item": "product_id",
        "time": "event_time",
        "time_format": "%Y-%m-%d %H:%M:%S %Z",
        "event": "event_type",
        "events": {"view": 1, "cart": 3, "purchase": 10},
    }
    graph = graph_of(tmp_path)
    assert graph.stats()["nodes"] == {"brand": 3, "category_code": 2, "product": 10}
    assert graph.interactions.time.min() == 1570752020


def test_a_column_of_positions_is_drafted_where_there_is_no_time(tmp_path):
    rows = [(user, (user + step * 3) % 8 + 1, step) for user in range(4) for step in range(4)]
    log = table("user_id,book_id,step", *rows)
    log_part = parts(draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": log}))["interactions"]
    assert log_part["position"] == "step"
    assert graph_of(tmp_path).interactions.position.tolist() == [0, 1, 2, 3] * 4
    # a number that a user has twice counts something else
    again = table("user_id,book_id,step", *((user, item, step // 2) for user, item, step in rows))
    assert "position" not in parts(draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": again}))["interactions"]


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "microseconds", "nanoseconds"])
def test_units_of_times(tmp_path, unit):
    factor = 1000 ** ["seconds", "milliseconds", "microseconds", "nanoseconds"].index(unit)
    log = table("user_id,book_id,ts", *((i % 4, i % 8 + 1, (1_500_000_000 + i) * factor) for i in range(16)))
    log_part = parts(draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": log}))["interactions"]
    assert log_part.get("time_unit", "seconds") == unit
    assert graph_of(tmp_path).interactions.time.tolist()[0] == 1_500_000_008


@pytest.mark.parametrize(
    ("header", "dense"),
    [
        ("citing,cited", False),
        ("paper_id,ref_id", True),
        ("source,target", True),
        ("paper_id_1,paper_id_2", True),
    ],
)
def test_papers_that_cite_papers(tmp_path, header, dense):
    ids = [i if dense else f"p{i}" for i in range(1, 13)]
    files = {
        "papers.csv": table(
            "paper_id,title", *((id_, f"Paper {'abcdefghijkl'[i]}") for i, id_ in enumerate(ids))
        ),
        "citations.csv": table(header, *((ids[i % 12], ids[(i * 5 + 1) % 12]) for i in range(36))),
        "reads.csv": table(
            "user,paper_id,time", *((f"u{i % 3}", ids[i % 12], 1_500_000_000 + i) for i in range(24))
        ),
    }
    mapping = parts(draft_of(tmp_path, files))
    one, other = header.split(",")
    assert mapping["edges"] == {
        "citations": {"file": "citations.csv", "from": {"paper": one}, "to": {"paper": other}}
    }
    assert mapping["interactions"]["file"] == "reads.csv"


def test_numbered_joins_and_one_row_per_item(tmp_path):
    files = {
        "movies.csv": table("id,title", *((i, f"Film {'abcdefghij'[i - 1]}") for i in range(1, 11))),
        "people.csv": table("id,name", *((i, f"Person {'abcdefghijklmno'[i - 1]}") for i in range(1, 16))),
        "cast.csv": table(
            "id,movie_id,person_id,part", *((i, i % 10 + 1, i % 15 + 1, f"part {i}") for i in range(1, 31))
        ),
        "directors.csv": table("movie_id,person_id", *((i, i % 4 + 1) for i in range(1, 11))),
    }
    draft = draft_of(tmp_path, files)
    ends = {"from": {"movie": "movie_id"}, "to": {"person": "person_id"}}
    assert parts(draft)["edges"] == {
        "cast": {"file": "cast.csv", **ends},
        "directors": {"file": "directors.csv", **ends},
    }
    assert list(parts(draft)["nodes"]) == ["movie", "person"]
    assert "cast.csv: id, part: not read, since edges have two ends and a weight" in draft.reasons


def test_baskets_in_two_files_are_said(tmp_path):
    files = {
        "products.csv": table(
            "product_id,product_name", *((i, f"Thing {'abcdefgh'[i - 1]}") for i in range(1, 9))
        ),
        "orders.csv": table("order_id,user_id,order_number", *((i, i % 4, i % 3 + 1) for i in range(1, 13))),
        "order_products.csv": table(
            "order_id,product_id,reordered", *((i % 12 + 1, i % 8 + 1, i % 2) for i in range(48))
        ),
    }
    draft = draft_of(tmp_path, files)
    assert "interactions" not in parts(draft)
    assert str(draft.doubts[0]) == (
        "order_products.csv has the items of each order_id, and orders.csv its user_id: together they are interactions,"
        " but a mapping cannot join two files. Write one file with the columns user_id and product_id, and draft again."
    )


def test_counts_of_subscribers_and_videos_are_no_log(tmp_path):
    files = {
        "channels.csv": table(
            "rank,country,subscribers,videos", *((i, "AB"[i % 2], i * 7 % 10, i % 5) for i in range(1, 21))
        ),
        "videos.csv": table("video_id,title", *((f"v{i}", f"Video {'abcdefghij'[i]}") for i in range(10))),
        "watches.csv": table(
            "viewer,video_id,at", *((f"x{i % 6}", f"v{i % 10}", 1_500_000_000 + i) for i in range(30))
        ),
    }
    draft = draft_of(tmp_path, files)
    assert parts(draft)["interactions"]["file"] == "watches.csv"
    assert list(parts(draft)["nodes"]) == ["video"]
    why = "no column is filled and unique, and none is clearly a reference to a table"
    assert f"channels.csv: *: left out, since {why}" in draft.reasons


def test_held_out_parts_and_copies_of_a_log_are_left_out(tmp_path):
    files = {
        "books.csv": BOOKS,
        "train.csv": RATINGS,
        "test.csv": RATINGS.replace("u1", "u9"),
        "history.csv": RATINGS,
    }
    draft = draft_of(tmp_path, files)
    assert parts(draft)["interactions"]["file"] == "train.csv"
    why = "its name is that of test rows, which must not be learned from: see kgrec evaluate"
    assert f"test.csv: *: left out, since {why}" in draft.reasons
    why = "100% of its rows are in train.csv"
    assert f"history.csv: *: left out, since {why}" in draft.reasons


def test_ids_in_another_form_are_shouted(tmp_path):
    log = table("user_id,book_id,liked", *((i % 4, f"{i % 8 + 1}.0", i % 2) for i in range(24)))
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": log})
    assert str(draft.doubts[0]) == (
        "log.csv: none of the values of book_id are keys of books.csv (book_id). Written without '.0' at the end, 100% are."
        " The other rows are ignored. Name the table of the items, or another column."
    )
    assert "  item: book_id  # CHECK 1\n" in draft.yaml and '  positive: ">= 1"\n' in draft.yaml


def test_a_log_without_the_name_of_a_user_is_shouted(tmp_path):
    log = table("who,book_id,stars", *((f"u{i % 4}", i % 8 + 1, i % 5 + 1) for i in range(24)))
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": log})
    assert parts(draft)["interactions"]["user"] == "who"
    assert draft.doubts[0].text.startswith("log.csv: no column is named like users; who is taken, since")


def test_friends_are_not_read(tmp_path):
    friends = table("userID,friendID", *((i % 4, (i + 1) % 4) for i in range(8)))
    log = table("userID,book_id,weight", *((i % 4, i % 8 + 1, 100 * i) for i in range(24)))
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "user_friends.csv": friends, "plays.csv": log})
    assert (
        "user_friends.csv: *: left out, since it joins users, and attributes of users are not read"
        in draft.reasons
    )
    assert "positive" not in parts(draft)["interactions"]


def test_what_is_asked_is_answered(tmp_path):
    files = {"makers.csv": "id,name\n1,Ann\n2,Bob\n", "tools.csv": "id,title\n7,One\n8,Two\n"}
    asked = []

    def last(doubt):
        asked.append(doubt.text)
        return len(doubt.answers) - 1

    draft = draft_of(tmp_path, files, last)
    assert parts(draft)["nodes"]["maker"]["item"] is True
    assert set(asked) == {"Which table has the items to recommend?"}
    assert "makers.csv: *: items, since you chose it" in draft.reasons
    # what has one answer is not asked
    assert [doubt.answers for doubt in draft.doubts] == [()]


def test_large_tables_are_compared_in_whole(tmp_path):
    # the first rows of the log name the last items of the catalogue
    items = "\n".join(["id,title", *(f"{i},Film number {i}" for i in range(30_000))])
    log = "\n".join(
        ["user,movie,rating", *(f"u{i % 90},{29_999 - i % 500},{i % 5 + 1}" for i in range(2_000))]
    )
    draft = draft_of(tmp_path, {"movies.csv": items + "\n", "ratings.csv": log + "\n"})
    assert "ratings.csv: movie: item, since 100% of its values are keys of movies.csv (id)" in draft.reasons


def test_columns_named_by_numbers(tmp_path):
    items = table("id,1,2,4", *((f"i{i}", "ab"[i % 2], "x|y" if i % 2 else "y", i % 7) for i in range(30)))
    draft = draft_of(tmp_path, {"items.csv": items})
    assert parts(draft)["nodes"]["item"]["columns"] == {
        "1": {"as": "category", "type": "column_1"},
        "2": {"as": "node", "type": "column_2", "edge": "2", "split": "|"},
        "4": "number",
    }


def test_codes_are_no_numbers(tmp_path):
    rows = [
        (f"i{i}", f"Place {'abcdefghij'[i]}", 9780000000000 + i, 8135550000 + i, 33600 + i % 3, 4.5, 700 + i)
        for i in range(10)
    ]
    places = table("place_id,name,isbn13,phone,zip_code,average_rating,review_count", *rows)
    draft = draft_of(tmp_path, {"places.csv": places})
    assert parts(draft)["nodes"]["place"]["columns"] == {
        "name": "label",
        "isbn13": "ignore",
        "phone": "ignore",
        "zip_code": "category",
        "average_rating": "number",
        "review_count": "ignore",
    }


@pytest.mark.parametrize(
    ("name", "cells", "separator"),
    [
        ("authors", ["Ann Bee", "Cy Dee", "Ann Bee, Cy Dee", "Flo Gee", "Gil Haa"], ", "),
        ("made_with", ["Ann Bee", "Cy Dee", "Ann Bee, Cy Dee", "Cy Dee", "Ann Bee"], ", "),
        ("genre", ["Drama", "War", "War, Drama", "Farce", "Noir"], ", "),
        ("genre", ["Drama", "War", "War/Drama", "War", "Drama"], "/"),
        ("author", ["Bee Ann", "Dee, Cy", "Bee, Ann", "Gee Flo", "Haa Gil"], None),
        ("city", ["Paris, France", "Rome", "Lyon, France", "Oslo", "Rome"], None),
        ("publisher", ["Simon, Inc.", "Orion", "Dover, Ltd", "Orion", "Dover"], None),
        ("publisher", ["Simon &amp; Sons", "Orion &amp; Co", "Dover", "Orion &amp; Co", "Dover"], None),
        ("band", ["AC/DC", "Abba", "Queen", "AC/DC", "Abba"], None),
    ],
)
def test_lists_in_few_of_the_cells(tmp_path, name, cells, separator):
    rows = [(f"i{i}", f"Film number {i}", f'"{cell}"') for i, cell in enumerate(cells * 4)]
    draft = draft_of(tmp_path, {"films.csv": table(f"id,title,{name}", *rows)})
    role = parts(draft)["nodes"]["film"]["columns"][name]
    assert (role["split"] if isinstance(role, dict) else None) == separator


def test_a_log_and_nothing_else(tmp_path):
    with pytest.raises(SourceError, match=r"log.csv is a log of interactions, and no file has the items"):
        draft_of(tmp_path, {"log.csv": table("user_id,item_id,rating", (1, 2, 3), (1, 3, 4), (2, 2, 5))})


SHOP = {
    "products.csv": table(
        "id,sku,name,stock", *((i, f"S-{i}", f"Thing {'abcdefgh'[i - 1]}", i % 5 + 1) for i in range(1, 9))
    ),
    "clicks.csv": table(
        "customer_id,product_id,at", *((i % 5, i % 8 + 1, f"2020-01-02T03:04:{i:02d}Z") for i in range(40))
    ),
    "purchases.csv": table(
        "customer_id,sku,at", *((i % 5, f"S-{i % 8 + 1}", "2020-01-03T03:04:05Z") for i in range(0, 40, 9))
    ),
    "materials.csv": table(
        "product_id,material", *((i % 8 + 1, ["wood", "steel"][i % 2]) for i in range(12))
    ),
    "similar.csv": table(
        "product_id,similar_product_id,score", *((i % 8 + 1, i * 3 % 8 + 1, i / 40) for i in range(30))
    ),
}


def test_logs_of_kinds_of_events_by_different_keys(tmp_path):
    mapping = parts(draft_of(tmp_path, SHOP))
    assert mapping["nodes"]["product"]["keys"] == ["id", "sku"]
    assert mapping["nodes"]["product"]["columns"]["stock"] == "number"
    assert mapping["interactions"] == [
        {"file": "clicks.csv", "user": "customer_id", "item": "product_id", "time": "at", "weight": 1},
        {
            "file": "purchases.csv",
            "user": "customer_id",
            "item": {"product.sku": "sku"},
            "time": "at",
            "weight": 10,
        },
    ]
    assert {name: (edge["from"], edge["to"]) for name, edge in mapping["edges"].items()} == {
        "materials": ({"product": "product_id"}, {"material": "material"}),
        "similar": ({"product": "product_id"}, {"product": "similar_product_id"}),
    }
    graph = graph_of(tmp_path)
    assert len(graph.interactions) == 40 and graph.report.missing == {}


def test_a_log_of_titles_without_names_of_columns(tmp_path):
    log = "".join(
        f"{100 + i % 7},The {'abcde'[i % 5]} game,{['purchase', 'play'][i % 2]},{i % 9 / 2},0\n"
        for i in range(40)
    )
    mapping = parts(draft_of(tmp_path, {"steam.csv": log}))
    assert mapping["nodes"]["item"]["columns"] == {"item": "label", "*": "ignore"}
    assert mapping["interactions"]["events"] == {"play": 1, "purchase": 10}
    assert graph_of(tmp_path).entities["label"].to_pylist()[:2] == ["The a game", "The b game"]


def test_columns_without_names_are_other_things_in_each_file(tmp_path):
    first = "".join(f"N{i},{'ab'[i % 2]},The {i}th piece of news\n" for i in range(20))
    other = "".join(f"C{i},{'abc'[i % 3]},City {'abcdefghijklmnopqrst'[i]}\n" for i in range(20))
    mapping = parts(draft_of(tmp_path, {"news.csv": first, "city.csv": other}))
    assert mapping["nodes"]["news"]["columns"]["column_2"] == {"as": "category", "type": "news_column_2"}
    assert mapping["nodes"]["city"]["columns"]["column_2"] == {"as": "category", "type": "city_column_2"}


def test_what_is_true_of_a_review_is_no_kind_of_event(tmp_path):
    log = table(
        "user_id,book_id,rating,verified",
        *((i % 4, i % 8 + 1, i % 5 + 1, ["true", "false"][i % 2]) for i in range(24)),
    )
    assert "event" not in parts(draft_of(tmp_path, {"books.csv": BOOKS, "log.csv": log}))["interactions"]


@pytest.mark.parametrize("name", ["id", "title_id"])
def test_numbers_of_items_under_another_name_are_a_log_to_be_checked(tmp_path, name):
    log = table(f"customer,{name}", *((f"u{i % 7}", i % 8 + 1) for i in range(40)))
    books = BOOKS.replace("book_id", "id")
    draft = draft_of(tmp_path, {"books.csv": books, "orders.csv": log})
    assert parts(draft)["interactions"] == {"file": "orders.csv", "user": "customer", "item": name}
    assert len(draft.doubts) == 1 and "by chance" in str(draft.doubts[0])


def test_few_numbers_among_those_of_the_items_are_no_log(tmp_path):
    log = table("customer,region_id", *((f"u{i % 7}", i % 3 + 1) for i in range(40)))
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "regions.csv": log})
    assert "interactions" not in parts(draft)


def test_a_column_whose_values_stand_in_another_of_its_table_refers_to_a_key_only(tmp_path):
    """`kind` is unique by chance, but no key."""
    rows = table("id,genres,kind", *((f"a{i}", f"w{i}", f"w{i + 1}") for i in range(8)), ("z", "w1", "w0"))
    draft = draft_of(tmp_path, {"items.csv": rows})
    assert "kind" not in str(parts(draft)["nodes"]["item"]["columns"]["genres"])


def test_ratings_with_decimal_commas_are_shouted(tmp_path):
    rows = "\n".join(["user;book_id;rating", *(f"u{i % 4};{i % 8 + 1};{i % 5},5" for i in range(24))]) + "\n"
    draft = draft_of(tmp_path, {"books.csv": BOOKS, "ratings.csv": rows})
    assert "value" not in parts(draft)["interactions"]
    (doubt,) = draft.doubts
    assert "rating is not read, since its numbers have decimal commas" in str(doubt)
