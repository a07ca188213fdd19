"""Proportions of a mixture: how often each document counts, so that corpora or groups have their share.

Counts are whole numbers. So a share becomes a whole factor for the weight of each document, the smallest ones
that are right to 1 %: of 1 MB of German and 10 MB of English, 0.3 and 0.7 count 17 times and 4 times.
"""

from __future__ import annotations

import functools
import glob
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, constant_group, make_batch, spans
from toktk.corpus.find import kind_at, matching
from toktk.errors import CorpusError
from toktk.places import is_address

Read = Callable[[], "Iterator[pa.RecordBatch]"]

_TOLERANCE = 0.01
_WIDEST = 1e6
"""Of the factors: beyond it, one text would drown in the other."""

_SHARE = re.compile(r"(.+):(\d+(?:\.\d+)?|\.\d+)", re.DOTALL)
_NAME = re.compile(r"([\w.+-]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """All documents in one group of that name."""

    group: str

    def __str__(self) -> str:
        return f"group {self.group}"

    def start(self, read: Read) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            others = (batch.column(i) for i in (ALIGN, WEIGHT))
            return make_batch(
                batch.column(TEXT), constant_group(self.group, batch.num_rows), *others
            )

        return select


@dataclass(frozen=True, eq=False)
class Shares:
    """Corpora of which each has its share of the text: `reads` yield their batches."""

    reads: tuple[Read, ...]
    shares: tuple[float, ...]

    @functools.cached_property
    def factors(self) -> tuple[int, ...]:
        """How often each document of a corpus counts; the first call reads all text."""
        sizes = [sum(bytes_of_groups(read).values()) for read in self.reads]
        return whole_factors(
            [share / max(n, 1) for share, n in zip(self.shares, sizes, strict=True)]
        )


@dataclass(frozen=True)
class Times:
    """One of the corpora of `Shares`: every document counts as often as its share asks."""

    shares: Shares
    index: int

    def __str__(self) -> str:
        return f"every document counts {self.shares.factors[self.index]} times"

    def start(self, read: Read) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""
        factor = self.shares.factors[self.index]
        return lambda batch: _times(batch, np.full(batch.num_rows, factor, np.int64))


@dataclass(frozen=True)
class Balanced:
    """Groups of which each has a share of its bytes to the power of 1 / temperature."""

    read: Read
    temperature: float

    @functools.cached_property
    def factors(self) -> dict[str, int]:
        """How often each document of a group counts; the first call reads all text."""
        return balanced_factors(bytes_of_groups(self.read), self.temperature)

    def __str__(self) -> str:
        factors = ", ".join(f"{group} {factor}" for group, factor in self.factors.items())
        return (
            f"temperature {self.temperature:g}: a document of each group counts so often: {factors}"
        )

    def start(self, read: Read) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            groups = batch.column(GROUP)
            names = groups.dictionary.to_pylist()
            # A dictionary may name groups that no document has.
            factors = np.array([self.factors.get(name, 1) for name in names], np.int64)
            return _times(batch, factors[arrow.to_numpy(groups.indices)])

        return select


def bytes_of_groups(read: Read) -> dict[str, int]:
    """Return the bytes of text in each group, as often as its documents count."""
    totals: dict[str, int] = {}
    for batch in read():
        _, offsets = spans(batch.column(TEXT))
        sizes = np.diff(offsets[: batch.num_rows + 1]) * arrow.to_numpy(batch.column(WEIGHT))
        groups = batch.column(GROUP)
        sums = np.zeros(len(groups.dictionary), np.int64)
        np.add.at(sums, arrow.to_numpy(groups.indices), sizes)
        for number in np.unique(arrow.to_numpy(groups.indices)):
            name = groups.dictionary[int(number)].as_py()
            totals[name] = totals.get(name, 0) + int(sums[number])
    return totals


def balanced_factors(sizes: Mapping[str, int], temperature: float) -> dict[str, int]:
    """Return how often a document of each group counts, by the bytes of the groups; see `Balanced`."""
    at_least = {group: max(n, 1) for group, n in sizes.items()}
    wanted = [n ** (1 / temperature) / n for n in at_least.values()]
    return dict(zip(at_least, whole_factors(wanted), strict=True))


def whole_factors(wanted: Sequence[float]) -> tuple[int, ...]:
    """Return the smallest whole numbers that are in proportion to those `wanted`, each within 1 %.

    Raises:
        CorpusError: they would lie too far apart.
    """
    ratios = np.array(wanted) / min(wanted)
    if ratios.max() > _WIDEST:
        raise CorpusError(
            "the weights of the texts lie too far apart.",
            f"Found: a document of one would count {ratios.max():.3g} times one of another.",
            "Give weights that are nearer to the sizes of the texts.",
        )
    least = 1
    while np.abs(np.rint(least * ratios) / (least * ratios) - 1).max() > _TOLERANCE:
        least += 1
    return tuple(int(factor) for factor in np.rint(least * ratios))


def _times(batch: pa.RecordBatch, factors: np.ndarray) -> pa.RecordBatch:
    weights = arrow.to_numpy(batch.column(WEIGHT)) * factors
    text, group, align = (batch.column(i) for i in (TEXT, GROUP, ALIGN))
    return make_batch(text, group, align, arrow.from_numpy(weights))


def parse_share(spec: str) -> tuple[str | None, str, float | None]:
    """Return name, spec and share of ``[name=]<spec>[:share]``; what exists under the whole name is that.

    Raises:
        CorpusError: a share of nothing.
    """
    path = Path(spec)
    if kind_at(path) or (glob.has_magic(spec) and matching(path).files):
        return None, spec, None
    name, share = None, None
    match = _SHARE.fullmatch(spec)
    if match and not (is_address(match[1]) and not urlsplit(match[1]).path):  # a port
        spec, share = match[1], float(match[2])
        if not share:
            raise CorpusError(
                f"the weight of {spec} is 0.", "Give a weight above 0, or leave the text out."
            )
        if kind_at(Path(spec)):
            return None, spec, share
    if match := _NAME.fullmatch(spec):
        name, spec = match[1], match[2]
    return name, spec, share
