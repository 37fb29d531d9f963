"""kgrec.yaml, read and checked.

schema         `Mapping` and its parts
roles          roles of columns and predicates
prefixes       prefixes of IRIs
located_yaml   YAML with the line of each value

This module imports nothing.
"""
