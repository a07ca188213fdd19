"""Boundaries: ids of two parts, joined, against those of the whole."""

from __future__ import annotations

from pathlib import Path

from audited import of_file, of_ranks, only, text_of
from public_samples import LLAMA2, write

from toktk.audit.boundary import boundary, cuts_of, differing


def test_cuts_of_each_kind(corpus_of):
    text = text_of(of_ranks([]), corpus_of, ["ab cd\nef  gh", "東京"])
    kinds = {
        kind: sorted((a.decode(), b.decode()) for a, b in cuts_of(text, kind, 100))
        for kind in ("before a space", "after a space", "within a word", "after a line end")
    }
    assert kinds["before a space"] == [("ab", " cd\nef  gh"), ("ab cd\nef", "  gh")]
    assert kinds["after a space"] == [("ab ", "cd\nef  gh"), ("ab cd\nef  ", "gh")]
    assert ("東", "京") in kinds["within a word"]
    assert kinds["after a line end"] == [("ab cd\n", "ef  gh")]


def test_tokens_over_a_cut_make_a_difference(corpus_of):
    subject = of_ranks([b" c", b" cd"], pattern="gpt2")
    cuts = [(b"ab", b" cd"), (b"ab ", b"cd"), (b"a", b"b"), (b"ab c", b"d")]
    assert differing(subject, cuts).tolist() == [False, True, False, True]
    text = text_of(subject, corpus_of, ["ab cd ab cd"])
    found = only(boundary(subject, text), "boundary")
    assert found.severity == "info"
    assert "before a space at 0% of 3 cuts, after a space at 66.7% of 3 cuts" in found.message
    assert "ab |cd ab cd" in found.examples


def test_bytes_alone_join(corpus_of):
    subject = of_ranks([])
    found = only(boundary(subject, text_of(subject, corpus_of, ["ab cd", "ef\ngh"])), "boundary")
    assert (found.severity, found.count) == ("ok", 0)
    nothing = only(boundary(subject, text_of(subject, corpus_of, ["1"])), "boundary")
    assert nothing.message.startswith("not checked")


def test_a_space_in_front_is_told(tmp_path: Path, corpus_of):
    subject = of_file(write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None}))
    found = only(boundary(subject, text_of(subject, corpus_of, ["ab cd"])), "boundary")
    assert "puts a space in front" in found.message


def test_cuts_lie_between_characters(corpus_of):
    long = "日本語 " * 3000
    text = text_of(of_ranks([]), corpus_of, [long])
    for before, after in cuts_of(text, "within a word", 50):
        assert before.decode()
        assert after.decode()
