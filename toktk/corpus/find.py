"""Which files a folder or a glob names: regular files alone, and no folder twice."""

from __future__ import annotations

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
        raise _unreadable(path, error) from error


def not_a_file(path: Path, found: str) -> CorpusError:
    """Return the error that `path` is `found`, where text can be read from a regular file alone."""
    return CorpusError(
        f"cannot read {path}: it is no regular file, and text is read more than once.",
        f"Found: {found}.",
        "Write the text into a file, and give that.",
    )


def files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and its subfolders; hidden ones and linked folders are left out.

    Raises:
        CorpusError: one of the folders cannot be read.
    """
    listings = _walk([folder], follow=False)
    return [below / e.name for below, entries in listings for e in entries if _is(e, FILE)]


def matching(pattern: Path) -> list[Path]:
    """Return the files that a glob names, each once; ``**`` enters each real folder once.

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
            places = [place for place, _ in _walk(folders, follow=True)]
        elif glob.has_magic(part):
            folders = [place for place in places if kind_at(place) == FOLDER]
            places = [*chain.from_iterable(_matches(folder, part) for folder in folders)]
        else:
            places = [place / part for place in places]
    return [place for place in dict.fromkeys(places) if kind_at(place) == FILE]


def _matches(folder: Path, part: str) -> Iterator[Path]:
    for entry in _entries(folder, hidden=part.startswith(".")):
        if fnmatch.fnmatch(entry.name, part):
            yield folder / entry.name


def _walk(tops: Iterable[Path], follow: bool) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield each folder once, by device and inode, with what is in it and not hidden."""
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
            linked_to = entry.is_symlink()
            if (follow or not linked_to) and _is(entry, FOLDER):
                (linked if linked_to else real).append(folder / entry.name)


def _is(entry: os.DirEntry[str], what: str) -> bool:
    if entry.is_symlink():
        return kind_at(Path(entry.path)) == what
    return entry.is_dir() if what == FOLDER else entry.is_file()


def _entries(folder: Path, hidden: bool = False) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if hidden or not entry.name.startswith(".")]
    except OSError as error:
        raise _unreadable(folder, error) from error
    return sorted(shown, key=lambda entry: entry.name)


def _unreadable(path: Path, error: OSError) -> CorpusError:
    # To leave it out would give figures of a part of the text, and say nothing.
    return CorpusError(
        f"cannot read {path}.",
        f"Found: {error.strerror or error}.",
        "Make it readable, or give a folder or a glob without it.",
    )
