from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from fake_evaluation import FakeEvaluation
from nasty import NASTY_TEXTS
from pair_samples import ranked
from sampled_texts import sample_of

from toktk.metrics.robustness import CHANGES
from toktk.models.pairs import PairModel
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

NONE = FakeEvaluation(["x"], [1])


def of_words(*words):
    model = PairModel.from_ranks(ranked([word.encode() for word in words]), {})
    return Tokenizer("made", Pretokenizer.of("gpt2"), model)


def edits(measure, tokenizer, **texts):
    found = measure("token_edits", NONE, tokenizer=tokenizer, sample=sample_of(texts))
    return {(group, metric[len("token_edits[") : -1]): f for (group, metric), f in found.items()}


def test_edits_of_bytes_by_hand(measure) -> None:
    found = edits(measure, of_words(), x=["abc", "éab "], y=["12"])
    values = {kind: figure.value for (group, kind), figure in found.items() if group == "x"}
    # abc: acb is two bytes away. é is two bytes, and as e and a mark three: all three differ. ÉAB: the
    # second byte of é, a and b. A space behind is one more byte; that of the second text is not counted.
    assert values == {"swap": 2, "delete": 1, "nfd": 3, "upper": 1, "space": 1}
    assert found["x", "swap"].n == 2
    assert found["x", "nfd"].n == 1
    assert found["y", "space"].value == 1
    assert found["all", "space"].n == 3
    for kind in ("swap", "delete", "nfd", "upper"):
        assert found["y", kind].value is None
        assert found["y", kind].note == "no text that changes so"


def test_a_typo_breaks_a_token(measure) -> None:
    found = edits(measure, of_words("letter", " letter"), x=["letter letter"])
    # The letters nearest the middle are l and e: " eltter" is seven bytes.
    assert found["all", "swap"].value == 7
    assert found["all", "delete"].value == 6


def test_a_normalizer_that_composes_undoes_nfd(measure) -> None:
    cut = replace(Pretokenizer.of("gpt2"), normalizer=Normalizer(form="NFC"))
    composing = replace(of_words(), pretokenizer=cut)
    found = edits(measure, composing, x=["Größe, naïve 한국어"])
    assert found["x", "nfd"].value == 0
    assert found["x", "swap"].value > 0


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_changes_are_what_they_are_called(kind, text) -> None:
    before, after, n = CHANGES[kind](text)
    after.encode()
    assert n >= 0
    if not n:
        return
    assert before != after or kind == "space"
    if kind == "swap":
        assert before == text
        assert sorted(after) == sorted(text)
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 2
    elif kind == "delete":
        assert any(after == text[:i] + text[i + 1 :] for i in range(len(text)))
    elif kind == "nfd":
        assert before == unicodedata.normalize("NFC", text)
        assert after == unicodedata.normalize("NFD", text)
        assert n == sum(unicodedata.normalize("NFD", c) != c for c in before)
    elif kind == "upper":
        assert after == text.upper()
        assert n == sum(c.upper() != c for c in text)
    else:
        assert after == before + " "
        assert before == text.rstrip()


def test_typos_stand_nearest_the_middle() -> None:
    swap, delete = CHANGES["swap"], CHANGES["delete"]
    assert swap("abcdef") == ("abcdef", "abcedf", 1)
    assert delete("abcdef") == ("abcdef", "abcef", 1)
    assert swap("ab 1234")[1] == "ba 1234"
    for text in ("", "a", "aaaa", "a b c", "1234", "a\u0301b\u0301"):
        assert swap(text) == delete(text) == (text, text, 0)


def test_nothing_to_change(measure) -> None:
    found = edits(measure, of_words(), x=[""])
    assert {figure.value for figure in found.values()} == {None}
