"""The address space of the process, of which libraries reserve far more than they use.

Where it is limited (``ulimit -v``), some of them end the process, and some try without end.
"""

from __future__ import annotations

import os
import sys

from toktk.errors import MemoryLimitError

_LEAST, _FOR_EACH_CORE = 3_000_000_000, 150_000_000
"""Bytes. Commands ran from 2.4 GB on with 2 cores; libraries of linear algebra reserve some 80 MB a core."""

_TO_DRAW = 100_000_000_000
"""Bytes. The engine that draws charts reserved between 40 and 80 GB."""


def check_address_space() -> None:
    """Refuse to go on where libraries would lack address space.

    Raises:
        MemoryLimitError: they would.
    """
    least = _LEAST + _FOR_EACH_CORE * (os.cpu_count() or 1)
    _check(least, "the libraries that toktk loads", "")


def check_room_to_draw() -> None:
    """Refuse to draw where the engine that draws would lack address space; it would end the process.

    Raises:
        MemoryLimitError: it would.
    """
    _check(_TO_DRAW, "the engine that draws charts", "; sweep and bench need no page (--no-page)")


def _check(least: int, who: str, instead: str) -> None:
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise MemoryLimitError(
            f"{who} may need {least / 1e9:.1f} GB of address space.",
            f"Found: a limit of {limit / 1e9:.1f} GB (ulimit -v).",
            f"Lift it{instead}. A limit of memory, as of a control group, may be far lower.",
        )
