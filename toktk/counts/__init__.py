"""Counts: the pieces of a text, counted by ranks, in files that are summed up a partition at a time."""
