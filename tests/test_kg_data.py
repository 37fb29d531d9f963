"""The bundled catalogue: its facts are well formed, its files agree, its viewers can be simulated again."""

import csv
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pyoxigraph
import pytest
import yaml

import kg_data
from kg_data import simulate
from kg_data._tastes import ARCHETYPES

BASE = "https://example.org/"
BROADER = "http://www.w3.org/2004/02/skos/core#broader"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
SAME_AS = "http://www.w3.org/2002/07/owl#sameAs"
GENRE = "https://schema.org/genre"
NATIONALITY = "https://schema.org/nationality"
COLUMNS = [
    "movie_id",
    "title",
    "year",
    "overview",
    "genres",
    "directors",
    "cast",
    "country",
    "language",
    "runtime",
]
GENRES = {
    "Action",
    "Adventure",
    "Animation",
    "Biography",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "Film noir",
    "History",
    "Horror",
    "Music",
    "Mystery",
    "Romance",
    "Science fiction",
    "Sport",
    "Thriller",
    "War",
    "Western",
}

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names(rows: list[Row], *columns: str) -> list[str]:
    return [name for row in rows for column in columns for name in row[column].split("|") if name]


@pytest.fixture(scope="module")
def films() -> list[Row]:
    return read(kg_data.movies() / "movies.csv")


@pytest.fixture(scope="module")
def new_films() -> list[Row]:
    return read(kg_data.movies() / "new" / "movies.csv")


@pytest.fixture(scope="module")
def ratings() -> list[Row]:
    return read(kg_data.movies() / "interactions.csv")


@pytest.fixture(scope="module")
def facts() -> list[pyoxigraph.Quad]:
    path = kg_data.movies() / "people.ttl"
    return list(pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TURTLE))


def keys(facts: list[pyoxigraph.Quad], kind: str) -> set[str]:
    """The decoded keys of all subjects of a kind."""
    start = f"{BASE}{kind}/"
    return {unquote(q.subject.value.removeprefix(start)) for q in facts if q.subject.value.startswith(start)}


def objects(facts: list[pyoxigraph.Quad], predicate: str) -> set[str]:
    return {q.object.value for q in facts if q.predicate.value == predicate}


def test_there_are_enough_films_each_once_and_in_order(films: list[Row]) -> None:
    ids = [row["movie_id"] for row in films]
    assert len(ids) >= 300
    assert ids == sorted(set(ids))
    assert len({(row["title"], row["year"]) for row in films}) == len(films)


def test_the_rows_are_whole(films: list[Row], new_films: list[Row]) -> None:
    for row in films + new_films:
        assert list(row) == COLUMNS
        # the csv module gives None to a column that a short row lacks
        assert all(isinstance(value, str) and value == value.strip() for value in row.values()), row[
            "movie_id"
        ]
        assert all(row[column] for column in COLUMNS if column not in ("cast", "runtime")), row["movie_id"]


def test_identifiers_are_slugs_with_the_year(films: list[Row], new_films: list[Row]) -> None:
    for row in films + new_films:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row["movie_id"])
        assert row["movie_id"].endswith(f"-{row['year']}")


def test_years_and_runtimes_are_sane(films: list[Row], new_films: list[Row]) -> None:
    for row in films + new_films:
        assert 1895 <= int(row["year"]) <= 2025
        # Sátántangó, at seven hours, has no runtime here; nothing else is longer than this
        assert not row["runtime"] or 40 <= int(row["runtime"]) <= 330, row["movie_id"]


def test_genres_are_from_the_list(films: list[Row], new_films: list[Row]) -> None:
    assert set(names(films, "genres")) == GENRES
    assert set(names(new_films, "genres")) <= GENRES
    assert all(1 <= len(row["genres"].split("|")) <= 4 for row in films + new_films)


def test_lists_name_nothing_twice_and_nothing_empty(films: list[Row], new_films: list[Row]) -> None:
    for row in films + new_films:
        for column in ("genres", "directors", "cast", "country", "language"):
            parts = row[column].split("|")
            assert len(set(parts)) == len(parts), (row["movie_id"], column)
            assert row[column] == "" or all(part and part == part.strip() for part in parts)
        assert len(row["cast"].split("|")) <= 5


