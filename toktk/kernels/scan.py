"""Cutting: UTF-8 bytes in, piece ends out, a block at a time.

Long documents are cut into *parts* at certain boundaries: between two characters where every piece ends,
whatever came before. A part is then a text of its own. Short parts are joined to bundles, with two bytes
between them that are in no UTF-8, and a bundle is cut as if it was one part: what the two bytes do is in the
tables. Parts are planned, and cut in lanes (toktk.kernels.lanes), a block at a time, which keeps memory
bounded and warm.

`tables` is `Transducer.tables`; toktk.pretokenizers.transducer says how they work. Bytes that are
not UTF-8 never lead out of an array, but where they are cut is undefined: readers validate.

The slow twin is `toktk.educational.cut`.
"""

from __future__ import annotations

import threading

import numpy as np

from toktk.arrays import read_only
from toktk.kernels import inlined, kernel
from toktk.kernels.automaton import certain_boundary, piece_end
from toktk.kernels.lanes import (
    BEGIN,
    CHUNK_SIZE,
    DOCUMENT,
    FIRST,
    FROM,
    JOINED,
    LANE_SIZE,
    LANES,
    LAST,
    LIMIT,
    PART_SIZE,
    RAW,
    RAW_LAST,
    READ_TO,
    STOP,
    TOO_FAR,
    copy_bytes,
    cut_parts,
    room_for_ends,
)

BLOCK = 65536  # bytes in the parts of a block, at most
PART = 1920  # bytes after which a document is cut at the next certain boundary, or a bundle ends
PARTS = 1024  # in a block, at most
_SHORT = 1024  # bytes of the parts of a block, on average, up to which they are joined

_FIRST_PART = DOCUMENT  # of a bundle, which has no document
# Fields of the cursor. The rest of the text is ``data[POSITION:offsets[DOCUMENT + 1]]`` and on.
_AT_DOCUMENT, _AT_POSITION = range(2)

Workspace = tuple[np.ndarray, ...]
_ONE = np.uint64(1)


def workspace() -> Workspace:
    """Make what cutting keeps between calls, for one thread.

    Returns: cursor, parts, bundles of parts, lanes, raw ends, bytes and moves of a chunk, joined parts, which
    kernels that read text take as they take other text.
    """
    sizes = (2,), (PARTS, PART_SIZE), (PARTS, PART_SIZE), (LANE_SIZE, LANES)
    cursor, parts, bundles, lanes = (np.zeros(size, dtype=np.int64) for size in sizes)
    raw = np.empty(room_for_ends(BLOCK + 2 * PARTS), dtype=np.uint32)
    chunk = np.zeros(CHUNK_SIZE, dtype=np.uint8)
    joined = np.zeros(BLOCK + 2 * PARTS + 32, dtype=np.uint8)
    return cursor, parts, bundles, lanes, raw, chunk, joined, read_only(joined, np.uint8)


class _OfThread(threading.local):
    def __init__(self):
        self.workspace = workspace()


_OF_THREAD = _OfThread()


def own_workspace() -> Workspace:
    """Return the workspace of the thread that calls, the same at every call."""
    return _OF_THREAD.workspace


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
                    for _ in range(3):  # a part ends between two characters
                        stop -= np.int64(data[stop] & 0xC0 == 0x80)
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


@inlined
def _join(data, parts, n_parts, bundles, joined):
    """Join the parts of a block to bundles of `PART` bytes or a little more; return how many."""
    n = at = np.int64(0)
    for i in range(n_parts):
        begin, length = parts[i, BEGIN], parts[i, STOP] - parts[i, BEGIN]
        if n > 0 and at - bundles[n - 1, BEGIN] < PART:
            joined[at], joined[at + 1] = 0xFF, 0xFE
            at += 2
        else:
            bundles[n, BEGIN], bundles[n, LIMIT], bundles[n, _FIRST_PART] = at, JOINED, i
            bundles[n, READ_TO] = 0
            n += 1
        copy_bytes(data, begin, length, joined, at)
        at += length
        bundles[n - 1, STOP] = at
    return n


