"""Corpus: documents with a group and, where the text is parallel, an alignment id."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, TEXT, slices, spans
from toktk.corpus.blocks import FEW, in_blocks, long_documents
from toktk.corpus.memory import Texts
from toktk.corpus.mixture import Balanced, Named, Shares, Times
from toktk.corpus.options import Progress, Source
from toktk.corpus.utf8 import whole_name
from toktk.errors import CorpusError

HELD_OUT = 0.1
"""The share of documents that is held out for evaluation, unless another is asked for."""

_SOURCES_TOLD = 1000

Pass = Callable[[], "Iterator[pa.RecordBatch]"]
Select = Callable[["pa.RecordBatch"], "pa.RecordBatch | None"]
"""Keeps some of each batch of one pass; returns None once nothing can follow."""


def units(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(keys, aligned)``: each row's uint64 key, and whether it has an alignment id.

    The key is a hash of the alignment id, else of the text: rows with equal keys belong together.
    """
    from toktk.kernels.hash import hash_spans

    align = batch.column(ALIGN)
    aligned = arrow.is_valid(align)
    if not aligned.any():
        return hash_spans(*spans(batch.column(TEXT))), aligned
    keys = hash_spans(*spans(align.fill_null("").cast(pa.large_string())))
    if not aligned.all():
        keys = np.where(aligned, keys, hash_spans(*spans(batch.column(TEXT))))
    return keys, aligned


def _filter(batch: pa.RecordBatch, keep: np.ndarray) -> pa.RecordBatch:
    return batch if keep.all() else batch.filter(arrow.from_numpy(keep))


@dataclass(frozen=True)
class Split:
    """The train or the test side of a split by hash; `salt` tells nested splits apart."""

    test: float
    side: str
    salt: int = 1

    def __str__(self) -> str:
        nested = "" if self.salt == 1 else f", level {self.salt}"
        return f"{self.side} side of a {self.test:g} split{nested}"

    def start(self, read: Pass) -> Select:
        """Begin a pass."""
        from toktk.kernels.hash import mix

        threshold = np.uint64(min(int(self.test * 2.0**64), 2**64 - 1))

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            test = mix(units(batch)[0], self.salt) < threshold
            return _filter(batch, test if self.side == "test" else ~test)

        return select


@dataclass(frozen=True)
class Limit:
    """At most `documents` units: the first, or with a seed those of smallest seeded hash.

    A unit is an alignment id, with all its rows, or a row that has none.
    """

    documents: int
    seed: int | None = None

    def __str__(self) -> str:
        if self.seed is None:
            return f"the first {self.documents}"
        return f"a sample of {self.documents}, seed {self.seed}"

    def start(self, read: Pass) -> Select:
        """Begin a pass; a sample first reads all documents once, to find the threshold."""
        return self._first() if self.seed is None else self._sample(read, self.seed)

    def _first(self) -> Select:
        taken = np.empty(0, np.uint64)  # the hashes of alignment ids
        left = self.documents

        def select(batch: pa.RecordBatch) -> pa.RecordBatch | None:
            nonlocal taken, left
            if left == 0 and not taken.size:
                return None
            keys, aligned = units(batch)
            # A unit is new at a row without id, and at the first row of an id not seen before.
            new = ~aligned
            rows = np.flatnonzero(aligned)
            rows = rows[~np.isin(keys[rows], taken)]
            _, first = np.unique(keys[rows], return_index=True)
            new[rows[first]] = True
            new &= np.cumsum(new) <= left
            left -= int(new.sum())
            taken = np.union1d(taken, keys[new & aligned])
            return _filter(batch, np.where(aligned, np.isin(keys, taken), new))

        return select

    def _sample(self, read: Pass, seed: int) -> Select:
        from toktk.kernels.hash import mix

        # Salts of splits are small and positive: keep clear of them, or a split of a sample
        # would ask which documents have a small hash of those that have.
        salt = (seed << 32) + (1 << 31)
        ids = np.empty(0, np.uint64)  # the smallest hashes so far, of alignment ids and of rows
        rows = np.empty(0, np.uint64)
        for batch in read():
            keys, aligned = units(batch)
            hashes = mix(keys, salt)
            ids = np.union1d(ids, hashes[aligned])[: self.documents]
            rows = np.sort(np.concatenate([rows, hashes[~aligned]]))[: self.documents]
        chosen = np.sort(np.concatenate([ids, rows]))[: self.documents]
        if chosen.size < self.documents:
            return lambda batch: batch
        threshold = chosen[-1]
        # Equal texts have equal hashes: at the threshold, only as many rows as still fit.
        ties = int((chosen == threshold).sum()) - int((ids == threshold).sum())

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            nonlocal ties
            keys, aligned = units(batch)
            hashes = mix(keys, salt)
            at = (hashes == threshold) & ~aligned
            at &= np.cumsum(at) <= ties
            ties -= int(at.sum())
            return _filter(batch, (hashes < threshold) | at | (aligned & (hashes == threshold)))

        return select


Selection = Split | Limit | Named | Times | Balanced
"""A choice of documents; ``str()`` says which, and enters the fingerprint."""


