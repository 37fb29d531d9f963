"""kgrec: recommendations from a catalogue and a log, through a knowledge graph.

A catalogue in CSV or RDF becomes a graph, the graph and the log become embeddings, a FAISS index
answers; a new item is recommendable as soon as its row is read.

Example:
    >>> import kg_data, kgrec
    >>> graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    >>> rec = kgrec.Recommender().fit(graph)  # doctest: +SKIP
    >>> rec.recommend(["viewer-001"], k=10)  # doctest: +SKIP

Importing this module imports nothing heavy: each name is loaded when it is first used.
The names, and where each is defined, stand in `__init__.pyi` alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
