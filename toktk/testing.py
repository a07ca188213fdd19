"""`check_trainer`: what toktk expects of a trainer, as a test for those who write one."""

from __future__ import annotations

import itertools
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.errors import ToktkError, TrainingError
from toktk.trainers.base import Card, Trainer, TrainingData, card_of

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.corpus import Corpus
    from toktk.tokenizer import Tokenizer

Documents = list[tuple[str, int]]  # text, weight

UNREACHABLE = 1_000_000


class ConformanceError(AssertionError):
    """A trainer broke a rule.

    Attributes:
        rule: which, such as "exact size".
    """

    def __init__(self, rule: str, expected: str, found: str) -> None:
        super().__init__(f"{rule}: expected {expected}; found {found}.")
        self.rule = rule


def check_trainer(
    make: Callable[[], Trainer],
    corpus: Corpus | None = None,
    sizes: Sequence[int] = (700, 800, 1000),
) -> None:
    """Train several times on a small text and hold the trainer to its card.

    Rules: alphabet, dense ids, determinism, exact size, export, nested, reads, round trip, too large, too
    small; each applies as far as the card goes (`toktk.trainers.base.Card`).

    Args:
        make: makes a trainer, the same each time.
        corpus: running text that fills the sizes; by default a few kilobytes that come with toktk.
        sizes: above the alphabet.

    Raises:
        ConformanceError: a rule is broken; the message says which, what was expected and what found.
    """
    documents = _default_documents() if corpus is None else _documents(corpus)
    _Check(make, documents, tuple(sizes)).run()


class _Check:
    def __init__(
        self, make: Callable[[], Trainer], documents: Documents, sizes: tuple[int, ...]
    ) -> None:
        self.make = make
        self.documents = documents
        self.sizes = sizes
        self.card: Card = card_of(make())

    def run(self) -> None:
        """Go through the rules, those that others rest on first."""
        made, data = self.train(self.documents, self.sizes)
        self.exact_size(made, data)
        for tokenizer in made:
            self.dense_ids(tokenizer)
            self.alphabet(tokenizer)
            self.round_trip(tokenizer)
            self.export(tokenizer)
        self.nested(made)
        self.determinism(made)
        self.reads()
        self.too_small()
        self.too_large()

    def train(
        self, documents: Documents, sizes: Sequence[int]
    ) -> tuple[list[Tokenizer], TrainingData]:
        from toktk.pieces.counting import count_corpus

        corpus = _corpus(documents)
        data = TrainingData(corpus, lambda cut: count_corpus(corpus, cut, by_group=False))
        return self.make().train(data, list(sizes)), data

    def exact_size(self, made: Any, data: TrainingData) -> None:
        from toktk.tokenizer import Tokenizer

        rule = "exact size"
        if not isinstance(made, list) or not all(isinstance(one, Tokenizer) for one in made):
            raise ConformanceError(rule, "a list of Tokenizer", f"{made!r:.100}")
        found = [tokenizer.vocab_size for tokenizer in made]
        expected = [size for size in self.sizes if size in found]
        missing = [size for size in self.sizes if size not in found]
        if found != expected or not found:
            raise ConformanceError(
                rule, f"one tokenizer for each of {self.sizes}, in this order", f"sizes {found}"
            )
        if self.card.exact_size and missing:
            self.stated(rule, missing, data)

    def stated(self, rule: str, missing: Sequence[int], data: TrainingData) -> None:
        """Check that sizes left out are out of reach by what the trainer says."""
        if data.available is None or data.available >= min(missing):
            raise ConformanceError(
                rule,
                f"data.available below {min(missing)}, a size that was left out",
                f"{data.available}",
            )

    def dense_ids(self, tokenizer: Tokenizer) -> None:
        rule, size, tokens = "dense ids", tokenizer.vocab_size, tokenizer.model.tokens
        if len(tokens) != size:
            raise ConformanceError(rule, f"{size} tokens", f"{len(tokens)}")
        names = [name.encode() for name in tokenizer.model.special_tokens]
        if tokens[: len(names)] != names:
            raise ConformanceError(
                rule, f"the special tokens {names} first", f"{tokens[: len(names)]}"
            )
        for text in _torture():
            highest = max(tokenizer.encode(text), default=0)
            if highest >= size:
                raise ConformanceError(rule, f"ids 0 to {size - 1}", f"{highest} in {text!r:.60}")

    def alphabet(self, tokenizer: Tokenizer) -> None:
        rule, first = "alphabet", len(tokenizer.model.special_tokens)
        ordinary = set(tokenizer.model.tokens[first:])
        lacking = [b for b in range(256) if bytes([b]) not in ordinary]
        if lacking:
            raise ConformanceError(
                rule,
                "a token for every byte",
                f"none for {', '.join(f'0x{b:02X}' for b in lacking)}",
            )
        for text in _torture():
            if text and not tokenizer.encode(text):
                raise ConformanceError(rule, f"ids for {text!r:.60}", "none")

    def round_trip(self, tokenizer: Tokenizer) -> None:
        if not self.card.lossless:
            return
        for text in _torture():
            kept = "".join(c for c in text if c not in self.card.reserved)
            back = tokenizer.decode(tokenizer.encode(kept))
            if back != kept:
                raise ConformanceError("round trip", f"{kept!r:.60}", f"{back!r:.60}")

    def export(self, tokenizer: Tokenizer) -> None:
        if self.card.pretokenizer == "any" and not _exportable(tokenizer):
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
            for text in _torture():
                mine, theirs = tokenizer.encode(text), encode(text)
                if mine != theirs:
                    raise ConformanceError(
                        "export",
                        f"ids {mine[:20]} of {text!r:.60}",
                        f"{theirs[:20]}, from the file",
                    )

    def nested(self, made: list[Tokenizer]) -> None:
        by_size = sorted(made, key=lambda tokenizer: tokenizer.vocab_size)
        for small, large in itertools.pairwise(by_size):
            claimed = self.card.nested or small.model.is_prefix_of(large.model)
            if claimed and small.model.tokens != large.model.tokens[: small.vocab_size]:
                raise ConformanceError(
                    "nested",
                    f"the {small.vocab_size} tokens at the beginning of the {large.vocab_size}",
                    "other ones",
                )

    def determinism(self, made: list[Tokenizer]) -> None:
        if not self.card.deterministic:
            return
        for order, documents in (
            ("in a second training", self.documents),
            ("with the documents in another order", self.documents[::-1]),
        ):
            again, _ = self.train(documents, self.sizes)
            for one, other in zip(made, again, strict=False):
                if one.signature != other.signature:
                    raise ConformanceError(
                        "determinism",
                        "equal ids, or a card with deterministic=False",
                        f"others {order}, at {one.vocab_size} tokens",
                    )

    def reads(self) -> None:
        weighted = [(text, 1 + i % 2) for i, (text, _) in enumerate(self.documents)]
        try:
            self.train(weighted, self.sizes)
        except TrainingError as error:
            if self.card.reads == "pieces":
                raise ConformanceError(
                    "reads", 'training on word frequencies, or a card with reads="text"', f"{error}"
                ) from error
        else:
            if self.card.reads == "text":
                raise ConformanceError(
                    "reads", "word frequencies refused: TrainingError", "a training"
                )

    def too_small(self) -> None:
        try:
            made, _ = self.train(self.documents, [1])
        except TrainingError:
            return
        raise ConformanceError("too small", "TrainingError for 1 token", f"{made!r:.100}")

    def too_large(self) -> None:
        try:
            made, data = self.train(self.documents, [*self.sizes, UNREACHABLE])
        except TrainingError:
            return
        if any(tokenizer.vocab_size == UNREACHABLE for tokenizer in made):
            return
        if [tokenizer.vocab_size for tokenizer in made] != list(self.sizes):
            raise ConformanceError("too large", f"the other sizes, {self.sizes}", f"{made}")
        self.stated("too large", [UNREACHABLE], data)


