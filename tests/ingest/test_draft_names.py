"""What names of columns and files are names of."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.ingest.draft import names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("User-ID", ("user", "id")),
        ("userId", ("user", "id")),
        ("USER_ID", ("user", "id")),
        ("userIDs", ("user", "ids")),
        ("user id", ("user", "id")),
        ("Book-Rating", ("book", "rating")),
        ("unixReviewTime", ("unix", "review", "time")),
        ("ISBN13", ("isbn", "13")),
        ("visitorid", ("visitorid",)),
        ("", ()),
    ],
)
def test_the_words_of_a_name(name, words):
    assert names.words(name) == words


@pytest.mark.parametrize(
    ("fits", "those", "others"),
    [
        (
            lambda name: names.user_rank(name) == 3,
            ["User-ID", "userId", "visitorid", "uid", "CustomerID", "reviewerID", "fullVisitorId"],
            ["user", "subscribers", "session_id", "user_rating", "used_id"],
        ),
        (lambda name: names.user_rank(name) == 1, ["users", "subscribers", "viewers"], ["user", "views"]),
        (
            lambda name: names.item_rank(name) == 3,
            ["ISBN", "itemid", "movieId", "Book-ID", "asin", "product_id", "StockCode"],
            ["goodreads_book_id", "movies", "rating", "Book-Rating", "image_url"],
        ),
        (
            names.is_id,
            ["User-ID", "ISBN", "parentid", "tagID", "book_id", "id"],
            ["paid", "valid", "title", "1"],
        ),
        (
            names.is_rating,
            ["Book-Rating", "rating", "stars_given", "liked", "is_recommended"],
            ["ratings_count", "price"],
        ),
        (names.is_count, ["play_count", "listens", "Quantity", "num_plays", "hours"], ["rating", "country"]),
        (
            names.is_time,
            ["timestamp", "event_time", "created_at", "Date", "unixReviewTime"],
            ["times_played", "status"],
        ),
        (names.is_event, ["event_type", "event", "behavior", "actionType"], ["genre", "eventful"]),
        (
            names.is_popularity,
            [
                "ratings_count",
                "num_votes",
                "work_text_reviews_count",
                "ratings_5",
                "vote_count",
                "views",
                "numberOfReviews",
            ],
            ["books_count", "average_rating", "page_count", "price", "year"],
        ),
        (names.is_code, ["isbn13", "ISBN", "Phone-Number", "ean", "fax"], ["phonetic", "description"]),
        (names.is_area, ["zip_code", "zipcode", "Postal-Code"], ["zipper"]),
    ],
)
def test_what_columns_are_names_of(fits, those, others):
    assert [name for name in those if not fits(name)] == []
    assert [name for name in others if fits(name)] == []


@pytest.mark.parametrize(
    ("file", "key", "type_"),
    [
        ("category_tree.csv", "categoryid", "category"),
        ("genome-tags.csv", "tagId", "genome_tag"),
        ("BX-Books.csv", "ISBN", "bx_book"),
        ("BX-Books.csv", "Book-ID", "book"),
        ("movies_metadata.csv", "movie_id", "movie"),
        ("people.csv", "id", "person"),
        ("u.item", "id", "item"),
    ],
)
def test_the_type_of_a_file(file, key, type_):
    assert names.type_of_file(Path(file), key) == type_


@pytest.mark.parametrize(
    ("name", "taken", "type_"),
    [
        ("1", (), "column_1"),
        ("4.5", (), "column_4_5"),
        ("--", (), "column_value"),
        ("actor_1_name", (), "actor"),
        ("genres", ("genre",), "genre_value"),
        ("Größe", (), "größe"),
    ],
)
def test_the_type_of_values(name, taken, type_):
    assert names.type_of_values(name, taken) == type_


@pytest.mark.parametrize(
    ("name", "is_held_out", "rank"),
    [
        ("test.csv", True, 0),
        ("ratings_test.csv", True, 2),
        ("u1.test", True, 0),
        ("latest_news.csv", False, 0),
        ("ratings.csv", False, 2),
        ("history.csv", False, 1),
        ("u.data", False, 2),
        ("books.csv", False, 0),
    ],
)
def test_names_of_logs(name, is_held_out, rank):
    assert (names.is_held_out(Path(name)), names.log_rank(Path(name))) == (is_held_out, rank)
