"""``.model``, the format of SentencePiece: unigram and BPE with byte fallback, text taken as it is.

Ids are those that the library gives to any text. U+2581 is a space, and there is one in front if the
model says so. What changes text otherwise, toktk leaves to the library.

Unigram: a document is one piece, and sums are float32 from its start to its end. In documents of more
than some 40 kB the library was seen to take another of two paths that are equal in float32, about once
in ten thousand tokens. `by_pieces` gives the form that toktk trains, and that other formats hold.

BPE: SentencePiece has no pretokenizer, and merges across a whole text. Where no token holds a space
after another character, nothing merges there, and the text can be cut at each such place. User-defined
symbols are found first, after the space in front was added, and never merge: they cut the text, and
each is a whole token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import NotNative, Parts, short
from toktk.formats.tokens import byte_names, is_matched
from toktk.models.model import Int64
from toktk.models.pairs import PairModel
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

_SPACE_AFTER = re.compile("[^ ] ")


@dataclass(frozen=True)
class _Pieces:
    """The pieces of a file, by id.

    Attributes:
        names, scores, kinds: as the file has them.
        byte_ids: int64[256].
    """

    names: list[str]
    scores: list[float]
    kinds: list[int]
    byte_ids: Int64

    def ids_of(self, *kinds: int) -> list[int]:
        """Return the ids of pieces of these kinds."""
        return [i for i, kind in enumerate(self.kinds) if kind in kinds]

    def refuse(self, *kinds: int) -> None:
        """Leave a file with pieces of these kinds to the library."""
        ids = self.ids_of(*kinds)
        if ids:
            raise NotNative(f"pieces[{ids[0]}].type {proto.TYPES[self.kinds[ids[0]]]}")

    def tokens(self) -> list[bytes]:
        """Return the bytes of each id: spaces for U+2581, the byte of a byte's piece."""
        tokens = [name.replace(proto.SPACE, " ").encode() for name in self.names]
        for byte, i in enumerate(self.byte_ids.tolist()):
            tokens[i] = bytes([byte])
        return tokens


def read_sentencepiece(raw: bytes, path: Path) -> Parts:
    """Return what a SentencePiece model holds.

    Args:
        raw: the file's bytes.
        path: the file, for messages.

    Raises:
        NotNative: the file asks for something that toktk does not do itself.
        FormatError: the file is malformed; the error names the field.
    """
    reader = _Reader(path)
    top = reader.message(raw, "the file")
    trainer = reader.part(top, proto.TRAINER, "trainer_spec")
    kind = reader.last(trainer, proto.MODEL_TYPE, proto.UNIGRAM, "trainer_spec.model_type")
    if kind not in (proto.UNIGRAM, proto.BPE):
        raise NotNative(f"trainer_spec.model_type {proto.MODEL_TYPES.get(kind, kind)}")
    reader.expect(trainer, "trainer_spec.byte_fallback", proto.BYTE_FALLBACK, 0, 1)
    reader.expect(trainer, "trainer_spec.treat_whitespace_as_suffix", proto.SUFFIX, 0, 0)
    normalizer = reader.normalizer(top)
    pieces = reader.pieces(top.get(proto.PIECE, []))
    if kind == proto.BPE:
        return reader.bpe(pieces, normalizer)
    return Pretokenizer("none", PATTERNS["none"], normalizer=normalizer), reader.unigram(pieces)


def by_pieces(raw: bytes, path: Path, parts: Parts) -> Parts:
    """Return what `read_sentencepiece` gave of a unigram model in the form that toktk trains.

    Text is cut before each space, and sums are float64. The ids are the same but where U+2581 is in the
    text or sums are nearly equal (toktk.formats.sentencepiece_write.sentencepiece_notes). The pretokenizer
    is ``metaspace``, or ``none`` if a token holds a space elsewhere than at its start or training did not
    split at spaces. A model of another kind, or one that puts a space in front, is returned as it is.
    """
    pretokenizer, model = parts
    if not isinstance(model, UnigramModel) or pretokenizer.normalizer.prefix != "never":
        return parts
    reader = _Reader(path)
    trainer = reader.part(reader.message(raw, "the file"), proto.TRAINER, "trainer_spec")
    field = "trainer_spec.split_by_whitespace"
    splits = reader.last(trainer, proto.SPLIT_BY_WHITESPACE, 1, field)
    ordinary = model.tokens[len(model.special_tokens) :]
    inside = any(b" " in token[1:] for token in ordinary)
    name = "metaspace" if splits and not inside else "none"
    return Pretokenizer.of(name), replace(model, single=False)


def token_fault(model: UnigramModel) -> tuple[str, str] | None:
    """Return what of a model's tokens no ``.model`` can hold, and what it needs; None if it holds all."""
    matched = is_matched(model)
    scores = model.scores[matched]
    ordinary = model.tokens[len(model.special_tokens) :]
    tokens = [ordinary[i] for i in np.flatnonzero(matched).tolist()]
    if b" " not in tokens:
        return "no token for a space alone", "one: SentencePiece has no byte for a space"
    # Far beyond float32's range even the comparison would only warn.
    if np.abs(scores).max() > 1e30 or (scores.astype(np.float32) != scores).any():
        return (
            "scores of more than 24 bits",
            "scores that are float32 numbers, such as multiples of 2**-10",
        )
    for token in tokens:
        if b"\0" in token or proto.SPACE.encode() in token:
            return f"the token {token.decode()!r}", "tokens without U+0000 and U+2581"
    return None


