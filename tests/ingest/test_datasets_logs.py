"""Imports of logs without a header, of arrays, and of names beside ids."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from test_datasets import BASE, KGAT, KGCN, LATEST, RECBOLE, TRIPLES, dropped, edges, imported, mapping, text

import kgrec
from kgrec.errors import SourceError
from kgrec.ingest.datasets.sequence import is_sequence
from kgrec.ingest.datasets.shapes import log_shape, part_of

RATINGS = "0\t0\t1\n0\t1\t0\n1\t1\t1\n1\t2\t0\n2\t2\t1\n2\t0\t0\n"
KG = "0\t0\t3\n1\t0\t3\n2\t1\t4\n"


def array(*rows: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(rows), allow_pickle=False)
    return stream.getvalue()


def rows_of(content: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split())) for line in content.splitlines()]


@pytest.mark.parametrize("suffix", ["txt", "npy"])
def test_kg_final_and_ratings_final(tmp_path: Path, suffix: str):
    files = {"ratings_final": RATINGS, "kg_final": KG}
    as_array = {f"{name}.npy": array(*rows_of(content)) for name, content in files.items()}
    as_text = {f"{name}.txt": content for name, content in files.items()}
    out, done = imported(tmp_path, as_array if suffix == "npy" else as_text)
    assert done.format == "log"
    assert text(out, "interactions.csv") == "user_id,item_id\n0,0\n1,1\n2,2\n"
    assert text(out, "items.csv") == "item_id\n0\n1\n2\n"
    assert text(out, "knowledge.nt").splitlines() == [
        f"<{BASE}/item/0> <{BASE}/relation/0> <{BASE}/entity/3> .",
        f"<{BASE}/item/1> <{BASE}/relation/0> <{BASE}/entity/3> .",
        f"<{BASE}/item/2> <{BASE}/relation/1> <{BASE}/entity/4> .",
    ]
    assert dropped(done, f"ratings_final.{suffix}") == {
        "is a sampled negative (label 0), not an interaction": (
            3,
            [f"ratings_final.{suffix}:{n}" for n in (2, 4, 6)],
        )
    }
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"entity": 2, "item": 3} and graph.stats()["interactions"] == 3


def labelled(users: int, items: int, *, per: int, label: int | None = None, shift: int = 0) -> str:
    return "".join(
        f"{user}\t{(user * 7 + i + shift) % items}\t{i % 2 if label is None else int(i >= label)}\n"
        for user in range(users)
        for i in range(per)
    )


def test_train_and_test_of_user_item_label_are_a_log_and_held_out_rows(tmp_path: Path):
    """They were read as triples, of train.txt alone."""
    files = {"train.txt": labelled(10, 20, per=6), "test.txt": labelled(10, 20, per=2, shift=10)}
    out, done = imported(tmp_path, files)
    assert done.format == "log"
    assert done.written == {"interactions.csv": 30, "test.csv": 10, "items.csv": 20}
    assert "rdf" not in mapping(out)
    assert "Held out, and therefore not in kgrec.yaml: test.csv." in done.remarks
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["interactions"] == 30


def test_labels_that_are_not_balanced_are_answers_of_users(tmp_path: Path):
    out, done = imported(tmp_path, {"train.tsv": labelled(10, 20, per=6, label=1)})
    assert mapping(out)["interactions"]["positive"] == "> 0"
    assert done.report.files["train.tsv"].used == 60
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.interactions is not None and int(graph.interactions.positive.sum()) == 50


@pytest.mark.parametrize("delimiter", ["\t", "::", ",", ";", " "])
def test_ratings_and_times_with_any_delimiter(tmp_path: Path, delimiter: str):
    rows = [(u, i, 1 + (u + i) % 5, 978_300_000 + u) for u in range(5) for i in range(8)]
    content = "\n".join(delimiter.join(map(str, row)) for row in rows)
    out, done = imported(
        tmp_path, {"ml.train.rating": content, "ml.test.rating": content, "ml.test.negative": "(0,1)\t2\n"}
    )
    assert mapping(out)["interactions"] == {
        "file": "interactions.csv",
        "user": "user_id",
        "item": "item_id",
        "value": "rating",
        "positive": ">= 4",
        "time": "timestamp",
    }
    assert done.written["interactions.csv"] == done.written["test.csv"] == 40
    assert done.unread == ["ml.test.negative"]
    assert text(out, "interactions.csv").splitlines()[1] == "0,0,1,978300000"


def test_users_and_items_may_be_words(tmp_path: Path):
    content = "".join(f"u{u}\tB00{i}\t{1 + (u * i) % 5}\n" for u in range(5) for i in range(8))
    out, _ = imported(tmp_path, {"ratings.tsv": content})
    assert text(out, "items.csv").splitlines()[:3] == ["item_id", "B000", "B001"]


def test_numbers_of_other_things_are_not_joined_to_the_items(tmp_path: Path):
    files = {"ratings_final.txt": RATINGS, "kg_final.txt": "10\t0\t13\n11\t0\t13\n12\t1\t14\n"}
    with pytest.raises(SourceError) as error:
        imported(tmp_path, files)
    assert error.value.problem == (
        "0 of 3 items are entities of kg_final.txt, so items and entities are numbered differently."
    )
    assert "item_index2entity_id.txt" in error.value.remedy


TRIPLES_OF_NUMBERS = "".join(f"{head}\t{head % 3}\t{head + 7}\n" for head in range(40))


def test_triples_of_numbers_are_triples(tmp_path: Path):
    for name in ("kg.txt", "train.txt", "facts.tsv"):
        _, done = imported(tmp_path / name, {name: TRIPLES_OF_NUMBERS})
        assert done.format == "triples"


def test_what_looks_like_a_log_is_not_read_as_triples_beside_them(tmp_path: Path):
    with pytest.raises(SourceError) as error:
        imported(tmp_path, {"a.tsv": labelled(9, 20, per=6), "b.tsv": labelled(9, 30, per=6)})
    assert error.value.problem == "These files are in no known format: a.tsv, b.tsv."
    assert "kgrec init" in error.value.remedy and str(tmp_path / "source" / "a.tsv") in error.value.remedy
    with pytest.raises(SourceError, match="Exactly one log"):
        imported(tmp_path, {"a.tsv": labelled(9, 20, per=6), "b.tsv": labelled(9, 30, per=6)}, format="log")


def test_a_log_beside_a_list_of_the_items_of_users(tmp_path: Path):
    """Three columns on every line are all items of a user, unless users repeat."""
    lists = "".join(f"{user} {user} {user + 1}\n" for user in range(9))
    _, done = imported(tmp_path, {"train.txt": lists, "test.txt": "0 3 4\n"})
    assert done.format == "kgat" and done.written["interactions.csv"] == 18
    pairs = labelled(9, 20, per=6).replace("\t", " ")
    _, done = imported(tmp_path / "pairs", {"train.txt": pairs, "test.txt": pairs})
    assert done.format == "log"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nonsense", "ratings_final.npy is not a readable NumPy array: "),
        (b"", "ratings_final.npy is not a readable NumPy array: "),
        (array((0, 0, 1))[:-3], "ratings_final.npy is not a readable NumPy array: "),
        (array((0, 0, 1, 5, 5)), "Exactly one log"),
    ],
)
def test_arrays_that_cannot_be_read(tmp_path: Path, content: bytes, problem: str):
    with pytest.raises(SourceError) as error:
        imported(tmp_path, {"ratings_final.npy": content}, format="log")
    assert error.value.problem.startswith(problem)


def test_arrays_of_features_beside_a_log_are_not_read(tmp_path: Path):
    files = {"ratings_final.npy": array(*rows_of(RATINGS)), "train_features.npy": b"x", "user_emb.npy": b"x"}
    _, done = imported(tmp_path, files)
    assert done.unread == ["train_features.npy", "user_emb.npy"]


@pytest.mark.parametrize("values", [np.array([["a"]], dtype=object), np.ones((2, 3)), np.ones(3, dtype=int)])
def test_arrays_of_objects_are_never_loaded(tmp_path: Path, values: np.ndarray):
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    with pytest.raises(
        SourceError, match=r"ratings_final.npy (is not a readable NumPy array|holds an array)"
    ):
        imported(tmp_path, {"ratings_final.npy": stream.getvalue()}, format="log")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.txt", "train"),
        ("ml.train.rating", "train"),
        ("training.tsv", "train"),
        ("val.txt", "valid"),
        ("dev.tsv", "valid"),
        ("test2.txt", "test"),
        ("latest.txt", None),
        ("trains.txt", None),
        ("contest_a.txt", None),
    ],
)
def test_parts_are_known_by_their_names(name: str, part: str | None):
    assert part_of(name) == part


@pytest.mark.parametrize(
    "content",
    ["user\titem\tlabel\n1\t2\t1\n", "1\t2\n", "1\t2\t3\t4\n", "a\tb\tc\n", "1\t2\t1\n1\t2\n", "", "\n\n"],
)
def test_other_files_are_no_logs(tmp_path: Path, content: str):
    (tmp_path / "any.txt").write_text(content)
    assert log_shape(tmp_path / "any.txt", "any.txt") is None


# names beside ids


def labels_of(graph: kgrec.KnowledgeGraph, type_: str) -> dict[str, str]:
    rows = graph.entities.select(["type", "key", "label"]).to_pylist()
    return {row["key"]: row["label"] for row in rows if row["type"] == type_}


@pytest.mark.parametrize(
    "names",
    [
        {"item_map.txt": "0\tOne, the first\n1\tTwo\n2\tThree\n"},
        {"item_map.txt": "One, the first\t0\nTwo\t1\nThree\t2\n"},
        {"item_list.txt": "name id\nOne, the first 0\nTwo 1\nThree 2\n"},
        {"movies.names": "0 One, the first\n1 Two\n2 Three\n"},
        {"item2id.txt": "3\nOne, the first\t0\nTwo\t1\nThree\t2\n"},
        {"i_map.dat": "0::One, the first\n1::Two\n2::Three\n"},
        {"item_names.csv": 'id,name\n0,"One, the first"\n1,Two\n2,Three\n'},
    ],
    ids=str,
)
def test_names_of_items(tmp_path: Path, names: dict[str, str | bytes]):
    out, done = imported(tmp_path, {"ratings_final.txt": RATINGS, "kg_final.txt": KG, **names})
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "item") == {"0": "One, the first", "1": "Two", "2": "Three"}
    assert f"{next(iter(names))}: the names of 3 of 3 items." in done.remarks


@pytest.mark.parametrize(
    "names",
    [
        {"entity_list.txt": 'Drama 3\nWar "II" 4\n', "relation_list.txt": "has genre 0\nin 1\n"},
        {"entity2id.txt": '2\nDrama\t3\nWar "II"\t4\n', "relation2id.txt": "2\nhas genre\t0\nin\t1\n"},
        {"entities.dict": '3\tDrama\n4\tWar "II"\n', "relations.dict": "0\thas genre\n1\tin\n"},
        {"e_map.dat": '3\tDrama\n4\tWar "II"\n', "r_map.dat": "0\thas genre\n1\tin\n"},
    ],
    ids=str,
)
def test_names_of_entities_and_relations(tmp_path: Path, names: dict[str, str | bytes]):
    out, _ = imported(tmp_path, {"ratings_final.txt": RATINGS, "kg_final.txt": KG, **names})
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "entity") == {"3": "Drama", "4": 'War "II"'}
    assert edges(graph, "item", "0") == {("out", "has%20genre", "entity", "3")}


def test_other_numbers_beside_ids_are_no_names(tmp_path: Path):
    out, done = imported(
        tmp_path, {"ratings_final.txt": RATINGS, "item_map.txt": "0\t1193\n1\t661\n2\t914\n"}
    )
    assert text(out, "items.csv") == "item_id,other_id\n0,1193\n1,661\n2,914\n"
    assert "item_map.txt: the other ids of 3 of 3 items." in done.remarks


ARTISTS = "id\tname\turl\n51\tDuran Duran\thttp://a/51\n52\tMorcheeba\thttp://a/52\n53\tAir\thttp://a/53\n"


def test_names_by_the_other_ids(tmp_path: Path):
    files = {"ratings_final.txt": RATINGS, "item_map.txt": "51 0\n52 1\n53 2\n", "artists.dat": ARTISTS}
    out, done = imported(tmp_path, files)
    assert text(out, "items.csv") == ("item_id,name,other_id\n0,Duran Duran,51\n1,Morcheeba,52\n2,Air,53\n")
    assert done.unread == []


def test_item_map_gives_kgat_the_original_ids_as_item_list_does(tmp_path: Path):
    files = {
        "train.txt": "0 0 1\n1 2\n",
        "test.txt": "0 2\n",
        "item_map.txt": "51 0\n52 1\n53 2\n",
        "artists.dat": ARTISTS,
    }
    out, _ = imported(tmp_path, files | {"user_map.txt": "900 0\n901 1\n"})
    assert text(out, "interactions.csv") == "user_id,item_id\n900,51\n900,52\n901,53\n"
    assert text(out, "test.csv") == "user_id,item_id\n900,53\n"
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "item") == {"51": "Duran Duran", "52": "Morcheeba", "53": "Air"}


def test_a_list_of_ids_names_and_addresses_is_no_list_of_triples(tmp_path: Path):
    mappings = "".join(f"{n}\tArtist {n}\thttp://dbpedia.org/resource/A{n}\n" for n in range(30))
    with pytest.raises(SourceError, match="in no known format"):
        imported(tmp_path, {"mappings.tsv": mappings})
    facts = "".join(f"A{n}\tgenre\tRock\n" for n in range(30))
    _, done = imported(tmp_path / "both", {"mappings.tsv": mappings, "facts.tsv": facts})
    assert "facts.tsv" in done.report.files and done.report.files["facts.tsv"].used == 30
    assert "knowledge.nt" in done.written and done.written["knowledge.nt"] == 30


def test_a_log_of_iris_with_lists_of_edges_and_names(tmp_path: Path):
    """The layout of entity2rec: one file per property, and a fourth column that is always -1."""
    iri = "http://dbpedia.org/resource/A"
    files: dict[str, str | bytes] = {
        "train.dat": "".join(
            f"{u} {iri}{(u + i) % 9} {i % 3 != 0:d} -1\n" for u in range(9) for i in range(5)
        ),
        "test.dat": f"1 {iri}8 1 -1\n",
        "mappings.tsv": "".join(f"{n}\tArtist {n}\t{iri}{n}\n" for n in range(9)),
        "dbo_genre.edgelist": "".join(f"{iri}{n} http://dbpedia.org/resource/Rock\n" for n in range(9)),
        "dbo_band.edgelist": f"{iri}1 {iri}2\n",
    }
    out, done = imported(tmp_path, files)
    assert (done.format, done.unread) == ("log", [])
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"item": 9, "resource": 1}
    assert labels_of(graph, "item")[f"{iri}3"] == "Artist 3"
    assert edges(graph, "item", f"{iri}1") == {
        ("out", "dbo_band", "item", f"{iri}2"),
        ("out", "dbo_genre", "resource", "http://dbpedia.org/resource/Rock"),
    }
    assert graph.interactions is not None and mapping(out)["interactions"]["positive"] == "> 0"


def test_lists_that_begin_with_the_number_of_their_items_have_no_users(tmp_path: Path):
    """In CTR's layout the user is the number of the line; a count must not become the user."""
    counted = {"train.txt": "3 1 2 3\n2 4 5\n1 6\n1 7\n", "test.txt": "1 4\n1 5\n1 6\n"}
    with pytest.raises(SourceError, match="in no known format"):
        imported(tmp_path, counted)


