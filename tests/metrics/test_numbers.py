"""Metrics of numbers: tokenizers whose figures are known by hand, and OpenAI's ranks where they are there."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from hypothesis import given
from hypothesis import strategies as st
from public_samples import document

import toktk
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.metrics import METRICS, topics
from toktk.metrics.base import MetricOptions
from toktk.metrics.numbers import (
    DIGITS,
    aligned_mask,
    alignment,
    integer_masks,
    integers,
    pattern_entropy,
)
from toktk.models.bpe import BpeModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

FOLDER = Path(os.environ.get("TOKTK_REAL_TOKENIZERS", "nowhere"))
NAMES = topics()["numbers"]


def needs(file: str) -> pytest.MarkDecorator:
    reason = f"TOKTK_REAL_TOKENIZERS names no folder with {file}"
    return pytest.mark.skipif(not (FOLDER / file).exists(), reason=reason)


def figures(name: str, tokenizer: Tokenizer) -> dict[str, float | None]:
    """Return the figures of a metric of numbers by what stands in brackets."""
    options = MetricOptions(tokenizer=tokenizer)
    of_metric = METRICS.load(name).compute(
        FakeEvaluation(["en"], [1]), tokenizer.vocab_size, options
    )
    assert {figure.group for figure in of_metric} == {"all"}
    return {figure.metric[len(name) + 1 : -1]: figure.value for figure in of_metric}


def threes(pretokenizer: str) -> Tokenizer:
    """A tokenizer that has every number of one, two and three digits as a token, however it is merged."""
    byte_of = BpeModel((), np.empty((0, 3), np.int64)).byte_ids
    ids = {str(d): int(byte_of[ord(str(d))]) for d in range(10)}
    merges = []
    for length in (2, 3):
        for number in map("".join, itertools.product("0123456789", repeat=length)):
            ids[number] = 256 + len(ids) - 10
            merges += [(ids[number[:at]], ids[number[at:]], ids[number]) for at in range(1, length)]
    return Tokenizer("threes", Pretokenizer.of(pretokenizer), BpeModel((), np.array(merges)))


LEFT, RIGHT = threes("o200k"), threes("o200k-digits-r3")
SINGLE = Tokenizer(
    "single", Pretokenizer.of("o200k-digits-1"), BpeModel((), np.empty((0, 3), np.int64))
)


@pytest.mark.parametrize("tokenizer", [LEFT, RIGHT, SINGLE], ids=["left", "right", "single"])
def test_one_way_to_cut_has_no_entropy(tokenizer: Tokenizer) -> None:
    assert figures("digit_pattern_entropy", tokenizer) == {str(k): 0.0 for k in DIGITS}
    assert figures("digit_consistency", tokenizer) == {"cuts": 1.0, "tokens": 1.0}
    assert set(figures("separator_isolation", tokenizer).values()) == {1.0}


def test_alignment() -> None:
    at = "digit_alignment"
    # Of 4 to 8 digits, threes from the left are threes from the right at 6.
    fifth = pytest.approx(0.2)
    assert figures(at, LEFT) == {"right,4-8": fifth, "left,4-8": 1.0, "thousands,4-8": fifth}
    assert figures(at, RIGHT) == {"right,4-8": 1.0, "left,4-8": fifth, "thousands,4-8": 1.0}
    assert figures(at, SINGLE) == {"right,4-8": 0.0, "left,4-8": 0.0, "thousands,4-8": 1.0}
    assert [alignment(LEFT, k, "right") for k in range(4, 9)] == [0, 0, 1, 0, 0]
    assert [alignment(LEFT, k, "left") for k in range(4, 9)] == [1] * 5


@pytest.mark.parametrize(
    ("digits", "right", "left"),
    [(1, [], []), (3, [], []), (4, [1], [3]), (5, [2], [3]), (6, [3], [3]), (7, [1, 4], [3, 6]),
     (9, [3, 6], [3, 6])],
)  # fmt: skip
def test_where_threes_are_cut(digits: int, right: list[int], left: list[int]) -> None:
    assert aligned_mask(digits, "right") == sum(1 << i for i in right)
    assert aligned_mask(digits, "left") == sum(1 << i for i in left)


def test_sums() -> None:
    at = "sum_alignment"
    assert figures(at, RIGHT) == figures(at, SINGLE) == {"4-8": 1.0}
    # From the left, places agree where the sum is no digit longer: over the same pairs.
    shares = []
    for digits in DIGITS:
        a = integers(digits, 400)
        sums = [x + a[157 * i % 400] for i, x in enumerate(a)]
        assert len(set(sums)) > 150
        shares.append(sum(total < 10**digits for total in sums) / 400)
    assert figures(at, LEFT) == {"4-8": pytest.approx(sum(shares) / 5)}


def test_small_integers() -> None:
    assert figures("single_token_integers", LEFT) == {"0-999": 1000.0, "0-999,space": 0.0}
    assert figures("single_token_integers", SINGLE) == {"0-999": 10.0, "0-999,space": 0.0}
    for tokenizer in (LEFT, SINGLE):
        assert figures("integer_gaps", tokenizer) == {"0-999": 0.0}


def test_gaps(crafted) -> None:
    # One token: the digits, 12 and 128; of 0 to 128, those are 12.
    tokenizer = crafted([("1", "2"), ("12", "8")])
    assert figures("single_token_integers", tokenizer)["0-999"] == 12.0
    assert figures("integer_gaps", tokenizer) == {"0-999": 129.0 - 12}


def test_a_space_goes_with_a_number(crafted) -> None:
    with_space = crafted([(" ", str(d)) for d in range(10)], pattern="whitespace")
    # " 7" is one token, since the piece holds the space; "=7" is two.
    assert figures("single_token_integers", with_space) == {"0-999": 10.0, "0-999,space": 10.0}
    assert figures("digit_consistency", with_space) == {"cuts": 1.0, "tokens": 0.0}


def test_separators_that_go_with_digits(crafted) -> None:
    pairs = [(".", str(d)) for d in range(10)] + [(str(d), "%") for d in range(5)]
    shares = figures("separator_isolation", crafted(pairs))
    assert shares["date"] == shares["time"] == shares["comma"] == 1.0
    assert shares["decimal"] == 0.0
    # Of the 101 whole percentages 50 end in 5 to 9; in the 100 others the last digit goes with the point.
    assert shares["percent"] == pytest.approx((50 + 100) / 201)


def test_tokens_of_written_numbers() -> None:
    tokens = figures("number_tokens", SINGLE)
    assert (tokens["year"], tokens["date"], tokens["time"], tokens["hex"]) == (5.0, 11.0, 6.0, 11.0)
    # A space; 196 and 0; a hyphen and 01, twice.
    assert figures("number_tokens", LEFT)["date"] == 1 + 2 + 2 + 2


@pytest.mark.parametrize("digits", [1, 3, 4, 6, 8, 12])
def test_integers_are_spread_evenly(digits: int) -> None:
    sample = integers(digits)
    assert sample == sorted(set(sample))
    assert {len(str(i)) for i in sample} == {digits}
    for place in range(digits):
        counts = Counter(str(i)[place] for i in sample)
        even = len(sample) / (9 if place == 0 else 10)
        assert max(abs(n - even) for n in counts.values()) < 4 * math.sqrt(even)
    assert integers(8)[:3] == [10_000_295, 10_000_540, 10_000_919]  # on every machine


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_entropy_is_that_of_a_slow_twin(masks: list[int]) -> None:
    shares = [n / len(masks) for n in Counter(masks).values()]
    slow = -sum(share * math.log2(share) for share in shares)
    assert pattern_entropy(np.array(masks)) == pytest.approx(slow, abs=1e-12)


def test_masks_are_those_of_a_slow_twin(tokenizer) -> None:
    for digits in (4, 7):
        masks = integer_masks(tokenizer, digits)
        for i in range(0, len(masks), len(masks) // 50):
            at, mask = 0, 0
            for token in tokenizer.encode(str(integers(digits)[i])):
                mask |= (at > 0) << at
                at += len(tokenizer.decode_bytes([token]))
            assert masks[i] == mask


def test_a_tokenizer_without_digits_has_no_figures() -> None:
    vocab = {name: i for i, name in enumerate(["<unk>", "0", "1", "-", " "])}
    model = {"type": "BPE", "vocab": vocab, "merges": [], "unk_token": "<unk>"}
    tokenizer = Tokenizer(
        "few", Pretokenizer.of("none"), HfDocumentsModel(json.dumps(document(model)))
    )
    evaluation = FakeEvaluation(["en"], [1])
    for name in NAMES:
        for figure in METRICS.load(name).compute(evaluation, 5, MetricOptions(tokenizer=tokenizer)):
            assert figure.value is None
            assert figure.reason == "changed"
            assert "loses" in figure.note


@pytest.mark.parametrize(
    "name", ["digit_consistency", "separator_isolation", "number_tokens", "integer_gaps"]
)
def test_a_library_gives_the_same_figures(name: str, tokenizer, tmp_path) -> None:
    tokenizer.save(tmp_path)
    library = HfDocumentsModel((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    by_library = Tokenizer("library", Pretokenizer.of("none"), library)
    assert figures(name, by_library) == figures(name, tokenizer)


@pytest.mark.skipif(
    not (FOLDER / "r50k_base.tiktoken").exists(),
    reason="TOKTK_REAL_TOKENIZERS names no folder with r50k_base.tiktoken",
)
def test_r50k() -> None:
    tokenizer = toktk.load(str(FOLDER / "r50k_base.tiktoken"))
    # Of all integers of 4 to 8 digits; a sample of some hundred gave others 1.22, 1.58, 2.15, 2.50 and 2.99.
    entropies = figures("digit_pattern_entropy", tokenizer)
    expected = {"4": 1.2578, "5": 1.5887, "6": 2.1063, "7": 2.5405, "8": 2.9663}
    assert {key: round(value, 2) for key, value in entropies.items()} == {
        key: round(value, 2) for key, value in expected.items()
    }
    assert round(alignment(tokenizer, 7, "right"), 2) == 0.09
    assert round(alignment(tokenizer, 7, "left"), 2) == 0.01
    assert figures("digit_consistency", tokenizer)["tokens"] == 0.0


@pytest.mark.skipif(
    not (FOLDER / "cl100k_base.tiktoken").exists(),
    reason="TOKTK_REAL_TOKENIZERS names no folder with cl100k_base.tiktoken",
)
def test_cl100k() -> None:
    tokenizer = toktk.load(str(FOLDER / "cl100k_base.tiktoken"))
    assert set(figures("digit_pattern_entropy", tokenizer).values()) == {0.0}
    for digits in range(1, 9):
        assert alignment(tokenizer, digits, "left") == 1.0
        assert alignment(tokenizer, digits, "right") == (
            1.0 if digits % 3 == 0 or digits < 3 else 0.0
        )
    assert figures("single_token_integers", tokenizer) == {"0-999": 1000.0, "0-999,space": 0.0}
