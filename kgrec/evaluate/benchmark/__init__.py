"""A benchmark: several systems recommend lists on the same folds, and are measured in the same way.

task               the input of a system for one fold, and the lists that it returns
systems            kgrec, kgrec without a source, tuned baselines, lists made by another program
trade_offs         kgrec's lists with options such as diversity, at several strengths
run                runs every system on every fold; keeps finished systems for --resume
workers            the same work, done by the workers of an executor
benchmark_results  metrics, comparisons and example lists; metrics.json, per_user.parquet, report.html

Nothing is imported here.
"""
