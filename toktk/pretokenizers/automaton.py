"""Split patterns as automata over character classes.

A pattern is parsed, Unicode is partitioned into the classes that it tells apart, the tables are
constructed and compared with the `regex` library, and the result is stored for the next time.

Look-ahead over one character costs nothing, for whether a match may end is asked of a state *and*
the character that follows.
"""

from __future__ import annotations

import contextlib
import hashlib
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import regex

from toktk import paths
from toktk.errors import PatternError, StorageError
from toktk.pretokenizers import syntax
from toktk.pretokenizers.construction import construct
from toktk.pretokenizers.unicode import partition_unicode
from toktk.pretokenizers.verification import verify

_FORMAT = 1
_UNICODE = 0x110000


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


def compile_pattern(pattern: str) -> Automaton:
    """Compile `pattern` to an automaton, or load what an earlier call stored.

    A match that is empty counts as no match, as if the pattern did not apply there.
    Results are kept under `toktk.paths.home()`; a copy that cannot be read or written is ignored.

    Raises:
        PatternError: the pattern is outside the subset of `toktk.pretokenizers.syntax`, too large,
            or does not match what the `regex` library matches (some possessive quantifiers).
    """
    version = f"regex {regex.__version__}"
    key = hashlib.sha256(f"{_FORMAT}\0{version}\0{pattern}".encode("utf-8", "surrogatepass"))
    path = paths.home() / "patterns" / f"{key.hexdigest()}.npz"
    automaton = _load(path, pattern, version)
    if automaton is None:
        automaton = _compile(pattern, version)
        _store(path, automaton)
    return automaton


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


def _load(path: Path, pattern: str, version: str) -> Automaton | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tables = arrays["class_of"], arrays["next_state"], arrays["accept"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError):
        return None  # RuntimeError: what zipfile does not do, encryption for one
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError):
        return None
    automaton = Automaton(*tables, pattern, version)
    return automaton if _is_sound(automaton) else None


def _is_sound(automaton: Automaton) -> bool:
    """Check layouts, types and ranges: kernels index with these tables unchecked."""
    class_of, next_state, accept = automaton.class_of, automaton.next_state, automaton.accept
    if not all(a.flags.c_contiguous for a in (class_of, next_state, accept)):
        return False
    if [a.dtype.str for a in (class_of, next_state, accept)] != ["|u1", "<i2", "|b1"]:
        return False
    if class_of.shape != (_UNICODE,) or next_state.ndim != 2 or 0 in next_state.shape:
        return False
    states, classes = next_state.shape
    return bool(
        accept.shape == (states, classes + 1)
        and class_of.max() < classes
        and next_state.min() >= -1
        and next_state.max() < states
    )


def _store(path: Path, automaton: Automaton) -> None:
    tables = {name: getattr(automaton, name) for name in ("class_of", "next_state", "accept")}
    with (
        contextlib.suppress(StorageError),
        paths.atomic_write(path) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez_compressed(file, **tables)
