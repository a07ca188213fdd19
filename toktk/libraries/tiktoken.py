"""Models that tiktoken runs, on whole documents."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.library import LibraryModel
from toktk.libraries.process import LibraryTokenizer
from toktk.models.model import Arrays, Int64, pack_names, unpack_names
from toktk.models.pairs import highest_id
from toktk.models.vocabulary import packed, unpacked


@dataclass(frozen=True, eq=False)
class TiktokenDocumentsModel(LibraryModel):
    """An encoding of tiktoken; a piece is a document. Special tokens in text are ordinary text.

    `ranks` and `special` give the ids of tokens and of special tokens.

    Raises:
        FormatError: ids that two tokens share, or out of all bounds; a pattern that tiktoken cannot run.
    """

    pattern: str
    ranks: Mapping[bytes, int]
    special: Mapping[str, int]

    kind: ClassVar[str] = "tiktoken-documents"
    batch: ClassVar[int] = 4096

    def __post_init__(self) -> None:
        ids = [*self.ranks.values(), *self.special.values()]
        missing = next((b for b in range(256) if bytes([b]) not in self.ranks), None)
        highest = highest_id(len(ids))
        outside = next((i for i in ids if not 0 <= i <= highest), None)
        fault = ""
        if outside is not None:
            fault = f"the id {outside:,}; readable are 0 to {highest:,}"
        elif missing is not None:  # tiktoken would break down at the first text with that byte
            fault = f"no rank for 0x{missing:02X}"
        elif len(set(ids)) < len(ids):
            fault = "an id given twice"
        if fault:
            raise FormatError("tiktoken cannot run this encoding.", f"Found: {fault}.")
        super().__post_init__()

    def _in_library(self) -> LibraryTokenizer:
        data, offsets = packed(list(self.ranks))
        ids = np.array(list(self.ranks.values()), dtype=np.int64)
        settings = {"pattern": self.pattern, "special": dict(self.special)}
        return LibraryTokenizer("tiktoken", data, offsets, ids, **settings)

    @property
    def _file(self) -> str:
        return "encoding"

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of the special tokens, by id."""
        return tuple(sorted(self.special, key=self.special.__getitem__))

    @property
    def special_ids(self) -> Int64:
        """int64[n]: the ids of `special_tokens`."""
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

    def _content(self) -> bytes:
        arrays = self.to_arrays().values()
        return b"".join([f"{array.size} ".encode() + array.tobytes() for array in arrays])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        tokens = sorted(self.ranks, key=self.ranks.__getitem__)
        data, offsets = packed(tokens)
        return {
            "pattern": pack_names((self.pattern,)),
            "data": data,
            "offsets": offsets,
            "ids": np.array([self.ranks[token] for token in tokens], dtype=np.int64),
            "special": np.frombuffer(json.dumps(dict(self.special)).encode(), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> TiktokenDocumentsModel:
        """See `toktk.models.model.Model`."""
        tokens = unpacked(arrays["data"], arrays["offsets"])
        ranks = dict(zip(tokens, arrays["ids"].tolist(), strict=True))
        (pattern,) = unpack_names(arrays["pattern"])
        return cls(pattern, ranks, json.loads(arrays["special"].tobytes()))
