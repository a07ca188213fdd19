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
from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.shards.work import folder_at


@dataclass(frozen=True)
class ShardStatus:
    """The ranks of a folder of token shards.

    Attributes:
        where: the folder.
        manifest: what all ranks agree on.
        done: the marker of each rank that is done.
        missing: the ranks that are not done; `begun` says of some of them which process began them.
    """

    where: str
    manifest: dict[str, Any]
    done: dict[int, dict[str, Any]]
    missing: list[int]
    begun: dict[int, dict[str, Any]]

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
    """Return how far the ranks of a folder are; nothing but markers is read.

    Raises:
        StorageError: it is no such folder, or cannot be read; a marker does not say what a rank says.
    """
    folder = folder_at(place)
    state = folder.state()
    for marker in state.done.values():
        _check_marker(folder, marker)
    return ShardStatus(place.shown, state.manifest, state.done, state.missing, state.begun)


def check_files(place: Place, progress: Callable[[int], None] = lambda amount: None) -> None:
    """Read every file of all ranks, and hold it against its marker: its hash, and its numbers.

    Args:
        progress: called with the bytes of a file that was read.

    Raises:
        StorageError: a rank is missing or there twice, its part of the text does not join the others', a
            file is missing or damaged, counts do not add up.
    """
    folder = folder_at(place)
    _, markers = folder.complete()
    for marker in markers:
        _check_marker(folder, marker)
        counted = {shard["name"]: dict.fromkeys(_COUNTS, 0) for shard in marker["shards"]}
        for name, about in marker["files"].items():
            with folder.local(marker["rank"], name, about) as path:
                counted.setdefault(name.partition(".")[0], {}).update(_counts_of(path))
            progress(about["bytes"])
        for shard in marker["shards"]:
            _compare(folder, marker, shard, counted[shard["name"]], f"the files of {shard['name']}")


_COUNTS = ("documents", "tokens", "bytes")
_FINGERPRINT = re.compile("[0-9a-f]{32}")


def _check_marker(folder: RankFolder, marker: dict[str, Any]) -> None:
    """Refuse a marker that lacks what a rank says, or whose shards do not add up."""
    if fault := _fault_of(marker):
        folder.refuse_marker(marker["rank"], fault)
    sums = {key: sum(shard[key] for shard in marker["shards"]) for key in _COUNTS}
    _compare(folder, marker, marker, sums, "its shards")


def _fault_of(marker: dict[str, Any]) -> str:
    shards, files = marker.get("shards"), marker.get("files")
    if not isinstance(shards, list) or not isinstance(files, dict):
        return "no shards, or no files"
    if not all(_is_told(each, _COUNTS) for each in (marker, *shards)):
        return "no whole numbers of documents, tokens and bytes"
    if not _is_told(marker, ("replaced", "null_rows")):
        return "no whole numbers of what was replaced and left out"
    if not all(isinstance(shard.get("name"), str) for shard in shards):
        return "a shard without a name"
    if not all(_is_told(about, ("bytes",)) and "sha256" in about for about in files.values()):
        return "a file without size and hash"
    if not _FINGERPRINT.fullmatch(str(marker.get("fingerprint"))):
        return "no fingerprint of 32 hexadecimal digits"
    return ""


def _is_told(about: object, keys: Iterable[str]) -> bool:
    return isinstance(about, dict) and all(type(about.get(key)) is int for key in keys)


def _compare(
    folder: RankFolder,
    marker: dict[str, Any],
    told: dict[str, Any],
    counted: dict[str, int],
    where: str,
) -> None:
    """Refuse a marker in which somebody `told` other numbers than were `counted`."""
    for key in _COUNTS:
        if told[key] != counted[key]:
            why = f"{told[key]:,} {key}, where {where} have {counted[key]:,}"
            folder.refuse_marker(marker["rank"], why)


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
