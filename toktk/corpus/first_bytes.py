"""What the first bytes of a file say that it is, whatever its name says."""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = 4096
"""How many bytes are looked at."""


class Content(NamedTuple):
    """What a file is, in words, and what to do with it."""

    name: str
    advice: str


_UNPACK = "Unpack it, and give the folder of its files."
_OTHER = "Give text: .txt, .jsonl or .parquet."
_UTF16 = "Read it with --encoding utf-16."
_UTF32 = "Read it with --encoding utf-32."

_SIGNATURES: tuple[tuple[bytes, Content], ...] = (
    (rb"\x1f\x8b\x08", Content("gzip", "End its name in .gz.")),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", Content("bz2", "End its name in .bz2.")),
    (rb"\xfd7zXZ\0", Content("xz", "End its name in .xz.")),
    (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", Content("zstd", "End its name in .zst.")),
    (rb"\x04\x22\x4d\x18", Content("lz4", "Decompress it.")),
    (rb"PAR1\x15", Content("parquet", "End its name in .parquet.")),
    (rb"ARROW1\0\0|\xff{4}.{4}", Content("arrow", "End its name in .arrow.")),
    (rb"PK\x03\x04|PK\x05\x06", Content("a zip archive", "End its name in .zip.")),
    (rb".{257}ustar", Content("a tar archive", _UNPACK)),
    (rb"7z\xbc\xaf\x27\x1c", Content("a 7z archive", _UNPACK)),
    (rb"Rar!\x1a\x07", Content("a rar archive", _UNPACK)),
    (
        rb"version https://git-lfs\.github\.com/spec/",
        Content(
            "a pointer of Git LFS, not the file that it stands for",
            "Fetch the file: git lfs pull, in the folder of the repository.",
        ),
    ),
    (
        rb"(/|\.\./)*(\.git)?/?annex/objects/\S+\s*$",
        Content(
            "a pointer of git-annex, not the file that it stands for",
            "Fetch the file: git annex get, in the folder of the repository.",
        ),
    ),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", Content("text in UTF-32", _UTF32)),
    (rb"\xff\xfe|\xfe\xff", Content("text in UTF-16", _UTF16)),
    (rb"%PDF-\d", Content("a PDF", _OTHER)),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content("a document of Microsoft Office", _OTHER)),
    (rb"SQLite format 3\0", Content("a database of SQLite", _OTHER)),
    (rb"\x89HDF\r\n\x1a\n", Content("HDF5", _OTHER)),
    (rb"\x93NUMPY", Content("an array of NumPy", _OTHER)),
    (rb"Obj\x01", Content("Avro", _OTHER)),
    (rb"FEA1", Content("Feather version 1", "Write it anew as Arrow or Parquet.")),
    (rb"GGUF[\x01-\x09]\0\0\0", Content("a model in GGUF", _OTHER)),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a", Content("an image", _OTHER)),
    (rb"\x7fELF|\xcf\xfa\xed\xfe", Content("a program", _OTHER)),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL), what) for pattern, what in _SIGNATURES)


def content_of(head: bytes) -> Content | None:
    """Return what a file that begins with `head` is; None where it may be text."""
    return next((what for pattern, what in _COMPILED if pattern.match(head)), None)


def wide_encoding(head: bytes) -> str | None:
    """Return "utf-16-le" or "utf-16-be" where nearly every other byte is NUL, as in such text."""
    half = len(head) // 2
    if half < 8:
        return None
    even, odd = head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    few, many = 0.1 * half, 0.6 * half
    if odd > many and even < few:
        return "utf-16-le"
    return "utf-16-be" if even > many and odd < few else None
