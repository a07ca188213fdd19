"""The engine's own process: it holds one engine, encodes what it is told to, and keeps the time itself."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from toktk.arrays import Ids, Int64, packed
from toktk.child import serve
from toktk.runtime import peak_memory
from toktk.timing.engines import Source
from toktk.timing.slices import read_text

# Encoded once as part of loading, since some engines put off work until their first text, such as loading
# compiled code. Long pieces and short ones, several scripts.
_FIRST = ("It's 2026. Größe, приве́т, 東京タワー, สวัสดี 👩‍👩‍👧\r\n\tx += 1;  \n", "ab" * 700, "")


class Session:
    """What the process can be asked; every argument and answer is JSON-able."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._before: int | None = None

    def load(self, adapter: str, source: Source, jobs: int) -> dict[str, Any]:
        """Build the engine; return the seconds of loading, from the file to the ids of a first short text."""
        module, _, name = adapter.partition(":")
        kind = getattr(importlib.import_module(module), name)
        for needed in kind.imports:
            importlib.import_module(needed)
        kind.prepare(source)
        data, offsets = packed([text.encode() for text in _FIRST])
        gc.collect()
        gc.freeze()
        # Linux alone forgets its peak; what importing took and gave back would hide what loading takes.
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._before = peak_memory()
        start = time.perf_counter()
        self._engine = kind(source, jobs)
        self._engine.encode(self._engine.take(data, offsets))
        loaded = time.perf_counter() - start
        return {"load": loaded, "call": kind.call, "loads": kind.loads}

    def encode(self, text: str, check: bool = False) -> dict[str, Any]:
        """Encode a text once; return its bytes, the seconds by the clock and the seconds of CPU.

        With `check`, also a hash of the ids, computed after the clock has stopped.
        """
        data, offsets = read_text(Path(text))
        documents = self._engine.take(data, offsets)
        gc.collect()
        gc.disable()
        cpu, start = time.process_time(), time.perf_counter()
        output = self._engine.encode(documents)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        gc.enable()
        digest = digest_of(self._engine.ids(output)[0]) if check else None
        times = {"seconds": max(seconds, 1e-9), "cpu": max(cpu, 1e-9)}
        return {"bytes": data.size, **times, "digest": digest}

    def digests(self, text: str) -> list[str]:
        """Encode a text; return a hash of the ids of each document."""
        ids, offsets = self._encoded(text)
        return [digest_of(ids[a:b]) for a, b in itertools.pairwise(offsets.tolist())]

    def ids(self, text: str, document: int) -> list[int]:
        """Encode a text; return the ids of one document."""
        ids, offsets = self._encoded(text)
        chosen: list[int] = ids[offsets[document] : offsets[document + 1]].tolist()
        return chosen

    def memory(self) -> int | None:
        """Return by how many bytes the peak has risen since before loading; None where nobody knows."""
        peak = peak_memory()
        return None if peak is None or self._before is None else peak - self._before

    def _encoded(self, text: str) -> tuple[Ids, Int64]:
        documents = self._engine.take(*read_text(Path(text)))
        ids, offsets = self._engine.ids(self._engine.encode(documents))
        return ids, offsets


def digest_of(ids: Ids) -> str:
    """Return a hash of ids."""
    contents = np.ascontiguousarray(ids, dtype="<u4").tobytes()
    return hashlib.blake2b(contents, digest_size=12).hexdigest()


if __name__ == "__main__":
    serve(Session())
