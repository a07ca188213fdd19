"""Characters that text should not hold, by document: what encoding, extraction and merging of files leave.

Kernels of this file and of `toktk.kernels.mojibake` report alike: ``counts[group, fault]`` gains how often it
occurs and in how many documents, and of the first documents with it the places are kept.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import char_length, code_point

(
    REPLACED, NUL, CONTROL, BOM, PRIVATE, INVISIBLE, ENTITY, TAG, CRLF, LF, CR, MIXED_ENDS,
    DECOMPOSED, COMPOSED, MOJIBAKE,
) = range(15)  # fmt: skip
N_FAULTS = 15

OCCURRENCES, DOCUMENTS = 0, 1
"""The last axis of the counts."""

JOINS = 255
"""The class of a character that some other one before it composes with."""

_LF, _CR, _AND, _LESS, _SLASH, _SEMICOLON, _HASH = 10, 13, 38, 60, 47, 59, 35
_LONGEST_NAME = 8


@inlined
def note(own, spots, fault, i):
    """Count a fault of the document at hand, at byte `i`; see `settle`."""
    if own[fault] == 0 and spots[fault, 0] < spots.shape[1] - 1:
        spots[fault, 0] += 1
        spots[fault, spots[fault, 0]] = i
    own[fault] += 1


@inlined
def settle(own, counts):
    """Add what one document has to the counts of its group, ``int64[N_FAULTS, 2]``, and clear it."""
    for fault in range(own.size):
        if own[fault] != 0:
            counts[fault, OCCURRENCES] += own[fault]
            counts[fault, DOCUMENTS] += 1
            own[fault] = 0


@inlined
def _is_letter(byte):
    return ((byte | 32) >= 97) & ((byte | 32) <= 122)


@inlined
def _is_digit(byte):
    return (byte >= 48) & (byte <= 57)


@kernel
def is_entity(data, i, stop, names):
    """Tell whether a character reference of HTML begins at the ``&`` at `i`.

    `names` are the known ones, sorted: up to eight letters and digits, little-endian.
    """
    k = i + 1
    if k < stop and data[k] == _HASH:
        k += 1
        hexadecimal = k < stop and (data[k] | 32) == 120
        k += np.int64(hexadecimal)
        first = k
        while k < stop and k - first < _LONGEST_NAME:
            letter = (data[k] | 32) >= 97 and (data[k] | 32) <= 102
            if not (_is_digit(data[k]) or (hexadecimal and letter)):
                break
            k += 1
        return k > first and k < stop and data[k] == _SEMICOLON
    name = np.uint64(0)
    first = k
    while k < stop and k - first < _LONGEST_NAME and (_is_letter(data[k]) or _is_digit(data[k])):
        name |= np.uint64(data[k]) << np.uint64(8 * (k - first))
        k += 1
    if k == first or k >= stop or data[k] != _SEMICOLON:
        return False
    at = np.searchsorted(names, name)
    return at < names.size and names[at] == name


@kernel
def is_tag(data, i, stop):
    """Tell whether a closing tag of HTML, or ``<br``, begins at the ``<`` at `i`."""
    if i + 3 >= stop:
        return False
    if data[i + 1] == _SLASH:
        k = i + 2
        while k < stop and k - i < 16 and (_is_letter(data[k]) or _is_digit(data[k])):
            k += 1
        return k > i + 2 and k < stop and data[k] == 62 and _is_letter(data[i + 2])
    is_br = (data[i + 1] | 32) == 98 and (data[i + 2] | 32) == 114
    return is_br and (data[i + 3] == 62 or data[i + 3] == 32 or data[i + 3] == _SLASH)


@kernel
def _fault_at(data, i, stop, fault, before, names):
    """Return which fault the character at `i` is that looks like one, given the code point before; or -1."""
    if fault == CR and i + 1 < stop and data[i + 1] == _LF:
        return CRLF
    is_none = (
        (fault == LF and before == _CR)
        or (fault == ENTITY and not is_entity(data, i, stop, names))
        or (fault == TAG and not is_tag(data, i, stop))
    )
    return -1 if is_none else fault


@kernel
def count_faults(data, offsets, groups, classes, names, pairs, counts, spots, own):
    """Count the faults of documents that a character or two show.

    Args:
        data, offsets: uint8 and int64[D + 1], valid UTF-8.
        groups: int64[D].
        classes: uint8 by code point: 1 + the fault that the character is, `JOINS`, or 0.
        names: see `is_entity`.
        pairs: uint64, sorted: code point << 32 | the one after it that it composes with.
        counts: int64[G, N_FAULTS, 2], out.
        spots: int64[N_FAULTS, 1 + n], out: of each fault how many places are known, and those.
        own: int64[N_FAULTS], zero: scratch.
    """
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        before = np.int64(0)
        while i < stop:
            width = min(char_length(data[i]), stop - i)
            code = code_point(data, i, width)
            kind = np.int64(classes[code]) if code < classes.size else np.int64(0)
            if kind == JOINS:
                key = np.uint64(before) << np.uint64(32) | np.uint64(code)
                at = np.searchsorted(pairs, key)
                if at < pairs.size and pairs[at] == key:
                    note(own, spots, DECOMPOSED, i)
            elif kind != 0:
                fault = _fault_at(data, i, stop, kind - 1, before, names)
                if fault >= 0:
                    note(own, spots, fault, i)
            before = code
            i += width
        if own[CRLF] > 0 and own[LF] > 0:
            own[MIXED_ENDS] = 1
        settle(own, counts[groups[d]])
