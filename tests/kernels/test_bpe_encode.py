import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational
from toktk.kernels.bpe_encode import (
    NO_RANK,
    SHORT,
    empty_pair_table,
    encode_piece,
    fill_pair_table,
    find_merge,
    sweep_pieces,
)

BYTE_IDS = np.array(educational.byte_ids())


@st.composite
def merge_lists(draw, alphabet=b"ab "):
    """Any valid list: pairs of tokens that exist, so strings come twice and ranks in any order."""
    tokens = {bytes([b]): int(BYTE_IDS[b]) for b in alphabet}
    merges = []
    for _ in range(draw(st.integers(0, 12))):
        left, right = (draw(st.sampled_from(sorted(tokens))) for _ in "lr")
        pair = tokens[left], tokens[right]
        if pair in [merge[:2] for merge in merges]:
            continue
        new = tokens.setdefault(left + right, 256 + len(tokens) - len(alphabet))
        merges.append((*pair, new))
    return [merges[i] for i in draw(st.permutations(range(len(merges))))]


def table_of(merges):
    table = empty_pair_table(len(merges))
    pairs = [(*merge, rank) for rank, merge in enumerate(merges)]
    fill_pair_table(np.array(pairs, np.int64).reshape(-1, 4), table)
    return table


def scratch_for(*lengths):
    return np.empty(8 * max(SHORT, *lengths), np.int64)


