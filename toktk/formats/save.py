"""A tokenizer as a folder of standard files, and from one standard file to another."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from toktk.errors import FormatError
from toktk.formats.fields import NotNative, Parts, read_bytes
from toktk.formats.hf_write import write_tokenizer_json
from toktk.formats.read import file_of, format_of, read
from toktk.formats.sentencepiece import by_pieces, sentencepiece_notes, write_sentencepiece
from toktk.formats.tiktoken import Agreement, agreement, arguments_path, write_tiktoken
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.pretokenizer import Pretokenizer


@runtime_checkable
class LibraryModel(Protocol):
    """A model that a library runs, and that is written as that library's file alone."""

    def write(self, folder: Path, name: str) -> Path:
        """Write the file, and return its path."""


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
            "tiktoken": asdict(self.tiktoken) if self.tiktoken else None,
            "notes": list(self.notes),
        }


def save(name: str, pretokenizer: Pretokenizer, model: Model, folder: Path) -> Saved:
    """Write ``tokenizer.json`` and what else can hold a tokenizer: ``<name>.tiktoken`` or ``.model``.

    With byte fallback, ``.model`` alone will do; otherwise FormatError says what ``tokenizer.json`` lacks.
    """
    stem = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "tokenizer"
    if isinstance(model, LibraryModel):
        path = model.write(folder, stem)
        return Saved((path,), None, ("no .tiktoken: the model runs on its library.",))
    paths = [folder / "tokenizer.json"]
    ranks, proto = folder / f"{stem}.tiktoken", folder / f"{stem}.model"
    # What an earlier tokenizer of this name left here would not belong to this one.
    _remove(*targets(ranks), proto)
    has_fallback = isinstance(model, UnigramModel) and model.fallback is not None
    if has_fallback:
        paths.append(proto)
    if isinstance(model, BpeModel):
        paths.append(ranks)
    files: list[Path] = []
    notes: list[str] = []
    refused: list[FormatError] = []
    for path in paths:
        try:
            notes += _write(name, pretokenizer, model, path)
        except FormatError as error:
            if not (files or has_fallback):
                raise
            refused.append(error)
            _remove(path)
        else:
            files += targets(path)
    if not files:
        raise refused[0]
    agrees = agreement(model) if isinstance(model, BpeModel) and ranks in files else None
    return Saved(tuple(files), agrees, (*notes, *map(str, refused)))


def _remove(*paths: Path) -> None:
    with contextlib.suppress(OSError):
        for path in paths:
            path.unlink(missing_ok=True)


def read_to_convert(path: Path) -> tuple[Parts, tuple[str, ...]]:
    """Read a file of any of the formats, or a folder that holds one, in a form that others can hold.

    Returns:
        Pretokenizer and model, and where its ids can differ from those of the library that owns the format.
    """
    path = file_of(path)
    raw = read_bytes(path)
    format = format_of(raw, path)
    try:
        parts = read(raw, path, format)
    except NotNative as reason:
        remark = "toktk leaves that to the file's library."
        raise FormatError(f"cannot convert {path}.", f"Found: {reason}.", remark) from reason
    if format != "sentencepiece":
        return parts, ()
    pretokenizer, model = by_pieces(raw, path, parts)
    notes = sentencepiece_notes(model) if isinstance(model, UnigramModel) else ()
    return (pretokenizer, model), notes


def write_as(
    pretokenizer: Pretokenizer, model: Model, path: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write a tokenizer in the format that the suffix of `path` names, or raise FormatError.

    Returns:
        The files, and where ids can differ in the library that owns the format.
    """
    if path.suffix == ".tiktoken" and isinstance(model, BpeModel):
        agrees = agreement(model)
        if not agrees.proven:
            raise FormatError(
                "cannot write .tiktoken: tiktoken would give other ids.",
                f"Found: {agrees.tokens:,} tokens that do not encode to themselves, "
                f"{agrees.repeated:,} merges that spell a token anew.",
            )
    return targets(path), _write(path.stem, pretokenizer, model, path)


def _write(name: str, pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Write a tokenizer in the format that the suffix names; return where ids can differ."""
    if path.suffix == ".json":
        return write_tokenizer_json(pretokenizer, model, path)
    if path.suffix == ".model":
        return write_sentencepiece(pretokenizer, model, path)
    if path.suffix == ".tiktoken":
        write_tiktoken(name, pretokenizer, model, path)
        return ()
    known = "tokenizer.json, x.model, x.tiktoken"
    raise FormatError(f"cannot tell the format of {path}.", f"Known are: {known}.")


def targets(path: Path) -> tuple[Path, ...]:
    """Return the files that `write_as` would write."""
    return (path, arguments_path(path)) if path.suffix == ".tiktoken" else (path,)