class Corpus:
    """Documents from one or more parts, in order; iterable as often as needed.

    `name` is what tables and charts call it; `options` are reader options that `describe` reports,
    `remarks` what is known of it before it is read; `recipe` is from what it can be made again, see
    `toktk.corpus.held_out`.
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
        if self.by_blocks:
            names = ", ".join(part.name for part in self._parts if isinstance(part, Corpus))
            remarks.append(
                f"{names} has fewer than {FEW} documents: the long ones are cut at line ends, "
                "and blocks of about 2 kB are held out."
            )
        return remarks + [remark for part in self._parts for remark in part.remarks]

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256, in hex, of contents, group names and options, not paths: see `hash_contents`."""
        if len(self._parts) == 1 and self._selection is None:
            return self._parts[0].fingerprint
        digest = hashlib.sha256()
        for part in self._parts:
            digest.update(part.fingerprint.encode())
        digest.update(self._selected.encode())
        return digest.hexdigest()

    @property
    def _selected(self) -> str:
        return f"{self._selection or ''}{', by blocks' if self.by_blocks else ''}"

    @property
    def by_blocks(self) -> bool:
        """Whether this is a side of a corpus of few documents, whose long ones are cut: see `in_blocks`."""
        if not isinstance(self._selection, Split):
            return False
        return any(part._few_long_documents for part in self._parts if isinstance(part, Corpus))

    @functools.cached_property
    def _few_long_documents(self) -> bool:
        if self.unit == "rows":
            return False  # a dataset of the hub has many, and is not opened for this
        documents, some_long = 0, False
        for batch in self.batches():
            documents += batch.num_rows
            if documents >= FEW:
                return False
            some_long |= bool(long_documents(batch).any())
        return some_long

    def hash_contents(self) -> str:
        """Return the `fingerprint`; the first call reads every file once."""
        return self.fingerprint

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Yield record batches with the columns text, group, align, weight.

        text: large_string, never null; group: dictionary<int32, string>, with a dictionary of its
        own in each batch; align: string, null where the text is not parallel; weight: int64, how
        often the document counts. A batch holds at most 16 MiB of text, or one longer document. An
        array may be a slice (``offset > 0``): see `toktk.corpus.spans`.

        Args:
            progress: called with the source bytes (hub: rows) consumed since the last call.

        Raises:
            CorpusError: a file cannot be read, or there is no document at all.
        """
        documents = done = 0

        def count(consumed: int) -> None:
            nonlocal done
            done += consumed
            if progress is not None and consumed > 0:
                progress(consumed)

        select = self._selection.start(self._all) if self._selection else None
        batches = self._all(count)
        if self.by_blocks:
            batches = (part for batch in batches for part in slices(in_blocks(batch)))
        for batch in batches:
            selected = batch if select is None else select(batch)
            if selected is None:
                break
            if selected.num_rows:
                documents += selected.num_rows
                yield selected
        # A limit stops early; to whoever watches, the rest is consumed too.
        if self.size is not None:
            count(self.size - done)
        if not documents:
            raise CorpusError(
                f"no documents in {self.name}.",
                f"Found: {self.size or 0} {self.unit} of source, "
                f"{self.null_rows} rows without text, selection: {self._selection or 'all'}.",
                "Give more text, another text column, or text to measure on with --eval.",
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
        Of fewer than 20 documents, the long ones are cut into blocks first, which a hash decides on:
        see `toktk.corpus.blocks`. A side that turns out empty says so when it is iterated.

        Args:
            test: the share of documents expected on the test side, between 0 and 1.
        """
        if not 0 < test < 1:
            raise CorpusError(
                f"cannot split {self.name}: the test share must lie between 0 and 1.",
                f"Found: {test}.",
            )
        # A second split must not ask the first one's question: its test side would be empty.
        salt = self._splits + 1
        train, held_out = (
            Corpus(f"{self.name} ({side})", [self], Split(test, side, salt))
            for side in ("train", "test")
        )
        return train, held_out

    def limit(self, documents: int, seed: int | None = None) -> Corpus:
        """Return at most `documents` documents: the first, or with `seed` a pseudo-random sample.

        Of parallel text, `documents` counts aligned lines, each kept in every language. The sample
        depends on the texts and the seed, not on their order; drawing it reads the corpus twice.
        """
        if documents < 1:
            raise CorpusError(
                f"cannot limit {self.name} to {documents} documents.", "Give 1 or more."
            )
        return Corpus(self.name, [self], Limit(documents, seed))

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
        return Corpus(self.name, [self], Balanced(self.batches, temperature))

    def sources_told(self) -> list[dict[str, str]]:
        """Return names and fingerprints of the first sources, by which it is told what has changed."""
        return [
            {"name": PurePath(source.where).name, "fingerprint": source.fingerprint[:16]}
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
            described["selection"] = self._selected
        if self._remarks:
            described["remarks"] = list(self._remarks)
        if self.recipe:
            described["recipe"] = {**self.recipe, "sources": self.sources_told()}
        shown = 100
        described["parts"] = [part.describe() for part in self._parts[:shown]]
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
