"""The engine's own process: it holds one engine, encodes what it is told to, and keeps the time itself.

Requests come as lines of JSON on standard input, answers go out as lines of JSON. What a library prints
goes to standard error.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import itertools
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toktk.arrays import Ids, Int64, packed
from toktk.runtime import peak_memory
from toktk.timing.slices import read_text

# Encoded once as part of loading: an engine that puts off work until its first text, as one that loads
# compiled code does, is to have done it. Long pieces and short ones, several scripts.
_FIRST = ("It's 2026. Größe, приве́т, 東京タワー, สวัสดี 👩‍👩‍👧\r\n\tx += 1;  \n", "ab" * 700, "")


class Session:
    """What the process can be asked; every argument and answer is JSON-able."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._before: int | None = None

    def load(self, adapter: str, source: Mapping[str, Any], jobs: int) -> dict[str, Any]:
        """Build the engine; return seconds of importing its library, and of loading.

        Loading is from the file to the ids of a first short text.
        """
        module, _, name = adapter.partition(":")
        kind = getattr(importlib.import_module(module), name)
        start = time.perf_counter()
        for needed in kind.imports:
            importlib.import_module(needed)
        imported = time.perf_counter() - start
        kind.prepare(source)
        data, offsets = packed([text.encode() for text in _FIRST])
        gc.collect()
        gc.freeze()
        self._before = _peak_from_now()
        start = time.perf_counter()
        self._engine = kind(source, jobs)
        self._engine.encode(self._engine.take(data, offsets))
        loaded = time.perf_counter() - start
        return {"import": imported, "load": loaded, "call": kind.call, "loads": kind.loads}

    def encode(self, text: str, check: bool = False) -> dict[str, Any]:
        """Encode a text once; return its bytes, and the seconds it took by the clock and of CPU.

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
        answer: dict[str, Any] = {"bytes": data.size, "seconds": seconds, "cpu": cpu}
        if check:
            answer["digest"] = _digest(*self._ids(output))
        return answer

    def digests(self, text: str) -> list[str]:
        """Encode a text; return a hash of the ids of each document."""
        ids, offsets = self._encoded(text)
        spans = itertools.pairwise(offsets.tolist())
        return [_digest(ids[a:b]) for a, b in spans]

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
        return self._ids(self._engine.encode(documents))

    def _ids(self, output: Any) -> tuple[Ids, Int64]:
        ids, offsets = self._engine.ids(output)
        return np.asarray(ids, dtype="<u4"), np.asarray(offsets, dtype=np.int64)


def _digest(ids: Ids, offsets: Int64 | None = None) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(ids).tobytes(), digest_size=12)
    if offsets is not None:
        digest.update(np.ascontiguousarray(offsets, dtype="<i8").tobytes())
    return digest.hexdigest()


def _peak_from_now() -> int | None:
    """Forget the peak so far, where that is possible; return the peak, in bytes."""
    # Linux alone; what importing took and gave back would hide what loading takes.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(session, request["what"])(**request["arguments"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
