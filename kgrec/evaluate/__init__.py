"""Evaluation: whether one model is better than another, for which users, and whether the difference is significant.

splits         protocols that hold out interactions, items or users; splits as files
folds          one split of a graph: what training sees, the test part, and hidden items as rows to add later
ground_truth   the data that lists are compared with, and the buckets of users and items
measure        all metrics of one system's lists, per user and per bucket
evaluation     the metric values of one system: means, intervals, tables
comparison     pairwise significance tests between systems
ablation       a graph or a configuration without one source of knowledge
replay         outcome of lists that were shown: clicks by variant, corrected for position
off_policy     estimates of the clicks that other lists would have had, from lists that were drawn
baselines/     the methods to compare a model with
benchmark/     several systems on the same folds
drift/         current behaviour of users, compared with the data that a model learned from
simulation/    effects of list policies on simulated viewers over many rounds
report/        the HTML pages of a benchmark, of a drift analysis, and of a simulation

This module imports nothing.
"""
