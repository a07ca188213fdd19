"""Tokenizers that were read before, so that a file is parsed once: by the hash of what it holds."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toktk import paths
from toktk.errors import StorageError, ToktkError
from toktk.models.model import is_storable, model_from_arrays
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

_ROOMS = ("kernels", "normalizers", "pretokenizers", "tokenizer")


@dataclass(frozen=True, eq=False)
class Parsed:
    """What reading a file gave.

    Attributes:
        format: which reader it was.
        native: toktk's tokenizer, or None.
        why: why there is none.
    """

    format: str
    native: Tokenizer | None
    why: str


@functools.cache
def code_version() -> str:
    """Return a hash of all code that decides what ids a file gives: what is kept ends with it."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for room in _ROOMS:
        for source in sorted((package / room).rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def read_parsed(source: str, name: str) -> Parsed | None:
    """Return what was kept for the contents whose sha256 is `source`; None where that is nothing.

    A damaged file counts as none.
    """
    try:
        with _path(source).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            arrays = {key: stored[key] for key in stored.files if key != "about"}
        if about["kind"] is None:
            return Parsed(str(about["format"]), None, str(about["why"]))
        pretokenizer = Pretokenizer.from_json(about["pretokenizer"])
        model = model_from_arrays(about["kind"], arrays)
        return Parsed(str(about["format"]), Tokenizer(name, pretokenizer, model), "")
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, ToktkError):
        return None
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError, RuntimeError):
        return None  # RuntimeError: what zipfile does not do


def write_parsed(source: str, parsed: Parsed) -> None:
    """Keep `parsed` for the contents whose sha256 is `source`, where there is a place to."""
    native = parsed.native
    if native is not None and not is_storable(native.model):
        return
    about = {
        "format": parsed.format,
        "why": parsed.why,
        "kind": native.model.kind if native else None,
        "pretokenizer": native.pretokenizer.to_json() if native else None,
    }
    arrays = dict(native.model.to_arrays()) if native else {}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    with (
        contextlib.suppress(StorageError),
        paths.atomic_write(_path(source)) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(file, allow_pickle=False, **arrays)


def _path(source: str) -> Path:
    return paths.home() / "tokenizers" / f"{source}-{code_version()}.npz"
