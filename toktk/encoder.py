"""Encoder: many documents to ids, each distinct piece through the model once.

Text goes block by block: cut the block, look its pieces up in a table, give those that are not there to the
model in one call. The table knows nothing of the model, so all models are served alike.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import large_zeros, offsets_of
from toktk.models.counts import CountsModel
from toktk.models.model import Bytes, Ids, Int64, Model, read_only
from toktk.models.unigram_float32 import Float32Pieces
from toktk.runtime import in_threads, keep_freed_memory

if TYPE_CHECKING:
    from toktk.pretokenizers.pretokenizer import Pretokenizer


@dataclass(frozen=True)
class Limits:
    """How large the parts of an encoder get; tests make them small.

    Attributes:
        first_slots, max_slots: of the table, powers of two; it grows at half full. When it cannot,
            or the bytes of long pieces or the ids that no slot holds take more than `max_arena`
            bytes or `max_pool` ids, it is emptied and filled anew.
        longest: bytes; longer pieces go to the model each time.
        block: pieces, nearly enough, that are cut before they are looked up, where one kernel cannot do both.
        split: bytes; where threads lack work, longer documents are split.
        todo: pieces that wait for the model at once, at most.
    """

    first_slots: int = 1 << 12
    max_slots: int = 1 << 22
    max_arena: int = 1 << 26
    max_pool: int = 1 << 24
    longest: int = 1 << 16
    block: int = 96_000
    split: int = 1 << 16
    todo: int = 1 << 13


class Encoder:
    """A tokenizer's tables from pieces to ids, kept between calls; calls from several threads are safe."""

    def __init__(self, pretokenizer: Pretokenizer, model: Model, limits: Limits = Limits()) -> None:
        keep_freed_memory()
        self._pretokenizer = pretokenizer
        self._limits = limits
        self._model = model
        self._cut = pretokenizer
        self._new_table: Callable[[], _Table] = functools.partial(_Table, model, limits)
        if (pieces := Float32Pieces.of(pretokenizer, model)) is not None:
            self._cut = pieces.pretokenizer
            self._new_table = functools.partial(_FollowingTable, pieces, limits)
        self._idle: list[_Table] = []
        self._lock = threading.Lock()

    def intern_batch(
        self, data: Bytes, offsets: Int64
    ) -> tuple[npt.NDArray[np.int32], Int64, Bytes, Int64]:
        """See `toktk.tokenizer.Tokenizer.intern_batch`."""
        return number_pieces(self._pretokenizer, data, offsets, self._limits)

    def count_batch(self, data: Bytes, offsets: Int64, jobs: int = 1) -> Int64:
        """Return int64[D], how many ids each document takes; memory does not grow with the text."""
        if isinstance(self._model, CountsModel):
            return self._model.count_pieces(data[offsets[0] : offsets[-1]], offsets - offsets[0])
        return np.diff(self.encode_batch(data, offsets, jobs, keep=False)[1])

    def encode_batch(
        self, data: Bytes, offsets: Int64, jobs: int = 1, keep: bool = True
    ) -> tuple[Ids, Int64]:
        """See `toktk.tokenizer.Tokenizer.encode_batch`; here nothing checks that the text is UTF-8.

        The first offset need not be 0. Without `keep` no ids are returned, only where they would end.
        """
        # What decides ids across cuts is followed through a whole document.
        n_split = jobs if self._cut is self._pretokenizer else 1
        source = _Source(self._cut, data, offsets, self._limits, n_split)
        bounds = source.deal(jobs)
        with self._lock:
            tables = [self._idle.pop() for _ in bounds[: len(self._idle)]]
        tables += [self._new_table() for _ in bounds[len(tables) :]]
        try:
            encoded = in_threads(
                lambda table, first, last: table.encode(source, first, last, keep),
                [(table, *bound) for table, bound in zip(tables, bounds, strict=True)],
            )
        finally:
            with self._lock:
                self._idle += tables
        if len(encoded) == 1:
            return encoded[0][0], source.by_document(encoded[0][1])
        shifts = offsets_of([own[-1] for _, own in encoded])
        ends = np.concatenate([own + at for (_, own), at in zip(encoded, shifts, strict=False)])
        return np.concatenate([ids for ids, _ in encoded]), source.by_document(ends)


