"""Questions and their answers: one `.sql` file a question, one module an answer.

Knows the warehouse's views. Must never know the collector, nor how files lie on disk.
"""
