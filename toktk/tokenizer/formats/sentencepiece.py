"""``.model``, the format of SentencePiece: unigram with byte fallback, text taken as it is.

SentencePiece finds the best path through a whole line, toktk through each piece of it. Both are the
same where no token reaches over a cut. Two differences remain, and are told to who saves:
SentencePiece writes a space as U+2581 and so takes U+2581 in text for a space; and it adds scores
in float32, from the start of a line to its end. Sums of multiples of 2**-10, as toktk's trainer
gives, are exact there down to -16,384; beyond that, and with other scores, two paths whose sums
are nearly equal can change places.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from toktk.errors import FormatError
from toktk.paths import atomic_write
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer.formats import wire
from toktk.tokenizer.formats.fallback import byte_names, is_matched, on_grid, token_names
from toktk.tokenizer.formats.fields import (
    Fields,
    check_distinct,
    check_special_tokens,
    has_surrogate,
    short,
)
from toktk.tokenizer.formats.pattern import canonical_pattern
from toktk.tokenizer.tokenizer import Tokenizer
from toktk.tokenizer.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.tokenizer.vocabulary import packed

_SPACE = "\u2581"

# Field numbers of SentencePiece's messages, and the values of two enumerations.
_PIECE, _TRAINER, _NORMALIZER, _DENORMALIZER = 1, 2, 3, 5
_TEXT, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _VOCAB_SIZE, _SPLIT_BY_WHITESPACE, _SUFFIX, _BYTE_FALLBACK = 3, 4, 22, 24, 35
_IDS = {"<unk>": 40, "<s>": 41, "</s>": 42, "<pad>": 43}
_NAME, _CHARSMAP, _DUMMY_PREFIX, _REMOVE_WHITESPACES, _ESCAPE = 1, 2, 3, 4, 5
_TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


def write_sentencepiece(tokenizer: Tokenizer, path: Path) -> tuple[str, ...]:
    """Write `tokenizer` as a SentencePiece model. Equal tokenizers give equal files.

    Returns:
        Where ids can differ there.

    Raises:
        FormatError: the format cannot hold it.
        StorageError: the file cannot be written.
    """
    model = tokenizer.model
    if not isinstance(model, UnigramModel):
        raise _refused(
            f"a {model.kind} model", "a unigram model: nothing else encodes by the same rule"
        )
    proto = _proto(tokenizer, model)
    with atomic_write(path) as temporary:
        temporary.write_bytes(proto)
    return sentencepiece_notes(model)


def sentencepiece_notes(model: UnigramModel) -> tuple[str, ...]:
    """Return where ids of `model` and of SentencePiece can differ."""
    scores = model.scores[is_matched(model)]
    if on_grid(scores):
        dearest = UNKNOWN_PENALTY - float(scores.min(initial=0.0))
        sums = (
            "SentencePiece adds scores in float32, exact down to a sum of -16,384 "
            f"({int(16_384 / dearest):,} of its rarest tokens on a line, more of others)."
        )
    else:
        sums = (
            "SentencePiece adds scores in float32, and these are no multiples of 2**-10: "
            "where two paths have nearly equal sums, ids can differ."
        )
    return (".model: U+2581 in text is a space to SentencePiece.", f".model: {sums}")


def _refused(found: str, needed: str) -> FormatError:
    return FormatError("cannot write a .model.", f"Found: {found}.", f"Needed is: {needed}.")


def _proto(tokenizer: Tokenizer, model: UnigramModel) -> bytes:
    pattern = canonical_pattern(tokenizer.pretokenizer.pattern)
    whole_lines = pattern == canonical_pattern(PATTERNS["none"])
    if not whole_lines and pattern != canonical_pattern(PATTERNS["metaspace"]):
        raise _refused(
            f"the split pattern {tokenizer.pretokenizer.name}", "the pretokenizer metaspace"
        )
    if model.fallback is None or model.byte_score is not None:
        raise _refused("bytes that are tokens like others", "characters, with byte fallback")
    if "<unk>" not in model.special_tokens:
        raise _refused("no special token <unk>", "one, though it is never given out")
    check_special_tokens(model.special_tokens)
    _check_tokens(model, whole_lines)
    names = token_names(model)
    n = len(model.special_tokens)
    names[n:] = [name.replace(" ", _SPACE) for name in names[n:]]
    check_distinct(names, model.special_tokens, ".model")
    types = [_UNKNOWN if name == "<unk>" else _CONTROL for name in names[:n]]
    types += [_NORMAL if matched else _BYTE for matched in is_matched(model).tolist()]
    scores = [0.0] * n + model.scores.tolist()
    parts = [wire.field(_PIECE, _piece(*entry)) for entry in zip(names, scores, types, strict=True)]
    trainer = [(_MODEL_TYPE, 1), (_VOCAB_SIZE, len(names)), (_BYTE_FALLBACK, True)]
    trainer += [(_SPLIT_BY_WHITESPACE, not whole_lines)]
    trainer += [
        (number, names.index(name) if name in names[:n] else -1) for name, number in _IDS.items()
    ]
    parts.append(wire.field(_TRAINER, b"".join([wire.field(*entry) for entry in trainer])))
    normalizer = wire.field(_NAME, "identity")
    flags = ((_DUMMY_PREFIX, False), (_REMOVE_WHITESPACES, False), (_ESCAPE, True))
    normalizer += b"".join([wire.field(*flag) for flag in flags])
    return b"".join([*parts, wire.field(_NORMALIZER, normalizer)])


def _piece(name: str, score: float, kind: int) -> bytes:
    parts = wire.field(_TEXT, name) + wire.field(_SCORE, score)
    return parts if kind == _NORMAL else parts + wire.field(_TYPE, kind)


def _check_tokens(model: UnigramModel, whole_lines: bool) -> None:
    matched = is_matched(model)
    scores = model.scores[matched]
    ordinary = model.tokens[len(model.special_tokens) :]
    tokens = [ordinary[i] for i in np.flatnonzero(matched).tolist()]
    if b" " not in tokens:
        raise _refused("no token for a space alone", "one: SentencePiece has no byte for a space")
    # Far beyond float32's range even the comparison would only warn.
    if np.abs(scores).max() > 1e30 or (scores.astype(np.float32) != scores).any():
        raise _refused(
            "scores of more than 24 bits",
            "scores that are float32 numbers, such as multiples of 2**-10",
        )
    for token in tokens:
        if b"\0" in token or _SPACE.encode() in token:
            raise _refused(f"the token {token.decode()!r}", "tokens without U+0000 and U+2581")
        if not whole_lines and b" " in token[1:]:
            raise _refused(
                f"the token {token.decode()!r}, which no piece of metaspace holds",
                "tokens with a space at their start alone",
            )


def read_sentencepiece(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a unigram model with byte fallback that takes text as it is.

    That is one that toktk wrote, or that SentencePiece trained with ``byte_fallback``,
    ``normalization_rule_name="identity"``, ``add_dummy_prefix=False`` and
    ``remove_extra_whitespaces=False``. The pretokenizer is ``metaspace``, or ``none`` if a token
    holds a space elsewhere than at its start or training did not split at spaces.

    Args:
        path: the file.
        name: by default that of the file, without ``.model``.

    Raises:
        FormatError: the file is missing, damaged, or of another kind; the error names the field.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error
    reader = _Reader(path)
    top = reader.message(raw, "the file")
    trainer = reader.message(reader.last(top, _TRAINER, b"", "trainer_spec"), "trainer_spec")
    reader.check_trainer(trainer)
    reader.check_normalizer(top)
    model = reader.model(top.get(_PIECE, []))
    ordinary = model.tokens[len(model.special_tokens) :]
    inside = any(b" " in token[1:] for token in ordinary)
    split = reader.last(trainer, _SPLIT_BY_WHITESPACE, 1, "trainer_spec.split_by_whitespace")
    pretokenizer = Pretokenizer.of("metaspace" if split and not inside else "none")
    return Tokenizer(name or path.stem, pretokenizer, model)


class _Reader(Fields):
    def message(self, raw: Any, field: str) -> dict[int, list[wire.Value]]:
        try:
            return wire.fields(raw)
        except ValueError as error:
            raise self.error(field, str(error), "a SentencePiece model") from error

    def last(
        self, message: dict[int, list[wire.Value]], number: int, default: Any, field: str
    ) -> Any:
        """Return the value that counts, of the type of `default`."""
        value = message.get(number, [default])[-1]
        if type(value) is not type(default):
            raise self.error(field, f"{type(value).__name__}", f"{type(default).__name__}")
        return value

    def check_trainer(self, trainer: dict[int, list[wire.Value]]) -> None:
        kind = self.last(trainer, _MODEL_TYPE, 1, "trainer_spec.model_type")
        if kind != 1:
            raise self.error("trainer_spec.model_type", _MODEL_TYPES.get(kind, kind), "unigram")
        for field, number, wanted in (
            ("byte_fallback", _BYTE_FALLBACK, 1),
            ("treat_whitespace_as_suffix", _SUFFIX, 0),
        ):
            if self.last(trainer, number, 0, f"trainer_spec.{field}") != wanted:
                raise self.error(
                    f"trainer_spec.{field}", _flag(1 - wanted), f"{field}={_flag(wanted)}"
                )

    def check_normalizer(self, top: dict[int, list[wire.Value]]) -> None:
        for spec, number in (
            ("normalizer_spec", _NORMALIZER),
            ("denormalizer_spec", _DENORMALIZER),
        ):
            message = self.message(self.last(top, number, b"", spec), spec)
            rule = self.last(message, _NAME, b"", f"{spec}.name").decode(errors="replace")
            if self.last(message, _CHARSMAP, b"", f"{spec}.precompiled_charsmap"):
                raise self.error(
                    f"{spec}.precompiled_charsmap",
                    f"the normalizer {rule or 'without a name'}",
                    "none: normalization_rule_name=identity",
                )
            if number == _DENORMALIZER:
                continue
            for field, flag, wanted in (
                ("add_dummy_prefix", _DUMMY_PREFIX, 0),
                ("remove_extra_whitespaces", _REMOVE_WHITESPACES, 0),
                ("escape_whitespaces", _ESCAPE, 1),
            ):
                if self.last(message, flag, 1, f"{spec}.{field}") != wanted:
                    raise self.error(
                        f"{spec}.{field}", _flag(1 - wanted), f"{field}={_flag(wanted)}"
                    )

    def model(self, pieces: list[wire.Value]) -> UnigramModel:
        special_tokens: list[str] = []
        tokens: list[bytes] = []
        scores: list[float] = []
        byte_at: dict[int, int] = {}
        known = {name: byte for byte, name in enumerate(byte_names())}
        for i, raw in enumerate(pieces):
            name, score, kind = self.piece(raw, f"pieces[{i}]")
            if kind in (_UNKNOWN, _CONTROL):
                if tokens:
                    wanted = "special tokens before all others"
                    raise self.error(f"pieces[{i}].type", _TYPES[kind], wanted)
                special_tokens.append(name)
                continue
            if kind == _BYTE:
                if name not in known:
                    raise self.error(f"pieces[{i}].piece", short(name), "<0x00> to <0xFF>")
                byte_at[known[name]] = i
            elif kind != _NORMAL:
                wanted = "NORMAL, UNKNOWN, CONTROL and BYTE"
                raise self.error(f"pieces[{i}].type", _TYPES.get(kind, str(kind)), wanted)
            as_text = name.replace(_SPACE, " ").encode()
            tokens.append(bytes([known[name]]) if kind == _BYTE else as_text)
            scores.append(score)
        return self.checked(tuple(special_tokens), tokens, scores, byte_at)

    def piece(self, raw: Any, field: str) -> tuple[str, float, int]:
        message = self.message(raw if isinstance(raw, bytes) else b"\x07", field)
        text = self.last(message, _TEXT, b"", f"{field}.piece")
        score = self.last(message, _SCORE, b"\0\0\0\0", f"{field}.score")
        kind = self.last(message, _TYPE, _NORMAL, f"{field}.type")
        name = text.decode(errors="surrogateescape")
        if not name or has_surrogate(name) or len(score) != 4:
            raise self.error(field, f"{text!r:.60}, {len(score)} bytes of score", "text and score")
        return name, struct.unpack("<f", score)[0], kind

    def checked(
        self,
        special_tokens: tuple[str, ...],
        tokens: list[bytes],
        scores: list[float],
        byte_at: dict[int, int],
    ) -> UnigramModel:
        missing = [name for byte, name in enumerate(byte_names()) if byte not in byte_at]
        if missing:
            raise self.error("pieces", f"no piece {missing[0]}", "one for each byte")
        fallback = np.array([byte_at[byte] for byte in range(256)], dtype=np.int64)
        try:
            model = UnigramModel(special_tokens, *packed(tokens), np.array(scores), fallback)
            model.trie  # noqa: B018 - refuses tokens listed twice
            _check_tokens(model, whole_lines=True)
        except FormatError as error:
            wanted = "pieces that mean the same to toktk"
            raise self.error("pieces", str(error), wanted) from error
        return model


def _flag(value: int) -> str:
    return "true" if value else "false"
