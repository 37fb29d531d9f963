"""Drafts that read RDF, alone, or beside tables and a log."""

from __future__ import annotations

import gzip
import json

import pyoxigraph as ox
import pytest
import yaml

from kgrec.errors import SourceError
from kgrec.graph.build import build_graph
from kgrec.ingest.draft import draft_mapping
from kgrec.ingest.draft.lines import Prefixes, is_writable, local_name, namespace_and_name

SHOP = """@prefix : <http://my.shop/vocab#> .
@prefix s: <https://schema.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
<http://my.shop/product/1> a s:Product, :Ware, owl:NamedIndividual ; s:name "Chair"@en, "Stuhl"@de ;
  rdfs:comment "To sit on."@en ; :price 12.5 ; :since "2001-02-03" ; :made "03.02.2001" ; :colour "red" ; :tags "a|b" ;
  s:brand <http://my.shop/brand/Eka%20X> ; s:image <http://my.shop/i/1.jpg> ; owl:sameAs <http://ex.org/chair> .
<http://my.shop/product/2> a s:Product, :Ware ; s:name "Table"@en, "Tisch"@de ; rdfs:comment "To eat at."@en ;
  :price 99 ; :since "2001-02-03" ; :made "13.02.2001" ; :colour "red" ; :tags "b|c" ; s:brand <http://my.shop/brand/Eka%20X> .
<http://my.shop/product/3> a s:Product, :Ware, :Lamp ; s:name "Lamp"@en ; :price 5 ; :made "23.02.2001" ; :colour "blue" ;
  s:brand <http://my.shop/brand/O> ; :part [ :colour "white" ] .
<http://my.shop/brand/Eka%20X> a s:Brand ; s:name "Eka X" .
<http://my.shop/brand/O> a s:Brand ; s:name "O" .
"""
LOG = "user,product,stars\nu1,1,5\nu1,2,4\nu2,2,3\nu2,3,5\n"


