"""The self-check: toktk's engine stands in for a library where the two give equal ids."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toktk import paths
from toktk.encoder import Encoder
from toktk.errors import FormatError, StorageError, ToktkError
from toktk.loading.parsed import code_version
from toktk.loading.torture import TORTURE
from toktk.models.model import Bytes, Ids, Int64
from toktk.models.vocabulary import packed
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

NATIVE = "native"

_NAMES = 200  # of its added and special tokens, so many are tried


@dataclass(frozen=True, eq=False)
class Checked:
    """What runs a tokenizer.

    Attributes:
        tokenizer: toktk's own, or one that hands whole documents to the library.
        engine: ``native``, or the library and its version.
        why: why it is not the native one; empty if it is.
    """

    tokenizer: Tokenizer
    engine: str
    why: str


def check(loaded: Loaded, documents: Sequence[str], cache: bool = True) -> Checked:
    """Return toktk's engine if its ids equal the library's, else the library.

    Compared are a fixed text of traps, the tokenizer's own special and added tokens as text, and
    `documents`. What was found is kept under a hash of all that enters.

    Args:
        loaded: as `toktk.loading.load.load` gives it.
        documents: the first ones of the text at hand.
        cache: whether to look up what an earlier check found, and to keep what this one does.

    Raises:
        FormatError: a document holds a lone surrogate; the library cannot run the tokenizer.
    """
    native, reference = loaded.native, loaded.reference
    if native is None:
        return Checked(reference.tokenizer, reference.library, loaded.why)
    texts = [*TORTURE, *_names(native), *documents]
    data, offsets = packed([_utf8(text) for text in texts])
    parts = (loaded.source, native.signature, reference.library, code_version())
    key = hashlib.sha256("\0".join(parts).encode())
    for array in (offsets, data):
        key.update(array.tobytes())
    path = paths.home() / "verdicts" / f"{key.hexdigest()}.json"
    why = _read(path) if cache else None
    if why is None:
        why = _difference(loaded, native, texts, data, offsets)
        if cache:
            _write(path, why)
    if why:
        return Checked(reference.tokenizer, reference.library, why)
    return Checked(native, NATIVE, "")


def _names(native: Tokenizer) -> list[str]:
    names = [*native.model.special_tokens[:_NAMES], *native.pretokenizer.added[:_NAMES]]
    each = [f"a {name}b{name}{name} " for name in names]
    return ["".join(names), " ".join(names), *each]


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(
            "cannot encode text that holds a lone surrogate.",
            f"Found: U+{ord(text[error.start]):04X} at character {error.start}.",
            "Decode the text with errors='replace'.",
        ) from error


def _difference(
    loaded: Loaded, native: Tokenizer, texts: Sequence[str], data: Bytes, offsets: Int64
) -> str:
    """Return the first difference in words, empty if there is none."""
    library = loaded.reference.library
    wanted, ends = loaded.reference.tokenizer.model.encode_pieces(data, offsets)
    theirs = np.append(0, ends)
    try:
        found, ours = Encoder(native.pretokenizer, native.model).encode_batch(data, offsets)
    except ToktkError as error:
        return f"toktk's engine fails: {' '.join(str(error).split())}"
    if np.array_equal(found, wanted) and np.array_equal(ours, theirs):
        return ""
    for d, text in enumerate(texts):
        mine, others = found[ours[d] : ours[d + 1]], wanted[theirs[d] : theirs[d + 1]]
        if not np.array_equal(mine, others):
            return _described(native, text, mine, others, library)
    raise AssertionError("equal documents have equal ids")


def _described(native: Tokenizer, text: str, mine: Ids, others: Ids, library: str) -> str:
    n = min(mine.size, others.size)
    differs = np.flatnonzero(mine[:n] != others[:n])
    at = int(differs[0]) if differs.size else n
    spelled = sum(len(native.model.tokens[i]) for i in mine[:at].tolist())
    before = len(text.encode()[:spelled].decode(errors="ignore"))
    excerpt = text[max(0, before - 10) : before + 20]
    return (
        f"ids differ at {excerpt!r}: {_listed(mine, at)} here, {_listed(others, at)} by {library}"
    )


def _listed(ids: Ids, at: int) -> str:
    rest = ids[at : at + 4].tolist()
    more = ", …" if ids.size > at + 4 else ""
    return f"[{', '.join(map(str, rest))}{more}]"


def _read(path: Path) -> str | None:
    """Return why an earlier check chose the library, empty if it did not; None without such a check."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    why = found.get("why") if isinstance(found, dict) else None
    return why if isinstance(why, str) else None


def _write(path: Path, why: str) -> None:
    with contextlib.suppress(StorageError), paths.atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"why": why}), encoding="utf-8")