def test_overviews_say_something_and_each_something_else(films: list[Row], new_films: list[Row]) -> None:
    overviews = [row["overview"] for row in films + new_films]
    assert len(set(overviews)) == len(overviews)
    assert all(8 <= len(text.split()) <= 60 for text in overviews)


def test_people_recur_so_that_the_graph_connects_films(films: list[Row]) -> None:
    counts = Counter(names(films, "directors", "cast"))
    assert sum(count >= 3 for count in counts.values()) >= 100


def test_no_person_is_spelled_in_two_ways(films: list[Row], new_films: list[Row]) -> None:
    bare: dict[str, set[str]] = {}
    for name in names(films + new_films, "directors", "cast"):
        bare.setdefault(re.sub(r"[\W_]", "", strip_marks(name)).lower(), set()).add(name)
    assert [spellings for spellings in bare.values() if len(spellings) > 1] == []


def strip_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def test_every_subject_of_the_turtle_file_is_in_the_table(
    films: list[Row], facts: list[pyoxigraph.Quad]
) -> None:
    assert keys(facts, "movie") <= {row["movie_id"] for row in films}
    assert keys(facts, "person") <= set(names(films, "directors", "cast"))
    kinds = {q.subject.value.removeprefix(BASE).split("/")[0] for q in facts}
    assert kinds == {"genre", "movie", "person", "series", "work"}


def test_iris_are_encoded_as_the_mapping_encodes_keys(facts: list[pyoxigraph.Quad]) -> None:
    nodes = [n.value for q in facts for n in (q.subject, q.object) if isinstance(n, pyoxigraph.NamedNode)]
    ours = [iri for iri in nodes if iri.startswith(BASE)]
    assert ours
    for iri in ours:
        kind, key = iri.removeprefix(BASE).split("/")
        assert iri == f"{BASE}{kind}/{quote(unquote(key), safe='')}"


def test_subgenres_have_a_broader_genre_that_exists(facts: list[pyoxigraph.Quad]) -> None:
    known = {f"{BASE}genre/{quote(genre)}" for genre in GENRES}
    subgenres = {q.subject.value for q in facts if q.subject.value.startswith(f"{BASE}genre/")}
    assert subgenres.isdisjoint(known)
    for subgenre in subgenres:
        broader = {
            q.object.value for q in facts if q.subject.value == subgenre and q.predicate.value == BROADER
        }
        assert broader and broader <= known, subgenre
    assert objects(facts, GENRE) == subgenres


def test_everything_that_only_the_turtle_file_names_has_a_label(facts: list[pyoxigraph.Quad]) -> None:
    labels = Counter(q.subject.value for q in facts if q.predicate.value == LABEL)
    for kind in ("genre", "series", "work"):
        subjects = {q.subject.value for q in facts if q.subject.value.startswith(f"{BASE}{kind}/")}
        assert subjects and all(labels[subject] == 1 for subject in subjects)


def test_same_as_joins_no_two_nodes(facts: list[pyoxigraph.Quad]) -> None:
    same = [q for q in facts if q.predicate.value == SAME_AS]
    assert len(same) == len({q.subject for q in same}) == len({q.object for q in same})
    assert all(q.object.value.startswith("http://dbpedia.org/resource/") for q in same)


def test_nationalities_are_countries_of_the_table(films: list[Row], facts: list[pyoxigraph.Quad]) -> None:
    countries = {f"{BASE}country/{quote(name)}" for name in names(films, "country")}
    assert objects(facts, NATIONALITY) <= countries


def test_new_films_are_not_in_the_catalogue(
    films: list[Row], new_films: list[Row], ratings: list[Row], facts: list[pyoxigraph.Quad]
) -> None:
    new = {row["movie_id"] for row in new_films}
    assert len(new) == len(new_films) > 0
    assert new.isdisjoint(row["movie_id"] for row in films)
    assert new.isdisjoint(row["movie_id"] for row in ratings)
    assert new.isdisjoint(keys(facts, "movie"))
    # a new film is recommendable as it shares people with films that were trained on
    assert set(names(new_films, "directors", "cast")) & set(names(films, "directors", "cast"))


