"""What a trainer is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from toktk import arrow
from toktk.corpus.batch import TEXT, WEIGHT
from toktk.errors import TrainingError

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.pieces.table import PieceTable
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer import Tokenizer

Progress = Callable[[int], None]
CountPieces = Callable[["Pretokenizer"], "PieceTable"]


@dataclass(frozen=True)
class Card:
    """What a trainer can and cannot do; the defaults are what is assumed of one that has no card.

    Attributes:
        reads: piece counts, or running text: then word frequencies cannot be trained on.
        pretokenizer: takes any; one that other libraries read alike; or cuts at spaces alone.
        exact_size: a size is met to the id, or said to be out of reach.
        deterministic: equal text gives equal ids, whatever the run and the order of documents.
        nested: each vocabulary is the beginning of every larger one, id for id.
        shared: one training serves every size.
        lossless: ``decode(encode(text)) == text``, `reserved` left out.
        reserved: characters that do not round trip.
        model: the kind of its models, which decides how they can be run; None where it does not say.
        notes: known defects, and what else a user should know; a sentence each.
    """

    reads: Literal["pieces", "text"] = "pieces"
    pretokenizer: Literal["any", "exportable", "metaspace"] = "exportable"
    exact_size: bool = True
    deterministic: bool = True
    nested: bool = False
    shared: bool = False
    lossless: bool = True
    reserved: str = ""
    model: str | None = None
    notes: tuple[str, ...] = ()


def card_of(trainer: object) -> Card:
    """Return the card of a trainer or of its class."""
    card = getattr(trainer, "card", None)
    return card if isinstance(card, Card) else Card()


class TrainingData:
    """A corpus, as text or as counted pieces; a trainer takes what it can.

    Args:
        corpus: the text.
        count: turns a pretokenizer into the piece table of the corpus; counts are kept, so trainers that
            share a pretokenizer share the work.
        progress: called with the number of ids learned since the last call; a trainer advances it by
            its largest size in all.
        jobs: threads; they change no result.

    Attributes:
        available: set by a trainer where a size is out of reach: how many ids the text gives.
    """

    def __init__(
        self,
        corpus: Corpus,
        count: CountPieces,
        progress: Progress | None = None,
        jobs: int = 1,
    ) -> None:
        self.corpus = corpus
        self.jobs = jobs
        self.progress = progress
        self.available: int | None = None
        self._count = count
        self._tables: dict[Pretokenizer, PieceTable] = {}

    def pieces(self, pretokenizer: Pretokenizer) -> PieceTable:
        """Return the piece table, all groups added up."""
        if pretokenizer not in self._tables:
            self._tables[pretokenizer] = self._count(pretokenizer)
        return self._tables[pretokenizer]

    def texts(self) -> Iterator[str]:
        """Yield the documents.

        Raises:
            TrainingError: the corpus is word counts, not running text.
        """
        for batch in self.corpus.batches():
            weights = arrow.to_numpy(batch.column(WEIGHT))
            if (weights != 1).any():
                raise TrainingError(
                    f"cannot train on {self.corpus.name}: this trainer reads running text.",
                    "Found: word frequencies, documents that count more or less than once.",
                    "Choose a trainer that reads pieces (toktk ls trainers), or give running text.",
                )
            yield from batch.column(TEXT).to_pylist()


class Trainer(Protocol):
    """Builds vocabularies. Parameters go to ``__init__`` and nowhere else.

    A trainer that can give every size from one training says so by what it returns: where each
    tokenizer's merges begin the next one's, they are evaluated in one pass. What else it can and
    cannot do it says in a class attribute `card`; `toktk.testing.check_trainer` holds it to that.
    """

    def train(self, data: TrainingData, sizes: Sequence[int]) -> list[Tokenizer]:
        """Return one tokenizer for each size that can be reached, in the order of `sizes`.

        A size counts all ids, special tokens and alphabet included. A size that the text cannot fill is
        left out; that no size can be filled is an error.

        Raises:
            TrainingError: a size below the alphabet, or no size can be reached.
        """


def size_label(size: int) -> str:
    """Return ``50k`` for 50000, ``1.5k`` for 1500, ``50257`` as it is."""
    return f"{size / 1000:g}k" if size % 100 == 0 and size >= 1000 else str(size)


def check_special_tokens(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names.

    Raises:
        TrainingError: an empty name, one given twice, or one without UTF-8.
    """
    if len(set(names)) < len(names) or "" in names:
        raise TrainingError(
            "special tokens must be different from each other and not empty.",
            f"Found: {', '.join(map(repr, names))}.",
        )
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise TrainingError(
                f"the special token {name!r} cannot be written.",
                "Found: a lone surrogate, which has no UTF-8.",
            )
    return tuple(names)


def check_sizes(sizes: Sequence[int], smallest: int, taken_by: str) -> None:
    """Refuse sizes below the alphabet.

    Raises:
        TrainingError: no size, or one below `smallest`; `taken_by` says what takes those ids.
    """
    if not sizes or min(sizes) < smallest:
        raise TrainingError(
            f"cannot train {min(sizes, default=0):,} tokens.",
            f"Found: {smallest:,} are taken by {taken_by}.",
            f"Ask for {smallest:,} or more.",
        )


def none_reached(data: TrainingData, sizes: Sequence[int], why: str = "") -> TrainingError:
    """Return the error for a text that fills no size."""
    gives = "fewer" if data.available is None else f"{data.available:,}"
    return TrainingError(
        f"cannot reach {min(sizes):,} tokens.",
        f"Found: {data.corpus.name} gives {gives}{why}.",
        "Ask for a smaller size, or give more text.",
    )
