"""The tokens and merges of BPE as files hold them: those of a smaller size are where a larger one begins."""

from __future__ import annotations

import binascii
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from json.encoder import encode_basestring

import numpy as np

from toktk.arrays import Bytes, Int64, packed
from toktk.models.bpe import BpeModel, byte_characters


@dataclass(frozen=True)
class BpeTexts:
    """The texts of a model, and of each that it is a longer one of."""

    model: BpeModel

    @cached_property
    def names(self) -> list[str]:
        """The name of each id, in which a character stands for each byte; special tokens have theirs."""
        return spelled_names(*self.model.packed_tokens, self.model.special_tokens)

    @cached_property
    def are_distinct(self) -> bool:
        """Whether no two ids have one name; then none have at any size."""
        return len(set(self.names)) == len(self.names)

    def vocabulary(self, size: int) -> memoryview:
        """Return the first ids as what stands between the braces of ``vocab`` in a ``tokenizer.json``."""
        return self._vocabulary.first(size)

    def pairs(self, n: int) -> memoryview:
        """Return the first merges as what stands between the brackets of ``merges``."""
        return self._pairs.first(n)

    def lines(self, size: int) -> memoryview:
        """Return the first ids, without special tokens, as the lines of a ``.tiktoken``."""
        return self._lines.first(size - len(self.model.special_tokens))

    def differing(self, model: BpeModel) -> list[int] | None:
        """Return the ids of a beginning of this model that do not encode to themselves, if it can be told.

        Where no merge spells a token anew, each token has one merge, which is the last of those that make it,
        and they come in the order of their ranks: it is whole at every size that has it, or at none.
        """
        if len(self.model.merges) != self.model.vocab_size - self.model.base_size:
            return None
        return [i for i in self._differing if i < model.vocab_size]

    @cached_property
    def _differing(self) -> list[int]:
        return differing_tokens(self.model)

    @cached_property
    def _quoted(self) -> list[str]:
        return [*map(encode_basestring, self.names)]

    @cached_property
    def _vocabulary(self) -> _Joined:
        entries = [f"{name}: {i}".encode() for i, name in enumerate(self._quoted)]
        return _Joined.of(entries, b", ")

    @cached_property
    def _pairs(self) -> _Joined:
        names, (left, right, _) = self._quoted, self.model.merges.T.tolist()
        pairs = [f"[{names[a]}, {names[b]}]".encode() for a, b in zip(left, right, strict=True)]
        return _Joined.of(pairs, b", ")

    @cached_property
    def _lines(self) -> _Joined:
        n = len(self.model.special_tokens)
        tokens = enumerate(self.model.tokens[n:], start=n)
        lines = [b"%s %d\n" % (binascii.b2a_base64(token, newline=False), i) for i, token in tokens]
        return _Joined.of(lines, b"")


@dataclass(frozen=True)
class _Joined:
    """Parts of a text with something between them; `ends`, int64[n + 1]: where the first 0, 1, … end."""

    text: bytes
    ends: Int64

    @classmethod
    def of(cls, parts: Sequence[bytes], between: bytes) -> _Joined:
        ends = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) + len(between) for part in parts], out=ends[1:])
        ends[1:] -= len(between)
        return cls(between.join(parts), ends)

    def first(self, n: int) -> memoryview:
        return memoryview(self.text)[: int(self.ends[n])]


_kept: list[BpeTexts] | None = None


@contextlib.contextmanager
def texts_kept() -> Iterator[None]:
    """Keep the texts of the latest model meanwhile: of many sizes, the largest is written first."""
    global _kept
    _kept = []
    try:
        yield
    finally:
        _kept = None


def texts_of(model: BpeModel) -> BpeTexts:
    """Return the texts of a model, or of one that it is the beginning of."""
    for texts in _kept or ():
        if model.is_prefix_of(texts.model):
            return texts
    texts = BpeTexts(model)
    if _kept is not None:
        _kept[:] = [texts]
    return texts


def spelled_names(data: Bytes, offsets: Int64, special_tokens: Sequence[str]) -> list[str]:
    """Return the name of each id, special tokens first; a character stands for each byte."""
    # One character for each byte, so that the names lie where the bytes do.
    text = data.tobytes().decode("latin-1").translate(dict(enumerate(byte_characters())))
    ends = itertools.pairwise(offsets[len(special_tokens) :].tolist())
    return [*special_tokens, *[text[a:b] for a, b in ends]]


def differing_tokens(model: BpeModel) -> list[int]:
    """Return the ids of the ordinary tokens that do not encode to themselves."""
    n = len(model.special_tokens)
    ids, ends = model.encode_pieces(*packed(model.tokens[n:]))
    whole = np.diff(ends, prepend=0) == 1
    whole &= ids[ends - 1] == np.arange(n, model.vocab_size)
    return (np.flatnonzero(~whole) + n).tolist()
