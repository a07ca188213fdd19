"""A folder as the library transformers keeps tokenizers in, as one ``tokenizer.json``.

Beside a ``tokenizer.json``, three files can change ids: ``tokenizer_config.json``, ``added_tokens.json``
and ``special_tokens_map.json``. Older folders have no ``tokenizer.json``, but a vocabulary:
``vocab.json`` and ``merges.txt`` (BPE), or ``vocab.txt`` (WordPiece). What transformers does with
them by the class that the settings name is written out as the ``tokenizer.json`` that does the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toktk.errors import FormatError, clipped
from toktk.formats.fields import Fields, is_id, is_text, parse_json, read_bytes, short
from toktk.formats.hf_added import HIGHEST
from toktk.models.bpe import byte_characters
from toktk.pretokenizers import syntax
from toktk.pretokenizers.patterns import PATTERNS

SETTINGS = ("tokenizer_config.json", "added_tokens.json", "special_tokens_map.json")
# A vocabulary of BPE and its merges, as transformers and as OpenAI call them.
PAIRS = {"vocab.json": "merges.txt", "encoder.json": "vocab.bpe"}
WORD_PIECES = "vocab.txt"

_CONFIGURED = ("tokenizer.json", *PAIRS, WORD_PIECES)
_IDS_BY_NAME = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*-?\d')
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
# Classes that take settings from the file alone, whatever else the configuration says of words.
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
_LIKE_GPT2 = (
    "GPT2", "Roberta", "Whisper", "CodeGen", "Bart", "Longformer", "LED", "Blenderbot", "Deberta",
    "BigBirdPegasus", "GPTNeoX",
)  # fmt: skip
# A class that transformers 5 builds from vocabulary and merges alone, with GPT-2's steps.
_ANEW = "GPT2Tokenizer"
_SPECIAL = ("<|endoftext|>", "<s>", "</s>", "<pad>", "<unk>", "<mask>")
_BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass
class Settings:
    """What the files beside a vocabulary say that decides ids.

    Attributes:
        cls: the class that transformers runs it in, without ``Fast`` at its end; empty for none.
        flags: what ``tokenizer_config.json`` says of words, where it says it.
        added: entries as in ``added_tokens`` of a ``tokenizer.json``, by id.
        decides: whether the flags of `added` replace those of the ``tokenizer.json``.
        special: names of special tokens.
    """

    cls: str = ""
    flags: dict[str, bool] = field(default_factory=dict)
    added: list[dict[str, Any]] = field(default_factory=list)
    decides: bool = False
    special: set[str] = field(default_factory=set)


def is_vocabulary(raw: bytes) -> bool:
    """Tell whether a JSON file maps names to ids, as ``vocab.json`` does."""
    return _IDS_BY_NAME.match(raw) is not None


def settings_bytes(path: Path) -> list[bytes]:
    """Return the contents of the files that `read_settings` would read."""
    if path.name not in _CONFIGURED:
        return []
    files = [path.with_name(name) for name in SETTINGS]
    return [read_bytes(file) for file in files if file.is_file()]


def read_settings(path: Path) -> Settings:
    """Read what lies beside the tokenizer at `path`; FormatError names a field that is malformed."""
    found: dict[str, tuple[Fields, dict[str, Any]]] = {}
    for name in SETTINGS:
        file = path.with_name(name)
        present = path.name in _CONFIGURED and file.is_file()
        found[name] = Fields(file), parse_json(read_bytes(file), file) if present else {}
    (fields, config), (added_fields, names), (_, special) = (found[name] for name in SETTINGS)
    settings = Settings()
    cls = config.get("tokenizer_class") or ""
    settings.cls = fields.typed(str, cls, "tokenizer_class", "a name").removesuffix("Fast")
    if cls in _GENERIC:
        settings.cls = cls
    for name in ("add_prefix_space", "do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        if config.get(name) is not None:
            settings.flags[name] = fields.flag(config, name)
    for holder in (config, special):
        for key, value in holder.items():
            if key.endswith(("_token", "_special_tokens")):
                entries = value.values() if isinstance(value, dict) else value
                listed = [value, *entries] if isinstance(value, dict | list) else [value]
                texts = [e.get("content") if isinstance(e, dict) else e for e in listed]
                settings.special.update(filter(is_text, texts))
    decoder = fields.typed(dict, config.get("added_tokens_decoder") or {}, "added_tokens_decoder")
    settings.decides = bool(decoder)
    for key, entry in decoder.items():
        at = f"added_tokens_decoder[{short(key)}]"
        fields.check(re.fullmatch("[0-9]{1,10}", key) is not None, at, key, "an id")
        fields.typed(dict, entry, at)
        name = entry.get("content")
        fields.check(is_text(name), f"{at}.content", name, "text that is not empty")
        flags = {flag: fields.flag(entry, f"{at}.{flag}") for flag in _FLAGS}
        settings.added.append({"id": int(key), "content": name, **flags})
    for name, i in () if decoder else names.items():
        added_fields.check(is_text(name) and is_id(i), short(name), i, "a name with its id")
        flags = dict.fromkeys(_FLAGS, False)
        is_special = name in settings.special
        flags |= {"special": is_special, "normalized": not is_special}
        settings.added.append({"id": i, "content": name, **flags})
    settings.added.sort(key=lambda entry: entry["id"])
    return settings


def configured(raw: bytes, path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Return a ``tokenizer.json`` with the settings beside it in it, and where transformers differs.

    Without settings, or where they say what it says already, that is `raw` itself.
    """
    if not settings_bytes(path):
        return raw, ()
    settings, notes = read_settings(path), list[str]()
    if not (settings.flags or settings.added or settings.cls == _ANEW):
        return raw, ()
    document = parse_json(raw, path)
    changes = [
        _set_prefix(document, settings, notes),
        _set_words(document, settings, notes),
        _add_tokens(document, settings, notes),
    ]
    _note_steps(document, settings, notes)
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return text if any(changes) else raw, tuple(notes)