class _Reader(proto.ProtoFields):
    def expect(
        self, message: proto.Message, field: str, number: int, default: int, wanted: int
    ) -> None:
        """Leave a flag that is not `wanted` to the library; absent, it is `default`."""
        if self.last(message, number, default, field) != wanted:
            raise NotNative(f"{field} {'false' if wanted else 'true'}")

    def normalizer(self, top: proto.Message) -> Normalizer:
        """Return what happens to text: U+2581 becomes a space, and there may be one in front."""
        for spec, number in (
            ("normalizer_spec", proto.NORMALIZER),
            ("denormalizer_spec", proto.DENORMALIZER),
        ):
            message = self.part(top, number, spec)
            rule = self.last(message, proto.NAME, b"", f"{spec}.name").decode(errors="replace")
            if self.last(message, proto.CHARSMAP, b"", f"{spec}.precompiled_charsmap"):
                raise NotNative(f"{spec}.precompiled_charsmap: {rule or 'without a name'}")
        message = self.part(top, proto.NORMALIZER, "normalizer_spec")
        field = "normalizer_spec.remove_extra_whitespaces"
        self.expect(message, field, proto.REMOVE_WHITESPACES, 1, 0)
        self.expect(message, "normalizer_spec.escape_whitespaces", proto.ESCAPE, 1, 1)
        field = "normalizer_spec.add_dummy_prefix"
        prefix = self.last(message, proto.DUMMY_PREFIX, 1, field)
        return Normalizer(marks=True, prefix="always" if prefix else "never")

    def pieces(self, listed: list[proto.Value]) -> _Pieces:
        names: dict[str, float] = {}
        kinds: list[int] = []
        for i, raw in enumerate(listed):
            name, score, kind = self.piece(raw, f"pieces[{i}]")
            if name in names:
                field = f"pieces[{i}].piece"
                raise self.error(field, f"{short(name)} once more", "different names")
            if kind not in proto.TYPES:
                known = ", ".join(proto.TYPES.values())
                raise self.error(f"pieces[{i}].type", str(kind), known)
            names[name] = score
            kinds.append(kind)
        byte_of = {name: byte for byte, name in enumerate(byte_names())}
        byte_ids = np.full(256, -1, dtype=np.int64)
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if kind == proto.BYTE:
                if name not in byte_of:
                    raise self.error(f"pieces[{i}].piece", short(name), "<0x00> to <0xFF>")
                byte_ids[byte_of[name]] = i
            elif " " in name:
                raise NotNative(f"pieces[{i}] with a space that is not written as U+2581")
        if byte_ids.min() < 0:
            missing = byte_names()[int(byte_ids.argmin())]
            raise self.error("pieces", f"no piece {missing}", "one for each byte")
        return _Pieces(list(names), list(names.values()), kinds, byte_ids)

    def unigram(self, pieces: _Pieces) -> UnigramModel:
        special = pieces.ids_of(proto.UNKNOWN, proto.CONTROL)
        n = len(special)
        pieces.refuse(proto.USER_DEFINED, proto.UNUSED)
        if special != list(range(n)):
            i = next(i for i, at in zip(special, range(n), strict=True) if i != at)
            raise NotNative(f"pieces[{i}].type {proto.TYPES[pieces.kinds[i]]}, behind other types")
        scores, names = np.array(pieces.scores[n:]), tuple(pieces.names[:n])
        try:
            model = UnigramModel(
                names, *packed(pieces.tokens()[n:]), scores, pieces.byte_ids, single=True
            )
        except FormatError as error:
            wanted = "pieces that mean the same to toktk"
            raise self.error("pieces", str(error), wanted) from error
        fault = token_fault(model)
        if fault:
            raise NotNative(f"pieces: {fault[0]}, where toktk needs {fault[1]}")
        return model

    def bpe(self, pieces: _Pieces, normalizer: Normalizer) -> Parts:
        # What an unused piece is split into again depends on the rest of the text.
        pieces.refuse(proto.UNUSED)
        tokens, special_tokens = pieces.tokens(), {}
        for i in pieces.ids_of(proto.UNKNOWN, proto.CONTROL):
            name = pieces.names[i]
            if len(name) == 1:  # the library looks a character up among special tokens first
                raise NotNative(f"pieces[{i}]: the special token {short(name)} of one character")
            special_tokens[name] = i
            tokens[i] = b""
        merged, symbols = pieces.ids_of(proto.NORMAL), pieces.ids_of(proto.USER_DEFINED)
        made, whole = np.zeros((2, len(tokens)), dtype=np.bool_)
        made[merged] = whole[symbols] = True
        scores = np.array(pieces.scores, dtype=np.float32)
        try:
            model = PairModel.from_scores(
                tokens, scores, made, special_tokens, pieces.byte_ids, whole
            )
        except FormatError as error:
            wanted = "pieces that mean the same to toktk"
            raise self.error("pieces", str(error), wanted) from error
        texts = [tokens[i].decode() for i in merged + symbols]
        pattern = "none" if any(map(_SPACE_AFTER.search, texts)) else "spaces"
        before = _alternatives([tokens[i].decode() for i in symbols]) if symbols else ()
        return Pretokenizer(pattern, PATTERNS[pattern], before, normalizer), model


def _alternatives(symbols: list[str]) -> tuple[str]:
    """Return a pattern that finds the longest of `symbols` at each place."""
    longest_first = sorted(symbols, key=len, reverse=True)
    escaped = [re.sub(r"[\\.^$*+?{}\[\]|()]", r"\\\g<0>", text) for text in longest_first]
    return ("|".join(escaped),)
