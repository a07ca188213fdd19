"""Near duplicates: documents by the words that they share, in signatures of 64 bytes.

A *word* is a run of ASCII letters and digits, without case, and of characters above; a character of a script
without spaces, such as Chinese or Thai, is a word by itself. Punctuation and space are none. A *shingle* is
five words in a row. Of 64 hashes of all shingles, each the least over the document; of those 64,
the low byte is kept. So the share of equal bytes of two documents is their Jaccard index, the share of their
shingles that both have, and 1/256 of the rest (MinHash: Broder 1997; by the byte: Li and König 2010).
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import char_length

WORDS = 5
"""In a shingle."""

HASHES = 64

_START = np.uint64(0xCBF29CE484222325)
_STEP = np.uint64(0x100000001B3)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_FOLD = np.uint64(0x9E3779B97F4A7C15)


def mixed(h: np.ndarray) -> np.ndarray:
    """Return hashes whose bits all depend on all of `h`, uint64."""
    h = (h ^ (h >> np.uint64(30))) * _M1
    h = (h ^ (h >> np.uint64(27))) * _M2
    result: np.ndarray = h ^ (h >> np.uint64(31))
    return result


_mixed = inlined(mixed)


def permutations() -> tuple[np.ndarray, np.ndarray]:
    """Return factors, odd, and terms, uint32[HASHES]: the 64 hashes of a shingle's."""
    with np.errstate(over="ignore"):
        seeds = mixed(np.arange(1, 2 * HASHES + 1, dtype=np.uint64) * _FOLD).astype(np.uint32)
    return seeds[:HASHES] | np.uint32(1), seeds[HASHES:].copy()


@inlined
def _is_plain(byte):
    """Tell whether an ASCII byte is a letter or a digit."""
    return (((byte | 32) >= 97) & ((byte | 32) <= 122)) | ((byte >= 48) & (byte <= 57))


# What a character of more bytes is: of a word, a word, none.
_PART, _WHOLE, _SEPARATOR = range(3)


@inlined
def _kind(first, second):
    """Tell what a character of two bytes or more is, by its first two.

    A whole word are Thai, Lao, Tibetan, Burmese, Khmer, kana, and Han with its extensions. Separators are the
    punctuation of Latin-1, of Unicode at large, and of Chinese and Japanese.
    """
    if (first == 0xC2) | (first == 0xE2) | ((first == 0xE3) & (second == 0x80)):
        return _SEPARATOR
    whole = (
        ((first == 0xE0) & (second >= 0xB8))
        | ((first == 0xE1) & ((second <= 0x82) | (second == 0x9E) | (second == 0x9F)))
        | ((first >= 0xE3) & (first <= 0xE9))
        | ((first == 0xEF) & (second >= 0xA4) & (second <= 0xAB))
        | ((first == 0xF0) & (second >= 0xA0))
    )
    return _WHOLE if whole else _PART


@kernel
def _next_word(data, i, stop):
    """Return the hash of the next word from `i` on, and where it ends; 0 and `stop` if there is none."""
    h = _START
    inside = False
    while i < stop:
        byte = data[i]
        if byte < 0x80:
            if _is_plain(byte):
                h = (h ^ np.uint64(byte | 32)) * _STEP
                inside = True
            elif inside:
                break
            i += 1
        else:
            width = min(char_length(byte), stop - i)
            kind = _kind(byte, data[i + 1]) if width > 1 else _PART
            if kind != _PART and inside:
                break
            if kind != _SEPARATOR:
                for k in range(width):
                    h = (h ^ np.uint64(data[i + k])) * _STEP
                inside = True
            i += width
            if kind == _WHOLE:
                break
    return (_mixed(h) | np.uint64(1) if inside else np.uint64(0)), i


@kernel
def sign_documents(data, offsets, least, factors, terms, mins, signatures, firsts, documents):
    """Sign each document of at least so many words; return how many there are.

    Args:
        data, offsets: uint8 and int64[D + 1].
        least: words, `WORDS` or more.
        factors, terms: uint32[HASHES], see `permutations`.
        mins: uint32[HASHES], scratch.
        signatures: uint8[room, HASHES], out.
        firsts: uint32[room], out: the first of the 64 hashes, whole. Documents of a Jaccard index J have
            the same one in a share J of the cases: what a sample is drawn by.
        documents: int64[room], out: which ones they are.
    """
    n = 0
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        if stop - i < 2 * least - 1:
            continue
        for k in range(HASHES):
            mins[k] = np.uint32(0xFFFFFFFF)
        words = np.int64(0)
        w1 = w2 = w3 = w4 = np.uint64(0)
        while i < stop:
            word, i = _next_word(data, i, stop)
            if word == 0:
                break
            words += 1
            if words >= WORDS:
                h = (((w1 * _FOLD + w2) * _FOLD + w3) * _FOLD + w4) * _FOLD + word
                shingle = np.uint32(_mixed(h) >> np.uint64(32))
                for k in range(HASHES):
                    mins[k] = min(mins[k], np.uint32(shingle * factors[k] + terms[k]))
            w1, w2, w3, w4 = w2, w3, w4, word
        if words < least:
            continue
        for k in range(HASHES):
            signatures[n, k] = np.uint8(mins[k] & np.uint32(0xFF))
        firsts[n] = mins[0]
        documents[n] = d
        n += 1
    return n


@kernel
def _root(parents, i):
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@kernel
def _equal_bytes(signatures, a, b):
    n = 0
    for k in range(HASHES):
        n += signatures[a, k] == signatures[b, k]
    return n


@kernel
def link_alike(order, keys, signatures, least, parents):
    """Unite documents of one key that have at least so many equal bytes.

    Each is compared with the first one of its key and with the one before it.

    Args:
        order: int64[n], the documents by key.
        keys: uint64[n], of each document.
        signatures: uint8[n, HASHES].
        least: equal bytes.
        parents: int64[n], a forest: the root of each tree is the least document of it.
    """
    head = 0
    for at in range(1, order.size):
        if keys[order[at]] != keys[order[head]]:
            head = at
            continue
        b = order[at]
        for other in (head, at - 1):
            a = order[other]
            if _equal_bytes(signatures, a, b) >= least:
                root, second = _root(parents, a), _root(parents, b)
                parents[max(root, second)] = min(root, second)


@kernel
def flatten(parents):
    """Let every document's parent be its root."""
    for i in range(parents.size):
        parents[i] = _root(parents, i)
