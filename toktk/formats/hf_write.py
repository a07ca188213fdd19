"""``tokenizer.json``, the format of Hugging Face tokenizers, as toktk writes it.

Special tokens are the one difference by design: in text the library takes them for themselves,
unless its ``encode_special_tokens`` is set, and toktk takes them for text.

BPE: the library encodes by the same rule as toktk (lowest rank first, listed pairs only), so ids
are equal by construction. Published vocabularies are in toktk.formats.published.

WordPiece without a prefix holds greedy models. It looks for the longest entry from the left, as
toktk does, and over all bytes it always finds one. It finds special tokens too, if characters that
stand for bytes spell their names; those are refused. (Its search takes time with the square of a
piece's length, and more.)

Unigram: the library searches the best path as toktk does: float64 sums from left to right, the
first of equal paths stays. But it looks for *every* entry of its vocabulary in text, by its score:
the names of special tokens, and with byte fallback also ``<0x41>``. No path may ever use those.

Byte-level, a score far below all others does it: the path over single bytes, which always exists,
is better. With byte fallback it would not do, since an unknown character costs 10 less than the
lowest score in the file, whatever entry has that score. There scores are lifted: each token's by
256 for each of its characters. All paths through a piece gain the same, so the best stays the best.
The lowest lifted score is to be the lowest real score plus 256, so that an unknown character, being
one character, has its cost. Entries of that score whose names have two characters or more are below
any path over single characters, since each of their other characters lacks 256.

Then the library joins neighboring unknown characters and looks *them* up by name before it spells
them by bytes. So of each such name at least one character must be a token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toktk.arrays import packed
from toktk.errors import FormatError
from toktk.formats.bpe_texts import spelled_names, texts_of
from toktk.formats.tokens import (
    byte_names,
    check_distinct,
    check_special_tokens,
    fallback_names,
    on_grid,
    why_unheld,
)
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.model import Model
from toktk.models.symbols import SymbolsModel, symbols_of
from toktk.models.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.normalizers.normalizer import IDENTITY, Form, Normalizer
from toktk.paths import atomic_write
from toktk.pretokenizers.export import exported_pattern, table_notes
from toktk.pretokenizers.pretokenizer import Pretokenizer

LIFT = 256.0  # what each character of a token adds to its score, with byte fallback
UNBOUNDED = 2**62  # a word of more characters would be unknown to WordPiece
_NEVER = -1e9
_BYTE_LEVEL = {
    "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False,
}  # fmt: skip


def write_tokenizer_json(pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Write a tokenizer for Hugging Face tokenizers, and return where ids can differ there.

    Equal tokenizers give equal files.
    """
    text = json.dumps(_document(pretokenizer, model), ensure_ascii=False).encode()
    notes = table_notes(pretokenizer, "tokenizers", "tokenizer.json")
    if isinstance(model, SymbolsModel):
        model = model.model
    parts: list[bytes | memoryview] = [text]
    if isinstance(model, BpeModel):
        texts, head = texts_of(model), text.removesuffix(b'{}, "merges": []}}')
        entries, pairs = texts.vocabulary(model.vocab_size), texts.pairs(len(model.merges))
        parts = [head, b"{", entries, b'}, "merges": [', pairs, b"]}}"]
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)
    if not isinstance(model, UnigramModel) or on_grid(model.scores[model.matched]):
        return notes
    return (
        *notes,
        "tokenizer.json: the scores are no multiples of 2**-10. Hugging Face tokenizers reads long "
        "decimals to within their last digit, so where two paths have equal sums, ids can differ.",
    )


def _document(pretokenizer: Pretokenizer, model: Model) -> dict[str, Any]:
    symbols, form = symbols_of(model), pretokenizer.normalizer.form
    if set(pretokenizer.added) == set(symbols):
        pretokenizer = replace(pretokenizer, added=())  # the file has a place for them
    if isinstance(model, SymbolsModel):
        _check_symbols(model, form)
        model = model.model
    check_special_tokens(model.special_tokens)
    if pretokenizer.normalizer == Normalizer(form):
        pretokenizer = replace(pretokenizer, normalizer=IDENTITY)  # the file has a place for it
    split = {"Regex": exported_pattern(pretokenizer)}
    steps: list[dict[str, Any]] = [
        {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False}
    ]
    decoder: dict[str, Any] = _BYTE_LEVEL
    if getattr(model, "fallback", None) is None:
        steps.append(_BYTE_LEVEL)
    else:
        parts = [{"type": "ByteFallback"}, {"type": "Fuse"}]
        decoder = {"type": "Sequence", "decoders": parts}
    if isinstance(model, BpeModel):
        holder = _bpe(model)
    elif isinstance(model, UnigramModel):
        holder = _unigram(model, () if form else symbols)
    elif isinstance(model, GreedyModel):
        holder = _wordpiece(model, symbols)
    else:
        raise FormatError(
            f"tokenizer.json cannot hold a model of the kind {model.kind!r}.", why_unheld(model)
        )
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, **flags, "special": name not in symbols}
            for i, name in enumerate(model.special_tokens)
        ],
        "normalizer": form and {"type": form},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": decoder,
        "model": holder,
    }


def _byte_level_names(model: Model) -> list[str]:
    """Return the name of every id of a byte-level vocabulary, where a character stands for each byte."""
    data, offsets = packed(model.tokens)
    names = spelled_names(data, offsets, model.special_tokens)
    check_distinct(names, model.special_tokens, "tokenizer.json")
    return names


