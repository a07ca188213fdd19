"""Token bytes: the bytes of text that each id stands for, as a file for who computes bits per byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from toktk.formats.tokens import READ_AS_SPACE, SPACE_IN_FRONT
from toktk.paths import atomic_write
from toktk.tokenizer import Tokenizer

FILE = "token_bytes.json"
"""The JSON file's name; an array of NumPy may have any that ends in ``.npy``."""


def holds_token_bytes(path: Path) -> bool:
    """Tell whether the name of a file says that it holds token bytes."""
    return path.name == FILE or path.suffix == ".npy"


def write_token_bytes(tokenizer: Tokenizer, path: Path) -> None:
    """Write `Tokenizer.token_bytes` as int32[vocab_size] in NumPy's format, or as a list in JSON.

    Raises:
        StorageError: the file cannot be written.
    """
    lengths = tokenizer.token_bytes()
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        if path.suffix == ".npy":
            np.save(file, lengths)
        else:
            file.write(f"{json.dumps(lengths.tolist())}\n".encode())


def doubts(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Return in words why the bytes of a text's tokens need not be its own; none if they always are."""
    model, normalizer = tokenizer.model, tokenizer.pretokenizer.normalizer
    told = [*getattr(model, "changes", ())]
    if normalizer.form is not None:
        told.append(f"the normalizer {normalizer.form} changes text")
    if normalizer.marks:
        told.append(READ_AS_SPACE)
    if normalizer.prefix != "never":
        told.append(SPACE_IN_FRONT)
    unknown = getattr(model, "unknown_id", None)
    if unknown is not None and not getattr(model, "spells", False):
        told.append(f"id {unknown} stands for text that the vocabulary lacks, and has 0 bytes")
    return tuple(told)
