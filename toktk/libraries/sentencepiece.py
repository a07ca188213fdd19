"""Models that SentencePiece runs: on whole documents, or on pieces."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.library import LibraryModel, refusals, spelled
from toktk.models.model import Arrays
from toktk.paths import atomic_write


@dataclass(frozen=True, eq=False)
class SentencePieceDocumentsModel(LibraryModel):
    """A ``.model`` of any kind, of the bytes `proto`, as the library runs it; a piece is a document.

    The library normalizes, adds its prefix and drops spaces as the model says. Control symbols are
    never found in text, user-defined ones are.

    Raises:
        FormatError: the library refuses them.
    """

    proto: bytes

    kind: ClassVar[str] = "sentencepiece-documents"
    library: ClassVar[str] = "SentencePiece"
    batch: ClassVar[int] = 1024

    def _load(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        if not self.proto:  # the library takes it for a model that is not loaded yet
            raise FormatError("cannot read a SentencePiece model.", "Found: an empty file.")
        with refusals(self.library, "cannot read a SentencePiece model"):
            return SentencePieceProcessor(model_proto=self.proto)

    def _encode(self, texts: list[str]) -> Any:
        return self._library.Encode(texts)

    @functools.cached_property
    def _special_ids(self) -> list[int]:
        is_unknown, is_control = self._library.IsUnknown, self._library.IsControl
        return [i for i in range(self.vocab_size) if is_unknown(i) or is_control(i)]

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Control symbols, and what stands for unknown characters."""
        return tuple(self._name(i) for i in self._special_ids)

    def _name(self, i: int) -> str:
        with refusals(self.library, f"cannot read the SentencePiece model's piece {i}"):
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
        is_byte, special = self._library.IsByte, set(self._special_ids)
        return [
            spelled(self._name(i), is_byte(i), i not in special) for i in range(self.vocab_size)
        ]

    def _content(self) -> bytes:
        return self.proto

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"proto": np.frombuffer(self.proto, dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SentencePieceDocumentsModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["proto"].tobytes())


@dataclass(frozen=True, eq=False)
class SentencePieceModel(SentencePieceDocumentsModel):
    """A SentencePiece model, BPE or unigram, that toktk's trainers wrote; a piece is a piece.

    The pieces are those of toktk's ``metaspace``; as no token reaches over a space, the ids of a text are
    those of its pieces. (The library adds a unigram text's scores in float32 from its start to its end,
    so that in a long text it may take a path that is not the best one. Piece by piece it does not.)

    Raises:
        FormatError: bytes that are no model, or one without the 256 byte tokens.
    """

    kind: ClassVar[str] = "sentencepiece"
    batch: ClassVar[int] = 65_536

    def __post_init__(self) -> None:
        n_bytes = sum(self._library.IsByte(i) for i in range(self.vocab_size))
        if n_bytes != 256:
            raise FormatError(
                "cannot run this SentencePiece model: it cannot encode every text.",
                f"Found: {n_bytes} byte tokens.",
                "Train it with byte_fallback.",
            )

    def write(self, folder: Path, name: str) -> Path:
        """Write the library's file, as it is, and return its path.

        Raises:
            StorageError: the file cannot be written.
        """
        path = folder / f"{name}.model"
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.proto)
        return path
