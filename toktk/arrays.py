"""Strings of bytes in two flat arrays, ``(data, offsets)``: item i is ``data[offsets[i]:offsets[i + 1]]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]


def offsets_of(lengths: Sequence[int] | npt.NDArray[Any]) -> Int64:
    """Return int64[n + 1]: where each of n items begins and the last ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def packed(items: Sequence[bytes]) -> tuple[Bytes, Int64]:
    """Return the bytes of all items one after the other, and their offsets."""
    data = np.frombuffer(b"".join(items), dtype=np.uint8)
    return data, offsets_of(np.fromiter(map(len, items), dtype=np.int64, count=len(items)))


def read_only(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a view that cannot be written: one type of argument, so that kernels compile once."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view
