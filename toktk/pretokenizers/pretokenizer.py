"""Pretokenizer: a named split pattern, compiled to tables or run by the `regex` library.

The slow twin is `toktk.educational.cut`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from toktk.arrays import Bytes, Int64, packed, read_only
from toktk.errors import PatternError, clipped, did_you_mean
from toktk.normalizers.normalizer import IDENTITY, Atoms, Normalizer, find_parts
from toktk.pretokenizers import fallback, syntax
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.joining import joined
from toktk.pretokenizers.patterns import (
    CUTS,
    OTHER_NAMES,
    PATTERNS,
    PRETOKENIZERS,
    name_of,
    text_hash,
)
from toktk.pretokenizers.transducer import Transducer, build
from toktk.pretokenizers.unicode_tables import Library, needs_tables, release
from toktk.registry import guarded

DEFAULT_LIBRARY: Library = "tokenizers"
"""Whose character tables a pretokenizer has that a user names."""

_KEPT = 128  # compiled patterns in memory
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[\w.:/-]+", re.ASCII)


class Pieces(NamedTuple):
    """The pieces of all documents, one after the other.

    Attributes:
        data: uint8, UTF-8. offsets: int64[n + 1]: piece p is ``data[offsets[p]:offsets[p + 1]]``.
        documents: int64[D + 1]: document d has the pieces from ``documents[d]`` to ``documents[d + 1]``.
    """

    data: Bytes
    offsets: Int64
    documents: Int64


@dataclass(frozen=True)
class Pretokenizer:
    """A split pattern: matches are pieces, and what lies between two matches is a piece too.

    Nothing is dropped: joined, the pieces of a text are the normalized text. Trainers use the
    pattern alone, which normalizes nothing. Published tokenizers may do more before.

    Attributes:
        name: as listed by ``toktk ls pretokenizers``, or ``regex-<hash>``.
        pattern: a regular expression in the syntax of the `regex` library.
        before: patterns that cut first, in turn. Each one cuts the pieces of the last, matches and
            gaps, as texts of their own, like Hugging Face's Sequence of Split "isolated".
        normalizer: changes the text before it is cut.
        added: strings that are pieces wherever they occur in the raw document, leftmost and then
            longest. The text between them is normalized and cut as documents of its own.
        library: whose Unicode tables say which characters the classes of the patterns hold.

    Raises:
        PatternError: an added string is empty; it or a pattern holds a lone surrogate.
    """

    name: str
    pattern: str
    before: tuple[str, ...] = ()
    normalizer: Normalizer = IDENTITY
    added: tuple[str, ...] = ()
    library: Library = "regex"

    def __post_init__(self) -> None:
        if _SURROGATE.search("".join((self.pattern, *self.before))):
            raise PatternError(
                f"the pattern {clipped(self.pattern, 200)} matches no text.",
                "Found: a lone surrogate, or a byte that is no UTF-8.",
                "Write it in UTF-8.",
            )
        if not all(self.added) or _SURROGATE.search("".join(self.added)):
            wrong = next(string for string in self.added if not string or _SURROGATE.search(string))
            raise PatternError(
                f"{clipped(wrong)} cannot be a piece by itself.",
                "An added string is not empty, and holds no lone surrogate.",
            )

    @classmethod
    def of(cls, wanted: str | Pretokenizer) -> Pretokenizer:
        r"""Return the pretokenizer of a known name, of a plug-in, or of a pattern; or `wanted` itself.

        It has the character tables of Hugging Face tokenizers, which so gives the same ids from the
        file that toktk writes. A pattern's ``\w`` is spelled out, as libraries differ in it. What
        consists of letters, digits and ``_ . : / -`` alone is a name, anything else a pattern.

        Raises:
            PatternError: an unknown name, or a plug-in that gives something else.
            PluginError: a plug-in that cannot be loaded, or fails.
        """
        if isinstance(wanted, Pretokenizer):
            return wanted
        if wanted in PATTERNS:
            return cls(wanted, PATTERNS[wanted], library=DEFAULT_LIBRARY)
        if wanted not in (known := PRETOKENIZERS.names()):
            if not wanted or _NAME.fullmatch(wanted):
                raise PatternError(
                    f"unknown pretokenizer {wanted!r}{did_you_mean(wanted, known, OTHER_NAMES)}.",
                    f"Known: {', '.join(map(_with_owner, known))}.",
                    "Or give a regular expression, such as ' ?\\S+|\\s+'.",
                )
            return cls._spelled_out(wanted)
        target = PRETOKENIZERS.load(wanted)
        with guarded(f"the pretokenizer {wanted!r}", target):
            pretokenizer = target() if callable(target) else cls._spelled_out(str(target), wanted)
        if not isinstance(pretokenizer, cls):
            raise PatternError(
                f"the pretokenizer plug-in {wanted!r} gave a {type(pretokenizer).__name__}.",
                "It must be a pattern, or a function that returns a toktk Pretokenizer.",
            )
        return pretokenizer

    @classmethod
    def _spelled_out(cls, pattern: str, name: str = "") -> Pretokenizer:
        pattern = syntax.spelled_out(pattern)
        return cls(name or name_of(pattern), pattern, library=DEFAULT_LIBRARY)

    @classmethod
    def from_json(cls, parts: list[Any]) -> Pretokenizer:
        """Return the pretokenizer of which `to_json` gave `parts`."""
        name, pattern, library, before, normalizer, added = [*parts, (), {}, ()][:6]
        return cls(name, pattern, tuple(before), Normalizer(**normalizer), tuple(added), library)

    def to_json(self) -> list[Any]:
        """Return the attributes, JSON-able; those after the library are left out if all are default."""
        rest = [] if self.is_plain else [self.before, asdict(self.normalizer), self.added]
        return [self.name, self.pattern, self.library, *rest]

    @property
    def is_plain(self) -> bool:
        """Whether the pattern, with its tables, determines the pieces."""
        return not self.before and not self.added and self.normalizer.is_identity

    @functools.cached_property
    def key(self) -> str:
        """All that determines the pieces: the pattern alone where the rest is default.

        What Unicode tables make of it is part of it, so libraries whose tables agree give the same key.
        """
        return self.key_of(self.pattern, self.before)

    def key_of(self, pattern: str, before: Sequence[str]) -> str:
        """Return the key with the patterns as another text has them, which must cut alike."""
        tables = [_tables_hash(each, self.library) for each in (self.pattern, *self.before)]
        if self.is_plain and not tables[0]:
            return pattern
        rest = (
            [before, asdict(self.normalizer), sorted(set(self.added))] if not self.is_plain else []
        )
        return f"{pattern}\0{text_hash(json.dumps([tables, rest]))}"

    def compile(self) -> Transducer | None:
        """Return the tables of what `prepare` leaves to cut; None where the `regex` library cuts.

        They are of all patterns in turn where one automaton cuts as those do, else of the last.

        Raises:
            PatternError: the `regex` library does not understand the pattern either.
        """
        return self._joined or _compiled(self.pattern, self.library)

    @property
    def _joined(self) -> Transducer | None:
        if not self.before:
            return None
        return _compiled_in_turn((*self.before, self.pattern), self.library)

    @property
    def signature(self) -> str:
        """Name, hash of the key and version of the character tables."""
        normalizer = "" if self.normalizer.is_identity else f"|{self.normalizer.signature}"
        key = text_hash(self.key)[:8]
        tables = release(self.library if self.compile() else "regex").replace(" ", ":")
        return f"{self.name}@{key}|{tables}{normalizer}"

    def cut(self, text: str) -> list[str]:
        """Return the pieces of `text`, which joined are the normalized text.

        Raises:
            PatternError: the text holds a lone surrogate, which has no UTF-8.
        """
        try:
            return [piece.decode() for piece in self.cut_bytes(text.encode())]
        except UnicodeEncodeError as error:
            raise PatternError(
                "cannot cut text that holds a lone surrogate.",
                f"Found: U+{ord(text[error.start]):04X} at character {error.start}.",
                "Decode the text with errors='replace'.",
            ) from error

    def cut_bytes(self, text: bytes) -> list[bytes]:
        """Return the pieces of `text`, which must be UTF-8."""
        data = np.frombuffer(text, dtype=np.uint8)
        pieces = self.cut_batch(data, np.array([0, data.size], dtype=np.int64))
        raw = text if pieces.data is data else pieces.data.tobytes()
        return [raw[a:b] for a, b in itertools.pairwise(pieces.offsets.tolist())]

    def cut_batch(self, data: Bytes, offsets: Int64) -> Pieces:
        """Return the pieces of the documents ``data[offsets[d]:offsets[d + 1]]``, UTF-8."""
        data, parts, owner, atoms = self.prepare(data, offsets)
        cuts, firsts = self.cut_parts(data, parts, atoms)
        if owner is not None:
            firsts = firsts[np.searchsorted(owner, np.arange(offsets.size))]
        return Pieces(data, cuts, firsts)

    def prepare(self, data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, Int64 | None, Atoms]:
        """Split documents into the parts that `cut_parts` is to cut, all but the atoms.

        Where there is nothing to do, the objects given come back.

        Returns:
            data and offsets int64[n + 1] of the parts; owner int64[n], ascending: the document that each
            part belongs to, or None: part i is document i; atoms bool[n]: the part is an added string,
            and a piece as it is, or None: no part is.
        """
        owner = atoms = None
        if self.added:
            from toktk.kernels.normalize import find_strings

            places = find_parts(find_strings, data, offsets, *_trie(self.added))
            if places.size > 0:
                # A stable sort merges two sorted runs. No part is empty.
                parts = np.sort(np.concatenate([offsets, places.ravel()]), kind="stable")
                parts = parts[np.concatenate([[True], parts[1:] != parts[:-1]])]
                owner = np.searchsorted(offsets, parts[:-1], side="right") - 1
                atoms = np.zeros(owner.size, dtype=np.bool_)
                atoms[np.searchsorted(parts, places[:, 0])] = True
                offsets = parts
        if not self.normalizer.is_identity:
            data, offsets = self.normalizer.apply(data, offsets, atoms)
        for pattern in () if self._joined else self.before:
            step = Pretokenizer(self.name, pattern, library=self.library)
            offsets, firsts = step.cut_parts(data, offsets, atoms)
            lengths = np.diff(firsts)
            owner = np.repeat(np.arange(lengths.size) if owner is None else owner, lengths)
            atoms = None if atoms is None else np.repeat(atoms, lengths)
        return data, offsets, owner, atoms

    def cut_parts(self, data: Bytes, offsets: Int64, atoms: Atoms) -> tuple[Int64, Int64]:
        """Cut what `prepare` gave.

        Returns:
            Offsets int64[n + 1] of the pieces in `data`, and the first piece of each part, int64[parts + 1].
        """
        compiled = self.compile()
        if compiled is None:
            ends, firsts = fallback.cut(self.pattern, data, offsets)
        else:
            from toktk.kernels.scan import cut_batch, own_workspace

            # So that the kernel compiles once.
            data, offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
            ends = np.empty(int(offsets[-1] - offsets[0]) + 1, dtype=np.int64)
            firsts = np.empty(offsets.size, dtype=np.int64)
            n = cut_batch(data, offsets, compiled.tables, own_workspace(), ends, firsts)
            ends = ends[: int(n)]
        if atoms is not None:  # atoms were cut like the rest: keep only the last end of each
            is_end = np.repeat(~atoms, np.diff(firsts))
            is_end[firsts[1:][atoms] - 1] = True
            ends = ends[is_end]
            firsts = np.concatenate([[0], np.cumsum(is_end)])[firsts]
        return np.concatenate([offsets[:1], ends]), firsts


def pretokenizers_of(
    names: Sequence[str], own_patterns: Sequence[str] = ()
) -> tuple[Pretokenizer, ...]:
    """Return the pretokenizers of these names and patterns, each once.

    Raises:
        PatternError: an unknown name, or a pattern that nobody understands.
    """
    chosen = [Pretokenizer.of(name) for name in names]
    chosen += [Pretokenizer._spelled_out(pattern) for pattern in own_patterns]
    for pretokenizer in chosen:
        pretokenizer.compile()  # an error comes early
    return tuple(dict.fromkeys(chosen))


def _with_owner(name: str) -> str:
    owner = CUTS[name].of if name in CUTS else ""
    return f"{name} ({owner})" if owner else name


@functools.lru_cache(maxsize=32)
def _trie(strings: tuple[str, ...]) -> tuple[Int64, Bytes]:
    """Return what finds `strings`: the table of a trie, and for each byte whether one begins with it."""
    from toktk.kernels.unigram_encode import fill_trie

    data, offsets = packed([string.encode() for string in sorted(set(strings))])
    table = np.full(max(512, 1 << data.size.bit_length() + 1), -1, dtype=np.int64)
    ends = np.full(data.size + 1, -1, dtype=np.int64)
    fill_trie(data, offsets, np.arange(offsets.size - 1), table, ends)
    begins = np.zeros(256, dtype=np.uint8)
    begins[data[offsets[:-1]]] = 1
    return table, begins


@functools.lru_cache(maxsize=_KEPT)
def _compiled(pattern: str, library: Library) -> Transducer | None:
    try:
        make = functools.partial(_built, pattern, library)
        return Transducer.stored(pattern, library, make)
    except PatternError:
        fallback.check(pattern)  # an error for the user, if the regex library cannot run it either
        return None


def _built(pattern: str, library: Library) -> Transducer:
    return build(compile_pattern(pattern, library))


@functools.lru_cache(maxsize=_KEPT)
def _compiled_in_turn(patterns: tuple[str, ...], library: Library) -> Transducer | None:
    """Return the tables that cut as several patterns in turn; None where there are none."""
    if any(_compiled(pattern, library) is None for pattern in patterns):
        return None
    make = functools.partial(_built_in_turn, patterns, library)
    with contextlib.suppress(PatternError):
        return Transducer.stored("\0".join(patterns), library, make)
    return None


def _built_in_turn(patterns: tuple[str, ...], library: Library) -> Transducer:
    found = joined([compile_pattern(pattern, library) for pattern in patterns])
    if found is None:
        raise PatternError("these patterns are not one automaton.", "Cut by each in turn.")
    return build(*found)


@functools.lru_cache(maxsize=_KEPT)
def _tables_hash(pattern: str, library: Library) -> str:
    """Return a hash of what Unicode tables make of a pattern; empty where it does not ask them."""
    if not needs_tables(pattern):
        return ""
    compiled = _compiled(pattern, library)
    if compiled is None:
        return release("regex")
    # As few bytes as its numbers need: with the width of an array the hash, and all signatures, would move.
    accept = compiled.accept.astype(np.min_scalar_type(int(compiled.accept.max(initial=0))))
    automaton = (compiled.bytes_table, compiled.next_state, accept)
    return hashlib.sha256(b"".join(table.tobytes() for table in automaton)).hexdigest()
