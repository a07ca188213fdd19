"""The part of a ``tokenizer.json`` of BPE that some texts can need, as another one, which loads sooner.

The library that runs it gives those texts the ids that it gives them with the whole file. For a merge makes a
token only where the text holds the token's own text, and tokens are looked up by name where they are one
character, stand for a byte or for unknown text, or are a whole piece. So names that the texts do not hold may
be left out.

If the library reads a text as another one than toktk does, it may lack tokens for it. It then still spells
what it reads, and its ids are still others than toktk's, which spell what toktk reads.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, packed
from toktk.formats.hf_model import ModelLists
from toktk.formats.tokens import MARK, byte_names
from toktk.models.lookup import Tokens
from toktk.models.vocabulary import unpacked

_WINDOW = 8  # bytes of a name that are looked for, at its begin and at its end
_BITS = 22
_MASKS = np.array([(1 << 8 * k) - 1 for k in range(_WINDOW + 1)], dtype=np.uint64)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def part_for(raw: bytes, lists: ModelLists, data: Bytes) -> bytes:
    """Return a ``tokenizer.json`` with all that text in `data` can become.

    Args:
        raw, lists: the whole file.
        data: uint8: texts one after the other, as they are, and as the normalizer makes them.
    """
    from toktk.kernels.json_model import MERGES, VOCAB

    names, added = lists.names, lists.document.get("added_tokens") or ()
    kept = np.zeros(int(names.ids.max()) + 1, dtype=np.bool_)
    kept[names.ids] = _may_be_held(lists, data)
    unknown = lists.document["model"].get("unk_token")
    always = [*byte_names(), *[token["content"] for token in added]]
    always += [unknown] if isinstance(unknown, str) else []
    kept[[names[name] for name in always if name in names]] = True
    entries = [raw[a:b] for a, b in lists.entries[kept[names.ids]].tolist()]
    # What is found in text and is no name gets the id behind all others, which are fewer now.
    for token in added:
        if not token.get("special") and token["content"] not in names:
            entries.append(f"{json.dumps(token['content'])}: {token['id']}".encode())
    pairs = [raw[a:b] for a, b in lists.pairs[kept[lists.merges].all(axis=1)].tolist()]
    written = {VOCAB: b"{%s}" % b",".join(entries), MERGES: b"[%s]" % b",".join(pairs)}
    part, at = b"", 0
    for place in sorted(written, key=lambda place: int(lists.places[place])):
        begin, end = lists.places[place : place + 2].tolist()
        part, at = part + raw[at:begin] + written[place], end
    return part + raw[at:]


def _may_be_held(lists: ModelLists, data: Bytes) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which names `data` may hold."""
    tokens = lists.names.tokens
    characters, offsets = lists.names.characters
    steps = [lists.document.get(key) for key in ("normalizer", "pre_tokenizer")]
    if '"ByteLevel"' in json.dumps(steps):
        held = may_hold(data, Tokens(characters.astype(np.uint8), offsets))
        # What is not spelled by characters that stand for bytes is kept.
        held[np.searchsorted(offsets, np.flatnonzero(characters < 0), side="right") - 1] = True
    else:
        # The mark stands for a space, or for itself.
        spelled = [name.replace(MARK.encode(), b" ") for name in unpacked(*tokens)]
        held = may_hold(data, tokens) | may_hold(data, Tokens(*packed(spelled)))
    held[np.diff(offsets) < 2] = True
    return held


def may_hold(data: Bytes, tokens: Tokens) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which tokens may lie in `data`; all others do not.

    Looked for are the first and the last bytes of each, and those by their hashes.
    """
    n_bytes = np.minimum(tokens.lengths, _WINDOW)
    words, masks = _words(tokens.data), _MASKS[n_bytes]
    heads = words[tokens.offsets[:-1]] & masks
    tails = words[tokens.offsets[1:] - n_bytes] & masks
    held: npt.NDArray[np.bool_] = n_bytes == 0
    windows = _words(data)
    for k in range(1, min(_WINDOW, data.size) + 1):
        chosen = np.flatnonzero(n_bytes == k)
        seen = np.zeros(1 << _BITS, dtype=np.bool_)
        seen[_hashes(windows[: data.size - k + 1] & _MASKS[k])] = True
        held[chosen] = seen[_hashes(heads[chosen])] & seen[_hashes(tails[chosen])]
    return held


def _words(data: Bytes) -> npt.NDArray[np.uint64]:
    """Return the 8 bytes behind each byte, itself the lowest; zeros follow the last."""
    padded = np.append(data, np.zeros(_WINDOW, dtype=np.uint8))
    return np.ndarray(data.size + 1, "<u8", padded, strides=(1,))


def _hashes(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    hashes: npt.NDArray[np.int64] = (words * _FACTOR >> np.uint64(64 - _BITS)).astype(np.int64)
    return hashes
