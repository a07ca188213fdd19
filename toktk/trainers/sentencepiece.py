"""SentencePiece's own trainers, on documents and their weights."""

from __future__ import annotations

import contextlib
import functools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

from toktk.child import Child, Refused
from toktk.errors import TrainingError
from toktk.formats.fields import NotNative
from toktk.formats.sentencepiece import read_sentencepiece
from toktk.formats.sentencepiece_proto import (
    CHARSMAP,
    DUMMY_PREFIX,
    NAME,
    NORMALIZER,
    REMOVE_WHITESPACES,
    decode_message,
    encode_field,
    encode_message,
)
from toktk.formats.tokens import MARK
from toktk.libraries.sentencepiece import SentencePieceDocumentsModel, SentencePieceModel
from toktk.models.model import Model
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import (
    BaseTrainer,
    Card,
    TooSmall,
    Trained,
    TrainingData,
    check_range,
    library_at_work,
    sizes_from,
    train_each,
)

# The library reads these as its own marks: the end of a document, of a piece, of a space, and of unknown
# text. Nothing is learned across them. Their bytes encode them, apart from U+2581. The last one is ours.
_TAB = "\U00100009"
RESERVED = f"\0\x1f\u2581\u2585{_TAB}"

# The library adds up the sums of its threads in their order, so the number of threads decides the scores.
_THREADS = 16

_PACKAGES = ("sentencepiece",)

_UNHELD = f"\0\n\r{MARK}"

_MANY = 2**21  # more than there are characters

_NOTES = (
    "Cuts at spaces alone, as the library does with spaces of its own; it takes no pattern.",
    "Nothing is learned across NUL, U+001F, U+2581, U+2585 and U+100009, which its input cannot carry.",
    "U+2581 is the library's space: it is decoded as one.",
    "Line ends at the end of a document are not learned, for the library reads lines without them.",
)


class _Text(NamedTuple):
    """What the library trains on, the child in which it does, and how its lines are written.

    Attributes:
        n_bytes: how long the documents are.
        rule: the file that says what `_TAB` stands for; None where the text holds no tab.
    """

    child: Child
    data: TrainingData
    n_bytes: int
    rule: Path | None