def test_names_of_other_ids_are_not_joined(tmp_path: Path):
    out, done = imported(
        tmp_path, {"ratings_final.txt": RATINGS, "item_map.txt": "70\tOne\n80\tTwo\n90\tThree\n"}
    )
    assert text(out, "items.csv") == "item_id\n0\n1\n2\n"
    assert "item_map.txt: left out, because few of its ids are ids of the items." in done.remarks


def test_names_beside_the_keys_and_beside_the_numbers_of_kgat(tmp_path: Path):
    for number, names in enumerate(("B00A\tOne\nB00B\tTwo\nB00C\tThree\n", "0\tOne\n1\tTwo\n2\tThree\n")):
        out, _ = imported(tmp_path / str(number), KGAT | {"item_map.txt": names})
        graph = kgrec.build_graph(out / "kgrec.yaml")
        assert labels_of(graph, "item") == {"B00A": "One", "B00B": "Two", "B00C": "Three"}


def test_names_of_kgcn(tmp_path: Path):
    names = {"item_map.txt": "52\tOne\n57\tTwo\n", "entity2text.txt": "20\tRome\n21\tItaly\n"}
    out, done = imported(tmp_path, KGCN | names)
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "item") == {"52": "One", "57": "Two"}
    assert labels_of(graph, "entity") == {"20": "Rome", "21": "Italy"}
    assert done.unread == []


