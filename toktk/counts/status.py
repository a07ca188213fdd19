"""How far a count is: its ranks, its partitions, and what to run next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toktk.counts.merge import MERGED, folder_at, merging_name
from toktk.counts.part import SIDES, TRAINING
from toktk.places import Place
from toktk.ranks.folder import State
from toktk.ranks.sealed import unsealed


@dataclass(frozen=True)
class CountStatus:
    """How far a count is.

    Attributes:
        place: the folder.
        ranks: how far the ranks are.
        merged: how many partitions are merged, of all sides; some may have to be merged again.
        about: what ``merged.json`` says; None before there is one.
    """

    place: Place
    ranks: State
    merged: int
    about: dict[str, Any] | None

    @property
    def n_partitions(self) -> int:
        """Partitions of all sides."""
        manifest = self.ranks.manifest
        return int(manifest["partitions"]) * (len(SIDES) if manifest["hold_out"] else 1)

    @property
    def sums(self) -> dict[str, int]:
        """Rows, documents, bytes and pieces, as they occur, of the ranks that are done."""
        sides = [of for marker in self.ranks.done.values() for of in marker["sides"].values()]
        return {
            key: sum(of[key] for of in sides) for key in ("rows", "documents", "bytes", "pieces")
        }

    @property
    def next(self) -> str:
        """What to run next; empty where the count is merged."""
        if self.ranks.missing:
            return f"toktk count -c SPEC -o {self.place.quoted}, with the options of before"
        return f"toktk count merge {self.place.quoted}" if self.about is None else ""

    def to_json(self) -> dict[str, Any]:
        """Return all that is known, JSON-able."""
        return {
            "schema": 1,
            "folder": self.place.shown,
            "ranks": self.ranks.manifest["world_size"],
            "done": sorted(self.ranks.done),
            "begun": {str(rank): about for rank, about in self.ranks.begun.items()},
            "missing": self.ranks.missing,
            **self.sums,
            "partitions": self.n_partitions,
            "merged_partitions": self.merged,
            "merged": self.about is not None,
            "next": self.next or None,
            "manifest": self.ranks.manifest,
        }


def status_of(place: Place) -> CountStatus:
    """Return how far the count in a folder is.

    Raises:
        StorageError: it is no such folder, or its manifest is damaged.
    """
    ranks = folder_at(place).state()
    n = ranks.manifest["partitions"]
    sides = SIDES if ranks.manifest["hold_out"] else (TRAINING,)
    there = {*place.names("merging")}
    merged = sum(merging_name(side, k) in there for side in sides for k in range(n))
    try:
        about = unsealed(place.read(MERGED) or b"")
    except ValueError:  # there is none, or it is written again by a merge
        about = None
    return CountStatus(place, ranks, merged, about)