def _exportable(tokenizer: Tokenizer) -> bool:
    from toktk.errors import FormatError
    from toktk.pretokenizers.export import exported_pattern

    try:
        exported_pattern(tokenizer.pretokenizer)
    except FormatError:
        return False
    return True


def _library_encode(folder: Path) -> Callable[[str], list[int]] | None:
    """Return the encoder of the library that owns the file in `folder`."""
    if (folder / "tokenizer.json").exists():
        import tokenizers

        loaded = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        loaded.encode_special_tokens = True
        return lambda text: list(loaded.encode(text).ids)
    for path in folder.glob("*.model"):
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_proto=path.read_bytes())
        return lambda text: list(processor.Encode(text))
    return None


class _Documents:
    """Documents at hand, as a part of a corpus."""

    size: int | None = None
    unit = "rows"
    replaced = null_rows = 0
    fingerprint = "0" * 64

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def batches(self, progress: Callable[[int], None] | None = None) -> Iterator[pa.RecordBatch]:
        """See `toktk.corpus.corpus.Part`."""
        import pyarrow as pa

        from toktk.corpus.batch import group_column, make_batch

        n = len(self.documents)
        yield make_batch(
            pa.array([text for text, _ in self.documents], pa.large_string()),
            group_column(pa.array(["all"] * n), "here"),
            pa.nulls(n, pa.string()),
            pa.array([weight for _, weight in self.documents], pa.int64()),
        )

    def describe(self) -> dict[str, Any]:
        """See `toktk.corpus.corpus.Part`."""
        return {}


def _corpus(documents: Documents) -> Corpus:
    from toktk.corpus import Corpus

    return Corpus("the text of check_trainer", [_Documents(documents)])


def _documents(corpus: Corpus) -> Documents:
    return [
        pair
        for batch in corpus.batches()
        for pair in zip(batch.column(0).to_pylist(), batch.column(3).to_pylist(), strict=True)
    ]


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
            word, n = "", 1 + (state >> 8) % 4
            for step in range(n):
                word += syllables[(state >> 3 + 5 * step) ** 2 % 10007 * len(syllables) // 10007]
            words.append(word)
        documents.append((f"{' '.join(words)}.\n{i}, {i * i}!", 1))
    return documents


def _torture() -> list[str]:
    """Return texts that break tokenizers, every byte that UTF-8 has among them."""
    # Libraries disagree on what the characters of the last years are, and hence on where to cut.
    old = (c for c in map(chr, range(0x800)) if unicodedata.ucd_3_2_0.category(c) != "Cn")
    return [
        "",
        " ",
        "a",
        "Words, and  two  spaces;\ta tab\r\nand lines\n\n\n  of 1234567 numbers. ",
        "\0 \x01\x7f a\0b",
        "cafe\u0301 na\u00efve Größe ΣΊΣΥΦΟΣ Москва İ ǅ",
        "東京都は日本の首都です。我爱北京 한국어 ภาษาไทย हिन्दी العربية עברית",
        "😀👨‍👩‍👧‍👦🏳️‍🌈🇩🇪 \U00010000\U0010ffff\ue000\ufffd\ufeff\u200b",
        "a" * 500 + " " * 200 + "\n" * 100,
        "## a ###b # ▁x ▁▁ <unk> <0x41> <s> [UNK] </w> @@",
        "".join(old) + "ߊߋ",
        "".join(chr(lead << 12 | 0x841) for lead in range(16) if lead != 0xD),
        "".join(chr(lead << 18 | 0x10041) for lead in range(4)),
    ]
