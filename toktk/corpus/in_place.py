"""Files at addresses, read where they lie: of each a range at a time, nothing kept on this machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toktk.arrow import pa
from toktk.corpus.options import ReaderOptions
from toktk.corpus.readers import FileReader
from toktk.corpus.remote import RemoteFile
from toktk.corpus.unchanged import State

_LEAST, _MOST = 1 << 16, 1 << 23
"""Bytes that are asked for at once: doubled while a file is read on."""


class Ranged(io.RawIOBase):
    """A file at an address, of which that is fetched which is read, and some more."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote, self._size = remote, remote.size or 0
        self._at = 0
        self._begin, self._block, self._length = 0, b"", _LEAST

    @property
    def state(self) -> State:
        """What tells that it was written to: nothing here, for each fetch asks for the mark."""
        return State(self._size, 0, 0)

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any part of it can be read."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """See `io.IOBase.seek`."""
        self._at = position + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, but at the end of the file."""
        filled = 0
        with memoryview(buffer) as view:
            while filled < len(view) and self._at < self._size:
                offset = self._at - self._begin
                if not 0 <= offset < len(self._block):
                    self._fetch(len(view) - filled)
                    offset = 0
                part = self._block[offset : offset + len(view) - filled]
                view[filled : filled + len(part)] = part
                filled += len(part)
                self._at += len(part)
        return filled

    def _fetch(self, wanted: int) -> None:
        """Fetch what lies from here on: what is `wanted`, and more where the file is read on."""
        goes_on = self._block and self._at == self._begin + len(self._block)
        self._length = min(2 * self._length, _MOST) if goes_on else _LEAST
        end = min(self._at + min(max(wanted, self._length), _MOST), self._size)
        self._block = b""  # before there is another
        self._begin, self._block = self._at, self._remote.fetch(self._at, end)


class RemoteReader(FileReader):
    """The documents of a file at an address; each pass reads it anew."""

    is_at_hand = False

    def __init__(self, remote: RemoteFile, options: ReaderOptions, group: str) -> None:
        super().__init__(Path(remote.own_name), options, group, remote.shown)
        self._remote = remote

    @property
    def stored(self) -> int:
        """Bytes at the address."""
        return self._remote.size or 0

    @property
    def size(self) -> int:
        """Bytes at the address, or of the part."""
        return self.part[1] - self.part[0] if self.part else self.stored

    @functools.cached_property
    def mark(self) -> str:
        """A hash of the server's mark."""
        return hashlib.sha256(f"{self._remote.mark}".encode()).hexdigest()[:16]

    @contextlib.contextmanager
    def _open(self, seeking: bool = False) -> Iterator[tuple[Any, io.RawIOBase]]:
        file = Ranged(self._remote)
        yield file, file

    def _hashed(self, progress: Any) -> str:
        fingerprint = super()._hashed(progress)
        self._remote.check()
        return fingerprint

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        yield from super()._read()
        self._remote.check()
