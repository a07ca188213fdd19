"""What a user writes to name a tokenizer: ``tiktoken:o200k_base``, ``hf:org/name@rev``, a path.

Only finding what ``hf:`` and ``tiktoken:`` name asks the network.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toktk.errors import FormatError, did_you_mean, in_a_line
from toktk.formats.encodings import ENCODINGS
from toktk.formats.files import FOLDER_FILES, file_of
from toktk.formats.hf_folder import PAIRS, SETTINGS, WORD_PIECES, vocabulary_file
from toktk.formats.tiktoken import RankFile
from toktk.names import tidied, trouble_with

_LABEL = re.compile(r"(?P<label>[^/\\:=\s]+)=(?P<rest>.+)", re.DOTALL)
_HF = re.compile(
    r"(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(?P<subfolder>(/\w[\w.-]*)*)(@(?P<revision>.+))?", re.ASCII
)
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*(@.+)?", re.ASCII)
# What else of a repository decides ids, by the tokenizer's file.
_BESIDE = {
    "tokenizer.json": SETTINGS,
    "tiktoken.model": SETTINGS[:1],
    WORD_PIECES: SETTINGS,
    **{vocab: (merges, *SETTINGS) for vocab, merges in PAIRS.items()},
}


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
        subfolder: of the repository, where the tokenizer is in one.
    """

    text: str
    label: str
    source: Literal["hf", "tiktoken", "spm", "path"]
    target: str
    revision: str | None = None
    subfolder: str = ""


def parse_spec(text: str) -> Spec:
    """Return the parts of ``spec`` or ``label=spec``.

    A label has no ``/``, ``:``, ``=`` or white space, and could name a file on every system. A path
    that holds ``=`` and exists is a path. Nothing is opened.

    Raises:
        FormatError: an empty text, an odd label, or no such name, encoding, file or folder.
    """
    label, written = "", text
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
                f"cannot understand {written!r}.",
                "Write hf:<org>/<name>, then if needed /<subfolder> and @<revision>.",
            )
        name, subfolder = repository["name"], repository["subfolder"].strip("/")
        own = "-".join([name.rpartition("/")[2], *filter(None, [subfolder.rpartition("/")[2]])])
        return Spec(text, label or tidied(own), "hf", name, repository["revision"], subfolder)
    if kind == "tiktoken" and target:
        encoding = target if target in ENCODINGS else _encoding_of(target)
        if encoding is None:
            raise _unknown(written, target)
        return Spec(text, label or tidied(target), "tiktoken", encoding)
    if kind == "spm" and target:
        if not _exists(target):
            found = f"Found: no such file{_neighbor(target)}."
            raise FormatError(f"no SentencePiece model {written!r}.", found)
        return Spec(text, label or _default_label(Path(target)), "spm", target)
    if not _exists(text):
        raise _unknown(written, text)
    return Spec(text, label or _default_label(Path(text)), "path", text)


def _default_label(path: Path) -> str:
    """Return the part of `path` that tells it apart: of a folder's usual file the folder's name."""
    return tidied(_distinctive(path))


def _distinctive(path: Path) -> str:
    path = path.expanduser()
    path = vocabulary_file(path)
    if path.name in FOLDER_FILES or path.name in ("", ".", ".."):
        path = path.resolve()
    if path.name in FOLDER_FILES and not path.is_dir():
        return path.parent.name or path.stem
    if path.suffix in (".json", ".model", ".tiktoken", ".gguf") and not path.is_dir():
        return path.stem
    return path.name


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL, a user without a home
        return False


def _encoding_of(name: str) -> str | None:
    """Return the encoding that tiktoken knows by this name, plug-ins included, or by that of a model."""
    import tiktoken

    if name in tiktoken.list_encoding_names():
        return name
    try:
        return tiktoken.encoding_name_for_model(name)
    except KeyError:
        return None


def _unknown(written: str, name: str) -> FormatError:
    """Return what to raise about a spec, as written, whose last part is `name`."""
    encoding = _encoding_of(name)
    guess = did_you_mean(name, ENCODINGS) or " (none)"
    close = re.search(r"'(.+)'", guess)
    use = f"tiktoken:{close[1] if close else 'cl100k_base'}, hf:<org>/<name>"
    if encoding is not None:
        guess, use = f" ({name!r} is the model's name)", f"tiktoken:{name}, which is {encoding}"
    elif _REPOSITORY.fullmatch(name) and not Path(name).parent.is_dir():
        use = f"hf:{name}, if that is what you mean; else {use}"
    return FormatError(
        f"unknown tokenizer {written!r}.",
        f"Tried: file{_neighbor(name) or ' (none)'}, tiktoken encodings{guess}.",
        f"Use {use}, spm:<file.model>, or a "
        "path to tokenizer.json, tekken.json, a .model, .tiktoken or .gguf, or a folder with one of them.",
    )


def _neighbor(name: str) -> str:
    """Return a suggestion of what is there instead of the path `name`, if its folder is."""
    try:
        path = Path(name).expanduser()
        return did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()])
    except (OSError, ValueError, RuntimeError):
        return ""


def find_file(spec: Spec) -> Path:
    """Return the tokenizer's file; one of the Hugging Face hub is downloaded if need be.

    Raises:
        FormatError: there is none, or it cannot be had; the error says how to do without the network.
    """
    if spec.source != "hf":
        return file_of(Path(spec.target).expanduser())
    from huggingface_hub import errors, hf_hub_download

    refusals = (errors.EntryNotFoundError, errors.HfHubHTTPError, errors.HFValidationError, OSError)
    before = f"{spec.subfolder}/" if spec.subfolder else ""
    for name in FOLDER_FILES:
        try:
            file = Path(hf_hub_download(spec.target, before + name, revision=spec.revision))
            for other in _BESIDE.get(name, ()):
                with contextlib.suppress(errors.EntryNotFoundError):  # or, offline, not there
                    hf_hub_download(spec.target, before + other, revision=spec.revision)
            return file
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
        file = f"{spec.target}.tiktoken elsewhere, copy it here under that name"
        if spec.target == "gpt2":
            file = "encoder.json and vocab.bpe elsewhere, copy both here"
        advice = f"Without a network: download {file}, and give its path."
        raise _not_downloaded(spec, error, advice) from error
    ranks, special_tokens = encoding._mergeable_ranks, encoding._special_tokens
    return RankFile(Path(spec.target), encoding._pat_str, ranks, special_tokens)


def _not_downloaded(spec: Spec, error: Exception, *advice: str) -> FormatError:
    text = in_a_line(error) or type(error).__name__
    found = f"Found: {text[:400]}{'…' if len(text) > 400 else ''}"
    return FormatError(f"cannot download {spec.text}.", found, *advice)
