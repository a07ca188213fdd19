"""SentencePiece's own trainers, fed with piece counts."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from toktk.arrays import Bytes, Int64, packed
from toktk.child import Child, Refused
from toktk.errors import TrainingError
from toktk.formats.fields import NotNative
from toktk.formats.sentencepiece import read_sentencepiece
from toktk.models.model import Model
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import (
    BaseTrainer,
    Card,
    Trained,
    TrainingData,
    check_range,
    check_sizes,
    library_at_work,
    train_each,
)

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable

# The library's "word <tab> count" lines cannot carry tab and NUL. It reads the others as its own marks:
# between pieces, of a space, and of unknown text. Nothing is learned across these. Their bytes encode them,
# apart from U+2581.
_RESERVED = re.compile("[\t\0\x1f\u2581\u2585]+")

# The library adds up the sums of its threads in their order, so the number of threads decides the scores.
_THREADS = 16

_PACKAGES = ("sentencepiece",)

_MANY = 2**21  # more than there are characters

_NOTES = (
    "Cuts at spaces alone, as the library does with spaces of its own; it takes no pattern.",
    "Nothing is learned across tab, NUL, U+001F, U+2581 and U+2585, which its input cannot carry.",
    "U+2581 is the library's space: it is decoded as one.",
)


class _Lines(NamedTuple):
    """What the library reads, packed, and the child in which it does."""

    child: Child
    data: Bytes
    offsets: Int64


class _SentencePieceTrainer(BaseTrainer):
    """What the two have in common."""

    model_type: ClassVar[str]

    def __init__(
        self,
        special_tokens: Sequence[str] = (),
        character_coverage: float = 0.9995,
        max_token_chars: int = 16,
    ) -> None:
        super().__init__("metaspace", special_tokens)
        self.character_coverage = character_coverage
        self.max_token_chars = max_token_chars
        check_range("character_coverage", character_coverage, 0.98, 1)
        check_range("max_token_chars", max_token_chars, 1, 512)
        taken = [
            name
            for name in self.special_tokens
            if name == "<unk>" or re.fullmatch("<0x[0-9A-F]{2}>", name) or " " in name
        ]
        if taken:
            raise TrainingError(
                f"SentencePiece cannot have the special token {taken[0]!r}.",
                "Found: <unk> and <0x00> to <0xFF> are its own, and it writes a space as U+2581.",
                "Give it another name.",
            )

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        n = len(self.special_tokens)
        check_sizes(sizes, n + 258, f"<unk>, {n} special tokens, 256 bytes and a character")
        lines = _lines(data.pieces(self.pretokenizer))
        with library_at_work(self.name, "sentencepiece", max(sizes)) as child:
            train = functools.partial(self._train, data.corpus.name, _Lines(child, *packed(lines)))
            models, available = train_each(train, sizes, data)
        return self._finish(models, available, data, sizes)

    def _train(self, corpus: str, lines: _Lines, size: int) -> Model | int:
        """See `train_each`."""
        from toktk.libraries.sentencepiece import SentencePieceModel

        if lines.offsets.size == 1:
            return len(self.special_tokens) + 257
        try:
            return SentencePieceModel(self._run(lines, self.model_type, size))
        except Refused as refusal:
            with contextlib.suppress(Refused):
                raw = self._run(lines, self.model_type, size, hard_vocab_limit=False)
                available = SentencePieceModel(raw).vocab_size
                if available < size:
                    return available
            self._refuse_below_characters(corpus, lines, size)
            raise TrainingError(
                f"cannot train {size:,} tokens on {corpus} with SentencePiece.",
                f"It says: {refusal}.",
                "Ask for more tokens, lower character_coverage, or give more text.",
            ) from refusal

    def _refuse_below_characters(self, corpus: str, lines: _Lines, size: int) -> None:
        """Refuse a size that special tokens, bytes and frequent characters alone exceed.

        The library's vocabulary of characters holds just these.
        """
        from toktk.libraries.sentencepiece import SentencePieceModel

        raw = self._run(lines, "char", _MANY, hard_vocab_limit=False)
        taken = SentencePieceModel(raw).vocab_size
        if size < taken:
            raise TrainingError(
                f"cannot train {size:,} tokens.",
                f"Found: {taken:,} are taken by special tokens, bytes and the characters that make up "
                f"{self.character_coverage:.2%} of {corpus}.",
                f"Ask for {taken:,} or more, or lower character_coverage.",
            )

    def _run(self, lines: _Lines, model_type: str, size: int, **options: Any) -> bytes:
        """Return the library's model file."""
        # The library takes time for each token asked for; text has no more of them than substrings.
        most = len(self.special_tokens) + 258 + lines.data.size * self.max_token_chars
        settings = dict(
            input_format="tsv",
            model_type=model_type,
            vocab_size=min(size, most),
            control_symbols=list(self.special_tokens),
            character_coverage=self.character_coverage,
            max_sentencepiece_length=self.max_token_chars,
            byte_fallback=True,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            # Only the pieces decide where a token may end, as with the other trainers.
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentence_length=2**30,
            num_threads=_THREADS,
            minloglevel=4,
            **options,
        )
        child, data, offsets = lines
        return bytes(child.ask("train", data, offsets, options=settings)[1][0])


def _lines(pieces: PieceTable) -> list[bytes]:
    """Return ``piece <tab> count``, sorted by piece, for the order enters into the library's sums."""
    counts: dict[str, int] = {}
    for p, count in enumerate(pieces.counts.tolist()):
        for part in _RESERVED.split(pieces.piece(p).decode()):
            if part and count:
                counts[part] = counts.get(part, 0) + count
    return [f"{part}\t{counts[part]}".encode() for part in sorted(counts)]


class SpBpeTrainer(_SentencePieceTrainer):
    """SentencePiece's BPE: merges of characters within words, unknown ones as bytes; its own code.

    The arguments are those of `SpUnigramTrainer`.
    """

    model_type = "bpe"
    name = "sp-bpe"
    card = Card(
        pretokenizer="metaspace",
        reserved="\u2581",
        model="sentencepiece",
        packages=_PACKAGES,
        notes=_NOTES,
    )


class SpUnigramTrainer(_SentencePieceTrainer):
    """SentencePiece's unigram language model: pruned seeds, unknown characters as bytes; its own code.

    Args:
        special_tokens: get the ids after ``<unk>``; never found in text.
        character_coverage: the share of the text's characters that become tokens of their own, the
            most frequent first; the others are spelled in bytes. 0.98 to 1.
        max_token_chars: most characters of a token, 1 to 512.
    """

    model_type = "unigram"
    name = "sp-unigram"
    card = Card(
        pretokenizer="metaspace",
        reserved="\u2581",
        model="unigram",
        packages=_PACKAGES,
        notes=(
            *_NOTES,
            "The library adds scores in float32 along the whole text: in a long one it may miss the "
            "best path.",
        ),
    )

    def _tokenizer(self, name: str, model: Model) -> Tokenizer:
        """Return a tokenizer that gives the library's ids for whole documents."""
        from toktk.libraries.sentencepiece import SentencePieceDocumentsModel, SentencePieceModel

        proto = cast(SentencePieceModel, model).proto
        try:
            return Tokenizer(name, *read_sentencepiece(proto, Path(f"{name}.model")))
        except NotNative:  # of text without a space
            return Tokenizer(name, Pretokenizer.of("none"), SentencePieceDocumentsModel(proto))
