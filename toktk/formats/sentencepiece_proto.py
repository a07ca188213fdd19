"""What readers of SentencePiece models have in common: field numbers, and checks of fields."""

from __future__ import annotations

import contextlib
import re
import struct
from typing import Any

from toktk.formats import wire
from toktk.formats.fields import Fields, has_surrogate

SPACE = "\u2581"

# Field numbers of SentencePiece's messages, and the values of two enumerations.
PIECE, TRAINER, NORMALIZER, DENORMALIZER = 1, 2, 3, 5
TEXT, SCORE, TYPE = 1, 2, 3
MODEL_TYPE, VOCAB_SIZE, SPLIT_BY_WHITESPACE, SUFFIX, BYTE_FALLBACK = 3, 4, 22, 24, 35
IDS = {"<unk>": 40, "<s>": 41, "</s>": 42, "<pad>": 43}
NAME, CHARSMAP, DUMMY_PREFIX, REMOVE_WHITESPACES, ESCAPE = 1, 2, 3, 4, 5
TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

# A piece as SentencePiece writes it: a short text, its score, and a type if that is not the usual one.
_PLAIN = re.compile(rb"\n([\x01-\x7f])(.+)\x15(.{4})(?:\x18([\0-\x7f]))?", re.DOTALL)

Message = dict[int, list[wire.Value]]


class ProtoFields(Fields):
    """Reads and checks messages of one ``.model`` file."""

    def message(self, raw: Any, field: str) -> Message:
        """Return the fields of a message."""
        try:
            return wire.fields(raw)
        except ValueError as error:
            raise self.error(field, str(error), "a SentencePiece model") from error

    def last(self, message: Message, number: int, default: Any, field: str) -> Any:
        """Return the value that counts, of the type of `default`."""
        value = message.get(number, [default])[-1]
        if type(value) is not type(default):
            raise self.error(field, f"{type(value).__name__}", f"{type(default).__name__}")
        return value

    def part(self, top: Message, number: int, name: str) -> Message:
        """Return a message within the file's, empty where it is missing."""
        return self.message(self.last(top, number, b"", name), name)

    def check_flag(
        self, message: Message, spec: str, field: str, number: int, default: int, wanted: int
    ) -> None:
        """Refuse a flag that is not `wanted`; absent, it is `default`."""
        if self.last(message, number, default, f"{spec}.{field}") != wanted:
            raise self.error(f"{spec}.{field}", _flag(1 - wanted), f"{field}={_flag(wanted)}")

    def check_kind(self, trainer: Message, wanted: int) -> None:
        """Refuse a model of another type."""
        kind = self.last(trainer, MODEL_TYPE, 1, "trainer_spec.model_type")
        if kind != wanted:
            found = MODEL_TYPES.get(kind, kind)
            raise self.error("trainer_spec.model_type", found, MODEL_TYPES[wanted])

    def check_trainer(self, trainer: Message) -> None:
        """Refuse a model without byte fallback, or one that puts spaces after words."""
        self.check_flag(trainer, "trainer_spec", "byte_fallback", BYTE_FALLBACK, 0, 1)
        self.check_flag(trainer, "trainer_spec", "treat_whitespace_as_suffix", SUFFIX, 0, 0)

    def normalizer(self, top: Message) -> Message:
        """Return the normalizer's message; refuse all that changes text but a space in front."""
        for spec, number in (("normalizer_spec", NORMALIZER), ("denormalizer_spec", DENORMALIZER)):
            message = self.part(top, number, spec)
            rule = self.last(message, NAME, b"", f"{spec}.name").decode(errors="replace")
            if self.last(message, CHARSMAP, b"", f"{spec}.precompiled_charsmap"):
                found = f"the normalizer {rule or 'without a name'}"
                wanted = "none: normalization_rule_name=identity"
                raise self.error(f"{spec}.precompiled_charsmap", found, wanted)
        return self.part(top, NORMALIZER, "normalizer_spec")

    def check_spaces(self, normalizer: Message) -> None:
        """Refuse a model that drops spaces or does not write them as U+2581."""
        spec = "normalizer_spec"
        self.check_flag(normalizer, spec, "remove_extra_whitespaces", REMOVE_WHITESPACES, 1, 0)
        self.check_flag(normalizer, spec, "escape_whitespaces", ESCAPE, 1, 1)

    def piece(self, raw: Any, field: str) -> tuple[str, float, int]:
        """Return name, score and type of a piece."""
        plain = _PLAIN.fullmatch(raw) if isinstance(raw, bytes) else None
        if plain and len(plain[2]) == plain[1][0]:
            with contextlib.suppress(UnicodeDecodeError):
                kind = plain[4][0] if plain[4] else NORMAL
                return plain[2].decode(), struct.unpack("<f", plain[3])[0], kind
        message = self.message(raw if isinstance(raw, bytes) else b"\x07", field)
        text = self.last(message, TEXT, b"", f"{field}.piece")
        score = self.last(message, SCORE, b"\0\0\0\0", f"{field}.score")
        kind = self.last(message, TYPE, NORMAL, f"{field}.type")
        name = text.decode(errors="surrogateescape")
        if not name or has_surrogate(name) or len(score) != 4:
            raise self.error(field, f"{text!r:.60}, {len(score)} bytes of score", "text and score")
        return name, struct.unpack("<f", score)[0], kind


def _flag(value: int) -> str:
    return "true" if value else "false"
