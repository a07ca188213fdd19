"""Counted corpora: from this run, from the store, or by reading the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toktk.lab.cells import Pieces, Reading
from toktk.lab.meter import Meter
from toktk.pieces.counting import count_corpus_many
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    from toktk.cache import Store
    from toktk.corpus import Corpus


class CountedCorpora:
    """The pieces of texts under pretokenizers, each counted once.

    Args:
        store: where they are kept.
        meter: is told what is counted, and what was there.
        jobs: threads; they change no result.
    """

    def __init__(self, store: Store, meter: Meter, jobs: int = 1) -> None:
        self._store = store
        self._meter = meter
        self._jobs = jobs
        self._held: dict[tuple[str, str], Pieces] = {}
        self._slow: set[str] = set()

    def get(self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> Pieces:
        """Return the counted corpus, held until `drop` if counted by group.

        Raises:
            CorpusError: the text cannot be read.
        """
        held = corpus.fingerprint, pretokenizer.key
        if by_group:  # several tokenizers are measured on it; training data keeps its own
            self.count_together(corpus, [pretokenizer])
            return self._held[held]
        pieces = self._stored(corpus, pretokenizer, by_group)
        return pieces or self._counted(corpus, [pretokenizer], by_group)[0]

    def count_together(self, corpus: Corpus, pretokenizers: Sequence[Pretokenizer]) -> None:
        """Hold the text counted by group under each, by one reading for all that are not there.

        Raises:
            CorpusError: the text cannot be read.
        """
        missing = []
        for pretokenizer in pretokenizers:
            held = corpus.fingerprint, pretokenizer.key
            if held in self._held:
                continue
            pieces = self._stored(corpus, pretokenizer, by_group=True)
            if pieces is None:
                missing.append(pretokenizer)
            else:
                self._held[held] = pieces
        if missing:
            counted = self._counted(corpus, missing, by_group=True)
            for pretokenizer, pieces in zip(missing, counted, strict=True):
                self._held[corpus.fingerprint, pretokenizer.key] = pieces

    def drop(self, corpus: Corpus, pretokenizer: Pretokenizer) -> None:
        """Hold the pieces no longer; the store keeps them."""
        self._held.pop((corpus.fingerprint, pretokenizer.key), None)

    def _stored(self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> Pieces | None:
        key = _cell_key(corpus, pretokenizer, by_group)
        pieces = self._store.read("pieces", key, Pieces.load)
        if pieces is not None:
            self._meter.reused("count", f"{corpus.name}, {pretokenizer.name}")
        return pieces

    def _counted(
        self, corpus: Corpus, pretokenizers: Sequence[Pretokenizer], by_group: bool
    ) -> list[Pieces]:
        for pretokenizer in pretokenizers:
            self._say_if_slow(pretokenizer)
        names = ", ".join(pretokenizer.name for pretokenizer in pretokenizers)
        what = f"{corpus.name}, {names}"
        with self._meter.step("count", what, corpus.size, corpus.unit) as progress:
            tables = count_corpus_many(
                corpus, pretokenizers, jobs=self._jobs, by_group=by_group, progress=progress
            )
            reading = Reading(corpus.replaced, corpus.null_rows)
        counted = [Pieces(table, reading) for table in tables]
        for pretokenizer, pieces in zip(pretokenizers, counted, strict=True):
            if _worth_keeping(pretokenizer):
                key = _cell_key(corpus, pretokenizer, by_group)
                self._store.write("pieces", key, pieces.save)
        return counted

    def _say_if_slow(self, pretokenizer: Pretokenizer) -> None:
        key = pretokenizer.key
        if pretokenizer.compile() is None and key not in self._slow:
            self._slow.add(key)
            self._meter.watcher.remark(
                f"the pattern of {pretokenizer.name} does not compile to tables; the regex library "
                "cuts instead: slower, same result."
            )


def _cell_key(corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> dict[str, Any]:
    return {
        "corpus": corpus.fingerprint,
        "pattern": pretokenizer.key,
        # Without the name: a public tokenizer's pattern may have another one than a trainer's.
        "cut": pretokenizer.signature.partition("@")[2],
        "by_group": by_group,
    }


def _worth_keeping(pretokenizer: Pretokenizer) -> bool:
    # Whole documents would be a copy of the corpus, and to read it again is no slower.
    return pretokenizer.key != PATTERNS["none"]
