"""One call in each of several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any


def in_threads(run: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    """Call ``run(*one)`` for each of `arguments` at once, the first in this thread; wait for all.

    Raises:
        BaseException: the first error of any of them.
    """
    errors: list[BaseException] = []

    def guarded(one: tuple[Any, ...]) -> None:
        try:
            run(*one)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in arguments[1:]]
    for thread in threads:
        thread.start()
    guarded(arguments[0])
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
