"""The pieces that decide on a difference: those that cost most on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.corpus import Corpus
from toktk.lab.counted import CountedCorpora
from toktk.pieces.table import PieceTable, gather
from toktk.pretokenizers.patterns import PATTERNS
from toktk.tokenizer import NATIVE, Tokenizer
from toktk.visible import visible

MOST = 50_000
"""Pieces that are looked at, those with the most bytes of the text: the rest is too rare to decide."""

_Compared = tuple[PieceTable, Int64, Int64]

_SHOWN = 2  # of each side
_LONGEST = 24  # characters of a piece


@dataclass(frozen=True, eq=False)
class Deciding:
    """Tells which pieces of a text decide between two of the tokenizers, all by label."""

    corpus: Corpus
    tokenizers: Mapping[str, Tokenizer]
    counted: CountedCorpora
    _known: dict[tuple[str, str], _Compared | None] = field(default_factory=dict)

    def __call__(self, candidate: str, baseline: str, groups: Sequence[str]) -> str | None:
        """Return ``'ሕዝብ' ×3,120 +2, 'the' ×512 -1``: pieces, how often, and tokens more than the baseline.

        They are those of the text of these groups.

        Pieces are those of the candidate's cut, each encoded by itself. None where the tokenizers do not
        show any, or no piece differs.
        """
        pair = tuple(self.tokenizers.get(label) for label in (candidate, baseline))
        if pair[0] is None or pair[1] is None or not all(map(_shows_pieces, pair)):
            return None
        key = candidate, baseline
        if key not in self._known:
            self._known[key] = self._compared(*key)
        compared = self._known[key]
        if compared is None:
            return None
        table, chosen, more = compared
        counts = _counts_of(table, groups)[chosen]
        cost = more * counts
        shown: list[str] = []
        for sign in (1, -1):
            order = np.argsort(-sign * cost, kind="stable")[:_SHOWN]
            shown += [
                _written(table.piece(int(chosen[i])), int(counts[i]), int(more[i]))
                for i in order
                if sign * cost[i] > 0
            ]
        return ", ".join(shown) or None

    def _compared(self, candidate: str, baseline: str) -> _Compared | None:
        """Return the pieces, which are looked at, int64[n], and by how many tokens more they cost."""
        one, other = self.tokenizers[candidate], self.tokenizers[baseline]
        table = self.counted.get(self.corpus, one.pretokenizer, by_group=True).table
        weight = np.diff(table.offsets) * table.counts
        # In the order of their bytes, and without those that tie for the last place: the order of the table
        # depends on what else was counted with it.
        least = np.partition(weight, -MOST - 1)[-MOST - 1] if weight.size > MOST else 0
        heavy = np.flatnonzero(weight > least).tolist()
        chosen = np.array(sorted(heavy, key=table.piece), dtype=np.int64)
        data, offsets = gather(table.data, table.offsets, chosen)
        costs = [np.diff(one.model.encode_pieces(data, offsets)[1], prepend=0)]
        if other.pretokenizer.key == one.pretokenizer.key:
            costs.append(np.diff(other.model.encode_pieces(data, offsets)[1], prepend=0))
        elif other.pretokenizer.normalizer.prefix == "always":
            return None  # a piece by itself would get a space that it has not in the text
        else:
            costs.append(other.count_batch((data, offsets), self.counted.jobs))
        return table, chosen, costs[0] - costs[1]


def _shows_pieces(tokenizer: Tokenizer | None) -> bool:
    if tokenizer is None or tokenizer.engine != NATIVE:
        return False
    is_single = bool(getattr(tokenizer.model, "single", False))
    return tokenizer.pretokenizer.key != PATTERNS["none"] and not is_single


def _counts_of(table: PieceTable, groups: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return int64[n]: how often each piece occurs in groups."""
    entries = np.isin(table.entry_group, [table.groups.index(group) for group in groups])
    piece = np.repeat(np.arange(len(table)), np.diff(table.rows))
    counts = np.zeros(len(table), dtype=np.int64)
    np.add.at(counts, piece[entries], table.entry_count[entries])
    return counts


def _written(piece: bytes, count: int, more: int) -> str:
    text = piece.decode(errors="replace")
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"'{visible(short)}' ×{count:,} {more:+d}"
