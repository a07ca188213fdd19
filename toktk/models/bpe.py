"""The BPE model: bytes, merges in order of rank, special tokens.

Ids have the order of Hugging Face's trainer: special tokens, then the 256 bytes in the order of the
characters that stand for them in byte-level vocabularies, then one id for each merge that spells something
new. Among equally frequent pairs the smaller pair of ids is merged, so both break ties alike.

The slow twin is `toktk.educational.encode`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import offsets_of, packed
from toktk.errors import TrainingError
from toktk.kernels.constants import NO_RANK
from toktk.models.model import ArrayModel, Bytes, Ids, Int64, checked_pieces, read_only

PairTable = tuple[Int64, npt.NDArray[np.uint64]]
Spelling = tuple[Int64, npt.NDArray[np.int32], bool, Int64]
PairLines = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32], npt.NDArray[np.uint32], np.uint64]
WholeTable = tuple[Int64, int, Bytes, Int64]
AloneTable = tuple[npt.NDArray[np.uint64], np.uint64, int]

_CERTAIN = 0x20000  # code points that are looked at; above it there are rare ideographs only


@functools.cache
def byte_characters() -> tuple[str, ...]:
    """Return the character that stands for each byte 0..255 in GPT-2's byte-level vocabularies.

    Printable Latin-1 characters stand for themselves, the others for U+0100 onwards, in byte order
    (Radford et al. 2019, the mapping of the published GPT-2 encoder).
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    shifted = iter(range(0x100, 0x200))
    return tuple(chr(b) if b in printable else chr(next(shifted)) for b in range(256))


def byte_order() -> list[int]:
    """Return the 256 bytes in the order of their ids: that of their characters."""
    characters = byte_characters()
    return sorted(range(256), key=lambda b: characters[b])


