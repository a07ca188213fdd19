"""What is said of a text's tokens in words, in a terminal and on a page alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from toktk.segmentation.segmentation import Segmentation, totals
from toktk.segmentation.signs import NEWLINE, signs
from toktk.visible import listed, visible_name

_LONGEST = 60  # characters of a text that is quoted
_PLACES = 5
_MEANINGS = {
    "·": "· space",
    "→": "→ tab",
    NEWLINE: f"{NEWLINE} end of line",
    "◌": "◌ in place of a mark's letter",
    "<[0-9A-F]{2}>": "<E2> a byte of a split character",
}


def heading(segmentation: Segmentation) -> tuple[str, str]:
    """Return the name of a tokenizer, and what it is: size, cut and engine."""
    cut = f"cut {visible_name(segmentation.cut)}, " if segmentation.cut is not None else ""
    about = f"{segmentation.vocab_size:,} ids, {cut}{segmentation.engine}"
    return visible_name(segmentation.name), about


def figures(segmentation: Segmentation) -> str:
    """Return how many tokens a text has, and what that is to its bytes and words."""
    n, size = len(segmentation), len(segmentation.text)
    chars, words = totals(segmentation.text)
    parts = f"{_counted(n, 'token')}, {_counted(size, 'byte')}, {_counted(chars, 'character')}"
    ratios = [f"{size / n:,.2f} bytes per token"] if n else []
    ratios += [f"{n / words:,.2f} tokens per word"] if words else []
    return f"{parts}: {', '.join(ratios)}" if ratios else parts


def notes(segmentation: Segmentation, n_drawn: int) -> list[str]:
    """Return what a reader must know of how a text is drawn."""
    said = []
    if not segmentation.is_exact:
        said.append(
            f"it changes the text before it encodes it; its tokens spell: {_excerpt(segmentation)}"
        )
    if unknown := segmentation.n_unknown:
        tokens = segmentation.tokens(np.flatnonzero(segmentation.ids == segmentation.unknown_id))
        parts = dict.fromkeys(
            segmentation.text[t.start : t.end] for t in tokens if t.end is not None
        )
        which = f": {listed([part.decode(errors='replace') for part in parts])}" if parts else ""
        name = signs(tokens[0].spelled)
        said.append(f"{name} ×{unknown:,} stands for text that the vocabulary lacks{which}")
    if segmentation.blind.size:
        places = ", ".join(f"{a:,}–{b:,}" for a, b in segmentation.blind[:_PLACES].tolist())
        more = len(segmentation.blind) - _PLACES
        said.append(
            f"at bytes {places}{f' and {more:,} more places' if more > 0 else ''} nobody can tell which "
            "token stands for which bytes"
        )
    if n_drawn < len(segmentation):
        said.append(
            f"drawn are the first {n_drawn:,} of {len(segmentation):,} tokens; --all draws all"
        )
    return said


def counts(segmentations: Sequence[Segmentation]) -> str:
    """Return how many tokens each tokenizer needs, in a line."""
    each = ", ".join(f"{visible_name(each.name)} {len(each):,}" for each in segmentations)
    return f"Tokens: {each}."


def verdict(n_places: int) -> str:
    """Return at how many places tokenizers differ, in a line."""
    if not n_places:
        return "Their tokens are the same, wherever one can tell."
    return f"They differ at {_counted(n_places, 'place')}, given in bytes of the text:"


def legend(text: str, mark: str) -> str:
    """Return what the signs mean that stand in a text, and the mark of a token that is not agreed."""
    meanings = [meaning for sign, meaning in _MEANINGS.items() if re.search(sign, text)]
    return ", ".join([*meanings, f"{mark} some other tokenizer lacks it"] if mark else meanings)


def _excerpt(segmentation: Segmentation) -> str:
    """Return what the tokens spell, from shortly before the first byte that is not the text's."""
    text, spelled = segmentation.text, segmentation.spelled
    n = min(len(text), len(spelled))
    differs = np.frombuffer(text, np.uint8)[:n] != np.frombuffer(spelled, np.uint8)[:n]
    at = int(np.argmax(differs)) if differs.any() else n
    before = spelled[:at].decode(errors="ignore")[-_LONGEST // 4 :]
    begin = at - len(before.encode())
    rest = spelled[begin : begin + 4 * _LONGEST].decode(errors="replace")
    shown = rest[:_LONGEST]
    cut = begin + len(shown.encode()) < len(spelled)
    return f"{'…' if begin > 0 else ''}{signs(shown.encode())}{'…' if cut else ''}"


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
