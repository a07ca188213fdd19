"""Cutting: UTF-8 bytes in, piece ends out, four texts at a time.

One text waits for a table look-up at each byte, so four are stepped in turn, in *lanes*. Their bytes are
first dealt: one of each lane in turn. Long documents are cut into *parts* at certain boundaries: between two
characters where every piece ends, whatever came before. A part is then a text of its own, and a lane that
has finished one takes the next. Parts are planned and cut a block at a time, which keeps memory bounded
and warm.

`tables` is `Transducer.tables`; toktk.pretokenizers.transducer says how they work. Bytes that are
not UTF-8 never lead out of an array, but where they are cut is undefined: readers validate.

The slow twin is `toktk.educational.cut`.
"""

from __future__ import annotations

import threading

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import deal16

LANES = 4
BLOCK = 65536  # bytes in the parts of a block, at most
PART = 2048  # bytes after which a document is cut at the next certain boundary
PARTS = 512  # in a block, at most
_CHUNK = 256  # bytes between two looks at the lanes
MAX_BACK = 8  # ends that a byte may take back
# A lane writes its ends to a region of its own. Invalid text may take back more ends than there are.
_GUARD, _SLACK = MAX_BACK * (_CHUNK + 1), 4

# Fields of a part: where it lies; how far its last piece may reach, beyond `STOP` where no boundary is
# certain; its document; its pieces, in the order of the text. Then what only cutting looks at: its raw ends,
# of which those before `_OPEN` are positions in the part up to `_FROM`, and others steps, `_SHIFT` less.
BEGIN, STOP, LIMIT, DOCUMENT, FIRST, LAST, _RAW, _OPEN, _RAW_LAST, _SHIFT, _FROM = range(11)
# Fields of a lane: row of the tables, next end, position less steps made, part; of the first one, the step at
# which to stop.
_ROW, _END, _LANE_SHIFT, _PART, _UNTIL = range(5)
# Fields of the cursor. The rest of the text is ``data[POSITION:offsets[DOCUMENT + 1]]`` and on.
_AT_DOCUMENT, _AT_POSITION = range(2)

_TOO_FAR = 1 << 32  # for a raw end
Workspace = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]

_ONE, _TWO, _THREE, _FOUR = (np.uint64(n) for n in (1, 2, 3, 4))


def workspace() -> Workspace:
    """Make what cutting keeps between calls, for one thread: cursor, parts, lanes, raw ends, dealt bytes."""
    raw = np.empty(LANES * (_GUARD + BLOCK + _SLACK), dtype=np.uint32)
    sizes = (2,), (PARTS, _FROM + 1), (LANES, _UNTIL + 1)
    cursor, parts, lanes = (np.zeros(size, dtype=np.int64) for size in sizes)
    return cursor, parts, lanes, raw, np.empty(LANES * _CHUNK, dtype=np.uint8)


class _OfThread(threading.local):
    def __init__(self):
        self.workspace = workspace()


_OF_THREAD = _OfThread()


def own_workspace() -> Workspace:
    """Return the workspace of the thread that calls, the same at every call."""
    return _OF_THREAD.workspace


@kernel
def match_end(data, p, stop, tables):
    """Return where the leftmost-first match that begins at `p` ends, or -1: the plain automaton."""
    _, _, _, bytes_table, next_state, accept, _ = tables
    n_classes = next_state.size // (accept.size - next_state.size)
    state, node = np.int64(0), np.int64(0)
    i = here = p
    last, behind = np.int64(-1), np.int64(0)
    while i < stop:
        entry = bytes_table[(node << 8) | data[i]]
        node = np.int64(entry >> 8)
        c = np.int64(entry & 255) - 1
        i += 1
        if c < 0:
            continue
        end = np.int64(accept[state * (n_classes + 1) + c])
        if end > 0:
            last, behind = here, end - 1
        state = np.int64(next_state[state * n_classes + c])
        if state < 0:
            break
        here = i
    if state >= 0 and here > p:
        end = np.int64(accept[state * (n_classes + 1) + n_classes])
        if end > 0:
            last, behind = here, end - 1
    while behind > 0 and last > p:  # what was only looked at
        last -= 1
        behind -= np.int64(data[last] & 0xC0 != 0x80)
    return last


@kernel
def piece_end(data, p, stop, tables):
    """Return where the piece at `p` ends: a match, or the gap up to the next match."""
    end = match_end(data, p, stop, tables)
    if end > p:
        return end
    i = p + 1
    while i < stop:
        if data[i] & 0xC0 != 0x80:
            end = match_end(data, i, stop, tables)
            if end > i:
                return i
        i += 1
    return stop