def drafted(folder, **files):
    """A draft for some files, `shop_ttl` for shop.ttl, as plain values, its reasons, and the graph that it builds."""
    paths = [folder / name.replace("_", ".") for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    draft = draft_mapping(paths)
    (folder / "kgrec.yaml").write_text(draft.yaml, encoding="utf-8")
    return yaml.safe_load(draft.yaml), draft.reasons, build_graph(folder / "kgrec.yaml")


def test_rdf_alone(tmp_path):
    mapping, reasons, graph = drafted(tmp_path, shop_ttl=SHOP)
    assert mapping.pop("say")["shared"]["s:brand"] == "the same brand ({nodes})"
    assert mapping == {
        "version": 1,
        "base": "https://example.org/",
        "prefixes": {"my": "http://my.shop/vocab#", "s": "https://schema.org/"},
        "rdf": [
            {
                "file": "shop.ttl",
                "types": {
                    "product": ["my:Ware", "s:Product"],
                    "lamp": "my:Lamp",
                    "brand": "s:Brand",
                },
                "items": ["product"],
                "predicates": {
                    "s:name": {"as": "label", "lang": ["en", ""]},
                    "my:colour": "category",
                    "my:made": {"as": "date", "format": "%d.%m.%Y"},
                    "my:price": "number",
                    "s:brand": "ref",
                    "my:since": "date",
                    "my:tags": {"as": "node", "type": "tag", "split": "|"},
                    "rdfs:comment": "text",
                    "my:part": "ref",
                    "s:image": "ignore",
                    "*": "ignore",
                },
            }
        ],
    }
    why = "no table has items, and its 3 nodes have the most triples"
    assert f"shop.ttl: product: items, since {why}" in reasons
    assert "shop.ttl: my:Lamp: type lamp, since it has 1 node" in reasons
    assert "shop.ttl: owl:sameAs: same_as, since it links equal things" in reasons
    assert graph.stats()["nodes"] == {"brand": 2, "colour": 3, "product": 3, "resource": 1, "tag": 3}
    labels = dict(zip(*(graph.entities[name].to_pylist() for name in ("key", "label")), strict=True))
    assert labels["http://my.shop/product/1"] == "Chair" and labels["http://my.shop/brand/O"] == "O"


def test_a_log_of_what_the_iris_end_in(tmp_path):
    mapping, reasons, graph = drafted(tmp_path, shop_ttl=SHOP, log_csv=LOG)
    assert mapping["base"] == "http://my.shop/" and mapping["rdf"][0]["items"] == ["product"]
    assert reasons[0] == (
        "kgrec.yaml: base: http://my.shop/, since the IRIs of the items end in the item ids of log.csv"
    )
    assert graph.item_ids.tolist() == ["1", "2", "3"] and len(graph.interactions) == 4
    assert graph.stats()["edges"]["s:brand"] == 3


def test_a_log_of_iris(tmp_path):
    log = "user\titem\nu1\thttp://my.shop/brand/O\nu2\thttp://my.shop/brand/O\nu2\thttp://my.shop/brand/Eka%20X\n"
    mapping, reasons, graph = drafted(tmp_path, shop_ttl=SHOP, log_tsv=log)
    assert mapping["base"] == "https://example.org/" and mapping["rdf"][0]["items"] == ["brand"]
    assert (
        "shop.ttl: brand: items, since its keys are in the interactions: 100% of the values of item there"
        in reasons
    )
    assert len(graph.item_ids) == 2 and len(graph.interactions) == 3


def test_tables_join_by_a_column_of_iris(tmp_path):
    table = "sku;title;page\nA;Chair;http://my.shop/product/1\nB;Table;http://my.shop/product/2\nC;Bed;\n"
    mapping, reasons, graph = drafted(tmp_path, ware_csv=table, shop_ttl=SHOP)
    assert mapping["nodes"]["ware"]["columns"] == {"title": "label", "page": "same_as"}
    assert "items" not in mapping["rdf"][0]
    assert "ware.csv: page: same_as, since it holds IRIs, 100% of which are subjects in RDF" in reasons
    assert graph.item_ids.tolist() == ["A", "B", "C"]
    assert graph.neighbors("ware", "A")["key"].tolist() == ["red", "a", "b", "http://my.shop/brand/Eka%20X"]


def test_tables_join_by_the_ends_of_iris(tmp_path):
    table = "sku,name,maker\n1,Chair,Eka X\n2,Table,Eka X\n3,Lamp,O\n4,Bed,Z\n"
    mapping, reasons, graph = drafted(tmp_path, wares_csv=table, shop_ttl=SHOP)
    assert mapping["base"] == "http://my.shop/"
    assert mapping["nodes"]["product"]["columns"] == {
        "name": "label",
        "maker": {"as": "category", "type": "brand"},
    }
    assert reasons[0] == "kgrec.yaml: base: http://my.shop/, since IRIs of RDF end in the keys of wares.csv"
    assert graph.item_ids.tolist() == ["1", "2", "3", "4"]
    assert graph.stats()["nodes"]["brand"] == 3


def test_what_joins_nothing_is_said(tmp_path):
    _, reasons, graph = drafted(tmp_path, a_csv="id,title\nx,One\ny,Two\n", shop_ttl=SHOP)
    why = "no table has a column of its IRIs, or keys at the ends of its IRIs"
    assert f"shop.ttl: *: joined to no table, since {why}" in reasons
    assert graph.item_ids.tolist() == ["x", "y"]


def test_numbers_that_nodes_of_several_types_have_join_nothing(tmp_path):
    rdf = "".join(
        f"<http://e.org/{kind}/{n}> <http://e.org/p> <http://e.org/x> .\n" for kind in "ab" for n in "123"
    )
    mapping, reasons, _ = drafted(tmp_path, t_csv="id,title\n1,One\n2,Two\n3,Three\n", d_nt=rdf)
    assert mapping["base"] == "https://example.org/" and any("joined to no table" in why for why in reasons)


def test_links_that_are_many_are_left_to_the_star(tmp_path):
    rdf = "".join(f"<http://e.org/x{n}> <http://e.org/p/{n}> <http://e.org/y> .\n" for n in range(21))
    table = "id,title,iri\n1,One,http://e.org/x1\n2,Two,http://e.org/x2\n"
    mapping, reasons, graph = drafted(tmp_path, t_csv=table, d_nt=rdf)
    assert mapping["rdf"][0]["predicates"] == {"*": "ref"}
    assert "d.nt: *: ref, since 21 predicates lead to nodes, too many to list" in reasons
    assert len(graph.triples) == 21


def test_only_so_many_triples_are_looked_at(tmp_path):
    rdf = "".join(
        f'<http://e.org/{n}> <http://e.org/{"late" if n > 209_000 else "name"}> "N{n}" .\n'
        for n in range(210_000)
    )
    table = "id,title,iri\n1,One,http://e.org/1\n2,Two,http://e.org/2\n"
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "d.nt.gz").write_bytes(gzip.compress(rdf.encode(), 1))
    draft = draft_mapping([tmp_path / "t.csv", tmp_path / "d.nt.gz"])
    assert yaml.safe_load(draft.yaml)["rdf"][0]["predicates"] == {"e:name": "label", "*": "ref"}
    assert "d.nt.gz: *: ref, since only the first 200,000 triples were sampled" in draft.reasons


