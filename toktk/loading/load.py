"""Loading any tokenizer: its spec is found and read, and toktk's ids are compared with its library's.

Where the two give equal ids, toktk's engine stands in for the library.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from toktk.arrays import Bytes, Int64, read_arrays, write_arrays
from toktk.cache import Store
from toktk.encoder import Encoder
from toktk.errors import FormatError, LimitError, ToktkError, in_a_line
from toktk.formats.counts import read_counts
from toktk.formats.fields import NotNative, Parts, read_bytes
from toktk.formats.files import Format, beside, file_contents, prepared, read
from toktk.formats.hf_model import ModelLists, lists_of
from toktk.formats.hf_part import part_for
from toktk.formats.hf_read import read_tokenizer_json
from toktk.formats.tiktoken import RankFile, rank_file
from toktk.libraries import process
from toktk.loading.spec import find_encoding, find_file, parse_spec
from toktk.loading.torture import TORTURE, strange_text
from toktk.models.counts import COUNTS_ALONE
from toktk.models.model import Ids, Model, is_storable, model_from_arrays
from toktk.models.vocabulary import packed
from toktk.pretokenizers import unicode_tables
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import gc_off
from toktk.texts import utf8
from toktk.tokenizer import Tokenizer

# Pretokenizer and model of a file, or None and why the library has to run it; and notes.
_Contents = tuple[Parts | None, str, tuple[str, ...]]

_NAMES = 200  # of its added and special tokens, so many are tried, if they are
_NAME = 1000  # characters at most
_PACKAGES = {
    "tokenizer.json": "tokenizers",
    "tekken": "tiktoken",
}  # others are named like the format


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
        build_part: returns one that gives some texts (data and offsets) the same ids, and loads sooner; None
            where there is none.
        release: drops what is held of the file; where it is needed again, it is read again.
        notes: where other software may give other ids.
    """

    label: str
    spec: str
    digest: str
    native: Tokenizer | None
    why: str
    library: str
    build: Callable[[], Model]
    build_part: Callable[[Bytes, Int64], Model | None] = lambda data, offsets: None
    release: Callable[[], None] = lambda: None
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def reference(self) -> Tokenizer:
        """A tokenizer that hands whole documents to the library, or FormatError where it refuses."""
        model = self.build()
        return Tokenizer(self.label, Pretokenizer.of("none"), model, self.library, self.why)

    def checked(self, documents: Sequence[str] = (), cache: bool = True) -> Tokenizer:
        """Return toktk's own tokenizer if its ids equal the library's, else the library's.

        Compared are a fixed tricky text, the characters of which libraries have different tables, the
        tokenizer's own special and added tokens as text, and `documents`, the first ones of the text at
        hand. With `cache`, what is found is kept.

        Raises:
            FormatError: a document holds a lone surrogate; the library cannot run the tokenizer.
        """
        if self.native is None:
            return self.reference
        names = [
            *self.native.model.special_tokens[:_NAMES],
            *self.native.pretokenizer.added[:_NAMES],
        ]
        names = [name for name in names if len(name) <= _NAME]
        each = [f"a {name}b{name}{name} " for name in names]
        strange = strange_text(self.native.pretokenizer)
        texts = [*TORTURE, strange, "".join(names), " ".join(names), *each, *documents]
        encoded = [utf8(text) for text in texts]
        sizes = json.dumps([len(raw) for raw in encoded]).encode()
        key = [self.digest, self.native.signature, self.library, _sha256(sizes, *encoded)]
        store = Store() if cache else None
        verdict = store.read("verdicts", key, read_arrays) if store else None
        if verdict is not None:
            difference = str(verdict[1]["difference"])
        else:
            difference = self._difference(self.native, encoded)
            if store:
                store.write("verdicts", key, lambda f: write_arrays(f, {}, difference=difference))
        return replace(self.reference, why=difference) if difference else self.native

    def _difference(self, native: Tokenizer, texts: Sequence[bytes]) -> str:
        with contextlib.suppress(
            FormatError
        ):  # the whole is not refused for what is wrong with a part
            part = self.build_part(*packed(texts))
            if part is not None and not _difference(native, self.library, part, texts):
                return ""
        return _difference(native, self.library, self.build(), texts)


