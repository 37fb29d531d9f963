"""The knowledge graph and the interactions with its items.

sorted_names     entities by type and key, by binary search
vocabulary        distinct strings <-> row numbers
interactions      users' interactions with items: sorted, distinct, counted
histories         `Histories`: interactions by user, oldest first, weighted
tables            `GraphTables`: tables of entities, triples, texts, numbers, vectors, and look-ups in them
ntriples          the graph as RDF, one line per statement
views             the graph for networkx, rdflib and PyG
subgraph          the neighbourhood of some nodes; edges as a sparse matrix
memberships       which nodes of a type, such as genres, some entities are linked to
extend            a graph joined with an addition; known entities keep their ids
export            the graph in files of other tools
stats             counts, degrees, likely mistakes
validate          findings, also by SHACL shapes
where_syntax      conditions on items: text -> tree
where             conditions on items: tree -> which items meet it
knowledge_graph   `KnowledgeGraph`: the tables with all of the above as methods; graph/ on disk
build             sources -> graph, new rows -> addition
live_histories    histories that grow by newer interactions
live_graph        a graph that grows by additions, merged when the whole is needed

Nothing is imported here.
"""
