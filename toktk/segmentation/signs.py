"""Signs: what a reader sees of a token's bytes, in which nothing is hidden and nothing steers a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from toktk.visible import visible

NEWLINE = "↵"
_SPACES = {" ": "·", "\t": "→", "\n": NEWLINE}
_CIRCLE = "◌"  # on which a mark stands that has lost its letter
_APART = re.compile("([ \t\n\udc80-\udcff])")
_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"
_ISOLATE, _END = "\u2068", "\u2069"
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def signs(spelled: bytes, breaks: bool = False) -> str:
    r"""Return a token's bytes in signs; with `breaks` a line does end after ``↵``.

    A space is ``·``, the end of a line ``↵``, a tab ``→``, a byte of a character that other tokens share
    ``<E2>``, and what cannot be seen an escape such as ``\u202e``. A mark without a letter stands on ``◌``.
    """
    text = spelled.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable():
        return text.replace(" ", _SPACES[" "])
    shown = (
        f"{NEWLINE}\n" if part == "\n" and breaks else _sign(part) for part in _APART.split(text)
    )
    return "".join(shown)


def _sign(part: str) -> str:
    if not part or part in _SPACES:
        return _SPACES.get(part, "")
    if "\udc80" <= part <= "\udcff":
        return f"<{ord(part) - 0xDC00:02X}>"
    stands = unicodedata.category(part[0])[0] != "M"
    return visible(part if stands else _CIRCLE + part)


def isolated(text: str) -> str:
    """Return text so that what is written from right to left moves nothing around it."""
    if text.isascii() or not any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text):
        return text
    return f"{_ISOLATE}{text}{_END}"


def clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield what a line may be cut between, and how many cells it takes in a terminal.

    That is a letter with its marks, or an emoji with all its parts, whose cells are counted as if they stood
    side by side: some terminals draw them so.
    """
    from rich.cells import cell_len

    if text.isascii():
        yield from ((char, 1) for char in text)
        return
    cluster, size = "", 0
    for char in text:
        joins = unicodedata.category(char)[0] == "M" or char == _JOINER or cluster.endswith(_JOINER)
        if cluster and not joins:
            yield cluster, size
            cluster, size = "", 0
        cluster += char
        if char not in (_JOINER, _ISOLATE, _END):
            size += 1 if char == _EMOJI_STYLE else cell_len(char)
    yield cluster, size


def cells(text: str) -> int:
    """Return how many cells text takes in a terminal, at most."""
    return sum(size for _, size in clusters(text))


def hexadecimal(spelled: bytes) -> str:
    """Return bytes as ``E2 82 AC``."""
    return spelled.hex(" ").upper()
