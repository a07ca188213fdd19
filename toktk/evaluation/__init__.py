"""Evaluation: tokens of each group at every vocabulary size, and counts of each id."""
