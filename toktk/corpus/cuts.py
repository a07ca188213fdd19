"""Parts of a file: where in a range of bytes its documents begin, and the bytes of these as a file."""

from __future__ import annotations

import io
import re
from typing import Any

_BOM = b"\xef\xbb\xbf"
_BEFORE, _AFTER = 4, 2
"""Bytes around a begin that decide on it, one more than a match takes before it."""
_FEW, _MANY = 1 << 16, 1 << 22


class Part(io.RawIOBase):
    """The bytes of a file from `begin` to before `end`, read on from the first."""

    def __init__(self, file: io.RawIOBase, begin: int, end: int) -> None:
        self._file, self._left, self._n_read = file, end - begin, 0
        file.seek(begin)

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def tell(self) -> int:
        """Return how many bytes of it were read."""
        return self._n_read

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase.readinto`."""
        with memoryview(buffer) as view:
            n_bytes = self._file.readinto(view[: self._left]) or 0
        self._left -= n_bytes
        self._n_read += n_bytes
        return n_bytes


def first_begin(
    file: io.RawIOBase, size: int, after: re.Pattern[bytes], at: int, limit: int
) -> int:
    """Return where in a file of `size` bytes the first document at or after `at` begins.

    `size` where none does, and where none begins before `limit`, as far as it was read to know that. See
    `toktk.corpus.text.document_ends` for `after`. A byte order mark is a part of the first document.
    """
    near = at <= len(_BOM) + _BEFORE
    origin = len(_BOM) if near and _read(file, 0, len(_BOM)) == _BOM else 0
    if at <= origin:
        return 0
    start, length = max(at - _BEFORE, origin), _FEW
    while start < min(limit, size):
        window = _read(file, start, min(start + length, size))
        ended = start + len(window) == size
        known = len(window) if ended else len(window) - _AFTER
        # From the second byte on, unless it is the first of all, for which a pattern may ask.
        for match in after.finditer(window, start > origin):
            if at <= start + match.end() < size and match.end() <= known:
                return start + match.end()
        if ended:
            break
        start += len(window) - _BEFORE - _AFTER
        length = min(2 * length, _MANY)
    return size


def _read(file: io.RawIOBase, begin: int, end: int) -> bytes:
    """Return the bytes of a file from `begin` to before `end`, or to its end."""
    file.seek(begin)
    parts = []
    while begin < end and (data := file.read(end - begin)):
        parts.append(data)
        begin += len(data)
    return b"".join(parts)
