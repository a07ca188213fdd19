"""`check_trainer` tests what toktk expects of a trainer, for those who write one."""

from __future__ import annotations

import functools
import itertools
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from toktk.errors import FormatError, ToktkError, TrainingError
from toktk.trainers.base import Card, Trained, Trainer, TrainingData, card_of

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.tokenizer import Tokenizer

Documents = list[tuple[str, int]]  # text, weight

UNREACHABLE = 1_000_000


class ConformanceError(AssertionError):
    """A trainer broke a rule, such as "exact size"."""

    def __init__(self, rule: str, expected: str, found: str) -> None:
        super().__init__(f"{rule}: expected {expected}; found {found}.")
        self.rule = rule


def check_trainer(
    make: Callable[[], Trainer],
    corpus: Corpus | None = None,
    sizes: Sequence[int] = (700, 800, 1000),
) -> None:
    """Train several times on a small text and hold the trainer to its card.

    Rules: alphabet, dense ids, determinism, exact size, export, nested, reads, round trip, too
    large, too small; each applies as far as the card goes (`toktk.trainers.base.Card`).

    Args:
        make: makes the same trainer each time.
        corpus: running text that fills `sizes`; by default a few kilobytes that come with toktk.

    Raises:
        ConformanceError: a rule is broken.
    """
    from toktk.corpus.batch import TEXT, WEIGHT

    documents: Documents = _default_documents() if corpus is None else []
    for batch in () if corpus is None else corpus.batches():
        texts, weights = batch.column(TEXT).to_pylist(), batch.column(WEIGHT).to_pylist()
        documents += zip(texts, weights, strict=True)
    check = _Check(make, documents, list(sizes), card_of(make()))
    # The rules that others rest on come first.
    trained = check.train(documents, check.sizes)
    check.exact_size(trained)
    for tokenizer in trained.tokenizers:
        for rule in (check.dense_ids, check.alphabet, check.round_trip, check.export):
            rule(tokenizer)
    check.nested(trained.tokenizers)
    check.determinism(trained.tokenizers)
    check.reads()
    check.too_small()
    check.too_large()


class _Check(NamedTuple):
    make: Callable[[], Trainer]
    documents: Documents
    sizes: list[int]
    card: Card

    def train(self, documents: Documents, sizes: list[int]) -> Trained:
        from toktk.corpus import Corpus

        texts, weights = zip(*documents, strict=True)
        corpus = Corpus.of(texts, weights=weights, name="the text of check_trainer")
        return self.make().train(TrainingData(corpus), sizes)

    def exact_size(self, trained: Any) -> None:
        from toktk.tokenizer import Tokenizer

        rule = "exact size"
        tokenizers = trained.tokenizers if isinstance(trained, Trained) else [None]
        if not all(isinstance(tokenizer, Tokenizer) for tokenizer in tokenizers):
            raise ConformanceError(rule, "Trained, of Tokenizer", f"{trained!r:.100}")
        reached = [tokenizer.vocab_size for tokenizer in trained.tokenizers]
        missing = [size for size in self.sizes if size not in reached]
        if not reached or reached != [size for size in self.sizes if size in reached]:
            one_each = f"one tokenizer for each of {tuple(self.sizes)}, in this order"
            raise ConformanceError(rule, one_each, f"sizes {reached}")
        if self.card.exact_size and missing:
            too_large = [size for size in missing if size >= (trained.least or 0)]
            if too_large:
                _check_available(rule, too_large, trained.available)

    def dense_ids(self, tokenizer: Tokenizer) -> None:
        size, tokens = tokenizer.vocab_size, tokenizer.model.tokens
        if len(tokens) != size:
            raise ConformanceError("dense ids", f"{size} tokens", f"{len(tokens)}")
        names = [name.encode() for name in tokenizer.model.special_tokens]
        first = tokens[: len(names)]
        if first != names:
            raise ConformanceError("dense ids", f"the special tokens {names} first", f"{first}")
        for text in _texts():
            highest = max(tokenizer.encode(text), default=0)
            if highest >= size:
                where = f"{highest} in {text!r:.60}"
                raise ConformanceError("dense ids", f"ids 0 to {size - 1}", where)

    def alphabet(self, tokenizer: Tokenizer) -> None:
        ordinary = set(tokenizer.model.tokens[len(tokenizer.model.special_tokens) :])
        missing = [f"0x{b:02X}" for b in range(256) if bytes([b]) not in ordinary]
        if missing:
            none_for = f"none for {', '.join(missing)}"
            raise ConformanceError("alphabet", "a token for every byte", none_for)
        for text in _texts():
            if text and not tokenizer.encode(text):
                raise ConformanceError("alphabet", f"ids for {text!r:.60}", "none")

    def round_trip(self, tokenizer: Tokenizer) -> None:
        if not self.card.lossless:
            return
        for text in _texts():
            ordinary = "".join(c for c in text if c not in self.card.reserved)
            back = tokenizer.decode(tokenizer.encode(ordinary))
            if back != ordinary:
                raise ConformanceError("round trip", f"{ordinary!r:.60}", f"{back!r:.60}")

    def export(self, tokenizer: Tokenizer) -> None:
        from toktk.pretokenizers.export import exported_pattern

        if self.card.pretokenizer == "any":
            try:
                exported_pattern(tokenizer.pretokenizer)
            except FormatError:
                return
        with tempfile.TemporaryDirectory() as folder:
            try:
                tokenizer.save(folder)
            except ToktkError as error:
                raise ConformanceError("export", "files of the tokenizer", f"{error}") from error
            encode = _library_encode(Path(folder))
            if encode is None:
                names = sorted(path.name for path in Path(folder).iterdir())
                raise ConformanceError("export", "a tokenizer.json or a .model", f"{names}")
            for text in _texts():
                ours, theirs = tokenizer.encode(text), encode(text)
                if ours != theirs:
                    expected = f"ids {ours[:20]} of {text!r:.60}"
                    raise ConformanceError("export", expected, f"{theirs[:20]}, from the file")

    def nested(self, tokenizers: Sequence[Tokenizer]) -> None:
        by_size = sorted(tokenizers, key=lambda tokenizer: tokenizer.vocab_size)
        for small, large in itertools.pairwise(by_size):
            claimed = self.card.nested or small.model.is_prefix_of(large.model)
            if claimed and small.model.tokens != large.model.tokens[: small.vocab_size]:
                first = f"the {small.vocab_size} tokens at the beginning of the {large.vocab_size}"
                raise ConformanceError("nested", first, "other ones")

    def determinism(self, tokenizers: Sequence[Tokenizer]) -> None:
        if not self.card.deterministic:
            return
        for order, documents in (
            ("in a second training", self.documents),
            ("with the documents in another order", self.documents[::-1]),
        ):
            again = self.train(documents, self.sizes).tokenizers
            for first, second in zip(tokenizers, again, strict=False):
                if first.signature != second.signature:
                    others = f"others {order}, at {first.vocab_size} tokens"
                    equal = "equal ids, or a card with deterministic=False"
                    raise ConformanceError("determinism", equal, others)

    def reads(self) -> None:
        weighted = [(text, 1 + i % 2) for i, (text, _) in enumerate(self.documents)]
        try:
            self.train(weighted, self.sizes)
        except TrainingError as error:
            if self.card.reads != "text":
                expected = 'training on word frequencies, or a card with reads="text"'
                raise ConformanceError("reads", expected, f"{error}") from error
            return
        if self.card.reads == "text":
            refused = "word frequencies refused: TrainingError"
            raise ConformanceError("reads", refused, "a training")

    def too_small(self) -> None:
        try:
            trained = self.train(self.documents, [1])
        except TrainingError:
            return
        raise ConformanceError("too small", "TrainingError for 1 token", f"{trained!r:.100}")

    def too_large(self) -> None:
        try:
            trained = self.train(self.documents, [*self.sizes, UNREACHABLE])
        except TrainingError:
            return
        reached = [tokenizer.vocab_size for tokenizer in trained.tokenizers]
        if UNREACHABLE not in reached:
            if reached != self.sizes:
                others = f"the other sizes, {tuple(self.sizes)}"
                raise ConformanceError("too large", others, f"{reached}")
            _check_available("too large", [UNREACHABLE], trained.available)


