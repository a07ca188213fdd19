"""Any published ``tokenizer.json``: read for toktk's own engines where ids are provably the library's.

What a text becomes is normalizer, pretokenizer (toktk.formats.public_steps), added tokens and
model. Post-processor and decoder do not matter for ids without special tokens, nor do truncation and padding,
which are no part of a tokenizer.

toktk's models hold spaces where such a file says U+2581 and turns spaces into it: U+2581 in text
becomes a space instead. Then a token whose name holds a real space is found in no text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.formats.added_tokens import Added, read_added
from toktk.formats.fields import Fields, has_surrogate, short
from toktk.formats.public_steps import (
    MARK,
    NotNative,
    Steps,
    pretokenizer_of,
    read_steps,
)
from toktk.formats.public_tokens import Tokens
from toktk.formats.unigram_json import read_unigram
from toktk.models.model import Int64, Model
from toktk.models.pairs import MAX_ID, PairModel
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


def parse_json(raw: bytes, path: Path) -> dict[str, Any]:
    """Return the object in the bytes of a ``tokenizer.json``.

    Raises:
        FormatError: it is not JSON, or no tokenizer.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON.", f"Found: {error}.") from error
    fields = Fields(path)
    top = fields.as_object(document, "the file")
    fields.as_object(top.get("model"), "model")
    return top


def read_public_json(
    document: dict[str, Any], path: Path, name: str
) -> tuple[Tokenizer | None, str]:
    """Return the tokenizer; or None, and what in the file toktk does not do itself.

    Args:
        document: as `parse_json` gives it.
        path: the file, for messages.
        name: of the tokenizer.

    Raises:
        FormatError: a malformed field, which the error names.
    """
    try:
        return _Reader(path, document).tokenizer(name), ""
    except NotNative as reason:
        return None, str(reason)
    except RecursionError as error:
        raise FormatError(f"cannot read {path}.", "Found: objects nested too deeply.") from error


class _Reader(Fields):
    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        super().__init__(path)
        self.document = document
        self.holder = self.as_object(document.get("model"), "model")

    def tokenizer(self, name: str) -> Tokenizer:
        kind = self.kind()
        steps = read_steps(
            self.path, self.document.get("normalizer"), self.document.get("pre_tokenizer")
        )
        if kind == "Unigram":
            return self.unigram(name, steps)
        if kind != "BPE":
            raise NotNative(f"model {kind}")
        self.check_options()
        vocab = self.vocabulary()
        added = read_added(self, self.document.get("added_tokens"), vocab, steps)
        tokens = Tokens(vocab, steps)
        merges = self.merges(vocab, tokens)
        model = _pair_model(self, tokens, merges, added)
        last = PATTERNS["none"]
        if not steps.byte_level and not tokens.reach_over_spaces(merges[:, 2]):
            last = PATTERNS["spaces"]
        pretokenizer = pretokenizer_of(steps, last, tuple(added.ordinary))
        _check_added(pretokenizer, model, added, steps)
        return Tokenizer(name, pretokenizer, model)

    def kind(self) -> str:
        kind = self.holder.get("type")
        if kind is None:  # as old files are
            kind = "BPE" if "merges" in self.holder else "of no stated type"
        if not isinstance(kind, str):
            raise self.error("model.type", short(kind), '"BPE" or another name')
        return kind

    def check_options(self) -> None:
        holder = self.holder
        if holder.get("dropout") not in (None, 0):
            raise NotNative(f"model.dropout {short(holder['dropout'])}")
        for name in ("continuing_subword_prefix", "end_of_word_suffix"):
            if holder.get(name) not in (None, ""):
                raise NotNative(f"model.{name} {short(holder[name])}")
        for name in ("byte_fallback", "ignore_merges", "fuse_unk"):
            if not isinstance(holder.get(name) or False, bool):
                raise self.error(f"model.{name}", short(holder[name]), "true or false")

    def vocabulary(self) -> dict[str, int]:
        vocab: dict[str, int] = self.as_object(self.holder.get("vocab"), "model.vocab")
        ids = vocab.values()
        whole_numbers = set(map(type, ids)) <= {int}
        if not whole_numbers or (vocab and (min(ids) < 0 or max(ids) > MAX_ID)):
            self.check_each(vocab)
        if has_surrogate("".join(vocab)):
            self.check_each(vocab)
        if len(set(ids)) < len(vocab):
            raise NotNative("model.vocab with an id given twice")
        if not vocab:
            raise self.error("model.vocab", "nothing", "tokens")
        return vocab

    def check_each(self, vocab: Mapping[str, Any]) -> None:
        """Raise about the first token that is no text or has no id."""
        for name, i in vocab.items():
            if type(i) is not int or not 0 <= i <= MAX_ID:
                wanted = f"an id from 0 to {MAX_ID:,}"
                raise self.error(f"model.vocab[{short(name)}]", short(i), wanted)
            if has_surrogate(name):
                raise self.error("model.vocab", short(name), "text that has a UTF-8 form")

    def merges(self, vocab: Mapping[str, int], tokens: Tokens) -> Int64:
        """Return int64[n, 3]: left, right and new id; without those that can never happen."""
        listed = self.as_list(self.holder.get("merges"), "model.merges")
        # All at once, as there are hundreds of thousands; what is wrong is found one by one.
        try:
            left, right = _halves(listed) or self.halves(listed, vocab)
            found: Int64 = np.empty((len(listed), 3), dtype=np.int64)
            found[:, 0] = list(map(vocab.__getitem__, left))
            found[:, 1] = list(map(vocab.__getitem__, right))
            found[:, 2] = [vocab[a + b] for a, b in zip(left, right, strict=True)]
        except (KeyError, TypeError):
            self.halves(listed, vocab)
            raise
        if tokens.dead:
            dead = np.zeros(len(tokens.spelled), dtype=np.bool_)
            dead[list(tokens.dead)] = True
            found = found[~dead[found].any(axis=1)]
        return found

    def halves(
        self, listed: Sequence[Any], vocab: Mapping[str, int]
    ) -> tuple[list[str], list[str]]:
        """Return the left and the right tokens; or raise about the first merge that is not of two tokens."""
        halves: list[list[str]] = []
        for rank, entry in enumerate(listed):
            pair = entry.split(" ") if isinstance(entry, str) else entry
            if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
                raise self.error(f"model.merges[{rank}]", short(entry), "two tokens")
            missing = next((text for text in (*pair, "".join(pair)) if text not in vocab), None)
            if missing is not None:
                found = f"{short(missing)} is no token"
                raise self.error(f"model.merges[{rank}]", found, "tokens of model.vocab")
            halves.append(pair)
        return [left for left, _ in halves], [right for _, right in halves]

    def unigram(self, name: str, steps: Steps) -> Tokenizer:
        if steps.normalizer.marks:
            raise NotNative("model Unigram with U+2581 for spaces")
        vocab = self.as_list(self.holder.get("vocab"), "model.vocab")
        names = {}
        for i, entry in enumerate(vocab):
            if not isinstance(entry, list) or not entry or not isinstance(entry[0], str):
                raise self.error(f"model.vocab[{i}]", short(entry), "a token and its score")
            names[entry[0]] = i
        added = read_added(self, self.document.get("added_tokens"), names, steps)
        special = tuple(added.special)
        if added.ordinary or list(added.special.values()) != list(range(len(special))):
            raise NotNative("model Unigram whose special tokens are not its first ids")
        try:
            model = read_unigram(self, self.holder, special, steps.byte_level)
        except FormatError as error:
            raise NotNative(f"model Unigram: {' '.join(str(error).split())}") from error
        return Tokenizer(name, pretokenizer_of(steps, PATTERNS["none"], ()), model)


