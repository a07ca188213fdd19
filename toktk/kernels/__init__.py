"""Numba kernels: contiguous arrays in, arrays out; no Python objects, no I/O.

Kernels never allocate: the caller hands in every array and grows it when a kernel asks. So numba's
reference counting is off, whose atomic increments cost a third of the time in loops that call
kernels. They call no method of arrays such as ``sum``, with which their machine code would load scipy.
Machine code is kept under a hash of *all* kernel sources, as a kernel holds the code of those
that it calls: see `toktk.kernels.machine_code`. ``TOKTK_NUMBA_CACHE=0`` keeps none.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from toktk.kernels.machine_code import KernelCache, MachineCode
from toktk.paths import home
from toktk.runtime import gc_off

Kernel = Callable[..., Any]
_OPTIONS = {
    "nogil": True,
    "fastmath": False,
    "_nrt": False,
    "nopython": True,
    "no_cfunc_wrapper": True,  # never called
}


@functools.cache
def _sources() -> str:
    """Return a hash of the sources of all kernels, and of what numba's own key leaves out of its options."""
    digest = hashlib.sha256(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def cache_directory() -> Path | None:
    """Return the folder of compiled kernels for this source state, or None when caching is off."""
    if os.environ.get("TOKTK_NUMBA_CACHE") == "0":
        return None
    return home() / "kernels" / _sources()[:16]


MACHINE_CODE = MachineCode(cache_directory())
# Numba has a lock too, but parts of its Python code that threads share run outside it.
_COMPILING = threading.RLock()


def kernel(function: Kernel) -> Kernel:
    """Compile `function` with toktk's one set of options."""
    import numba

    if numba.config.DISABLE_JIT:
        return function
    from toktk.kernels.compiler import CompiledKernel

    compiled: Any = CompiledKernel(function, _OPTIONS)
    if function.__module__.startswith(f"{__name__}.") and function.__closure__ is None:
        compiled._cache = KernelCache(function, _sources(), MACHINE_CODE)

    # Extensions of numba that other packages bring, for types of theirs, would be imported here.
    compiled._compilation_chain_init_hook = lambda: None
    compile_and_call = compiled._compile_for_args

    # What a first call with new types comes to; later ones do not.
    def one_at_a_time(*args: Any, **kwargs: Any) -> Any:
        with _COMPILING, gc_off():
            try:
                return compile_and_call(*args, **kwargs)
            finally:
                MACHINE_CODE.compiling(False)

    compiled._compile_for_args = one_at_a_time
    return cast(Kernel, compiled)


def inlined(function: Kernel) -> Kernel:
    """Compile a small `function` into its callers."""
    import numba

    if numba.config.DISABLE_JIT:
        return function
    from toktk.kernels.compiler import CompiledKernel

    return cast(Kernel, CompiledKernel(function, {**_OPTIONS, "forceinline": True}))
