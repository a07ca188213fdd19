"""From a syntax tree to the tables of an automaton.

The tree becomes a program of jumps and character tests. Sets of program positions, *ordered* by
preference, become states, so that the automaton finds the match that a backtracking matcher
prefers (leftmost, then first), not the longest. Equal states and equal classes are merged.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import regex

from toktk.arrays import Int64, read_only
from toktk.errors import PatternError, clipped
from toktk.pretokenizers import syntax, unicode_tables
from toktk.pretokenizers.code_points import CODE_POINTS
from toktk.pretokenizers.unicode_tables import Library

MAX_CLASSES = 255  # a byte, and one value that is none
_MAX_POSITIONS = 2000
_MAX_STATES = 1000
_MAX_ASKED = 300  # character sets other than one character; each takes some ms
_MAX_WRITTEN = 5000  # characters in which they are written
_MAX_STEPS = 10_000_000  # looked at to find all states; the largest published pattern takes 20,000

_Accept: TypeAlias = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Partition:
    """Classes of code points, and the classes that each character set consists of.

    Attributes:
        class_of: int64[0x110000], code point to class; numbered by first code point.
        size: the number of classes.
        members: for each character set, a bit mask of classes.
        library: whose tables say what is in the sets.
    """

    class_of: Int64
    size: int
    members: dict[syntax.CharacterSet, int]
    library: Library

    @functools.cached_property
    def familiar(self) -> npt.NDArray[np.bool_]:
        """bool[0x110000]: whether `regex` has the code point in the same sets."""
        changes = np.zeros(CODE_POINTS + 1, dtype=np.int64)
        sets = [item.text for item in self.members]
        by_library = unicode_tables.edges_of_each(sets, self.library)
        by_regex = unicode_tables.edges_of_each(sets, "regex")
        for both in zip(by_library, by_regex, strict=True):
            runs = np.setxor1d(*both).reshape(-1, 2)  # of what one of the two has in the set
            changes[runs[:, 0]] += 1
            changes[runs[:, 1]] -= 1
        is_familiar: npt.NDArray[np.bool_] = np.cumsum(changes[:-1]) == 0
        return is_familiar


def partition_unicode(
    sets: Iterable[syntax.CharacterSet], boundaries: str = "", library: Library = "regex"
) -> Partition:
    """Ask a library which code points are in each set, and group those in the same sets.

    Each character of `boundaries` gets a class of its own. Surrogates are code points like others.

    Raises:
        regex.error: a set is malformed.
        PatternError: more sets than a pattern could have positions, or than can be asked in a few
            seconds; a set that the library does not read.
    """
    extra = [syntax.CharacterSet(regex.escape(character)) for character in boundaries]
    distinct = list(dict.fromkeys([*sets, *extra]))
    asked = [len(item.text) for item in distinct if len(item.text) > 1]
    limits = (
        (len(distinct), _MAX_POSITIONS, "characters and sets"),
        (len(asked), _MAX_ASKED, "character sets"),
        (sum(asked), _MAX_WRITTEN, "characters in sets"),
    )
    for n, limit, things in limits:
        if n > limit:
            raise _too_large("|".join(item.text for item in distinct), limit, things)
    edges = unicode_tables.edges_of_each([item.text for item in distinct], library)
    # Between two neighboring edges all code points are alike, so segments stand for them.
    starts = np.unique(np.concatenate([[0], *edges]))
    starts = starts[starts < CODE_POINTS]
    inside = np.array([np.searchsorted(each, starts, side="right") % 2 == 1 for each in edges]).T
    firsts, class_of = number_rows(inside)
    lengths = np.diff(np.append(starts, CODE_POINTS))
    members = {
        item: sum(1 << number for number, segment in enumerate(firsts) if inside[segment, i])
        for i, item in enumerate(distinct)
    }
    return Partition(np.repeat(class_of, lengths), len(firsts), members, library)


def number_rows(rows: npt.NDArray[Any]) -> tuple[Int64, Int64]:
    """Return the first of each kind of row, in order, and for each row the number of its kind."""
    _, firsts, numbers = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return firsts[order], np.argsort(order)[numbers]


@functools.cache
def is_letter_table() -> npt.NDArray[np.uint8]:
    r"""Return whether each code point is a letter, ``\p{L}``: uint8[0x110000], 1 or 0."""
    letters = syntax.CharacterSet(r"\p{L}")
    unicode = partition_unicode([letters])
    return read_only(unicode.members[letters] >> unicode.class_of & 1, np.uint8)


def construct(
    tree: syntax.Node, unicode: Partition, pattern: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16], _Accept]:
    """Return class_of, next_state and accept of the `Automaton` for `tree`; errors quote `pattern`.

    Raises:
        PatternError: the automaton would be too large; `pattern` is only quoted then.
    """
    program = _Program(unicode, pattern)
    start = program.build(tree, program.add(None))
    next_state, accept = minimize(*_normalize(*_determinize(program, start)))
    # Merge the classes between which no state distinguishes, numbered by first code point.
    firsts, merged = number_rows(np.vstack([next_state, accept[:, :-1]]).T)
    if len(firsts) > MAX_CLASSES:
        raise _too_large(pattern, MAX_CLASSES, "character classes")
    return (
        merged[unicode.class_of].astype(np.uint8),
        np.ascontiguousarray(next_state[:, firsts], dtype=np.int16),
        np.ascontiguousarray(accept[:, [*firsts, -1]]),
    )


def _too_large(pattern: str, limit: int, things: str) -> PatternError:
    return PatternError(
        f"the pattern {clipped(pattern, 200)} is too large to compile.",
        f"Found: more than {limit} {things}, which is the limit.",
        "Use smaller counts in {m,n}, or let the regex library run the pattern.",
    )


class _Step(NamedTuple):
    """Go on at every target, the earlier preferred, if the next class is in the bit mask.

    A step that consumes has one target, and never takes the end of the text. Behind a step that `marks`, the
    match holds no more characters.
    """

    targets: tuple[int, ...]
    classes: int
    consumes: bool = False
    marks: bool = False


class _Program:
    """Steps, built from the end of the pattern to its beginning."""

    def __init__(self, unicode: Partition, pattern: str) -> None:
        self.unicode = unicode
        self.pattern = pattern
        self.steps: list[_Step | None] = []  # None: the pattern has matched
        self.end_of_text = 1 << unicode.size
        self.everything = (self.end_of_text << 1) - 1

    def add(self, step: _Step | None) -> int:
        if len(self.steps) == _MAX_POSITIONS:
            raise _too_large(self.pattern, _MAX_POSITIONS, "positions")
        self.steps.append(step)
        return len(self.steps) - 1

    def build(self, node: syntax.Node, target: int) -> int:
        """Add steps that match `node` and go on at `target`; return where they begin."""
        match node:
            case syntax.CharacterSet():
                return self.add(_Step((target,), self.unicode.members[node], consumes=True))
            case syntax.LookAhead():
                classes = self.end_of_text if node.end else 0
                for characters in node.sets:
                    classes |= self.unicode.members[characters]
                if node.negated:
                    classes = self.everything & ~classes
                return self.add(_Step((target,), classes))
            case syntax.Ahead():
                target = self.build(node.item, target)
                return self.add(_Step((target,), self.everything, marks=True))
            case syntax.Sequence():
                for item in reversed(node.items):
                    target = self.build(item, target)
                return target
            case syntax.Alternation():
                targets = tuple(self.build(choice, target) for choice in node.choices)
                return self.add(_Step(targets, self.everything))
            case syntax.Repeat():
                end = target
                if node.most is None:
                    target = self.add(None)  # replaced below: a loop has to name itself
                    self.steps[target] = self.optional(node, target, end)
                for _ in range((node.most or node.least) - node.least):
                    target = self.add(self.optional(node, target, end))
                for _ in range(node.least):
                    n_steps = len(self.steps)
                    target = self.build(node.item, target)
                    if len(self.steps) == n_steps:  # an item that is empty, however often
                        break
                return target

    def optional(self, node: syntax.Repeat, target: int, end: int) -> _Step:
        """Return a step to the item, behind which `target` follows, or to `end`."""
        body = self.build(node.item, target)
        return _Step((body, end) if node.greedy else (end, body), self.everything)


# A thread is a position of the program, the characters read since a mark (None: before any), and the classes
# of the next character for which it is alive: look-ahead and preference are both settled by taking classes
# away from later threads. Of two threads at one position the later never counts, wherever their marks are.
_Target: TypeAlias = tuple[int, int | None]
_Thread: TypeAlias = tuple[int, int | None, int]


def _follow(program: _Program, targets: Sequence[_Target]) -> tuple[_Thread, ...]:
    """Return the threads that start at positions, most preferred first, jumps followed."""
    threads: list[_Thread] = []
    seen: dict[int, int] = {}
    matched = 0
    stack = [(position, back, program.everything) for position, back in reversed(targets)]
    while stack:
        position, back, classes = stack.pop()
        classes &= ~(seen.get(position, 0) | matched)
        if not classes:
            continue
        seen[position] = seen.get(position, 0) | classes
        step = program.steps[position]
        if step is None:
            # Threads that are preferred less than a match never count again.
            matched |= classes
            threads.append((position, back, classes))
        elif not step.consumes:
            back = 0 if step.marks else back
            stack.extend(
                (target, back, classes & step.classes) for target in reversed(step.targets)
            )
        elif classes & step.classes:
            threads.append((position, back, classes & step.classes))
    return tuple(threads)


def _determinize(program: _Program, start: int) -> tuple[Int64, _Accept]:
    """Return next_state [S, C] and accept [S, C + 1] of all states that can be reached."""
    symbols = program.unicode.size
    states = [_follow(program, [(start, None)])]
    # The start is no key here: a state that is reached may end a match, the start may not.
    numbers: dict[tuple[_Thread, ...], int] = {}
    reached: dict[tuple[_Target, ...], int] = {(): -1}
    next_state: list[list[int]] = []
    accept: list[list[int]] = []
    n_steps = 0
    for threads in states:
        n_steps += symbols * len(threads)
        if n_steps > _MAX_STEPS:
            raise _too_large(program.pattern, _MAX_STEPS, "steps between states")
        row = []
        ends = []
        for symbol in range(symbols + 1):
            key: list[_Target] = []
            end = 0
            for position, back, classes in threads:
                if classes >> symbol & 1:
                    step = program.steps[position]
                    if step is None:  # the last, since it takes its classes from those behind it
                        end = 1 + (back or 0) if accept else 0
                    else:
                        key += [(t, None if back is None else back + 1) for t in step.targets]
            if tuple(key) not in reached:
                following = _follow(program, key)
                if following not in numbers:
                    numbers[following] = len(states)
                    states.append(following)
                reached[tuple(key)] = numbers[following]
            row.append(reached[tuple(key)])
            ends.append(end)
        next_state.append(row[:symbols])
        accept.append(ends)
        if len(states) > _MAX_STATES:
            raise _too_large(program.pattern, _MAX_STATES, "states")
    return np.array(next_state), np.array(accept, dtype=np.uint16)


def _normalize(next_state: Int64, accept: _Accept) -> tuple[Int64, _Accept]:
    """Drop the states after which no match can end, and the ends that are never the last."""
    live: npt.NDArray[np.bool_] = np.any(accept, axis=1)
    live[0] = True
    while True:
        reaching: npt.NDArray[np.bool_] = live | (live[next_state] & (next_state >= 0)).any(axis=1)
        if (reaching == live).all():
            break
        live = reaching
    numbers = np.where(live, np.cumsum(live) - 1, -1)
    next_state, accept = np.where(next_state >= 0, numbers[next_state], -1)[live], accept[live]
    # A state is certain if every text that follows it meets another end. Texts are finite, so the
    # greatest such set of states is the right one.
    certain = np.ones(len(next_state), dtype=bool)
    while True:
        later = (next_state >= 0) & certain[next_state]
        holding = (accept[:, -1] > 0) & ((accept[:, :-1] > 0) | later).all(axis=1)
        if (holding == certain).all():
            return next_state, np.column_stack([np.where(later, 0, accept[:, :-1]), accept[:, -1]])
        certain = holding


def minimize(next_state: Int64, accept: _Accept) -> tuple[Int64, _Accept]:
    """Merge states that no text tells apart; like the states, the merged ones go by first use."""
    firsts, block = number_rows(accept)
    while True:
        targets = np.where(next_state >= 0, block[next_state], -1)
        finer_firsts, finer = number_rows(np.column_stack([block, targets]))
        if len(finer_firsts) == len(firsts):
            return targets[firsts], accept[firsts]
        firsts, block = finer_firsts, finer
