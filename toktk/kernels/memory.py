"""The one place with raw memory access: unaligned 8-byte loads and prefetch hints.

An 8-byte load replaces a loop over bytes, and its mispredicted end, in hashing and comparing pieces.
The caller guarantees ``0 <= i <= data.size - 8``;
`tail64` is the array version for the end of a buffer, and the oracle in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from toktk.kernels import kernel


@intrinsic
def _load64(typingctx: Any, data: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), codegen


@intrinsic
def _prefetch(typingctx: Any, data: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        byte = ir.IntType(8).as_pointer()
        i32 = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]),
            "llvm.prefetch.p0",
        )
        one = [ir.Constant(i32, value) for value in (0, 2, 1)]
        builder.call(function, [builder.bitcast(pointer, byte), *one])
        return context.get_dummy_value()

    return types.void(data, types.int64), codegen


@kernel
def tail64(data: np.ndarray, i: int) -> np.uint64:
    """Return up to 8 bytes from `i` as a little-endian word, zero past the end of `data`."""
    word = np.uint64(0)
    for k in range(min(8, data.size - i)):
        word |= np.uint64(data[i + k]) << np.uint64(8 * k)
    return word


def _array_load64(data: np.ndarray, i: int) -> Any:
    return tail64(data, i)


def _raw_load64(data: np.ndarray, i: int) -> Any:
    return _load64(data, i)


def _no_prefetch(data: np.ndarray, i: int) -> None:
    pass


def _raw_prefetch(data: np.ndarray, i: int) -> None:
    _prefetch(data, i)


# Coverage and bounds-checked runs use the array version everywhere.
_RAW = not (config.DISABLE_JIT or config.BOUNDSCHECK)

load64 = kernel(_raw_load64 if _RAW else _array_load64)
"""Return the 8 bytes at `i` as a little-endian word; ``i + 8 <= data.size`` is required."""

prefetch = kernel(_raw_prefetch if _RAW else _no_prefetch)
"""Hint that ``data[i]`` will be needed soon."""
