"""Odd tokens of a vocabulary, planted one kind after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import of_file, of_ranks, only, token_id, word_pieces
from public_samples import document, metaspace, write

from toktk.audit.hygiene import LONG, hygiene


def found(words: list[bytes], check: str):
    subject = of_ranks(words)
    return subject, only(hygiene(subject), check)


def test_a_clean_vocabulary():
    findings = hygiene(of_ranks([]))
    bad = {finding.check for finding in findings if finding.severity != "ok"}
    assert bad == {"variants", "blank-tokens"}  # letters of ASCII, and its white space


def test_two_ids_for_one_text(tmp_path: Path):
    vocab = [
        ["<unk>", 0.0],
        ["\u2581", -2.0],
        ["a", -2.0],
        ["b", -2.0],
        ["a ", -3.0],
        ["a\u2581", -3.0],
    ]
    model = {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}
    written = document(model, pre_tokenizer=metaspace("always")) | {"truncation": None}
    twice = only(hygiene(of_file(write(tmp_path / "tokenizer.json", written))), "duplicates")
    assert (twice.severity, twice.ids, twice.count) == ("warning", (4, 5), 2)
    assert "2 ids spell 1 text" in twice.message


def test_what_continues_a_word_is_no_duplicate(tmp_path: Path):
    subject = word_pieces(tmp_path, ["ab", "##ab", "c"])
    assert subject.continuing_ids == {3}
    assert only(hygiene(subject), "duplicates").severity == "ok"


def test_holes_are_told():
    subject = of_ranks([b"ab"], **{"<s>": 300})
    holes = only(hygiene(subject), "holes")
    assert (holes.severity, holes.count, holes.of) == ("info", 43, 301)
    assert holes.ids[0] == 257


def test_variants_of_case_and_space():
    _, variants = found(["Süß".encode(), "süß".encode(), b" the", b"the", b"xyz"], "variants")
    assert variants.severity == "info"
    assert variants.count == 52 + 4  # letters of ASCII are variants of each other too
    assert variants.of == 128 + 5


def test_long_tokens():
    line, words = b"-" * (LONG + 6), b"for i in range(10): print(i) # and so on, " * 2
    subject, long = found([line, words, b"short"], "long-tokens")
    assert (long.severity, long.count) == ("info", 2)
    assert set(long.ids) == {token_id(subject, line), token_id(subject, words)}
    assert "the longest of 84; 1 of them" in long.message
    assert long.examples == (words.decode(),)
    assert found([b"short"], "long-tokens")[1].severity == "ok"


def test_blank_tokens():
    subject, blank = found([b"  ", b"\n\n", b" "], "blank-tokens")
    assert token_id(subject, b"\n\n") in blank.ids
    assert blank.severity == "info"


def test_letters_of_several_scripts():
    mixed = ["aя".encode(), "東x".encode()]
    fine = [
        "東カ".encode(),
        "é1".encode(),
        "ʻa".encode(),
        b"ab",
        *(token.encode() for token in (" nº", " \u00b5m", "〆切", "ℓx", "2ª")),
    ]
    subject, scripts = found([*mixed, *fine], "mixed-scripts")
    assert set(scripts.ids) == {token_id(subject, token) for token in mixed}


@pytest.mark.parametrize(
    ("token", "what", "severity"),
    [
        (b"jane.doe@example.org", "e-mail addresses", "warning"),
        (b" +1 (555) 010-9999", "telephone numbers", "warning"),
        (b"555-010-9999", "telephone numbers", "warning"),
        (b"https://example.org", "web addresses", "info"),
    ],
)
def test_what_looks_like_data_of_someone(token: bytes, what: str, severity: str):
    subject, private = found([token], "private")
    assert (private.severity, private.ids) == (severity, (token_id(subject, token),))
    assert what in private.message


@pytest.mark.parametrize(
    "token", [b"1234567890", b"2024-02-29", b"@media", b"1.2.3", b"x@y", b"://"]
)
def test_what_looks_like_no_data(token: bytes):
    assert found([token], "private")[1].severity == "ok"
