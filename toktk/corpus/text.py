"""Plain text: blocks of whole lines or paragraphs become Arrow arrays without a Python string.

Every byte of a file is in one of its documents: a line holds its line end, a paragraph the blank lines
after it. Two things are left out: a byte order mark, and the line ends of line-aligned text, where a
line is one content in several languages.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import BATCH_BYTES, constant_group, make_batch, strings
from toktk.corpus.options import LINE_NUMBER, ReaderOptions, Source
from toktk.corpus.streams import plain
from toktk.corpus.utf8 import check_block
from toktk.errors import CorpusError
from toktk.sizes import bytes_label

_BOM = b"\xef\xbb\xbf"
_LF, _CR = b"\n\r"

LINE_END = re.compile(rb"\n")
_ANY_LINE_END = re.compile(rb"[\r\n]\n?")
_EACH_LINE_END = re.compile(rb"\r\n?|\n")
_BLANK_LINE = {
    "keep": re.compile(rb"\n\r?\n(?:\r?\n)*+"),
    "universal": re.compile(rb"(?:\r\r|\n\r?\n)[\r\n]*+"),
}

_BEFORE_PARAGRAPH = {
    "keep": re.compile(rb"(?:\A|\n)\r?\n(?!\r?\n)"),
    "universal": re.compile(rb"(?:\A|\n|\r(?!\n))(?:\r\n|\r|\n)(?![\r\n])"),
}
"""A blank line, with the end of the line before it, and before a line that is not blank."""

_OF_SOURCE_CODE = """
.ada .adb .adoc .ads .asm .awk .bash .bat .bib .c .c++ .cc .cfg .cjs .clj .cljs .cmake .cmd .cob .coffee .conf
.cpp .cs .css .cts .cu .cuh .cxx .d .dart .diff .el .elm .erb .erl .ex .exs .f .f03 .f08 .f77 .f90 .f95 .fish
.for .fs .fsx .glsl .go .gradle .groovy .h .h++ .hcl .hh .hlsl .hpp .hs .htm .html .hxx .ini .java .jl .js
.jsx .kt .kts .less .lhs .lisp .lua .m .markdown .md .mdx .mjs .mk .ml .mli .mm .mts .nim .nix .org .pas
.patch .php .pl .pm .proto .ps1 .py .pyi .pyx .r .rb .rkt .rmd .rs .rst .s .sass .scala .scm .scss .sh .sol
.sql .sv .svelte .swift .tcl .tex .tf .ts .tsx .v .vb .vhd .vhdl .vim .vue .wat .xml .yaml .yml .zig .zsh
"""
SOURCE_CODE = frozenset(_OF_SOURCE_CODE.split())
"""What the names of files end with that are one document each, in lower case: code, markup, settings."""

DOCUMENT_BYTES = 128_000_000
"""What one document may hold, at most, whatever the size of its file."""

_EXPANSION = 16
"""How many times its file's size one document may hold: text shrinks to a fifth, a bomb to nothing."""

_BATCH_ROWS = 1 << 20
"""Documents in one batch, at most: of empty lines, what goes with each takes more than the text."""


class Layout(NamedTuple):
    """What a document of a plain text file is.

    Attributes:
        sample_by: "line", "paragraph" or "document".
        line_ends: "universal": LF, CR and CR LF all become LF; "keep": as they are; "left out": lines end
            at LF or CR LF, which are no part of them.
    """

    sample_by: str
    line_ends: str


def layout(source: Source) -> Layout:
    """Return how a plain text file is read: as its options say, else as its extension does.

    Raises:
        CorpusError: an alignment by anything but the lines.
    """
    options = source.options
    if options.align_column not in (None, LINE_NUMBER):
        raise CorpusError(
            f"{source.where} is plain text and has no column {options.align_column!r}.",
            "Align plain text by line number: --align-column line.",
        )
    if options.align_column and options.sample_by not in (None, "line"):
        raise CorpusError(
            f"cannot align {source.where} by line when it is read by {options.sample_by}.",
            "Give --align-column or --sample-by, not both.",
        )
    if options.align_column:
        return Layout("line", "keep" if options.line_ends == "keep" else "left out")
    name = PurePath(source.where)
    suffix = PurePath(name.stem).suffix if source.compression else name.suffix
    whole = "document" if suffix.lower() in SOURCE_CODE else "line"
    sample_by = options.sample_by or whole
    default = "keep" if sample_by == "document" else "universal"
    return Layout(sample_by, options.line_ends or default)


