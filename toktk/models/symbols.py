"""User-defined symbols: tokens that are found in text before a model encodes what lies between them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import packed
from toktk.models.lookup import Tokens
from toktk.models.model import (
    Arrays,
    Bytes,
    Ids,
    Int64,
    Model,
    checked_pieces,
    model_from_arrays,
    pack_names,
    unpack_names,
)
from toktk.pieces.table import gather

_INNER = "model."


@dataclass(frozen=True, eq=False)
class SymbolsModel:
    """A model of whose special tokens the last ones are symbols: a piece that equals one becomes its id.

    The pretokenizer finds the symbols, which are its `added` strings. All other pieces go to the model,
    which knows nothing of symbols: it only leaves their ids free.

    Attributes:
        model: any model whose special tokens are the ids 0, 1, …
        n_symbols: how many of them are symbols, 1 or more.
    """

    model: Model
    n_symbols: int

    kind: ClassVar[str] = "symbols"

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of ids that are never found in text; those of the symbols follow."""
        return self.model.special_tokens[: -self.n_symbols]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, by id."""
        return self.model.special_tokens[-self.n_symbols :]

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens, symbols and alphabet included."""
        return self.model.vocab_size

    @property
    def tokens(self) -> list[bytes]:
        """The bytes of each id; a special token's are its name in UTF-8."""
        return self.model.tokens

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids."""
        return hashlib.sha256(
            f"symbols {self.n_symbols} {self.model.signature}".encode()
        ).hexdigest()

    @functools.cached_property
    def _found(self) -> tuple[Int64, Bytes, Int64]:
        """The symbols as `toktk.kernels.pairs.find_tokens` looks them up."""
        tokens = Tokens(*packed([symbol.encode() for symbol in self.symbols]))
        return tokens.table(np.arange(self.n_symbols)), *tokens

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        from toktk.kernels.pairs import find_tokens

        data, offsets, _ = checked_pieces(data, offsets)
        symbols = np.empty(offsets.size - 1, dtype=np.int64)
        find_tokens(data, offsets, *self._found, symbols)
        is_symbol = symbols >= 0
        if not is_symbol.any():
            return self.model.encode_pieces(data, offsets)
        others = np.flatnonzero(~is_symbol)
        ids, ends = self.model.encode_pieces(*gather(data, offsets, others))
        lengths = np.ones(symbols.size, dtype=np.int64)
        lengths[others] = np.diff(ends, prepend=0)
        all_ids = np.repeat(symbols + len(self.special_tokens), lengths).astype(np.uint32)
        all_ids[np.repeat(~is_symbol, lengths)] = ids
        return all_ids, np.cumsum(lengths)

    def is_prefix_of(self, other: object) -> bool:
        """See `toktk.models.model.Model`."""
        return (
            isinstance(other, SymbolsModel)
            and self.n_symbols == other.n_symbols
            and self.model.is_prefix_of(other.model)
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        inner = {f"{_INNER}{name}": array for name, array in self.model.to_arrays().items()}
        return {
            "kind": pack_names((self.model.kind,)),
            "n_symbols": np.array([self.n_symbols]),
            **inner,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SymbolsModel:
        """See `toktk.models.model.Model`."""
        (kind,) = unpack_names(arrays["kind"])
        inner = {
            name.removeprefix(_INNER): array
            for name, array in arrays.items()
            if name.startswith(_INNER)
        }
        return cls(model_from_arrays(kind, inner), int(arrays["n_symbols"].item()))


def symbols_of(model: object) -> tuple[str, ...]:
    """Return the symbols of a model; most have none."""
    return model.symbols if isinstance(model, SymbolsModel) else ()
