"""The text that is timed: slices of about equal size that share no document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toktk.arrays import Bytes, Int64, packed
from toktk.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes of a slice: a fast engine is through with less before the clock has moved; the last document of a
# slice may make it longer.
SMALLEST, LARGEST = 200_000, 500_000

SAMPLE = 20 * LARGEST
"""Bytes of text that are drawn from a corpus."""


def draw(batches: Iterable[pa.RecordBatch], seed: int = 0) -> tuple[Bytes, Int64]:
    """Return documents drawn evenly from all of a corpus, some `SAMPLE` bytes, and their offsets.

    One pass, at most twice `SAMPLE` bytes held. Of a document longer than a quarter of `SAMPLE` its
    beginning is taken. The first column of `batches` is large_string, as `Corpus.batches` gives them.
    """
    from toktk.corpus.batch import TEXT, spans

    chance = np.random.default_rng(seed)
    sample: list[tuple[float, bytes]] = []
    held, share = 0, 1.0
    for batch in batches:
        data, offsets = spans(batch.column(TEXT))
        drawn = chance.random(offsets.size - 1)
        for d in np.flatnonzero(drawn < share).tolist():
            document = data[offsets[d] : offsets[d + 1]][: SAMPLE // 4].tobytes()
            document = document.decode(errors="ignore").encode()  # without half a character
            sample.append((float(drawn[d]), document))
            held += len(document)
            if held > 2 * SAMPLE:
                sample.sort()
                while held > SAMPLE:
                    share, document = sample.pop()
                    held -= len(document)
    return packed([document for _, document in sorted(sample)])


def cut_slices(data: Bytes, offsets: Int64, wanted: int, seed: int = 0) -> list[list[bytes]]:
    """Return at most `wanted` slices, each a list of documents; none where the text is too short.

    Documents come in random order, so every slice is a sample of the whole. Each distinct one is taken
    once: an engine that remembers a document would be timed at remembering. Empty ones are left out.
    """
    documents: dict[bytes, None] = {}
    held = 0
    for d in np.random.default_rng(seed).permutation(offsets.size - 1).tolist():
        for part in _parts(data[offsets[d] : offsets[d + 1]].tobytes()):
            if part and part not in documents:
                documents[part] = None
                held += len(part)
        if held >= wanted * LARGEST:
            break
    size = max(SMALLEST, min(LARGEST, held // max(wanted, 1)))
    slices: list[list[bytes]] = []
    current: list[bytes] = []
    held = 0
    for document in documents:
        current.append(document)
        held += len(document)
        if held >= size:
            slices.append(current)
            current, held = [], 0
    return slices[:wanted]


def _parts(document: bytes) -> Iterator[bytes]:
    """Yield a document, in parts if it is longer than the smallest slice; cut at a line feed if any."""
    while len(document) > SMALLEST:
        cut = document.rfind(b"\n", 0, SMALLEST) + 1
        if not cut:
            cut = SMALLEST
            while document[cut] & 0xC0 == 0x80:  # inside a character
                cut -= 1
        yield document[:cut]
        document = document[cut:]
    yield document


def write_text(path: Path, documents: Sequence[bytes]) -> Path:
    """Write documents where an engine's process can read them; return `path`.

    Raises:
        StorageError: the disk is full.
    """
    data, offsets = packed(documents)
    try:
        np.savez(path, data=data, offsets=offsets)
    except OSError as error:
        raise StorageError(
            "cannot write the text that is to be timed.",
            f"Found: {error.strerror or error}.",
            "Free space, or choose another place with TOKTK_HOME=DIR.",
        ) from error
    return path


def read_text(path: Path) -> tuple[Bytes, Int64]:
    """Return what `write_text` wrote: uint8 and int64[D + 1]."""
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["data"], arrays["offsets"]
