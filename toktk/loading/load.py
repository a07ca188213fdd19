"""Loading any tokenizer: its spec is found (find), read, and verified against its library (verify)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toktk.arrays import read_arrays, write_arrays
from toktk.cache import Store
from toktk.errors import FormatError, in_a_line
from toktk.formats.fields import NotNative, Parts, read_bytes
from toktk.formats.read import Format, beside, format_of, read
from toktk.formats.tekken import tekken_file
from toktk.formats.tiktoken_read import RankFile, rank_file
from toktk.loading.find import find_encoding, find_file
from toktk.loading.spec import parse_spec
from toktk.loading.verify import verify
from toktk.models.model import Model, is_storable, model_from_arrays
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import gc_off
from toktk.tokenizer import Tokenizer

_PACKAGES: dict[Format, str] = {
    "tokenizer.json": "tokenizers",
    "tiktoken": "tiktoken",
    "tekken": "tiktoken",
    "sentencepiece": "sentencepiece",
}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A tokenizer as a user named it: on toktk's own engine, and on the library of its format.

    Attributes:
        label: what tables call it.
        spec: what was written, without the label.
        digest: the sha256, in hex, of the file's contents.
        native: toktk's own; None where toktk does not do all that the file asks for.
        why: what that is; empty where `native` is there.
        library: the library's name and version, such as ``tokenizers 0.23.3``.
        build: returns the library's model; loads it at the first call.
    """

    label: str
    spec: str
    digest: str
    native: Tokenizer | None
    why: str
    library: str
    build: Callable[[], Model]

    @functools.cached_property
    def reference(self) -> Tokenizer:
        """A tokenizer that hands whole documents to the library.

        Raises:
            FormatError: the library refuses it.
        """
        model = self.build()
        return Tokenizer(self.label, Pretokenizer.of("none"), model, self.library, self.why)

    def checked(self, documents: Sequence[str] = (), cache: bool = True) -> Tokenizer:
        """Return toktk's own tokenizer if its ids equal the library's, else the library's.

        Compared are a fixed text of traps, the tokenizer's own special and added tokens as text, and
        `documents`.

        Args:
            documents: the first ones of the text at hand.
            cache: whether to look up what an earlier check found, and to keep what this one does.

        Raises:
            FormatError: a document holds a lone surrogate; the library cannot run the tokenizer.
        """
        if self.native is None:
            return self.reference
        store = Store() if cache else None
        difference = verify(self.native, self.library, self.build, documents, self.digest, store)
        return replace(self.reference, why=difference) if difference else self.native


def load(spec: str, documents: Sequence[str] = ()) -> Tokenizer:
    """Load a tokenizer: ``hf:org/name[@revision]``, ``tiktoken:name``, ``spm:file.model``, or a path.

    A path is that of a tokenizer.json, a tekken.json, a SentencePiece model or a .tiktoken file, which are
    told apart by their contents, or of a folder with one of them. ``label=`` in front names it. The
    network is asked for ``hf:`` and ``tiktoken:`` alone, and only for what is not there yet.

    The tokenizer runs on toktk's own engine where that gives the ids of the library to which the format
    belongs, on a text of traps and on `documents`; otherwise that library runs it. ``engine`` and ``why``
    of the tokenizer say which and why.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged; the error names the field.
    """
    return open_tokenizer(spec).checked(documents)


