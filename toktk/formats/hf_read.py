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
from toktk.formats.fields import Fields, NotNative, Parts, is_text, parse_json, short
from toktk.formats.hf_steps import MARK, Steps, pretokenizer_of, read_steps
from toktk.formats.hf_tokens import Added, Tokens, read_added, read_merges, read_vocabulary
from toktk.formats.hf_write import LIFT, UNBOUNDED, fallback_fault, spelled_by_bytes
from toktk.formats.tokens import byte_names, in_own_order
from toktk.models.bpe import byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.model import Int64
from toktk.models.pairs import PairModel
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def read_tokenizer_json(raw: bytes, path: Path) -> Parts:
    """Return what a ``tokenizer.json`` holds.

    Args:
        raw: the file's bytes.
        path: the file, for messages.

    Raises:
        NotNative: the file asks for something that toktk does not do itself.
        FormatError: it is not JSON, or a field is malformed.
    """
    document = parse_json(raw, path)
    try:
        return _read(Fields(path), document)
    except RecursionError as error:
        raise FormatError(f"cannot read {path}.", "Found: objects nested too deeply.") from error


def _read(fields: Fields, document: dict[str, Any]) -> Parts:
    holder = fields.as_object(document.get("model"), "model")
    kind = holder.get("type")
    if kind is None:  # as old files are
        kind = "BPE" if "merges" in holder else "of no stated type"
    if not isinstance(kind, str):
        raise fields.error("model.type", short(kind), '"BPE" or another name')
    steps = read_steps(fields.path, document.get("normalizer"), document.get("pre_tokenizer"))
    if kind not in _READERS:
        raise NotNative(f"model {kind}")
    pretokenizer, model = _READERS[kind](fields, holder, document.get("added_tokens"), steps)
    if steps.words and (isinstance(model, PairModel) or not pretokenizer.is_plain):
        raise NotNative("pretokenizer Split with \\w, of which libraries have different tables")
    return pretokenizer, model


def _read_bpe(fields: Fields, holder: dict[str, Any], added_tokens: Any, steps: Steps) -> Parts:
    _check_options(fields, holder)
    vocab = read_vocabulary(fields, holder.get("vocab"))
    added = read_added(fields, added_tokens, vocab, steps)
    tokens = Tokens(vocab, steps)
    merges = read_merges(fields, holder.get("merges"), vocab, tokens)
    if steps.byte_level and not added.ordinary and not holder.get("ignore_merges"):
        own = in_own_order(added.special, tokens.byte_ids, merges, len(tokens.spelled))
        if own is not None:
            return pretokenizer_of(steps, PATTERNS["none"], ()), own
    model = _pair_model(fields, holder, tokens, merges, added)
    last = PATTERNS["none"]
    if not steps.byte_level and not tokens.reach_over_spaces(merges[:, 2]):
        last = PATTERNS["spaces"]
    pretokenizer = pretokenizer_of(steps, last, tuple(added.ordinary))
    _check_added(pretokenizer, model, added, steps)
    return pretokenizer, model


def _check_options(fields: Fields, holder: dict[str, Any]) -> None:
    if holder.get("dropout") not in (None, 0):
        raise NotNative(f"model.dropout {short(holder['dropout'])}")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if holder.get(name) not in (None, ""):
            raise NotNative(f"model.{name} {short(holder[name])}")
    for name in ("byte_fallback", "ignore_merges", "fuse_unk"):
        if not isinstance(holder.get(name) or False, bool):
            raise fields.error(f"model.{name}", short(holder[name]), "true or false")


def _pair_model(
    fields: Fields, holder: dict[str, Any], tokens: Tokens, merges: Int64, added: Added
) -> PairModel:
    if tokens.characters and holder.get("byte_fallback") is not True:
        raise NotNative("model BPE over characters, without byte_fallback")
    if tokens.characters and holder.get("ignore_merges"):
        raise NotNative("model.ignore_merges over characters")  # finds <0x0A> in text by its name
    spelled = list(tokens.spelled)
    special = dict(sorted(added.special.items(), key=lambda entry: entry[1]))
    spelled += [b""] * (1 + max(added.ids(), default=-1) - len(spelled))
    whole: npt.NDArray[np.bool_] = np.zeros(len(spelled), dtype=np.bool_)
    if holder.get("ignore_merges"):
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
    try:
        return PairModel.from_merges(
            spelled, merges, special, tokens.byte_ids, tokens.characters, whole
        )
    except FormatError as error:
        raise fields.error("model", " ".join(str(error).split()), "one meaning per id") from error


def _check_added(pretokenizer: Pretokenizer, model: PairModel, added: Added, steps: Steps) -> None:
    """Refuse added tokens whose text could be a piece without having been found in the document."""
    form = steps.normalizer.form is not None
    plain = Pretokenizer("plain", pretokenizer.pattern, before=pretokenizer.before)
    for name, i in added.ordinary.items():
        changed = steps.normalizer.marks and (MARK in name or " " in name)
        if changed and model.whole[i]:
            raise NotNative(f"added token {name!r} with spaces")
        if form and len(plain.cut(name)) < 2:
            raise NotNative(f"added token {name!r} after {steps.normalizer.form}")


