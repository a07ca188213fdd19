"""What a rank does, and how one is carried out: its files first, its marker last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.ranks.world import World

Progress = Callable[[int], None]


class Work(Protocol):
    """Work that falls into ranks; it can be pickled, and says the same on every machine.

    Attributes:
        name: of its folder's manifest without ``.json``, such as ``counts``.
        command: what a user runs for it, such as ``toktk count``; for messages.
        manifest: JSON-able, equal on all ranks: all that decides what is written. Of two ranks that differ
            in it, the second is refused.
        size, unit: what `advance` is called with in all by all ranks, and in which unit; None where nobody
            can know.
    """

    name: str
    command: str

    @property
    def size(self) -> int | None: ...  # noqa: D102 - see above

    @property
    def unit(self) -> str: ...  # noqa: D102 - see above

    @property
    def manifest(self) -> dict[str, Any]: ...  # noqa: D102 - see above

    def run(self, rank: int, world_size: int, place: Place, advance: Progress) -> dict[str, Any]:
        """Do the share of a rank: write its files, as `delivered` does; return what its marker says.

        That is JSON-able. It holds ``files``, what `delivered` noted of them, and ``share``, {"begin",
        "end", "of"}, where shares are parts of a line.
        """
        ...


def run_rank(
    work: Work,
    place: Place,
    rank: int,
    world_size: int,
    advance: Progress = lambda amount: None,
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Carry out a rank unless its marker is there; return the marker.

    Args:
        advance: called with what was done since the last call, in the work's unit.
        force: carry it out again.

    Raises:
        ToktkError: there is no such rank; the folder belongs to other work; what the work raises.
    """
    World(rank, world_size)  # or an error
    folder = RankFolder(place, work.name, work.command)
    folder.begin(work.manifest, world_size)
    marker = None if force else folder.marker(rank)
    if marker is None:
        folder.note_begun(rank)
        marker = folder.finish(rank, work.run(rank, world_size, place, advance))
    return marker
