"""Corpus: documents with a group and, where the text is parallel, an alignment id."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from toktk.arrow import pa
from toktk.corpus.batch import group_names, slices
from toktk.corpus.blocks import FEW
from toktk.corpus.folds import Folded, Resampled
from toktk.corpus.limit import Limit
from toktk.corpus.memory import Texts
from toktk.corpus.mixture import Balanced, Named, Shares, Times
from toktk.corpus.options import Progress, Source
from toktk.corpus.split import Sides, Split, Strand
from toktk.corpus.utf8 import whole_name
from toktk.errors import CorpusError
from toktk.runtime import in_threads
from toktk.visible import listed, without_surrogates

HELD_OUT = 0.1
"""The share of each group's bytes that is held out for evaluation, unless another is asked for."""

_SOURCES_TOLD = 1000


_WHOLE: dict[type, str] = {
    Split: "a side of a hold-out",
    Limit: "a limit",
    Times: "shares of a mixture",
    Balanced: "a temperature",
}
"""What makes a choice depend on the whole text, in words."""

Selection = Split | Limit | Named | Times | Balanced | Folded | Resampled
"""A choice of documents; ``str()`` says which, and enters the fingerprint."""


class Corpus:
    """Documents from one or more parts, in order; iterable as often as needed.

    `name` is what tables and charts call it; `options` are reader options that `describe` reports,
    `remarks` what is known of it before it is read; `recipe` is from what it can be made again, see
    `toktk.corpus.held_out`. `groups` are those of the latest pass, in alphabetical order; None before one
    has come to its end.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[Source | Corpus],
        selection: Selection | None = None,
        options: dict[str, Any] | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        self.name = whole_name(name)
        self._parts = tuple(parts)
        self._selection = selection
        self._options = options or {}
        self._remarks = tuple(remarks)
        self.recipe: dict[str, Any] = {}
        self._may_be_empty = False
        self.groups: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        texts: Iterable[str | None],
        groups: str | Iterable[str | float | None] | None = None,
        align: Iterable[str | float | None] | None = None,
        weights: Iterable[int] | None = None,
        name: str = "texts",
    ) -> Corpus:
        """Return a corpus of documents at hand: ``Corpus.of(["ja", "yes"], groups=["de", "en"])``.

        Each argument but `name` may also be Arrow data, or a column of pandas or polars.

        Args:
            texts: the documents; None is skipped.
            groups: the group of all documents, or of each; `name`, unless given.
            align: the alignment id of each document, for parallel text; None means not aligned.
            weights: how often each document counts; once, unless given.
            name: what tables and charts call the corpus.
        """
        return cls(name, [Texts(texts, groups, align, weights, name)])

    def __repr__(self) -> str:
        size = "unknown size" if self.size is None else f"{self.size:,} {self.unit}"
        return f"Corpus({self.name!r}, {size})"

    @property
    def size(self) -> int | None:
        """Total in the unit that `progress` is called with; None if unknown.

        The size of the *source*: a split or a limit reads through the same bytes as the whole.
        """
        if len({part.unit for part in self._parts}) > 1:
            return None
        sizes = [part.size for part in self._parts if part.size is not None]
        return sum(sizes) if len(sizes) == len(self._parts) else None

    @property
    def unit(self) -> str:
        """The unit of `size`: "bytes" of source, or "rows" of a hub dataset."""
        return self._parts[0].unit if self._parts else "bytes"

    @property
    def selections(self) -> list[Any]:
        """What was chosen of it, in words, behind that the same of each corpus that it is made of.

        Of a hold-out, a mixture and a temperature the words depend on the text, which is read for them.
        """
        own = [] if self._selection is None else [str(self._selection)]
        return own + [part.selections for part in self._parts if isinstance(part, Corpus)]

    @property
    def is_at_hand(self) -> bool:
        """Whether it can be read once more without a download: all of it is on this machine."""
        return all(source.is_at_hand for source in self.sources)

    @property
    def replaced(self) -> int:
        """Invalid sequences that the latest pass replaced by U+FFFD (``errors="replace"``)."""
        return sum(part.replaced for part in self._parts)

    @property
    def null_rows(self) -> int:
        """Rows whose text is null, skipped in the latest pass."""
        return sum(part.null_rows for part in self._parts)

    @property
    def sources(self) -> list[Source]:
        """The files, datasets and texts at hand that it is read from."""
        parts = [part.sources if isinstance(part, Corpus) else [part] for part in self._parts]
        return [source for of_part in parts for source in of_part]

    @property
    def remarks(self) -> list[str]:
        """What whoever reads figures of it should know: files that were not read, odd contents."""
        remarks = [*self._remarks]
        if isinstance(self._selection, (Times, Balanced)):
            remarks.append(f"{self.name}: {self._selection}.")
        if isinstance(self._selection, Split):
            remarks += self._split_remarks(self._selection.sides)
        return remarks + [remark for part in self._parts for remark in part.remarks]

    def _split_remarks(self, sides: Sides) -> list[str]:
        """Say what a reader of figures of the sides should know; the same of both."""
        text = self._parts[0].name if isinstance(self._parts[0], Corpus) else self.name
        survey = sides.survey
        remarks = []
        if survey.cut:
            remarks.append(
                f"{text}: {listed(sorted(survey.cut))}, fewer than {FEW} documents: the long ones are cut "
                "at line ends, and blocks of about 2 kB are held out."
            )
        for names, side in ((survey.train_only, "training"), (survey.test_only, "measured")):
            if names:
                remarks.append(
                    f"{text}: only on the {side} side, for want of documents: {listed(names)}."
                )
        return remarks

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256, in hex, of contents, group names and options, not paths: see `hash_contents`."""
        if len(self._parts) == 1 and self._selection is None:
            return self._parts[0].fingerprint
        digest = hashlib.sha256()
        for part in self._parts:
            digest.update(part.fingerprint.encode())
        digest.update(str(self._selection or "").encode())
        return digest.hexdigest()

    @property
    def one_group(self) -> bool:
        """Whether every document is known to be in one group, before any is read."""
        return isinstance(self._selection, Named)

    def _strands(self, progress: Progress | None = None) -> Iterator[Strand]:
        if self._selection is not None:
            yield Strand(self.batches(progress), self.one_group)
            return
        for part in self._parts:
            if isinstance(part, Corpus):
                yield from part._strands(progress)
            else:
                yield Strand(part.batches(progress or (lambda _: None)), part.one_group)

    @property
    def _endless(self) -> bool:
        """Whether it is a stream that would have to be read whole to know its groups."""
        return any(
            source.unit == "rows" and source.size is None and not source.one_group
            for source in self.sources
        )

    def hash_contents(self) -> str:
        """Return the `fingerprint`; the first call does what `hash_files` and `look_over` do."""
        self.hash_files()
        self.look_over()
        return self.fingerprint

    def hash_files(self, progress: Progress | None = None, jobs: int = 1) -> None:
        """Read every file once, by `jobs` threads, any of which calls `progress`, as `batches` does."""
        each = [(source, progress or (lambda _: None)) for source in self.sources]
        in_threads(lambda source, advance: source.hash(advance), each, jobs)

    @property
    def undecided(self) -> list[Corpus]:
        """Those of its parts, and itself, that are a side of a hold-out or a sample not looked over yet."""
        undecided = [c for part in self._parts if isinstance(part, Corpus) for c in part.undecided]
        if isinstance(self._selection, Limit | Split) and not self._selection.is_decided:
            undecided.append(self)
        return undecided

    def look_over(self, progress: Progress | None = None) -> None:
        """Read what decides on a hold-out or a sample, once.

        `progress` is called with the `size` of each that is `undecided` in all, whether or not all of it
        has to be read.
        """
        for corpus in self.undecided:
            left = corpus.size

            def count(consumed: int) -> None:
                nonlocal left
                if left is not None:
                    consumed = min(consumed, left)
                    left -= consumed
                if progress is not None and consumed:
                    progress(consumed)

            if isinstance(corpus._selection, Limit | Split):
                corpus._selection.decide(count)
            count(left or 0)

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Yield record batches with the columns text, group, align, weight.

        text: large_string, never null; group: dictionary<int32, string>, with a dictionary of its
        own in each batch; align: string, null where the text is not parallel; weight: int64, how
        often the document counts. A batch holds at most 16 MiB of text, or one longer document. An
        array may be a slice (``offset > 0``): see `toktk.corpus.spans`.

        Args:
            progress: called with the source bytes (of the hub: rows) consumed since the last call.

        Raises:
            CorpusError: a file cannot be read, or there is no document at all.
        """
        for (batch,) in self._chosen([self], progress):
            if batch is not None:
                yield batch

    def is_beside(self, other: Corpus) -> bool:
        """Return whether the two are the sides of one hold-out."""
        own, its = self._selection, other._selection
        if not (isinstance(own, Split) and isinstance(its, Split)):
            return False
        return own.sides is its.sides and own.side != its.side

    def batches_beside(
        self, other: Corpus, progress: Progress | None = None
    ) -> Iterator[tuple[pa.RecordBatch | None, ...]]:
        """Yield batches of both sides of a hold-out from one reading: of this one, and of the other.

        Each side has the batches that `batches` yields, None in the place of one without documents.

        Raises:
            CorpusError: as `batches`.
        """
        return self._chosen([self, other], progress)

    def _chosen(
        self, sides: Sequence[Corpus], progress: Progress | None
    ) -> Iterator[tuple[pa.RecordBatch | None, ...]]:
        """Yield what each of `sides` chooses of every batch of this one's parts, which are theirs too."""
        done = 0
        documents = [0 for _ in sides]
        groups: list[set[str]] = [set() for _ in sides]

        def count(consumed: int) -> None:
            nonlocal done
            done += consumed
            if progress is not None and consumed > 0:
                progress(consumed)

        select = self._selection.start(self._all) if self._selection else None
        both = self._selection.both if isinstance(self._selection, Split) else None
        batches = self._all(count)
        if isinstance(self._selection, Split) and self._selection.sides.survey.cut:
            cut = self._selection.sides.in_blocks
            batches = (part for batch in batches for part in slices(cut(batch)))
        for batch in batches:
            parts: tuple[pa.RecordBatch, ...]
            if both is not None and len(sides) > 1:
                parts = both(batch)
            else:
                parts = (batch if select is None else select(batch),)
            for i, part in enumerate(parts):
                if part.num_rows:
                    documents[i] += part.num_rows
                    groups[i].update(group_names(part))
            yield tuple(part if part.num_rows else None for part in parts)
        for side, names in zip(sides, groups, strict=True):
            side.groups = tuple(sorted(names))
        if self.size is not None:
            count(self.size - done)
        for side, n in zip(sides, documents, strict=True):
            if not n and not side._may_be_empty:
                raise CorpusError(
                    f"no documents in {side.name}.",
                    f"Found: {side.size or 0} {side.unit} of source, "
                    f"{side.null_rows} rows without text, selection: {side._selection or 'all'}.",
                    "Give more text, or another text column; where a sweep holds text out, also --eval.",
                )

    def _all(self, progress: Progress = lambda _: None) -> Iterator[pa.RecordBatch]:
        for part in self._parts:
            yield from part.batches(progress)

    @property
    def _splits(self) -> int:
        nested = (part._splits for part in self._parts if isinstance(part, Corpus))
        return max(nested, default=0) + isinstance(self._selection, Split)

    def split(self, test: float = HELD_OUT) -> tuple[Corpus, Corpus]:
        """Return ``(train, test)``: two corpora, disjoint and complete, whatever the order.

        A hash of the document's text decides its side, so equal texts fall on the same side. For
        parallel text a hash of the alignment id does, so all translations of a line stay together.
        In a group of fewer than 10,000 documents whose held-out bytes would be far from the share, those
        of smallest hash are held out until they are near it; of fewer than 20 documents, the long ones
        are cut into blocks first: see `toktk.corpus.split` and `toktk.corpus.blocks`. A side that
        turns out empty says so when it is iterated.

        Args:
            test: the share of the bytes of each group that is to be on the test side, between 0 and 1.
        """
        if not 0 < test < 1:
            raise CorpusError(
                f"cannot split {self.name}: the test share must lie between 0 and 1.",
                f"Found: {test}.",
            )
        # A second split must not ask the first one's question: its test side would be empty.
        sides = Sides(None if self._endless else self._strands, test, self._splits + 1)
        train, held_out = (
            Corpus(f"{self.name} ({side})", [self], Split(sides, side))
            for side in ("train", "test")
        )
        return train, held_out

    def limit(self, documents: int, seed: int = 0) -> Corpus:
        """Return at most `documents` documents, a pseudo-random sample with as many of each group.

        What a small group lacks is taken from the larger ones. Of parallel text, which is taken as one
        group, `documents` counts aligned lines, each kept in every language. The sample depends on the
        texts and the seed, not on their order; drawing it reads the corpus twice.
        """
        if documents < 1:
            raise CorpusError(
                f"cannot limit {self.name} to {documents} documents.", "Give 1 or more."
            )
        return Corpus(self.name, [self], Limit(self.batches, documents, seed))

    def balanced(self, temperature: float) -> Corpus:
        """Return the corpus with the share of each group raised to the power of 1 / `temperature`.

        At 1 all stays as it is, at infinity every group has the same share. Documents count more often:
        see `toktk.corpus.mixture`. The text is read once more.
        """
        if not temperature > 0:
            raise CorpusError(
                f"cannot balance the groups of {self.name} at the temperature {temperature}.",
                "Give one above 0: 1 changes nothing, 3.3 is common, inf makes all groups equal.",
            )
        balanced = Corpus(self.name, [self], Balanced(self.batches, temperature))
        if self.recipe:  # as text: JSON has no infinity
            balanced.recipe = {**self.recipe, "temperature": repr(float(temperature))}
        return balanced

    def in_folds(self, n: int) -> Corpus:
        """Return the corpus with `n` folds as its groups, by document hash: see `toktk.corpus.folds`."""
        return Corpus(self.name, [self], Folded(n))

    def resampled(self, multiplicities: Sequence[int]) -> Corpus:
        """Return the documents of each fold as often as `multiplicities` says, one number a fold."""
        return Corpus(self.name, [self], Resampled(tuple(multiplicities)))

    def share(self, of_source: Callable[[Source], Source | None]) -> Corpus:
        """Return the corpus of what `of_source` leaves of each source; it may have no document at all.

        Raises:
            CorpusError: which documents it has, or how often they count, depends on the whole text.
        """
        why = "a share already" if self._may_be_empty else _WHOLE.get(type(self._selection))
        if why is not None:
            raise CorpusError(
                f"cannot share {self.name} out among ranks.",
                f"Found: {why}; which documents it has is known of the whole text alone.",
                "Share out the text itself, without it.",
            )
        parts = [
            part.share(of_source) if isinstance(part, Corpus) else of_source(part)
            for part in self._parts
        ]
        shares = [part for part in parts if part is not None]
        shared = Corpus(self.name, shares, self._selection, self._options, self._remarks)
        shared._may_be_empty = True
        return shared

    def sources_told(self) -> list[dict[str, str]]:
        """Return names and fingerprints of the first sources, by which it is told what has changed."""
        return [
            {
                "name": without_surrogates(PurePath(source.where).name),
                "fingerprint": source.fingerprint[:16],
            }
            for source in self.sources[:_SOURCES_TOLD]
        ]

    def describe(self) -> dict[str, Any]:
        """Return name, fingerprint, sizes and options, JSON-able, for run.json.

        `replaced` and `null_rows` count the latest pass, so call this after reading.
        """
        keys = ("name", "fingerprint", "size", "unit", "replaced", "null_rows")
        described = {key: getattr(self, key) for key in keys}
        if self._options:
            described["options"] = self._options
        if self._selection is not None:
            described["selection"] = str(self._selection)
        own = list(self._remarks)
        if isinstance(self._selection, Split):
            own += self._split_remarks(self._selection.sides)
        if own:
            described["remarks"] = own
        if self.recipe:
            described["recipe"] = {**self.recipe, "sources": self.sources_told()}
        shown = 100
        described["parts"] = [part.describe() for part in self._parts[:shown]]
        for part in described["parts"]:
            part.pop("recipe", None)  # that of the whole is enough
        if len(self._parts) > shown:
            described["further_parts"] = len(self._parts) - shown
        return described


def mixed(corpora: Sequence[Corpus], shares: Sequence[float]) -> list[Corpus]:
    """Return the corpora weighted so that the bytes of each are in proportion to its share."""
    whole = Shares(tuple(corpus.batches for corpus in corpora), tuple(shares))
    return [Corpus(corpus.name, [corpus], Times(whole, i)) for i, corpus in enumerate(corpora)]


def concat(corpora: Sequence[Corpus], name: str) -> Corpus:
    """Return one corpus with the documents of all, in order; groups of equal name become one."""
    if not corpora:
        raise CorpusError(f"cannot build {name}: no corpus given.")
    return Corpus(name, corpora)
