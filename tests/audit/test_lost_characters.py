"""Characters that no token stands for, of all of Unicode and of a text."""

from __future__ import annotations

from pathlib import Path

from audited import of_ranks, only, sentencepiece, text_of, word_pieces

from toktk.audit.lost import lost_text
from toktk.audit.scripts import assigned, script_or_kind


def test_a_vocabulary_of_bytes_loses_nothing():
    (found,) = lost_text(of_ranks([]), None)
    assert (found.severity, found.count) == ("ok", 0)


def test_a_small_alphabet(tmp_path: Path, corpus_of):
    letters = [chr(c) for c in range(ord("!"), ord("~") + 1)] + ["я", "東"]
    subject = word_pieces(tmp_path, [*letters, *(f"##{letter}" for letter in letters)])
    text = text_of(subject, corpus_of, ["a東b", "京 京 я", "no loss"])
    findings = lost_text(subject, text)
    found = only(findings, "lost-characters")
    assert found.severity == "error"  # a space is no token either
    assert found.of == len(assigned())
    assert found.count is not None
    assert 144_000 - 200 < found.count < found.of - 94
    assert "Among them 1 of the 95 printable ones of ASCII" in found.message
    of_text = only(findings, "lost-text")
    assert (of_text.severity, of_text.unit) == ("error", "bytes")
    assert of_text.count == 2 * 3 + 2 + 1
    assert "Han 2" in of_text.message
    assert of_text.examples[0] == " "


def test_white_space_alone_is_a_warning(tmp_path: Path, corpus_of):
    subject = word_pieces(tmp_path, ["a", "b"])
    found = only(lost_text(subject, text_of(subject, corpus_of, ["a b"])), "lost-text")
    assert (found.severity, found.count, found.of) == ("warning", 1, 3)
    whole = text_of(subject, corpus_of, ["a"])
    assert only(lost_text(subject, whole), "lost-text").severity == "ok"


def test_byte_fallback_loses_what_is_deleted_alone(tmp_path: Path):
    options = {"vocab_size": 300, "model_type": "unigram", "byte_fallback": True}
    text = ["the cat the hat that chat", "hat the cat"] * 20
    subject = sentencepiece(tmp_path, text, hard_vocab_limit=False, **options)
    (found,) = lost_text(subject, None)
    assert found.severity == "warning"
    assert found.count is not None
    assert 0 < found.count < 100
    assert {script_or_kind(c) for c in found.examples} == {"control characters"}


def test_scripts():
    kinds = {
        "a": "Latin", "я": "Cyrillic", "東": "Han", "カ": "Kana", "ー": "Kana", "한": "Hangul",
        "\u093e": "Devanagari", "\u0301": "marks", "5": "digits", "१": "digits", " ": "white space",
        "\0": "control characters", "\u200d": "format characters", "\ue000": "private use",
        "\U000e0fff": "unassigned", "€": "punctuation and symbols",
    }  # fmt: skip
    assert {c: script_or_kind(c) for c in kinds} == kinds
