"""Plain text: blocks of whole lines or paragraphs become Arrow arrays without a Python string."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import BATCH_BYTES, constant_group, make_batch, strings
from toktk.corpus.options import LINE_NUMBER, Source
from toktk.corpus.utf8 import check_block
from toktk.errors import CorpusError

_BOM = b"\xef\xbb\xbf"
LINE_END = (b"\n",)
_BLANK_LINE = (b"\n\n", b"\n\r\n")


def read_text(source: Source) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a plain text file, by line, paragraph or document."""
    from toktk.kernels.lines import split_lines

    options = source.options
    sample_by = options.sample_by or "line"
    if options.align_column not in (None, LINE_NUMBER):
        raise CorpusError(
            f"{source.where} is plain text and has no column {options.align_column!r}.",
            'Align plain text by line number: align_column="line".',
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
    for data, start, position in blocks(source, marks):
        data, replaced = check_block(data, source.where, start, options.errors)
        source.replaced += replaced
        text = strings(*split(data))
        align = None
        if options.align_column:
            align = arrow.from_numpy(np.arange(line, line + len(text))).cast(pa.string())
            line += len(text)
        yield make_batch(text, constant_group(source.group, len(text)), align), position


def blocks(source: Source, marks: tuple[bytes, ...]) -> Iterator[tuple[Bytes, int, int]]:
    """Yield ``(data, start, position)``: blocks of about 16 MiB that end after one of `marks`.

    `start` is the offset of `data` in the uncompressed file, `position` the bytes consumed of the
    file itself. A byte order mark at the start is dropped. Where there is no mark, the block
    grows. The next block overwrites `data`; only the last one may be kept.
    """
    with pa.OSFile(source.where) as raw:
        # A small file needs no large buffer; one more byte, so that its end shows in one read.
        first = BATCH_BYTES if source.compression else min(BATCH_BYTES, raw.size() + 1)
        stream = pa.CompressedInputStream(raw, source.compression) if source.compression else raw
        data = np.empty(first, np.uint8)
        start = carried = 0
        while True:
            filled = carried
            while filled < data.size and (count := stream.readinto(data[filled:])):
                filled += count
            ended = filled < data.size
            if start == 0 and data[:3].tobytes() == _BOM and filled >= 3:
                data, filled, start = data[3:], filled - 3, 3
            end = filled if ended else _after_last(data, marks)
            if end:
                yield data[:end], start, raw.tell()
            if ended:
                return
            rest = data[end:filled]
            start, carried = start + end, rest.size
            # Fresh memory costs as much as reading into it, so the buffer serves again.
            if data.size < max(BATCH_BYTES, 2 * carried):
                data = np.empty(max(BATCH_BYTES, 2 * carried), np.uint8)
            data[:carried] = rest


def _after_last(data: Bytes, marks: tuple[bytes, ...]) -> int:
    """Return the position after the last of `marks`, or 0; searches from the end."""
    window = 1 << 12
    while marks:
        tail = data[-window:].tobytes()
        end = max((tail.rfind(mark) + len(mark) for mark in marks if mark in tail), default=0)
        if end:
            return data.size - len(tail) + end
        if window >= data.size:
            break
        window *= 8
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
