"""What the reference engines have in common, which hand whole documents to their library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from toktk.errors import FormatError
from toktk.models.model import Ids, Int64

_COMPLAINTS = (Exception, ValueError, RuntimeError, UnicodeDecodeError)


@contextlib.contextmanager
def refusals(library: str, what: str) -> Iterator[None]:
    """Turn a library's complaints into a FormatError.

    Libraries written in Rust raise plain Exception or ValueError, and where their own code breaks down a
    class that derives from BaseException and cannot be imported. A message that is no UTF-8 comes as
    UnicodeDecodeError.
    """
    try:
        yield
    except BaseException as error:
        if type(error) not in _COMPLAINTS and not _is_panic(error):
            raise
        found = " ".join(str(error).split())
        raise FormatError(f"{what}.", f"{library} says: {found:.300}") from error


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"


def flat(documents: Sequence[Sequence[int]]) -> tuple[Ids, Int64]:
    """Return the ids of all documents, one after the other, and where those of each end."""
    parts = [np.array(ids, dtype=np.uint32) for ids in documents]
    ids = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)
    return ids, np.cumsum([part.size for part in parts], dtype=np.int64)


def base_size(tokens: Sequence[bytes], special_ids: Int64, characters: bool) -> int:
    """Return how many ids are special tokens, or tokens of one byte or one of the `characters`."""
    special = set(special_ids.tolist())
    single = sum(_is_single(t, characters) for i, t in enumerate(tokens) if i not in special)
    return len(special) + single


def _is_single(token: bytes, characters: bool) -> bool:
    if not characters or not 1 < len(token) <= 4:
        return len(token) == 1
    try:
        return len(token.decode()) == 1
    except UnicodeDecodeError:
        return False
