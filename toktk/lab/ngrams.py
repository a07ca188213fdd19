"""Held-out n-gram bits per byte: which documents are learned from and which are priced, and what they cost.

What is priced are documents among those that intervals rest on, so that figures, intervals and comparisons
are of the same documents. Where a text to learn from is at hand, as in a sweep, all of them may be; else one
in `PARTS` is, by a hash, and the others are learned from. An aligned line is with all its languages on one
side, and so are equal documents: what equals a priced document is not learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of, packed, read_arrays, runs, write_arrays
from toktk.corpus.batch import GROUP, TEXT, WEIGHT, spans
from toktk.corpus.units import units
from toktk.evaluation.ngrams import ORDERS, CutDocuments, NgramBits, NgramCounts
from toktk.lab.units import Units, unit_hashes
from toktk.pieces.sample import begins_with_zeros, sampled_unit
from toktk.pieces.sampled_documents import BLOCKS, LINES, SampledDocuments
from toktk.pieces.table import gather
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.sizes import bytes_label
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    from toktk.corpus import Corpus

LEARNED = 40_000_000
"""Bytes that are learned from, at most."""

PRICED = LEARNED // 4
"""Bytes that are priced, about, in equal shares of the groups."""

PARTS = 5
"""One part of a text is priced where there is no other to learn from."""

_LEAST_SHARE = 1 << 16
_CHUNK = 1 << 22  # bytes of documents that are counted, or priced, at a time
# Apart from the hashes that choose hold-outs, samples and folds.
_LEARN_SALT, _PRICE_SALT, _PART_SALT = ((1 << 30) + salt for salt in (2, 3, 4))

_ARRAYS = ("data", "offsets", "rows", "scale")

Flags = npt.NDArray[np.bool_]
UInt64 = npt.NDArray[np.uint64]
Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class NgramTexts:
    """Documents to learn from, and those of a sample that are priced.

    Attributes:
        data, offsets: uint8 and int64[L + 1], what is learned from, by the hash that chose it.
        n_half: the first documents, whose bytes are half of all.
        rows: int64[P], which documents of the sample are priced.
        scale: int64[P], how many each stands for, beside those that the sample says.
    """

    data: Bytes
    offsets: Int64
    n_half: int
    rows: Int64
    scale: Int64
    _cut: dict[str, tuple[CutDocuments, CutDocuments]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        sample: SampledDocuments,
        learn: Corpus | None,
        is_other: bool,
        progress: Progress,
        learned: int = LEARNED,
        priced: int = PRICED,
    ) -> NgramTexts:
        """Choose, by reading the text to learn from.

        Args:
            learn: None: what is not priced of the sample, where nothing else is at hand.
            is_other: whether that is not the text of the sample, so that all of the sample may be priced.
            progress: as of `Corpus.batches`.
            learned, priced: bytes.
        """
        from toktk.kernels.hash import hash_spans

        hashes = unit_hashes(sample)
        may = np.ones(len(sample), np.bool_) if is_other else _is_held_out(hashes)
        rows, scale = _priced(sample, hashes, may, priced)
        texts = hash_spans(sample.data, sample.offsets)
        chosen = _Chosen(learned, np.unique(texts[rows]))
        in_blocks: set[str] = set()
        if not is_other:
            blocks = np.array([kind == BLOCKS for kind in sample.kinds], dtype=np.bool_)
            in_blocks = {g for g, is_one in zip(sample.groups, blocks, strict=True) if is_one}
            own = np.flatnonzero((blocks[sample.group] | (learn is None)) & ~may)
            chosen.add(hashes[own], texts[own], *gather(sample.data, sample.offsets, own))
        for batch in () if learn is None else learn.batches(progress):
            unit = sampled_unit(units(batch)[0])
            data, offsets = spans(batch.column(TEXT))
            kept = arrow.to_numpy(batch.column(WEIGHT)) > 0
            if not is_other:
                column = batch.column(GROUP)
                is_one = np.array([n in in_blocks for n in column.dictionary.to_pylist()], np.bool_)
                kept &= ~_is_held_out(unit) & ~is_one[arrow.to_numpy(column.indices)]
            some = np.flatnonzero(kept & chosen.may_hold(unit))
            text = hash_spans(data, offsets)[some]
            chosen.add(unit[some], text, *gather(data, offsets, some))
        data, offsets = chosen.finish()
        n_half = int(np.searchsorted(offsets, offsets[-1] / 2, side="right")) - 1
        return cls(data, offsets, n_half, rows, scale)

    def save(self, folder: Path) -> None:
        """Write plain arrays."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_arrays(folder, arrays, n_half=self.n_half)

    @classmethod
    def load(cls, folder: Path) -> NgramTexts:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        data, offsets, rows, scale = (arrays[name] for name in _ARRAYS)
        return cls(data, offsets, about["n_half"], rows, scale)

    def told(self, sample: SampledDocuments) -> str:
        """Return how much is learned from and priced, in words."""
        n_bytes = int(np.diff(sample.offsets)[self.rows].sum())
        return (
            f"n-grams are learned from {bytes_label(self.data.size)} "
            f"({self.offsets.size - 1:,} documents), and {bytes_label(n_bytes)} "
            f"({self.rows.size:,} others) are priced"
        )

    def cut(
        self, pretokenizer: Pretokenizer, sample: SampledDocuments
    ) -> tuple[CutDocuments, CutDocuments]:
        """Return what is learned from, and what is priced, cut; held until another pretokenizer asks."""
        if pretokenizer.key not in self._cut:
            self._cut.clear()
            priced = gather(sample.data, sample.offsets, self.rows)
            both = (self.data, self.offsets), priced
            learned, others = (CutDocuments(pretokenizer, *text) for text in both)
            self._cut[pretokenizer.key] = learned, others
        return self._cut[pretokenizer.key]

    def work(self, sample: SampledDocuments) -> int:
        """Return the bytes that `bits` tells of for each tokenizer."""
        return self.data.size + 2 * int(np.diff(sample.offsets)[self.rows].sum())

    def bits(self, tokenizer: Tokenizer, units: Units, jobs: int, progress: Progress) -> NgramBits:
        """Return what the priced documents cost under a tokenizer.

        Args:
            units: of the sample.
            progress: called with bytes of documents, `work` in all.
        """
        sample = units.documents
        learned, priced = self.cut(tokenizer.pretokenizer, sample)
        lengths = np.diff(sample.offsets)[self.rows]
        tokens = learned.tokens(tokenizer, jobs)
        to_price = priced.tokens(tokenizer, jobs)
        counts = NgramCounts(tokenizer.vocab_size)
        begin = tokenizer.vocab_size + 1
        starts, at = _starts(tokens, begin), _starts(to_price, begin)
        ends = offsets_of(lengths)
        costs = []
        for first, last in ((0, self.n_half), (self.n_half, self.offsets.size - 1)):
            for a, b in runs(self.offsets[first : last + 1], 1 << 30, _CHUNK):
                counts.add(tokens[starts[first + a] : starts[first + b]])
                progress(int(self.offsets[first + b] - self.offsets[first + a]))
            model = counts.estimate()
            cost = np.zeros((len(ORDERS), self.rows.size), dtype=np.int64)
            for a, b in runs(ends, 1 << 30, _CHUNK):
                cost[:, a:b] = np.rint(1000 * model.bits(to_price[at[a] : at[b]]))
                progress(int(ends[b] - ends[a]))
            costs.append(cost)
        weight = units.weight[self.rows].astype(np.int64) * self.scale
        group, n = sample.group[self.rows], len(sample.groups)
        changed = _changed(tokenizer, to_price, *gather(sample.data, sample.offsets, self.rows))

        def by_group(values: npt.NDArray[Any]) -> Int64:
            sums = np.zeros(n, dtype=np.int64)
            np.add.at(sums, group, values)
            return sums

        scale = np.zeros(len(sample), dtype=np.int64)
        scale[self.rows] = self.scale
        of_rows = np.zeros((len(ORDERS), len(sample)), dtype=np.int64)
        of_rows[:, self.rows] = costs[1] * self.scale
        costs[0] *= self.n_half > 0
        half, full = (np.stack([by_group(order * weight) for order in cost]) for cost in costs)
        return NgramBits(
            sample.groups,
            self.told(sample),
            self.data.size,
            by_group(np.ones(self.rows.size, dtype=np.int64)),
            by_group(lengths * weight),
            full,
            half,
            by_group(changed),
            scale,
            of_rows,
        )


