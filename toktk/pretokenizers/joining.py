r"""Patterns that cut in turn as one automaton, where all but the last cut runs of characters.

Each pattern cuts the pieces of the one before as texts of their own. Where a pattern matches runs of some
characters, as ``\p{N}{1,3}`` or ``[一-龥]+`` do, those characters are of one *kind*: with the others, a text
is a row of runs of one kind each, and the last pattern reads each run as if it was a text. So its automaton,
once for each kind, takes a character of another kind for the end of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.pretokenizers.automaton import Automaton, sure_states
from toktk.pretokenizers.code_points import CODE_POINTS
from toktk.pretokenizers.construction import MAX_CLASSES, minimize, number_rows

Bools = npt.NDArray[np.bool_]
Joined = tuple[Automaton, Int64]

_LONGEST = 16  # characters of a run that is cut into shorter ones


@dataclass(frozen=True)
class _Runs:
    """What a pattern matches that matches any run of some characters, up to a length.

    Attributes:
        characters: bool[C], the classes of its automaton whose characters these are.
        most: how many characters at once; None: all.
    """

    characters: Bools
    most: int | None


def joined(automata: Sequence[Automaton]) -> Joined | None:
    """Return one automaton that cuts as these do in turn, and int64[C], the kind of each class.

    A piece ends between two characters of different kinds, a gap too. None where a pattern but the last
    matches other things than runs, two match the same characters, or the tables would be too large.
    """
    *before, last = automata
    runs = [_runs_of(automaton) for automaton in before]
    class_of, joint = _joint_classes(automata)
    kinds = np.full(len(joint), len(before), dtype=np.int64)
    for k, own in enumerate(runs):
        if own is None:
            return None
        of_kind = own.characters[joint[:, k]]
        if (kinds[of_kind] < len(before)).any():
            return None
        kinds[of_kind] = k
    of_last = joint[:, -1]
    states = _States(last.next_state[:, of_last], last.accept[:, [*of_last, -1]])
    for k in range(len(before) + 1):
        own = runs[k] if k < len(before) else None
        if not states.add(np.flatnonzero(kinds == k), own.most if own else None):
            return None
    return _merged(states, class_of, kinds)


def _joint_classes(automata: Sequence[Automaton]) -> tuple[Int64, Int64]:
    """Return int64[0x110000], code point to joint class, and int64[J, automata], the class of each there."""
    classes = np.stack([automaton.class_of for automaton in automata])
    starts = np.flatnonzero((np.diff(classes, axis=1) != 0).any(axis=0)) + 1
    starts = np.concatenate([[0], starts])
    rows = classes[:, starts].T.astype(np.int64)
    firsts, numbers = number_rows(rows)
    return np.repeat(numbers, np.diff(np.append(starts, CODE_POINTS))), rows[firsts]


def _runs_of(automaton: Automaton) -> _Runs | None:
    """Return what runs an automaton matches; None where it matches anything else."""
    next_state, accept = automaton.next_state, automaton.accept
    characters = next_state[0] >= 0
    if not characters.any():  # it matches nothing
        return _Runs(characters, None)
    state, n = 0, 0
    seen: dict[int, int] = {}
    while state not in seen:
        seen[state] = n
        following = next_state[state]
        others = accept[state, :-1][~characters]
        ends = state > 0 and accept[state, -1] == 1 and (others == 1).all()
        if (following[~characters] >= 0).any() or (state > 0 and not ends) or n > _LONGEST:
            return None
        targets = np.unique(following[characters])
        if targets.size != 1:
            return None
        if targets[0] < 0:  # nothing longer: it ends whatever follows
            return _Runs(characters, n) if (accept[state] == 1).all() else None
        if n > 0 and (accept[state, :-1][characters] != 0).any():
            return None  # it could end sooner
        state, n = int(targets[0]), n + 1
    return _Runs(characters, None) if seen[state] > 0 else None


class _States:
    """The states of the joined automaton: the start, and those of each kind.

    Args:
        next_state, accept: those of the last automaton, by joint class.
    """

    def __init__(self, next_state: npt.NDArray[Any], accept: npt.NDArray[Any]) -> None:
        self._next, self._accept = next_state, accept
        n_classes = next_state.shape[1]
        self.next_state: list[Int64] = [np.full(n_classes, -1, dtype=np.int64)]
        self.accept: list[Int64] = [np.zeros(n_classes + 1, dtype=np.int64)]

    def add(self, classes: Int64, most: int | None) -> bool:
        """Add the states of a kind, whose runs are cut after `most` characters first; False: it cannot be."""
        if most is not None:
            return self._add_whole_runs(classes, most)
        numbers = {-1: -1}  # of the last automaton's states, here
        waiting = [0]
        while waiting:
            for state in self._next[waiting.pop(), classes].tolist():
                if state not in numbers:
                    numbers[state] = len(self.next_state) + len(numbers) - 1
                    waiting.append(state)
        begin = self._next[0, classes]
        self.next_state[0][classes] = [numbers[state] for state in begin.tolist()]
        for state in [*numbers][1:]:
            following = np.full_like(self.next_state[0], -1)
            following[classes] = [numbers[s] for s in self._next[state, classes].tolist()]
            self.next_state.append(following)
            # What is of another kind is the end.
            accept = np.full_like(self.accept[0], self._accept[state, -1])
            accept[classes] = self._accept[state, classes]
            self.accept.append(accept)
        self._add_gap(classes)
        return True

    def _add_gap(self, classes: Int64) -> None:
        """Let gaps match, where each character either begins no match or is sure to.

        Else they are found as the gaps of other automata are, and end with their kind.
        """
        begins = self.next_state[0][classes] >= 0
        sure = sure_states(np.array(self.next_state), np.array(self.accept))
        if begins.all() or not sure[self.next_state[0][classes[begins]]].all():
            return
        gap = len(self.next_state)
        following, accept = np.full_like(self.next_state[0], -1), np.ones_like(self.accept[0])
        following[classes[~begins]], accept[classes[~begins]] = gap, 0
        self.next_state[0][classes[~begins]] = gap
        self.next_state.append(following)
        self.accept.append(accept)

    def _add_whole_runs(self, classes: Int64, most: int) -> bool:
        """Add states that match `most` characters at once; False where the last pattern would cut those."""
        states, matched, missed = {0}, 0, 0
        for _ in range(most):
            states = {s for state in states for s in self._next[state, classes].tolist()}
            ends = [state >= 0 and self._accept[state, -1] == 1 for state in states]
            may_end = [
                state >= 0 and bool(self._accept[state, [*classes, -1]].any()) for state in states
            ]
            matched += all(ends)
            missed += not any(may_end)
            states -= {-1}
        # All runs match as a whole, or nothing in them does: they are gaps then, and pieces too.
        if most > 1 and max(matched, missed) < most:
            return False
        first = len(self.next_state)
        self.next_state[0][classes] = first
        for n in range(1, most + 1):
            following, accept = np.full_like(self.next_state[0], -1), np.ones_like(self.accept[0])
            if n < most:
                following[classes], accept[classes] = first + n, 0
            self.next_state.append(following)
            self.accept.append(accept)
        return True


def _merged(states: _States, class_of: Int64, kinds: Int64) -> Joined | None:
    """Return the automaton with as few states and classes as tell texts apart; None with too many classes."""
    next_state, accept = minimize(np.array(states.next_state), np.array(states.accept))
    firsts, merged = number_rows(np.vstack([next_state, accept[:, :-1], kinds]).T)
    if len(firsts) > MAX_CLASSES:
        return None
    automaton = Automaton(
        merged[class_of].astype(np.uint8),
        np.ascontiguousarray(next_state[:, firsts], dtype=np.int16),
        np.ascontiguousarray(accept[:, [*firsts, -1]], dtype=np.uint16),
    )
    return automaton, kinds[firsts]
