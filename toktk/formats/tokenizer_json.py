"""``tokenizer.json``, the format of Hugging Face tokenizers: what all models there have in common.

Special tokens are the one difference by design: in text the library takes them for themselves,
unless its ``encode_special_tokens`` is set, and toktk takes them for text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toktk.errors import FormatError
from toktk.formats.bpe_json import read_bpe, write_bpe
from toktk.formats.fields import Fields, check_special_tokens, has_surrogate, short
from toktk.formats.unigram_json import read_unigram, unigram_notes, write_unigram
from toktk.formats.wordpiece_json import read_wordpiece, write_wordpiece
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.model import Model
from toktk.models.unigram import UnigramModel
from toktk.paths import atomic_write
from toktk.pretokenizers.export import exported_pattern, exported_pretokenizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

# Each of these, where it is neither absent nor null, would change ids.
_NEUTRAL: dict[str, object] = dict.fromkeys(("truncation", "padding", "normalizer"))
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


def write_tokenizer_json(tokenizer: Tokenizer, path: Path) -> tuple[str, ...]:
    """Write `tokenizer` for Hugging Face tokenizers. Equal tokenizers give equal files.

    Returns:
        Where ids can differ there; empty: nowhere.

    Raises:
        FormatError: the format cannot hold it.
        StorageError: the file cannot be written.
    """
    text = json.dumps(_document(tokenizer), ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    model = tokenizer.model
    return unigram_notes(model) if isinstance(model, UnigramModel) else ()


def _document(tokenizer: Tokenizer) -> dict[str, Any]:
    special_tokens = tokenizer.model.special_tokens
    check_special_tokens(special_tokens)
    split = {"Regex": exported_pattern(tokenizer.pretokenizer)}
    steps: list[dict[str, Any]] = [
        {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False}
    ]
    if getattr(tokenizer.model, "fallback", None) is None:
        steps.append({**_BYTE_LEVEL, "use_regex": False})
        decoder: dict[str, Any] = {**_BYTE_LEVEL, "use_regex": False}
    else:
        parts = [{"type": "ByteFallback"}, {"type": "Fuse"}]
        decoder = {"type": "Sequence", "decoders": parts}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, **flags, "special": True}
            for i, name in enumerate(special_tokens)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": decoder,
        "model": _model(tokenizer.model),
    }


def _model(model: Model) -> dict[str, Any]:
    if isinstance(model, BpeModel):
        return write_bpe(model)
    if isinstance(model, UnigramModel):
        return write_unigram(model)
    if isinstance(model, GreedyModel):
        return write_wordpiece(model)
    raise FormatError(
        f"tokenizer.json cannot hold a model of the kind {model.kind!r}.",
        "Found: nothing there encodes by its rule.",
    )


def read_tokenizer_json(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a tokenizer of the shapes that `write_tokenizer_json` writes.

    That is byte-level BPE (special tokens first, then the 256 bytes in the order of their
    characters, then a token for each merge; cut by one Split, by ByteLevel's own pattern, or not at
    all), byte-level Unigram and WordPiece, and Unigram with byte fallback behind one Split.

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
    return tokenizer_of(document, path, name)


def tokenizer_of(document: Any, path: Path, name: str | None = None) -> Tokenizer:
    """Return what `read_tokenizer_json` reads, of a file that was parsed before.

    Raises:
        FormatError: another shape; the error names the field.
    """
    reader = _Reader(path)
    top = reader.as_object(document, "the file")
    reader.check_neutral(top, _NEUTRAL, "")
    reader.check_post_processor(top.get("post_processor"))
    pretokenizer, byte_level = reader.pretokenizer(top.get("pre_tokenizer"))
    specials = reader.special_tokens(top.get("added_tokens") or [])
    model = reader.model(top.get("model"), specials, byte_level)
    return Tokenizer(name or path.resolve().parent.name, pretokenizer, model)


class _Reader(Fields):
    def check_post_processor(self, value: Any) -> None:
        # ByteLevel's only moves offsets.
        if value is not None and not (isinstance(value, dict) and value.get("type") == "ByteLevel"):
            raise self.error("post_processor", short(value), "null or ByteLevel")

    def pretokenizer(self, value: Any) -> tuple[Pretokenizer, bool]:
        """Return the pretokenizer, and whether bytes become characters after it."""
        steps: Sequence[Any] = [value]
        field = "pre_tokenizer"
        if isinstance(value, dict) and value.get("type") == "Sequence":
            field = "pre_tokenizer.pretokenizers"
            steps = self.as_list(value.get("pretokenizers"), field)
        wanted = "a Split, ByteLevel, or a Sequence of the two"
        kinds = [step.get("type") if isinstance(step, dict) else None for step in steps]
        if kinds not in (["Split"], ["ByteLevel"], ["Split", "ByteLevel"]):
            found = f"{len(steps)} steps" if len(steps) != 1 else short(steps[0])
            raise self.error(field, found, wanted)
        if kinds == ["Split"]:
            return self.split(steps[0], f"{field}: Split"), False
        own_pattern = steps[-1].get("use_regex", True)
        if steps[-1].get("add_prefix_space", True) is not False:
            raise self.error(f"{field}: ByteLevel.add_prefix_space", "not false", "false")
        if not isinstance(own_pattern, bool) or (own_pattern and len(steps) == 2):
            raise self.error(f"{field}: ByteLevel.use_regex", short(own_pattern), "false")
        if len(steps) == 1:
            return Pretokenizer.of("gpt2" if own_pattern else "none"), True
        return self.split(steps[0], f"{field}: Split"), True

    def split(self, step: dict[str, Any], field: str) -> Pretokenizer:
        if step.get("behavior") != "Isolated":
            raise self.error(f"{field}.behavior", short(step.get("behavior")), '"Isolated"')
        if step.get("invert", False) is not False:
            raise self.error(f"{field}.invert", short(step.get("invert")), "false")
        pattern = step.get("pattern")
        text = pattern.get("Regex") if isinstance(pattern, dict) else None
        if not isinstance(text, str) or not text:
            raise self.error(f"{field}.pattern", short(pattern), 'an object with "Regex"')
        try:
            return exported_pretokenizer(text)
        except FormatError as error:
            wanted = "a pattern that every library reads alike"
            raise self.error(f"{field}.pattern", str(error), wanted) from error

    def special_tokens(self, value: Any) -> tuple[str, ...]:
        names: list[str] = []
        for i, token in enumerate(self.as_list(value, "added_tokens")):
            field = f"added_tokens[{i}]"
            token = self.as_object(token, field)
            content = token.get("content")
            if not isinstance(content, str) or not content or content in names:
                raise self.error(f"{field}.content", short(content), "a string not used before")
            if has_surrogate(content):
                raise self.error(f"{field}.content", short(content), "text that has a UTF-8 form")
            if type(token.get("id")) is not int or token["id"] != i:
                raise self.error(f"{field}.id", short(token.get("id")), f"{i}: they come first")
            if token.get("special") is not True:
                raise self.error(f"{field}.special", short(token.get("special")), "true")
            for flag in ("single_word", "lstrip", "rstrip"):
                if token.get(flag, False) is not False:
                    raise self.error(f"{field}.{flag}", short(token[flag]), "false")
            names.append(content)
        return tuple(names)

    def model(self, value: Any, special_tokens: tuple[str, ...], byte_level: bool) -> Model:
        holder = self.as_object(value, "model")
        kind = holder.get("type", "BPE")
        if kind == "Unigram":
            return read_unigram(self, holder, special_tokens, byte_level)
        if kind not in ("BPE", "WordPiece"):
            raise self.error("model.type", short(kind), '"BPE", "Unigram" or "WordPiece"')
        if not byte_level:
            raise self.error("pre_tokenizer", "no ByteLevel", "ByteLevel, but for Unigram")
        if kind == "WordPiece":
            return read_wordpiece(self, holder, special_tokens)
        return read_bpe(self, holder, special_tokens)
