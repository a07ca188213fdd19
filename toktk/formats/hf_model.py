"""The vocabulary and the merges of a ``tokenizer.json`` of BPE, as arrays.

A file has hundreds of thousands of them, and Python's objects for them take ten times as long. What is not as
such files are, is read by Python's own reader, which says what is wrong with it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of, packed
from toktk.formats.fields import MAX_TOKEN
from toktk.models.bpe import byte_characters
from toktk.models.lookup import Tokens
from toktk.models.pairs import highest_id
from toktk.models.vocabulary import unpacked

_LEAST = 5  # bytes of an entry, with the comma
# What stands in the place of the lists, so that Python's reader finds them where they were.
_STAND_INS = {"vocab": "\0vocab", "merges": "\0merges"}


@dataclass(frozen=True, eq=False)
class Names(Mapping[str, int]):
    """Names of tokens and their ids, in the order of a file.

    Attributes:
        tokens: the names in UTF-8.
        ids: int64[n].
        table: finds a name; empty where nobody looks one up.
    """

    tokens: Tokens
    ids: Int64
    table: Int64

    @classmethod
    def of(cls, vocabulary: Mapping[str, int]) -> Names:
        """Return the names of a vocabulary, in which none is looked up."""
        if isinstance(vocabulary, Names):
            return vocabulary
        tokens = Tokens(*packed([name.encode() for name in vocabulary]))
        ids = np.fromiter(vocabulary.values(), dtype=np.int64, count=len(vocabulary))
        return cls(tokens, ids, np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return self.ids.size

    def __iter__(self) -> Iterator[str]:
        return (token.decode() for token in unpacked(*self.tokens))

    def __getitem__(self, name: str) -> int:
        places = self.find(*packed([name.encode("utf-8", "surrogatepass")]))
        if places[0] < 0:
            raise KeyError(name)
        return int(self.ids[places[0]])

    @functools.cached_property
    def characters(self) -> tuple[npt.NDArray[np.int16], Int64]:
        """See `characters_of`."""
        return characters_of(*self.tokens)

    def find(self, data: Bytes, offsets: Int64) -> Int64:
        """Return int64[n]: the places of names, -1 for what is none."""
        from toktk.kernels.pairs import find_tokens

        places = np.empty(offsets.size - 1, dtype=np.int64)
        # A copy, as the kernel was compiled for what can be written.
        find_tokens(np.array(data), offsets, self.table, *self.tokens, places)
        return places


def ids_among(names: Sequence[str], vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of those of `names` that a vocabulary has."""
    if not isinstance(vocabulary, Names):
        return {name: vocabulary[name] for name in names if name in vocabulary}
    places = vocabulary.find(*packed([name.encode("utf-8", "surrogatepass") for name in names]))
    ids = vocabulary.ids[places].tolist()
    each = zip(names, places.tolist(), ids, strict=True)
    return {name: i for name, place, i in each if place >= 0}


@dataclass(frozen=True, eq=False)
class ModelLists:
    """What `lists_of` read.

    Attributes:
        document: the file, with `names` and `merges` in the places of their lists.
        merges: int64[n, 3]: left, right and new id of each.
        places: where the lists are in the file; see `toktk.kernels.json_model`.
        entries, pairs: int64[n, 2]: where each name and id, and each merge, begin and end there.
    """

    document: dict[str, Any]
    names: Names
    merges: Int64
    places: Int64
    entries: Int64
    pairs: Int64


