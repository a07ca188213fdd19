"""Numbers that kernels and their callers share, for callers who need no kernel: this loads no numba."""

# Columns of plain totals, see `toktk.kernels.text_totals`.
DOCUMENTS, BYTES, CHARS, LINES, WORDS, UNSPACED, NONSPACE = range(7)
N_TOTALS = 7

NO_RANK = 2**31 - 1
"""More than the rank of any merge."""
