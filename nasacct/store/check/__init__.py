"""Checking a store: whether every file is what it says, and whether what was made of others agrees with them.

A check only reads. It works on a copy and beside a running keeper: a file that goes because it was replaced is no
fault. `repair` puts aside what is no good and makes again what can be made again.

This package knows what is on disk and what follows from what; it knows no answers and no SQL.
"""
