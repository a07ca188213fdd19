"""What the file itself and the other files of its folder change, for whoever loads the folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from toktk.audit.finding import Finding
from toktk.audit.subject import EXAMPLES, Subject, plural
from toktk.errors import FormatError, clipped
from toktk.formats.fields import parse_json, read_bytes
from toktk.formats.files import file_contents
from toktk.formats.hf_config import CONFIG
from toktk.formats.hf_folder import SETTINGS, configured
from toktk.loading.around import role_name, roles_around, template_names
from toktk.loading.spec import find_file, parse_spec

_GENERATION, _MODEL = "generation_config.json", "config.json"
_ROLES = ("bos", "eos", "pad", "unk")
# What a template writes and no language does: <|im_start|>, [INST], <<SYS>>, <start_of_turn>, </s>.
_CONTROL = re.compile(r"<\|[^|<>\s{}]+\|>|\[/?[A-Z_]{2,}\]|<</?[A-Z]+>>|</?[a-z_]+>")
_TAGS = re.compile(r"</?(tools?|tool_calls?|tool_responses?|think|documents?|functions?)>")


def files(subject: Subject) -> list[Finding]:
    """Return what other software may do with the same file or folder."""
    loaded = subject.loaded
    if loaded is None:
        return [subject.not_checked("files", "the tokenizer is at hand, and in no file.")]
    findings = [_engine(subject, loaded.library)]
    findings += [subject.finding("notes", "warning", note) for note in loaded.notes]
    spec = parse_spec(loaded.spec)
    if spec.source == "tiktoken":
        return findings
    path = find_file(spec)
    if spec.source == "spm" or file_contents(path)[1] != "tokenizer.json":
        return findings
    raw = file_contents(path)[0]
    document = parse_json(raw, path)
    found = [*_document(subject, document), *_beside(subject, path, raw, document)]
    if not found:
        message = "nothing in the file or beside it changes ids, or adds some, in other software."
        found = [subject.finding("files", "ok", message)]
    return findings + found


def _engine(subject: Subject, library: str) -> Finding:
    """Return which engine gives the ids, and why."""
    if subject.is_native:
        message = f"toktk's engine gives the ids of {library} on all text that was compared."
        return subject.finding("engine", "ok", message)
    why = subject.tokenizer.why.rstrip(".")
    message = f"{subject.tokenizer.engine} gives the ids, for toktk's engine would not: {why}."
    return subject.finding("engine", "info", message)


def _document(subject: Subject, document: dict[str, Any]) -> list[Finding]:
    """Return what a ``tokenizer.json`` does to texts besides encoding them."""
    findings = []
    truncation, padding = document.get("truncation"), document.get("padding")
    if isinstance(truncation, dict):
        most = truncation.get("max_length")
        message = f"the file cuts every text to {most} tokens, without a word, in Hugging Face tokenizers."
        advice = "Set truncation to null in the file; toktk leaves it out."
        findings.append(subject.finding("truncation", "warning", message, advice=advice))
    if isinstance(padding, dict):
        message = "the file pads texts of a batch to the longest, in Hugging Face tokenizers."
        findings.append(subject.finding("padding", "info", message))
    model = document.get("model")
    if isinstance(model, dict) and model.get("dropout"):
        message = f"the file drops merges at random (dropout {model['dropout']}): ids differ at each call."
        advice = "Set dropout to null in the file; toktk leaves it out."
        findings.append(subject.finding("dropout", "error", message, advice=advice))
    names = template_names(document.get("post_processor"))
    if names:
        message = (
            f"the library puts {', '.join(map(clipped, names[:EXAMPLES]))} around every text unless it is "
            "told add_special_tokens=False. No figure of toktk counts them."
        )
        findings.append(
            subject.finding("added-around", "info", message, examples=tuple(names[:EXAMPLES]))
        )
    return findings


def _beside(subject: Subject, path: Path, raw: bytes, document: dict[str, Any]) -> list[Finding]:
    """Return what the files beside a tokenizer change."""
    findings = []
    others = {name: _read(path.with_name(name)) for name in (*SETTINGS, _GENERATION, _MODEL)}
    for name, content in others.items():
        if isinstance(content, FormatError):
            message = f"{name} beside the file cannot be read: {content.args[-1]}"
            findings.append(subject.finding("files", "warning", message))
    config, generation, model = (
        content if isinstance(content := others[name], dict) else {}
        for name in (CONFIG, _GENERATION, _MODEL)
    )
    findings += _added(subject, path, raw, document)
    findings += _flags(subject, config)
    findings += _sizes(subject, model)
    findings += _roles(subject, config, generation)
    findings += _template(subject, path, config)
    return findings


def _read(path: Path) -> dict[str, Any] | FormatError | None:
    if not path.is_file():
        return None
    try:
        return parse_json(read_bytes(path), path)
    except FormatError as error:
        return error


def _added(subject: Subject, path: Path, raw: bytes, document: dict[str, Any]) -> list[Finding]:
    """Return the tokens that settings add to those of the file."""
    with_settings = configured(raw, path)[0]
    if with_settings == raw:
        return []
    before, after = (_added_tokens(each) for each in (document, json.loads(with_settings)))
    new = {i: name for i, name in after.items() if before.get(i) != name}
    if not new:
        message = f"{', '.join(SETTINGS[:2])} change how tokens of the file are found in text."
        return [subject.finding("added-beside", "info", message)]
    message = (
        f"files beside it add {plural(len(new), 'token')} that the file alone lacks: whoever loads the file "
        "alone has other ids for their names."
    )
    return [
        subject.finding(
            "added-beside", "warning", message, count=len(new), unit="tokens", ids=tuple(sorted(new)),
            examples=tuple(new.values())[:EXAMPLES],
            advice="Save the tokenizer anew, so that one file holds all.",
        )
    ]  # fmt: skip


def _added_tokens(document: dict[str, Any]) -> dict[int, str]:
    entries = document.get("added_tokens")
    listed = entries if isinstance(entries, list) else []
    return {entry["id"]: entry["content"] for entry in listed if isinstance(entry, dict)}


def _flags(subject: Subject, config: dict[str, Any]) -> list[Finding]:
    """Return what transformers does to texts and to what it decodes."""
    findings = []
    around = roles_around(config)
    if around:
        names = " and ".join(
            f"a {role} token that it does not name" if name is None else clipped(name)
            for role, name in ((role, role_name(config, role)) for role in around)
        )
        message = (
            f"{CONFIG} has transformers add {names} to every text. No figure of toktk counts them."
        )
        findings.append(subject.finding("added-around", "info", message))
    if config.get("clean_up_tokenization_spaces") is True:
        message = f"{CONFIG} has transformers 4 delete spaces before punctuation when it decodes."
        advice = "Set clean_up_tokenization_spaces to false: decoded text is not the source text."
        findings.append(subject.finding("clean-up", "warning", message, advice=advice))
    return findings


def _sizes(subject: Subject, model: dict[str, Any]) -> list[Finding]:
    """Return whether the model beside the tokenizer has as many rows as that has ids."""
    inner = model.get("text_config")
    rows = model.get("vocab_size", inner.get("vocab_size") if isinstance(inner, dict) else None)
    n = len(subject.tokens)
    if not isinstance(rows, int) or rows == n:
        return []
    more = {"count": abs(rows - n), "of": n, "unit": "ids"}
    if rows < n:
        message = f"{_MODEL} has {rows:,} rows of embedding for {n:,} ids: the last {n - rows:,} have none."
        advice = "Resize the embedding before these ids are used."
        return [subject.finding("embedding", "error", message, advice=advice, **more)]
    message = (
        f"{_MODEL} has {rows:,} rows of embedding for {n:,} ids: {rows - n:,} that no text trains."
    )
    return [subject.finding("embedding", "info", message, **more)]


def _roles(subject: Subject, config: dict[str, Any], generation: dict[str, Any]) -> list[Finding]:
    """Return where generation is told another id for a role than the tokenizer has."""
    findings = []
    id_of = {token: i for i, token in reversed([*enumerate(subject.tokens)])}
    for role in _ROLES:
        name, stated = role_name(config, role), generation.get(f"{role}_token_id")
        i = None if name is None else id_of.get(name.encode())
        if name is not None and i is None:
            message = (
                f"{CONFIG} names {clipped(name)} as {role}, no token here: loading adds an id."
            )
            findings.append(subject.finding("roles", "warning", message, examples=(name,)))
        ids = stated if isinstance(stated, list) else [stated]
        numbers = [each for each in ids if isinstance(each, int)]
        outside = [each for each in numbers if not 0 <= each < len(subject.tokens)]
        if outside:
            message = (
                f"{_GENERATION} says {role} is {outside[0]:,}, which is no id of this tokenizer."
            )
            findings.append(subject.finding("roles", "error", message))
        elif numbers and i is not None and i not in numbers:
            named = f"{clipped(name or '')}, which is {i:,}"
            message = f"{_GENERATION} says {role} is {numbers[0]:,}, {CONFIG} {named}."
            findings.append(subject.finding("roles", "warning", message, ids=(i, *numbers)))
    return findings


def _template(subject: Subject, path: Path, config: dict[str, Any]) -> list[Finding]:
    """Return the control strings of a chat template that are no single token."""
    file = path.with_name("chat_template.jinja")
    template = config.get("chat_template")
    text = template if isinstance(template, str) else json.dumps(template or "", ensure_ascii=False)
    if file.is_file():
        text += read_bytes(file).decode(errors="replace")
    names = [name for name in dict.fromkeys(_CONTROL.findall(text)) if not _TAGS.fullmatch(name)]
    known = set(subject.tokens)
    missing = [name for name in names if name.encode() not in known]
    if not missing:
        return []
    message = (
        f"the chat template writes {plural(len(missing), 'control string')} that "
        f"{'is' if len(missing) == 1 else 'are'} no token, so several tokens each: "
        f"{', '.join(map(clipped, missing[:EXAMPLES]))}."
    )
    return [
        subject.finding(
            "template", "warning", message, count=len(missing), of=len(names), unit="control strings",
            examples=tuple(missing[:EXAMPLES]),
            advice="Use the template of the model that this tokenizer is of.",
        )
    ]  # fmt: skip
