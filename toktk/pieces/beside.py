"""What is found out of a text beside its pieces, in the same reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, Self

from toktk.corpus.batch import TEXT, spans
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    from toktk.arrow import pa


class Beside(Protocol):
    """Sees all documents of a text; each thread has one of its own, and they are merged at the end."""

    def fresh(self) -> Self:
        """Return one that has seen nothing."""
        ...

    def see(self, batch: pa.RecordBatch) -> None:
        """See the documents of a batch."""
        ...

    def merge(self, others: Iterable[Self]) -> None:
        """Add what others have seen."""
        ...


class AnyOf:
    """Whether a text holds any of some strings: `found`."""

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(strings)
        self.found = False

    def fresh(self) -> AnyOf:
        """See `Beside`."""
        return AnyOf(self.strings)

    def see(self, batch: pa.RecordBatch) -> None:
        """See `Beside`."""
        if not self.found and self.strings:
            self.found = finder(self.strings).prepare(*spans(batch.column(TEXT)))[3] is not None

    def merge(self, others: Iterable[AnyOf]) -> None:
        """See `Beside`."""
        self.found |= any(other.found for other in others)


def finder(strings: Sequence[str]) -> Pretokenizer:
    """Return what cuts documents at strings and nowhere else."""
    return Pretokenizer("none", PATTERNS["none"], added=tuple(strings))
