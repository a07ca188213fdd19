"""The bytes of tokens are those that the model says."""

from __future__ import annotations

import numpy as np
import pytest
from nasty import NASTY_TEXTS

from toktk.arrays import packed
from toktk.corpus import Corpus
from toktk.models.bpe import BpeModel
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer


@pytest.mark.parametrize("special", [(), ("<s>", "<|填|>", "")])
def test_the_bytes_of_tokens_are_those_of_the_model(special: tuple[str, ...]) -> None:
    data = TrainingData(Corpus.of(NASTY_TEXTS))
    trained = BpeTrainer().train(data, [500]).tokenizers[0].model
    assert isinstance(trained, BpeModel)
    merges = trained.merges.copy()
    merges[:] += len(special)
    again = np.array([[merges[0, 0], merges[0, 1], merges[0, 2]]])  # spells a token that exists
    for rows in (merges, np.vstack([merges[:9], again, merges[9:]]), merges[:0]):
        model = BpeModel(special, rows)
        found = model.packed_tokens
        for part, expected in zip(found, packed(model.tokens), strict=True):
            assert np.array_equal(part, expected)
