"""The wire format of protocol buffers: as much as a SentencePiece model needs.

SentencePiece's own generated module works with one version of the protobuf package alone.
"""

from __future__ import annotations

import struct

Value = int | bytes

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def field(number: int, value: int | bool | float | bytes | str) -> bytes:
    """Return one field: an integer or bool as varint, a float in 32 bits, a string in UTF-8.

    Negative integers take ten bytes, as int32 and int64 do.
    """
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return _varint(number << 3 | _FIXED32) + struct.pack("<f", value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def fields(message: bytes) -> dict[int, list[Value]]:
    """Return {number: values in order}: varints as integers, everything else as its bytes.

    Raises:
        ValueError: bytes that are no message.
    """
    found: dict[int, list[Value]] = {}
    at, end = 0, len(message)
    while at < end:
        key, at = _read_varint(message, at)
        kind = key & 7
        value: Value
        if kind == _VARINT:
            value, at = _read_varint(message, at)
        elif kind in (_BYTES, _FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
            if kind == _BYTES:
                length, at = _read_varint(message, at)
            value, at = message[at : at + length], at + length
            if at > end:
                raise ValueError(f"field {key >> 3} goes beyond the end")
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    if at < len(message) and message[at] < 0x80:
        return message[at], at + 1
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("the end comes within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number of more than 64 bits at byte {at}")
