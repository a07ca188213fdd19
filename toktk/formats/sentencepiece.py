"""``.model``, the format of SentencePiece: unigram with byte fallback, text taken as it is.

SentencePiece finds the best path through a whole line, toktk through each piece of it. Both are the
same where no token reaches over a cut. Two differences remain, and are told to who saves:
SentencePiece writes a space as U+2581 and so takes U+2581 in text for a space; and it adds scores
in float32, from the start of a line to its end. Sums of multiples of 2**-10, as toktk's trainer
gives, are exact there down to -16,384; beyond that, and with other scores, two paths whose sums
are nearly equal can change places.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats import wire
from toktk.formats.fallback import byte_names, is_matched, on_grid, token_names
from toktk.formats.fields import check_distinct, check_special_tokens, short
from toktk.formats.files import read_bytes
from toktk.models.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.models.vocabulary import packed
from toktk.normalizers.normalizer import Normalizer
from toktk.paths import atomic_write
from toktk.pretokenizers.export import canonical_key, canonical_pattern
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


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
    raw = _proto(tokenizer, model)
    with atomic_write(path) as temporary:
        temporary.write_bytes(raw)
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
    pattern = canonical_key(tokenizer.pretokenizer)
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
    names[n:] = [name.replace(" ", proto.SPACE) for name in names[n:]]
    check_distinct(names, model.special_tokens, ".model")
    types = [proto.UNKNOWN if name == "<unk>" else proto.CONTROL for name in names[:n]]
    types += [proto.NORMAL if matched else proto.BYTE for matched in is_matched(model).tolist()]
    scores = [0.0] * n + model.scores.tolist()
    parts = [
        wire.field(proto.PIECE, _piece(*entry)) for entry in zip(names, scores, types, strict=True)
    ]
    trainer = [(proto.MODEL_TYPE, 1), (proto.VOCAB_SIZE, len(names)), (proto.BYTE_FALLBACK, True)]
    trainer += [(proto.SPLIT_BY_WHITESPACE, not whole_lines)]
    trainer += [
        (number, names.index(name) if name in names[:n] else -1)
        for name, number in proto.IDS.items()
    ]
    parts.append(wire.field(proto.TRAINER, b"".join([wire.field(*entry) for entry in trainer])))
    normalizer = wire.field(proto.NAME, "identity")
    flags = ((proto.DUMMY_PREFIX, False), (proto.REMOVE_WHITESPACES, False), (proto.ESCAPE, True))
    normalizer += b"".join([wire.field(*flag) for flag in flags])
    return b"".join([*parts, wire.field(proto.NORMALIZER, normalizer)])


def _piece(name: str, score: float, kind: int) -> bytes:
    parts = wire.field(proto.TEXT, name) + wire.field(proto.SCORE, score)
    return parts if kind == proto.NORMAL else parts + wire.field(proto.TYPE, kind)


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
        if b"\0" in token or proto.SPACE.encode() in token:
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
    reader = _Reader(path)
    model, trainer, normalizer = reader.parts()
    reader.check_flag(normalizer, "normalizer_spec", "add_dummy_prefix", proto.DUMMY_PREFIX, 1, 0)
    ordinary = model.tokens[len(model.special_tokens) :]
    inside = any(b" " in token[1:] for token in ordinary)
    split = reader.last(trainer, proto.SPLIT_BY_WHITESPACE, 1, "trainer_spec.split_by_whitespace")
    pretokenizer = Pretokenizer.of("metaspace" if split and not inside else "none")
    return Tokenizer(name or path.stem, pretokenizer, model)


def read_sentencepiece_unigram(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a unigram model with byte fallback, to give the ids that SentencePiece gives to any text.

    So U+2581 is a space, there is one in front if the model says so, and sums are float32 from the start of
    a document to its end: a document is one piece. In documents of more than some 40 kB the library was
    seen to take another of two paths that are equal in float32, about once in ten thousand tokens.

    Args:
        path: the file.
        name: by default that of the file, without its last ending.

    Raises:
        FormatError: the file is missing, damaged, or of another kind; the error names the field.
    """
    path = Path(path)
    reader = _Reader(path)
    model, _, normalizer = reader.parts()
    field = "normalizer_spec.add_dummy_prefix"
    prefix = reader.last(normalizer, proto.DUMMY_PREFIX, 1, field)
    pretokenizer = Pretokenizer(
        "none",
        PATTERNS["none"],
        normalizer=Normalizer(marks=True, prefix="always" if prefix else "never"),
    )
    return Tokenizer(name or path.stem, pretokenizer, replace(model, single=True))


class _Reader(proto.ProtoFields):
    def parts(self) -> tuple[UnigramModel, proto.Message, proto.Message]:
        """Return the model, and the messages of trainer and normalizer."""
        top = self.message(read_bytes(self.path), "the file")
        trainer = self.part(top, proto.TRAINER, "trainer_spec")
        self.check_kind(trainer, 1)
        self.check_trainer(trainer)
        normalizer = self.normalizer(top)
        self.check_spaces(normalizer)
        return self.model(top.get(proto.PIECE, [])), trainer, normalizer

    def model(self, pieces: list[wire.Value]) -> UnigramModel:
        special_tokens: list[str] = []
        tokens: list[bytes] = []
        scores: list[float] = []
        byte_at: dict[int, int] = {}
        known = {name: byte for byte, name in enumerate(byte_names())}
        for i, raw in enumerate(pieces):
            name, score, kind = self.piece(raw, f"pieces[{i}]")
            if kind in (proto.UNKNOWN, proto.CONTROL):
                if tokens:
                    wanted = "special tokens before all others"
                    raise self.error(f"pieces[{i}].type", proto.TYPES[kind], wanted)
                special_tokens.append(name)
                continue
            if kind == proto.BYTE:
                if name not in known:
                    raise self.error(f"pieces[{i}].piece", short(name), "<0x00> to <0xFF>")
                byte_at[known[name]] = i
            elif kind != proto.NORMAL:
                wanted = "NORMAL, UNKNOWN, CONTROL and BYTE"
                raise self.error(f"pieces[{i}].type", proto.TYPES.get(kind, str(kind)), wanted)
            as_text = name.replace(proto.SPACE, " ").encode()
            tokens.append(bytes([known[name]]) if kind == proto.BYTE else as_text)
            scores.append(score)
        return self.checked(tuple(special_tokens), tokens, scores, byte_at)

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
            model.check()
            _check_tokens(model, whole_lines=True)
        except FormatError as error:
            wanted = "pieces that mean the same to toktk"
            raise self.error("pieces", str(error), wanted) from error
        return model
