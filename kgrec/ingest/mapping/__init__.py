"""kgrec.yaml, read and checked.

schema         `Mapping` and its parts
roles          what a column can be
prefixes       prefixes of IRIs
located_yaml   YAML that remembers the line of each value

Nothing is imported here.
"""
