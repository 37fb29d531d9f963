"""Rerankers of whole lists: which candidates make a good list together, beyond their scores.

pool         the candidates of some users, and the nodes of a type per candidate
greedy       chooses a list item by item, each time the item with the largest gain
diversify    items unlike earlier items of the list: MMR, DPP
calibrate    node types in the same shares as in the history
novelty      items with few interactions
exposure     fair shares of attention for groups of items, such as publishers
limits       caps and quotas, and the candidates they allow at each step
constrained  the exact best list under caps and quotas
policy       all of the above as one reranker
explore      lists that are partly drawn, with the probability of each item at its place

This module imports nothing.
"""
