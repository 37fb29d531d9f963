import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import MappingError
from kgrec.ingest.mapping.references import Target
from kgrec.ingest.mapping.roles import Date, Ignore, Label, NodeValue, Number, Ref
from kgrec.ingest.mapping.schema import Mapping, load_mapping

WHOLE = """\
version: 1
base: https://example.org/
prefixes: {mov: http://example.com/movie/}
nodes:
  movie:
    item: true
    file: movies.csv
    key: movie_id
    columns:
      title: {as: label}
      released: {as: date, format: "%Y-%m-%d"}
      genres: {as: node, type: genre, split: "|"}
      studio_id: {as: ref, to: studio, edge: made_by}
      notes: ignore
  studio: {file: studios.csv, key: id, columns: {name: label, founded: number, "*": ignore}}
edges:
  acted_in: {file: cast.csv, from: {person: actor_id}, to: {movie: movie_id}, weight: billing}
rdf:
  - file: "dbpedia/*.nt.gz"
    types: {film: dbo:Film}
    predicates:
      mov:genres: {as: node, type: genre}
      "*": {as: ref}
interactions: {file: ratings.csv, user: u, item: i, value: r, positive: ">= 4"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "kgrec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(MappingError) as caught:
        load_mapping(written(folder, text))
    return str(caught.value)


def test_the_whole_language_is_read(tmp_path):
    mapping = load_mapping(written(tmp_path, WHOLE))
    movie, studio = mapping.nodes["movie"], mapping.nodes["studio"]
    assert movie.file == ("movies.csv",)
    assert movie.columns == {
        "title": Label(**{"as": "label"}),
        "released": Date(format="%Y-%m-%d"),
        "genres": NodeValue(type="genre", split="|"),
        "studio_id": Ref(to="studio", edge="made_by"),
        "notes": Ignore(),
    }
    assert studio.columns == {"name": Label(), "founded": Number(), "*": Ignore()}
    assert mapping.edges["acted_in"].head == {"person": "actor_id"}
    assert mapping.rdf[0].types == {"film": ("http://dbpedia.org/ontology/Film",)}
    assert list(mapping.rdf[0].predicates) == ["http://example.com/movie/genres", "*"]
    assert mapping.interactions[0].condition == (">=", 4.0)
    assert mapping.item_types == ("movie",)
    assert mapping.errors.stop_above == 0.01
    assert mapping.folder == tmp_path


def test_a_mapping_survives_json(tmp_path):
    mapping = load_mapping(written(tmp_path, WHOLE))
    values = json.loads(json.dumps(mapping.to_dict()))
    again = Mapping.from_dict(values, tmp_path)
    assert again == mapping and again.folder == tmp_path


HEAD = "version: 1\nnodes:\n  movie:\n    item: true\n    file: m.csv\n"


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        (
            HEAD + "    kye: id\n",
            "kgrec.yaml:6: nodes.movie.kye is not a key of nodes.movie.",
            "Did you mean 'key' or 'keys'?",
        ),
        (HEAD, "kgrec.yaml:3: nodes.movie.key is missing.", "Write `key:` under nodes.movie."),
        (
            HEAD + "    key: id\n    columns:\n      t: labl\n",
            "kgrec.yaml:8: nodes.movie.columns.t has the unknown role 'labl'.",
            "Did you mean 'label'?",
        ),
        (
            HEAD + "    key: id\n    columns:\n      t: {as: label, split: x}\n",
            "kgrec.yaml:8: nodes.movie.columns.t.split is not a key of nodes.movie.columns.t.",
            "There are 'as', 'field' and 'lang'.",
        ),
        (
            HEAD
            + "    key: id\n    columns:\n      s: {as: ref, to: studios}\n  studio: {file: s.csv, key: id}\n",
            "kgrec.yaml:8: nodes.movie.columns.s.to refers to the type 'studios', which does not exist.",
            "Did you mean 'studio'?",
        ),
        (
            HEAD + "    key: id\nrdf:\n  - file: a.nt\n    predicates:\n      dbx:a: label\n",
            "kgrec.yaml:10: rdf.0.predicates.dbx:a: 'dbx:a' has an unknown prefix.",
            "Did you mean 'dbr' or 'dbo'?",
        ),
        (
            "version: 1\nnodes:\n  movie: {file: m.csv, key: id}\n",
            "kgrec.yaml:2: nodes: no node type is an item.",
            "Set `item: true` for a type under `nodes:`, or `items: [type]` under `rdf:`.",
        ),
        (
            HEAD + "    key: id\n    header: [id, t, id]\n",
            "kgrec.yaml:7: nodes.movie.header: the column 'id' is duplicated.",
            "See the reference of kgrec.yaml for valid values.",
        ),
        (
            HEAD + "    key: id\n    header: []\n",
            "kgrec.yaml:7: nodes.movie.header: Value should have at least 1 item",
            "See the reference of kgrec.yaml for valid values.",
        ),
        (
            "version: 1\nversion: 1\n",
            "kgrec.yaml:2: the key 'version' is duplicated.",
            "Remove one of the two.",
        ),
        ("a: [\n", "kgrec.yaml:2: not YAML", "Correct the indentation or the quotes there."),
        ("", "kgrec.yaml is empty.", "Write a mapping, or draft one: kgrec init items.csv"),
    ],
)
def test_errors_name_the_line_and_the_way_out(tmp_path, text, problem, remedy):
    said = refused(tmp_path, text).split("\n  ")
    assert said[0].startswith(problem)
    assert said[1] == remedy


BOOKS = """\
version: 1
nodes:
  book: {item: true, file: books.csv, keys: [book_id, gr id], columns: {title: label}}
  shelf: {file: shelves.csv, key: id, columns: {best: {as: ref, to: book.gr id}}}
  list.item: {file: l.csv, key: id}
