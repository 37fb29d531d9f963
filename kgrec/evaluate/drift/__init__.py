"""Drift: whether what users do now differs from what a model learned from.

Enters: a trained recommender and recent interactions. Leaves: `Drift`, with a verdict. Writes drift/ on request.

recent      interactions that were learned from, and recent ones, as rows of one numbering
shares      popularity, categories, activity, new items and users
taste       movement of users
accuracy    NDCG by week, calibration of scores
findings    checks, thresholds, verdicts
look        all checks
"""
