"""What a user writes to name a tokenizer: ``tiktoken:o200k_base``, ``hf:org/name@rev``, a path.

Only finding what ``hf:`` and ``tiktoken:`` name asks the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toktk.errors import FormatError, did_you_mean, in_a_line
from toktk.formats.encodings import ENCODINGS
from toktk.formats.files import FOLDER_FILES, file_of
from toktk.formats.tiktoken import RankFile
from toktk.names import tidied, trouble_with

_LABEL = re.compile(r"(?P<label>[^/\\:=\s]+)=(?P<rest>.+)", re.DOTALL)
_HF = re.compile(r"(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>.+))?", re.ASCII)


@dataclass(frozen=True)
class Spec:
    """Where a tokenizer is.

    Attributes:
        text: what was written, without the label.
        label: what tables call it.
        source: ``hf``: a repository on the Hugging Face hub; ``tiktoken``: an encoding that the
            library knows; ``spm``: a SentencePiece model; ``path``: a file or a folder.
        target: the repository, the encoding or the path.
        revision: of the repository: a branch, a tag or a commit.
    """

    text: str
    label: str
    source: Literal["hf", "tiktoken", "spm", "path"]
    target: str
    revision: str | None = None


def parse_spec(text: str) -> Spec:
    """Return the parts of ``spec`` or ``label=spec``.

    A label has no ``/``, ``:``, ``=`` or white space, and could name a file on every system. A path
    that holds ``=`` and exists is a path. Nothing is opened.

    Raises:
        FormatError: an empty text, an odd label, or no such name, encoding, file or folder.
    """
    label = ""
    labeled = _LABEL.fullmatch(text)
    if labeled and not _exists(text):
        label, text = labeled["label"], labeled["rest"]
        if trouble := trouble_with(label):
            raise FormatError(
                f"a tokenizer cannot be called {label!r}.",
                f"Found: {trouble}.",
                "Write LABEL=SPEC with a label such as mine, or SPEC alone.",
            )
    kind, _, target = text.partition(":")
    if kind == "hf" and target:
        repository = _HF.fullmatch(target)
        if repository is None:
            raise FormatError(
                f"cannot understand {text!r}.", "Write hf:<org>/<name>, then if needed @<revision>."
            )
        name = repository["name"]
        return Spec(
            text, label or tidied(name.rpartition("/")[2]), "hf", name, repository["revision"]
        )
    if kind == "tiktoken" and target:
        if target not in ENCODINGS and target not in _encodings():
            raise _unknown(text, target)
        return Spec(text, label or tidied(target), "tiktoken", target)
    if kind == "spm" and target:
        if not _exists(target):
            raise FormatError(f"no SentencePiece model {target!r}.", "Found: no such file.")
        return Spec(text, label or _default_label(Path(target)), "spm", target)
    if not _exists(text):
        raise _unknown(text, target or text)
    return Spec(text, label or _default_label(Path(text)), "path", text)


def _default_label(path: Path) -> str:
    """Return the part of `path` that tells it apart: of a folder's usual file the folder's name."""
    return tidied(_distinctive(path))


def _distinctive(path: Path) -> str:
    path = path.expanduser()
    if path.name in FOLDER_FILES or path.name in ("", ".", ".."):
        path = path.resolve()
    if path.name in FOLDER_FILES and not path.is_dir():
        return path.parent.name or path.stem
    if path.suffix in (".json", ".model", ".tiktoken") and not path.is_dir():
        return path.stem
    return path.name


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL, a user without a home
        return False


def _encodings() -> list[str]:
    import tiktoken

    return list(tiktoken.list_encoding_names())  # those of plug-ins included


def _unknown(text: str, name: str) -> FormatError:
    guess = did_you_mean(name, ENCODINGS) or " (none)"
    close = re.search(r"'(.+)'", guess)
    return FormatError(
        f"unknown tokenizer {text!r}.",
        f"Tried: file (none), tiktoken encodings{guess}.",
        f"Use tiktoken:{close[1] if close else 'cl100k_base'}, hf:<org>/<name>, spm:<file.model>, or a "
        "path to tokenizer.json, tekken.json, a .model, a .tiktoken, or a folder with one of them.",
    )


def find_file(spec: Spec) -> Path:
    """Return the tokenizer's file; one of the Hugging Face hub is downloaded if need be.

    Raises:
        FormatError: there is none, or it cannot be had; the error says how to do without the network.
    """
    if spec.source != "hf":
        return file_of(Path(spec.target).expanduser())
    from huggingface_hub import errors, hf_hub_download

    refusals = (errors.EntryNotFoundError, errors.HfHubHTTPError, errors.HFValidationError, OSError)
    for name in FOLDER_FILES:
        try:
            return Path(hf_hub_download(spec.target, name, revision=spec.revision))
        except refusals as error:
            missing = error
            is_local = isinstance(error, errors.LocalEntryNotFoundError)
            if isinstance(error, errors.EntryNotFoundError) and not is_local:
                continue
            raise _not_downloaded(
                spec,
                error,
                "For a gated repository, accept its terms and log in (hf auth login).",
                f"Without a network: download {FOLDER_FILES[0]} (or {' or '.join(FOLDER_FILES[1:])}) "
                f"of {spec.target} elsewhere, copy it here, and give its path.",
            ) from error
    raise FormatError(
        f"{spec.text} holds no tokenizer that toktk reads.",
        f"Looked for: {', '.join(FOLDER_FILES)}.",
    ) from missing


def find_encoding(spec: Spec) -> RankFile:
    """Return an encoding that tiktoken knows, and downloads if need be.

    Raises:
        FormatError: tiktoken cannot download it; the error says how to do without the network.
    """
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(spec.target)
    except (OSError, ValueError) as error:  # ValueError: what arrived has another hash
        advice = (
            f"Without a network: download {spec.target}.tiktoken elsewhere, copy it here under that "
            "name, and give its path."
        )
        raise _not_downloaded(spec, error, advice) from error
    ranks, special_tokens = encoding._mergeable_ranks, encoding._special_tokens
    return RankFile(Path(spec.target), encoding._pat_str, ranks, special_tokens)


def _not_downloaded(spec: Spec, error: Exception, *advice: str) -> FormatError:
    text = in_a_line(error) or type(error).__name__
    found = f"Found: {text[:400]}{'…' if len(text) > 400 else ''}"
    return FormatError(f"cannot download {spec.text}.", found, *advice)