"""
LOG = "file: r.csv, user: u, item: i"


def test_other_keys_are_named_by_type_and_column(tmp_path):
    text = BOOKS + "edges: {tagged: {file: t.csv, from: {book.gr id: b}, to: {tag: t}}}\n"
    text += "interactions: {file: r.csv, user: u, item: {book.gr id: i}}\n"
    mapping = load_mapping(written(tmp_path, text))
    book = mapping.nodes["book"]
    assert (book.key, book.other_keys) == ("book_id", ("gr id",))
    assert mapping.interactions[0].item_column == "i"
    assert mapping.interactions[0].item_reference == "book.gr id"
    find = mapping.references.find
    assert find("book.gr id") == Target("book", "gr id")
    assert find("book.book_id") == find("book") == Target("book")
    # types with dots, with a table and without
    assert find("list.item") == Target("list.item")
    assert find("wiki.page") == Target("wiki.page")
    again = Mapping.from_dict(json.loads(json.dumps(mapping.to_dict())), tmp_path)
    assert again == mapping


def test_the_key_alone_has_no_other_keys(tmp_path):
    book = load_mapping(written(tmp_path, HEAD + "    key: id\n")).nodes["movie"]
    assert (book.key, book.other_keys) == ("id", ())
    book = load_mapping(written(tmp_path, HEAD + "    keys: id\n")).nodes["movie"]
    assert (book.key, book.other_keys) == ("id", ())


@pytest.mark.parametrize(
    ("line", "problem", "remedy"),
    [
        (
            "edges: {tagged: {file: t.csv, from: {book.gr: b}, to: {tag: t}}}",
            "kgrec.yaml:6: edges.tagged.from.book.gr names 'gr', which is not a key of 'book'.",
            "Did you mean 'gr id'? Or write `keys: [book_id, gr id, gr]` under nodes.book.",
        ),
        (
            "edges: {tagged: {file: t.csv, from: {boook.gr id: b}, to: {tag: t}}}",
            "kgrec.yaml:6: edges.tagged.from.boook.gr id names a key of 'boook', which is not a type with a table.",
            "Did you mean 'book'?",
        ),
        (
            "interactions: {file: r.csv, user: u, item: {book.isbn: i}}",
            "kgrec.yaml:6: interactions.item.book.isbn names 'isbn', which is not a key of 'book'.",
            "There are 'book_id' and 'gr id'. Or write `keys: [book_id, gr id, isbn]` under nodes.book.",
        ),
        (
            "interactions: {file: r.csv, user: u, item: {shelf: i}}",
            "kgrec.yaml:6: interactions.item.shelf refers to 'shelf', which is not an item type.",
            "There is 'book'.",
        ),
        (
            "interactions: {file: r.csv, user: u, item: [i]}",
            "kgrec.yaml:6: interactions.item: write the name of a column, or `{type: column}`",
            "See the reference",
        ),
    ],
)
def test_references_to_what_does_not_exist(tmp_path, line, problem, remedy):
    said = refused(tmp_path, f"{BOOKS}{line}\n").split("\n  ")
    assert said[0].startswith(problem)
    assert said[1].startswith(remedy)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("key: a, keys: [b]", "`key:` and `keys:` differ; write `keys: [a, b]` alone."),
        ("key: b, keys: [a, b]", "`key:` and `keys:` differ; write `keys: [b, a]` alone."),
        ("keys: [a, a]", "`keys:` names the column 'a' twice."),
        ("keys: []", "nodes.item.key is missing."),
    ],
)
def test_keys_that_contradict_each_other(tmp_path, keys, problem):
    text = f"version: 1\nnodes:\n  item: {{item: true, file: i.csv, {keys}}}\n"
    assert problem in refused(tmp_path, text)


def test_interactions_are_one_table_or_several(tmp_path):
    one = load_mapping(written(tmp_path, f"{BOOKS}interactions: {{{LOG}}}\n"))
    several = load_mapping(
        written(tmp_path, f"{BOOKS}interactions:\n  - {{{LOG}}}\n  - {{{LOG}, weight: 5}}\n")
    )
    none = load_mapping(written(tmp_path, BOOKS))
    assert [len(mapping.interactions) for mapping in (one, several, none)] == [1, 2, 0]
    assert [table.weighted for table in several.interactions] == [False, True]
    # one table is written as it was read
    assert one.to_dict()["interactions"] == {"file": ["r.csv"], "user": "u", "item": "i"}
    for mapping in (one, several, none):
        assert Mapping.from_dict(json.loads(json.dumps(mapping.to_dict())), tmp_path) == mapping


def test_events_and_choices(tmp_path):
    line = "event: kind, events: {view: 1, 2: 0.5, skip: 0}, only: {market: [de, 49], kind: view}"
    table = load_mapping(written(tmp_path, f"{BOOKS}interactions: {{{LOG}, {line}}}\n")).interactions[0]
    assert table.events == {"view": 1.0, "2": 0.5, "skip": 0.0}
    assert table.only == {"market": ("de", "49"), "kind": ("view",)}
    assert table.columns_read == ["u", "i", "kind", "market"]
    assert table.weighted


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("event: e", "`event:` needs `events:`, which is missing"),
        ("events: {a: 1}", "`events:` needs `event:`, which is missing"),
        ("event: e, events: {a: 0}", "at least one event needs a weight above 0"),
        ("event: e, events: {a: -1}", "events.a is -1: Input should be greater than or equal to 0."),
        ("event: e, events: {a: .inf}", "events.a is inf: Input should be a finite number."),
        ("event: e, events: {a: 1}, weight: 2", "`events:` already has the weights; leave `weight:` out"),
        ("only: {a: [yes]}", "only.a: YAML reads one of these as true: put it in quotes"),
        ("only: {a: []}", "only.a: Value should have at least 1 item"),
        ("time_unit: seconds", "`time_unit:` needs `time:`, which is missing"),
        ("time: t, time_unit: ms", "time_unit is 'ms': Input should be 'seconds', 'milliseconds'"),
        ('time: t, time_unit: seconds, time_format: "%Y"', "write one of the two"),
        ("weight: 0", "weight is 0: Input should be greater than 0."),
        ("usr: x", "interactions.usr is not a key of interactions.\n  Did you mean 'user'"),
    ],
)
def test_interactions_that_cannot_be_meant(tmp_path, keys, problem):
    assert problem in refused(tmp_path, f"{BOOKS}interactions: {{{LOG}, {keys}}}\n")
    several = f"{BOOKS}interactions:\n  - {{{LOG}}}\n  - {{{LOG}, {keys}}}\n"
    assert "kgrec.yaml:8: interactions.1" in refused(tmp_path, several)


def test_the_share_of_unmatched_rows_is_a_share(tmp_path):
    assert load_mapping(written(tmp_path, BOOKS)).errors.unmatched == 0.2
    assert "errors.unmatched is 2" in refused(tmp_path, f"{BOOKS}errors: {{unmatched: 2}}\n")


def test_aliases_that_multiply_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "expand to more than 100,000 values" in refused(tmp_path, "\n".join(lines))
    assert "expand to more than 100,000 values" in refused(tmp_path, "a: &a [*a]")


def test_large_files_and_python_tags_are_refused(tmp_path):
    assert "1,000,001 bytes" in refused(tmp_path, "#" * 1_000_001)
    with pytest.raises(MappingError):
        load_mapping(written(tmp_path, "version: !!python/object/apply:os.system [ls]\n"))


def test_a_missing_mapping_is_named(tmp_path):
    with pytest.raises(MappingError, match=r"none.yaml: No such file"):
        load_mapping(tmp_path / "none.yaml")


def test_short_names_use_the_longest_prefix(tmp_path):
    mapping = load_mapping(written(tmp_path, WHOLE))
    assert mapping.short("http://example.com/movie/genres") == "mov:genres"
    assert mapping.short("http://example.com/movie/") == "http://example.com/movie/"


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_a_mapping_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("m") / "kgrec.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(MappingError):
        load_mapping(path)
