"""The knowledge graph and the interactions with its items.

sorted_names     entities by type and key, by binary search
vocabulary        distinct strings <-> row numbers
interactions      users' interactions with items: sorted, distinct, counted
histories         `Histories`: interactions by user, oldest first, weighted
tables            `GraphTables`: tables of entities, triples, texts, numbers, vectors, and look-ups in them
ntriples          the graph as RDF, one line per statement
views             the graph for networkx, rdflib and PyG
subgraph          the neighbourhood of some nodes; edges as a sparse matrix
memberships       nodes of a type, such as genres, that entities are linked to
extend            a graph joined with an addition; known entities keep their ids
export            the graph in files of other tools
stats             counts, degrees, likely mistakes
validate          checks of a graph, also by SHACL shapes
where_syntax      conditions on items: text -> tree
where             conditions on items: tree -> items that meet it
knowledge_graph   `KnowledgeGraph`: the tables with all of the above as methods; graph/ on disk
build             sources -> graph, new rows -> addition
live_histories    histories that grow with newer interactions
live_graph        a graph that grows with additions, merged when the whole graph is needed

This module imports nothing.
"""
