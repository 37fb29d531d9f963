"""From files to statements about nodes, and from statements to the tables of a graph.

mapping/             kgrec.yaml, read and checked
sources              the files that a mapping names
table_files          CSV, TSV, JSONL, Parquet and frames, as batches of text columns
batches              batches of text columns with line numbers
compressed           files as streams of bytes, decompressed
text_stream          text files as UTF-8, with the numbers of lines that do not decode
csv_quotes           unclosed quotes, and escapes
jsonl                JSON files as batches
json_objects         the objects of one JSON text
objects              lists and objects in cells, as JSON or Python
cells                text columns as numbers, dates, lists, vectors
durations            durations as numbers
table_statements     node and edge tables as statements
rdf_parser           RDF files as triples
rdf_sniff            the RDF format, from a file's first bytes
rdf_faults           errors in RDF files, with remedies
jsonld_contexts      remote contexts of JSON-LD, replaced without fetching them
rdf_terms            triples as columns
blank_nodes          numbers of blank nodes that do not depend on the order of lines
rdf_statements       triples as statements
interaction_rows     tables of interactions as columns
interaction_files    the table of the mapping that describes another file of interactions
partial_tables       rows with only some of a table's columns
statements           edges and values by provisional node numbers
reader               all sources of a mapping, read into statements
entity_resolution    nodes merged into entities
shared_iris          rows that share an IRI
deduplicate          sorted, distinct triples and values
assemble             statements -> the tables of the graph
build_report         counts of rows read, dropped and merged, with places
draft/               a draft of kgrec.yaml from sample rows
datasets/            importers of published datasets
"""
