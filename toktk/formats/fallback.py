"""What files of unigram models with byte fallback have in common, SentencePiece's and others'."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.unigram import UnigramModel

# Scores that are multiples of 1 / _GRID have exact sums and short decimals.
_GRID = 1024.0


@functools.cache
def byte_names() -> tuple[str, ...]:
    """Return the names by which both libraries look up the tokens of bytes."""
    return tuple(f"<0x{b:02X}>" for b in range(256))


def token_names(model: UnigramModel) -> list[str]:
    """Return the name of every id: special tokens and bytes by theirs, the others as text.

    Raises:
        FormatError: what an unknown character costs is not what the libraries have it cost, or the
            model has no byte fallback.
    """
    if model.fallback is None or model.byte_score is not None:
        raise FormatError(
            "the libraries spell unknown characters by bytes, at 10 below the lowest score.",
            "Found: a model that does otherwise.",
        )
    names = list(model.special_tokens)
    names += ["" for _ in range(model.vocab_size - len(names))]
    for byte, i in enumerate(model.fallback.tolist()):
        names[i] = byte_names()[byte]
    return [name or token.decode() for name, token in zip(names, model.tokens, strict=True)]


def is_matched(model: UnigramModel) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which ordinary tokens are looked for in text: all but those of bytes."""
    matched = np.ones(model.scores.size, dtype=np.bool_)
    if model.fallback is not None:
        matched[model.fallback - len(model.special_tokens)] = False
    return matched


def on_grid(scores: npt.NDArray[np.float64]) -> bool:
    """Tell whether scores are multiples of 2**-10, as toktk's trainer makes them."""
    steps = scores * _GRID
    return bool((steps == np.round(steps)).all() and (np.abs(scores) < 2.0**20).all())
