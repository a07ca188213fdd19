"""What a page, its pictures and its tables are made of: figures, comparisons, answers, vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from toktk.lab.compare import Asked, are_comparable, compare_sides
from toktk.lab.side import Side, sides_of
from toktk.models.bpe import BpeModel
from toktk.models.lookup import Tokens
from toktk.models.model import packed_tokens
from toktk.page.figures import Figures, short, visible_keys
from toktk.page.headline import Answer, answers
from toktk.page.shown import Shown
from toktk.page.vocabulary import vocabulary_use
from toktk.report.comparison import Comparison, Comparisons
from toktk.report.results import Results
from toktk.stats.difference import ZONE
from toktk.visible import visible_name


class Contents:
    """What a page, its pictures and its tables are made of.

    Attributes:
        figures: the figures of the runs.
        asked: the comparisons that were asked for; by default those of other families with the first one.
    """

    def __init__(self, shown: Shown, asked: Comparisons | None = None) -> None:
        self.figures = Figures(shown)
        self.asked = asked

    @property
    def zone(self) -> float:
        """Relative differences up to this do not matter."""
        return ZONE if self.asked is None else self.asked.zone

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The comparisons; unless they were asked for, of other families with the first one, size by size."""
        if self.asked is not None:
            return [
                replace(
                    row,
                    candidate=visible_name(row.candidate),
                    baseline=visible_name(row.baseline),
                    group=visible_name(row.group),
                )
                for row in self.asked
            ]
        metrics = dict.fromkeys([self.figures.primary, "bytes_per_token"])
        return [row for m in metrics for row in _comparisons(self.figures, self._sides, m)]

    @cached_property
    def answers(self) -> list[Answer]:
        """What is said first."""
        own = [] if self.asked is not None else self.comparisons
        return answers(self.figures, self._sides, own)

    @cached_property
    def vocabulary(self) -> dict[str, dict[str, Any]]:
        """What the text uses of each vocabulary; see `toktk.page.vocabulary.vocabulary_use`."""
        return self.measure_vocabulary(lambda n: None)

    @cached_property
    def _sides(self) -> dict[str, Side]:
        return {side.label: side for side in sides_of(_visible(self.figures))}

    def measure_vocabulary(self, advance: Callable[[int], None]) -> dict[str, dict[str, Any]]:
        """Return `vocabulary`, and keep it; `advance` is called with 1 for each tokenizer."""
        uses, shown = {}, self.figures.shown
        largest: list[BpeModel] = []  # whose first tokens are those of smaller ones
        by_size = sorted(shown.tokenizers.items(), key=lambda each: -each[1].vocab_size)
        for label, tokenizer in by_size:
            model = tokenizer.model
            if label in shown.token_counts:
                whole = next((each for each in largest if model.is_prefix_of(each)), None)
                if whole is None and isinstance(model, BpeModel):
                    largest.append(model)
                data, offsets = packed_tokens(whole or model)
                tokens = Tokens(data, offsets[: model.vocab_size + 1])
                uses[visible_name(label)] = vocabulary_use(
                    tokens, model.special_tokens, shown.token_counts[label], model.signature
                )
            advance(1)
        self.vocabulary = uses
        return uses


def _visible(figures: Figures) -> Results:
    """Return the results with names as the page shows them."""
    documents = figures.shown.results.documents
    if documents is not None:
        groups = tuple(map(visible_name, documents.groups))
        documents = replace(
            documents,
            groups=groups,
            tokens=visible_keys(documents.tokens),
            bits=visible_keys(documents.bits),
        )
    return replace(figures.shown.results, records=tuple(figures.records), documents=documents)


def _comparisons(figures: Figures, sides: dict[str, Side], metric: str) -> Sequence[Comparison]:
    """Return the comparisons of one metric: of other families with the first one, size by size."""
    first, *others = figures.families.values()
    pairs = []
    for label in (label for labels in others for label in labels):
        size = figures.size(label)
        nearest = min(first, key=lambda n: abs(figures.size(n) - size))
        pairs.append((sides[label], sides[nearest]))
    pairs = [pair for pair in pairs if are_comparable(pair, metric)]
    return compare_sides(pairs, Asked((metric,))).rows if pairs else ()


def comparison_row(row: Comparison) -> list[Any]:
    """Return a comparison as the page holds it."""
    return [
        row.candidate,
        row.baseline,
        row.metric,
        row.group,
        *(short(x) for x in (row.difference, row.low, row.high, row.least, row.text_needed)),
        row.verdict,
    ]


def throughput_of(shown: Shown) -> Iterator[dict[str, Any]]:
    """Yield the timings of a bench that are speeds, as the page holds them."""
    for document in shown.documents.values():
        for timing in document.get("throughput", {}).get("timings", ()):
            if timing["unit"] == "MB/s" and timing["value"] is not None:
                names = ("what", "threads", "value", "low", "high", "unit", "note")
                labels = ("tokenizer", "engine", "version")
                yield {
                    **{name: visible_name(str(timing[name])) for name in labels},
                    **{name: timing[name] for name in names},
                }
