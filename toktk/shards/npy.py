"""NumPy's own file of an array that grows: its length goes into the header in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_HEADER = 128  # bytes, a multiple of 64: the numbers are aligned in a memory map
_BUFFER = 1 << 20


class NpyFile:
    """A one-dimensional array on the disk, to be read with ``np.load(path, mmap_mode="r")``.

    `size` is how many numbers there are so far. The header is written here, for NumPy's own depends on its
    version.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype).newbyteorder("<")
        self.size = 0
        self._file = path.open("wb", buffering=_BUFFER)
        self._file.write(_header(self.dtype, 0))

    def append(self, numbers: npt.NDArray[Any]) -> None:
        """Add numbers behind the others."""
        self._file.write(np.ascontiguousarray(numbers, self.dtype).data)
        self.size += numbers.size

    def finish(self) -> None:
        """Write the header: the file is complete."""
        self._file.seek(0)
        self._file.write(_header(self.dtype, self.size))
        self.close()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()


def _header(dtype: np.dtype[Any], size: int) -> bytes:
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({size},), }}"
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + text.encode().ljust(_HEADER - 11) + b"\n"
