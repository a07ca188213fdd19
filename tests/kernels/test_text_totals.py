import sys

import numpy as np
import reference
import regex
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.constants import N_TOTALS
from toktk.kernels.text_totals import add_totals, mark_pieces

texts = st.one_of(
    st.text("ab \n\r\u3000\x85é東ไ😀"), st.text(st.characters(codec="utf-8")), st.just("")
)


def buffer(parts):
    return np.frombuffer(b"".join(parts), np.uint8), np.cumsum(
        [0, *map(len, parts)], dtype=np.int64
    )


def totals_of(documents, n_groups=3, before="", after=""):
    data, offsets = buffer([before.encode(), *(text.encode() for text, _, _ in documents)])
    data = np.concatenate([data, np.frombuffer(after.encode(), np.uint8)])
    totals = np.zeros((n_groups, N_TOTALS), np.int64)
    groups = np.array([group for _, group, _ in documents], np.int32)
    weights = np.array([weight for _, _, weight in documents], np.int64)
    flags = np.empty(int(offsets[-1] - offsets[1]), np.uint8)
    add_totals(data, offsets[1:], groups, weights, flags, totals)
    return totals


documents = st.lists(st.tuples(texts, st.integers(0, 2), st.integers(0, 2**40)), max_size=6)


@given(documents, texts, texts)
def test_totals_equal_the_reference(documents, before, after):
    expected = np.zeros((3, N_TOTALS), np.int64)
    for text, group, weight in documents:
        expected[group] += np.array(reference.totals(text)) * weight
    assert totals_of(documents, 3, before, after).tolist() == expected.tolist()


def test_totals_of_nasty_texts(nasty_texts):
    for text in nasty_texts:
        assert totals_of([(text, 0, 1)], 1)[0].tolist() == reference.totals(text), text[:60]


def test_words_and_lines():
    # documents, bytes, characters, lines, words, unspaced, non-space
    assert totals_of([("", 0, 1)], 1)[0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert totals_of([("\n", 0, 1)], 1)[0].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert totals_of([("a\r\n b\u2028ไก่", 0, 1)], 1)[0].tolist() == [1, 17, 9, 2, 3, 3, 5]


EVERY = [c for c in map(chr, range(sys.maxunicode + 1)) if not "\ud800" <= c <= "\udfff"]
EDGES = {
    chr(edge)
    for block in reference.UNSPACED
    for edge in (block.start - 1, *block[::700], block.stop)
}
# Plain Python takes its time, so not every ideograph: all of the planes' small blocks, some of the rest.
CHARACTERS = [c for c in EVERY if ord(c) < 0x3400 or 0xF800 < ord(c) < 0x10100 or c in EDGES]


def test_kind_of_every_character():
    # One group for each, so that one call classifies all.
    totals = totals_of([(f"a{c}a", i, 1) for i, c in enumerate(CHARACTERS)], len(CHARACTERS))
    spaces = {c for c, row in zip(CHARACTERS, totals.tolist(), strict=True) if row[6] == 2}
    assert spaces == set(regex.findall(r"\p{White_Space}", "".join(EVERY)))
    unspaced = [c for c, row in zip(CHARACTERS, totals.tolist(), strict=True) if row[5]]
    assert unspaced == list(filter(reference.is_unspaced, CHARACTERS))
    assert (totals[:, 2] == 3).all()


def test_unspaced_blocks_hold_no_other_script():
    scripts = ["Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Hiragana", "Katakana", "Han"]
    wanted = "".join(rf"\p{{Script={name}}}" for name in scripts)
    inside = "".join(chr(code) for block in reference.UNSPACED for code in block)
    assert not regex.findall(
        rf"[^{wanted}\p{{Script=Common}}\p{{Script=Inherited}}\p{{Cn}}]", inside
    )
    letters = regex.findall(rf"(?=\p{{L}})[{wanted}]", "".join(EVERY))
    # Left out: half-width and historic kana, extensions of Myanmar.
    assert sum(not reference.is_unspaced(c) for c in letters) < 0.006 * len(letters)


@given(st.lists(texts.filter(bool), max_size=8))
def test_pieces_with_a_letter(parts):
    data, offsets = buffer([part.encode() for part in parts])
    marked = np.zeros(len(parts), np.uint8)
    mark_pieces(data, offsets, letters(), marked)
    assert marked.tolist() == [reference.holds_letter(part.encode()) for part in parts]


def letters():
    if not hasattr(letters, "made"):
        letters.made = np.zeros(sys.maxunicode + 1, np.uint8)
        letters.made[[ord(c) for c in regex.findall(r"\p{L}", "".join(EVERY))]] = 1
    return letters.made


@given(st.binary(max_size=20))
def test_invalid_bytes_are_read_within_the_buffer(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    mark_pieces(data, offsets, letters(), np.zeros(1, np.uint8))
    totals, flags = np.zeros((1, N_TOTALS), np.int64), np.empty(len(raw), np.uint8)
    add_totals(data, offsets, np.zeros(1, np.int32), np.ones(1, np.int64), flags, totals)
    assert totals[0, 1] == len(raw)


def test_a_piece_cut_inside_a_character():
    data = np.frombuffer("é東".encode(), np.uint8)
    marked = np.zeros(4, np.uint8)
    mark_pieces(data, np.array([0, 1, 2, 4, 5]), letters(), marked)
    assert marked.tolist() == [0, 0, 0, 0]
