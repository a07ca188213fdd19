"""A tokenizer as a folder of standard files."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.errors import FormatError
from toktk.formats.sentencepiece import write_sentencepiece
from toktk.formats.tiktoken import Agreement, agreement, write_tiktoken
from toktk.formats.tokenizer_json import write_tokenizer_json
from toktk.libraries.huggingface import HfModel
from toktk.libraries.sentencepiece import SentencePieceModel
from toktk.models.bpe import BpeModel
from toktk.models.unigram import UnigramModel

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable
    from toktk.tokenizer import Tokenizer


@dataclass(frozen=True)
class Saved:
    """What was written, and what was found out about it.

    Attributes:
        files: in the order written.
        tiktoken: whether tiktoken gives the same ids; None if it has no file.
        notes: why a format was left out, and where ids can differ in another.
    """

    files: tuple[Path, ...]
    tiktoken: Agreement | None
    notes: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Return file names, agreement and notes, for run.json."""
        return {
            "files": [path.name for path in self.files],
            "tiktoken": self.tiktoken.describe() if self.tiktoken else None,
            "notes": list(self.notes),
        }


def save(tokenizer: Tokenizer, folder: Path, pieces: PieceTable | None = None) -> Saved:
    """See `toktk.tokenizer.Tokenizer.save`."""
    if isinstance(tokenizer.model, HfModel | SentencePieceModel):
        path = tokenizer.model.write(folder, _file_name(tokenizer.name))
        return Saved((path,), None, ("no .tiktoken: the model runs on its library.",))
    path = folder / "tokenizer.json"
    named = folder / _file_name(tokenizer.name)
    ranks = named.with_name(f"{named.name}.tiktoken")
    proto = named.with_name(f"{named.name}.model")
    # What an earlier tokenizer of this name left here would not belong to this one.
    _remove(ranks, ranks.with_name(f"{ranks.name}.json"), proto)
    model = tokenizer.model
    if isinstance(model, UnigramModel) and model.fallback is not None:
        return _save_with_fallback(tokenizer, path, proto)
    notes = write_tokenizer_json(tokenizer, path)
    if not isinstance(model, BpeModel):
        return Saved((path,), None, notes)
    try:
        files = write_tiktoken(tokenizer, ranks)
    except FormatError as error:
        return Saved((path,), None, (*notes, str(error)))
    return Saved((path, *files), agreement(tokenizer, pieces), notes)


def _save_with_fallback(tokenizer: Tokenizer, path: Path, proto: Path) -> Saved:
    """Write tokenizer.json and .model, or the one that can hold it."""
    files: list[Path] = []
    notes: list[str] = []
    refused: list[FormatError] = []
    for file, write in ((path, write_tokenizer_json), (proto, write_sentencepiece)):
        try:
            notes += write(tokenizer, file)
        except FormatError as error:
            refused.append(error)
            _remove(file)
        else:
            files.append(file)
    if not files:
        raise refused[0]
    return Saved(tuple(files), None, (*notes, *map(str, refused)))


def _remove(*paths: Path) -> None:
    with contextlib.suppress(OSError):
        for path in paths:
            path.unlink(missing_ok=True)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "tokenizer"
