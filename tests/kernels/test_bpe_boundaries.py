"""Ends of tokens at every size are those of encoding with each vocabulary."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from nasty import NASTY_TEXTS

from toktk.arrays import packed, read_only
from toktk.corpus import Corpus
from toktk.kernels.bpe_boundaries import end_levels
from toktk.kernels.bpe_encode import SHORT
from toktk.models.bpe import BpeModel
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

SLOW = bool(numba.config.DISABLE_JIT)


@pytest.mark.parametrize("pretokenizer", ["o200k", "none"])
def test_ends_at_every_size_are_those_of_each_vocabulary(pretokenizer: str) -> None:
    texts = [
        *(text[:500] if SLOW else text for text in NASTY_TEXTS),
        "abababababab" * 30,
        "aaaaaaaaaaaaaaaaaaaa",
        "x" * (SHORT - 1),
        "y" * SHORT,
    ]
    trainer = BpeTrainer(pretokenizer)
    model = trainer.train(TrainingData(Corpus.of(texts)), [420]).tokenizers[0].model
    assert isinstance(model, BpeModel)
    # Merges out of order: some wait for a later one.
    order = np.random.default_rng(0).permutation(len(model.merges))
    for merges in (model.merges, model.merges[order]):
        shuffled = BpeModel((), merges)
        data, offsets = packed([text.encode() for text in texts])
        levels = np.empty(data.size, dtype=np.int32)
        room = max(SHORT, int(np.diff(offsets).max()))
        end_levels(
            read_only(data, np.uint8), read_only(offsets, np.int64), shuffled.byte_ids,
            shuffled.pair_table, levels, np.empty(7 * room, dtype=np.int64),
        )  # fmt: skip
        for n in (5, len(merges)) if SLOW else (0, 1, 5, 40, len(merges)):
            lengths = np.array([*map(len, model.tokens)])
            ids, _ = BpeModel((), merges[:n]).encode_pieces(data, offsets)
            expected = np.zeros(data.size, dtype=np.bool_)
            expected[np.cumsum(lengths[ids]) - 1] = True
            assert np.array_equal(levels >= n, expected)
