import itertools

import numba
import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.arrays import packed
from toktk.kernels import count as k
from toktk.kernels.scan import BLOCK
from toktk.pieces import counter
from toktk.pieces.counter import GroupTotals
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer

SLOW = bool(numba.config.DISABLE_JIT)
WORDS = Pretokenizer("tested", r"[^ \n]+|\s")
texts = st.one_of(st.text("ab \n"), st.text("a é東😀\0"), st.text(st.characters(codec="utf-8")))
documents = st.lists(st.tuples(texts, st.integers(0, 2), st.integers(0, 2**33)), max_size=6)


@pytest.fixture(autouse=True)
def tiny_tables(monkeypatch):
    """Begin with room for next to nothing, so that every test goes through growth."""
    monkeypatch.setattr(counter, "_FIRST_SLOTS", 1)


def span_arrays(parts):
    return np.frombuffer(b"".join(parts), np.uint8), np.cumsum(
        [0, *map(len, parts)], dtype=np.int64
    )


class ByArrays(counter.Counter):
    """A counter driven by arrays instead of record batches."""

    def __init__(self, pretokenizer=WORDS):
        super().__init__(pretokenizer)
        self._arena = np.empty(1, np.uint8)

    def documents(self, documents, before=b"", after=b""):
        data, offsets = span_arrays([text.encode() for text, _, _ in documents])
        data = np.concatenate(
            [np.frombuffer(before, np.uint8), data, np.frombuffer(after, np.uint8)]
        )
        groups = np.array([group for _, group, _ in documents], np.int32)
        weights = np.array([weight for _, _, weight in documents], np.int64)
        self._state[k.BEGUN :] = 0
        self._run(k.count_documents, data, offsets + len(before), groups, weights)
        return self

    def _run(self, kernel, data, offsets, groups, weights):
        tables = self._pretokenizer.compile().tables
        while self._grow(
            kernel(
                data, offsets, groups, weights, tables, self._slots, self._arena, self._state,
                self._work, self._ends, self._keys,
            ),
            int(offsets[-1] - offsets[0]),
        ):  # fmt: skip
            pass

    def table(self):
        totals = GroupTotals(by_group=True)
        totals._numbered(["g0", "g1", "g2"])
        return super().table(totals)

    def spans(self, parts, groups, counts):
        data, offsets = span_arrays(parts)
        self.add_spans(data, offsets, np.array(groups, np.int32), np.array(counts, np.int64))
        return self


def expected(documents, pattern=WORDS.pattern):
    return reference.count_pieces(pattern, [(text, f"g{group}", n) for text, group, n in documents])


@given(documents, st.binary(max_size=9), st.binary(max_size=9))
@example([("", 0, 1), ("a" * 17, 0, 1), ("a" * 17, 1, 5), ("b" * 17, 0, 2)], b"", b"")
def test_documents_equal_the_reference(documents, before, after):
    table = ByArrays().documents(documents, before, after).table()
    assert table.to_dict() == expected(documents)


@given(st.lists(documents, max_size=4))
def test_batches_add_up(batches):
    tested = ByArrays()
    for batch in batches:
        tested.documents(batch)
    assert tested.table().to_dict() == expected([d for batch in batches for d in batch])


LENGTHS = [*range(1, 20), 31, 32, 33, 63, 64, 65, 255, 256, 257]


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_pieces_of_every_length_wherever_they_lie(place):
    # Of equal length they differ in the first byte or the last alone; NUL bytes are not padding.
    ends = ("\0a", "aa", "ab", "a\0", "\0\0")
    text = " ".join(first * (n - 1) + last for n in LENGTHS for first, last in ends)
    shorter = {"start": 1, "middle": 7, "end": 40}[place]
    batch = [("x " * shorter, 0, 1), (text, 1, 3), (text + "tail" * (place == "end"), 1, 2)]
    assert ByArrays().documents(batch).table().to_dict() == expected(batch)


