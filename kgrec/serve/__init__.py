"""Lists and embeddings for many users and items.

batch            lists written to a file or streamed: `write_recommendations`, `stream_recommendations`, ...
embeddings       vectors written to a file or streamed
batch_options    `BatchOptions`, `RunWatcher`, `RunSummary`
requests         `BatchQuery`: names, and the function that computes the lists for a part of them
batch_run        computes the parts with an executor, and writes them
run_folder       finished parts of an interrupted run
releases         the newest model in a folder of releases, and rollback to earlier ones
store_refresh    a refresh with the items and events of a feedback store
nightly          `nightly`: makes the next release
item_fields      fields of the listed items as additional columns
history_items    a user's history as plain values
history_tables   histories as integer codes
drift_record     the result of a drift check, for the metrics of a server
pair_scores      scores of given pairs, written to a file or streamed
input_files      tables and lists of ids from the user's files
option_files     tables named by options: pairs of users and items, numbers per item
result_files     Parquet, CSV, JSON lines

This module imports nothing.
"""
