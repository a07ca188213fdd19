"""Cut a block of text at its line ends, and write them all alike, as Arrow's string layout asks."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import load64


@kernel
def _zeros(word: np.uint64) -> np.uint64:
    """Return a word whose lowest bit marks the first zero byte; 0 if there is none."""
    ones = np.uint64(0x0101010101010101)
    highs = np.uint64(0x8080808080808080)
    return (word - ones) & ~word & highs


@kernel
def _split_lines(
    data: np.ndarray,
    text: np.ndarray,
    offsets: np.ndarray,
    keep_feeds: bool,
    join_crlf: bool,
    end_at_cr: bool,
) -> int:
    # Eight bytes are copied at a time, past a line end if one is among them; the next copy
    # overwrites the surplus. So `text` is 8 bytes longer than `data`. Unsigned indices let the
    # compiler merge the stores into one.
    feeds = np.uint64(0x0A0A0A0A0A0A0A0A)
    returns = np.uint64(0x0D0D0D0D0D0D0D0D)
    kept = np.uint64(1 if keep_feeds else 0)
    lines = 0
    i = 0
    out = np.uint64(0)
    while i < data.size:
        if i + 8 <= data.size:
            word = load64(data, i)
            for k in range(np.uint64(8)):
                text[out + k] = np.uint8((word >> (np.uint64(8) * k)) & np.uint64(0xFF))
            ends = _zeros(word ^ feeds)
            if join_crlf:
                ends |= _zeros(word ^ returns)
            if ends == np.uint64(0):
                i += 8
                out += np.uint64(8)
                continue
            while (ends & np.uint64(0x80)) == np.uint64(0):
                ends >>= np.uint64(8)
                i += 1
                out += np.uint64(1)
        byte = data[i]
        i += 1
        if join_crlf and byte == 13:
            if i < data.size and data[i] == 10:
                byte = np.uint8(10)
                i += 1
            elif end_at_cr:
                byte = np.uint8(10)
        text[out] = byte
        if byte == 10:
            out += kept
            lines += 1
            offsets[lines] = np.int64(out)
        else:
            out += np.uint64(1)
    if np.int64(out) > offsets[lines]:
        lines += 1
        offsets[lines] = np.int64(out)
    return lines


def split_lines(
    data: np.ndarray, keep_feeds: bool = True, join_crlf: bool = False, end_at_cr: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(text, offsets)``: a copy of the lines, and where each lies in it.

    A line ends at LF. A last line without an end counts; after a final line end there is no further
    line. `data` is contiguous uint8.

    Args:
        keep_feeds: the LF that ends a line belongs to it; else all are left out.
        join_crlf: CR and LF are one line end, an LF.
        end_at_cr: with `join_crlf`, a CR alone is a line end as well, and becomes LF.

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
        lines = int(_split_lines(data, text, room, keep_feeds, join_crlf, end_at_cr))
    offsets = room[: lines + 1].copy()
    return text[: offsets[-1]], offsets
