"""Tokenizers that come over the network: only where ``hf:`` or ``tiktoken:`` was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toktk.errors import FormatError
from toktk.loading.spec import FOLDER_FILES, Spec


def hub_file(spec: Spec) -> Path:
    """Return the tokenizer's file of a repository on the Hugging Face hub, downloaded if need be.

    Raises:
        FormatError: it cannot be had; the error says how to do without the network.
    """
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
            raise _failed(spec, error) from error
        except EntryNotFoundError as error:
            missing = error
        except (OSError, HFValidationError, HfHubHTTPError) as error:
            raise _failed(spec, error) from error
    raise FormatError(
        f"{spec.text} holds no tokenizer that toktk reads.",
        f"Looked for: {', '.join(FOLDER_FILES)}.",
    ) from missing


def _failed(spec: Spec, error: Exception) -> FormatError:
    return FormatError(
        f"cannot download {spec.text}.",
        f"Found: {_line(error)}",
        "For a gated repository, accept its terms and log in (hf auth login).",
        f"Without a network: download {FOLDER_FILES[0]} (or {' or '.join(FOLDER_FILES[1:])}) of "
        f"{spec.target} elsewhere, copy it here, and give its path.",
    )


def tiktoken_ranks(spec: Spec) -> tuple[str, Mapping[bytes, int], Mapping[str, int]]:
    """Return pattern, ranks and special tokens of an encoding that tiktoken knows.

    Raises:
        FormatError: tiktoken cannot download it; the error says how to do without the network.
    """
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(spec.target)
    except (OSError, ValueError) as error:  # ValueError: what arrived has another hash
        raise FormatError(
            f"cannot download {spec.text}.",
            f"Found: {_line(error)}",
            f"Without a network: download {spec.target}.tiktoken elsewhere, copy it here under that "
            "name, and give its path.",
        ) from error
    return encoding._pat_str, encoding._mergeable_ranks, encoding._special_tokens


def _line(error: Exception) -> str:
    found = " ".join(str(error).split()) or type(error).__name__
    return f"{found[:400]}{'…' if len(found) > 400 else ''}"
