"""Tokenizer: text to ids and back."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer.model import Model

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable
    from toktk.tokenizer.formats.saving import Saved


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A pretokenizer and a model.

    Attributes:
        name: what tables call it, such as ``bpe-50k``.
        pretokenizer: cuts text into pieces.
        model: encodes a piece.
    """

    name: str
    pretokenizer: Pretokenizer
    model: Model

    def __repr__(self) -> str:
        return f"Tokenizer({self.name!r}, {self.vocab_size:,} tokens, {self.pretokenizer.name})"

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens and bytes included."""
        return self.model.vocab_size

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of pretokenizer and model; the name does not enter."""
        from toktk.tokenizer.formats.pattern import canonical_pattern

        text = f"{canonical_pattern(self.pretokenizer.pattern)}\0{self.model.signature}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def encode(self, text: str) -> npt.NDArray[np.uint32]:
        """Return the ids of `text`; special tokens in the text are ordinary text.

        Raises:
            FormatError: the text holds a lone surrogate, which has no UTF-8.
        """
        try:
            raw = text.encode()
        except UnicodeEncodeError as error:
            raise FormatError(
                "cannot encode text that holds a lone surrogate.",
                f"Found: U+{ord(text[error.start]):04X} at character {error.start}.",
                "Decode the text with errors='replace'.",
            ) from error
        lengths = [len(piece) for piece in self.pretokenizer.cut_bytes(raw)]
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        ids, _ = self.model.encode_pieces(np.frombuffer(raw, dtype=np.uint8), offsets)
        return ids

    def count(self, text: str) -> int:
        """Return how many ids `text` takes."""
        return len(self.encode(text))

    def decode_bytes(self, ids: npt.NDArray[np.uint32] | list[int]) -> bytes:
        """Return the bytes of `ids`.

        Raises:
            FormatError: an id outside the vocabulary.
        """
        tokens = self.model.tokens
        numbers = [int(i) for i in ids]
        wrong = [i for i in numbers if not 0 <= i < len(tokens)]
        if wrong:
            raise FormatError(
                f"id {wrong[0]} is not in the vocabulary of {self.name}.",
                f"Found: ids 0 to {len(tokens) - 1:,}.",
            )
        return b"".join(tokens[i] for i in numbers)

    def decode(self, ids: npt.NDArray[np.uint32] | list[int]) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode(errors="replace")

    def save(self, folder: Path | str, pieces: PieceTable | None = None) -> Saved:
        """Write ``tokenizer.json`` and what else can hold it: ``<name>.tiktoken`` or ``.model``.

        Hugging Face tokenizers loads the first, tiktoken the second (`load_tiktoken` in
        toktk.tokenizer.formats.tiktoken builds its Encoding), SentencePiece the third. Where equal
        ids on every text cannot be proven for tiktoken, the two are compared on `pieces`; what was
        found is returned. A model that a library runs is written as that library's file alone.

        Raises:
            FormatError: no file can hold the pattern, the model or a special token.
            StorageError: a file cannot be written.
        """
        from toktk.tokenizer.formats.saving import save

        return save(self, Path(folder), pieces)