def test_names_of_recbole(tmp_path: Path):
    files = {name: content for name, content in RECBOLE.items() if name != "toy.item"}
    out, _ = imported(
        tmp_path,
        files | {"toy.names": "i1\tOne\ni2\tTwo\ni3\tThree\ni9\tNine\n", "toy.entity_names": "m.7\tDrama\n"},
    )
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "item") == {"i1": "One", "i2": "Two", "i3": "Three", "i9": "Nine"}
    assert labels_of(graph, "entity")["m.7"] == "Drama"


def test_names_of_triples(tmp_path: Path):
    names = {"entity2text.txt": "a\tAda\nb\tBob\nc c\tCy\n", "relation2text.txt": "knows\tis a friend of\n"}
    out, _ = imported(tmp_path, {"people.tsv": TRIPLES, **names})
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert labels_of(graph, "item") == {"a": "Ada", "b": "Bob"} and labels_of(graph, "entity") == {
        "c c": "Cy"
    }
    assert edges(graph, "item", "a") == {("out", "is%20a%20friend%20of", "item", "b")}


# siblings of known layouts


def test_kgcn_with_kg_final(tmp_path: Path):
    """kg_final numbers the items by their line in item_index2entity_id.txt."""
    files = {
        "item_index2entity_id_rehashed.txt": "52\t10\n57\t11\n",
        "ratings_final.npy": array((0, 0, 1), (0, 1, 0), (1, 1, 1)),
    }
    out, done = imported(tmp_path, files | {"kg_final.txt": "0\t0\t2\n1\t0\t2\n"})
    assert done.format == "kgcn"
    assert text(out, "interactions.csv") == "user_id,item_id\n0,52\n1,57\n"
    assert text(out, "knowledge.nt").splitlines() == [
        f"<{BASE}/item/52> <{BASE}/relation/0> <{BASE}/entity/2> .",
        f"<{BASE}/item/57> <{BASE}/relation/0> <{BASE}/entity/2> .",
    ]