@kernel
def certain_boundary(data, p, stop, tables):
    """Return the first certain boundary after the first character from `p` on, or -1."""
    _, _, _, bytes_table, _, _, certain = tables
    while p < stop and data[p] & 0xC0 == 0x80:
        p += 1
    node, before = np.int64(0), np.int64(0)
    here = p
    for i in range(p, stop):
        entry = np.int64(bytes_table[(node << 8) | data[i]])
        node, symbol = entry >> 8, entry & 255
        if symbol > 0:
            if certain[before << 8 | symbol]:
                return here
            before, here = symbol, i + 1
    return -1


@kernel
def split_documents(data, offsets, target, tables, new_offsets, owner):
    """Split documents at certain boundaries into parts whose pieces are the document's; return how many.

    A part has `target` bytes or a little more; a document without such boundaries stays in one
    part. `new_offsets` and `owner` (int64), the parts and the document of each, have room for D
    parts and one more for each `target` bytes.
    """
    n = 0
    for d in range(offsets.size - 1):
        p = offsets[d]
        while p >= 0:
            new_offsets[n], owner[n] = p, d
            n += 1
            p = certain_boundary(data, p + target, offsets[d + 1], tables)
    new_offsets[n] = offsets[offsets.size - 1]
    return n


@kernel
def _plan(data, offsets, tables, cursor, parts):
    """Enter the parts of the next block; return how many, 0 at the end of the text."""
    n = np.int64(0)
    d, p = cursor[_AT_DOCUMENT], cursor[_AT_POSITION]
    room = np.int64(BLOCK)
    while d < offsets.size - 1 and n < PARTS:
        stop = limit = offsets[d + 1]
        if p < stop:
            if stop - p > 2 * PART:
                boundary = certain_boundary(data, p + PART, min(stop, p + BLOCK), tables)
                if boundary > 0:
                    stop = limit = boundary
                elif stop - p > BLOCK:
                    stop = p + BLOCK
            if stop - p > room:
                break
            room -= stop - p
            parts[n, BEGIN], parts[n, STOP], parts[n, LIMIT] = p, stop, limit
            parts[n, DOCUMENT] = d
            n += 1
            p = stop
            if stop < limit:
                break
        if p == offsets[d + 1]:
            d += 1
    cursor[_AT_DOCUMENT], cursor[_AT_POSITION] = d, p
    return n


@kernel
def _step(data, tables, lanes, t, n, raw, mixed):
    """Step every lane over `n` bytes. An end is written as the number of the step.

    What the loop needs just fits into the registers: dealt bytes spare each lane a pointer; a lane's end is
    written before the next lane looks anything up, and where to stop is read anew each time, for else the
    compiler mixes lanes and steps. Unsigned indices spare the test for negative ones; numba would turn
    a mixture into floats.
    """
    rows, moves, _, _, _, _, _ = tables
    a, b, c, d = lanes[0], lanes[1], lanes[2], lanes[3]
    _deal(
        data, a[_LANE_SHIFT] + t, b[_LANE_SHIFT] + t, c[_LANE_SHIFT] + t, d[_LANE_SHIFT] + t, n, mixed
    )  # fmt: skip
    row_a, end_a = np.uint64(a[_ROW]), np.uint64(a[_END])
    row_b, end_b = np.uint64(b[_ROW]), np.uint64(b[_END])
    row_c, end_c = np.uint64(c[_ROW]), np.uint64(c[_END])
    row_d, end_d = np.uint64(d[_ROW]), np.uint64(d[_END])
    i, a[_UNTIL] = np.uint64(t), t + n
    base = np.uint64(0) - _FOUR * i
    while i < np.uint64(a[_UNTIL]):
        at = base + _FOUR * i
        at_a = row_a + np.uint64(mixed[at])
        row_a = np.uint64(rows[at_a])
        end_a += np.uint64(np.int64(moves[at_a]))
        raw[end_a] = np.uint32(i)
        at_b = row_b + np.uint64(mixed[at + _ONE])
        row_b = np.uint64(rows[at_b])
        end_b += np.uint64(np.int64(moves[at_b]))
        raw[end_b] = np.uint32(i)
        at_c = row_c + np.uint64(mixed[at + _TWO])
        row_c = np.uint64(rows[at_c])
        end_c += np.uint64(np.int64(moves[at_c]))
        raw[end_c] = np.uint32(i)
        at_d = row_d + np.uint64(mixed[at + _THREE])
        row_d = np.uint64(rows[at_d])
        end_d += np.uint64(np.int64(moves[at_d]))
        raw[end_d] = np.uint32(i)
        i += _ONE
    a[_ROW], a[_END] = row_a, end_a
    b[_ROW], b[_END] = row_b, end_b
    c[_ROW], c[_END] = row_c, end_c
    d[_ROW], d[_END] = row_d, end_d


