"""What a trainer is, what it takes, and what it gives."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.child import Child, ChildEnded, Refused
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.errors import TrainingError, clipped
from toktk.libraries.process import open_library
from toktk.models.symbols import SymbolsModel
from toktk.normalizers.normalizer import IDENTITY, Normalizer
from toktk.pieces.table import PieceTable, without_pieces
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.sizes import MAX_SIZE, size_label
from toktk.tokenizer import Tokenizer
from toktk.trainers.reserved import check_names, check_symbols

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.models.model import Model

Progress = Callable[[int], None]

MAX_COUNT = 2**63 - 1  # counts are int64
LOWER_FLOOR = "lower --min-frequency, "


@dataclass(frozen=True)
class Card:
    """What a trainer can and cannot do. A trainer without a card has the defaults.

    Attributes:
        reads: piece counts, running text, or documents with their weights. A trainer of running text
            cannot train on word frequencies.
        pretokenizer: any; one that other libraries read alike; or the one that cuts at spaces alone.
        exact_size: a tokenizer has the size asked for to the id, or the trainer says that it is out of reach.
        deterministic: equal text gives equal ids, whatever the run and the order of documents.
        nested: each vocabulary is the beginning of every larger one, id for id.
        shared: one training serves every size.
        lossless: ``decode(encode(text)) == text``, `reserved` left out.
        reserved: characters that do not round trip.
        model: the kind of its models, which decides how they can be run; None where it does not say.
        takes: the options that ``__init__`` takes, by name; None: those of its signature. The
            command line fills these: `pretokenizer` (a Pretokenizer), `special_tokens` (a list of
            names), `symbols` (see `BaseTrainer`), `min_frequency`, `max_token_length` (in bytes),
            `score` (a name of `toktk.trainers.pair_scores.PAIR_SCORES`) and `seed`. A sweep refuses an
            option that the trainer does not take, apart from the seed.
        packages: those whose code decides the result; their versions are part of what a training is
            kept under.
        notes: known defects, and what else a user should know; a sentence each.
    """

    reads: Literal["pieces", "text", "weighted text"] = "pieces"
    pretokenizer: Literal["any", "exportable", "metaspace"] = "exportable"
    exact_size: bool = True
    deterministic: bool = True
    nested: bool = False
    shared: bool = False
    lossless: bool = True
    reserved: str = ""
    model: str | None = None
    takes: tuple[str, ...] | None = None
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def card_of(trainer: object) -> Card:
    """Return the card of a trainer or of its class."""
    card = getattr(trainer, "card", None)
    return card if isinstance(card, Card) else Card()


def versions_of(trainer: object) -> dict[str, str]:
    """Return the versions of the packages that decide what a trainer, or its class, gives.

    That of a package which is not installed is empty.
    """
    versions = {}
    for package in card_of(trainer).packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = ""
    return versions


class TrainingData:
    """A corpus, as text or as counted pieces; a trainer takes what it can.

    Trainers that share a pretokenizer share its piece table.

    Args:
        count: turns a pretokenizer into the piece table of the corpus, all groups added up, and can do so
            again at little cost; by default the corpus is read.
        progress: called with the number of ids learned since the last call; a trainer advances it
            by its largest size in all.
        jobs: threads; they change no result.
        split_at: strings at which documents are cut before anything is learned, such as the special
            tokens that stand in the text. They are found in the text as it is, leftmost and then
            longest; nothing is learned from them, or across them.
    """

    def __init__(
        self,
        corpus: Corpus,
        count: Callable[[Pretokenizer], PieceTable] | None = None,
        progress: Progress | None = None,
        jobs: int = 1,
        split_at: Sequence[str] = (),
    ) -> None:
        from toktk.pieces.counting import count_corpus

        self.corpus = corpus
        self.jobs = jobs
        self.split_at = tuple(split_at)
        self.progress = progress
        self._counts_again = count is not None
        self._count = count or functools.partial(count_corpus, corpus, jobs=jobs, by_group=False)
        self._tables: dict[Pretokenizer, PieceTable] = {}

    def cut_at(self, strings: Sequence[str]) -> TrainingData:
        """Return the data with documents cut at these strings as well."""
        if not strings:
            return self
        data = copy.copy(self)
        data.split_at = (*self.split_at, *strings)
        data._tables = {}
        return data

    def pieces(self, pretokenizer: Pretokenizer) -> PieceTable:
        """Return the piece table, all groups added up."""
        if pretokenizer not in self._tables:
            table = self._count(replace(pretokenizer, added=(*pretokenizer.added, *self.split_at)))
            self._tables[pretokenizer] = without_pieces(table, self.split_at)
        return self._tables[pretokenizer]

    def release(self) -> None:
        """Hold piece tables no longer, where they can be had again: a trainer has copied what it needs."""
        if self._counts_again:
            self._tables.clear()

    def texts(self, normalizer: Normalizer = IDENTITY) -> Iterator[str]:
        """Yield the documents, one by one.

        Raises:
            TrainingError: the corpus is word counts, not running text.
        """
        for data, offsets in self.batches(normalizer):
            raw = data.tobytes()
            yield from (raw[a:b].decode() for a, b in itertools.pairwise(offsets.tolist()))

    def batches(self, normalizer: Normalizer = IDENTITY) -> Iterator[tuple[Bytes, Int64]]:
        """Yield the documents as UTF-8, many at once: ``data[offsets[d]:offsets[d + 1]]``.

        Raises:
            TrainingError: the corpus is word counts, not running text.
        """
        for data, offsets, weights in self.weighted(normalizer):
            if (weights != 1).any():
                raise TrainingError(
                    f"cannot train on {self.corpus.name}: this trainer reads running text.",
                    "Found: word frequencies, documents that count more or less than once.",
                    "Choose a trainer that reads pieces (toktk ls trainers), or give running text.",
                )
            yield data, offsets

    def weighted(self, normalizer: Normalizer = IDENTITY) -> Iterator[tuple[Bytes, Int64, Int64]]:
        """Yield the documents as `batches` does, and how often each counts, int64[D].

        Documents are cut at `split_at` and normalized; what is cut out is left out.
        """
        steps = Pretokenizer("none", PATTERNS["none"], normalizer=normalizer, added=self.split_at)
        for batch in self.corpus.batches():
            weights = arrow.to_numpy(batch.column(WEIGHT))
            data, offsets, owner, atoms = steps.prepare(*spans(batch.column(TEXT)))
            data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
            if owner is not None and atoms is not None:
                lengths = np.diff(offsets)
                data, weights = data[np.repeat(~atoms, lengths)], weights[owner[~atoms]]
                offsets = offsets_of(lengths[~atoms])
            yield data, offsets, weights

    def longest_piece(self, pretokenizer: Pretokenizer) -> str:
        """Return the longest piece and its length, in words."""
        table = self.pieces(pretokenizer)
        lengths = np.diff(table.offsets)
        if not lengths.size:
            return "there are no pieces"
        p = int(lengths.argmax())
        return f"the longest piece has {lengths[p]:,} bytes, {clipped(table.piece(p))[1:]}"

    def advance(self, ids: int) -> None:
        """Report progress."""
        if self.progress is not None:
            self.progress(ids)


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Attributes:
        tokenizers: one for each size in reach, in the order asked.
        available: where a size is too large, how many ids the text gives; else None, also where
            the trainer cannot tell.
        least: where a size is too small, how many ids are taken before anything is learned: special
            tokens, bytes, characters; else None.
    """

    tokenizers: tuple[Tokenizer, ...]
    available: int | None = None
    least: int | None = None


