"""Evaluation: is one model better than another, for which users, and is the difference significant.

splits         protocols that hold out interactions, items or users; splits as files
folds          one split of a graph: what training sees, the test part, and hidden items as rows to add later
ground_truth   what lists are compared with, and the buckets of users and items
measure        all metrics of one system's lists, per user and per bucket
evaluation     the metric values of one system: means, intervals, tables
comparison     pairwise significance tests between systems
ablation       a graph or a configuration without one source of knowledge
replay         what came of lists that were shown: clicks by variant, corrected for the position
off_policy     how many clicks other lists would have had, from lists that were drawn
baselines/     the methods that a model must beat
benchmark/     several systems on the same folds
drift/         what users do now against what a model learned from
simulation/    what policies of lists do to invented viewers over many rounds
report/        the HTML pages of a benchmark, of a look for drift, and of a simulation

Nothing is imported here.
"""