@pytest.mark.parametrize(
    "name", ["shop.nt", "shop.nq", "shop.trig", "shop.rdf", "shop.jsonld", "shop.txt", "dump"]
)
def test_every_format(tmp_path, name):
    formats = {"jsonld": ox.RdfFormat.JSON_LD, "rdf": ox.RdfFormat.RDF_XML, "trig": ox.RdfFormat.TRIG}
    form = formats.get(name.partition(".")[2], ox.RdfFormat.N_TRIPLES)
    triples = ox.parse(SHOP, format=ox.RdfFormat.TURTLE)
    quads = ox.serialize((ox.Quad(t.subject, t.predicate, t.object) for t in triples), format=form)
    (tmp_path / name).write_bytes(quads)
    (tmp_path / "shop.ttl").write_text(SHOP)
    draft, plain = (draft_mapping([tmp_path / file]) for file in (name, "shop.ttl"))
    one, other = (yaml.safe_load(part.yaml)["rdf"][0] for part in (draft, plain))
    assert one.get("format") == {"shop.txt": "ntriples", "dump": "ntriples"}.get(name)
    roles = [list(part["predicates"].values()) for part in (one, other)]
    assert sorted(map(str, roles[0])) == sorted(map(str, roles[1]))
    assert list(one["types"]) == list(other["types"])


def test_turtle_is_known_by_its_first_lines(tmp_path):
    mapping, reasons, _ = drafted(tmp_path, shop_data=SHOP)
    assert mapping["rdf"][0]["format"] == "turtle"
    assert "shop.data: format: turtle, since the suffix does not show it, but the first lines do" in reasons


def described(*triples, n=6):
    """RDF about n films, each with some predicates; `{n}` is the number of the film."""
    lines = [f"e:f{i} a e:Film ; {' ; '.join(triples)} .".replace("{n}", str(i)) for i in range(n)]
    return "@prefix e: <http://e.org/> .\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("triple", "role"),
    [
        ('e:title "One"@de, "Un"@fr', {"as": "label", "lang": ["de", ""]}),
        ('e:title "One"@en-GB, "Un"@fr', {"as": "label", "lang": ["en", ""]}),
        ('e:title "Film {n}"@fr', "label"),
        ('e:originalTitle "Film {n}"', "label"),
        ('e:abstract "Short."@en, "Kurz."@de', {"as": "text", "lang": ["en", ""]}),
        (f'e:told "{"words " * 20}"', "text"),
        ('e:runtime "9{n}"', "number"),
        ('e:on "199{n}-01-02"', "date"),
        ('e:kind "Drama"', "category"),
        ('e:director_name "Ann"', {"as": "category", "type": "director"}),
        ('e:genres "Drama, War"', {"as": "node", "type": "genre", "split": ", "}),
        ("e:by e:ann", "ref"),
        ("e:by [ e:name 'Ann' ]", "ref"),
        ("e:thumbnail e:t{n}", "ignore"),
        ("e:shown <http://e.org/{n}.png>", "ignore"),
        ("e:wikiPageID {n}", "ignore"),
        ('e:actor "http://e.org/ann,http://e.org/bob"', {"as": "node", "type": "actor", "split": ","}),
        ('e:next "http://e.org/f1"', {"as": "node", "type": "film"}),
        ("<http://www.w3.org/2000/01/rdf-schema#domain> e:x", "ignore"),
    ],
)
def test_the_role_of_a_predicate(tmp_path, triple, role):
    mapping, _, _ = drafted(tmp_path, f_ttl=described(triple))
    predicates = mapping["rdf"][0]["predicates"]
    assert next(iter(predicates.values())) == role


