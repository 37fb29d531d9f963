"""Systems against one another on the same held-out data: kgrec, kgrec without a source, baselines, lists from elsewhere.

task       what all systems of a fold are asked, and what they answer
systems    what takes part
run        each system on each fold, kept as it ends, so that a run that was cut off goes on
results    figures, comparisons, examples: what is said of it all, and its files

Nothing is imported here.
"""