@pytest.mark.parametrize(
    ("name", "content", "first", "positive"),
    [
        (
            "ratings.dat",
            "1::52::5::978300760\n1::57::2::978300761\n1::99::2::978300761\n",
            "1,52,5,978300760",
            ">= 4",
        ),
        (
            "BX-Book-Ratings.csv",
            '"User-ID";"ISBN";"Book-Rating"\n"1";"52";"0"\n"1";"57";"8"\n"1";"Caf\xe9";"8"\n'.encode(
                "latin-1"
            ),
            "1,52,0",
            None,
        ),
    ],
)
def test_other_logs_of_kgcn(
    tmp_path: Path, name: str, content: str | bytes, first: str, positive: str | None
):
    files = {other: text_ for other, text_ in KGCN.items() if other != "user_artists.dat"}
    out, done = imported(tmp_path, files | {name: content})
    assert text(out, "interactions.csv").splitlines()[1] == first
    assert mapping(out)["interactions"].get("positive") == positive
    assert done.report.files[name].used == 2


@pytest.mark.parametrize("delimiter", [" ", "\t"])
def test_kgat_with_kg_txt_and_val_txt(tmp_path: Path, delimiter: str):
    kg = "0 0 3\n3 1 2\n".replace(" ", delimiter)
    out, done = imported(tmp_path, {"train.txt": "0 0 1\n1 2\n", "val.txt": "0 2\n", "kg.txt": kg})
    assert done.format == "kgat" and done.written["valid.csv"] == 1
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["nodes"] == {"entity": 1, "item": 3}


