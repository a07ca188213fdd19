"""From one standard file to another, where every id stays the same."""

from __future__ import annotations

from pathlib import Path

from toktk.errors import FormatError
from toktk.formats.sentencepiece import (
    read_sentencepiece,
    sentencepiece_notes,
    write_sentencepiece,
)
from toktk.formats.tiktoken import agreement, read_tiktoken, write_tiktoken
from toktk.formats.tokenizer_json import read_tokenizer_json, write_tokenizer_json
from toktk.models.unigram import UnigramModel
from toktk.tokenizer import Tokenizer

_KNOWN = "tokenizer.json, x.model, x.tiktoken"


def read_tokenizer(path: Path) -> tuple[Tokenizer, tuple[str, ...]]:
    """Read a file of any of the formats, or a folder that holds one.

    Of a folder's files ``tokenizer.json`` is read, or else the only one.

    Returns:
        The tokenizer, and where its ids can differ from those of the library that owns the format.

    Raises:
        FormatError: nothing there can be read; the error names the field.
    """
    path = _chosen(path)
    if path.suffix == ".json":
        name = None if path.name == "tokenizer.json" else path.stem
        return read_tokenizer_json(path, name), ()
    if path.suffix == ".tiktoken":
        return read_tiktoken(path), ()
    if path.suffix != ".model":
        raise FormatError(f"cannot tell the format of {path}.", f"Known are: {_KNOWN}.")
    tokenizer = read_sentencepiece(path)
    model = tokenizer.model
    return tokenizer, sentencepiece_notes(model) if isinstance(model, UnigramModel) else ()


def write_as(tokenizer: Tokenizer, path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write `tokenizer` in the format that the suffix of `path` names.

    Returns:
        The files, and where ids can differ in the library that owns the format.

    Raises:
        FormatError: the format cannot hold it with the ids it gives.
        StorageError: a file cannot be written.
    """
    if path.suffix == ".json":
        return (path,), write_tokenizer_json(tokenizer, path)
    if path.suffix == ".model":
        return (path,), write_sentencepiece(tokenizer, path)
    if path.suffix != ".tiktoken":
        raise FormatError(f"cannot tell the format of {path}.", f"Known are: {_KNOWN}.")
    found = agreement(tokenizer)
    if not found.proven:
        raise FormatError(
            "cannot write .tiktoken: tiktoken would give other ids.",
            f"Found: {found.tokens:,} tokens that do not encode to themselves, "
            f"{found.repeated:,} merges that spell a token anew.",
        )
    return write_tiktoken(tokenizer, path), ()


def targets(path: Path) -> tuple[Path, ...]:
    """Return the files that `write_as` would write."""
    beside = path.with_name(f"{path.name}.json")
    return (path, beside) if path.suffix == ".tiktoken" else (path,)


def _chosen(path: Path) -> Path:
    if path.name.endswith(".tiktoken.json"):
        return path.with_name(path.name.removesuffix(".json"))
    if not path.is_dir():
        return path
    if (path / "tokenizer.json").exists():
        return path / "tokenizer.json"
    found = sorted([*path.glob("*.model"), *path.glob("*.tiktoken")])
    if len(found) != 1:
        raise FormatError(
            f"cannot choose a tokenizer in {path}.",
            f"Found: {', '.join(one.name for one in found) or 'none'}.",
            f"Known are: {_KNOWN}.",
        )
    return found[0]
