"""A model that Hugging Face tokenizers runs: pieces go to the library, ids come back."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.bpe import byte_characters
from toktk.models.model import Arrays, Bytes, Ids, Int64, checked_pieces
from toktk.paths import atomic_write

_BATCH = 4096  # pieces; the library's Encoding of one takes hundreds of bytes

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


@dataclass(frozen=True, eq=False)
class HfModel:
    """The model of a byte-level ``tokenizer.json``, encoding one piece at a time.

    Attributes:
        document: the file's text; its pretokenizer is a Split and ByteLevel, of which toktk does the
            first.

    Raises:
        FormatError: text that is no such file, or whose special tokens are not the first ids.
    """

    document: str

    kind: ClassVar[str] = "hf"

    def __post_init__(self) -> None:
        try:
            special = [(token["id"], token["special"]) for token in self._parsed["added_tokens"]]
            steps = [step["type"] for step in self._parsed["pre_tokenizer"]["pretokenizers"]]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                "cannot run this tokenizer.json.", f"Found: {type(error).__name__}: {error}."
            ) from error
        if steps != ["Split", "ByteLevel"] or special != [(i, True) for i in range(len(special))]:
            raise FormatError(
                "cannot run this tokenizer.json.",
                f"Found: pretokenizers {', '.join(steps)}; added tokens {special}.",
                "Readable is: Split and ByteLevel; special tokens that have the first ids.",
            )

    @functools.cached_property
    def _parsed(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.document)
        return parsed

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of the ids 0, 1, … in order."""
        return tuple(token["content"] for token in self._parsed["added_tokens"])

    @functools.cached_property
    def names(self) -> list[str]:
        """The library's string for each id."""
        vocab = self._parsed["model"]["vocab"]
        if isinstance(vocab, list):
            return [name for name, _ in vocab]
        return sorted(vocab, key=vocab.__getitem__)

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, without the prefix that marks the inside of a piece."""
        byte_of = {character: b for b, character in enumerate(byte_characters())}
        prefix = self._parsed["model"].get("continuing_subword_prefix") or ""
        n = len(self.special_tokens)
        tokens = [name.encode() for name in self.special_tokens]
        for name in self.names[n:]:
            inside = name.removeprefix(prefix) or name
            tokens.append(bytes([byte_of[character] for character in inside]))
        return tokens

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self.names)

    @functools.cached_property
    def base_size(self) -> int:
        """Special tokens and bytes; those at the start and those inside a piece, if they differ."""
        n = len(self.special_tokens)
        return n + sum(len(token) == 1 for token in self.tokens[n:])

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of the model as the library reads it; the split is not part of it."""
        relevant = {key: self._parsed[key] for key in ("added_tokens", "model")}
        return hashlib.sha256(json.dumps(["hf", relevant]).encode()).hexdigest()

    @functools.cached_property
    def _library(self) -> Any:
        from tokenizers import Tokenizer

        # The pieces are cut already; cutting one again could cut it further.
        document = {**self._parsed, "pre_tokenizer": {**_BYTE_LEVEL, "use_regex": False}}
        library = Tokenizer.from_str(json.dumps(document))
        library.encode_special_tokens = True
        return library

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`.

        Raises:
            FormatError: a piece that is no UTF-8.
        """
        pieces = texts_of(*checked_pieces(data, offsets)[:2])
        ids: list[int] = []
        ends = np.empty(len(pieces), dtype=np.int64)
        for at in range(0, len(pieces), _BATCH):
            batch = pieces[at : at + _BATCH]
            for i, encoding in enumerate(self._library.encode_batch_fast(batch), at):
                ids += encoding.ids
                ends[i] = len(ids)
        return np.array(ids, dtype=np.uint32), ends

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: the library encodes by each vocabulary anew."""
        return isinstance(other, HfModel) and self.signature == other.signature

    def write(self, folder: Path, name: str) -> Path:
        """Write the library's file, as it is, and return its path.

        Raises:
            StorageError: the file cannot be written.
        """
        path = folder / "tokenizer.json"
        with atomic_write(path) as temporary:
            temporary.write_text(self.document, encoding="utf-8", newline="\n")
        return path

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"document": np.frombuffer(self.document.encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> HfModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["document"].tobytes().decode())


def texts_of(data: Bytes, offsets: Int64) -> list[str]:
    """Return the pieces as strings, for a library that reads no bytes.

    Raises:
        FormatError: a piece that is no UTF-8.
    """
    raw, ends = data.tobytes(), offsets.tolist()
    try:
        return [raw[a:b].decode() for a, b in itertools.pairwise(ends)]
    except UnicodeDecodeError as error:
        raise FormatError(
            "a tokenizer that a library runs encodes text, not bytes.",
            f"Found: the piece {error.object!r:.60}, which is no UTF-8.",
            "Choose a pretokenizer that cuts between characters.",
        ) from error
