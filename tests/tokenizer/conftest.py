from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tokenizer_samples import TEXT

from toktk.corpus import ReaderOptions, load_corpus
from toktk.pieces.counting import count_corpus
from toktk.tokenizer.bpe import BpeModel
from toktk.tokenizer.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

Train = Callable[..., Tokenizer]


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train a tokenizer on `text`; options are the trainer's."""

    def run(text: str = TEXT, size: int = 700, **options: object) -> Tokenizer:
        path = tmp_path_factory.mktemp("corpus") / "text.txt"
        path.write_text(text, encoding="utf-8", newline="")
        corpus = load_corpus(str(path), ReaderOptions(sample_by="document"))
        data = TrainingData(corpus, lambda p: count_corpus(corpus, p, by_group=False))
        return BpeTrainer(**options).train(data, [size])[0]  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def tokenizer(train: Train) -> Tokenizer:
    """A small tokenizer of the default pattern, with two special tokens."""
    return train(special_tokens=["<|endoftext|>", "<|填|>"])


@pytest.fixture
def crafted() -> Callable[..., Tokenizer]:
    """Build a tokenizer from pairs of strings, by rank; repeated spellings keep their first id."""
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    def build(
        pairs: Sequence[tuple[str | bytes, str | bytes]],
        special_tokens: tuple[str, ...] = (),
        pattern: str = "none",
    ) -> Tokenizer:
        empty = BpeModel(special_tokens, np.empty((0, 3), dtype=np.int64))
        ids = {bytes([b]): int(i) for b, i in enumerate(empty.byte_ids)}
        merges = []
        for pair in pairs:
            left, right = (part.encode() if isinstance(part, str) else part for part in pair)
            new = ids.setdefault(left + right, empty.base_size - 256 + len(ids))
            merges.append((ids[left], ids[right], new))
        model = BpeModel(special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
        return Tokenizer("crafted", Pretokenizer.of(pattern), model)

    return build
