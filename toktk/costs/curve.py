"""A measured curve: how many tokens a byte takes at each vocabulary size, and where a cost is least on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from toktk.errors import LawError

FLAT = 0.01
"""By how much a cost may exceed the least one and still count as equal to it."""

_POINTS = 200_000  # sizes that are looked at: up to so many, each

Float64 = npt.NDArray[np.float64]
Edge = Literal["", "smallest", "largest"]


@dataclass(frozen=True)
class Region:
    """Where a cost is least on a measured curve.

    Attributes:
        size: the vocabulary size of the least cost.
        low, high: the sizes around it whose cost is at most `FLAT` more, or another share asked for.
        edge: the end of the measured sizes at which `size` lies: beyond it, the cost may be less.
    """

    size: int
    low: int
    high: int
    edge: Edge


@dataclass(frozen=True)
class MeasuredCurve:
    """Tokens per byte at measured vocabulary sizes of one family, on one text.

    Attributes:
        sizes: ids in all, ascending.
        tokens_per_byte: at each size.
        bytes_per_char: of the text, which laws of characters are held against; None: not known.

    Raises:
        LawError: fewer than two sizes, sizes that do not ascend, or a number that is not positive.
    """

    sizes: tuple[int, ...]
    tokens_per_byte: tuple[float, ...]
    bytes_per_char: float | None = None

    def __post_init__(self) -> None:
        fault = ""
        if len(self.sizes) != len(self.tokens_per_byte):
            fault = f"{len(self.sizes)} sizes and {len(self.tokens_per_byte)} counts of tokens"
        elif len(self.sizes) < 2:
            fault = f"{len(self.sizes)} of them"
        elif (np.diff(self.sizes) <= 0).any():
            fault = f"sizes that do not ascend: {', '.join(map(str, self.sizes))}"
        else:
            for value in (*self.sizes, *self.tokens_per_byte, self.bytes_per_char):
                if value is not None and not 0 < value < float("inf"):
                    fault = f"{value!r}, which is not positive"
        if fault:
            raise LawError(
                "a measured curve needs two or more vocabulary sizes, each with its tokens per byte.",
                f"Found: {fault}.",
                "Measure one family at several sizes: toktk sweep -s 8k,16k,32k,64k.",
            )

    def at(self, sizes: npt.ArrayLike) -> Float64:
        """Return float64[n], tokens per byte at sizes between the measured ones, linear in log size.

        Raises:
            LawError: a size outside of them.
        """
        asked = np.atleast_1d(np.asarray(sizes, dtype=np.float64))
        outside = asked[(asked < self.sizes[0]) | (asked > self.sizes[-1])]
        if outside.size:
            raise LawError(
                f"tokens per byte are not measured at {outside[0]:,.0f} ids.",
                f"Found: measured sizes from {self.sizes[0]:,} to {self.sizes[-1]:,}.",
                "Measure that size: a curve says nothing beyond its ends.",
            )
        return np.asarray(np.interp(np.log(asked), np.log(self.sizes), self.tokens_per_byte))

    def least(self, cost: Callable[[Float64, Float64], Float64], flat: float = FLAT) -> Region:
        """Return where a cost is least between the ends of the curve.

        Args:
            cost: of float64[n] sizes and float64[n] tokens per byte.
            flat: the share by which a cost may exceed the least one and be as good.
        """
        first, last = self.sizes[0], self.sizes[-1]
        sizes = np.arange(first, last + 1, dtype=np.float64)
        if sizes.size > _POINTS:
            spread = np.rint(np.geomspace(first, last, _POINTS))
            sizes = np.union1d(spread, np.array(self.sizes, dtype=np.float64))
        costs = cost(sizes, self.at(sizes))
        best = int(np.argmin(costs))
        dear = np.flatnonzero(costs > costs[best] * (1 + flat))
        low = int(dear[dear < best].max(initial=-1)) + 1
        high = int(dear[dear > best].min(initial=sizes.size)) - 1
        edge: Edge = "smallest" if best == 0 else "largest" if best == sizes.size - 1 else ""
        return Region(int(sizes[best]), int(sizes[low]), int(sizes[high]), edge)
