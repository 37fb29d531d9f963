"""The `rdf:` part of the mapping: types, roles of predicates, and how RDF is joined with the tables.

Enters: samples of RDF, and the tables. Leaves: lines of kgrec.yaml, with reasons.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.draft import looks
from kgrec.ingest.draft.columns import References, alike, literal_role
from kgrec.ingest.draft.items import DraftFiles
from kgrec.ingest.draft.lines import Guess, Prefixes, is_writable, local_name, namespace_and_name, written
from kgrec.ingest.draft.looks import distinct, overlap, share
from kgrec.ingest.draft.names import LABELS, singular, type_of_values
from kgrec.ingest.draft.rdf import (
    SAME_AS,
    TYPE,
    NodeType,
    RdfSample,
    are_literals,
    joining,
    literals_of,
    type_of_iris,
    typed_iris,
)
from kgrec.ingest.draft.targets import Target
from kgrec.ingest.mapping.prefixes import PREFIXES
from kgrec.ingest.mapping.roles import RESOURCE, is_type_name
from kgrec.ingest.rdf_terms import IRI, Triples

#: largest number of listed predicates, and of links among them
_LISTED, _LINKS = 60, 20
#: predicates of names, in order of preference
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
#: vocabularies of schemas, of which only labels, comments and subclasses are read
_SCHEMAS = (PREFIXES["rdfs"], PREFIXES["owl"])
#: a predicate with at least so many pages, and this share of pages that occur nowhere else, is ignored
_MIN_VALUES, _NEARLY_ALL = 20, 0.9


def keys_of_types(types: Sequence[NodeType]) -> list[Target]:
    """The identifiers of nodes that a log may use: IRIs, or their last parts."""
    found = []
    for type_ in types:
        ends = [pc.cast(one.keys, pa.large_string()) for one in typed_iris(type_.nodes)]
        found.append(Target(type_.name, pc.unique(pa.concat_arrays([type_.nodes, *ends]))))
    return found


def no_classes(samples: Sequence[RdfSample]) -> SourceError:
    """The error for RDF that must contain the items, but has no classes."""
    said: Counter[str] = Counter()
    for sample in samples:
        iris = sample.triples.subjects.filter(pa.array(sample.triples.subject_kinds == IRI))
        for count in pc.value_counts(iris).to_pylist():
            said[namespace_and_name(count["values"])[0]] += count["counts"]
    namespace = max(said, key=lambda name: (said[name], name), default="http://example.org/movie/")
    name = singular(local_name(namespace).rstrip(":"))
    type_ = name if is_type_name(name) and name != RESOURCE else "item"
    return SourceError(
        f"{samples[0].source.name} has no classes (rdf:type), so the items among its nodes are unknown.",
        "Also name a table of the items; or write in kgrec.yaml, under `rdf:`,"
        f' types: {{{type_}: "{namespace}*"}}, items: [{type_}], which selects the subjects that begin like this;'
        " or a predicate that names their classes: type_predicates: [wdt:P31].",
    )


def join(files: DraftFiles, samples: Sequence[RdfSample], types: list[NodeType], base: str) -> References:
    """Find how nodes of RDF are joined with rows of tables or of the log: by IRIs in a column, or by a base.

    With a base, the joined table or type is renamed to the type in the IRIs.
    """
    subjects = _all([sample.subjects for sample in samples])
    iris = _all([sample.iris for sample in samples])
    in_tables = _all([_iris_of(table.columns[name]) for table in files.tables for name in table.plain])
    why_base = ""
    if samples and not overlap(in_tables, subjects):
        found = _base_by_table(files, iris, base) if files.item.table else _base_by_log(files, types)
        if found is not None:
            base, why_base = found
        elif files.tables:
            for sample in samples:
                why = "no table has a column of its IRIs, or keys at the ends of its IRIs"
                sample.why("*", "joined to no table", why)
    ours = tuple(f"{base}{table.type}/" for table in files.tables)
    named = pa.array([iri for iri in iris.to_pylist() if iri.startswith(ours)], pa.large_string())
    below = [one for one in typed_iris(iris) if one.base == base]
    targets = [target for target in files.targets if target.table is not None]
    return References(base, why_base, files.tables, targets, types, subjects, _all([in_tables, named]), below)


def _all(parts: Sequence[pa.Array]) -> pa.Array:
    return pc.unique(pa.concat_arrays([pa.array([], pa.large_string()), *parts]))


def _iris_of(array: pa.Array) -> pa.Array:
    values = cells.split(array, "|")[1]
    return pc.cast(values.filter(pc.match_substring_regex(values, looks.IRIS)), pa.large_string())


def _base_by_table(files: DraftFiles, iris: pa.Array, base: str) -> tuple[str, str] | None:
    """A base such that IRIs end in keys of a table, and the reason; the table of items is tried first."""
    below = typed_iris(iris)
    if any(iri.startswith(base) for iri in iris.to_pylist()):
        # the reader resolves relative IRIs against the base
        below = [one for one in below if one.base == base]
    for table in sorted(files.tables, key=lambda table: table is not files.item.table):
        one = joining(table.keys, table.type, below)
        if one is not None and one.type not in [other.type for other in files.tables if other is not table]:
            table.type = one.type
            return one.base, f"IRIs of RDF end in the keys of {table.source.name}"
    return None


def _base_by_log(files: DraftFiles, types: list[NodeType]) -> tuple[str, str] | None:
    """A base with which the IRIs of the items end in the log's item ids, and the reason."""
    if files.log is None:
        return None
    type_ = next(type_ for type_ in types if type_.name == files.item.type)
    sample, column = files.log.sample, files.log.item
    taken = sample.columns[column]
    if overlap(taken, type_.nodes) >= 0.5:
        return None
    one = joining(pc.unique(taken), type_.name, typed_iris(type_.nodes))
    if one is None:
        sample.why(column, "not understood", f"few of its values are IRIs of the type {type_.name}")
        return None
    type_.name = one.type
    return one.base, f"the IRIs of the items end in the item ids of {sample.source.name}"