class _Chosen:
    """Different documents of the smallest hashes whose bytes come to no more than a limit."""

    def __init__(self, most: int, without: UInt64) -> None:
        self._most = most
        self._without = without  # texts, ascending
        self._order: UInt64 = np.empty(0, dtype=np.uint64)
        self._texts: UInt64 = np.empty(0, dtype=np.uint64)
        self._data: Bytes = np.empty(0, dtype=np.uint8)
        self._offsets: Int64 = np.zeros(1, dtype=np.int64)
        self._waiting: list[tuple[UInt64, UInt64, Bytes, Int64]] = []
        self._n_waiting = 0
        self._limit = np.uint64(2**64 - 1)

    def may_hold(self, unit: UInt64) -> Flags:
        """Return which of some documents may be among those chosen."""
        from toktk.kernels.hash import mix

        flags: Flags = mix(unit, _LEARN_SALT) <= self._limit
        return flags

    def add(self, unit: UInt64, text: UInt64, data: Bytes, offsets: Int64) -> None:
        """Take documents, with the hashes of their units and their texts."""
        from toktk.kernels.hash import mix

        self._waiting.append((mix(unit, _LEARN_SALT), text, data, offsets))
        self._n_waiting += data.size
        if self._n_waiting > self._most:
            self._settle()

    def finish(self) -> tuple[Bytes, Int64]:
        """Return the documents by their hash."""
        self._settle()
        return self._data, self._offsets

    def _settle(self) -> None:
        parts = [(self._order, self._texts, self._data, self._offsets), *self._waiting]
        self._waiting, self._n_waiting = [], 0
        order, texts, data = (np.concatenate([part[i] for part in parts]) for i in range(3))
        offsets = offsets_of(np.concatenate([np.diff(part[3]) for part in parts]))
        chosen = np.lexsort((texts, order))
        _, first = np.unique(texts[chosen], return_index=True)  # the one of the smallest hash
        chosen = chosen[np.sort(first)]
        lengths = np.diff(offsets)
        fits = ~np.isin(texts[chosen], self._without) & (lengths[chosen] <= self._most)
        chosen = chosen[fits]
        n = int(np.searchsorted(np.cumsum(lengths[chosen]), self._most, side="right"))
        if n < chosen.size:
            self._limit = order[chosen[n]]
        chosen = chosen[:n]
        self._order, self._texts = order[chosen], texts[chosen]
        self._data, self._offsets = gather(data, offsets, chosen)