def _steps(value: Any, name: str) -> list[dict[str, Any]]:
    """Return the steps of a field: none, one, or those of a Sequence; what is malformed is left out."""
    if not isinstance(value, dict):
        return []
    inner = value.get(name)
    if value.get("type") != "Sequence":
        return [value]
    return [step for step in inner if isinstance(step, dict)] if isinstance(inner, list) else []


def _note_steps(document: dict[str, Any], settings: Settings, notes: list[str]) -> None:
    steps = _steps(document.get("normalizer"), "normalizers")
    steps += _steps(document.get("pre_tokenizer"), "pretokenizers")
    others = [str(step.get("type")) for step in steps if step.get("type") != "ByteLevel"]
    if settings.cls == _ANEW and others:
        notes.append(
            f"tokenizer_config.json says {_ANEW}, tokenizer.json has other steps than that class "
            f"({clipped(', '.join(others))}): the latter counts here, and transformers 5 may drop them."
        )


def _set_prefix(document: dict[str, Any], settings: Settings, notes: list[str]) -> bool:
    wanted = settings.flags.get("add_prefix_space")
    if wanted is None:
        return False
    whole = document.get("pre_tokenizer")
    steps = _steps(whole, "pretokenizers")
    level = next((step for step in steps if step.get("type") == "ByteLevel"), None)
    if level is not None:
        if level.get("add_prefix_space", True) is wanted:
            return False
        if isinstance(whole, dict) and level is whole:
            whole["add_prefix_space"] = wanted
            return True
    else:
        before = _steps(document.get("normalizer"), "normalizers")
        prepends = any(step.get("type") == "Prepend" for step in before)
        prepends |= any(
            step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never"
            for step in steps
        )
        if prepends is wanted:
            return False
    notes.append(
        f"tokenizer_config.json says add_prefix_space {str(wanted).lower()}, tokenizer.json "
        "otherwise: the latter counts here, and transformers may follow the former."
    )
    return False


