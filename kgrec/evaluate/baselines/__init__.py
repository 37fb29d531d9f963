"""Baselines to compare a model with: simple methods that are hard to beat, and published methods of several kinds.

protocol          the interface of a baseline, and of a fitted one
baseline_data     the data that baselines learn from
fitted            fitted baselines that several methods share: item-item weights, item vectors, user and item vectors
popularity        number of users per item, optionally in a recent window
nearest_neighbors cosine, Jaccard and Pearson similarity of sparse rows, and the nearest rows of each
item_knn          items similar to those of the history
user_knn          items of users with a similar history
rp3               random walks of three steps: P3alpha and RP3beta
ease              each item predicted from all others by ridge regression
svd               PureSVD: a truncated singular value decomposition of the interactions
content           items with content similar to the history: words, graph neighbours, sentence vectors
hybrid            a weighted sum of two baselines
factors           iALS and BPR-MF, by `implicit`
bpr_sampling      triples of a user, a positive item and a negative item for pairwise losses
lightgcn          embeddings smoothed over the graph of interactions
kgat              attention over one graph of users, items and entities
vae               Mult-VAE: a variational autoencoder of histories
markov            items that followed the last items of a history: a Markov chain with skips
session_knn       items of users who share the newest items of the history
next_item         the common parts of neural next-item models: sequences, training, scores
gru4rec           a recurrent network over the history
sasrec            a Transformer over the history
registry          all baselines by name
tune              the same small search for options, for every baseline

This module imports nothing.
"""
