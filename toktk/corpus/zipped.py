"""Zip archives: each member is read as a file of a folder would be, unpacked while it is read.

The directory of an archive is read by `zipfile`. The members are not: it unpacks some methods without a
bound, and has one opening for all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from toktk.corpus.find import Listing, unreadable
from toktk.corpus.first_bytes import HEAD, content_of
from toktk.corpus.streams import unpacked
from toktk.corpus.unchanged import State, check_unchanged, open_file
from toktk.errors import CorpusError, in_a_line
from toktk.paths import temporary_folder

_METHODS = {0: None, 8: "deflate", 12: "bz2", 14: "xz"}
_ENCRYPTED, _HAS_END_MARK = 1, 2
_HEADER = 30
_UNPACK = "Unpack it, and give the folder of its files."

_ODD_NAME = re.compile(r"[\x00-\x1f\x7f]|(^|/)\.\.(/|$)|^/|^[A-Za-z]:")

DIRECTORY_FAILURES: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, NotImplementedError, struct.error, OSError, ValueError, OverflowError, IndexError,
)  # fmt: skip
"""What `zipfile` raises of a damaged directory."""


def is_archive(path: Path) -> bool:
    """Return whether a name is that of a zip archive."""
    return path.suffix.lower() == ".zip"


@dataclasses.dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        archive: where the archive lies.
        state: of the archive when its directory was read.
        info: what the directory says of the member.
    """

    archive: Path
    state: State
    info: zipfile.ZipInfo

    @property
    def is_file(self) -> bool:
        """Whether it is no link, device or pipe, which an archive of Unix may hold."""
        kind = stat.S_IFMT(self.info.external_attr >> 16)
        return kind in (0, stat.S_IFREG)


def expanded(listing: Listing) -> tuple[Listing, dict[Path, Member]]:
    """Return a listing in which members stand for each archive, and the members by path.

    The path of a member is that of the archive, and its name below.

    Raises:
        CorpusError: an archive cannot be read, or the name of a member leads out of it.
    """
    files: list[Path] = []
    members: dict[Path, Member] = {}
    hidden = listing.hidden
    for path in listing.files:
        if not is_archive(path):
            files.append(path)
            continue
        of_archive, n_hidden = _members(path)
        hidden += n_hidden
        members |= of_archive
        files += of_archive
    return dataclasses.replace(listing, files=files, hidden=hidden), members


def _members(archive: Path) -> tuple[dict[Path, Member], int]:
    """Return the members of an archive by path, and how many names of it are hidden."""
    with _opened(archive) as file:
        state = State.of(file)
        try:
            with zipfile.ZipFile(file) as opened:
                infos = opened.infolist()
        except DIRECTORY_FAILURES as error:
            file.seek(0)
            found = content_of(file.read(HEAD))
            reason = in_a_line(error) or type(error).__name__
            if found is not None and found.name != "a zip archive":
                reason = f"{found.name}, by its first bytes"
            raise CorpusError(
                f"cannot read {archive} as a zip archive.",
                f"Found: {reason}.",
                "Check that the file is whole, or give it the name that says what it is.",
            ) from error
        check_unchanged(file, str(archive), state)
    found_members: dict[Path, Member] = {}
    met = Counter[Path]()
    hidden = set()
    for info in infos:
        # The name as it is stored: `zipfile` ends it at a NUL, and knows the separator of this system.
        name = info.orig_filename.replace("\\", "/")
        if _ODD_NAME.search(name):
            raise CorpusError(
                f"cannot read {archive}: the name of a member leads elsewhere or is no name.",
                f"Found: {name!r:.200}.",
                _UNPACK,
            )
        parts = PurePosixPath(name).parts
        n_shown = next((i for i, part in enumerate(parts) if part.startswith(".")), len(parts))
        if n_shown < len(parts):
            hidden.add(parts[: n_shown + 1])
        elif parts and not name.endswith("/"):
            path = _own_path(archive.joinpath(*parts), met)
            found_members[path] = Member(archive, state, info)
    return found_members, len(hidden)


def _own_path(path: Path, met: Counter[Path]) -> Path:
    """Return the path, or one with a number in its name where it was `met` before."""
    own = path
    while met[own]:
        met[path] += 1
        stem, dot, extensions = path.name.partition(".")
        own = path.with_name(f"{stem} ({met[path]}){dot}{extensions}")
    met[own] += 1
    return own


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[io.FileIO]:
    try:
        file = open_file(archive)
    except OSError as error:
        raise unreadable(archive, error) from error
    with file:
        yield file


