"""Pulling: stores of several nodes are copied into one, round after round, while they are written."""
