"""What it costs to follow every client's connections, beside asking `ss` in every network namespace.

A thousand servers in network namespaces of their own, each with connections of several clients, of which one in five
moves something between two cycles.
"""
