"""``.model``, the format of SentencePiece: unigram and BPE with byte fallback, text taken as it is.

Reading: ids are those that the library gives to any text. U+2581 is a space, and there is one in
front if the model says so. What changes text otherwise, toktk leaves to the library.

Unigram: a document is one piece, and sums are float32 from its start to its end. `by_pieces` gives the
form that toktk trains, and that other formats hold.

BPE: SentencePiece has no pretokenizer, and merges across a whole text. Where no token holds a space
after another character, nothing merges there, and the text can be cut at each such place. User-defined
symbols are found first, after the space in front was added, and never merge: they cut the text, and
each is a whole token. Without that space, and with none in a symbol, they are strings sought in the
text as it is, like the added tokens of a tokenizer.json.

Writing: BPE over characters (scores are ranks), and unigram with byte fallback. For the latter,
SentencePiece finds the best path through a whole line, toktk through each piece of it. Both are the
same where no token reaches over a cut. Two differences remain, and are told to who saves:
SentencePiece writes a space as U+2581 and so takes U+2581 in text for a space; and it adds scores in
float32, from the start of a line to its end. Sums of multiples of 2**-10, as toktk's trainer gives,
are exact there down to -16,384; beyond that, and with other scores, two paths whose sums are nearly
equal can change places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from toktk.errors import FormatError, LimitError, clipped
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import NotNative, Parts, short, word
from toktk.formats.published import character_names, check_read_back
from toktk.formats.sentencepiece_proto import encode_field, encode_message
from toktk.formats.tokens import (
    MARK,
    byte_names,
    check_distinct,
    check_special_tokens,
    fallback_names,
    on_grid,
)
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.models.vocabulary import packed
from toktk.normalizers.normalizer import IDENTITY, Normalizer
from toktk.paths import atomic_write
from toktk.pretokenizers.export import beside_the_pattern, canonical_key, canonical_pattern
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.syntax import check_size

_SPACE_AFTER = re.compile("[^ ] ")
_SPECS = {
    "trainer_spec": proto.TRAINER,
    "normalizer_spec": proto.NORMALIZER,
    "denormalizer_spec": proto.DENORMALIZER,
}
_WANTED = "pieces that mean the same to toktk"
# Flags: their message, name and number, what they are when absent, and what they must be.
_FLAGS = (
    ("trainer_spec", "byte_fallback", proto.BYTE_FALLBACK, 0, 1),
    ("trainer_spec", "treat_whitespace_as_suffix", proto.SUFFIX, 0, 0),
    ("normalizer_spec", "remove_extra_whitespaces", proto.REMOVE_WHITESPACES, 1, 0),
    ("normalizer_spec", "escape_whitespaces", proto.ESCAPE, 1, 1),
)


def read_sentencepiece(raw: bytes, path: Path) -> Parts:
    """Return what `raw`, the bytes of a SentencePiece model, holds."""
    fields = proto.ProtoFields(path)
    top = fields.message(raw, "the file")
    specs = {name: fields.part(top, number, name) for name, number in _SPECS.items()}
    trainer, normalizer = specs["trainer_spec"], specs["normalizer_spec"]
    kind = fields.last(trainer, proto.MODEL_TYPE, proto.UNIGRAM, "trainer_spec.model_type")
    if kind not in (proto.UNIGRAM, proto.BPE):
        raise NotNative(f"trainer_spec.model_type {proto.MODEL_TYPES.get(kind, kind)}")
    for spec in ("normalizer_spec", "denormalizer_spec"):
        rule = fields.last(specs[spec], proto.NAME, b"", f"{spec}.name").decode(errors="replace")
        if fields.last(specs[spec], proto.CHARSMAP, b"", f"{spec}.precompiled_charsmap"):
            raise NotNative(f"{spec}.precompiled_charsmap: {word(rule) or 'without a name'}")
    for spec, name, number, default, wanted in _FLAGS:
        if fields.last(specs[spec], number, default, f"{spec}.{name}") != wanted:
            raise NotNative(f"{spec}.{name} {'false' if wanted else 'true'}")
    prefix = fields.last(normalizer, proto.DUMMY_PREFIX, 1, "normalizer_spec.add_dummy_prefix")
    steps = Normalizer(marks=True, prefix="always" if prefix else "never")
    pieces = _Pieces(fields, top.get(proto.PIECE, []))
    if kind == proto.BPE:
        return pieces.bpe(steps)
    return Pretokenizer("none", PATTERNS["none"], normalizer=steps), pieces.unigram()


def by_pieces(raw: bytes, path: Path, parts: Parts) -> Parts:
    """Return what `read_sentencepiece` gave of a unigram model in the form that toktk trains.

    Text is cut before each space, and sums are float64. The ids are the same but where U+2581 is in
    the text or sums are nearly equal (toktk.formats.sentencepiece.sentencepiece_notes). The
    pretokenizer is ``metaspace``, or ``none`` if a token holds a space elsewhere than at its start
    or training did not split at spaces. A model of another kind, or one that puts a space in front,
    is returned as it is.
    """
    pretokenizer, model = parts
    if not isinstance(model, UnigramModel) or pretokenizer.normalizer.prefix != "never":
        return parts
    fields = proto.ProtoFields(path)
    trainer = fields.part(fields.message(raw, "the file"), proto.TRAINER, "trainer_spec")
    name = "trainer_spec.split_by_whitespace"
    splits = fields.last(trainer, proto.SPLIT_BY_WHITESPACE, 1, name)
    inside = any(b" " in token[1:] for token in model.tokens[len(model.special_tokens) :])
    pattern = "metaspace" if splits and not inside else "none"
    return Pretokenizer.of(pattern), replace(model, single=False)


class _Pieces:
    """The pieces of a file, by id: names, scores and kinds as the file has them, and bytes."""

    def __init__(self, fields: proto.ProtoFields, listed: list[proto.Value]) -> None:
        self.fields = fields
        self.scores: dict[str, float] = {}
        self.kinds: list[int] = []
        byte_of = {name: byte for byte, name in enumerate(byte_names())}
        self.byte_ids = np.full(256, -1, dtype=np.int64)
        self.tokens: list[bytes] = []
        for i, raw in enumerate(listed):
            name, score, kind = fields.piece(raw, f"pieces[{i}]")
            token = name.replace(MARK, " ").encode()
            if name in self.scores:
                found = f"{short(name)} once more"
                raise fields.error(f"pieces[{i}].piece", found, "different names")
            if kind not in proto.TYPES:
                raise fields.error(f"pieces[{i}].type", f"{kind}", ", ".join(proto.TYPES.values()))
            if kind == proto.BYTE:
                if name not in byte_of:
                    raise fields.error(f"pieces[{i}].piece", short(name), "<0x00> to <0xFF>")
                self.byte_ids[byte_of[name]] = i
                token = bytes([byte_of[name]])
            elif " " in name:
                raise NotNative(f"pieces[{i}] with a space that is not written as U+2581")
            self.scores[name] = score
            self.kinds.append(kind)
            self.tokens.append(token)
        self.names = list(self.scores)
        fields.check_lengths("pieces", self.names)
        if self.byte_ids.min() < 0:
            missing = byte_names()[int(self.byte_ids.argmin())]
            raise fields.error("pieces", f"no piece {missing}", "one for each byte")
        # What an unused piece is split into again depends on the rest of the text.
        self._refuse(proto.UNUSED)

    def _ids_of(self, *kinds: int) -> list[int]:
        return [i for i, kind in enumerate(self.kinds) if kind in kinds]

    def _refuse(self, kind: int) -> None:
        """Leave a file with pieces of this kind to the library."""
        if kind in self.kinds:
            raise NotNative(f"pieces[{self.kinds.index(kind)}].type {proto.TYPES[kind]}")

    def unigram(self) -> UnigramModel:
        special_ids = self._ids_of(proto.UNKNOWN, proto.CONTROL)
        n = len(special_ids)
        self._refuse(proto.USER_DEFINED)
        for at, i in enumerate(special_ids):
            if i != at:
                kind = proto.TYPES[self.kinds[i]]
                raise NotNative(f"pieces[{i}].type {kind}, behind other types")
        tokens, scores = packed(self.tokens[n:]), np.array([*self.scores.values()][n:])
        with self.fields.blaming("pieces", _WANTED):
            model = UnigramModel(tuple(self.names[:n]), *tokens, scores, self.byte_ids, single=True)
        for found, needed in _token_faults(model):
            raise NotNative(f"pieces: {found}, where toktk needs {needed}")
        return model

    def bpe(self, normalizer: Normalizer) -> Parts:
        tokens, special_tokens = list(self.tokens), {}
        for i in self._ids_of(proto.UNKNOWN, proto.CONTROL):
            name = self.names[i]
            if len(name) == 1:  # the library looks a character up among special tokens first
                raise NotNative(f"pieces[{i}]: the special token {short(name)} of one character")
            special_tokens[name] = i
            tokens[i] = b""
        merged, symbols = self._ids_of(proto.NORMAL), self._ids_of(proto.USER_DEFINED)
        is_merged, whole = np.zeros((2, len(tokens)), dtype=np.bool_)
        is_merged[merged] = whole[symbols] = True
        scores = np.array([*self.scores.values()], dtype=np.float32)
        with self.fields.blaming("pieces", _WANTED):
            model = PairModel.from_scores(
                tokens, scores, is_merged, special_tokens, self.byte_ids, whole
            )
        texts = [tokens[i].decode() for i in merged + symbols]
        pattern = "none" if any(map(_SPACE_AFTER.search, texts)) else "spaces"
        found = texts[len(merged) :]
        is_raw = normalizer.prefix == "never" and " " not in "".join(found)
        if is_raw:  # nothing happens to text that changes where they are
            return Pretokenizer(pattern, PATTERNS[pattern], (), normalizer, tuple(found)), model
        longest_first = sorted(found, key=len, reverse=True)
        escaped = [re.sub(r"[\\.^$*+?{}\[\]|()]", r"\\\g<0>", text) for text in longest_first]
        before = ("|".join(escaped),) if escaped else ()
        try:
            check_size("".join(before))
        except LimitError as error:
            what = f"{len(symbols):,} pieces of type USER_DEFINED, more than a pattern holds"
            raise NotNative(what) from error
        return Pretokenizer(pattern, PATTERNS[pattern], before, normalizer), model


def write_sentencepiece(pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Write a tokenizer as a SentencePiece model, and return where ids can differ there.

    Equal tokenizers give equal files.
    """
    if isinstance(model, PairModel) and model.characters:
        return _write_pairs(pretokenizer, model, path)
    if not isinstance(model, UnigramModel):
        needed = "a unigram model, or BPE over characters: nothing else encodes by the same rule"
        raise _refused(f"a {model.kind} model", needed)
    steps = pretokenizer.normalizer
    if steps == Normalizer(marks=True, prefix=steps.prefix) and steps.prefix != "unless_space":
        pretokenizer = replace(pretokenizer, normalizer=IDENTITY)  # the format's own
    whole_lines = canonical_key(pretokenizer) == canonical_pattern(PATTERNS["none"])
    for fault in _faults(pretokenizer, model, whole_lines):
        raise _refused(*fault)
    names = fallback_names(model)
    n = len(model.special_tokens)
    names[n:] = [name.replace(" ", MARK) for name in names[n:]]
    check_distinct(names, model.special_tokens, ".model")
    types = [
        {proto.TYPE: proto.UNKNOWN if name == "<unk>" else proto.CONTROL} for name in names[:n]
    ]
    types += [{} if matched else {proto.TYPE: proto.BYTE} for matched in model.matched.tolist()]
    scores = [0.0] * n + model.scores.tolist()
    raw = encoded_model(
        names, scores, types, n, proto.UNIGRAM, steps.prefix == "always", not whole_lines
    )
    with atomic_write(path) as temporary:
        temporary.write_bytes(raw)
    return () if model.single else sentencepiece_notes(model)


