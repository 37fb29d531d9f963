"""A benchmark: several systems predict lists on the same folds, and are measured in the same way.

task               what a system gets for one fold, and the lists that it returns
systems            kgrec, kgrec without a source, tuned baselines, lists made by another program
trade_offs         lists of kgrec with options such as diversity, at several strengths
run                every system on every fold; finished systems are kept for --resume
workers            the same, computed by the workers of an executor
benchmark_results  metrics, comparisons and example lists; metrics.json, per_user.parquet, report.html

Nothing is imported here.
"""
