"""What a pretokenizer does, step by step, in plain Python: added strings, normalizer, patterns."""

from __future__ import annotations

import reference
import tokenizers


def split_added(text, added):
    """Return (part, whether it is an added string): leftmost, then longest."""
    parts, gap, at = [], 0, 0
    while at < len(text):
        found = max((s for s in added if text.startswith(s, at)), key=len, default="")
        if not found:
            at += 1
            continue
        if gap < at:
            parts.append((text[gap:at], False))
        parts.append((found, True))
        gap = at = at + len(found)
    if gap < len(text):
        parts.append((text[gap:], False))
    return parts


def normalize(normalizer, text):
    if normalizer.form is not None:
        text = getattr(tokenizers.normalizers, normalizer.form)().normalize_str(text)
    if normalizer.marks:
        text = text.replace("\u2581", " ")
    always = normalizer.prefix == "always"
    if text and (always or (normalizer.prefix == "unless_space" and text[0] != " ")):
        text = " " + text
    return text


def cut(pretokenizer, text):
    """Return the pieces; an added string may change in nothing but its U+2581."""
    pieces = []
    for part, is_added in split_added(text, pretokenizer.added):
        if is_added:
            pieces.append(part.replace("\u2581", " ") if pretokenizer.normalizer.marks else part)
            continue
        found = [normalize(pretokenizer.normalizer, part)]
        for pattern in (*pretokenizer.before, pretokenizer.pattern):
            found = [piece for one in found for piece in reference.cut(pattern, one)]
        pieces += found
    return pieces
