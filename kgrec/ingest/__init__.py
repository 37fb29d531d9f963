"""From files to statements about nodes, and from those to the tables of a graph.

sources  which files a mapping names
tables   CSV, TSV, JSONL, Parquet and frames, as batches of text columns
cells    text columns as numbers, dates, lists, vectors
rows     node and edge tables, read into statements
rdf      RDF, read into statements
log      interactions
statements   what the sources said, by provisional node numbers
assemble     statements into the graph's tables
report   what was read, dropped, merged, and where
draft    a first mapping from tables, a log and RDF, by what their first rows and triples hold
foreign  datasets in published formats, written as what the above reads
"""