def _check_available(rule: str, missing: Sequence[int], available: int | None) -> None:
    """Check that the trainer says why sizes are missing: the text gives fewer tokens."""
    if available is None or available >= min(missing):
        below = f"available below {min(missing)}, a size that was left out"
        raise ConformanceError(rule, below, f"{available}")


def _library_encode(folder: Path) -> Callable[[str], list[int]] | None:
    """Return the encoder of the library that the file in `folder` belongs to."""
    if (folder / "tokenizer.json").exists():
        from toktk.hf_library import Tokenizer as Library

        tokenizer = Library.from_file(str(folder / "tokenizer.json"))
        tokenizer.encode_special_tokens = True
        return lambda text: list(tokenizer.encode(text).ids)
    for path in folder.glob("*.model"):
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_proto=path.read_bytes())
        return lambda text: list(processor.Encode(text))
    return None


def _default_documents() -> Documents:
    """Return words made of syllables: thousands of substrings, and few characters."""
    consonants, vowels = ("b", "d", "k", "l", "m", "n", "r", "s", "t", "ш", "ß"), "aeiouéя"
    syllables = [c + v for c in consonants for v in vowels]
    state, documents = 1, []
    for i in range(60):
        words = []
        for _ in range(60):
            state = state * 1103515245 + 12345 & 0x7FFFFFFF
            # Small numbers are likelier, so that some words are frequent.
            drawn = [(state >> 3 + 5 * step) ** 2 % 10007 for step in range(1 + (state >> 8) % 4)]
            words.append("".join(syllables[n * len(syllables) // 10007] for n in drawn))
        documents.append((f"{' '.join(words)}.\n{i}, {i * i}!", 1))
    return documents


@functools.cache
def _texts() -> list[str]:
    """Return texts that break tokenizers, every byte that UTF-8 has among them."""
    from toktk.loading.torture import TORTURE

    return [
        *filter(_is_old, TORTURE),
        "".join(filter(_is_old, map(chr, range(0x800)))) + "ߊߋ",
        "".join(chr(lead << 12 | 0x841) for lead in range(16) if lead != 0xD),
        "".join(chr(lead << 18 | 0x10041) for lead in range(4)),
    ]


def _is_old(text: str) -> bool:
    """Tell whether all characters are old: libraries disagree on new ones, and hence on where to cut."""
    return all(unicodedata.ucd_3_2_0.category(character) != "Cn" for character in text)
