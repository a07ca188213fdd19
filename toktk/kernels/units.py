"""Units of a sample: what stands before each row in its group."""

from __future__ import annotations

from toktk.kernels import kernel


@kernel
def write_before(unit, group, number, last, before):
    """Write the unit before each row in its group; 0 for the first of a number, and where it is the same.

    Args:
        unit: uint64[n]. group: int32[n]. number: int64[n], ascending.
        last: int64[G], all -1. before: uint64[n], which is written.
    """
    for row in range(unit.size):
        previous = last[group[row]]
        last[group[row]] = row
        before[row] = 0
        if previous >= 0 and number[previous] == number[row] and unit[previous] != unit[row]:
            before[row] = unit[previous]
