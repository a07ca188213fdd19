"""The special tokens that a tokenizer's own software puts around every text, unless it is told otherwise."""

from __future__ import annotations

import json
import re
from typing import Any

from toktk.formats.fields import parse_json, read_bytes
from toktk.formats.files import file_contents
from toktk.formats.hf_config import CONFIG
from toktk.loading.spec import find_file, parse_spec

_POST_PROCESSOR = re.compile(rb'"post_processor"\s*:\s*(?={)')


def tokens_around(text: str) -> list[str]:
    """Return what the software of a spec's tokenizer puts around texts, each once: names, or else roles.

    Only Hugging Face tokenizers and transformers do that, by the file and by the settings beside it.

    Raises:
        FormatError: there is no such tokenizer; a file is malformed.
    """
    spec = parse_spec(text)
    if spec.source not in ("hf", "path"):
        return []
    path = find_file(spec)
    raw, format = file_contents(path)
    if format != "tokenizer.json":
        return []
    names = template_names(_post_processor(raw))
    beside = path.with_name(CONFIG)
    config = parse_json(read_bytes(beside), beside) if beside.is_file() else {}
    names += [role_name(config, role) or f"the {role} token" for role in roles_around(config)]
    return [*dict.fromkeys(names)]


def _post_processor(raw: bytes) -> Any:
    """Return the post-processor of a ``tokenizer.json``, None where it has none.

    The whole file, of which a vocabulary takes megabytes, is not parsed: only there that key has an object.
    """
    match = _POST_PROCESSOR.search(raw)
    if match is None:
        return None
    return json.JSONDecoder().raw_decode(raw[match.end() :].decode(errors="replace"))[0]


def template_names(processor: Any) -> list[str]:
    """Return the special tokens that a post-processor adds to a text, whatever its kind."""
    steps = [processor] if isinstance(processor, dict) else []
    names: list[str] = []
    while steps:
        step = steps.pop(0)
        inner = step.get("processors")
        steps += (
            [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []
        )
        parts = step.get("single") if step.get("type") == "TemplateProcessing" else []
        for part in parts if isinstance(parts, list) else []:
            token = part.get("SpecialToken") if isinstance(part, dict) else None
            if isinstance(token, dict):
                names.append(str(token.get("id")))
        if step.get("type") in ("BertProcessing", "RobertaProcessing"):
            pairs = (step.get("cls"), step.get("sep"))
            names += [str(pair[0]) for pair in pairs if isinstance(pair, list) and pair]
    return list(dict.fromkeys(names))


def roles_around(config: dict[str, Any]) -> list[str]:
    """Return the roles of the tokens that a ``tokenizer_config.json`` has transformers add to a text."""
    return [role for role in ("bos", "eos") if config.get(f"add_{role}_token") is True]


def role_name(config: dict[str, Any], role: str) -> str | None:
    """Return the token that a ``tokenizer_config.json`` names for a role."""
    value = config.get(f"{role}_token")
    name = value.get("content") if isinstance(value, dict) else value
    return name if isinstance(name, str) else None
