"""Damage tokenizer and corpus files at random, and see that toktk says so or gives the right ids.

    python benchmarks/fuzz.py --cases 100000 --jobs 2
    python benchmarks/fuzz.py --only 4711            # one case again, with its traceback

Each case takes a small sound file of some kind (fuzz_seeds.py), changes bytes or parts of it, and loads
it. Allowed is an error derived from ToktkError, or a tokenizer that `check` passes or replaces by its
library; a file that both read must give equal ids on small texts. A corpus must raise a ToktkError or give
the documents that plain Python reads from the file. A damaged cache must not change ids. Run directories,
cards and names are in fuzz_runs.py, tables, archives and folders of text in fuzz_texts.py, and folders
with tokenizers, GGUF and known ranks in fuzz_folders.py.

Failures are written to --failures, the damaged file beside what happened, and make the exit code 1.
Ids that differ, where `check` saw it and the library took over, are listed too.
"""

from __future__ import annotations

import argparse
import base64
import copy
import functools
import gzip
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fuzz_folders
import fuzz_runs
import fuzz_seeds
import fuzz_texts

SECONDS = 20.0  # of one case; a library that does not listen is ended after three times as many
MEMORY = 3 << 30  # bytes of address space that cases may take beyond what the process has
CASE = "case"  # the folder of a case, within that of its process
KEPT = 5  # failures of one shape that are shown and written

KINDS = {  # kind: its share
    "json": 0.30, "tiktoken": 0.06, "tekken": 0.04, "sentencepiece": 0.08, "cache": 0.03, "corpus": 0.08,
    "run": 0.06, "entry": 0.03, "card": 0.03, "names": 0.04, "texts": 0.13, "folders": 0.12,
}  # fmt: skip
BAD = ("crash", "wrong ids", "wrong text", "too slow", "died", *fuzz_runs.BAD)
SEEN = "differs, and check sees it"
SHOWN = (*BAD, SEEN, "refused, though the library reads it")


@dataclass
class Found:
    """What came of a case: its outcome, and what to say of it if it is bad."""

    outcome: str
    detail: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


