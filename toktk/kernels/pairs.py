"""Encoding by pairs with ranks of their own: pieces that begin as bytes or characters, whole tokens.

A spelling is how a piece becomes its first symbols: ``(byte_ids, characters, anywhere, first)``. ``byte_ids``
(int64[256]) has the symbol of each byte, ``characters`` (int32, by code point) that of each character above
U+007F which is one, -1 elsewhere. Where `anywhere` is not set it counts only at the beginning or after a byte
above 0x7F: so `find_certain` finds them. All else begins as its bytes, and so does what is no
UTF-8. ``first`` (int64[128 * 128]) knows the merge of any two ASCII bytes, or says UNKNOWN.

The slow twin is `toktk.educational.apply_merges`.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.bpe_encode import (
    UNKNOWN,
    enter_pair,
    find_merge,
    merge_symbols,
)
from toktk.kernels.constants import NO_RANK
from toktk.kernels.memory import are_equal, character, hash_bytes


@kernel
def _token_slot(data, start, n, table, token_data, offsets):
    """Return the slot of the token ``data[start:start + n]``, or the free one where it would be."""
    mask = table.size - 1
    s = np.int64(hash_bytes(data, start, n) & np.uint64(mask))
    while table[s] != -1:
        begin, end = offsets[table[s]], offsets[table[s] + 1]
        if end - begin == n and are_equal(data, start, token_data, begin, n):
            break
        s = (s + 1) & mask
    return s


@kernel
def fill_token_table(entered, data, offsets, table):
    """Enter the tokens of the ids `entered`, by their bytes ``data[offsets[id]:offsets[id + 1]]``.

    `table` (int64, a power of two > entered.size) holds ids, -1 where free. Returns the first id
    whose bytes are there already, or -1.
    """
    for i in range(entered.size):
        start = offsets[entered[i]]
        s = _token_slot(data, start, offsets[entered[i] + 1] - start, table, data, offsets)
        if table[s] != -1:
            return entered[i]
        table[s] = entered[i]
    return -1


@kernel
def find_token(data, start, n, table, token_data, offsets):
    """Return the id of the token ``data[start:start + n]``, or -1; `table` by `fill_token_table`."""
    return table[_token_slot(data, start, n, table, token_data, offsets)]


@kernel
def find_tokens(data, starts, table, token_data, offsets, ids):
    """Look up each span ``data[starts[i]:starts[i + 1]]``; write its id, or -1, to `ids`."""
    for i in range(ids.size):
        n = starts[i + 1] - starts[i]
        ids[i] = find_token(data, starts[i], n, table, token_data, offsets)


@kernel
def spell(data, start, n, spelling, scratch):
    """Write the first symbols of a piece and what merges them (see `merge_symbols`); return how many."""
    byte_ids, characters, anywhere, first = spelling
    values = scratch[2 * (scratch.size >> 3) : 3 * (scratch.size >> 3)]
    i, stop, m = start, start + n, 0
    while i < stop:
        byte = np.int64(data[i])
        if byte < 0x80:
            scratch[m], values[m] = byte_ids[byte], UNKNOWN
            if i + 1 < stop and data[i + 1] < 0x80:
                values[m] = first[byte << 7 | np.int64(data[i + 1])]
            m += 1
            i += 1
            continue
        width, symbol = 1, np.int64(-1)
        if anywhere or i == start or data[i - 1] >= 0x80:
            code, width = character(data, i, stop)
            if 0 <= code < characters.size:
                symbol = np.int64(characters[code])
        if symbol >= 0:
            scratch[m], values[m] = symbol, UNKNOWN
            m += 1
        else:
            for k in range(width):
                scratch[m], values[m] = byte_ids[data[i + k]], UNKNOWN
                m += 1
        i += width
    return m


@kernel
def find_first(table, byte_ids, first):
    """Fill the last part of a spelling: what `find_merge` says of any two ASCII bytes."""
    for a in range(128):
        for b in range(128):
            first[a << 7 | b] = find_merge(table, byte_ids[a], byte_ids[b])


@kernel
def find_certain(pairs, table, byte_ids, ends, as_left, as_right, characters, symbols):
    """Find the characters that the merges of pieces of bytes always make, except after ASCII.

    Such a character can be there from the beginning. While its bytes are not one symbol yet, the
    lowest rank among them is below that of any pair of its first or last symbol with a neighbor, so
    no neighbor takes a part of it. Nor does it come too early: what would merge with it has a
    higher rank than the merges that make it. The exception is there because first bytes often merge
    with a space.

    Args:
        pairs: int64[n, 4], all in `table`.
        ends: bool[ids], all False: whether a symbol may end in a byte above 0x7F.
        as_left, as_right: int64[ids], all NO_RANK: the least rank of a symbol's pairs on either side.
        characters: int32, all -1: the symbol of each code point that is such a character.
        symbols: int64[4], scratch.
    """
    for byte in range(0x80, 0x100):
        ends[byte_ids[byte]] = True
    is_changing = True
    while is_changing:
        is_changing = False
        for i in range(pairs.shape[0]):
            if ends[pairs[i, 1]] and not ends[pairs[i, 2]]:
                ends[pairs[i, 2]] = is_changing = True
    for i in range(pairs.shape[0]):
        left, right, rank = pairs[i, 0], pairs[i, 1], pairs[i, 3]
        as_left[left] = min(as_left[left], rank)
        if ends[left]:
            as_right[right] = min(as_right[right], rank)
    for code in range(0x80, characters.size):
        characters[code] = _certain(code, table, byte_ids, as_left, as_right, symbols)


@kernel
def _certain(code, table, byte_ids, as_left, as_right, symbols):
    """Return the symbol that the bytes of a character always become, or -1; `symbols` is scratch."""
    n = 2 if code < 0x800 else 3 if code < 0x10000 else 4
    symbols[0] = byte_ids[(0xF00 >> n) & 0xFF | (code >> (6 * (n - 1)))]
    for k in range(1, n):
        symbols[k] = byte_ids[0x80 | ((code >> (6 * (n - 1 - k))) & 0x3F)]
    top = np.int64(-1)
    while n > 1:
        best, at = np.int64(NO_RANK) << 32, 0
        for k in range(n - 1):
            value = find_merge(table, symbols[k], symbols[k + 1])
            if value >> 32 < best >> 32:
                best, at = value, k
        rank = best >> 32
        if rank == NO_RANK or rank >= as_right[symbols[0]] or rank >= as_left[symbols[n - 1]]:
            return np.int64(-1)
        top = max(top, rank)
        symbols[at] = best & 0xFFFFFFFF
        n -= 1
        for k in range(at + 1, n):
            symbols[k] = symbols[k + 1]
    only = symbols[0]
    return only if top < min(as_left[only], as_right[only]) else np.int64(-1)


@kernel
def encode_ranked_spans(data, offsets, spelling, table, whole, longest, token_data, token_offsets, ids,
                        ends, scratch):  # fmt: skip
    """Encode each span; write ids one after the other and where each span's ids end; return how many.

    A span of at most `longest` bytes that equals a token of `whole` (by `fill_token_table`) is that
    token. `ids` (uint32) has room for all bytes; `scratch` is as for `encode_piece`.
    """
    k = 0
    for p in range(offsets.size - 1):
        start, n = offsets[p], offsets[p + 1] - offsets[p]
        token = np.int64(-1)
        if n <= longest:
            token = np.int64(find_token(data, start, n, whole, token_data, token_offsets))
        if token >= 0:
            ids[k] = token
            k += 1
        else:
            m = spell(data, start, n, spelling, scratch)
            m, _ = merge_symbols(table, m, scratch)
            for i in range(m):
                ids[k] = scratch[i]
                k += 1
        ends[p] = k
    return k


@kernel
def list_last_pairs(order, data, offsets, ranks, spelling, table, pairs, scratch):
    """Find the pair that makes each token, under the rule that any two neighbors merge that spell one.

    `order` holds the ids that merging may make, shorter tokens first. Each token is encoded by the
    pairs found so far; where two symbols are left, they are its pair
    (`toktk.models.pairs.last_pairs` has the proof). `table` must be empty and large enough for
    `order`; `pairs` is int64[order.size, 4]. Returns how many pairs there are.
    """
    n_pairs = 0
    for at in range(order.size):
        token = order[at]
        start = offsets[token]
        n = spell(data, start, offsets[token + 1] - start, spelling, scratch)
        if n < 2:
            continue
        n, _ = merge_symbols(table, n, scratch)
        if n == 2:
            pairs[n_pairs, 0], pairs[n_pairs, 1] = scratch[0], scratch[1]
            pairs[n_pairs, 2], pairs[n_pairs, 3] = token, ranks[token]
            enter_pair(table, scratch[0], scratch[1], ranks[token], token)
            n_pairs += 1
    return n_pairs


@kernel
def list_last_ranks(order, data, offsets, spelling, table, ranks, scratch):
    """Write the rank of the last merge when each token of `order` is encoded alone; -1: it is not one token.

    `ranks` is int64[order.size]; `scratch` is as for `encode_piece`.
    """
    applied = scratch[scratch.size >> 3 :]
    for at in range(order.size):
        start = offsets[order[at]]
        n = spell(data, start, offsets[order[at] + 1] - start, spelling, scratch)
        ranks[at] = -1
        if n > 1:
            n, n_applied = merge_symbols(table, n, scratch)
            if n == 1 and scratch[0] == order[at]:
                ranks[at] = applied[n_applied - 1] >> 32
