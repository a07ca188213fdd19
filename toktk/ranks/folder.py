"""The folder of ranks: a manifest that all agree on, the files of each rank, and a marker when it is done.

::

    counts.json            the manifest: written by the rank that comes first, compared by all others
    done/00007.json        the marker: what rank 7 has written, with the hash of each file; written last
    begun/00007.json       which process has begun rank 7; goes when it is done

A rank that was killed has no marker, so it is missing, whatever it has written. Carried out again, it writes
the same files over those. All three are sealed (`toktk.ranks.sealed`): one that was edited or cut short is
noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from toktk import __version__
from toktk.errors import StorageError
from toktk.paths import sha256_of
from toktk.places import Place
from toktk.ranks.sealed import as_json, digest_of, sealed, unsealed

FORMAT = 1
"""Of manifests and markers."""

_SHOWN = 3  # differences that an error names
_LONGEST = 60  # characters of a value that an error shows
_ABSENT = object()  # in place of a value
_LISTED = 10  # ranks that an error names


def rank_name(rank: int) -> str:
    """Return ``00007`` for 7."""
    return f"{rank:05d}"


@contextlib.contextmanager
def delivered(place: Place, name: str, files: dict[str, dict[str, Any]]) -> Iterator[Path]:
    """Yield a path to write a file to, which then is that of `place`; note its size and hash in `files`.

    Raises:
        StorageError: it cannot be written.
    """
    with place.writing(name) as path:
        yield path
        about = about_file(path)
    files[name] = about


def about_file(path: Path) -> dict[str, Any]:
    """Return what a marker says of a file: its size and its hash."""
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


@dataclass(frozen=True)
class State:
    """How far the ranks of a folder are.

    Attributes:
        manifest: what they agree on, ``world_size`` among it.
        done: the marker of each rank that is done.
        begun: of each other rank that was begun: the ``host``, the ``pid`` and the ``time``, as text.
        missing: the ranks that are not done.
    """

    manifest: dict[str, Any]
    done: dict[int, dict[str, Any]]
    begun: dict[int, dict[str, Any]]
    missing: list[int]


class RankFolder:
    """What ranks share.

    Args:
        place: the folder.
        name: of the manifest, without ``.json``.
        command: what a user runs, such as ``toktk count``.
    """

    def __init__(self, place: Place, name: str, command: str) -> None:
        self.place = place
        self.command = command
        self._manifest_name = f"{name}.json"

    def begin(self, manifest: Mapping[str, Any], world_size: int) -> None:
        """Write the manifest, or compare it with the one that is there.

        Raises:
            StorageError: the folder belongs to other work, or cannot be used.
        """
        wanted = as_json({"format": FORMAT, "world_size": world_size, **manifest})
        if self._read(self._manifest_name) is None:
            self.place.write(self._manifest_name, sealed(wanted))
        self._begun = wanted
        self._compare()

    def _compare(self) -> None:
        """Refuse a manifest other than this rank's: another may have come at the same time."""
        there, wanted = self.manifest(), self._begun
        if there == wanted:
            return
        differences = [*_differences("", there, wanted)]
        shown = "; ".join(
            f"{path} is {_shown(a)} there and {_shown(b)} here"
            for path, a, b in differences[:_SHOWN]
        )
        more = len(differences) - _SHOWN
        raise StorageError(
            f"{self.place.shown} holds other work than this command's.",
            f"Found: {shown}{f'; {more} more' if more > 0 else ''}.",
            "All ranks are run with the same text and options. Write to another folder, or delete this one.",
        )

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            StorageError: there is none, it is damaged, or of another version.
        """
        manifest = self._read(self._manifest_name)
        if manifest is None:
            raise StorageError(
                f"{self.place.shown} is no folder of {self.command}.",
                f"Found: no {self._manifest_name} in it.",
                f"Check the path, or begin: {self.command} -c SPEC -o {self.place.quoted}",
            )
        if manifest.get("format") != FORMAT:
            raise StorageError(
                f"cannot use {self._at(self._manifest_name)}.",
                f"Found: format {_shown(manifest.get('format'))}; this toktk knows {FORMAT}.",
                "Use the version of toktk that wrote it, or begin anew in another folder.",
            )
        return manifest

    def marker(self, rank: int) -> dict[str, Any] | None:
        """Return the marker of a rank; None where it is not done: without one, or with a damaged one."""
        return self._marker(rank, digest_of(self.manifest()))

    def _marker(self, rank: int, digest: str) -> dict[str, Any] | None:
        try:
            marker = self._read(_marker_name(rank)) or {}
        except _Damaged:
            return None
        return marker if (marker.get("rank"), marker.get("manifest")) == (rank, digest) else None

    def note_begun(self, rank: int) -> None:
        """Write down which process begins a rank."""
        about = {
            "host": platform.node(),
            "pid": os.getpid(),
            "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        }
        self.place.write(_begun_name(rank), sealed(about))

    def finish(self, rank: int, told: Mapping[str, Any]) -> dict[str, Any]:
        """Write the marker of a rank that was begun here, and whose files are all there; return it.

        Raises:
            StorageError: it cannot be written, or another rank has put another manifest there meanwhile.
        """
        self._compare()
        marker = {
            "rank": rank,
            "manifest": digest_of(self._begun),
            "toktk": __version__,
            **told,
        }
        self.place.write(_marker_name(rank), sealed(marker))
        self.place.remove(_begun_name(rank))
        return as_json(marker)

    def state(self) -> State:
        """Return how far the ranks are; a damaged marker is none.

        Raises:
            StorageError: this is no such folder, or it cannot be read.
        """
        manifest = self.manifest()
        digest, numbers = digest_of(manifest), range(manifest["world_size"])
        done = {
            rank: marker
            for rank in self._numbers("done")
            if rank in numbers and (marker := self._marker(rank, digest)) is not None
        }
        begun = {}
        for rank in self._numbers("begun"):
            if rank in numbers and rank not in done:
                with contextlib.suppress(_Damaged):
                    begun[rank] = self._read(_begun_name(rank)) or {}
        return State(manifest, done, begun, [rank for rank in numbers if rank not in done])

    def complete(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the manifest, and the marker of each rank.

        Raises:
            StorageError: a rank is missing, is there twice, or did other work; the shares leave a gap.
        """
        manifest = self.manifest()
        size = manifest["world_size"]
        numbers = self._numbers("done")
        if missing := sorted(set(range(size)) - set(numbers)):
            raise self._missing(missing, size)
        digest = digest_of(manifest)
        markers = []
        for rank in numbers:
            markers.append(self._sound_marker(rank, size, digest))
        self._check_shares(markers, size)
        return manifest, markers

    @contextlib.contextmanager
    def local(self, rank: int, name: str, about: Mapping[str, Any]) -> Iterator[Path]:
        """Yield the path of a rank's file, or of a copy, which is as its marker says.

        Raises:
            StorageError: it is missing or damaged.
        """
        with contextlib.ExitStack() as at_end:
            try:
                path = at_end.enter_context(self.place.local(name))
                found = about_file(path)
            except StorageError as error:
                found_there = error.args[1].removeprefix("Found: ").rstrip(".")
                self.refuse_file(rank, name, f"it cannot be read ({found_there})", error)
            except OSError as error:
                self.refuse_file(rank, name, f"it cannot be read ({error.strerror})", error)
            for key, shown in (
                ("bytes", "{:,} bytes, not {:,}"),
                ("sha256", "sha256 {:.12}…, not {:.12}…"),
            ):
                if found[key] != about[key]:
                    self.refuse_file(rank, name, shown.format(found[key], about[key]))
            yield path

    def refuse_file(
        self, rank: int, name: str, why: str, error: Exception | None = None
    ) -> NoReturn:
        """Raise the StorageError of a rank's file that is not as its marker says."""
        raise StorageError(
            f"{self._at(name)} is not what rank {rank} has written.",
            f"Found: {why}.",
            *self._again([rank], self.manifest()["world_size"], delete=True),
        ) from error

    def refuse_marker(self, rank: int, why: str) -> NoReturn:
        """Raise the StorageError of a rank's marker that says what a rank does not."""
        self.refuse_file(rank, _marker_name(rank), why)

    def _sound_marker(self, rank: int, size: int, digest: str) -> dict[str, Any]:
        name = _marker_name(rank)
        again = self._again([rank], size, delete=True)
        try:
            marker = self._read(name) or {}
        except _Damaged as error:
            raise StorageError(*error.args[:-1], *again) from error
        own = marker.get("rank")
        if rank >= size or own != rank:
            what = (
                f"there is a rank too many: {rank}" if own == rank else f"rank {own} is there twice"
            )
            raise StorageError(
                f"{what}.",
                f"Found: {self._at(name)}, the marker of rank {own} of {size}.",
                *(again if rank < size else [f"Delete {self._at(name)}."]),
            )
        if marker.get("manifest") != digest:
            raise StorageError(
                f"rank {rank} did other work than {self._at(self._manifest_name)} says.",
                f"Found: {self._at(name)} with another manifest, by toktk {marker.get('toktk')}.",
                *again,
            )
        return marker

    def _check_shares(self, markers: Sequence[Mapping[str, Any]], size: int) -> None:
        """Refuse shares that leave a gap, or overlap, or are of inputs of another length."""
        position = 0
        for rank, marker in enumerate(markers):
            share = marker.get("share")
            if share is None:
                return
            is_last = rank == size - 1
            if share["begin"] != position or (is_last and share["end"] != share["of"]):
                raise StorageError(
                    f"the share of rank {rank} does not join those of the others.",
                    f"Found: {self._at(_marker_name(rank))} with bytes {share['begin']:,} to "
                    f"{share['end']:,} of {share['of']:,}, where {position:,} bytes were counted before.",
                    *self._again([rank], size, delete=True),
                )
            position = share["end"]

    def _missing(self, missing: Sequence[int], size: int) -> StorageError:
        ranks = ", ".join(map(str, missing[:_LISTED]))
        dots = ", …" if len(missing) > _LISTED else ""
        what = (
            f"rank {ranks} of {size} is"
            if len(missing) == 1
            else f"ranks {ranks}{dots} of {size} are"
        )
        return StorageError(
            f"{what} missing.",
            f"Found: no {self._at(_marker_name(missing[0]))}"
            + (f", and {len(missing) - 1:,} more." if len(missing) > 1 else "."),
            *self._again(missing, size),
        )

    def _again(self, ranks: Sequence[int], size: int, delete: bool = False) -> list[str]:
        """Return the line that says how to carry out ranks again; `delete`: their markers are there."""
        first = f"Delete {self._at(_marker_name(ranks[0]))}, and run" if delete else "Run"
        what = "it" if len(ranks) == 1 else "each"
        return [
            f"{first} {what} again, with the options of before: "
            f"{self.command} -c SPEC --rank {ranks[0]} --world-size {size} -o {self.place.quoted}"
        ]

    def _numbers(self, below: str) -> list[int]:
        names = (Path(name).stem for name in self.place.names(below) if name.endswith(".json"))
        return sorted(int(name) for name in names if len(name) == 5 and name.isdecimal())

    def _read(self, name: str) -> dict[str, Any] | None:
        content = self.place.read(name)
        if content is None:
            return None
        try:
            return unsealed(content)
        except ValueError as error:
            raise _Damaged(
                f"{self._at(name)} is damaged.",
                f"Found: {len(content):,} bytes, other than were written ({error}).",
                "Delete it, and run the command again.",
            ) from error

    def _at(self, name: str) -> str:
        return f"{self.place.shown.rstrip('/')}/{name}"


class _Damaged(StorageError):
    """A file of the folder is not as it was written."""


def _marker_name(rank: int) -> str:
    return f"done/{rank_name(rank)}.json"


def _begun_name(rank: int) -> str:
    return f"begun/{rank_name(rank)}.json"


def _differences(path: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two JSON values differ, and what stands there."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*a, *b)):
            if key not in a or key not in b:
                yield f"{path}{key}", a.get(key, _ABSENT), b.get(key, _ABSENT)
            else:
                yield from _differences(f"{path}{key}.", a[key], b[key])
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _differences(f"{path}{i}.", x, y)
    elif a != b:
        yield path.rstrip("."), a, b


def _shown(value: Any) -> str:
    """Return a JSON value in a message: a string in quotation marks, a number without."""
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
