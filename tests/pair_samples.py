"""Vocabularies of pairs, made in a moment, and encoding whole documents with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toktk.models.pairs import PairModel
from toktk.tokenizer import Tokenizer

BYTES = {bytes([b]): b for b in range(256)}


def encode(model: PairModel, *pieces: bytes) -> list[list[int]]:
    data = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    ids, ends = model.encode_pieces(data, np.cumsum([0, *map(len, pieces)]))
    return [part.tolist() for part in np.split(ids, ends)[:-1]]


def encode_documents(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    raw = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    pieces = tokenizer.pretokenizer.cut_batch(np.frombuffer(b"".join(raw), np.uint8), offsets)
    ids, ends = tokenizer.model.encode_pieces(pieces.data, pieces.offsets)
    at = np.append(0, ends)[pieces.documents]
    return [part.tolist() for part in np.split(ids, at[1:])][:-1]


def ranked(words: Iterable[bytes], step: int = 1) -> dict[bytes, int]:
    """Return ranks of the bytes, in reverse, and of words: every `step`-th number."""
    tokens = [*reversed(BYTES), *dict.fromkeys(word for word in words if len(word) > 1)]
    return {token: step * i for i, token in enumerate(tokens)}