def test_pages_that_occur_once_are_ignored(tmp_path):
    content = described("e:imdb_link <http://i.org/{n}>", "e:by <http://p.org/{n}>", n=30)
    mapping, _, _ = drafted(tmp_path, f_ttl=content)
    assert mapping["rdf"][0]["predicates"] == {"e:by": "ref", "e:imdb_link": "ignore", "*": "ignore"}


def test_the_label_is_the_predicate_that_tells_most(tmp_path):
    content = described(
        'e:Name "f{n}"', 'e:movie_title "The {n}"', 'e:actor_1_name "Ann"', 'e:actor_2_name "Bo the {n}th"'
    )
    mapping, _, graph = drafted(tmp_path, f_ttl=content)
    assert mapping["rdf"][0]["predicates"] == {
        "e:Name": "ignore",
        "e:actor_1_name": {"as": "category", "type": "actor"},
        "e:actor_2_name": {"as": "category", "type": "actor"},
        "e:movie_title": "label",
        "*": "ignore",
    }
    assert graph.stats()["nodes"] == {"actor": 7, "film": 6}
    only = described('e:name "f{n}"')
    assert drafted(tmp_path, f_ttl=only)[0]["rdf"][0]["predicates"]["e:name"] == "label"


def test_nodes_of_several_files_have_their_types_once(tmp_path):
    first = "<http://e.org/1> a <http://e.org/Film> ; <http://e.org/name> 'One' ."
    second = (
        "<http://e.org/2> a <http://e.org/Film>, <http://d.org/Film> ; <http://e.org/by> <http://e.org/3> ."
    )
    mapping, _, graph = drafted(tmp_path, a_ttl=first, b_ttl=second)
    assert [part["types"] for part in mapping["rdf"]] == [
        {"film": "e:Film"},
        {"film": "e:Film", "film_2": "d:Film"},
    ]
    assert len(graph.item_ids) == 2


@pytest.mark.parametrize("log", [{}, {"log_csv": LOG}])
def test_rdf_without_classes_says_what_to_write(tmp_path, log):
    content = '@base <http://m.org/> . <movie#A> <title> "A" ; <year> 1 . <actor#B> <in> <movie#A> . <actor#C> <in> <movie#A> .'
    with pytest.raises(SourceError) as caught:
        drafted(tmp_path, m_ttl=content, **log)
    assert caught.value.problem == (
        "m.ttl has no classes (rdf:type), so the items among its nodes are unknown."
    )
    assert 'types: {movie: "http://m.org/movie#*"}, items: [movie]' in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("a.ttl", "# nothing\n", "a.ttl has no triples."), ("a.ttl", "<a> <b> .\n", "a.ttl:1: ")],
)
def test_files_that_cannot_be_read(tmp_path, name, content, problem):
    with pytest.raises(SourceError) as caught:
        drafted(tmp_path, **{name.replace(".", "_"): content})
    assert caught.value.problem.startswith(problem)


def test_prefixes_are_short_and_differ():
    declared = {"mov": "http://e.org/m/", "dbo": "http://e.org/dbo/"}
    namespaces = ["http://e.org/m/", "http://e.org/dbo/", "http://dbpedia.org/ontology/"]
    prefixes = Prefixes("https://example.org/", declared, namespaces)
    short = {
        "http://e.org/m/a": "mov:a",
        "http://e.org/dbo/a": "dbo_2:a",
        "http://dbpedia.org/ontology/a": "dbo:a",
        "https://schema.org/name": "schema:name",
        "http://www.wikidata.org/prop/direct/P31": "wdt:P31",
        "http://www.w3.org/2001/vcard-rdf/3.0#FN": "vcard:FN",
        "http://other.org/m/vcard#x": "vcard_2:x",
        "http://x.org/ns#y": "x:y",
        "http://10.0.0.1/ns#y": "ns:y",
        "http://data.kb.nl/terms/a": "kb:a",
        "https://example.org/relation/made_by": "https://example.org/relation/made_by",
        "https://example.org/actor": "https://example.org/actor",
        "urn:isbn:7": "isbn:7",
        "http://e.org/": "http://e.org/",
    }
    assert {iri: prefixes.short(iri) for iri in short} == short
    assert prefixes.own["vcard_2"] == "http://other.org/m/vcard#"
    assert len(set(prefixes.own.values())) == len(prefixes.own)