def encoded_model(
    names: list[str],
    scores: list[float],
    types: list[dict[int, int]],
    n_special: int,
    kind: int,
    prefix: bool,
    splits: bool,
) -> bytes:
    """Return the bytes of a model; text is taken as it is, behind a space with `prefix`."""
    pieces = [
        encode_field(proto.PIECE, encode_message({proto.TEXT: name, proto.SCORE: score, **type_}))
        for name, score, type_ in zip(names, scores, types, strict=True)
    ]
    trainer: dict[int, int] = {
        proto.MODEL_TYPE: kind,
        proto.VOCAB_SIZE: len(names),
        proto.BYTE_FALLBACK: True,
        proto.SPLIT_BY_WHITESPACE: splits,
    }
    for name, number in proto.IDS.items():
        trainer[number] = names.index(name) if name in names[:n_special] else -1
    normalizer = {
        proto.NAME: "identity",
        proto.DUMMY_PREFIX: prefix,
        proto.REMOVE_WHITESPACES: False,
        proto.ESCAPE: True,
    }
    specs = {proto.TRAINER: encode_message(trainer), proto.NORMALIZER: encode_message(normalizer)}
    return b"".join(pieces) + encode_message(specs)


def _write_pairs(pretokenizer: Pretokenizer, model: PairModel, path: Path) -> tuple[str, ...]:
    """Write BPE over characters: the score of a token is its rank, and those of single characters follow."""
    steps, special = pretokenizer.normalizer, set(model.special_ids.tolist())
    if steps != Normalizer(marks=True, prefix=steps.prefix) or steps.prefix == "unless_space":
        needed = "spaces as U+2581, with one in front of every text or of none"
        raise _refused(f"the normalizer {steps.signature}", needed)
    if pretokenizer.before or pretokenizer.added or model.whole.any():
        raise _refused("added tokens that are sought in text", "none")
    if "<unk>" not in model.special_tokens:
        raise _refused("no special token <unk>", "one, though it is never given out")
    names, n = character_names(model), model.vocab_size
    holes = sorted(set(range(n)).difference(names))
    if holes:
        raise _refused(f"no token of the id {holes[0]:,}", "one for each id")
    _, ranks = np.unique(model.pairs[:, 3], return_inverse=True)
    best_last = np.argsort(-ranks, kind="stable")
    rank = dict(
        zip(model.pairs[best_last, 2].tolist(), (-1.0 * ranks[best_last]).tolist(), strict=True)
    )
    types: list[dict[int, int]] = [{}] * n
    for i in model.byte_ids.tolist():
        types[i] = {proto.TYPE: proto.BYTE}
    for name, i in zip(model.special_tokens, model.special_ids.tolist(), strict=True):
        types[i] = {proto.TYPE: proto.UNKNOWN if name == "<unk>" else proto.CONTROL}
    others = [i for i in range(n) if i not in rank and not types[i]]
    rank |= {i: float(-len(ranks) - k) for k, i in enumerate(others)}
    scores = [rank.get(i, 0.0) if not types[i] else 0.0 for i in range(n)]
    listed = [names[i] for i in range(n)]
    last = max(special) + 1
    raw = encoded_model(listed, scores, types, last, proto.BPE, steps.prefix == "always", True)
    check_read_back(".model", model, lambda: read_sentencepiece(raw, path)[1], "SentencePiece")
    with atomic_write(path) as temporary:
        temporary.write_bytes(raw)
    return (".model: U+2581 in text is a space to SentencePiece.",)