def load(spec: str, documents: Sequence[str] = ()) -> Tokenizer:
    """Load a tokenizer: ``hf:org/name[@revision]``, ``tiktoken:name``, ``spm:file.model``, or a path.

    A path is that of a tokenizer.json, a tekken.json, a SentencePiece model or a .tiktoken file, which are
    told apart by their contents, of a vocab.json with merges.txt or a vocab.txt, or of a folder with one
    of them. The settings of transformers in its folder count. ``counts:file.parquet`` only counts; see
    `toktk.formats.counts`. ``label=`` in front names it. The network is asked for ``hf:`` and
    ``tiktoken:`` alone, and only for what is not there yet.

    The tokenizer runs on toktk's own engine where that gives the ids of the library to which the
    format belongs, on tricky text and on `documents`; otherwise that library runs it.
    ``engine`` and ``why`` of the tokenizer say which and why.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged; the error names the field.
    """
    return open_tokenizer(spec).checked(documents)


def open_tokenizer(text: str, cache: bool = True) -> Loaded:
    """Find and read the tokenizer of a spec, as `load` does, but verify nothing.

    With `cache`, what was parsed is kept.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged; the error names the field.
    """
    spec = parse_spec(text)
    parse: Callable[[], Parts]
    build: Callable[[], Model]
    file = None
    if spec.source == "counts":
        path = Path(spec.target).expanduser()
        model = read_counts(path)
        return Loaded(
            spec.label, spec.text, model.signature, None, COUNTS_ALONE, "counts", lambda: model
        )
    if spec.source == "tiktoken":
        encoding = find_encoding(spec)
        path, format, digest = encoding.path, "tiktoken", _digest_of(encoding)
        parse, build = encoding.parts, functools.partial(_tiktoken_model, encoding)
    else:
        file = _File(find_file(spec), spec.source == "spm")
        path, format, digest = file.path, file.format, file.digest
        parse, build = file.parse, file.build
    build = functools.cache(build)
    package = _PACKAGES.get(format, format)
    library = f"{package} {version(package)}"
    # The library's version, for it may be the library that says whether the file is good.
    store, key = (Store() if cache else None), [digest, format, library]
    contents = store.read("tokenizers", key, _read_contents) if store else None
    if contents is None:
        process.start_ahead(package)
        unicode_tables.start_ahead()
        with gc_off():
            contents = *_parse(path, parse, build), file.notes if file else ()
        if store and (contents[0] is None or is_storable(contents[0][1])):
            store.write("tokenizers", key, functools.partial(_write_contents, contents))
    parts, why, notes = contents
    native = Tokenizer(spec.label, *parts) if parts else None
    loaded = Loaded(spec.label, spec.text, digest, native, why, library, build, notes=notes)
    if file is None:
        return loaded
    part = functools.partial(file.build_part, native) if native else loaded.build_part
    return replace(loaded, build_part=part, release=file.release)


class _File:
    """A tokenizer's file: held until it is released, and then read again where it is needed.

    Attributes:
        digest: the sha256, in hex, of it and of what decides ids beside it.
    """

    def __init__(self, path: Path, is_model: bool) -> None:
        self.path, self._is_model = path, is_model
        raw, self.format = self._read()
        self._raw: bytes | None = raw
        self.digest = self._digest_of(raw)
        self._lists: ModelLists | None = None

    def parse(self) -> Parts:
        """Return its pretokenizer and model; see `toktk.formats.files.read`."""
        raw, _ = self._prepared
        if self.format == "tokenizer.json":
            self._lists = lists_of(raw)
            return read_tokenizer_json(raw, self.path, self._lists)
        return read(raw, self.path, self.format)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where other software may give other ids."""
        return self._prepared[1]

    def build(self) -> Model:
        """Return the library's model."""
        return _library_model(self._prepared[0], self.path, self.format)

    def build_part(self, native: Tokenizer, data: Bytes, offsets: Int64) -> Model | None:
        """Return the library's model of what some texts may need; see `toktk.formats.hf_part`."""
        if self.format != "tokenizer.json":
            return None
        raw, _ = self._prepared
        lists, self._lists = self._lists or lists_of(raw), None
        if lists is None:
            return None
        normalized, *_ = native.pretokenizer.prepare(data, offsets)
        both = data if normalized is data else np.append(data, normalized)
        return _library_model(part_for(raw, lists, both), self.path, self.format)

    def release(self) -> None:
        """Hold nothing of it."""
        self._raw = self._lists = None
        self.__dict__.pop("_prepared", None)

    @functools.cached_property
    def _prepared(self) -> tuple[bytes, tuple[str, ...]]:
        """The file with the settings beside it in it, and `notes`.

        Raises:
            FormatError: it was released, and is another one now.
        """
        if self._raw is None:
            self._raw, _ = self._read()
            if self._digest_of(self._raw) != self.digest:
                raise FormatError(
                    f"cannot read {self.path} again.",
                    "Found: it has changed since it was loaded.",
                    "Wait until nothing writes to it, and run the command again.",
                )
        return prepared(self._raw, self.path, self.format)

    def _read(self) -> tuple[bytes, Format]:
        if self._is_model:
            return read_bytes(self.path), "sentencepiece"
        return file_contents(self.path)

    def _digest_of(self, raw: bytes) -> str:
        return _sha256(raw, *beside(raw, self.path, self.format))