def rdf_lines(
    sample: RdfSample, known: References, prefixes: Prefixes, item: NodeType | None, why_items: str
) -> Iterator[str]:
    """Lines under `rdf:` for a file; `item` is the type of the items, if they are in RDF."""
    yield f"  - file: {written(sample.source.name)}"
    if sample.format:
        yield f"    format: {sample.format}"
    there = {iri for iri, _ in sample.classes()}
    types = [type_ for type_ in known.types if there.intersection(type_.classes)]
    if types:
        yield "    types:"
    # the first type of a node counts: the items come first, then the smaller types
    for type_ in sorted(types, key=lambda type_: (type_ is not item, len(type_.nodes), type_.name)):
        names, count = [prefixes.short(iri) for iri in type_.classes], len(type_.nodes)
        sample.why(
            ", ".join(names), f"type {type_.name}", f"it has {count:,} node{'' if count == 1 else 's'}"
        )
        yield f"      {written(type_.name)}: {written(names[0] if len(names) == 1 else names)}"
    if used := [name for name in sample.class_predicates if types]:
        yield f"    type_predicates: {written([prefixes.short(name) for name in used])}"
    if item in types:
        sample.why(item.name, "items", why_items)
        yield f"    items: [{written(item.name)}]"
    if equal := sample.equal_blanks:
        yield "    blank_nodes: merge_equal"
        sample.why("blank nodes", "merge_equal", f"{equal:,} of them have the same statements as others")
    yield "    predicates:"
    for predicate, guess in _chosen(sample, _roles(sample, known)).items():
        name = predicate if predicate == "*" else prefixes.short(predicate)
        sample.why(name, guess, guess.reason)
        if predicate != SAME_AS:
            yield f"      {written(name)}: {guess}"


def _chosen(sample: RdfSample, roles: dict[str, Guess]) -> dict[str, Guess]:
    """The roles to list: rare predicates, and links if there are many, are covered by "*"."""
    links = [predicate for predicate, guess in roles.items() if guess.role == {"as": "ref"}]
    others = [predicate for predicate in roles if predicate not in links]
    others.sort(key=lambda predicate: roles[predicate].role["as"] not in ("label", "text"))
    rare, listed = len(others[_LISTED:]), links if len(links) <= _LINKS else []
    chosen = {name: guess for name, guess in roles.items() if name in {*others[:_LISTED], *listed}}
    if len(links) > len(listed):
        rest = Guess({"as": "ref"}, f"{len(links):,} predicates lead to nodes, too many to list")
    elif not sample.is_whole:
        rest = Guess({"as": "ref"}, f"only the first {len(sample.triples):,} triples were sampled")
    else:
        left = f", and {rare:,} rare ones are left out" if rare else ""
        rest = Guess({"as": "ignore"}, f"the predicates that link or describe nodes are listed{left}")
    return {**chosen, "*": rest}


# roles of predicates


def _roles(sample: RdfSample, known: References) -> dict[str, Guess]:
    """IRI of each predicate except rdf:type -> role."""
    labels = _labels(sample)
    # IRIs in tables, and IRIs that occur at least twice in the sample
    joined = pa.concat_arrays([known.of_tables, sample.repeated])
    roles = {
        predicate: labels.get(predicate) or _role(predicate, part, sample, known, joined)
        for predicate, part in sample.parts.items()
        if predicate not in (TYPE, *sample.class_predicates) and is_writable(predicate)
    }
    return alike(roles, {predicate: local_name(predicate) for predicate in roles}, known.taken)


