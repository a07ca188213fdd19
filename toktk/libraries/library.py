"""What the models have in common whose text a library encodes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from toktk.errors import FormatError, in_a_line
from toktk.formats.tokens import MARK, byte_names
from toktk.models.model import Bytes, Ids, Int64, checked_pieces

_BYTE_OF = {name: bytes([b]) for b, name in enumerate(byte_names())}
_COMPLAINTS = (Exception, ValueError, RuntimeError, UnicodeDecodeError)


class LibraryModel:
    """A model that a library runs. A piece is what the library is given as one text.

    Attributes:
        kind: see `toktk.models.model.Model`.
        library: its name in errors.
        batch: how many texts one call takes.
    """

    kind: ClassVar[str]
    library: ClassVar[str]
    batch: ClassVar[int]

    def __post_init__(self) -> None:
        _ = self._library  # what the library refuses is refused at once

    def _load(self) -> Any:
        raise NotImplementedError

    def _encode(self, texts: list[str]) -> Sequence[Sequence[int]]:
        raise NotImplementedError

    def _content(self) -> bytes:
        """Return all that determines the ids."""
        raise NotImplementedError

    @functools.cached_property
    def _library(self) -> Any:
        """The library's own object, which `_load` returns and `_encode` uses."""
        return self._load()

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids."""
        return hashlib.sha256(f"{self.kind}\0".encode() + self._content()).hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`; a text that is no UTF-8 is a FormatError.

        Raises:
            FormatError: a text that is no UTF-8, or the library fails at it.
        """
        data, offsets, _ = checked_pieces(data, offsets)
        raw, ends = data.tobytes(), offsets.tolist()
        try:
            texts = [raw[a:b].decode() for a, b in itertools.pairwise(ends)]
        except UnicodeDecodeError as error:
            raise FormatError(
                "a tokenizer that a library runs encodes text, not bytes.",
                f"Found: the piece {error.object!r:.60}, which is no UTF-8.",
                "Choose a pretokenizer that cuts between characters.",
            ) from error
        ids, lengths = [np.empty(0, dtype=np.uint32)], []
        for at in range(0, len(texts), self.batch):
            with refusals(self.library, "cannot encode this text"):
                lists = self._encode(texts[at : at + self.batch])
            lengths.append(np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)))
            flat = itertools.chain.from_iterable(lists)
            ids.append(np.fromiter(flat, dtype=np.uint32, count=int(lengths[-1].sum())))
        return np.concatenate(ids), np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: a library's ids are not read off another's."""
        return isinstance(other, type(self)) and self.signature == other.signature


def spelled(name: str, is_byte: bool, marks: bool) -> bytes:
    """Return the bytes of a token: one that its name stands for, or its name, where `marks` are spaces."""
    if is_byte and name in _BYTE_OF:
        return _BYTE_OF[name]
    return (name.replace(MARK, " ") if marks else name).encode()


@contextlib.contextmanager
def refusals(library: str, what: str) -> Iterator[None]:
    """Turn a library's complaints into a FormatError.

    Libraries written in Rust raise plain Exception or ValueError. Where their own code panics, they
    raise a class that derives from BaseException and cannot be imported. A message that is no UTF-8
    comes as UnicodeDecodeError.
    """
    try:
        yield
    except BaseException as error:
        if type(error) not in _COMPLAINTS and type(error).__name__ != "PanicException":
            raise
        message = in_a_line(error)
        raise FormatError(f"{what}.", f"{library} says: {message:.300}") from error
