"""The cache: finished pieces of work under the hash of all that determines them.

An entry is a folder ``cells/<kind>/<hash>`` in toktk's home. It is written beside its place and moved
there whole, with a manifest of its files' hashes, so an entry is there and right or it is not there.
One that was damaged later is made anew. A home that cannot be written costs the storing, never the run.

**Size.** Reading an entry marks it as used. Where all entries exceed a limit (20 GB, or
``TOKTK_CACHE_LIMIT``), those that were not used for the longest time go. Machine code of kernels, in
``kernels/<hash>``, counts as well.

**Several processes.** The manifest is also what is locked; a folder of machine code has an empty one for
that. Who reads or writes a folder holds a shared lock. Who deletes takes an exclusive lock without
waiting, leaves alone what it cannot lock, and moves the folder out of sight before it deletes the files.
So nobody finds half of an entry. The system drops the locks of a killed process. Where locks do not exist
(Windows), a folder with an open file cannot be moved, which protects it as well.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib.util
import itertools
import json
import os
import re
import threading
import time
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from toktk import __version__, paths, temporary
from toktk.errors import StorageError, ToktkError, in_a_line
from toktk.registry import OWN, package_of
from toktk.sizes import parse_bytes

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

KINDS = {  # what each kind of entry holds
    "pieces": "counted corpora",
    "training": "trained tokenizers",
    "figures": "figures of tokenizers on a text",
    "groups": "names of the groups of corpora",
    "documents": "documents that intervals rest on",
    "whole": "totals of corpora of which all documents are such",
    "lines": "hashes of the lines of corpora",
    "ngrams": "documents that n-gram models learn from",
    "sought": "whether corpora hold special tokens",
    "sample": "first documents of corpora",
    "audit": "figures of audits of corpora",
    "tokenizers": "tokenizer files, parsed",
    "assets": "parts of pages: scripts, charts, tokenizers",
    "verdicts": "checks of tokenizers against their libraries",
    "patterns": "split patterns, compiled",
    "downloads": "files of addresses such as https://",
    "kernels": "machine code, one folder a version",
    "temporary": "unfinished files, of runs that go on or were killed",
    "earlier versions": "files that this version does not read",
}

_DAMAGE = (  # what reading a damaged file raises
    OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,  # the header of an array
    RuntimeError,  # what zipfile does not do, such as encryption
    ToktkError,
)  # fmt: skip
_MANIFEST = "cell.json"
_LOOKED = "looked"  # a file, as old as the last look at the size of all entries
_LOOK_AFTER_SECONDS = 3600
_LOOK_AFTER_BYTES = 256 * 10**6  # written by one process
_DAY = 24 * 3600  # seconds after which machine code without a lock is surely not in use
_TRIES = 20
_ENTRY = re.compile(r"[0-9a-f]{16}([0-9a-f]{48})?")
_EARLIER = ("patterns", "tokenizers", "verdicts")
_EARLIER_FILE = re.compile(r"[0-9a-f]{64}(-\w+)?\.(npz|json)")

_written: dict[Path, int] = {}  # home -> bytes that this process has written since its last look
_swept: set[Path] = set()  # homes in which this process has removed what killed ones left
_hashing = threading.Lock()
_held = contextlib.ExitStack()  # locks until this process ends


class Store:
    """The entries in one home.

    Args:
        remark: called once with a sentence if nothing can be stored.
        root: the home; toktk's unless given.
        force: find nothing, so that everything is made and stored anew.

    Raises:
        StorageError: ``TOKTK_CACHE_LIMIT`` is no size.
    """

    def __init__(
        self,
        remark: Callable[[str], None] = lambda text: None,
        root: Path | None = None,
        force: bool = False,
    ) -> None:
        self.root = root or paths.home()
        self._remark = remark
        self._force = force
        self._writable = True
        self._limit = limit()
        if self.root not in _swept:
            _swept.add(self.root)
            sweep(self.root)

    def read(
        self, kind: str, key: object, load: Callable[[Path], T], code: str | None = "toktk"
    ) -> T | None:
        """Return what `load` makes of the entry's folder, or None: no such entry, or damaged.

        The files are hashed first, so that no loader meets damage: 0.2 ms more beside the 12 of a
        split pattern, 19 more beside the 78 of a table of 600,000 pieces.

        Args:
            kind: one of `KINDS`.
            key: all that determines the entry, JSON-able.
            load: reads the folder; an error says that the entry is damaged.
            code: a package whose sources, and toktk's version, become part of the key; None: neither.
        """
        if self._force:
            return None
        folder = self._folder(kind, key, code)
        try:
            with _locked(folder / _MANIFEST):
                hashes = json.loads((folder / _MANIFEST).read_bytes())["files"]
                if any(
                    paths.sha256_of(folder / name) != expected for name, expected in hashes.items()
                ):
                    raise ValueError("a file is not what was written")
                loaded = load(folder)
                _mark_as_used(folder / _MANIFEST)
                return loaded
        except BlockingIOError:
            return None  # another process removes it
        except _DAMAGE:
            _remove(folder)
            return None

    def write(
        self, kind: str, key: object, save: Callable[[Path], None], code: str | None = "toktk"
    ) -> None:
        """Let `save` fill a folder, and make it the entry of `key`; `kind` and `code` as in `read`.

        Failing to write is remarked upon once, and from then on nothing is stored.
        """
        if not self._writable:
            return
        folder = self._folder(kind, key, code)
        try:
            with temporary.owned(folder, folder=True) as unfinished:
                save(unfinished)
                size = _seal(unfinished, key)
                if self._force:
                    _remove(folder)
                try:
                    unfinished.replace(folder)
                except OSError as error:
                    # Another process has finished the same entry, which may be gone again by now.
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not folder.is_dir():
                        raise
        except (OSError, ToktkError) as error:
            self._writable = False
            reason = getattr(error, "strerror", None) or in_a_line(error)
            self._remark(
                "intermediate results are not kept, so an interrupted run starts anew:"
                f" cannot write to {self.root}: {reason}"
            )
        else:
            self._look_at_size(size)

    def _folder(self, kind: str, key: object, code: str | None) -> Path:
        if code is not None:
            key = [__version__, code_digest(code), key]
        return self.root / "cells" / kind / digest(key)

    def _look_at_size(self, size: int) -> None:
        """Keep all entries below the limit; looking at thousands takes a second, so it is rare."""
        if self._limit is None:
            return
        looked = self.root / "cells" / _LOOKED
        _written[self.root] = _written.get(self.root, 0) + size
        if _written[self.root] < _LOOK_AFTER_BYTES:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - looked.stat().st_mtime < _LOOK_AFTER_SECONDS:
                    return
        _written[self.root] = 0
        with contextlib.suppress(OSError):  # a full disk
            looked.touch()
        shrink(self._limit, self.root)


def hold(folder: Path) -> None:
    """Make a folder for machine code, and lock it until this process ends: so it is not deleted.

    A new one is its user's alone, whatever the umask says: what it holds is executed.

    Raises:
        OSError: there is none, and it cannot be made.
    """
    for _ in range(_TRIES):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _held.enter_context(_locked(folder / _MANIFEST, create=True))
        except (BlockingIOError, FileNotFoundError):
            time.sleep(0.01)  # another process removes it
            continue
        except OSError:
            return  # what cannot be written cannot be deleted either
        _mark_as_used(folder / _MANIFEST)
        return


@contextlib.contextmanager
def _locked(path: Path, exclusive: bool = False, create: bool = False) -> Iterator[None]:
    """Lock a file without waiting; a BlockingIOError if another one does, or it was moved away just now."""
    access = os.O_RDWR if exclusive else os.O_RDONLY  # a network file system wants it so
    descriptor = os.open(path, access | (os.O_CREAT if create else 0), 0o666)
    try:
        if fcntl is not None:
            try:
                mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(descriptor), path.stat()):
                    raise BlockingIOError
            except FileNotFoundError as error:
                raise BlockingIOError from error
            except OSError as error:
                # Where a file system has no locks, what is stored can be read, and nothing is deleted.
                if exclusive or isinstance(error, BlockingIOError):
                    raise
        yield
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> bool:
    """Delete a folder, or a file in its place, that nobody uses; return whether it is gone."""
    hidden = temporary.beside(folder)
    try:
        # Windows cannot move a folder with an open file, so there this process opens none.
        locks = fcntl is not None and (folder / _MANIFEST).exists()
        with _locked(folder / _MANIFEST, exclusive=True) if locks else contextlib.nullcontext():
            folder.rename(hidden)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    temporary.remove(hidden)
    return True


def sweep(home: Path) -> None:
    """Remove what killed processes left half-written or half-deleted in a home."""
    for parent in _temporary_parents(home):
        temporary.sweep(parent)


def _mark_as_used(path: Path) -> None:
    with contextlib.suppress(OSError):  # such as a home that belongs to another user
        os.utime(path)


def _last_used(folder: Path) -> float:
    try:
        return (folder / _MANIFEST).stat().st_mtime
    except OSError:
        return folder.stat().st_mtime


def _seal(folder: Path, key: object) -> int:
    """Write the manifest; return how many bytes the entry has without it."""
    saved = [path for path in sorted(folder.iterdir()) if path.name != _MANIFEST]
    hashes = {path.name: paths.sha256_of(path) for path in saved}
    manifest = json.dumps({"toktk": __version__, "key": key, "files": hashes}, indent=1)
    (folder / _MANIFEST).write_text(manifest, encoding="utf-8")
    return sum(path.stat().st_size for path in saved)


@dataclass(frozen=True)
class Entry:
    """What is deleted as one.

    Attributes:
        kind: one of `KINDS`, or what another version calls it.
        path: a folder; of earlier versions, a file.
        size: in bytes.
        used: when it was read or written last, seconds since the epoch.
    """

    kind: str
    path: Path
    size: int
    used: float

    def remove(self) -> bool:
        """Delete the entry if nobody uses it; return whether it is gone."""
        if self.kind == "temporary":
            return temporary.remove_if_left(self.path)
        if self.kind == "kernels" and not (self.path / _MANIFEST).exists():
            # Versions that do not lock machine code may be running.
            return time.time() - self.used > _DAY and _remove(self.path)
        return _remove(self.path)


def entries(home: Path | None = None) -> list[Entry]:
    """Return all entries in toktk's home, or another, the least recently used first."""
    home = home or paths.home()
    places = [(parent.name, parent, _ENTRY) for parent in _parents(home)]
    places += [("earlier versions", home / name, _EARLIER_FILE) for name in _EARLIER]
    stored = []
    for kind, parent, name in places:
        for path in parent.glob("*"):
            with contextlib.suppress(OSError):  # another process may have removed it just now
                if name.fullmatch(path.name):
                    stored.append(Entry(kind, path, size_of(path), _last_used(path)))
    for path in itertools.chain.from_iterable(map(temporary.found, _temporary_parents(home))):
        with contextlib.suppress(OSError):
            stored.append(Entry("temporary", path, size_of(path), _last_used(path)))
    return sorted(stored, key=lambda entry: (entry.used, entry.path))


