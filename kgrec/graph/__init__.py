"""The knowledge graph and the interactions with its items.

vocabulary        ids as strings <-> row numbers
interactions      who took which item, when, and how they liked it
knowledge_graph   `KnowledgeGraph`: tables of entities, triples, texts, numbers, vectors
extend            a graph joined with new rows, which keeps its ids
subgraph          parts of a graph: a neighbourhood, a sparse matrix
views             the graph for networkx, rdflib and PyG
ntriples          the graph as RDF, one line per statement
export            the graph for other tools
stats             counts, degrees, likely mistakes
validate          findings, SHACL shapes among them
where_syntax      conditions on items: text -> tree
where             conditions on items: tree -> which items meet it

Nothing is imported here.
"""