def test_movielens_as_on_kaggle(tmp_path: Path):
    files = {name.replace("s.csv", ".csv"): content for name, content in LATEST.items()}
    files["rating.csv"] = (
        '"userId","movieId","rating","timestamp"\n1,1,4.0,"2005-04-02 23:53:47"\n1,2,0.5,"soon"\n'
    )
    out, done = imported(tmp_path, files)
    assert (done.format, done.unread) == ("ml-latest", [])
    assert dropped(done, "rating.csv") == {
        "has a timestamp that is not a number": (1, ['rating.csv:3: "soon"'])
    }
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.interactions is not None
    assert graph.interactions.time.tolist() == [1_112_486_027]
    assert ("out", "tagged", "tag", "pixar") in edges(graph, "movie", "1")


def test_tags_of_ml_10m(tmp_path: Path):
    files = {
        "ratings.dat": "1::1::5::978300760\n2::2::1::978300761\n",
        "movies.dat": "1::Se7en (1995)::Crime\n2::Ran (1985)::Drama\n",
        "tags.dat": "1::1::Dark::978300760\n2::1::dark::978300761\n",
    }
    out, done = imported(tmp_path, files)
    assert text(out, "tags.csv") == "movie_id,tag,users\n1,dark,2\n" and done.unread == []


def test_lines_of_sasrec_are_in_order(tmp_path: Path):
    out, done = imported(tmp_path, {"Beauty.txt": "1 7\n1 3\n1 5\n2 3\n2 7\n"})
    assert done.format == "sasrec" and "are consecutive" in done.reason
    assert text(out, "interactions.csv") == "user_id,item_id\n1,7\n1,3\n1,5\n2,3\n2,7\n"
    assert mapping(out)["interactions"]["order"] == "rows"
    log = kgrec.build_graph(out / "kgrec.yaml").interactions
    assert [log.items[row] for row in log.item] == ["7", "3", "5", "3", "7"] and log.ordered


@pytest.mark.parametrize(
    "lines", ["1 7\n2 3\n1 5\n", "1 7\n2 3\n", "1 7\n1 3\n", "1 7 5\n1 3 4\n2 1 1\n", "a 7\na 3\nb 7\n"]
)
def test_lines_that_do_not_stand_by_user_are_not_read_as_sasrec(tmp_path: Path, lines: str):
    path = tmp_path / "Beauty.txt"
    path.write_text(lines)
    assert not is_sequence(path, "Beauty.txt")
