"""SentencePiece as a reference: whole documents go to the library, ids come back."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.huggingface import texts_of
from toktk.libraries.whole import base_size, flat, refusals
from toktk.models.model import Arrays, Bytes, Ids, Int64, checked_pieces

_BATCH = 1024  # documents

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, eq=False)
class SentencePieceDocumentsModel:
    """A SentencePiece model of any kind as the library runs it; a piece is a document.

    The library normalizes, adds its prefix and drops spaces as the model says. Control symbols are
    never found in text, user-defined ones are.

    Attributes:
        proto: the bytes of the ``.model`` file.

    Raises:
        FormatError: the library refuses them.
    """

    proto: bytes

    kind: ClassVar[str] = "sentencepiece-documents"

    def __post_init__(self) -> None:
        self._library  # noqa: B018 - refuses what is no model

    @functools.cached_property
    def _library(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        if not self.proto:  # the library takes it for a model that is not loaded yet
            raise FormatError("cannot read a SentencePiece model.", "Found: an empty file.")
        with refusals("SentencePiece", "cannot read a SentencePiece model"):
            return SentencePieceProcessor(model_proto=self.proto)

    @functools.cached_property
    def special_ids(self) -> Int64:
        """int64: the ids of `special_tokens`."""
        library = self._library
        ids = [i for i in range(self.vocab_size) if library.IsUnknown(i) or library.IsControl(i)]
        return np.array(ids, dtype=np.int64)

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Control symbols, and what stands for unknown characters."""
        return tuple(self._piece(i) for i in self.special_ids.tolist())

    def _piece(self, i: int) -> str:
        with refusals("SentencePiece", f"cannot read the SentencePiece model's piece {i}"):
            return str(self._library.IdToPiece(i))

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return int(self._library.GetPieceSize())

    @property
    def unknown_id(self) -> int:
        """The id of text that the vocabulary lacks; with byte fallback it lacks none."""
        return int(self._library.unk_id())

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, with spaces for U+2581; a special token's are its name."""
        special = set(self.special_ids.tolist())
        tokens = []
        for i in range(self.vocab_size):
            name = self._piece(i)
            byte = _BYTE.fullmatch(name) if self._library.IsByte(i) else None
            if byte:
                tokens.append(bytes([int(byte[1], 16)]))
            else:
                tokens.append((name if i in special else name.replace("\u2581", " ")).encode())
        return tokens

    @functools.cached_property
    def base_size(self) -> int:
        """Special tokens, bytes, and tokens of one character."""
        return base_size(self.tokens, self.special_ids, characters=True)

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of the file."""
        return hashlib.sha256(b"sentencepiece-documents\0" + self.proto).hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`; a piece is a document.

        Raises:
            FormatError: a document that is no UTF-8, or the library fails at it.
        """
        documents = texts_of(*checked_pieces(data, offsets)[:2])
        ids: list[list[int]] = []
        for at in range(0, len(documents), _BATCH):
            with refusals("SentencePiece", "cannot encode this text"):
                ids += self._library.Encode(documents[at : at + _BATCH])
        return flat(ids)

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: a library's ids are not read off another's."""
        return isinstance(other, SentencePieceDocumentsModel) and self.signature == other.signature

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"proto": np.frombuffer(self.proto, dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SentencePieceDocumentsModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["proto"].tobytes())
