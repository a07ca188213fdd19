"""What is kept of a text that was counted: its pieces, or, where all is sampled, what documents lack."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, offsets_of, read_arrays, write_arrays
from toktk.evaluation.base import Flags, Totals, totals_of
from toktk.lab.reading import Reading
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    from toktk.corpus import Corpus


@dataclass(frozen=True)
class CountedCorpus:
    """The pieces of a corpus under one pretokenizer, and what reading it met."""

    table: PieceTable
    reading: Reading

    @functools.cached_property
    def totals(self) -> tuple[Totals, Flags]:
        """What is known of the text before it is encoded; see `totals_of`."""
        return totals_of(self.table)

    def save(self, folder: Path) -> None:
        """Write plain arrays: to sort them for Parquet takes about as long as counting does."""
        table = self.table
        arrays = {
            "data": table.data,
            "lengths": _narrow(np.diff(table.offsets)),
            "entries": _narrow(np.diff(table.rows)),
            "entry_group": _narrow(table.entry_group),
            "entry_count": _narrow(table.entry_count),
            "totals": table.totals,
            "aligned": table.aligned,
        }
        about = {"groups": table.groups, "pretokenizer": table.pretokenizer}
        write_arrays(folder, arrays, **about, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> CountedCorpus:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        table = PieceTable(
            arrays["data"],
            offsets_of(arrays["lengths"]),
            offsets_of(arrays["entries"]),
            arrays["entry_group"].astype(np.int32),
            arrays["entry_count"].astype(np.int64),
            tuple(about["groups"]),
            arrays["totals"],
            arrays["aligned"],
            about["pretokenizer"],
        )
        return cls(table, Reading(**about["reading"]))


@dataclass(frozen=True)
class WholeText:
    """What the sampled documents do not tell of a text where they are all there is.

    With it, they give its piece table under any pretokenizer.

    Attributes:
        totals, aligned: as of a `PieceTable`.
        reading: what reading the text met.
    """

    totals: Int64
    aligned: Int64
    reading: Reading

    def save(self, folder: Path) -> None:
        """Write plain arrays."""
        arrays = {"totals": self.totals, "aligned": self.aligned}
        write_arrays(folder, arrays, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> WholeText:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        return cls(arrays["totals"], arrays["aligned"], Reading(**about["reading"]))


def cell_of(corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> dict[str, Any]:
    """Return the key in the store of a text counted under a pretokenizer."""
    return {
        "corpus": corpus.fingerprint,
        "pattern": pretokenizer.key,
        # Without the name: a public tokenizer's pattern may have another one than a trainer's.
        "cut": pretokenizer.signature.partition("@")[2],
        "by_group": by_group,
    }


def _narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return non-negative integers in the narrowest type that holds them: half a cell's bytes."""
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))
