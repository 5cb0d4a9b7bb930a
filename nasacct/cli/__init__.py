"""The command line: one command a file, each free of storage and kernel code.

Knows how an answer looks on a terminal, as JSON and as CSV, and what an exit status means.
Must never hold a formula: what it prints is what `reports` or `collect` gave it.
"""
