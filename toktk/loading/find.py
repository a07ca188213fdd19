"""Where a tokenizer is: spec -> file; only ``hf:`` and ``tiktoken:`` ask the network."""

from __future__ import annotations

from pathlib import Path

from toktk.errors import FormatError, in_a_line
from toktk.formats.read import FOLDER_FILES, file_of
from toktk.formats.tiktoken_read import RankFile
from toktk.loading.spec import Spec


def find_file(spec: Spec) -> Path:
    """Return the tokenizer's file; one of the Hugging Face hub is downloaded if need be.

    Raises:
        FormatError: there is none, or it cannot be had; the error says how to do without the network.
    """
    return _hub_file(spec) if spec.source == "hf" else file_of(spec.path)


def _hub_file(spec: Spec) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    missing: Exception | None = None
    for name in FOLDER_FILES:
        try:
            return Path(hf_hub_download(spec.target, name, revision=spec.revision))
        except LocalEntryNotFoundError as error:
            raise _not_downloaded(spec, error) from error
        except EntryNotFoundError as error:
            missing = error
        except (OSError, HFValidationError, HfHubHTTPError) as error:
            raise _not_downloaded(spec, error) from error
    raise FormatError(
        f"{spec.text} holds no tokenizer that toktk reads.",
        f"Looked for: {', '.join(FOLDER_FILES)}.",
    ) from missing


def _not_downloaded(spec: Spec, error: Exception) -> FormatError:
    return FormatError(
        f"cannot download {spec.text}.",
        f"Found: {_shortened(error)}",
        "For a gated repository, accept its terms and log in (hf auth login).",
        f"Without a network: download {FOLDER_FILES[0]} (or {' or '.join(FOLDER_FILES[1:])}) of "
        f"{spec.target} elsewhere, copy it here, and give its path.",
    )


def find_encoding(spec: Spec) -> RankFile:
    """Return an encoding that tiktoken knows, and downloads if need be.

    Raises:
        FormatError: tiktoken cannot download it; the error says how to do without the network.
    """
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(spec.target)
    except (OSError, ValueError) as error:  # ValueError: what arrived has another hash
        raise FormatError(
            f"cannot download {spec.text}.",
            f"Found: {_shortened(error)}",
            f"Without a network: download {spec.target}.tiktoken elsewhere, copy it here under that "
            "name, and give its path.",
        ) from error
    ranks, special_tokens = encoding._mergeable_ranks, encoding._special_tokens
    return RankFile(Path(spec.target), encoding._pat_str, ranks, special_tokens)


def _shortened(error: Exception) -> str:
    text = in_a_line(error) or type(error).__name__
    return f"{text[:400]}{'…' if len(text) > 400 else ''}"
