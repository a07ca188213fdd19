"""A text drawn in HTML: a fragment for a notebook, and a page of its own without a script or a request."""

from __future__ import annotations

import html
from collections.abc import Sequence

from toktk.segmentation import facts
from toktk.segmentation.agreement import (
    DIFFERS,
    UNKNOWN,
    Agreement,
    agreement,
    differing_spans,
    readings,
)
from toktk.segmentation.segmentation import Segmentation, Token
from toktk.segmentation.signs import hexadecimal, signs
from toktk.visible import visible_name

SAMPLE = (
    "The naïve café costs 12,345.67 € – Größe, façade.\n"
    "Быстрая лиса; 東京は日本の首都です。我爱北京; 빠른 갈색 여우; तेज़ लोमड़ी; "
    "مرحبا بالعالم; สวัสดี 👩‍👩‍👧 👍🏽\n"
    "def f(x):\n\treturn x ** 2  # 0x1F\n"
)
"""What a notebook shows of a tokenizer: scripts, numbers, emoji and code."""

_PLACES = 20  # at which tokenizers differ
_LONGEST = 24  # tokens of one of these
_STYLE = """\
.toktk-text { --even: #cfe8ff; --odd: #ffe2b3; --ink: #111; --ring: #b3004b; }
@media (prefers-color-scheme: dark) {
  .toktk-text { --even: #17476b; --odd: #664612; --ink: #f4f4f4; --ring: #ff8fb8; }
}
.toktk-text p { margin: .3em 0; }
.toktk-text .tokens { direction: ltr; font-family: ui-monospace, monospace; line-height: 1.9;
  overflow-wrap: anywhere; }
.toktk-text bdi { color: var(--ink); background: var(--even); border-radius: 3px; padding: 1px 0; }
.toktk-text bdi:nth-child(even) { background: var(--odd); }
.toktk-text bdi.ring { outline: 2px solid var(--ring); outline-offset: -1px; }
.toktk-text rt { padding: 0 .4em; }
.toktk-text td { padding: 0 1em 0 0; text-align: left; vertical-align: top; }
"""
_PAGE_STYLE = """\
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
"""


def page(segmentations: Sequence[Segmentation], most: int | None, ids: bool = False) -> str:
    """Return a page of its own; see `fragment`."""
    names = ", ".join(visible_name(each.name) for each in segmentations)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Tokens: {html.escape(names)}</title>\n<style>\n{_PAGE_STYLE}</style>\n</head>\n<body>\n"
        f"{fragment(segmentations, most, ids)}</body>\n</html>\n"
    )


def fragment(
    segmentations: Sequence[Segmentation], most: int | None = None, ids: bool = False
) -> str:
    """Return the tokens of a text by each tokenizer as HTML, `most` of each, and where these differ.

    A token that some other tokenizer lacks is in a ring. The id, the bytes and the place of a token show
    where a pointer rests on it; with `ids` the id stands above it.
    """
    agreed = agreement(segmentations)
    lines, shown = [f'<div class="toktk-text">\n<style>\n{_STYLE}</style>'], ""
    for each, own in zip(segmentations, agreed, strict=True):
        name, about = facts.heading(each)
        tokens = each.tokens(slice(most))
        shown += "".join(signs(token.spelled) for token in tokens)
        drawn = "".join(
            _token(token, int(state), ids)
            for token, state in zip(tokens, own[: len(tokens)], strict=True)
        )
        lines += [
            f"<p><b>{html.escape(name)}</b> {html.escape(about)}<br>{facts.figures(each)}</p>",
            f'<div class="tokens">{drawn}</div>',
            *(f"<p>– {html.escape(note)}</p>" for note in facts.notes(each, len(tokens))),
        ]
    if len(segmentations) > 1:
        lines += _differences(segmentations, agreed)
    legend = facts.legend(shown, "in a ring" if len(segmentations) > 1 else "")
    lines += [f"<p><small>{html.escape(legend)}</small></p>"] if legend else []
    return "\n".join([*lines, "</div>"]) + "\n"


def _token(token: Token, state: int, ids: bool) -> str:
    facts_of = [f"id {token.id}", f"bytes {hexadecimal(token.spelled)}"]
    if token.start is not None:
        facts_of.append(f"at {token.start:,}–{token.end:,} of the text")
    if state == DIFFERS:
        facts_of.append("some other tokenizer lacks it")
    elif state == UNKNOWN:
        facts_of.append("nobody can tell whether the others have it")
    # As character references: some readers make spaces of the ends of lines in an attribute.
    title = "&#10;".join(map(html.escape, facts_of))
    first, *rest = html.escape(signs(token.spelled, breaks=True)).split("\n")
    if ids:
        first = f"<ruby>{first}<rt>{token.id}</rt></ruby>"
    text = "<br>".join([first, *rest])
    ring = ' class="ring"' if state == DIFFERS else ""
    return f'<bdi{ring} title="{title}">{text}</bdi>'


def _differences(segmentations: Sequence[Segmentation], agreed: Sequence[Agreement]) -> list[str]:
    spans = differing_spans(segmentations, agreed)
    lines = [f"<p>{html.escape(facts.counts(segmentations))}</p>"]
    lines.append(f"<p>{html.escape(facts.verdict(len(spans)))}</p>")
    if not spans:
        return lines
    lines.append("<table>")
    for start, end in spans[:_PLACES]:
        place = f"{start:,}–{end:,}"
        for tokens, names in readings(segmentations, start, end):
            drawn = "".join(_token(token, DIFFERS, False) for token in tokens[:_LONGEST])
            drawn += "…" if len(tokens) > _LONGEST else ""
            who = html.escape(", ".join(map(visible_name, names)))
            lines.append(
                f'<tr><td>{place}</td><td class="tokens">{drawn or "(no token)"}</td><td>{who}</td></tr>'
            )
            place = ""
    lines.append("</table>")
    if len(spans) > _PLACES:
        lines.append(f"<p>and {len(spans) - _PLACES:,} more</p>")
    return lines
