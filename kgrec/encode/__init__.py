"""From the graph to vectors of items and users.

config            width, hops, dropout
text/             texts -> vectors, by a sentence-transformer
dense_features    text and vector columns, centred, whitened, unit length
neighborhoods     weighted neighbours of each item in the graph
label_tokens      words that labels share, as nodes
featurizer        which relations and entities have parameters; the features of any item, known or new
item_encoder      the graph neural network
whitening         how evenly embeddings spread in all directions

Nothing is imported here.
"""
