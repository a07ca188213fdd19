"""JSON: an array of objects or strings, of whatever length, or one a line; the first character says which."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from toktk.arrays import Bytes
from toktk.arrow import pa
from toktk.corpus.jsonl import read_rows
from toktk.corpus.options import Source
from toktk.corpus.text import LINE_END, after_last, blocks
from toktk.errors import CorpusError, clipped


def read_json(source: Source, file: io.RawIOBase) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)``; errors name the item of an array, from 1, or else the line."""
    yield from read_rows(source, _lines(source, file))


def _lines(source: Source, file: io.RawIOBase) -> Iterator[tuple[Bytes, int, int]]:
    """Yield blocks as `blocks` does; those of an array have a line for each item."""
    from toktk.kernels.json_items import AFTER, BEFORE, items_to_lines

    is_array: bool | None = False if source.begin else None  # of an array there is no part
    place = BEFORE

    def end_of_rows(block: Bytes, searched: int) -> int:
        nonlocal is_array
        is_array = _begins_array(block) if is_array is None else is_array
        return (
            items_to_lines(block, place)[1] if is_array else after_last(LINE_END, block, searched)
        )

    n_bytes = 0
    for data, start, position in blocks(source, file, end_of_rows):
        is_array = _begins_array(data) if is_array is None else is_array
        if not is_array:
            yield data, start, position
            continue
        source.row = "item"
        lines, _, place, wrong = items_to_lines(data, place)
        if wrong >= 0:
            found = data[wrong : wrong + 80].tobytes().decode("utf-8", "replace")
            raise CorpusError(
                f"{source.where} is no array of JSON at byte {start + wrong}.",
                f"Found: {clipped(found)}.",
                "Repair it, or give JSON Lines, one object a line.",
            )
        n_bytes = start + data.size
        yield lines, start, position
    if is_array and place != AFTER:
        raise CorpusError(
            f"{source.where} is damaged: its array has no end.",
            f"Found: {n_bytes:,} bytes.",
            "Get the whole file.",
        )


def line_ends(source: Source, head: Callable[[], bytes]) -> re.Pattern[bytes] | None:
    """Return what a row begins after in a file that begins with `head()`; None where it may be an array."""
    first = head().removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
    return None if first in (b"", b"[") else LINE_END


def _begins_array(block: Bytes) -> bool:
    """Return whether the first character that is no white space is an opening bracket."""
    return block.tobytes().lstrip(b" \t\r\n").startswith(b"[")