def sentencepiece_notes(model: UnigramModel) -> tuple[str, ...]:
    """Return where ids of `model` and of SentencePiece can differ."""
    scores = model.scores[model.matched]
    costliest = UNKNOWN_PENALTY - float(scores.min(initial=0.0))
    adding = (
        f".model: SentencePiece adds scores in float32: ids can differ only in a line of "
        f"{int(16_384 / costliest):,} or more rare tokens."
        if on_grid(scores)
        else ".model: SentencePiece adds scores in float32, and these are no multiples of 2**-10: "
        "where two paths have nearly equal sums, ids can differ."
    )
    return (".model: U+2581 in text is a space to SentencePiece.", adding)


def _refused(found: str, needed: str) -> FormatError:
    return FormatError("cannot write a .model.", f"Found: {found}.", f"Needed is: {needed}.")


def _faults(
    pretokenizer: Pretokenizer, model: UnigramModel, whole_lines: bool
) -> Iterator[tuple[str, str]]:
    """Yield what no ``.model`` can hold, and what is needed instead."""
    if not pretokenizer.is_plain:
        yield beside_the_pattern(pretokenizer), "a pretokenizer that is a pattern alone"
    is_metaspace = canonical_key(pretokenizer) == canonical_pattern(PATTERNS["metaspace"])
    if not whole_lines and not is_metaspace:
        yield f"the split pattern {pretokenizer.name}", "the pretokenizer metaspace"
    if model.fallback is None or model.byte_score is not None:
        yield "bytes that are tokens like others", "characters, with byte fallback"
    if "<unk>" not in model.special_tokens:
        yield "no special token <unk>", "one, though it is never given out"
    check_special_tokens(model.special_tokens)
    yield from _token_faults(model)
    for token in [] if whole_lines else model.tokens[len(model.special_tokens) :]:
        if b" " in token[1:]:
            found = f"the token {clipped(token.decode())}, which no piece of metaspace holds"
            yield found, "tokens with a space at their start alone"


def _token_faults(model: UnigramModel) -> Iterator[tuple[str, str]]:
    """Yield what of a model's tokens no ``.model`` can hold, and what is needed instead."""
    matched = model.matched
    scores = model.scores[matched]
    ordinary = model.tokens[len(model.special_tokens) :]
    tokens = [ordinary[i] for i in np.flatnonzero(matched).tolist()]
    if b" " not in tokens:
        yield "no token for a space alone", "one: SentencePiece has no byte for a space"
    # Far beyond float32's range even the comparison would only warn.
    if np.abs(scores).max() > 1e30 or (scores.astype(np.float32) != scores).any():
        wanted = "scores that are float32 numbers, such as multiples of 2**-10"
        yield "scores of more than 24 bits", wanted
    for token in tokens:
        if b"\0" in token or MARK.encode() in token:
            yield f"the token {clipped(token.decode())}", "tokens without U+0000 and U+2581"
