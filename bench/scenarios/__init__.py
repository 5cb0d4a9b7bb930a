"""Scenarios whose truth is known: pools of disks, and what a collector would have counted of them.

They are simulated from the mechanisms that make disks slow.

Told here: how disks spend their time (`disks`), what memory holds (`memory`), when what was written reaches the disks
(`writeback`), what members and local jobs ask for (`work.toml`, `asked`), how all of them share the disks (`pool`), and
families of situations (`families/*.toml`, `situations`). `counters` writes what the engine may see, `truth` what only
the scorer may.

Nothing here knows how the engine explains disk time, or may be made to look like it: a simulator that shares the
engine's model would only say that the engine can invert itself.
"""
