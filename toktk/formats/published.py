"""Published vocabularies of BPE, whose ids lie anywhere, in the formats that can hold them.

What is written is first read by the reader of its format: equal pairs in equal order, and equal
tokens by id, give equal ids on every text. Otherwise the first id that would differ is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import numpy as np

from toktk.arrays import Int64
from toktk.errors import FormatError, clipped
from toktk.formats.fields import NotNative
from toktk.formats.tokens import MARK, byte_names, check_distinct
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.vocabulary import unpacked
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.export import exported_pattern
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def special_ids(model: PairModel) -> dict[str, int]:
    """Return {name: id} of the special tokens."""
    return dict(zip(model.special_tokens, model.special_ids.tolist(), strict=True))


def ordinary_tokens(model: PairModel) -> dict[int, bytes]:
    """Return {id: bytes} of all tokens that are not special."""
    special = set(model.special_ids.tolist())
    tokens = unpacked(model.data, model.offsets)
    return {i: token for i, token in enumerate(tokens) if token and i not in special}


def as_pairs(model: Model) -> PairModel | None:
    """Return a model as ranked pairs, if it is of that kind."""
    if isinstance(model, BpeModel):
        special = {name: i for i, name in enumerate(model.special_tokens)}
        tokens = [b""] * len(special) + model.tokens[len(special) :]
        return PairModel.from_merges(tokens, model.merges, special, model.byte_ids)
    return model if isinstance(model, PairModel) else None


def first_difference(wanted: PairModel, read: Model) -> int | None:
    """Return an id that `read` gives otherwise than `wanted`, the lowest that is found; None for none."""
    found = as_pairs(read)
    if found is None or found.characters is not wanted.characters:
        return 0
    for mine, theirs in (
        (ordinary_tokens(wanted), ordinary_tokens(found)),
        ({i: name for name, i in special_ids(wanted).items()},
         {i: name for name, i in special_ids(found).items()}),
        (dict(enumerate(wanted.byte_ids.tolist())), dict(enumerate(found.byte_ids.tolist()))),
        (dict.fromkeys(np.flatnonzero(wanted.whole).tolist()),
         dict.fromkeys(np.flatnonzero(found.whole).tolist())),
    ):  # fmt: skip
        different = {i for i, _ in mine.items() ^ theirs.items()}
        if different:
            return min(different)
    in_order = [_in_order(pairs) for pairs in (wanted.pairs, found.pairs)]
    mine_rows, their_rows = (set(map(tuple, rows[:, :3].tolist())) for rows in in_order)
    if mine_rows != their_rows:
        return int(min(new for _, _, new in mine_rows ^ their_rows))
    moved = np.flatnonzero((in_order[0] != in_order[1]).any(axis=1))
    return int(in_order[0][moved[0], 2]) if moved.size else None


def _in_order(pairs: Int64) -> Int64:
    """Return pairs by rank, with ranks 0, 1, 2, …; those of one rank by their tokens."""
    _, ranks = np.unique(pairs[:, 3], return_inverse=True)
    rows = np.column_stack([pairs[:, :3], ranks])
    return rows[np.lexsort((rows[:, 1], rows[:, 0], ranks))]


def check_read_back(
    what: str, wanted: PairModel, read: Callable[[], Model | None], library: str
) -> None:
    """Refuse to write `what` if the model that is read from it would give another id in `library`."""
    try:
        model = read()
    except NotNative as error:
        if not wanted.characters:  # of what toktk leaves to the library, nothing can be compared
            return
        raise FormatError(
            f"cannot write {what}: nothing shows that {library} would give the same ids.",
            f"Found: {error}.",
            "Keep the SentencePiece model.",
        ) from error
    i = 0 if model is None else first_difference(wanted, model)
    if i is not None:
        token = clipped(wanted.tokens[i]) if i < wanted.vocab_size else "none"
        raise FormatError(
            f"cannot write {what}: {library} would give other ids.",
            f"Found: the first one that would differ is {i:,}, the token {token}.",
            "Keep the file that it was read from.",
        )


def byte_level_document(pretokenizer: Pretokenizer, model: PairModel) -> dict[str, Any]:
    """Return the ``tokenizer.json`` of a vocabulary over bytes."""
    split = {"Regex": exported_pattern(pretokenizer)}
    level = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False,
    }  # fmt: skip
    steps = [
        {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False},
        level,
    ]
    holder = byte_level_model(pretokenizer, model)
    whole = {"type": "Sequence", "pretokenizers": steps}
    return _document(model, None, whole, level, holder)


def byte_level_model(pretokenizer: Pretokenizer, model: PairModel) -> dict[str, Any]:
    """Return the field ``model`` of a ``tokenizer.json`` of a vocabulary over bytes.

    Special tokens are among its tokens unless the library gives them their ids anyway, behind all
    others. Where a piece that is a token becomes it at once, their names must not be pieces.
    """
    characters = byte_characters()
    ordinary = ordinary_tokens(model)
    name_of = {i: "".join([characters[b] for b in token]) for i, token in ordinary.items()}
    special, n, takes_whole = special_ids(model), len(name_of), bool(model.whole.any())
    check_distinct([*special, *name_of.values()], tuple(special), "tokenizer.json")
    if sorted(special.values()) != list(range(n, n + len(special))):
        for name, i in special.items() if takes_whole else ():
            if len(pretokenizer.cut(name)) < 2:
                raise FormatError(
                    "cannot write tokenizer.json: the library would take text for a special token.",
                    f"Found: the text {clipped(name)}, which would become the id {i:,}.",
                    "Keep the file that it was read from.",
                )
        name_of |= {i: name for name, i in special.items()}
    return {
        "type": "BPE", **_UNUSED, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": takes_whole,
        "vocab": {name_of[i]: i for i in sorted(name_of)},
        "merges": _merges(model, name_of),
    }  # fmt: skip


def character_document(pretokenizer: Pretokenizer, model: PairModel) -> dict[str, Any]:
    """Return the ``tokenizer.json`` of a vocabulary over characters, such as SentencePiece's BPE."""
    steps, prefix = pretokenizer.normalizer, pretokenizer.normalizer.prefix
    if steps != Normalizer(marks=True, prefix=prefix) or prefix == "unless_space":
        raise FormatError(
            "cannot write tokenizer.json: a vocabulary over characters with other steps.",
            f"Found: the normalizer {steps.signature}.",
            "Needed are spaces as U+2581, with one in front of every text or of none.",
        )
    name_of = character_names(model)
    id_of = {name: i for i, name in name_of.items()}
    if pretokenizer.before:
        raise _found_otherwise(pretokenizer.before[0], prefix, id_of)
    is_cut = pretokenizer.pattern not in (PATTERNS["none"], PATTERNS["spaces"])
    spaced = [name for name in pretokenizer.added if " " in name or MARK in name]
    if is_cut or spaced:
        raise FormatError(
            "cannot write tokenizer.json: a vocabulary over characters whose text is cut.",
            f"Found: the added token {clipped(spaced[0])}, with a space."
            if spaced
            else f"Found: the split pattern {pretokenizer.name}.",
            "Keep the file that it was read from.",
        )
    marks = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    before = [{"type": "Prepend", "prepend": MARK}] if prefix == "always" else []
    normalizer = {"type": "Sequence", "normalizers": [*before, marks]}
    back = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
    parts: list[dict[str, Any]] = [back, {"type": "ByteFallback"}, {"type": "Fuse"}]
    if before:
        parts.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    holder = {
        "type": "BPE", **_UNUSED, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
        "unk_token": "<unk>" if "<unk>" in model.special_tokens else None,
        "vocab": {name_of[i]: i for i in sorted(name_of)},
        "merges": _merges(model, name_of),
    }  # fmt: skip
    decoder = {"type": "Sequence", "decoders": parts}
    added = {name: id_of[name] for name in pretokenizer.added}
    return _document(model, normalizer, None, decoder, holder, added)


