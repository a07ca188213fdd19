"""``.model``, the format of SentencePiece, as toktk writes it: unigram with byte fallback.

SentencePiece finds the best path through a whole line, toktk through each piece of it. Both are the
same where no token reaches over a cut. Two differences remain, and are told to who saves:
SentencePiece writes a space as U+2581 and so takes U+2581 in text for a space; and it adds scores
in float32, from the start of a line to its end. Sums of multiples of 2**-10, as toktk's trainer
gives, are exact there down to -16,384; beyond that, and with other scores, two paths whose sums
are nearly equal can change places.
"""

from __future__ import annotations

from pathlib import Path

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.sentencepiece_proto import encode_field, encode_message
from toktk.formats.sentencepiece_read import token_fault
from toktk.formats.tokens import (
    MARK,
    check_distinct,
    check_special_tokens,
    fallback_names,
    is_matched,
    on_grid,
)
from toktk.models.model import Model
from toktk.models.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.paths import atomic_write
from toktk.pretokenizers.export import beside_the_pattern, canonical_key, canonical_pattern
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def write_sentencepiece(pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Write a tokenizer as a SentencePiece model, or raise FormatError. Equal ones give equal files.

    Returns:
        Where ids can differ there.
    """
    if not isinstance(model, UnigramModel):
        needed = "a unigram model: nothing else encodes by the same rule"
        raise _refused(f"a {model.kind} model", needed)
    whole_lines = _check(pretokenizer, model)
    names = fallback_names(model)
    n = len(model.special_tokens)
    names[n:] = [name.replace(" ", MARK) for name in names[n:]]
    check_distinct(names, model.special_tokens, ".model")
    types = [
        {proto.TYPE: proto.UNKNOWN if name == "<unk>" else proto.CONTROL} for name in names[:n]
    ]
    types += [{} if matched else {proto.TYPE: proto.BYTE} for matched in is_matched(model).tolist()]
    scores = [0.0] * n + model.scores.tolist()
    pieces = [
        encode_field(proto.PIECE, encode_message({proto.TEXT: name, proto.SCORE: score, **kind}))
        for name, score, kind in zip(names, scores, types, strict=True)
    ]
    trainer: dict[int, int] = {
        proto.MODEL_TYPE: proto.UNIGRAM,
        proto.VOCAB_SIZE: len(names),
        proto.BYTE_FALLBACK: True,
        proto.SPLIT_BY_WHITESPACE: not whole_lines,
    }
    for name, number in proto.IDS.items():
        trainer[number] = names.index(name) if name in names[:n] else -1
    normalizer = {
        proto.NAME: "identity",
        proto.DUMMY_PREFIX: False,
        proto.REMOVE_WHITESPACES: False,
        proto.ESCAPE: True,
    }
    specs = {proto.TRAINER: encode_message(trainer), proto.NORMALIZER: encode_message(normalizer)}
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(pieces) + encode_message(specs))
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


def _check(pretokenizer: Pretokenizer, model: UnigramModel) -> bool:
    """Refuse what a ``.model`` cannot hold; tell whether the pieces are whole documents."""
    pattern = canonical_key(pretokenizer)
    whole_lines = pattern == canonical_pattern(PATTERNS["none"])
    if not pretokenizer.is_plain:
        raise _refused(beside_the_pattern(pretokenizer), "a pretokenizer that is a pattern alone")
    if not whole_lines and pattern != canonical_pattern(PATTERNS["metaspace"]):
        raise _refused(f"the split pattern {pretokenizer.name}", "the pretokenizer metaspace")
    if model.fallback is None or model.byte_score is not None:
        raise _refused("bytes that are tokens like others", "characters, with byte fallback")
    if "<unk>" not in model.special_tokens:
        raise _refused("no special token <unk>", "one, though it is never given out")
    check_special_tokens(model.special_tokens)
    fault = token_fault(model)
    if fault:
        raise _refused(*fault)
    for token in [] if whole_lines else model.tokens[len(model.special_tokens) :]:
        if b" " in token[1:]:
            found = f"the token {token.decode()!r}, which no piece of metaspace holds"
            raise _refused(found, "tokens with a space at their start alone")
    return whole_lines