def test_a_piece_longer_than_all_buffers():
    n = BLOCK + 5 if SLOW else 5 * BLOCK
    batch = [("a" * n, 0, 1), ("a" * n, 1, 2), ("a" * (n - 1) + "b", 0, 1), ("a", 0, 1)]
    assert ByArrays().documents(batch).table().to_dict() == expected(batch)


def test_many_distinct_pieces():
    n = 300 if SLOW else 60_000
    starts = [(group, start) for group in range(3) for start in (0, 7)]
    batch = [(" ".join(map(str, range(i, i + n // 3))), group, 1) for group, i in starts]
    assert ByArrays().documents(batch).table().to_dict() == expected(batch)


@given(
    st.lists(
        st.tuples(st.binary(max_size=40), st.integers(0, 2), st.integers(0, 2**33)), max_size=20
    )
)
def test_ready_spans_equal_a_sum(spans):
    table = ByArrays().spans(*(zip(*spans, strict=True) if spans else ([], [], []))).table()
    sums = {}
    for part, group, count in spans:
        if part and count:
            sums[part, f"g{group}"] = sums.get((part, f"g{group}"), 0) + count
    assert table.to_dict() == sums
    assert len({table.piece(p) for p in range(len(table))}) == len(table)


@given(documents, documents)
def test_tables_add_up(one, other):
    tested = ByArrays()
    for batch in (one, other):
        table = ByArrays().documents(batch).table()
        tested.add_spans(
            table.data, table.offsets, table.entry_group, table.entry_count, table.rows
        )
    assert tested.table().to_dict() == expected(one + other)


@given(st.binary(max_size=40), st.binary(max_size=10), st.binary(max_size=10))
def test_hash_depends_on_the_bytes_alone(part, before, after):
    around = np.frombuffer(before + part + after, np.uint8)
    alone = np.frombuffer(part, np.uint8)
    assert k.hash_bytes(around, len(before), len(part)) == k.hash_bytes(alone, 0, len(part))


def test_hash_tells_lengths_and_places_apart():
    zeros = np.zeros(64, np.uint8)
    assert len({int(k.hash_bytes(zeros, 0, n)) for n in range(65)}) == 65
    found = set()
    for i, value in itertools.product(range(40), (1, 128, 255)):
        data = np.zeros(40, np.uint8)
        data[i] = value
        found.add(int(k.hash_bytes(data, 0, 40)))
    assert len(found) == 120


@given(st.lists(st.integers(0, 5), max_size=30))
def test_counting_sort_is_stable(keys):
    starts = np.cumsum([0, *np.bincount(keys, minlength=6)]) if keys else np.zeros(7, np.int64)
    order = np.empty(len(keys), np.int64)
    k.counting_sort(np.array(keys, np.int32), starts.astype(np.int64), order)
    assert order.tolist() == sorted(range(len(keys)), key=keys.__getitem__)


def test_table_is_well_formed():
    table = ByArrays().documents([("a b a c", 2, 1), ("a", 0, 4), ("", 1, 9)]).table()
    assert isinstance(table, PieceTable)
    assert table.groups == ("g0", "g1", "g2")
    assert (table.entry_count > 0).all()
    assert table.rows[0] == 0
    assert table.rows[-1] == table.entry_group.size == table.entry_count.size
    assert (np.diff(table.rows) > 0).all()


@given(st.lists(st.text("ab", max_size=9) | st.sampled_from(["", "a" * 40, "é" * 9]), max_size=300))
def test_equal_spans_have_the_same_number(spans):
    data, offsets = packed([span.encode() for span in spans])
    n = len(spans)
    heads = np.full(1 << max(n, 1).bit_length(), -1, np.int32)
    starts, following = np.empty((2, n), np.int64)
    piece_of, hashes = np.empty(n, np.int32), np.empty(k.BLOCK, np.uint64)
    found = k.number_pieces(data, offsets, heads, starts, following, hashes, piece_of)
    numbers = {}
    assert piece_of.tolist() == [numbers.setdefault(span, len(numbers)) for span in spans]
    assert found == len(numbers)
