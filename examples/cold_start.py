"""New items and new users without training: add films, find their audience, recommend to a newcomer.

The catalogue is the bundled one: real films, simulated viewers. Runs in seconds.
"""

import pandas as pd

import kg_data
import kgrec


def main() -> None:
    graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    config = kgrec.Config.read(settings=["encoder.dim=32", "train.epochs=4", "train.threads=1"])
    rec = kgrec.Recommender(config).fit(graph)

    # Films from a folder with the files of kgrec.yaml. Nothing is trained.
    added = rec.add_items(kg_data.movies() / "new")
    print(f"Added {len(added)} films:")
    for item, linked, words in zip(added.ids, added.linked, added.words, strict=True):
        print(f"  {item}: {linked} known neighbours, {words} words of text")

    # They are near films that training knew, and in the lists of viewers.
    print("\nNearest to The Departed:")
    print(rec.similar_items(["the-departed-2006"], k=3).to_string(index=False))
    lists = rec.recommend(rec.model.users.tolist(), k=10)
    reached = lists[lists["item_id"].isin(added.ids)]
    print(
        f"\nNew films are in the top 10 of {reached['user_id'].nunique()} of {len(rec.model.users)} viewers."
    )

    # One row from a frame, with the columns of the mapping: embedded, not added to the model.
    row = dict.fromkeys(graph.mapping.nodes["movie"].columns, "")
    row |= {
        "movie_id": "wolves-in-orbit",
        "title": "Wolves in Orbit",
        "overview": "A crew on a lonely space station meets a creature that hunts in the dark.",
        "genres": "Horror|Science fiction",
        "language": "English",
    }
    embedded = rec.embed_items(pd.DataFrame([row]))
    print(f"\n{embedded.ids[0]} has a vector of length {embedded.vectors.shape[1]} and is not in the model.")

    # A new user is a history: one liked film is enough, and it may be a new film.
    print("\nFor a newcomer who liked Interstellar:")
    print(rec.recommend_for_history([["interstellar-2014"]], k=3, users=["newcomer"]).to_string(index=False))


if __name__ == "__main__":
    main()
