"""Messages of SentencePiece models: the wire format of protocol buffers, and checks of their fields.

SentencePiece's own generated module works with one version of the protobuf package alone.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Mapping
from typing import Any

from toktk.formats.fields import Fields, has_surrogate

# Field numbers of SentencePiece's messages, and the values of two enumerations.
PIECE, TRAINER, NORMALIZER, DENORMALIZER = 1, 2, 3, 5
TEXT, SCORE, TYPE = 1, 2, 3
MODEL_TYPE, VOCAB_SIZE, SPLIT_BY_WHITESPACE, SUFFIX, BYTE_FALLBACK = 3, 4, 22, 24, 35
IDS = {"<unk>": 40, "<s>": 41, "</s>": 42, "<pad>": 43}
NAME, CHARSMAP, DUMMY_PREFIX, REMOVE_WHITESPACES, ESCAPE = 1, 2, 3, 4, 5
TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
UNIGRAM, BPE = 1, 2
MODEL_TYPES = {UNIGRAM: "unigram", BPE: "bpe", 3: "word", 4: "char"}

# A piece as SentencePiece writes it: a short text, its score, and a type if that is not the usual one.
_PLAIN = re.compile(rb"\n([\x01-\x7f])(.+)\x15(.{4})(?:\x18([\0-\x7f]))?", re.DOTALL)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value = int | bytes
Message = dict[int, list[Value]]


def encode_message(fields: Mapping[int, Any]) -> bytes:
    """Return the message of values by field number."""
    return b"".join([encode_field(number, value) for number, value in fields.items()])


def encode_field(number: int, value: int | bool | float | bytes | str) -> bytes:
    """Return one field: an integer or bool as varint, a float in 32 bits, a string in UTF-8.

    Negative integers take ten bytes, as int32 and int64 do.
    """
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return _varint(number << 3 | _FIXED32) + struct.pack("<f", value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def decode_message(message: bytes) -> Message:
    """Return {number: values in order}: varints as integers, all else as bytes; or raise ValueError."""
    values: Message = {}
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
        values.setdefault(key >> 3, []).append(value)
    return values


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


class ProtoFields(Fields):
    """Reads and checks messages of one ``.model`` file."""

    def message(self, raw: Any, field: str) -> Message:
        """Return the fields of a message."""
        try:
            return decode_message(raw)
        except ValueError as error:
            raise self.error(field, str(error), "a SentencePiece model") from error

    def last(self, message: Message, number: int, default: Any, field: str) -> Any:
        """Return the value that counts, of the type of `default`."""
        value = message.get(number, [default])[-1]
        if type(value) is not type(default):
            raise self.error(field, type(value).__name__, type(default).__name__)
        return value

    def part(self, top: Message, number: int, name: str) -> Message:
        """Return a message within the file's, empty where it is missing."""
        return self.message(self.last(top, number, b"", name), name)

    def piece(self, raw: Any, field: str) -> tuple[str, float, int]:
        """Return name, score and type of a piece."""
        raw = raw if isinstance(raw, bytes) else b"\x07"  # which is no message
        plain = _PLAIN.fullmatch(raw)
        if plain and len(plain[2]) == plain[1][0]:
            with contextlib.suppress(UnicodeDecodeError):
                kind = plain[4][0] if plain[4] else NORMAL
                return plain[2].decode(), struct.unpack("<f", plain[3])[0], kind
        message = self.message(raw, field)
        text = self.last(message, TEXT, b"", f"{field}.piece")
        score = self.last(message, SCORE, b"\0\0\0\0", f"{field}.score")
        kind = self.last(message, TYPE, NORMAL, f"{field}.type")
        name = text.decode(errors="surrogateescape")
        if not name or has_surrogate(name) or len(score) != 4:
            raise self.error(field, f"{text!r:.60}, {len(score)} bytes of score", "text and score")
        return name, struct.unpack("<f", score)[0], kind