def _is_held_out(unit: UInt64) -> Flags:
    """Return which units are priced of a text that is learned from as well."""
    from toktk.kernels.hash import mix

    held: Flags = mix(unit, _PART_SALT) < np.uint64(2**64 // PARTS)
    return held


def _priced(sample: SampledDocuments, hashes: UInt64, may: Flags, most: int) -> tuple[Int64, Int64]:
    """Return the rows that are priced, and how many each stands for: a power of two, one for each group."""
    from toktk.kernels.hash import mix

    n = len(sample.groups)
    share = max(most // max(n, 1), _LEAST_SHARE)
    order, lengths = mix(hashes, _PRICE_SALT), np.diff(sample.offsets)
    levels = np.zeros(n, dtype=np.int64)
    bounds = np.searchsorted(sample.group, np.arange(n + 1))
    for g in range(n):
        own = np.flatnonzero(may[bounds[g] : bounds[g + 1]]) + bounds[g]
        levels[g] = _level(order[own], lengths[own], share)
    lines = np.array([kind == LINES for kind in sample.kinds], dtype=np.bool_)
    levels[lines] = levels[lines].max(initial=0)  # all languages of a line, or none
    of_row = levels[sample.group]
    rows = np.flatnonzero(may & begins_with_zeros(order, of_row)).astype(np.int64)
    return rows, np.left_shift(np.int64(1), of_row[rows])


def _level(order: UInt64, lengths: Int64, share: int) -> int:
    """Return the least number of zeros, before all others, that leaves no more bytes than `share`.

    The longest document does not count, and one is always left.
    """
    for level in range(64):
        left = begins_with_zeros(order, np.int64(level))
        if int(lengths[left].sum()) - int(lengths[left].max(initial=0)) <= share:
            return level if left.any() else max(level - 1, 0)
    return 63


def _starts(tokens: Int64, begin: int) -> Int64:
    """Return int64[D + 1]: where each document begins, and the last one ends."""
    return np.append(np.flatnonzero(tokens == begin), tokens.size)


def _changed(tokenizer: Tokenizer, tokens: Int64, data: Bytes, offsets: Int64) -> Flags:
    """Return which documents do not come back from their ids; a space before them all is no change."""
    from toktk.kernels.hash import hash_spans

    # The end and the beginning of a document come after the ids, and spell nothing.
    spelled, ends = gather(*packed([*tokenizer.model.tokens, b"", b""]), tokens)
    own = ends[_starts(tokens, tokenizer.vocab_size + 1)]
    wanted = hash_spans(data, offsets)
    same: Flags = hash_spans(spelled, own) == wanted
    one_more = np.flatnonzero(~same & (np.diff(own) == np.diff(offsets) + 1))
    if one_more.size:
        shorter, shorter_ends = gather(spelled, own, one_more)
        is_space = shorter[shorter_ends[:-1]] == ord(" ")
        rest = np.stack([shorter_ends[:-1] + 1, shorter_ends[1:]], axis=1).ravel()
        same[one_more] = is_space & (hash_spans(shorter, rest)[::2] == wanted[one_more])
    return ~same
