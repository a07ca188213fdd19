"""Small tokenizer.json files of the shapes that models are published in."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from tokenizer_samples import TEXT

from toktk.models.bpe import byte_characters

MARK = "\u2581"
PREPEND = {"type": "Prepend", "prepend": MARK}
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def sequence(*steps, of="pretokenizers"):
    return {"type": "Sequence", of: list(steps)}


def normalizers(*steps):
    return sequence(*steps, of="normalizers")


def split(regex, behavior="Isolated", invert=False):
    pattern = {"Regex": regex}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(add_prefix_space=False, use_regex=True):
    flags = {"add_prefix_space": add_prefix_space, "use_regex": use_regex}
    return {"type": "ByteLevel", "trim_offsets": True, **flags}


def metaspace(scheme, split=True):
    return {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": split}


def added(i, content, special=False, **flags):
    false = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": content, "special": special, **false, **flags}


def merged(alphabet, words, n=120):
    """Return merges of the most frequent neighbors in `words`, by a slow and obvious training."""
    merges, words = [], [list(word) for word in words]
    known = set(alphabet)
    while len(merges) < n:
        pairs: dict[tuple[str, str], int] = {}
        for word in words:
            for a, b in pairwise(word):
                if a in known and b in known:
                    pairs[a, b] = pairs.get((a, b), 0) + 1
        if not pairs:
            break
        left, right = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append([left, right])
        known.add(left + right)
        for word in words:
            at = 0
            while at + 1 < len(word):
                if word[at] == left and word[at + 1] == right:
                    word[at : at + 2] = [left + right]
                at += 1
    return merges


def document(model, normalizer=None, pre_tokenizer=None, added_tokens=()):
    return {
        "version": "1.0",
        "truncation": {
            "max_length": 5,
            "strategy": "LongestFirst",
            "stride": 0,
            "direction": "Right",
        },
        "padding": None,
        "added_tokens": list(added_tokens),
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


def byte_model(first=5, **options):
    """Byte-level BPE whose ids are in no order and have holes."""
    characters = byte_characters()
    words = ["".join(characters[b] for b in word.encode()) for word in _words(" ")]
    merges = merged(characters, words)
    names = [*reversed(characters), *("".join(pair) for pair in merges)]
    vocab = {name: first + 2 * i for i, name in enumerate(dict.fromkeys(names))}
    return {"type": "BPE", "vocab": vocab, "merges": merges, **options}


def character_model(words=None, **options):
    """BPE over characters with byte fallback, as SentencePiece's models are converted."""
    alphabet = [MARK, *"abcdefghijklmnopqrstuvwxyzT.,'éüж京\n<>"]
    merges = merged(alphabet, _words(MARK) if words is None else words)
    names = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    names += [*("".join(pair) for pair in merges), *alphabet]
    vocab = {name: i for i, name in enumerate(dict.fromkeys(names))}
    base = {"type": "BPE", "vocab": vocab, "merges": merges, "byte_fallback": True}
    return {**base, "unk_token": "<unk>", "fuse_unk": True, **options}


def _words(mark):
    found = [f"{mark}{word}" for line in TEXT.split("\n")[:3] for word in line.split(" ")]
    return [*found, mark * 2, mark * 4, *(f"{mark}the" for _ in range(5))]


def write(path: Path, value) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


SPECIAL = [added(0, "<unk>", True), added(1, "<s>", True), added(2, "</s>", True)]
GPT2 = document(byte_model(), pre_tokenizer=byte_level())
LLAMA2 = document(character_model(), normalizers(PREPEND, REPLACE), None, SPECIAL)
