"""View: a text and its tokens by one tokenizer or several, in every form that they are shown in."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from toktk.segmentation import page, terminal
from toktk.segmentation.agreement import AGREED, UNKNOWN, Agreement, agreement
from toktk.segmentation.segmentation import Segmentation, totals
from toktk.segmentation.signs import hexadecimal, signs
from toktk.visible import json_text

SCHEMA = 1
COLUMNS = ("tokenizer", "id", "bytes", "text", "start", "end", "agreed")
Cell = str | int | None


@dataclass(frozen=True, eq=False)
class View:
    """The tokens of one text; it draws itself in a notebook, and prints itself."""

    segmentations: tuple[Segmentation, ...]

    def __repr__(self) -> str:
        return self.text(shutil.get_terminal_size().columns).rstrip("\n")

    def _repr_html_(self) -> str:
        return self.fragment()

    def fragment(self) -> str:
        """Return the view as HTML for a notebook."""
        return page.fragment(self.segmentations, terminal.MOST)

    def text(
        self,
        width: int,
        color: bool = False,
        most: int | None = terminal.MOST,
        ids: bool = False,
    ) -> str:
        """Return the view for a terminal; see `toktk.segmentation.terminal.drawn`."""
        return terminal.drawn(self.segmentations, width, color, most, ids)

    def html(self, most: int | None = terminal.MOST, ids: bool = False) -> str:
        """Return the view as a page of its own; see `toktk.segmentation.page.page`."""
        return page.page(self.segmentations, most, ids)

    @functools.cached_property
    def _agreed(self) -> list[Agreement]:
        return agreement(self.segmentations)

    def rows(self, most: int | None = None, in_signs: bool = False) -> Iterator[tuple[Cell, ...]]:
        """Yield the tokens of all tokenizers in `COLUMNS`, `most` of each; the text as it is, or in signs.

        Text is None where the bytes are no UTF-8, a place where nobody can tell it.
        """
        for each, own in zip(self.segmentations, self._agreed, strict=True):
            for token, state in zip(each.tokens(slice(most)), own[:most].tolist(), strict=True):
                text = signs(token.spelled) if in_signs else token.text
                agreed = None if state == UNKNOWN else str(state == AGREED).lower()
                spelled = hexadecimal(token.spelled) if in_signs else token.spelled.hex()
                yield each.name, token.id, spelled, text, token.start, token.end, agreed

    def to_json(self) -> str:
        """Return ``{"schema": 1, "text": …, "tokenizers": […]}`` with one token a line."""
        raw = self.segmentations[0].text
        characters, words = totals(raw)
        about = {
            "schema": SCHEMA,
            "text": raw.decode(),
            "bytes": len(raw),
            "characters": characters,
            "words": words,
        }
        tokenizers = ",\n".join(
            f'{json_text(self._about(each))[:-1]}, "tokens": [\n{self._tokens(each, own)}\n]}}'
            for each, own in zip(self.segmentations, self._agreed, strict=True)
        )
        return f'{json_text(about)[:-1]}, "tokenizers": [\n{tokenizers}\n]}}\n'

    def _about(self, each: Segmentation) -> dict[str, Cell]:
        return {
            "tokenizer": each.name,
            "size": each.vocab_size,
            "pretokenizer": each.cut,
            "engine": each.engine,
            "why": each.why or None,
            "n": len(each),
            "reading": None if each.is_exact else each.spelled.decode(errors="replace"),
        }

    def _tokens(self, each: Segmentation, own: Agreement) -> str:
        lines = []
        for token, state in zip(each.tokens(), own.tolist(), strict=True):
            row = {
                "id": token.id,
                "bytes": token.spelled.hex(),
                "text": token.text,
                "start": token.start,
                "end": token.end,
                "agreed": None if state == UNKNOWN else state == AGREED,
            }
            lines.append(json_text(row))
        return ",\n".join(lines)
