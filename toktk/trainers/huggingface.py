"""Hugging Face's own trainers (tokenizers), fed with text cut by toktk's patterns."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from toktk.errors import TrainingError
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.model import Model
from toktk.normalizers.normalizer import IDENTITY
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import (
    BaseTrainer,
    Card,
    Reached,
    Trained,
    TrainingData,
    check_range,
    library_at_work,
    sizes_from,
    train_each,
)
from toktk.trainers.reserved import check_not_bytes

_PACKAGES = ("tokenizers",)
_WRAPS = "The library's counts of pairs have 32 bits: a pair in more than 2**31 places is lost."


class _HfTrainer(BaseTrainer):
    """What the three have in common; `kind` is the library's name of the model."""

    kind: ClassVar[str]

    def _least(self, sizes: Sequence[int], alphabet: int, what: str) -> int:
        """Return the ids that special tokens and `what` take; refuse sizes that are all below."""
        n = len(self.special_tokens)
        sizes_from(sizes, n + alphabet, f"{self._reserved} and {what}")
        return n + alphabet

    @property
    def _split(self) -> str:
        from toktk.pretokenizers.export import exported_pattern

        return exported_pattern(replace(self.pretokenizer, normalizer=IDENTITY))

    def _fit(self, data: TrainingData, size: int, **options: Any) -> dict[str, Any]:
        """Return the library's file, trained in a child process; options that are None are left out."""
        given = {name: value for name, value in options.items() if value is not None}
        given |= {"vocab_size": size, "special_tokens": list(self.special_tokens)}
        suspect = functools.partial(data.longest_piece, self.pretokenizer)
        with library_at_work(self.name, "tokenizers", size, suspect) as child:
            _, (document,) = child.ask(
                "train",
                stream=data.batches(self.pretokenizer.normalizer),
                kind=self.kind,
                split=self._split,
                options=given,
            )
        file: dict[str, Any] = json.loads(document)
        return file

    def _check_special_tokens(self, names: Sequence[str]) -> None:
        """Refuse special tokens that are among the `names` of ordinary tokens."""
        taken = set(self.special_tokens).intersection(names)
        if taken:
            raise TrainingError(
                f"the special token {min(taken)!r} is also an ordinary token.",
                "Found: the library keeps both in one dictionary.",
                "Give the special token a name that text does not hold.",
            )


