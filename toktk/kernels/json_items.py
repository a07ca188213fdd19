"""Turn a JSON array into JSON Lines, byte for byte: where each item ends, and where text is no more."""

from __future__ import annotations

import numpy as np

from toktk.arrays import Bytes
from toktk.kernels import kernel

BEFORE, INSIDE, AFTER = range(3)
"""Where a block begins: before the array's bracket, between two items, or after the array."""


@kernel
def _items_to_lines(data: np.ndarray, place: int, lines: np.ndarray) -> tuple[int, int, int]:
    depth = np.int64(0)  # of brackets in an item
    quoted = escaped = False
    is_empty = True  # nothing of an item since the last comma, which a block begins after
    may_end = False  # no comma since the array's bracket: an array without items
    end = 0
    for i in range(data.size):
        byte = data[i]
        lines[i] = byte
        if quoted:
            quoted = escaped or byte != 34
            escaped = byte == 92 and not escaped
        elif byte == 32 or byte == 9 or byte == 10 or byte == 13:
            lines[i] = 32
        elif place != INSIDE:
            if place == AFTER or byte != 91:
                return end, place, i
            lines[i] = 32
            place = INSIDE
            may_end = True
        elif byte == 34:
            quoted = True
            is_empty = False
        elif byte == 91 or byte == 123:
            depth += 1
            is_empty = False
        elif byte == 93 or byte == 125:
            if depth == 0:
                if byte == 125 or (is_empty and not may_end):
                    return end, place, i
                lines[i] = 32
                place = AFTER
                end = i + 1
            else:
                depth -= 1
        elif byte == 44 and depth == 0:
            if is_empty:
                return end, place, i
            lines[i] = 10
            end = i + 1
            is_empty, may_end = True, False
        else:
            is_empty = False
    return (data.size if place == AFTER else end), place, -1


def items_to_lines(data: Bytes, place: int) -> tuple[Bytes, int, int, int]:
    """Return ``(lines, end, place, wrong)`` of a block of an array, which begins at `place`.

    `lines` holds each item on a line, with the bytes that `data` has, at the same places. `end` is where
    the last whole item ends, and `place` where the block ends. `wrong` is the position of a byte that
    no array has there, or -1.
    """
    lines = np.empty(data.size, np.uint8)
    end, place, wrong = _items_to_lines(data, np.int64(place), lines)
    return lines, int(end), int(place), int(wrong)
