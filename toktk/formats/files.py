"""One door to all formats: which one a file has, what it holds, and a tokenizer as standard files."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from toktk.errors import FormatError, as_usage
from toktk.formats import gguf, hf_folder, hf_read, hf_write, published, sentencepiece, tiktoken
from toktk.formats.encodings import ENCODINGS
from toktk.formats.fields import Parts, check_regular, read_bytes
from toktk.formats.hf_config import CONFIG, check_roles, write_config
from toktk.formats.hf_folder import PAIRS, WORD_PIECES
from toktk.formats.merge_order import in_list_order
from toktk.formats.tokens import check_special_tokens, why_unheld
from toktk.models.bpe import BpeModel
from toktk.models.counts import COUNTS_ALONE, CountsModel
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel
from toktk.models.unigram import UnigramModel
from toktk.paths import atomic_write
from toktk.pretokenizers.pretokenizer import Pretokenizer

Format = Literal["tokenizer.json", "tekken", "tiktoken", "sentencepiece"]

FOLDER_FILES = (
    "tokenizer.json", "tekken.json", "tokenizer.model", "tiktoken.model", *PAIRS, WORD_PIECES,
)  # fmt: skip

READABLE = (
    "tokenizer.json, vocab.json with merges.txt, BERT's vocab.txt, tekken.json, .tiktoken and .gguf "
    "files, and SentencePiece models"
)
_NO_SYMBOLS = (
    "no .tiktoken and no .model: tiktoken finds symbols in text only where a call allows them as special "
    "tokens, and SentencePiece's unigram weighs those that overlap."
)
_RANK_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*[A-Za-z0-9+/]+={0,2}[ \t]+\d{1,9}[ \t]*[\r\n]")


def file_of(path: Path) -> Path:
    """Return the file that `path` means: itself, or the tokenizer in a folder, or raise FormatError.

    That is the first of `FOLDER_FILES` (a vocabulary of BPE with its merges), or else the only
    ``.tiktoken``, ``.model`` or ``.gguf``. The ``.tiktoken.json`` beside a ``.tiktoken`` means that one.
    """
    if path.name.endswith(".tiktoken.json"):
        return path.with_name(path.name.removesuffix(".json"))
    if not path.is_dir():
        return path
    for name in FOLDER_FILES:
        if (path / name).is_file() and (path / PAIRS.get(name, name)).is_file():
            return path / name
    trained = sorted(found.parent for found in path.glob("tokenizers/*/tokenizer.json"))
    if trained:
        listed = ", ".join(map(str, trained[:5])) + (", …" if len(trained) > 5 else "")
        raise FormatError(
            f"{path} is a run, and no tokenizer.",
            f"Found: it holds {len(trained)}: {listed}.",
            f"Give one of them, such as {trained[0]}.",
        )
    for ending in ("*.tiktoken", "*.model", "*.gguf"):
        files = sorted(path.glob(ending))
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(file.name for file in files[:5])
            raise FormatError(f"cannot choose a tokenizer in {path}.", f"Found: {names}.")
    raise FormatError(
        f"no tokenizer in {path}.",
        f"Looked for: {', '.join(FOLDER_FILES)}, one .tiktoken, one .model, one .gguf.",
    )


def file_contents(path: Path) -> tuple[bytes, Format]:
    """Return what a file holds and its format; a vocabulary of an older kind as a ``tokenizer.json``."""
    path = hf_folder.vocabulary_file(path)
    if path.suffix == ".gguf":
        return gguf.read_gguf(path)
    raw = read_bytes(path)
    if path.name == WORD_PIECES:
        return hf_folder.word_piece_document(raw, path), "tokenizer.json"
    if hf_folder.is_vocabulary(raw):
        return hf_folder.pair_document(raw, path), "tokenizer.json"
    return raw, format_of(raw, path)


def format_of(raw: bytes, path: Path) -> Format:
    """Tell the format of a file by its first bytes, a ``.tiktoken`` also by suffix; or raise FormatError."""
    if _RANK_LINE.match(raw) or path.suffix == ".tiktoken":
        return "tiktoken"
    if raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        is_tekken = b'"config"' in raw and b'"token_bytes"' in raw[:100_000]
        return "tekken" if is_tekken else "tokenizer.json"
    if raw.startswith(b"\n"):  # the tag of a model's first field, a piece
        return "sentencepiece"
    counts = " Counts of tokens are read as counts:PATH." if raw.startswith(b"PAR1") else ""
    raise FormatError(
        f"cannot tell what {path} is.",
        f"Found: it begins with {raw[:24]!r}.",
        f"Readable are {READABLE}.{counts}",
    )


def prepared(raw: bytes, path: Path, format: Format) -> tuple[bytes, tuple[str, ...]]:
    """Return a file with the settings beside it in it, and where transformers may differ."""
    return hf_folder.configured(raw, path) if format == "tokenizer.json" else (raw, ())


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
    """Return what decides ids besides `raw`: settings, or what a ``.tiktoken`` does not hold."""
    if format == "tokenizer.json":
        return hf_folder.settings_bytes(path)
    if format != "tiktoken":
        return []
    if tiktoken.arguments_path(path).exists():
        return [read_bytes(tiktoken.arguments_path(path))]
    config = tiktoken.config_path(path)
    named = repr(ENCODINGS.get(path.stem)).encode()
    return [named, read_bytes(config)] if config.is_file() else [named]


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


def save(
    name: str,
    pretokenizer: Pretokenizer,
    model: Model,
    folder: Path,
    roles: Mapping[str, str] | None = None,
) -> Saved:
    """Write ``tokenizer.json`` and what else can hold a tokenizer: ``<name>.tiktoken`` or ``.model``.

    With byte fallback, ``.model`` alone will do; otherwise FormatError says what ``tokenizer.json`` lacks.
    Beside a ``tokenizer.json`` goes what transformers needs, with the `roles` of special tokens, by the
    names of `toktk.formats.hf_config.ROLES`.
    """
    roles = roles or {}
    if isinstance(model, CountsModel):
        raise FormatError(
            f"{name} cannot be saved.",
            f"Found: {COUNTS_ALONE}.",
            "Copy that file.",
        )
    check_roles(roles, model)
    saved = _save(name, pretokenizer, model, folder)
    if folder / "tokenizer.json" in saved.files:
        saved = replace(saved, files=(*saved.files, write_config(roles, folder)))
    return saved


def _save(name: str, pretokenizer: Pretokenizer, model: Model, folder: Path) -> Saved:
    stem = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "tokenizer"
    write = getattr(model, "write", None)  # of a model that a library runs: its file is all
    if write is not None:
        note = "no .tiktoken: the model runs on its library."
        return Saved((write(folder, stem),), None, (note,))
    paths = [folder / "tokenizer.json"]
    ranks, proto = folder / f"{stem}.tiktoken", folder / f"{stem}.model"
    # What an earlier tokenizer of this name left here would not belong to this one.
    _remove(*targets(ranks), proto, folder / CONFIG)
    has_fallback = isinstance(model, UnigramModel) and model.fallback is not None
    if has_fallback:
        paths.append(proto)
    notes: list[str] = []
    if isinstance(model, UnigramModel) and model.single:
        paths = [proto]
        notes.append("no tokenizer.json: there, sums of scores are float64, not float32.")
    if isinstance(model, SymbolsModel):
        notes.append(_NO_SYMBOLS)
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


def write_as(
    pretokenizer: Pretokenizer, model: Model, path: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write a tokenizer in the format that the suffix of `path` names, or raise FormatError.

    Return the files, and where ids can differ in the library that owns the format.
    """
    check_targets(path)
    if path.suffix == ".tiktoken" and isinstance(model, BpeModel):
        agrees = tiktoken.agreement(model)
        if not agrees.proven:
            raise FormatError(
                "cannot write .tiktoken: tiktoken would give other ids.",
                f"Found: {agrees.tokens:,} tokens that do not encode to themselves, "
                f"{agrees.repeated:,} merges that spell a token anew.",
            )
    return targets(path), _write(path.stem, pretokenizer, model, path)


