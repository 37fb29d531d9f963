"""From the graph to vectors of items and users.

config            width, hops, dropout
text/             texts -> vectors, by a sentence-transformer
dense_features    text and vector columns as raw vectors
whitening         a map that equalises the variances of vectors in all directions
neighborhoods     weighted neighbours of each item in the graph
label_tokens      tokens that labels share, as nodes
featurizer        the relations and nodes that have parameters; features of any item, known or new
sparse            sparse products with a fast backward pass
item_encoder      the graph neural network
user_encoder      from a history to a vector of the user: the protocol, and the mean and linear encoders
ordered_users     trainable parameters of the linear encoder
transformer       trainable parameters of the encoder with self-attention
transformer_user_encoder   the encoder with self-attention, without torch
user_encoders     makes the user encoder from stored parameters

This module imports nothing.
"""
