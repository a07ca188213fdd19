"""Round trips: what changes a text is told from what came out."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from audited import of_file, of_ranks, only, text_of, word_pieces
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from public_samples import LLAMA2, write

from toktk.audit import round_trip as round_trips
from toktk.audit.round_trip import CAUSES, OTHER, causes_of, round_trip


def names_of(before: str, after: str) -> list[str]:
    return [cause.name for cause in causes_of(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("a", " a", ["a space is put in front"]),
        (" a", "  a", ["a space is put in front"]),
        ("e\u0301", "é", ["canonical normalization (NFC or NFD)"]),
        ("ﬁ", "fi", ["compatibility normalization (NFKC or NFKD)"]),
        ("a\r\nb", "a\nb", ["CR LF becomes LF"]),
        (" a ", "a", ["white space at the ends is dropped"]),
        ("a  b", "a b", ["runs of white space become one space"]),
        ("a b", "ab", ["white space is dropped"]),
        ("Ab", "ab", ["upper case becomes lower case"]),
        ("a\0b", "ab", ["control and format characters are dropped"]),
        ("naïve", "naive", ["accents are dropped"]),
        ("a\u2581b", "a b", ["U+2581 becomes a space"]),
        ("Ab c", " abc",
            ["a space is put in front", "white space is dropped", "upper case becomes lower case"]),
        ("a", "b", [OTHER.name]),
        ("ab", "a", [OTHER.name]),
    ],
)  # fmt: skip
def test_causes(before: str, after: str, names: list[str]):
    assert names_of(before, after) == names


@given(text=st.text(max_size=20), cause=st.sampled_from(CAUSES))
def test_a_cause_alone_is_never_another_way(text, cause):
    changed = cause.same(text)
    if changed != text:
        assert causes_of(text, changed) != [OTHER]


def test_bytes_spell_every_text(corpus_of):
    subject = of_ranks([b"ab", "東".encode()])
    findings = round_trip(subject, text_of(subject, corpus_of, NASTY_TEXTS[1:]))
    assert [(f.check, f.severity, f.count) for f in findings] == [
        ("round-trip", "ok", 0),
        ("round-trip-corpus", "ok", 0),
    ]


def test_a_space_in_front_and_marks(tmp_path: Path):
    subject = of_file(write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None}))
    found = {finding.message.partition(":")[0]: finding for finding in round_trip(subject, None)}
    assert set(found) == {"a space is put in front", "U+2581 becomes a space"}
    assert found["a space is put in front"].severity == "info"
    assert found["U+2581 becomes a space"].severity == "warning"
    assert found["U+2581 becomes a space"].count == 3


def test_unknown_text_and_dropped_spaces(tmp_path: Path, corpus_of):
    subject = word_pieces(tmp_path, ["a", "##a"], normalizer={"type": "Lowercase"})
    text = text_of(subject, corpus_of, ["a aa", "A", "a b", "aa"])
    found = {
        finding.message.partition(":")[0]: (finding.severity, finding.count, finding.of)
        for finding in round_trip(subject, text)
        if finding.check == "round-trip-corpus"
    }
    assert found == {
        "text becomes the unknown token": ("error", 1, 4),
        "white space is dropped": ("warning", 1, 4),
        "upper case becomes lower case": ("warning", 1, 4),
    }


def test_examples_begin_where_a_text_differs(tmp_path: Path, corpus_of):
    subject = word_pieces(tmp_path, ["a", "##a"])
    text = text_of(subject, corpus_of, ["a" * 40 + " a"])
    found = only(round_trip(subject, text), "round-trip-corpus")
    assert found.examples == ("aaaaaaaaaa a",)


def test_a_normal_form_is_told_in_a_text(tmp_path: Path, corpus_of):
    normal = {"type": "NFC"}
    subject = of_file(
        write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None, "normalizer": normal})
    )
    decomposed = unicodedata.normalize("NFD", "é è")
    found = only(
        round_trip(subject, text_of(subject, corpus_of, [decomposed])), "round-trip-corpus"
    )
    assert (found.severity, found.count) == ("info", 1)
    assert found.message.startswith("canonical normalization")


def test_the_share_is_of_the_documents_that_were_looked_at(tmp_path: Path, corpus_of, monkeypatch):
    monkeypatch.setattr(round_trips, "_TRIED", 3)
    subject = of_file(write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None}))
    text = text_of(subject, corpus_of, [f"line {i}" for i in range(9)])
    found = only(round_trip(subject, text), "round-trip-corpus")
    assert (found.count, found.of) == (3, 3)
    assert "the tokens of 3 of the first 3 of 9 different documents" in found.message
    assert found.message.endswith("(100.0%). In all, 9 do, for this cause or another.")
