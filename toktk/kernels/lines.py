"""Cut a block of text at line feeds and close the gaps, as Arrow's string layout asks."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import load64


@kernel
def _split_lines(data: np.ndarray, text: np.ndarray, offsets: np.ndarray) -> int:
    # Eight bytes are copied at a time, past the line feed if one is among them; the next copy
    # overwrites the surplus. So `text` is 8 bytes longer than `data`. Unsigned indices let the
    # compiler merge the stores into one.
    ones = np.uint64(0x0101010101010101)
    highs = np.uint64(0x8080808080808080)
    feeds = np.uint64(0x0A0A0A0A0A0A0A0A)
    lines = 0
    i = 0
    out = np.uint64(0)
    while i + 8 <= data.size:
        word = load64(data, i)
        for k in range(np.uint64(8)):
            text[out + k] = np.uint8((word >> (np.uint64(8) * k)) & np.uint64(0xFF))
        word ^= feeds
        # The lowest set bit marks the first zero byte, that is, the first line feed.
        feed_bits = (word - ones) & ~word & highs
        if feed_bits == np.uint64(0):
            i += 8
            out += np.uint64(8)
        else:
            before = 0
            while (feed_bits & np.uint64(0x80)) == np.uint64(0):
                feed_bits >>= np.uint64(8)
                before += 1
            lines += 1
            i += before + 1
            out += np.uint64(before)
            offsets[lines] = np.int64(out)
    while i < data.size:
        if data[i] == 10:
            lines += 1
            offsets[lines] = np.int64(out)
        else:
            text[out] = data[i]
            out += np.uint64(1)
        i += 1
    if data.size > 0 and data[-1] != 10:
        lines += 1
        offsets[lines] = np.int64(out)
    return lines


def split_lines(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(text, offsets)``: the bytes without line feeds, and where each line lies in them.

    A last line without a line feed counts; after a final line feed there is no further line. `data`
    is contiguous uint8.

    Raises:
        TypeError: another dtype, or not contiguous.
    """
    if data.dtype != np.uint8 or not data.flags.c_contiguous:
        raise TypeError(f"split_lines takes contiguous uint8, not {data.dtype}")
    text = np.empty(data.size + 8, np.uint8)
    # Room for a line a byte: memory that is not written to costs nothing, counting lines would.
    room = np.empty(data.size + 1, np.int64)
    room[0] = 0
    with np.errstate(over="ignore"):  # the borrow is wanted; NumPy warns only when not compiled
        lines = int(_split_lines(data, text, room))
    offsets = room[: lines + 1].copy()
    return text[: offsets[-1]], offsets