def test_iris_that_a_mapping_cannot_name_are_passed_over(tmp_path):
    content = "<http://e.org/a> a <http:>, <http://e.org/F> ; <http:> 'x' ; <urn:> 'y' ; <doi:1/p> 'A b' ; <http://e.org> 'c d' ."
    mapping, _, _ = drafted(tmp_path, a_ttl=content)
    assert mapping["rdf"][0]["types"] == {"f": "e:F"}
    assert mapping["rdf"][0]["predicates"] == {"ns:p": "text", "http://e.org": "text", "*": "ignore"}
    assert not is_writable("http:") and is_writable("http://e.org") and is_writable("doi:1/p")


def test_an_iri_ends_in_a_name():
    assert namespace_and_name("http://e.org/a#b") == ("http://e.org/a#", "b")
    assert namespace_and_name("http://e.org/a/b/") == ("http://e.org/a/", "b/")
    assert local_name("http://e.org/a/b/") == "b"


def test_nodes_without_a_type_are_no_items(tmp_path):
    content = "@prefix e: <http://e.org/> . e:a a e:Resource ; e:title 'A' ; e:by e:x . e:b a e:Resource ; e:title 'B' ; e:by e:y ."
    mapping, _, graph = drafted(tmp_path, r_ttl=content)
    assert mapping["rdf"][0]["items"] == ["resource_2"]
    assert graph.stats()["nodes"] == {"resource": 2, "resource_2": 2} and len(graph.item_ids) == 2


def test_rare_predicates_are_left_out_before_labels(tmp_path):
    rare = " ; ".join(f"e:p{n:02} 'x{n}', 'y{n}'" for n in range(70))
    content = f"@prefix e: <http://e.org/> . e:a a e:Film ; e:title 'A' ; {rare} . e:b a e:Film ; e:title 'B' ; {rare} ."
    mapping, reasons, _ = drafted(tmp_path, r_ttl=content)
    predicates = mapping["rdf"][0]["predicates"]
    assert len(predicates) == 61 and predicates["e:title"] == "label"
    assert (
        "r.ttl: *: ignore, since the predicates that link or describe nodes are listed, and 11 rare ones are left out"
        in reasons
    )


def wikidata(*, labels: bool) -> str:
    entity, direct = "http://www.wikidata.org/entity/", "http://www.wikidata.org/prop/direct/"
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    lines = [
        line
        for n in range(20, 30)
        for line in (
            f"<{entity}Q{n}> <{direct}P31> <{entity}Q11424> .",
            f'<{entity}Q{n}> <{label}> "Film {n}"@en .',
            f"<{entity}Q{n}> <{direct}P57> <{entity}Q10{n % 2}> .",
        )
    ]
    lines += [f"<{entity}Q10{n}> <{direct}P31> <{entity}Q5> ." for n in range(2)]
    if labels:
        lines += [
            f'<{entity}Q11424> <{label}> "Film"@de, "motion picture"@en .'.replace(
                ", ", f" .\n<{entity}Q11424> <{label}> "
            )
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("labels", "name"), [(False, "q11424"), (True, "motion_picture")])
def test_classes_by_another_predicate_than_rdf_type(tmp_path, labels, name):
    mapping, reasons, graph = drafted(tmp_path, w_nt=wikidata(labels=labels))
    (source,) = mapping["rdf"]
    assert source["type_predicates"] == ["wdt:P31"] and source["items"] == [name]
    assert source["types"] == {name: "wd:Q11424", "q5": "wd:Q5"}
    assert "prefixes" not in mapping
    assert len(graph.item_ids) == 10 and graph.stats()["nodes"]["q5"] == 2
    assert (
        "w.nt: http://www.wikidata.org/prop/direct/P31: type_predicates, since rdf:type is absent, and this predicate is the one of Wikidata"
        in reasons
    )


