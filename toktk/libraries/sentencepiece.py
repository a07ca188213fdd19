"""A model that SentencePiece runs: pieces go to the library, ids come back."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.huggingface import texts_of
from toktk.models.model import Arrays, Bytes, Ids, Int64, checked_pieces
from toktk.paths import atomic_write

_BATCH = 65_536  # pieces

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, eq=False)
class SentencePieceModel:
    """A SentencePiece model, BPE or unigram, encoding one piece at a time.

    The pieces are those of toktk's ``metaspace``; as no token reaches over a space, the ids of a text are
    those of its pieces. (The library adds a unigram text's scores in float32 from its start to its end,
    so that in a long text it may take a path that is not the best one. Piece by piece it does not.)

    Attributes:
        proto: the bytes of the ``.model`` file.

    Raises:
        FormatError: bytes that are no model, or one without the 256 byte tokens.
    """

    proto: bytes

    kind: ClassVar[str] = "sentencepiece"

    def __post_init__(self) -> None:
        n_bytes = sum(self._library.IsByte(i) for i in range(self.vocab_size))
        if n_bytes != 256:
            raise FormatError(
                "cannot run this SentencePiece model: it cannot encode every text.",
                f"Found: {n_bytes} byte tokens.",
                "Train it with byte_fallback.",
            )

    @functools.cached_property
    def _library(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        try:
            return SentencePieceProcessor(model_proto=self.proto)
        except RuntimeError as error:
            raise FormatError(
                "cannot read a SentencePiece model.", f"Found: {error!s:.200}."
            ) from error

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """``<unk>``, which byte fallback leaves without use, and the control symbols."""
        library = self._library
        names = []
        for i in range(self.vocab_size):
            if not (library.IsUnknown(i) or library.IsControl(i)):
                break
            names.append(library.IdToPiece(i))
        return tuple(names)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return int(self._library.GetPieceSize())

    @property
    def base_size(self) -> int:
        """Special tokens and bytes; the characters are chosen in training."""
        return len(self.special_tokens) + 256

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, with spaces for U+2581."""
        tokens = [name.encode() for name in self.special_tokens]
        for i in range(len(tokens), self.vocab_size):
            name = self._library.IdToPiece(i)
            byte = _BYTE.fullmatch(name) if self._library.IsByte(i) else None
            tokens.append(
                bytes([int(byte[1], 16)]) if byte else name.replace("\u2581", " ").encode()
            )
        return tokens

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of the file."""
        return hashlib.sha256(b"sentencepiece\0" + self.proto).hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`.

        Raises:
            FormatError: a piece that is no UTF-8.
        """
        pieces = texts_of(*checked_pieces(data, offsets)[:2])
        ids: list[int] = []
        ends = np.empty(len(pieces), dtype=np.int64)
        for at in range(0, len(pieces), _BATCH):
            for i, found in enumerate(self._library.Encode(pieces[at : at + _BATCH]), at):
                ids += found
                ends[i] = len(ids)
        return np.array(ids, dtype=np.uint32), ends

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: each size is a training of its own."""
        return isinstance(other, SentencePieceModel) and self.signature == other.signature

    def write(self, folder: Path, name: str) -> Path:
        """Write the library's file, as it is, and return its path.

        Raises:
            StorageError: the file cannot be written.
        """
        path = folder / f"{name}.model"
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.proto)
        return path

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"proto": np.frombuffer(self.proto, dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SentencePieceModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["proto"].tobytes())
