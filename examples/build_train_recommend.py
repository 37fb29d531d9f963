"""From a catalogue and a log to lists: build a graph, train a model, recommend, explain.

The catalogue is the bundled one: real films, simulated viewers. Runs in seconds.
"""

import tempfile
from pathlib import Path

import kg_data
import kgrec


def main() -> None:
    # The graph. graph.report has the rows that were read, dropped and merged, with file and line.
    graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    print(graph)

    # The model. One thread gives the same model each time; few epochs are enough for an example.
    config = kgrec.Config.read(settings=["encoder.dim=32", "train.epochs=4", "train.threads=1"])
    rec = kgrec.Recommender(config).fit(graph)

    # Known users, then a history that training never saw.
    print("\nFor two viewers:")
    print(rec.recommend(["viewer-001", "viewer-002"], k=3).to_string(index=False))
    print("\nFor somebody who liked Alien and Heat:")
    print(rec.recommend_for_history([["alien-1979", "heat-1995"]], k=3).to_string(index=False))

    # Explain the score by its parts.
    best = rec.recommend(["viewer-001"], k=1)["item_id"][0]
    explanation = rec.explain("viewer-001", best)
    print(f"\n{explanation}")
    print(f"\nThe history's parts sum to {explanation.history['contribution'].sum():.3f}.")

    # A saved model needs neither the graph nor the sources.
    with tempfile.TemporaryDirectory() as folder:
        rec.save(Path(folder) / "model")
        again = kgrec.Recommender.load(Path(folder) / "model")
        same = again.recommend(["viewer-001"], k=10).equals(rec.recommend(["viewer-001"], k=10))
    print(f"The loaded model gives the same list: {same}")


if __name__ == "__main__":
    main()
