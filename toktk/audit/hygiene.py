"""Hygiene of a vocabulary: tokens that are there twice, nearly twice, very long, blank, or someone's data."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from toktk.audit.finding import Finding, Severity
from toktk.audit.scripts import script_or_kind
from toktk.audit.subject import EXAMPLES, Subject, percent, plural, shown

LONG = 64
"""Bytes: longer tokens are told of."""

# What is written in more than one script by rule: Japanese, and letters that stand for a unit or a formula.
_TOGETHER = frozenset({"Han", "Kana", "Hangul", "Bopomofo"})
_LETTERS = ("Lu", "Ll", "Lt", "Lo")  # modifiers belong to many scripts
_PRIVATE = {
    "e-mail addresses": re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE | re.ASCII),
    "web addresses": re.compile(r"(https?://|www\.)[\w-]+(\.[\w-]+)+", re.IGNORECASE | re.ASCII),
    "telephone numbers": re.compile(r"(?<!\d)(\+\d[\d .()/-]{7,}\d|\(?\d{3}\)?[ -]\d{3}-\d{4})(?!\d)"),
}  # fmt: skip


def hygiene(subject: Subject) -> list[Finding]:
    """Return what is odd about the tokens themselves."""
    fallback = subject.fallback_ids
    tokens = {i: subject.tokens[i] for i in subject.ordinary.tolist() if i not in fallback}
    texts = {
        i: subject.tokens[i].decode()
        for i, whole in zip(subject.ordinary.tolist(), subject.is_text.tolist(), strict=True)
        if whole and i not in fallback
    }
    return [
        _holes(subject),
        _duplicates(subject, tokens),
        _variants(subject, texts),
        _long(subject, tokens),
        _blank(subject, texts),
        _mixed_scripts(subject, texts),
        *_private(subject, texts),
    ]


def _holes(subject: Subject) -> Finding:
    n = len(subject.tokens)
    holes = [i for i, token in enumerate(subject.tokens) if not token]
    finding = functools.partial(subject.of_ids, "holes", ids=holes, of=n, examples=())
    if not holes:
        return finding("ok", f"each of {n:,} ids has a token.")
    message = f"{len(holes):,} of {n:,} ids ({percent(len(holes), n)}) have no token: rows that nothing uses."
    return finding("info", message)


def _duplicates(subject: Subject, tokens: dict[int, bytes]) -> Finding:
    """Return ids that spell the same; that one begins a word and one continues it is as it should be."""
    of_spelling: defaultdict[tuple[bytes, bool], list[int]] = defaultdict(list)
    for i, token in tokens.items():
        of_spelling[token, i in subject.continuing_ids].append(i)
    alike = [ids for ids in of_spelling.values() if len(ids) > 1]
    finding = functools.partial(subject.of_ids, "duplicates", of=len(tokens))
    repeated = [i for ids in alike for i in ids]
    if not repeated:
        return finding("ok", f"no two of {plural(len(tokens), 'token')} spell the same.", [])
    message = (
        f"{plural(len(repeated), 'id')} spell {plural(len(alike), 'text')}: a text becomes one id of each, "
        f"and the other {len(repeated) - len(alike):,} are not trained by it."
    )
    return finding(
        "warning", message, repeated, advice="Drop all but the first of each, or map them to it."
    )


def _variants(subject: Subject, texts: dict[int, str]) -> Finding:
    """Return how many tokens differ from another in case, or in a space at the front, alone."""
    n = len(texts)
    cased, spaced = (_differing(texts.values(), same) for same in (str.casefold, _unspaced))
    both = _differing(texts.values(), lambda text: _unspaced(text).casefold())
    message = (
        f"of {n:,} tokens {percent(cased, n)} differ from another in case alone, {percent(spaced, n)} in a "
        f"space in front, {percent(both, n)} in one or both."
    )
    return subject.finding(
        "variants", "info" if both else "ok", message, count=both, of=n, unit="tokens"
    )


def _unspaced(text: str) -> str:
    return text[1:] if text.startswith(" ") and len(text) > 1 else text


def _differing(texts: Iterable[str], same: Callable[[str], str]) -> int:
    """Return how many texts are the same as another one after a change."""
    of_form: defaultdict[str, int] = defaultdict(int)
    for text in texts:
        of_form[same(text)] += 1
    return sum(n for n in of_form.values() if n > 1)


def _long(subject: Subject, tokens: dict[int, bytes]) -> Finding:
    ids = sorted(
        (i for i, token in tokens.items() if len(token) > LONG), key=lambda i: -len(tokens[i])
    )
    finding = functools.partial(subject.of_ids, "long-tokens", ids=ids, of=len(tokens))
    longest = max(map(len, tokens.values()), default=0)
    if not ids:
        return finding("ok", f"no token is longer than {LONG} bytes; the longest has {longest}.")
    runs = sum(len(set(tokens[i])) < 4 for i in ids)
    message = (
        f"{plural(len(ids), 'token')} of more than {LONG} bytes, the longest of {longest:,}; {runs:,} of "
        "them are runs of one to three different bytes, such as spaces or rules of dashes."
    )
    texts = tuple(shown(tokens[i]) for i in ids if len(set(tokens[i])) >= 4)[:EXAMPLES]
    return finding("info", message, examples=texts)


def _blank(subject: Subject, texts: dict[int, str]) -> Finding:
    ids = [i for i, text in texts.items() if text.isspace()]
    message = f"{plural(len(ids), 'token')} of white space alone."
    return subject.of_ids("blank-tokens", "info" if ids else "ok", message, ids, of=len(texts))


def _mixed_scripts(subject: Subject, texts: dict[int, str]) -> Finding:
    """Return tokens with letters of several scripts, which no one language writes."""
    ids = []
    for i, text in texts.items():
        if not text.isascii():
            scripts = {script_or_kind(c) for c in text if _has_script(c)}
            if len(scripts) > 1 and not scripts <= _TOGETHER:
                ids.append(i)
    message = f"{plural(len(ids), 'token')} with letters of several scripts."
    return subject.of_ids("mixed-scripts", "info" if ids else "ok", message, ids, of=len(texts))


def _has_script(character: str) -> bool:
    """Tell whether a character is a letter that is no other one in another form, as µ and º are."""
    is_form = unicodedata.decomposition(character).startswith("<")
    return unicodedata.category(character) in _LETTERS and not is_form


def _private(subject: Subject, texts: dict[int, str]) -> list[Finding]:
    """Return tokens that look like someone's data, which training has learned by heart."""
    findings = []
    for what, pattern in _PRIVATE.items():
        ids = [i for i, text in texts.items() if pattern.search(text)]
        is_web = what == "web addresses"
        if ids:
            message = (
                f"{plural(len(ids), 'token')} that look{'s' if len(ids) == 1 else ''} like {what}."
            )
            advice = (
                ""
                if is_web
                else "Look at them: text of one person or page may be in the training data often."
            )
            severity: Severity = "info" if is_web else "warning"
            findings.append(
                subject.of_ids("private", severity, message, ids, of=len(texts), advice=advice)
            )
    if findings:
        return findings
    kinds: Sequence[str] = [*_PRIVATE]
    message = f"no token looks like one of {', '.join(kinds)}."
    return [subject.of_ids("private", "ok", message, [], of=len(texts))]
