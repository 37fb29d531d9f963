# %% [markdown]
# Embeddings as arrays, for a notebook: cells are separated by `# %%`.
# The catalogue is the bundled one: real films, simulated viewers. Runs in seconds.

# %%
import numpy as np
import pandas as pd

import kg_data
import kgrec

graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
# With this weight alone, a score is the cosine of these vectors: candidates are not rescored.
small = ["encoder.dim=32", "train.epochs=4", "train.threads=1", "rescore.weights={embedding: 1}"]
config = kgrec.Config.read(settings=small)
rec = kgrec.Recommender(config).fit(graph)

# %% All items, and all users: unit vectors in the order of the ids.
items, users = rec.item_embeddings, rec.user_embeddings
print("items", items.vectors.shape, "users", users.vectors.shape, items.vectors.dtype)

# %% A score is then an inner product, so any tool for nearest neighbours can serve these vectors.
viewer = users.vectors[users.ids.ids(["viewer-001"])[0]]
scores = items.vectors @ viewer
best = rec.recommend(["viewer-001"], k=1).iloc[0]
by_hand = scores[items.ids.ids([best["item_id"]])[0]]
print(f"recommend() says {best['score']:.4f}, the inner product is {by_hand:.4f}")

# %% A frame with one vector per row, ready for any other model.
frame = pd.DataFrame(items.vectors, index=items.ids.tolist())
print(frame.iloc[:3, :4].round(3).to_string())

# %% A map in two dimensions: the two main axes.
centred = items.vectors - items.vectors.mean(axis=0)
axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
plane = pd.DataFrame(centred @ axes.T, index=[rec.label(item) for item in items.ids], columns=["x", "y"])
print("furthest apart on the first axis:", plane["x"].idxmin(), "and", plane["x"].idxmax())

# %% For other programs: Arrow, and from there Parquet.
print(items.to_arrow().schema.to_string())
