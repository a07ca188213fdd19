"""The model of a tokenizer that only counts: how many tokens each of many texts has, and no ids."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import excerpt
from toktk.errors import FormatError
from toktk.models.model import Arrays, Bytes, Ids, Int64

COUNTS_ALONE = "its file has counts of tokens alone"
"""Why a tokenizer has no ids."""

_EMPTY = hashlib.sha256(b"").digest()


@dataclass(frozen=True, eq=False)
class CountsModel:
    """Tokens by text; a piece is a document.

    Attributes:
        counts: {SHA-256 of a text's UTF-8: its tokens}.
        vocab_size: 0 where nobody knows it.
    """

    counts: Mapping[bytes, int]
    vocab_size: int = 0

    kind: ClassVar[str] = "counts"

    def count_pieces(self, data: Bytes, offsets: Int64) -> Int64:
        """Return int64[n], the tokens of the texts ``data[offsets[p]:offsets[p + 1]]``.

        Raises:
            FormatError: texts that were not counted; it says how many, and names one of them.
        """
        bounds = itertools.pairwise(offsets.tolist())
        digests = [hashlib.sha256(data[begin:end].data).digest() for begin, end in bounds]
        # An empty document has no token, by any tokenizer.
        tokens = [0 if digest == _EMPTY else self.counts.get(digest) for digest in digests]
        missing = [i for i, count in enumerate(tokens) if count is None]
        if missing:
            # Not the first one: texts come in an order that depends on what else is measured.
            i = min(missing, key=digests.__getitem__)
            raise FormatError(
                f"{len(missing):,} of {len(digests):,} different documents have no count of tokens.",
                f"Found: none of {excerpt(data[offsets[i] : offsets[i + 1]])}, SHA-256 {digests[i].hex()}.",
                "Count the very documents that are measured: docs/tokenizers.md shows how.",
            )
        return np.array(tokens, dtype=np.int64)

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """Refuse: nobody knows the ids.

        Raises:
            FormatError: always.
        """
        raise FormatError(
            "this tokenizer gives no ids.",
            f"Found: {COUNTS_ALONE}.",
            "Ask it for counts, of the documents in the file: count, or count_batch.",
        )

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """None are known."""
        return ()

    @property
    def tokens(self) -> list[bytes]:
        """None are known."""
        return []

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all counts."""
        digest = hashlib.sha256(f"{self.kind} {self.vocab_size}".encode())
        for text, tokens in sorted(self.counts.items()):
            digest.update(text + f" {tokens} ".encode())
        return digest.hexdigest()

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two have the same counts."""
        return isinstance(other, CountsModel) and other.signature == self.signature

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {
            "texts": np.frombuffer(b"".join(self.counts), dtype=np.uint8),
            "counts": np.fromiter(self.counts.values(), np.int64, len(self.counts)),
            "vocab_size": np.array([self.vocab_size]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> CountsModel:
        """See `toktk.models.model.Model`."""
        texts = arrays["texts"].reshape(-1, hashlib.sha256().digest_size)
        counts = zip(map(bytes, texts), arrays["counts"].tolist(), strict=True)
        return cls(dict(counts), int(arrays["vocab_size"][0]))