@kernel
def _deal(data, a, b, c, d, n, mixed):
    """Copy `n` bytes from each of four places to `mixed`, in turn, and up to 15 more."""
    i = np.int64(0)
    if max(a, b, c, d) + n + 15 <= data.size:
        while i < n:
            deal16(data, a + i, b + i, c + i, d + i, mixed, 4 * i)
            i += 16
    while i < n:
        mixed[4 * i], mixed[4 * i + 1] = data[a + i], data[b + i]
        mixed[4 * i + 2], mixed[4 * i + 3] = data[c + i], data[d + i]
        i += 1


@kernel
def _settle(data, part, raw, last, ends, n, origin):
    """Turn the open raw ends of a part, up to `last`, into positions after `origin` at ``ends[n:]``.

    An end is where the character begins whose last byte was read in that step. Returns the last
    end; -1 where they do not ascend, in text that is not UTF-8.
    """
    first, shift = np.uint64(part[_OPEN]), part[_SHIFT]
    previous = part[_FROM]
    stop, at = part[STOP], np.uint64(n)
    for k in range(first, np.uint64(last)):
        end = np.int64(raw[k]) + shift
        if end <= previous or end >= stop:
            return np.int64(-1)
        if data[np.uint64(end)] & 0x80 != 0:
            while data[np.uint64(end)] & 0xC0 == 0x80 and end > previous:
                end -= 1
            if end == previous:
                return np.int64(-1)
        ends[at] = end - origin
        previous = end
        at += _ONE
    return previous


@inlined
def _leave(data, tables, part, lane, t, raw):
    """Take a lane to the end of its part, or past the piece where it must bail; return whether it is through.

    The last end of a part that ends at a certain boundary is left out.
    """
    _, _, finish, _, _, _, _ = tables
    stop = part[STOP]
    bail = finish.shape[0] << 8
    row, k = lane[_ROW], lane[_END]
    is_found = False
    if row >= bail:
        k += np.int64(row == bail)
    elif part[LIMIT] > stop:
        k += finish[row >> 8, 2]
        is_found = k > part[_RAW]
    else:
        k += finish[row >> 8, 0]
        is_found = finish[row >> 8, 1] != 0
    lane[_END] = max(k, part[_OPEN])
    part[_SHIFT] = lane[_LANE_SHIFT]
    if is_found and lane[_LANE_SHIFT] + t >= stop:
        return True
    return _resume(data, tables, part, lane, t, raw)


@kernel
def _resume(data, tables, part, lane, t, raw):
    """Find a piece by the plain automaton, and go on behind it; return whether the lane is through."""
    stop, limit, k = part[STOP], part[LIMIT], lane[_END]
    last = _settle(data, part, raw, k, raw, part[_OPEN], part[BEGIN])
    if last < 0:  # not UTF-8
        k, last = part[_OPEN], part[_FROM]
    last = piece_end(data, last, limit, tables)
    if last < stop or limit > stop:
        raw[k] = last - part[BEGIN]
        k += 1
    lane[_ROW], lane[_END], lane[_LANE_SHIFT] = 0, k, last - t
    part[_OPEN], part[_FROM] = k, last
    return last >= stop


@kernel
def _cut_parts(data, tables, parts, n_parts, lanes, raw, mixed):
    """Cut the parts of a block in lanes, and leave their raw ends."""
    _, _, finish, _, _, _, _ = tables
    bail = finish.shape[0] << 8
    room = raw.size // LANES
    following = t = np.int64(0)
    for lane in range(LANES):
        lanes[lane, _PART], lanes[lane, _END] = -1, lane * room + _GUARD
    while True:
        n = np.int64(_CHUNK)
        active = 0
        for lane in range(LANES):
            i = lanes[lane, _PART]
            if i < 0 and following < n_parts:
                i = following
                following += 1
                lanes[lane, _PART], lanes[lane, _ROW] = i, 0
                lanes[lane, _LANE_SHIFT] = parts[i, BEGIN] - t
                parts[i, _RAW] = parts[i, _OPEN] = lanes[lane, _END]
                parts[i, _FROM] = parts[i, BEGIN]
            if i < 0:  # idle: it reads what another lane has room to read, and moves nowhere
                lanes[lane, _ROW] = bail + 256
                lanes[lane, _END] = lane * room + _GUARD - _CHUNK - 1
                lanes[lane, _LANE_SHIFT] = parts[0, BEGIN] - t
            else:
                active += 1
                n = min(n, parts[i, STOP] - lanes[lane, _LANE_SHIFT] - t)
        if active == 0:
            return
        _step(data, tables, lanes, t, n, raw, mixed)
        t += n
        for lane in range(LANES):
            i = lanes[lane, _PART]
            if i < 0:
                continue
            # Beyond the two that bail are the rows inside a character.
            has_bailed = bail <= lanes[lane, _ROW] <= bail + 256
            if has_bailed or lanes[lane, _LANE_SHIFT] + t >= parts[i, STOP]:
                if _leave(data, tables, parts[i], lanes[lane], t, raw):
                    parts[i, _RAW_LAST] = lanes[lane, _END]
                    lanes[lane, _PART] = -1
            else:
                lanes[lane, _END] = max(lanes[lane, _END], parts[i, _OPEN])


