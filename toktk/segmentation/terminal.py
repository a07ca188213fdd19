"""A text drawn for a terminal: its tokens in color, or between signs where there is no color."""

from __future__ import annotations

from collections.abc import Sequence

from toktk.segmentation import facts
from toktk.segmentation.agreement import (
    DIFFERS,
    Agreement,
    agreement,
    differing_spans,
    readings,
)
from toktk.segmentation.segmentation import Segmentation, Token
from toktk.segmentation.signs import cells, clusters, hexadecimal, isolated, signs
from toktk.visible import visible_name

MOST = 2000
"""Tokens of each tokenizer that are drawn, unless all are asked for."""

_PLACES = 8  # at which tokenizers differ
_LONGEST_BYTES = 12  # of a token in the list
_BOLD, _DIM, _END = "\x1b[1m", "\x1b[2m", "\x1b[0m"
# Black on light blue and on light orange, which no kind of color blindness takes for each other, and which
# stand out from a dark background and from a light one.
_COLORS = ("\x1b[38;5;16;48;5;117m", "\x1b[38;5;16;48;5;222m")
_UNDERLINE = "\x1b[4m"
_BETWEEN, _OPEN, _CLOSE = "│", "⟨", "⟩"


def drawn(
    segmentations: Sequence[Segmentation],
    width: int,
    color: bool = False,
    most: int | None = MOST,
    ids: bool = False,
) -> str:
    """Return the tokens of a text by each tokenizer, and where these differ, for a terminal of this width.

    At most `most` tokens of each are drawn. With `ids` each is listed below: its id, its bytes, its text.
    """
    agreed = agreement(segmentations)
    lines: list[str] = []
    for each, own in zip(segmentations, agreed, strict=True):
        name, about = facts.heading(each)
        lines += [f"{_styled(name, _BOLD if color else '')}  {about}", facts.figures(each)]
        tokens = each.tokens(slice(most))
        differs = (own[: len(tokens)] == DIFFERS).tolist()
        shown = [signs(token.spelled, breaks=True) for token in tokens]
        lines += laid_out([*zip(shown, differs, strict=True)], width, color)
        for note in facts.notes(each, len(tokens)):
            lines += _folded(f"– {note}", width)
        if ids:
            lines += _listed(tokens, differs)
        lines.append("")
    if len(segmentations) > 1:
        lines += [*_differences(segmentations, agreed, width), ""]
    mark = "underlined" if color else f"{_OPEN} {_CLOSE}"
    legend = facts.legend("\n".join(lines), mark if len(segmentations) > 1 else "")
    lines += [_styled(line, _DIM if color else "") for line in _folded(legend, width)]
    return "".join(f"{line}\n" for line in lines).rstrip("\n") + "\n"


def laid_out(tokens: Sequence[tuple[str, bool]], width: int, color: bool) -> list[str]:
    """Return lines of tokens, given in signs and whether they differ, at most `width` cells wide.

    In color neighbors have different backgrounds, and tokens that some other tokenizer lacks are underlined.
    Without it ``│`` stands between tokens, and ⟨ ⟩ around those. A line ends after each ``↵``.
    """
    lines = _Lines(width)
    for n, (text, differs) in enumerate(tokens):
        style, opening, closing = _COLORS[n % 2] + (_UNDERLINE if differs else ""), "", ""
        if not color:
            style, opening, closing = "", _OPEN if differs else "", _CLOSE if differs else ""
            closing += _BETWEEN if n + 1 < len(tokens) else ""
        stretches = text.split("\n")
        ends_line = len(stretches) > 1 and not stretches[-1]
        if ends_line:
            stretches.pop()
        # The signs around it stay outside: in text from right to left they would change sides.
        stretches = [isolated(stretch) for stretch in stretches]
        stretches[0] = opening + stretches[0]
        stretches[-1] += closing
        for i, stretch in enumerate(stretches):
            lines.add(stretch, style)
            if ends_line or i + 1 < len(stretches):
                lines.end()
    return lines.done()


class _Lines:
    """Lines of at most `width` cells; what fits into one is not cut."""

    def __init__(self, width: int) -> None:
        self._width = self._room = width
        self._lines: list[str] = []
        self._line: list[str] = []

    def add(self, text: str, style: str) -> None:
        """Add text to the line, or to the next ones."""
        if self._room < cells(text) <= self._width:
            self.end()
        stretch = ""
        for cluster, size in clusters(text):
            if self._room < size and self._room < self._width:
                self._line.append(_styled(stretch, style))
                self.end()
                stretch = ""
            stretch += cluster
            self._room -= size
        self._line.append(_styled(stretch, style))

    def end(self) -> None:
        """End the line."""
        self._lines.append("".join(self._line))
        self._line, self._room = [], self._width

    def done(self) -> list[str]:
        """Return all lines."""
        if self._line:
            self.end()
        return self._lines


def _styled(text: str, style: str) -> str:
    return f"{style}{text}{_END}" if style and text else text


def _listed(tokens: Sequence[Token], differs: Sequence[bool]) -> list[str]:
    """Return a line for each token: its id, its bytes, what it spells."""
    rows = []
    for token, own in zip(tokens, differs, strict=True):
        spelled = hexadecimal(token.spelled[:_LONGEST_BYTES])
        spelled += " …" if len(token.spelled) > _LONGEST_BYTES else ""
        text = isolated(signs(token.spelled))
        rows.append((f"{token.id}", spelled, f"{_OPEN}{text}{_CLOSE}" if own else text))
    if not rows:
        return []
    rows.insert(0, ("id", "bytes", "text"))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    return [f"{i:>{widths[0]}}  {spelled:<{widths[1]}}  {text}" for i, spelled, text in rows]


def _differences(
    segmentations: Sequence[Segmentation], agreed: Sequence[Agreement], width: int
) -> list[str]:
    spans = differing_spans(segmentations, agreed)
    lines = [*_folded(facts.counts(segmentations), width), facts.verdict(len(spans))]
    rows: list[tuple[str, str, str]] = []
    for start, end in spans[:_PLACES]:
        place = f"{start:,}–{end:,}"
        for tokens, names in readings(segmentations, start, end):
            text = _joined(tokens, width // 2) or "(no token)"
            rows.append((place, text, ", ".join(map(visible_name, names))))
            place = ""
    wide = max((len(place) for place, *_ in rows), default=0)
    widest = max((cells(text) for _, text, _ in rows), default=0)
    for place, text, who in rows:
        lines.append(f"  {place:>{wide}}  {text}{' ' * (widest - cells(text))}  {who}")
    if len(spans) > _PLACES:
        lines.append(f"  and {len(spans) - _PLACES:,} more")
    return lines


def _joined(tokens: Sequence[Token], room: int) -> str:
    """Return tokens in a line, as many of the first as there is room for."""
    shown: list[str] = []
    for token in tokens:
        shown.append(isolated(signs(token.spelled)))
        if len(shown) > 1 and cells(_BETWEEN.join(shown)) > room:
            return _BETWEEN.join([*shown[:-1], "…"])
    return _BETWEEN.join(shown)


def _folded(text: str, width: int) -> list[str]:
    """Return text in lines, cut between words."""
    lines = _Lines(width)
    for word in text.split(" "):
        lines.add(f"{word} ", "")
    return [line.rstrip(" ") for line in lines.done()]
