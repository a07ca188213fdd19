"""Texts on which encoders are known to blow up: one kind of character, without end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from toktk.timing.engines import Engine
from toktk.timing.figures import Timing, ends, exponent
from toktk.timing.process import LOADING, EngineError, EngineProcess
from toktk.timing.slices import write_text

LENGTHS = tuple(1 << k for k in range(12, 21))
"""Bytes: 4 KiB to 1 MiB. The first is not timed: code that only long pieces need is loaded with it."""

LIMIT = 2.0
"""Seconds: a longer text is not tried after one that took more; twice as many end the process."""

# Lengths, the longest: there what a call costs, however short the text is, no longer shows.
_FITTED = 5

# Seconds: a text that takes less is timed on three variants, of which the fastest counts.
_QUICK = 0.1

KINDS = ("letter", "spaces", "digits", "cjk", "emoji")

_IDEOGRAPHS = "".join(map(chr, range(0x4E00, 0x4E00 + 1999, 7)))
_EMOJI = ("👩🏽‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏿", "🇯🇵", "❤️‍🔥", "🧑‍🤝‍🧑")


def text(kind: str, n: int, variant: int = 0) -> bytes:
    """Return about `n` bytes of a kind; variants hold other pieces, so that no cache knows them."""
    if kind == "letter":
        return b"abc"[variant : variant + 1] * n
    if kind == "spaces":
        return b" " * (n - variant)
    cycle = {"digits": "0123456789", "cjk": _IDEOGRAPHS, "emoji": "".join(_EMOJI)}[kind]
    whole = (cycle[variant:] + cycle * (n // len(cycle.encode()) + 1)).encode()
    return whole[:n].decode(errors="ignore").encode()


def pathological(
    label: str,
    engines: Sequence[Engine],
    folder: Path,
    jobs: int,
    start: Callable[[Engine, int], EngineProcess] = EngineProcess,
) -> list[Timing]:
    """Time toktk's engine and the reference library on each kind, at doubling lengths, in CPU seconds.

    Args:
        label: the tokenizer's.
        engines: those with equal ids so far; the first is the reference library. Peers are left out.
        folder: where texts are written for the engines' processes.
        jobs: threads.
        start: makes an engine's process.
    """
    chosen = [engine for engine in engines if engine is engines[0] or engine.name == "toktk"]
    runs = [_Run(label, start(engine, jobs), folder) for engine in chosen]
    timings: list[Timing] = []
    try:
        for kind in KINDS:
            truth: _Digests = {}
            for run in runs:
                timings += run.kind(kind, truth, is_reference=run is runs[0])
    finally:
        for run in runs:
            run.process.close()
    return timings


_Digests = dict[tuple[int, int], str]
"""By length and variant of a text, a hash of the reference library's ids."""


class _Run:
    """One engine that goes through the kinds; its process is started anew after it was stopped."""

    def __init__(self, label: str, process: EngineProcess, folder: Path) -> None:
        self.process, self.folder = process, folder
        engine = process.engine
        self._timing = functools.partial(
            Timing,
            tokenizer=label,
            engine=engine.name,
            version=engine.version,
            threads=process.jobs,
        )

    def kind(self, kind: str, truth: _Digests, is_reference: bool) -> list[Timing]:
        """Time one kind; the reference fills `truth`, with which the other's ids are compared."""
        what = f"pathological:{kind}"
        points: list[tuple[int, float]] = []  # bytes and seconds
        compared, stopped = True, ""
        for n in LENGTHS:
            try:
                size, seconds, digests = self._point(kind, n)
            except EngineError as error:
                self.process.close()
                stopped = f"{error} at {n:,} bytes"
                break
            if is_reference:
                truth.update(digests)
            elif any(truth.get(key, digest) != digest for key, digest in digests.items()):
                note = f"ids differ at {n:,} bytes"
                return [self._timing(what=what, unit="exponent", note=note, verified=False)]
            compared &= (n, 0) in truth
            if n > LENGTHS[0]:
                points.append((size, seconds))
            if seconds > LIMIT:
                if n < LENGTHS[-1]:
                    stopped = f"stopped after {seconds:.1f} s at {n:,} bytes"
                break
        fitted = points[-_FITTED:]
        growth = exponent(*zip(*fitted, strict=True)) if len(fitted) > 2 else None
        timing = functools.partial(self._timing, what=what, verified=compared)
        timings = [timing(unit="exponent", n=len(fitted), note=stopped, **ends(growth))]
        if points:
            size, seconds = points[-1]
            note = f"{size:,} bytes in {seconds:.4g} s"
            timings.append(timing(unit="MB/s", value=size / seconds / 1e6, n=1, note=note))
        return timings

    def _point(self, kind: str, n: int) -> tuple[int, float, _Digests]:
        """Return bytes and seconds of the fastest variant, and hashes of the ids of all.

        Seconds of CPU, since one document keeps one thread busy, and growth is not to be that of the
        other programs on the machine.
        """
        if not self.process.running:
            self.process.load()
        limit = 2 * LIMIT if n > LENGTHS[0] else LOADING
        points: list[tuple[float, int]] = []
        digests: _Digests = {}
        for variant in range(3):
            path = write_text(self.folder / "pathological.npz", [text(kind, n, variant)])
            answer = self.process.encode(path, limit, check=True)
            digests[n, variant] = str(answer["digest"])
            points.append((max(float(answer["cpu"]), 1e-9), int(answer["bytes"])))
            if answer["seconds"] > _QUICK:
                break
        seconds, size = min(points, key=lambda point: point[0])
        return size, seconds, digests
