"""The engines that can be timed: toktk and the libraries that encode, each called as its own users call it.

An `Engine` says what to run, in the parent; an `Adapter` runs it, in a process of its own. The adapter is
built from a source, a JSON-able mapping that says where the tokenizer is.
"""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from toktk import __version__
from toktk.arrays import Bytes, Ids, Int64, offsets_of
from toktk.errors import FormatError
from toktk.paths import atomic_write

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

_SHIPPED = ("cl100k_base", "o200k_base", "o200k_harmony")  # with quicktok

Source = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Engine:
    """toktk or a library, with a tokenizer.

    Attributes:
        name: in tables.
        version: of the library.
        adapter: ``module:class`` of an `Adapter`, imported in the engine's process.
        source: what the adapter is built from.
    """

    name: str
    version: str
    adapter: str
    source: Source = field(default_factory=dict)


def engines_for(loaded: Loaded, folder: Path) -> list[Engine]:
    """Return the engines to try: the reference library first, toktk's if it has one, then peers.

    A peer that is installed is always tried; whether it can load the tokenizer shows in its process.

    Args:
        loaded: a tokenizer.
        folder: empty; files that the engines read are written there.

    Raises:
        FormatError: the reference library is none that can be timed.
        StorageError: a file cannot be written.
    """
    reference = _reference(loaded, folder)
    engines = [reference]
    if loaded.native is not None:
        spec = f"timed={loaded.spec}"  # a label, lest a = in the path is taken for one
        engines.append(Engine("toktk", __version__, _adapter(Native), {"spec": spec}))
    if gigatoken := _version("gigatoken"):
        source = {"format": reference.name, **reference.source}
        engines.append(Engine("gigatoken", gigatoken, _adapter(Gigatoken), source))
    # There is another package named quicktok, which trains but has nothing to do with this one.
    quicktok, shipped = _version("quicktok-v1"), _quicktok_source(reference, folder)
    if quicktok and shipped:
        engines.append(Engine("quicktok", quicktok, _adapter(Quicktok), shipped))
    return engines


def _adapter(kind: type[Adapter]) -> str:
    return f"{kind.__module__}:{kind.__name__}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _reference(loaded: Loaded, folder: Path) -> Engine:
    """Return the library that a tokenizer belongs to, with the tokenizer in a file of the library's."""
    model: Any = loaded.reference.model
    if model.kind == "hf-documents":
        path = _written(folder / "tokenizer.json", model.document.encode())
        return _library("tokenizers", HuggingFace, path)
    if model.kind == "sentencepiece-documents":
        path = _written(folder / "tokenizer.model", model.proto)
        return _library("sentencepiece", SentencePiece, path)
    if model.kind == "tiktoken-documents":
        # Named after the encoding: gigatoken and quicktok know some by name only.
        stem = Path(loaded.spec.rpartition(":")[2]).name.removesuffix(".tiktoken") or "tokenizer"
        ranked = sorted(model.ranks.items(), key=lambda item: item[1])
        lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranked]
        path = _written(folder / f"{stem}.tiktoken", b"".join(lines))
        special = dict(model.special)
        return _library("tiktoken", Tiktoken, path, pattern=model.pattern, special_tokens=special)
    raise FormatError(f"cannot time {loaded.label}.", f"Found: a model of kind {model.kind!r}.")


def _library(name: str, adapter: type[Adapter], path: str, **source: Any) -> Engine:
    return Engine(name, _version(name), _adapter(adapter), {"path": path, **source})


def _written(path: Path, contents: bytes) -> str:
    with atomic_write(path) as temporary:
        temporary.write_bytes(contents)
    return str(path)


def _quicktok_source(reference: Engine, folder: Path) -> dict[str, str] | None:
    path = str(reference.source["path"])
    if reference.name == "tokenizers":
        return {"name": "timed", "folder": str(folder / "quicktok"), "path": path}
    if reference.name == "tiktoken" and (stem := Path(path).stem) in _SHIPPED:
        return {"name": stem, "folder": ""}
    return None


class Adapter:
    """One tokenizer in one engine. ``Class(source, jobs)`` builds it, which is timed.

    `encode` is timed as well, but neither what it is given (`take`) nor how its output becomes ids (`ids`).

    Attributes:
        imports: modules that are loaded before the clock starts.
        call: what is timed.
        loads: what of loading was done before the clock starts; empty if nothing.
        encode: encodes what `take` returned.
    """

    imports: ClassVar[tuple[str, ...]]
    call: ClassVar[str]
    loads: ClassVar[str] = ""
    encode: Callable[[Any], Any]

    @staticmethod
    def prepare(source: Source) -> None:
        """Do what is done once, like installing: this is not loading."""

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return documents in the form this engine likes best: most like strings."""
        return [document.decode() for document in _documents(data, offsets)]

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return what `encode` returned as uint32 of all documents, and int64[D + 1] offsets."""
        return _flat(output)


