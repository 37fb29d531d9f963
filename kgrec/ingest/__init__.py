"""From files to statements about nodes, and from statements to the tables of a graph.

mapping/             kgrec.yaml, read and checked
sources              which files a mapping names
table_files          CSV, TSV, JSONL, Parquet and frames, as batches of text columns
batches              batches of text columns with line numbers
jsonl                JSON Lines as batches
cells                text columns as numbers, dates, lists, vectors
table_statements     node and edge tables as statements
rdf_parser           RDF files as triples
rdf_terms            triples as columns
blank_nodes          numbers for blank nodes, whatever the order of lines
rdf_statements       triples as statements
interaction_rows     tables of interactions as columns
interaction_files    which table of the mapping describes another file of interactions
partial_tables       rows with some of a table's columns
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
