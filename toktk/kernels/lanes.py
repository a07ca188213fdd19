"""Cutting texts in lanes: eight are stepped through the tables of a transducer in turn.

One text waits for a table look-up at each byte; of eight, each waits while the others are stepped. How each
byte moves the next end is only written down at first, so that the loop writes to no place that it has to
find. The moves of up to 56 bytes of a lane then become ends together.

A lane is given *parts*: texts of their own, as far as cutting goes. One that has finished takes the next.
`tables` is `Transducer.tables`; toktk.pretokenizers.transducer says how they work.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.automaton import piece_end
from toktk.kernels.memory import copy_32, prefetch, store_word
from toktk.kernels.vectors import (
    bit_count,
    continuing_of_64,
    first_bit,
    negative_of_64,
    nonzero_of_8_by_8,
    places_of_8,
)

LANES = 8
MAX_BACK = 8  # ends that a byte may take back

# Fields of a part: where it lies; how far its last piece may reach, beyond `STOP` where no boundary is
# certain; its document; its pieces, in the order of the text. Then, for cutting: its raw ends, which count
# from `BEGIN`; where the automaton has found a piece to end last, and the first raw end behind that.
BEGIN, STOP, LIMIT, DOCUMENT, FIRST, LAST, RAW, RAW_LAST, FROM, _OPEN = range(10)
PART_SIZE = 10
# The limit of a part that is texts joined by the bytes 0xFF 0xFE; and its field for where the text ends that
# the automaton has read last.
JOINED, READ_TO = -1, FIRST
TOO_FAR = 1 << 32  # for a raw end

# Fields of lanes: row of the tables, next end, position less steps made, part, bytes left of it, and the
# step of the chunk whose move is the first that has become no end yet; of the first one, where to stop.
_ROW, _END, _SHIFT, _PART, _LEFT, _SINCE, _UNTIL = range(7)
LANE_SIZE = 7

_CHUNK = 280  # steps whose bytes and moves are kept at a time
# A lane's bytes of a chunk lie behind the last ones before, since an end may lie two characters before the
# byte that moves it. Then there is room for what is copied or looked at too much.
_BEFORE = 8
_WINDOW = 64 - _BEFORE
_ROOM = _BEFORE + _CHUNK + _WINDOW
# Behind the bytes of all lanes are their moves, one of each lane in turn; then, for eight steps each, a byte
# for each lane, with a bit for each step that moves its next end.
_MOVES = LANES * _ROOM
_BITS = _MOVES + LANES * _CHUNK
CHUNK_SIZE = _BITS + _CHUNK + 64

# A lane writes its ends to a region of its own. Invalid text may take back more ends than there are.
_GUARD, _SLACK = MAX_BACK * (_CHUNK + 1), 64

_AHEAD = 65536  # bytes of text that are fetched before they are copied
_ONE = np.uint64(1)
_EACH_EIGHTH = np.uint64(0x0101010101010101)


def room_for_ends(n_bytes: int) -> int:
    """Return how many raw ends `cut_parts` has to have room for, if no part has more than `n_bytes`."""
    return LANES * (_GUARD + n_bytes + _SLACK)


@kernel
def _step(steps, lanes, i, n, chunk):
    """Step every lane over `n` bytes of the chunk, from `i` on, and write down how each moves the next end.

    What the loop needs just fits into the registers: copies spare each lane a pointer, and where to stop is
    read anew each time, for else the compiler unrolls it. Moves of all lanes side by side are stored faster
    than apart. Unsigned indices spare the test for negative ones.
    """
    rows, until = lanes[_ROW], lanes[_UNTIL]
    row_a, row_b = np.uint64(rows[0]), np.uint64(rows[1])
    row_c, row_d = np.uint64(rows[2]), np.uint64(rows[3])
    row_e, row_f = np.uint64(rows[4]), np.uint64(rows[5])
    row_g, row_h = np.uint64(rows[6]), np.uint64(rows[7])
    i, until[0] = np.uint64(i), i + n
    while i < np.uint64(until[0]):
        row_a = _next_row(steps, row_a, chunk, i, 0)
        row_b = _next_row(steps, row_b, chunk, i, 1)
        row_c = _next_row(steps, row_c, chunk, i, 2)
        row_d = _next_row(steps, row_d, chunk, i, 3)
        row_e = _next_row(steps, row_e, chunk, i, 4)
        row_f = _next_row(steps, row_f, chunk, i, 5)
        row_g = _next_row(steps, row_g, chunk, i, 6)
        row_h = _next_row(steps, row_h, chunk, i, 7)
        i += _ONE
    rows[0], rows[1], rows[2], rows[3] = row_a, row_b, row_c, row_d
    rows[4], rows[5], rows[6], rows[7] = row_e, row_f, row_g, row_h


@inlined
def _next_row(steps, row, chunk, i, lane):
    step = steps[row + np.uint64(chunk[i + np.uint64(lane * _ROOM + _BEFORE)])]
    chunk[np.uint64(LANES) * i + np.uint64(_MOVES + lane)] = step
    return np.uint64(step >> np.uint32(8))


@inlined
def _collect(chunk, i, until):
    """Collect the bits of the steps from `i` on; return a bit for each move that is back, in their order."""
    back = np.uint64(0)
    for first in range(np.uint64(i & ~7), np.uint64(until), np.uint64(8)):
        at = np.uint64(_MOVES) + np.uint64(LANES) * first
        back |= negative_of_64(chunk, at)
        store_word(chunk, np.int64(first) + _BITS, 8, nonzero_of_8_by_8(chunk, at))
    return back


@kernel
def copy_bytes(data, place, n, text, to):
    """Copy `n` bytes at `place`, and up to 31 more, to ``text[to:]``; none from before the data."""
    if place >= 0 and place + n + 31 <= data.size:
        for i in range(0, n, 32):
            copy_32(data, place + i, text, to + i)
            prefetch(data, place + i + _AHEAD)
    else:
        for i in range(max(0, -place), n):
            text[to + i] = data[place + i]


@inlined
def _note_ends(chunk, lane, since, until, back, first, end, raw):
    """Write the ends of the steps from `since` on to ``raw[end:]``; return the next one.

    The next end moves with the last byte of a character, and then lies where the character before begins.
    `first` is the raw end of step 0. `back` tells whether an end moves back.
    """
    k, lane = np.uint64(end), np.uint64(lane)
    for i in range(np.uint64(since & ~7), np.uint64(until), np.uint64(_WINDOW)):
        bits = np.uint64(0)
        for j in range(np.uint64(0), np.uint64(_WINDOW), np.uint64(8)):
            bits |= np.uint64(chunk[i + lane + j + np.uint64(_BITS)]) << j + np.uint64(_BEFORE)
        # Before are those of another part, beyond of an earlier time.
        if i < np.uint64(since):
            bits = bits >> np.uint64(_BEFORE + since) - i << np.uint64(_BEFORE + since) - i
        if i + np.uint64(_WINDOW) > np.uint64(until):
            bits &= (_ONE << np.uint64(until + _BEFORE) - i) - _ONE
        base = np.uint64(first - _BEFORE) + i
        within = continuing_of_64(chunk, lane * np.uint64(_ROOM) + i)
        if not back:
            k = _write_bits(_begin(_begin(bits, within) >> _ONE, within), base, k, raw)
            continue
        while bits != 0:
            bit = first_bit(bits)
            raw[k] = base + first_bit(_begin(_begin(_ONE << bit, within) >> _ONE, within))
            step = i + bit - np.uint64(_BEFORE)
            k += np.uint64(
                np.int64(np.int8(chunk[np.uint64(_MOVES) + np.uint64(LANES) * step + lane]))
            )
            bits &= bits - _ONE
    return np.int64(k)


@inlined
def _begin(bits, within):
    """Move bits to the first bytes of their characters; `within` has those of all other bytes."""
    for _ in range(3):
        bits = bits & ~within | (bits & within) >> _ONE
    return bits


@inlined
def _write_bits(bits, base, k, raw):
    """Write the places of the bits, and up to eight things more, to ``raw[k:]``; return the next one."""
    for eighth in range(np.uint64(0), np.uint64(64), np.uint64(8)):
        byte = bits >> eighth & np.uint64(255)
        places_of_8(byte, base + eighth, raw, k)
        k += bit_count(byte)
    return k


@inlined
def _leave(data, tables, part, lanes, lane, t, raw):
    """Take a lane to the end of its part, or past the piece where it must bail; return whether it is through.

    The last end of a part that ends at a certain boundary is left out.
    """
    _, finish, _, _, _, _ = tables
    bail = finish.shape[0] << 8
    row, k = lanes[_ROW, lane], lanes[_END, lane]
    here = lanes[_SHIFT, lane] + t
    raw[k] = _character_before(data, here, part[BEGIN]) - part[BEGIN]
    is_found = False
    if row >= bail:
        k += np.int64(row == bail)
    elif part[LIMIT] > part[STOP]:
        k += finish[row >> 8, 2]
        is_found = k > part[RAW]
    else:
        k += finish[row >> 8, 0]
        is_found = finish[row >> 8, 1] != 0
    lanes[_END, lane] = max(k, part[_OPEN])
    if is_found and here >= part[STOP]:
        part[RAW_LAST] = lanes[_END, lane]
        return True
    return _resume(data, tables, part, lanes, lane, t, raw)


@inlined
def _character_before(data, p, least):
    """Return where the character before `p` begins, `least` at least."""
    p -= 1
    while p > least and data[p] & 0xC0 == 0x80:
        p -= 1
    return p


@kernel
def _resume(data, tables, part, lanes, lane, t, raw):
    """Find a piece by the plain automaton, and go on behind it; return whether the lane is through."""
    begin, stop, limit, k = part[BEGIN], part[STOP], part[LIMIT], lanes[_END, lane]
    last = begin + np.int64(raw[k - 1]) if k > part[_OPEN] else part[FROM]
    # Nothing new, or text that is not UTF-8, in which there may be more ends than bytes.
    if not part[FROM] < last < stop or k - part[RAW] > last - begin:
        k, last = part[_OPEN], part[FROM]
    if limit == JOINED:  # the text's own end is the limit, which is looked for once
        last += 2 * np.int64(data[last] == 0xFF and last + 2 < stop)
        limit = max(part[READ_TO], last)
        if limit == last:
            while limit < stop and data[limit] != 0xFF:
                limit += 1
        part[READ_TO] = limit
    last = piece_end(data, last, max(limit, last + 1), tables)
    if last < stop or limit > stop:
        raw[k] = last - begin
        k += 1
    if part[LIMIT] == JOINED and last == limit and last + 2 < stop:
        last += 2
    lanes[_ROW, lane], lanes[_END, lane] = 0, k
    lanes[_SHIFT, lane], lanes[_LEFT, lane] = last - t, stop - last
    part[_OPEN], part[FROM], part[RAW_LAST] = k, last, k
    return last >= stop


@kernel
def cut_parts(data, tables, parts, n_parts, lanes, raw, chunk):
    """Cut parts in lanes, and leave their raw ends in `raw`, which are those before `STOP`.

    Args:
        data: uint8. parts: int64[:, PART_SIZE], of which `n_parts` have `BEGIN`, `STOP` and `LIMIT`.
        lanes: int64[LANE_SIZE, LANES], raw: uint32, chunk: uint8[CHUNK_SIZE]: scratch.
    """
    steps, finish, _, _, _, _ = tables
    bail = finish.shape[0] << 8
    following = t = np.int64(0)
    for lane in range(LANES):
        lanes[_END, lane] = lane * (raw.size // LANES) + _GUARD
        following = _take(parts, following, n_parts, lanes, lane, t, bail)
    n_active = min(n_parts, LANES)
    while n_active > 0:
        for lane in range(min(n_parts, LANES)):
            lanes[_SINCE, lane] = 0
            _copy_rest(data, lanes, lane, t, 0, _BEFORE, chunk)
        i, back = np.int64(0), np.uint64(0)
        while i < _CHUNK and n_active > 0:
            n = _CHUNK - i
            for lane in range(LANES):
                n = min(n, lanes[_LEFT, lane])
            _step(steps, lanes, i, n, chunk)
            back |= _collect(chunk, i, i + n)
            i += n
            for lane in range(LANES):
                lanes[_LEFT, lane] -= n
            for lane in range(LANES):
                # Beyond the two that bail are the rows inside a character.
                is_through = lanes[_LEFT, lane] == 0 or bail <= lanes[_ROW, lane] <= bail + 256
                if (not is_through and i < _CHUNK) or lanes[_PART, lane] < 0:
                    continue
                part = parts[lanes[_PART, lane]]
                first, end = lanes[_SHIFT, lane] + t - part[BEGIN], lanes[_END, lane]
                is_back = back >> np.uint64(lane) & _EACH_EIGHTH != 0
                end = _note_ends(chunk, lane, lanes[_SINCE, lane], i, is_back, first, end, raw)
                lanes[_END, lane] = max(end, part[_OPEN])
                if is_through:
                    if _leave(data, tables, part, lanes, lane, t + i, raw):
                        following = _take(parts, following, n_parts, lanes, lane, t + i, bail)
                        n_active -= np.int64(lanes[_PART, lane] < 0)
                    lanes[_SINCE, lane] = i
                    _copy_rest(data, lanes, lane, t, i, 0, chunk)
        t += i


@inlined
def _take(parts, following, n_parts, lanes, lane, t, bail):
    """Have a lane begin with the next part, if there is one; return the one after it."""
    if following == n_parts:  # idle: a row that moves nowhere
        lanes[_PART, lane], lanes[_ROW, lane], lanes[_LEFT, lane] = -1, bail + 256, TOO_FAR
        return following
    part = parts[following]
    lanes[_PART, lane], lanes[_ROW, lane] = following, 0
    lanes[_SHIFT, lane], lanes[_LEFT, lane] = part[BEGIN] - t, part[STOP] - part[BEGIN]
    part[RAW] = part[_OPEN] = lanes[_END, lane]
    part[FROM] = part[BEGIN]
    return following + 1


@inlined
def _copy_rest(data, lanes, lane, t, i, before, chunk):
    """Copy what a lane reads from step `i` of the chunk on, and some bytes before it."""
    if lanes[_PART, lane] >= 0:
        place, n = lanes[_SHIFT, lane] + t + i, min(_CHUNK - i, lanes[_LEFT, lane])
        copy_bytes(data, place - before, n + before, chunk, lane * _ROOM + _BEFORE + i - before)
