"""What the interpreter and the machine do under toktk: threads, the garbage collector, cores, memory."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from toktk.errors import ThreadError

T = TypeVar("T")

_UNKNOWN_FREE = 4 << 30  # bytes that are taken to be free where nobody knows
_LEAST_MEMORY = 1 << 26  # bytes; with less, counting would do little else than write
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc's malloc.h
_UNIFIED_LIMITS = ("memory.max", "memory.current")
_LIMITS = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def parts(n: int, jobs: int) -> list[tuple[int, int]]:
    """Return (begin, end) of `jobs` parts of nearly equal size of 0..n-1."""
    return [(n * j // jobs, n * (j + 1) // jobs) for j in range(jobs)]


class Threads(ThreadPoolExecutor):
    """A pool of threads that does not hold up an error by work not begun, nor Ctrl-C by any work."""

    def submit(self, run: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a call done by one of the threads.

        Raises:
            ThreadError: the system starts no more threads.
        """
        try:
            return super().submit(run, *args, **kwargs)
        except RuntimeError as error:
            raise ThreadError(
                "the system starts no more threads.",
                f"Found: {error}.",
                "Use fewer with --jobs, or raise the limit (ulimit -u).",
            ) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Wait for the threads, unless the user wants no more of them."""
        wait = error is None or isinstance(error, Exception)
        self.shutdown(wait=wait, cancel_futures=error is not None)


def in_threads(
    run: Callable[..., T], arguments: Sequence[tuple[Any, ...]], jobs: int | None = None
) -> list[T]:
    """Return ``run(*argument)`` for each of `arguments`, by `jobs` threads; the first error is raised.

    Kernels release the interpreter's lock, so they run side by side. None: a thread for each.

    Raises:
        ThreadError: the system starts no more threads.
    """
    threads = min(jobs or len(arguments), len(arguments))
    if threads <= 1:
        return [run(*argument) for argument in arguments]
    with Threads(threads) as pool:
        return list(pool.map(run, *zip(*arguments, strict=True)))


@contextlib.contextmanager
def gc_off() -> Iterator[None]:
    """Switch the garbage collector off for a while.

    A vocabulary is hundreds of thousands of small lists and strings, none of them in a cycle. The collector
    would look for cycles among them again and again, which takes twice as long as reading or writing them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def usable_cores() -> int:
    """Return how many cores this process may run on; containers often grant fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def default_memory() -> int:
    """Return half of the memory that is free at the first call: what counts may take, unless told."""
    free = [_available(), *_left_in_control_groups()]
    known = [n_bytes for n_bytes in free if n_bytes is not None]
    return max(min(known, default=_UNKNOWN_FREE) // 2, _LEAST_MEMORY)


def _available() -> int | None:
    """Return what the system would give without swapping; None where nobody knows."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:  # not Linux
        pass
    return None


def _left_in_control_groups(
    of_process: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Yield what is left of each limit that a container or a batch system has set: see cgroups(7)."""
    try:
        lines = of_process.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = _LIMITS if controllers else _UNIFIED_LIMITS
        group = root / controllers / path.lstrip("/")
        # A limit holds for all that is below. In a container, the path may be one of outside.
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            with contextlib.suppress(OSError, ValueError):  # the root has none; "max" is none
                limit, used = (int((folder / name).read_text()) for name in names)
                stat = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
                yield max(limit - used + int(stat.get("inactive_file", 0)), 0)


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep up to 64 MB of what is freed, for the next batch, until `give_back_memory`.

    By itself it keeps no block that is larger than all that were freed before (mallopt(3)). To be given
    memory anew, page by page, is up to a fifth of the time to encode a batch.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            for parameter, n_bytes in ((_TRIM_THRESHOLD, 64 << 20), (_MMAP_THRESHOLD, 32 << 20)):
                mallopt(parameter, n_bytes)


def give_back_memory() -> None:
    """Give free memory back to the system, which glibc keeps for each thread, and Arrow for itself.

    It is for the end of a step that held much, for the next one takes other sizes.
    """
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes; None where nobody knows.

    On Linux not from getrusage: a child process takes over its parent's peak there.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
