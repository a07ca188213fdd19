"""Any ``tokenizer.json``, read for toktk's own engines where ids are provably the library's.

Normalizer, pretokenizer (toktk.formats.hf_steps), added tokens and model decide ids. Post-processor and
decoder do not matter for ids without special tokens, nor do truncation and padding, which are no part of
a tokenizer.

BPE is read as PairModel, or as BpeModel where ids lie as toktk lays them out. Unigram and WordPiece are
read where they have the shape that toktk writes (toktk.formats.hf_write).

toktk's models hold spaces where such a file says U+2581 and turns spaces into it: U+2581 in text
becomes a space instead. Then a token whose name holds a real space is found in no text.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.formats.fields import (
    Fields,
    NotNative,
    Parts,
    is_text,
    left_to_library,
    parse_json,
    short,
)
from toktk.formats.hf_steps import Steps
from toktk.formats.hf_tokens import (
    Added,
    Tokens,
    byte_level_tokens,
    read_added,
    read_merges,
    read_vocabulary,
)
from toktk.formats.hf_write import LIFT, UNBOUNDED, check_fallback, spelled_by_bytes
from toktk.formats.tokens import MARK, byte_names, in_own_order
from toktk.models.greedy import GreedyModel
from toktk.models.model import Int64
from toktk.models.pairs import PairModel
from toktk.models.unigram import Float64, UnigramModel
from toktk.models.vocabulary import packed
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def read_tokenizer_json(raw: bytes, path: Path) -> Parts:
    """Return what `raw`, the bytes of a ``tokenizer.json``, holds."""
    fields, document = Fields(path), parse_json(raw, path)
    try:
        holder = fields.as_object(document.get("model"), "model")
        kind = holder.get("type")
        if kind is None:  # as old files are
            kind = "BPE" if "merges" in holder else "of no stated type"
        fields.check(isinstance(kind, str), "model.type", kind, '"BPE" or another name')
        steps = Steps(fields, document.get("normalizer"), document.get("pre_tokenizer"))
        if kind not in _READERS:
            raise NotNative(f"model {kind}")
        pretokenizer, model = _READERS[kind](fields, holder, document.get("added_tokens"), steps)
    except RecursionError as error:
        raise FormatError(f"cannot read {path}.", "Found: objects nested too deeply.") from error
    if steps.words and (isinstance(model, PairModel) or not pretokenizer.is_plain):
        raise NotNative("pretokenizer Split with \\w, of which libraries have different tables")
    return pretokenizer, model


def _read_bpe(fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps) -> Parts:
    if holder.get("dropout") not in (None, 0):
        raise NotNative(f"model.dropout {short(holder['dropout'])}")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if holder.get(name) not in (None, ""):
            raise NotNative(f"model.{name} {short(holder[name])}")
    options = {name: value for name, value in holder.items() if value is not None}
    fallback, ignore_merges, _ = (
        fields.flag(options, f"model.{name}")
        for name in ("byte_fallback", "ignore_merges", "fuse_unk")
    )
    vocab = read_vocabulary(fields, holder.get("vocab"))
    added = read_added(fields, listed, vocab, steps)
    tokens = Tokens(vocab, steps)
    merges = read_merges(fields, holder.get("merges"), vocab, tokens)
    if steps.byte_level and not added.ordinary and not ignore_merges:
        own = in_own_order(added.special, tokens.byte_ids, merges, len(tokens.spelled))
        if own is not None:
            return steps.pretokenizer(PATTERNS["none"], ()), own
    if tokens.characters and not fallback:
        raise NotNative("model BPE over characters, without byte_fallback")
    if tokens.characters and ignore_merges:
        raise NotNative("model.ignore_merges over characters")  # finds <0x0A> in text by its name
    model = _pair_model(fields, tokens, merges, added, ignore_merges)
    last = PATTERNS["none"]
    if not steps.byte_level and not tokens.reach_over_spaces(merges[:, 2]):
        last = PATTERNS["spaces"]
    pretokenizer = steps.pretokenizer(last, tuple(added.ordinary))
    # An added token's text could be a piece without having been found in the document.
    form = steps.normalizer.form
    plain = Pretokenizer("plain", pretokenizer.pattern, before=pretokenizer.before)
    for name, i in added.ordinary.items():
        if steps.normalizer.marks and (MARK in name or " " in name) and model.whole[i]:
            raise NotNative(f"added token {name!r} with spaces")
        if form is not None and len(plain.cut(name)) < 2:
            raise NotNative(f"added token {name!r} after {form}")
    return pretokenizer, model


def _pair_model(
    fields: Fields, tokens: Tokens, merges: Int64, added: Added, ignore_merges: bool
) -> PairModel:
    special = dict(sorted(added.special.items(), key=lambda entry: entry[1]))
    n_ids = 1 + max([len(tokens.spelled) - 1, *special.values(), *added.ordinary.values()])
    spelled = tokens.spelled + [b""] * (n_ids - len(tokens.spelled))
    whole: npt.NDArray[np.bool_] = np.zeros(n_ids, dtype=np.bool_)
    if ignore_merges:
        whole[[i for i, token in enumerate(spelled) if token and i not in tokens.dead]] = True
        taken = [name for name, i in special.items() if whole[i]]
        if taken:
            raise NotNative(f"model.ignore_merges with the special token {taken[0]!r} among tokens")
    for name, i in added.ordinary.items():
        raw = name.encode()
        if spelled[i] and spelled[i] != raw and MARK not in name and i not in tokens.dead:
            raise NotNative(f"added token {name!r}, which the model spells otherwise")
        spelled[i] = spelled[i] or raw
        whole[i] = True
    with fields.blaming("model", "one meaning per id"):
        return PairModel.from_merges(
            spelled, merges, special, tokens.byte_ids, tokens.characters, whole
        )


def _read_unigram(fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps) -> Parts:
    if steps.normalizer.marks:
        raise NotNative("model Unigram with U+2581 for spaces")
    names: list[str] = []
    scores: list[float] = []
    for i, entry in enumerate(fields.as_list(holder.get("vocab"), "model.vocab")):
        pair: list[Any] = entry if isinstance(entry, list) and len(entry) == 2 else [None, None]
        name, score = pair
        # Integers beyond float64 would not convert; no score is near them.
        is_score = type(score) in (int, float) and abs(score) < 1e300 and math.isfinite(score)
        if not is_text(name) or not is_score:
            raise fields.error(f"model.vocab[{i}]", short(entry), "a token and its score")
        names.append(name)
        scores.append(score)
    ids = {name: i for i, name in enumerate(names)}
    if len(ids) < len(names):
        raise NotNative("model Unigram: model.vocab with a token listed twice")
    special_tokens = read_added(fields, listed, ids, steps).special_if_first()
    if holder.get("byte_fallback", False) is not (not steps.byte_level):
        raise NotNative("model Unigram with not just one of ByteLevel and model.byte_fallback")
    read = _byte_level_unigram if steps.byte_level else _fallback_unigram
    with left_to_library("model Unigram: model.vocab"):
        model = read(names, np.array(scores, dtype=np.float64), len(special_tokens))
    return steps.pretokenizer(PATTERNS["none"], ()), model


def _byte_level_unigram(names: list[str], scores: Float64, n: int) -> UnigramModel:
    """Return the model of these names, of which the first `n` are special tokens."""
    special_tokens = tuple(names[:n])
    model = UnigramModel(special_tokens, *packed(_ordinary(names, n, "Unigram")), scores[n:])
    lowest = float(model.scores.min())
    for i in spelled_by_bytes(special_tokens):
        # Its characters would otherwise be a path that is better, or as good.
        if scores[i] >= len(names[i]) * lowest:
            raise NotNative(f"model Unigram: model.vocab[{i}]: text can be {short(names[i])}")
    return model


def _fallback_unigram(names: list[str], scores: Float64, n: int) -> UnigramModel:
    """Return the model of these names, of which the first `n` are special tokens."""
    tokens = [name.encode() for name in names]
    at = {name: i for i, name in enumerate(names)}
    byte_ids = [at.get(name, -1) for name in byte_names()]
    if min(byte_ids) < n:
        raise NotNative("model Unigram: model.vocab without a token for each byte")
    for b, i in enumerate(byte_ids):
        tokens[i] = bytes([b])
    unlifted = scores - LIFT * np.array([len(name) for name in names])
    matched = np.ones(len(names), dtype=np.bool_)
    matched[:n] = matched[byte_ids] = False
    lowest = float(unlifted[matched].min(initial=0.0))
    unlifted[byte_ids] = 0.0
    wrong = np.flatnonzero(~matched & (scores != lowest + LIFT))
    if wrong.size:
        name, score = short(names[wrong[0]]), scores[wrong[0]]
        raise NotNative(f"model Unigram: model.vocab[{wrong[0]}]: text can be {name}, at {score}")
    special_tokens = tuple(names[:n])
    model = UnigramModel(special_tokens, *packed(tokens[n:]), unlifted[n:], np.array(byte_ids))
    check_fallback(model, names)
    return model


def _read_wordpiece(fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps) -> Parts:
    if not steps.byte_level:
        raise NotNative("model WordPiece without ByteLevel")
    wanted = {"continuing_subword_prefix": "", "max_input_chars_per_word": UNBOUNDED}
    for key, value in wanted.items():
        if holder.get(key) != value:
            raise NotNative(f"model WordPiece with model.{key} {short(holder.get(key))}")
    vocab = read_vocabulary(fields, holder.get("vocab"))
    special_tokens = read_added(fields, listed, vocab, steps).special_if_first()
    names = sorted(vocab, key=vocab.__getitem__)
    if vocab[names[-1]] != len(names) - 1:
        raise NotNative("model WordPiece: model.vocab with ids that are not 0, 1, …")
    if spelled_by_bytes(special_tokens):
        raise NotNative("model WordPiece: model.vocab: text can be a special token")
    tokens = _ordinary(names, len(special_tokens), "WordPiece")
    with left_to_library("model WordPiece: model.vocab"):
        model = GreedyModel(special_tokens, *packed(tokens))
    return steps.pretokenizer(PATTERNS["none"], ()), model


def _ordinary(names: list[str], n: int, kind: str) -> list[bytes]:
    """Return the bytes of the tokens behind the first `n`, if their names are byte-level."""
    tokens, others = byte_level_tokens(names[n:])
    if others:
        i = n + others[0]
        raise NotNative(f"model {kind}: model.vocab[{i}]: {short(names[i])} is not byte-level")
    return tokens


_READERS = {"BPE": _read_bpe, "Unigram": _read_unigram, "WordPiece": _read_wordpiece}
