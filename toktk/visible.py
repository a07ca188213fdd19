"""Foreign strings made visible: what steers a terminal, or what nobody sees, is written as an escape.

Names of groups, files and tokenizers can hold anything. Every name is shown through this module:
text on a terminal, in Markdown, LaTeX and HTML through `visible` or `visible_name`, JSON through
`json_text`. CSV and Parquet hold names as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_JOINER, _NON_JOINER, _EMOJI_STYLE, _KEYCAP = "\u200d", "\u200c", "\ufe0f", "\u20e3"
_MOST_MARKS = 8  # more marks on one letter cover the lines around it
_VIRAMA = 9  # the combining class of what joins two consonants

# Printable by their category, and yet nothing to see: fillers, variation selectors, a blank of Braille.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U0001d159\U000e0100-\U000e01ef]"
)
_NOT_ASCII = re.compile(r"[^ -~\n]+")
# ASCII without a backslash, without quotes or a space at an end.
_PLAIN = re.compile(r"[!-&(-\[\]-~](?:[ -\[\]-~]*[!-&(-\[\]-~])?")
_LIKE_AN_ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def visible(text: str) -> str:
    r"""Return `text` in one line, what cannot be seen in it as ``\x1b``, ``\u202e`` or ``\U000e0001``.

    Escaped are control and format characters, the ends of lines, lone surrogates, private and
    unassigned characters, white space other than U+0020, fillers, and marks that stand on nothing.
    Joiners and the emoji style stay where emoji and scripts need them. To do it twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    before = ""  # the character before, if it is shown as it is
    marks = 0  # how many marks end there
    for char, after in zip(text, [*text[1:], ""], strict=True):
        is_mark = unicodedata.category(char)[0] == "M"
        marks = marks + 1 if is_mark else 0
        if char in (_JOINER, _NON_JOINER, _EMOJI_STYLE):
            stays = _is_needed(char, before, after)
        elif is_mark:
            stands = before not in ("", " ", _JOINER, _NON_JOINER) and marks <= _MOST_MARKS
            stays = stands and not _BLANK.match(char)
        else:
            stays = char.isprintable() and not _BLANK.match(char)
        shown.append(char if stays else escape(char))
        before = char if stays else ""
    return "".join(shown)


def listed(names: Sequence[str], n: int | None = None) -> str:
    """Return the first of `n` names in a line, as `visible_name` shows them, and how many more there are."""
    shown = names[:8]
    more = (len(names) if n is None else n) - len(shown)
    return ", ".join(map(visible_name, shown)) + (f" and {more:,} more" if more else "")


def visible_name(name: str) -> str:
    r"""Return a name as `visible` does, different for different names.

    A backslash that would read as the beginning of an escape becomes ``\x5c``. A name without a
    character, or with a space at an end, is quoted.
    """
    if _PLAIN.fullmatch(name):
        return name
    return quoted(visible(_LIKE_AN_ESCAPE.sub(r"\\x5c", name)))


def quoted(text: str) -> str:
    """Return the text in quotes if it is empty, begins or ends with a space, or is in quotes."""
    in_quotes = len(text) > 1 and text[0] == text[-1] == "'"
    return f"'{text}'" if not text or text != text.strip(" ") or in_quotes else text


def escape(char: str) -> str:
    r"""Return ``\x1b``, ``\u202e`` or ``\U000e0001`` for a character."""
    point = ord(char)
    return (
        f"\\x{point:02x}"
        if point < 256
        else f"\\u{point:04x}"
        if point < 2**16
        else f"\\U{point:08x}"
    )


def without_surrogates(text: str) -> str:
    r"""Return `text` as UTF-8 can hold it: a lone surrogate becomes ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def json_text(value: object, **options: Any) -> str:
    """Return JSON with every character that is not printable escaped, which reads back as it was.

    `options` are those of `json.dumps`. A lone surrogate is escaped too, so UTF-8 can hold the text.
    """
    import json

    text = json.dumps(value, ensure_ascii=False, **options)
    return _NOT_ASCII.sub(_in_json, text)


def _in_json(run: re.Match[str]) -> str:
    text = run[0]
    if text.isprintable():
        return text
    # Only strings hold such characters: what is outside of them is ASCII.
    return "".join(char if char.isprintable() else _json_escape(ord(char)) for char in text)


def _json_escape(point: int) -> str:
    if point < 2**16:
        return f"\\u{point:04x}"
    high, low = divmod(point - 2**16, 2**10)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _is_needed(char: str, before: str, after: str) -> bool:
    """Tell whether a joiner or the emoji style has work to do between two characters.

    Of joiners in scripts it is the rule of RFC 5892, appendix A, with Arabic letters for all that join.
    """
    if not before:
        return False
    is_emoji = unicodedata.category(before) == "So"
    if char == _EMOJI_STYLE:
        return is_emoji or (before in "0123456789#*" and after == _KEYCAP)
    after_virama = unicodedata.combining(before) == _VIRAMA
    if after_virama and after.isalpha() and not _BLANK.match(after):
        return True
    if char == _NON_JOINER:
        return bool(after) and all(unicodedata.bidirectional(c) == "AL" for c in (before, after))
    joins = is_emoji or before == _EMOJI_STYLE or "\U0001f3fb" <= before <= "\U0001f3ff"
    return joins and bool(after) and unicodedata.category(after) == "So"