def check_targets(path: Path) -> None:
    """Refuse to replace what is no regular file, such as a pipe or a device."""
    for target in targets(path):
        if target.exists():
            check_regular(target, target.stat().st_mode, "Choose another path.")


def _write(name: str, pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Return where ids can differ in the file that this writes."""
    if path.name in PAIRS:
        return _write_vocabulary(pretokenizer, model, path)
    if path.suffix == ".json" and isinstance(model, PairModel):
        return _write_published(pretokenizer, model, path)
    if path.suffix == ".json":
        return hf_write.write_tokenizer_json(pretokenizer, model, path)
    if path.suffix == ".model":
        return sentencepiece.write_sentencepiece(pretokenizer, model, path)
    if path.suffix == ".tiktoken":
        return tiktoken.write_tiktoken(name, pretokenizer, model, path)
    known = "tokenizer.json, vocab.json, x.model, x.tiktoken"
    error = FormatError(f"cannot tell the format of {path}.", f"Known: {known}.")
    raise as_usage(error)


def _write_published(pretokenizer: Pretokenizer, model: PairModel, path: Path) -> tuple[str, ...]:
    """Write a ``tokenizer.json`` of which the same model is read again."""
    check_special_tokens(model.special_tokens)
    model = in_list_order(model)
    to_document = (
        published.character_document if model.characters else published.byte_level_document
    )
    text = json.dumps(to_document(pretokenizer, model), ensure_ascii=False)
    published.check_read_back(
        "tokenizer.json",
        model,
        lambda: hf_read.read_tokenizer_json(text.encode(), path)[1],
        "Hugging Face tokenizers",
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return ()


def _write_vocabulary(pretokenizer: Pretokenizer, model: Model, path: Path) -> tuple[str, ...]:
    """Write ``vocab.json``, and ``merges.txt`` beside it."""
    pairs = published.as_pairs(model)
    if pairs is None:
        raise FormatError(
            "cannot write vocab.json and merges.txt.",
            why_unheld(model),
            "Needed is BPE over bytes.",
        )
    vocab, merges = published.vocabulary_files(pretokenizer, pairs)
    text = json.dumps(vocab, ensure_ascii=False)
    for file, content in zip(targets(path), (text, merges), strict=True):
        with atomic_write(file) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="\n")
    return ()


def targets(path: Path) -> tuple[Path, ...]:
    """Return the files that `write_as` would write."""
    if path.name in PAIRS:
        return path, path.with_name(PAIRS[path.name])
    return (path, tiktoken.arguments_path(path)) if path.suffix == ".tiktoken" else (path,)
