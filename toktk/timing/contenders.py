"""Which engines can be tried on a tokenizer, and where each finds it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk import __version__
from toktk.errors import FormatError
from toktk.paths import atomic_write

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

_ENGINES = "toktk.timing.engines:"
_SHIPPED = ("cl100k_base", "o200k_base", "o200k_harmony")  # with quicktok


@dataclass(frozen=True, eq=False)
class Contender:
    """An engine with a tokenizer.

    Attributes:
        engine: its name in tables.
        version: of the library.
        adapter: ``module:class`` of a `toktk.timing.engines.Engine`, imported in the child.
        source: JSON-able; what the class is built from.
    """

    engine: str
    version: str
    adapter: str
    source: Mapping[str, Any] = field(default_factory=dict)


def contenders(loaded: Loaded, folder: Path) -> list[Contender]:
    """Return the engines to try: the reference library first, toktk's if it has one, then peers.

    A peer that is installed is always tried; whether it can load the tokenizer shows in its child.

    Args:
        loaded: a tokenizer.
        folder: empty; files that the engines read are written there.

    Raises:
        FormatError: the reference library is none that can be timed.
        StorageError: a file cannot be written.
    """
    model: Any = loaded.reference.model
    write = {
        "hf-documents": _tokenizer_json,
        "tiktoken-documents": _tiktoken,
        "sentencepiece-documents": _sentencepiece,
    }.get(model.kind)
    if write is None:
        raise FormatError(f"cannot time {loaded.label}.", f"Found: a model of kind {model.kind!r}.")
    reference = write(model, _stem(loaded.spec), folder)
    found = [reference]
    if loaded.native is not None:
        spec = {"spec": f"timed={loaded.spec}"}  # a label, lest a = in the path is taken for one
        found.append(Contender("toktk", __version__, f"{_ENGINES}Native", spec))
    source = {"format": reference.engine, **reference.source}
    if gigatoken := _version("gigatoken"):
        found.append(Contender("gigatoken", gigatoken, f"{_ENGINES}Gigatoken", source))
    # There is another package named quicktok, which trains but has nothing to do with this one.
    quicktok = _version("quicktok-v1")
    where = _quicktok_source(reference, folder)
    if quicktok and where:
        found.append(Contender("quicktok", quicktok, f"{_ENGINES}Quicktok", where))
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _stem(spec: str) -> str:
    """Return the name of an encoding: gigatoken and quicktok know some by name only."""
    return Path(spec.rpartition(":")[2]).name.removesuffix(".tiktoken") or "tokenizer"


def _tokenizer_json(model: Any, stem: str, folder: Path) -> Contender:
    path = folder / "tokenizer.json"
    with atomic_write(path) as temporary:
        temporary.write_text(model.document, encoding="utf-8", newline="\n")
    source = {"path": str(path)}
    return Contender("tokenizers", _version("tokenizers"), f"{_ENGINES}HuggingFace", source)


def _tiktoken(model: Any, stem: str, folder: Path) -> Contender:
    path = folder / f"{stem}.tiktoken"
    ranked = sorted(model.ranks.items(), key=lambda item: item[1])
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(t), i) for t, i in ranked))
    source = {
        "path": str(path),
        "pattern": model.pattern,
        "special_tokens": dict(model.special),
    }
    return Contender("tiktoken", _version("tiktoken"), f"{_ENGINES}Tiktoken", source)


def _sentencepiece(model: Any, stem: str, folder: Path) -> Contender:
    path = folder / "tokenizer.model"
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.proto)
    source = {"path": str(path)}
    return Contender("sentencepiece", _version("sentencepiece"), f"{_ENGINES}SentencePiece", source)


def _quicktok_source(reference: Contender, folder: Path) -> dict[str, str] | None:
    if reference.engine == "tokenizers":
        path = str(reference.source["path"])
        return {"name": "timed", "folder": str(folder / "quicktok"), "path": path}
    if reference.engine == "tiktoken" and (stem := Path(reference.source["path"]).stem) in _SHIPPED:
        return {"name": stem, "folder": ""}
    return None
