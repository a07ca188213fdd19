"""Which of a run's tokenizers a page can encode with, within the bytes that it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from toktk.page.figures import Figures, visible_keys
from toktk.page.packing import (
    Unpackable,
    goes_together,
    is_one_training,
    most_in_page,
    pack_counts,
    pack_family,
    size_of_pack,
)
from toktk.visible import visible

_USUAL_SIZE = 50_000
_BYTES_OF_AN_ID = 2.6  # at least, of a tokenizer in a pack
_LEAST_ROOM = 20_000  # bytes; what is smaller is no reason to leave a tokenizer out
_TOO_LARGE = "it would make this page too large"


class Wanted(NamedTuple):
    """Tokenizers that are to come together, or not at all: all sizes of one training, or one of them."""

    order: tuple[int, int]
    family: str
    labels: tuple[str, ...]


def packs_of(figures: Figures) -> list[Wanted]:
    """Return what a page would like to hold, the most wanted first.

    Every family comes once before any comes twice; of several sizes the one nearest to 50,000 ids is first,
    then the smaller ones.
    """
    tokenizers = visible_keys(figures.shown.tokenizers)
    wanted = []
    for family, all_labels in figures.families.items():
        labels = [label for label in all_labels if label in tokenizers]
        if labels and is_one_training([tokenizers[label].model for label in labels]):
            wanted.append(Wanted((0, 0), family, tuple(labels)))
            continue
        by_distance = sorted(labels, key=lambda label: abs(figures.size(label) - _USUAL_SIZE))
        for label in labels:
            order = (0, 0) if label == by_distance[0] else (1, figures.size(label))
            wanted.append(Wanted(order, family, (label,)))
    return sorted(wanted, key=lambda each: each.order)


class Packer:
    """Packs tokenizers as long as there is room.

    Attributes:
        counts: {label: how often each token occurs, packed}, of those that are packed.
        left_out: {label: why}, of the others.
    """

    def __init__(self, figures: Figures, room: int) -> None:
        self.counts: dict[str, Any] = {}
        shown = figures.shown
        self.left_out = {label: visible(why) for label, why in visible_keys(shown.missing).items()}
        self._figures = figures
        self._room = room
        self._tokenizers = visible_keys(shown.tokenizers)
        self._counted = visible_keys(shown.token_counts)
        self._packs: dict[tuple[str, ...], dict[str, Any]] = {}  # by the labels of each
        self._sizes: dict[tuple[str, ...], int] = {}

    @property
    def packs(self) -> list[dict[str, Any]]:
        """What `encoder.js` reads; no label is in two."""
        return [*self._packs.values()]

    def pack(self, advance: Callable[[int], None]) -> None:
        """Pack what is wanted; `advance` is called with 1 for each of `packs_of`."""
        for wanted in packs_of(self._figures):
            try:
                if not self._added(wanted):
                    self.left_out |= dict.fromkeys(wanted.labels, _TOO_LARGE)
            except Unpackable as why:
                self.left_out |= dict.fromkeys(wanted.labels, str(why))
            advance(1)

    def _added(self, wanted: Wanted) -> bool:
        """Pack tokenizers, together with those of their family that are packed, where that is possible."""
        before = self._to_join(wanted)
        room = self._room + self._sizes.get(before, 0)
        labels = sorted((*before, *wanted.labels), key=self._figures.size)
        least = _BYTES_OF_AN_ID * max(map(self._figures.size, wanted.labels))
        if least > max(self._room, _LEAST_ROOM):
            return False
        tokenizers = {label: self._tokenizers[label] for label in labels}
        pack = {"family": wanted.family, **pack_family(tokenizers)}
        counts = {n: pack_counts(self._counted[n]) for n in wanted.labels if n in self._counted}
        size, more = size_of_pack(pack, wanted.family, tokenizers), most_in_page(counts)
        if size + more > max(room, 0 if self._packs else _LEAST_ROOM):
            return False
        self._packs.pop(before, None)
        self._packs[tuple(labels)] = pack
        self._sizes[tuple(labels)] = size
        self._room = room - size - more
        self.counts |= counts
        return True

    def _to_join(self, wanted: Wanted) -> tuple[str, ...]:
        """Return the labels of the pack that can take these in; none where there is none."""
        for labels, pack in self._packs.items():
            if pack["family"] == wanted.family and self._goes_together((*labels, *wanted.labels)):
                return labels
        return ()

    def _goes_together(self, labels: Sequence[str]) -> bool:
        by_size = sorted(labels, key=self._figures.size)
        return goes_together([self._tokenizers[label] for label in by_size])
