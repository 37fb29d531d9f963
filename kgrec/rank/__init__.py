"""Scores of retrieved candidates.

config           options
candidates       items and scores per user, and rerankers
scorers          embedding, graph, text and co-occurrence scores
slim             item-item weights from co-occurrence
cold_transfer    co-occurrence weights of new items, from similar known items
ranking_features what a learned ranker reads of a pair
ranker           what learned rankers have in common
gate             weights of the scorers by user and item
boosted          trees
network          towers of user and item, and their crossing
rescorer         the weighted sum of all scores, corrected by a ranker
fusion_weights   the weights of the sum, chosen on validation data
lists/           lists chosen as a whole: diverse, calibrated, novel, fair, with caps and quotas

Nothing is imported here.
"""
