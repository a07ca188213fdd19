"""Raw memory access, and what is built on it: loading, comparing and hashing bytes.

An 8-byte load replaces a loop over bytes, whose end is hard to predict. `tail64` is the array
version for the end of a buffer, and the oracle in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from toktk.kernels import inlined, kernel


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
def _store64(typingctx: Any, data: Any, i: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        stored = builder.store(args[2], builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), codegen


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
        hints = [ir.Constant(i32, value) for value in (0, 3, 1)]
        builder.call(function, [builder.bitcast(pointer, byte), *hints])
        return context.get_dummy_value()

    return types.void(data, types.int64), codegen


@intrinsic
def _copy16(typingctx: Any, source: Any, i: Any, target: Any, j: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def address(array: int) -> Any:
            struct = cgutils.create_struct_proxy(signature.args[array])
            data = struct(context, builder, args[array]).data
            vector = ir.VectorType(ir.IntType(64), 2).as_pointer()
            return builder.bitcast(builder.gep(data, [args[array + 1]]), vector)

        loaded = builder.load(address(0))
        stored = builder.store(loaded, address(2))
        loaded.align = stored.align = 4
        return context.get_dummy_value()

    return types.void(source, types.uint64, target, types.uint64), codegen


@intrinsic
def _copy32(typingctx: Any, source: Any, i: Any, target: Any, j: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def address(array: int) -> Any:
            struct = cgutils.create_struct_proxy(signature.args[array])
            data = struct(context, builder, args[array]).data
            vector = ir.VectorType(ir.IntType(8), 32).as_pointer()
            return builder.bitcast(builder.gep(data, [args[array + 1]]), vector)

        loaded = builder.load(address(0))
        stored = builder.store(loaded, address(2))
        loaded.align = stored.align = 1
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), codegen


@kernel
def tail64(data: np.ndarray, i: int) -> np.uint64:
    """Return up to 8 bytes from `i` as a little-endian word, zero past the end of `data`."""
    word = np.uint64(0)
    for k in range(min(8, data.size - i)):
        word |= np.uint64(data[i + k]) << np.uint64(8 * k)
    return word


def _raw_load64(data: np.ndarray, i: int) -> Any:
    return _load64(data, i)


# Coverage and bounds-checked runs use the array version everywhere.
_RAW = not (config.DISABLE_JIT or config.BOUNDSCHECK)

load64 = kernel(_raw_load64) if _RAW else tail64
"""Return the 8 bytes at `i` as a little-endian word; ``i + 8 <= data.size`` is required."""


@kernel
def prefetch(data: np.ndarray, i: int) -> None:
    """Hint that ``data[i]`` will be needed soon."""
    if _RAW:
        _prefetch(data, i)


# What to keep of the first and the second eight bytes of a piece of 0..16 bytes.
_FIRST_MASK = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(17)], dtype=np.uint64)
_SECOND_MASK = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(17)], dtype=np.uint64)


@kernel
def load_word(data, i, n):
    """Return the first `n` bytes at `i`, at most 8, as a word."""
    if n <= 0:
        return np.uint64(0)
    word = load64(data, i) if i + 8 <= data.size else tail64(data, i)
    return word & _FIRST_MASK[min(n, 8)]


@kernel
def load_pair(data, i, n):
    """Return the `n` bytes at `i`, at most 16, as two words; ``i + 16 <= data.size`` is required."""
    return load64(data, i) & _FIRST_MASK[n], load64(data, i + 8) & _SECOND_MASK[n]


@kernel
def put_word(packed, at, n, data, start):
    """Copy the first `n` bytes at `start`, at most 8, to `at`; what follows within `packed` may change too.

    `packed` is another array than `data`.
    """
    if _RAW and start + 8 <= data.size and at + 8 <= packed.size:
        _store64(packed, at, load64(data, start))
    else:
        for k in range(min(n, 8)):
            packed[at + k] = data[start + k]


@kernel
def store_word(data, i, n, word):
    """Write the first `n` bytes of `word`, at most 8, to `i`; what follows within `data` may change too."""
    if _RAW and i + 8 <= data.size:
        _store64(data, i, word)
    else:
        for k in range(min(n, 8)):
            data[i + k] = (word >> np.uint64(8 * k)) & np.uint64(255)


@kernel
def copy_halves(words, i, halves, j):
    """Copy two uint64 at `i` to the four uint32 at `j`, lower half first."""
    if _RAW:
        _copy16(words, i, halves, j)
    else:
        for k in range(4):
            half = words[np.int64(i) + k // 2] >> np.uint64(k % 2 * 32)
            halves[np.int64(j) + k] = half & np.uint64(2**32 - 1)


@kernel
def copy_32(data, i, target, j):
    """Copy the 32 bytes at `i` to `j` of another array."""
    if _RAW:
        _copy32(data, i, target, j)
    else:
        for k in range(32):
            target[j + k] = data[i + k]


@kernel
def are_equal(data, start, other, at, n):
    """Tell whether the `n` bytes at `start` are those of `other` at `at`."""
    k = 0
    while k < n and load_word(data, start + k, n - k) == load_word(other, at + k, n - k):
        k += 8
    return k >= n


@kernel
def hash_bytes(data, i, n):
    """Hash the `n` bytes at `i`, eight at a time."""
    h = np.uint64(n) * np.uint64(0x165667B19E3779F9)
    for k in range(0, n, 8):
        h = (h ^ load_word(data, i + k, n - k)) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(31)
    return h


@inlined
def char_length(byte):
    """Return how many bytes the character has that begins with `byte`; 1 if none does."""
    if byte < 0xC0:
        return 1
    if byte < 0xE0:
        return 2
    if byte < 0xF0:
        return 3
    return 4


@inlined
def code_point(data, i, width):
    """Return the code point of the character of `width` bytes at `i`."""
    code = np.int64(data[i])
    if width > 1:
        code &= 0x7F >> width
        for k in range(1, width):
            code = (code << 6) | (np.int64(data[i + k]) & 0x3F)
    return code


# The least code point of a character, by its bytes.
_LEAST = np.array([0, 0, 0x80, 0x800, 0x10000])


@kernel
def character(data, i, stop):
    """Return code point and bytes of the character at `i`; -1 and 1 where there is none.

    Surrogates and numbers above U+10FFFF count as characters.
    """
    code = np.int64(data[i])
    if code < 0x80:
        return code, 1
    width = char_length(code)
    if width == 1 or code >= 0xF8 or i + width > stop:
        return np.int64(-1), 1
    wrong = np.int64(0)
    for k in range(1, width):
        wrong |= (np.int64(data[i + k]) & 0xC0) ^ 0x80
    code = code_point(data, i, width)
    if wrong or code < _LEAST[width]:
        return np.int64(-1), 1
    return code, width