def _role(predicate: str, part: Triples, sample: RdfSample, known: References, joined: pa.Array) -> Guess:
    namespace, name = namespace_and_name(predicate)
    if predicate == SAME_AS:
        return Guess({"as": "same_as"}, "it links equal things")
    if _PICTURE.fullmatch(name) or share(part.objects, looks.PICTURES) > 0.5:
        return Guess({"as": "ignore"}, "it leads to pictures")
    if _NOISE.fullmatch(name):
        return Guess({"as": "ignore"}, "it describes the source of the data, or leads out of it")
    if namespace in _SCHEMAS and name not in ("label", "comment", "subClassOf"):
        return Guess({"as": "ignore"}, "it describes the schema")
    is_literal = are_literals(part)
    if is_literal.mean() >= 0.5:
        return _literal(name, part, sample, known)
    objects = part.objects.filter(pa.array(~is_literal))
    lonely = ~cells.mask(pc.is_in(objects, value_set=pc.cast(joined, objects.type)))
    pages = bool(_PAGE.search(local_name(predicate))) or share(objects, _PAGES) >= _NEARLY_ALL
    if pages and len(objects) >= _MIN_VALUES and lonely.mean() >= _NEARLY_ALL:
        return Guess({"as": "ignore"}, "it leads to pages, nearly all of which occur nowhere else")
    return Guess({"as": "ref"}, "it leads to nodes")


def _literal(name: str, part: Triples, sample: RdfSample, known: References) -> Guess:
    tags = _languages(part)
    full = looks.filled(literals_of(part, tags))
    if not len(full):
        return Guess({"as": "ignore"}, "its literals are empty")
    values, separator = looks.parts_of(full, name)
    if share(values, looks.IRIS) == 1:
        return _iris(name, values, separator, sample, known)
    if _TEXT.fullmatch(name):
        guess = Guess({"as": "text"}, "its name is that of a description")
    else:
        guess = literal_role(name, full, rows=len(sample.subjects), taken=known.taken)
    return _in_languages(guess, tags)


def _iris(name: str, values: pa.Array, separator: str | None, sample: RdfSample, known: References) -> Guess:
    """The role of literals that are IRIs."""
    are_subjects = overlap(values, sample.subjects) > 0
    if not are_subjects and distinct(values) == len(values) >= _MIN_VALUES:
        return Guess({"as": "ignore"}, "each of its addresses occurs once, so it joins nothing")
    type_ = type_of_iris(values, known.types) if are_subjects else type_of_values(name, known.taken)
    role = {"as": "node", "type": type_} | ({"split": separator} if separator else {})
    return Guess(role, f"its literals are IRIs{', which are also subjects' if are_subjects else ''}")


def _languages(part: Triples) -> list[str]:
    """Languages in order of preference, if there are several: English, otherwise the most frequent one."""
    counts = Counter(part.languages[code] for code in part.langs[are_literals(part)].tolist())
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
    """Predicates that name the nodes: the most informative first, and others if it names few of the nodes."""
    chosen: dict[str, Guess] = {}
    named: set[str] = set()
    for _, _, predicate in sorted(_label_candidates(sample)):
        part = sample.parts[predicate]
        subjects = set(part.subjects.filter(pa.array(are_literals(part))).to_pylist())
        if len(subjects & named) * 2 <= len(subjects):
            named |= subjects
            guess = Guess({"as": "label"}, "its name is that of a label")
            chosen[predicate] = _in_languages(guess, _languages(part))
    return chosen


def _label_candidates(sample: RdfSample) -> Iterator[tuple[int, float, str]]:
    """Rank, share of the values that repeat, and predicate."""
    for predicate, part in sample.parts.items():
        rank, literals = _rank(predicate), literals_of(part)
        if rank is None or are_literals(part).mean() < 0.5 or looks.is_long(literals):
            continue
        repeated = 1 - distinct(literals) / len(literals)
        if rank >= _ENDING and repeated > 0.3:
            continue
        ends = pa.array([local_name(iri) for iri in part.subjects.to_pylist()])
        # labels that repeat the last part of the IRI are a last resort
        repeats = cells.mask(pc.equal(pc.cast(part.objects, pa.string()), ends)).mean() > 0.9
        yield rank + (100 if rank >= len(_LABELS) and repeats else 0), round(repeated, 1), predicate


def _rank(predicate: str) -> int | None:
    if predicate in _LABELS:
        return _LABELS.index(predicate)
    name = local_name(predicate).lower()
    if name in LABELS:
        return len(_LABELS) + LABELS.index(name)
    # a predicate with a number, such as actor_2_name, names something else
    ends = [i for i, label in enumerate(LABELS) if name.endswith(label) and not re.search(r"\d", name)]
    return _ENDING + ends[0] if ends else None
