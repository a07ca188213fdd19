"""What a user writes to name a tokenizer: ``tiktoken:o200k_base``, ``hf:org/name@rev``, a path.

Only finding what ``hf:`` and ``tiktoken:`` name asks the network.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from toktk.corpus.hub import network_failures
from toktk.errors import FormatError, ToktkError, as_usage, closest, in_a_line
from toktk.formats.encodings import ENCODINGS
from toktk.formats.files import FOLDER_FILES, file_of, format_of
from toktk.formats.hf_folder import PAIRS, SETTINGS, WORD_PIECES, vocabulary_file
from toktk.formats.tiktoken import RankFile
from toktk.names import tidied, trouble_with

_LABEL = re.compile(r"(?P<label>[^/\\:=\s]+)=(?P<rest>.+)", re.DOTALL)
_HF = re.compile(
    r"(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(?P<subfolder>(/\w[\w.-]*)*)(@(?P<revision>.+))?", re.ASCII
)
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*(@.+)?", re.ASCII)
_ENCODING = re.compile(r"[\w.-]+", re.ASCII)
_FILES = {"spm": "SentencePiece model", "counts": "table of counts"}
_HEAD = 100_000  # bytes, which tell the format of a file
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
            library knows; ``spm``: a SentencePiece model; ``counts``: a table of counts; ``path``: a file
            or a folder.
        target: the repository, the encoding or the path.
        revision: of the repository: a branch, a tag or a commit.
        subfolder: of the repository, where the tokenizer is in one.
    """

    text: str
    label: str
    source: Literal["hf", "tiktoken", "spm", "counts", "path"]
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
            raise as_usage(
                FormatError(
                    f"a tokenizer cannot be called {label!r}.",
                    f"Found: {trouble}.",
                    "Write LABEL=SPEC with a label such as mine, or SPEC alone.",
                )
            )
    kind, _, target = text.partition(":")
    if kind == "hf" and target:
        repository = _HF.fullmatch(target)
        if repository is None:
            raise as_usage(
                FormatError(
                    f"cannot understand {written!r}.",
                    "Write hf:<org>/<name>, then if needed /<subfolder> and @<revision>.",
                )
            )
        name, subfolder = repository["name"], repository["subfolder"].strip("/")
        own = "-".join([name.rpartition("/")[2], *filter(None, [subfolder.rpartition("/")[2]])])
        return Spec(text, label or tidied(own), "hf", name, repository["revision"], subfolder)
    if kind == "tiktoken" and target:
        encoding = target if target in ENCODINGS else _encoding_of(target)
        if encoding is None:
            raise _unknown(written, target)
        return Spec(text, label or tidied(target), "tiktoken", encoding)
    if kind in _FILES and target:
        if not _exists(target):
            meant = _neighbor(target)
            found = f"Found: no such file{f' (did you mean {meant}?)' if meant else ''}."
            raise FormatError(f"no {_FILES[kind]} {written!r}.", found)
        source: Literal["spm", "counts"] = "spm" if kind == "spm" else "counts"
        return Spec(text, label or _default_label(Path(target)), source, target)
    if not _exists(text):
        raise _unknown(written, text)
    return Spec(text, label or _default_label(Path(text)), "path", text)


def names_tokenizer(text: str) -> bool:
    """Tell whether a text can be meant as a spec: it has the form of one, or is the path of a tokenizer."""
    labeled = _LABEL.fullmatch(text)
    if labeled and not _exists(text):
        text = labeled["rest"]
    kind, _, target = text.partition(":")
    if kind == "hf" and _HF.fullmatch(target):
        return True
    if kind == "counts":
        return _exists(target)
    if kind == "tiktoken" and _ENCODING.fullmatch(target):
        return True
    place = target if kind == "spm" else text
    if not _exists(place):
        return False
    try:
        path = file_of(Path(place).expanduser())
        with path.open("rb") as file:
            return path.suffix == ".gguf" or bool(format_of(file.read(_HEAD), path))
    except (FormatError, OSError):
        return False


def label_of(spec: str) -> str:
    """Return what tables call the tokenizer of a spec; of one that cannot be understood, the spec."""
    try:
        return parse_spec(spec).label
    except ToktkError:  # it will be named when it is loaded, beside what the others give
        return spec


def check_labels(specs: Sequence[str]) -> None:
    """Refuse specs of which two have one label.

    Raises:
        FormatError: there are two such.
    """
    ((label, n),) = Counter(map(label_of, specs)).most_common(1) or [("", 0)]
    if n > 1:
        alike = [spec for spec in specs if label_of(spec) == label]
        texts = [spec.removeprefix(f"{label}=") for spec in alike]
        raise FormatError(
            f"{n} tokenizers are called {label!r}.",
            f"Found: {', '.join(texts)}.",
            f"Give each a label of its own: {label}-2={texts[1]}",
        )


