"""Scores of retrieved candidates.

config           options
candidates       items and scores per user, and rerankers
scorers          embedding, graph, text and co-occurrence scores
slim             item-item weights from co-occurrence
cold_transfer    co-occurrence weights of new items, from similar known items
rescorer         the weighted sum of all scores
fusion_weights   the weights of the sum, chosen on validation data
lists/           lists chosen as a whole: diverse, calibrated, novel, fair, with caps and quotas

Nothing is imported here.
"""
