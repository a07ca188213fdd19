"""The engines that can be timed: toktk and the libraries that encode, each called as its own users call it.

An `Engine` says what to run, in the parent; an `Adapter` runs it, in a process of its own. The
adapter is built from a source, a JSON-able mapping that says where the tokenizer is.
"""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Callable
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

Source = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Engine:
    """toktk or a library, with a tokenizer.

    Attributes:
        adapter: ``module:class`` of an `Adapter`, imported in the engine's process.
        source: what the adapter is built from.
    """

    name: str
    version: str
    adapter: str
    source: Source = field(default_factory=dict)


def engines_for(loaded: Loaded, folder: Path) -> list[Engine]:
    """Return the engines to try: the reference library first, toktk's if it has one, then peers.

    A peer that is installed is always tried; whether it can load the tokenizer shows in its
    process. Files that the engines read are written to `folder`, which is empty. A reference
    library that cannot be timed is a FormatError.

    Raises:
        FormatError: the reference library is none that can be timed.
    """
    reference = _reference(loaded, folder)
    engines = [reference]
    if loaded.native is not None:
        spec = f"timed={loaded.spec}"  # a label, lest a = in the path is taken for one
        engines.append(_engine("toktk", __version__, Native, spec=spec))
    if gigatoken := _version("gigatoken"):
        source = {"format": reference.name, **reference.source}
        engines.append(_engine("gigatoken", gigatoken, Gigatoken, **source))
    # There is another package named quicktok, which trains but has nothing to do with this one.
    if quicktok := _version("quicktok-v1"):
        path = reference.source["path"]
        if reference.name == "tokenizers":
            source = {"name": "timed", "folder": str(folder / "quicktok"), "path": path}
            engines.append(_engine("quicktok", quicktok, Quicktok, **source))
        elif reference.name == "tiktoken" and (stem := Path(path).stem) in _SHIPPED:
            engines.append(_engine("quicktok", quicktok, Quicktok, name=stem, folder=""))
    return engines


def versions() -> dict[str, str]:
    """Return the versions of what may be timed; empty for what is not installed."""
    libraries = ("tokenizers", "tiktoken", "sentencepiece", "gigatoken", "quicktok-v1")
    return {package: _version(package) for package in libraries}


def _engine(engine: str, version: str, adapter: type[Adapter], **source: Any) -> Engine:
    return Engine(engine, version, f"{adapter.__module__}:{adapter.__name__}", source)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _reference(loaded: Loaded, folder: Path) -> Engine:
    """Return the library that a tokenizer belongs to, with the tokenizer in a file of its own format."""
    model: Any = loaded.reference.model
    adapter: type[Adapter]
    source: Source = {}
    if model.kind == "hf-documents":
        library, adapter = "tokenizers", HuggingFace
        file, contents = "tokenizer.json", model.document.encode()
    elif model.kind == "sentencepiece-documents":
        library, adapter = "sentencepiece", SentencePiece
        file, contents = "tokenizer.model", model.proto
    elif model.kind == "tiktoken-documents":
        library, adapter = "tiktoken", Tiktoken
        # Named after the encoding: gigatoken and quicktok know some by name only.
        stem = Path(loaded.spec.rpartition(":")[2]).name.removesuffix(".tiktoken") or "tokenizer"
        ranked = sorted(model.ranks.items(), key=lambda item: item[1])
        lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranked]
        file, contents = f"{stem}.tiktoken", b"".join(lines)
        source = {"pattern": model.pattern, "special_tokens": dict(model.special)}
    else:
        raise FormatError(f"cannot time {loaded.label}.", f"Found: a model of kind {model.kind!r}.")
    with atomic_write(folder / file) as temporary:
        temporary.write_bytes(contents)
    return _engine(library, _version(library), adapter, path=str(folder / file), **source)


class Adapter:
    """One tokenizer in one engine. ``Class(source, jobs)`` builds it, which is timed.

    `encode`, which gets what `take` returned, is timed as well; neither `take` nor `ids` is.

    Attributes:
        imports: modules that are loaded before the clock starts.
        loads: what of loading was done before the clock starts; empty if nothing.
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
        flat = np.fromiter(itertools.chain.from_iterable(output), dtype=np.uint32)
        return flat, offsets_of([len(ids) for ids in output])


class _Flat(Adapter):
    """An engine that returns flat ids."""

    def ids(self, output: tuple[Ids, Int64]) -> tuple[Ids, Int64]:
        """Return them as they are."""
        return output


class Native(_Flat):
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
        """Return the buffers."""
        return data, offsets


class HuggingFace(Adapter):
    """Hugging Face tokenizers, from a ``tokenizer.json``."""

    imports = ("toktk.hf_library",)
    call = "Tokenizer.encode_batch_fast(list of str) to Encodings"

    def __init__(self, source: Source, jobs: int) -> None:
        from toktk.hf_library import Tokenizer

        tokenizer = Tokenizer.from_file(source["path"])
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if getattr(tokenizer.model, "dropout", None):
            tokenizer.model.dropout = None  # is for training
        self.encode = functools.partial(tokenizer.encode_batch_fast, add_special_tokens=False)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Read them out of the library's own objects."""
        return super().ids([encoding.ids for encoding in output])


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

        lengths = awkward.to_numpy(awkward.num(output))
        return awkward.to_numpy(awkward.flatten(output)), offsets_of(lengths)


class Quicktok(_Flat):
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
        if source["folder"] and not Path(source["folder"]).exists():
            import quicktok

            Path(source["folder"]).mkdir()
            quicktok.import_tokenizer(source["path"], source["name"], source["folder"])


def _documents(data: Bytes, offsets: Int64) -> list[bytes]:
    raw = data.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(offsets.tolist())]
