"""Any ``tokenizer.json``, read for toktk's own engines where ids are provably the library's.

Normalizer, pretokenizer (toktk.formats.hf_steps), added tokens and model decide ids. Post-processor
and decoder do not matter for ids without special tokens, nor do truncation and padding, which are
no part of a tokenizer.

BPE is read as PairModel, or as BpeModel where ids lie as toktk lays them out; Unigram over U+2581 as
FusedUnigramModel (toktk.formats.hf_unigram). Other Unigram and WordPiece are read where they have the shape
that toktk writes (toktk.formats.hf_write).

toktk's models hold spaces where such a file says U+2581 and turns spaces into it: U+2581 in text
becomes a space instead. Then a token whose name holds a real space is found in no text.

There are hundreds of thousands of tokens, so what can be is done to all of them at once. What is
malformed is then found one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import packed, read_only
from toktk.errors import FormatError, clipped
from toktk.formats.fields import (
    Fields,
    NotNative,
    Parts,
    has_surrogate,
    is_id,
    is_text,
    left_to_library,
    parse_json,
    short,
    word,
)
from toktk.formats.hf_added import Added, limit_added, read_added
from toktk.formats.hf_model import ModelLists, Names, characters_of, ids_among, lists_of
from toktk.formats.hf_steps import Steps, limit_steps
from toktk.formats.hf_unigram import fused_model, scores_of
from toktk.formats.hf_write import (
    LIFT,
    UNBOUNDED,
    check_fallback,
    spelled_by_bytes,
    taken_by_text,
)
from toktk.formats.tokens import MARK, byte_names, in_own_order
from toktk.models.bpe import byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.lookup import Tokens
from toktk.models.model import Int64, Model
from toktk.models.pairs import UNUSED_BYTES, PairModel, highest_id
from toktk.models.symbols import SymbolsModel
from toktk.models.unigram import Float64, UnigramModel
from toktk.models.vocabulary import unpacked
from toktk.normalizers.normalizer import IDENTITY, arises
from toktk.pretokenizers.export import maybe_pieces
from toktk.pretokenizers.pretokenizer import Pretokenizer


def read_tokenizer_json(raw: bytes, path: Path, lists: ModelLists | None = None) -> Parts:
    """Return what `raw`, the bytes of a ``tokenizer.json``, holds; `lists`, where they are read already."""
    fields, lists = Fields(path), lists or lists_of(raw)
    document = parse_json(raw, path) if lists is None else lists.document
    try:
        holder = fields.typed(dict, document.get("model"), "model")
        kind = holder.get("type")
        if kind is None:  # as old files are
            kind = "BPE" if "merges" in holder else "of no stated type"
        fields.typed(str, kind, "model.type", '"BPE" or another name')
        _limit_vocabulary(fields, holder.get("vocab"))
        limit_added(fields, document.get("added_tokens"))
        for name in ("normalizer", "pre_tokenizer", "decoder"):
            limit_steps(fields, document.get(name), name)
        steps = Steps(fields, document.get("normalizer"), document.get("pre_tokenizer"))
        listed = document.get("added_tokens")
        if kind == "Unigram":
            return _read_unigram(fields, holder, listed, steps, raw)
        if kind not in _READERS:
            raise NotNative(f"model {word(kind)}")
        return _READERS[kind](fields, holder, listed, steps)
    except RecursionError as error:
        raise FormatError(f"cannot read {path}.", "Found: objects nested too deeply.") from error


def _limit_vocabulary(fields: Fields, vocab: Any) -> None:
    """Refuse an absurd id or token, whatever model the vocabulary is of, and whoever runs it."""
    if isinstance(vocab, Names):
        return  # looked at by `lists_of`
    if isinstance(vocab, dict):
        fields.check_lengths("model.vocab", vocab)
        if set(map(type, vocab.values())) == {int}:
            fields.check_ids("model.vocab", vocab, len(vocab))
    elif isinstance(vocab, list):
        names = [entry[0] for entry in vocab if isinstance(entry, list) and entry]
        fields.check_lengths("model.vocab", [name for name in names if isinstance(name, str)])


def _read_bpe(fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps) -> Parts:
    dropout = holder.get("dropout")
    if dropout not in (None, 0):
        raise NotNative(
            f"model.dropout {short(dropout)}, for training: figures are made without it"
        )
    unset = {"continuing_subword_prefix": "", "end_of_word_suffix": ""}
    for name, value in unset.items():
        if holder.get(name) not in (None, value):
            raise NotNative(f"model.{name} {short(holder[name])}")
    options = {name: value for name, value in holder.items() if value is not None}
    fallback, ignore_merges, _ = (
        fields.flag(options, f"model.{name}")
        for name in ("byte_fallback", "ignore_merges", "fuse_unk")
    )
    vocab = _read_vocabulary(fields, holder.get("vocab"))
    added = read_added(fields, listed, vocab, steps)
    tokens = _Tokens(vocab, steps)
    merges = _read_merges(fields, holder.get("merges"), vocab, tokens)
    if steps.byte_level and not ignore_merges and (added.are_first or not added.ordinary):
        names_by_id = {**added.special, **added.ordinary}
        own = in_own_order(names_by_id, tokens.byte_ids, merges, tokens.by_id.lengths.size)
        if own is not None:
            return _with_symbols(own, steps, added)
    if tokens.characters and not fallback:
        raise NotNative("model BPE over characters, without byte_fallback")
    if tokens.characters and ignore_merges:
        raise NotNative("model.ignore_merges over characters")  # finds <0x0A> in text by its name
    model = _pair_model(fields, tokens, merges, added, ignore_merges, steps)
    stays = steps.byte_level or tokens.reach_over_spaces(merges[:, 2])
    pretokenizer = steps.pretokenizer("none" if stays else "spaces", tuple(added.ordinary))
    for name, i in added.ordinary.items() if steps.normalizer.marks else ():
        if (MARK in name or " " in name) and model.whole[i]:
            raise NotNative(f"added token {clipped(name)} with spaces")
    _check_found(pretokenizer)
    return pretokenizer, model


def _check_found(pretokenizer: Pretokenizer) -> None:
    """Leave added tokens to the library that could be pieces without having been found in the document."""
    form, names = pretokenizer.normalizer.form, pretokenizer.added
    if form is None or not names:
        return
    plain = replace(pretokenizer, normalizer=IDENTITY, added=())
    whole = np.diff(plain.cut_batch(*packed([name.encode() for name in names])).documents) < 2
    for name, is_whole in zip(names, whole.tolist(), strict=True):
        if is_whole and arises(form, name):
            raise NotNative(f"added token {clipped(name)} after {form}")


def _with_symbols(model: Model, steps: Steps, added: Added) -> Parts:
    """Return a model whose first special tokens are those added, of which the ordinary ones are symbols."""
    pretokenizer = steps.pretokenizer("none", tuple(added.ordinary))
    _check_found(pretokenizer)
    n = len(added.ordinary)
    return pretokenizer, SymbolsModel(model, n) if n else model


def _pair_model(
    fields: Fields,
    tokens: _Tokens,
    merges: Int64,
    added: Added,
    ignore_merges: bool,
    steps: Steps,
) -> PairModel:
    special = dict(sorted(added.special.items(), key=lambda entry: entry[1]))
    ids = [*special.values(), *added.ordinary.values()]
    by_id = tokens.by_id.extended(max([tokens.by_id.lengths.size, *(i + 1 for i in ids)]))
    whole = np.zeros(by_id.lengths.size, dtype=np.bool_)
    if ignore_merges:
        whole = by_id.lengths > 0
        whole[list(tokens.dead)] = False
        cuts = replace(steps.pretokenizer(), normalizer=IDENTITY)
        spelt = [name for name, i in special.items() if whole[i]]
        taken = maybe_pieces(cuts, [by_id.spelled(special[name]) for name in spelt])
        if taken:
            found = f"model.ignore_merges: text can be the special token {clipped(spelt[taken[0]])}"
            raise NotNative(found)
        whole[list(special.values())] = False
    unspelled: dict[int, bytes] = {}
    for name, i in added.ordinary.items():
        raw, spelled = name.encode(), by_id.spelled(i)
        if spelled and spelled != raw and MARK not in name and i not in tokens.dead:
            raise NotNative(f"added token {clipped(name)}, which the model spells otherwise")
        if not spelled:
            unspelled[i] = raw
        whole[i] = True
    by_id = by_id.changed(unspelled)
    with fields.blaming("model", "one meaning per id"):
        return PairModel.from_merges(
            by_id, merges, special, tokens.byte_ids, tokens.characters, whole
        )


def _read_unigram(
    fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps, raw: bytes
) -> Parts:
    names = _unigram_names(fields, holder)
    scores = scores_of(raw)
    added = read_added(fields, listed, {name: i for i, name in enumerate(names)}, steps)
    if steps.normalizer.marks:
        return steps.pretokenizer(), fused_model(fields, holder, names, scores, added)
    special_tokens = added.if_first()
    if holder.get("byte_fallback", False) is not (not steps.byte_level):
        raise NotNative("model Unigram with not just one of ByteLevel and model.byte_fallback")
    values, n = np.array(scores, dtype=np.float64), len(special_tokens)
    absent = () if steps.normalizer.form else tuple(added.ordinary)
    with left_to_library("model Unigram: model.vocab"):
        if steps.byte_level:
            model = _byte_level_unigram(names, values, n)
        else:
            model = _fallback_unigram(names, values, n, absent)
    return _with_symbols(model, steps, added)


def _unigram_names(fields: Fields, holder: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for i, entry in enumerate(fields.typed(list, holder.get("vocab"), "model.vocab")):
        pair: list[Any] = entry if isinstance(entry, list) and len(entry) == 2 else [None, None]
        name, score = pair
        # Integers beyond float64 would not convert; no score is near them.
        is_score = type(score) in (int, float) and abs(score) < 1e300 and math.isfinite(score)
        if not is_text(name) or not is_score:
            raise fields.error(f"model.vocab[{i}]", short(entry), "a token and its score")
        names.append(name)
    if len(set(names)) < len(names):
        raise NotNative("model Unigram: model.vocab with a token listed twice")
    return names


def _byte_level_unigram(names: list[str], scores: Float64, n: int) -> UnigramModel:
    special_tokens = tuple(names[:n])
    model = UnigramModel(special_tokens, *packed(_ordinary(names, n, "Unigram")), scores[n:])
    lowest = float(model.scores.min())
    for i in spelled_by_bytes(special_tokens):
        # Its characters would otherwise be a path that is better, or as good.
        if scores[i] >= len(names[i]) * lowest:
            raise NotNative(f"model Unigram: model.vocab[{i}]: text can be {short(names[i])}")
    return model


def _fallback_unigram(
    names: list[str], scores: Float64, n: int, absent: tuple[str, ...]
) -> UnigramModel:
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
    data, offsets = packed(tokens[n:])
    model = UnigramModel(tuple(names[:n]), data, offsets, unlifted[n:], np.array(byte_ids))
    check_fallback(model, names, absent)
    return model


def _read_wordpiece(fields: Fields, holder: dict[str, Any], listed: Any, steps: Steps) -> Parts:
    if not steps.byte_level:
        raise NotNative("model WordPiece without ByteLevel")
    wanted = {"continuing_subword_prefix": "", "max_input_chars_per_word": UNBOUNDED}
    for key, value in wanted.items():
        if holder.get(key) != value:
            raise NotNative(f"model WordPiece with model.{key} {short(holder.get(key))}")
    vocab = _read_vocabulary(fields, holder.get("vocab"))
    added = read_added(fields, listed, vocab, steps)
    special_tokens = added.if_first()
    names = sorted(vocab, key=vocab.__getitem__)
    if vocab[names[-1]] != len(names) - 1:
        raise NotNative("model WordPiece: model.vocab with ids that are not 0, 1, …")
    if taken_by_text(tuple(added.special), tuple(added.ordinary)) is not None:
        raise NotNative("model WordPiece: model.vocab: text can be a special token")
    tokens = _ordinary(names, len(special_tokens), "WordPiece")
    with left_to_library("model WordPiece: model.vocab"):
        model = GreedyModel(special_tokens, *packed(tokens))
    if added.ordinary and steps.normalizer.form is not None:
        raise NotNative("model WordPiece with ordinary added tokens and a normal form")
    return _with_symbols(model, steps, added)


def _ordinary(names: list[str], n: int, kind: str) -> list[bytes]:
    """Return the bytes of the tokens behind the first `n`, if their names are byte-level."""
    packed_names = packed([name.encode() for name in names[n:]])
    tokens, others = _byte_level_tokens(*characters_of(*packed_names))
    if others:
        i = n + others[0]
        raise NotNative(f"model {kind}: model.vocab[{i}]: {short(names[i])} is not byte-level")
    return unpacked(*tokens)


def _read_vocabulary(fields: Fields, value: Any) -> Mapping[str, int]:
    """Return {name: id} of the object ``model.vocab``; names have UTF-8, and ids differ."""
    if isinstance(value, Names):
        return value
    vocab: dict[str, int] = fields.typed(dict, value, "model.vocab")
    fields.check(len(vocab) > 0, "model.vocab", vocab, "tokens")
    ids = vocab.values()
    are_ids = set(map(type, ids)) == {int} and min(ids) >= 0
    if not are_ids or has_surrogate("".join(vocab)):
        wanted = f"an id from 0 to {highest_id(len(vocab)):,}"
        for name, i in vocab.items():
            fields.check(is_id(i), f"model.vocab[{short(name)}]", i, wanted)
            fields.check(not has_surrogate(name), "model.vocab", name, "text that has a UTF-8 form")
    if len(set(ids)) < len(vocab):
        raise NotNative("model.vocab with an id given twice")
    return vocab


class _Tokens:
    """The tokens of a BPE model, {name: id}, by their bytes; each byte that UTF-8 uses must have one.

    Attributes:
        by_id: the bytes of each id; none for an id that has no token.
        dead: ids of tokens that are found in no text.
        byte_ids: int64[256]; -1 for a byte without a token.
        characters: whether names are text, and no characters that stand for bytes.
    """

    def __init__(self, vocab: Mapping[str, int], steps: Steps) -> None:
        self.characters = not steps.byte_level
        names = Names.of(vocab)
        ids = names.ids
        if self.characters:
            mark = (MARK if steps.normalizer.marks else " ").encode()
            spelled = unpacked(*names.tokens)
            tokens = Tokens(*packed([name.replace(mark, b" ") for name in spelled]))
            is_dead = [not name or (mark != b" " and b" " in name) for name in spelled]
            dead = np.flatnonzero(is_dead).tolist()
            in_ascii = [MARK if b == 32 and mark != b" " else chr(b) for b in range(128)]
            in_vocab = ids_among([*byte_names(), *in_ascii], vocab)
            byte_ids = [in_vocab.get(name, -1) for name in byte_names()]
            for b in range(128):
                # A character of one byte that is a token has no use for the byte's.
                if byte_ids[b] < 0:
                    byte_ids[b] = in_vocab.get(in_ascii[b], -1)
        else:
            tokens, dead = _byte_level_tokens(*names.characters)
            in_vocab = ids_among(byte_characters(), vocab)
            byte_ids = [in_vocab.get(character, -1) for character in byte_characters()]
        for b, i in enumerate(byte_ids):
            if i < 0 and b not in UNUSED_BYTES:
                raise NotNative(f"model BPE without a token for the byte 0x{b:02X}")
        self.byte_ids: Int64 = np.array(byte_ids, dtype=np.int64)
        self.dead = {int(ids[at]) for at in dead}.difference(byte_ids)
        by_id, others = tokens.by_id(ids), dict[int, bytes]()
        for at in dead:
            name = names.tokens.spelled(at)
            is_named = len(name) > 1 or not self.characters
            others[int(ids[at])] = name if is_named else b""
        others |= {i: bytes([b]) for b, i in enumerate(byte_ids) if i >= 0}
        self.by_id = by_id.changed({i: t for i, t in others.items() if t != by_id.spelled(i)})

    def reach_over_spaces(self, ids: Int64) -> bool:
        """Tell whether one of `ids` holds a space behind something else."""
        # 0xFF stands in no UTF-8.
        joined = b"\xff".join(unpacked(*self.by_id.gathered(np.flatnonzero(np.bincount(ids)))))
        return re.search(rb"[^ \xff] ", joined) is not None


def _byte_level_tokens(stands_for: npt.NDArray[np.int16], ends: Int64) -> tuple[Tokens, list[int]]:
    """Return the bytes of names whose `characters_of` stand for bytes, and the indices of all other names."""
    others = np.unique(np.searchsorted(ends, np.flatnonzero(stands_for < 0), side="right") - 1)
    return Tokens(read_only(stands_for, np.uint8), ends), others.tolist()


def _read_merges(fields: Fields, value: Any, vocab: Mapping[str, int], tokens: _Tokens) -> Int64:
    """Return int64[n, 3], left, right and new id, of the list ``model.merges``.

    Merges that can never happen are left out: those of dead tokens. So is the heading of a
    ``merges.txt``, as the library does where merges are lines.
    """
    merges = value if isinstance(value, np.ndarray) else _listed_merges(fields, value, vocab)
    return merges[~np.isin(merges, list(tokens.dead)).any(axis=1)] if tokens.dead else merges


def _listed_merges(fields: Fields, value: Any, vocab: Mapping[str, int]) -> Int64:
    listed = fields.typed(list, value, "model.merges")
    if set(map(type, listed)) == {str}:
        listed = [line for line in listed if not line.startswith("#version")]
    pairs = [entry.split(" ") if isinstance(entry, str) else entry for entry in listed]
    try:
        rows = [(vocab[left], vocab[right], vocab[left + right]) for left, right in pairs]
    except (KeyError, TypeError, ValueError):
        rows = []
    if len(rows) < len(pairs) or not set(map(type, pairs)) <= {list}:
        for rank, pair in enumerate(pairs):
            name = f"model.merges[{rank}]"
            is_pair = isinstance(pair, list) and [type(text) for text in pair] == [str, str]
            fields.check(is_pair, name, listed[rank], "two tokens")
            for text in (*pair, "".join(pair)):
                fields.check(text in vocab, name, text, "tokens of model.vocab")
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 3)


_READERS = {"BPE": _read_bpe, "WordPiece": _read_wordpiece}
