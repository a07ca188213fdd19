"""Sample: the documents of a text that intervals rest on, drawn in the pass that counts the pieces.

All different documents of a group are kept, up to `MOST`, else those whose hash begins with so many zero
bits that at most `MOST` are left: the sample is the same for any order, batches and threads. The unit is
the document, or the aligned line: its languages have one hash, so they are in the sample together.

Memory is bounded for any text. All groups share `_BYTES`. Where there are so many that `_LEAST_SHARE` for
each would be more, they have less, down to the largest power of two with which all fit, each with what it
needs. The longest document of a group does not count there; of the very long ones an excerpt is kept, so that
those of all groups fit as well. Both limits follow from sums over all documents, which only grow: so what is
left in the end does not depend on when something was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, spans
from toktk.corpus.units import text_hashes
from toktk.kernels.constants import BYTES
from toktk.kernels.constants import DOCUMENTS as N_DOCUMENTS
from toktk.pieces.ends import Ends
from toktk.pieces.excerpts import Excerpt, excerpt_of, shortened
from toktk.pieces.sample_rows import (
    Int32,
    Rows,
    UInt64,
    as_blocks,
    block_bounds,
    places_of,
    sorted_rows,
)
from toktk.pieces.sampled_documents import BLOCKS, DOCUMENTS, LINES, SampledDocuments
from toktk.runtime import in_threads

if TYPE_CHECKING:
    from toktk.arrow import pa

MOST = 20_000
"""Different documents of a group that are kept."""

_SALT = 13  # apart from the hash that chooses a hold-out, which would bias the sample
_BYTES = 1 << 28  # of all groups together, in equal shares
_LEAST_SHARE, _LARGEST_SHARE = 1 << 20, 1 << 25
_ROW = 64  # bytes that a document takes beside its text
_WAITING = 1 << 22  # bytes that are seen before they are taken in
_PENDING = 1 << 15  # rows, or a share's bytes, after which the sample is thinned again
_LAST = np.uint64(2**64 - 1)
_OF_GROUPS = ("levels", "needs", "longest")


class Sample:
    """Sees the documents of a text; see `toktk.pieces.beside.Beside`. `finish` returns the sample.

    Args:
        most: different documents of a group that are kept.
        in_order: batches are seen in the order of the text, and merged samples are those of what follows
            in it. So the document before the first of a batch is known, and the sample does not depend
            on where batches, or the shares of ranks, end.
    """

    def __init__(self, most: int = MOST, in_order: bool = False) -> None:
        self._most = most
        self._ends = Ends.none() if in_order else None
        self._numbers: dict[str, int] = {}
        self._levels = np.zeros(0, dtype=np.int64)
        self._needs = np.zeros(0, dtype=np.int64)  # bytes of all documents of each group
        self._longest = np.zeros(0, dtype=np.int64)  # of each group
        self._cap = _LARGEST_SHARE  # bytes of a document, of the rows that are here
        self._excerpts: dict[int, Excerpt] = {}  # by hash of the text
        self._kept = Rows.none()
        self._new: list[Rows] = []
        self._pending = self._pending_bytes = 0
        self._waiting: list[tuple[pa.RecordBatch, UInt64]] = []
        self._waiting_bytes = 0

    @classmethod
    def of(cls, documents: SampledDocuments, totals: Int64, times: Int64) -> Sample:
        """Return one that has seen what another kept, each document `times`, int64[G], as often.

        Merged, those of several texts give the sample of the texts together; but that of excerpts is one of
        texts that are so short. `totals`, int64[G, 7], are of the whole text, each document once.
        """
        from toktk.kernels.hash import hash_spans, mix

        blocks = np.array([kind == BLOCKS for kind in documents.kinds], dtype=np.bool_)
        lines = np.array([kind == LINES for kind in documents.kinds], dtype=np.bool_)
        starts = np.ones(len(documents), dtype=np.bool_)
        starts[1:] = (np.diff(documents.group) != 0) | ~blocks[documents.group[1:]]
        first = np.flatnonzero(starts)
        group = documents.group[first]
        offsets = np.append(documents.offsets[first], documents.offsets[-1])
        text, size = hash_spans(documents.data, offsets), np.diff(offsets)
        before = documents.previous[first]
        sample = cls()
        sample._numbered([*documents.groups])
        sample._levels[:] = documents.levels
        sample._needs[:] = totals[:, BYTES] + _ROW * totals[:, N_DOCUMENTS]
        np.maximum.at(sample._longest, group, size)
        sample._new.append(
            Rows(
                group,
                np.where(blocks[group], mix(text, _SALT), documents.unit[first]),
                text,
                lines[group],
                documents.copies[first] * times[group],
                np.where((before < 0) | blocks[group], np.uint64(0), documents.unit[before]),
                size,
                documents.data,
                offsets,
            )
        )
        return sample

    def fresh(self) -> Sample:
        """Return one that has seen nothing."""
        return Sample(self._most, self._ends is not None)

    @property
    def lacks_text(self) -> bool:
        """Whether a document that was seen, or a part of one, is left out."""
        return bool(self._levels.any() or self._excerpts)

    def see(self, batch: pa.RecordBatch, of_texts: UInt64 | None = None) -> None:
        """See the documents of a batch of a corpus; `of_texts` are their hashes, where they are known."""
        _, offsets = spans(batch.column(TEXT))
        if offsets[-1] - offsets[0] > self._cap:  # one long document, of which no copy is made
            self._take_in()
        self._waiting.append((batch, text_hashes(batch) if of_texts is None else of_texts))
        self._waiting_bytes += int(offsets[-1] - offsets[0])
        if self._waiting_bytes >= _WAITING:
            self._take_in()

    def _take_in(self) -> None:
        """Take in the documents of the batches that wait: many small ones cost more than a large one."""
        import pyarrow

        if not self._waiting:
            return
        batches, of_texts = zip(*self._waiting, strict=True)
        numbers = np.repeat(np.arange(len(batches)), [len(batch) for batch in batches])
        table = pyarrow.Table.from_batches(batches).unify_dictionaries().combine_chunks()
        hashes = np.concatenate(of_texts)
        self._waiting, self._waiting_bytes = [], 0
        first = 0
        for batch in table.to_batches():
            rows = slice(first, first + len(batch))
            self._add(batch, hashes[rows], numbers[rows])
            first += len(batch)
        if self._pending >= max(_PENDING, self._kept.unit.size) or self._pending_bytes >= max(
            _LARGEST_SHARE, self._kept.data.size
        ):
            self._thin()

    def _add(self, batch: pa.RecordBatch, text: UInt64, numbers: Int64) -> None:
        """Add documents of these hashes; those of one number, int64[rows], are neighbors in the text."""
        import pyarrow

        from toktk.kernels.hash import hash_spans, mix
        from toktk.kernels.units import write_before

        data, offsets = spans(batch.column(TEXT))
        column = batch.column(GROUP)
        group = self._numbered(column.dictionary.to_pylist())[arrow.to_numpy(column.indices)]
        unit = mix(text, _SALT)
        align = batch.column(ALIGN)
        aligned = np.zeros(text.size, dtype=np.bool_)
        if align.null_count < len(align):
            aligned = arrow.is_valid(align)
            ids = align.drop_null().cast(pyarrow.large_string())
            unit[aligned] = mix(hash_spans(*spans(ids)), _SALT)
        weights = arrow.to_numpy(batch.column(WEIGHT))
        size = np.diff(offsets)
        np.add.at(self._needs, group, (size + _ROW) * (weights > 0))
        np.maximum.at(self._longest, group, size * (weights > 0))
        chosen = np.flatnonzero(self._may_stay(unit, group) & (weights > 0))
        self._raise_early(group[chosen], unit[chosen])
        chosen = chosen[self._may_stay(unit[chosen], group[chosen])]
        before = np.empty_like(unit)
        none = np.full(len(self._numbers), -1)
        write_before(unit, group, np.zeros_like(numbers) if self._ends else numbers, none, before)
        if self._ends is not None:
            self._ends.go_on(group, unit, text, before)
        data, offsets = self._shortened(data, offsets, text, size)
        rows = Rows(group, unit, text, aligned, weights, before, size, data, offsets).take(chosen)
        self._new.append(rows)
        self._pending += rows.unit.size
        self._pending_bytes += rows.data.size

    def merge(self, others: Iterable[Sample]) -> None:
        """Add what others have seen."""
        others = [*others]
        in_threads(Sample._settle, [(other,) for other in others])  # a thread filled each
        for other in others:
            numbers = self._numbered([*other._numbers])
            self._levels[numbers] = np.maximum(self._levels[numbers], other._levels)
            self._needs[numbers] += other._needs
            self._longest[numbers] = np.maximum(self._longest[numbers], other._longest)
        cap = self._fitting(self._longest, min([self._cap, *(other._cap for other in others)]))
        self._kept = self._capped(self._kept, cap)
        for other in others:
            numbers = self._numbered([*other._numbers])
            rows = other._capped(Rows.joined([other._kept, *other._new]), cap)
            rows = replace(rows, group=numbers[rows.group])
            among = self._may_stay(rows.unit, rows.group)
            self._new.append(rows.take(np.flatnonzero(among)))
            if self._ends is not None and other._ends is not None:
                self._new.append(Rows.before(*self._ends.join(other._ends, numbers)))
            self._excerpts |= other._excerpts
        self._thin()

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Return what `of_state` makes the sample from again: columns of documents; the rest, JSON-able."""
        self._settle()
        about = {
            "groups": [*self._numbers],
            "cap": self._cap,
            "excerpts": [
                [key, size, every, lengths.tolist()]
                for key, (size, every, lengths) in sorted(self._excerpts.items())
            ],
            **{name: getattr(self, f"_{name}").tolist() for name in _OF_GROUPS},
            **{name: ends.tolist() for name, ends in vars(self._ends or Ends.none()).items()},
        }
        return vars(self._kept), about

    @classmethod
    def of_state(
        cls, columns: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any], most: int = MOST
    ) -> Sample:
        """Return a sample in order of which `state` gave this."""
        sample = cls(most, in_order=True)
        sample._numbered(about["groups"])
        for name in _OF_GROUPS:
            setattr(sample, f"_{name}", np.array(about[name], dtype=np.int64))
        sample._cap, sample._kept = about["cap"], Rows(**columns)
        sample._excerpts = {
            key: Excerpt(size, every, np.array(lengths, dtype=np.int64))
            for key, size, every, lengths in about["excerpts"]
        }
        first_unit, first_text, last_unit = (
            np.array(about[name], dtype=np.uint64)
            for name in ("first_unit", "first_text", "last_unit")
        )
        seen = np.array(about["seen"], dtype=np.bool_)
        sample._ends = Ends(first_unit, first_text, last_unit, seen)
        return sample

    def finish(self) -> SampledDocuments:
        """Return the sample; groups in alphabetical order, a group's only document in blocks."""
        self._settle()
        kept = self._kept
        n_groups = len(self._numbers)
        of_group = np.bincount(kept.group, minlength=n_groups)
        parallel = (of_group > 0) & (
            np.bincount(kept.group[kept.aligned], minlength=n_groups) == of_group
        )
        if parallel.any():  # all languages of a line, or none
            self._levels[parallel] = self._levels[parallel].max()
            chosen = self._may_stay(kept.unit, kept.group)
            kept = kept.take(np.flatnonzero(chosen))
        names = sorted(self._numbers)
        new_number = np.zeros(n_groups, dtype=np.int32)
        old = np.array([self._numbers[name] for name in names], dtype=np.int64)
        new_number[old] = np.arange(n_groups)
        kept = Rows(**{**vars(kept), "group": new_number[kept.group].astype(np.int32)})
        kept = kept.take(np.argsort(kept.group, kind="stable"))  # the rest is sorted already
        kinds = [LINES if is_parallel else DOCUMENTS for is_parallel in parallel[old]]
        lone = np.flatnonzero(np.bincount(kept.group, minlength=n_groups) == 1)
        parts = [kept]
        for g in lone:
            d = int(np.searchsorted(kept.group, g))
            text = kept.data[kept.offsets[d] : kept.offsets[d + 1]]
            if kept.copies[d] == 1 and len(bounds := block_bounds(text)) > 2:
                parts.append(as_blocks(text, bounds, int(g)))
                kinds[g] = BLOCKS
        if len(parts) > 1:
            is_document = np.array([kind != BLOCKS for kind in kinds])
            parts[0] = kept.take(np.flatnonzero(is_document[kept.group]))
            kept = Rows.joined(parts)
            kept = kept.take(np.lexsort((kept.text, kept.unit, kept.group)))
        levels = self._levels[old]
        levels[[kind == BLOCKS for kind in kinds]] = 0
        return SampledDocuments(
            tuple(names),
            kept.group,
            kept.unit,
            kept.copies,
            kept.data,
            kept.offsets,
            levels,
            tuple(kinds),
            places_of(kept),
        )

    def _numbered(self, names: list[str]) -> Int32:
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        missing = len(self._numbers) - self._levels.size
        self._levels, self._needs, self._longest = (
            np.pad(column, (0, missing)) for column in (self._levels, self._needs, self._longest)
        )
        if self._ends is not None:
            self._ends.grow(len(self._numbers))
        return np.array(numbers, dtype=np.int32)

    def _settle(self) -> None:
        """Keep of all that was seen what the sample has."""
        self._take_in()
        self._thin()

    def _thin(self) -> None:
        """Unite equal documents, and keep fewer of the groups that have too many."""
        self._pending = self._pending_bytes = 0
        cap = self._fitting(self._longest, self._cap)
        if self._new or cap < self._cap:
            rows = self._capped(Rows.joined([self._kept, *self._new]), cap)
            self._kept, self._new = Rows.none(), []  # of which nothing is needed any more
            order = sorted_rows(rows.group, rows.unit, rows.text)
            order = order[self._may_stay(rows.unit, rows.group)[order]]
            if order.size:
                differs = np.ones(order.size, dtype=np.bool_)
                for column in (rows.group, rows.unit, rows.text):
                    differs[1:] &= column[order[1:]] == column[order[:-1]]
                differs[1:] = ~differs[1:]
                firsts = np.flatnonzero(differs)
                copies = np.add.reduceat(rows.copies[order], firsts)
                # Any order of files and threads gives the same one: the least hash.
                before = rows.previous[order] - np.uint64(1)  # none is the largest
                before = np.minimum.reduceat(before, firsts) + np.uint64(1)
                # Of rows that are alike the first one stands for all.
                united = rows.take(np.minimum.reduceat(order, firsts), copies)
                united = replace(united, previous=before)
                # Of no copies is what `Rows.before` says of a document that was not kept.
                there = np.flatnonzero(copies)
                self._kept = united if there.size == copies.size else united.take(there)
        self._raise_levels()

    def _may_stay(self, unit: UInt64, group: Int32) -> npt.NDArray[np.bool_]:
        """Return which units the levels of their groups keep."""
        stay: npt.NDArray[np.bool_] = unit <= (_LAST >> self._levels.astype(np.uint64))[group]
        return stay

    def _raise_early(self, group: Int32, unit: UInt64) -> None:
        """Raise the level of a group of which these rows alone are too many: most are never copied then.

        A level is what all rows ask for, and some ask for no more.
        """
        for g in np.flatnonzero(np.bincount(group) > self._most).tolist():
            level = self._levels[g]
            units = [unit[group == g]]
            while units[-1].size > self._most:
                units.append(units[-1][begins_with_zeros(units[-1], level + len(units))])
            while len(units) > 1 and _n_distinct(units[-2]) <= self._most:
                units.pop()
            self._levels[g] = level + len(units) - 1

    def _raise_levels(self) -> None:
        """Keep, of the groups that have too many documents or bytes, those of fewer units."""
        kept, n_groups = self._kept, len(self._numbers)
        if not kept.unit.size:
            return
        share = min(max(_BYTES // n_groups, _LEAST_SHARE), _LARGEST_SHARE)
        least = self._fitting(self._needs, _LEAST_SHARE)
        sizes = kept.size
        if least < _LEAST_SHARE:
            share, sizes = least, kept.size + _ROW
        counts = np.bincount(kept.group, minlength=n_groups)
        bounds = offsets_of(counts)
        filled = np.flatnonzero(counts)
        longest, n_bytes = (fold.reduceat(sizes, bounds[filled]) for fold in (np.maximum, np.add))
        # The longest does not count: a document that is in memory anyway is no reason to lose others.
        too_many = filled[(counts[filled] > self._most) | (n_bytes - longest > share)]
        chosen = np.ones(kept.unit.size, dtype=np.bool_)
        for g in too_many.tolist():
            of_group = slice(int(bounds[g]), int(bounds[g + 1]))
            unit, own = kept.unit[of_group], sizes[of_group]
            among = np.ones(unit.size, dtype=np.bool_)
            level = int(self._levels[g])
            while among.any() and level < 63:
                n, all_bytes = int(among.sum()), int(own[among].sum())
                if n <= self._most and all_bytes - int(own[among].max()) <= share:
                    break
                level += 1
                among = begins_with_zeros(unit, np.int64(level))
            self._levels[g] = level
            chosen[of_group] = among
        if not chosen.all():
            self._kept = kept.take(np.flatnonzero(chosen))

    @staticmethod
    def _fitting(needs: Int64, most: int) -> int:
        """Return the largest of `most` and its halves that each group may have for all to fit."""
        while most > 1 and np.minimum(needs, most).sum() > _BYTES:
            most //= 2
        return most

    def _capped(self, rows: Rows, cap: int) -> Rows:
        """Return rows with excerpts of at most `cap` bytes of the documents that are longer."""
        self._cap = cap
        data, offsets = self._shortened(rows.data, rows.offsets, rows.text, rows.size)
        return replace(rows, data=data, offsets=offsets)

    def _shortened(
        self, data: Bytes, offsets: Int64, text: UInt64, size: Int64
    ) -> tuple[Bytes, Int64]:
        longer = np.flatnonzero(size > self._cap)
        if not longer.size:
            return data, offsets
        lengths = np.diff(offsets)
        parts, at = [], int(offsets[0])
        excerpts: dict[int, Excerpt] = {}
        for d in longer.tolist():
            begin, end = offsets[d : d + 2].tolist()
            key, whole = int(text[d]), data[begin:end]
            if whole.size == size[d]:
                short, excerpts[key] = excerpt_of(whole, self._cap)
            else:
                short, excerpts[key] = shortened(whole, self._excerpts[key], self._cap)
            parts += [data[at:begin], short]
            lengths[d], at = short.size, end
        self._excerpts |= excerpts
        return np.concatenate([*parts, data[at : int(offsets[-1])]]), offsets_of(lengths)


def sampled_unit(keys: UInt64) -> UInt64:
    """Return the units that a sample gives rows of these keys, those of `toktk.corpus.units.units`."""
    from toktk.kernels.hash import mix

    return mix(keys, _SALT)


def _n_distinct(numbers: UInt64) -> int:
    # `np.unique` takes ten times as long.
    return int(np.count_nonzero(np.diff(np.sort(numbers)))) + bool(numbers.size)


def begins_with_zeros(hashes: UInt64, levels: Int64 | np.int64) -> npt.NDArray[np.bool_]:
    """Return which hashes begin with so many zero bits."""
    return np.asarray(hashes <= _LAST >> np.asarray(levels, dtype=np.uint64))
