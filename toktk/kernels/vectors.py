"""Eight or sixteen numbers at once, without a branch: what numba makes of no loop.

LLVM makes what the machine has of the vectors. The versions in Python are the oracles, and run where raw
memory is not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from toktk.kernels import kernel

TAG_SHIFT = 22  # of a slot: what is above it is compared


def _vector(context: Any, builder: Any, array_type: Any, array: Any, i: Any, width: int) -> Any:
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    element = context.get_data_type(array_type.dtype)
    pointer = builder.bitcast(builder.gep(data, [i]), ir.VectorType(element, width).as_pointer())
    loaded = builder.load(pointer)
    loaded.align = array_type.dtype.bitwidth // 8
    return loaded


def _call(builder: Any, name: str, returned: Any, *args: Any) -> Any:
    signature = ir.FunctionType(returned, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)


@intrinsic
def _least_of_16(typingctx: Any, keys: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = _vector(context, builder, signature.args[0], args[0], args[1], 16)
        least = _call(builder, "llvm.vector.reduce.umin.v16i32", ir.IntType(32), loaded)
        return builder.zext(least, ir.IntType(64))

    return types.uint64(keys, types.uint64), codegen


@intrinsic
def _tag_of_8(typingctx: Any, slots: Any, i: Any, tag: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = _vector(context, builder, signature.args[0], args[0], args[1], 8)
        shift = ir.Constant(loaded.type, [TAG_SHIFT] * 8)
        wanted = ir.Constant(loaded.type, ir.Undefined)
        for lane in range(8):
            wanted = builder.insert_element(wanted, args[2], ir.Constant(ir.IntType(32), lane))
        is_equal = builder.icmp_unsigned("==", builder.lshr(loaded, shift), wanted)
        bits = builder.zext(builder.bitcast(is_equal, ir.IntType(8)), ir.IntType(64))
        bits = builder.or_(bits, ir.Constant(ir.IntType(64), 1 << 8))
        never_zero = ir.Constant(ir.IntType(1), 1)
        return _call(builder, "llvm.cttz.i64", ir.IntType(64), bits, never_zero)

    return types.uint64(slots, types.uint64, types.uint64), codegen


@kernel
def plain_least_of_16(keys, i):
    """Return the least of ``keys[i:i + 16]``, uint32, as uint64; `i` is uint64."""
    least = np.uint64(keys[i])
    for k in range(1, 16):
        least = min(least, np.uint64(keys[i + np.uint64(k)]))
    return least


@kernel
def plain_tag_of_8(slots, i, tag):
    """Return which of ``slots[i:i + 8]`` (uint64) is the first with `tag` above `TAG_SHIFT`, 8: none."""
    for k in range(8):
        if slots[i + np.uint64(k)] >> np.uint64(TAG_SHIFT) == tag:
            return np.uint64(k)
    return np.uint64(8)


def _raw_least_of_16(keys: Any, i: Any) -> Any:
    return _least_of_16(keys, i)


def _raw_tag_of_8(slots: Any, i: Any, tag: Any) -> Any:
    return _tag_of_8(slots, i, tag)


# Coverage and bounds-checked runs use the plain versions everywhere.
_RAW = not (config.DISABLE_JIT or config.BOUNDSCHECK)

least_of_16 = kernel(_raw_least_of_16) if _RAW else plain_least_of_16
tag_of_8 = kernel(_raw_tag_of_8) if _RAW else plain_tag_of_8
