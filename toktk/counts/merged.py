"""Counts: a merged count, from which tokenizers are trained and measured; text is not read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from toktk.arrays import offsets_of
from toktk.counts.documents import Totals, read_documents, read_totals
from toktk.counts.merge import FORMAT, GROUPS, MERGED, SAMPLE, effect_of, folder_at
from toktk.counts.part import HELD_OUT, TRAINING, read_part
from toktk.errors import StorageError
from toktk.paths import sha256_of
from toktk.pieces.counter import ONE_GROUP
from toktk.pieces.sample import SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.places import Place
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.sealed import unsealed

T = TypeVar("T")


class Counts:
    """What ranks have counted of a text, merged.

    Attributes:
        place: the folder of the count.
        name: of the text.
        pretokenizer: what cut it, but for special tokens and symbols; see `cut_of`.
        special: strings that are pieces of the training side wherever they stand.
        symbols: strings that are pieces of both sides wherever they stand.
        held_out: the share of the documents that is on the held-out side; 0: there is none.
        min_count: pieces that occur less often were left out of the training side; 1: none.
        replaced, null_rows: see `Corpus`.
        about: all that ``merged.json`` says.
    """

    def __init__(self, place: Place, about: dict[str, Any]) -> None:
        self.place, self.about = place, about
        self.name: str = about["corpus"]
        self.pretokenizer = Pretokenizer.from_json(about["pretokenizer"])
        self.special = tuple(about["special"])
        self.symbols = tuple(about["symbols"])
        self.held_out: float = about["hold_out"]
        self.min_count: int = about["min_count"]
        self.replaced: int = about["replaced"]
        self.null_rows: int = about["null_rows"]

    @classmethod
    def open(cls, where: str) -> Counts:
        """Return the merged count in a folder, a path or an address.

        Raises:
            StorageError: there is none: no count, one that is not merged, or a damaged one.
        """
        place = Place.of(where)
        content = place.read(MERGED)
        if content is None:
            state = folder_at(place).state()  # an error where this is no count at all
            n = len(state.missing)
            raise StorageError(
                f"{place.shown} is not merged.",
                f"Found: {n:,} of {state.manifest['world_size']:,} ranks are missing."
                if n
                else "Found: all ranks are done.",
                f"See what to run: toktk count status {place.quoted}"
                if n
                else f"Run: toktk count merge {place.quoted}",
            )
        try:
            about = unsealed(content)
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}, not {FORMAT}")
            return cls(place, about)
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"{place.shown.rstrip('/')}/{MERGED} is damaged.",
                f"Found: {type(error).__name__}: {error}.",
                f"Delete it, and run: toktk count merge {place.quoted}",
            ) from error

    def cut_of(self, side: str) -> Pretokenizer:
        """Return what cut a side."""
        special = self.special if side == TRAINING else ()
        added = (*self.pretokenizer.added, *self.symbols, *special)
        return replace(self.pretokenizer, added=added)

    @property
    def sides(self) -> tuple[str, ...]:
        """``training``, and ``held-out`` where text is held out."""
        return tuple(self.about["sides"])

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups, sorted."""
        return tuple(sorted({name for of in self._totals.values() for name in of.groups}))

    def fingerprint(self, side: str) -> str:
        """Return 32 hex digits of the documents of a side: text, group, alignment and weight of each."""
        return str(self.about["sides"][side]["fingerprint"])

    def totals(self, side: str) -> Totals:
        """Return groups and totals of a side.

        Raises:
            StorageError: their file is missing or damaged.
        """
        return self._totals.get(side, Totals.added([]))

    @property
    def effect(self) -> list[str]:
        """What leaving out rare pieces has changed, in sentences; none where nothing was left out."""
        return effect_of(self.about)

    def table(
        self, side: str, by_group: bool = True, advance: Callable[[int], None] = lambda pieces: None
    ) -> PieceTable:
        """Return the pieces of a side: by partition, ascending in each.

        It takes the memory of the table, and of a partition; without groups, less.

        Args:
            side: ``training`` or ``held-out``.
            by_group: keep groups apart; else there is one, called ``text``, whose totals are those of all.
            advance: called with the different pieces that were read since the last call.

        Raises:
            StorageError: a file is missing or damaged.
        """
        about = self.about["sides"][side]
        totals = self.totals(side)
        groups = totals.groups if by_group else (ONE_GROUP,)
        number = {name: g for g, name in enumerate(totals.groups)}
        n, n_bytes = about["distinct"], about["piece_bytes"]
        n_entries = about["entries"] if by_group else n
        table = PieceTable(
            np.empty(n_bytes, np.uint8),
            offsets_of(np.zeros(n, np.int64)),
            offsets_of(np.zeros(n, np.int64)),
            np.zeros(n_entries, np.int32),
            np.empty(n_entries, np.int64),
            groups,
            totals.totals if by_group else totals.totals.sum(axis=0)[None],
            totals.aligned if by_group else np.zeros((1, 2), np.int64),
            about["signature"],
        )
        p = b = e = 0
        for name in about["files"]:
            part = self._part(side, name)
            entries = part.rows if by_group else np.arange(len(part) + 1)
            p_end, b_end, e_end = p + len(part), b + part.data.size, e + int(entries[-1])
            table.data[b:b_end] = part.data
            table.offsets[p + 1 : p_end + 1] = part.offsets[1:] + b
            table.rows[p + 1 : p_end + 1] = entries[1:] + e
            table.entry_count[e:e_end] = part.entry_count if by_group else part.counts
            if by_group and part.groups:
                of_part = np.array([number[g] for g in part.groups], np.int32)
                table.entry_group[e:e_end] = of_part[part.entry_group]
            p, b, e = p_end, b_end, e_end
            advance(len(part))
        return table

    def sample(self) -> SampledDocuments:
        """Return sampled documents of the held-out side; of the training side where nothing is held out.

        Raises:
            StorageError: the file is missing or damaged.
        """
        return self._read(SAMPLE, self.about["files"][SAMPLE], read_documents)

    @property
    def sampled_side(self) -> str:
        """The side that `sample` is of."""
        return HELD_OUT if HELD_OUT in self.sides else TRAINING

    def describe(self) -> dict[str, Any]:
        """Return what a reader of figures should know, JSON-able: all but the files."""
        about = {key: value for key, value in self.about.items() if key != "files"}
        sides = {
            side: {key: value for key, value in of.items() if key != "files"}
            for side, of in about["sides"].items()
        }
        return {**about, "sides": sides, "effect": self.effect}

    @functools.cached_property
    def _totals(self) -> dict[str, Totals]:
        return self._read(GROUPS, self.about["files"][GROUPS], read_totals)

    def _part(self, side: str, name: str) -> PieceTable:
        about = self.about["sides"][side]
        return self._read(
            name, about["files"][name], lambda path: read_part(path, about["signature"])
        )

    def _read(self, name: str, about: dict[str, Any], read: Callable[[Path], T]) -> T:
        again = f"toktk count merge {self.place.quoted}"
        with contextlib.ExitStack() as at_end:
            try:
                path = at_end.enter_context(self.place.local(name))
            except StorageError as error:
                raise StorageError(*error.args[:-1], f"If it is gone, run: {again}") from error
            if sha256_of(path) != about["sha256"]:
                raise StorageError(
                    f"{self.place.shown.rstrip('/')}/{name} is damaged.",
                    f"Found: {path.stat().st_size:,} bytes, other than were merged.",
                    f"Delete it, and run: {again}",
                )
            return read(path)
