"""Files as streams of UTF-8: decompressed and decoded while they are read, never whole in memory."""

from __future__ import annotations

import bz2
import codecs
import importlib
import io
import lzma
import zlib
from typing import Any, Protocol

from toktk.arrow import pa
from toktk.corpus.options import UTF8, Source
from toktk.errors import CorpusError

_CHUNK = 1 << 17
_MOST_OUT = 1 << 20
_XZ_MEMORY = 1 << 30
"""What a decompressor of xz may take, in bytes: its header asks for any amount."""

_ZSTD = b"\x28\xb5\x2f\xfd"
_USUAL_WINDOW = 1 << 27
"""The window, in bytes, up to which Zstandard reads a file unless it is told to read any."""

_MARK = "\ufffd"

STREAM_FAILURES: tuple[type[Exception], ...] = (zlib.error, lzma.LZMAError, EOFError)


class Packed(Protocol):
    """What compressed bytes are read from."""

    def read(self, most: int, /) -> bytes:
        """Return the next bytes, `most` or fewer; none at the end."""


class Stream(Protocol):
    """What can be read into a buffer."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill the buffer from its start; return how many bytes came, 0 at the end."""


def plain(source: Source, file: io.RawIOBase) -> Stream:
    """Return the text of `file` as a stream, in UTF-8 unless it is damaged."""
    stream = _decompressed(source, file)
    return stream if source.options.encoding == UTF8 else _Decoded(stream, source)


def first_bytes(source: Source, file: io.RawIOBase, most: int) -> bytes:
    """Return the first bytes of the text of a file, decompressed and not decoded; `most` or fewer."""
    buffer = bytearray(most)
    with memoryview(buffer) as view:
        stream, filled = _decompressed(source, file), 0
        while filled < most and (count := stream.readinto(view[filled:])):
            filled += count
    return bytes(buffer[:filled])


def _decompressed(source: Source, file: io.RawIOBase) -> Stream:
    if source.compression is None:
        return file
    if source.compression == "zstd":
        return _zstd(source, file)
    return _Decompressed(file, source.compression)


def unpacked(packed: Packed, compression: str) -> Stream:
    """Return the text of compressed bytes: "gzip", "bz2", "xz" (.lzma too) or "deflate"."""
    return _Decompressed(packed, compression)


class _Zlib:
    """A decompressor of zlib, with the face of `bz2.BZ2Decompressor`."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_DECOMPRESSORS: dict[str, Any] = {
    "gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(-15),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_XZ_MEMORY),
}


class _Decompressed:
    """The text of a compressed file: of all members, whatever zeros pad their ends.

    Raises:
        EOFError: the file ends inside a member.
        zlib.error, lzma.LZMAError, OSError: it is damaged.
    """

    def __init__(self, file: Packed, compression: str, start: Any = None) -> None:
        self._file = file
        self._start = start or _DECOMPRESSORS[compression]
        self._member, self._pending = self._start(), b""

    def readinto(self, buffer: Any) -> int:
        most = min(len(buffer), _MOST_OUT)
        while most:
            if self._member.eof and not self._begin_member():
                return 0
            data, self._pending = self._pending, b""
            wants = self._member.needs_input and not data
            if wants:
                data = self._file.read(_CHUNK)
            text = self._member.decompress(data, most)
            if text:
                memoryview(buffer)[: len(text)] = text
                return len(text)
            if wants and not data and not self._member.eof:
                raise EOFError("the file ends too soon")
        return 0

    def _begin_member(self) -> bool:
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest:
            chunk = self._file.read(_CHUNK)
            if not chunk:
                return False
            rest = chunk.lstrip(b"\0")
        self._member, self._pending = self._start(), rest
        return True


def _zstd(source: Source, file: io.RawIOBase) -> Stream:
    """Return a stream of Zstandard; a window above the usual one needs more than PyArrow has."""
    start = file.tell()
    window = _zstd_window(file.read(18))
    file.seek(start)
    if window <= _USUAL_WINDOW:
        stream: Stream = pa.CompressedInputStream(file, "zstd")
        return stream
    try:
        library = importlib.import_module("compression.zstd")  # Python 3.14 has it
        options = {library.DecompressionParameter.window_log_max: 31}
        return _Decompressed(file, "zstd", lambda: library.ZstdDecompressor(options=options))
    except ImportError:
        pass
    try:
        library = importlib.import_module("zstandard")
    except ImportError as error:
        raise CorpusError(
            f"cannot read {source.where}: it was compressed with a long window (zstd --long).",
            f"Found: a window of {window:,} bytes; PyArrow reads up to {_USUAL_WINDOW:,}.",
            "Install the package zstandard (pip install zstandard), or compress it anew: "
            "zstd -dc --long=31 FILE | zstd -o NEW.",
        ) from error
    reader: Stream = library.ZstdDecompressor(max_window_size=1 << 31).stream_reader(
        file, read_across_frames=True, closefd=False
    )
    return reader


def _zstd_window(head: bytes) -> int:
    """Return the bytes of window that the first frame asks for; 0 where there is no such frame."""
    if len(head) < 18 or head[:4] != _ZSTD:
        return 0
    flags = head[4]
    if not flags & 0x20:  # else the whole content is the window
        exponent, eighths = head[5] >> 3, head[5] & 7
        return (1 << (10 + exponent)) * (8 + eighths) // 8
    begin = 5 + (0, 1, 2, 4)[flags & 3]
    return int.from_bytes(head[begin : begin + (1, 2, 4, 8)[flags >> 6]], "little")


class _Decoded:
    """The text of a stream that is in another encoding, as UTF-8.

    Where `errors` is "replace", what is invalid becomes U+FFFD, and is counted in `source`.
    """

    def __init__(self, stream: Stream, source: Source) -> None:
        start = codecs.getincrementaldecoder(source.options.encoding)
        self._stream, self._source = stream, source
        self._decoder = start(source.options.errors)
        # What it leaves out is what the other one replaces.
        self._ignoring = start("ignore") if source.options.errors == "replace" else None
        self._raw = bytearray(_CHUNK)
        self._ready = memoryview(b"")
        self._n_read, self._ended = 0, False

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            count = self._stream.readinto(self._raw) or 0
            self._n_read += count
            self._ended = not count
            self._ready = memoryview(self._decode(bytes(self._raw[:count])))
        part = self._ready[: len(buffer)]
        memoryview(buffer)[: len(part)] = part
        self._ready = self._ready[len(part) :]
        return len(part)

    def _decode(self, raw: bytes) -> bytes:
        source = self._source
        try:
            text = self._decoder.decode(raw, self._ended)
        except UnicodeDecodeError as error:  # of whose bytes the last is the last that was read
            at = self._n_read - len(error.object) + error.start
            found = f"{error.object[error.start : error.end + 4].hex(' ')} ({error.reason})"
            raise self._invalid(at, found) from error
        except UnicodeError as error:  # UTF-16 or UTF-32 without a mark
            raise self._invalid(0, str(error)) from error
        if self._ignoring is not None:
            kept = self._ignoring.decode(raw, self._ended)
            source.replaced += text.count(_MARK) - kept.count(_MARK)
        return text.encode("utf-8", "surrogatepass")

    def _invalid(self, at: int, found: str) -> CorpusError:
        return CorpusError(
            f"invalid {self._source.options.encoding} in {self._source.where} at byte {at}.",
            f"Found: {found}.",
            "Name the encoding that it has with --encoding, or read it with --errors replace, "
            "which puts U+FFFD there.",
        )