def open_tokenizer(text: str, cache: bool = True) -> Loaded:
    """Find and read the tokenizer of a spec, as `load` does, but verify nothing.

    Args:
        text: the spec.
        cache: whether to use what an earlier call parsed, and to keep what this one does.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged; the error names the field.
    """
    spec = parse_spec(text)
    format: Format
    parse: Callable[[], Parts]
    build: Callable[[], Model]
    if spec.source == "tiktoken":
        encoding = find_encoding(spec)
        path, format, digest = encoding.path, "tiktoken", _digest_of(encoding)
        parse, build = encoding.parts, functools.partial(_tiktoken_model, encoding)
    else:
        path = find_file(spec)
        raw = read_bytes(path)
        format = "sentencepiece" if spec.source == "spm" else format_of(raw, path)
        digest = _sha256(raw, *beside(raw, path, format))
        parse = functools.partial(read, raw, path, format)
        build = functools.partial(_library_model, raw, path, format)
    build = functools.cache(build)
    store, key = (Store() if cache else None), [digest, format]
    contents = store.read("tokenizers", key, _read_contents) if store else None
    if contents is None:
        with gc_off():
            contents = _parse(path, parse, build)
        if store and (contents.parts is None or is_storable(contents.parts[1])):
            store.write("tokenizers", key, functools.partial(_write_contents, contents))
    native = Tokenizer(spec.label, *contents.parts) if contents.parts else None
    package = _PACKAGES[format]
    library = f"{package} {version(package)}"
    return Loaded(spec.label, spec.text, digest, native, contents.why, library, build)


class _Contents(NamedTuple):
    """Pretokenizer and model of a file, or None and why the library has to run it."""

    parts: Parts | None
    why: str


def _parse(path: Path, parse: Callable[[], Parts], build: Callable[[], Model]) -> _Contents:
    """Return what a file holds; where toktk finds fault and the library does not, the library runs it.

    Raises:
        FormatError: the library finds fault too.
    """
    fault = None
    try:
        return _Contents(parse(), "")
    except NotNative as reason:
        why = str(reason)
    except FormatError as error:
        fault, text = error, in_a_line(error)
        why = text.removeprefix(f"cannot read {path}").lstrip(".: ") or text
    try:
        build()
    except FormatError as error:
        refusal = FormatError(
            f"cannot load {path}.",
            f"Found: {why}, which toktk leaves to the library.",
            *map(str.strip, str(error).splitlines()),
        )
        raise fault or refusal from error  # the fault names the field
    return _Contents(None, why)


def _read_contents(folder: Path) -> _Contents:
    arrays, about = read_arrays(folder)
    if about["kind"] is None:
        return _Contents(None, about["why"])
    pretokenizer = Pretokenizer.from_json(about["pretokenizer"])
    return _Contents((pretokenizer, model_from_arrays(about["kind"], arrays)), "")


def _write_contents(contents: _Contents, folder: Path) -> None:
    if contents.parts is None:
        write_arrays(folder, {}, why=contents.why, kind=None)
        return
    pretokenizer, model = contents.parts
    write_arrays(folder, model.to_arrays(), kind=model.kind, pretokenizer=pretokenizer.to_json())


def _library_model(raw: bytes, path: Path, format: Format) -> Model:
    """Return the model of the library to which a file's format belongs."""
    if format == "sentencepiece":
        from toktk.libraries.sentencepiece import SentencePieceDocumentsModel

        return SentencePieceDocumentsModel(raw)
    if format == "tokenizer.json":
        from toktk.libraries.huggingface import HfDocumentsModel

        try:
            return HfDocumentsModel(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is not UTF-8.", f"Found: {error}.") from error
    return _tiktoken_model(tekken_file(path, raw) if format == "tekken" else rank_file(path, raw))


def _tiktoken_model(file: RankFile) -> Model:
    from toktk.libraries.tiktoken import TiktokenDocumentsModel

    return TiktokenDocumentsModel(file.pattern, file.ids, file.special_tokens)


def _digest_of(file: RankFile) -> str:
    tokens = sorted(file.ranks, key=file.ranks.__getitem__)
    ids = np.array([file.ranks[token] for token in tokens], dtype=np.int64)
    special = repr(sorted(file.special_tokens.items())).encode()
    lengths = np.array([len(token) for token in tokens], dtype=np.int64)
    return _sha256(file.pattern.encode(), special, ids.tobytes(), lengths.tobytes(), *tokens)


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
