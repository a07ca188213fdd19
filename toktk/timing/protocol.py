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
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.arrays import Bytes, Int64
from toktk.errors import FormatError
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

_FEWEST = 3  # rounds: with less there is no interval worth the name
_BUSY = 0.9  # of the time on a core: an engine that had less waited for other programs


def measure(
    loaded: Sequence[Loaded],
    documents: tuple[Bytes, Int64],
    *,
    jobs: int = 1,
    repeats: int = 5,
    seed: int = 0,
    growth: bool = True,
) -> list[Timing]:
    """Time each tokenizer in every engine that can run it.

    Args:
        loaded: tokenizers; their spec strings are loaded again, in the engines' processes.
        documents: text, uint8 and int64[D + 1], as `toktk.timing.slices.draw` draws it; some 8 MB of
            it are used at most.
        jobs: threads that each engine may use.
        repeats: fresh processes for each engine, and half the warm slices.
        seed: of the order of documents.
        growth: also step 5, which takes some 5 to 20 seconds more.

    Raises:
        CorpusError: the text to be timed cannot be written for the processes.
        StorageError: a tokenizer cannot be written for the processes.
    """
    timings: list[Timing] = []
    slices = cut_slices(*documents, 1 + 3 * repeats, seed)
    for tokenizer in loaded:
        label = tokenizer.label
        with tempfile.TemporaryDirectory(prefix="toktk-timing-") as name:
            folder = Path(name)
            texts = [write_text(folder / f"{i}.npz", s) for i, s in enumerate(slices)]
            try:
                engines = engines_for(tokenizer, folder)
            except FormatError as error:
                nothing = Timing(
                    tokenizer=label,
                    engine="",
                    version="",
                    threads=jobs,
                    what="ids",
                    unit="documents",
                    note=" ".join(str(error).split()),
                    verified=False,
                )
                timings.append(nothing)
                continue
            contest = Contest(label, engines, texts, jobs, repeats)
            timings += contest.run()
            equal = contest.equal()
            if growth and engines[0] in equal:
                timings += pathological(label, equal, folder, jobs)
    return timings


