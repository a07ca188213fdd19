"""SentencePiece's own trainers, fed with piece counts."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from toktk.errors import TrainingError
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import (
    Card,
    TrainingData,
    check_sizes,
    check_special_tokens,
    none_reached,
    size_label,
)

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable

# What the library's "word <tab> count" lines cannot carry, or means something else by: the tab, NUL,
# its mark between pieces, its mark of a space, and its mark of unknown text. Nothing is learned across
# these; all but U+2581 are encoded by their bytes.
_RESERVED = re.compile("[\t\0\x1f\u2581\u2585]+")

# The library adds up the threads' sums in their order, so their number is a part of the result.
_THREADS = 16

_TOO_LARGE = re.compile(r"Vocabulary size too high.*<= (\d+)")
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")

_NOTES = (
    "Cuts at spaces alone, as the library does with spaces of its own; it takes no pattern.",
    "Nothing is learned across tab, NUL, U+001F, U+2581 and U+2585, which its input cannot carry.",
    "U+2581 is the library's space: it is decoded as one.",
)


class _SentencePieceTrainer:
    """What the two have in common.

    Args:
        special_tokens: get the ids after ``<unk>``; never found in text.
        character_coverage: the share of the text's characters that become tokens of their own, the most
            frequent first; the others are spelled in bytes. 0.98 to 1.
        max_token_chars: most characters of a token, 1 to 512.
    """

    model_type: ClassVar[str]
    name: ClassVar[str]

    def __init__(
        self,
        special_tokens: Sequence[str] = (),
        character_coverage: float = 0.9995,
        max_token_chars: int = 16,
    ) -> None:
        self.special_tokens = check_special_tokens(special_tokens)
        self.character_coverage = character_coverage
        self.max_token_chars = max_token_chars
        self._check()

    def _check(self) -> None:
        if not 0.98 <= self.character_coverage <= 1:
            raise TrainingError(
                f"character_coverage must lie between 0.98 and 1, not {self.character_coverage}."
            )
        if not 1 <= self.max_token_chars <= 512:
            raise TrainingError(
                f"max_token_chars must lie between 1 and 512, not {self.max_token_chars}."
            )
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

    def train(self, data: TrainingData, sizes: Sequence[int]) -> list[Tokenizer]:
        """See `toktk.trainers.base.Trainer`."""
        n = len(self.special_tokens)
        check_sizes(sizes, n + 258, f"<unk>, {n} special tokens, 256 bytes and a character")
        pretokenizer = Pretokenizer.of("metaspace")
        lines = _lines(data.pieces(pretokenizer))
        if not lines:
            data.available = n + 257
        made: dict[int, Tokenizer] = {}
        done = 0
        for size in sorted(set(sizes)):
            if data.available is None:
                model = self._train(data, lines, size)
                if model is not None:
                    made[size] = Tokenizer(f"{self.name}-{size_label(size)}", pretokenizer, model)
            if data.progress is not None:
                data.progress(size - done)
            done = size
        if not made:
            raise none_reached(data, sizes)
        return [made[size] for size in sizes if size in made]

    def _train(self, data: TrainingData, lines: Sequence[str], size: int) -> Any:
        """Return the model, or None where the text gives fewer tokens."""
        from sentencepiece import SentencePieceTrainer

        from toktk.libraries.sentencepiece import SentencePieceModel

        written = io.BytesIO()
        try:
            SentencePieceTrainer.Train(
                sentence_iterator=iter(lines),
                model_writer=written,
                input_format="tsv",
                model_type=self.model_type,
                vocab_size=size,
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
            )
        except RuntimeError as error:
            too_large = _TOO_LARGE.search(str(error))
            if too_large:
                data.available = int(too_large[1])
                return None
            if "no pieces are loaded" in str(error):
                data.available = len(self.special_tokens) + 257
                return None
            too_small = _TOO_SMALL.search(str(error))
            if too_small:
                raise TrainingError(
                    f"cannot train {size:,} tokens.",
                    f"Found: {int(too_small[1]):,} are taken by special tokens, bytes and the "
                    f"characters that make up {self.character_coverage:.2%} of {data.corpus.name}.",
                    f"Ask for {int(too_small[1]):,} or more, or lower character_coverage.",
                ) from error
            raise TrainingError(
                f"SentencePiece cannot train {size:,} tokens on {data.corpus.name}.",
                f"It says: {' '.join(str(error).split())}.",
                "Ask for more tokens, lower character_coverage, or give more text.",
            ) from error
        return SentencePieceModel(written.getvalue())


def _lines(pieces: PieceTable) -> list[str]:
    """Return ``piece <tab> count``, sorted by piece, for the order enters into the library's sums."""
    counts: dict[str, int] = {}
    for p, count in enumerate(pieces.counts.tolist()):
        for part in _RESERVED.split(pieces.piece(p).decode()):
            if part and count:
                counts[part] = counts.get(part, 0) + count
    return [f"{part}\t{counts[part]}" for part in sorted(counts)]


class SpBpeTrainer(_SentencePieceTrainer):
    """SentencePiece's BPE: merges of characters within words, unknown ones as bytes; its own code.

    Args:
        special_tokens: get the ids after ``<unk>``; never found in text.
        character_coverage: the share of the text's characters that become tokens of their own, the most
            frequent first; the others are spelled in bytes. 0.98 to 1.
        max_token_chars: most characters of a token, 1 to 512.
    """

    model_type = "bpe"
    name = "sp-bpe"
    card = Card(pretokenizer="metaspace", reserved="\u2581", model="sentencepiece", notes=_NOTES)


class SpUnigramTrainer(_SentencePieceTrainer):
    """SentencePiece's unigram language model: pruned seeds, unknown characters as bytes; its own code.

    Args:
        special_tokens: get the ids after ``<unk>``; never found in text.
        character_coverage: the share of the text's characters that become tokens of their own, the most
            frequent first; the others are spelled in bytes. 0.98 to 1.
        max_token_chars: most characters of a token, 1 to 512.
    """

    model_type = "unigram"
    name = "sp-unigram"
    card = Card(
        pretokenizer="metaspace",
        reserved="\u2581",
        model="sentencepiece",
        notes=(
            *_NOTES,
            "The library adds scores in float32 along the whole text: in a long one it may miss the "
            "best path. toktk has it encode piece by piece.",
        ),
    )
