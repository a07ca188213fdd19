"""One door to all formats: which one a file has, what it holds, and a tokenizer as standard files."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from toktk.errors import FormatError
from toktk.formats import hf_read, hf_write, sentencepiece, tiktoken
from toktk.formats.fields import NotNative, Parts, check_regular, read_bytes
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.pretokenizer import Pretokenizer

Format = Literal["tokenizer.json", "tekken", "tiktoken", "sentencepiece"]

FOLDER_FILES = ("tokenizer.json", "tekken.json", "tokenizer.model")

_RANK_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d{1,9}\r?\n")


def file_of(path: Path) -> Path:
    """Return the file that `path` means: itself, or the tokenizer in a folder, or raise FormatError.

    That is the first of `FOLDER_FILES`, or else the only ``.tiktoken``, or else the only
    ``.model``. The ``.tiktoken.json`` beside a ``.tiktoken`` means that one.
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

    What lies beside a ``.tiktoken`` is read too. NotNative says what toktk does not do itself, and
    FormatError which field is malformed.

    Raises:
        NotNative: the file asks for something that toktk does not do itself.
        FormatError: the file is malformed; the error names the field.
    """
    if format == "tokenizer.json":
        return hf_read.read_tokenizer_json(raw, path)
    if format == "sentencepiece":
        return sentencepiece.read_sentencepiece(raw, path)
    return tiktoken.rank_file(raw, path, format == "tekken").parts()


def beside(raw: bytes, path: Path, format: Format) -> list[bytes]:
    """Return what decides ids besides `raw`: a ``.tiktoken`` holds neither pattern nor special tokens."""
    if format != "tiktoken":
        return []
    if tiktoken.arguments_path(path).exists():
        return [read_bytes(tiktoken.arguments_path(path))]
    return [repr(tiktoken.ENCODINGS.get(path.stem)).encode()]


@dataclass(frozen=True)
class Saved:
    """What was written, and what was found out about it.

    Attributes:
        files: in the order written.
        tiktoken: whether tiktoken gives the same ids; None if it has no file.
        notes: why a format was left out, and where ids can differ in another.
    """

    files: tuple[Path, ...]
    tiktoken: tiktoken.Agreement | None
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
    write = getattr(model, "write", None)  # of a model that a library runs: its file is all
    if write is not None:
        note = "no .tiktoken: the model runs on its library."
        return Saved((write(folder, stem),), None, (note,))
    paths = [folder / "tokenizer.json"]
    ranks, proto = folder / f"{stem}.tiktoken", folder / f"{stem}.model"
    # What an earlier tokenizer of this name left here would not belong to this one.
    _remove(*targets(ranks), proto)
    has_fallback = isinstance(model, UnigramModel) and model.fallback is not None
    if has_fallback:
        paths.append(proto)
    notes: list[str] = []
    if isinstance(model, UnigramModel) and model.single:
        paths = [proto]
        notes.append("no tokenizer.json: there, sums of scores are float64, not float32.")
    form = pretokenizer.normalizer.form
    if isinstance(model, BpeModel) and form is not None:
        notes.append(f"no .tiktoken: it has no place for a normalizer, and this one is {form}.")
    elif isinstance(model, BpeModel):
        paths.append(ranks)
    files: list[Path] = []
    refused: list[FormatError] = []
    for path in paths:
        try:
            notes += _write(name, pretokenizer, model, path)
            files += targets(path)
        except FormatError as error:
            if not (files or has_fallback):
                raise
            refused.append(error)
            _remove(path)
    if not files:
        raise refused[0]
    agrees = tiktoken.agreement(model) if isinstance(model, BpeModel) and ranks in files else None
    return Saved(tuple(files), agrees, (*notes, *map(str, refused)))


def _remove(*paths: Path) -> None:
    with contextlib.suppress(OSError):
        for path in paths:
            path.unlink(missing_ok=True)


def read_to_convert(path: Path) -> tuple[Parts, tuple[str, ...]]:
    """Read a file of any of the formats, or a folder that holds one, in a form that others can hold.

    Besides its parts, return where its ids can differ from those of the library that owns the format.
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
    pretokenizer, model = sentencepiece.by_pieces(raw, path, parts)
    notes = sentencepiece.sentencepiece_notes(model) if isinstance(model, UnigramModel) else ()
    return (pretokenizer, model), notes


def write_as(
    pretokenizer: Pretokenizer, model: Model, path: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write a tokenizer in the format that the suffix of `path` names, or raise FormatError.

    Return the files, and where ids can differ in the library that owns the format. What is there and no
    regular file, such as a pipe or a device, is not replaced.
    """
    for target in targets(path):
        if target.exists():
            check_regular(target, target.stat().st_mode, "Choose another path.")
    if path.suffix == ".tiktoken" and isinstance(model, BpeModel):
        agrees = tiktoken.agreement(model)
        if not agrees.proven:
            raise FormatError(
                "cannot write .tiktoken: tiktoken would give other ids.",
                f"Found: {agrees.tokens:,} tokens that do not encode to themselves, "
                f"{agrees.repeated:,} merges that spell a token anew.",
            )
    return targets(path), _write(path.stem, pretokenizer, model, path)


def _write(name: str, pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Return where ids can differ in the file that this writes."""
    if path.suffix == ".json":
        return hf_write.write_tokenizer_json(pretokenizer, model, path)
    if path.suffix == ".model":
        return sentencepiece.write_sentencepiece(pretokenizer, model, path)
    if path.suffix == ".tiktoken":
        tiktoken.write_tiktoken(name, pretokenizer, model, path)
        return ()
    known = "tokenizer.json, x.model, x.tiktoken"
    raise FormatError(f"cannot tell the format of {path}.", f"Known are: {known}.")


def targets(path: Path) -> tuple[Path, ...]:
    """Return the files that `write_as` would write."""
    return (path, tiktoken.arguments_path(path)) if path.suffix == ".tiktoken" else (path,)
