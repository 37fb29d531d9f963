"""Metrics of ranked lists: arrays in, values out.

topk              the k items with the highest scores, and which of them are hits
accuracy          recall, NDCG and other metrics of hits and their ranks
beyond_accuracy   coverage, novelty, popularity, diversity, serendipity, calibration
propensity        recall and NDCG corrected for the higher exposure of popular items
stability         how far two samples differ in the shares of bins, and whether chance explains it
significance      confidence intervals, p values, effect sizes

This module imports nothing.
"""