def test_classes_by_a_predicate_with_the_name_of_one(tmp_path):
    lines = "".join(f"e:f{n} e:type e:Film ; e:title 'Film {n}' ; e:like e:f{n + 1} .\n" for n in range(10))
    mapping, _, graph = drafted(tmp_path, f_ttl=f"@prefix e: <http://e.org/> .\n{lines}")
    assert mapping["rdf"][0]["type_predicates"] == ["e:type"] and mapping["rdf"][0]["items"] == ["film"]
    assert len(graph.item_ids) == 10


def test_a_predicate_with_the_name_of_a_class_and_many_objects_names_none(tmp_path):
    lines = "".join(f"e:f{n} e:type e:T{n} ; e:title 'Film {n}' .\n" for n in range(10))
    with pytest.raises(SourceError, match="has no classes"):
        drafted(tmp_path, f_ttl=f"@prefix e: <http://e.org/> .\n{lines}")


def test_the_advice_for_rdf_without_classes_makes_items_of_the_subjects_only(tmp_path):
    lines = [
        f"<http://a.example/resource/{n}> <http://a.example/p/name> 'Number {n}' ; <http://a.example/p/in>"
        f" <http://a.example/resource/Place>, <http://other.example/{n}> .\n"
        for n in range(5)
    ]
    with pytest.raises(SourceError) as caught:
        drafted(tmp_path, m_ttl="".join(lines))
    assert 'types: {item: "http://a.example/resource/*"}, items: [item]' in caught.value.remedy
    (tmp_path / "kgrec.yaml").write_text(
        'version: 1\nrdf:\n  - {file: m.ttl, types: {item: "http://a.example/resource/*"}, items: [item], predicates: {"*": ref}}\n'
    )
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert len(graph.item_ids) == 5 and graph.stats()["nodes"] == {"item": 5, "resource": 6}


def test_equal_blank_nodes_are_found(tmp_path):
    lines = "".join(
        f"e:f{n} a e:Film ; e:title 'Film {n}' ; e:brand [ e:title 'Acme' ] .\n" for n in range(3)
    )
    mapping, reasons, graph = drafted(tmp_path, f_ttl=f"@prefix e: <http://e.org/> .\n{lines}")
    assert mapping["rdf"][0]["blank_nodes"] == "merge_equal"
    assert "f.ttl: blank nodes: merge_equal, since 3 of them have the same statements as others" in reasons
    assert graph.stats()["nodes"] == {"film": 3, "resource": 1}


def test_schema_org_as_json_ld(tmp_path):
    films = [
        {
            "@context": "https://schema.org",
            "@type": "Movie",
            "@id": f"http://e.org/{n}",
            "name": f"Film number {n}",
            "duration": f"PT{60 + n}M",
            "productionCompany": {"@type": "Organization", "name": "Acme"},
        }
        for n in range(5)
    ]
    for name in ("f_jsonld", "f_json"):
        mapping, _, graph = drafted(tmp_path, **{name: json.dumps(films)})
        (source,) = mapping["rdf"]
        assert source["types"] == {"movie": "schema:Movie", "organization": "schema:Organization"}
        assert source["predicates"]["schema:duration"] == {"as": "number", "unit": "min"}
        assert sorted(graph.numbers["value"].to_pylist()) == [60, 61, 62, 63, 64]
        assert graph.stats()["nodes"] == {"movie": 5, "organization": 1}


@pytest.mark.parametrize(
    ("name", "kind"), [("shop_rdf", "turtle"), ("shop_nt", "turtle"), ("shop_xml", "turtle")]
)
def test_the_first_lines_tell_the_format_better_than_the_suffix(tmp_path, name, kind):
    mapping, reasons, _ = drafted(tmp_path, **{name: SHOP})
    assert mapping["rdf"][0]["format"] == kind
    assert any(
        "format: turtle, since the suffix shows another, but the first lines do" in why for why in reasons
    )
