"""Loading any tokenizer by its spec string, for toktk's own engine and for the library it belongs to."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from toktk.errors import FormatError
from toktk.formats.files import read_bytes
from toktk.formats.public_json import parse_json, read_public_json
from toktk.formats.ranks import ENCODINGS, RankFile, rank_file
from toktk.formats.sentencepiece import read_sentencepiece_unigram
from toktk.formats.sentencepiece_bpe import read_sentencepiece_bpe
from toktk.formats.tekken import tekken_file
from toktk.formats.tokenizer_json import tokenizer_of
from toktk.loading.downloads import hub_file, tiktoken_ranks
from toktk.loading.parsed import Parsed, read_parsed, write_parsed
from toktk.loading.spec import FOLDER_FILES, Spec, parse_spec
from toktk.models.model import Model
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import gc_off
from toktk.tokenizer import Tokenizer

_PROTO = b"\n"  # the tag of the first piece
_RANKS = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d{1,9}\r?\n")
_PACKAGES = {
    "tokenizer.json": "tokenizers",
    "tiktoken": "tiktoken",
    "tekken": "tiktoken",
    "sentencepiece": "sentencepiece",
}


@dataclass(frozen=True, eq=False)
class Reference:
    """The library to which a tokenizer's format belongs.

    Attributes:
        library: its name and version, such as ``tokenizers 0.23.3``.
        name: of the tokenizer.
        build: loads it there.
    """

    library: str
    name: str
    build: Callable[[], Model]

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """A tokenizer that hands whole documents to the library; loaded at first use.

        Raises:
            FormatError: the library refuses it.
        """
        return Tokenizer(self.name, Pretokenizer.of("none"), self.build())


@dataclass(frozen=True, eq=False)
class Loaded:
    """A tokenizer, as a user named it.

    Attributes:
        label: what tables call it.
        spec: what was written, without the label.
        source: the sha256 of the file's contents.
        native: toktk's own; None where it has none for this.
        why: what it is that toktk does not do; empty if it does all.
        reference: the library's.
    """

    label: str
    spec: str
    source: str
    native: Tokenizer | None
    why: str
    reference: Reference


def load(text: str, cache: bool = True) -> Loaded:
    """Load a tokenizer: ``hf:org/name[@revision]``, ``tiktoken:name``, ``spm:file.model``, or a path.

    A path is that of a tokenizer.json, a tekken.json, a SentencePiece model or a .tiktoken file, which are
    told apart by their contents, or of a folder with one of them. ``label=`` in front names it. The
    network is asked for ``hf:`` and ``tiktoken:`` alone, and only for what is not there yet.

    Args:
        text: the spec.
        cache: whether to use what an earlier call parsed, and to keep what this one does.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged; the error names the field.
    """
    spec = parse_spec(text)
    if spec.source == "tiktoken":
        return _from_tiktoken(spec, cache)
    path = hub_file(spec) if spec.source == "hf" else _file_of(spec.path)
    raw = read_bytes(path)
    source = _digest(raw, *_beside(path, raw))

    def read() -> Parsed:
        return _read(path, raw, spec)

    return _loaded(spec, source, read, functools.partial(_build, path, raw), cache)


def _loaded(
    spec: Spec, source: str, read: Callable[[], Parsed], build: Callable[[str], Model], cache: bool
) -> Loaded:
    parsed = read_parsed(source, spec.label) if cache else None
    stored = parsed is not None
    if parsed is None:
        with gc_off():
            parsed = read()
    package = _PACKAGES[parsed.format]
    library = f"{package} {version(package)}"
    reference = Reference(library, spec.label, functools.partial(build, parsed.format))
    if parsed.native is None:
        reference.tokenizer  # noqa: B018 - what neither can read is an error here
    if cache and not stored:
        write_parsed(source, parsed)
    return Loaded(spec.label, spec.text, source, parsed.native, parsed.why, reference)


def _file_of(path: Path) -> Path:
    """Return the file that `path` means: itself, or the first known one in a folder."""
    if not path.is_dir():
        return path
    for name in FOLDER_FILES:
        if (path / name).is_file():
            return path / name
    for ending in ("*.tiktoken", "*.model"):
        found = sorted(path.glob(ending))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(one.name for one in found[:5])
            raise FormatError(f"cannot choose a tokenizer in {path}.", f"Found: {names}.")
    raise FormatError(
        f"no tokenizer in {path}.",
        f"Looked for: {', '.join(FOLDER_FILES)}, one .tiktoken, one .model.",
    )


def _beside(path: Path, raw: bytes) -> list[bytes]:
    """Return what else decides the ids of a ``.tiktoken``, which holds neither pattern nor special tokens."""
    beside = path.with_name(f"{path.name}.json")
    if not _is_ranks(raw):
        return []
    return [read_bytes(beside) if beside.exists() else repr(ENCODINGS.get(path.stem)).encode()]


def _is_ranks(raw: bytes) -> bool:
    return _RANKS.match(raw) is not None


def _read(path: Path, raw: bytes, spec: Spec) -> Parsed:
    name = spec.label
    if _is_ranks(raw) or path.suffix == ".tiktoken":
        return _ranked("tiktoken", rank_file(path), name)
    is_json = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    if spec.source == "spm" or (raw.startswith(_PROTO) and not is_json):
        return _sentencepiece(path, name)
    if not is_json:
        raise FormatError(
            f"cannot tell what {path} is.",
            f"Found: it begins with {raw[:24]!r}.",
            "Readable are tokenizer.json, tekken.json, .tiktoken files and SentencePiece models.",
        )
    if b'"config"' in raw and b'"token_bytes"' in raw[:100_000]:
        return _ranked("tekken", tekken_file(path), name)
    document = parse_json(raw, path)
    try:
        return Parsed("tokenizer.json", tokenizer_of(document, path, name), "")
    except FormatError:  # not one that toktk wrote
        return _public_json(document, path, raw, name)


def _public_json(document: dict[str, Any], path: Path, raw: bytes, name: str) -> Parsed:
    """Return what a tokenizer.json holds; where toktk finds fault and the library does not, that runs it."""
    try:
        return Parsed("tokenizer.json", *read_public_json(document, path, name))
    except FormatError as error:
        try:
            _build(path, raw, "tokenizer.json")
        except FormatError:
            raise error from None  # it names the field
        return Parsed("tokenizer.json", None, _reason(error, path))


def _ranked(kind: str, file: RankFile, name: str) -> Parsed:
    try:
        return Parsed(kind, file.tokenizer(name), "")
    except FormatError as error:
        return Parsed(kind, None, _reason(error, file.path))


def _sentencepiece(path: Path, name: str) -> Parsed:
    try:
        return Parsed("sentencepiece", read_sentencepiece_unigram(path, name), "")
    except FormatError as error:
        why = _reason(error, path)
    try:
        return Parsed("sentencepiece", read_sentencepiece_bpe(path, name), "")
    except FormatError as error:
        if "trainer_spec.model_type" not in str(error):  # else it is a unigram model
            why = _reason(error, path)
    return Parsed("sentencepiece", None, why)


def _reason(error: FormatError, path: Path) -> str:
    """Return what a reader complained about, in one line and without the path."""
    text = " ".join(str(error).split())
    return text.removeprefix(f"cannot read {path}").lstrip(".: ") or text


def _build(path: Path, raw: bytes, kind: str) -> Model:
    """Return the library's model of a file."""
    if kind == "sentencepiece":
        from toktk.libraries.sentencepiece_documents import SentencePieceDocumentsModel

        try:
            return SentencePieceDocumentsModel(raw)
        except FormatError as error:
            why = [line.strip() for line in str(error).splitlines()[1:]]
            raise FormatError(f"cannot read {path}.", *why) from error
    if kind == "tokenizer.json":
        from toktk.libraries.huggingface_documents import HfDocumentsModel

        try:
            return HfDocumentsModel(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is not UTF-8.", f"Found: {error}.") from error
    return _encoding(rank_file(path) if kind == "tiktoken" else tekken_file(path))


def _encoding(file: RankFile) -> Model:
    from toktk.libraries.tiktoken import TiktokenDocumentsModel

    ids = {token: rank + file.shift for token, rank in file.ranks.items()}
    return TiktokenDocumentsModel(file.pattern, ids, file.special_tokens)


def _from_tiktoken(spec: Spec, cache: bool) -> Loaded:
    pattern, ranks, special_tokens = tiktoken_ranks(spec)
    file = RankFile(Path(spec.target), spec.target, pattern, ranks, special_tokens)

    def read() -> Parsed:
        return _ranked("tiktoken", file, spec.label)

    def build(kind: str) -> Model:
        return _encoding(file)

    return _loaded(spec, _digest_ranks(file), read, build, cache)


def _digest_ranks(file: RankFile) -> str:
    tokens = sorted(file.ranks, key=file.ranks.__getitem__)
    ids = np.array([file.ranks[token] for token in tokens], dtype=np.int64)
    special = repr(sorted(file.special_tokens.items())).encode()
    lengths = np.array([len(token) for token in tokens], dtype=np.int64)
    return _digest(file.pattern.encode(), special, ids.tobytes(), lengths.tobytes(), *tokens)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
