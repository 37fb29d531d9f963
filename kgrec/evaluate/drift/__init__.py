"""Drift: whether the current behaviour of users differs from the data that a model learned from.

Enters: a trained recommender and recent interactions. Leaves: `Drift`, with a verdict. Writes drift/ on request.

recent      training interactions and recent ones, as rows of one numbering
shares      popularity, categories, activity, new items and users
taste       movement of users away from earlier taste
accuracy    NDCG by week, calibration of scores
findings    checks, thresholds, verdicts
look        all checks
"""
