"""Scores of retrieved candidates.

config           options
candidates       items and scores per user, and rerankers
scorers          embedding, graph, text and co-occurrence scores
slim             item-item weights from co-occurrence
cold_transfer    co-occurrence weights of new items, from similar known items
ranking_features features that a learned ranker reads, per pair of user and item
ranker           the protocol of learned rankers
gate             weights of the scorers per user and item
boosted          boosted trees
network          a user tower and an item tower, and their crossing
rescorer         the weighted sum of all scores, corrected by a ranker
fusion_weights   the weights of the sum, chosen on validation data
lists/           lists chosen as a whole: diverse, calibrated, novel, fair, with caps and quotas

This module imports nothing.
"""