def _parse(
    path: Path, parse: Callable[[], Parts], build: Callable[[], Model]
) -> tuple[Parts | None, str]:
    """Return what a file holds; where toktk finds fault and the library does not, the library runs it."""
    fault = None
    try:
        return parse(), ""
    except NotNative as reason:
        why = str(reason)
    except LimitError:
        raise
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
    return None, why


def _read_contents(folder: Path) -> _Contents:
    arrays, about = read_arrays(folder)
    notes = tuple(about["notes"])
    if about["kind"] is None:
        return None, about["why"], notes
    pretokenizer = Pretokenizer.from_json(about["pretokenizer"])
    model = model_from_arrays(about["kind"], arrays, about["signature"])
    return (pretokenizer, model), "", notes


def _write_contents(contents: _Contents, folder: Path) -> None:
    parts, why, notes = contents
    if parts is None:
        write_arrays(folder, {}, why=why, kind=None, notes=notes)
        return
    pretokenizer, model = parts
    about = {"kind": model.kind, "signature": model.signature, "notes": notes}
    about["pretokenizer"] = pretokenizer.to_json()
    write_arrays(folder, model.to_arrays(), **about)


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
    return _tiktoken_model(rank_file(raw, path, format == "tekken"))


def _tiktoken_model(file: RankFile) -> Model:
    from toktk.libraries.tiktoken import TiktokenDocumentsModel

    return TiktokenDocumentsModel(file.pattern, file.ranks, file.special_tokens)


def _digest_of(file: RankFile) -> str:
    tokens = sorted(file.ranks, key=file.ranks.__getitem__)
    ids = np.array([file.ranks[token] for token in tokens], dtype=np.int64)
    special = repr(sorted(file.special_tokens.items())).encode()
    lengths = np.array([len(token) for token in tokens], dtype=np.int64)
    return _sha256(file.pattern.encode(), special, ids.tobytes(), lengths.tobytes(), *tokens)


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _difference(native: Tokenizer, library: str, model: Model, texts: Sequence[bytes]) -> str:
    data, offsets = packed(texts)
    wanted, ends = model.encode_pieces(data, offsets)
    theirs = np.append(0, ends)
    try:
        ids, ours = Encoder(native.pretokenizer, native.model).encode_batch(data, offsets)
    except ToktkError as error:
        return f"toktk's engine fails: {' '.join(str(error).split())}"
    for d, text in enumerate(texts):
        mine, others = ids[ours[d] : ours[d + 1]], wanted[theirs[d] : theirs[d + 1]]
        if not np.array_equal(mine, others):
            return _described(native, text.decode(), mine, others, library)
    return ""


def _described(native: Tokenizer, text: str, mine: Ids, others: Ids, library: str) -> str:
    n = min(mine.size, others.size)
    differs = np.flatnonzero(mine[:n] != others[:n])
    at = int(differs[0]) if differs.size else n
    spelled = sum(len(native.model.tokens[i]) for i in mine[:at].tolist())
    before = len(text.encode()[:spelled].decode(errors="ignore"))
    excerpt = text[max(0, before - 10) : before + 20]
    return (
        f"ids differ at {excerpt!r}: {_listed(mine, at)} here, {_listed(others, at)} by {library}"
    )


def _listed(ids: Ids, at: int) -> str:
    rest = ids[at : at + 4].tolist()
    more = ", …" if ids.size > at + 4 else ""
    return f"[{', '.join(map(str, rest))}{more}]"
