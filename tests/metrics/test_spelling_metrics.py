from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from nasty import NASTY_TEXTS
from pair_samples import ranked
from sampled_texts import sample_of
from unigram_samples import of_characters

from toktk.errors import MetricError
from toktk.metrics.spelling import LEAST_WORDS, VARIANTS, words_of
from toktk.models.pairs import PairModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

NONE = FakeEvaluation(["x"], [1])
WORDS = [f"k{letter}" for letter in "abcdefghijklmnopqrtuvwxyz"]


def of_words(*words):
    model = PairModel.from_ranks(ranked([word.encode() for word in words]), {"The": 999})
    return Tokenizer("made", Pretokenizer.of("gpt2"), model)


def values(measure, name, tokenizer, sample):
    found = measure(name, NONE, tokenizer=tokenizer, sample=sample)
    return {(group, metric[len(name) + 1 : -1]): f.value for (group, metric), f in found.items()}


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ([], 0),
        (["the", " the", "The", " THE"], 1),
        (["the", "thesis", "12", " 12"], 0),
        (["ab", " ab", "cd"], 2 / 3),
        (["STRASSE", "straße", "ß"], 2 / 3),
        (["  ab", "ab", "\nab"], 0),  # one space at most
        (["ΣΑΣ", "σας"], 1),
        (["é", "É", "東", " 東"], 1),
    ],
)
def test_variants_in_a_vocabulary(measure, words, share) -> None:
    # The letters of the bytes: a to z twice.
    tokenizer = of_words(*words)
    figure = measure("variant_tokens", NONE, tokenizer=tokenizer)["all", "variant_tokens"]
    of_bytes, n = 52, sum(any(map(str.isalpha, word)) for word in words)
    assert figure.value == pytest.approx((of_bytes + share * n) / (of_bytes + n))
    assert figure.n == of_bytes + n


def test_a_vocabulary_without_letters_has_no_variants(measure) -> None:
    digits = of_characters({str(n): -1.0 for n in range(9)}, special_tokens=("a", "A"))
    tokenizer = Tokenizer("made", Pretokenizer.of("none"), digits)
    model = measure("variant_tokens", NONE, tokenizer=tokenizer)["all", "variant_tokens"]
    assert (model.value, model.note) == (None, "no token with a letter")


def test_bytes_share_what_letters_they_share(measure) -> None:
    sample = sample_of({"x": [" ".join(WORDS)]})
    expected = {"capital": 0, "upper": 1, "bare": 0, "plural": 0}
    assert values(measure, "disjoint_variants", of_words(), sample) == {
        (group, kind): share for kind, share in expected.items() for group in ("x", "all")
    }
    assert set(values(measure, "single_token_variants", of_words(), sample).values()) == {0}


def test_variants_of_words_by_hand(measure) -> None:
    first = WORDS[:5]
    tokens = [form for w in first for form in (f" {w}", f" {w.title()}", f" {w}s", w.upper())]
    tokenizer, sample = of_words(*tokens), sample_of({"x": [" ".join(WORDS)]})
    apart = values(measure, "disjoint_variants", tokenizer, sample)
    single = values(measure, "single_token_variants", tokenizer, sample)
    kinds = ("capital", "upper", "bare", "plural")
    assert [apart["all", kind] for kind in kinds] == [0.2, 1, 0.2, 0.2]
    # A space and KA are two tokens; so are the bytes of ka.
    assert [single["x", kind] for kind in kinds] == [0.2, 0, 0, 0.2]


def test_white_space_and_the_unknown_token_are_nothing_in_common(measure) -> None:
    class Fixed:
        model = SimpleNamespace(unknown_id=0, tokens=[b"<unk>", b" ", b"k"])

        def encode_batch(self, texts):
            ids = [[1, 0] if text.startswith(" ") else [0] for text in texts]
            return np.array([i for own in ids for i in own], np.uint32), np.cumsum(
                [0, *map(len, ids)]
            )

    found = values(measure, "disjoint_variants", Fixed(), sample_of({"x": [" ".join(WORDS)]}))
    assert set(found.values()) == {1}


def test_a_group_of_few_words_with_case_has_no_figure(measure) -> None:
    few = WORDS[: LEAST_WORDS - 1]
    sample = sample_of(
        {"x": [" ".join(WORDS)], "few": [" ".join(few)], "ja": ["東京都は日本の首都です"]}
    )
    found = measure("disjoint_variants", NONE, tokenizer=of_words(), sample=sample)
    for group, n in (("few", len(few)), ("ja", 0)):
        figure = found[group, "disjoint_variants[capital]"]
        assert (figure.value, figure.n) == (None, n)
        assert figure.note == "fewer than 20 words that vary so"
    assert found["all", "disjoint_variants[upper]"].n == len(few) + len(WORDS)


def test_words_are_the_most_frequent_that_have_case() -> None:
    texts = ["Haus haus HAUS, Maus! Straße x 12 a1b", "naïve e\u0301te\u0301 東京 İstanbul", "maus"]
    words = words_of(sample_of({"x": texts, "y": [""]}))
    assert words["x"][:2] == ["haus", "maus"]
    assert set(words["x"]) == {"haus", "maus", "straße", "naïve", "e\u0301te\u0301", "i̇stanbul"}
    assert words["y"] == []


def test_variants_of_nasty_words_are_encoded(measure) -> None:
    sample = sample_of({"x": NASTY_TEXTS})
    for name in ("disjoint_variants", "single_token_variants"):
        found = values(measure, name, of_words(), sample)
        assert {kind for _, kind in found} == {*VARIANTS}
        assert all(value is None or 0 <= value <= 1 for value in found.values())


def test_text_is_needed(measure) -> None:
    with pytest.raises(MetricError, match="some of the text itself"):
        measure("disjoint_variants", NONE, tokenizer=of_words())
