"""Arguments of public calls as plain values: every public call checks its arguments with these modules.

options   numbers, flags, choices, texts, paths
ids       ids of users and items, lists of ids, columns of ids
frames    pandas, polars and Arrow frames, rows and dicts of columns as Arrow tables
sections  sections of options, whose errors are ConfigErrors

This module imports nothing.
"""
