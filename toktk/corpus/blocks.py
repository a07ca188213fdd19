"""Blocks of long documents, so that a text of few documents can be held out in part.

A split asks each document for its side. Of a book in one file that would hold out all or nothing. So in a
group of fewer than `FEW` documents, long ones are cut at line ends first. Where, a hash of the line at hand
decides: what is written elsewhere in the document moves no other block, and equal blocks are on one side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, make_batch, spans, strings

FEW = 20
"""A group of fewer documents is held out by blocks."""

BLOCK_BYTES = 2048
"""What a block holds on average, if lines are shorter by far; the last line of one is never cut."""

LONG_BYTES = 2 * BLOCK_BYTES
"""A document that is no longer stays whole."""

_SALT = -1  # of the hash that decides where a block ends; those of splits are positive
_LF, _CR = b"\n\r"


def long_documents(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return which rows can be cut into blocks: long ones that are not aligned with others."""
    _, offsets = spans(batch.column(TEXT))
    lengths = np.diff(offsets[: batch.num_rows + 1])
    return (lengths > LONG_BYTES) & ~arrow.is_valid(batch.column(ALIGN))


def in_blocks(batch: pa.RecordBatch, cut: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return the rows of a batch, those for which `cut`, bool[n], is set cut into blocks."""
    data, offsets = spans(batch.column(TEXT))
    offsets = offsets[: batch.num_rows + 1]
    cuts = [offsets]
    blocks = np.ones(batch.num_rows, np.int64)
    for row in np.flatnonzero(cut):
        start, end = offsets[row : row + 2]
        inner = start + _cuts(data[start:end])
        cuts.append(inner)
        blocks[row] += inner.size
    rows = arrow.from_numpy(np.repeat(np.arange(batch.num_rows), blocks))
    others = (batch.column(i).take(rows) for i in (GROUP, ALIGN, WEIGHT))
    return make_batch(strings(data, np.sort(np.concatenate(cuts))), *others)


def _cuts(data: Bytes) -> Int64:
    """Return where a document is cut: after some of its lines, with the blank lines after them."""
    from toktk.kernels.hash import hash_spans, mix

    ends = (data == _LF) | (data == _CR)
    lines = np.flatnonzero(ends[:-1] & ~ends[1:]) + 1
    offsets = np.concatenate([[0], lines])
    lengths = np.diff(offsets)
    # In proportion to their lengths, so that blocks are as long whatever the lines are.
    share = mix(hash_spans(data, offsets), _SALT) * 2.0**-64
    return lines[share < lengths / BLOCK_BYTES]
