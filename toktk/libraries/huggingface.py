"""Models that Hugging Face tokenizers runs: a whole ``tokenizer.json``, or its model alone."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import packed, read_only
from toktk.errors import FormatError
from toktk.formats.tokens import MARK, READ_AS_SPACE, SPACE_BY_BYTES, SPACE_IN_FRONT
from toktk.libraries.library import ChangingModel, spelled
from toktk.libraries.process import LibraryTokenizer
from toktk.models.bpe import byte_characters
from toktk.models.model import Arrays, Bytes, Ids, Int64
from toktk.models.pairs import MAX_ID
from toktk.models.vocabulary import unpacked
from toktk.paths import atomic_write

_HIGHEST = 2**32 - 1  # id; the library gives it to no token
# With these each character is changed by itself, and the words are known from their characters.
_BY_CHARACTER = (None, "BertNormalizer", "Lowercase")
_WORDS = ("BertPreTokenizer", "WhitespaceSplit")
_NO_TEXT = b"\xff"  # is in no UTF-8
_MODEL_SETTINGS = (
    "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix", "unk_id", "unk_token",
)  # fmt: skip
_DROPPING = (
    "BertPreTokenizer", "CharDelimiterSplit", "Whitespace", "WhitespaceSplit",
)  # fmt: skip
_PREFIXED = ("always", "first")


@dataclass(frozen=True, eq=False)
class HfDocumentsModel(ChangingModel):
    """A ``tokenizer.json``, whose text is `document`, as the library runs it; a piece is a document.

    No special token is added, and none is found in text; other added tokens are. Truncation and
    padding are off.

    Raises:
        FormatError: the library refuses it.
    """

    document: str

    kind: ClassVar[str] = "hf-documents"
    batch: ClassVar[int] = 4096

    def __post_init__(self) -> None:
        if self._loaded > MAX_ID:
            raise FormatError(
                f"cannot load this {self._file}.",
                f"Found: the id {self._loaded:,}; readable are 0 to {MAX_ID:,}.",
            )

    def _in_library(self) -> LibraryTokenizer:
        return LibraryTokenizer("tokenizers", self._read_by_library())

    def _read_by_library(self) -> bytes:
        """Return the file that the library loads."""
        return self._content()

    @property
    def _file(self) -> str:
        return "tokenizer.json"

    def encode_with_special(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """Return what `encode_pieces` does, special tokens found in text: so does the library by default."""
        return self._encoded("found", data, offsets)

    @functools.cached_property
    def _settings(self) -> dict[str, Any]:
        """The file without its long lists; ``steps``, as JSON, say how tokens are spelled."""
        parsed = json.loads(self.document)
        steps = [parsed.get(key) for key in ("normalizer", "pre_tokenizer", "decoder")]
        model = parsed["model"]
        settings = {key: model.get(key) for key in _MODEL_SETTINGS}
        settings |= {"merges": "merges" in model, "scores": isinstance(model.get("vocab"), list)}
        return {"steps": json.dumps(steps, ensure_ascii=False), **settings}

    @functools.cached_property
    def _vocabulary(self) -> dict[str, Any]:
        """See `toktk.libraries.worker.HuggingFace.vocabulary`."""
        name = self._settings["unk_token"]
        unknown = name if isinstance(name, str) else None
        vocabulary: dict[str, Any] = self._ask("vocabulary", unknown=unknown)[0]
        return vocabulary

    @functools.cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of the added tokens that are special, by id."""
        return tuple(name for _, name, is_special in self._vocabulary["added"] if is_special)

    @property
    def special_ids(self) -> Int64:
        """int64[n]: the ids of `special_tokens`."""
        added = self._vocabulary["added"]
        return np.array([i for i, _, is_special in added if is_special], dtype=np.int64)

    @property
    def vocab_size(self) -> int:
        """The highest id, plus one."""
        return int(self._loaded) + 1

    @functools.cached_property
    def names(self) -> list[str]:
        """The library's string for each id of the model; empty for other ids."""
        names = [""] * self.vocab_size
        for name, i in self._vocabulary["names"]:
            names[i] = name
        return names

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id: a special token's are its name, an id without a token has none."""
        steps = self._settings["steps"]
        affixes = (
            self._settings[key] for key in ("continuing_subword_prefix", "end_of_word_suffix")
        )
        # In a model that has none, it is anything.
        prefix, suffix = (affix if isinstance(affix, str) else "" for affix in affixes)
        byte_of = {character: b for b, character in enumerate(byte_characters())}
        byte_level, marks = '"ByteLevel"' in steps, MARK in steps
        metaspace = marks or '"Metaspace"' in steps
        tokens = []
        for name in self.names:
            name = name.removeprefix(prefix).removesuffix(suffix) or name
            if byte_level and byte_of.keys() >= set(name):
                tokens.append(bytes([byte_of[character] for character in name]))
            else:
                tokens.append(spelled(name, not byte_level, metaspace))
        for i, name, is_special in self._vocabulary["added"]:
            tokens[i] = spelled(name, False, marks and not is_special)
        return tokens

    @functools.cached_property
    def unknown_id(self) -> int | None:
        """The id of text that the vocabulary lacks; None where it lacks none."""
        settings = self._settings
        found: int | None = (
            settings["unk_id"] if settings["scores"] else self._vocabulary["unknown"]
        )
        return found

    @property
    def changes(self) -> tuple[str, ...]:
        """See `toktk.libraries.library.LibraryModel`."""
        normalizer, pretokenizer, _ = json.loads(self._settings["steps"])
        told = [_change_by(step) for step in (*_flat(normalizer), *_flat(pretokenizer))]
        for token in json.loads(self.document).get("added_tokens") or ():
            if token.get("lstrip") or token.get("rstrip"):
                told.append("an added token takes the spaces beside it")
        if isinstance(self._settings["end_of_word_suffix"], str):
            told.append("the end of a word is marked, and what was between words is dropped")
        if MARK in self._settings["steps"]:
            told.append(READ_AS_SPACE)
            if self.spells and MARK not in self.names:
                told.append(SPACE_BY_BYTES)
        return tuple(dict.fromkeys(filter(None, told)))

    @property
    def spells(self) -> bool:
        """Whether bytes take the place of unknown text."""
        return self._settings["byte_fallback"] is True

    @functools.cached_property
    def _measuring(self) -> tuple[LibraryTokenizer, int | None]:
        """See `ChangingModel`: where BPE drops in silence what it lacks, a twin has a token for that.

        The library's offsets are wrong behind what was dropped.
        """
        if self.unknown_id is not None or not self._settings["merges"]:
            return super()._measuring
        document = json.loads(self._read_by_library())
        model, name = document["model"], "unknown"
        names = {*model["vocab"], *(content for _, content, _ in self._vocabulary["added"])}
        while name in names:
            name += "?"
        model["vocab"][name] = _HIGHEST
        document["model"] = {**model, "unk_token": name, "fuse_unk": False}
        return LibraryTokenizer("tokenizers", json.dumps(document).encode()), _HIGHEST

    @functools.cached_property
    def _certain_surfaces(self) -> tuple[Bytes, Int64]:
        """As `_surfaces`; of ids that may stand for more or less than their names it is no text."""
        surfaces = unpacked(*self._surfaces)
        for i in (self.unknown_id, *(i for i, _, _ in self._vocabulary["added"])):
            if i is not None and 0 <= i < len(surfaces):
                surfaces[i] = _NO_TEXT
        text, starts = packed(surfaces)
        return text, read_only(starts, np.int64)

    @property
    def _unknown_word(self) -> int:
        """The id of a word that the vocabulary lacks; -1 where it may stand for another part of text."""
        settings, unknown = self._settings, self.unknown_id
        normalizer, pretokenizer, _ = json.loads(settings["steps"])
        is_word = (
            (normalizer and normalizer.get("type")) in _BY_CHARACTER
            and (pretokenizer and pretokenizer.get("type")) in _WORDS
            and not (settings["merges"] or settings["scores"])
        )
        return unknown if is_word and unknown is not None else -1

    def _count_lost(self, data: Bytes, offsets: Int64, ids: Ids, ends: Int64, lost: Int64) -> None:
        """See `ChangingModel`: the tokens are held against what the library makes of each character."""
        if '"ByteLevel"' in self._settings["steps"]:  # its tokens tell bytes, not characters
            return
        from toktk.kernels.spelling import count_lost, mark_characters

        index = np.full(sys.maxunicode + 1, -1, dtype=np.int32)
        mark_characters(data, index)
        codes = np.flatnonzero(index == 0)
        answer = self._ask("forms", characters="".join(map(chr, codes)))[0]
        forms, cuts = answer["forms"], np.array(answer["cuts"], dtype=np.uint8)
        is_known = np.array([form is not None for form in forms])
        index[codes] = np.where(is_known, np.arange(codes.size), -1)
        text, starts = packed([(form or "").encode() for form in forms])
        characters = index, text, starts, cuts
        count_lost(
            data, offsets, ids, ends, *self._certain_surfaces, characters, self._unknown_word, lost
        )

    def _content(self) -> bytes:
        return self.document.encode("utf-8", "surrogatepass")

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {"document": np.frombuffer(self.document.encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> HfDocumentsModel:
        """See `toktk.models.model.Model`."""
        return cls(arrays["document"].tobytes().decode())


@dataclass(frozen=True, eq=False)
class HfModel(HfDocumentsModel):
    """The model of a byte-level ``tokenizer.json`` that toktk's trainers wrote; a piece is a piece.

    The file's pretokenizer is a Split and ByteLevel, of which toktk does the first. Its special
    tokens have the first ids.

    Raises:
        FormatError: text that is no such file, or whose special tokens are not the first ids.
    """

    kind: ClassVar[str] = "hf"
    batch: ClassVar[int] = 4096

    def __post_init__(self) -> None:
        try:
            parsed = json.loads(self.document)
            special = [(token["id"], token["special"]) for token in parsed["added_tokens"]]
            steps = [step["type"] for step in parsed["pre_tokenizer"]["pretokenizers"]]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                "cannot run this tokenizer.json.", f"Found: {type(error).__name__}: {error}."
            ) from error
        if steps != ["Split", "ByteLevel"] or special != [(i, True) for i in range(len(special))]:
            raise FormatError(
                "cannot run this tokenizer.json.",
                f"Found: pretokenizers {', '.join(steps)}; added tokens {special}.",
                "Readable is: Split and ByteLevel; special tokens that have the first ids.",
            )

    def _read_by_library(self) -> bytes:
        # The pieces are cut already; cutting one again could cut it further.
        step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
        document = {**json.loads(self.document), "pre_tokenizer": {**step, "use_regex": False}}
        return json.dumps(document).encode()

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of the model as the library reads it; the split is not part of it."""
        parsed = json.loads(self.document)
        relevant = {key: parsed[key] for key in ("added_tokens", "model")}
        return hashlib.sha256(json.dumps(["hf", relevant]).encode()).hexdigest()

    def write(self, folder: Path, name: str) -> Path:
        """Write the library's file, as it is, and return its path.

        Raises:
            StorageError: the file cannot be written.
        """
        path = folder / "tokenizer.json"
        with atomic_write(path) as temporary:
            temporary.write_text(self.document, encoding="utf-8", newline="\n")
        return path


def _flat(step: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the steps of a normalizer or a pretokenizer, those of a sequence one by one."""
    if step is None:
        return []
    inner = step.get("normalizers") or step.get("pretokenizers")
    return [each for part in inner for each in _flat(part)] if inner else [step]


def _change_by(step: dict[str, Any]) -> str:
    """Return in words how a step makes tokens stand for other bytes than the text's; empty if it does not."""
    kind = str(step.get("type"))
    if kind == "Replace" and step.get("pattern") == {"String": " "} and step.get("content") == MARK:
        return ""
    adds_space = step.get("add_prefix_space", kind == "Metaspace") and "prepend_scheme" not in step
    if kind == "Prepend" or adds_space or step.get("prepend_scheme") in _PREFIXED:
        return SPACE_IN_FRONT
    if kind in _DROPPING or step.get("behavior") == "Removed":
        return f"the pretokenizer {kind} drops what it cuts at"
    if kind in ("Metaspace", "ByteLevel", "Split", "Punctuation", "Digits", "UnicodeScripts"):
        return ""
    return f"{kind} changes text"
