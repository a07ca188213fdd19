"""Cells: finished pieces of work under the hash of all that determines them.

A cell is a folder ``cells/<kind>/<hash>`` in toktk's home. It is written beside its place and moved
there whole, with a list of its files' hashes, so a cell is there and right or it is not there. One
that was damaged later is made anew. A home that cannot be written costs the storing, never the run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from toktk import __version__, paths
from toktk.errors import ToktkError

T = TypeVar("T")

_MANIFEST = "cell.json"
_STALE = 24 * 3600  # seconds after which a half-written cell's writer is surely gone
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ToktkError)


class Store:
    """The cells in one folder.

    Args:
        remark: called once with a sentence if nothing can be stored.
        root: the folder; ``cells`` in toktk's home unless given.
        force: find nothing, so that everything is made and stored anew.
    """

    def __init__(
        self,
        remark: Callable[[str], None] = lambda text: None,
        root: Path | None = None,
        force: bool = False,
    ) -> None:
        self.root = root or paths.home() / "cells"
        self._remark = remark
        self._force = force
        self._writable = True

    def read(self, kind: str, key: object, load: Callable[[Path], T]) -> T | None:
        """Return what `load` makes of the cell's folder, or None: no such cell, or damaged."""
        folder = self._folder(kind, key)
        if self._force or not folder.is_dir():
            return None
        try:
            _verify(folder)
            return load(folder)
        except _DAMAGED:
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def write(self, kind: str, key: object, save: Callable[[Path], None]) -> None:
        """Let `save` fill a folder, and make it the cell of `key`.

        Failing to write is remarked upon once, and from then on nothing is stored.
        """
        if not self._writable:
            return
        folder = self._folder(kind, key)
        temporary: Path | None = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _sweep_out(folder.parent)
            temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
            save(temporary)
            _seal(temporary, key)
            if self._force:
                shutil.rmtree(folder, ignore_errors=True)
            # Another process may have finished the same cell just now: then its copy stays.
            with contextlib.suppress(FileExistsError):
                _move(temporary, folder)
        except (OSError, ToktkError) as error:
            self._writable = False
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            self._remark(
                "intermediate results are not kept, so an interrupted run starts anew:"
                f" cannot write to {self.root}: {reason}"
            )
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)

    def _folder(self, kind: str, key: object) -> Path:
        return self.root / kind / digest([__version__, code_digest("toktk"), key])


def _seal(folder: Path, key: object) -> None:
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    text = json.dumps({"toktk": __version__, "key": key, "files": files}, indent=1)
    (folder / _MANIFEST).write_text(text, encoding="utf-8")
    # mkdtemp makes private folders; a home may be shared.
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)


def _verify(folder: Path) -> None:
    files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
    for name, expected in files.items():
        if _sha256(folder / name) != expected:
            raise ValueError(f"{name} is not what was written")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(temporary: Path, folder: Path) -> None:
    try:
        temporary.replace(folder)
    except OSError as error:
        if folder.is_dir():
            raise FileExistsError from error
        raise


def _sweep_out(parent: Path) -> None:
    """Remove what killed runs left half-written."""
    for path in parent.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                shutil.rmtree(path, ignore_errors=True)


@functools.cache
def code_digest(package: str) -> str:
    """Return a hash of the Python sources of a package or module; empty where there are none.

    It is part of every key: a version number does not change between two states of a checkout.
    What only shows results (``cli``, ``report``) is left out.
    """
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return ""
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


def digest(obj: object) -> str:
    """Return the SHA-256 (hex) of `obj` as canonical JSON, the address of what `obj` determines.

    Keys are sorted, so the order in which a dict was filled does not matter; a tuple equals a list.

    Raises:
        TypeError: `obj` holds something that JSON cannot.
        ValueError: `obj` holds NaN or an infinity.
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
