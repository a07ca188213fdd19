import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.near_duplicates import (
    HASHES,
    WORDS,
    flatten,
    link_alike,
    permutations,
    sign_documents,
)

MASK = 2**64 - 1


def mixed(h):
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
    return h ^ (h >> 31)


def words_of(text):
    """Return the words of a text: see the module."""
    words = [""]
    for char in text:
        if is_separator(char):
            words.append("")
        elif is_whole(char):
            words += [char, ""]
        else:
            words[-1] += char
    return [word for word in words if word]


def is_separator(char):
    code = ord(char)
    plain = char.isascii() and not char.isalnum()
    return plain or 0x80 <= code < 0xC0 or 0x2000 <= code < 0x3040


def is_whole(char):
    code = ord(char)
    blocks = [
        (0xE00, 0x10C0),
        (0x1780, 0x1800),
        (0x3040, 0xA000),
        (0xF900, 0xFB00),
        (0x20000, 0x40000),
    ]
    return any(first <= code < last for first, last in blocks)


def hash_of(word):
    h = 0xCBF29CE484222325
    for byte in word.encode():
        h = ((h ^ (byte | 32 if byte < 0x80 else byte)) * 0x100000001B3) & MASK
    return mixed(h) | 1


def signature_of(text, least):
    """Return the 64 bytes of a text and its first hash, None of too few words."""
    hashes = [hash_of(word) for word in words_of(text)]
    if len(hashes) < least:
        return None
    shingles = set()
    for five in zip(*(hashes[k:] for k in range(WORDS)), strict=False):
        h = 0
        for word in five:
            h = (h * 0x9E3779B97F4A7C15 + word) & MASK
        shingles.add(mixed(h) >> 32)
    factors, terms = (part.tolist() for part in permutations())
    mins = [
        min((shingle * factor + term) % 2**32 for shingle in shingles)
        for factor, term in zip(factors, terms, strict=True)
    ]
    return [least_hash % 256 for least_hash in mins], mins[0]


def signed(texts, least=WORDS):
    parts = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    n = len(parts)
    signatures, firsts = np.empty((n, HASHES), np.uint8), np.empty(n, np.uint32)
    documents = np.empty(n, np.int64)
    mins = np.empty(HASHES, np.uint32)
    n = sign_documents(data, offsets, least, *permutations(), mins, signatures, firsts, documents)
    return signatures[:n], firsts[:n], documents[:n]


WORDS_OF_TEXTS = [
    "a", "b", "Ab", "cat", "CAT", "東", "京", "ไ", "हिन्दी", "한국", "é", "Größe", "ь", "1", ";", "，", "«",
    "—", "x.y", "😀", "𠀀",
]  # fmt: skip
of_words = st.lists(st.sampled_from(WORDS_OF_TEXTS), max_size=12).map(" ".join)
texts = st.lists(of_words | st.text(max_size=40), max_size=4)


@given(texts)
def test_signatures_equal_the_slow_ones(documents):
    signatures, firsts, chosen = signed(documents)
    expected = {i: s for i, text in enumerate(documents) if (s := signature_of(text, WORDS))}
    assert chosen.tolist() == [*expected]
    for i, (of_bytes, first) in enumerate(expected.values()):
        assert signatures[i].tolist() == of_bytes
        assert firsts[i] == first


def test_signatures_of_nasty_texts(nasty_texts):
    signatures, _, chosen = signed(nasty_texts)
    for row, i in enumerate(chosen.tolist()):
        assert signatures[row].tolist() == signature_of(nasty_texts[i], WORDS)[0]
    assert len(chosen) > 8


def test_case_space_and_punctuation_do_not_matter():
    signatures, _, _ = signed(["The cat, sat on: the mat.", "the CAT sat\ton the (mat)"])
    assert signatures[0].tolist() == signatures[1].tolist()


@pytest.mark.parametrize("changed", [0, 1, 3, 10])
def test_equal_bytes_estimate_the_jaccard_index(changed):
    words = [f"w{i}" for i in range(400)]
    other = words[:]
    for i in range(changed):
        other[40 * i + 20] = "changed"
    signatures, _, _ = signed([" ".join(words), " ".join(other)])
    shared = 396 - 5 * changed
    jaccard = shared / (2 * 396 - shared)
    share = float((signatures[0] == signatures[1]).mean())
    assert abs(share - jaccard) < 0.15


def link(signatures, keys, least):
    parents = np.arange(len(signatures))
    for of_band in keys:
        order = np.argsort(of_band, kind="stable")
        link_alike(order, of_band, signatures, least, parents)
    flatten(parents)
    return parents.tolist()


def slow_link(signatures, keys, least):
    clusters = {i: {i} for i in range(len(signatures))}
    for of_band in keys:
        for key in set(of_band.tolist()):
            members = np.flatnonzero(of_band == key).tolist()
            pairs = {(members[0], b) for b in members[1:]} | {*itertools.pairwise(members)}
            for a, b in pairs:
                if (signatures[a] == signatures[b]).sum() >= least:
                    union = clusters[a] | clusters[b]
                    clusters.update(dict.fromkeys(union, union))
    return [min(clusters[i]) for i in range(len(signatures))]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 64)), max_size=12),
    st.lists(st.integers(0, 2), min_size=24, max_size=24),
)
def test_clusters_equal_the_slow_ones(rows, digits):
    signatures = np.zeros((len(rows), HASHES), np.uint8)
    for i, (value, n) in enumerate(rows):
        signatures[i, :n] = value
    bands = np.array(digits, np.uint64).reshape(2, 12)[:, : len(rows)]
    assert link(signatures, bands, 52) == slow_link(signatures, bands, 52)


@given(st.binary(max_size=60))
def test_invalid_bytes_are_read_within_the_document(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    signatures, firsts = np.empty((1, HASHES), np.uint8), np.empty(1, np.uint32)
    mins, documents = np.empty(HASHES, np.uint32), np.empty(1, np.int64)
    n = sign_documents(data, offsets, WORDS, *permutations(), mins, signatures, firsts, documents)
    assert n <= 1
