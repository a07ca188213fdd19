"""How far the ranks of token shards are, and whether their files are what the markers say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toktk import arrow
from toktk.counts.documents import DocumentSum
from toktk.errors import StorageError
from toktk.places import Place
from toktk.shards.work import folder_at
from toktk.visible import listed


@dataclass(frozen=True)
class ShardStatus:
    """The ranks of a folder of token shards.

    Attributes:
        where: the folder.
        manifest: what all ranks agree on.
        done: the marker of each rank that is done.
        missing: the ranks that are not done; `begun` says of some of them which process began them.
        strays: files of shards that no marker names, such as an earlier run has left there; those who read
            all files of the folder read them, too. Empty until all ranks are done.
    """

    where: str
    manifest: dict[str, Any]
    done: dict[int, dict[str, Any]]
    missing: list[int]
    begun: dict[int, dict[str, Any]]
    strays: list[str]

    def __repr__(self) -> str:
        ranks = f"{len(self.done):,} of {self.world_size:,} ranks"
        return (
            f"ShardStatus({self.where!r}, {ranks}, {self.documents:,} documents, "
            f"{self.tokens:,} tokens of {self.bytes:,} bytes)"
        )

    @property
    def world_size(self) -> int:
        """How many ranks there are."""
        return int(self.manifest["world_size"])

    @property
    def shards(self) -> int:
        """Shards of the ranks that are done."""
        return sum(len(marker["shards"]) for marker in self.done.values())

    @property
    def documents(self) -> int:
        """Documents of the ranks that are done."""
        return self._sum("documents")

    @property
    def tokens(self) -> int:
        """Tokens of the ranks that are done, special ones included."""
        return self._sum("tokens")

    @property
    def bytes(self) -> int:
        """Bytes of text, in UTF-8, of the ranks that are done."""
        return self._sum("bytes")

    @property
    def replaced(self) -> int:
        """Invalid sequences that the ranks that are done read as U+FFFD."""
        return self._sum("replaced")

    @property
    def null_rows(self) -> int:
        """Rows without text that the ranks that are done left out."""
        return self._sum("null_rows")

    @property
    def fingerprint(self) -> str:
        """Of the documents of the ranks that are done: the same for any number of ranks, and in a count."""
        fingerprint = DocumentSum()
        for marker in self.done.values():
            fingerprint.merge(DocumentSum(marker["fingerprint"]))
        return str(fingerprint)

    def _sum(self, key: str) -> int:
        return sum(int(marker[key]) for marker in self.done.values())


def status_of(place: Place) -> ShardStatus:
    """Return how far the ranks of a folder are; of files, only markers are read.

    Raises:
        StorageError: it is no such folder, or cannot be read.
    """
    state = folder_at(place).state()
    strays = [] if state.missing else _strays_of(place, state.done.values())
    return ShardStatus(place.shown, state.manifest, state.done, state.missing, state.begun, strays)


def check_files(place: Place, progress: Callable[[int], None] = lambda amount: None) -> None:
    """Read every file of all ranks, and hold it against its marker: its hash, and its numbers.

    Args:
        progress: called with the bytes of a file that was read.

    Raises:
        StorageError: a rank is missing or there twice, its part of the text does not join the others', a
            file is missing, damaged or of no rank, counts do not add up.
    """
    folder = folder_at(place)
    _, markers = folder.complete()
    if strays := _strays_of(place, markers):
        raise StorageError(
            f"{place.shown} has files that no rank has written.",
            f"Found: {listed(strays)}, which no marker names.",
            "Delete them: a loop that reads all files of the folder reads them, too.",
        )
    for marker in markers:
        counted = {shard["name"]: dict.fromkeys(_COUNTS, 0) for shard in marker["shards"]}
        for name, about in marker["files"].items():
            with folder.local(marker["rank"], name, about) as path:
                counted.setdefault(name.partition(".")[0], {}).update(_counts_of(path))
            progress(about["bytes"])
        for shard in marker["shards"]:
            for key, number in counted[shard["name"]].items():
                if shard[key] != number:
                    why = (
                        f"{shard[key]:,} {key}, where the files of {shard['name']} have {number:,}"
                    )
                    folder.refuse_marker(marker["rank"], why)


_COUNTS = ("documents", "tokens", "bytes")
_OF_SHARDS = re.compile(r"\d{5}-\d{5}\..+")


def _strays_of(place: Place, markers: Iterable[dict[str, Any]]) -> list[str]:
    named = {name for marker in markers for name in marker["files"]}
    return [name for name in place.names() if _OF_SHARDS.fullmatch(name) and name not in named]


def _counts_of(path: Path) -> dict[str, int]:
    """Return what a file tells of `_COUNTS`, each told by one file of a shard."""
    what = path.name.partition(".")[2]
    if what == "parquet":
        table = arrow.read_parquet(path)
        tokens, lengths = table.column("tokens"), table.column("bytes")
        n_tokens = sum(len(part.flatten()) for part in tokens.chunks)
        n_bytes = sum(int(arrow.to_numpy(part).sum()) for part in lengths.chunks)
        return {"documents": table.num_rows, "tokens": n_tokens, "bytes": n_bytes}
    if what == "offsets.npy":
        offsets = np.load(path, mmap_mode="r", allow_pickle=False)
        return {"documents": offsets.size - 1, "tokens": int(offsets[-1])}
    if what == "bytes.npy":
        return {"bytes": int(np.load(path, mmap_mode="r", allow_pickle=False).sum())}
    return {}
