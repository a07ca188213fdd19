"""Which of a run's tokenizers a page can encode with, within the bytes that it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from toktk.models.bpe import BpeModel
from toktk.page.figures import Figures, visible_keys
from toktk.page.packing import Unpackable, deflated, pack_counts, pack_tokenizer
from toktk.visible import visible

_USUAL_SIZE = 50_000
_BYTES_OF_AN_ID = 3.5  # at least, of a packed tokenizer
_LEAST_ROOM = 20_000  # bytes; what is smaller is no reason to leave a tokenizer out
_TOO_LARGE = "it would make this page too large"


def packed_tokenizers(
    figures: Figures, room: int, advance: Callable[[int], None]
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]:
    """Return packs, counts of their tokens by label, and why others are left out, within `room` bytes.

    Every family comes once before any comes twice; of several sizes the one nearest to 50,000 ids is first,
    then the smaller ones. All sizes of a BPE family are one pack.
    """
    shown = figures.shown
    tokenizers, counted = visible_keys(shown.tokenizers), visible_keys(shown.token_counts)
    left_out = {label: visible(why) for label, why in visible_keys(shown.missing).items()}
    packs: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    for _, family, labels in sorted(candidates(figures, tokenizers), key=lambda each: each[0]):
        advance(1)
        largest = tokenizers[labels[-1]]
        if _BYTES_OF_AN_ID * largest.vocab_size > max(room, _LEAST_ROOM):
            left_out |= dict.fromkeys(labels, _TOO_LARGE)
            continue
        sizes = {label: figures.size(label) for label in labels} if len(labels) > 1 else None
        try:
            pack = pack_tokenizer(largest, sizes)
        except Unpackable as why:
            left_out |= dict.fromkeys(labels, str(why))
            continue
        own = {label: pack_counts(counted[label]) for label in labels if label in counted}
        # What is in base64 deflates to its own size, and is in base64 once more.
        needed = len(deflated({"pack": pack, "counts": own}))
        if needed > max(room, _LEAST_ROOM if not packs else 0):
            left_out |= dict.fromkeys(labels, _TOO_LARGE)
            continue
        room -= needed
        packs.append({"family": family, "labels": labels, **pack})
        counts |= own
    return packs, counts, left_out


def candidates(
    figures: Figures, tokenizers: Mapping[str, Any]
) -> Iterator[tuple[tuple[int, int], str, list[str]]]:
    """Yield (order, family, labels of one pack), the labels ascending by size."""
    for family, all_labels in figures.families.items():
        labels = [label for label in all_labels if label in tokenizers]
        if not labels:
            continue
        models = {label: tokenizers[label].model for label in labels}
        if isinstance(models[labels[-1]], BpeModel) and all(
            model.is_prefix_of(models[labels[-1]]) for model in models.values()
        ):
            yield (0, 0), family, labels
            continue
        usual = min(labels, key=lambda label: abs(figures.size(label) - _USUAL_SIZE))
        rest = [usual, *(label for label in labels if label != usual)]
        for i, label in enumerate(rest):
            yield (min(i, 1), figures.size(label) if i else 0), family, [label]
