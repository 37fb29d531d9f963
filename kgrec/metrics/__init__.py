"""Arrays in, figures out: how good lists are.

topk              the first items by a score, of every item
accuracy          how well a ranked list meets the ground truth
beyond_accuracy   diversity, novelty, popularity, calibration
significance      intervals, p values, effect sizes

Nothing is imported here.
"""
