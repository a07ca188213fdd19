"""Automaton -> boundary transducer: one table look-up per byte, piece ends as output, no re-reading.

A *composite* state is a queue of runs of the automaton. Run 0 is at work on the current piece.
Whenever a run passes a place where its piece may end, that end is written down, and a fresh run
begins there, as the next of the queue. A run that may end later after all takes back the ends
behind its own. When run 0 dies, the end that it wrote last stays, and the run behind it takes its
place. So nothing is read twice.

With the last byte of a character, the transducer may move the place of the next end. The end that it leaves
lies before the character read before that one. Most characters move nothing.
Few composites are reachable. Where a queue would become longer than `MAX_RUNS`, or a run dies
without a match, that run is `LOST`; should it come to be run 0, the transducer *bails*: the caller
finds this one piece with the plain automaton and goes on behind it. Lost, too, is a run whose match may
end before the character that was read last: nothing is read twice here. That keeps every pattern exact
and the tables small.

The composites are then spelled out over the bytes of UTF-8. Inside a character, states that treat
all characters of more than one byte alike share their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.errors import PatternError
from toktk.pretokenizers.automaton import Automaton, Tables, sure_states, within

MAX_RUNS = 4  # ends that can be taken back, and one
MAX_STATES = 4096
MAX_ROWS = 1 << 16  # of 64 bytes inside a character
CLOSED, LOST = -1, -2

# The runs, oldest first, and whether the next end is in use. All but the last run have an end; one that
# is `CLOSED` keeps it unless an older run takes it back.
Composite = tuple[tuple[int, ...], bool]


@dataclass(frozen=True, eq=False)
class Transducer(Tables):
    """The tables that the scanning kernels read.

    Attributes:
        steps: uint32[n]; for row + byte, the row of the next state << 8, and how the next end moves, int8.
            State s has row 256 * s. The next three rows are no states: the first two bail, the next end in
            use in one and not in the other; the third reads the byte 0xFE, and then the text that follows
            is cut as if it was alone. The byte 0xFF leads there, and does what the end of a text does.
        finish: int8[S, 3]; what the end of the text does to a state that does not bail: how the
            next end moves; whether the text's end is the end of a piece, and not a matter of the
            plain automaton; how far behind the next end those begin that may be taken back.
        bytes_table: uint32[nodes * 256]; (next node << 8 | class + 1) for a byte, 0 inside a character.
        next_state: int16[A * C], accept: uint16[A * (C + 1)]: the automaton itself, flat.
        certain: bool[65536]; whether a piece ends between characters, whatever came before them,
            for (class + 1) << 8 | (class + 1).
    """

    FORMAT = 7
    LAYOUT = (("u4", 1), ("i1", 2), ("u4", 1), ("i2", 1), ("u2", 1), ("?", 1))

    steps: npt.NDArray[np.uint32]
    finish: npt.NDArray[np.int8]
    bytes_table: npt.NDArray[np.uint32]
    next_state: npt.NDArray[np.int16]
    accept: npt.NDArray[np.uint16]
    certain: npt.NDArray[np.bool_]

    def _is_in_range(self) -> bool:
        n_states = self.accept.size - self.next_state.size  # of the automaton
        return (
            n_states > 0
            and self.next_state.size % n_states == 0
            and within(self.next_state, -1, n_states - 1)
            and self.steps.size % 64 == 0
            and within(self.steps >> 8, 0, self.steps.size - 256)
            and within(self.steps.astype(np.uint8).view(np.int8), -MAX_RUNS, 1)
            and self.finish.shape[1] == 3
            and within(self.finish, -MAX_RUNS, 1)
            and (len(self.finish) + 3) * 256 <= self.steps.size
            and within(self.bytes_table >> 8, 0, (self.bytes_table.size >> 8) - 1)
            and within(self.bytes_table & 255, 0, self.next_state.size // n_states)
            and self.certain.size == 1 << 16
        )


def build(automaton: Automaton, kinds: Int64 | None = None) -> Transducer:
    """Turn an automaton into a transducer, or raise `PatternError` if that would be too large.

    `kinds`, int64[C], are those of its classes where it is one of `toktk.pretokenizers.joining`.

    Raises:
        PatternError: the pattern needs more classes, composite states or rows than the tables hold.
    """
    bytes_table = _bytes_table(automaton.class_of)
    with_gaps = _with_gaps(automaton)
    composites = _Composites(with_gaps)
    return Transducer(
        _spell_out(composites, bytes_table),
        composites.finish,
        bytes_table.ravel(),
        np.ascontiguousarray(automaton.next_state).ravel(),
        np.ascontiguousarray(automaton.accept).ravel(),
        _certain(with_gaps, kinds),
    )


def _with_gaps(automaton: Automaton) -> Automaton:
    """Let gaps match where each character either begins no match or is sure to: no run is lost there.

    A gap is a run of the former then. Else, or where a match may come back to the start, nothing changes. The
    automaton itself stays as it is, since signatures hold its hash.
    """
    next_state, accept = automaton.next_state, automaton.accept
    in_gap = next_state[0] < 0
    sure = sure_states(next_state, accept)
    begun = next_state[0, ~in_gap]
    if not in_gap.any() or not sure[begun].all() or (next_state == 0).any():
        return automaton
    gap = len(accept)
    next_state = np.vstack([next_state, np.where(in_gap, gap, -1)])
    next_state[0, in_gap] = gap
    accept = np.vstack([accept, np.append(~in_gap, True)])
    return replace(
        automaton, next_state=next_state.astype(np.int16), accept=accept.astype(np.uint16)
    )


def _bytes_table(class_of: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Build the UTF-8 machine, uint32[nodes, 256], sharing equal nodes; a node comes behind its children."""
    symbol_of = class_of.astype(np.uint32) + 1
    nodes: dict[bytes, int] = {}
    table: list[npt.NDArray[np.uint32]] = [np.zeros(256, dtype=np.uint32)]

    def level(entries: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Return the nodes whose 64 continuation bytes lead to 64 of `entries` each."""
        numbers = []
        for part in entries.reshape(-1, 64):
            number = nodes.setdefault(part.tobytes(), len(table))
            if number == len(table):
                table.append(np.zeros(256, dtype=np.uint32))
                table[number][0x80:0xC0] = part
            numbers.append(number << 8)
        return np.array(numbers, dtype=np.uint32)

    last_two = level(symbol_of)
    last_three = level(last_two)
    planes = np.zeros(5 * 64, dtype=np.uint32)
    planes[16:272] = last_three[16:]
    table[0][:0x80] = symbol_of[:0x80]
    table[0][0xC2:0xE0] = last_two[2:32]
    table[0][0xE0:0xF0] = last_three[:16]
    table[0][0xF0:0xF5] = level(planes)
    return np.array(table)


def _certain(automaton: Automaton, kinds: Int64 | None) -> npt.NDArray[np.bool_]:
    """Find the pairs of classes between which a piece ends, whatever came before.

    Those are pairs of different kinds. Else a match that has read the first class must be able to end before
    the second one and before the end of the text, and unable to go on; and one can begin with the first
    class, which so lies in no gap.
    """
    n_classes = automaton.next_state.shape[1]
    dead = automaton.next_state < 0
    ends = (automaton.accept[:, :-1] == 1) & (automaton.accept[:, -1:] == 1) & dead
    certain = np.zeros((256, 256), dtype=np.bool_)
    for class_ in np.flatnonzero(~dead[0]):
        after = automaton.next_state[~dead[:, class_], class_]
        certain[class_ + 1, 1 : n_classes + 1] = ends[after].all(axis=0)
    if kinds is not None:
        certain[1 : n_classes + 1, 1 : n_classes + 1] |= kinds[:, None] != kinds
    return certain.ravel()


class _Composites:
    """The composite states reachable from the start.

    Attributes:
        in_use: int64[S]; whether the next end is in use, 1 or 0.
        following: int64[S, C], move: int64[S, C]: the next state, and how the next end moves.
        finish: as in `Transducer`.
    """

    def __init__(self, automaton: Automaton) -> None:
        # A run that comes back to the start state is inside a piece, not at the start of one: a copy of
        # the state stands for that.
        n_states = len(automaton.accept)
        next_state = np.where(automaton.next_state == 0, n_states, automaton.next_state)
        self._next_state = [*next_state.tolist(), next_state[0].tolist()]
        accept = automaton.accept
        self._accept = [*accept.tolist(), accept[0].tolist()]
        self._looks_back = {*np.flatnonzero((accept > 1).any(axis=1)).tolist()}
        self._n_classes = automaton.next_state.shape[1]
        composites: list[Composite] = [((0,), False)]
        # The states that bail are numbered from the end.
        numbers = {composites[0]: 0, ((LOST,), True): -2, ((LOST,), False): -1}
        steps, ends = [], []
        for composite in composites:
            row = []
            for class_ in range(self._n_classes):
                after, move = self._step(composite, class_)
                if after not in numbers:
                    numbers[after] = len(composites)
                    composites.append(after)
                row.append((numbers[after], move))
            steps.append(row)
            runs, in_use = composite
            n_ends = len(runs) - 1
            ended = self._accepting(runs, self._n_classes)
            move = in_use if ended < 0 else ended - n_ends + in_use
            ends.append((move, ended >= 0, in_use - n_ends))
            if len(composites) > MAX_STATES:
                raise PatternError(f"the pattern needs more than {MAX_STATES} composite states.")
        self.in_use = np.array([in_use for _, in_use in composites], dtype=np.int64)
        self.finish = np.array(ends, dtype=np.int8)
        self.following, self.move = np.moveaxis(np.array(steps, dtype=np.int64), 2, 0)
        self.following[self.following < 0] += len(composites) + 2

    def _accepting(self, runs: tuple[int, ...], class_: int) -> int:
        """Return the oldest run that may end before this class, or -1."""
        ending = (i for i, run in enumerate(runs) if run >= 0 and self._accept[run][class_])
        return next(ending, -1)

    def _step(self, composite: Composite, class_: int) -> tuple[Composite, int]:
        """Read one character; return the next composite and how the next end moves."""
        runs, in_use = composite
        ended = self._accepting(runs, class_)
        after = list(runs if ended < 0 else (*runs[: ended + 1], 0))
        after = [state if state < 0 else self._next_state[state][class_] for state in after]
        if after[-1] == CLOSED:
            after[-1] = LOST
        lost = next((i for i, state in enumerate(after) if state in self._looks_back), None)
        if lost is not None:
            after = [*after[:lost], LOST]
            ended = ended if ended < lost else -1
        if len(after) > MAX_RUNS:
            after = [*after[: MAX_RUNS - 1], LOST]
            ended = -1
        # Ends count from the first that may be taken back; the next end is behind them, or the last.
        at = len(runs) - 1 - in_use
        to = len(after) - 1 if ended < 0 else ended
        while after[0] == CLOSED:
            after.pop(0)
        return (tuple(after), ended >= 0), to - at


def _spell_out(
    composites: _Composites, bytes_table: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    """Turn steps over classes into steps over bytes: return `steps` of the transducer.

    The next end moves with the last byte of a character.
    """
    n_states, bail = len(composites.in_use), len(composites.in_use) << 8
    invalid, between = bail + 256, bail + 512
    rows = np.full((n_states + 3, 256), invalid, dtype=np.int64)
    moves = np.zeros((n_states + 3, 256), dtype=np.int64)
    moves[n_states] = 1
    rows[:n_states, 0xFF] = np.where(composites.finish[:, 1], between, invalid)
    moves[:n_states, 0xFF] = composites.finish[:, 0]
    rows[n_states + 2, 0xFE], moves[n_states + 2, 0xFE] = 0, 1
    root = bytes_table[0].astype(np.int64)
    classes = root[:0x80] - 1
    rows[:n_states, :0x80] = composites.following[:, classes] << 8
    moves[:n_states, :0x80] = composites.move[:, classes]
    leads = np.flatnonzero(root[0x80:]) + 0x80
    # Inside a character: each node of the bytes table has rows of 64 entries, which states share.
    entries = bytes_table[1:, 0x80:0xC0].astype(np.int64)
    symbols, children = entries & 255, entries >> 8
    is_leaf = symbols.max(axis=1) > 0
    present = np.unique(symbols[symbols > 0]) - 1  # classes
    row_of: dict[bytes, int] = {}
    inside_rows: list[Int64] = []
    inside_moves: list[Int64] = []
    heads_of: dict[bytes, Int64] = {}  # the row of every node, by steps over the classes
    for state in range(n_states):
        following, move = composites.following[state], composites.move[state]
        steps = np.concatenate([following[present], move[present]]).tobytes()
        if steps not in heads_of:
            # Index 0 is for bytes that are no UTF-8.
            to = np.concatenate([[invalid], following << 8])[symbols]
            by = np.concatenate([[0], move])[symbols]
            heads = np.full(len(to) + 1, invalid, dtype=np.int64)
            for node in range(len(to)):
                row = to[node] if is_leaf[node] else heads[children[node]]
                key = row.tobytes() + by[node].tobytes()
                if key not in row_of:
                    if len(row_of) == MAX_ROWS:
                        raise PatternError(
                            f"the pattern needs more than {MAX_ROWS} rows of tables."
                        )
                    # The first entry is that of the byte 0x80.
                    row_of[key] = rows.size + 64 * len(row_of) - 0x80
                    inside_rows.append(row)
                    inside_moves.append(by[node])
                heads[node + 1] = row_of[key]
            heads_of[steps] = heads
        rows[state, leads] = heads_of[steps][root[leads] >> 8]
    # Behind the last row, for a byte that is no continuation.
    all_rows = np.concatenate([rows.ravel(), *inside_rows, np.full(256, invalid)])
    all_moves = np.concatenate([moves.ravel(), *inside_moves, np.zeros(256, dtype=np.int64)])
    return (all_rows << 8 | all_moves & 255).astype(np.uint32)
