"""How often each id occurs in each group of a text, sparse: most ids occur in few of many groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toktk.arrays import Ids, Int64, offsets_of, read_only
from toktk.evaluation.base import Int32, slices_of
from toktk.evaluation.evaluation import SLICE, encoder_of
from toktk.models.model import Model
from toktk.pieces.table import PieceTable
from toktk.runtime import Threads

_CELLS = 1 << 25  # of groups x ids that are counted at once: 256 MiB


@dataclass(frozen=True, eq=False)
class GroupIds:
    """Counts of ids.

    Attributes:
        groups: the G names, as in the `PieceTable`.
        total: int64[ids], over all groups.
        ends: int64[ids + 1]; the entries of id i are ``ends[i]:ends[i + 1]``.
        entry_group: int32[entries], ascending for each id.
        entry_count: int64[entries], above 0.
    """

    groups: tuple[str, ...]
    total: Int64
    ends: Int64
    entry_group: Int32
    entry_count: Int64


def count_group_ids(
    table: PieceTable,
    model: Model,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> GroupIds:
    """Encode each piece once, and count the ids of each group.

    Args:
        jobs: threads; they change no count.
        progress: called with the pieces encoded since the last call.

    Raises:
        FormatError: a library fails at the text.
    """
    ids, ends = _encoded(table, model, jobs, progress or (lambda pieces: None))
    n_groups, n_ids = len(table.groups), model.vocab_size
    most = max(1, _CELLS // (max(n_ids, 1) * jobs))
    step = min(most, -(-n_groups // jobs))
    blocks = [(first, min(first + step, n_groups)) for first in range(0, n_groups, step)]
    with Threads(jobs) as pool:
        parts = list(pool.map(lambda block: _counted(table, ids, ends, n_ids, *block), blocks))
    groups, numbers, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((groups, numbers))
    total = np.zeros(n_ids, dtype=np.int64)
    np.add.at(total, numbers, counts)
    return GroupIds(
        table.groups,
        total,
        offsets_of(np.bincount(numbers, minlength=n_ids)),
        groups[order].astype(np.int32),
        counts[order],
    )


def _encoded(
    table: PieceTable, model: Model, jobs: int, progress: Callable[[int], None]
) -> tuple[Ids, Int64]:
    """Return the ids of all pieces, and where those of each begin and end."""
    encode = encoder_of(model)
    slices = slices_of(table, max(jobs, int(table.offsets[-1]) // SLICE))

    def run(first: int, last: int) -> tuple[Ids, Int64]:
        begin, end = table.offsets[first], table.offsets[last]
        ids, ends = encode(table.data[begin:end], table.offsets[first : last + 1] - begin)
        progress(last - first)
        return ids, np.diff(ends, prepend=0)

    with Threads(jobs) as pool:
        parts = list(pool.map(run, *zip(*slices, strict=True)))
    ids, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
    return read_only(ids, np.uint32), offsets_of(lengths)


def _counted(
    table: PieceTable, ids: Ids, ends: Int64, n_ids: int, first: int, last: int
) -> tuple[Int64, Int64, Int64]:
    """Return group, id and count of all that occurs in the groups first..last - 1."""
    from toktk.kernels.group_ids import add_ids

    counts = np.zeros((last - first, n_ids), dtype=np.int64)
    add_ids(ids, ends, table.rows, table.entry_group, table.entry_count, first, counts)
    groups, numbers = np.nonzero(counts)
    return groups + first, numbers, counts[groups, numbers]