def _set_words(document: dict[str, Any], settings: Settings, notes: list[str]) -> bool:
    names = {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    }
    wanted = {names[key]: value for key, value in settings.flags.items() if key in names}
    steps = _steps(document.get("normalizer"), "normalizers")
    bert = next((step for step in steps if step.get("type") == "BertNormalizer"), None)
    if settings.cls in _GENERIC or not wanted:
        return False
    if bert is not None:
        changes = any(bert.get(key) is not value for key, value in wanted.items())
        bert |= wanted
        return changes
    lowers = any(step.get("type") == "Lowercase" for step in steps)
    if wanted.get("lowercase", lowers) is not lowers:
        notes.append(
            f"tokenizer_config.json says do_lower_case {str(not lowers).lower()}, tokenizer.json "
            "otherwise: the latter counts here, and transformers may follow the former."
        )
    return False


def _add_tokens(document: dict[str, Any], settings: Settings, notes: list[str]) -> bool:
    """Add what is new behind all ids, as transformers does, whatever ids the settings state."""
    model, listed = document.get("model"), document.get("added_tokens") or []
    vocab: Any = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, list):
        names = [entry[0] for entry in vocab if isinstance(entry, list) and entry]
        vocab = {name: i for i, name in enumerate(names) if isinstance(name, str)}
    is_sound = isinstance(vocab, dict) and isinstance(listed, list)
    for entry in listed if is_sound else ():
        is_sound &= isinstance(entry, dict) and is_text(entry.get("content"))
        is_sound &= is_sound and is_id(entry.get("id"), HIGHEST)
    if not is_sound:  # the reader says what is wrong, unless the library takes it
        if settings.added:
            notes.append(
                f"the added tokens of {', '.join(SETTINGS[:2])} are left out: added_tokens or model.vocab of "
                "tokenizer.json is malformed."
            )
        return False
    # The library numbers anew what the file lists.
    known: dict[str, dict[str, Any]] = {}
    ids, highest = dict(vocab), len(vocab) - 1
    for entry in listed:
        known.setdefault(entry["content"], entry)
        i = ids.setdefault(entry["content"], highest + 1)
        highest = max(highest, i if is_id(i) else 0)
    changes = False
    for token in settings.added:
        name, old = token["content"], known.get(token["content"])
        i = ids.setdefault(name, highest + 1)
        if i != token["id"]:
            notes.append(
                f"the added token {clipped(name)} has the id {i} here, as in transformers, and not "
                f"{token['id']}, as the files say."
            )
        if old is None:
            listed.append(token | {"id": i})
            known[name] = listed[-1]
            changes, highest = True, max(highest, i if is_id(i) else 0)
        elif settings.decides and any(old.get(flag, False) is not token[flag] for flag in _FLAGS):
            old |= token | {"id": i}
            changes = True
    document["added_tokens"] = listed
    return changes


def vocabulary_file(path: Path) -> Path:
    """Return the file with the ids, for one with merges."""
    ids = {merges: vocab for vocab, merges in PAIRS.items()}
    return path.with_name(ids[path.name]) if path.name in ids else path


