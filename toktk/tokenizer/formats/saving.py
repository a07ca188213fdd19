"""A tokenizer as a folder of standard files."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.errors import FormatError
from toktk.tokenizer.formats.tiktoken import Agreement, agreement, write_tiktoken
from toktk.tokenizer.formats.tokenizer_json import write_tokenizer_json

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable
    from toktk.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Saved:
    """What was written, and what was found out about it.

    Attributes:
        files: in the order written.
        tiktoken: whether tiktoken gives the same ids; None if it has no file.
        notes: why a format was left out.
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
    """See `toktk.tokenizer.tokenizer.Tokenizer.save`."""
    files = [folder / "tokenizer.json"]
    write_tokenizer_json(tokenizer, files[0])
    ranks = folder / f"{_file_name(tokenizer.name)}.tiktoken"
    try:
        files += write_tiktoken(tokenizer, ranks)
    except FormatError as error:
        # What an earlier tokenizer of this name left here would not belong to this one.
        with contextlib.suppress(OSError):
            ranks.unlink(missing_ok=True)
            ranks.with_name(f"{ranks.name}.json").unlink(missing_ok=True)
        return Saved(tuple(files), None, (str(error),))
    return Saved(tuple(files), agreement(tokenizer, pieces), ())


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "tokenizer"