# Damage -------------------------------------------------------------------------------------------

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 255, 256, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308,
    float("inf"), float("nan"), "", " ", "a", "▁", "Ġ", "Ā", "\0", "\ud800", "\udfff x", "é", "e\u0301", "😀",
    "<0x41>", "<0xFF>", "<0xG1>", "##", "a" * 5000, [], {}, [[]], ["a"], {"a": 0}, {"type": "BPE"},
    {"String": " "}, {"Regex": r"\s+"}, {"Regex": "(?:"}, {"Regex": "a*"}, {"Regex": r"\p{Han}"},
)  # fmt: skip
WORDS = (
    "BPE", "Unigram", "WordPiece", "WordLevel", "ByteLevel", "Metaspace", "Split", "Sequence", "Digits",
    "Whitespace", "WhitespaceSplit", "Punctuation", "BertPreTokenizer", "CharDelimiterSplit", "Isolated",
    "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous", "always", "first", "never", "NFC", "NFD",
    "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Prepend", "BertNormalizer", "Nmt",
    "Precompiled", "ByteFallback", "Fuse", "TemplateProcessing", "individual_digits", "invert", "behavior",
    "add_prefix_space", "use_regex", "trim_offsets", "prepend_scheme", "split", "replacement", "str_rep",
    "byte_fallback", "ignore_merges", "fuse_unk", "dropout", "unk_token", "unk_id", "special", "normalized",
    "lstrip", "rstrip", "single_word", "continuing_subword_prefix", "end_of_word_suffix", "content",
    "pattern",
    "max_input_chars_per_word", "truncation", "padding", "version",
)  # fmt: skip
LETTERS = "aeht AĠ▁Ċ\n\r\t\0é日😀'1<>0x#\u0301\u200d\ufeff\ud800"
STEPS: tuple[Any, ...] = (
    {"type": "NFC"}, {"type": "NFKC"}, {"type": "NFD"}, {"type": "Lowercase"},
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    {"type": "Split", "pattern": {"Regex": r"\d{1,3}"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": r"\s+"}, "behavior": "Removed", "invert": False},
    {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithNext", "invert": False},
    {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
    {"type": "Split", "pattern": {"Regex": r"\w+|[^\w\s]+"}, "behavior": "Isolated", "invert": True},
    {"type": "Split", "pattern": {"Regex": fuzz_seeds.R50K}, "behavior": "Removed", "invert": True},
    {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Whitespace"}, {"type": "WhitespaceSplit"},
)  # fmt: skip
ADDED: tuple[Any, ...] = tuple(
    {"id": i, "content": content, "single_word": single, "lstrip": left, "rstrip": right,
     "normalized": normalized, "special": special}
    for i, content, single, left, right, normalized, special in (
        (0, "the", False, False, False, False, False), (300, " the", False, False, False, False, False),
        (301, "other", False, False, False, True, False), (299, "é", False, False, False, True, False),
        (302, "Å", False, False, False, True, True), (1000, "fox", False, True, False, False, False),
        (5, "▁a", False, False, False, False, True), (70000, "aa", False, False, False, False, False),
        (303, "a", True, False, False, False, False), (304, "1", False, False, True, False, False),
        (2**31, "x", False, False, False, False, True), (305, " ", False, False, False, False, False),
    )
)  # fmt: skip


def damage_bytes(raw: bytes, chance: random.Random, other: bytes = b"") -> bytes:
    """Change a few bytes: flip, insert, drop, repeat, cut off, splice with another file."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        n = chance.choice((1, 1, 2, 4, 8, 64, 512))
        match chance.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at % len(data)] = chance.choice(b'\0\xff\x80\xed \n"{}[],:0-9\\')
            case 2:
                data[at:at] = bytes(chance.randrange(256) for _ in range(n))
            case 3:
                del data[at : at + n]
            case 4:
                data[at:at] = data[at : at + n]
            case 5:
                del data[at if chance.random() < 0.5 else max(0, len(data) - n) :]
            case 6:
                data[at:at] = chance.choice(
                    (
                        b"\0",
                        b"\xff\xfe",
                        b"\xef\xbb\xbf",
                        b"\xed\xa0\x80",
                        b"\r\n",
                        b"\\ud800",
                        b"\n",
                    )
                )
            case _:
                begin = chance.randrange(len(other) + 1)
                data[at : at + n] = other[begin : begin + n]
    return bytes(data)


def damage_tree(tree: Any, others: list[Any], chance: random.Random) -> Any:
    """Change a few parts of a JSON document: values, keys, types of steps, parts of other documents."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if not isinstance(tree, dict) or not isinstance(tree.get("model"), dict):
            _change_part(tree, chance)
            continue
        match chance.choice("ssmmmpw"):
            case "s":
                _change_sections(tree, others, chance)
            case "m":
                _change_model(tree["model"], chance)
            case "p":
                parts = [
                    tree[key] for key in ("model", "pre_tokenizer", "normalizer") if tree.get(key)
                ]
                part = chance.choice(parts)
                if isinstance(part, dict | list):
                    _change_part(part, chance)
            case _:
                _change_part(tree, chance)
    return tree


def _change_model(model: dict[str, Any], chance: random.Random) -> None:
    """Change a vocabulary in a way that a file might well have."""
    vocab, merges = model.get("vocab"), model.get("merges")
    if isinstance(merges, list) and len(merges) > 3 and chance.random() < 0.6:
        at, other = (chance.randrange(len(merges)) for _ in range(2))
        match chance.randrange(6):
            case 0:
                merges[at], merges[other] = merges[other], merges[at]
            case 1:
                merges.insert(at, copy.deepcopy(merges[other]))
            case 2:
                del merges[at:]
            case 3:
                del merges[at]
            case 4:
                part = merges[at : at + 30]
                chance.shuffle(part)
                merges[at : at + 30] = part
            case _:
                spaced = [x if isinstance(x, str) else " ".join(map(str, x)) for x in merges]
                pairs = [x.split(" ") if isinstance(x, str) else x for x in merges]
                model["merges"] = chance.choice((spaced, pairs))
    elif isinstance(vocab, dict) and len(vocab) > 3:
        names = list(vocab)
        name, other = chance.choice(names), chance.choice(names)
        match chance.randrange(6):
            case 0:
                vocab[name], vocab[other] = vocab[other], vocab[name]
            case 1:
                vocab[name] = len(vocab) + chance.choice((0, 1, 7, 5000))
            case 2:
                vocab[name + other] = len(vocab)
            case 3:
                vocab[_changed_text(name, chance)] = len(vocab)
            case 4:
                del vocab[name]
            case _:
                ids = list(vocab.values())
                chance.shuffle(ids)
                vocab.update(zip(names, ids, strict=True))
    elif isinstance(vocab, list) and len(vocab) > 3:
        at, other = (chance.randrange(len(vocab)) for _ in range(2))
        match chance.randrange(4):
            case 0:
                vocab[at], vocab[other] = vocab[other], vocab[at]
            case 1:
                vocab[at] = copy.deepcopy(vocab[other])
            case 2:
                vocab[at] = [vocab[at][0], chance.choice((0.0, -1.0, -1e9, 3.0, vocab[other][1]))]
            case _:
                vocab.append([_changed_text(str(vocab[at][0]), chance), -chance.random() * 9])


def _change_sections(tree: dict[str, Any], others: list[Any], chance: random.Random) -> None:
    other = chance.choice(others)
    match chance.randrange(5):
        case 0:
            key = chance.choice(list(other))
            tree[key] = copy.deepcopy(other[key])
        case 1 | 2:
            key = chance.choice(("normalizer", "pre_tokenizer"))
            steps = [copy.deepcopy(chance.choice(STEPS)) for _ in range(chance.randrange(4))]
            if tree.get(key) and chance.random() < 0.7:
                steps.insert(chance.randrange(len(steps) + 1), tree[key])
            parts = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers"}[key]
            tree[key] = {"type": "Sequence", parts: steps} if len(steps) != 1 else steps[0]
        case 3:
            if not isinstance(tree.get("added_tokens"), list):
                tree["added_tokens"] = []
            tree["added_tokens"].append(copy.deepcopy(chance.choice(ADDED)))
        case _:
            model = tree["model"]
            if isinstance(model, dict):
                key = chance.choice(
                    ("ignore_merges", "byte_fallback", "fuse_unk", "unk_token", "dropout", "unk_id",
                     "continuing_subword_prefix", "end_of_word_suffix")
                )  # fmt: skip
                model[key] = chance.choice(
                    (True, False, None, 0, 1, "<unk>", "the", "", "##", "</w>")
                )


def _change_part(tree: Any, chance: random.Random) -> None:
    """Walk down to some place and change what is there."""
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        child = node[key]
        if not isinstance(child, dict | list) or not child or chance.random() < 0.2:
            break
        node = child
    match chance.randrange(8):
        case 0:
            del node[key]
        case 1:
            node[key] = copy.deepcopy(chance.choice(NASTY))
        case 2:
            node[key] = chance.choice(WORDS)
        case 3 if isinstance(node, dict):
            node[chance.choice((*WORDS, _changed_text(str(key), chance)))] = node.pop(key)
        case 3 if isinstance(node, list):
            node.insert(chance.randrange(len(node) + 1), copy.deepcopy(child))
        case 4:
            other = chance.choice(keys)
            node[key], node[other] = node[other], node[key]
        case 5 if isinstance(child, list):
            chance.shuffle(child)
        case _:
            node[key] = _changed_value(child, chance)


def _changed_value(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 1, 2, -256, 256, 65536))
    if isinstance(value, float):
        return value * chance.choice((-1.0, 0.5, 2.0, 1e300))
    if isinstance(value, str):
        return _changed_text(value, chance)
    return copy.deepcopy(chance.choice(NASTY))


def _changed_text(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    cut = at + chance.randrange(2)
    return text[:at] + chance.choice(("", *LETTERS)) + text[cut:]


# SentencePiece's files, field by field in order --------------------------------------------------


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _as_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def unpacked(raw: bytes) -> list[tuple[int, int, Any]]:
    """Return (field, wire type, value) of a message of a sound file."""
    found, at = [], 0
    while at < len(raw):
        key, at = _varint(raw, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(raw, at)
        elif wire == 2:
            n, at = _varint(raw, at)
            value, at = raw[at : at + n], at + n
        else:
            n = {1: 8, 5: 4}[wire]
            value, at = raw[at : at + n], at + n
        found.append((number, wire, value))
    return found


def repacked(fields: list[tuple[int, int, Any]]) -> bytes:
    """Return the message."""
    out = bytearray()
    for number, wire, value in fields:
        out += _as_varint(number << 3 | wire)
        out += _as_varint(value) if wire == 0 else b"" if wire != 2 else _as_varint(len(value))
        out += b"" if wire == 0 else value
    return bytes(out)


def damage_model(raw: bytes, chance: random.Random) -> bytes:
    """Change pieces, scores, types and settings of a SentencePiece model."""
    fields = unpacked(raw)
    for _ in range(chance.choice((1, 1, 2, 4))):
        if chance.random() < 0.6 and len(fields) > 2:
            at = chance.randrange(len(fields))
        else:  # the settings, which come last
            at = chance.choice([i for i, f in enumerate(fields) if f[0] != 1] or [0])
        number, wire, value = fields[at]
        roll = chance.random()
        if roll < 0.1:
            del fields[at]
        elif roll < 0.2:
            fields.insert(chance.randrange(len(fields) + 1), fields[at])
        elif roll < 0.3:
            other = chance.randrange(len(fields))
            fields[at], fields[other] = fields[other], fields[at]
        elif number == 1:
            fields[at] = (1, 2, repacked(_damaged_piece(unpacked(value), chance)))
        elif wire == 2 and number in (2, 3, 5):
            fields[at] = (number, 2, repacked(_damaged_settings(unpacked(value), chance)))
        if not fields:
            break
    return repacked(fields)


def _damaged_piece(piece: list[tuple[int, int, Any]], chance: random.Random) -> list[Any]:
    parts = {number: (number, wire, value) for number, wire, value in piece}
    match chance.randrange(3):
        case 0:
            text = parts.get(1, (1, 2, b""))[2].decode(errors="replace")
            changed = _changed_text(text, chance).encode(errors="surrogatepass")
            parts[1] = (1, 2, chance.choice((changed, changed, b"", "▁".encode(), b"\0", b"\xff")))
        case 1:
            values = (
                0.0,
                -0.0,
                -1.0,
                1.0,
                -3.5,
                1e30,
                -1e30,
                float("inf"),
                float("-inf"),
                float("nan"),
            )
            parts[2] = (2, 5, struct.pack("<f", chance.choice(values)))
        case _:
            parts[3] = (3, 0, chance.choice((0, 1, 2, 3, 4, 5, 6, 7)))
    return list(parts.values())


def _damaged_settings(settings: list[tuple[int, int, Any]], chance: random.Random) -> list[Any]:
    number = chance.choice(
        (1, 2, 3, 4, 5, 6, 24, 25, 26, 30, 31, 33, 35, 36, 40, 41, 42, 43, 45, 46)
    )
    mine = [i for i, f in enumerate(settings) if f[0] == number]
    if mine and settings[mine[0]][1] == 2:
        raw = settings[mine[0]][2]
        settings[mine[0]] = (number, 2, damage_bytes(raw, chance))
    else:
        value = (number, 0, chance.choice((0, 1, 2, 3, 4, 5, 255, 1000, 2**32 - 1)))
        settings = [f for f in settings if f[0] != number] + [value]
    return settings


# Cases --------------------------------------------------------------------------------------------


class Seeds:
    """The sound files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.jsons = fuzz_seeds.tokenizer_jsons() | fuzz_seeds.own_jsons(folder / "own")
        self.tekken = fuzz_seeds.tekken()
        self.ranks = fuzz_seeds.ranks()
        self.models = fuzz_seeds.sentencepiece_models()
        self.corpora = fuzz_seeds.corpora(folder)


class Cases:
    """Runs cases; one of these in a process.

    Args:
        seeds: the sound files.
        folder: an empty one of this process's own.
        seed: of the run.
        kinds: of file, to be damaged.
    """

    def __init__(self, seeds: Seeds, folder: Path, seed: int, kinds: Sequence[str]) -> None:
        self.seeds, self.folder, self.seed, self.kinds = seeds, folder, seed, kinds
        self.sound: dict[str, tuple[Path, bytes, list[int]]] = {}

    @functools.cached_property
    def runs(self) -> fuzz_runs.Runs:
        """A sound run, and its cases."""
        return fuzz_runs.Runs(self.folder / "runs", damage_bytes)

    @functools.cached_property
    def texts(self) -> fuzz_texts.Texts:
        """Tables, archives and folders of text."""
        return fuzz_texts.Texts(self.folder / "texts", damage_bytes, damage_tree)

    @functools.cached_property
    def folders(self) -> fuzz_folders.Folders:
        """Folders of tokenizers."""
        seeds = self.seeds
        return fuzz_folders.Folders(seeds.jsons, seeds.models, damage_bytes, damage_tree)

    def run(self, case: int) -> Found:
        """Damage a file as the number of the case says, and see what toktk makes of it."""
        chance = random.Random(f"{self.seed}-{case}")
        kind = chance.choices(self.kinds, [KINDS[kind] for kind in self.kinds])[0]
        place = self.folder / CASE
        place.mkdir()
        try:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            found: Found = getattr(self, f"_{kind}")(place, chance)
        except _TooSlow:
            found = Found("too slow", "".join(traceback.format_exc()[-1500:]))
        except BaseException as error:  # whatever it is, it is a finding
            if isinstance(error, KeyboardInterrupt):
                raise
            found = Found("crash", traceback.format_exc()[-4000:])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            files = _files(place)
            shutil.rmtree(place, ignore_errors=True)
        if found.outcome in SHOWN:
            found.files = files
        found.outcome = f"{kind}: {found.outcome}"
        return found

    def _run(self, place: Path, chance: random.Random) -> Found:
        return Found(*self.runs.run(place, chance))

    def _entry(self, place: Path, chance: random.Random) -> Found:
        return Found(*self.runs.entry(place, chance))

    def _card(self, place: Path, chance: random.Random) -> Found:
        return Found(*self.runs.card(place, chance))

    def _names(self, place: Path, chance: random.Random) -> Found:
        return Found(*self.runs.names(place, chance))

    def _texts(self, place: Path, chance: random.Random) -> Found:
        from toktk.errors import ToktkError

        try:
            return Found(*self.texts.case(place, chance))
        except ToktkError as error:
            return self._refusal("refused", error)

    def _folders(self, place: Path, chance: random.Random) -> Found:
        spec, right = self.folders.make(place, chance)
        return self._tokenizer(spec, _texts(chance), right)

    def _json(self, place: Path, chance: random.Random) -> Found:
        tree = chance.choice(list(self.seeds.jsons.values()))
        others = list(self.seeds.jsons.values())
        path = place / "tokenizer.json"
        if chance.random() < 0.8:
            tree = damage_tree(tree, others, chance)
            raw = json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode(
                errors="surrogatepass"
            )
            if chance.random() < 0.05:
                raw = damage_bytes(raw, chance)
        else:
            other = json.dumps(chance.choice(others)).encode()
            raw = damage_bytes(json.dumps(tree, ensure_ascii=False).encode(), chance, other)
        path.write_bytes(raw)
        return self._tokenizer(str(path), _texts(chance) + _texts_in(raw, chance))

    def _tiktoken(self, place: Path, chance: random.Random) -> Found:
        lines: list[tuple[Any, Any]] = [
            (base64.b64encode(token).decode(), rank) for token, rank in self.seeds.ranks
        ]
        arguments: Any = {
            "name": "small",
            "pat_str": chance.choice((fuzz_seeds.SPLIT, fuzz_seeds.R50K)),
            "special_tokens": {"<|end|>": len(lines)},
        }
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            at = chance.randrange(len(lines))
            match chance.randrange(12):
                case 0:
                    del lines[at]
                case 1:
                    lines.insert(at, lines[chance.randrange(len(lines))])
                case 2:
                    rank = chance.choice(
                        (-1, "x", "", 2**31, 999_999_999, 300, 5000, at + 1, "00", "1_0")
                    )
                    lines[at] = (lines[at][0], rank)
                case 3:
                    text = "".join(
                        chance.choice("thaer ▁é\n\0") for _ in range(chance.randrange(7))
                    )
                    lines.append((base64.b64encode(text.encode()).decode(), len(lines) + 1))
                case 4 | 8 | 9 | 10 | 11:
                    at, other = (
                        chance.randrange(chance.choice((0, 256)), len(lines)) for _ in range(2)
                    )
                    (a, i), (b, j) = lines[at], lines[other]
                    lines[at], lines[other] = (a, j), (b, i)
                case _:
                    lines[at] = (_changed_text(lines[at][0], chance), lines[at][1])
        text = "".join(f"{token} {rank}\n" for token, rank in lines)
        raw = text.encode(errors="surrogatepass")
        if chance.random() < 0.2:
            raw = damage_bytes(raw, chance)
        name = chance.choice(("small.tiktoken", "small.tiktoken", "r50k_base.tiktoken"))
        path = place / name
        path.write_bytes(raw)
        if chance.random() < 0.9:
            if chance.random() < 0.3:
                arguments = damage_tree(arguments, [arguments], chance)
            beside = json.dumps(arguments).encode()
            if chance.random() < 0.1:
                beside = damage_bytes(beside, chance)
            (place / f"{name}.json").write_bytes(beside)
        return self._tokenizer(str(path), _texts(chance))

    def _tekken(self, place: Path, chance: random.Random) -> Found:
        tree = self.seeds.tekken
        if chance.random() < 0.3:
            raw = damage_bytes(json.dumps(tree).encode(), chance)
        else:
            raw = json.dumps(damage_tree(tree, [tree], chance)).encode()
        path = place / "tekken.json"
        path.write_bytes(raw)
        return self._tokenizer(str(path), _texts(chance))

    def _sentencepiece(self, place: Path, chance: random.Random) -> Found:
        raw = chance.choice(list(self.seeds.models.values()))
        other = chance.choice(list(self.seeds.models.values()))
        model = chance.random() < 0.75
        raw = damage_model(raw, chance) if model else damage_bytes(raw, chance, other)
        path = place / "tokenizer.model"
        path.write_bytes(raw)
        spec = f"spm:{path}" if chance.random() < 0.5 else str(path)
        return self._tokenizer(spec, _texts(chance))

    def _tokenizer(
        self, spec: str, texts: list[str], right: Callable[[str], list[int]] | None = None
    ) -> Found:
        """Load, check, and compare engine and library on texts that `check` does not know.

        `right` gives the ids of the library that read the file without toktk.
        """
        from toktk.errors import ToktkError
        from toktk.loading.load import open_tokenizer
        from toktk.tokenizer import NATIVE

        try:
            loaded = open_tokenizer(spec, cache=False)
        except ToktkError as error:
            theirs = spec.endswith("tokenizer.json") and _read_by_library(spec)
            return self._refusal(
                "refused, though the library reads it" if theirs else "refused", error
            )
        documents = [*fuzz_seeds.DOCUMENTS, *texts]
        try:
            tokenizer = loaded.checked(documents[:2], cache=False)
        except ToktkError as error:
            return self._refusal("refused by the library", error)
        try:
            _use(tokenizer, documents)
        except ToktkError as error:
            return self._refusal("refused in use", error)
        for text in documents if right else ():
            try:
                ids = tokenizer.encode(text)
            except ToktkError as error:
                return self._refusal("refused in use", error)
            try:
                wanted = right(text)
            except Exception as error:  # of the library
                return Found("wrong ids", f"of {text!r}: {ids[:20]}, its owner says {error}")
            if ids != wanted:
                return Found("wrong ids", f"of {text!r}: {ids[:20]}, its owner {wanted[:20]}")
        if loaded.native is None:
            return Found("library")
        if tokenizer.engine != NATIVE:
            return Found(SEEN, tokenizer.why)
        try:
            theirs = [loaded.reference.encode(text) for text in documents]
        except ToktkError as error:
            return self._refusal("refused by the library", error)
        for text, wanted in zip(documents, theirs, strict=True):
            for way, ids in (
                ("encode", loaded.native.encode(text)),
                ("encode_batch", _batch(loaded.native, text)),
            ):
                if ids != wanted:
                    return Found(
                        "wrong ids", f"{way} of {text!r}: {ids[:20]}, library {wanted[:20]}"
                    )
        return Found("native")

    def _refusal(self, outcome: str, error: Exception) -> Found:
        text = str(error)
        if not text.strip() or "Traceback" in text or len(text) > 5000:
            return Found("crash", f"an error without use: {text[:1000]!r}")
        return Found(outcome, " ".join(text.split()))

    def _cache(self, place: Path, chance: random.Random) -> Found:
        """Damage what loading keeps, and load again."""
        from toktk import paths
        from toktk.loading.load import open_tokenizer

        cells = paths.home() / "cells"

        name = chance.choice(
            ("gpt2", "llama3", "digits", "deepseek", "llama2", "own", "own-unigram")
        )
        if name not in self.sound:
            path = self.folder / f"sound-{name}" / "tokenizer.json"
            path.parent.mkdir()
            path.write_text(json.dumps(self.seeds.jsons[name]), encoding="utf-8")
            before = set((cells / "tokenizers").glob("*"))
            loaded = open_tokenizer(str(path))
            made = set((cells / "tokenizers").glob("*")) - before
            if not made or loaded.native is None:
                raise ValueError(f"{name} is not kept: {loaded.why}")
            ids = [i for t in fuzz_seeds.DOCUMENTS for i in loaded.native.encode(t)]
            self.sound[name] = (made.pop(), path.read_bytes(), ids)
        kept, raw, wanted = self.sound[name]
        source = self.folder / f"sound-{name}" / "tokenizer.json"
        if not kept.exists():
            open_tokenizer(str(source))
        file = chance.choice(sorted(kept.iterdir()))
        sound = file.read_bytes()
        damaged = damage_bytes(sound, chance)
        file.write_bytes(damaged)
        (place / file.name).write_bytes(damaged)
        (place / "tokenizer.json").write_bytes(raw)
        try:
            loaded = open_tokenizer(str(source))
            if loaded.native is None:
                return Found("wrong ids", f"no native engine any more: {loaded.why}")
            ids = [i for t in fuzz_seeds.DOCUMENTS for i in loaded.native.encode(t)]
            if ids != wanted:
                return Found("wrong ids", f"from a damaged cache of {name}")
            for verdict in (cells / "verdicts").glob("*/*.json"):
                verdict.write_bytes(damage_bytes(verdict.read_bytes(), chance))
            loaded.checked(fuzz_seeds.DOCUMENTS)
        finally:
            shutil.rmtree(kept, ignore_errors=True)  # the next case parses again
        return Found("read" if damaged == sound else "replaced")

    def _corpus(self, place: Path, chance: random.Random) -> Found:
        """Damage a corpus file, and hold what is read against plain Python."""
        from toktk.corpus import ReaderOptions, load_corpus
        from toktk.errors import ToktkError

        name, raw = chance.choice(list(self.seeds.corpora.items()))
        raw = _damaged_corpus(name, raw, chance)
        path = place / name
        path.write_bytes(raw)
        options: dict[str, Any] = {"errors": chance.choice(("strict", "replace"))}
        if "plain" in name:
            options["sample_by"] = chance.choice(("line", "document", "paragraph", None))
        else:
            options["group_column"] = chance.choice((None, "lang", "id", "none"))
            options["align_column"] = chance.choice((None, None, "id", "none"))
            options["text_column"] = chance.choice(("text", "text", "text", "lang"))
        try:
            corpus = load_corpus(str(path), ReaderOptions(**options))
            got = [str(t) for batch in corpus.batches() for t in batch.column("text").to_pylist()]
            corpus.hash_contents()
        except ToktkError as error:
            return self._refusal("refused", error)
        wanted = plainly_read(name, raw, options)
        if wanted is not None and got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), -1)
            pair = (got[at : at + 1], wanted[at : at + 1]) if at >= 0 else (len(got), len(wanted))
            return Found("wrong text", f"{options}: document {at}: {pair[0]!r}, not {pair[1]!r}")
        return Found("read" if wanted is not None else "read, nothing to compare with")


FRAGMENTS = (
    *"aehtrsn ABZ019.,!?'-_/\\\n\t\r\0▁é日本語素早😀أ",
    *("  ", "    ", "\n\n", "\r\n", " \n", "the", " the", "ther", "'s", "'LL", "’s", "aa", "aaaa"),
    *(
        "e\u0301",
        "\u0301",
        "가",
        "\u1100\u1161",
        "ﬁ",
        "Å",
        "½",
        "²",
        "Ⅷ",
        "ǅ",
        "İ",
        "ſ",
        "हि",
        "สวั",
    ),
    *("\u00a0", "\u3000", "\u2028", "\u0085", "\u200d", "\ufeff", "\u00ad", "\U0010ffff", "\u0378"),
    *("123", "1234567", "३", "👍🏽", "<0x41>", "<s>", "[X]", "##a", "Ġ", "Ċ", "ab" * 40, "x" * 70),
)


def _texts(chance: random.Random) -> list[str]:
    """Return texts of random fragments."""
    sizes = (1, 2, 3, 8, 40)
    return ["".join(chance.choices(FRAGMENTS, k=chance.choice(sizes))) for _ in range(4)]


def _files(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {"-".join(path.relative_to(folder).parts): path.read_bytes() for path in files}


def _texts_in(raw: bytes, chance: random.Random) -> list[str]:
    """Return texts made of a tokenizer's own strings."""
    try:
        tree = json.loads(raw)
        vocab = tree["model"]["vocab"]
        names = [str(x if isinstance(x, str) else x[0]) for x in vocab]
        added = [str(x["content"]) for x in tree["added_tokens"]]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return []
    chosen = [chance.choice(names) for _ in range(12)] if names else []
    plain = [name.replace("Ġ", " ").replace("▁", " ") for name in chosen]
    joined = ["".join(plain), "".join(chosen), " ".join(added), "a".join(["", *added, ""])]
    return [text.encode(errors="replace").decode() for text in joined]


def _read_by_library(path: str) -> bool:
    """Tell whether the library itself reads a file, in a process of its own: some files abort it."""
    script = (
        "import sys, tokenizers;"
        "tokenizers.Tokenizer.from_file(sys.argv[1]).encode('the fox', add_special_tokens=False)"
    )
    return not subprocess.run([sys.executable, "-c", script, path], capture_output=True).returncode


def _use(tokenizer: Any, documents: list[str]) -> None:
    """Touch all that a bench touches."""
    model = tokenizer.model
    if len(model.tokens) != model.vocab_size:
        raise ValueError(f"{len(model.tokens)} tokens, of {model.vocab_size}")
    model.special_tokens, model.signature  # noqa: B018 - computed on first use
    tokenizer.decode(tokenizer.encode(documents[0]))


def _batch(tokenizer: Any, text: str) -> list[int]:
    import numpy as np

    from toktk.encoder import Encoder

    data = np.frombuffer(text.encode(), dtype=np.uint8)
    ids, _ = Encoder(tokenizer.pretokenizer, tokenizer.model).encode_batch(
        data, np.array([0, data.size], dtype=np.int64)
    )
    return list(ids.tolist())


def _damaged_corpus(name: str, raw: bytes, chance: random.Random) -> bytes:
    if name.endswith(".gz") and chance.random() < 0.5:
        inner = _damaged_corpus(name.removesuffix(".gz"), gzip.decompress(raw), chance)
        return gzip.compress(inner, mtime=0)
    if ".jsonl" in name and not name.endswith(".gz") and chance.random() < 0.6:
        rows = [json.loads(line) for line in raw.splitlines()]
        rows = damage_tree(rows, [rows], chance)
        return "".join(
            json.dumps(row, ensure_ascii=chance.random() < 0.7)
            + chance.choice(("\n", "\n", "\r\n"))
            for row in rows
        ).encode(errors="surrogatepass")
    if name.endswith(".parquet") and chance.random() < 0.5:
        return _parquet(chance)
    return damage_bytes(raw, chance)


def _parquet(chance: random.Random) -> bytes:
    """Return a Parquet file whose columns are not what they should be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["a", "", None, "\0", "é" * 40, " x\n"] * 3
    n = len(texts)
    columns = {
        "string": pa.array(texts),
        "large": pa.array(texts, pa.large_string()),
        "dictionary": pa.array(texts).dictionary_encode(),
        "view": pa.array(texts, pa.string_view()),
        "bytes": pa.array([b"\xff", b"a", None] * (n // 3), pa.binary()),
        "numbers": pa.array(range(n)),
        "doubles": pa.array([0.5, None, float("nan")] * (n // 3)),
        "nulls": pa.nulls(n),
        "lists": pa.array([["a"], [], None] * (n // 3)),
        "structs": pa.array([{"a": 1}] * n),
        "dates": pa.array([0] * n, pa.timestamp("s")),
        "flags": pa.array([True, False, None] * (n // 3)),
    }
    names = [name for name in ("text", "lang", "id") if chance.random() < 0.9]
    kinds = [chance.choice(("string", "string", *columns)) for _ in names]
    table = pa.table({name: columns[kind] for name, kind in zip(names, kinds, strict=True)})
    if chance.random() < 0.1:
        table = table.slice(0, 0)
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=chance.choice((1, 4, 100)))
    return out.getvalue()


def plainly_read(name: str, raw: bytes, options: dict[str, Any]) -> list[str] | None:
    """Return the documents of a file as plain Python reads them; None where it does not compare."""
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    column = options.get("text_column", "text")
    if name.endswith((".parquet", ".arrow")):
        read = pq.read_table if name.endswith(".parquet") else feather.read_table
        try:
            read_column = read(io.BytesIO(raw)).column(column)
            if _has_wild_offsets(read_column):
                return ["what a damaged array holds is no text"]
            found = read_column.to_pylist()
        except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError):
            return None
        texts = [text for text in found if text is not None]
        # Damage can make a column of strings one of bytes, or of lists.
        texts = [t.decode(errors="replace") if isinstance(t, bytes) else t for t in texts]
        return None if any(isinstance(text, list) for text in texts) else texts
    if name.endswith(".gz"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, ValueError):
            return None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    text = raw.decode(errors="replace")
    if ".jsonl" in name:
        found = []
        for line in text.split("\n"):
            if line.strip(" \t\r\n\v\f"):
                row = json.loads(line.removeprefix("\ufeff"))
                if not isinstance(row, dict):
                    return ["a line that is no object is no row"]
                if isinstance(row.get(column), list):
                    return None
                if row.get(column) is not None:
                    found.append(
                        row[column].encode(errors="surrogatepass").decode(errors="replace")
                    )
        # A lone surrogate becomes one U+FFFD in toktk, three here.
        return None if "\ufffd" in "".join(found) else found
    match options["sample_by"]:
        case "document":
            return [text] if text else None
        case "paragraph":
            return None
    return _lines(text)


def _has_wild_offsets(column: Any) -> bool:
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        return "ffset" in str(error)
    return False


def _lines(text: str) -> list[str]:
    return list(io.StringIO(text, newline=None))  # universal line ends, which belong to the lines


class _TooSlow(BaseException):
    pass


def _late(*_: Any) -> None:
    raise _TooSlow


# Processes ----------------------------------------------------------------------------------------


def work(
    folder: Path,
    seed: int,
    kinds: Sequence[str],
    todo: Iterator[int],
    current: Any,
    since: Any,
    results: Any,
) -> None:
    """Run cases until there are none; the body of a process."""
    _own_home(folder)
    cases = prepared(folder, seed, kinds)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)  # libraries say on it what they do not raise
    for case in todo:
        current.value, since.value = case, time.monotonic()
        results.put((case, cases.run(case)))
    current.value = -1
    results.put((-1, None))


def _own_home(folder: Path) -> None:
    """Give this process a cache folder of its own, with the kernels compiled already."""
    from toktk.paths import home

    own = folder / "home"
    own.mkdir()
    (home() / "kernels").mkdir(parents=True, exist_ok=True)
    (own / "kernels").symlink_to(home() / "kernels")
    os.environ["TOKTK_HOME"] = str(own)


def prepared(folder: Path, seed: int, kinds: Sequence[str]) -> Cases:
    """Build the sound files, see that they load, and set the limits."""
    cases = Cases(Seeds(folder / "seeds"), folder, seed, kinds)
    signal.signal(signal.SIGALRM, _late)
    of_tokenizers = not {"texts", "corpus", "run", "entry", "card", "names"}.issuperset(kinds)
    for name, tree in cases.seeds.jsons.items() if of_tokenizers else ():
        path = folder / "warm.json"
        path.write_text(json.dumps(tree), encoding="utf-8")
        found = cases._tokenizer(str(path), [])
        if found.outcome not in ("native", "library"):
            print(f"the sound file {name}: {found.outcome} {found.detail}", file=sys.stderr)
    for name, raw in cases.seeds.models.items() if of_tokenizers else ():
        path = folder / "warm.model"
        path.write_bytes(raw)
        found = cases._tokenizer(str(path), [])
        if found.outcome not in ("native", "library"):
            print(f"the sound file {name}: {found.outcome} {found.detail}", file=sys.stderr)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    return cases


@dataclass
class Worker:
    """A process and what it is at."""

    folder: Path
    process: Any
    current: Any
    since: Any
    results: Any
    todo: range
    done: bool = False


def start(folder: Path, seed: int, kinds: Sequence[str], todo: range) -> Worker:
    """Start a process for these cases."""
    context = multiprocessing.get_context("spawn")
    folder = Path(tempfile.mkdtemp(dir=folder))
    current, since = context.Value("q", -1), context.Value("d", time.monotonic())
    results = context.SimpleQueue()
    arguments = (folder, seed, kinds, todo, current, since, results)
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return Worker(folder, process, current, since, results, todo)


def run(
    first: int,
    cases: int,
    jobs: int,
    seed: int,
    kinds: Sequence[str],
    report: Callable[[int, Found], None],
) -> None:
    """Run all cases in some processes; a process that dies takes one case with it."""
    with tempfile.TemporaryDirectory(prefix="toktk-fuzz-") as name:
        folder = Path(name)
        workers = [
            start(folder, seed, kinds, range(first + i, first + cases, jobs)) for i in range(jobs)
        ]
        while not all(worker.done for worker in workers):
            time.sleep(0.05)
            for at, worker in enumerate(workers):
                _collect(worker, report)
                late = (
                    worker.current.value >= 0
                    and time.monotonic() - worker.since.value > 3 * SECONDS
                )
                if late:
                    worker.process.kill()
                    worker.process.join()
                if worker.done or worker.process.is_alive():
                    continue
                _collect(worker, report)
                if worker.done:
                    continue
                case = worker.current.value
                if case < 0:
                    raise SystemExit("a process ended before its first case")
                code = worker.process.exitcode
                files = _files(worker.folder / CASE)
                report(case, Found("too slow" if late else "died", f"exit code {code}", files))
                rest = range(case + jobs, first + cases, jobs)
                workers[at] = start(folder, seed, kinds, rest)


def _collect(worker: Worker, report: Callable[[int, Found], None]) -> None:
    while not worker.results.empty():
        case, found = worker.results.get()
        if found is None:
            worker.done = True
        else:
            report(case, found)


# The command line ---------------------------------------------------------------------------------


def main() -> None:
    """Run the cases and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--cases", type=int, default=100_000)
    add("--first", type=int, default=0, help="the number of the first case (0)")
    add("--seed", type=int, default=0)
    add("--jobs", type=int, default=2, help="processes (2)")
    add("--only", type=int, help="run this case alone, here, and show what it does")
    add("--kinds", nargs="+", choices=KINDS, default=[*KINDS], help="only these kinds of file")
    add("--failures", type=Path, default=Path("fuzz-failures"), help="where failures are written")
    chosen = parser.parse_args()
    if chosen.only is not None:
        with tempfile.TemporaryDirectory(prefix="toktk-fuzz-") as name:
            _own_home(Path(name))
            found = prepared(Path(name), chosen.seed, chosen.kinds).run(chosen.only)
            _write(chosen.failures, chosen.seed, chosen.only, found)
            print(found.outcome, found.detail, sep="\n")
        return
    outcomes: Counter[str] = Counter()
    alike: Counter[tuple[str, str]] = Counter()
    began = time.monotonic()

    def report(case: int, found: Found) -> None:
        outcomes[found.outcome] += 1
        kind = found.outcome.partition(": ")[2] or found.outcome
        last = (found.detail.strip().splitlines() or [""])[-1][:300]
        alike[found.outcome, _shape(last)] += kind in SHOWN
        if kind in SHOWN and alike[found.outcome, _shape(last)] <= KEPT:
            _write(chosen.failures, chosen.seed, case, found)
            print(f"case {case}: {found.outcome}: {last}", flush=True)
        done = sum(outcomes.values())
        if done % 1000 == 0:
            print(
                f"{done:,} cases in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True
            )

    run(chosen.first, chosen.cases, chosen.jobs, chosen.seed, chosen.kinds, report)
    print(f"\n{sum(outcomes.values()):,} cases, seed {chosen.seed}, from {chosen.first}:")
    for outcome, n in sorted(outcomes.items()):
        print(f"{n:8,}  {outcome}")
    bad = sum(n for o, n in outcomes.items() if (o.partition(": ")[2] or o) in BAD)
    raise SystemExit(1 if bad else 0)


def _shape(text: str) -> str:
    """Return what failures of one cause have in common: what is said, without paths and numbers."""
    return re.sub(r"/\S+|\d+|'[^']*'|\[[^]]*\]", "", text)[:60]


def _write(folder: Path, seed: int, case: int, found: Found) -> None:
    place = folder / f"{seed}-{case}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "what.txt").write_text(
        f"{found.outcome}\n{found.detail}\n", encoding="utf-8", errors="replace"
    )
    for name, raw in found.files.items():
        (place / name).write_bytes(raw)


if __name__ == "__main__":
    main()
