"""Names that steer a terminal, hide, or mean something to a format; and their reading back."""

from __future__ import annotations

import re

from hypothesis import strategies as st

HOSTILE_NAMES = (
    "\x1b]0;TITLE\x07x",
    "\x1b]52;c;cHduZWQ=\x1b\\",
    "\x1b[2J\x1b[1;31mred",
    "red",
    "\x1b[31mred",
    "\x9b2Jx",
    "a\u202egnp.exe",
    "a\u2066b\u2069",
    "a\u061cb\u200eb",
    "a\u200bb",
    "ab",
    "a\u00adb",
    "a\ufeffb",
    "a\u3164b",
    "a\u0301",
    "\u0301a",
    "a \u0301",
    "e" + "\u0336" * 40,
    "\U000e0041\U000e0042",
    "\ue000\uffff",
    "a|b`c`",
    "a\\b$c%d&e_f{g}#~^",
    "a\\",
    "\\x1b",
    "a\\u2028b",
    "a\u2028b",
    "\\x5cx1b",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!-- x",
    "&lt;b&gt; &#x202e; &amp;",
    "[x](javascript:alert(1))",
    "![x](http://a.b/c.png)",
    "[x][y] [^1]: z",
    "https://example.org www.example.org <http://a.b>",
    "*a* _b_ __c__ ~~d~~ **e**",
    "`a`",
    "[bold red]rich[/]",
    ":smile:",
    "[3pt]",
    "*",
    "--- ,, '' ``",
    '"a"',
    "'a'",
    "'",
    "",
    " ",
    "   ",
    "all ",
    " all",
    "a  b",
    "a b",
    "a\u00a0b",
    "line1\nline2",
    "line1\r\nline2",
    "abc\rXYZ",
    "a\x00b",
    "a\tb",
    "a\x0bb\x0cc\x1cd\x1ee\x85f",
    "abc\b\b\bXYZ",
    "\x7f",
    "a\u2029b",
    "x]|macro",
    "x]|max]|macro",
    "*]",
    "naïve, “東京” لُغَة 👩‍👩‍👧 1️⃣",
    "L" * 300,
    "L" * 301,
    "東" * 40,
    "東" * 41,
)

WITHOUT_UTF8 = ("a\ud800b", "\udcff", "\ud83d\ude00")

names = st.one_of(
    st.sampled_from(HOSTILE_NAMES),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.lists(st.sampled_from(list("\x1b[]m\\x5bu20&|*_`~$<>/!()='\" \r\n\t-,{}%#^e\u0301\u200d")), max_size=9)
    .map("".join),
)  # fmt: skip

_ESCAPES = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


def read_visible(text: str) -> str:
    """Return the name that `toktk.visible.visible_name` shows so."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return _ESCAPES.sub(lambda escape: chr(int(escape[1] or escape[2] or escape[3], 16)), text)


def hidden(text: str) -> list[str]:
    """Return the characters of terminal output that are neither to be seen nor ends of lines."""
    return [char for char in text if not char.isprintable() and char not in "\n\u200c\u200d"]
