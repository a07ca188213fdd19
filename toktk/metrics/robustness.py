"""Robustness: how many tokens change when a text changes by a letter, a space or its normal form.

Such changes are frequent in what people write, and rare in training text. Where one letter changes many
tokens, a model sees a text that it has learned less of. None of these figures is known to predict how
much worse a model gets.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable

import numpy as np

from toktk.metrics.base import Case, Figure, metric
from toktk.pieces.text_sample import TextSample

Changed = tuple[str, str, int]  # a text, the changed text, and how many characters changed


def _at_typo(text: str) -> int:
    """Return where the two letters stand, next to each other and different, that are nearest the middle."""
    middle = len(text) // 2
    for distance in range(middle + 1):
        for at in (middle - distance, middle + distance):
            if 0 <= at < len(text) - 1:
                a, b = text[at], text[at + 1]
                if a != b and a.isalpha() and b.isalpha():
                    return at
    return -1


def _swapped(text: str) -> Changed:
    at = _at_typo(text)
    changed = text if at < 0 else text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text, changed, int(at >= 0)


def _deleted(text: str) -> Changed:
    at = _at_typo(text)
    return text, text if at < 0 else text[:at] + text[at + 1 :], int(at >= 0)


def _decomposed(text: str) -> Changed:
    composed = unicodedata.normalize("NFC", text)
    n = sum(not unicodedata.is_normalized("NFD", character) for character in composed)
    return composed, unicodedata.normalize("NFD", composed), n


def _upper(text: str) -> Changed:
    return text, text.upper(), sum(character.upper() != character for character in text)


def _space(text: str) -> Changed:
    stripped = text.rstrip()
    return stripped, f"{stripped} ", int(bool(stripped))


CHANGES: dict[str, Callable[[str], Changed]] = {
    "swap": _swapped,
    "delete": _deleted,
    "nfd": _decomposed,
    "upper": _upper,
    "space": _space,
}
"""How a text is changed, by name."""


@metric(
    "token_edits",
    "tokens/change",
    "lower",
    formula="sum of the edit distances (Levenshtein) between the ids of a text and those of the changed text "
    "/ sum of the changes, over sampled texts of a group. The name gives the change: [swap] the two letters "
    "nearest the middle of the text change places; [delete] the first of them goes; [nfd] NFC becomes NFD, a "
    "change for each character that decomposes; [upper] capitals, a change for each letter that has one; "
    "[space] a space at the end instead of what white space there is",
    trap="Fewer tokens can change where a text has fewer: a vocabulary of bytes has 2 for a swap of letters "
    "a to z, and 1 for a deletion. Read it beside bytes_per_token. The texts are the beginnings of sampled "
    "documents (1,000 of a group at most, 200 bytes each); without intervals. A normalizer that undoes a "
    "change has 0.",
    source="toktk",
    topic="robustness",
)
def token_edits(case: Case) -> list[Figure]:
    """How many tokens a small change of the text puts in, takes out or replaces."""
    from toktk.kernels.edit_distance import edit_distances

    figures = []
    for kind, by_group in _changed(case.sample).items():
        flat = [row for rows in by_group.values() for row in rows]
        encoded = [case.tokenizer.encode_batch([row[side] for row in flat]) for side in (0, 1)]
        distances = edit_distances(*encoded[0], *encoded[1])
        bounds = np.cumsum([0, *map(len, by_group.values())]).tolist()
        counts = {
            group: (int(distances[a:b].sum()), sum(n for *_, n in rows), len(rows))
            for (group, rows), a, b in zip(by_group.items(), bounds[:-1], bounds[1:], strict=True)
        }
        figures += case.sampled_ratios(kind, counts, "no text that changes so")
    return figures


@functools.lru_cache(maxsize=1)  # tokenizers of one text follow one another
def _changed(sample: TextSample) -> dict[str, dict[str, list[Changed]]]:
    """Return the texts that change, by kind of change and group."""
    return {
        kind: {
            group: [row for row in map(change, texts) if row[2]]
            for group, texts in sample.texts.items()
        }
        for kind, change in CHANGES.items()
    }
