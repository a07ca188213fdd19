"""Normalizer: what happens to a document before it is cut.

A character is *stable* in a form if the form never changes it, never combines it with a character before
it and never moves it: canonical combining class 0 and Quick_Check=Yes, in the terms of Unicode's
annex 15. Text may be cut in front of a stable character and normalized in parts.

Hugging Face's `tokenizers` has older tables than Python. To the library, a character that is younger than
its tables is *plain*: it has no decomposition, class 0 and combines with nothing. So it is stable here too.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, read_only
from toktk.cache import Store
from toktk.errors import PatternError

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
Prefix = Literal["never", "always", "unless_space"]
Atoms = npt.NDArray[np.bool_] | None

STABLE, DOUBTFUL = 0, 255
END = 0x30000  # all characters above are stable in every form

# Vowels and final consonants of Hangul combine by rule, so no decomposition lists them.
_FORMAT, _STABILITY = 1, "stability.npy"  # of what is kept
_SCALARS = ((0x80, 0xD800), (0xE000, END))  # all but ASCII and surrogates
_JAMO = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]


@dataclass(frozen=True)
class Normalizer:
    """Changes to a document, in this order; by default none.

    Attributes:
        form: a Unicode normalization form, equal to that of Hugging Face's `tokenizers`, which
            leaves characters alone that are younger than its Unicode tables. Only the few
            characters around one that may change go through `unicodedata`.
        marks: U+2581, SentencePiece's space, becomes a space; toktk's models hold spaces only.
        prefix: a space is put in front of every document that is not empty; ``unless_space``: only
            where it does not begin with a space.

    Raises:
        PatternError: an unknown form or prefix.
    """

    form: Form | None = None
    marks: bool = False
    prefix: Prefix = "never"

    def __post_init__(self) -> None:
        forms, prefixes = get_args(Form), get_args(Prefix)
        if self.form not in (None, *forms):
            raise PatternError(
                f"unknown normalization form {self.form!r}.", f"Known: {', '.join(forms)}."
            )
        if self.prefix not in prefixes:
            raise PatternError(f"unknown prefix {self.prefix!r}.", f"Known: {', '.join(prefixes)}.")

    @property
    def is_identity(self) -> bool:
        """Whether every text stays as it is."""
        return self == IDENTITY

    @property
    def signature(self) -> str:
        """What changes, and by which Unicode tables; an empty string for the identity."""
        tables = f"unicode{unicodedata.unidata_version}:tokenizers{version('tokenizers')}"
        form = f"{self.form}:{tables}" if self.form else ""
        prefix = f"prefix:{self.prefix}" if self.prefix != "never" else ""
        return "+".join(filter(None, (form, "marks" if self.marks else "", prefix)))

    def apply(self, data: Bytes, offsets: Int64, atoms: Atoms = None) -> tuple[Bytes, Int64]:
        """Return the normalized documents; where nothing changes, the objects given.

        Document d is ``data[offsets[d]:offsets[d + 1]]``; where ``atoms[d]``, only U+2581 may change.
        """
        if self.form is not None:
            data, offsets = _to_form(data, offsets, self.form, atoms)
        if self.marks:
            data, offsets = _without_marks(data, offsets)
        if self.prefix != "never":
            data, offsets = self._prefixed(data, offsets, atoms)
        return data, offsets

    def _prefixed(self, data: Bytes, offsets: Int64, atoms: Atoms) -> tuple[Bytes, Int64]:
        from toktk.kernels.normalize import SPACE, prefix_spaces

        starts = offsets[:-1]
        gains = offsets[1:] > starts
        if atoms is not None:
            gains &= ~atoms
        if self.prefix == "unless_space":
            gains[gains] = data[starts[gains]] != SPACE
        n = int(np.count_nonzero(gains))
        if n == 0:
            return data, offsets
        changed = np.empty(int(offsets[-1] - offsets[0]) + n, dtype=np.uint8)
        new_offsets = np.empty(offsets.size, dtype=np.int64)
        prefix_spaces(data, offsets, gains.view(np.uint8), changed, new_offsets)
        return changed, new_offsets


IDENTITY = Normalizer()


def _to_form(data: Bytes, offsets: Int64, form: Form, atoms: Atoms) -> tuple[Bytes, Int64]:
    from toktk.kernels.normalize import find_doubtful

    doubtful = find_parts(find_doubtful, data, offsets, stability(form))
    if atoms is not None:
        doubtful = doubtful[~atoms[np.searchsorted(offsets, doubtful[:, 0], side="right") - 1]]
    if doubtful.size == 0:
        return data, offsets
    first = int(offsets[0])
    raw = data[first : int(offsets[-1])].tobytes()
    normalized: dict[bytes, bytes] = {}  # the same few parts again and again
    parts, gains, at = [], [], 0
    for begin, end in (doubtful - first).tolist():
        part = raw[begin:end]
        if part not in normalized:
            text = part.decode()
            # Only the first character can be plain, and it stays.
            plain = text[:1] if text[:1] in plain_characters() else ""
            normalized[part] = (plain + unicodedata.normalize(form, text[len(plain) :])).encode()
        gains.append(len(normalized[part]) - len(part))
        if normalized[part] != part:
            parts += [raw[at:begin], normalized[part]]
            at = end
    if not parts:
        return data, offsets
    changed = np.frombuffer(b"".join([*parts, raw[at:]]), dtype=np.uint8)
    gained = np.concatenate([[0], np.cumsum(gains)])
    return changed, offsets - first + gained[np.searchsorted(doubtful[:, 1], offsets, side="right")]


def find_parts(
    find: Callable[..., int], data: Bytes, offsets: Int64, *tables: npt.NDArray[Any]
) -> Int64:
    """Return begin and end of the parts that the kernel `find` lists, int64[n, 2]."""
    parts = np.empty(2048 + int(offsets[-1] - offsets[0]) // 32, dtype=np.int64)
    while True:
        n = int(find(data, offsets, *tables, parts))
        if 2 * n <= parts.size:
            return parts[: 2 * n].reshape(n, 2)
        parts = np.empty(2 * n, dtype=np.int64)


def _without_marks(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64]:
    from toktk.kernels.normalize import holds_mark, replace_marks

    first, last = int(offsets[0]), int(offsets[-1])
    if not holds_mark(data, first, last):
        return data, offsets
    changed = np.empty(last - first, dtype=np.uint8)
    new_offsets = np.empty(offsets.size, dtype=np.int64)
    replace_marks(data, offsets, changed, new_offsets)
    return changed[: new_offsets[-1]], new_offsets


@functools.lru_cache(maxsize=4)
def stability(form: Form) -> npt.NDArray[np.uint8]:
    """Return a value for each code point below `END`.

    `STABLE`, as all `plain_characters` are; the combining class, where a character may only be
    moved; or `DOUBTFUL`, where only normalizing tells. They are kept: to find them takes a tenth of a second.
    """
    tables = unicodedata.unidata_version, version("tokenizers")
    store, key = Store(), ["stability", _FORMAT, form, *tables]
    values = store.read("patterns", key, _load, code=None)
    if values is None:
        values = _stability(form)
        array = values
        store.write("patterns", key, lambda folder: np.save(folder / _STABILITY, array), code=None)
    return read_only(values, np.uint8)


def _load(folder: Path) -> npt.NDArray[np.uint8]:
    values: npt.NDArray[np.uint8] = np.load(folder / _STABILITY, allow_pickle=False)
    if values.dtype != np.uint8 or values.shape != (END,):
        raise ValueError("not a value for each code point")
    return values


def _stability(form: Form) -> npt.NDArray[np.uint8]:
    values = np.zeros(END, dtype=np.uint8)
    is_normal = functools.partial(unicodedata.is_normalized, form)
    for begin, end in _SCALARS:
        characters = "".join(map(chr, range(begin, end)))
        of_each = map(unicodedata.combining, characters), map(is_normal, characters)
        classes, normal = (np.fromiter(each, np.uint8, end - begin) for each in of_each)
        values[begin:end] = np.where(normal, classes, DOUBTFUL)
    if form in ("NFC", "NFKC"):
        for character in _special_characters():
            for second in _canonical_pair(character)[1:]:
                values[ord(second)] = DOUBTFUL  # combines with what is before it
        values[_JAMO] = DOUBTFUL
    values[[ord(character) for character in plain_characters()]] = STABLE
    return values


@functools.cache
def _special_characters() -> tuple[str, ...]:
    """Return the characters that have a combining class or a decomposition."""
    characters = "".join(map(chr, range(0x80, END)))
    each = zip(
        characters,
        map(unicodedata.combining, characters),
        map(unicodedata.decomposition, characters),
        strict=True,
    )
    return tuple(character for character, class_, parts in each if class_ or parts)


@functools.cache
def plain_characters() -> frozenset[str]:
    """Return the characters that only Python's tables know; `unicodedata.normalize` must get none."""
    from toktk.hf_library import normalizers

    listed = _special_characters()
    # A plain character keeps a mark of class 240 and one of class 1 apart; around any other they move.
    probes = [f"\u0345{character}\u0334" for character in listed]
    results = normalizers.NFKD().normalize_str("\n".join(probes)).split("\n")
    plain = {c for c, probe, r in zip(listed, probes, results, strict=True) if probe == r}
    # Those too that combine with another only to such a character: a composition is as young as one of
    # its parts, or Unicode would not have it.
    pairs = {c: _canonical_pair(c) for c in listed}
    parts_of_others = {part for c, pair in pairs.items() if c not in plain for part in pair}
    parts = (next((p for p in pairs[c] if p not in parts_of_others), c) for c in plain)
    return frozenset([*plain, *parts])


def _canonical_pair(character: str) -> list[str]:
    parts = unicodedata.decomposition(character).split()
    return [chr(int(part, 16)) for part in parts] if len(parts) == 2 and parts[0][0] != "<" else []


def arises(form: Form, text: str) -> bool:
    """Tell whether the normal form of text that does not hold `text` may hold it.

    It cannot where each character comes from itself alone, and keeps its place.
    """
    return not _made(form).isdisjoint(text)


@functools.cache
def _made(form: Form) -> frozenset[str]:
    """Return the characters that a normal form makes of others, or moves."""
    made: set[str] = set()
    for character in map(chr, [*range(0xD800), *range(0xE000, END)]):
        normal = unicodedata.normalize(form, character)
        if normal != character:
            made.update(normal)
        elif unicodedata.combining(character) or unicodedata.normalize("NFD", character) != normal:
            made.add(character)
    return frozenset(made)
