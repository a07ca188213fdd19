import html
import unicodedata

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from toktk.audit.text_tables import FAULTS, composing_pairs, entity_names, fault_classes
from toktk.kernels.faults import N_FAULTS, count_faults

PIECES = [
    "a", "é", "e\u0301", "a\u0323\u0302", "각", "\u1100\u1161", "か\u3099", "\0", "\x1b", "\x85", "\x9f",
    "\ufffd", "\ufeff", "\ue000", "\uffff", "\U000f0000", "\u200b", "\xad", "\r", "\n", "\r\n", "\t", "\f",
    "&amp;", "&#8217;", "&#x1F600;", "&copy", "&c;", "&verylongname;", "&;", "&#;", "&#x;",
    "</p>", "</ p>", "<br>", "<br/>", "<bra>", "</", "<", "&", ";", "x > y", "東", "हि", "😀",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
documents = st.lists(st.tuples(texts | st.text(), st.integers(0, 2)), max_size=5)


def buffer(parts):
    data = np.frombuffer(b"".join(part.encode() for part in parts), np.uint8)
    return data, np.cumsum([0, *(len(part.encode()) for part in parts)], dtype=np.int64)


def counted(rows, n_spots=2, n_groups=3):
    data, offsets = buffer([text for text, _ in rows])
    groups = np.array([group for _, group in rows], np.int64)
    counts = np.zeros((n_groups, N_FAULTS, 2), np.int64)
    spots = np.zeros((N_FAULTS, 1 + n_spots), np.int64)
    tables = fault_classes(), entity_names(), composing_pairs()
    count_faults(data, offsets, groups, *tables, counts, spots, np.zeros(N_FAULTS, np.int64))
    return counts, spots, offsets


def is_decomposed(text, i):
    """Tell whether the mark at `i` and the character before it are one in NFC."""
    if i == 0 or ord(text[i - 1]) < 0x41:
        return False
    pair = text[i - 1 : i + 1]
    united = unicodedata.normalize("NFC", pair)
    is_one = len(united) == 1 and unicodedata.decomposition(united) != ""
    return is_one or is_hangul(pair)


def is_hangul(pair):
    return "\u1100" <= pair[0] <= "\u1112" and "\u1161" <= pair[1] <= "\u1175"


def faults_of(text):
    """Return how often each fault is in a text."""
    entities = regex.findall(
        r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,8}|([A-Za-z0-9]{1,8}));", text, overlapped=True
    )
    names = {name[:-1] for name in html.entities.html5 if name.endswith(";")}
    known = {int(n).to_bytes(8, "little").rstrip(b"\0").decode() for n in entity_names()}
    assert known <= names
    composed = {unicodedata.normalize("NFC", chr(p >> 32) + chr(p & 0xFFFFFFFF)) for p in PAIRS}
    n = {
        "replaced": text.count("\ufffd"),
        "nul": text.count("\0"),
        "control": len(regex.findall(r"[\x01-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]", text)),
        "bom": text.count("\ufeff"),
        "private": sum(
            unicodedata.category(c) == "Co" or ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) < 0xFDF0
            or ord(c) >= 0xF0000
            for c in text
        ),
        "invisible": len(regex.findall("[\u200b\u2060\xad]", text)),
        "entity": sum(name == "" or name in known for name in entities),
        "tag": len(regex.findall(r"</[a-zA-Z][a-zA-Z0-9]{0,13}>|<[bB][rR][ />]", text)),
        "crlf": text.count("\r\n"),
        "lf": len(regex.findall(r"(?<!\r)\n", text)),
        "cr": len(regex.findall(r"\r(?!\n)", text)),
        "decomposed": sum(is_decomposed(text, i) for i in range(len(text))),
        "composed": sum(c in composed or "가" <= c <= "힣" for c in text),
    }  # fmt: skip
    n["mixed ends"] = int(n["crlf"] > 0 and n["lf"] > 0)
    return [n.get(fault, 0) for fault in FAULTS]


PAIRS = composing_pairs().tolist()


@given(documents)
def test_faults_equal_the_slow_count(rows):
    expected = np.zeros((3, N_FAULTS, 2), np.int64)
    for text, group in rows:
        n = np.array(faults_of(text))
        expected[group] += np.stack([n, n > 0], axis=1)
    counts, _, _ = counted(rows)
    named = {f: (counts[:, i].tolist(), expected[:, i].tolist()) for i, f in enumerate(FAULTS)}
    assert {f: pair for f, pair in named.items() if pair[0] != pair[1]} == {}


def test_faults_of_nasty_texts(nasty_texts):
    for text in nasty_texts:
        counts, _, _ = counted([(text, 0)])
        assert dict(zip(FAULTS, counts[0, :, 0].tolist(), strict=True)) == dict(
            zip(FAULTS, faults_of(text), strict=True)
        ), text[:60]


def test_places_of_the_first_documents():
    rows = [("é\ufffd\ufffd", 0), ("", 0), ("ab\ufffd", 1), ("\ufffd", 1)]
    _, spots, offsets = counted(rows)
    assert spots[FAULTS.index("replaced")].tolist() == [2, 2, int(offsets[2]) + 2]
    assert spots[FAULTS.index("nul"), 0] == 0


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_mark_is_found_in_decomposed_letters_alone(form):
    text = unicodedata.normalize(form, "Größe naïve Tiếng Việt όμορφος йод が 한국 أإ")
    counts, _, _ = counted([(text, 0)])
    assert (counts[0, FAULTS.index("decomposed"), 0] > 0) == (form == "NFD")
    assert (counts[0, FAULTS.index("composed"), 0] > 0) == (form == "NFC")


@given(st.binary(max_size=30))
def test_invalid_bytes_are_read_within_the_document(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    counts, spots = np.zeros((1, N_FAULTS, 2), np.int64), np.zeros((N_FAULTS, 2), np.int64)
    tables = fault_classes(), entity_names(), composing_pairs()
    own = np.zeros(N_FAULTS, np.int64)
    count_faults(data, offsets, np.zeros(1, np.int64), *tables, counts, spots, own)
    assert not own.any()
