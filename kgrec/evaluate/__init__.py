"""Is a model better, for whom, and is the difference more than noise.

splits         which interactions are hidden, and which question is asked
folds          a graph without the hidden part, and the hidden part as rows to add later
ground_truth   what lists are compared with, and buckets of users and items
measure        all figures of the lists of one model, per user and per bucket
evaluation     all figures of one model, per user and per bucket
comparison     models against one another
ablation       a graph or a configuration without one source
baselines/     the methods that a model must beat
benchmark/     systems against one another on the same data
report/        the page of a benchmark

Nothing is imported here.
"""
