"""What the tests of shards share: reading a folder as a training loop does, with NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Row = tuple[list[int], int, str]
"""A document: its tokens, the bytes of its text, its group."""


def read_arrays(folder: Path) -> list[Row]:
    """Return all documents of a folder of arrays, in order."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.tokens.npy")):
        stem = path.name.removesuffix(".tokens.npy")
        offsets, lengths, groups = (
            np.load(folder / f"{stem}.{what}.npy") for what in ("offsets", "bytes", "groups")
        )
        names = json.loads((folder / f"{stem}.groups.json").read_text())
        tokens = np.load(path).tolist()
        assert (offsets[0], offsets[-1], offsets.size) == (0, len(tokens), lengths.size + 1)
        rows += [
            (tokens[offsets[d] : offsets[d + 1]], int(lengths[d]), names[groups[d]])
            for d in range(lengths.size)
        ]
    return rows


@pytest.fixture(scope="session")
def documents_in() -> Callable[[Path], list[Row]]:
    return read_arrays
