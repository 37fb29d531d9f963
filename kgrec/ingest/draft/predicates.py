"""The role of each predicate of an RDF file.

Enters: an `RdfSample`. Leaves: a `Guess` for each predicate, by its name and its objects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft.classes import type_of_iris
from kgrec.ingest.draft.iris import is_writable, local_name, namespace_and_name
from kgrec.ingest.draft.known import Known
from kgrec.ingest.draft.lines import Guess
from kgrec.ingest.draft.literals import alike, literal_role
from kgrec.ingest.draft.names import LABELS, type_of_values
from kgrec.ingest.draft.rdf import SAME_AS, TYPE, Part, RdfSample
from kgrec.ingest.draft.values import (
    IRIS,
    PICTURES,
    all_match,
    distinct,
    filled,
    is_long,
    overlap,
    parts_of,
    share_matching,
)
from kgrec.prefixes import PREFIXES

#: predicates of names, the most telling first
_LABELS = [
    PREFIXES["skos"] + "prefLabel",
    PREFIXES["rdfs"] + "label",
    PREFIXES["schema"] + "name",
    "https://schema.org/name",
    PREFIXES["dcterms"] + "title",
    "http://purl.org/dc/elements/1.1/title",
    PREFIXES["foaf"] + "name",
    "http://www.w3.org/2006/vcard/ns#fn",
    "http://www.w3.org/2001/vcard-rdf/3.0#FN",
]
_ENDING = len(_LABELS) + len(LABELS)
_TEXT = re.compile(
    r"abstract|comment|description|summary|plot|overview|synopsis|bio(graphy)?|\w+(Abstract|Description)",
    re.I,
)
_PICTURE = re.compile(
    r"thumbnail|depiction|image|img|picture|photo|poster|logo|icon|\w+(Image|Photo|Logo)|\w+_(image|photo|logo)"
)
_NOISE = re.compile(
    r"wikiPage(ID|RevisionID|RevisionLink|Length|ExternalLink|UsesTemplate|InterLanguageLink)|isPrimaryTopicOf"
    r"|primaryTopic|wasDerivedFrom|homepage|rights|license|seeAlso|sameAs"
)
_PAGE = re.compile(r"(^|_|[a-z](?=[A-Z]))(url|link|page|site|website)s?$", re.IGNORECASE)
_PAGES = r"\?|\.(html?|php|aspx?)$"
#: vocabularies of schemas, of which only what names and describes is of use
_SCHEMAS = (PREFIXES["rdfs"], PREFIXES["owl"])
#: of so many pages, this share that occurs nowhere else tells that the predicate joins nothing
_MANY, _NEARLY_ALL = 20, 0.9


@dataclass(frozen=True)
class _Context:
    sample: RdfSample
    known: Known
    #: IRIs that tables have, or that occur twice in the sample
    joined: pa.Array


def predicate_roles(sample: RdfSample, known: Known) -> dict[str, Guess]:
    """The role of each predicate, by IRI, but of rdf:type."""
    labels = _labels(sample)
    context = _Context(sample, known, pa.concat_arrays([known.of_tables, sample.repeated]))
    roles = {
        predicate: labels.get(predicate) or _role(part, context)
        for predicate, part in sample.parts.items()
        if predicate != TYPE and is_writable(predicate)
    }
    return alike(roles, {predicate: local_name(predicate) for predicate in roles}, known.taken)


def _role(part: Part, context: _Context) -> Guess:
    namespace, name = namespace_and_name(part.predicate)
    if part.predicate == SAME_AS:
        return Guess({"as": "same_as"}, "it names the same things")
    if _PICTURE.fullmatch(name) or share_matching(part.objects, PICTURES) > 0.5:
        return Guess({"as": "ignore"}, "it leads to pictures")
    if _NOISE.fullmatch(name):
        return Guess({"as": "ignore"}, "it says where the data is from, or leads out of it")
    if namespace in _SCHEMAS and name not in ("label", "comment", "subClassOf"):
        return Guess({"as": "ignore"}, "it says how the schema is made")
    return _link(part, context) if part.is_literal.mean() < 0.5 else _literal(name, part, context)


def _link(part: Part, context: _Context) -> Guess:
    objects = part.objects.filter(pa.array(~part.is_literal))
    lonely = ~cells.mask(pc.is_in(objects, value_set=pc.cast(context.joined, objects.type)))
    pages = bool(_PAGE.search(local_name(part.predicate))) or share_matching(objects, _PAGES) >= _NEARLY_ALL
    if pages and len(objects) >= _MANY and lonely.mean() >= _NEARLY_ALL:
        return Guess({"as": "ignore"}, "it leads to pages, nearly all of which occur nowhere else")
    return Guess({"as": "ref"}, "it leads to nodes")


def _literal(name: str, part: Part, context: _Context) -> Guess:
    tags = _languages(part)
    full = filled(part.literals(tuple(tags)))
    if not len(full):
        return Guess({"as": "ignore"}, "its literals are empty")
    values, separator = parts_of(full)
    if all_match(values, IRIS):
        return _iris(name, values, separator, context)
    if _TEXT.fullmatch(name):
        guess = Guess({"as": "text"}, "its name says that it describes the node")
    else:
        guess = literal_role(name, full, rows=len(context.sample.subjects), taken=context.known.taken)
    return _in_languages(guess, tags)


def _iris(name: str, values: pa.Array, separator: str | None, context: _Context) -> Guess:
    """Links that are written as literals."""
    split = {"split": separator} if separator else {}
    if overlap(values, context.sample.subjects):
        type_ = type_of_iris(values, context.known.types)
        return Guess({"as": "node", "type": type_, **split}, "its literals are IRIs, of which more is said")
    if distinct(values) == len(values) >= _MANY:
        return Guess({"as": "ignore"}, "each of its addresses occurs once: it joins nothing")
    role = {"as": "node", "type": type_of_values(name, context.known.taken), **split}
    return Guess(role, "its literals are IRIs")


def _languages(part: Part) -> list[str]:
    """Languages, the preferred one first, where there are several: English, else the most frequent."""
    counts = Counter(part.tags[part.is_literal].tolist())
    if len(counts) < 2:
        return []
    spoken = sorted((tag for tag in counts if tag), key=lambda tag: (-counts[tag], tag))
    english = any(tag == "en" or tag.startswith("en-") for tag in spoken)
    return ["en" if english else spoken[0], ""]


def _in_languages(guess: Guess, tags: list[str]) -> Guess:
    if not tags or guess.role["as"] not in ("label", "text"):
        return guess
    which = "English is among" if tags[0] == "en" else f"'{tags[0]}' is the most frequent of"
    return Guess({**guess.role, "lang": tags}, f"{guess.reason}, and {which} its languages")


def _labels(sample: RdfSample) -> dict[str, Guess]:
    """Predicates that name the nodes: the most telling first, and others where these name few of the nodes."""
    chosen: dict[str, Guess] = {}
    named: set[str] = set()
    for _, _, predicate in sorted(_label_candidates(sample)):
        part = sample.parts[predicate]
        subjects = set(part.subjects.filter(pa.array(part.is_literal)).to_pylist())
        if len(subjects & named) * 2 <= len(subjects):
            named |= subjects
            guess = Guess({"as": "label"}, "its name says that it names the nodes")
            chosen[predicate] = _in_languages(guess, _languages(part))
    return chosen


def _label_candidates(sample: RdfSample) -> Iterator[tuple[int, float, str]]:
    """Rank, share of the values that repeat, and predicate."""
    for predicate, part in sample.parts.items():
        rank = _rank(local_name(predicate), predicate)
        literals = part.literals()
        if rank is None or part.is_literal.mean() < 0.5 or is_long(literals):
            continue
        repeated = 1 - distinct(literals) / len(literals)
        if rank >= _ENDING and repeated > 0.3:
            continue
        # one that only repeats the IRIs is better than none
        rank += 100 if rank >= len(_LABELS) and _repeats_iris(part) else 0
        yield rank, round(repeated, 1), predicate


def _rank(name: str, predicate: str) -> int | None:
    if predicate in _LABELS:
        return _LABELS.index(predicate)
    name = name.lower()
    if name in LABELS:
        return len(_LABELS) + LABELS.index(name)
    # the second actor's name is not the film's
    ends = [i for i, label in enumerate(LABELS) if name.endswith(label) and not re.search(r"\d", name)]
    return _ENDING + ends[0] if ends else None


def _repeats_iris(part: Part) -> bool:
    ends = pa.array([local_name(iri) for iri in part.subjects.to_pylist()])
    return bool(cells.mask(pc.equal(pc.cast(part.objects, pa.string()), ends)).mean() > 0.9)
