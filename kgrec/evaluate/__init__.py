"""Is a model better, for whom, and is the difference more than noise.

accuracy       how well a ranked list meets what was taken
beyond         what a list is apart from that: diverse, novel, popular, calibrated
ranking        the first items by a score, of every item
folds          a graph less what is hidden, and that as rows to add later
protocols      what is hidden, and what is asked for
significance   intervals, p values, sizes of effects
world          what lists are held against, and buckets of users and items
evaluation     all figures of one model, by user and in buckets
measure        all figures of the lists of one model, by user and in buckets
comparison     models against one another

Nothing is imported here: training takes its validation from `accuracy`, and needs no more.
"""