@contextlib.contextmanager
def opened(
    path: Path, member: Member | None = None, seeking: bool = False
) -> Iterator[tuple[io.FileIO, io.RawIOBase]]:
    """Open a file, or a member of an archive; yields the file on the disk, and what is to be read.

    They are one but of a member. Of that the latter can only be read on, and begun anew by
    ``seek(0)``, unless it is for `seeking`, and unpacked into a temporary file.

    Raises:
        CorpusError: it is no regular file, the archive changed, or the member cannot be unpacked.
        OSError: it cannot be opened.
    """
    if member is None:
        with open_file(path) as file:
            yield file, file
        return
    with open_file(member.archive) as file:
        check_unchanged(file, str(path), member.state)
        content = _Content(file, path, member)
        if not seeking:
            yield file, content
            return
        with temporary_folder() as folder:
            whole = folder / f"member{path.suffix}"
            with whole.open("xb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            with open_file(whole) as copy:
                yield file, copy


class _Content(io.RawIOBase):
    """What a member holds, read from its start to its end, where its checksum is compared.

    Raises:
        CorpusError: it is encrypted or packed in a way that is not known.
        EOFError, OSError, zlib.error, lzma.LZMAError: it is damaged.
    """

    def __init__(self, file: io.FileIO, path: Path, member: Member) -> None:
        self._file, self._info = file, member.info
        problem = None
        if not member.is_file:
            problem = "a link, a device or a pipe"
        elif self._info.flag_bits & _ENCRYPTED:
            problem = "it is encrypted"
        elif self._info.compress_type not in _METHODS:
            problem = f"it is packed by method {self._info.compress_type}"
        if problem:
            raise CorpusError(
                f"cannot read {path} in its archive.",
                f"Found: {problem}; deflate, bzip2, LZMA and what is not packed are read.",
                _UNPACK,
            )
        self._begin()

    def _begin(self) -> None:
        info = self._info
        self._file.seek(info.header_offset)
        header = self._file.read(_HEADER)
        if len(header) < _HEADER or not header.startswith(b"PK\x03\x04"):
            raise EOFError("the archive is damaged: no member begins where its directory says")
        n_name, n_extra = struct.unpack("<HH", header[26:])
        start = info.header_offset + _HEADER + n_name + n_extra
        part = _Part(self._file, start, info.compress_size)
        method = _METHODS[info.compress_type]
        if method == "xz":
            part.begin_with_lzma(None if info.flag_bits & _HAS_END_MARK else info.file_size)
        self._stream = part if method is None else unpacked(part, method)
        self._n_read = self._checksum = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._n_read

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position not in (0, self._n_read):
            raise io.UnsupportedOperation("a member of an archive is read from its start")
        if position != self._n_read:
            self._begin()
        return position

    def readinto(self, buffer: Any) -> int:
        filled = 0
        with memoryview(buffer) as view:
            while filled < len(view) and (count := self._stream.readinto(view[filled:])):
                filled += count
            self._n_read += filled
            self._checksum = zlib.crc32(view[:filled], self._checksum)
            ended = filled < len(view)
        if self._n_read > self._info.file_size or (ended and not self._is_whole()):
            raise EOFError(
                "the archive is damaged: this is not what was packed, by its length or checksum"
            )
        return filled

    def _is_whole(self) -> bool:
        return (self._n_read, self._checksum) == (self._info.file_size, self._info.CRC)


class _Part:
    """The bytes of a file that a member takes up."""

    def __init__(self, file: io.FileIO, start: int, n_bytes: int) -> None:
        self._file, self._left, self._before = file, n_bytes, b""
        file.seek(start)

    def begin_with_lzma(self, n_bytes: int | None) -> None:
        """Put the header of an .lzma file in place of the one that archives have."""
        header = self.read(4)
        length = int.from_bytes(header[2:], "little")
        if len(header) < 4 or length != 5:
            raise EOFError("the archive is damaged: settings of LZMA that are none")
        size = (1 << 64) - 1 if n_bytes is None else n_bytes
        self._before = self.read(length) + size.to_bytes(8, "little")

    def read(self, most: int) -> bytes:
        if self._before:
            data, self._before = self._before[:most], self._before[most:]
            return data
        data = self._file.read(min(most, self._left))
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)