def _found_otherwise(pattern: str, prefix: str, id_of: Mapping[str, int]) -> FormatError:
    """Return the error that the tokens of a pattern, which a user defined, would be found elsewhere."""
    names = [
        re.sub(r"(?s)\\(.)", r"\1", name) for name in re.findall(r"(?s)(?:\\.|[^|\\])+", pattern)
    ]
    known = [name for name in names if name.replace(" ", MARK) in id_of]
    name = min(known, key=lambda name: (" " not in name, names.index(name)), default="")
    i = id_of.get(name.replace(" ", MARK), 0)
    if " " in name:
        found = f"the id {i:,}, {clipped(name)}, in whose text U+2581 is a space, and would not be there"
    elif name and prefix == "always" and MARK in id_of:
        found = (
            f"the text {clipped(name)} begins with the id {id_of[MARK]:,}, the space in front of every "
            f"text, and would begin with {i:,} there"
        )
    else:
        found = f"the pattern {clipped(pattern)}, which cuts text behind a space in front or none"
    return FormatError(
        "cannot write tokenizer.json: the library would find user-defined tokens in other text.",
        f"Found: {found}.",
        "Keep the SentencePiece model.",
    )


def character_names(model: PairModel) -> dict[int, str]:
    """Return {id: name} of a vocabulary over characters: bytes and special tokens by theirs."""
    named = dict(zip(model.byte_ids.tolist(), byte_names(), strict=True))
    name_of = {
        i: named[i] if i in named else token.decode().replace(" ", MARK)
        for i, token in ordinary_tokens(model).items()
    }
    special = special_ids(model)
    check_distinct([*special, *name_of.values()], tuple(special), "tokenizer.json")
    return name_of | {i: name for name, i in special.items()}


def vocabulary_files(pretokenizer: Pretokenizer, model: PairModel) -> tuple[dict[str, int], str]:
    """Return what ``vocab.json`` and ``merges.txt`` hold, or raise FormatError."""
    found = ""
    if pretokenizer.name != "gpt2" or not pretokenizer.is_plain:
        found = f"the pretokenizer {pretokenizer.name}, where readers of these files use GPT-2's"
    elif model.characters or model.whole.any():
        found = "a vocabulary over characters, or tokens that merging does not make"
    if found:
        raise FormatError(
            "cannot write vocab.json and merges.txt.",
            f"Found: {found}.",
            "Write tokenizer.json instead.",
        )
    holder = byte_level_model(pretokenizer, model)
    vocab: dict[str, int] = holder["vocab"] | special_ids(model)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in holder["merges"])]
    return vocab, "\n".join(lines) + "\n"


def _merges(model: PairModel, name_of: dict[int, str]) -> list[list[str]]:
    """Return the merges by rank, each of which has its own."""
    pairs = model.pairs[np.argsort(model.pairs[:, 3])]
    return [[name_of[left], name_of[right]] for left, right, *_ in pairs.tolist()]


def _document(
    model: PairModel,
    normalizer: Any,
    pre_tokenizer: Any,
    decoder: Any,
    holder: dict[str, Any],
    ordinary: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    special = special_ids(model)
    added = sorted((special | dict(ordinary)).items(), key=itemgetter(1))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, **flags, "special": name in special} for name, i in added
        ],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": holder,
    }


_UNUSED = dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"))