def lists_of(raw: bytes) -> ModelLists | None:
    """Return the lists of a ``tokenizer.json``; None where Python is to read it.

    All that is asked of the lists holds: ids that differ and that memory can be taken for, names that differ
    and are not too long, merges of names that are there and make one.
    """
    from toktk.kernels.json_model import MERGES, VOCAB, find_model, read_merges, read_vocabulary

    data = np.frombuffer(raw, dtype=np.uint8)
    places = np.full(4, -1, dtype=np.int64)
    if not find_model(data, places):
        return None
    document = _without_lists(raw, places)
    if document is None:
        return None
    room = int(places[VOCAB + 1] - places[VOCAB]) // _LEAST + 2
    out, offsets = np.empty(data.size, dtype=np.uint8), np.empty(room + 1, dtype=np.int64)
    ids, entries = np.empty(room, dtype=np.int64), np.empty((room, 2), dtype=np.int64)
    n = int(read_vocabulary(data, places[VOCAB], out, offsets, ids, entries))
    if n < 1:
        return None
    offsets, ids, entries = offsets[: n + 1].copy(), ids[:n].copy(), entries[:n].copy()
    # As many bytes as the text of a name has, a token takes: as of the names that Python's reader has.
    tokens = Tokens(np.frombuffer(out[: offsets[-1]].tobytes(), dtype=np.uint8), offsets)
    if int(tokens.lengths.max()) > MAX_TOKEN or int(ids.max()) > highest_id(n):
        return None
    if not _are_texts(tokens):
        return None
    if np.bincount(ids).max() > 1 or (table := _table(tokens)) is None:
        return None
    names = Names(tokens, ids, table)
    room = int(places[MERGES + 1] - places[MERGES]) // _LEAST + 2
    bounds, pairs = np.empty(2 * room + 1, dtype=np.int64), np.empty((room, 2), dtype=np.int64)
    m = int(read_merges(data, places[MERGES], out, bounds, pairs))
    if m < 0:
        return None
    bounds = bounds[: 2 * m + 1].copy()
    joined = out[: bounds[-1]]
    parts = names.find(joined, bounds).reshape(-1, 2)
    made = names.find(joined, bounds[::2].copy())
    rows = np.column_stack([parts, made])
    if rows.size and int(rows.min()) < 0:
        return None
    merges = ids[rows]
    document["model"].update(vocab=names, merges=merges)
    return ModelLists(document, names, merges, places, entries, pairs[:m].copy())


def _are_texts(tokens: Tokens) -> bool:
    """Tell whether each token is UTF-8."""
    starts = tokens.offsets[:-1][tokens.lengths > 0]
    if (tokens.data[starts] & 0xC0 == 0x80).any():
        return False
    try:
        tokens.data.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _table(tokens: Tokens) -> Int64 | None:
    """Return what finds a token by its bytes; None where two are equal."""
    from toktk.kernels.pairs import fill_token_table

    n = tokens.offsets.size - 1
    table = np.full(1 << (2 * n).bit_length(), -1, dtype=np.int64)
    double = int(fill_token_table(np.arange(n), *tokens, table))
    table.flags.writeable = False
    return table if double < 0 else None


def _without_lists(raw: bytes, places: Int64) -> dict[str, Any] | None:
    """Return the file as Python reads it, without the lists; None where they lie elsewhere."""
    spans = zip(places[::2].tolist(), places[1::2].tolist(), _STAND_INS.values(), strict=True)
    text, at = b"", 0
    for begin, end, stand_in in sorted(spans):
        text, at = text + raw[at:begin] + json.dumps(stand_in).encode(), end
    text += raw[at:]
    try:
        # What stands in the lists is ASCII, names that are looked at, and merges of such names.
        text.decode()
        document = json.loads(text)
        model = document["model"]
        is_there = {key: model[key] for key in _STAND_INS} == _STAND_INS
        is_bpe = model.get("type") in (None, "BPE")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return document if is_there and is_bpe and isinstance(document, dict) else None


def characters_of(data: Bytes, offsets: Int64) -> tuple[npt.NDArray[np.int16], Int64]:
    """Return the byte that each character of some names stands for, or -1, and where each name has its own.

    Returns:
        int16, all characters one after the other; int64[n + 1].
    """
    characters = byte_characters()
    byte_of = np.full(1 + ord(max(characters)) + 1, -1, dtype=np.int16)  # the last: any other
    byte_of[[ord(character) for character in characters]] = np.arange(256)
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), dtype=np.uint32)
    return byte_of.take(codes, mode="clip"), offsets_of(data & 0xC0 != 0x80)[offsets]
