"""tiktoken as a reference: whole documents go to the library, ids come back."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.huggingface import texts_of
from toktk.libraries.whole import flat, refusals
from toktk.models.model import (
    Arrays,
    Bytes,
    Ids,
    Int64,
    checked_pieces,
    pack_names,
    unpack_names,
)
from toktk.models.pairs import MAX_ID


@dataclass(frozen=True, eq=False)
class TiktokenDocumentsModel:
    """An encoding of tiktoken; a piece is a document. Special tokens in text are ordinary text.

    Attributes:
        pattern: the split pattern, as tiktoken reads it.
        ranks: the id of each token.
        special: the id of each special token.

    Raises:
        FormatError: ids that two tokens share, or out of all bounds; a pattern that tiktoken cannot run.
    """

    pattern: str
    ranks: Mapping[bytes, int]
    special: Mapping[str, int]

    kind: ClassVar[str] = "tiktoken-documents"

    def __post_init__(self) -> None:
        self._library  # noqa: B018 - refuses what is no encoding

    @functools.cached_property
    def _library(self) -> Any:
        import tiktoken

        ids = [*self.ranks.values(), *self.special.values()]
        missing = next((b for b in range(256) if bytes([b]) not in self.ranks), None)
        outside = next((i for i in ids if not 0 <= i <= MAX_ID), None)
        if outside is not None:
            found = f"the id {outside:,}; readable are 0 to {MAX_ID:,}"
            raise FormatError("tiktoken cannot run this encoding.", f"Found: {found}.")
        if missing is not None or len(set(ids)) < len(ids):
            # tiktoken would break down at the first text with that byte.
            found = "an id given twice" if missing is None else f"no rank for 0x{missing:02X}"
            raise FormatError("tiktoken cannot run this encoding.", f"Found: {found}.")
        with refusals("tiktoken", "cannot run this encoding"):
            return tiktoken.Encoding(
                "reference",
                pat_str=self.pattern,
                mergeable_ranks=dict(self.ranks),
                special_tokens=dict(self.special),
            )

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of the special tokens, by id."""
        return tuple(sorted(self.special, key=self.special.__getitem__))

    @functools.cached_property
    def special_ids(self) -> Int64:
        """int64: the ids of `special_tokens`."""
        return np.array(sorted(self.special.values()), dtype=np.int64)

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id: a special token's are its name, an id without a token has none."""
        tokens = [b""] * self.vocab_size
        for token, i in self.ranks.items():
            tokens[i] = token
        for name, i in self.special.items():
            tokens[i] = name.encode()
        return tokens

    @functools.cached_property
    def vocab_size(self) -> int:
        """The highest id, plus one."""
        return max([*self.ranks.values(), *self.special.values()]) + 1

    @property
    def base_size(self) -> int:
        """Special tokens and bytes."""
        return len(self.special) + 256

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of pattern, ranks and special tokens."""
        digest = hashlib.sha256(b"tiktoken-documents\0")
        for array in self.to_arrays().values():
            digest.update(f"{array.size} ".encode() + array.tobytes())
        return digest.hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`; a piece is a document.

        Raises:
            FormatError: a document that is no UTF-8.
        """
        documents = texts_of(*checked_pieces(data, offsets)[:2])
        with refusals("tiktoken", "cannot encode this text"):
            return flat([self._library.encode_ordinary(text) for text in documents])

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: a library's ids are not read off another's."""
        return isinstance(other, TiktokenDocumentsModel) and self.signature == other.signature

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        tokens = sorted(self.ranks, key=self.ranks.__getitem__)
        return {
            "pattern": pack_names((self.pattern,)),
            "data": np.frombuffer(b"".join(tokens), dtype=np.uint8),
            "offsets": np.cumsum([0, *map(len, tokens)], dtype=np.int64),
            "ids": np.array([self.ranks[token] for token in tokens], dtype=np.int64),
            "special": np.frombuffer(json.dumps(dict(self.special)).encode(), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> TiktokenDocumentsModel:
        """See `toktk.models.model.Model`."""
        raw, ends = arrays["data"].tobytes(), arrays["offsets"].tolist()
        tokens = [raw[a:b] for a, b in itertools.pairwise(ends)]
        ranks = dict(zip(tokens, arrays["ids"].tolist(), strict=True))
        (pattern,) = unpack_names(arrays["pattern"])
        return cls(pattern, ranks, json.loads(arrays["special"].tobytes()))
