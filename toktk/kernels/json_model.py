"""Read the vocabulary and the merges of a ``tokenizer.json`` of BPE: strings and numbers of strict JSON.

What is not as such files are, malformed or only unusual, is told by -1: other code reads the file then.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel

VOCAB, MERGES = 0, 2
"""Where in `places` the begin and the end of ``model.vocab`` and of ``model.merges`` are."""

_OTHER, _MODEL, _VOCAB, _MERGES = range(4)
_MODEL_NAME = np.frombuffer(b"model", dtype=np.uint8)
_VOCAB_NAME = np.frombuffer(b"vocab", dtype=np.uint8)
_MERGES_NAME = np.frombuffer(b"merges", dtype=np.uint8)
_DIGITS = 9  # of an id, at most
_HEADING = np.frombuffer(b"#version", dtype=np.uint8)


@inlined
def _behind_space(raw, at):
    while at < raw.size and (raw[at] == 32 or raw[at] == 10 or raw[at] == 13 or raw[at] == 9):
        at += 1
    return at


@kernel
def _equals(raw, start, end, name):
    if end - start != name.size:
        return False
    same = True
    for i in range(name.size):
        same &= raw[start + i] == name[i]
    return same


@kernel
def _behind_string(raw, at):
    """Return the place behind the string that begins at `at`, or the size of `raw`."""
    at += 1
    while at < raw.size and raw[at] != 34:
        at += 2 if raw[at] == 92 else 1
    return min(at + 1, raw.size)


@kernel
def _behind_value(raw, at):
    """Return the place behind the object or array that begins at `at`, or -1 where it does not end."""
    depth = 0
    while at < raw.size:
        byte = raw[at]
        if byte == 34:
            at = _behind_string(raw, at)
            continue
        at += 1
        if byte == 123 or byte == 91:
            depth += 1
        elif byte == 125 or byte == 93:
            depth -= 1
            if depth == 0:
                return at
    return -1


@kernel
def find_model(raw, places):
    """Write where the object ``model.vocab`` and the array ``model.merges`` begin and end.

    Returns whether each is there once; keys that are written with escapes are not seen.

    Args:
        raw: uint8, JSON. places: int64[4], -1.
    """
    depth = 0
    start = end = np.int64(0)
    is_model = in_model = False
    at = np.int64(0)
    while at < raw.size:
        byte = raw[at]
        if byte == 34:
            start, at = at + 1, _behind_string(raw, at)
            end = at - 1
            continue
        at += 1
        if byte == 58:
            if depth == 1:
                is_model = _equals(raw, start, end, _MODEL_NAME)
            elif depth == 2 and in_model:
                is_vocab = _equals(raw, start, end, _VOCAB_NAME)
                if is_vocab or _equals(raw, start, end, _MERGES_NAME):
                    at = _behind_space(raw, at)
                    place, bracket = (VOCAB, 123) if is_vocab else (MERGES, 91)
                    if at == raw.size or raw[at] != bracket or places[place] >= 0:
                        return False
                    places[place] = at
                    at = _behind_value(raw, at)
                    places[place + 1] = at
                    if at < 0:
                        return False
        elif byte == 123 or byte == 91:
            depth += 1
            if depth == 2:
                in_model = is_model and byte == 123
                is_model = False
        elif byte == 125 or byte == 93:
            depth -= 1
    return places[VOCAB] >= 0 and places[MERGES] >= 0


@kernel
def _hexadecimal(raw, at):
    """Return the number of four hexadecimal digits, or -1."""
    number = np.int64(0)
    if at + 4 > raw.size:
        return np.int64(-1)
    for i in range(4):
        digit = np.int64(raw[at + i])
        if 48 <= digit <= 57:
            digit -= 48
        elif 97 <= digit | 32 <= 102:
            digit = (digit | 32) - 87
        else:
            return np.int64(-1)
        number = number << 4 | digit
    return number


@kernel
def _put(code, out, n):
    """Write a code point in UTF-8; return where it ends."""
    if code < 0x80:
        out[n] = code
        return n + 1
    if code < 0x800:
        out[n] = 0xC0 | code >> 6
    else:
        if code < 0x10000:
            out[n] = 0xE0 | code >> 12
        else:
            out[n] = 0xF0 | code >> 18
            out[n + 1] = 0x80 | code >> 12 & 0x3F
            n += 1
        out[n + 1] = 0x80 | code >> 6 & 0x3F
        n += 1
    out[n + 1] = 0x80 | code & 0x3F
    return n + 2


@kernel
def _read_string(raw, at, out, n):
    """Write what the string at `at` spells to ``out[n:]``; return the places behind both, -1 for a fault."""
    if at >= raw.size or raw[at] != 34:
        return np.int64(-1), n
    at += 1
    while at < raw.size:
        byte = raw[at]
        at += 1
        if byte == 34:
            return at, n
        if byte < 32 or at == raw.size:
            break
        if byte != 92:
            out[n] = byte
            n += 1
            continue
        byte = raw[at]
        at += 1
        if byte == 117:
            code = _hexadecimal(raw, at)
            at += 4
            if (
                0xD800 <= code < 0xDC00
                and at + 1 < raw.size
                and raw[at] == 92
                and raw[at + 1] == 117
            ):
                low = _hexadecimal(raw, at + 2)
                if not 0xDC00 <= low < 0xE000:
                    break
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                at += 6
            if code < 0 or 0xD800 <= code < 0xE000:
                break
            n = _put(code, out, n)
            continue
        if byte == 98:
            byte = 8
        elif byte == 102:
            byte = 12
        elif byte == 110:
            byte = 10
        elif byte == 114:
            byte = 13
        elif byte == 116:
            byte = 9
        elif byte != 34 and byte != 92 and byte != 47:
            break
        out[n] = byte
        n += 1
    return np.int64(-1), n


@kernel
def read_vocabulary(raw, at, out, offsets, ids, spans):
    """Read the object at `at`, of names and ids; return how many there are, or -1.

    Args:
        raw: uint8, JSON.
        out: uint8, as much room as `raw` takes: the names, in UTF-8.
        offsets: int64[room + 1]: where they begin and end.
        ids: int64[room].
        spans: int64[room, 2]: where the entries begin and end in `raw`.
    """
    n, m = np.int64(0), np.int64(0)
    offsets[0] = 0
    at = _behind_space(raw, at + 1)
    while m < ids.size:
        spans[m, 0] = at
        at, n = _read_string(raw, at, out, n)
        if at < 0:
            return -1
        at = _behind_space(raw, at)
        if at == raw.size or raw[at] != 58:
            return -1
        at = _behind_space(raw, at + 1)
        first, number = at, np.int64(0)
        while at < raw.size and 48 <= raw[at] <= 57:
            number = 10 * number + raw[at] - 48
            at += 1
        if not 0 < at - first <= _DIGITS or (raw[first] == 48 and at - first > 1):
            return -1
        spans[m, 1] = at
        ids[m] = number
        m += 1
        offsets[m] = n
        at = _behind_space(raw, at)
        if at == raw.size:
            return -1
        if raw[at] == 125:
            return m
        if raw[at] != 44:
            return -1
        at = _behind_space(raw, at + 1)
    return -1


@kernel
def read_merges(raw, at, out, offsets, spans):
    """Read the array at `at`, of pairs of names; return how many there are, or -1.

    A pair is an array of two strings, or a string with a space between them.

    Args:
        raw: uint8, JSON.
        out: uint8, as much room as `raw` takes: the names, in UTF-8. offsets: int64[2 * room + 1].
        spans: int64[room, 2]: where the pairs begin and end in `raw`.
    """
    n = m = np.int64(0)
    offsets[0] = 0
    at = _behind_space(raw, at + 1)
    if at < raw.size and raw[at] == 93:
        return 0
    bracket = np.int64(raw[at]) if at < raw.size else 0
    while m < len(spans):
        spans[m, 0] = at
        if at == raw.size or raw[at] != bracket:
            return -1
        first = n
        if bracket == 91:
            at, n = _read_string(raw, _behind_space(raw, at + 1), out, n)
            at = _behind_space(raw, at) if at >= 0 else raw.size
            if at == raw.size or raw[at] != 44:
                return -1
            offsets[2 * m + 1] = n
            at, n = _read_string(raw, _behind_space(raw, at + 1), out, n)
            at = _behind_space(raw, at) if at >= 0 else raw.size
            if at == raw.size or raw[at] != 93:
                return -1
            at += 1
        else:
            at, n = _read_string(raw, at, out, n)
            if at < 0 or _equals(out, first, min(n, first + _HEADING.size), _HEADING):
                return -1
            space = first
            while space < n and out[space] != 32:
                space += 1
            if space == n:
                return -1
            for i in range(space, n - 1):
                out[i] = out[i + 1]
                if out[i] == 32:
                    return -1
            n -= 1
            offsets[2 * m + 1] = space
        spans[m, 1] = at
        m += 1
        offsets[2 * m] = n
        at = _behind_space(raw, at)
        if at == raw.size:
            return -1
        if raw[at] == 93:
            return m
        if raw[at] != 44:
            return -1
        at = _behind_space(raw, at + 1)
    return -1
