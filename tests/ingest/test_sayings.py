"""Templates of reasons: their placeholders, their errors, and phrases for relations without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.errors import MappingError
from kgrec.ingest.mapping.sayings import Sayings, filled, often_phrase, relation_words, shared_phrase
from kgrec.ingest.mapping.schema import Mapping, load_mapping

YAML = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, year: number, genres: {as: node, type: genre}, director: {as: node, type: person, edge: directed_by}}
say:
"""


def loaded(folder: Path, say: str) -> Mapping:
    (folder / "kgrec.yaml").write_text(YAML + say, encoding="utf-8")
    return load_mapping(folder / "kgrec.yaml")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '  liked: "Weil {items.__class__}"',
            "kgrec.yaml:9: say.liked is 'Weil {items.__class__}': braces may only enclose the name of a placeholder; here that is {items}.",
        ),
        ('  liked: "Weil {0}"', "there is no placeholder {0}; here it is {items}."),
        ('  liked: "Weil {items!r}"', "braces may only enclose the name"),
        ('  liked: "Weil {items:>99}"', "braces may only enclose the name"),
        ('  liked: "Weil {items"', "braces may only enclose the name"),
        ('  liked: "Weil"', "the template needs {items}."),
        ('  users: "von {nodes}"', "there is no placeholder {nodes}; here it is no placeholder."),
        ('  pair: "{first}"', "the template needs {first} and {second}."),
        (f'  users: "{"a" * 301}"', "a template has at most 300 characters."),
        (
            '  shared:\n    genres: "{nodes}"\n    directed_by: "{node}"',
            "kgrec.yaml:11: say.shared.directed_by is '{node}': there is no placeholder {node}; here it is {nodes}.",
        ),
        (
            '  often: {director: "{nodes}"}',
            "kgrec.yaml:9: say.often.director: there is no relation or number 'director'.",
        ),
        ('  shared: {"genres / place": "{nodes}"}', "there is no relation or number 'place'."),
        ("  like: a", "kgrec.yaml:9: say.like is not a key of say."),
    ],
)
def test_a_wrong_template_is_named_with_its_line(tmp_path: Path, line: str, problem: str):
    with pytest.raises(MappingError) as raised:
        loaded(tmp_path, line + "\n")
    assert problem in raised.value.problem


def test_relations_of_rdf_that_are_not_named_may_have_templates(tmp_path: Path):
    rdf = 'rdf:\n  - {file: a.ttl, predicates: {"*": ref}}\n'
    say = loaded(tmp_path, '  shared: {"dbo:subject": "auch {nodes}", "^genres": "auch {nodes}"}\n' + rdf).say
    assert say.shared == {"dbo:subject": "auch {nodes}", "^genres": "auch {nodes}"}


def test_templates_stay_with_the_mapping(tmp_path: Path):
    mapping = loaded(tmp_path, '  liked: "{items} 좋아해서"\n  shared: {year: "비슷한 해"}\n')
    again = Mapping.from_dict(mapping.to_dict())
    assert again.say == mapping.say
    assert (again.say.liked, again.say.history) == ("{items} 좋아해서", Sayings().history)


def test_what_is_filled_in_is_not_read_again():
    assert (
        filled("{first} and {second}", {"first": "{second}", "second": "{first.x}"})
        == "{second} and {first.x}"
    )


@pytest.mark.parametrize(
    ("relation", "shared", "often"),
    [
        ("directed_by", "also directed by {nodes}", "you often choose {nodes}"),
        ("starring", "also starring {nodes}", "you often choose {nodes}"),
        ("dbo:basedOn", "also based on {nodes}", "you often choose {nodes}"),
        ("genres", "the same genres ({nodes})", "you often choose {nodes}"),
        ("^directed", "also directed of {nodes}", "you often choose {nodes}"),
        ("http://ex.org/vocab#leadActor", "the same lead actor ({nodes})", "you often choose {nodes}"),
    ],
)
def test_phrases_of_relations(relation: str, shared: str, often: str):
    assert (shared_phrase(relation), often_phrase(relation)) == (shared, often)


def test_phrases_of_numbers():
    assert shared_phrase("releaseYear", is_number=True) == "a similar release year"
    assert often_phrase("year", is_number=True) == "your choices often have a similar year"
    assert relation_words("***") == "***"