@dataclass
class Contest:
    """The engines of one tokenizer, on one text.

    Attributes:
        label: the tokenizer's.
        engines: the first is the reference library.
        texts: slices, as `write_text` wrote them; too few of them are not timed.
        jobs: threads.
        repeats: rounds.
        start: makes an engine's process.
        timings: what came out so far.
    """

    label: str
    engines: Sequence[Engine]
    texts: Sequence[Path]
    jobs: int = 1
    repeats: int = 5
    start: Callable[[Engine, int], EngineProcess] = EngineProcess
    timings: list[Timing] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._timed = [_TimedEngine(self.start(engine, self.jobs)) for engine in self.engines]
        self._reference = self._timed[0]
        self._fewest = min(_FEWEST, self.repeats)
        self._began = time.monotonic()

    def run(self) -> list[Timing]:
        """Go through steps 1 to 4; an engine that fails takes no other's figures away."""
        try:
            texts = self._verify()
            enough = len(texts) > 2 * self._fewest
            rounds = min(self.repeats, max(self._fewest, (len(texts) - 1) // 3))
            self._cold(texts[:rounds] if enough else [], rounds)
            if enough:
                self._warm(texts[rounds], texts[rounds + 1 :])
            for engine in self._in_turn():
                with self._watched(engine, "memory", "bytes"):
                    rise = engine.process.ask("memory")
                    note = "" if rise is not None else "the system does not tell"
                    self._add(engine, what="memory", unit="bytes", value=rise, n=1, note=note)
        finally:
            for engine in self._timed:
                engine.process.close()
        for engine in self._in_turn():
            self._add_figures(engine, enough)
        return self.timings

    def equal(self) -> list[Engine]:
        """Return the engines that have not failed."""
        return [engine.process.engine for engine in self._in_turn()]

    def _in_turn(self, i: int = 0) -> list[_TimedEngine]:
        """Return those that are still in, beginning with another one for each `i`."""
        left = [engine for engine in self._timed if not engine.failed]
        at = i % max(len(left), 1)
        return left[at:] + left[:at]

    def _late(self, share: float) -> bool:
        return time.monotonic() - self._began > share * _SECONDS

    @contextlib.contextmanager
    def _watched(self, engine: _TimedEngine, what: str, unit: str) -> Iterator[None]:
        """Put an engine that fails out of the contest, with a note under `what`."""
        try:
            yield
        except EngineError as error:
            engine.failed = str(error)
            engine.process.close()
            self._add(engine, what=what, unit=unit, note=str(error))

    def _verify(self) -> list[Path]:
        """Return the slices whose ids are known to be equal; as many as a quarter of the time allows."""
        truth: dict[Path, list[str]] = {}
        for engine in self._timed:
            if self._reference.failed:  # without it nothing is known to be right
                engine.failed = f"not compared: {self._reference.name} failed"
                self._add(engine, what="ids", unit="documents", note=engine.failed)
                continue
            with self._watched(engine, "ids", "documents"):
                engine.process.load()
                if engine is self._reference:
                    truth = self._reference_digests()
                else:
                    self._compare(engine, truth)
            engine.process.close()
        return list(truth)

    def _reference_digests(self) -> dict[Path, list[str]]:
        """Return the hashes of the reference's ids of each document, by slice."""
        truth: dict[Path, list[str]] = {}
        for text in self.texts:
            truth[text] = self._reference.process.ask("digests", text=str(text))
            if self._late(0.25) and len(truth) > 2 * self._fewest:
                break
        n, note = sum(map(len, truth.values())), "the reference"
        self._add(self._reference, what="ids", unit="documents", value=n, n=n, note=note)
        return truth

    def _compare(self, engine: _TimedEngine, truth: dict[Path, list[str]]) -> None:
        equal, note = 0, ""
        for text, right in truth.items():
            digests = engine.process.ask("digests", text=str(text))
            same = [a == b for a, b in itertools.zip_longest(digests, right)]
            equal += sum(same)
            if not note and not all(same):
                note = f"not timed; {self._difference(engine, text, same.index(False))}"
        engine.failed = note
        n = sum(map(len, truth.values()))
        self._add(engine, what="ids", unit="documents", value=equal, n=n, note=note)

    def _difference(self, engine: _TimedEngine, text: Path, document: int) -> str:
        """Return the first ids that differ."""
        reference = self._reference.process
        reference.load()
        try:
            right = reference.ask("ids", text=str(text), document=document)
        finally:
            reference.close()
        ids = engine.process.ask("ids", text=str(text), document=document)
        pairs = enumerate(zip(ids, right, strict=False))
        at = next((i for i, (a, b) in pairs if a != b), min(len(ids), len(right)))
        return (
            f"first difference at token {at} of a document: {ids[at : at + 3]}, "
            f"{self._reference.name} has {right[at : at + 3]}"
        )

    def _cold(self, texts: Sequence[Path], rounds: int) -> None:
        for i in range(rounds):
            if i >= self._fewest and self._late(0.6):
                break
            for engine in self._in_turn(i):
                with self._watched(engine, "cold", "MB/s"):
                    engine.load()
                    if texts:
                        engine.encode(texts[i], "cold")

    def _warm(self, first: Path, texts: Sequence[Path]) -> None:
        for engine in self._in_turn():
            with self._watched(engine, "warm", "MB/s"):
                engine.process.encode(first)
        for i, text in enumerate(texts):
            if i >= self.repeats and self._late(1.0):
                break
            for engine in self._in_turn(i):
                with self._watched(engine, "warm", "MB/s"):
                    engine.encode(text, "warm")

    def _add_figures(self, engine: _TimedEngine, enough: bool) -> None:
        """Add what was timed in steps 2 and 3."""
        add = functools.partial(self._add, engine)
        loads = engine.loads
        add(what="load", unit="s", n=len(loads), note=engine.loading, **ends(spread(loads)))
        for what, speeds in engine.speeds.items():
            if not enough:
                least = SMALLEST * (2 * self._fewest + 1) / 1e6
                note = f"too little text to time: {least:.1f} MB of distinct documents are needed"
                add(what=what, unit="MB/s", note=note)
                continue
            n, note = len(speeds), engine.note(what)
            add(what=what, unit="MB/s", n=n, note=note, **ends(spread(speeds)))
            if engine is self._reference or self._reference.failed:
                continue
            quotient = ratio(speeds, self._reference.speeds[what])
            note = "level" if quotient and is_level(quotient) else ""
            add(what=f"{what}_ratio", unit="ratio", n=n, note=note, **ends(quotient))

    def _add(self, engine: _TimedEngine, **figure: Any) -> None:
        timing = Timing(
            tokenizer=self.label,
            engine=engine.name,
            version=engine.process.engine.version,
            threads=self.jobs,
            verified=not engine.failed,
            **figure,
        )
        self.timings.append(timing)


class _TimedEngine:
    """An engine in the contest, and what has come of it so far.

    Attributes:
        process: of the moment.
        failed: why it is out; empty while it is not.
        loads: seconds of each timed loading.
        loading: what of loading was not timed.
        speeds: MB/s of each slice, under "cold" and "warm".
    """

    def __init__(self, process: EngineProcess) -> None:
        self.process = process
        self.name = process.engine.name
        self.failed = ""
        self.loads: list[float] = []
        self.loading = ""
        self.speeds: dict[str, list[float]] = {"cold": [], "warm": []}
        self._call = ""
        self._shares: dict[str, list[float]] = {"cold": [], "warm": []}

    def load(self) -> None:
        """Time the loading of the tokenizer in a fresh process."""
        answer = self.process.load()
        self._call, self.loading = answer["call"], answer["loads"]
        self.loads.append(answer["load"])

    def encode(self, text: Path, what: str) -> None:
        """Time one slice."""
        answer = self.process.encode(text)
        seconds = max(answer["seconds"], 1e-9)
        self.speeds[what].append(answer["bytes"] / seconds / 1e6)
        self._shares[what].append(answer["cpu"] / seconds)

    def note(self, what: str) -> str:
        """Return what was timed, and whether other programs were in the way."""
        share = statistics.median(self._shares[what])
        busy = f"; a busy machine: it had {share:.0%} of a core" if share < _BUSY else ""
        return f"{self._call}{busy}"
