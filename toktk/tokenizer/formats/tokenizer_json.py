"""``tokenizer.json``, the format of Hugging Face tokenizers: byte-level BPE.

The library encodes by the same rule as toktk (lowest rank first, listed pairs only), so the ids
are equal by construction, special tokens excepted: in text the library takes them for themselves,
unless its ``encode_special_tokens`` is set, and toktk takes them for text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toktk.errors import FormatError, PatternError
from toktk.paths import atomic_write
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer.bpe import BpeModel, byte_characters, byte_order
from toktk.tokenizer.formats.pattern import canonical_pattern, exported_pattern
from toktk.tokenizer.tokenizer import Tokenizer

# Each of these, where it is neither absent, null nor what stands here, would change ids.
_NEUTRAL: dict[str, object] = dict.fromkeys(("truncation", "padding", "normalizer"))
_NEUTRAL_IN_MODEL: dict[str, object] = {
    "dropout": 0.0,
    "unk_token": None,
    "continuing_subword_prefix": "",
    "end_of_word_suffix": "",
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}


def write_tokenizer_json(tokenizer: Tokenizer, path: Path) -> None:
    """Write `tokenizer` for Hugging Face tokenizers. Equal tokenizers give equal files.

    Raises:
        FormatError: the format cannot hold it.
        StorageError: the file cannot be written.
    """
    text = json.dumps(_document(tokenizer), ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _document(tokenizer: Tokenizer) -> dict[str, Any]:
    split = {"Regex": exported_pattern(tokenizer.pretokenizer)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, **flags, "special": True}
            for i, name in enumerate(tokenizer.model.special_tokens)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False},
                {**byte_level, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": False},
        "model": _model(tokenizer.model),
    }


def _model(model: BpeModel) -> dict[str, Any]:
    check_special_tokens(model)
    characters = byte_characters()
    n = len(model.special_tokens)
    names = [*model.special_tokens]
    names += ["".join([characters[b] for b in token]) for token in model.tokens[n:]]
    vocab = dict(zip(names, range(len(names)), strict=True))
    if len(vocab) < len(names):
        taken = next(name for name in model.special_tokens if vocab[name] >= n)
        raise FormatError(
            f"cannot write tokenizer.json: the special token {taken!r} is also an ordinary token.",
            "Found: the format keeps both in one dictionary.",
            "Give the special token a name that text does not hold.",
        )
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": [[names[left], names[right]] for left, right, _ in model.merges.tolist()],
    }


def check_special_tokens(model: BpeModel) -> None:
    """Refuse special tokens that no file in UTF-8 can hold.

    Raises:
        FormatError: a name holds a lone surrogate.
    """
    for name in model.special_tokens:
        if has_surrogate(name):
            raise FormatError(
                f"cannot write the special token {name!r}.",
                "Found: a lone surrogate, which has no UTF-8.",
            )


def has_surrogate(text: str) -> bool:
    """Tell whether `text` holds a surrogate, for which UTF-8 has no bytes."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def read_tokenizer_json(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a byte-level BPE tokenizer of the shape that `write_tokenizer_json` writes.

    That is: special tokens first, then the 256 bytes in the order of their characters, then a
    token for each merge; cut by one Split, by ByteLevel's own pattern, or not at all.

    Args:
        path: the file, or the folder that holds it as ``tokenizer.json``.
        name: by default that of the folder.

    Raises:
        FormatError: the file is missing, damaged, or of another shape; the error names the field.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "tokenizer.json"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON.", f"Found: {error}.") from error
    reader = _Reader(path)
    top = reader.as_object(document, "the file")
    reader.check_neutral(top, _NEUTRAL, "")
    reader.check_post_processor(top.get("post_processor"))
    pretokenizer = reader.pretokenizer(top.get("pre_tokenizer"))
    specials = reader.special_tokens(top.get("added_tokens") or [])
    model = reader.model(top.get("model"), specials)
    return Tokenizer(name or path.resolve().parent.name, pretokenizer, model)