class HfBpeTrainer(_HfTrainer):
    """Hugging Face's byte-level BPE by the library's code. toktk's own equals it.

    Args:
        pretokenizer: a name or a pattern that the library reads alike.
        special_tokens: get the first ids.
        min_frequency: stop when the best pair occurs less often.
        max_token_length: most bytes of a token, 2 or more.
        symbols: see `toktk.trainers.base.BaseTrainer`.
    """

    name = "hf-bpe"
    kind = "BPE"
    card = Card("text", nested=True, shared=True, model="bpe", packages=_PACKAGES, notes=(_WRAPS,))

    def __init__(
        self,
        pretokenizer: str | Pretokenizer = DEFAULT_PRETOKENIZER,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 0,
        max_token_length: int | None = None,
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(pretokenizer, special_tokens, symbols)
        check_not_bytes(self.symbols, self.name)
        check_range("min_frequency", min_frequency, 0)
        check_range("max_token_length", max_token_length, 1)
        self.min_frequency = min_frequency
        self.max_token_length = max_token_length
        if max_token_length is not None and max_token_length < 2:
            raise TrainingError(
                f"max_token_length must be 2 or more, not {max_token_length}.",
                "Found: the library merges two bytes whatever its limit.",
            )

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        data = data.cut_at(self.symbols)
        least = self._least(sizes, 256, "256 bytes")
        longest = self.max_token_length and self.max_token_length + 1  # the library allows one less
        options = {"min_frequency": self.min_frequency, "max_token_length": longest}
        model = self._model(self._fit(data, max(sizes), **options)["model"])
        data.advance(max(sizes))
        by_size = {size: model.cut(size) for size in sizes if least <= size <= model.vocab_size}
        return self._finish(Reached(by_size, model.vocab_size, least), data, sizes)

    def _model(self, document: dict[str, Any]) -> BpeModel:
        vocab = document["vocab"]
        merges = [(vocab[a], vocab[b], vocab[a + b]) for a, b in document["merges"]]
        model = BpeModel(self.special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
        n = len(self.special_tokens)
        merged = [self.special_tokens[new] for _, _, new in merges if new < n]
        self._check_special_tokens([*merged, *byte_characters()])
        return model


class HfUnigramTrainer(_HfTrainer):
    """Hugging Face's unigram language model over bytes, by the library's code.

    Args:
        pretokenizer, special_tokens, symbols: as for `HfBpeTrainer`.
        seed_size: most seeds.
        shrinking_factor: the share of tokens that a pruning step keeps, between 0 and 1.
        sub_iterations: EM steps before each pruning.
        max_token_length: most bytes of a token.
    """

    name = "hf-unigram"
    kind = "Unigram"
    card = Card(
        "text",
        deterministic=False,
        model="unigram",
        packages=_PACKAGES,
        notes=(
            "The library's pruning loss divides by the wrong number (tokenizers issues 1536, 2069): "
            "frequent tokens seem costlier than they are.",
            "Seeds are weighted by distinct pieces, not by how often these occur.",
            "Scores differ in their last bits from run to run, and with them the order of ids.",
        ),
    )

    def __init__(
        self,
        pretokenizer: str | Pretokenizer = DEFAULT_PRETOKENIZER,
        special_tokens: Sequence[str] = (),
        seed_size: int = 1_000_000,
        shrinking_factor: float = 0.75,
        sub_iterations: int = 2,
        max_token_length: int = 16,
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(pretokenizer, special_tokens, symbols)
        check_not_bytes(self.symbols, self.name)
        self.seed_size = seed_size
        self.shrinking_factor = shrinking_factor
        self.sub_iterations = sub_iterations
        self.max_token_length = max_token_length
        if not 0 < shrinking_factor < 1:
            fault = f"shrinking_factor must lie between 0 and 1, not {shrinking_factor}."
            raise TrainingError(fault)
        for option in ("seed_size", "sub_iterations", "max_token_length"):
            check_range(option, getattr(self, option), 1)

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        data = data.cut_at(self.symbols)
        # The library stops after the token that fills a size, so there must be one to learn.
        least = self._least(sizes, 257, "256 bytes and a token")
        remaining = [size for size in sizes if size >= least]
        reached = train_each(lambda size: self._train(data, size), remaining, data)
        return self._finish(reached._replace(least=least), data, sizes)

    def _train(self, data: TrainingData, size: int) -> Model | int:
        """See `train_each`."""
        from toktk.formats.hf_unigram import decimal
        from toktk.models.unigram import UnigramModel
        from toktk.models.vocabulary import packed

        options = {
            "shrinking_factor": self.shrinking_factor,
            "max_piece_length": self.max_token_length,
            "n_sub_iterations": self.sub_iterations,
            "seed_size": self.seed_size,
        }
        vocab = self._fit(data, size, **options)["model"]["vocab"]
        if len(vocab) < size:
            return len(vocab)
        if len(vocab) > size:
            raise TrainingError(
                f"the library gave {len(vocab):,} tokens instead of {size:,}.",
                "Ask for another size.",
            )
        n = len(self.special_tokens)
        names = [name for name, _ in vocab[n:]]
        self._check_special_tokens(names)
        byte_of = {character: b for b, character in enumerate(byte_characters())}
        tokens = [bytes([byte_of[character] for character in name]) for name in names]
        # As the library has them when it reads its file again, or the one that toktk writes from them.
        scores = np.array([decimal(repr(score)) for _, score in vocab[n:]])
        model = UnigramModel(self.special_tokens, *packed(tokens), scores)
        model.check()
        return model


class HfWordPieceTrainer(_HfTrainer):
    """Hugging Face's WordPiece over bytes, by the library's code: BPE, then longest token first.

    The arguments are those of `HfBpeTrainer`; it takes no symbols.
    """

    name = "hf-wordpiece"
    kind = "WordPiece"
    card = Card(
        "text",
        deterministic=False,
        nested=True,
        shared=True,
        reserved="#",
        model="hf",
        packages=_PACKAGES,
        notes=(
            'The library trains BPE with the prefix "##", not WordPiece\'s score.',
            "Its ids, and the choice among equally frequent pairs, depend on hash order: "
            "each run gives another vocabulary.",
            'A piece that begins with "##" is taken for the inside of one, and decodes without it.',
            "Encoding is quadratic in the length of a piece, or worse.",
            _WRAPS,
        ),
    )

    def __init__(
        self,
        pretokenizer: str | Pretokenizer = DEFAULT_PRETOKENIZER,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 0,
    ) -> None:
        super().__init__(pretokenizer, special_tokens)
        check_range("min_frequency", min_frequency, 0)
        self.min_frequency = min_frequency

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        from toktk.libraries.huggingface import HfModel

        least = self._least(sizes, 512, "256 bytes, at the start of a piece and inside")
        file = self._fit(data, max(sizes), min_frequency=self.min_frequency)
        names = self._names(file["model"]["vocab"])
        data.advance(max(sizes))
        within = [size for size in sizes if least <= size <= len(names)]
        by_size = dict(zip(within, map(HfModel, self._files(names, within)), strict=True))
        return self._finish(Reached(by_size, len(names), least), data, sizes)

    def _names(self, vocab: dict[str, int]) -> list[str]:
        """Return the tokens by id. Bytes that were never seen inside a piece follow the other bytes.

        So the first k tokens are what a training to k gives with these bytes.
        """
        n = len(self.special_tokens)
        names = sorted(vocab, key=vocab.__getitem__)
        # The library looks special tokens up in text like any other token.
        uncut = [name for name in self.special_tokens if len(self.pretokenizer.cut(name)) == 1]
        self._check_special_tokens(uncut)
        seen = [name for name in names[n + 256 :] if name in _INSIDE]
        self._check_special_tokens([*_INSIDE, *byte_characters(), *names[n:]])
        learned = [name for name in names[n + 256 :] if name not in _INSIDE]
        missing = [name for name in _INSIDE if name not in vocab]
        return [*names[: n + 256], *seen, *missing, *learned]

    def _files(self, names: Sequence[str], sizes: Sequence[int]) -> list[str]:
        """Return the library's files with the first of the `names`, one for each size."""
        with library_at_work(self.name, "tokenizers", max(sizes, default=0)) as child:
            _, files = child.ask(
                "write",
                names=names,
                special_tokens=self.special_tokens,
                sizes=sizes,
                split=self._split,
                form=self.pretokenizer.normalizer.form,
            )
        return [file.decode() for file in files]


_INSIDE = tuple(f"##{character}" for character in byte_characters())
