"""Mojibake: UTF-8 that was read in another encoding, and encoded once more.

A byte of UTF-8 above 0x7F becomes a character of Windows-1252 or Latin-1: ``é``, C3 A9, becomes ``Ã©``. So a
*sequence* is a character that stands for a lead byte, and as many after it that stand for continuation bytes.
Real text holds some of them: ``Ö“`` in German, ``É »`` in French, ``ÍŽ`` in Czech capitals. So it depends on
what stands for the continuation bytes:

- *firm* characters, such as ``¤`` or ``€``, that never follow a letter directly: enough after ``Â Ã Ä Å`` and
  after what stands for the lead of three or four bytes;
- letters, such as ``š``: enough after ``Â`` and ``Ã``, which no word has before them;
- all others, such as ``”``: enough after ``Â Ã Ä Å`` with a small letter or a digit before those.

Else there must be two sequences in a row with a firm character among them, or four.

Cyrillic in UTF-8 that was read as Windows-1251 is found by three pairs in a row that begin with ``Р`` or
``С``, replacement characters that were read as GBK by ``锟斤拷``.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.faults import MOJIBAKE, note, settle
from toktk.kernels.memory import char_length, code_point

_PUNCTUATION, _LETTER, _FIRM = 0, 1, 2


def _bytes_of(encoding: str) -> np.ndarray:
    """Return uint8 by code point: the byte from 0x80 to 0xBF that the character is read from, or 0."""
    table = np.zeros(0x2123, np.uint8)
    if encoding == "cp1252":  # where it has no character, its readers take Latin-1's
        table[0x80:0xC0] = np.arange(0x80, 0xC0)
    for byte in range(0x80, 0xC0):
        char = bytes([byte]).decode(encoding, errors="ignore")
        if char:
            table[ord(char)] = byte
    return table


def _strengths() -> np.ndarray:
    """Return uint8 by code point: what a character is like that a continuation byte is read as."""
    strengths = np.full(0x2123, _FIRM, np.uint8)
    for char in "…‘’“”•–—‹›\xa0¡©ª«\xad®°²³´·¹º»¼½¾™†‡":
        strengths[ord(char)] = _PUNCTUATION
    for char in "ŠŒŽšœžŸ":
        strengths[ord(char)] = _LETTER
    return strengths


_BYTE_1252 = _bytes_of("cp1252")
_BYTE_1251 = _bytes_of("cp1251")
_STRENGTH = _strengths()
_PAIRS = 3  # that begin with Р or С

# How sure a sequence is: none; with punctuation or letters alone; with a firm character; enough by itself.
_NONE, _WEAK, _FIRMER, _ENOUGH = range(4)


@kernel
def _byte_at(data, i, stop, table):
    """Return the byte that the character at `i` is read from, 0 if none; its code point; its width."""
    none = np.int64(0), np.int64(0), np.int64(1)
    if i >= stop or data[i] < 0x80:
        return none
    width = np.int64(char_length(data[i]))
    if i + width > stop:
        return none
    code = code_point(data, i, width)
    return (np.int64(table[code]), code, width) if code < table.size else none


@kernel
def _follows_small(data, begin, i):
    """Tell whether a small letter of Latin-1, or a digit, ends at `i`."""
    if i == begin:
        return False
    byte = data[i - 1]
    if byte < 0x80:
        return (byte >= 97 and byte <= 122) or (byte >= 48 and byte <= 57)
    return i - begin >= 2 and data[i - 2] == 0xC3 and byte >= 0x9F


@kernel
def _sequence(data, begin, i, stop):
    """Return where the sequence ends that begins at `i`, and how sure it is."""
    if i + 1 >= stop or data[i] != 0xC3:
        return i, _NONE
    lead = np.int64(data[i + 1]) + 0x40
    if lead < 0xC2 or lead > 0xF4:
        return i, _NONE
    n = 1 if lead < 0xE0 else (2 if lead < 0xF0 else 3)
    end = i + 2
    firm, letters, first, begins_firm = 0, 0, np.int64(0), False
    for k in range(n):
        byte, code, width = _byte_at(data, end, stop, _BYTE_1252)
        if byte == 0:
            return i, _NONE
        if k == 0:
            first, begins_firm = byte, _STRENGTH[code] == _FIRM
        firm += _STRENGTH[code] == _FIRM
        letters += _STRENGTH[code] == _LETTER
        end += width
    if (lead == 0xE0 and first < 0xA0) or (lead == 0xED and first >= 0xA0):
        return i, _NONE
    if (lead == 0xF0 and first < 0x90) or (lead == 0xF4 and first >= 0x90):
        return i, _NONE
    if lead < 0xC4:
        is_enough = firm > 0 or letters > 0 or _follows_small(data, begin, i)
    elif lead < 0xC6:
        is_enough = firm > 0 or _follows_small(data, begin, i)
    elif lead < 0xE0:
        is_enough = False
    elif lead == 0xE2:  # most of what is not a letter in UTF-8
        is_enough = begins_firm
    else:
        is_enough = firm > 0
    if is_enough:
        return end, _ENOUGH
    return end, (_FIRMER if firm > 0 else _WEAK)


@kernel
def _run_1252(data, begin, i, stop):
    """Return where the sequences end that begin at `i`, and how many they are; 0 if that is real text."""
    n, surest = 0, _NONE
    end, sure = _sequence(data, begin, i, stop)
    while sure != _NONE:
        n += 1
        surest = max(surest, sure)
        i = end
        end, sure = _sequence(data, i, i, stop)
    if surest == _ENOUGH or (n >= 2 and surest == _FIRMER) or n >= 4:
        return i, n
    return i, 0


@kernel
def _run_1251(data, i, stop):
    """Return where the pairs end that begin at `i`, and how many they are; 0 if that is real text."""
    n = 0
    while i + 1 < stop and data[i] == 0xD0 and (data[i + 1] == 0xA0 or data[i + 1] == 0xA1):
        byte, _, width = _byte_at(data, i + 2, stop, _BYTE_1251)
        if byte == 0:
            break
        n += 1
        i += 2 + width
    return i, (n if n >= _PAIRS else 0)


@kernel
def _is_gbk(data, i, stop):
    """Tell whether the nine bytes at `i` are ``锟斤拷``."""
    return (
        i + 9 <= stop
        and data[i + 1] == 0x94 and data[i + 2] == 0x9F
        and data[i + 3] == 0xE6 and data[i + 4] == 0x96 and data[i + 5] == 0xA4
        and data[i + 6] == 0xE6 and data[i + 7] == 0x8B and data[i + 8] == 0xB7
    )  # fmt: skip


@kernel
def count_mojibake(data, offsets, groups, counts, spots, own):
    """Count the sequences of mojibake in documents; the arguments are those of `count_faults`."""
    for d in range(offsets.size - 1):
        begin, stop = offsets[d], offsets[d + 1]
        i = begin
        while i < stop:
            byte = data[i]
            if byte == 0xC3:
                end, n = _run_1252(data, begin, i, stop)
            elif byte == 0xD0:
                end, n = _run_1251(data, i, stop)
            elif byte == 0xE9 and _is_gbk(data, i, stop):
                end, n = i + 9, 1
            else:
                i += 1
                continue
            if n > 0:
                note(own, spots, MOJIBAKE, i)
                own[MOJIBAKE] += n - 1
            i = max(end, i + 2)
        settle(own, counts[groups[d]])
