"""What is found out of a text beside its pieces, in the same reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from toktk.arrays import Bytes, Int64
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


class Beside(Protocol):
    """Sees all documents of a text; each thread has one of its own, and they are merged at the end."""

    def fresh(self) -> Self:
        """Return one that has seen nothing."""
        ...

    def add(self, data: Bytes, offsets: Int64) -> None:
        """See documents, ``data[offsets[d]:offsets[d + 1]]``."""
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

    def add(self, data: Bytes, offsets: Int64) -> None:
        """See `Beside`."""
        if not self.found and self.strings:
            self.found = finder(self.strings).prepare(data, offsets)[3] is not None

    def merge(self, others: Iterable[AnyOf]) -> None:
        """See `Beside`."""
        self.found |= any(other.found for other in others)


def finder(strings: Sequence[str]) -> Pretokenizer:
    """Return what cuts documents at strings and nowhere else."""
    return Pretokenizer("none", PATTERNS["none"], added=tuple(strings))