def number_pieces(
    pretokenizer: Pretokenizer, data: Bytes, offsets: Int64, limits: Limits = Limits()
) -> tuple[npt.NDArray[np.int32], Int64, Bytes, Int64]:
    """Return documents as numbers of their different pieces, in order of first appearance.

    Returns:
        int32, the numbers; int64[D + 1], where those of each document end; the pieces, ``(data, offsets)``.
    """
    numbers = _Numbers()
    # A table that grows without end knows every piece that it has seen.
    bounds = ("longest", "max_slots", "max_arena", "max_pool")
    unbounded = replace(limits, **dict.fromkeys(bounds, 1 << 60))
    source = _Source(pretokenizer, data, offsets, limits, 1)
    ids, ends = _Table(numbers, unbounded).encode(source, 0, source.n, True)
    pieces = np.concatenate(numbers.data), np.cumsum(np.concatenate(numbers.lengths))
    return ids.view(np.int32), source.by_document(ends), *pieces


def compile_settling() -> None:
    """Have compiled what enters new pieces into a table; what cuts text and looks pieces up is not."""
    table = _Table(_Numbers(), Limits())
    none = read_only(np.empty(0, dtype=np.uint8), np.uint8)
    table.settle(none, np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64), grows=False)


class _Block(NamedTuple):
    """The next pieces of a text; the first begins at ``data[start]``, and piece i ends at ``ends[i]``.

    Up to the end of part ``part + i``, or so far, there are ``lasts[i]`` pieces.
    """

    data: Bytes
    start: int
    ends: Int64
    part: int
    lasts: Int64