def shrink(
    most: int,
    home: Path | None = None,
    progress: Callable[[int], None] = lambda n_bytes: None,
) -> tuple[list[Entry], list[Entry]]:
    """Remove the least recently used entries until the rest has at most `most` bytes.

    Return what was removed, and what had to be left since it is in use or cannot be deleted. `progress`
    is called with the bytes, of those that are too many, that were removed since the last call.
    """
    home = home or paths.home()
    sweep(home)
    stored = entries(home)
    total = sum(entry.size for entry in stored)
    removed: list[Entry] = []
    left: list[Entry] = []
    for entry in stored:
        if total <= most:
            break
        gone = entry.remove()
        progress(min(entry.size, total - most) * gone)
        total -= entry.size * gone
        (removed if gone else left).append(entry)
    return removed, left


def _parents(home: Path) -> list[Path]:
    """Return the folders with entries; each has the name of its kind."""
    return [*(home / "cells").glob("*"), home / "kernels"]


def _temporary_parents(home: Path) -> list[Path]:
    """Return the folders in which something is written beside its place, or for a while."""
    return [*_parents(home), *(home / "kernels").glob("[!.]*"), home / "temporary"]


def size_of(path: Path | str) -> int:
    """Return the bytes of a file, or of all files in a folder and those below it."""
    total = 0
    try:
        with os.scandir(path) as children:  # three times as fast as os.walk
            for child in children:
                if child.is_dir(follow_symlinks=False):
                    total += size_of(child.path)
                else:
                    total += child.stat(follow_symlinks=False).st_size
    except NotADirectoryError:
        return Path(path).stat().st_size
    except OSError:
        pass  # another process removes it
    return total


