"""What a graph will cost, before anything is computed.

sizes   counts that costs depend on
costs   CPU seconds and memory of each stage, from constants that were measured
"""
