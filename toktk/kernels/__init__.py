"""Numba kernels: contiguous arrays in, arrays out; no Python objects, no I/O.

Kernels never allocate: the caller hands in every array and grows it when a kernel asks. So numba's
reference counting is off, whose atomic increments cost a third of the time in loops that call
kernels. Machine code is cached under a hash of *all* kernel sources, because numba's own cache does
not notice a change in another file. ``TOKTK_NUMBA_CACHE=0`` turns the cache off.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from toktk.cache import hold
from toktk.paths import home

Kernel = Callable[..., Any]


def cache_directory() -> Path | None:
    """Return the folder of compiled kernels for this source state, or None when caching is off."""
    if os.environ.get("TOKTK_NUMBA_CACHE") == "0":
        return None
    # Numba's own key leaves this out, though it changes the code.
    digest = hashlib.sha256(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return home() / "kernels" / digest.hexdigest()[:16]


def _configure() -> bool:
    directory = cache_directory()
    if directory is None:
        return False
    try:
        hold(directory)  # numba loads what is in it when a kernel is first called
    except OSError:
        return False  # a read-only home costs compile time, never the run
    import numba

    numba.config.CACHE_DIR = str(directory)
    return True


_CACHE = _configure()
# Numba has a lock too, but parts of its Python code that threads share run outside it.
_COMPILING = threading.RLock()


def kernel(function: Kernel) -> Kernel:
    """Compile `function` with toktk's one set of options."""
    import numba

    compiled: Any = numba.njit(nogil=True, cache=_CACHE, fastmath=False, _nrt=False)(function)
    compile_and_call = getattr(compiled, "_compile_for_args", None)
    if compile_and_call is not None:  # what a first call with new types comes to; later ones do not

        def one_at_a_time(*args: Any, **kwargs: Any) -> Any:
            with _COMPILING:
                return compile_and_call(*args, **kwargs)

        compiled._compile_for_args = one_at_a_time
    return cast(Kernel, compiled)


def inlined(function: Kernel) -> Kernel:
    """Compile a small `function` into its callers, which saves reference counts on array arguments."""
    import numba

    compiled: Kernel = numba.njit(nogil=True, inline="always", fastmath=False, _nrt=False)(function)
    return compiled