class Trainer(Protocol):
    """A builder of vocabularies. Parameters go to ``__init__`` and nowhere else.

    The class attribute `card` says what a trainer can and cannot do; `toktk.testing.check_trainer`
    holds it to that. One pass evaluates all tokenizers whose merges begin the next one's.
    """

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """Return one tokenizer for each size that can be reached.

        A size counts all ids, special tokens and alphabet included. A size that the text cannot
        fill, or that holds no more than the alphabet, is left out; that this leaves none is an error.

        Raises:
            TrainingError: no size can be reached.
        """


def check_range(name: str, value: float | None, least: float, most: float = MAX_COUNT) -> None:
    """Refuse an option outside of `least` to `most`; None means that it was not given.

    Where neither `least` nor `most` has a fraction, the option is a whole number.
    """
    if value is None:
        return
    is_whole = isinstance(least, int) and isinstance(most, int)
    is_number = isinstance(value, numbers.Integral if is_whole else numbers.Real)
    if not is_number or not least <= value <= most:
        kind = "a whole number, " if is_whole and not is_number else ""
        upper = f"to {most:,}" if is_whole else f"to {most:g}"
        if most == MAX_COUNT and not (is_number and value > most):
            upper = "or more"
        raise TrainingError(
            f"{name} must be {kind}{least:g} {upper}, not {_shown(value)}.",
            "Give another value, or leave it out.",
        )


