"""Ranked pairs as the kernels take them: what the models that merge by rank share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.models.model import Bytes, Ids, Int64, checked_pieces, read_only

PairTable = tuple[Int64, npt.NDArray[np.uint64]]
Spelling = tuple[Int64, npt.NDArray[np.int32], bool, Int64]
WholeTable = tuple[Int64, int, Bytes, Int64]

CERTAIN = 0x20000  # code points that are looked at; above it there are rare ideographs only


def pair_table(pairs: Int64) -> PairTable:
    """Return int64[n, 4], left, right, new, rank, as a hash table; of equal pairs the first counts."""
    from toktk.kernels.bpe_encode import empty_pair_table, fill_pair_table

    table: PairTable = empty_pair_table(len(pairs))
    fill_pair_table(pairs, table)
    return table


def byte_spelling(pairs: Int64, table: PairTable, byte_ids: Int64, n_ids: int) -> Spelling:
    """Return how pieces of bytes begin: characters that merging always makes are made at once."""
    from toktk.kernels.bpe_encode import NO_RANK
    from toktk.kernels.pairs import find_certain

    byte_ids = read_only(byte_ids, np.int64)
    ends = np.zeros(n_ids, dtype=np.bool_)
    as_left, as_right = np.full((2, n_ids), NO_RANK, dtype=np.int64)
    characters = np.full(CERTAIN, -1, dtype=np.int32)
    find_certain(pairs, table, byte_ids, ends, as_left, as_right, characters)
    return byte_ids, read_only(characters, np.int32), False, _first(table, byte_ids)


def character_spelling(
    characters: npt.NDArray[np.int32], table: PairTable | None, byte_ids: Int64
) -> Spelling:
    """Return how pieces begin as `characters`, by code point, or as their bytes; see toktk.kernels.pairs.

    `table` is None while it is being filled.
    """
    byte_ids = byte_ids.copy()
    ascii_ids = characters[:128]
    byte_ids[: ascii_ids.size][ascii_ids >= 0] = ascii_ids[ascii_ids >= 0]
    return (
        read_only(byte_ids, np.int64),
        read_only(characters, np.int32),
        True,
        _first(table, byte_ids),
    )


def _first(table: PairTable | None, byte_ids: Int64) -> Int64:
    from toktk.kernels.bpe_encode import UNKNOWN
    from toktk.kernels.pairs import find_first

    first = np.full(128 * 128, UNKNOWN, dtype=np.int64)
    if table is not None:
        find_first(table, read_only(byte_ids, np.int64), first)
    return read_only(first, np.int64)


def encode_ranked(
    data: Bytes, offsets: Int64, spelling: Spelling, table: PairTable, whole: WholeTable
) -> tuple[Ids, Int64]:
    """Encode the pieces ``data[offsets[p]:offsets[p + 1]]``; see `toktk.models.model.Model`.

    `whole`: the hash table of tokens that a piece becomes at once, the bytes of the longest, the bytes of
    all tokens and their offsets.
    """
    from toktk.kernels.bpe_encode import SHORT
    from toktk.kernels.pairs import encode_ranked_spans

    data, offsets, longest = checked_pieces(data, offsets)
    ids: Any = np.empty(data.size, dtype=np.uint32)
    ends = np.empty(offsets.size - 1, dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, longest), dtype=np.int64)
    n = encode_ranked_spans(data, offsets, spelling, table, *whole, ids, ends, scratch)
    return ids[:n].copy(), ends
