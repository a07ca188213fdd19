"""Python's garbage collector, out of the way of vocabularies."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Switch the collector off for a while.

    Vocabularies are hundreds of thousands of small lists and strings, none of them in a cycle: to look
    for cycles among them over and over takes twice as long as reading or writing them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
