"""What keeping costs: bytes on disk, the append of a cycle, a day's compaction, and how soon an answer is there.

The readings come from a synthetic fleet (`fleet`); everything after them is the product's own: its journal writer, its
keeper, its warehouse, its reports. What others make of the same samples stands beside it.
"""