def _halves(listed: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """Return what stands left and right in merges, if all are strings or all are lists, of two parts."""
    kinds = set(map(type, listed))
    if kinds == {str} and {entry.count(" ") for entry in listed} == {1}:
        flat = " ".join(listed).split(" ")
        return flat[::2], flat[1::2]
    if kinds == {list} and set(map(len, listed)) == {2}:
        return [left for left, _ in listed], [right for _, right in listed]
    return None


def _pair_model(reader: _Reader, tokens: Tokens, merges: Int64, added: Added) -> PairModel:
    if tokens.characters and reader.holder.get("byte_fallback") is not True:
        raise NotNative("model BPE over characters, without byte_fallback")
    if tokens.characters and reader.holder.get("ignore_merges"):
        raise NotNative("model.ignore_merges over characters")  # finds <0x0A> in text by its name
    spelled = list(tokens.spelled)
    special = dict(sorted(added.special.items(), key=lambda entry: entry[1]))
    spelled += [b""] * (1 + max(added.ids(), default=-1) - len(spelled))
    whole: npt.NDArray[np.bool_] = np.zeros(len(spelled), dtype=np.bool_)
    if reader.holder.get("ignore_merges"):
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
        raise reader.error("model", " ".join(str(error).split()), "one meaning per id") from error


def _check_added(pretokenizer: Pretokenizer, model: Model, added: Added, steps: Steps) -> None:
    """Refuse added tokens whose text could be a piece without having been found in the document."""
    if not isinstance(model, PairModel):
        return
    form = steps.normalizer.form is not None
    plain = Pretokenizer("plain", pretokenizer.pattern, before=pretokenizer.before)
    for name, i in added.ordinary.items():
        changed = steps.normalizer.marks and (MARK in name or " " in name)
        if changed and model.whole[i]:
            raise NotNative(f"added token {name!r} with spaces")
        if form and len(plain.cut(name)) < 2:
            raise NotNative(f"added token {name!r} after {steps.normalizer.form}")
