"""Encoding many short pieces side by side, so that they wait for the table of pairs together.

Each lane holds a piece of fewer than `WIDTH` symbols. In turn, all lanes apply their next merge and ask for
the slots of the two pairs that it makes; then all lanes read these slots. One piece alone waits for memory
at each merge, and a wrong guess of the processor undoes all that it has done ahead; here next to nothing
depends on a guess.

The pairs must be in the order of their ranks, of which no two are equal, and ids below `NARROW`.

The slow twin is `toktk.kernels.pairs.encode_ranked_spans`, which also takes the longer pieces.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.alone import take_alone
from toktk.kernels.bpe_encode import merge_symbols
from toktk.kernels.memory import character, prefetch
from toktk.kernels.pairs import find_token, spell
from toktk.kernels.vectors import TAG_SHIFT, least_of_16, tag_of_8

NARROW = 2**21 - 1  # ids are below it, so that two and an index make 64 bits
MAX_PAIRS = 2**22 - 2
LANES = 32
RUN = 1 << 14  # pieces whose ids lie apart before they are moved together
AHEAD = 16  # lines fetched before their turn
WIDTH = 16  # keys of a lane; a power of two, as keys end in a position
NO_BIT = 27
NO_INDEX = 2**NO_BIT  # of pairs that do not merge: more than any index

_M1 = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(n) for n in range(1, 5))
_SEVEN, _EIGHT = np.uint64(7), np.uint64(8)
_WIDTH, _LAST = np.uint64(WIDTH), np.uint64(WIDTH - 1)
_NONE, _NO_KEY = np.uint64(NO_INDEX), np.uint64(NO_INDEX << 4)
_ID_BITS, _TAG = np.uint64(21), np.uint64(TAG_SHIFT)
_NO_BIT, _INDEX = np.uint64(NO_BIT), np.uint64(2**TAG_SHIFT - 1)
_FREE = ~np.uint64(0)
_END = NARROW  # stands after the last symbol of a piece; two of them would look like a free slot

# A lane is uint32[_SIZE]: symbols; keys, which are the index of the merge with the next symbol << 4 |
# position; the positions before and after each, in a ring; the lines of slots that are asked for, and for
# which positions; its piece, how many symbols are left, and how many pairs are asked for.
_KEYS, _BEFORE, _AFTER, _LINES, _ASKED = (np.uint64(WIDTH * n) for n in range(1, 6))
_PIECE, _LEFT, _N_ASKED, _SIZE = (np.uint64(WIDTH * 6 + n) for n in (0, 1, 2, 32))
_NO_PIECE = np.uint64(2**32 - 1)
_LATER = -1  # in place of a count


def empty_lanes(n_pieces: int) -> np.ndarray:
    """Return scratch for `encode_side_by_side`: lanes without pieces, in whole cache lines."""
    size = min(LANES, n_pieces) * int(_SIZE)
    lanes = np.empty(size + 16, dtype=np.uint32)
    start = -lanes.__array_interface__["data"][0] // 4 % 16
    return lanes[start : start + size]


def empty_pair_lines(n_pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.uint64]:
    """Return a table for `n_pairs` at most: (slots, products, first, shift).

    Slots, uint64[power of two], in cache lines of eight, hold a pair as left << 21 | right, its tag, and its
    index below that; all bits are set where one is free. A pair's line is the hash of its tag >> shift, or
    the next one that has room. Products, uint32, are what pairs make, by index. First, uint32[128 * 128], has
    the index of the pair of any two ASCII bytes, or `NO_INDEX`.
    """
    n_bits = max(2 * n_pairs, 16).bit_length()
    slots = np.full((1 << n_bits) + 8, _FREE)
    start = -slots.__array_interface__["data"][0] // 8 % 8
    return (
        slots[start : start + (1 << n_bits)],
        np.empty(max(n_pairs, 1), dtype=np.uint32),
        np.empty(128 * 128, dtype=np.uint32),
        np.uint64(64 + 3 - n_bits),
    )


@inlined
def tag_of(a, b):
    """Return what a slot holds of a pair."""
    return np.uint64(a) << _ID_BITS | np.uint64(b)


@inlined
def line_of(tag, shift):
    """Return where the line of slots begins in which a tag is looked for first."""
    return (tag * _M1 >> shift) << _THREE


@kernel
def _look_on(slots, s, tag):
    """Return the index of the pair with this tag, looked for from a slot on, or NO_INDEX."""
    mask = np.uint64(slots.size - 1)
    while slots[s] != _FREE:
        if slots[s] >> _TAG == tag:
            return slots[s] & _INDEX
        s = (s + _ONE) & mask
    return _NONE


@kernel
def fill_pair_lines(pairs, byte_ids, lines):
    """Enter each row (left, right, new, …) of `pairs` by its index; the first of two equal pairs counts."""
    slots, products, first, shift = lines
    mask = np.uint64(slots.size - 1)
    for i in range(pairs.shape[0]):
        soon = min(i + AHEAD, pairs.shape[0] - 1)
        prefetch(slots, np.int64(line_of(tag_of(pairs[soon, 0], pairs[soon, 1]), shift)))
        tag = tag_of(pairs[i, 0], pairs[i, 1])
        s = line_of(tag, shift)
        while slots[s] != _FREE and slots[s] >> _TAG != tag:
            s = (s + _ONE) & mask
        if slots[s] == _FREE:
            slots[s] = tag << _TAG | np.uint64(i)
            products[i] = pairs[i, 2]
    for a in range(128):
        for b in range(128):
            tag = tag_of(byte_ids[a], byte_ids[b])
            first[a << 7 | b] = _look_on(slots, line_of(tag, shift), tag)


@inlined
def _ask(lines, lanes, base, q, left, right, position):
    """Note which line of slots may have the pair of the symbol at `position`, and fetch it."""
    line = line_of(tag_of(left, right), lines[3])
    prefetch(lines[0], np.int64(line))
    lanes[base + _LINES + q], lanes[base + _ASKED + q] = line, position


@inlined
def _read(lines, lanes, base, q):
    """Enter what the slots say that were asked for; no branch depends on it, but where a line is full."""
    slots = lines[0]
    at, line = np.uint64(lanes[base + _ASKED + q]), np.uint64(lanes[base + _LINES + q])
    right = lanes[base + np.uint64(lanes[base + _AFTER + at])]
    tag = tag_of(lanes[base + at], right)
    place = tag_of_8(slots, line, tag)
    is_none = place >> _THREE
    index = (slots[line + min(place, _SEVEN)] & _INDEX) * (is_none ^ _ONE)
    # What it makes is needed soon if it is the next to be applied.
    prefetch(lines[1], np.int64(index))
    index |= is_none << _NO_BIT
    if slots[line + _SEVEN] != _FREE and place == _EIGHT:
        index = _look_on(slots, line, tag)
    lanes[base + _KEYS + at] = index << _FOUR | at


@inlined
def _begin(data, start, stop, spelling, lines, lanes, base):
    """Put the symbols of a piece into a lane; return whether there is room for them.

    See `toktk.kernels.pairs.spell`, which does this for pieces of any length.
    """
    byte_ids, characters, anywhere, _ = spelling
    first = lines[2]
    for i in range(_WIDTH):
        lanes[base + _KEYS + i] = _NO_KEY
        lanes[base + _BEFORE + i] = (i + _LAST) & _LAST
        lanes[base + _AFTER + i] = (i + _ONE) & _LAST
    # Two pairs are always asked for: those of the end, unless there are others.
    lanes[base + _LAST] = _END
    lanes[base + _ASKED], lanes[base + _ASKED + _ONE] = _LAST, _LAST
    lanes[base + _LINES], lanes[base + _LINES + _ONE] = 0, 0
    n, n_asked, i = np.uint64(0), np.uint64(0), start
    previous = np.int64(-1)  # the byte before, where it is ASCII
    while i < stop and n < _WIDTH:
        byte = np.int64(data[i])
        width, symbol, m = 1, np.int64(-1), 1
        if byte >= 0x80:
            if anywhere or i == start or data[i - 1] >= 0x80:
                code, width = character(data, i, stop)
                if 0 <= code < characters.size:
                    symbol = np.int64(characters[code])
            if symbol < 0:
                m = width
        for k in range(m):
            if n < _LAST:
                if symbol < 0 or k > 0:
                    symbol = byte_ids[data[i + k]]
                lanes[base + n] = symbol
                if previous >= 0 and byte < 0x80:
                    index = np.uint64(first[previous << 7 | byte])
                    lanes[base + _KEYS + n - _ONE] = index << _FOUR | (n - _ONE)
                elif n > 0:
                    _ask(lines, lanes, base, n_asked, lanes[base + n - _ONE], symbol, n - _ONE)
                    n_asked += _ONE
            n += _ONE
        previous = byte if byte < 0x80 else np.int64(-1)
        i += width
    fits = n < _WIDTH
    if fits:
        lanes[base + n] = _END
        lanes[base + _BEFORE], lanes[base + _AFTER + n] = n, 0
        lanes[base + _LEFT], lanes[base + _N_ASKED] = n, max(n_asked, _TWO)
    return fits


@inlined
def _merge(lines, lanes, base, least):
    """Apply the merge of the least key, and ask for the pairs that the new symbol is in."""
    at = least & _LAST
    gone = np.uint64(lanes[base + _AFTER + at])
    right = np.uint64(lanes[base + _AFTER + gone])
    left = np.uint64(lanes[base + _BEFORE + at])
    new = lines[1][least >> _FOUR]
    lanes[base + at] = new
    lanes[base + _KEYS + gone] = _NO_KEY
    lanes[base + _AFTER + at], lanes[base + _BEFORE + right] = right, at
    _ask(lines, lanes, base, np.uint64(0), new, lanes[base + right], at)
    _ask(lines, lanes, base, _ONE, lanes[base + left], new, left)
    lanes[base + _LEFT] -= np.uint32(1)


@inlined
def _finish(offsets, first, lanes, base, ids, counts):
    """Write the symbols of a lane, always four at least: there is room for four more than bytes."""
    piece, n = np.uint64(lanes[base + _PIECE]), np.uint64(lanes[base + _LEFT])
    at, to = np.uint64(0), np.uint64(offsets[piece]) + _FOUR * (piece - np.uint64(first))
    for i in range(_FOUR):
        ids[to + i] = lanes[base + at]
        at = np.uint64(lanes[base + _AFTER + at])
    for i in range(_FOUR, n):
        ids[to + i] = lanes[base + at]
        at = np.uint64(lanes[base + _AFTER + at])
    counts[piece] = np.int64(n)


@kernel
def _encode_long(data, start, n, spelling, table, ids, to, scratch):
    """Encode a piece that fits into no lane; return how many ids it has."""
    m = spell(data, start, n, spelling, scratch)
    m, _ = merge_symbols(table, m, scratch)
    for i in range(m):
        ids[to + i] = scratch[i]
    return m


@inlined
def _next(
    data, offsets, rest, at, n_rest, first, spelling, lines, whole, known, ids, counts, lanes, base
):  # fmt: skip
    """Begin the next piece of `rest`, from ``rest[at]`` on, that fits into a lane.

    Those before it are tokens, or `_LATER`. Returns the place of the one that follows.
    """
    tokens, longest, token_data, token_offsets = whole
    lanes[base + _PIECE] = _NO_PIECE
    is_begun = False
    while not is_begun and at < n_rest:
        piece = np.int64(rest[at])
        start, n = offsets[piece], offsets[piece + 1] - offsets[piece]
        to = start + 4 * (piece - first)
        token = np.int64(-1)
        if known < n <= longest:
            token = np.int64(find_token(data, start, n, tokens, token_data, token_offsets))
        if token >= 0:
            ids[to], counts[piece] = token, 1
        elif n == 0:
            counts[piece] = 0
        else:
            is_begun = _begin(data, start, start + n, spelling, lines, lanes, base)
            if is_begun:
                lanes[base + _PIECE] = piece
            else:
                counts[piece] = _LATER
        at += 1
    return at


@kernel
def encode_side_by_side(
    data, offsets, spelling, lines, table, whole, alone, ids, ends, scratch, lanes, rest
):  # fmt: skip
    """Do what `encode_ranked_spans` does; `lines` is by `fill_pair_lines`, `lanes` by `empty_lanes`.

    `alone` is by `toktk.kernels.alone`. `ids` (uint32) has room for all bytes, and for four more for each
    piece of a run; `rest` (uint32) for the pieces of a run.
    """
    k = np.uint64(0)
    for first in range(0, ends.size, RUN):
        last = min(first + RUN, ends.size)
        n_rest = take_alone(data, offsets, first, last, alone, ids, ends, rest)
        _encode_run(
            data, offsets, rest, n_rest, first, spelling, lines, whole, alone[2], ids, ends, lanes
        )
        # One by one they use other tables, which would drive those of the lanes out of the caches.
        for i in range(n_rest):
            late = np.int64(rest[i])
            if ends[late] == _LATER:
                start, to = offsets[late], offsets[late] + 4 * (late - first)
                n = offsets[late + 1] - start
                ends[late] = _encode_long(data, start, n, spelling, table, ids, to, scratch)
        for piece in range(np.uint64(first), np.uint64(last)):
            at = np.uint64(offsets[piece]) + _FOUR * (piece - np.uint64(first))
            n = np.uint64(ends[piece])
            for i in range(_FOUR):
                ids[k + i] = ids[at + i]
            for i in range(_FOUR, n):
                ids[k + i] = ids[at + i]
            k += n
            ends[piece] = np.int64(k)
    return np.int64(k)


@kernel
def _encode_run(
    data, offsets, rest, n_rest, first, spelling, lines, whole, known, ids, counts, lanes
):  # fmt: skip
    """Encode the pieces ``rest[:n_rest]``, but for those that fit into no lane, whose count is `_LATER`.

    The ids of each begin four further than those from `first` on have bytes before it.
    """
    at = 0
    for base in range(np.uint64(0), np.uint64(lanes.size), _SIZE):
        lanes[base + _PIECE] = _NO_PIECE
        for i in range(_WIDTH):
            lanes[base + _KEYS + i] = _NO_KEY
    is_active = True
    while is_active:
        is_active = False
        for base in range(np.uint64(0), np.uint64(lanes.size), _SIZE):
            least = least_of_16(lanes, base + _KEYS)
            if least < _NO_KEY:
                is_active = True
                _merge(lines, lanes, base, least)
            else:
                if lanes[base + _PIECE] != _NO_PIECE:
                    _finish(offsets, first, lanes, base, ids, counts)
                at = _next(
                    data, offsets, rest, at, n_rest, first, spelling, lines, whole, known, ids,
                    counts, lanes, base,
                )  # fmt: skip
                is_active |= lanes[base + _PIECE] != _NO_PIECE
        for base in range(np.uint64(0), np.uint64(lanes.size), _SIZE):
            if lanes[base + _PIECE] != _NO_PIECE:
                for q in range(_TWO):
                    _read(lines, lanes, base, q)
                for q in range(_TWO, np.uint64(lanes[base + _N_ASKED])):
                    _read(lines, lanes, base, q)
                lanes[base + _N_ASKED] = 2
