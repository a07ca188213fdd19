"""Machine code on disk: one file for each signature of a kernel.

What is read here is executed, so a file is read only if nobody but this user, or root, can have
written it, and if it is whole. Everything else is compiled anew. Numba's own cache looks at neither,
and where it cannot write it falls back on files beside the package, which may be of other sources.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import pickle
import platform
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toktk import temporary
from toktk.cache import hold

_SUFFIX = ".code"
_HASH = hashlib.sha256
_HASH_SIZE = _HASH().digest_size
_WAIT = "(up to a minute)"


class MachineCode:
    """The files of one state of the kernels' sources.

    Attributes:
        is_kept: whether what is compiled is written.
        compiling: called with True when a kernel is about to be compiled, with False after each first
            call of one, compiled or not; by any thread.

    Args:
        folder: made for this user alone unless it is there; None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or Path()
        self._trouble = ""
        self._remark: Callable[[str], None] = lambda text: None
        self.compiling: Callable[[bool], None] = lambda active: None
        self._is_read = self.is_kept = folder is not None
        if folder is None:
            return
        try:
            reason = _prepare(folder)
        except OSError as error:
            self._is_read = False
            self._cannot_write(error)
            return
        if reason:
            self._is_read = self.is_kept = False
            why = f"are neither read nor kept: {folder} {reason}"
            self._note(why, "Delete it, or set TOKTK_HOME to a folder of your own.")

    def announce(self, remark: Callable[[str], None]) -> None:
        """Tell that kernels are about to be compiled, or, now or later, why they are not kept.

        So that nobody takes the wait for the work.
        """
        self._remark = remark
        if self._trouble:
            remark(self._trouble)
        elif not self._is_read:
            remark(f"compiling kernels {_WAIT}")
        elif self.is_empty:
            remark(f"compiling kernels, once {_WAIT}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing of these sources is kept yet."""
        return not any(self.folder.glob(f"*{_SUFFIX}"))

    def read(self, name: str, key: str) -> bytes | None:
        """Return what was written under `name` and `key`, if it is whole and nobody else's."""
        if not self._is_read:
            return None
        expected = _head(key)
        try:
            with open(self._path(name, key), "rb", opener=_open_at_once) as file:
                status = os.fstat(file.fileno())
                if _stranger(status) or not stat.S_ISREG(status.st_mode):
                    return None
                digest = file.read(_HASH_SIZE)
                if file.read(len(expected)) != expected:
                    return None
                payload = file.read()
        except OSError:
            return None
        return payload if _HASH(expected + payload).digest() == digest else None

    def write(self, name: str, key: str, payload: bytes) -> None:
        """Keep `payload`; the first failure is told, and from then on nothing is kept."""
        path = self._path(name, key)
        content = _head(key) + payload
        try:
            with temporary.owned(path, mode=0o600) as half:
                half.write_bytes(_HASH(content).digest() + content)
                half.replace(path)
        except OSError as error:
            if os.name == "nt" and path.is_file():
                return  # another process has it open, which is no harm
            self._cannot_write(error)

    def _path(self, name: str, key: str) -> Path:
        return self.folder / f"{name}-{_HASH(key.encode()).hexdigest()[:16]}{_SUFFIX}"

    def _cannot_write(self, error: OSError) -> None:
        self.is_kept = False
        why = f"are not kept: cannot write to {self.folder}: {error.strerror or error}"
        self._note(why, "Free space, or set TOKTK_HOME to a folder that you can write.")

    def _note(self, why: str, advice: str) -> None:
        self._trouble = f"compiled kernels {why}. Each run compiles them anew {_WAIT}. {advice}"
        self._remark(self._trouble)


class KernelCache:
    """What numba asks for the machine code of one function, and gives what it has compiled.

    The methods are those of numba's own caches. `state` says of which sources the function is, so that it
    must be one of this room, without free variables.
    """

    def __init__(self, function: Callable[..., Any], state: str, code: MachineCode) -> None:
        self._state = state
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._code = code
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """Return the folder."""
        return str(self._code.folder)

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Read and write no files."""
        self._enabled = False

    def flush(self) -> None:
        """Read and write no files: numba wants the function compiled anew, with other globals."""
        self.disable()

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function for the types of its arguments, or None."""
        from numba.core.compiler import CompileResult

        # Numba's own caches refresh `target_context` here, which imports all that can be compiled (and
        # scipy): 0.2 s. Machine code needs none of that, and the compiler refreshes it by itself.
        if not self._enabled:
            return None
        payload = self._code.read(self._name, self._key(signature, target_context.codegen()))
        loaded = None
        if payload is not None:
            # It fails such as where a library was changed and has the same version.
            with contextlib.suppress(Exception):
                loaded = CompileResult._rebuild(target_context, *pickle.loads(payload))
        if loaded is None or tuple(loaded.signature.args) != tuple(signature):
            self._code.compiling(True)
            return None
        return loaded

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, unless it holds addresses of this process."""
        from numba.core.serialize import dumps

        if not (self._enabled and self._code.is_kept):
            return
        if compiled.lifted or compiled.library.has_dynamic_globals:
            return
        key = self._key(signature, compiled.codegen)
        self._code.write(self._name, key, dumps(compiled._reduce()))

    def _key(self, signature: Any, codegen: Any) -> str:
        types = [str(argument) for argument in signature]
        made_by = [*codegen.magic_tuple(), *_compiler()]
        return json.dumps([self._state, self._name, types, *made_by])


@functools.cache
def _compiler() -> list[str]:
    """Return what made the machine code, besides the processor that numba tells of."""
    import llvmlite
    import numba

    vectors = f"SVML {numba.config.USING_SVML}"
    python = platform.python_implementation(), platform.python_version()
    return [*python, numba.__version__, llvmlite.__version__, vectors]


def _head(key: str) -> bytes:
    return key.encode() + b"\n"


def _prepare(folder: Path) -> str:
    """Make and lock the folder; say why it is not to be used, empty if it is."""
    if folder.is_dir() and (reason := _stranger(folder.stat())):
        return reason  # and nothing is written into it
    hold(folder)
    temporary.sweep(folder)
    return _stranger(folder.stat())


def _stranger(status: os.stat_result) -> str:
    """Say why somebody else may have written what has this status; empty if nobody else may."""
    if not hasattr(os, "geteuid"):
        return ""  # Windows, where a user's folders are the user's
    if status.st_uid not in (os.geteuid(), 0):
        return "belongs to another user"
    return "can be written by others" if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else ""


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a pipe in its place does not wait for a writer, and a link is not followed."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
