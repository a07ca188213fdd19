"""Tokenizer: text to ids and back."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk.encoder import Encoder
from toktk.errors import FormatError
from toktk.models.counts import CountsModel
from toktk.models.model import Bytes, Ids, Int64, Model, token_bytes
from toktk.pretokenizers.export import canonical_key
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.texts import Texts, flat, utf8

if TYPE_CHECKING:
    from toktk.formats.files import Saved
    from toktk.segmentation.segmentation import Segmentation
    from toktk.segmentation.view import View

NATIVE = "native"
"""The engine of a tokenizer that toktk itself runs."""

_SHORT = 1024  # bytes; below that the table costs more than it saves


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A pretokenizer, which cuts text into pieces, and a model, which encodes a piece.

    Attributes:
        name: what tables call it, such as ``bpe-50k``.
        engine: what runs a tokenizer that was loaded: ``native``, or a library and its version.
        why: why it is not the native engine; empty if it is.
    """

    name: str
    pretokenizer: Pretokenizer
    model: Model
    engine: str = NATIVE
    why: str = ""

    def __repr__(self) -> str:
        size = f"{self.vocab_size:,} tokens" if self.vocab_size else "of unknown size"
        return f"Tokenizer({self.name!r}, {size}, {self.pretokenizer.name})"

    def __getstate__(self) -> dict[str, Any]:
        """Return all there is to know, for another process: no table that has been filled."""
        return {field.name: self.__dict__[field.name] for field in fields(self)}

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens and bytes included; 0: nobody knows."""
        return self.model.vocab_size

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of pretokenizer and model; the name does not enter."""
        text = f"{canonical_key(self.pretokenizer)}\0{self.model.signature}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; special tokens in it are ordinary text, a lone surrogate is an error.

        Raises:
            FormatError: the text holds a lone surrogate, which has no UTF-8.
        """
        ids: list[int] = self.encode_to_numpy(text).tolist()
        return ids

    def encode_to_numpy(self, text: str) -> Ids:
        """Return uint32[n]; see `encode`."""
        data = np.frombuffer(utf8(text), dtype=np.uint8)
        offsets = np.array([0, data.size], dtype=np.int64)
        if data.size > _SHORT:
            return self._encoder.encode_batch(data, offsets)[0]
        pieces = self.pretokenizer.cut_batch(data, offsets)
        return self.model.encode_pieces(pieces.data, pieces.offsets)[0]

    def encode_batch(self, texts: Texts, jobs: int = 1) -> tuple[Ids, Int64]:
        """Return the ids of many documents.

        Args:
            texts: see `toktk.texts.Texts`; only Arrow's large strings and flat arrays are not copied.
            jobs: threads; the ids do not depend on them.

        Returns:
            uint32[n], the ids, and int64[D + 1]: those of document d are ``ids[offsets[d]:offsets[d + 1]]``.

        Raises:
            FormatError: a lone surrogate; something that is no batch of texts.
            CorpusError: a null, or invalid UTF-8; it names the document, from 0.
        """
        return self._encoder.encode_batch(*flat(texts), jobs)

    def count(self, text: str) -> int:
        """Return how many ids `text` takes."""
        if isinstance(self.model, CountsModel):
            return int(self.count_batch([text])[0])
        return int(self.encode_to_numpy(text).size)

    def count_batch(self, texts: Texts, jobs: int = 1) -> Int64:
        """Return int64[D], how many ids each document takes; memory does not grow with the text."""
        return self._encoder.count_batch(*flat(texts), jobs)

    def intern_batch(self, texts: Texts) -> tuple[npt.NDArray[np.int32], Int64, Bytes, Int64]:
        """Give the distinct pieces of documents numbers, in order of first appearance.

        Returns:
            int32[P], the number of the piece at each position; int64[D + 1], where the positions of
            each document begin and end; the distinct pieces: uint8 and int64[n + 1], their offsets.
        """
        return self._encoder.intern_batch(*flat(texts))

    @functools.cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self.pretokenizer, self.model)

    def decode_bytes(self, ids: Sequence[int] | npt.NDArray[Any]) -> bytes:
        """Return the bytes of `ids`.

        Raises:
            FormatError: an id outside the vocabulary.
        """
        tokens = self.model.tokens
        numbers = np.asarray(ids).tolist()
        if numbers and (min(numbers) < 0 or max(numbers) >= len(tokens)):
            wrong = next(i for i in numbers if not 0 <= i < len(tokens))
            raise FormatError(
                f"id {wrong} is not in the vocabulary of {self.name}.",
                f"Found: ids 0 to {len(tokens) - 1:,}.",
            )
        return b"".join([tokens[i] for i in numbers])

    def decode(self, ids: Sequence[int] | npt.NDArray[Any]) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode(errors="replace")

    def decode_batch(self, ids: Ids, offsets: Int64) -> list[str]:
        """Return the texts of documents, from what `encode_batch` returns.

        Raises:
            FormatError: an id outside the vocabulary.
        """
        return [self.decode(ids[a:b]) for a, b in itertools.pairwise(offsets.tolist())]

    def token_bytes(self) -> npt.NDArray[np.int32]:
        """Return int32[vocab_size]: the bytes of UTF-8 text that each id stands for, for bits per byte.

        Special tokens have 0, and so do ids without a token and the token of unknown text. No such table
        is right for a tokenizer that changes text: ``toktk convert SPEC --prove CORPUS`` tells.
        """
        return token_bytes(self.model)

    def show(self, text: str, *others: Tokenizer) -> View:
        """Return the tokens of `text` by this tokenizer and `others`, to be printed or drawn in a notebook.

        Raises:
            FormatError: the text holds a lone surrogate, which has no UTF-8.
        """
        from toktk.segmentation.view import View

        return View(tuple(each._segment(text) for each in (self, *others)))

    def _segment(self, text: str) -> Segmentation:
        from toktk.segmentation.places import places_of
        from toktk.segmentation.segmentation import Segmentation

        raw, ids = utf8(text), self.encode_to_numpy(text)
        return Segmentation(
            self.name,
            self.vocab_size,
            self.pretokenizer.name if self.engine == NATIVE else None,
            self.engine,
            self.why,
            raw,
            ids,
            *places_of(self.pretokenizer, self.model, raw, ids),
            self.model.tokens,
            getattr(self.model, "unknown_id", None),
        )

    def _repr_html_(self) -> str:
        from toktk.segmentation.page import SAMPLE

        return self.show(SAMPLE).fragment()

    def save(self, folder: Path | str, **roles: str) -> Saved:
        """Write ``tokenizer.json`` and what else can hold it: ``<name>.tiktoken`` or ``.model``.

        Hugging Face tokenizers loads the first, tiktoken the second (see `load_tiktoken` in
        toktk.formats.tiktoken), SentencePiece the third. Whether tiktoken gives equal ids on every
        text is returned. A model that a library runs is written as that library's file alone.

        Beside a ``tokenizer.json`` goes a ``tokenizer_config.json``, with which transformers loads the
        folder. `roles` name special tokens there: ``eos="</s>"``; also bos, pad and unk.

        Raises:
            FormatError: no file can hold the pattern, the model or a special token; or a role is given
                to a token that is not special.
        """
        from toktk.formats.files import save

        return save(self.name, self.pretokenizer, self.model, Path(folder), roles)
