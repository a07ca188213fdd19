"""One call in each of several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def parts(n: int, jobs: int) -> list[tuple[int, int]]:
    """Return (begin, end) of `jobs` parts of nearly equal size of 0..n-1."""
    return [(n * j // jobs, n * (j + 1) // jobs) for j in range(jobs)]


def in_threads(run: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """Call ``run(*one)`` for each of `arguments` at once, the first in this thread; return the results.

    Raises:
        BaseException: the first error of any of them, when all have ended.
    """
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            results[i] = run(*arguments[i])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(1, len(arguments))]
    for thread in threads:
        thread.start()
    guarded(0)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(arguments))]
