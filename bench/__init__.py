"""Side-by-side measurements: each folder is one, run as `python -m bench.<folder>`.

A measurement states ratios of things measured in the same run, in CPU time. It asserts nothing: it says what was
reached, against which goal, and how much the figures spread.
"""
