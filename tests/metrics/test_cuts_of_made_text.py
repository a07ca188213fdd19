"""Where tokens begin in made text, for tokenizers that change it or lose some of it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from public_samples import document

from toktk.libraries.huggingface import HfDocumentsModel
from toktk.metrics.cuts import CHANGED, Cuts, cuts_of
from toktk.models.bpe import BpeModel
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


def starts(cuts: Cuts | None) -> list[list[int]]:
    assert cuts is not None
    ends = cuts.offsets.tolist()
    return [cuts.starts[a:b].tolist() for a, b in itertools.pairwise(ends)]


def of_bytes(normalizer: Normalizer) -> Tokenizer:
    cut = Pretokenizer("tested", "(?s:.+)", normalizer=normalizer)
    return Tokenizer("bytes", cut, BpeModel((), np.empty((0, 3), np.int64)))


def test_a_token_lies_where_its_bytes_are(crafted) -> None:
    tokenizer = crafted([("a", "b"), (b"\xc3", b"\xa9")])
    cuts = cuts_of(tokenizer, ["abé", "", "b ab"])
    assert starts(cuts) == [[0, 2], [], [0, 1, 2]]
    assert cuts.counts.tolist() == [2, 0, 3]
    assert cuts.lengths.tolist() == [4, 0, 4]
    places = np.array([[0, 2, 3, 4, 5], [0, 1, -1, 0, 0], [-1, 1, 3, 4, 9]])
    assert cuts.has(places).tolist() == [
        [True, True, False, True, False],
        [True, False, False, True, True],
        [False, True, False, True, False],
    ]
    assert cuts.masks(np.array([0, 0, 1]), np.array([4, 0, 2])).tolist() == [0b100, 0, 0b10]


def test_a_space_in_front_is_allowed_for() -> None:
    cuts = cuts_of(of_bytes(Normalizer(prefix="always")), ["ab", " b"])
    assert starts(cuts) == [[-1, 0, 1], [-1, 0, 1]]
    assert cuts.has(np.array([[0, 1], [0, 3]])).tolist() == [[True, True], [True, False]]
    assert cuts.masks(np.zeros(2, np.int64), np.array([2, 1])).tolist() == [0b10, 0]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_text_that_is_changed_has_no_cuts(form: str) -> None:
    tokenizer = of_bytes(Normalizer(form))
    assert cuts_of(tokenizer, ["abc", "e\u0301"]) is None
    assert starts(cuts_of(tokenizer, ["abc", "é"])) == [[0, 1, 2], [0, 1]]


def test_a_lost_character_leaves_no_cuts() -> None:
    words = {"<unk>": 0, "one": 1, "1": 2}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"}
    library = HfDocumentsModel(json.dumps(document(model, pre_tokenizer={"type": "Whitespace"})))
    tokenizer = Tokenizer("words", Pretokenizer.of("none"), library)
    assert starts(cuts_of(tokenizer, ["one", "1"])) == [[0], [0]]
    assert cuts_of(tokenizer, ["one", "2"]) is None
    assert cuts_of(tokenizer, ["one 1"]) is None  # the space is nowhere
    assert "loses" in CHANGED


@given(st.lists(st.text(max_size=8), max_size=5))
def test_cuts_are_those_of_each_text(texts: list[str]) -> None:
    tokenizer = of_bytes(Normalizer())
    cuts = cuts_of(tokenizer, texts)
    assert starts(cuts) == [list(range(len(text.encode()))) for text in texts]


def test_nasty_text_has_cuts(tokenizer) -> None:
    cuts = cuts_of(tokenizer, NASTY_TEXTS)
    for text, begins in zip(NASTY_TEXTS, starts(cuts), strict=True):
        assert begins == sorted(set(begins))
        assert begins[:1] == ([0] if text else [])
        edges = [*begins, len(text.encode())]
        assert [text.encode()[a:b] for a, b in itertools.pairwise(edges)] == [
            tokenizer.decode_bytes([i]) for i in tokenizer.encode(text)
        ]
