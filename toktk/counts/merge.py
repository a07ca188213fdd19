"""The merge of a count: what all ranks have written, summed up a partition at a time.

What is merged says nothing of ranks, so that any number of them, in any order, gives the same bytes. What
tells a merge that a partition is done, and from which parts, lies in ``merging/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.counts.documents import (
    DocumentSum,
    Totals,
    read_sample,
    read_totals,
    write_documents,
    write_totals,
)
from toktk.counts.part import (
    HELD_OUT,
    NOTHING,
    SIDES,
    TRAINING,
    Sizes,
    folder_of,
    read_part,
    write_part,
)
from toktk.errors import StorageError, ToktkError, as_usage
from toktk.pieces.runs import joined
from toktk.pieces.sample import Sample
from toktk.pieces.table import PieceTable, chosen_pieces
from toktk.places import Place
from toktk.ranks.folder import RankFolder, delivered
from toktk.ranks.sealed import digest_of, sealed, unsealed
from toktk.runtime import Threads

FORMAT = 1
"""Of ``merged.json``."""

MERGED = "merged/merged.json"
GROUPS, SAMPLE = "merged/groups.arrow", "merged/sample.arrow"

Progress = Callable[[int], None]


def folder_at(place: Place) -> RankFolder:
    """Return the folder of the ranks of a count."""
    return RankFolder(place, "counts", "toktk count")


def merged_name(side: str, partition: int) -> str:
    """Return the name of a merged partition."""
    return f"merged/{folder_of(side, partition)}.parquet"


def merging_name(side: str, partition: int) -> str:
    """Return the name of what says how a partition was merged."""
    return f"merging/{folder_of(side, partition).replace('/', '.')}.json"


@dataclass(frozen=True)
class _Part:
    """A partition of a side, and what the ranks have of it: {rank: (name, what the marker says of it)}."""

    side: str
    partition: int
    files: Mapping[int, tuple[str, Mapping[str, Any]]]
    min_count: int

    @property
    def key(self) -> tuple[str, int]:
        """Side and partition."""
        return self.side, self.partition

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(about["bytes"] for _, about in self.files.values())

    @property
    def source(self) -> str:
        """A hash of all that decides what the merged partition is."""
        return digest_of([[about["sha256"] for _, about in self.files.values()], self.min_count])

    @property
    def expected(self) -> int:
        """Occurrences of its pieces, by the markers."""
        return sum(about["pieces"] for _, about in self.files.values())


class Merge:
    """What is to be merged in the folder of a count, all of whose ranks are done.

    Args:
        place: the folder.
        min_count: of the training side, pieces that occur less often, in all groups together, are left out.

    Attributes:
        size: bytes of the parts that are not merged yet, which `run` reports of.

    Raises:
        StorageError: a rank is missing, is there twice, or did other work.
    """

    def __init__(self, place: Place, min_count: int = 1, partition: int | None = None) -> None:
        self._place = place
        self._folder = folder_at(place)
        self.manifest, self._markers = self._folder.complete()
        n = self.manifest["partitions"]
        if min_count < 1:
            raise as_usage(
                ToktkError(
                    f"no piece occurs less than {min_count} times.", "Give --min-count 1 or more."
                )
            )
        if partition is not None and not 0 <= partition < n:
            raise as_usage(
                ToktkError(
                    f"there is no partition {partition} of {n}.",
                    f"Partitions are numbered from 0 to {n - 1}.",
                )
            )
        self._min_count = min_count
        files = self._files_of_ranks()
        self._parts = [
            _Part(side, k, files.get(folder_of(side, k), {}), min_count if side == TRAINING else 1)
            for side in self.sides
            for k in range(n)
        ]
        done = {*self._done()}
        left = [part for part in self._parts if part.key not in done]
        self._waiting = [part for part in left if partition in (None, part.partition)]
        self.size = sum(part.size for part in self._waiting)

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides of the count."""
        return SIDES if self.manifest["hold_out"] else (TRAINING,)

    def run(self, jobs: int = 1, advance: Progress = lambda amount: None) -> bool:
        """Merge what is to be merged; return whether all partitions are, so that the count can be read.

        Args:
            jobs: partitions that are merged at a time; each takes the memory of its pieces.
            advance: called with the bytes of parts that were merged since the last call.

        Raises:
            StorageError: a part is missing or damaged, or does not hold what its marker says.
        """
        if self._waiting:
            self._place.remove(MERGED)  # it is of other parts
        with Threads(jobs) as pool:
            for part, _ in zip(self._waiting, pool.map(self._merge, self._waiting), strict=True):
                advance(part.size)
        if len({*self._done()}) < len(self._parts):
            return False
        self._conclude()
        return True

    def _files_of_ranks(self) -> dict[str, dict[int, tuple[str, Mapping[str, Any]]]]:
        """Return what all markers say of files, by folder and rank."""
        by_folder: dict[str, dict[int, tuple[str, Mapping[str, Any]]]] = {}
        for marker in self._markers:
            for name, about in marker["files"].items():
                of_folder = by_folder.setdefault(name.rpartition("/")[0], {})
                of_folder[marker["rank"]] = name, about
        return by_folder

    def _done(self) -> Iterator[tuple[str, int]]:
        """Yield the key of what is merged from the parts that are there."""
        there = {*self._place.names("merged"), *self._place.names("merging")}
        for part in self._parts:
            name = merging_name(part.side, part.partition)
            is_there = not part.files or merged_name(part.side, part.partition) in there
            if name in there and is_there and self._merging(name).get("source") == part.source:
                yield part.key

    def _merging(self, name: str) -> dict[str, Any]:
        try:
            return unsealed(self._place.read(name) or b"")
        except ValueError:
            return {}

    def _merge(self, part: _Part) -> None:
        """Merge a partition: its file first, then what says that it is done."""
        signature = self.manifest["signatures"][part.side]
        about: dict[str, Any] = {"source": part.source}
        pruned = NOTHING
        if part.files:
            table = joined(self._tables(part, signature))
            whole = Sizes.of(table)
            if whole.pieces != part.expected:
                raise StorageError(
                    f"{merged_name(part.side, part.partition)} does not add up.",
                    f"Found: {whole.pieces:,} pieces, where the markers of the ranks say "
                    f"{part.expected:,}.",
                    f"Count anew, in another folder: {self._folder.command} -c SPEC -o DIR",
                )
            table = chosen_pieces(table, table.counts >= part.min_count)
            sizes = Sizes.of(table)
            pruned = whole - sizes
            files: dict[str, Any] = {}
            with delivered(self._place, merged_name(part.side, part.partition), files) as path:
                write_part(table, path)
            about |= {"file": files.popitem()[1], **vars(sizes)}
        about["pruned"] = vars(pruned)
        self._place.write(merging_name(part.side, part.partition), sealed(about))

    def _tables(self, part: _Part, signature: str) -> Iterator[PieceTable]:
        for rank, (name, about) in part.files.items():
            with self._folder.local(rank, name, about) as path:
                table = read_part(path, signature)
            if int(table.entry_count.sum()) != about["pieces"]:
                self._folder.refuse_file(
                    rank,
                    name,
                    f"{int(table.entry_count.sum()):,} pieces, not {about['pieces']:,}",
                )
            yield table

    def _conclude(self) -> None:
        """Write what is of the whole count: totals of groups, the sample, and last ``merged.json``."""
        manifest = self.manifest
        totals = self._totals()
        files: dict[str, Any] = {}
        with delivered(self._place, GROUPS, files) as path:
            write_totals(totals, path)
        with delivered(self._place, SAMPLE, files) as path:
            write_documents(self._sample(), path)
        kept = (
            "corpus", "inputs", "options", "pretokenizer", "special", "symbols", "hold_out", "groups",
            "partitions",
        )  # fmt: skip
        sides, pruned = {}, NOTHING
        for side in self.sides:
            sides[side], of_side = self._side(side, totals[side])
            pruned += of_side
        content = {
            "format": FORMAT,
            **{key: manifest[key] for key in kept},
            "replaced": sum(marker["replaced"] for marker in self._markers),
            "null_rows": sum(marker["null_rows"] for marker in self._markers),
            "min_count": self._min_count,
            "pruned": vars(pruned),
            "sides": sides,
            "files": files,
        }
        self._place.write(MERGED, sealed(content))

    def _side(self, side: str, totals: Totals) -> tuple[dict[str, Any], Sizes]:
        """Return what ``merged.json`` says of a side, and what was pruned of it."""
        documents = DocumentSum()
        sums = dict.fromkeys(("rows", "documents", "bytes", "pieces"), 0)
        for marker in self._markers:
            about = marker["sides"][side]
            documents.merge(DocumentSum(about["fingerprint"]))
            sums = {key: value + about[key] for key, value in sums.items()}
        files, sizes, pruned = {}, NOTHING, NOTHING
        for part in self._parts:
            if part.side != side:
                continue
            about = self._merging(merging_name(side, part.partition))
            pruned += Sizes(**about["pruned"])
            if part.files:
                of_part = {key: about[key] for key in vars(NOTHING)}
                sizes += Sizes(**of_part)
                files[merged_name(side, part.partition)] = {**about["file"], **of_part}
        self._check_sums(side, sums, totals, sizes + pruned)
        return {
            "rows": sums["rows"],
            "documents": sums["documents"],
            "bytes": sums["bytes"],
            "fingerprint": str(documents),
            "signature": self.manifest["signatures"][side],
            **vars(sizes),
            "files": files,
        }, pruned

    def _check_sums(self, side: str, sums: Mapping[str, int], totals: Totals, sizes: Sizes) -> None:
        """Refuse a side whose sum is not that of what the markers say."""
        of_groups = totals.sums.sum(axis=0)
        for what, there, said in (
            ("documents", int(of_groups[0]), sums["documents"]),
            ("bytes", int(of_groups[1]), sums["bytes"]),
            ("pieces", sizes.pieces, sums["pieces"]),
        ):
            if there != said:
                raise StorageError(
                    f"the {side} side of {self._place.shown} does not add up.",
                    f"Found: {there:,} {what}, where the markers of the ranks say {said:,}.",
                    f"Count anew, in another folder: {self._folder.command} -c SPEC -o DIR",
                )

    def _totals(self) -> dict[str, Totals]:
        of_ranks = [self._of_rank(marker, "groups", read_totals) for marker in self._markers]
        return {
            side: Totals.added(of_rank[side] for of_rank in of_ranks if side in of_rank)
            for side in self.sides
        }

    def _sample(self) -> Any:
        whole = Sample(in_order=True)
        for marker in self._markers:  # one after the other: each may be large
            whole.merge([self._of_rank(marker, "sample", read_sample)])
        return whole.finish()

    def _of_rank(self, marker: Mapping[str, Any], kind: str, read: Callable[[Path], Any]) -> Any:
        (name,) = (name for name in marker["files"] if name.startswith(f"{kind}/"))
        with self._folder.local(marker["rank"], name, marker["files"][name]) as path:
            return read(path)


def effect_of(merged: Mapping[str, Any]) -> list[str]:
    """Return what leaving out rare pieces has changed, in sentences; none where nothing was left out."""
    pruned = merged["pruned"]
    side = merged["sides"][TRAINING]
    if not pruned["distinct"]:
        return []
    distinct, pieces, n_bytes = (
        side[key] + pruned[key] for key in ("distinct", "pieces", "text_bytes")
    )
    whole = f" The {HELD_OUT} side is whole." if HELD_OUT in merged["sides"] else ""
    return [
        f"Left out: {pruned['distinct']:,} of {distinct:,} different pieces, those that occur less than "
        f"{merged['min_count']} times in the training text: {pruned['pieces'] / pieces:.3%} of its pieces, "
        f"{pruned['text_bytes'] / n_bytes:.3%} of its bytes.{whole}",
        f"So no pair of tokens counts less by more than {pruned['text_bytes'] - pruned['pieces']:,}, and BPE "
        "takes another merge only where two counts are as near as that. Of the whole training text, tokens "
        f"are {pruned['pieces']:,} to {pruned['text_bytes']:,} more than a training is told.",
    ]
