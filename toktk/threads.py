"""One call in each of several threads; kernels run side by side, for they release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def parts(n: int, jobs: int) -> list[tuple[int, int]]:
    """Return (begin, end) of `jobs` parts of nearly equal size of 0..n-1."""
    return [(n * j // jobs, n * (j + 1) // jobs) for j in range(jobs)]


def in_threads(run: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """Call ``run(*one)`` for each of `arguments` at once; return the results, or raise the first error."""
    if len(arguments) == 1:
        return [run(*arguments[0])]
    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(run, *zip(*arguments, strict=True)))
