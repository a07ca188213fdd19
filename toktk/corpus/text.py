"""Plain text: blocks of whole lines or paragraphs become Arrow arrays without a Python string."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import BATCH_BYTES, constant_group, make_batch, strings
from toktk.corpus.options import LINE_NUMBER, Source
from toktk.corpus.streams import plain
from toktk.corpus.utf8 import check_block
from toktk.errors import CorpusError
from toktk.sizes import bytes_label

_BOM = b"\xef\xbb\xbf"
LINE_END = (b"\n",)
_BLANK_LINE = (b"\n\n", b"\n\r\n")

DOCUMENT_BYTES = 128_000_000
"""What one document may hold, at most, whatever the size of its file."""

_EXPANSION = 16
"""How many times its file's size one document may hold: text shrinks to a fifth, a bomb to nothing."""

_BATCH_ROWS = 1 << 20
"""Documents in one batch, at most: of empty lines, what goes with each takes more than the text."""


def read_text(source: Source, file: io.FileIO) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a plain text file, by line, paragraph or document."""
    from toktk.kernels.lines import split_lines

    options = source.options
    sample_by = options.sample_by or "line"
    if options.align_column not in (None, LINE_NUMBER):
        raise CorpusError(
            f"{source.where} is plain text and has no column {options.align_column!r}.",
            "Align plain text by line number: --align-column line.",
        )
    if options.align_column and sample_by != "line":
        raise CorpusError(f"cannot align {source.where} by line when it is read by {sample_by}.")
    ways: dict[str, tuple[tuple[bytes, ...], Callable[[Bytes], tuple[Bytes, Int64]]]] = {
        "line": (LINE_END, split_lines),
        "paragraph": (_BLANK_LINE, _paragraphs),
        "document": ((), lambda data: (data, offsets_of([data.size]))),
    }
    marks, split = ways[sample_by]
    line = 1
    for data, start, position in blocks(source, file, marks):
        data, replaced = check_block(data, source.where, start, options.errors)
        source.replaced += replaced
        block = strings(*split(data))
        for first in range(0, max(len(block), 1), _BATCH_ROWS):
            text = block.slice(first, _BATCH_ROWS)
            align = None
            if options.align_column:
                align = arrow.from_numpy(np.arange(line, line + len(text))).cast(pa.string())
                line += len(text)
            yield make_batch(text, constant_group(source.group, len(text)), align), position


def longest_document(file: io.FileIO) -> int:
    """Return how many bytes one document of a file may have."""
    return max(DOCUMENT_BYTES, _EXPANSION * os.fstat(file.fileno()).st_size)


def check_length(where: str, n_bytes: int, most: int, start: str = "") -> None:
    """Raise a `CorpusError` if a document of `where`, of `n_bytes` or more, has more than `most`."""
    if n_bytes > most:
        raise CorpusError(
            f"one document of {where} is too long{start}.",
            f"Found: more than {bytes_label(most)}, from a file that is smaller by far.",
            "If it is text, decompress the file, or cut the document into lines.",
        )


def blocks(
    source: Source, file: io.FileIO, marks: tuple[bytes, ...] | Callable[[Bytes, int], int]
) -> Iterator[tuple[Bytes, int, int]]:
    """Yield ``(data, start, position)``: blocks of about 16 MiB that end after one of `marks`.

    `marks` may also be a function: of a block, and how much of it has been searched in vain, it gives the
    place to end it at, or 0.

    `start` is the offset of `data` in the uncompressed file, `position` the bytes consumed of the
    file itself. A byte order mark at the start is dropped. Where there is no mark, the block
    grows, up to what a document may hold. The next block overwrites `data`; only the last one may
    be kept.
    """
    size, compression = os.fstat(file.fileno()).st_size, source.compression
    most = longest_document(file)
    last = marks if callable(marks) else partial(after_last, marks)
    # A small file needs no large buffer; one more byte, so that its end shows in one read.
    first = BATCH_BYTES if compression else min(BATCH_BYTES, size + 1)
    stream = plain(source, file)
    data = np.empty(first, np.uint8)
    start = carried = 0
    while True:
        filled = carried
        while filled < data.size and (count := stream.readinto(data[filled:])):
            filled += count
        ended = filled < data.size
        if start == 0 and data[:3].tobytes() == _BOM and filled >= 3:
            data, filled, start = data[3:], filled - 3, 3
        end = filled if ended else last(data, carried)
        if end:
            yield data[:end], start, file.tell()
        if ended:
            return
        rest = data[end:filled]
        start, carried = start + end, rest.size
        check_length(source.where, carried, most, f": it begins at byte {start} of the text")
        # Fresh memory costs as much as reading into it, so the buffer serves again.
        if data.size < max(BATCH_BYTES, 2 * carried):
            data = np.empty(max(BATCH_BYTES, min(2 * carried, most + 1)), np.uint8)
        data[:carried] = rest


def after_last(marks: tuple[bytes, ...], data: Bytes, searched: int) -> int:
    """Return the position after the last of `marks`, or 0; the first `searched` bytes hold none."""
    end, window = data.size, 1 << 12
    while marks and end > searched:
        begin = max(end - window, searched)
        # A mark may begin up to two bytes before the window.
        tail = data[max(begin - 2, 0) : end].tobytes()
        found = max((tail.rfind(mark) + len(mark) for mark in marks if mark in tail), default=0)
        if found:
            return end - len(tail) + found
        end, window = begin, min(8 * window, 1 << 20)
    return 0


def _paragraphs(data: Bytes) -> tuple[Bytes, Int64]:
    """Return the runs of lines between blank lines (empty, or a lone CR), inner LFs included."""
    feeds = np.flatnonzero(data == 10)
    starts = np.concatenate([[0], feeds + 1])
    ends = np.concatenate([feeds, [data.size]])
    lengths = ends - starts
    lone_cr = (lengths == 1) & (data[np.minimum(starts, data.size - 1)] == 13)
    written = (lengths > 0) & ~lone_cr
    runs = np.flatnonzero(np.diff(written, prepend=False, append=False))
    firsts, lasts = starts[runs[::2]], ends[runs[1::2] - 1]
    keep = np.zeros(data.size + 1, np.int8)
    keep[firsts] = 1
    keep[lasts] = -1  # a paragraph and the next are two bytes apart at least
    inside = np.cumsum(keep[:-1], dtype=np.int8).astype(np.bool_)
    return data[inside], offsets_of(lasts - firsts)
