"""Split patterns as automata over character classes.

A pattern is parsed, Unicode is partitioned into the classes that it tells apart, the tables are
constructed and compared with the `regex` library, and the result is stored for the next time.

Look-ahead over one character costs nothing, for whether a match may end is asked of a state *and*
the character that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import regex

from toktk.cache import Store
from toktk.errors import PatternError
from toktk.pretokenizers import syntax
from toktk.pretokenizers.construction import construct
from toktk.pretokenizers.unicode import CODE_POINTS, partition_unicode
from toktk.pretokenizers.verification import verify

Arrays = dict[str, npt.NDArray[Any]]


class _HasArrays(Protocol):
    def arrays(self) -> Arrays: ...


Tables = TypeVar("Tables", bound=_HasArrays)

_FORMAT = 2


@dataclass(frozen=True, eq=False)
class Automaton:
    """The tables of a compiled split pattern.

    Attributes:
        class_of: uint8[0x110000], code point to character class, 0 to C-1.
        next_state: int16[S, C], the state after a character of a class; -1 when no match can
            follow. State 0 is the start.
        accept: bool[S, C + 1]: in this state, a match may end before a character of this class
            (column C: before the end of the text). Never true of the start state: a match holds
            at least one character. The last position so accepted ends the match; a position
            after which another is certain to be accepted is not marked.
        pattern: what was compiled.
        unicode_version: whose character tables the classes are.
    """

    class_of: npt.NDArray[np.uint8]
    next_state: npt.NDArray[np.int16]
    accept: npt.NDArray[np.bool_]
    pattern: str
    unicode_version: str

    def arrays(self) -> Arrays:
        """Return the tables by name, for storing."""
        return {name: getattr(self, name) for name in ("class_of", "next_state", "accept")}


def compile_pattern(pattern: str) -> Automaton:
    """Compile `pattern` to an automaton, or load what an earlier call stored.

    A match that is empty counts as no match, as if the pattern did not apply there.

    Raises:
        PatternError: the pattern is outside the subset of `toktk.pretokenizers.syntax`, too large,
            or does not match what the `regex` library matches (some possessive quantifiers).
    """
    version = unicode_version()

    def load(arrays: Arrays) -> Automaton:
        automaton = Automaton(**arrays, pattern=pattern, unicode_version=version)
        if not _is_sound(automaton):
            raise ValueError("not an automaton")
        return automaton

    key = ["automaton", _FORMAT, version, pattern]
    return stored(key, load, lambda: _compile(pattern, version))


def unicode_version() -> str:
    """Return whose character tables patterns are compiled with."""
    return f"regex {regex.__version__}"


def stored(key: list[Any], load: Callable[[Arrays], Tables], make: Callable[[], Tables]) -> Tables:
    """Return the tables stored under `key`, or make and store them.

    The key holds a format's number instead of a hash of toktk's sources: to compile a pattern again takes
    up to a second, which an edit anywhere else is no reason for.
    """

    def read(folder: Path) -> Tables:
        with np.load(folder / "tables.npz", allow_pickle=False) as arrays:
            return load(dict(arrays))

    store = Store()
    tables = store.read("patterns", key, read, code=None)
    if tables is not None:
        return tables
    made = make()

    def save(folder: Path) -> None:
        np.savez_compressed(folder / "tables.npz", allow_pickle=False, **made.arrays())

    store.write("patterns", key, save, code=None)
    return made


def _compile(pattern: str, version: str) -> Automaton:
    tree = syntax.parse(pattern)
    try:
        matcher = regex.compile(pattern, regex.V0)
        unicode = partition_unicode(syntax.character_sets(tree), boundaries="\n")
    except regex.error as error:
        raise PatternError(
            f"cannot compile the pattern {pattern!r}: the regex library finds {error}."
        ) from error
    class_of, next_state, accept = construct(tree, unicode, pattern)
    automaton = Automaton(
        np.ascontiguousarray(class_of, dtype=np.uint8),
        np.ascontiguousarray(next_state, dtype=np.int16),
        np.ascontiguousarray(accept),
        pattern,
        version,
    )
    verify(automaton.class_of, automaton.next_state, automaton.accept, unicode, matcher)
    return automaton


def _is_sound(automaton: Automaton) -> bool:
    """Check layouts, types and ranges: kernels index with these tables unchecked."""
    class_of, next_state, accept = automaton.class_of, automaton.next_state, automaton.accept
    if not all(a.flags.c_contiguous for a in (class_of, next_state, accept)):
        return False
    if [a.dtype.str for a in (class_of, next_state, accept)] != ["|u1", "<i2", "|b1"]:
        return False
    if class_of.shape != (CODE_POINTS,) or next_state.ndim != 2 or 0 in next_state.shape:
        return False
    states, classes = next_state.shape
    return bool(
        accept.shape == (states, classes + 1)
        and class_of.max() < classes
        and next_state.min() >= -1
        and next_state.max() < states
    )