class _Source:
    """Documents, and how to cut them block by block.

    A part is a document, or what the pretokenizer's earlier steps made of it, or, so that `jobs`
    threads have work, a piece of that.
    """

    def __init__(
        self, pretokenizer: Pretokenizer, data: Bytes, offsets: Int64, limits: Limits, jobs: int
    ) -> None:
        self._pretokenizer = pretokenizer
        self._n_documents = offsets.size - 1
        data, offsets, self._owner, self._atoms = pretokenizer.prepare(data, offsets)
        self.data, self.offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
        self._limits = limits
        compiled = pretokenizer.compile()
        self.tables = None if compiled is None or self._atoms is not None else compiled.tables
        if jobs > 1 and self.tables is not None:
            self._split(jobs, self.tables)
        self.n = self.offsets.size - 1

    def _split(self, jobs: int, tables: tuple[Any, ...]) -> None:
        """Split parts that are too long to be dealt evenly."""
        from toktk.kernels.automaton import split_documents

        n = int(self.offsets[-1] - self.offsets[0])
        target = max(n // (4 * jobs), self._limits.split)
        if n == 0 or int(np.diff(self.offsets).max()) < 2 * target:
            return
        room = self.offsets.size + n // target
        offsets, owner = np.empty(room + 1, dtype=np.int64), np.empty(room, dtype=np.int64)
        k = int(split_documents(self.data, self.offsets, target, tables, offsets, owner))
        self.offsets = read_only(offsets[: k + 1], np.int64)
        self._owner = owner[:k] if self._owner is None else self._owner[owner[:k]]

    def deal(self, jobs: int) -> list[tuple[int, int]]:
        """Return (first, last) of at most `jobs` ranges of parts of nearly equal bytes."""
        begin, end = self.offsets[0], self.offsets[-1]
        cuts = [begin + (end - begin) * j // jobs for j in range(1, jobs)]
        edges = [0, *np.searchsorted(self.offsets, cuts).tolist(), self.n]
        return [(a, b) for a, b in itertools.pairwise(edges) if a < b] or [(0, self.n)]

    def blocks(self, first: int, last: int, work: Any, ends: Int64) -> Iterator[_Block]:
        """Cut parts first..last - 1, which count from 0 here; a block is valid until the next one.

        `work` and `ends` are scratch of the caller's thread, for the kernel.
        """
        from toktk.kernels.scan import BLOCK, cut_blocks, rewind

        if self.tables is None:
            yield from self._by_pretokenizer(first, last)
            return
        tables = self.tables
        offsets = self.offsets[first : last + 1]
        rewind(offsets, work)
        lasts = np.zeros(last - first, dtype=np.int64)
        part, start = 0, int(offsets[0])
        while part < last - first:
            n, stop = cut_blocks(
                self.data, offsets, tables, work, ends, ends.size - BLOCK, part, lasts
            )
            yield _Block(self.data, start, read_only(ends[:n], np.int64), part, lasts[part:stop])
            if n == 0:
                return
            part, start = stop - 1, int(ends[n - 1])

    def _by_pretokenizer(self, first: int, last: int) -> Iterator[_Block]:
        begin = first
        while first < last:
            at = self.offsets[first] + 4 * self._limits.block
            stop = int(np.searchsorted(self.offsets[first : last + 1], at, side="right")) - 1
            stop = first + max(stop, 1)
            offsets = self.offsets[first : stop + 1]
            data = self.data[offsets[0] : offsets[-1]]
            atoms = None if self._atoms is None else self._atoms[first:stop]
            cuts, firsts = self._pretokenizer.cut_parts(data, offsets - offsets[0], atoms)
            yield _Block(data, 0, read_only(cuts[1:], np.int64), first - begin, firsts[1:])
            first = stop

    def by_document(self, ends: Int64) -> Int64:
        """Return int64[D + 1] from where the ids of each part end."""
        ends = np.concatenate([np.zeros(1, dtype=np.int64), ends])
        if self._owner is None:
            return ends
        return ends[np.searchsorted(self._owner, np.arange(self._n_documents + 1))]


class _Table:
    """One thread's table from pieces to ids (toktk.kernels.piece_lookup)."""

    def __init__(self, model: Model | _Numbers | Float32Pieces, limits: Limits) -> None:
        from toktk.kernels import piece_lookup
        from toktk.kernels.scan import BLOCK, workspace

        self._kernels: Any = piece_lookup
        self._work = workspace()
        self._ends = np.empty(BLOCK + limits.block, dtype=np.int64)
        self._model = model
        self._limits = limits
        self._slots = np.zeros(4 * limits.first_slots, dtype=np.uint64)
        self._expected = 0
        self._arena = np.empty(256, dtype=np.uint8)
        self._pool = np.empty(256, dtype=np.uint32)
        self._todo = np.empty(
            (max(limits.todo, piece_lookup.BLOCK), piece_lookup.TODO_SIZE), dtype=np.int64
        )
        self._keys = np.empty(4 * piece_lookup.BLOCK + 4, dtype=np.uint64)
        self._state = np.zeros(piece_lookup.STATE_SIZE, dtype=np.int64)

    def encode(self, source: _Source, first: int, last: int, keep: bool) -> tuple[Ids, Int64]:
        """Return the ids of parts first..last - 1 (none unless `keep`), and where each's end."""
        n = int(source.offsets[last] - source.offsets[first])
        k, state = self._kernels, self._state
        # Different pieces grow as the root of the text, nearly: room for those of English or code.
        self._expected = 1 << int(24 * n**0.5).bit_length()
        out = np.empty((n // 2 if keep else 2 * self._limits.block) + 1024, dtype=np.uint32)
        ends = np.empty(last - first, dtype=np.int64)
        state[k.WRITTEN :] = 0
        if source.tables is not None:
            offsets = source.offsets[first : last + 1]
            out = self._cut_and_walk(source, offsets, out, ends, keep)
        else:
            for block in source.blocks(first, last, self._work, self._ends):
                ends[block.part : block.part + block.lasts.size] = block.lasts
                out = self._walk(block, out, ends, block.part + block.lasts.size, keep)
        # In place: of the room that was not needed, nothing was ever touched.
        out.resize(int(state[k.WRITTEN]) if keep else 0, refcheck=False)
        return out, ends

    def _cut_and_walk(
        self, source: _Source, offsets: Int64, out: Ids, ends: Int64, keep: bool
    ) -> Ids:
        """Append the ids of whole documents to `out`, or to what takes its place."""
        from toktk.kernels.scan import rewind

        rewind(offsets, self._work)
        while True:
            self._kernels.cut_and_walk(
                source.data, offsets, source.tables, self._work, self._limits.longest, self._slots,
                self._shift, self._arena, self._pool, out, ends, self._todo, self._keys,
                self._ends, self._state,
            )  # fmt: skip
            out, is_done = self._make_room(source.data, out, ends, keep)
            if is_done:
                return out

    def _walk(self, block: _Block, out: Ids, doc_ends: Int64, n: int, keep: bool) -> Ids:
        """Append the ids of a block to `out`, or to what takes its place.

        ``doc_ends[:n]``, from the first on that is not done yet, are ends of documents among the pieces of
        the block, and become those among all ids.
        """
        k, state = self._kernels, self._state
        state[k.PIECE], state[k.START], state[k.N_PIECES] = 0, block.start, block.ends.size
        state[k.CUT] = n
        while True:
            k.walk(
                block.data, block.ends, self._limits.longest, self._slots, self._shift, self._arena,
                self._pool, out, doc_ends, self._todo, self._keys, state,
            )  # fmt: skip
            out, is_done = self._make_room(block.data, out, doc_ends, keep)
            if is_done:
                return out

    def _make_room(self, data: Bytes, out: Ids, doc_ends: Int64, keep: bool) -> tuple[Ids, bool]:
        """Settle what waits, and make room for more; return `out`, and whether all pieces are done."""
        k, state = self._kernels, self._state
        n = min(k.BLOCK, int(state[k.N_PIECES] - state[k.PIECE]))
        is_full = n > 0 and int(state[k.USED]) + n > self._slots.size // 8
        grows = is_full and (self._slots.size // 4 < self._limits.max_slots or not state[k.USED])
        if state[k.PATCHES] or grows:
            out = self.settle(data, out, doc_ends, grows)
        if is_full and not grows:
            self._empty()
        if not keep:
            state[k.BASE] += state[k.WRITTEN]
            state[k.WRITTEN] = 0
        if n == 0:
            return out, True
        return _at_least(out, int(state[k.WRITTEN]) + n * max(int(state[k.MOST]), 3) + 4), False

    @property
    def _shift(self) -> np.uint64:
        return np.uint64(64 - (self._slots.size // 4).bit_length() + 1)

    def settle(self, data: Bytes, out: Ids, doc_ends: Int64, grows: bool) -> Ids:
        """Have the model encode the new pieces, and enter them, into a larger table if it `grows`."""
        k, state, todo = self._kernels, self._state, self._todo
        offsets = np.empty(int(state[k.MISSES]) + 1, dtype=np.int64)
        packed = np.empty(int(state[k.MISSED_BYTES]), dtype=np.uint8)
        k.gather(data, todo, offsets, packed)
        ids, ends = self._model.encode_pieces(packed, offsets)
        self._arena = _at_least(self._arena, int(state[k.ARENA_USED]) + packed.size)
        self._pool = _at_least(self._pool, int(state[k.POOL_USED]) + ids.size)
        slots = self._slots
        if grows:
            n_slots = max(2 * slots.size // 4, min(self._expected, self._limits.max_slots))
            self._slots = large_zeros(4 * n_slots)
        while True:
            size = k.settle(
                packed, offsets, ids, ends, slots, self._slots, self._shift, self._arena, self._pool, out,
                doc_ends, todo, state,
            )  # fmt: skip
            if size <= out.size:
                break
            out = _at_least(out, size)
        limits = self._limits
        if state[k.ARENA_USED] > limits.max_arena or state[k.POOL_USED] > limits.max_pool:
            self._empty()
        return out

    def _empty(self) -> None:
        self._slots[:] = 0
        self._state[: self._kernels.WRITTEN] = 0


class _FollowingTable(_Table):
    """One thread's table where what is before a piece in its document can decide its ids."""

    def __init__(self, pieces: Float32Pieces, limits: Limits) -> None:
        super().__init__(pieces, replace(limits, longest=min(limits.longest, pieces.longest)))
        self._pieces = pieces
        self._headed = np.empty(256, dtype=np.uint32)

    def encode(self, source: _Source, first: int, last: int, keep: bool) -> tuple[Ids, Int64]:
        """See `_Table.encode`."""
        n = int(source.offsets[last] - source.offsets[first])
        out = np.empty((n // 2 if keep else self._limits.block) + 1024, dtype=np.uint32)
        ends = np.empty(last - first, dtype=np.int64)
        part, base, passed, written = -1, np.float32(0.0), 0, 0
        for block in source.blocks(first, last, self._work, self._ends):
            self._state[self._kernels.WRITTEN :] = 0
            positions = np.arange(block.ends.size + 1)
            self._headed = self._walk(block, self._headed, positions, positions.size, True)
            if not keep:
                passed, written = passed + written, 0
            if block.part != part:
                base = np.float32(0.0)
            out = _at_least(out, written + int(block.ends.max(initial=block.start)) - block.start)
            here = ends[block.part : block.part + block.lasts.size]
            base, written = self._pieces.follow(
                block.data, block.start, block.ends, positions, self._headed, block.lasts,
                base, out, written, here,
            )  # fmt: skip
            here += passed
            part = block.part + block.lasts.size - 1
        out.resize(written if keep else 0, refcheck=False)
        return out, ends


def _at_least(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array`, or a larger copy of it."""
    if array.size >= size:
        return array
    grown = np.empty(max(size, 2 * array.size), dtype=array.dtype)
    grown[: array.size] = array
    return grown


class _Numbers:
    """A model whose ids are the numbers of the pieces, in order of first appearance."""

    def __init__(self) -> None:
        self.data = [np.empty(0, dtype=np.uint8)]
        self.lengths = [np.zeros(1, dtype=np.int64)]
        self._n = 0

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """Give each piece the next number; all are new."""
        n = offsets.size - 1
        self.data.append(data)
        self.lengths.append(np.diff(offsets))
        self._n += n
        return np.arange(self._n - n, self._n, dtype=np.uint32), np.arange(1, n + 1)
