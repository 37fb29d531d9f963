"""Imports of published formats: tiny folders in, every row that is written spelled out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import kgrec
from kgrec.errors import ArtifactError, ConfigError, KgrecError, SourceError
from kgrec.ingest.datasets import DATASET_FORMATS, Imported, import_dataset

BASE = "https://example.org"


def folder(path: Path, files: dict[str, str | bytes]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def imported(tmp_path: Path, files: dict[str, str | bytes], **options: Any) -> tuple[Path, Imported]:
    done = import_dataset([folder(tmp_path / "source", files)], tmp_path / "out", **options)
    return tmp_path / "out", done


def text(path: Path, name: str) -> str:
    return (path / name).read_text(encoding="utf-8").replace('"', "")


def mapping(path: Path) -> Any:
    return yaml.safe_load((path / "kgrec.yaml").read_text(encoding="utf-8"))


def dropped(done: Imported, name: str) -> dict[str, tuple[int, list[str]]]:
    return {reason: (p.count, p.first) for reason, p in done.report.files[name].dropped.items()}


def edges(graph: Any, type_: str, key: str) -> set[tuple[str, str, str, str]]:
    return {
        (edge.direction, edge.relation, edge.type, edge.key)
        for edge in graph.neighbors(type_, key).itertuples()
    }


# MovieLens

U_DATA = "1\t1\t5\t881250949\n1\t2\t3\t881250950\n2\t2\t4\t881250951\n"
FLAGS = ["0"] * 19


def u_item(key: str, title: str, date: str, *genres: int) -> str:
    flags = ["1" if i in genres else "0" for i in range(19)]
    return "|".join([key, title, date, "", "http://us.imdb.com/", *flags]) + "\n"


ML_100K: dict[str, str | bytes] = {
    "u.data": U_DATA,
    "u.item": (
        u_item("1", "Toy Story (1995)", "01-Jan-1995", 3, 5)
        + u_item("2", "Misérables, Les (1998)", "4-Feb-1998", 8)
    ).encode("latin-1"),
    "u.user": "1|24|M|technician|85711\n",
}


def test_ml_100k(tmp_path: Path):
    out, done = imported(tmp_path, ML_100K)
    assert (done.format, done.reason) == ("ml-100k", "there are u.data and u.item")
    assert text(out, "movies.csv") == (
        "movie_id,title,year,released,genres\n"
        "1,Toy Story,1995,1995-01-01,Animation|Comedy\n"
        "2,Misérables, Les,1998,1998-02-04,Drama\n"
    )
    assert text(out, "interactions.csv") == (
        "user_id,item_id,rating,timestamp\n1,1,5,881250949\n1,2,3,881250950\n2,2,4,881250951\n"
    )
    assert mapping(out)["interactions"]["positive"] == ">= 4"
    assert done.unread == ["u.user"]
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert edges(graph, "movie", "1") == {
        ("out", "genre", "genre", "Animation"),
        ("out", "genre", "genre", "Comedy"),
    }
    assert graph.interactions is not None
    assert int(graph.interactions.positive.sum()) == 2


def test_bad_lines_of_ml_100k_are_named(tmp_path: Path):
    files = ML_100K | {
        "u.data": U_DATA + "1\t2\n\n3\tx\tfive\t881250951\n4\t9\t5\t1\n",
        "u.item": ML_100K["u.item"] + b"3|No flags\n" + u_item("1", "Again (1999)", "").encode(),  # type: ignore[operator]
        "u.genre": "".join(f"g{i}|{i}\n" for i in range(19)),
    }
    out, done = imported(tmp_path, files)
    assert dropped(done, "u.data") == {
        "cannot be split into columns": (1, ["u.data:4"]),
        "has a rating that is not a number": (1, ['u.data:6: "five"']),
    }
    assert dropped(done, "u.item") == {
        "cannot be split into columns": (1, ["u.item:3"]),
        "has the key of an earlier row": (1, ["u.item:4"]),
    }
    assert (done.report.files["u.data"].rows, done.report.files["u.data"].used) == (6, 4)
    assert text(out, "movies.csv").splitlines()[1:] == [
        "1,Toy Story,1995,1995-01-01,g3|g5",
        "2,Misérables, Les,1998,1998-02-04,g8",
        "9,,,,",
    ]
    assert any("Movies in the log that are not in u.item: 1, such as 9" in remark for remark in done.remarks)


def test_ml_1m(tmp_path: Path):
    out, done = imported(
        tmp_path,
        {
            "ratings.dat": "1::1::5::978300760\n2::2::1::978300761\n2::1::4\n",
            "movies.dat": "1::Se7en: the end (1995)::Crime|Thriller\n2::Untitled::(no genres listed)\nodd\n",
            "users.dat": "1::F::1::10::48067\n",
        },
    )
    assert done.format == "ml-1m"
    assert text(out, "movies.csv") == (
        "movie_id,title,year,genres\n1,Se7en: the end,1995,Crime|Thriller\n2,Untitled,,\n"
    )
    assert (
        text(out, "interactions.csv")
        == "user_id,item_id,rating,timestamp\n1,1,5,978300760\n2,2,1,978300761\n"
    )
    assert dropped(done, "ratings.dat") == {"cannot be split into columns": (1, ["ratings.dat:3"])}
    assert dropped(done, "movies.dat") == {"cannot be split into columns": (1, ["movies.dat:3"])}
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["interactions"] == 2


LATEST: dict[str, str | bytes] = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,2,0.5,964981247\n",
    "movies.csv": 'movieId,title,genres\n1,"Toy, Story (1995)",Adventure|Animation\n2,Heat (1995),(no genres listed)\n3,Ran (1985),Drama\n',
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113277,949\n3,0089881,949\n",
    "tags.csv": "userId,movieId,tag,timestamp\n1,1,Pixar,1\n2,1,pixar,2\n2,1,fun,2\n2,2,,3\n",
}


def test_ml_latest(tmp_path: Path):
    out, done = imported(tmp_path, LATEST)
    assert done.format == "ml-latest"
    imdb, tmdb = "https://www.imdb.com/title/tt", "https://www.themoviedb.org/movie/"
    assert (out / "movies.csv").read_text().splitlines() == [
        "movie_id,title,year,imdb,tmdb,genres",
        f'1,"Toy, Story",1995,{imdb}0114709,{tmdb}862,Adventure|Animation',
        f"2,Heat,1995,{imdb}0113277,{tmdb}949,",
        f"3,Ran,1985,{imdb}0089881,{tmdb}949,Drama",
    ]
    assert text(out, "tags.csv") == "movie_id,tag,users\n1,fun,1\n1,pixar,2\n"
    assert dropped(done, "tags.csv") == {"has an empty cell": (1, ["tags.csv:5"])}
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert ("out", "tagged", "tag", "pixar") in edges(graph, "movie", "1")
    assert graph.stats()["items"] == 3
    assert graph.report.shared.first == [f"movie/2, movie/3: {tmdb}949"]


# RecBole

RECBOLE: dict[str, str | bytes] = {
    "toy.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti1\t5\t10\nu1\ti2\t2\t11\nu2\ti9\t4\t12\n",
    "toy.item": (
        "item_id:token\tname:token_seq\tyear:token\tgenre:token_seq\tprice:float\tvec:float_seq\tbrand:token\n"
        'i1\tA "quoted" name\t1999\tX Y\t1.5\t0.1 0.2\tacme\n'
        "i2\tOther\t2000\tY\t\t\tacme\n"
    ),
    "toy.kg": "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.genre\tm.7\nm.2\tfilm.genre\tm.7\nm.7\tin\tm.8\nm.1\t\tm.7\n",
    "toy.link": "item_id:token\tentity_id:token\ni1\tm.1\ni2\tm.2\ni3\tm.2\n",
    "toy.user": "user_id:token\tage:token\nu1\t24\n",
}


def test_recbole(tmp_path: Path):
    out, done = imported(tmp_path, RECBOLE)
    assert (done.format, done.reason) == ("recbole", "toy.inter has a header of typed columns")
    assert (
        text(out, "interactions.csv")
        == "user_id,item_id,rating,timestamp\nu1,i1,5,10\nu1,i2,2,11\nu2,i9,4,12\n"
    )
    assert text(out, "items.csv").splitlines() == [
        "item_id,name,year,genre,price,vec,brand",
        "i1,A quoted name,1999,X Y,1.5,[0.1, 0.2],acme",
        "i2,Other,2000,Y,,,acme",
        "i9,,,,,,",
        "i3,,,,,,",
    ]
    assert mapping(out)["nodes"]["item"]["columns"] == {
        "name": "label",
        "year": "number",
        "genre": {"as": "node", "type": "genre", "edge": "genre", "split": " "},
        "price": "number",
        "vec": "vector",
        "brand": {"as": "category", "type": "brand", "edge": "brand"},
    }
    # i2 and i3 are both m.2, so each has its triple
    assert sorted(text(out, "knowledge.nt").splitlines()) == [
        f"<{BASE}/entity/m.7> <{BASE}/relation/in> <{BASE}/entity/m.8> .",
        f"<{BASE}/item/i1> <{BASE}/relation/film.genre> <{BASE}/entity/m.7> .",
        f"<{BASE}/item/i2> <{BASE}/relation/film.genre> <{BASE}/entity/m.7> .",
        f"<{BASE}/item/i3> <{BASE}/relation/film.genre> <{BASE}/entity/m.7> .",
    ]
    assert dropped(done, "toy.kg") == {"has an empty cell": (1, ["toy.kg:5"])}
    assert any("toy.user: left out (rows: 1)" in remark for remark in done.remarks)
    assert done.report.files["toy.user"].unread == ["user_id", "age"]
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"brand": 1, "entity": 2, "genre": 2, "item": 4}
    assert graph.stats()["interactions"] == 3


def test_recbole_split_in_three(tmp_path: Path):
    head = "user_id:token\titem_id:token\n"
    out, done = imported(
        tmp_path,
        {
            "toy.train.inter": head + "u1\ti1\nu2\ti1\n",
            "toy.valid.inter": head + "u1\ti2\n",
            "toy.test.inter": head + "u1\ti3\n\ti3\n",
        },
    )
    assert text(out, "interactions.csv") == "user_id,item_id\nu1,i1\nu2,i1\n"
    assert text(out, "valid.csv") == "user_id,item_id\nu1,i2\n"
    assert text(out, "test.csv") == "user_id,item_id\nu1,i3\n"
    assert text(out, "items.csv") == "item_id\ni1\ni2\ni3\n"
    assert "Held out, and therefore not in kgrec.yaml: valid.csv, test.csv." in done.remarks
    assert dropped(done, "toy.test.inter") == {"has an empty user or item": (1, ["toy.test.inter:3"])}
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["items"] == 3


def test_recbole_with_labels_and_without_items(tmp_path: Path):
    head = "user_id:token\titem_id:token\tlabel:float\n"
    out, _ = imported(tmp_path, {"a.inter": head + "u1\ti1\t1\nu1\ti2\t0\n"})
    assert mapping(out)["interactions"] == {
        "file": "interactions.csv",
        "user": "user_id",
        "item": "item_id",
        "value": "rating",
        "positive": "> 0",
    }


def test_recbole_refuses_two_datasets_and_untyped_columns(tmp_path: Path):
    head = "user_id:token\titem_id:token\nu1\ti1\n"
    with pytest.raises(SourceError, match=r"several datasets: a.inter, b.inter"):
        imported(tmp_path / "two", {"a.inter": head, "b.inter": head})
    with pytest.raises(SourceError, match="'item' has no RecBole type"):
        imported(tmp_path / "odd", {"a.inter": "user_id:token\titem\nu\ti\n"}, format="recbole")
    with pytest.raises(SourceError, match="no column 'item_id:token'"):
        imported(tmp_path / "seq", {"a.inter": "user_id:token\titem_id:token_seq\nu\ti j\n"})


def test_what_kgrec_exports_for_recbole_comes_back(tmp_path: Path, catalogue: Path):
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    graph.export(tmp_path / "films", format="recbole")
    import_dataset([tmp_path / "films"], tmp_path / "out")
    again = kgrec.build_graph(tmp_path / "out" / "kgrec.yaml")
    assert again.item_ids.tolist() == graph.item_ids.tolist()
    assert {e[1:2] + e[3:] for e in edges(again, "item", "f1")} == {
        ("genres", "genre/Horror"),
        ("genres", "genre/Science fiction"),
        ("directed_by", "person/Ada"),
    }
    assert again.interactions is not None and graph.interactions is not None
    assert again.interactions.positive.tolist() == graph.interactions.positive.tolist()


# KGAT

KGAT: dict[str, str | bytes] = {
    "train.txt": "0 0 1\n1 2\n2\n",
    "test.txt": "0 1 2\n1 9\n",
    "item_list.txt": "org_id remap_id freebase_id\nB00A 0 m.0a\nB00B 1 m.0b\nB00C 2 m.0b\n",
    "user_list.txt": "org_id remap_id\nalice 0\nbob 1\ncarol 2\n",
    "entity_list.txt": "org_id remap_id\nm.0a 0\nm.0b 1\nm.0c 2\nm.genre 3\n",
    "relation_list.txt": "org_id remap_id\nhttp://rdf.freebase.com/ns/book.genre 0\nhas page 1\n",
    "kg_final.txt": "0 0 3\n3 1 2\n1 5 3\n1 0 8\n1 0\n2 0 3\n",
}


def test_kgat(tmp_path: Path):
    out, done = imported(tmp_path, KGAT)
    assert done.format == "kgat"
    assert text(out, "interactions.csv") == "user_id,item_id\nalice,B00A\nalice,B00B\nbob,B00C\n"
    assert text(out, "test.csv") == "user_id,item_id\nalice,B00B\nalice,B00C\n"
    freebase = "http://rdf.freebase.com/ns/"
    assert text(out, "items.csv") == (
        f"item_id,number,freebase\nB00A,0,{freebase}m.0a\nB00B,1,{freebase}m.0b\nB00C,2,{freebase}m.0b\n"
    )
    assert text(out, "knowledge.nt") == (
        f"<{BASE}/item/B00A> <{freebase}book.genre> <{BASE}/entity/m.genre> .\n"
        f"<{BASE}/entity/m.genre> <{BASE}/relation/has%20page> <{BASE}/item/B00C> .\n"
        f"<{BASE}/item/B00C> <{freebase}book.genre> <{BASE}/entity/m.genre> .\n"
    )
    assert dropped(done, "kg_final.txt") == {
        "cannot be split into columns": (1, ["kg_final.txt:5"]),
        "names an unknown relation": (1, ['kg_final.txt:3: "5"']),
        "names an unknown entity": (1, ['kg_final.txt:4: "8"']),
    }
    assert dropped(done, "train.txt") == {"has a user without items": (1, ["train.txt:3"])}
    assert dropped(done, "test.txt") == {"names an item that is not in item_list.txt": (1, ["test.txt:2: 9"])}
    warning = "WARNING: 1 of 2 pairs of test.txt (50.0%) are also in train.txt"
    assert any(remark.startswith(warning) for remark in done.remarks)
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.stats()["items"] == 3 and graph.report.shared.count == 1
    assert ("out", "fb:book.genre", "entity", "m.genre") in edges(graph, "item", "B00A")


def test_kgat_without_lists_keeps_the_numbers(tmp_path: Path):
    out, done = imported(
        tmp_path, {"train.txt": "0 0 3\n7 1\n", "test.txt": "0 1\n", "kg_final.txt": "3 0 4\n4 1 0\n"}
    )
    assert text(out, "interactions.csv") == "user_id,item_id\n0,0\n0,3\n7,1\n"
    assert text(out, "items.csv") == "item_id,number,freebase\n0,0,\n1,1,\n2,2,\n3,3,\n"
    assert text(out, "knowledge.nt") == (
        f"<{BASE}/item/3> <{BASE}/relation/0> <{BASE}/entity/4> .\n"
        f"<{BASE}/entity/4> <{BASE}/relation/1> <{BASE}/item/0> .\n"
    )
    assert done.remarks == ["Held out, and therefore not in kgrec.yaml: test.csv."]
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["nodes"] == {"entity": 1, "item": 4}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("train.txt", "0 1\nu2 1\n", "train.txt:2: 'u2' is not a number."),
        ("train.txt", "0 1\n1 -2\n", "train.txt:2: '-2' is not a number."),
        ("test.txt", "0 99999999999999999999\n", "test.txt:1: '99999999999999999999' is not a number."),
        (
            "item_list.txt",
            "org_id remap_id freebase_id\nB00A\n",
            "item_list.txt:2: 1 columns where the header has 3.",
        ),
        ("item_list.txt", "org_id remap_id\nB00A x\n", "item_list.txt:2: 'x' is not a number."),
        ("item_list.txt", "org_id remap_id\nA 0\nB 0\n", "item_list.txt:3: the number 0 is duplicated."),
        ("item_list.txt", "org_id remap_id\nA 0\nA 1\n", "item_list.txt has a duplicated original id."),
        ("item_list.txt", "A 0\n", "item_list.txt:1: the header is not 'org_id remap_id'."),
        ("train.txt", "0\n1\n", "train.txt has no user with an item."),
    ],
)
def test_kgat_that_is_malformed(tmp_path: Path, name: str, content: str, problem: str):
    with pytest.raises(SourceError) as error:
        imported(tmp_path, KGAT | {name: content}, format="kgat")
    assert error.value.problem == problem
    assert error.value.remedy
    assert not (tmp_path / "out").exists()


# RippleNet and KGCN

KGCN: dict[str, str | bytes] = {
    "kg.txt": "10\tmusic.artist.origin\t20\n20\tpart of\t21\n",
    "item_index2entity_id.txt": "52\t10\n57\t11\n",
    "user_artists.dat": "userID\tartistID\tweight\n2\t52\t11690\n2\t57\t5\n3\t99\t7\n3\t57\tmany\n",
}


def test_kgcn(tmp_path: Path):
    out, done = imported(tmp_path, KGCN)
    assert (done.format, done.reason) == ("kgcn", "there is item_index2entity_id.txt")
    assert text(out, "items.csv") == "item_id\n52\n57\n"
    assert text(out, "interactions.csv") == "user_id,item_id,rating\n2,52,11690\n2,57,5\n"
    assert text(out, "knowledge.nt") == (
        f"<{BASE}/item/52> <{BASE}/relation/music.artist.origin> <{BASE}/entity/20> .\n"
        f"<{BASE}/entity/20> <{BASE}/relation/part%20of> <{BASE}/entity/21> .\n"
    )
    assert dropped(done, "user_artists.dat") == {
        "has a rating that is not a number": (1, ['user_artists.dat:5: "many"']),
        "names an item that is not in item_index2entity_id.txt": (1, ["user_artists.dat:4"]),
    }
    assert "positive" not in mapping(out)["interactions"]
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["interactions"] == 2


def test_sampled_negatives_are_no_interactions(tmp_path: Path):
    files = {name: content for name, content in KGCN.items() if name != "user_artists.dat"}
    out, done = imported(tmp_path, files | {"ratings_final.txt": "0\t0\t1\n0\t1\t0\n1\t1\t1\n1\t0\t2\n"})
    assert text(out, "interactions.csv") == "user_id,item_id\n0,52\n1,57\n"
    assert dropped(done, "ratings_final.txt") == {
        "is a sampled negative (label 0), not an interaction": (1, ["ratings_final.txt:2"]),
        "has a label that is neither 0 nor 1": (1, ["ratings_final.txt:4"]),
    }
    assert kgrec.build_graph(out / "kgrec.yaml").stats()["users"] == 2


def test_kgcn_with_stars(tmp_path: Path):
    ratings = "userId,movieId,rating,timestamp\n1,52,4.5,1\n1,57,2,2\n"
    files = {name: content for name, content in KGCN.items() if name != "user_artists.dat"}
    out, done = imported(tmp_path, files | {"ratings.csv": ratings, "ratings_final.txt": "0\t0\t1\n"})
    assert text(out, "interactions.csv") == "user_id,item_id,rating,timestamp\n1,52,4.5,1\n1,57,2,2\n"
    assert mapping(out)["interactions"]["positive"] == ">= 4"
    assert done.unread == ["ratings_final.txt"]


# triples

TRIPLES = "a\tknows\tb\nb\tknows\tc c\nonly two\tcells\n"


def test_triples(tmp_path: Path):
    out, done = imported(tmp_path, {"people.tsv": TRIPLES})
    assert (done.format, done.reason) == ("triples", "the lines of people.tsv have three columns")
    assert text(out, "items.csv") == "item_id,name\na,a\nb,b\n"
    assert text(out, "knowledge.nt") == (
        f"<{BASE}/item/a> <{BASE}/relation/knows> <{BASE}/item/b> .\n"
        f"<{BASE}/item/b> <{BASE}/relation/knows> <{BASE}/entity/c%20c> .\n"
    )
    assert dropped(done, "people.tsv") == {"cannot be split into columns": (1, ["people.tsv:3"])}
    graph = kgrec.build_graph(out / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"entity": 1, "item": 2}


def test_triples_with_a_list_of_items_and_compressed(tmp_path: Path):
    items = folder(tmp_path / "source", {"items.txt": "b\nz\n"}) / "items.txt"
    files = {"t.tsv.gz": gzip.compress(TRIPLES.encode()), "README.txt": "about\n"}
    out, done = imported(tmp_path, files, items=items)
    assert done.unread == ["README.txt"]
    assert text(out, "items.csv") == "item_id,name\nb,b\nz,z\n"
    assert (
        text(out, "knowledge.nt").splitlines()[0]
        == f"<{BASE}/entity/a> <{BASE}/relation/knows> <{BASE}/item/b> ."
    )
    assert "Items without a triple: 1, such as z." in done.remarks


# what all have in common


def test_an_unknown_format_says_what_was_found_and_what_is_known(tmp_path: Path):
    with pytest.raises(SourceError) as error:
        imported(tmp_path, {"a.doc": "x", "b.xls": "y"})
    assert error.value.problem == "These files are in no known format: a.doc, b.xls."
    assert all(name in error.value.remedy for name in DATASET_FORMATS)
    with pytest.raises(ConfigError, match="no format 'recbol'") as wrong:
        imported(tmp_path, {"a.doc": "x"}, format="recbol")
    assert "'recbole'" in wrong.value.remedy


@pytest.mark.parametrize("name", DATASET_FORMATS)
def test_a_format_that_is_asked_for_must_be_there(tmp_path: Path, name: str):
    with pytest.raises(KgrecError) as error:
        imported(tmp_path, {"a.doc": "x\n"}, format=name)
    assert error.value.problem and error.value.remedy
    assert list(tmp_path.iterdir()) == [tmp_path / "source"]


def test_a_file_that_is_mostly_bad_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match=r"u.data: 3 of 3 lines are bad as ml-100k") as error:
        imported(tmp_path, ML_100K | {"u.data": "a,b\nc,d\ne,f\n"})
    assert "--format" in error.value.remedy


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match=r"toy.item:2: not encoded in utf-8") as error:
        imported(tmp_path, RECBOLE | {"toy.item": b"item_id:token\tname:token_seq\ni1\tCaf\xe9\n"})
    assert "UTF-8" in error.value.remedy


@pytest.mark.parametrize("row", [b"e1\tr\t\xe9", b"e1\t\xe9"], ids=["whole", "ragged"])
def test_triples_that_are_not_utf_8_are_refused(tmp_path: Path, row: bytes):
    with pytest.raises(SourceError, match=r"t.tsv:4001: not encoded in utf-8"):
        imported(tmp_path, {"t.tsv": b"e1\tr\te2\n" * 4000 + row + b"\n"}, format="triples")


def test_a_truncated_file_is_refused(tmp_path: Path):
    whole = gzip.compress(TRIPLES.encode() * 1000)
    with pytest.raises(SourceError, match=r"t.tsv.gz cannot be read"):
        imported(tmp_path, {"t.tsv.gz": whole[: len(whole) // 2]}, format="triples")
    assert not (tmp_path / "out").exists()


def test_an_empty_file_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match=r"u.data is empty"):
        imported(tmp_path, ML_100K | {"u.data": ""})


def test_lines_are_counted_beyond_one_block(tmp_path: Path):
    lines = [f"{n}\t1\t5\t1" for n in range(1, 700_001)]
    lines[399_999] = "broken"
    lines[600_000] = "600001\t1\tx\t1"
    _, done = imported(tmp_path, ML_100K | {"u.data": "\n".join(lines) + "\n"})
    assert (done.report.files["u.data"].rows, done.report.files["u.data"].used) == (700_000, 699_998)
    assert dropped(done, "u.data") == {
        "cannot be split into columns": (1, ["u.data:400000"]),
        "has a rating that is not a number": (1, ['u.data:600001: "x"']),
    }


def test_an_import_replaces_an_import_but_nothing_else(tmp_path: Path):
    out, _ = imported(tmp_path, ML_100K)
    imported(tmp_path, ML_100K | {"u.data": U_DATA + "5\t1\t5\t1\n"})
    assert "5,1,5,1" in text(out, "interactions.csv")
    (out / "kgrec.yaml").write_text("# mine\n")
    with pytest.raises(ArtifactError, match=r"holds kgrec.yaml, which was changed since the import"):
        imported(tmp_path, ML_100K)
    imported(tmp_path, ML_100K, force=True)
    (out / "notes.txt").write_text("mine\n")
    with pytest.raises(ArtifactError, match=r"holds notes.txt, which the import did not write"):
        imported(tmp_path, ML_100K)
    with pytest.raises(ArtifactError, match="holds a source of the import"):
        import_dataset([tmp_path / "source"], tmp_path / "source", force=True)
    with pytest.raises(ArtifactError, match="is not an earlier import"):
        import_dataset([tmp_path / "source"], folder(tmp_path / "other", {"a": "b"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out", "source"]


def test_the_record_says_what_was_done(tmp_path: Path):
    out, done = imported(tmp_path, ML_100K)
    record = json.loads((out / "import.json").read_text())
    assert record["kind"] == "import" and record["format"] == "ml-100k"
    assert set(record["inputs"]) == {"u.data", "u.item"}
    assert set(record["files"]) == {"movies.csv", "interactions.csv", "kgrec.yaml"}
    assert record["report"] == done.report.to_dict()


def test_files_instead_of_a_folder(tmp_path: Path):
    source = folder(tmp_path / "source", ML_100K)
    done = import_dataset([source / "u.data", source / "u.item"], tmp_path / "out")
    assert done.unread == []
    for sources, problem in (
        ([source / "absent"], "does not exist"),
        ([source, source / "u.data"], "is a folder among other sources"),
        ([tmp_path], "contains no files"),
    ):
        with pytest.raises(SourceError, match=problem):
            import_dataset(sources, tmp_path / "elsewhere")
