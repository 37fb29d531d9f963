"""Lists and embeddings for many users and items.

batch            lists into a file or as a stream: `write_recommendations`, `stream_recommendations`, ...
embeddings       vectors into a file or as a stream
options          `BatchOptions`, `RunWatcher`, `RunSummary`
requests         `BatchQuery`: names, and the function that computes a part of them
run              parts computed by an executor, and written
run_folder       finished parts of an interrupted run
history_tables   histories as numbers
input_files      tables and lists of ids that users bring
result_files     Parquet, CSV, JSON lines

Nothing is imported here.
"""
