"""Tokens that are part of a character, bytes that have no token, and characters that tokens cut."""

from __future__ import annotations

import codecs
from collections import Counter
from enum import Enum
from typing import Any

import numpy as np

from toktk.arrays import Int64
from toktk.audit.finding import Finding, Severity
from toktk.audit.scripts import script_or_kind
from toktk.audit.subject import EXAMPLES, Subject, Text, percent, plural
from toktk.models.pairs import UNUSED_BYTES

_ALPHABET = 64  # single bytes above 127 that say: these are tokens of bytes, not of characters
_MOST_SCRIPTS = 6


class Part(Enum):
    """What a token that is no UTF-8 is of text."""

    START = "beginning within a character"
    END = "ending within one"
    BOTH = "both"
    NEVER = "that stand in no UTF-8"


def part_of(raw: bytes) -> Part | None:
    """Tell what part of text a token is; None: whole characters."""
    begins_within = bool(raw) and raw[0] & 0xC0 == 0x80
    rest = raw
    while rest and len(raw) - len(rest) < 3 and rest[0] & 0xC0 == 0x80:
        rest = rest[1:]
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(rest)
    except UnicodeDecodeError:
        return Part.NEVER
    ends_within = bool(decoder.getstate()[0])
    if begins_within:
        return Part.BOTH if ends_within else Part.START
    return Part.END if ends_within else None


def utf8(subject: Subject, text: Text | None) -> list[Finding]:
    """Return which tokens are no UTF-8, which bytes have no token, and what of a text is cut."""
    findings = [_partial(subject), *_missing_bytes(subject)]
    return findings if text is None else [*findings, *_cut_characters(subject, text)]


def _partial(subject: Subject) -> Finding:
    n = subject.ordinary.size
    ids = subject.ordinary[~subject.is_text].tolist()
    if not ids:
        return subject.of_ids("partial-utf8", "ok", "all tokens are whole characters.", [], of=n)
    parts = Counter(part_of(subject.tokens[i]) for i in ids)
    single = sum(len(subject.tokens[i]) == 1 for i in ids)
    listed = ", ".join(f"{parts[part]:,} {part.value}" for part in Part if parts[part])
    message = (
        f"{len(ids):,} of {n:,} tokens ({percent(len(ids), n)}) are no UTF-8 by themselves: {listed}. "
        f"{plural(single, 'is a single byte', 'are single bytes')}, as every vocabulary of bytes has them."
    )
    advice = "Decode ids together, never one by one: alone each of these becomes U+FFFD."
    # As single bytes they belong to the alphabet; longer ones were learned from damaged text.
    is_damaged = any(
        len(subject.tokens[i]) > 1 and part_of(subject.tokens[i]) is Part.NEVER for i in ids
    )
    severity: Severity = "warning" if is_damaged else "info"
    return subject.of_ids("partial-utf8", severity, message, ids, of=n, advice=advice)


def missing_bytes(subject: Subject) -> list[int] | None:
    """Return the bytes that no token is; None for a vocabulary of characters."""
    single = {token[0] for i in subject.ordinary.tolist() if len(token := subject.tokens[i]) == 1}
    if sum(byte >= 0x80 for byte in single) < _ALPHABET:
        return None
    return [byte for byte in range(256) if byte not in single]


def _missing_bytes(subject: Subject) -> list[Finding]:
    missing = missing_bytes(subject)
    if missing is None:
        return []
    needed = [byte for byte in missing if byte not in UNUSED_BYTES]
    more: dict[str, Any] = {"count": len(missing), "of": 256, "unit": "bytes"}
    more["examples"] = tuple(f"0x{byte:02X}" for byte in (needed or missing)[:EXAMPLES])
    if needed:
        message = f"{plural(len(needed), 'byte')} of UTF-8 {'has' if len(needed) == 1 else 'have'} no token."
        advice = (
            "Text with such a byte is lost or becomes the unknown token: train with all 256 bytes."
        )
        return [subject.finding("missing-bytes", "error", message, advice=advice, **more)]
    if missing:
        message = f"{plural(len(missing), 'byte')} without a token, all of which stand in no UTF-8."
        return [subject.finding("missing-bytes", "info", message, **more)]
    return [subject.finding("missing-bytes", "ok", "each of the 256 bytes is a token.", **more)]


def _cut_characters(subject: Subject, text: Text) -> list[Finding]:
    """Return how many characters of a text lie in several tokens, by script."""
    if subject.is_text.all():
        return []
    lengths = np.fromiter(map(len, subject.tokens), dtype=np.int64, count=len(subject.tokens))
    ends = np.cumsum(lengths[text.ids])
    if ends[-1:].sum() != text.offsets[-1]:
        why = "the tokens do not spell the text byte by byte."
        return [subject.not_checked("cut-characters", why)]
    inside = ends[:-1][text.data[ends[:-1]] & 0xC0 == 0x80]
    starts = np.flatnonzero(text.data & 0xC0 != 0x80)
    cut = np.unique(np.searchsorted(starts, inside, side="right") - 1)
    codes = np.frombuffer(text.data.tobytes().decode().encode("utf-32-le"), dtype=np.uint32)
    n, n_cut = codes.size, cut.size
    counts, of = _by_script(codes[cut]), _by_script(codes)
    most = [*counts.most_common(_MOST_SCRIPTS)]
    listed = ", ".join(f"{script} {percent(c, of[script])}" for script, c in most)
    more: dict[str, Any] = {"count": n_cut, "of": n, "unit": "characters"}
    if not n_cut:
        message = f"no character of {text.described} lies in several tokens."
        return [subject.finding("cut-characters", "ok", message, **more)]
    message = (
        f"{n_cut:,} of {n:,} characters ({percent(n_cut, n)}) of {text.described} lie in several tokens: "
        f"{listed}{' …' if len(counts) > len(most) else ''} of each script."
    )
    codes_cut, often = np.unique(codes[cut], return_counts=True)
    order = np.argsort(-often, kind="stable")[:EXAMPLES]
    more["examples"] = tuple(map(chr, codes_cut[order].tolist()))
    advice = "A model that stops within one of them writes no valid text."
    return [subject.finding("cut-characters", "info", message, advice=advice, **more)]


def _by_script(codes: Int64 | np.ndarray) -> Counter[str]:
    """Return how many characters are of each script."""
    scripts: Counter[str] = Counter()
    for code, n in zip(*np.unique(codes, return_counts=True), strict=True):
        scripts[script_or_kind(chr(code))] += int(n)
    return scripts
