"""Texts on which encoders are known to blow up: one kind of character, without end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from toktk.timing.children import EngineError, Held
from toktk.timing.contenders import Contender
from toktk.timing.figures import exponent
from toktk.timing.slices import write_text
from toktk.timing.timing import Timing

LENGTHS = tuple(1 << k for k in range(12, 21))
"""Bytes: 4 KiB to 1 MiB. The first is not timed: code that only long pieces need is loaded with it."""

LIMIT = 2.0
"""Seconds: a longer text is not tried after one that took more; twice as many end the process."""

_FITTED = (
    5  # lengths, the longest: what a call costs however short the text is no longer shows there
)
_QUICK = (
    0.1  # seconds; a text that takes less is timed on three variants, of which the fastest counts
)
_LOADING = 300.0

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


KINDS = ("letter", "spaces", "digits", "cjk", "emoji")


def pathological(
    label: str,
    engines: Sequence[Contender],
    folder: Path,
    jobs: int,
    start: Callable[[Contender, int], Held],
    progress: Callable[[str], None] | None = None,
    lengths: Sequence[int] = LENGTHS,
) -> list[Timing]:
    """Time toktk's engine and the reference library on each kind, at doubling lengths, in CPU seconds.

    Args:
        label: the tokenizer's.
        engines: those with equal ids so far; the first is the reference library. Peers are left out.
        folder: where texts are written for the children.
        jobs: threads.
        start: starts an engine.
        progress: told what begins.
        lengths: bytes; the first is not timed.
    """
    reference = engines[:1]
    chosen = [*reference, *(engine for engine in engines[1:] if engine.engine == "toktk")]
    found: list[Timing] = []
    runs = [_Run(label, e, folder, jobs, start, e is engines[0]) for e in chosen]
    try:
        for kind in KINDS:
            truth: dict[tuple[int, int], str] = {}
            for run in runs:
                if progress:
                    progress(f"{label}: {kind} in {run.engine.engine}")
                found += run.kind(kind, lengths, truth)
    finally:
        for run in runs:
            run.close()
    return found


class _Run:
    """One engine going through the kinds; started anew after it was stopped."""

    def __init__(
        self,
        label: str,
        engine: Contender,
        folder: Path,
        jobs: int,
        start: Callable[[Contender, int], Held],
        is_reference: bool,
    ) -> None:
        self.label, self.engine, self.folder = label, engine, folder
        self.jobs, self.start, self.is_reference = jobs, start, is_reference
        self.held: Held | None = None

    def close(self) -> None:
        if self.held is not None:
            self.held.close()
            self.held = None

    def kind(
        self, kind: str, lengths: Sequence[int], truth: dict[tuple[int, int], str]
    ) -> list[Timing]:
        """Time one kind; `truth` takes on the hashes of the reference's ids by length and variant."""
        points: list[tuple[int, float]] = []
        compared, stopped = True, ""
        for n in lengths:
            try:
                size, seconds, digests = self._point(kind, n, count=n > lengths[0])
            except EngineError as error:
                self.close()
                stopped = f"{error} at {n:,} bytes"
                break
            for at, digest in enumerate(digests):
                if self.is_reference:
                    truth[n, at] = digest
                elif truth.get((n, at), digest) != digest:
                    return [self._record(kind, "exponent", note=f"ids differ at {n:,} bytes")]
            compared &= (n, 0) in truth
            if n > lengths[0]:
                points.append((size, seconds))
            if seconds > LIMIT:
                stopped = (
                    "" if n == lengths[-1] else f"stopped after {seconds:.1f} s at {n:,} bytes"
                )
                break
        return self._records(kind, points, stopped, compared)

    def _point(self, kind: str, n: int, count: bool) -> tuple[int, float, list[str]]:
        """Return bytes and seconds of the fastest variant, and hashes of the ids of all.

        Seconds of CPU, since one document keeps one thread busy, and growth is not to be that of the
        other programs on the machine.
        """
        if self.held is None:
            held = self.start(self.engine, self.jobs)
            self.held = held
            source = dict(self.engine.source)
            held.ask("load", _LOADING, adapter=self.engine.adapter, source=source, jobs=self.jobs)
        limit = 2 * LIMIT if count else _LOADING
        best: tuple[int, float] | None = None
        digests = []
        for variant in range(3):
            path = write_text(self.folder / "pathological.npz", [text(kind, n, variant)])
            answer = self.held.ask("encode", limit, text=str(path), check=True)
            digests.append(str(answer["digest"]))
            if best is None or answer["cpu"] < best[1]:
                best = int(answer["bytes"]), max(float(answer["cpu"]), 1e-9)
            if answer["seconds"] > _QUICK:
                break
        return *(best or (0, 0.0)), digests

    def _records(
        self, kind: str, points: Sequence[tuple[int, float]], stopped: str, compared: bool
    ) -> list[Timing]:
        fitted = points[-_FITTED:]
        found = exponent(*zip(*fitted, strict=True)) if len(fitted) > 2 else None
        records = [self._record(kind, "exponent", found, len(fitted), stopped, compared)]
        if points:
            size, seconds = points[-1]
            speed = (size / seconds / 1e6, None, None)
            note = f"{size:,} bytes in {seconds:.4g} s"
            records.append(self._record(kind, "MB/s", speed, 1, note, compared))
        return records

    def _record(
        self,
        kind: str,
        unit: str,
        interval: tuple[float, float | None, float | None] | None = None,
        n: int | None = None,
        note: str = "",
        verified: bool = False,
    ) -> Timing:
        who = (self.label, self.engine.engine, self.engine.version, self.jobs)
        value, low, high = interval or (None, None, None)
        return Timing(*who, f"pathological:{kind}", value, low, high, unit, n, note, verified)
