"""Arrays: strings of bytes in two flat ones, and folders that hold some.

In ``(data, offsets)`` item i is ``data[offsets[i]:offsets[i + 1]]``.
"""

from __future__ import annotations

import contextlib
import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]

_LARGE_PAGE = 1 << 21  # bytes


def large_zeros(n: int) -> npt.NDArray[np.uint64]:
    """Return uint64[n], all 0, in large pages of memory where there are some.

    To touch memory for the first time takes 0.2 ms a megabyte in small pages, in large ones a tenth of that.
    """
    size = 8 * n
    if size >= _LARGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        # No memory, or a system that is built without large pages.
        with contextlib.suppress(OSError):
            private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            room = mmap.mmap(-1, size + _LARGE_PAGE, flags=private)
            room.madvise(mmap.MADV_HUGEPAGE)
            words = np.frombuffer(room, dtype=np.uint64)
            start = -words.ctypes.data % _LARGE_PAGE // 8
            return words[start : start + n]
    return np.zeros(n, dtype=np.uint64)


def offsets_of(lengths: Sequence[int] | npt.NDArray[Any]) -> Int64:
    """Return int64[n + 1]: where each of n items begins and the last ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def packed(items: Sequence[bytes]) -> tuple[Bytes, Int64]:
    """Return the bytes of all items one after the other, and their offsets."""
    data = np.frombuffer(b"".join(items), dtype=np.uint8)
    return data, offsets_of(np.fromiter(map(len, items), dtype=np.int64, count=len(items)))


def runs(offsets: Int64, items: int, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of runs of items, each of at most so many items and bytes, or of one item."""
    first, n = 0, offsets.size - 1
    while first < n:
        end = int(np.searchsorted(offsets, offsets[first] + n_bytes, side="right")) - 1
        last = min(max(end, first + 1), first + items, n)
        yield first, last
        first = last


def excerpt(text: Bytes, characters: int = 40) -> str:
    """Return how a document begins, quoted, and its size: for an error that names it."""
    start = text[: 4 * characters].tobytes().decode(errors="ignore")
    more = "…" if len(start) > characters else ""
    return f"{start[:characters]!r}{more} ({text.size:,} bytes)"


def read_only(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a view that cannot be written: one type of argument, so that kernels compile once."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def write_arrays(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], **about: Any) -> None:
    """Write arrays, and what JSON can hold, into a folder."""
    with (folder / "arrays.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def read_arrays(folder: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the rest of what `write_arrays` wrote."""
    # Given a path, numpy would not close a file that is no zip file.
    with (
        (folder / "arrays.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        arrays = {name: stored[name] for name in stored.files}
    about: dict[str, Any] = json.loads((folder / "about.json").read_bytes())
    return arrays, about