def encode(piece, merges):
    scratch = scratch_for(len(piece))
    data = np.frombuffer(b"xx" + piece + b"xx", np.uint8)
    n, n_applied = encode_piece(data, 2, len(piece), BYTE_IDS, table_of(merges), scratch)
    assert n_applied == len(piece) - n
    return scratch[:n].tolist(), (scratch[scratch.size // 8 :][:n_applied] >> 32).tolist()


@given(merge_lists())
def test_look_up_of_every_pair(merges):
    table = table_of(merges)
    listed = {merge[:2]: (rank, merge[2]) for rank, merge in enumerate(merges)}
    ids = [*BYTE_IDS[list(b"ab ")], *range(256, 270)]
    for a in ids:
        for b in ids:
            found = int(find_merge(table, a, b))
            assert (found >> 32, found & 0xFFFFFFFF) == listed.get((a, b), (NO_RANK, 0))


def test_first_of_two_equal_pairs_counts():
    table = table_of([(1, 2, 300), (2, 1, 301), (1, 2, 302)])
    assert int(find_merge(table, 1, 2)) == 300


@given(st.lists(st.sampled_from(b"ab "), max_size=40).map(bytes), merge_lists())
def test_short_piece_equals_the_reference(piece, merges):
    assert encode(piece, merges)[0] == educational.encode(piece, merges)


@given(
    st.lists(st.sampled_from([b"a", b"b", b"ab", b"aaaa", b" "]), min_size=40, max_size=90),
    st.integers(SHORT - 2, SHORT + 60),
    merge_lists(),
)
@example([b"a"] * 80, SHORT, [(65, 65, 256), (256, 256, 257), (256, 65, 258)])
def test_long_piece_equals_the_reference(parts, length, merges):
    # On both sides of the length at which the heap takes over.
    piece = (b"".join(parts) * 4)[:length]
    assert encode(piece, merges)[0] == educational.encode(piece, merges)


def test_ranks_are_those_of_the_merges_applied_in_order():
    a = int(BYTE_IDS[ord("a")])
    merges = [(256, 256, 257), (a, a, 256), (257, a, 258)]
    for n in (5, SHORT + 1):
        ids, ranks = encode(b"a" * n, merges)
        assert sorted(ranks) == sorted([1] * (n // 2) + [0] * (n // 4) + [2])
        assert ranks[:3] == [1, 1, 0]
        assert ids[-1] == 258


pieces = st.dictionaries(
    st.lists(st.sampled_from(b"ab "), min_size=1, max_size=12).map(bytes),
    st.dictionaries(st.integers(0, 2), st.integers(1, 2**40), min_size=1),
    max_size=6,
)


@given(pieces, merge_lists(), st.integers(0, 2))
def test_sweep_equals_one_encoding_for_each_number_of_merges(pieces, merges, room):
    swept = sweep(pieces, merges, room)
    for k in range(len(merges) + 1):
        tokens, single, ids = np.zeros(3, int), np.zeros(3, int), np.zeros(300, int)
        for piece, counts in pieces.items():
            encoded = educational.encode(piece, merges[:k])
            for group, count in counts.items():
                tokens[group] += len(encoded) * count
                single[group] += (len(encoded) == 1 and b"a" in piece) * count
                np.add.at(ids, encoded, count)
        assert (swept.bytes - swept.merged[:k].sum(axis=0)).tolist() == tokens.tolist()
        assert (swept.single_bytes + swept.single[:k].sum(axis=0)).tolist() == single.tolist()
        assert swept.token_counts(merges[:k]).tolist() == ids.tolist()
        for piece, merged, ids in zip([*pieces][1:], swept.asked, swept.ids_of(k), strict=False):
            encoded = educational.encode(piece, merges[:k])
            assert len(piece) - merged[: k + 1].sum() == len(encoded)
            assert ids[: len(encoded)] == encoded


def test_ids_of_a_long_piece_at_every_size():
    merges = [(64, 64, 256), (256, 256, 257), (257, 64, 258), (258, 256, 259)]
    piece = b"a" * (2 * SHORT) + b"b" * 3
    swept = sweep({b"b": {0: 1}, piece: {0: 1}}, merges, 9)
    for k in range(len(merges) + 1):
        encoded = educational.encode(piece, merges[:k])
        assert swept.ids_of(k)[0][: len(encoded)] == encoded


class sweep:
    """Run the kernel with a row for each merge; piece "a…" counts as a word."""

    def __init__(self, pieces, merges, room):
        data = np.frombuffer(b"".join(pieces), np.uint8)
        offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        rows = np.cumsum([0, *map(len, pieces.values())], dtype=np.int64)
        groups = np.array([g for counts in pieces.values() for g in counts], np.int32)
        counts = np.array([n for counts in pieces.values() for n in counts.values()], np.int64)
        words = np.array([b"a" in piece for piece in pieces], np.uint8)
        n = len(merges)
        self.bytes = np.zeros(3, np.int64)
        for piece, by_group in pieces.items():
            for group, count in by_group.items():
                self.bytes[group] += len(piece) * count
        self.asked = np.full((len(pieces), n + 1), -9, np.int32)
        # The first piece is not chosen.
        self.first_of = np.full((n + 1, max(len(pieces) - 1, 0)), -1, np.int64)
        spelled = np.ones(self.first_of.shape[1], np.uint8)
        self.ids = np.full(7 + (n + 1) * sum(map(len, pieces)), 999, np.uint32)
        new_of = np.array([merge[2] for merge in merges], np.int64)
        while True:
            self.merged, self.single = np.zeros((n, 3), np.int64), np.zeros((n, 3), np.int64)
            self.single_bytes, self.applied = np.zeros(3, np.int64), np.zeros(n, np.int64)
            self.byte_counts, self.late = np.zeros(256, np.int64), np.empty((room, 3), np.int64)
            needed = sweep_pieces(
                data, offsets, 0, len(pieces), rows, groups, counts, words, BYTE_IDS,
                table_of(merges), np.arange(n, dtype=np.int32), self.merged, self.single,
                self.single_bytes, self.applied, self.byte_counts, self.late,
                np.arange(-1, len(pieces) - 1, dtype=np.int32),
                np.arange(1, n + 1, dtype=np.int32), self.asked, spelled, new_of,
                self.first_of, self.ids, 7,
                scratch_for(0, *map(len, pieces)),
            )  # fmt: skip
            if needed <= room:
                break
            room = needed
        self.late = self.late[:needed]

    def ids_of(self, k):
        """The ids of each chosen piece under the first k merges, and what comes after them."""
        return [self.ids[first:].tolist() for first in self.first_of[k]]

    def token_counts(self, merges):
        counts = np.zeros(300, np.int64)
        counts[BYTE_IDS] = self.byte_counts
        times = self.applied[: len(merges)].copy()
        for last, rank, count in self.late.tolist():
            assert last > rank
            if last < len(merges):
                times[rank] += count
        for (left, right, new), n in zip(merges, times.tolist(), strict=True):
            counts[new] += n
            counts[left] -= n
            counts[right] -= n
        return counts