class _SentencePieceTrainer(BaseTrainer):
    """What the two have in common."""

    model_type: ClassVar[str]

    def __init__(
        self,
        special_tokens: Sequence[str] = (),
        character_coverage: float = 0.9995,
        max_token_chars: int = 16,
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__("metaspace", special_tokens, symbols)
        self._schedule: dict[str, float] = {}  # of unigram alone
        self.character_coverage = character_coverage
        self.max_token_chars = max_token_chars
        check_range("character_coverage", character_coverage, 0.98, 1)
        check_range("max_token_chars", max_token_chars, 1, 512)
        taken = [
            name
            for name in self.special_tokens
            if name == "<unk>"
            or re.fullmatch("<0x[0-9A-F]{2}>", name)
            or (" " in name and name not in self.symbols)
        ]
        if taken:
            kind = "symbol" if taken[0] in self.symbols else "special token"
            raise TrainingError(
                f"SentencePiece cannot have the {kind} {taken[0]!r}.",
                "Found: <unk> and <0x00> to <0xFF> are its own, and it writes a space as U+2581.",
                "Give it another name.",
            )
        odd = [name for name in self.symbols if not set(_UNHELD).isdisjoint(name)]
        if odd:
            raise TrainingError(
                f"SentencePiece cannot have the symbol {odd[0]!r}.",
                "Found: a line end or NUL, which its lists cannot carry, or U+2581, its space.",
                "Leave it out, or train bpe or unigram.",
            )

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        n = len(self.special_tokens)
        least = n + 258
        words = f"<unk>, {self._reserved}, 256 bytes and a character"
        data = data.cut_at(self.symbols)
        remaining = sizes_from(sizes, least, words)
        suspect = functools.partial(data.longest_piece, self.pretokenizer)
        with (
            library_at_work(self.name, "sentencepiece", max(sizes), suspect) as child,
            tempfile.TemporaryDirectory(prefix="toktk-") as folder,
        ):
            text = _measured(child, data, Path(folder))
            reached = train_each(functools.partial(self._train, text), remaining, data)
        return self._finish(reached._replace(least=max(least, reached.least or 0)), data, sizes)

    def _train(self, text: _Text, size: int) -> Model | int:
        """See `train_each`."""
        try:
            raw = self._run(text, self.model_type, size)
            return SentencePieceModel(raw) if raw else len(self.special_tokens) + 257
        except Refused as refusal:
            with contextlib.suppress(Refused):
                raw = self._run(text, self.model_type, size, hard_vocab_limit=False)
                available = SentencePieceModel(raw).vocab_size
                if available < size:
                    return available
            self._refuse_below_characters(text, size)
            raise TrainingError(
                f"cannot train {size:,} tokens on {text.data.corpus.name} with SentencePiece.",
                f"It says: {refusal}.",
                f"Ask for more tokens, a lower {self._option('character_coverage')}, or give more text.",
            ) from refusal

    def _refuse_below_characters(self, text: _Text, size: int) -> None:
        """Refuse a size that special tokens, bytes and frequent characters alone exceed.

        The library's vocabulary of characters holds just these.
        """
        raw = self._run(text, "char", _MANY, hard_vocab_limit=False)
        taken = SentencePieceModel(raw).vocab_size
        if size < taken:
            raise TooSmall(
                size,
                taken,
                "special tokens, bytes and the characters that make up "
                f"{self.character_coverage:.2%} of {text.data.corpus.name}",
                f", or a lower {self._option('character_coverage')}",
            )

    def _run(self, text: _Text, model_type: str, size: int, **options: Any) -> bytes:
        """Return the library's model file; empty where there is nothing to learn from."""
        # The library takes time for each token asked for; text has no more of them than substrings.
        most = len(self.special_tokens) + 258 + text.n_bytes * self.max_token_chars
        n_symbols = len(self.symbols)
        rule = {} if text.rule is None else {"normalization_rule_tsv": str(text.rule)}
        settings = dict(
            input_format="tsv",
            model_type=model_type,
            vocab_size=min(size, most),
            control_symbols=list(self.special_tokens[: len(self.special_tokens) - n_symbols]),
            user_defined_symbols=[name.replace(" ", MARK) for name in self.symbols],
            character_coverage=self.character_coverage,
            max_sentencepiece_length=self.max_token_chars,
            byte_fallback=True,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            # Only the pieces decide where a token may end, as with the other trainers.
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentence_length=2**30,
            num_threads=_THREADS,
            minloglevel=4,
            **self._schedule,
            **(rule or {"normalization_rule_name": "identity"}),
            **options,
        )
        _, models = text.child.ask(
            "train", stream=text.data.weighted(), options=settings, reserved=RESERVED, tab=_TAB
        )
        return _without_rule(models[0]) if rule and models else b"".join(models)

    def _tokenizer(self, name: str, model: Model) -> Tokenizer:
        return Tokenizer(name, self._cut, model)  # the library's model knows its symbols


def _measured(child: Child, data: TrainingData, folder: Path) -> _Text:
    """Return the text, having read it once; a rule for tabs goes to the folder."""
    n_bytes, has_tab = 0, False
    for part, _, _ in data.weighted():
        n_bytes += part.size
        has_tab = has_tab or bool((part == ord("\t")).any())
    rule = folder / "tab.tsv" if has_tab else None
    if rule is not None:
        rule.write_text(f"{ord(_TAB):X}\t9\n", encoding="ascii")
    return _Text(child, data, n_bytes, rule)


def _without_rule(proto: bytes) -> bytes:
    """Return a model file that normalizes nothing: what is encoded later holds tabs as they are."""
    fields = decode_message(proto)
    identity = {NAME: "identity", CHARSMAP: b"", DUMMY_PREFIX: False, REMOVE_WHITESPACES: False}
    fields[NORMALIZER] = [encode_message(identity)]
    return b"".join([encode_field(n, value) for n, values in fields.items() for value in values])


class SpBpeTrainer(_SentencePieceTrainer):
    """SentencePiece's BPE: merges of characters within words, unknown ones as bytes; its own code.

    The arguments are those of `SpUnigramTrainer`.
    """

    model_type = "bpe"
    name = "sp-bpe"
    card = Card(
        "weighted text",
        "metaspace",
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
        seed_size: most seeds.
        shrinking_factor: share of the vocabulary that a prune keeps, 0.5 to 0.95.
        sub_iterations: steps of expectation and maximization before each prune, 1 to 10.
        symbols: see `toktk.trainers.base.BaseTrainer`; SentencePiece's user_defined_symbols.
    """

    model_type = "unigram"
    name = "sp-unigram"
    card = Card(
        "weighted text",
        "metaspace",
        deterministic=False,
        reserved="\u2581",
        model="unigram",
        packages=_PACKAGES,
        notes=(
            *_NOTES,
            "The order of documents decides a few tokens.",
            "Word counts alone give it other seeds than the text does, and more tokens.",
            "The library adds scores in float32 along the whole text: in a long one it may miss the "
            "best path.",
        ),
    )

    def __init__(
        self,
        special_tokens: Sequence[str] = (),
        character_coverage: float = 0.9995,
        max_token_chars: int = 16,
        seed_size: int = 1_000_000,
        shrinking_factor: float = 0.75,
        sub_iterations: int = 2,
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(special_tokens, character_coverage, max_token_chars, symbols)
        check_range("seed_size", seed_size, 1, 2**31 - 1)
        check_range("shrinking_factor", shrinking_factor, 0.5, 0.95)
        check_range("sub_iterations", sub_iterations, 1, 10)
        self._schedule = {
            "seed_sentencepiece_size": seed_size,
            "shrinking_factor": shrinking_factor,
            "num_sub_iterations": sub_iterations,
        }

    def _tokenizer(self, name: str, model: Model) -> Tokenizer:
        """Return a tokenizer that gives the library's ids for whole documents."""
        proto = cast(SentencePieceModel, model).proto
        try:
            return Tokenizer(name, *read_sentencepiece(proto, Path(f"{name}.model")))
        except NotNative:  # of text without a space, or of symbols
            return Tokenizer(name, Pretokenizer.of("none"), SentencePieceDocumentsModel(proto))
