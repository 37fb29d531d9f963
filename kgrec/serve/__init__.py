"""Lists and embeddings for many users and items.

batch            lists into a file or as a stream: `write_recommendations`, `stream_recommendations`, ...
embeddings       vectors into a file or as a stream
batch_options    `BatchOptions`, `RunWatcher`, `RunSummary`
requests         `BatchQuery`: names, and the function that computes the lists of a part of them
batch_run        computes the parts by an executor, and writes them
run_folder       finished parts of an interrupted run
releases         the newest model of a folder of releases, and earlier ones back in its place
store_refresh    a refresh with what a feedback store received
nightly          the next release: `nightly`
item_fields      fields of the listed items as further columns
history_items    a user's history as plain values
history_tables   histories as integer codes
drift_record     what a look for drift found, for the metrics of a server
pair_scores      scores of given pairs into a file or as a stream
input_files      tables and lists of ids from the user's files
option_files     tables that options name: pairs of users and items, numbers of items
result_files     Parquet, CSV, JSON lines

Nothing is imported here.
"""