def _bpe(model: BpeModel) -> dict[str, Any]:
    """Return the holder of BPE, to whose `vocab` and `merges` `BpeTexts` has the texts."""
    texts = texts_of(model)
    if not texts.are_distinct:
        check_distinct(texts.names[: model.vocab_size], model.special_tokens, "tokenizer.json")
    unused = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    return {
        "type": "BPE",
        **dict.fromkeys(unused),
        **dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False),
        "vocab": {},
        "merges": [],
    }


def _check_symbols(model: SymbolsModel, form: Form | None) -> None:
    """Refuse symbols of which the library would use the name for text that is not theirs."""
    if isinstance(model.model, GreedyModel) and form is not None:
        raise FormatError(
            "tokenizer.json cannot hold a greedy model with symbols and a normal form.",
            f"Found: WordPiece would take what {form} makes of other text for a symbol.",
        )


def _wordpiece(model: GreedyModel, symbols: Sequence[str]) -> dict[str, Any]:
    if model.fallback is not None:
        raise FormatError(
            "tokenizer.json cannot hold a greedy model with byte fallback.",
            "Found: WordPiece has a token for unknown words, and none for bytes.",
        )
    names = model.special_tokens
    taken = taken_by_text(names[: len(names) - len(symbols)], symbols)
    if taken is not None:
        kind = "symbol" if taken in symbols else "special token"
        raise FormatError(
            f"tokenizer.json cannot hold a greedy model with the {kind} {taken!r}.",
            "Found: WordPiece would take its name in text for it.",
            "Give it a name with a character that no byte stands for, such as a space or 填.",
        )
    return {
        "type": "WordPiece",
        "unk_token": "<unk>",
        "continuing_subword_prefix": "",
        "max_input_chars_per_word": UNBOUNDED,
        "vocab": {name: i for i, name in enumerate(_byte_level_names(model))},
    }


def spelled_by_bytes(special_tokens: tuple[str, ...]) -> list[int]:
    """Return the ids of special tokens whose names byte-level text can hold."""
    characters = set(byte_characters())
    return [i for i, name in enumerate(special_tokens) if characters.issuperset(name)]


def taken_by_text(special_tokens: Sequence[str], symbols: Sequence[str]) -> str | None:
    """Return a name for which WordPiece would take text that does not mean it.

    What the ASCII name of a symbol stands for is the symbol, which is found before.
    """
    names = (*special_tokens, *[name for name in symbols if not name.isascii()])
    spelled = spelled_by_bytes(names)
    return names[spelled[0]] if spelled else None


def _unigram(model: UnigramModel, absent: Sequence[str]) -> dict[str, Any]:
    if model.single:
        raise FormatError(
            "tokenizer.json cannot hold a model whose sums are float32.",
            "Found: SentencePiece's own reading of a .model; there, sums are float64.",
        )
    n, unknown_id, scores = len(model.special_tokens), None, model.scores
    if model.fallback is None:
        names, special_score = _byte_level_names(model), _NEVER
        lowest = float(scores.min())
        if any(len(name) * lowest <= _NEVER for name in model.special_tokens):
            found = f"Found: {lowest}, at least {_NEVER}."
            raise FormatError("cannot write tokenizer.json: scores are too low.", found)
    else:
        names = fallback_names(model)
        check_fallback(model, names, absent)
        check_distinct(names, model.special_tokens, "tokenizer.json")
        # The id that marks unknown characters is never given out, for bytes take their place.
        unknown_id = names.index("<unk>") if "<unk>" in names[:n] else int(model.fallback[0])
        matched = model.matched
        special_score = float(scores[matched].min(initial=0.0)) + LIFT
        lengths = np.array([len(name) for name in names[n:]])
        scores = np.where(matched, scores + LIFT * lengths, special_score)
    all_scores = [special_score] * n + scores.tolist()
    return {
        "type": "Unigram",
        "unk_id": unknown_id,
        "vocab": [list(entry) for entry in zip(names, all_scores, strict=True)],
        "byte_fallback": model.fallback is not None,
    }


def check_fallback(model: UnigramModel, names: list[str], absent: Sequence[str]) -> None:
    """Refuse names and scores with which the library would use a special token or a byte's for text.

    Those of `absent` are never in text that the model gets: symbols, which are cut out before.
    """
    scores = model.scores[model.matched]
    # Two unknown characters must cost more than any token of two, and 256 for each further
    # character more than unknown characters do.
    bound = 2 * UNKNOWN_PENALTY - LIFT
    if scores.max(initial=0.0) > 0 or scores.min(initial=0.0) <= bound:
        raise FormatError(
            f"Hugging Face's Unigram with byte fallback needs scores above {bound:g} and at most 0.",
            f"Found: {scores.min():g} to {scores.max():g}.",
        )
    single = {name for name in names[len(model.special_tokens) :] if len(name) == 1}
    for name in (*model.special_tokens, *byte_names()):
        if name in absent:
            continue
        what = f"Hugging Face's Unigram would take text for the token {name!r}."
        if len(name) == 1:
            raise FormatError(what, f"Found: the special token {name!r} is a single character.")
        if single.isdisjoint(name):
            raise FormatError(
                what,
                f"Found: no character of {name} is a token by itself. The library joins unknown "
                "characters, and looks them up.",
                "Train with a character coverage that includes one of them.",
            )
