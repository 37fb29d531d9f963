"""Lists worth showing: which of the candidates make a list, beyond their scores.

pool         the candidates of some users, and which nodes of a type each of them has
greedy       a list is chosen item by item, each time the one that adds most
diversify    items unlike those listed before: MMR, DPP
calibrate    shares of a node type as in the history
novelty      items with few interactions
exposure     attention in fair shares for groups of items, such as publishers
limits       caps and quotas, and what they allow at each step
constrained  the best list under caps and quotas, exactly
policy       all of these as one reranker
explore      lists that are partly drawn, with the probability of each item at its place

Nothing is imported here.
"""
