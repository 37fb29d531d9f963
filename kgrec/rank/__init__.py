"""Scores of the candidates that retrieval found.

rescorer         a weighted sum of up to four similarities
slim             item-item weights from co-occurrence
cold_transfer    what new items inherit from the known items that are like them
fusion_weights   the weights of the sum, by validation data

Nothing is imported here.
"""
