"""Models that SentencePiece runs: on whole documents, or on pieces."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.tokens import MARK, READ_AS_SPACE, SPACE_BY_BYTES, SPACE_IN_FRONT
from toktk.libraries.library import ChangingModel, spelled
from toktk.libraries.process import LibraryTokenizer
from toktk.models.model import Arrays, Int64
from toktk.paths import atomic_write


@dataclass(frozen=True, eq=False)
class SentencePieceDocumentsModel(ChangingModel):
    """A ``.model`` of any kind, of the bytes `proto`, as the library runs it; a piece is a document.

    The library normalizes, adds its prefix and drops spaces as the model says. Control symbols are
    never found in text, user-defined ones are.

    Raises:
        FormatError: the library refuses them.
    """

    proto: bytes

    kind: ClassVar[str] = "sentencepiece-documents"
    batch: ClassVar[int] = 1024

    def _in_library(self) -> LibraryTokenizer:
        if not self.proto:  # the library takes it for a model that is not loaded yet
            raise FormatError("cannot load this SentencePiece model.", "Found: an empty file.")
        return LibraryTokenizer("sentencepiece", self.proto)

    @property
    def _file(self) -> str:
        return "SentencePiece model"

    @functools.cached_property
    def _vocabulary(self) -> tuple[list[str], bytes, bytes]:
        """See `toktk.libraries.worker.SentencePiece.vocabulary`."""
        pieces, (is_byte, is_special) = self._ask("vocabulary")
        return pieces, is_byte, is_special

    @property
    def names(self) -> list[str]:
        """The library's string for each id."""
        return self._vocabulary[0]

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Control symbols, and what stands for unknown characters."""
        pieces, _, is_special = self._vocabulary
        return tuple(piece for piece, special in zip(pieces, is_special, strict=True) if special)

    @property
    def special_ids(self) -> Int64:
        """int64[n]: the ids of `special_tokens`."""
        return np.flatnonzero(np.frombuffer(self._vocabulary[2], dtype=np.uint8))

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return int(self._loaded["size"])

    @property
    def unknown_id(self) -> int:
        """The id of text that the vocabulary lacks; with byte fallback it lacks none."""
        return int(self._loaded["unknown"])

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, with spaces for U+2581; a special token's are its name."""
        each = zip(*self._vocabulary, strict=True)
        return [spelled(piece, bool(is_byte), not special) for piece, is_byte, special in each]

    @property
    def changes(self) -> tuple[str, ...]:
        """See `toktk.libraries.library.LibraryModel`."""
        fields = proto.ProtoFields(Path("the model"))
        top = fields.message(self.proto, "the file")
        spec = fields.part(top, proto.NORMALIZER, "normalizer_spec")
        told = []
        if fields.last(spec, proto.CHARSMAP, b"", "normalizer_spec.precompiled_charsmap"):
            rule = fields.last(spec, proto.NAME, b"", "normalizer_spec.name")
            told.append(f"the normalizer {rule.decode(errors='replace')} changes text")
        if fields.last(
            spec, proto.REMOVE_WHITESPACES, 1, "normalizer_spec.remove_extra_whitespaces"
        ):
            told.append("extra spaces are dropped")
        if fields.last(spec, proto.DUMMY_PREFIX, 1, "normalizer_spec.add_dummy_prefix"):
            told.append(SPACE_IN_FRONT)
        pieces, is_byte, _ = self._vocabulary
        if any(is_byte) and MARK not in pieces:
            told.append(SPACE_BY_BYTES)
        return (*told, READ_AS_SPACE)

    @property
    def spells(self) -> bool:
        """Whether bytes take the place of unknown text."""
        return any(self._vocabulary[1])

    def write(self, folder: Path, name: str) -> Path:
        """Write the library's file, as it is, and return its path.

        Raises:
            StorageError: the file cannot be written.
        """
        path = folder / f"{name}.model"
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.proto)
        return path

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
    """A BPE model of SentencePiece that toktk's trainer wrote; a piece is a piece.

    The pieces are those of toktk's ``metaspace``; as no token reaches over a space, the ids of a text are
    those of its pieces.

    Raises:
        FormatError: bytes that are no model, or one without the 256 byte tokens.
    """

    kind: ClassVar[str] = "sentencepiece"
    batch: ClassVar[int] = 65_536

    def __post_init__(self) -> None:
        n_bytes = sum(self._vocabulary[1])
        if n_bytes != 256:
            raise FormatError(
                "cannot run this SentencePiece model: it cannot encode every text.",
                f"Found: {n_bytes} byte tokens.",
                "Train it with byte_fallback.",
            )
