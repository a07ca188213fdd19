"""The self-check: toktk's engine stands in for a library where the two give equal ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np

from toktk.arrays import read_arrays, write_arrays
from toktk.cache import Store
from toktk.encoder import Encoder
from toktk.errors import ToktkError
from toktk.loading.torture import TORTURE
from toktk.models.model import Ids, Model
from toktk.models.vocabulary import packed
from toktk.texts import utf8
from toktk.tokenizer import Tokenizer

_NAMES = 200  # of its added and special tokens, so many are tried


def verify(
    native: Tokenizer,
    library: str,
    build: Callable[[], Model],
    documents: Sequence[str],
    digest: str,
    store: Store | None = None,
) -> str:
    """Return the first difference between toktk's ids and the library's in words, empty if there is none.

    Compared are a fixed text of traps, the tokenizer's own special and added tokens as text, and
    `documents`.

    Args:
        native: the tokenizer on toktk's engine.
        library: the library's name and version.
        build: returns the library's model; not called where the store has the verdict.
        documents: texts, apart from the fixed ones.
        digest: the sha256 of the tokenizer's file.
        store: where verdicts are kept, under a hash of all that enters.

    Raises:
        FormatError: a document holds a lone surrogate; the library cannot run the tokenizer.
    """
    texts = [*TORTURE, *_names(native), *documents]
    encoded = [utf8(text) for text in texts]
    sizes = json.dumps([len(raw) for raw in encoded]).encode()
    text_digest = hashlib.sha256(b"".join([sizes, *encoded])).hexdigest()
    key = [digest, native.signature, library, text_digest]
    verdict = store.read("verdicts", key, read_arrays) if store else None
    if verdict is not None:
        return str(verdict[1]["difference"])
    difference = _difference(native, library, build(), encoded)
    if store:
        store.write("verdicts", key, lambda f: write_arrays(f, {}, difference=difference))
    return difference


def _names(native: Tokenizer) -> list[str]:
    names = [*native.model.special_tokens[:_NAMES], *native.pretokenizer.added[:_NAMES]]
    each = [f"a {name}b{name}{name} " for name in names]
    return ["".join(names), " ".join(names), *each]


def _difference(native: Tokenizer, library: str, model: Model, texts: Sequence[bytes]) -> str:
    data, offsets = packed(texts)
    wanted, ends = model.encode_pieces(data, offsets)
    theirs = np.append(0, ends)
    try:
        ids, ours = Encoder(native.pretokenizer, native.model).encode_batch(data, offsets)
    except ToktkError as error:
        return f"toktk's engine fails: {' '.join(str(error).split())}"
    for d, text in enumerate(texts):
        mine, others = ids[ours[d] : ours[d + 1]], wanted[theirs[d] : theirs[d + 1]]
        if not np.array_equal(mine, others):
            return _described(native, text.decode(), mine, others, library)
    return ""


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