def test_the_viewers_are_600_and_rate_known_films_once(films: list[Row], ratings: list[Row]) -> None:
    assert list(ratings[0]) == ["user_id", "movie_id", "rating", "timestamp"]
    assert {row["movie_id"] for row in ratings} <= {row["movie_id"] for row in films}
    counts = Counter(row["user_id"] for row in ratings)
    assert sorted(counts) == [f"viewer-{number:03}" for number in range(1, 601)]
    assert all(8 <= count <= 120 for count in counts.values())
    assert len({(row["user_id"], row["movie_id"]) for row in ratings}) == len(ratings)


def test_ratings_use_the_whole_scale_and_half_are_positive(ratings: list[Row]) -> None:
    stars = np.array([int(row["rating"]) for row in ratings])
    assert set(stars.tolist()) == {1, 2, 3, 4, 5}
    assert 0.4 <= float((stars >= 4).mean()) <= 0.6


def test_nobody_rates_a_film_in_the_year_of_its_release_or_before(
    films: list[Row], ratings: list[Row]
) -> None:
    years = {row["movie_id"]: int(row["year"]) for row in films}
    for row in ratings:
        rated = datetime.fromtimestamp(int(row["timestamp"]), UTC)
        assert 2019 <= rated.year <= 2024
        assert rated.year > years[row["movie_id"]]


def test_the_simulation_writes_the_bundled_file_byte_for_byte(tmp_path: Path) -> None:
    written = simulate.simulate(kg_data.movies(), tmp_path / "again.csv")
    again = (tmp_path / "again.csv").read_bytes()
    assert again == (kg_data.movies() / "interactions.csv").read_bytes()
    assert again.count(b"\n") == written + 1


def test_a_taste_for_what_no_film_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHETYPES, "a typo", ("genre:Wetsern",))
    with pytest.raises(ValueError, match="genre:Wetsern"):
        simulate.archetypes(simulate.load(kg_data.movies()).tags)


def test_tastes_know_facts_that_only_the_turtle_file_tells() -> None:
    catalogue = simulate.load(kg_data.movies())
    kinds = {tag.split(":", 1)[0] for tag in catalogue.tags}
    assert kinds == set(simulate.KINDS)
    heists = catalogue.weights[:, catalogue.tags.index("subgenre:Heist")]
    assert heists[catalogue.ids.index("inception-2010")] > 0
    assert heists[catalogue.ids.index("amour-2012")] == 0


def test_viewers_rate_films_of_their_subgenres_more_often_than_chance(ratings: list[Row]) -> None:
    catalogue = simulate.load(kg_data.movies())
    column = catalogue.weights[:, catalogue.tags.index("subgenre:Neo-noir")] > 0
    noir = {film for film, carries in zip(catalogue.ids, column, strict=True) if carries}
    seen: dict[str, list[bool]] = {}
    for row in ratings:
        seen.setdefault(row["user_id"], []).append(row["movie_id"] in noir)
    shares = np.array([np.mean(flags) for flags in seen.values()])
    expected = float(np.mean([flag for flags in seen.values() for flag in flags]))
    chance = np.mean([expected * (1 - expected) / len(flags) for flags in seen.values()])
    # were all viewers alike, the shares would vary by sampling alone
    assert shares.var() > 1.3 * chance


def test_the_mapping_names_files_and_columns_that_exist(films: list[Row], ratings: list[Row]) -> None:
    mapping = yaml.safe_load((kg_data.movies() / "kgrec.yaml").read_text(encoding="utf-8"))
    movie, log = mapping["nodes"]["movie"], mapping["interactions"]
    assert {movie["key"], *movie["columns"]} == set(films[0])
    assert {log["user"], log["item"], log["value"], log["time"]} == set(ratings[0])
    assert all((kg_data.movies() / part["file"]).is_file() for part in (movie, log, *mapping["rdf"]))


def test_the_folder_is_small_and_says_that_the_viewers_are_simulated() -> None:
    package = kg_data.movies().parent
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 2_500_000
    readme = (kg_data.movies() / "README.md").read_text(encoding="utf-8")
    assert "viewers are simulated" in readme
    assert "simulated" in str(simulate.__doc__) and "No real person's data" in str(simulate.__doc__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, kg_data; print([m for m in ('numpy', 'pyoxigraph', 'torch', 'kgrec') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
