"""Where in a text its tokens lie, or that nobody can tell.

Tokens that spell the text lie where their bytes are. Of a text that toktk's own normalizer changes, each byte
of the result comes from a known byte of the text, but for those inside parts that change as a whole, such as
a letter and its accent. What a library changes, the library is asked about; its answer counts where the part
of the text that it names becomes the token.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Ids, Int64, offsets_of
from toktk.formats.tokens import MARK
from toktk.libraries.library import ChangingModel
from toktk.models.model import Model
from toktk.normalizers.normalizer import (
    DOUBTFUL,
    END,
    IDENTITY,
    STABLE,
    Normalizer,
    stability,
)
from toktk.pretokenizers.pretokenizer import Pretokenizer

NOWHERE = -1
_MARK = MARK.encode()

Places = tuple[Int64, Int64]


def places_of(pretokenizer: Pretokenizer, model: Model, text: bytes, ids: Ids) -> Places:
    """Return starts and ends of the tokens `ids` of a text, int64[n], in its bytes; both -1 for unknown."""
    vocabulary = model.tokens
    spelled = [vocabulary[i] for i in ids.tolist()]
    lengths = np.fromiter(map(len, spelled), dtype=np.int64, count=len(spelled))
    edges = offsets_of(lengths)
    if b"".join(spelled) == text:
        return edges[:-1], edges[1:]
    if isinstance(model, ChangingModel):
        starts, ends = _asked(model.places(text), text, ids, spelled, model.unknown_id)
    else:
        normalized, origin = origins(pretokenizer, text)
        if b"".join(spelled) == normalized:
            starts, ends = edges[:-1], edges[1:]
        else:
            starts, ends = _with_unknown(pretokenizer, model, text, ids, spelled)
        origin = np.append(origin, NOWHERE)  # of what is nowhere
        starts, ends = origin[starts], origin[ends]
    is_lost = (starts < 0) | (ends < starts)
    return np.where(is_lost, NOWHERE, starts), np.where(is_lost, NOWHERE, ends)


def origins(pretokenizer: Pretokenizer, text: bytes) -> tuple[bytes, Int64]:
    """Return a text as it is cut, and for each place in that, int64[n + 1], the byte of `text` or -1."""
    data = np.frombuffer(text, dtype=np.uint8)
    whole = np.array([0, data.size], dtype=np.int64)
    cut, parts, *_ = pretokenizer.prepare(data, whole)
    normalized = cut[parts[0] : parts[-1]].tobytes()
    _, parts, _, atoms = replace(pretokenizer, normalizer=IDENTITY, before=()).prepare(data, whole)
    rebuilt, origin = _traced(pretokenizer.normalizer, data, parts, atoms)
    if rebuilt.tobytes() != normalized:  # a normalizer that does not work part by part
        origin = np.full(len(normalized) + 1, NOWHERE, dtype=np.int64)
    return normalized, origin


def _traced(
    normalizer: Normalizer, data: Bytes, parts: Int64, atoms: npt.NDArray[np.bool_] | None
) -> tuple[Bytes, Int64]:
    """Return the normalized text, and where each of its bytes is from; `parts` are normalized apart."""
    if not data.size:
        return data, np.zeros(1, dtype=np.int64)
    # Normalized as a document of its own, each stretch between two cuts tells where it ends.
    cuts = np.union1d(parts, _cuts(data, normalizer))
    owner = np.searchsorted(parts, cuts[:-1], side="right") - 1
    inner = replace(normalizer, prefix="never")
    changed, ends = inner.apply(data, cuts, None if atoms is None else atoms[owner])
    stretch = np.repeat(np.arange(cuts.size - 1), np.diff(ends))
    source = np.arange(changed.size) + (cuts - ends)[stretch]
    same = np.diff(ends) == np.diff(cuts)
    alike = same[stretch]
    same[stretch[alike][changed[alike] != data[source[alike]]]] = False
    origin = np.full(changed.size + 1, NOWHERE, dtype=np.int64)
    origin[:-1][same[stretch]] = source[same[stretch]]
    origin[ends] = cuts
    if normalizer.prefix == "never":
        return changed, origin
    begins = ends[np.searchsorted(cuts, parts)]
    prefixed, new_begins = Normalizer(prefix=normalizer.prefix).apply(changed, begins, atoms)
    gains = np.diff(new_begins) > np.diff(begins)
    return prefixed, np.insert(origin, begins[:-1][gains], parts[:-1][gains])


def _cuts(data: Bytes, normalizer: Normalizer) -> Int64:
    """Return where characters begin in front of which text may be cut and normalized in parts.

    They are those whose normal form begins with a stable character.
    """
    begins: Int64 = np.flatnonzero(data & 0xC0 != 0x80)
    form = normalizer.form
    if form is None:
        return begins
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), dtype=np.uint32)
    characters, which = np.unique(codes, return_inverse=True)
    classes = np.append(stability(form), np.uint8(STABLE))[np.minimum(characters, END)]
    for i in np.flatnonzero(classes == DOUBTFUL):
        first = ord(unicodedata.normalize(form, chr(characters[i]))[0])
        classes[i] = stability(form)[first] if first < END else STABLE
    stable: Int64 = begins[(classes == STABLE)[which]]
    return stable


def _with_unknown(
    pretokenizer: Pretokenizer, model: Model, text: bytes, ids: Ids, spelled: list[bytes]
) -> Places:
    """Return where tokens lie in the text as it is cut, where some stand for text that has no token.

    Such a token takes what the others leave of its piece; what is between two of them is nowhere.
    """
    data = np.frombuffer(text, dtype=np.uint8)
    pieces = pretokenizer.cut_batch(data, np.array([0, data.size], dtype=np.int64))
    piece_ids, ends = model.encode_pieces(pieces.data, pieces.offsets)
    starts, stops = (np.full(ids.size, NOWHERE, dtype=np.int64) for _ in range(2))
    unknown = getattr(model, "unknown_id", None)
    if not np.array_equal(piece_ids, ids):  # what is before a piece decides too
        return starts, stops
    raw, first, begin = pieces.data.tobytes(), 0, int(pieces.offsets[0])
    for end, last in zip(pieces.offsets[1:].tolist(), ends.tolist(), strict=True):
        holes = np.flatnonzero(ids[first:last] == unknown)
        piece = _in_piece(raw[begin:end], spelled[first:last], holes.tolist())
        for i, (start, stop) in piece.items():
            starts[first + i], stops[first + i] = begin + start, begin + stop
        first, begin = last, end
    return starts, stops


def _in_piece(piece: bytes, spelled: list[bytes], holes: list[int]) -> dict[int, tuple[int, int]]:
    """Return (start, end) of the tokens of a piece by number; those in `holes` are of unknown text."""
    known: dict[int, tuple[int, int]] = {}
    at, until = 0, len(piece)
    for i in range(holes[0] if holes else len(spelled)):
        if not piece.startswith(spelled[i], at):
            return known
        known[i] = at, at + len(spelled[i])
        at += len(spelled[i])
    if not holes:
        return known
    for i in range(len(spelled) - 1, holes[-1], -1):
        if not piece.endswith(spelled[i], at, until):
            return known
        known[i] = until - len(spelled[i]), until
        until -= len(spelled[i])
    if len(holes) == 1:
        known[holes[0]] = at, until
    return known


def _asked(
    answer: tuple[Ids, Int64, Int64, list[bytes]],
    text: bytes,
    ids: Ids,
    spelled: list[bytes],
    unknown: int | None,
) -> Places:
    """Return where a library says that tokens lie, as far as that is so; see `ChangingModel.places`."""
    their_ids, begins, stops, parts = answer
    starts, ends = (np.full(ids.size, NOWHERE, dtype=np.int64) for _ in range(2))
    if not np.array_equal(their_ids, ids):
        return starts, ends
    # From characters to bytes.
    is_first = np.frombuffer(text, dtype=np.uint8) & 0xC0 != 0x80
    place = np.append(np.flatnonzero(is_first), len(text))
    bare = functools.cache(_bare)
    becomes = [
        i == unknown or bare(p) == bare(t) for i, p, t in zip(ids, parts, spelled, strict=True)
    ]
    # Of tokens that share a character nobody knows which bytes are whose.
    reached = np.maximum.accumulate(np.append(0, stops))
    apart = (begins >= reached[:-1]) & (stops >= begins)
    apart[:-1] &= np.minimum.accumulate(begins[::-1])[::-1][1:] >= stops[:-1]
    sure = apart & np.array(becomes, dtype=np.bool_)
    starts[sure], ends[sure] = place[begins[sure]], place[stops[sure]]
    return starts, ends


def _bare(spelled: bytes) -> bytes:
    """Return what is spelled without spaces, which libraries add and take away."""
    return b"".join(spelled.replace(_MARK, b" ").split())
