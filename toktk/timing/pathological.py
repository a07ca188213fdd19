"""Texts on which encoders are known to blow up: long runs of one kind of character."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
    lengths: Sequence[int] = LENGTHS,
) -> list[Timing]:
    """Time toktk's engine and the reference library on each kind, at growing lengths, in CPU seconds.

    Peers are left out. `engines` are those with equal ids so far, the reference library first;
    texts for their processes are written to `folder`.
    """
    chosen = [engine for engine in engines if engine is engines[0] or engine.name == "toktk"]
    processes = [EngineProcess(engine, jobs) for engine in chosen]
    timings: list[Timing] = []
    try:
        for kind in KINDS:
            path = folder / "pathological.npz"
            growths = [_growth(process, kind, path, lengths) for process in processes]
            for process, growth in zip(processes, growths, strict=True):
                figure = functools.partial(process.timing, label, what=f"pathological:{kind}")
                timings += _figures(figure, growth, growths[0])
    finally:
        for process in processes:
            process.close()
    return timings


@dataclass
class _Growth:
    """What an engine took for one kind of text, at each length that it was given.

    Attributes:
        points: bytes and seconds, at each length.
        digests: by length and variant of a text, a hash of the ids.
        stopped: why longer texts were not tried.
    """

    points: list[tuple[int, float]] = field(default_factory=list)
    digests: dict[tuple[int, int], str] = field(default_factory=dict)
    stopped: str = ""


def _growth(process: EngineProcess, kind: str, path: Path, lengths: Sequence[int]) -> _Growth:
    """Encode one kind of text, written to `path`, at growing lengths.

    Seconds are those of CPU: one document keeps one thread busy, and other programs must not count.
    """
    growth = _Growth()
    for n in lengths:
        limit = 2 * LIMIT if n > lengths[0] else LOADING
        answers = []
        try:
            if not process.running:
                process.load()
            for variant in range(3):
                write_text(path, [text(kind, n, variant)])
                answers.append(process.encode(path, limit, check=True))
                if answers[-1]["seconds"] > _QUICK:
                    break
        except EngineError as error:
            process.close()
            growth.stopped = f"{error} at {n:,} bytes"
            break
        growth.digests |= {(n, i): answer["digest"] for i, answer in enumerate(answers)}
        fastest = min(answers, key=lambda answer: answer["cpu"])
        seconds = fastest["cpu"]
        growth.points.append((fastest["bytes"], seconds))
        if seconds > LIMIT:
            if n < lengths[-1]:
                growth.stopped = f"stopped after {seconds:.1f} s at {n:,} bytes"
            break
    return growth


def _figures(
    figure: Callable[..., Timing], growth: _Growth, reference: _Growth
) -> Iterator[Timing]:
    """Yield the exponent of one kind and the speed at the longest text, if the ids are right."""
    right = reference.digests
    for (n, variant), digest in growth.digests.items():
        if right.get((n, variant), digest) != digest:
            note = f"ids differ at {n:,} bytes"
            yield figure(unit="exponent", note=note, verified=False)
            return
    verified = all((n, 0) in right for n, _ in growth.digests)
    points = growth.points[1:]
    fitted = points[-_FITTED:]
    interval = exponent(*zip(*fitted, strict=True)) if fitted else None
    figure = functools.partial(figure, verified=verified)
    yield figure(unit="exponent", n=len(fitted), note=growth.stopped, **ends(interval))
    if points:
        size, seconds = points[-1]
        note = f"{size:,} bytes in {seconds:.4g} s"
        yield figure(unit="MB/s", value=size / seconds / 1e6, n=1, note=note)