def read_text(source: Source, file: io.RawIOBase) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a plain text file, by line, paragraph or document."""
    options = source.options
    sample_by, line_ends = layout(source)
    ends = None
    if sample_by == "paragraph":
        ends = _BLANK_LINE[line_ends]
    elif sample_by == "line":
        ends = _ANY_LINE_END if line_ends == "universal" else LINE_END
    line = 1
    for data, start, position in blocks(source, file, ends):
        data, replaced = check_block(data, source.where, start, options.errors)
        source.replaced += replaced
        block = strings(*_documents(data, sample_by, line_ends, options))
        del data
        for first in range(0, max(len(block), 1), _BATCH_ROWS):
            text = block.slice(first, _BATCH_ROWS)
            align = None
            if options.align_column:
                align = arrow.numerals(line, len(text))
                line += len(text)
            yield make_batch(text, constant_group(source.group, len(text)), align), position


def _documents(
    data: Bytes, sample_by: str, line_ends: str, options: ReaderOptions
) -> tuple[Bytes, Int64]:
    """Return the documents of a block, which `data` may be overwritten after: text and offsets."""
    from toktk.kernels.lines import split_lines

    if sample_by == "document" and line_ends == "keep":
        return data, offsets_of([data.size])
    text, offsets = split_lines(
        data,
        keep_feeds=options.align_column is None,
        join_crlf=line_ends != "keep",
        end_at_cr=line_ends == "universal",
    )
    if sample_by == "line":
        return text, offsets
    if sample_by == "document":
        return text, offsets[[0, -1]]
    return text, _paragraphs(text, offsets)


def document_ends(source: Source, head: object = None) -> re.Pattern[bytes] | None:
    """Return what a document begins after, or at the start; None where a whole file has to be read.

    A match is to be followed by 2 bytes that are known, or by the end of the file, and begins at most 3
    bytes before its end.
    """
    sample_by, line_ends = layout(source)
    if source.options.align_column or sample_by == "document":
        return None
    if sample_by == "paragraph":
        return _BEFORE_PARAGRAPH[line_ends]
    return _EACH_LINE_END if line_ends == "universal" else LINE_END


def longest_document(source: Source) -> int:
    """Return how many bytes one document of a file may have."""
    return max(DOCUMENT_BYTES, _EXPANSION * source.stored)


def check_length(where: str, n_bytes: int, most: int, start: str = "") -> None:
    """Raise a `CorpusError` if a document of `where`, of `n_bytes` or more, has more than `most`."""
    if n_bytes > most:
        raise CorpusError(
            f"one document of {where} is too long{start}.",
            f"Found: more than {bytes_label(most)}, from a file that is smaller by far.",
            "If it is text, decompress the file, or cut the document into lines.",
        )


def blocks(
    source: Source,
    file: io.RawIOBase,
    ends: re.Pattern[bytes] | Callable[[Bytes, int], int] | None,
) -> Iterator[tuple[Bytes, int, int]]:
    """Yield ``(data, start, position)``: blocks of about 16 MiB that end where a match of `ends` does.

    `ends` may also be a function: of a block, and how much of it has been searched in vain, it gives the
    place to end it at, or 0.

    `start` is the offset of `data` in the uncompressed file, whole or not, `position` the bytes consumed
    of what is read of the file itself. A byte order mark at the start is dropped. Where there is no match,
    the block grows, up to what a document may hold. The next block overwrites `data`; only the last one
    may be kept.
    """
    size, compression = source.size or 0, source.compression
    most = longest_document(source)
    last = ends if callable(ends) else partial(after_last, ends)
    # A small file needs no large buffer; one more byte, so that its end shows in one read.
    first = BATCH_BYTES if compression else min(BATCH_BYTES, size + 1)
    stream = plain(source, file)
    data = np.empty(first, np.uint8)
    start, carried = source.begin, 0
    while True:
        filled = carried
        while filled < data.size and (count := stream.readinto(data[filled:])):
            filled += count
        ended = filled < data.size
        if start == 0 and data[:3].tobytes() == _BOM and filled >= 3:
            data, filled, start = data[3:], filled - 3, 3
        if ended:
            whole = [data[:filled]]
            del (
                data
            )  # nothing holds the last block but whoever takes it: it may be as long as the file
            if filled:
                yield whole.pop(), start, file.tell()
            return
        if end := last(data, carried):
            yield data[:end], start, file.tell()
        rest = data[end:filled]
        start, carried = start + end, rest.size
        check_length(source.where, carried, most, f": it begins at byte {start} of the text")
        # Fresh memory costs as much as reading into it, so the buffer serves again.
        if data.size < max(BATCH_BYTES, 2 * carried):
            data = np.empty(max(BATCH_BYTES, min(2 * carried, most + 1)), np.uint8)
        data[:carried] = rest
        del rest  # and with it the buffer that was too small


def after_last(ends: re.Pattern[bytes] | None, data: Bytes, searched: int) -> int:
    """Return the position after the last match of `ends`, or 0; the first `searched` bytes hold none.

    What reaches the end of `data` does not count: a CR may be half of a line end, and more blank
    lines may follow.
    """
    end, window = data.size, 1 << 12
    while ends and end > searched:
        begin = max(end - window, searched)
        # A match may begin some bytes before the window.
        tail = data[max(begin - 3, 0) : end].tobytes()
        known = len(tail.rstrip(b"\r"))
        found = max((m.end() for m in ends.finditer(tail) if m.end() < known), default=0)
        if found:
            return end - len(tail) + found
        end, window = begin, min(8 * window, 1 << 20)
    return 0


def _paragraphs(text: Bytes, lines: Int64) -> Int64:
    """Return the offsets of the paragraphs: lines, and the blank lines (LF or CR LF alone) after them."""
    starts, lengths = lines[:-1], np.diff(lines)
    feed = text[starts] == _LF
    crlf = (lengths == 2) & (text[starts] == _CR) & (text[lines[1:] - 1] == _LF)
    blank = feed | crlf
    begins = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
    return np.concatenate([lines[:1], starts[begins], lines[-1:]])
