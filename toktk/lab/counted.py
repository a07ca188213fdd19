"""Counted corpora: from this run, from the store, or by reading the text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk.arrays import read_arrays, write_arrays
from toktk.cache import Store
from toktk.corpus.lines import Lines
from toktk.counts.text import CountedText
from toktk.evaluation.documents import CutDocuments, DocumentPieces
from toktk.lab.counted_corpus import CountedCorpus, WholeText, cell_of
from toktk.lab.id_intervals import SpelledUnits
from toktk.lab.meter import Meter
from toktk.lab.ngrams import LEARNED, PRICED, NgramTexts
from toktk.lab.reading import Reading
from toktk.lab.storing import Storing
from toktk.lab.units import Units
from toktk.pieces.beside import AnyOf, Beside
from toktk.pieces.counting import Counted, check_groups, count_sides
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.pieces.seen import AT_ONCE, SeenText
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import give_back_memory

if TYPE_CHECKING:
    from toktk.arrow import pa
    from toktk.corpus import Corpus
    from toktk.corpus.options import Progress


@dataclass(frozen=True)
class _Asked:
    """What a reading of a text is to find: pieces, by their keys in the store, and what else is not known."""

    corpus: Corpus
    cells: Mapping[Pretokenizer, dict[str, Any]]
    by_group: bool
    lines: Lines | None
    sought: AnyOf | None
    sample: Sample | None

    @property
    def beside(self) -> list[Beside]:
        """What sees the documents too."""
        beside: list[Beside | None] = [self.lines, self.sought, self.sample]
        return [one for one in beside if one is not None]

    def afresh(self) -> _Asked:
        """Return the same with nothing seen."""
        return replace(
            self,
            lines=self.lines and self.lines.fresh(),
            sought=self.sought and self.sought.fresh(),
            sample=self.sample and self.sample.fresh(),
        )


class CountedCorpora:
    """The pieces of texts under pretokenizers, each counted once.

    Args:
        meter: is told what is counted, and what was there.
        jobs: threads; they change no result.
        force: count everything anew.
        memory: bytes that counts may take before they go to disk, as of `count_corpus`.

    Attributes:
        store: where they are kept, and all else that is stored.
        storing: what is to be stored.
        sought: strings that a pass over a measured text looks for; see `holds_sought`.
    """

    def __init__(
        self, meter: Meter, jobs: int = 1, force: bool = False, memory: int | None = None
    ) -> None:
        self.store = Store(meter.remark, force=force)
        self.storing = Storing()
        self.meter = meter
        self.jobs = jobs
        self.memory = memory
        self.sought: tuple[str, ...] = ()
        self._held: dict[tuple[str, str, bool], CountedCorpus] = {}
        self._lines: dict[str, Lines] = {}
        self._samples: dict[str, SampledDocuments] = {}
        self._whole_texts: dict[str, WholeText] = {}
        self._document_pieces: dict[tuple[str, str], DocumentPieces] = {}
        self._units: dict[str, Units] = {}
        self._spelled: dict[tuple[str, str], SpelledUnits] = {}
        self._found: dict[tuple[str, tuple[str, ...]], bool] = {}
        self._slow: set[str] = set()
        self._groups: dict[str, tuple[str, ...]] = {}
        self._ngram_texts: dict[tuple[str, str | None], NgramTexts] = {}

    def get(
        self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool, sampled: bool = False
    ) -> CountedCorpus:
        """Return the counted corpus, held until `drop` if counted by group; see `count_together`."""
        self.count_together(corpus, [pretokenizer], by_group, sampled)
        key = corpus.fingerprint, pretokenizer.key, by_group
        # Several tokenizers are measured on it; training data keeps its own.
        if not by_group:
            return self._held.pop(key)
        if key not in self._held:
            self.document_pieces(corpus, pretokenizer)
        return self._held[key]

    def count_together(
        self,
        corpus: Corpus,
        pretokenizers: Sequence[Pretokenizer],
        by_group: bool = True,
        sampled: bool = False,
    ) -> None:
        """Hold the text counted under each, by one reading for all that are not there.

        With `sampled`, that reading also draws the documents that intervals rest on; see `sample`. Where
        these are all of the text, it is counted in them, when it is asked for. `storing` has all this then,
        which nobody has begun to write.

        Raises:
            NotCounted: the text is counted, and that does not tell its pieces.
        """
        missing = self._missing(corpus, pretokenizers, by_group)
        if missing:
            self._count([self._asked(corpus, missing, by_group, sampled)])
            if not sampled:
                self.storing.finish()

    def count_measured(
        self,
        corpus: Corpus,
        pretokenizer: Pretokenizer,
        training: tuple[Corpus, Pretokenizer | None] | None = None,
    ) -> None:
        """Hold a text that is measured on, by group and sampled, and begin to store it.

        Where the training text and it are the sides of a hold-out, and neither is there, one reading counts
        both, the training text by its own pretokenizer.

        Raises:
            NotCounted: see `count_together`.
        """
        missing = self._missing(corpus, [pretokenizer], by_group=True)
        if not missing:
            return
        sides = [self._asked(corpus, missing, by_group=True, sampled=True)]
        if training is not None and training[1] is not None and corpus.is_beside(training[0]):
            missing = self._missing(training[0], [training[1]], by_group=False)
            sides += [self._asked(training[0], missing, by_group=False)] if missing else []
        self._count(sides)
        self.storing.begin()

    def _missing(
        self, corpus: Corpus, pretokenizers: Sequence[Pretokenizer], by_group: bool
    ) -> dict[Pretokenizer, dict[str, Any]]:
        """Hold what is there; return the keys in the store of what is not."""
        missing: dict[Pretokenizer, dict[str, Any]] = {}
        for pretokenizer in pretokenizers:
            key = corpus.fingerprint, pretokenizer.key, by_group
            if key in self._held:
                continue
            if isinstance(corpus, CountedText):
                what = f"{corpus.name}, {pretokenizer.name}"
                with self.meter.step("read counts", what, corpus.n_pieces, "pieces") as advance:
                    table = corpus.table(pretokenizer, by_group, advance)
                reading = Reading.of(corpus, table.groups, table.totals, by_group)
                self._held[key] = CountedCorpus(table, reading)
                continue
            cell = cell_of(corpus, pretokenizer, by_group)
            counted = self.store.read("pieces", cell, CountedCorpus.load)
            if counted is None:
                if not (by_group and self._known_whole(corpus)):
                    missing[pretokenizer] = cell
                continue
            self.meter.reused("count", f"{corpus.name}, {pretokenizer.name}")
            self._held[key] = counted
        return missing

    def _count(self, sides: Sequence[_Asked]) -> None:
        """Count a text, or both sides of a hold-out, in one reading, and keep what comes of it."""
        cuts = [*dict.fromkeys(cut for side in sides for cut in side.cells)]
        for pretokenizer in cuts:
            if pretokenizer.compile() is None and pretokenizer.key not in self._slow:
                self._slow.add(pretokenizer.key)
                self.meter.remark(
                    f"the pattern of {pretokenizer.name} does not compile to tables; the regex library "
                    "cuts instead: slower, same result."
                )
        corpora = " and ".join(side.corpus.name for side in sides)
        what = f"{corpora}, {', '.join(dict.fromkeys(cut.name for cut in cuts))}"
        first = sides[0].corpus
        with self.meter.step("count", what, first.size, first.unit) as progress:
            read: Iterable[pa.RecordBatch] | None = None
            if len(sides) == 1 and sides[0].sample is not None:
                if (read := self._see(sides[0], sides[0].sample, progress)) is None:
                    return
                sides = [sides[0].afresh()]
            tables = count_sides(
                [Counted(side.corpus, [*side.cells], side.by_group, side.beside) for side in sides],
                jobs=self.jobs,
                progress=progress,
                memory=self.memory,
                read=read,
            )
            readings = [
                Reading.of(side.corpus, of_side[0].groups, of_side[0].totals, side.by_group)
                for side, of_side in zip(sides, tables, strict=True)
            ]
        for side, of_side, reading in zip(sides, tables, readings, strict=True):
            corpus = side.corpus
            for (pretokenizer, cell), table in zip(side.cells.items(), of_side, strict=True):
                counted = CountedCorpus(table, reading)
                self._held[corpus.fingerprint, pretokenizer.key, side.by_group] = counted
                self.storing.add(partial(self._store, pretokenizer, cell, counted))
            self._keep_beside(side)
            if side.sample is not None:
                self._samples[corpus.fingerprint] = side.sample.finish()
                self.storing.add(partial(self._store_sample, corpus))

    def _see(
        self, side: _Asked, sample: Sample, progress: Progress
    ) -> Iterable[pa.RecordBatch] | None:
        """Read a text, and keep what there is to count in the sample if that has all of it.

        Else return the batches that are to be counted; some were read and seen.
        """
        most = AT_ONCE if self.memory is None else min(AT_ONCE, self.memory // 4)
        batches, seen = side.corpus.batches(progress), SeenText()
        seen.see(batches, side.beside, sample, most, self.jobs)
        if not seen.may_be_whole:
            return itertools.chain(seen.batches, batches)
        documents = sample.finish()
        if not seen.is_in(documents):
            return seen.batches
        corpus = side.corpus
        groups, _, totals, aligned = seen.totals.in_order()
        check_groups(corpus.name, groups)
        whole = WholeText(totals, aligned, Reading.of(corpus, groups, totals, by_group=True))
        self._whole_texts[corpus.fingerprint] = whole
        self.store.write("whole", {"corpus": corpus.fingerprint}, whole.save)
        self._keep_beside(side)
        self._samples[corpus.fingerprint] = documents
        self.storing.add(partial(self._store_sample, corpus))
        seen.batches.clear()
        give_back_memory()
        return None

    def _known_whole(self, corpus: Corpus) -> WholeText | None:
        """Return what is known of a text if the sample, which is known too, has all of it."""
        fingerprint = corpus.fingerprint
        if fingerprint not in self._whole_texts and self._known_sample(corpus) is not None:
            whole = self.store.read("whole", {"corpus": fingerprint}, WholeText.load)
            if whole is not None:
                self._whole_texts[fingerprint] = whole
        return self._whole_texts.get(fingerprint)

    def _store(
        self, pretokenizer: Pretokenizer, cell: Mapping[str, Any], counted: CountedCorpus
    ) -> None:
        # Whole documents would be a copy of the corpus, and to read it again is no slower.
        if pretokenizer.key != PATTERNS["none"]:
            self.store.write("pieces", cell, counted.save)

    def _keep_beside(self, side: _Asked) -> None:
        """Keep what a reading found beside pieces and sample."""
        corpus = side.corpus
        if side.lines is not None:
            self._keep_lines(corpus, side.lines)
        if side.sought is not None:
            self._keep_sought(corpus, side.sought)
        if corpus.fingerprint not in self._groups and corpus.groups is not None:
            self._groups[corpus.fingerprint] = self._keep_groups(corpus)

    def _asked(
        self,
        corpus: Corpus,
        cells: Mapping[Pretokenizer, dict[str, Any]],
        by_group: bool,
        sampled: bool = False,
    ) -> _Asked:
        return _Asked(
            corpus,
            cells,
            by_group,
            None if self._known_lines(corpus) else Lines(),
            AnyOf(self.sought) if by_group and self._known_sought(corpus) is None else None,
            Sample() if sampled and self._known_sample(corpus) is None else None,
        )

    def holds_sought(self, corpus: Corpus) -> bool:
        """Return whether the text holds any of the strings `sought`; it is read where no pass has told.

        False for a text that is not at hand: nothing is downloaded for this.
        """
        if not corpus.is_at_hand:
            return False
        found = self._known_sought(corpus)
        if found is None:
            seen = AnyOf(self.sought)
            with self.meter.step(
                "look for special tokens", corpus.name, corpus.size, corpus.unit
            ) as on:
                for batch in corpus.batches(on):
                    seen.see(batch)
            self._keep_sought(corpus, seen)
            found = seen.found
        return found

    def _known_sought(self, corpus: Corpus) -> bool | None:
        """Return whether the text holds any string sought, None where that is not known yet."""
        if not self.sought:
            return False
        held = corpus.fingerprint, self.sought
        if held not in self._found:
            found = self.store.read("sought", self._sought_key(corpus), _load_found)
            if found is None:
                return None
            self._found[held] = found
        return self._found[held]

    def _keep_sought(self, corpus: Corpus, seen: AnyOf) -> None:
        def save(folder: Path) -> None:
            write_arrays(folder, {}, found=seen.found)

        self._found[corpus.fingerprint, self.sought] = seen.found
        self.store.write("sought", self._sought_key(corpus), save)

    def _sought_key(self, corpus: Corpus) -> dict[str, Any]:
        return {"corpus": corpus.fingerprint, "strings": sorted(set(self.sought))}

    def sample(self, corpus: Corpus) -> SampledDocuments:
        """Return the documents that intervals rest on; the text is read unless it was counted `sampled`."""
        known = self._known_sample(corpus)
        if known is None:
            sample = Sample()
            what = f"{corpus.name}, documents"
            with self.meter.step("sample", what, corpus.size, corpus.unit) as progress:
                for batch in corpus.batches(progress):
                    sample.see(batch)
            known = self._samples[corpus.fingerprint] = sample.finish()
            self._store_sample(corpus)
        return known

    def document_pieces(self, corpus: Corpus, pretokenizer: Pretokenizer) -> DocumentPieces:
        """Return the sampled documents as pieces, held until `drop`."""
        key = corpus.fingerprint, pretokenizer.key
        if key not in self._document_pieces:
            self.count_together(corpus, [pretokenizer])
            cut = CutDocuments.of(self.sample(corpus), pretokenizer)
            if counted := self._held.get((*key, True)):
                places = cut.places(counted.table)
            else:
                whole = self._whole_texts[corpus.fingerprint]
                counted = CountedCorpus(cut.table(whole.totals, whole.aligned), whole.reading)
                cell = cell_of(corpus, pretokenizer, by_group=True)
                self._held[*key, True] = counted
                self._store(pretokenizer, cell, counted)
                places = np.arange(len(counted.table))
            self._document_pieces[key] = DocumentPieces.of(
                cut, places, counted.totals[1], self.jobs
            )
        return self._document_pieces[key]

    def spelled_units(self, corpus: Corpus, pretokenizer: Pretokenizer) -> SpelledUnits:
        """Return the units whose pieces tokenizers spell out, held until `drop`."""
        key = corpus.fingerprint, pretokenizer.key
        if key not in self._spelled:
            pieces = self.document_pieces(corpus, pretokenizer)
            self._spelled[key] = SpelledUnits.of(pieces, self.units(corpus))
        return self._spelled[key]

    def ngram_texts(self, corpus: Corpus, learn: Corpus | None) -> NgramTexts:
        """Return what n-gram models learn from and what of a text they price.

        Args:
            learn: the text to learn from; None, or the same one: what is not priced of `corpus`. Of texts
                that are counted the sampled documents alone are at hand.
        """
        if isinstance(learn, CountedText):
            learn = None
        is_other = learn is not None and learn.fingerprint != corpus.fingerprint
        other = learn.fingerprint if learn is not None and is_other else None
        if (corpus.fingerprint, other) not in self._ngram_texts:
            cell = {"corpus": corpus.fingerprint, "learn": other, "bytes": [LEARNED, PRICED]}
            texts = self.store.read("ngrams", cell, NgramTexts.load)
            if texts is None:
                text, sample = learn or corpus, self.sample(corpus)
                with self.meter.step("choose", text.name, text.size, text.unit) as progress:
                    known = None if isinstance(text, CountedText) else text
                    texts = NgramTexts.of(sample, known, is_other, progress)
                self.store.write("ngrams", cell, texts.save)
            self.meter.remark(f"{corpus.name}: {texts.told(self.sample(corpus))}.")
            self._ngram_texts[corpus.fingerprint, other] = texts
        return self._ngram_texts[corpus.fingerprint, other]

    def units(self, corpus: Corpus) -> Units:
        """Return the sampled documents by unit."""
        if corpus.fingerprint not in self._units:
            self._units[corpus.fingerprint] = Units.of(self.sample(corpus))
        return self._units[corpus.fingerprint]

    def _known_sample(self, corpus: Corpus) -> SampledDocuments | None:
        fingerprint = corpus.fingerprint
        if fingerprint not in self._samples:
            if isinstance(corpus, CountedText):
                self._samples[fingerprint] = corpus.sample()
                return self._samples[fingerprint]
            key = {"corpus": fingerprint}
            sample = self.store.read("documents", key, SampledDocuments.load)
            if sample is None:
                return None
            self._samples[fingerprint] = sample
        return self._samples[fingerprint]

    def _store_sample(self, corpus: Corpus) -> None:
        sample = self._samples[corpus.fingerprint]
        self.store.write("documents", {"corpus": corpus.fingerprint}, sample.save)

    def lines(self, corpus: Corpus) -> Lines | None:
        """Return the lines of a text, which is read for it unless it was counted before.

        None for one that was not and is not at hand: nothing is downloaded for this.
        """
        lines = self._known_lines(corpus)
        if lines is None and corpus.is_at_hand:
            lines = Lines()
            what = f"{corpus.name}, lines"
            with self.meter.step("fingerprint", what, corpus.size, corpus.unit) as progress:
                for batch in corpus.batches(progress):
                    lines.see(batch)
            self._keep_lines(corpus, lines)
        return lines

    def _known_lines(self, corpus: Corpus) -> Lines | None:
        fingerprint = corpus.fingerprint
        if fingerprint not in self._lines:
            lines = self.store.read("lines", {"corpus": fingerprint}, Lines.load)
            if lines is None:
                return None
            self._lines[fingerprint] = lines
        return self._lines[fingerprint]

    def _keep_lines(self, corpus: Corpus, lines: Lines) -> None:
        self._lines[corpus.fingerprint] = lines
        self.store.write("lines", {"corpus": corpus.fingerprint}, lines.save)

    def groups_of(self, corpus: Corpus) -> tuple[str, ...]:
        """Return the groups of a corpus in alphabetical order; reads it where no pass has found them."""
        key = {"corpus": corpus.fingerprint}
        groups = self._groups.get(corpus.fingerprint) or self.store.read(
            "groups", key, _load_groups
        )
        if groups is None:
            if corpus.groups is None:
                with self.meter.step("groups", corpus.name, corpus.size, corpus.unit) as progress:
                    for _ in corpus.batches(progress):
                        pass
            groups = self._keep_groups(corpus)
        self._groups[corpus.fingerprint] = groups
        return groups

    def _keep_groups(self, corpus: Corpus) -> tuple[str, ...]:
        """Keep what the latest pass found."""
        groups = corpus.groups or ()
        key = {"corpus": corpus.fingerprint}
        self.store.write("groups", key, lambda folder: write_arrays(folder, {}, groups=groups))
        return groups

    def drop(self, corpus: Corpus, pretokenizer: Pretokenizer) -> None:
        """Hold the pieces no longer; the store keeps them."""
        self._held.pop((corpus.fingerprint, pretokenizer.key, True), None)
        self._document_pieces.pop((corpus.fingerprint, pretokenizer.key), None)
        self._spelled.pop((corpus.fingerprint, pretokenizer.key), None)


def _load_found(folder: Path) -> bool:
    return bool(read_arrays(folder)[1]["found"])


def _load_groups(folder: Path) -> tuple[str, ...]:
    return tuple(read_arrays(folder)[1]["groups"])
