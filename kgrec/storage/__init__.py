"""Folders on disk, whole or absent.

atomic      write beside, then rename: an interrupted write leaves the old folder as it was
files       tables, arrays, tensors and JSON: one file each
artifacts   folders with a manifest: kind, version, and a hash per file
segments    rows in a base and a delta, so that a change copies only the rows it changes
migrations  folders of older formats, one named function per step

This module imports nothing.
"""
