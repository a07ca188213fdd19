"""Automaton -> boundary transducer: one table look-up per byte, piece ends as output, no re-reading.

Two small machines run side by side. The first walks the UTF-8 bytes and says, at the last byte of a
character, which *symbol* it is (its class and its width in bytes). The second steps once per symbol
through *composite* states. A composite is the automaton's state in the current piece together with a
second run of the automaton, restarted where the piece may last have ended, and the distance back to that
place. When the first run dies, the piece ends there and the second run takes over, so no byte is read
twice. Where more than that would have to be remembered, the composite is `LOST`; should the first run die
then, the transducer *bails*: the caller finds this one piece with the plain automaton and goes on behind
it. That keeps every pattern exact and the tables small.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.errors import PatternError
from toktk.pretokenizers.automaton import Automaton

MAX_DISTANCE = 12  # bytes; a piece that ended further back is found by the plain automaton
MAX_STATES = 4096
NO_PENDING, LOST = (-1, 0), (-2, 0)

# A step packs: where the next state's row begins, bits 0-19; the distance back to the first end, bits
# 20-25, and to the second, bits 26-27; how many ends there are, bits 28-29.
FIRST, SECOND, ENDS = 20, 26, 28

Pending = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Transducer:
    """The tables that the scanning kernels read.

    Attributes:
        bytes_table: uint32[nodes * 256]; (next node << 8 | symbol) for a byte, symbol 0 inside a character.
        step_table: uint32[states * stride]; a packed step for a symbol. The last state is the bail state.
        end_table: uint32[states]; the packed step for the end of the text.
        symbol_class: int16[symbols]; the automaton's class of a symbol (symbol 0: unused).
        next_state: int16[S * C], accept: uint8[S * (C + 1)]: the automaton itself, flat.
        stride: symbols per state in `step_table`, a power of two.
    """

    bytes_table: npt.NDArray[np.uint32]
    step_table: npt.NDArray[np.uint32]
    end_table: npt.NDArray[np.uint32]
    symbol_class: npt.NDArray[np.int16]
    next_state: npt.NDArray[np.int16]
    accept: npt.NDArray[np.uint8]
    stride: int

    @property
    def tables(self) -> tuple[Any, ...]:
        """What the kernels take: the arrays above, the stride and the bail state."""
        arrays = (self.bytes_table, self.step_table, self.end_table, self.symbol_class)
        return (*arrays, self.next_state, self.accept, self.stride, self.bail)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the tables by name, for storing."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return named | {"stride": np.array(self.stride)}

    @property
    def bail(self) -> int:
        """The row of the state that asks the caller to find one piece with the plain automaton."""
        return (self.end_table.size - 1) * self.stride


def from_arrays(arrays: dict[str, npt.NDArray[Any]]) -> Transducer:
    """Return the transducer that `arrays` describes.

    Raises:
        ValueError: they could lead a kernel out of bounds, which looks at nothing twice.
        KeyError: one is missing.
    """
    stride = int(arrays["stride"])
    named: dict[str, Any] = {field.name: arrays[field.name] for field in fields(Transducer)}
    made = Transducer(**named | {"stride": stride})
    n_states, n_symbols = made.end_table.size, made.symbol_class.size
    rows = np.concatenate([made.step_table & 0xFFFFF, made.end_table & 0xFFFFF])
    n_automaton = made.accept.size - made.next_state.size
    sound = (
        made.bytes_table.dtype == made.step_table.dtype == made.end_table.dtype == np.uint32
        and made.symbol_class.dtype == made.next_state.dtype == np.int16
        and made.accept.dtype == np.uint8
        and n_symbols <= stride <= 256
        and made.step_table.size == n_states * stride
        and bool((rows % stride == 0).all())
        and int(rows.max()) < n_states * stride
        and int((made.bytes_table >> 8).max()) < made.bytes_table.size >> 8
        and int((made.bytes_table & 255).max()) < n_symbols
        and n_automaton > 0
        and made.next_state.size % n_automaton == 0
        and int(made.symbol_class.max()) < made.next_state.size // n_automaton
        and int(made.next_state.min()) >= -1
        and int(made.next_state.max()) < n_automaton
    )
    if not sound:
        raise ValueError("not a transducer")
    return made


def build(automaton: Automaton) -> Transducer:
    """Turn an automaton into a transducer.

    Raises:
        PatternError: the pattern needs more symbols or composite states than the tables hold.
    """
    bytes_table, symbols = _bytes_table(automaton.class_of)
    step_table, end_table, stride = _step_table(automaton, symbols)
    return Transducer(
        bytes_table.astype(np.uint32),
        step_table.astype(np.uint32),
        end_table.astype(np.uint32),
        np.array([0] + [c for c, _ in symbols], dtype=np.int16),
        np.ascontiguousarray(automaton.next_state).ravel(),
        np.ascontiguousarray(automaton.accept).astype(np.uint8).ravel(),
        stride,
    )


def _bytes_table(
    class_of: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int32], list[tuple[int, int]]]:
    """Build the UTF-8 machine, sharing equal nodes; return it with the (class, width) of each symbol."""
    width = np.ones(class_of.size, dtype=np.int32)
    for first, bytes_ in ((0x80, 2), (0x800, 3), (0x10000, 4)):
        width[first:] = bytes_
    kinds, symbol_of = np.unique(class_of.astype(np.int32) * 8 + width, return_inverse=True)
    symbols = [(int(kind) // 8, int(kind) % 8) for kind in kinds]
    if len(symbols) > 255:
        raise PatternError(f"the pattern tells {len(symbols)} kinds of characters apart; 255 fit.")
    symbol_of = (symbol_of + 1).astype(np.int32)
    nodes: dict[bytes, int] = {}
    rows: list[npt.NDArray[np.int32]] = [np.zeros(256, dtype=np.int32)]

    def node(entries: npt.NDArray[np.int32]) -> int:
        """Return the node whose 64 continuation bytes lead to `entries`."""
        key = entries.tobytes()
        if key not in nodes:
            row = np.zeros(256, dtype=np.int32)
            row[0x80:0xC0] = entries
            nodes[key] = len(rows)
            rows.append(row)
        return nodes[key] << 8

    leaves = [node(entries) for entries in symbol_of.reshape(-1, 64)]
    inner = np.array(leaves, dtype=np.int32)
    rows[0][:0x80] = symbol_of[:0x80]
    rows[0][0xC2:0xE0] = inner[2:32]
    rows[0][0xE0:0xF0] = [node(inner[lead * 64 : lead * 64 + 64]) for lead in range(16)]
    for lead in range(5):
        planes = [
            node(inner[at * 64 : at * 64 + 64]) if 16 <= at < 272 else 0
            for at in range(lead * 64, lead * 64 + 64)
        ]
        rows[0][0xF0 + lead] = node(np.array(planes, dtype=np.int32))
    return np.concatenate(rows), symbols


def _step_table(
    automaton: Automaton, symbols: list[tuple[int, int]]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], int]:
    """Explore the composite states reachable from the start."""
    runs = _Runs(automaton)
    stride = 1 << len(symbols).bit_length()
    start = (0, NO_PENDING)
    index = {start: 0}
    steps: list[list[tuple[tuple[int, Pending] | None, int]]] = []
    frontier = [start]
    for composite in frontier:
        row = []
        for class_, width in symbols:
            following, packed = runs.step(composite, class_, width)
            if following is not None and following not in index:
                index[following] = len(frontier)
                frontier.append(following)
            row.append((following, packed))
        steps.append(row)
        if len(frontier) > MAX_STATES:
            raise PatternError(f"the pattern needs more than {MAX_STATES} composite states.")
    bail = len(frontier)
    table = np.full((bail + 1, stride), bail * stride, dtype=np.int32)
    table[:, 0] = np.arange(bail + 1) * stride
    ends = np.full(bail + 1, bail * stride, dtype=np.int32)
    for i, row in enumerate(steps):
        for symbol, (following, packed) in enumerate(row):
            if following is not None:
                table[i, symbol + 1] = packed | index[following] * stride
        following, packed = runs.step(frontier[i], automaton.next_state.shape[1], 1)
        ends[i] = packed if following is not None else bail * stride
    return table.ravel(), ends, stride


class _Runs:
    """Two runs of the automaton, the second where the piece may last have ended."""

    def __init__(self, automaton: Automaton) -> None:
        self.next_state = automaton.next_state.tolist()
        self.accept = automaton.accept.tolist()
        # Coming back to the start state, inside a piece, is not being at the start of one: a copy of the
        # state stands for that.
        again = len(self.next_state)
        self.next_state = [[following or again for following in row] for row in self.next_state]
        self.next_state.append(self.next_state[0])
        self.accept.append(self.accept[0])
        self.end_of_text = automaton.next_state.shape[1]

    def _next(self, state: int, class_: int) -> int:
        return -1 if class_ == self.end_of_text else self.next_state[state][class_]

    def _second(self, pending: Pending, class_: int, width: int) -> Pending:
        """Advance the second run; it is lost when it would need a third."""
        state, distance = pending
        if state < 0:
            return pending
        following = self._next(state, class_)
        if self.accept[state][class_] or following < 0 or distance + width > MAX_DISTANCE:
            return LOST
        return following, distance + width

    def step(
        self, composite: tuple[int, Pending], class_: int, width: int
    ) -> tuple[tuple[int, Pending] | None, int]:
        """Read one symbol (or the end of the text); return the next composite, None to bail."""
        state, pending = composite
        if state == 0 and class_ == self.end_of_text:
            return (0, NO_PENDING), 0
        distances: list[int] = []
        while True:
            if self.accept[state][class_]:
                pending = (0, 0)
            following = self._next(state, class_)
            if following >= 0:
                break
            if pending[0] < 0 or len(distances) == 2:
                return None, 0
            distances.append(pending[1])
            state, pending = pending[0], NO_PENDING
            if state == 0 and class_ == self.end_of_text:
                following = 0
                break
        if len(distances) == 2 and distances[1] != 0:
            return None, 0
        packed = len(distances) << ENDS
        if distances:
            packed |= (distances[0] + width - 1) << FIRST | (width - 1) << SECOND
        if class_ == self.end_of_text:
            return (0, NO_PENDING), packed
        return (following, self._second(pending, class_, width)), packed