class Native(Adapter):
    """toktk's own, from its spec string; from the second time on, from toktk's cache of the file."""

    imports = ("numba", "toktk.loading.load", "toktk.encoder", "toktk.models.pairs")
    call = "Tokenizer.encode_batch((data, offsets)) to flat ids"
    loads = "from what toktk keeps of a file it has parsed"

    def __init__(self, source: Source, jobs: int) -> None:
        from toktk.loading.load import open_tokenizer

        loaded = open_tokenizer(source["spec"])
        if loaded.native is None:
            raise FormatError("toktk has no engine of its own for this tokenizer.", loaded.why)
        self.encode = functools.partial(loaded.native.encode_batch, jobs=jobs)

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return the buffers as they are."""
        return data, offsets

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return the flat ids as they are."""
        ids, offsets = output
        return ids, offsets


class HuggingFace(Adapter):
    """Hugging Face tokenizers, from a ``tokenizer.json``."""

    imports = ("tokenizers",)
    call = "Tokenizer.encode_batch_fast(list of str) to Encodings"

    def __init__(self, source: Source, jobs: int) -> None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(source["path"])
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.encode = functools.partial(tokenizer.encode_batch_fast, add_special_tokens=False)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Read them out of the library's own objects."""
        return _flat([encoding.ids for encoding in output])


class Tiktoken(Adapter):
    """tiktoken, from ranks in a ``.tiktoken`` file and the pattern."""

    imports = ("tiktoken", "tiktoken.load")
    call = "Encoding.encode_ordinary_batch(list of str) to lists"

    def __init__(self, source: Source, jobs: int) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        encoding = tiktoken.Encoding(
            "timed",
            pat_str=source["pattern"],
            mergeable_ranks=load_tiktoken_bpe(source["path"]),
            special_tokens=source["special_tokens"],
        )
        self.encode = functools.partial(encoding.encode_ordinary_batch, num_threads=jobs)


class SentencePiece(Adapter):
    """SentencePiece, from a ``.model`` file."""

    imports = ("sentencepiece",)
    call = "SentencePieceProcessor.encode(list of str) to lists"

    def __init__(self, source: Source, jobs: int) -> None:
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_file=source["path"])
        self.encode = functools.partial(processor.encode, out_type=int, num_threads=jobs)


class Gigatoken(Adapter):
    """gigatoken, from the same file as the reference library, or by the encoding's name."""

    imports = ("gigatoken", "awkward")
    call = "Tokenizer.encode_batch(list of bytes) to an awkward Array"

    def __init__(self, source: Source, jobs: int) -> None:
        from gigatoken import Tokenizer

        build: dict[str, Any] = {
            "tokenizers": Tokenizer,
            "tiktoken": Tokenizer.from_tiktoken,  # the pattern by the file's name, or not at all
            "sentencepiece": Tokenizer.from_sentencepiece,
        }
        tokenizer = build[source["format"]](source["path"])
        self.encode = functools.partial(tokenizer.encode_batch, parallel=jobs > 1)

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return bytes: strings cost it more."""
        return _documents(data, offsets)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Read them out of the array."""
        import awkward

        return awkward.to_numpy(awkward.flatten(output)), offsets_of(
            awkward.to_numpy(awkward.num(output))
        )


class Quicktok(Adapter):
    """quicktok, by the name of an encoding that it ships, or from a ``tokenizer.json`` it can import."""

    imports = ("quicktok",)
    call = "Tokenizer.encode_batch(list of str) to flat ids"
    loads = "from its own format: the file was imported before"

    def __init__(self, source: Source, jobs: int) -> None:
        import quicktok

        tokenizer = quicktok.Tokenizer(source["name"], source["folder"])
        self.encode = lambda documents: tokenizer.encode_batch(documents, jobs, False)

    @staticmethod
    def prepare(source: Source) -> None:
        """Import the file into quicktok's own format."""
        folder = Path(source["folder"])
        if source["folder"] and not folder.exists():
            import quicktok

            folder.mkdir()
            quicktok.import_tokenizer(source["path"], source["name"], source["folder"])

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return the flat ids as they are."""
        ids, offsets = output
        return ids, offsets


def _documents(data: Bytes, offsets: Int64) -> list[bytes]:
    raw = data.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(offsets.tolist())]


def _flat(documents: Sequence[Sequence[int]]) -> tuple[Ids, Int64]:
    ids = np.fromiter(itertools.chain.from_iterable(documents), dtype=np.uint32)
    return ids, offsets_of([len(document) for document in documents])
