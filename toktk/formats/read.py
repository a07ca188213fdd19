"""One door to all readers: which format a file has, and what it holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from toktk.errors import FormatError
from toktk.formats.fields import Parts, read_bytes
from toktk.formats.hf_read import read_tokenizer_json
from toktk.formats.sentencepiece import read_sentencepiece
from toktk.formats.tekken import tekken_file
from toktk.formats.tiktoken import ENCODINGS, arguments_path, rank_file

Format = Literal["tokenizer.json", "tekken", "tiktoken", "sentencepiece"]

FOLDER_FILES = ("tokenizer.json", "tekken.json", "tokenizer.model")

_RANK_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d{1,9}\r?\n")


def file_of(path: Path) -> Path:
    """Return the file that `path` means: itself, or the tokenizer in a folder, or raise FormatError.

    That is the first of `FOLDER_FILES`, or else the only ``.tiktoken``, or else the only ``.model``. The
    ``.tiktoken.json`` beside a ``.tiktoken`` means that one.
    """
    if path.name.endswith(".tiktoken.json"):
        return path.with_name(path.name.removesuffix(".json"))
    if not path.is_dir():
        return path
    for name in FOLDER_FILES:
        if (path / name).is_file():
            return path / name
    for ending in ("*.tiktoken", "*.model"):
        files = sorted(path.glob(ending))
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(file.name for file in files[:5])
            raise FormatError(f"cannot choose a tokenizer in {path}.", f"Found: {names}.")
    raise FormatError(
        f"no tokenizer in {path}.",
        f"Looked for: {', '.join(FOLDER_FILES)}, one .tiktoken, one .model.",
    )


def format_of(raw: bytes, path: Path) -> Format:
    """Tell the format of a file by its first bytes, a ``.tiktoken`` also by suffix; or raise FormatError."""
    if _RANK_LINE.match(raw) or path.suffix == ".tiktoken":
        return "tiktoken"
    if raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        is_tekken = b'"config"' in raw and b'"token_bytes"' in raw[:100_000]
        return "tekken" if is_tekken else "tokenizer.json"
    if raw.startswith(b"\n"):  # the tag of a model's first field, a piece
        return "sentencepiece"
    raise FormatError(
        f"cannot tell what {path} is.",
        f"Found: it begins with {raw[:24]!r}.",
        "Readable are tokenizer.json, tekken.json, .tiktoken files and SentencePiece models.",
    )


def read(raw: bytes, path: Path, format: Format) -> Parts:
    """Return the pretokenizer and the model of a file, which give the ids that its library gives.

    What lies beside a ``.tiktoken`` is read too.

    Raises:
        NotNative: the file asks for something that toktk does not do itself.
        FormatError: the file is malformed; the error names the field.
    """
    if format == "tokenizer.json":
        return read_tokenizer_json(raw, path)
    if format == "sentencepiece":
        return read_sentencepiece(raw, path)
    return (tekken_file if format == "tekken" else rank_file)(path, raw).parts()


def beside(raw: bytes, path: Path, format: Format) -> list[bytes]:
    """Return what decides ids besides `raw`: a ``.tiktoken`` holds neither pattern nor special tokens."""
    if format != "tiktoken":
        return []
    if arguments_path(path).exists():
        return [read_bytes(arguments_path(path))]
    return [repr(ENCODINGS.get(path.stem)).encode()]