def pair_document(raw: bytes, path: Path) -> bytes:
    """Return the ``tokenizer.json`` of a vocabulary of BPE, `raw`, and of the merges beside it."""
    what = "a vocabulary of BPE, names with their ids"
    merges_path = path.with_name(PAIRS.get(path.name, "merges.txt"))
    if not merges_path.is_file():
        raise FormatError(
            f"cannot read {path}: it is {what}, without merges.",
            f"Found: no {merges_path.name} beside it.",
            f"Put {merges_path.name} of the same tokenizer there, or use its tokenizer.json.",
        )
    vocab, settings = parse_json(raw, path), read_settings(path)
    if any(name.endswith("</w>") for name in vocab):
        raise FormatError(
            f"cannot read {path}: it is {what} that marks ends of words by </w>.",
            "Found: no rule here for how such tokenizers, of CLIP's or XLM's kind, cut text.",
            "Use the tokenizer.json of that tokenizer.",
        )
    if not vocab.keys() & set(byte_characters()[:33]):
        raise FormatError(
            f"cannot read {path}: it is {what} over characters, and not over bytes.",
            "Found: no name that stands for a space or a control character, as in GPT-2's.",
            "Use the tokenizer.json of that tokenizer.",
        )
    is_qwen = settings.cls.startswith("Qwen2")
    if settings.cls and not is_qwen and not settings.cls.startswith((*_LIKE_GPT2, *_GENERIC)):
        raise FormatError(
            f"cannot read {path}: nothing says how {settings.cls} cuts text.",
            f"Found: that class in {SETTINGS[0]}.",
            f"Readable are classes that begin with Qwen2, {', '.join(_LIKE_GPT2)}; "
            "or use the tokenizer.json of that tokenizer.",
        )
    prefix = settings.flags.get("add_prefix_space", False)
    level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True}
    steps: dict[str, Any] = level | {"use_regex": True}
    if is_qwen:
        pattern = {"Regex": syntax.portable(PATTERNS["qwen2"])}
        split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
        steps = {"type": "Sequence", "pretokenizers": [split, level | {"use_regex": False}]}
    model = {"type": "BPE", "vocab": vocab, "merges": _merges(merges_path)}
    normalizer = {"type": "NFC"} if is_qwen else None
    special = settings.special.union(_SPECIAL)
    return _document(vocab, model, normalizer, steps, special)


def _merges(path: Path) -> list[list[str]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8.", f"Found: {error}.") from error
    merges = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):
            raise FormatError(
                f"{path} is damaged: line {number}.",
                f"Found: {clipped(line)}.",
                "Each line is two tokens with a space between them.",
            )
        merges.append(pair)
    return merges


def word_piece_document(raw: bytes, path: Path) -> bytes:
    """Return the ``tokenizer.json`` of BERT's ``vocab.txt``, `raw`: a token on each line, in order of ids.

    Where no settings say whether text becomes lower case, it does if no token has an upper-case letter.
    """
    settings = read_settings(path)
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")  # as open() does
        lines = text.removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8.", f"Found: {error}.") from error
    vocab = {name: i for i, name in enumerate(lines)}
    unknown = "[UNK]"
    if unknown not in vocab or not any(name.startswith("##") for name in lines):
        raise FormatError(
            f"cannot read {path}: it is no vocabulary of WordPiece.",
            f"Found: {len(lines):,} lines without {unknown}, or none that begins with ##.",
            "Readable is BERT's vocab.txt, a token on each line.",
        )
    words = [name for name in lines if not (name.startswith("[") and name.endswith("]"))]
    flags = settings.flags
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": flags.get("tokenize_chinese_chars", True),
        "strip_accents": flags.get("strip_accents"),
        "lowercase": flags.get("do_lower_case", not any(word != word.lower() for word in words)),
    }
    model = {
        "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": vocab,
    }  # fmt: skip
    special = settings.special.union(_BERT_SPECIAL)
    return _document(vocab, model, normalizer, {"type": "BertPreTokenizer"}, special)


def _document(
    vocab: dict[str, Any], model: dict[str, Any], normalizer: Any, steps: Any, special: set[str]
) -> bytes:
    flags = dict.fromkeys(_FLAGS, False) | {"special": True}
    names = sorted(
        (name for name in special if is_id(vocab.get(name))), key=lambda name: vocab[name]
    )
    document = {
        "version": "1.0",
        "added_tokens": [{"id": vocab[name], "content": name, **flags} for name in names],
        "normalizer": normalizer,
        "pre_tokenizer": steps,
        "model": model,
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