def limit() -> int | None:
    """Return how many bytes all entries may have: ``TOKTK_CACHE_LIMIT``, else 20 GB; 0 means None."""
    text = os.environ.get("TOKTK_CACHE_LIMIT", "20GB")
    try:
        return parse_bytes(text) or None
    except ValueError as error:
        raise StorageError(
            f"TOKTK_CACHE_LIMIT={text!r} is not a size.",
            "Write a size such as 5GB, 500MB or 2GiB, or 0 for no limit.",
        ) from error


def code_digest(package: str) -> str:
    """Return a hash of the Python sources of a package or module; empty where there are none.

    It is part of a key, as a version number does not change between two states of a checkout. What
    only shows results (``cli``, ``report``) is left out.
    """
    with _hashing:  # several threads ask at first
        return _code_digest(package)


@functools.cache
def _code_digest(package: str) -> str:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        return ""
    origin = Path(spec.origin)
    files = [origin]
    if spec.submodule_search_locations:
        below = (path.relative_to(origin.parent) for path in origin.parent.rglob("*.py"))
        files = [origin.parent / p for p in sorted(below) if p.parts[0] not in ("cli", "report")]
    sha = hashlib.sha256()
    for path in files:
        with contextlib.suppress(OSError):
            sha.update(path.name.encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def code_of(target: object) -> str:
    """Return a hash of the code of a plug-in; nothing for toktk's own, which every key holds."""
    package = package_of(target)
    return "" if package == OWN else code_digest(package)


def digest(obj: object) -> str:
    """Return the SHA-256 (hex) of `obj` as canonical JSON, the address of what `obj` determines.

    The order in which a dict was filled does not matter; a tuple equals a list; NaN is a ValueError.

    Raises:
        TypeError: `obj` holds something that JSON cannot.
        ValueError: `obj` holds NaN or an infinity.
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
