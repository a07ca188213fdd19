"""What the models have in common whose text a library encodes."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, ClassVar, cast

import numpy as np

from toktk.arrays import excerpt, packed, read_only, runs
from toktk.child import ChildEnded, Refused, whole_or_each
from toktk.errors import FormatError
from toktk.formats.tokens import MARK, byte_names
from toktk.libraries.process import LibraryTokenizer
from toktk.models.model import Bytes, Ids, Int64, checked_pieces

_BYTE_OF = {name: bytes([b]) for b, name in enumerate(byte_names())}
_BATCH_BYTES = 250_000  # of one call: libraries hold some hundred bytes for each token of it


class LibraryModel:
    """A model that a library runs, in a child process. A piece is what the library is given as one text.

    A library that takes too long (`toktk.child.engine_timeout`), or that ends its process, is an error of
    this model alone.

    Attributes:
        kind: see `toktk.models.model.Model`.
        batch: how many texts one call takes.
    """

    kind: ClassVar[str]
    batch: ClassVar[int]

    def __post_init__(self) -> None:
        _ = self._loaded  # what the library refuses is refused at once

    def __getstate__(self) -> dict[str, Any]:
        """Return all there is to know: the library loads it anew in another process."""
        return {field.name: self.__dict__[field.name] for field in fields(cast(Any, self))}

    def _in_library(self) -> LibraryTokenizer:
        """Return what the library is to load."""
        raise NotImplementedError

    def _content(self) -> bytes:
        """Return all that determines the ids."""
        raise NotImplementedError

    @functools.cached_property
    def _library(self) -> LibraryTokenizer:
        return self._in_library()

    @functools.cached_property
    def _loaded(self) -> Any:
        """What the library says when it loads the model."""
        try:
            return self._library.load()
        except (Refused, ChildEnded) as why:
            raise self._library.failure(f"cannot load this {self._file}", why) from why

    @property
    def _file(self) -> str:
        """What the library reads, in words."""
        raise NotImplementedError

    @property
    def changes(self) -> tuple[str, ...]:
        """Why the bytes of a text's tokens need not be its own, in words."""
        return ()

    @property
    def library(self) -> str:
        """The library's name and version, which decide the ids as well."""
        return self._library.library

    def _ask(self, what: str, **arguments: Any) -> tuple[Any, list[bytes]]:
        try:
            return self._library.ask(what, **arguments)
        except (Refused, ChildEnded) as why:
            raise self._library.failure(f"cannot read this {self._file}", why) from why

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids, the library's version left out."""
        return hashlib.sha256(f"{self.kind}\0".encode() + self._content()).hexdigest()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`; a text that is no UTF-8 is a FormatError.

        Raises:
            FormatError: a text that is no UTF-8; the library fails at one, or takes too long.
        """
        return self._encoded("encode", data, offsets)

    def _encoded(self, what: str, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        data, offsets, _ = checked_pieces(data, offsets)
        ids, lengths = [np.empty(0, dtype=np.uint32)], [np.empty(0, dtype=np.int64)]
        for part in self._in_batches(self._library, what, data, offsets):
            ids.append(np.frombuffer(part[0], dtype=np.uint32))
            lengths.append(np.frombuffer(part[1], dtype=np.int64))
        return np.concatenate(ids), np.cumsum(np.concatenate(lengths))

    def _in_batches(
        self, library: LibraryTokenizer, what: str, data: Bytes, offsets: Int64, **arguments: Any
    ) -> Iterator[list[bytes]]:
        """Yield the arrays that a library answers about some texts after the other."""
        ask = functools.partial(self._about, library, what, data, offsets, arguments)
        for first, last in runs(offsets, self.batch, _BATCH_BYTES):
            yield from whole_or_each(ask, first, last)

    def _about(
        self,
        library: LibraryTokenizer,
        what: str,
        data: Bytes,
        offsets: Int64,
        arguments: dict[str, Any],
        first: int,
        last: int,
    ) -> list[bytes]:
        """Return the arrays that the library answers about the texts first..last - 1."""
        text = data[offsets[first] : offsets[last]]
        try:
            answer = library.ask(
                what, text, offsets[first : last + 1] - offsets[first], **arguments
            )
        except (Refused, ChildEnded) as why:
            if last - first > 1:
                raise
            where = f" at the document {excerpt(text)}"
            raise library.failure("cannot encode this text", why, where) from why
        place, arrays = answer
        if place is not None:
            piece = bytes(data[offsets[first + place] : offsets[first + place + 1]])
            raise FormatError(
                "a tokenizer that a library runs encodes text, not bytes.",
                f"Found: the piece {piece!r:.60}, which is no UTF-8.",
                "Choose a pretokenizer that cuts between characters.",
            )
        return arrays

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether the two are the same: a library's ids are not read off another's."""
        return isinstance(other, type(self)) and self.signature == other.signature


class ChangingModel(LibraryModel):
    """One whose library may change text, delete some of it, or have a token for unknown text."""

    @property
    def tokens(self) -> list[bytes]:
        """See `toktk.models.model.Model`."""
        raise NotImplementedError

    @property
    def unknown_id(self) -> int | None:
        """The id of text that the vocabulary lacks; None where it has none for it."""
        raise NotImplementedError

    def lost(self, data: Bytes, offsets: Int64, ids: Ids, ends: Int64) -> Int64:
        """Return int64[n]: the bytes of each text that no token stands for.

        The library is asked only about texts of which the tokens do not tell it.

        Raises:
            FormatError: see `encode_pieces`.
        """
        from toktk.kernels.spelling import UNDECIDED, find_spelled

        data, offsets, _ = checked_pieces(data, offsets)
        ids, ends = read_only(ids, np.uint32), read_only(ends, np.int64)
        lost = np.empty(ends.size, dtype=np.int64)
        find_spelled(data, offsets, ids, ends, *self._surfaces, lost)
        if UNDECIDED in lost:
            self._count_lost(data, offsets, ids, ends, lost)
        if UNDECIDED not in lost:
            return lost
        changed = np.flatnonzero(lost == UNDECIDED)
        texts = packed([data[offsets[d] : offsets[d + 1]].tobytes() for d in changed])
        library, unknown = self._measuring
        parts = [array for (array,) in self._in_batches(library, "lost", *texts, unknown=unknown)]
        lost[changed] = np.frombuffer(b"".join(parts), dtype=np.int64)
        return lost

    def places(self, text: bytes) -> tuple[Ids, Int64, Int64, list[bytes]]:
        """Return the ids of a text, and of each where the library says that it begins and ends.

        Those are int64[n], in characters; libraries err here. So what the library's normalizer makes of that
        part of the text is there too.

        Raises:
            FormatError: the library fails at the text, or takes too long.
        """
        library, unknown = self._measuring
        try:
            _, arrays = library.ask("places", text)
        except (Refused, ChildEnded) as why:
            where = f" at the document {excerpt(np.frombuffer(text, dtype=np.uint8))}"
            raise library.failure("cannot encode this text", why, where) from why
        ids = np.frombuffer(arrays[0], dtype=np.uint32)
        starts, ends, bounds = (np.frombuffer(array, dtype=np.int64) for array in arrays[1:4])
        parts = [arrays[4][a:b] for a, b in itertools.pairwise(bounds.tolist())]
        if unknown != self.unknown_id:  # the twin has tokens for what this one drops
            kept = np.flatnonzero(ids != unknown)
            ids, starts, ends = ids[kept], starts[kept], ends[kept]
            parts = [parts[i] for i in kept]
        return ids, starts, ends, parts

    @functools.cached_property
    def _surfaces(self) -> tuple[Bytes, Int64]:
        """The text that each id stands for, packed; of an id of unknown text it is empty."""
        surfaces = list(self.tokens)
        if self.unknown_id is not None and 0 <= self.unknown_id < len(surfaces):
            surfaces[self.unknown_id] = b""
        text, starts = packed(surfaces)
        return text, read_only(starts, np.int64)

    def _count_lost(self, data: Bytes, offsets: Int64, ids: Ids, ends: Int64, lost: Int64) -> None:
        """Replace `UNDECIDED` in `lost`, of `toktk.kernels.spelling`, where the library need not be asked."""

    @property
    def _measuring(self) -> tuple[LibraryTokenizer, int | None]:
        """The tokenizer that is asked what is lost, and its id of unknown text."""
        return self._library, self.unknown_id


def spelled(name: str, is_byte: bool, marks: bool) -> bytes:
    """Return the bytes of a token: one that its name stands for, or its name, where `marks` are spaces."""
    if is_byte and name in _BYTE_OF:
        return _BYTE_OF[name]
    return (name.replace(MARK, " ") if marks else name).encode()
