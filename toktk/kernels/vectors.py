"""Eight, sixteen or 64 numbers at once, without a branch: what numba makes of no loop.

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
        return _trailing_zeros(builder, builder.or_(bits, ir.Constant(ir.IntType(64), 1 << 8)))

    return types.uint64(slots, types.uint64, types.uint64), codegen


def _trailing_zeros(builder: Any, bits: Any) -> Any:
    is_never_zero = ir.Constant(ir.IntType(1), 0)
    return _call(builder, "llvm.cttz.i64", ir.IntType(64), bits, is_never_zero)


def _compared_of_64(operator: str, value: int, order: list[int]) -> Any:
    @intrinsic
    def compared(typingctx: Any, data: Any, i: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            loaded = _vector(context, builder, signature.args[0], args[0], args[1], 64)
            places = ir.Constant(ir.VectorType(ir.IntType(32), 64), order)
            values = ir.Constant(loaded.type, [value] * 64)
            ordered = builder.shuffle_vector(loaded, loaded, places)
            return builder.bitcast(builder.icmp_signed(operator, ordered, values), ir.IntType(64))

        return types.uint64(data, types.uint64), codegen

    return compared


_nonzero_of_8_by_8 = _compared_of_64("!=", 0, [k // 8 + 8 * (k % 8) for k in range(64)])
_negative_of_64 = _compared_of_64("<", 0, list(range(64)))
_continuing_of_64 = _compared_of_64("<", -64, list(range(64)))


@intrinsic
def _first_bit(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _trailing_zeros(builder, args[0])

    return types.uint64(types.uint64), codegen


@intrinsic
def _places_of_8(typingctx: Any, table: Any, bits: Any, base: Any, places: Any, k: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eighth = builder.shl(args[1], ir.Constant(ir.IntType(64), 3))
        loaded = _vector(context, builder, signature.args[0], args[0], eighth, 8)
        wide = ir.VectorType(ir.IntType(32), 8)
        first = builder.trunc(args[2], ir.IntType(32))
        firsts = ir.Constant(wide, ir.Undefined)
        for lane in range(8):
            firsts = builder.insert_element(firsts, first, ir.Constant(ir.IntType(32), lane))
        data = cgutils.create_struct_proxy(signature.args[3])(context, builder, args[3]).data
        pointer = builder.bitcast(builder.gep(data, [args[4]]), wide.as_pointer())
        builder.store(builder.add(builder.zext(loaded, wide), firsts), pointer).align = 4
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, places, types.uint64), codegen


@intrinsic
def _bit_count(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "llvm.ctpop.i64", ir.IntType(64), args[0])

    return types.uint64(types.uint64), codegen


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


@kernel
def plain_nonzero_of_8_by_8(data, i):
    """Return bit 8 * c + r set where ``data[i + 8 * r + c]`` (uint8) is not 0, for r and c below 8."""
    bits = np.uint64(0)
    for k in range(64):
        bits |= np.uint64(data[i + np.uint64(k)] != 0) << np.uint64(k % 8 * 8 + k // 8)
    return bits


@kernel
def plain_negative_of_64(data, i):
    """Return bit k set where ``data[i + k]`` (uint8) is negative as int8, for k below 64."""
    bits = np.uint64(0)
    for k in range(64):
        bits |= np.uint64(data[i + np.uint64(k)] >= 0x80) << np.uint64(k)
    return bits


@kernel
def plain_continuing_of_64(data, i):
    """Return bit k set where ``data[i + k]`` is, in UTF-8, not the first byte of its character."""
    bits = np.uint64(0)
    for k in range(64):
        bits |= np.uint64(data[i + np.uint64(k)] & 0xC0 == 0x80) << np.uint64(k)
    return bits


@kernel
def plain_first_bit(bits):
    """Return the number of the lowest bit that is set, 64 of none."""
    k = np.uint64(0)
    while k < 64 and bits >> k & np.uint64(1) == 0:
        k += np.uint64(1)
    return k


def _bits_of_bytes() -> np.ndarray:
    """Return uint8[8 * 256]: for each byte the numbers of the bits that are set, then zeros."""
    bits = np.zeros((256, 8), dtype=np.uint8)
    for byte in range(256):
        numbers = [bit for bit in range(8) if byte >> bit & 1]
        bits[byte, : len(numbers)] = numbers
    return bits.ravel()


_BITS = _bits_of_bytes()


@kernel
def plain_places_of_8(bits, base, places, k):
    """Write `base` + the number of each bit of a byte that is set to ``places[k:]`` (uint32).

    What follows changes too; eight are written in all.
    """
    for j in range(8):
        places[k + np.uint64(j)] = base + np.uint64(_BITS[np.uint64(8) * bits + np.uint64(j)])


@kernel
def plain_bit_count(bits):
    """Return how many bits are set."""
    count = np.uint64(0)
    while bits != 0:
        bits &= bits - np.uint64(1)
        count += np.uint64(1)
    return count


def _raw_least_of_16(keys: Any, i: Any) -> Any:
    return _least_of_16(keys, i)


def _raw_tag_of_8(slots: Any, i: Any, tag: Any) -> Any:
    return _tag_of_8(slots, i, tag)


def _raw_nonzero_of_8_by_8(data: Any, i: Any) -> Any:
    return _nonzero_of_8_by_8(data, i)


def _raw_negative_of_64(data: Any, i: Any) -> Any:
    return _negative_of_64(data, i)


def _raw_continuing_of_64(data: Any, i: Any) -> Any:
    return _continuing_of_64(data, i)


def _raw_first_bit(bits: Any) -> Any:
    return _first_bit(bits)


def _raw_places_of_8(bits: Any, base: Any, places: Any, k: Any) -> Any:
    _places_of_8(_BITS, bits, base, places, k)


def _raw_bit_count(bits: Any) -> Any:
    return _bit_count(bits)


# Coverage and bounds-checked runs use the plain versions everywhere.
_RAW = not (config.DISABLE_JIT or config.BOUNDSCHECK)

least_of_16 = kernel(_raw_least_of_16) if _RAW else plain_least_of_16
tag_of_8 = kernel(_raw_tag_of_8) if _RAW else plain_tag_of_8
nonzero_of_8_by_8 = kernel(_raw_nonzero_of_8_by_8) if _RAW else plain_nonzero_of_8_by_8
negative_of_64 = kernel(_raw_negative_of_64) if _RAW else plain_negative_of_64
continuing_of_64 = kernel(_raw_continuing_of_64) if _RAW else plain_continuing_of_64
first_bit = kernel(_raw_first_bit) if _RAW else plain_first_bit
bit_count = kernel(_raw_bit_count) if _RAW else plain_bit_count
places_of_8 = kernel(_raw_places_of_8) if _RAW else plain_places_of_8
