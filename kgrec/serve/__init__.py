"""Answers for many users at a time.

requests         which users or histories to answer, and under which limits
input_files      ids and rows from files that users give
history_tables   histories from files and tables
batch            resumable runs in numbered parts
result_files     lists as Parquet, CSV, JSON lines

Nothing is imported here.
"""
