"""Tokens that are part of a character, bytes without a token, and characters that tokens cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import byte_names, of_file, of_ranks, only, text_of, token_id, word_pieces
from hypothesis import given
from hypothesis import strategies as st
from public_samples import byte_level, document, write

from toktk.audit.utf8 import Part, missing_bytes, part_of, utf8
from toktk.models.pairs import UNUSED_BYTES


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"a", None),
        ("東".encode(), None),
        (b"\x9d\xb1", Part.START),
        (b"\x9d\xb1a", Part.START),
        (b"a\xe6\x9d", Part.END),
        (b"\xb1\xe6", Part.BOTH),
        (b"\xf0\x9f\x98", Part.END),
        (b"\x9f\x98\x80", Part.START),
        (b"\x80\x80\x80\x80", Part.NEVER),
        (b"\xc0", Part.NEVER),
        (b"\xff", Part.NEVER),
        (b"\xc3(", Part.NEVER),
        (b"\xed\xa0\x80", Part.NEVER),
        (b"a\xe6b", Part.NEVER),
        (b"\0", None),
    ],
)
def test_parts(raw: bytes, part: Part | None):
    assert part_of(raw) is part


@given(text=st.text(min_size=1, max_size=4), ends=st.tuples(st.integers(0, 16), st.integers(0, 16)))
def test_a_part_of_text_is_never_what_stands_in_no_utf8(text, ends):
    raw = text.encode("utf-8", "replace")
    part = raw[min(ends) : max(ends)]
    begins = min(ends) < len(raw) and bool(part) and part[0] & 0xC0 == 0x80
    stops = max(ends) < len(raw) and bool(part) and raw[max(ends)] & 0xC0 == 0x80
    wanted = {(0, 0): None, (1, 0): Part.START, (0, 1): Part.END, (1, 1): Part.BOTH}
    # What lies within one character is all continuation: where it ends nobody can tell.
    within = bool(part) and all(byte & 0xC0 == 0x80 for byte in part)
    assert part_of(part) is (Part.START if within else wanted[begins, stops])


def test_partial_tokens_are_counted_by_kind():
    subject = of_ranks([b"\xe6\x9d", b"\x9d\xb1", b"\xb1\xe6", b"ab"])
    found = only(utf8(subject, None), "partial-utf8")
    assert (found.severity, found.count, found.of) == ("info", 131, 260)
    assert (
        "65 beginning within a character, 52 ending within one, 1 both, 13 that stand in no UTF-8"
        in (found.message)
    )
    assert token_id(subject, b"\xb1\xe6") in found.ids
    assert found.examples[0].encode("utf-8", "surrogateescape") in subject.tokens


def test_tokens_of_damaged_text_are_a_warning():
    assert only(utf8(of_ranks([b"a\xff"]), None), "partial-utf8").severity == "warning"


def test_whole_characters_are_fine(tmp_path: Path):
    subject = word_pieces(tmp_path, ["a", "東"])
    found = utf8(subject, None)
    assert [f.severity for f in found] == ["ok"]
    assert missing_bytes(subject) is None


def of_bytes(path: Path, *missing: int):
    vocab = {name: i for i, name in enumerate(byte_names(*missing))}
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    return of_file(
        write(
            path / "tokenizer.json",
            document(model, pre_tokenizer=byte_level()) | {"truncation": None},
        )
    )


def test_missing_bytes(tmp_path: Path):
    subject = of_bytes(tmp_path, 0, 0xE6, 0xFF)
    found = only(utf8(subject, None), "missing-bytes")
    assert (found.severity, found.count, found.of) == ("error", 3, 256)
    assert found.examples == ("0x00", "0xE6")
    assert found.message.startswith("2 bytes of UTF-8 have no token")


def test_bytes_that_no_text_has_may_be_missing(tmp_path: Path):
    found = only(utf8(of_bytes(tmp_path, *UNUSED_BYTES), None), "missing-bytes")
    assert (found.severity, found.count) == ("info", 13)
    assert only(utf8(of_ranks([]), None), "missing-bytes").severity == "ok"


def test_characters_that_tokens_cut(corpus_of):
    subject = of_ranks([b"\xe6\x9d", "東".encode(), b"\xe4\xba"])
    text = text_of(subject, corpus_of, ["東京", "京 é", "abc"])
    found = only(utf8(subject, text), "cut-characters")
    assert (found.severity, found.count, found.of) == ("info", 3, 8)
    assert found.examples == ("京", "é")
    assert "Han 66.7%" in found.message
    assert "Latin 25.0%" in found.message
    plain = text_of(subject, corpus_of, ["abc"])
    assert only(utf8(subject, plain), "cut-characters").severity == "ok"


def test_tokens_that_do_not_spell_the_text_tell_no_cuts(tmp_path: Path, corpus_of):
    subject = of_bytes(tmp_path, 0xE6)
    text = text_of(subject, corpus_of, ["東 é"])
    found = only(utf8(subject, text), "cut-characters")
    assert found.message.startswith("not checked")
