"""Evaluation: the tokens of each group of a text, at every vocabulary size that one encoding tells."""
