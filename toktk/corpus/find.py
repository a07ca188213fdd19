"""Which files a folder or a glob names: regular files alone, no folder twice, and what is left out."""

from __future__ import annotations

import dataclasses
import errno
import fnmatch
import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from toktk.errors import CorpusError
from toktk.paths import FILE, FOLDER, kind


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a folder or a glob names.

    Attributes:
        files: regular files, and links to some.
        nowhere: links that lead nowhere.
        odd: pipes, sockets and devices.
        hidden: names that begin with a dot and are not asked for: files, and folders not entered.
    """

    files: list[Path]
    nowhere: list[Path]
    odd: list[Path]
    hidden: int = 0


def kind_at(path: Path) -> str | None:
    """Return in words what lies at `path`, links followed; None where nothing does.

    Raises:
        CorpusError: the system does not say, such as for want of permission.
    """
    try:
        return kind(path.stat().st_mode)
    except ValueError:  # a NUL or half a character, which no name holds
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP):
            return None
        raise unreadable(path, error) from error


def not_a_file(path: Path, found: str) -> CorpusError:
    """Return the error that `path` is `found`, where text can be read from a regular file alone."""
    return CorpusError(
        f"cannot read {path}: it is no regular file, and text is read more than once.",
        f"Found: {found}.",
        "Write the text into a file, and give that.",
    )


def files_below(folder: Path) -> Listing:
    """Return the files of a folder and its subfolders, linked ones too; hidden ones are left out.

    Raises:
        CorpusError: one of the folders cannot be read.
    """
    paths, hidden = [], 0
    for below, entries in _walk([folder]):
        for entry in entries:
            if entry.name.startswith("."):
                hidden += 1
            else:
                paths.append(below / entry.name)
    return _listing(paths, hidden)


def _listing(paths: Iterable[Path], hidden: int = 0) -> Listing:
    files, nowhere, odd = [], [], []
    for path in paths:
        kind = kind_at(path)
        if kind == FILE:
            files.append(path)
        elif kind is None and path.is_symlink():
            nowhere.append(path)
        elif kind not in (FOLDER, None):
            odd.append(path)
    return Listing(files, nowhere, odd, hidden)


def matching(pattern: Path) -> Listing:
    """Return what a glob names, each once; ``**`` enters each real folder once.

    Names that begin with a dot match a part that begins with one. A link to a folder is followed
    after all that is reached without, so that a folder has its own name where it can.

    Raises:
        CorpusError: a folder cannot be read.
    """
    parts = list(pattern.parts)
    places = [Path(parts.pop(0))] if pattern.anchor else [Path()]
    for part in [*parts, "*"] if parts[-1] == "**" else parts:
        if part == "**":
            folders = [place for place in places if kind_at(place) == FOLDER]
            places = [place for place, _ in _walk(folders)]
        elif glob.has_magic(part):
            folders = [place for place in places if kind_at(place) == FOLDER]
            places = [*chain.from_iterable(_matches(folder, part) for folder in folders)]
        else:
            places = [place / part for place in places]
    return _listing(dict.fromkeys(places))


def _matches(folder: Path, part: str) -> Iterator[Path]:
    hidden = part.startswith(".")
    for entry in _entries(folder):
        if (hidden or not entry.name.startswith(".")) and fnmatch.fnmatch(entry.name, part):
            yield folder / entry.name


def _walk(tops: Iterable[Path]) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield each folder that is not hidden once, by device and inode, with what is in it."""
    seen = set()
    real, linked = deque(tops), deque[Path]()
    while real or linked:
        folder = (real or linked).popleft()
        about = folder.stat()
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        entries = _entries(folder)
        yield folder, entries
        for entry in entries:
            if not entry.name.startswith(".") and _is_folder(entry):
                (linked if entry.is_symlink() else real).append(folder / entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return kind_at(Path(entry.path)) == FOLDER
    return entry.is_dir()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(path: Path, error: Exception) -> CorpusError:
    """Return the error that a file or folder cannot be read."""
    # To leave it out would give figures of a part of the text, and say nothing.
    return CorpusError(
        f"cannot read {path}.",
        f"Found: {getattr(error, 'strerror', None) or error}.",
        "Make it readable, or give a folder or a glob without it.",
    )