def _shown(value: object) -> str:
    """Return a value for an error; a number can have more digits than Python writes."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"a number of some {math.log10(abs(value)):.0f} digits"
    return f"{value!r:.80}"


def check_whole(sizes: Sequence[int]) -> None:
    """Refuse sizes that are no whole numbers, or more than ids can number."""
    for size in sizes:
        if not isinstance(size, numbers.Integral) or size > MAX_SIZE:
            raise TrainingError(
                f"cannot train {_shown(size)} tokens.",
                f"Found: a size is a whole number, of at most {MAX_SIZE:,}.",
                "Ask for another size.",
            )


class TooSmall(TrainingError):
    """A size is below the ids that are taken before anything is learned: `least`."""

    def __init__(self, size: int, least: int, taken_by: str, instead: str = "") -> None:
        super().__init__(
            f"cannot train {size:,} tokens.",
            f"Found: {least:,} are taken by {taken_by}.",
            f"Ask for {least:,} or more{instead}.",
        )
        self.least = least


def sizes_from(sizes: Sequence[int], least: int, taken_by: str, instead: str = "") -> Sequence[int]:
    """Return the sizes of at least `least`: the ids that `taken_by` (in words) takes in any case.

    `instead` is what else a user can do, such as ", or a lower character_coverage".

    Raises:
        TrainingError: there is none, or a size is no whole number.
    """
    check_whole(sizes)
    remaining = [size for size in sizes if size >= least]
    if not remaining:
        raise TooSmall(max(sizes, default=0), least, taken_by, instead)
    return remaining


class Reached(NamedTuple):
    """The models by size, and why others cannot be had; see `Trained`."""

    models: Mapping[int, Model]
    available: int | None = None
    least: int | None = None


def train_each(
    train: Callable[[int], Model | int], sizes: Sequence[int], data: TrainingData
) -> Reached:
    """Train anew for each size, from the smallest on, until one is out of reach.

    ``train(size)`` returns the model, or how many ids the text gives where these are fewer. It raises
    `TooSmall` where more are taken; that no size is larger is that error.
    """
    models: dict[int, Model] = {}
    available: int | None = None
    least = done = 0
    for size in sorted(set(sizes)):
        if size >= least:
            try:
                outcome = train(size) if available is None else available
            except TooSmall as error:
                least = error.least
                if least > max(sizes):
                    raise
                continue
            if isinstance(outcome, int):
                available = outcome
            else:
                models[size] = outcome
        data.advance(size - done)
        done = size
    return Reached(models, available, least)


@contextlib.contextmanager
def library_at_work(
    trainer: str, package: str, size: int, suspect: Callable[[], str] | None = None
) -> Iterator[Child]:
    """Yield a child process in which a library trains to `size`; what it fails at is an error.

    The library takes the time that it needs; Ctrl-C ends it. `suspect` says, in words, what in the text
    may have ended its process.

    Raises:
        TrainingError: the library refuses it, or ends its process.
    """
    with contextlib.closing(open_library(package)) as child:
        try:
            yield child
        except Refused as refusal:
            raise TrainingError(
                f"cannot train {size:,} tokens with {trainer}.",
                f"{package} {version(package)} says: {refusal}",
            ) from refusal
        except ChildEnded as ended:
            said = f": {ended.complaint}" if ended.is_error else ""
            where = f"; {suspect()}" if suspect is not None and not ended.interrupted else ""
            raise TrainingError(
                f"cannot train {size:,} tokens with {trainer}.",
                f"Found: {package} {version(package)} {ended.how}{said}{where}.",
                "Ask for fewer tokens, give less text, or leave this trainer out.",
            ) from ended


class BaseTrainer:
    """What the trainers of this package have in common.

    Args:
        pretokenizer: a name or a pattern.
        special_tokens: get the first ids.
        symbols: tokens that stand for themselves wherever text holds them, leftmost and then longest.
            They get the ids behind the special tokens. Text is cut at them, so nothing is learned from
            them or across them. They are found in text as it is, before a normalizer changes it.

    Attributes:
        special_tokens: the names that models are trained with, which learn nothing of them: special
            tokens, then symbols.
    """

    name: ClassVar[str]

    def __init__(
        self,
        pretokenizer: str | Pretokenizer,
        special_tokens: Sequence[str],
        symbols: Sequence[str] = (),
    ) -> None:
        self.pretokenizer = Pretokenizer.of(pretokenizer)
        check_names("special token", special_tokens)
        check_names("symbol", symbols)
        check_symbols(symbols, special_tokens, self.pretokenizer)
        self.symbols = tuple(symbols)
        self.special_tokens = (*special_tokens, *symbols)

    @property
    def _reserved(self) -> str:
        """The ids that special tokens and symbols take, in words."""
        n = len(self.symbols)
        return f"{len(self.special_tokens) - n} special tokens" + (f", {n} symbols" if n else "")

    def _finish(
        self,
        reached: Reached,
        data: TrainingData,
        sizes: Sequence[int],
        why: str = "",
        advice: str = "",
    ) -> Trained:
        """Return the models as tokenizers, called ``bpe-50k`` after the trainer and the size.

        A text that fills no size has no model and is refused. `why` follows on "the text gives
        400", such as " before no pair is left to merge"; `advice` is what a user can do besides asking
        for less, such as `LOWER_FLOOR`.
        """
        models, available, least = reached
        missing = [size for size in sizes if size not in models]
        too_large = [size for size in missing if size >= (least or 0)]
        if not models:
            gives = "fewer" if available is None else f"{available:,}"
            taken = (
                f", and {least:,} are taken by the alphabet"
                if len(missing) > len(too_large)
                else ""
            )
            raise TrainingError(
                f"cannot reach {min(too_large):,} tokens.",
                f"Found: {data.corpus.name} gives {gives}{why}{taken}.",
                f"Ask for a smaller size, {advice}or give more text.",
            )
        tokenizers = tuple(
            self._tokenizer(f"{self.name}-{size_label(size)}", models[size])
            for size in sizes
            if size in models
        )
        too_small = len(missing) > len(too_large)
        return Trained(tokenizers, available if too_large else None, least if too_small else None)

    def _option(self, name: str) -> str:
        """Return an option as Python and as the command line name it."""
        return f"{name} (-O {self.name}.{name}=VALUE)"

    def _tokenizer(self, name: str, model: Model) -> Tokenizer:
        if not self.symbols:
            return Tokenizer(name, self.pretokenizer, model)
        return Tokenizer(name, self._cut, SymbolsModel(model, len(self.symbols)))

    @property
    def _cut(self) -> Pretokenizer:
        """The pretokenizer, which finds the symbols too."""
        return replace(self.pretokenizer, added=(*self.pretokenizer.added, *self.symbols))
