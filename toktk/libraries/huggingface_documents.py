"""Hugging Face tokenizers as a reference: whole documents go to the library, ids come back."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.libraries.huggingface import texts_of
from toktk.libraries.whole import base_size, flat, refusals
from toktk.models.bpe import byte_characters
from toktk.models.model import Arrays, Bytes, Ids, Int64, checked_pieces

_BATCH = 256  # documents; the library's Encoding of one takes some hundred bytes per token

_MARK = "\u2581"

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")

_PREFIXED = re.compile(r'"continuing_subword_prefix"\s*:\s*"[^"]')


@dataclass(frozen=True, eq=False)
class HfDocumentsModel:
    """A ``tokenizer.json`` as the library runs it; a piece is a document.

    No special token is added, and none is found in text; other added tokens are. Truncation and
    padding are off.

    Attributes:
        document: the file's text.

    Raises:
        FormatError: the library refuses it.
    """

    document: str

    kind: ClassVar[str] = "hf-documents"

    def __post_init__(self) -> None:
        self._library  # noqa: B018 - refuses what is no tokenizer

    @functools.cached_property
    def _library(self) -> Any:
        from tokenizers import Tokenizer

        _check_merges(self.document)
        with refusals("tokenizers", "cannot run this tokenizer.json"):
            library = Tokenizer.from_str(self.document)
            library.encode_special_tokens = True
            library.no_truncation()
            library.no_padding()
        return library

    @functools.cached_property
    def _added(self) -> dict[int, Any]:
        found: dict[int, Any] = self._library.get_added_tokens_decoder()
        return found

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of the added tokens that are special, by id."""
        return tuple(token.content for _, token in sorted(self._added.items()) if token.special)

    @functools.cached_property
    def special_ids(self) -> Int64:
        """int64: the ids of `special_tokens`."""
        ids = sorted(i for i, token in self._added.items() if token.special)
        return np.array(ids, dtype=np.int64)

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id: a special token's are its name, an id without a token has none."""
        names: dict[str, int] = self._library.get_vocab(with_added_tokens=False)
        spelled = self._spelling()
        tokens = [b""] * self.vocab_size
        for name, i in names.items():
            tokens[i] = spelled(name)
        marks = _MARK in self._around
        for i, token in self._added.items():
            text = (
                token.content.replace(_MARK, " ") if marks and not token.special else token.content
            )
            tokens[i] = text.encode()
        return tokens

    @functools.cached_property
    def _around(self) -> str:
        """Those parts of the file, as JSON, that say how tokens are spelled."""
        parsed = json.loads(self.document)
        keys = ("normalizer", "pre_tokenizer", "decoder")
        return json.dumps([parsed.get(key) for key in keys], ensure_ascii=False)

    @property
    def _is_byte_level(self) -> bool:
        return '"ByteLevel"' in self._around

    def _spelling(self) -> Callable[[str], bytes]:
        """Return what gives the bytes of a token of the model from its name."""
        prefix = json.loads(self.document)["model"].get("continuing_subword_prefix")
        if not isinstance(prefix, str):  # in a model that has none, it is anything
            prefix = ""
        byte_of = {character: b for b, character in enumerate(byte_characters())}
        byte_level = self._is_byte_level
        metaspace = _MARK in self._around or '"Metaspace"' in self._around

        def spelled(name: str) -> bytes:
            name = name.removeprefix(prefix) or name
            if byte_level and byte_of.keys() >= set(name):
                return bytes([byte_of[character] for character in name])
            if not byte_level and (byte := _BYTE.fullmatch(name)):
                return bytes([int(byte[1], 16)])
            return (name.replace(_MARK, " ") if metaspace else name).encode()

        return spelled

    @functools.cached_property
    def vocab_size(self) -> int:
        """The highest id, plus one."""
        return max(self._library.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @functools.cached_property
    def unknown_id(self) -> int | None:
        """The id of text that the vocabulary lacks; None where it lacks none."""
        model = json.loads(self.document)["model"]
        if isinstance(model.get("unk_id"), int):
            return int(model["unk_id"])
        name = model.get("unk_token")
        found: int | None = self._library.token_to_id(name) if isinstance(name, str) else None
        return found

    @functools.cached_property
    def base_size(self) -> int:
        """Special tokens, and tokens of one byte or one character."""
        return base_size(self.tokens, self.special_ids, not self._is_byte_level)

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of the file's text."""
        raw = self.document.encode("utf-8", "surrogatepass")
        return hashlib.sha256(b"hf-documents\0" + raw).hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`; a piece is a document.

        Raises:
            FormatError: a document that is no UTF-8, or the library fails at it.
        """
        documents = texts_of(*checked_pieces(data, offsets)[:2])
        ids: list[list[int]] = []
        for at in range(0, len(documents), _BATCH):
            batch = documents[at : at + _BATCH]
            with refusals("tokenizers", "cannot encode this text"):
                found = self._library.encode_batch_fast(batch, add_special_tokens=False)
            ids += [encoding.ids for encoding in found]
        return flat(ids)

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: a library's ids are not read off another's."""
        return isinstance(other, HfDocumentsModel) and self.signature == other.signature

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"document": np.frombuffer(self.document.encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> HfDocumentsModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["document"].tobytes().decode())


def _check_merges(document: str) -> None:
    """Refuse merges at which the library ends the process instead of complaining.

    It cuts the bytes of the prefix off the right part of each merge, whether they are there or not.
    """
    if not _PREFIXED.search(document):
        return
    try:
        model = json.loads(document)["model"]
        prefix, merges = model["continuing_subword_prefix"], model["merges"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # the library says what is wrong
    if not isinstance(prefix, str) or not isinstance(merges, list):
        return
    width = len(prefix.encode("utf-8", "surrogatepass"))
    for rank, entry in enumerate(merges):
        parts = entry.split(" ") if isinstance(entry, str) else entry
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[1], str):
            continue
        right = parts[1].encode("utf-8", "surrogatepass")
        if len(right) < width or (right[width : width + 1] or b"-")[0] & 0xC0 == 0x80:
            raise FormatError(
                f"cannot run this tokenizer.json: model.merges[{rank}].",
                f"Found: {parts[1]!r:.60}, of which the prefix {prefix!r:.60} cannot be cut off.",
                "Readable is: right parts that begin with model.continuing_subword_prefix.",
            )
