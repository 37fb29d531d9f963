"""Folders on disk, whole or absent.

atomic      write beside, then rename: an interrupted write leaves the old folder as it was
artifacts   manifest, versions and hashes of graph/ and model/; tables, arrays, tensors, JSON
segments    rows in a base and a delta, so that a change copies what it changes
migrations  older model folders, step by step

Nothing is imported here.
"""