@inlined
def _gather_bundle(data, tables, bundle, parts, raw, ends, n):
    """Write the ends of the parts of a bundle to ``ends[n:]``, as `_gather` does."""
    k, last, at = np.uint64(bundle[RAW]), np.uint64(bundle[RAW_LAST]), np.int64(0)
    is_sound = True
    size = bundle[STOP] - bundle[BEGIN]
    i = bundle[_FIRST_PART]
    while at < size:
        part = parts[i]
        stop = at + part[STOP] - part[BEGIN]
        shift, previous = part[BEGIN] - at, at
        part[FIRST] = n
        while is_sound and k < last and np.int64(raw[k]) <= stop:
            end = np.int64(raw[k])
            if end <= previous:  # not UTF-8
                is_sound = False
                break
            ends[np.uint64(n)] = end + shift
            previous = end
            n += 1
            k += _ONE
        if is_sound and stop == size and previous < stop:
            ends[n] = part[STOP]
            n += 1
        elif previous < stop or not is_sound:
            is_sound = False
            n = _cut_plainly(data, tables, part, ends, part[FIRST])
        part[LAST] = n
        at = stop + 2
        i += 1
    return n


@kernel
def _cut_plainly(data, tables, part, ends, n):
    """Cut a part by the plain automaton."""
    end = part[BEGIN]
    while end < part[STOP]:
        end = piece_end(data, end, part[LIMIT], tables)
        ends[n] = end
        n += 1
    return n


@inlined
def _gather(data, tables, part, raw, ends, n):
    """Write the ends of a part to ``ends[n:]``; return the next free one."""
    begin, first = part[BEGIN], np.uint64(part[RAW])
    part[FIRST] = n
    n_ends = part[RAW_LAST] - part[RAW]
    previous = np.int64(0)
    is_sound = part[FROM] - begin < TOO_FAR and n_ends <= part[STOP] - begin
    for k in range(np.uint64(n_ends) if is_sound else np.uint64(0)):
        end = np.int64(raw[first + k])
        is_sound &= previous < end
        ends[np.uint64(n) + k] = begin + end
        previous = end
    if is_sound and begin + previous <= part[LIMIT]:
        n += n_ends
        # Tables that cut wrongly may have put an end at the stop already.
        if part[STOP] == part[LIMIT] and begin + previous < part[STOP]:
            ends[n] = part[STOP]
            n += 1
    else:  # not UTF-8, or a piece of gigabytes
        n = _cut_plainly(data, tables, part, ends, n)
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
    cursor, parts, bundles, lanes, raw, chunk, joined, joined_text = work
    n_parts = _plan(data, offsets, tables, cursor, parts)
    if n_parts > 0:
        text, cut, n_cut = data, parts, n_parts
        is_joined = parts[n_parts - 1, STOP] - parts[0, BEGIN] < _SHORT * (n_parts - 1)
        if is_joined:
            text, cut, n_cut = joined_text, bundles, _join(data, parts, n_parts, bundles, joined)
        cut_parts(text, tables, cut, n_cut, lanes, raw, chunk)
        for i in range(n_cut):
            if is_joined:
                n = _gather_bundle(data, tables, bundles[i], parts, raw, ends, n)
            else:
                n = _gather(data, tables, parts[i], raw, ends, n)
        # Where no boundary is certain, the last piece found says where to go on.
        cursor[_AT_POSITION] = ends[n - 1]
        if ends[n - 1] == offsets[parts[n_parts - 1, DOCUMENT] + 1]:
            cursor[_AT_DOCUMENT] = parts[n_parts - 1, DOCUMENT] + 1
    return n_parts


@kernel
def rewind(offsets, work):
    """Let `cut_block` begin with the first document."""
    cursor, _, _, _, _, _, _, _ = work
    cursor[_AT_DOCUMENT], cursor[_AT_POSITION] = 0, offsets[0]


@kernel
def cut_blocks(data, offsets, tables, work, ends, last_begin, document, lasts):
    """Cut on (see `cut_block`) while no more than `last_begin` ends are written; return (pieces, documents).

    Writes how many pieces there are up to the end of each document, or so far, to
    ``lasts[document:documents]``. `document` is 0 at first, then ``documents - 1`` of the call
    before. At the end of the text `documents` is all, or there are no pieces.
    """
    _, parts, _, _, _, _, _, _ = work
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
