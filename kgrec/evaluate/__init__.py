"""Is a model better, for whom, and is the difference more than noise.

accuracy       how well a ranked list meets what was taken
beyond         what a list is apart from that: diverse, novel, popular, calibrated
ranking        the first items by a score, of every item
protocols      what is hidden from training, and what is asked for
folds          a graph less what is hidden, and that as rows to add later
measure        all figures of the lists of one model, by user
significance   intervals, and differences between models

Nothing is imported here: training takes its validation from `accuracy`, and needs no more.
"""
