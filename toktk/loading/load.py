"""Loading any tokenizer by its spec string, for toktk's own engine and for the library it belongs to."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from toktk.errors import FormatError
from toktk.formats.fields import NotNative, Parts, read_bytes
from toktk.formats.read import beside, file_of, format_of, read
from toktk.formats.tekken import tekken_file
from toktk.formats.tiktoken_read import RankFile, rank_file
from toktk.loading.downloads import hub_file, tiktoken_ranks
from toktk.loading.parsed import Parsed, read_parsed, write_parsed
from toktk.loading.spec import Spec, parse_spec
from toktk.models.model import Model
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import gc_off
from toktk.tokenizer import Tokenizer

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
    path = hub_file(spec) if spec.source == "hf" else file_of(spec.path)
    raw = read_bytes(path)
    format = "sentencepiece" if spec.source == "spm" else format_of(raw, path)
    source = _digest(raw, *beside(raw, path, format))
    build = functools.partial(_build, path, raw)

    def parse() -> Parsed:
        return _parsed(format, spec, lambda: read(raw, path, format), build)

    return _loaded(spec, source, parse, build, cache)


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


def _parsed(
    format: str, spec: Spec, read: Callable[[], Parts], build: Callable[[str], Model]
) -> Parsed:
    """Return what a file holds; where toktk finds fault and the library does not, that runs it."""
    try:
        return Parsed(format, Tokenizer(spec.label, *read()), "")
    except NotNative as reason:
        return Parsed(format, None, str(reason))
    except FormatError as error:
        try:
            build(format)
        except FormatError:
            raise error from None  # it names the field
        return Parsed(format, None, " ".join(str(error).split()))


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

    return TiktokenDocumentsModel(file.pattern, file.ids, file.special_tokens)


def _from_tiktoken(spec: Spec, cache: bool) -> Loaded:
    pattern, ranks, special_tokens = tiktoken_ranks(spec)
    file = RankFile(Path(spec.target), pattern, ranks, special_tokens)

    def build(kind: str) -> Model:
        return _encoding(file)

    def parse() -> Parsed:
        return _parsed("tiktoken", spec, file.parts, build)

    return _loaded(spec, _digest_ranks(file), parse, build, cache)


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
