"""Reachability: planted tokens that no text becomes, a slow twin, and published counts."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from audited import of_file, of_ranks, only, sentencepiece, token_id, word_pieces
from hypothesis import given
from hypothesis import strategies as st
from public_samples import LLAMA2, write
from rank_samples import write as write_ranks
from tokenizer_samples import PAIRS, TEXT, model_of

from toktk.audit.reachability import BROKEN, Reach, reachability
from toktk.audit.subject import Subject
from toktk.audit.utf8 import utf8
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


def test_a_token_that_merging_does_not_make():
    # "ab" comes first, so "bc" is left in no text of "abc"; the piece as a whole is "abc" to tiktoken.
    subject = of_ranks([b"ab", b"bc", b"abcd"])
    found = only(reachability(subject), "unmergeable")
    assert (found.severity, found.ids) == ("info", (token_id(subject, b"abcd"),))
    assert "becomes it all the same" in found.message
    assert only(reachability(subject), "unreachable").severity == "ok"


def test_a_token_that_the_pretokenizer_cuts():
    subject = of_ranks([b"a b", b"ab", b" b"], pattern=r" ?\p{L}+|\s+|\S")
    found = only(reachability(subject), "unreachable")
    assert (found.severity, found.count, found.of) == ("warning", 1, 131)
    assert found.ids == (token_id(subject, b"a b"),)
    assert found.examples == ("a b",)
    assert "the pretokenizer cuts 1" in found.message
    assert "Nor does one appear" in found.message


def test_a_token_of_longer_texts_alone():
    # Alone, "\n//" is cut behind the line end; behind a brace it is in one piece with that.
    pattern = r"[^\s\p{L}]+[\r\n/]*|\s+|\p{L}+"
    subject = of_ranks([b"\n//", b"//", b"}x"], pattern=pattern)
    found = only(reachability(subject), "unreachable")
    assert found.ids == (token_id(subject, b"\n//"), token_id(subject, b"}x"))
    assert "1 of them appears in one of the" in found.message


def test_many_unreachable_tokens_are_an_error():
    words = [bytes([a, 32, b]) for a in b"abcdefg" for b in b"abcdefg"]
    subject = of_ranks(words, pattern=r"\p{L}+|\s|.")
    found = only(reachability(subject), "unreachable")
    assert found.count == len(words) > BROKEN * found.of
    assert found.severity == "error"
    assert "do not belong together" in found.advice


def test_parts_of_characters_are_tried_as_pieces_alone():
    subject = of_ranks([b"\xe6\x9d", b"\xe6\x9d\xb1", b"\x9d\xb1"])
    reach = Reach.of(subject)
    at = {subject.tokens[i]: n for n, i in enumerate(reach.ids.tolist())}
    assert reach.alone.all()
    assert reach.by_model is not None
    assert reach.by_model[at[b"\x9d\xb1"]]
    assert reach.pieces[at[b"\xe6\x9d"]] == 0


def test_bytes_that_stand_in_for_characters_are_not_tried(tmp_path: Path):
    subject = of_file(write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None}))
    assert len(subject.fallback_ids) == 256
    assert {
        only(reachability(subject), check).severity for check in ("unreachable", "unmergeable")
    } == {"ok"}
    assert subject.adds_space


def test_words_and_what_continues_them(tmp_path: Path):
    subject = word_pieces(tmp_path, ["a", "##b", "ab", "##dead end", "1"])
    findings = reachability(subject)
    found = only(findings, "unreachable")
    assert found.ids == (5,)
    assert only(findings, "unmergeable").message.startswith("not checked: tokenizers")


def test_a_model_that_sentencepiece_runs(tmp_path: Path):
    options = {
        "vocab_size": 520,
        "model_type": "bpe",
        "byte_fallback": True,
        "hard_vocab_limit": False,
    }
    subject = sentencepiece(tmp_path, TEXT.split("\n") * 9, **options)
    assert not subject.is_native
    assert len(subject.fallback_ids) == 256
    assert only(reachability(subject), "unreachable").severity == "ok"


@given(choices=PAIRS)
def test_equals_a_slow_twin(choices):
    model = model_of(choices)
    pretokenizer = Pretokenizer.of(r"a+|[^a]+")
    subject = Subject(Tokenizer("drawn", pretokenizer, model))
    reach = Reach.of(subject)
    for n, i in enumerate(reach.ids.tolist()):
        token = model.tokens[i]
        data, offsets = np.frombuffer(token, np.uint8), np.array([0, len(token)])
        assert reach.by_merging is not None
        assert reach.by_merging[n] == (model.encode_pieces(data, offsets)[0].tolist() == [i])
        if token.isascii():
            text = token.decode()
            assert reach.alone[n] == (subject.tokenizer.encode(text) == [i])
            assert reach.pieces[n] == len(pretokenizer.cut(text))
            assert reach.in_text[n] >= reach.alone[n]


@given(words=st.lists(st.binary(min_size=2, max_size=5), unique=True, max_size=12))
def test_what_tiktoken_takes_as_whole_pieces_is_reached_by_the_model(words):
    reach = Reach.of(of_ranks(words))
    assert reach.by_model is not None
    assert reach.by_model.all()


@pytest.mark.parametrize(
    ("name", "partial", "unreachable"),
    [("r50k_base", 344, 0), ("cl100k_base", 773, 0), ("o200k_base", 1562, 12)],
)
def test_published_vocabularies(name: str, partial: int, unreachable: int, tmp_path: Path):
    subject = of_file(rank_file(name, tmp_path))
    found = reachability(subject)
    assert only(found, "unreachable").count == unreachable
    assert only(found, "unmergeable").count == 0
    assert only(utf8(subject, None), "partial-utf8").count == partial


def rank_file(name: str, folder: Path) -> Path:
    """Return OpenAI's rank file: of a folder that a variable names, or of a package that ships the ranks."""
    if given_folder := os.environ.get("TOKTK_REAL_TOKENIZERS"):
        return Path(given_folder) / f"{name}.tiktoken"
    package = importlib.util.find_spec("quicktok")
    places = list(package.submodule_search_locations or ()) if package else []
    shipped = [Path(place) / "data" / f"{name.removesuffix('_base')}.vocab" for place in places]
    if not shipped or not shipped[0].is_file():
        pytest.skip(
            "no ranks at hand: TOKTK_REAL_TOKENIZERS names a folder with the .tiktoken files"
        )
    raw, ranks, at = shipped[0].read_bytes(), dict[bytes, int](), 4
    while at < len(raw):  # length, token, rank
        end = at + 2 + int.from_bytes(raw[at : at + 2], "little")
        ranks[raw[at + 2 : end]] = int.from_bytes(raw[end : end + 4], "little")
        at = end + 4
    return write_ranks(folder / f"{name}.tiktoken", ranks)
