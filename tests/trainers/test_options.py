"""Options of trainers: sizes, counts and names that nobody can mean are errors, and cost no memory."""

from __future__ import annotations

import numpy as np
import pytest

import toktk
from toktk import educational
from toktk.errors import TrainingError
from toktk.trainers.base import MAX_COUNT, MAX_NAME, check_range
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.merge_loop import MergeLoop, MergeTask
from toktk.trainers.pair_scores import count
from toktk.trainers.scored_merges import ScoredMerges
from toktk.trainers.unigram import UnigramTrainer

TEXTS = ["the cat sat on the mat", "a hat and a cat", "the end"] * 3


def kind(value):
    """Name a value, which may have more digits than Python writes."""
    return f"{type(value).__name__}{value.bit_length() if isinstance(value, int) else ''}"


@pytest.mark.parametrize("trainer", [BpeTrainer, UnigramTrainer])
@pytest.mark.parametrize("option", ["min_frequency", "max_token_length"])
@pytest.mark.parametrize(
    "value", [2**63, 10**30, 10**5000, -(10**5000), -1, 1.5, "3", [1]], ids=kind
)
def test_numbers_that_nobody_can_mean(trainer, option, value):
    with pytest.raises(TrainingError, match=f"{option} must be ") as caught:
        trainer(**{option: value})
    assert len(str(caught.value)) < 200
    trainer(**{option: MAX_COUNT})
    trainer(**{option: np.int64(3)})


def test_fractions_stay_fractions():
    check_range("share", 1, 0.5, 1.0)
    check_range("share", None, 0.5, 1.0)
    for value in (0.4, 2, float("nan"), "1"):
        with pytest.raises(TrainingError, match=r"share must be 0\.5 to 1"):
            check_range("share", value, 0.5, 1.0)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["\ud800"], "surrogate"),
        (["a\udcff"], "surrogate"),
        ([""], "not empty"),
        ([None], "not empty"),
        ([7], "not empty"),
        ([["a"]], "not empty"),
        (["x" * (MAX_NAME + 1)], "1,001 characters, of at most 1,000"),
        (["x" * 10**6], "1,000,000 characters"),
        (["a", "b", "a"], "different from each other"),
        ("abc", "a list of names"),
    ],
)
@pytest.mark.parametrize("trainer", [BpeTrainer, UnigramTrainer])
def test_special_tokens_that_nobody_can_mean(trainer, names, message):
    with pytest.raises(TrainingError, match=message) as caught:
        trainer(special_tokens=names)
    assert len(str(caught.value)) < 400


def test_special_tokens_of_any_text():
    names = ("a\0b", "<|\n|>", " ", "x" * MAX_NAME, "\U0001f600")
    trained = toktk.train("bpe", toktk.Corpus.of(TEXTS), sizes=[265], special_tokens=names)
    assert trained[265].model.special_tokens == names


@pytest.mark.parametrize("size", [2**31, 10**30, 10**5000, 300.5, "300", None], ids=kind)
@pytest.mark.parametrize("trainer", ["bpe", "unigram"])
def test_sizes_that_nobody_can_mean(trainer, size):
    with pytest.raises(TrainingError, match="a size is a whole number, of at most 2,147,483,647"):
        toktk.train(trainer, toktk.Corpus.of(TEXTS), sizes=[size])


@pytest.mark.parametrize("options", [{}, {"score": "count*length"}])
def test_the_largest_size_takes_no_more_than_the_text(options):
    with pytest.raises(TrainingError, match=r"tested gives 2\d\d"):
        toktk.train("bpe", toktk.Corpus.of(TEXTS, name="tested"), sizes=[2**31 - 1], **options)


def task(pieces, size):
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    counts = np.array(list(pieces.values()), np.int64)
    return MergeTask(data, offsets, counts, np.array(educational.byte_ids(2)), size, 1, 2**31)


@pytest.mark.parametrize("make", [MergeLoop, lambda task: ScoredMerges(count, "count", task)])
@pytest.mark.parametrize(
    "pieces", [{b"abcdefgh": 1}, {b"aaaaaaa": 2, b"ab": 1}, {b"": 1, b"a": 1}, {}]
)
def test_arrays_follow_the_text_and_every_merge_fits(make, pieces):
    loop = make(task(pieces, 2**31 - 1))
    n_bytes = sum(map(len, pieces))
    for rows in (loop.merges, loop.sides.left, loop.sides.right, loop.sides.touched.T):
        assert len(rows) == 258 + n_bytes
    assert not loop.run(2**31 - 1)
    expected = educational.train_bpe(pieces, 2**31 - 1, 2, 1, 2**31)
    assert [tuple(row) for row in loop.learned.tolist()] == expected
