"""The timing protocol.

1. Ids: every engine encodes the very text that is to be timed, in a process that is then thrown away. An
   engine whose ids differ from the reference library's is shown with the first difference, and never timed.
2. Cold, round by round: each engine in turn is started afresh, loads its tokenizer (timed) and encodes a
   slice (timed). The next round has the next slice, and begins with the next engine.
3. Warm: the engines of the last round encode one slice untimed, then in turn each further slice once.
   No two slices share a document, so no cache can answer for text that it was timed on.
4. Memory, last: the peak of the process, less its peak before loading.
5. Texts of one kind of character, doubling in length (`toktk.timing.pathological`).
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.arrays import Bytes, Int64
from toktk.errors import FormatError, in_a_line
from toktk.paths import temporary_folder
from toktk.timing.engines import Engine, engines_for
from toktk.timing.figures import Timing, ends, is_level, ratio, spread
from toktk.timing.pathological import pathological
from toktk.timing.process import EngineError, EngineProcess
from toktk.timing.slices import SMALLEST, cut_slices, write_text

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

# What one tokenizer may take for steps 1 to 4. It takes longer where engines load slowly, since three rounds
# and `repeats` warm slices are always run.
_SECONDS = 15.0

# Of figures other than ratios.
_UNITS = {"ids": "documents", "load": "s", "cold": "MB/s", "warm": "MB/s", "memory": "bytes"}
PHASES = 4
"""How often progress is told of by steps 1 to 4 of one tokenizer, however many engines and rounds."""

_FEWEST = 3  # rounds: with less there is no interval worth the name
_BUSY = 0.9  # of the time on a core: an engine that had less waited for other programs


def too_little(documents: tuple[Bytes, Int64], repeats: int = 5, seed: int = 0) -> str:
    """Return why no speed can be timed on documents; empty if there is enough text."""
    slices = cut_slices(*documents, 1 + 3 * repeats, seed)
    fewest = _fewest_slices(repeats)
    if len(slices) >= fewest:
        return ""
    data, offsets = documents
    distinct = {data[a:b].tobytes() for a, b in itertools.pairwise(offsets.tolist())}
    held = sum(map(len, distinct))
    return (
        f"too little text to time: {held / 1e6:.1f} MB of distinct documents; "
        f"{SMALLEST * fewest / 1e6:.1f} MB are needed"
    )


def _fewest_slices(repeats: int) -> int:
    return 2 * min(_FEWEST, repeats) + 1


def measure(
    loaded: Loaded,
    documents: tuple[Bytes, Int64],
    *,
    jobs: int = 1,
    repeats: int = 5,
    seed: int = 0,
    growth: bool = True,
    progress: Callable[[int], None] = lambda phases: None,
) -> list[Timing]:
    """Time a tokenizer in every engine that can run it.

    Args:
        loaded: its spec string is loaded again, in the engines' processes.
        documents: as `toktk.timing.slices.draw` draws them; at most some 8 MB of them are used.
        jobs: threads that each engine may use.
        repeats: fresh processes for each engine, and half the warm slices.
        seed: of the order of documents.
        growth: also step 5, which takes some 5 to 20 seconds more.
        progress: called with the phases done since the last call, `PHASES` in all, and one for step 5.

    Raises:
        StorageError: the text cannot be written for the engines' processes.
    """
    label = loaded.label
    with temporary_folder() as folder:
        slices = cut_slices(*documents, 1 + 3 * repeats, seed)
        texts = [write_text(folder / f"{i}.npz", each) for i, each in enumerate(slices)]
        try:
            engines = engines_for(loaded, folder)
        except FormatError as error:
            progress(PHASES + growth)
            note = in_a_line(error)
            ids = Timing(
                label, "", "", jobs, what="ids", unit="documents", note=note, verified=False
            )
            return [ids]
        contest = Contest(label, engines, texts, jobs, repeats, progress)
        timings = contest.run()
        equal = [engine.process.engine for engine in contest.in_turn()]
        if growth:
            if engines[0] in equal:
                timings += pathological(label, equal, folder, jobs)
            progress(1)
    return timings


class Contest:
    """The engines of one tokenizer, the reference library first, on slices of one text.

    Too few slices are not timed; `repeats` is the number of rounds.
    """

    def __init__(
        self,
        label: str,
        engines: Sequence[Engine],
        texts: Sequence[Path],
        jobs: int = 1,
        repeats: int = 5,
        progress: Callable[[int], None] = lambda phases: None,
    ) -> None:
        self._texts, self._repeats, self._progress = texts, repeats, progress
        self._timings: list[Timing] = []
        processes = [EngineProcess(engine, jobs) for engine in engines]
        self._engines = [_TimedEngine(label, process, self._timings) for process in processes]
        self._reference = self._engines[0]
        self._fewest = min(_FEWEST, repeats)
        self._began = time.monotonic()

    def run(self) -> list[Timing]:
        """Go through steps 1 to 4; an engine that fails takes no other's figures away."""
        try:
            texts = self._verify()
            self._progress(1)
            enough = len(texts) > 2 * self._fewest
            rounds = min(self._repeats, max(self._fewest, (len(texts) - 1) // 3))
            self._time("cold", texts[:rounds] if enough else [None] * rounds, self._fewest, 0.6)
            self._progress(1)
            if enough:
                for engine in self.in_turn():
                    with engine.watched("warm"):
                        engine.process.encode(texts[rounds])
                self._time("warm", texts[rounds + 1 :], self._repeats, 1.0)
            self._progress(1)
            for engine in self.in_turn():
                with engine.watched("memory"):
                    rise = engine.process.ask("memory")
                    note = "the system does not tell" if rise is None else ""
                    engine.add("memory", value=rise, n=1, note=note)
            self._progress(1)
        finally:
            for engine in self._engines:
                engine.process.close()
        for engine in self.in_turn():
            self._add_figures(engine, enough)
        return self._timings

    def in_turn(self, i: int = 0) -> list[_TimedEngine]:
        """Return those that are still in, beginning with another one for each `i`."""
        left = [engine for engine in self._engines if not engine.failed]
        at = i % max(len(left), 1)
        return left[at:] + left[:at]

    def _late(self, share: float) -> bool:
        return time.monotonic() - self._began > share * _SECONDS

    def _verify(self) -> list[Path]:
        """Return the slices whose ids are known to be equal; as many as a quarter of the time allows."""
        truth: dict[Path, list[str]] = {}
        for engine in self._engines:
            if self._reference.failed:  # without it nothing is known to be right
                engine.failed = f"not compared: {self._reference.process.engine.name} failed"
                engine.add("ids", note=engine.failed)
                continue
            with engine.watched("ids"):
                engine.process.load()
                if engine is self._reference:
                    for text in self._texts:
                        truth[text] = engine.process.ask("digests", text=str(text))
                        if self._late(0.25) and len(truth) > 2 * self._fewest:
                            break
                    equal, note = sum(map(len, truth.values())), "the reference"
                else:
                    equal, engine.failed = self._compare(engine, truth)
                    note = engine.failed
                engine.add("ids", value=equal, n=sum(map(len, truth.values())), note=note)
            engine.process.close()
        return list(truth)

    def _compare(self, engine: _TimedEngine, truth: dict[Path, list[str]]) -> tuple[int, str]:
        """Return how many documents have the right ids, and the first ids that differ."""
        equal, note = 0, ""
        reference = self._reference.process
        for text, digests in truth.items():
            pairs = itertools.zip_longest(engine.process.ask("digests", text=str(text)), digests)
            same = [a == b for a, b in pairs]
            equal += sum(same)
            if note or all(same):
                continue
            document = same.index(False)
            reference.load()
            right = reference.ask("ids", text=str(text), document=document)
            reference.close()
            ids = engine.process.ask("ids", text=str(text), document=document)
            differ = (i for i, (a, b) in enumerate(zip(ids, right, strict=False)) if a != b)
            at = next(differ, min(len(ids), len(right)))
            note = (
                f"not timed; first difference at token {at} of a document: {ids[at : at + 3]}, "
                f"{reference.engine.name} has {right[at : at + 3]}"
            )
        return equal, note

    def _time(self, what: str, texts: Sequence[Path | None], fewest: int, share: float) -> None:
        """Time a text a round; after the `fewest` rounds only until a share of the time has passed."""
        for i, text in enumerate(texts):
            if i >= fewest and self._late(share):
                break
            for engine in self.in_turn(i):
                with engine.watched(what):
                    if what == "cold":
                        engine.answers["load"].append(engine.process.load())
                    if text:
                        engine.answers[what].append(engine.process.encode(text))

    def _add_figures(self, engine: _TimedEngine, enough: bool) -> None:
        """Add what was timed in steps 2 and 3."""
        loads = engine.answers["load"]
        seconds = spread([answer["load"] for answer in loads])
        engine.add("load", n=len(loads), note=loads[0]["loads"], **ends(seconds))
        for what in ("cold", "warm"):
            if not enough:
                least = SMALLEST * (2 * self._fewest + 1) / 1e6
                note = f"too little text to time: {least:.1f} MB of distinct documents are needed"
                engine.add(what, note=note)
                continue
            speeds, note, n = engine.speeds(what), loads[0]["call"], len(engine.answers[what])
            shares = [answer["cpu"] / answer["seconds"] for answer in engine.answers[what]]
            share = statistics.median(shares)
            if busy := share < _BUSY:
                note += f"; a busy machine: it had {share:.0%} of a core"
            engine.add(what, n=n, note=note, busy=busy, **ends(spread(speeds)))
            if engine is self._reference or self._reference.failed:
                continue
            quotient = ratio(speeds, self._reference.speeds(what))
            note = "level" if quotient and is_level(quotient) else ""
            engine.add(f"{what}_ratio", n=n, note=note, **ends(quotient))


class _TimedEngine:
    """An engine in the contest, and what has come of it so far.

    Attributes:
        failed: why it is out; empty while it is not.
        answers: the worker's to "load", and for each slice under "cold" and "warm".
    """

    def __init__(self, label: str, process: EngineProcess, timings: list[Timing]) -> None:
        self.process = process
        self.failed = ""
        self.answers: dict[str, list[dict[str, Any]]] = {"load": [], "cold": [], "warm": []}
        self._label, self._timings = label, timings

    def speeds(self, what: str) -> list[float]:
        """Return the MB/s of each slice."""
        return [answer["bytes"] / answer["seconds"] / 1e6 for answer in self.answers[what]]

    @contextlib.contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Put the engine out of the contest if it fails, with a note under `what`."""
        try:
            yield
        except EngineError as error:
            self.failed = str(error)
            self.process.close()
            self.add(what, note=str(error))

    def add(self, what: str, **figure: Any) -> None:
        """Add a figure to the contest's."""
        unit, verified = _UNITS.get(what, "ratio"), not self.failed
        timing = self.process.timing(self._label, what=what, unit=unit, verified=verified, **figure)
        self._timings.append(timing)
