"""What is read: one source a file, one cycle a function, and the daemon that keeps the time.

Knows /proc, /sys, netlink and the store's journal. Must never know usage, SQL or pages: a collector writes raw
cumulative counters with the epoch they belong to and cannot be wrong about anything else.
It imports no pandas, duckdb or scipy.
"""
