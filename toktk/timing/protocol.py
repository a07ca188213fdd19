"""The timing protocol.

1. Every engine encodes the very text that is to be timed, in a process that is then thrown away. One whose
   ids differ from the reference library's anywhere is shown with the first difference, and never timed.
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
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toktk.errors import FormatError
from toktk.models.model import Bytes, Int64
from toktk.timing.children import Child, EngineError
from toktk.timing.contenders import Contender, contenders
from toktk.timing.entrant import Entrant, Start
from toktk.timing.figures import is_level, ratio, spread
from toktk.timing.pathological import pathological
from toktk.timing.slices import SMALLEST, cut_slices, write_text
from toktk.timing.timing import Timing

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

Progress = Callable[[str], None]
Interval = tuple[float, float | None, float | None]

_FEWEST = 3  # rounds: with less there is no interval worth the name


def measure(
    loaded: Sequence[Loaded],
    documents: tuple[Bytes, Int64],
    *,
    jobs: int = 1,
    repeats: int = 5,
    seed: int = 0,
    seconds: float = 15.0,
    growth: bool = True,
    progress: Progress | None = None,
) -> list[Timing]:
    """Time each tokenizer in every engine that can run it.

    Args:
        loaded: tokenizers; their spec strings are loaded again, in child processes.
        documents: text, uint8 and int64[D + 1], as `toktk.timing.slices.draw` draws it; some 8 MB of
            it are used at most.
        jobs: threads that each engine may use.
        repeats: fresh processes for each engine, and half the warm slices.
        seed: of the order of documents.
        seconds: what one tokenizer may take for steps 1 to 4; it is overstepped where engines load slowly,
            since three rounds and `repeats` warm slices are always run.
        growth: also step 5, which takes some 5 to 20 seconds more.
        progress: told in a line what begins.

    Raises:
        CorpusError: the text to be timed cannot be written for the children.
        StorageError: a tokenizer cannot be written for the children.
    """
    found: list[Timing] = []
    slices = cut_slices(*documents, 1 + 3 * repeats, seed)
    for one in loaded:
        with tempfile.TemporaryDirectory(prefix="toktk-timing-") as name:
            folder = Path(name)
            texts = [write_text(folder / f"{i}.npz", s) for i, s in enumerate(slices)]
            try:
                engines = contenders(one, folder)
            except FormatError as error:
                note = " ".join(str(error).split())
                nothing = (None, None, None, "documents", None)
                found.append(Timing(one.label, "", "", jobs, "ids", *nothing, note, False))
                continue
            contest = Contest(one.label, engines, texts, jobs, repeats, seconds, progress)
            found += contest.run()
            equal = contest.equal()
            if growth and engines[0] in equal:
                found += pathological(one.label, equal, folder, jobs, Child, progress)
    return found


class Contest:
    """The engines of one tokenizer, on one text.

    Args:
        label: the tokenizer's.
        engines: the first is the reference library.
        texts: slices, as `write_text` wrote them; too few of them are not timed.
        jobs: threads.
        repeats: rounds.
        seconds: when to stop beginning rounds.
        progress: told what begins.
        start: starts an engine.
    """

    def __init__(
        self,
        label: str,
        engines: Sequence[Contender],
        texts: Sequence[Path],
        jobs: int = 1,
        repeats: int = 5,
        seconds: float = 15.0,
        progress: Progress | None = None,
        start: Start = Child,
    ) -> None:
        self.label, self.texts, self.jobs = label, tuple(texts), jobs
        self.repeats, self.fewest, self.seconds = repeats, min(_FEWEST, repeats), seconds
        self.progress = progress or (lambda line: None)
        self.entrants = [Entrant(engine, jobs, start) for engine in engines]
        self.reference = self.entrants[0]
        self.found: list[Timing] = []
        self._began = 0.0

    def run(self) -> list[Timing]:
        """Go through steps 1 to 4; an engine that fails takes no other's figures away."""
        self._began = time.monotonic()
        try:
            texts = self._verify()
            enough = len(texts) > 2 * self.fewest
            rounds = min(self.repeats, max(self.fewest, (len(texts) - 1) // 3))
            self._cold(texts[:rounds] if enough else [], rounds)
            if enough:
                self._warm(texts[rounds], texts[rounds + 1 :])
            for entrant in self._in_turn():
                with self._watched(entrant, "memory", "bytes"):
                    self._note(entrant, "memory", (entrant.ask("memory"), None, None), "bytes", 1)
        finally:
            for entrant in self.entrants:
                entrant.close()
        for entrant in self._in_turn():
            self._figures(entrant, enough)
        return self.found

    def equal(self) -> list[Contender]:
        """Return the engines that have not failed."""
        return [entrant.engine for entrant in self._in_turn()]

    def _in_turn(self, i: int = 0) -> list[Entrant]:
        """Return those that are still in, beginning with another one for each `i`."""
        left = [entrant for entrant in self.entrants if not entrant.failed]
        at = i % max(len(left), 1)
        return left[at:] + left[:at]

    def _late(self, share: float) -> bool:
        return time.monotonic() - self._began > share * self.seconds

    @contextlib.contextmanager
    def _watched(self, entrant: Entrant, what: str, unit: str) -> Iterator[None]:
        """Put an engine that fails out of the contest, with a note under `what`."""
        try:
            yield
        except EngineError as error:
            entrant.failed = str(error)
            entrant.close()
            self._note(entrant, what, unit=unit, note=str(error))

    # 1. -------------------------------------------------------------------------------------------

    def _verify(self) -> list[Path]:
        """Return the slices whose ids are known to be equal; as many as a quarter of the time allows."""
        texts: list[Path] = []
        truth: list[list[str]] = []
        for entrant in self.entrants:
            self.progress(f"{self.label}: ids of {entrant.engine.engine}")
            if self.reference.failed:  # without it nothing is known to be right
                entrant.failed = f"not compared: {self.reference.engine.engine} failed"
                self._note(entrant, "ids", unit="documents", note=entrant.failed)
                continue
            with self._watched(entrant, "ids", "documents"):
                entrant.load()
                if entrant is self.reference:
                    self._encode_all(texts, truth)
                else:
                    self._compare(entrant, texts, truth)
            entrant.close()
        return texts

    def _encode_all(self, texts: list[Path], truth: list[list[str]]) -> None:
        for text in self.texts:
            truth.append(self.reference.ask("digests", text=str(text)))
            texts.append(text)
            if self._late(0.25) and len(texts) > 2 * self.fewest:
                break
        n = sum(map(len, truth))
        self._note(self.reference, "ids", (n, None, None), "documents", n, "the reference")

    def _compare(self, entrant: Entrant, texts: Sequence[Path], truth: Sequence[list[str]]) -> None:
        equal, note = 0, ""
        for text, right in zip(texts, truth, strict=True):
            mine = entrant.ask("digests", text=str(text))
            same = [a == b for a, b in itertools.zip_longest(mine, right)]
            equal += sum(same)
            if not note and not all(same):
                note = f"not timed; {self._difference(entrant, text, same.index(False))}"
        entrant.failed = note
        n = sum(map(len, truth))
        self._note(entrant, "ids", (equal, None, None), "documents", n, note)

    def _difference(self, entrant: Entrant, text: Path, document: int) -> str:
        """Return the first ids that differ."""
        self.reference.load()
        try:
            right = self.reference.ask("ids", text=str(text), document=document)
        finally:
            self.reference.close()
        mine = entrant.ask("ids", text=str(text), document=document)
        pairs = enumerate(zip(mine, right, strict=False))
        at = next((i for i, (a, b) in pairs if a != b), min(len(mine), len(right)))
        name = self.reference.engine.engine
        return (
            f"first difference at token {at} of a document: {mine[at : at + 3]}, "
            f"{name} has {right[at : at + 3]}"
        )

    # 2. and 3. ------------------------------------------------------------------------------------

    def _cold(self, texts: Sequence[Path], rounds: int) -> None:
        for i in range(rounds):
            if i >= self.fewest and self._late(0.6):
                break
            self.progress(f"{self.label}: loading, and cold text, {i + 1} of {rounds}")
            for entrant in self._in_turn(i):
                with self._watched(entrant, "cold", "MB/s"):
                    entrant.load(timed=True)
                    if texts:
                        entrant.encode(texts[i], "cold")

    def _warm(self, first: Path, texts: Sequence[Path]) -> None:
        for entrant in self._in_turn():
            with self._watched(entrant, "warm", "MB/s"):
                entrant.ask("encode", text=str(first))
        for i, text in enumerate(texts):
            if i >= self.repeats and self._late(1.0):
                break
            self.progress(f"{self.label}: warm text, {i + 1} of {len(texts)}")
            for entrant in self._in_turn(i):
                with self._watched(entrant, "warm", "MB/s"):
                    entrant.encode(text, "warm")

    # Figures --------------------------------------------------------------------------------------

    def _figures(self, entrant: Entrant, enough: bool) -> None:
        loads = entrant.loads
        self._note(entrant, "load", spread(loads), "s", len(loads), entrant.note("load"))
        for what, speeds in entrant.speeds.items():
            if not enough:
                least = SMALLEST * (2 * self.fewest + 1) / 1e6
                note = f"too little text to time: {least:.1f} MB of distinct documents are needed"
                self._note(entrant, what, unit="MB/s", note=note)
                continue
            self._note(entrant, what, spread(speeds), "MB/s", len(speeds), entrant.note(what))
            if entrant is self.reference or self.reference.failed:
                continue
            found = ratio(speeds, self.reference.speeds[what])
            level = "level" if found and is_level(found) else ""
            self._note(entrant, f"{what}_ratio", found, "ratio", len(speeds), level)

    def _note(
        self,
        entrant: Entrant,
        what: str,
        interval: Interval | None = None,
        unit: str = "",
        n: int | None = None,
        note: str = "",
    ) -> None:
        engine = entrant.engine
        who = (self.label, engine.engine, engine.version, self.jobs)
        value, low, high = interval or (None, None, None)
        verified = not entrant.failed
        self.found.append(Timing(*who, what, value, low, high, unit, n, note, verified))
