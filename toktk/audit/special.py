"""Special tokens that plain text turns into: by their names, and by spellings that look like them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from toktk.arrays import Ids, Int64, packed
from toktk.audit.finding import Finding
from toktk.audit.subject import EXAMPLES, Subject, plural
from toktk.corpus import Corpus
from toktk.lab.counted import CountedCorpora
from toktk.lab.special import special_in_text, special_lines

_MOST = 2000  # names that are tried

_Encode = Callable[..., tuple[Ids, Int64]]


def near_spellings(name: str) -> list[str]:
    """Return what looks like a name, and is another text: other letters, other case, something within."""
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    inner = name.strip("<>[]|")
    at = name.find(inner) if inner else 0
    head, tail = name[:at], name[at + len(inner) :]
    variants = [
        wide,
        name.upper(),
        name.lower(),
        name.title(),
        f"{head} {inner} {tail}",
        f"{head}{inner[:1]}\u200b{inner[1:]}{tail}",
        f"{head}{inner[:1]}\u00ad{inner[1:]}{tail}",
        f"{head}{inner[:1]}\x00{inner[1:]}{tail}",
        f"{head}{inner[:1]}\u0301{inner[1:]}{tail}",
        name.replace("_", "-"),
        name.replace("_", "\u2581"),
    ]
    return [variant for variant in dict.fromkeys(variants) if name not in variant]


def special(subject: Subject) -> list[Finding]:
    """Return which special tokens the file's own library finds in plain text, as it is usually called."""
    unknown = getattr(subject.model, "unknown_id", None)  # what is strange becomes it anyway
    listed = frozenset(subject.model.special_tokens)
    names = {i: n for i, n in subject.special_ids.items() if n in listed and i != unknown}
    if not names:
        none = subject.finding(
            "special-injected", "ok", "there are no special tokens.", count=0, of=0
        )
        return [none]
    if subject.loaded is None:
        why = "the tokenizer is at hand, and in no file of a library."
        return [subject.not_checked("special-injected", why)]
    library, model = subject.loaded.library, subject.loaded.reference.model
    if library.startswith("tiktoken"):
        return [_refused(subject, library, names)]
    encode: _Encode = getattr(model, "encode_with_special", model.encode_pieces)
    tried = dict(list(names.items())[:_MOST])
    return [
        _by_name(subject, library, encode, tried),
        _by_spelling(subject, library, encode, tried),
    ]


def injected(encode: _Encode, texts: Sequence[str], ids: Sequence[int]) -> list[bool]:
    """Tell for each text whether its ids hold a certain one."""
    found, ends = encode(*packed([f"a {text} b".encode() for text in texts]))
    starts = np.append(0, ends)
    each = enumerate(ids)
    return [bool((found[starts[d] : starts[d + 1]] == i).any()) for d, i in each]


def special_in(subject: Subject, corpus: Corpus, counted: CountedCorpora) -> list[Finding]:
    """Return how often special tokens stand in a text."""
    check, names = "special-in-text", subject.model.special_tokens
    if not names:
        return []
    if not corpus.is_at_hand:
        return [subject.not_checked(check, "nothing is downloaded once more for this.")]
    counted.sought = names
    about = special_in_text(corpus, {subject.label: subject.tokenizer}, counted).get(subject.label)
    if about is None:
        message = f"none of {plural(len(names), 'special token')} stands in {corpus.name}."
        return [subject.finding(check, "ok", message, count=0, unit="occurrences")]
    (line,) = special_lines({subject.label: about})
    return [
        subject.finding(
            check, "warning", f"{corpus.name}: {line.removeprefix(f'{subject.label}: ')}", count=about["n"],
            unit="occurrences", examples=tuple(about["occurrences"])[:EXAMPLES],
            advice="Take them out of text that a model is trained or measured on.",
        )
    ]  # fmt: skip


def _refused(subject: Subject, library: str, names: dict[int, str]) -> Finding:
    """Return what tiktoken does: by rule, for it needs no trial."""
    message = (
        f"{library}: encode() refuses text that holds one of {plural(len(names), 'special token')}, unless "
        "the call allows it; encode_ordinary() takes them for text."
    )
    return subject.finding("special-injected", "ok", message, count=0, of=len(names), unit="tokens")


def _by_name(subject: Subject, library: str, encode: _Encode, names: dict[int, str]) -> Finding:
    found = injected(encode, [*names.values()], [*names])
    ids = [i for i, is_there in zip(names, found, strict=True) if is_there]
    finding = functools.partial(
        subject.of_ids, "special-injected", ids=ids, of=len(names),
        examples=tuple(names[i] for i in ids[:EXAMPLES]),
    )  # fmt: skip
    if not ids:
        return finding(
            "ok", f"{library} finds none of {plural(len(names), 'special token')} in plain text."
        )
    hint = (
        "Encode text of others with encode_special_tokens = True (transformers: split_special_tokens=True), "
        "or take the names out of it."
    )
    message = (
        f"plain text becomes {len(ids):,} of {plural(len(names), 'special token')}: {library} finds their "
        "names in text unless it is told otherwise. toktk takes them for text."
    )
    return finding(
        "warning", message, advice=hint if "tokenizers" in library else "Take the names out of it."
    )


def _by_spelling(subject: Subject, library: str, encode: _Encode, names: dict[int, str]) -> Finding:
    """Return names that text without them becomes: a filter that looks for names does not see those."""
    tried: list[tuple[int, str]] = []
    known = set(names.values())
    for i, name in names.items():
        tried += [(i, variant) for variant in near_spellings(name) if variant not in known]
    found = injected(encode, [variant for _, variant in tried], [i for i, _ in tried])
    hits = [pair for pair, is_there in zip(tried, found, strict=True) if is_there]
    ids = sorted({i for i, _ in hits})
    more: dict[str, Any] = {
        "of": len(names),
        "examples": tuple(text for _, text in hits[:EXAMPLES]),
    }
    if not ids:
        message = f"none of {len(tried):,} spellings that look like a special token becomes one."
        return subject.of_ids("special-near", "ok", message, ids, **more)
    message = (
        f"{len(hits):,} of {len(tried):,} texts that only look like a special token become "
        f"{plural(len(ids), 'of them', 'of them')}: {library} normalizes text before it looks for names."
    )
    advice = "A filter of the exact names does not see these: set normalized to false for special tokens."
    return subject.of_ids("special-near", "error", message, ids, advice=advice, **more)
