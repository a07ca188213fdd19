"""run.json: what a run says of itself, written with its own hash and read with every field checked."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toktk.cache import digest
from toktk.errors import StorageError
from toktk.names import trouble_with
from toktk.paths import atomic_write
from toktk.report.records import OLDEST, SCHEMA
from toktk.shapes import misfit, parse
from toktk.visible import json_text

NAME = "run.json"
RESULTS = "results.parquet"
"""The figures; the timings of a bench too, once they are taken."""

DOCUMENTS = "documents.parquet"
"""Counts of the documents that intervals rest on."""

CURVES = "curves.parquet"
"""Tokens of each family and group at many sizes."""

TOKEN_COUNTS = "token-counts.parquet"
"""How often each token occurs in the text."""

PAGE = "report.html"
"""What people look at. It is made from the others, so run.json does not record it."""

LINES = "training-lines.bin"  # by what the text that a run trained on is recognized
OVERWRITE = "Choose another folder with -o, or overwrite it with --force."

_SPECIAL = {
    "occurrences": {...: int},
    "names": int,
    "n": int,
    "as_text": (int, None),
    "found": (int, None),
}
_UNSEEN = {"documents": int, "bytes_per_token": (float, None)}
_FILES = {...: {"size": int, "sha256": str}}
_HEAD = {"schema": int, "toktk": str, "signature": str}
_TIMING = {
    "tokenizer": str,
    "engine": str,
    "version": str,
    "threads": int,
    "what": str,
    "value": (float, None),
    "low": (float, None),
    "high": (float, None),
    "unit": str,
    "n": (int, None),
    "note": str,
    "verified": bool,
    "busy": bool,
}
_TOKENIZER = {
    "size": (int, None),
    "pretokenizer": (str, None),
    "folder?": (str, None),
    "files?": [str],
}
_COST = {"step": str, "wall": float, "peak_memory": (int, None), "reused": bool}
_TRAINING = {"groups?": [str]}
_SHAPE = {
    **_HEAD,
    "verb?": str,
    "training?": (_TRAINING, None),
    "evaluation": (dict, None),
    "tokenizers": {...: _TOKENIZER},
    "failed": {...: str},
    "steps": [_COST],
    "files?": _FILES,
    "lacking?": {...: [str]},
    "overlap?": {...: {"share": float, "estimated": bool, "unseen?": _UNSEEN}},
    "special_tokens?": {...: _SPECIAL},
    "throughput?": {"asked": dict, "timings": [_TIMING]},
}


def read_document(folder: Path) -> dict[str, Any] | None:
    """Return run.json of a run directory, checked; None where there is none.

    Raises:
        StorageError: it cannot be read, is of another version, or a field is not what it should be.
    """
    file = folder / NAME
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise StorageError(f"cannot read {file}.", "Found: it is no regular file.", OVERWRITE)
        document = parse(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {file}.", f"Found: {error}.", OVERWRITE) from error
    wrong = misfit(document, _HEAD)
    if not wrong and document["schema"] not in range(OLDEST, SCHEMA + 1):
        raise StorageError(
            f"{folder} holds a run that this toktk does not read.",
            f"Found: schema {document['schema']}, by toktk {document['toktk']}; readable are schemas "
            f"{OLDEST} to {SCHEMA}.",
            OVERWRITE,
        )
    wrong = wrong or misfit(document, _SHAPE) or next(_odd_labels(document["tokenizers"]), "")
    if wrong:
        raise StorageError(f"{file} is damaged.", f"Found: {wrong}.", OVERWRITE)
    checked: dict[str, Any] = document
    return checked


def _odd_labels(tokenizers: dict[str, Any]) -> Iterator[str]:
    for label, tokenizer in tokenizers.items():
        if trouble := trouble_with(label):
            yield f"the tokenizer {label!r}: {trouble}"
        if tokenizer.get("folder") not in (None, f"tokenizers/{label}"):
            yield f"the tokenizer {label!r} has the folder {tokenizer['folder']!r}"


def recorded_files(document: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the files that a run wrote, by relative path, with size and sha256.

    None at all where one is not where a run writes files: such a list is not from here.
    """
    files = (document or {}).get("files")
    if misfit(files, _FILES) or not all(map(_is_written_by_runs, files or {})):
        return {}
    return dict(files or {})


def _is_written_by_runs(name: str) -> bool:
    parts = name.split("/")
    in_place = len(parts) == 3 and parts[0] == "tokenizers" and not any(map(trouble_with, parts))
    return in_place or name in (RESULTS, DOCUMENTS, CURVES, TOKEN_COUNTS, LINES)


def is_as_written(document: dict[str, Any]) -> bool:
    """Return whether a document is what `write_document` wrote, to the digit."""
    return document.get("digest") == _digest(document)


def write_document(folder: Path, document: dict[str, Any]) -> None:
    """Write run.json into a folder, with a hash of its contents.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    plain = json.loads(json.dumps(document, default=str))
    plain["digest"] = _digest(plain)
    text = json_text(plain, indent=2) + "\n"
    with atomic_write(folder / NAME) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _digest(document: dict[str, Any]) -> str:
    return digest({name: value for name, value in document.items() if name != "digest"})