@dataclass(frozen=True, eq=False)
class BpeModel(ArrayModel):
    """Ranked merges over the complete byte alphabet.

    Attributes:
        special_tokens: ids 0, 1, …; merging never makes them, and text never holds them.
        merges: int64[n, 3]: left id, right id, new id, by rank.
    """

    merges: Int64

    kind: ClassVar[str] = "bpe"

    @functools.cached_property
    def byte_ids(self) -> Int64:
        """int64[256]: the id of each byte."""
        ids = np.empty(256, dtype=np.int64)
        ids[byte_order()] = np.arange(256) + len(self.special_tokens)
        return ids

    @property
    def base_size(self) -> int:
        """Ids before the first merge: special tokens and bytes."""
        return len(self.special_tokens) + 256

    @functools.cached_property
    def size_after(self) -> Int64:
        """int64[n + 1]: the vocabulary size after the first i merges.

        Not always ``base_size + i``: a merge may spell a token that exists.
        """
        highest = np.maximum.accumulate(np.append(self.base_size - 1, self.merges[:, 2]))
        return np.asarray(highest + 1, dtype=np.int64)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens and bytes included."""
        return int(self.size_after[-1])

    def merges_at(self, size: int) -> int:
        """Return how many merges a vocabulary of `size` ids has: the first that reach it, or all for all ids.

        The last merges may spell tokens that exist.

        Raises:
            TrainingError: `size` is below the alphabet or above the vocabulary.
        """
        if not self.base_size <= size <= self.vocab_size:
            raise TrainingError(
                f"there is no vocabulary of {size:,} tokens here.",
                f"Found: {self.base_size:,} (special tokens and bytes) to {self.vocab_size:,}.",
            )
        if size == self.vocab_size:
            return len(self.merges)
        return int(np.searchsorted(self.size_after, size))

    def cut(self, size: int) -> BpeModel:
        """Return the model of the first `size` ids: what training to that size gives."""
        return BpeModel(self.special_tokens, self.merges[: self.merges_at(size)])

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether `other` is this model, trained further: at this size it has just these merges."""
        return (
            isinstance(other, BpeModel)
            and self.special_tokens == other.special_tokens
            and len(self.merges) <= len(other.merges)
            and np.array_equal(self.merges, other.merges[: len(self.merges)])
            and len(self.merges) == other.merges_at(self.vocab_size)
        )

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id; a special token's are its name in UTF-8."""
        data, offsets = self.packed_tokens
        whole = data.tobytes()
        return [whole[a:b] for a, b in itertools.pairwise(offsets.tolist())]

    @functools.cached_property
    def packed_tokens(self) -> tuple[Bytes, Int64]:
        """The bytes of each id, one after the other, and int64[ids + 1]: where they begin; see `tokens`."""
        from toktk.kernels.token_bytes import merged_bytes, merged_lengths

        alphabet = [bytes([b]) for b in byte_order()]
        given = packed([*(name.encode() for name in self.special_tokens), *alphabet])
        merges = read_only(self.merges, np.int64)
        lengths = np.zeros(max(self.vocab_size, given[1].size - 1), dtype=np.int64)
        lengths[: self.base_size] = np.diff(given[1])
        n = int(merged_lengths(merges, lengths, self.base_size))
        offsets = offsets_of(lengths[:n])
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        data[: given[0].size] = given[0]
        merged_bytes(merges, offsets, data, self.base_size)
        return data, offsets

    @functools.cached_property
    def pair_table(self) -> PairTable:
        """The merges as a hash table for toktk.kernels.bpe_encode."""
        return pair_table(self._pairs)

    @property
    def _pairs(self) -> Int64:
        ranks = np.arange(len(self.merges))
        return read_only(np.column_stack([self.merges[:, :3], ranks]), np.int64)

    @functools.cached_property
    def _spelling(self) -> Spelling:
        return byte_spelling(self._pairs, self.pair_table, self.byte_ids, self.vocab_size)

    @functools.cached_property
    def _lines(self) -> PairLines | None:
        return pair_lines(self._pairs, self.byte_ids, self.vocab_size)

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        none = read_only(np.empty(0), np.int64)
        whole = (none, -1, read_only(none, np.uint8), none)
        return encode_ranked(data, offsets, self._spelling, self.pair_table, self._lines, whole)

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids."""
        digest = hashlib.sha256(json.dumps(self.special_tokens).encode())
        digest.update(np.ascontiguousarray(self.merges).tobytes())
        return digest.hexdigest()


def pair_table(pairs: Int64) -> PairTable:
    """Return `pairs`, int64[n, 4]: left, right, new, rank, as a hash table; of equals the first counts."""
    from toktk.kernels.bpe_encode import empty_pair_table, fill_pair_table

    table: PairTable = empty_pair_table(len(pairs))
    fill_pair_table(pairs, table)
    return table


def byte_spelling(pairs: Int64, table: PairTable, byte_ids: Int64, n_ids: int) -> Spelling:
    """Return how pieces of bytes begin: a character that merging always makes is made at once."""
    from toktk.kernels.pairs import find_certain

    byte_ids = read_only(byte_ids, np.int64)
    ends = np.zeros(n_ids, dtype=np.bool_)
    as_left, as_right = np.full((2, n_ids), NO_RANK, dtype=np.int64)
    characters = np.full(_CERTAIN, -1, dtype=np.int32)
    symbols = np.empty(4, dtype=np.int64)
    find_certain(pairs, table, byte_ids, ends, as_left, as_right, characters, symbols)
    return byte_ids, read_only(characters, np.int32), False, first_pairs(table, byte_ids)


def first_pairs(table: PairTable | None, byte_ids: Int64) -> Int64:
    """Return int64[128 * 128]: what two ASCII characters merge to; unknown while `table` is None."""
    from toktk.kernels.bpe_encode import UNKNOWN
    from toktk.kernels.pairs import find_first

    first = np.full(128 * 128, UNKNOWN, dtype=np.int64)
    if table is not None:
        find_first(table, read_only(byte_ids, np.int64), first)
    return read_only(first, np.int64)


def pair_lines(pairs: Int64, byte_ids: Int64, n_ids: int) -> PairLines | None:
    """Return `pairs` as a table for toktk.kernels.bpe_lanes; None where it cannot hold them."""
    from toktk.kernels.bpe_lanes import MAX_PAIRS, NARROW, empty_pair_lines, fill_pair_lines

    if n_ids > NARROW or len(pairs) > MAX_PAIRS or (np.diff(pairs[:, 3]) <= 0).any():
        return None
    lines: PairLines = empty_pair_lines(len(pairs))
    fill_pair_lines(pairs, read_only(byte_ids, np.int64), lines)
    return lines


def encode_ranked(
    data: Bytes,
    offsets: Int64,
    spelling: Spelling,
    table: PairTable,
    lines: PairLines | None,
    whole: WholeTable,
    alone: AloneTable | None = None,
) -> tuple[Ids, Int64]:
    """Encode the pieces ``data[offsets[p]:offsets[p + 1]]`` by ranked pairs.

    `lines` is by `pair_lines`. `whole` is the hash table of the tokens that a piece becomes at once, the
    length of the longest in bytes, the bytes of all tokens and their offsets. `alone` is by
    `toktk.kernels.alone`.
    """
    from toktk.kernels.alone import empty_alone
    from toktk.kernels.bpe_encode import SHORT
    from toktk.kernels.bpe_lanes import RUN, empty_lanes, encode_side_by_side
    from toktk.kernels.pairs import encode_ranked_spans

    data, offsets, longest = checked_pieces(data, offsets)
    n_pieces = offsets.size - 1
    ids: Any = np.empty(data.size + 4 * min(n_pieces, RUN), dtype=np.uint32)
    ends = np.empty(n_pieces, dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, longest), dtype=np.int64)
    if lines is None:
        n = encode_ranked_spans(data, offsets, spelling, table, *whole, ids, ends, scratch)
    else:
        lanes, rest = empty_lanes(n_pieces), np.empty(min(n_pieces, RUN), dtype=np.uint32)
        alone = alone or empty_alone(0)
        n = encode_side_by_side(
            data, offsets, spelling, lines, table, whole, alone, ids, ends, scratch, lanes, rest
        )
    return ids[:n].copy(), ends