def placed(text: str, base: Path) -> str:
    """Return a spec with the relative path that it names below `base`, if that is there; labels stay."""
    if _exists(str(base / text)):
        return str(base / text)
    labeled = _LABEL.fullmatch(text)
    label, rest = (f"{labeled['label']}=", labeled["rest"]) if labeled else ("", text)
    kind = next((f"{kind}:" for kind in _FILES if rest.startswith(f"{kind}:")), "")
    target = str(base / rest.removeprefix(kind))
    return f"{label}{kind}{target}" if _exists(target) else text


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
    if path.suffix in (".json", ".model", ".tiktoken", ".gguf", ".parquet") and not path.is_dir():
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
    meant = _meant(name)
    return FormatError(
        f"unknown tokenizer {written!r}{f' (did you mean {meant}?)' if meant else ''}.",
        f"Tried: file or folder (none there), encodings of tiktoken ({', '.join(ENCODINGS)}).",
        "Give a tokenizer.json, a tekken.json, a .model, .tiktoken or .gguf file, a folder with one of them, "
        "tiktoken:<encoding>, hf:<org>/<name>, or counts:FILE.parquet.",
    )


def _meant(name: str) -> str:
    """Return what may have been meant by what is no tokenizer, quoted; or an empty string."""
    import tiktoken

    if (encoding := _encoding_of(name)) is not None:
        return f"{f'tiktoken:{name}'!r}" + (f", which is {encoding}" if encoding != name else "")
    if "/" in name or os.sep in name:
        is_repository = _REPOSITORY.fullmatch(name) and not Path(name).parent.is_dir()
        return repr(f"hf:{name}") if is_repository else _neighbor(name)
    close = closest(name, ENCODINGS, tiktoken.model.MODEL_TO_ENCODING)
    return repr(f"tiktoken:{close}") if close else _neighbor(name)


def _neighbor(name: str) -> str:
    """Return what is there instead of the path `name`, quoted; or an empty string."""
    try:
        path = Path(name).expanduser()
        close = closest(path.name, [entry.name for entry in path.parent.iterdir()])
        return repr(str(Path(name).with_name(close))) if close else ""
    except (OSError, ValueError, RuntimeError):
        return ""


def find_file(spec: Spec) -> Path:
    """Return the tokenizer's file; one of the Hugging Face hub is downloaded if need be.

    Raises:
        FormatError: there is none, or it cannot be had; the error says how to do without the network.
    """
    if spec.source != "hf":
        return file_of(Path(spec.target).expanduser())
    from huggingface_hub import constants, errors, hf_hub_download

    refusals = (errors.EntryNotFoundError, errors.HfHubHTTPError, errors.HFValidationError, OSError)
    before = f"{spec.subfolder}/" if spec.subfolder else ""
    elsewhere = (
        f"Without a network: download {FOLDER_FILES[0]} (or {' or '.join(FOLDER_FILES[1:])}) "
        f"of {spec.target} elsewhere, copy it here, and give its path."
    )
    get = functools.partial(hf_hub_download, spec.target, revision=spec.revision)
    try:
        answers = _hub_answers(spec, before + FOLDER_FILES[0])
        get = functools.partial(get, local_files_only=not answers)
        for name in FOLDER_FILES:
            try:
                file = Path(get(before + name))
            except errors.LocalEntryNotFoundError:
                raise
            except errors.EntryNotFoundError as error:
                missing = error
                continue
            for other in _BESIDE.get(name, ()):
                with contextlib.suppress(errors.EntryNotFoundError):  # or, offline, not there
                    get(before + other)
            return file
    except refusals as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            why = f"no connection to {constants.ENDPOINT}, and no copy of it on this machine"
            raise FormatError(
                f"cannot download {spec.text}.", f"Found: {why}.", elsewhere
            ) from error
        gated = "For a gated repository, accept its terms and log in (hf auth login)."
        raise _not_downloaded(spec, error, gated, elsewhere) from error
    raise FormatError(
        f"{spec.text} holds no tokenizer that toktk reads.",
        f"Looked for: {', '.join(FOLDER_FILES)}.",
    ) from missing


def _hub_answers(spec: Spec, file: str) -> bool:
    """Return whether the hub can be reached; asked once, where its library would try for half a minute."""
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(spec.target, file, revision=spec.revision))
    except errors.HfHubHTTPError:  # an answer: it has no such file, or shows it to nobody
        return True
    except network_failures():
        return False
    return True


def find_encoding(spec: Spec) -> RankFile:
    """Return an encoding that tiktoken knows, and downloads if need be.

    Raises:
        FormatError: tiktoken cannot download it; the error says how to do without the network.
    """
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(spec.target)
    except (OSError, ValueError) as error:  # ValueError: what arrived has another hash
        how = f"{spec.target}.tiktoken elsewhere, copy it here under that name, and give its path"
        if spec.target == "gpt2":
            how = "encoder.json and vocab.bpe elsewhere, copy both here, and give their folder"
        advice = f"Without a network: download {how}."
        raise _not_downloaded(spec, error, advice) from error
    ranks, special_tokens = encoding._mergeable_ranks, encoding._special_tokens
    return RankFile(Path(spec.target), encoding._pat_str, ranks, special_tokens)


def _not_downloaded(spec: Spec, error: Exception, *advice: str) -> FormatError:
    url = getattr(getattr(error, "request", None), "url", None)
    if url and getattr(error, "response", None) is None:  # as errors of requests have them
        found = f"Found: no connection to {urlsplit(url).hostname}."
        return FormatError(f"cannot download {spec.text}.", found, *advice)
    text = in_a_line(error) or type(error).__name__
    found = f"Found: {text[:400]}{'…' if len(text) > 400 else ''}"
    return FormatError(f"cannot download {spec.text}.", found, *advice)
