"""Split patterns as automata over character classes.

A pattern is parsed, Unicode is partitioned into the classes that it tells apart, the tables are
constructed and compared with the `regex` library, and the result is stored for the next time. Those of
known patterns are compared in toktk's tests alone. Which characters a class holds is asked of the library
whose ids are wanted.

Look-ahead over one character costs nothing: whether a match may end depends on the state *and* the
character that follows. Look-ahead over several is read like the match itself, and the state knows how many
of its characters are no part of it: their number is bounded, and short.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import regex

from toktk.arrays import Bytes
from toktk.cache import Store
from toktk.errors import PatternError, clipped
from toktk.pretokenizers import syntax
from toktk.pretokenizers.code_points import CODE_POINTS
from toktk.pretokenizers.construction import (
    MAX_CLASSES,
    Partition,
    construct,
    partition_unicode,
)
from toktk.pretokenizers.patterns import PATTERNS, PUBLISHED
from toktk.pretokenizers.unicode_tables import Library, release

# How many texts the check of an automaton tries.
_EXHAUSTIVE = 5000
_AFTER_STATES = 5000
_RANDOM = 2000
_LONGEST = 12  # characters
_PATIENCE = 5  # seconds; published patterns take less than one
_SAMPLES = 4  # characters of a class


@dataclass(frozen=True, eq=False)
class Tables(ABC):
    """Arrays that are made of a pattern once, and that kernels index with unchecked."""

    # The number of the stored format; data type and dimensions of each array.
    FORMAT: ClassVar[int]
    LAYOUT: ClassVar[tuple[tuple[str, int], ...]]

    @functools.cached_property
    def tables(self) -> tuple[Any, ...]:
        """The arrays in the order of the attributes, as kernels take them."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def stored(cls, pattern: str, library: Library, make: Callable[[], Self]) -> Self:
        """Return what is stored for `pattern` with a library's character tables, or make and store it.

        The key holds the number of a format instead of a hash of toktk's sources: compiling a
        pattern takes up to a second, and an edit anywhere else is no reason to do it again.
        """
        key = [cls.__name__.lower(), cls.FORMAT, release("regex"), pattern]
        if library != "regex":
            key.append(release(library))
        store = Store()
        tables = store.read("patterns", key, cls._load, code=None)
        if tables is None:
            tables = make()
            store.write("patterns", key, tables._save, code=None)
        return tables

    @classmethod
    def _load(cls, folder: Path) -> Self:
        # Given a path, numpy would not close a file that is no zip file.
        with (
            (folder / "tables.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            tables = cls(**arrays)
        if not tables.is_sound():
            raise ValueError("tables that lead out of bounds")
        return tables

    def _save(self, folder: Path) -> None:
        np.savez(folder / "tables.npz", allow_pickle=False, **asdict(self))

    def is_sound(self) -> bool:
        """Check layout and ranges, since anybody may have written what is stored."""
        return (
            tuple((array.dtype, array.ndim) for array in self.tables) == self.LAYOUT
            and all(array.size and array.flags.c_contiguous for array in self.tables)
            and self._is_in_range()
        )

    @abstractmethod
    def _is_in_range(self) -> bool: ...


def within(array: npt.NDArray[Any], least: int, most: int) -> bool:
    """Tell whether all values are from `least` to `most`."""
    return least <= int(array.min()) and int(array.max()) <= most


@dataclass(frozen=True, eq=False)
class Automaton(Tables):
    """The tables of a compiled split pattern.

    Attributes:
        class_of: uint8[0x110000], code point to character class, 0 to C-1.
        next_state: int16[S, C], the state after a character of a class; -1 when no match can
            follow. State 0 is the start.
        accept: uint16[S, C + 1]: not 0: in this state, a match may be complete before a character of this
            class (column C: before the end of the text), and ends so many characters less one before that.
            Always 0 in the start state. Of the positions accepted, the last counts; a position is not
            marked where a later one is certain to be accepted. A match of no character is none.
    """

    FORMAT = 3
    LAYOUT = (("u1", 1), ("i2", 2), ("u2", 2))

    class_of: Bytes
    next_state: npt.NDArray[np.int16]
    accept: npt.NDArray[np.uint16]

    def _is_in_range(self) -> bool:
        states, classes = self.next_state.shape
        return (
            self.class_of.size == CODE_POINTS
            and self.accept.shape == (states, classes + 1)
            and within(self.class_of, 0, min(classes, MAX_CLASSES) - 1)
            and within(self.next_state, -1, states - 1)
        )


def compile_pattern(pattern: str, library: Library = "regex") -> Automaton:
    """Compile `pattern` to an automaton, or load what an earlier call stored.

    The characters of its classes are those that `library` has in them.

    A match that is empty counts as no match, as if the pattern did not apply there.

    Raises:
        PatternError: the pattern is outside the subset of `toktk.pretokenizers.syntax`, too large,
            or does not match what the `regex` library matches (some possessive quantifiers); `library`
            does not read one of its classes.
    """
    return Automaton.stored(pattern, library, lambda: _compile(pattern, library))


def _compile(pattern: str, library: Library = "regex") -> Automaton:
    tree = syntax.parse(pattern)
    try:
        matcher = regex.compile(pattern, regex.V0)
        unicode = partition_unicode(syntax.character_sets(tree), "\n", library)
        is_compared = pattern not in _compared_in_tests()
        if is_compared:  # what is wrong with a set is found here
            _ = unicode.familiar
    except regex.error as error:
        raise PatternError(
            f"cannot compile the pattern {clipped(pattern, 200)}: the regex library finds {error}."
        ) from error
    automaton = Automaton(*construct(tree, unicode, pattern))
    if is_compared:
        verify(automaton, unicode, matcher)
    return automaton


@functools.cache
def _compared_in_tests() -> frozenset[str]:
    """Return the known patterns, as they are and as other libraries are given them."""
    patterns = (*PATTERNS.values(), *PUBLISHED)
    return frozenset([*patterns, *map(syntax.portable, patterns)])


def sure_states(next_state: npt.NDArray[Any], accept: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return bool[S]: in which states there is a match, whatever follows."""
    sure: npt.NDArray[np.bool_] = accept[:, -1] == 1  # all but those that do not hold this
    while True:
        goes_on = (next_state >= 0) & sure[next_state]
        still = sure & (goes_on | (accept[:, :-1] == 1)).all(axis=1)
        if (still == sure).all():
            return sure
        sure = still


def match_length(
    next_state: Sequence[Sequence[int]], accept: Sequence[Sequence[int]], classes: Sequence[int]
) -> int:
    """Return how many characters the match at the start of `classes` holds; 0 is no match."""
    state = 0
    length = 0
    for position, symbol in enumerate(classes):
        if end := accept[state][symbol]:
            length = position - (end - 1)
        state = next_state[state][symbol]
        if state < 0:
            return length
    end = accept[state][-1]
    return len(classes) - (end - 1) if end else length


def verify(automaton: Automaton, unicode: Partition, matcher: Any) -> None:
    """Compare the automaton with `matcher`, a compiled regex, on some 10,000 short texts.

    They are all texts of a few characters, all pairs of characters after every state, and random
    walks, with several representatives of each class of `unicode`, of those that `matcher` has in the
    same class. The choice is always the same.

    Raises:
        PatternError: the two differ.
    """
    next_state, accept = automaton.next_state.tolist(), automaton.accept.tolist()
    # Characters of each class of `unicode`: the first, the last, and two between.
    samples = []
    familiar = np.flatnonzero(unicode.familiar)
    by_class = familiar[np.argsort(unicode.class_of[familiar], kind="stable")]
    sizes = np.bincount(unicode.class_of[familiar], minlength=unicode.size)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        if size:
            places = np.unique(np.linspace(end - size, end - 1, _SAMPLES).astype(np.int64))
            samples.append([chr(code) for code in by_class[places]])
    chance = random.Random(0)
    columns = automaton.class_of[[ord(group[0]) for group in samples]].tolist()
    end = time.thread_time() + _PATIENCE
    for symbols in _texts(next_state, columns, chance):
        text = "".join(chance.choice(samples[symbol]) for symbol in symbols)
        match = _matched(matcher, text, end)
        expected = match.end() if match else 0
        length = match_length(next_state, accept, [columns[symbol] for symbol in symbols])
        if length != expected:
            raise PatternError(
                f"the pattern {clipped(matcher.pattern, 200)} cannot be compiled exactly.",
                f"Found: of {text!r} the regex library matches {text[:expected]!r}, the automaton "
                f"{text[:length]!r}.",
                "A possessive quantifier that keeps what the rest would need, or '$' before a "
                "final line feed, does this (write '\\z'); or let the regex library run it.",
            )


def _matched(matcher: Any, text: str, end: float) -> Any:
    """Return how `matcher` matches at the start of `text`; the thread may work until `end`, in seconds."""
    if time.thread_time() < end:
        with contextlib.suppress(TimeoutError):
            return matcher.match(text, timeout=_PATIENCE)
    raise PatternError(
        f"the pattern {clipped(matcher.pattern, 200)} cannot be compiled: it is not verified.",
        f"Found: the regex library takes more than {_PATIENCE} s for short texts such as {text[:80]!r}.",
    )


def _texts(
    next_state: list[list[int]], columns: list[int], chance: random.Random
) -> Iterator[Sequence[int]]:
    """Yield texts as classes of the partition; `columns` maps those to the automaton's."""
    symbols = range(len(columns))
    for length in range(1, _LONGEST + 1):
        if len(symbols) ** length <= _EXHAUSTIVE:
            yield from itertools.product(symbols, repeat=length)
    # A shortest text that leads to each state, then any two characters.
    access: dict[int, tuple[int, ...]] = {0: ()}
    queue = [0]
    for state in queue:
        for symbol, column in enumerate(columns):
            target = next_state[state][column]
            if target >= 0 and target not in access:
                access[target] = (*access[state], symbol)
                queue.append(target)
    pairs = list(itertools.product(symbols, repeat=2))
    for text in access.values():
        for pair in chance.sample(pairs, min(len(pairs), 1 + _AFTER_STATES // len(access))):
            yield (*text, *pair)
    # Random texts that mostly keep the automaton alive.
    for _ in range(_RANDOM):
        walk: list[int] = []
        state = 0
        for _ in range(chance.randint(1, _LONGEST)):
            alive = [s for s in symbols if next_state[state][columns[s]] >= 0]
            if not alive or chance.random() < 0.1:
                alive = list(symbols)
            walk.append(chance.choice(alive))
            state = max(next_state[state][columns[walk[-1]]], 0)
        yield walk
