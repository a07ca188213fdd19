from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toktk.corpus import ReaderOptions, load_corpus
from toktk.pieces.counting import count_corpus
from toktk.tokenizer.bpe import BpeModel
from toktk.tokenizer.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

Train = Callable[..., Tokenizer]

HELP = Path(__file__).parents[3] / "shared" / "data" / "help-20lang.parquet"

TEXT = """\
The quick brown fox jumps over the lazy dog. They're there; it's theirs, isn't it? 1234567 + 3.14
Größe, naïve café, façade. Der schnelle braune Fuchs springt über den faulen Hund.
Быстрая коричневая лиса прыгает через ленивую собаку. Гарантия, гарантии, гарантий.
素早い茶色の狐がのろまな犬を飛び越える。敏捷的棕色狐狸跳过了懒狗。こんにちは世界。
빠른 갈색 여우가 게으른 개를 뛰어넘는다. तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।
الثعلب البني السريع يقفز فوق الكلب الكسول. สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ
for (int i = 0; i < n; i++) {\r\n\tprintf("%d\\n", a[i]);\r\n}\n\n\n    return 0;  // 😀👍🏽 👨‍👩‍👧
"""


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train a tokenizer of the largest size that `text` fills, or of `size`."""

    def run(text: str = TEXT, size: int | None = None, **options: object) -> Tokenizer:
        path = tmp_path_factory.mktemp("corpus") / "text.txt"
        path.write_text(text, encoding="utf-8", newline="")
        corpus = load_corpus(str(path), ReaderOptions(sample_by="document"))
        data = TrainingData(corpus, lambda p: count_corpus(corpus, p, by_group=False))
        trainer = BpeTrainer(**options)  # type: ignore[arg-type]
        if size is not None:
            return trainer.train(data, [size])[0]
        smallest = 256 + len(trainer.special_tokens)
        model = trainer._learn(data, 100_000)
        return Tokenizer(f"bpe-{model.vocab_size}", trainer.pretokenizer, model.cut(max(
            smallest, model.vocab_size)))

    return run


@pytest.fixture(scope="session")
def tokenizer(train: Train) -> Tokenizer:
    """A small tokenizer of the default pattern, with two special tokens."""
    return train(size=900, special_tokens=["<|endoftext|>", "<|填|>"])


@pytest.fixture
def crafted() -> Callable[..., Tokenizer]:
    """Build a tokenizer from pairs of strings, by rank; repeated spellings keep their first id."""
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    def build(
        pairs: list[tuple[str, str]], special_tokens: tuple[str, ...] = (), pattern: str = "none"
    ) -> Tokenizer:
        empty = BpeModel(special_tokens, np.empty((0, 3), dtype=np.int64))
        ids = {bytes([b]): int(i) for b, i in enumerate(empty.byte_ids)}
        merges = []
        for pair in pairs:
            left, right = (part.encode() for part in pair)
            new = ids.setdefault(left + right, empty.base_size - 256 + len(ids))
            merges.append((ids[left], ids[right], new))
        model = BpeModel(special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
        return Tokenizer("crafted", Pretokenizer.of(pattern), model)

    return build
