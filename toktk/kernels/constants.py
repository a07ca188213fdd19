"""Numbers that kernels and their callers share, for callers who need no kernel: this loads no numba."""

# Columns of plain totals, see `toktk.kernels.text_totals`.
DOCUMENTS, BYTES, CHARS, LINES, WORDS, UNSPACED, NONSPACE = range(7)
N_TOTALS = 7

NO_RANK = 2**31 - 1
"""More than the rank of any merge."""

LONGEST_ALONE, MAX_ALONE_ID = 12, 2**24 - 1
"""Bytes and the id of a token that has room in a table of `toktk.kernels.alone`, at most."""