class _Reader:
    """Checks a document field by field, so that every complaint names its field."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, field: str, found: str, wanted: str) -> FormatError:
        return FormatError(
            f"cannot read {self.path}: {field}.", f"Found: {found}.", f"Readable is: {wanted}."
        )

    def as_object(self, value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(field, _short(value), "an object")
        return value

    def as_list(self, value: Any, field: str) -> Sequence[Any]:
        if not isinstance(value, list):
            raise self.error(field, _short(value), "a list")
        return value

    def check_neutral(
        self, holder: dict[str, Any], neutral: dict[str, object], prefix: str
    ) -> None:
        for key, nothing in neutral.items():
            value = holder.get(key)
            if value is not None and (type(value) is not type(nothing) or value != nothing):
                raise self.error(prefix + key, _short(value), json.dumps(nothing))

    def check_post_processor(self, value: Any) -> None:
        # ByteLevel's only moves offsets.
        if value is not None and not (isinstance(value, dict) and value.get("type") == "ByteLevel"):
            raise self.error("post_processor", _short(value), "null or ByteLevel")

    def pretokenizer(self, value: Any) -> Pretokenizer:
        steps: Sequence[Any] = [value]
        field = "pre_tokenizer"
        if isinstance(value, dict) and value.get("type") == "Sequence":
            field = "pre_tokenizer.pretokenizers"
            steps = self.as_list(value.get("pretokenizers"), field)
        wanted = "ByteLevel, or a Sequence of one Split and ByteLevel"
        if not 1 <= len(steps) <= 2:
            raise self.error(field, f"{len(steps)} steps", wanted)
        for step, kind in zip(steps, ("Split", "ByteLevel")[-len(steps) :], strict=True):
            if not isinstance(step, dict) or step.get("type") != kind:
                raise self.error(field, _short(step), wanted)
        own_pattern = steps[-1].get("use_regex", True)
        if steps[-1].get("add_prefix_space", True) is not False:
            raise self.error(f"{field}: ByteLevel.add_prefix_space", "not false", "false")
        if not isinstance(own_pattern, bool) or (own_pattern and len(steps) == 2):
            raise self.error(f"{field}: ByteLevel.use_regex", _short(own_pattern), "false")
        if len(steps) == 1:
            return Pretokenizer.of("gpt2" if own_pattern else "none")
        return self.split(steps[0], f"{field}: Split")

    def split(self, step: dict[str, Any], field: str) -> Pretokenizer:
        if step.get("behavior") != "Isolated":
            raise self.error(f"{field}.behavior", _short(step.get("behavior")), '"Isolated"')
        if step.get("invert", False) is not False:
            raise self.error(f"{field}.invert", _short(step.get("invert")), "false")
        pattern = step.get("pattern")
        text = pattern.get("Regex") if isinstance(pattern, dict) else None
        if not isinstance(text, str) or not text:
            raise self.error(f"{field}.pattern", _short(pattern), 'an object with "Regex"')
        for name, known in PATTERNS.items():
            if canonical_pattern(known) == text:
                return Pretokenizer(name, known)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        found = Pretokenizer(f"regex-{digest[:8]}", text)
        wanted = "a pattern that every library reads alike"
        try:
            if exported_pattern(found) == text:
                return found
        except (PatternError, FormatError) as error:
            raise self.error(f"{field}.pattern", str(error), wanted) from error
        raise self.error(f"{field}.pattern", _short(text), wanted)

    def special_tokens(self, value: Any) -> tuple[str, ...]:
        names: list[str] = []
        for i, token in enumerate(self.as_list(value, "added_tokens")):
            field = f"added_tokens[{i}]"
            token = self.as_object(token, field)
            content = token.get("content")
            if not isinstance(content, str) or not content or content in names:
                raise self.error(f"{field}.content", _short(content), "a string not used before")
            if has_surrogate(content):
                raise self.error(f"{field}.content", _short(content), "text that has a UTF-8 form")
            if type(token.get("id")) is not int or token["id"] != i:
                raise self.error(f"{field}.id", _short(token.get("id")), f"{i}: they come first")
            if token.get("special") is not True:
                raise self.error(f"{field}.special", _short(token.get("special")), "true")
            for flag in ("single_word", "lstrip", "rstrip"):
                if token.get(flag, False) is not False:
                    raise self.error(f"{field}.{flag}", _short(token[flag]), "false")
            names.append(content)
        return tuple(names)

    def model(self, value: Any, special_tokens: tuple[str, ...]) -> BpeModel:
        holder = self.as_object(value, "model")
        if holder.get("type", "BPE") != "BPE":
            raise self.error("model.type", _short(holder.get("type")), '"BPE"')
        self.check_neutral(holder, _NEUTRAL_IN_MODEL, "model.")
        vocab = self.vocabulary(holder.get("vocab"), special_tokens)
        size = len(special_tokens) + 256
        merges = self.merges(self.as_list(holder.get("merges"), "model.merges"), vocab, size)
        model = BpeModel(special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
        if model.vocab_size < len(vocab):
            rest = next(name for name, i in vocab.items() if i == model.vocab_size)
            found = f"no merge makes {_short(rest)}"
            raise self.error("model.vocab", found, "one merge for each token")
        return model

    def vocabulary(self, value: Any, special_tokens: tuple[str, ...]) -> dict[str, int]:
        vocab: dict[str, int] = self.as_object(value, "model.vocab")
        for name, i in vocab.items():
            if type(i) is not int or not 0 <= i < len(vocab):
                raise self.error(
                    f"model.vocab[{_short(name)}]",
                    _short(i),
                    f"the ids 0 to {len(vocab) - 1:,}, each once",
                )
        if len(set(vocab.values())) < len(vocab):
            raise self.error("model.vocab", "an id given twice", f"{len(vocab):,} different ids")
        characters = byte_characters()
        first = [*special_tokens, *(characters[b] for b in byte_order())]
        for i, name in enumerate(first):
            if vocab.get(name) != i:
                raise self.error(
                    f"model.vocab[{_short(name)}]",
                    _short(vocab.get(name)),
                    f"{i}: special tokens, then the 256 bytes in the order of their characters",
                )
        return vocab

    def merges(
        self, value: Sequence[Any], vocab: dict[str, int], size: int
    ) -> list[tuple[int, int, int]]:
        """Return (left, right, new) by rank; `size` is what special tokens and bytes take."""
        ordinary = range(size - 256, size)
        merges: dict[tuple[int, int], int] = {}
        for rank, entry in enumerate(value):
            field = f"model.merges[{rank}]"
            pair = entry.split(" ") if isinstance(entry, str) else entry
            if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
                raise self.error(field, _short(entry), "two tokens")
            left, right = (vocab.get(text, -1) for text in pair)
            if left not in ordinary or right not in ordinary:
                text = pair[left in ordinary]
                raise self.error(field, f"{_short(text)}, made by no earlier merge", "made tokens")
            new = vocab.get(pair[0] + pair[1], -1)
            if new not in ordinary and new != ordinary.stop:
                found = f"{_short(pair[0] + pair[1])} has {f'id {new}' if new >= 0 else 'no id'}"
                raise self.error(field, found, f"ids in the order of merges, now {ordinary.stop}")
            if (left, right) in merges:
                raise self.error(field, f"{_short(pair)}, listed before", "each pair once")
            merges[left, right] = new
            ordinary = range(ordinary.start, max(ordinary.stop, new + 1))
        return [(left, right, new) for (left, right), new in merges.items()]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
