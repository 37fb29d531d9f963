"""From files to statements about nodes, and from those to the tables of a graph.

mapping/             kgrec.yaml, read and checked
sources              which files a mapping names
tables               CSV, TSV, JSONL, Parquet and frames, as batches of text columns
batches              batches of text columns, with the line of each row
jsonl                JSON lines as such batches
cells                text columns as numbers, dates, lists, vectors
table_statements     node and edge tables as statements
rdf_parser           RDF files as triples
rdf_terms            triples in columns
blank_nodes          numbers for blank nodes that do not depend on the order of lines
rdf_statements       triples as statements
interaction_rows     the log
statements           what the sources said, by provisional node numbers
reader               all sources of a mapping, read into statements
entity_resolution    which nodes are one entity
shared_iris          rows that claim one IRI
deduplicate          each triple and each value once
assemble             statements -> the tables of the graph
build_report         what was read, dropped, merged, and where
draft/               a first mapping from tables, a log and RDF
datasets/            published datasets, written as what the above reads
"""