def _read_unigram(fields: Fields, holder: dict[str, Any], added_tokens: Any, steps: Steps) -> Parts:
    if steps.normalizer.marks:
        raise NotNative("model Unigram with U+2581 for spaces")
    names, scores = _scored(fields, holder.get("vocab"))
    ids = {name: i for i, name in enumerate(names)}
    if len(ids) < len(names):
        raise NotNative("model Unigram: model.vocab with a token listed twice")
    special_tokens = read_added(fields, added_tokens, ids, steps).special_if_first()
    if holder.get("byte_fallback", False) is not (not steps.byte_level):
        raise NotNative("model Unigram with not just one of ByteLevel and model.byte_fallback")
    read = _byte_level_unigram if steps.byte_level else _fallback_unigram
    try:
        model = read(names, np.array(scores), special_tokens)
    except FormatError as error:
        raise NotNative(f"model Unigram: model.vocab: {str(error).splitlines()[0]}") from error
    return pretokenizer_of(steps, PATTERNS["none"], ()), model


def _scored(fields: Fields, value: Any) -> tuple[list[str], list[float]]:
    """Return names and scores of the list ``model.vocab`` of a Unigram model."""
    names: list[str] = []
    scores: list[float] = []
    for i, entry in enumerate(fields.as_list(value, "model.vocab")):
        pair: list[Any] = entry if isinstance(entry, list) and len(entry) == 2 else [None, None]
        name, score = pair
        # Integers beyond float64 would not convert; no score is near them.
        sound = type(score) in (int, float) and abs(score) < 1e300 and math.isfinite(score)
        if not is_text(name) or not sound:
            raise fields.error(f"model.vocab[{i}]", short(entry), "a token and its score")
        names.append(name)
        scores.append(float(score))
    return names, scores


def _byte_level_unigram(
    names: list[str], scores: npt.NDArray[np.float64], special_tokens: tuple[str, ...]
) -> UnigramModel:
    n = len(special_tokens)
    tokens = _as_bytes(names, n, "Unigram")
    model = UnigramModel(special_tokens, *packed(tokens), scores[n:])
    lowest = float(model.scores.min())
    for i in spelled_by_bytes(special_tokens):
        # Its characters would otherwise be a path that is better, or as good.
        if scores[i] >= len(names[i]) * lowest:
            raise NotNative(f"model Unigram: model.vocab[{i}]: text can be {short(names[i])}")
    return model


def _fallback_unigram(
    names: list[str], scores: npt.NDArray[np.float64], special_tokens: tuple[str, ...]
) -> UnigramModel:
    n = len(special_tokens)
    byte_of = {name: byte for byte, name in enumerate(byte_names())}
    byte_at = {i: byte_of[name] for i, name in enumerate(names) if name in byte_of}
    if len(byte_at) < 256 or min(byte_at) < n:
        raise NotNative("model Unigram: model.vocab without a token for each byte")
    fallback = np.array(sorted(byte_at, key=byte_at.__getitem__))
    unlifted = scores - LIFT * np.array([len(name) for name in names])
    matched = np.ones(len(names), dtype=np.bool_)
    matched[:n] = matched[fallback] = False
    lowest = float(unlifted[matched].min(initial=0.0))
    unlifted[fallback] = 0.0
    wrong = np.flatnonzero(~matched & (scores != lowest + LIFT))
    if wrong.size:
        name, score = short(names[wrong[0]]), scores[wrong[0]]
        raise NotNative(f"model Unigram: model.vocab[{wrong[0]}]: text can be {name}, at {score}")
    tokens = [
        bytes([byte_at[i]]) if i in byte_at else name.encode()
        for i, name in enumerate(names[n:], start=n)
    ]
    model = UnigramModel(special_tokens, *packed(tokens), unlifted[n:], fallback)
    fault = fallback_fault(model, names)
    if fault:
        raise NotNative(f"model Unigram: model.vocab: {fault[0]}")
    return model


def _read_wordpiece(
    fields: Fields, holder: dict[str, Any], added_tokens: Any, steps: Steps
) -> Parts:
    if not steps.byte_level:
        raise NotNative("model WordPiece without ByteLevel")
    wanted = {"continuing_subword_prefix": "", "max_input_chars_per_word": UNBOUNDED}
    for key, value in wanted.items():
        if holder.get(key) != value:
            raise NotNative(f"model WordPiece with model.{key} {short(holder.get(key))}")
    vocab = read_vocabulary(fields, holder.get("vocab"))
    special_tokens = read_added(fields, added_tokens, vocab, steps).special_if_first()
    names = sorted(vocab, key=vocab.__getitem__)
    if vocab[names[-1]] != len(names) - 1:
        raise NotNative("model WordPiece: model.vocab with ids that are not 0, 1, …")
    if spelled_by_bytes(special_tokens):
        raise NotNative("model WordPiece: model.vocab: text can be a special token")
    tokens = _as_bytes(names, len(special_tokens), "WordPiece")
    try:
        model = GreedyModel(special_tokens, *packed(tokens))
    except FormatError as error:
        raise NotNative(f"model WordPiece: model.vocab: {str(error).splitlines()[0]}") from error
    return pretokenizer_of(steps, PATTERNS["none"], ()), model


def _as_bytes(names: list[str], n_special: int, kind: str) -> list[bytes]:
    """Return the bytes of the names of ordinary tokens, whose characters stand for bytes."""
    byte_of = {character: b for b, character in enumerate(byte_characters())}
    for i, name in enumerate(names[n_special:], start=n_special):
        if not byte_of.keys() >= set(name):
            raise NotNative(f"model {kind}: model.vocab[{i}]: {short(name)} is not byte-level")
    return [bytes([byte_of[character] for character in name]) for name in names[n_special:]]


_READERS = {"BPE": _read_bpe, "Unigram": _read_unigram, "WordPiece": _read_wordpiece}