@kernel
def _gather(data, tables, parts, n_parts, raw, ends, n):
    """Write the ends of all parts to ``ends[n:]``, one part after the other; return the next free one."""
    for i in range(n_parts):
        part = parts[i]
        part[FIRST] = n
        previous, is_sound = part[BEGIN], part[_FROM] - part[BEGIN] < _TOO_FAR
        for k in range(np.uint64(part[_RAW]), np.uint64(part[_OPEN])):
            end = part[BEGIN] + np.int64(raw[k])
            is_sound &= previous < end <= part[_FROM]
            ends[n] = previous = end
            n += 1
        if is_sound and _settle(data, part, raw, part[_RAW_LAST], ends, n, 0) >= 0:
            n += part[_RAW_LAST] - part[_OPEN]
            # Tables that cut wrongly may have put an end at the stop already.
            last = ends[n - 1] if n > part[FIRST] else part[BEGIN]
            if part[STOP] == part[LIMIT] and last < part[STOP]:
                ends[n] = part[STOP]
                n += 1
        else:  # not UTF-8, or a piece of gigabytes
            n, end = part[FIRST], part[BEGIN]
            while end < part[STOP]:
                end = piece_end(data, end, part[LIMIT], tables)
                ends[n] = end
                n += 1
        part[LAST] = n
    return n


@kernel
def cut_block(data, offsets, tables, work, ends, n):
    """Cut the next block of a batch; return its number of parts, 0 when all is cut.

    Part i is of document ``parts[i, DOCUMENT]``, begins at ``parts[i, BEGIN]``, and its pieces end
    at ``ends[parts[i, FIRST]:parts[i, LAST]]``. Every part has one at least; parts are in order and
    leave nothing out. `work` is by `workspace`; `ends` (int64) has room for `BLOCK` from `n` on.
    Before a new batch call `rewind`.
    """
    cursor, parts, lanes, raw, mixed = work
    n_parts = _plan(data, offsets, tables, cursor, parts)
    if n_parts > 0:
        _cut_parts(data, tables, parts, n_parts, lanes, raw, mixed)
        n = _gather(data, tables, parts, n_parts, raw, ends, n)
        # Where no boundary is certain, the last piece found says where to go on.
        cursor[_AT_POSITION] = ends[n - 1]
        if ends[n - 1] == offsets[parts[n_parts - 1, DOCUMENT] + 1]:
            cursor[_AT_DOCUMENT] = parts[n_parts - 1, DOCUMENT] + 1
    return n_parts


@kernel
def rewind(offsets, work):
    """Let `cut_block` begin with the first document."""
    cursor, _, _, _, _ = work
    cursor[_AT_DOCUMENT], cursor[_AT_POSITION] = 0, offsets[0]


@kernel
def cut_blocks(data, offsets, tables, work, ends, last_begin, document, lasts):
    """Cut on (see `cut_block`) while no more than `last_begin` ends are written; return (pieces, documents).

    Writes how many pieces there are up to the end of each document, or so far, to
    ``lasts[document:documents]``. `document` is 0 at first, then ``documents - 1`` of the call
    before. At the end of the text `documents` is all, or there are no pieces.
    """
    _, parts, _, _, _ = work
    n = np.int64(0)
    while n <= last_begin:
        n_parts = cut_block(data, offsets, tables, work, ends, n)
        if n_parts == 0:
            while document < offsets.size - 1:
                lasts[document] = n
                document += 1
            return n, document
        for i in range(n_parts):
            while document < parts[i, DOCUMENT]:
                lasts[document] = parts[i, FIRST]
                document += 1
        n = parts[n_parts - 1, LAST]
    lasts[document] = n
    return n, document + 1


@kernel
def cut_batch(data, offsets, tables, work, ends, firsts):
    """Cut documents ``data[offsets[d]:offsets[d + 1]]``; return the number of pieces.

    `ends` (int64), where the pieces end, has room for each byte; `firsts` (int64[D + 1]) becomes
    the first piece of each document.
    """
    rewind(offsets, work)
    firsts[0] = 0
    n, _ = cut_blocks(data, offsets, tables, work, ends, ends.size, 0, firsts[1:])
    return n
