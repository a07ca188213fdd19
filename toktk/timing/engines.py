"""The engines that are timed: each as its own users call it.

An engine is built from a source, a JSON-able mapping that says where its tokenizer is. What it is given
(`take`) and how its output becomes ids (`ids`) is outside the clock; `encode` is inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from toktk.errors import FormatError
from toktk.models.model import Bytes, Ids, Int64

Source = Mapping[str, Any]


class Engine(Protocol):
    """One tokenizer in one engine. ``Class(source, jobs)`` builds it, which is timed.

    Attributes:
        imports: modules that are loaded before the clock starts.
        call: what is timed.
        loads: what of loading was done before the clock starts; empty if nothing.
    """

    imports: ClassVar[tuple[str, ...]]
    call: ClassVar[str]
    loads: ClassVar[str]

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return documents in the form this engine likes best."""

    def encode(self, documents: Any) -> Any:
        """Encode what `take` returned."""

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return what `encode` returned as uint32 of all documents, and int64[D + 1] offsets."""


class Native:
    """toktk's own, from its spec string; from the second time on, from toktk's cache of the file."""

    imports = (
        "numba",
        "toktk.loading.load",
        "toktk.encoder",
        "toktk.models.pairs",
    )
    call = "Tokenizer.encode_batch((data, offsets)) to flat ids"
    loads = "from what toktk keeps of a file it has parsed"

    def __init__(self, source: Source, jobs: int) -> None:
        from toktk.loading.load import open_tokenizer

        loaded = open_tokenizer(source["spec"])
        if loaded.native is None:
            raise FormatError("toktk has no engine of its own for this tokenizer.", loaded.why)
        self._tokenizer: Any = loaded.native
        self._jobs = jobs

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return the buffers as they are."""
        return data, offsets

    def encode(self, documents: Any) -> Any:
        """Encode to flat ids."""
        return self._tokenizer.encode_batch(documents, jobs=self._jobs)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return them."""
        ids, offsets = output
        return ids, offsets


class HuggingFace:
    """Hugging Face tokenizers, from a ``tokenizer.json``."""

    imports = ("tokenizers",)
    call = "Tokenizer.encode_batch_fast(list of str) to Encodings"
    loads = ""

    def __init__(self, source: Source, jobs: int) -> None:
        from tokenizers import Tokenizer

        self._library = Tokenizer.from_file(source["path"])
        self._library.encode_special_tokens = True
        self._library.no_truncation()
        self._library.no_padding()

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return strings."""
        return _strings(data, offsets)

    def encode(self, documents: Any) -> Any:
        """Encode; the ids stay inside the library's own objects."""
        return self._library.encode_batch_fast(documents, add_special_tokens=False)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Read them out."""
        return _flat([encoding.ids for encoding in output])


class Tiktoken:
    """tiktoken, from ranks in a ``.tiktoken`` file and the pattern."""

    imports = ("tiktoken", "tiktoken.load")
    call = "Encoding.encode_ordinary_batch(list of str) to lists"
    loads = ""

    def __init__(self, source: Source, jobs: int) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        self._library = tiktoken.Encoding(
            "timed",
            pat_str=source["pattern"],
            mergeable_ranks=load_tiktoken_bpe(source["path"]),
            special_tokens=source["special_tokens"],
        )
        self._jobs = jobs

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return strings."""
        return _strings(data, offsets)

    def encode(self, documents: Any) -> Any:
        """Encode to lists of int."""
        return self._library.encode_ordinary_batch(documents, num_threads=self._jobs)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Flatten them."""
        return _flat(output)


class SentencePiece:
    """SentencePiece, from a ``.model`` file."""

    imports = ("sentencepiece",)
    call = "SentencePieceProcessor.encode(list of str) to lists"
    loads = ""

    def __init__(self, source: Source, jobs: int) -> None:
        from sentencepiece import SentencePieceProcessor

        self._library = SentencePieceProcessor(model_file=source["path"])
        self._jobs = jobs

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return strings."""
        return _strings(data, offsets)

    def encode(self, documents: Any) -> Any:
        """Encode to lists of int."""
        return self._library.encode(documents, out_type=int, num_threads=self._jobs)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Flatten them."""
        return _flat(output)


class Gigatoken:
    """gigatoken, from the same file as the reference library, or by the encoding's name."""

    imports = ("gigatoken", "awkward")
    call = "Tokenizer.encode_batch(list of bytes) to an awkward Array"
    loads = ""

    def __init__(self, source: Source, jobs: int) -> None:
        from gigatoken import Tokenizer

        build: dict[str, Any] = {
            "tokenizers": Tokenizer,
            "tiktoken": Tokenizer.from_tiktoken,  # the pattern by the file's name, or not at all
            "sentencepiece": Tokenizer.from_sentencepiece,
        }
        self._library = build[source["format"]](source["path"])
        self._parallel = jobs > 1

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return bytes: strings cost it more."""
        return _parts(data, offsets)

    def encode(self, documents: Any) -> Any:
        """Encode to the array that it returns."""
        return self._library.encode_batch(documents, parallel=self._parallel)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Read them out."""
        import awkward

        counts = awkward.to_numpy(awkward.num(output))
        flat = awkward.to_numpy(awkward.flatten(output))
        return flat, np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))


class Quicktok:
    """quicktok, by the name of an encoding that it ships, or from a ``tokenizer.json`` it can import."""

    imports = ("quicktok",)
    call = "Tokenizer.encode_batch(list of str) to flat ids"
    loads = "from its own format: the file was imported before"

    def __init__(self, source: Source, jobs: int) -> None:
        import quicktok

        self._library = quicktok.Tokenizer(source["name"], source["folder"])
        self._jobs = jobs

    @staticmethod
    def prepare(source: Source) -> None:
        """Import the file into quicktok's own format, once: like installing, this is not loading."""
        folder = Path(source["folder"])
        if source["folder"] and not folder.exists():
            import quicktok

            folder.mkdir()
            quicktok.import_tokenizer(source["path"], source["name"], source["folder"])

    def take(self, data: Bytes, offsets: Int64) -> Any:
        """Return strings."""
        return _strings(data, offsets)

    def encode(self, documents: Any) -> Any:
        """Encode to flat ids."""
        return self._library.encode_batch(documents, self._jobs, False)

    def ids(self, output: Any) -> tuple[Ids, Int64]:
        """Return them."""
        ids, offsets = output
        return ids, offsets


def _parts(data: Bytes, offsets: Int64) -> list[bytes]:
    raw = data.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(offsets.tolist())]


def _strings(data: Bytes, offsets: Int64) -> list[str]:
    return [part.decode() for part in _parts(data, offsets)]


def _flat(documents: Sequence[Sequence[int]]) -> tuple[Ids, Int64]:
    ids = np.fromiter(itertools.chain.from_iterable(documents), dtype=np.uint32)
    return ids, np.cumsum([0, *map(len, documents)], dtype=np.int64)
