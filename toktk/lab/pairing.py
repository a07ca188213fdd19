"""Which tokenizers stand beside which in a comparison: candidates, baselines, and labels of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toktk.errors import MetricError, did_you_mean
from toktk.lab.side import Side, sides_of
from toktk.report.results import Results
from toktk.visible import listed

Pair = tuple[Side, Side]
"""(candidate, baseline)."""


def told_apart(sides: Sequence[Side]) -> list[Side]:
    """Return the sides with labels of their own: where two are alike, where each is from is added."""
    labels = [side.label for side in sides]
    named = [
        side.named(f"{side.label} ({side.source})")
        if labels.count(side.label) > 1 and side.source
        else side
        for side in sides
    ]
    own: dict[str, Side] = {}
    for side in named:
        label, n = side.label, 1
        while label in own:
            n += 1
            label = f"{side.label} ({n})"
        own[label] = side.named(label)
    return list(own.values())


def pairs_of(sides: Sequence[Side], baseline: str | Path | Results | None) -> list[Pair]:
    """Return (candidate, baseline) pairs; see `toktk.lab.compare.compare` for what a baseline can be.

    Raises:
        MetricError: nothing is left to compare, or there is no such baseline.
        StorageError: a baseline's file cannot be read.
    """
    labels = [side.label for side in sides]
    if isinstance(baseline, Results):
        return matched(sides, sides_of(baseline))
    if baseline is not None and str(baseline) not in labels:
        from toktk.lab.baseline import read_baseline

        if Path(baseline).is_file():
            return matched(sides, read_baseline(Path(baseline)))
        raise MetricError(
            f"no tokenizer and no file is called {str(baseline)!r}"
            f"{did_you_mean(str(baseline), labels)}.",
            f"Found: {listed(labels)}.",
            "Name one of them, or a file that --save-baseline wrote.",
        )
    if len(sides) < 2:
        raise MetricError(
            "a comparison needs two tokenizers.",
            f"Found: {', '.join(labels) or 'none'}.",
            "Give another tokenizer, or a baseline.",
        )
    chosen = sides[-1] if baseline is None else sides[labels.index(str(baseline))]
    return [(side, chosen) for side in sides if side is not chosen]


def matched(candidates: Sequence[Side], baselines: Sequence[Side]) -> list[Pair]:
    """Return each candidate with the baseline of its label, or with the only one there is.

    Raises:
        MetricError: no label is on both sides.
    """
    by_label = {side.label: side for side in baselines}
    if len(by_label) == 1 and not any(side.label in by_label for side in candidates):
        pairs = [(side, baselines[0]) for side in candidates]
    else:
        pairs = [(s, by_label[s.label]) for s in candidates if s.label in by_label]
    if not pairs:
        raise MetricError(
            "no tokenizer is on both sides.",
            f"Found: {listed([s.label for s in candidates])}; against {listed([*by_label])}.",
            "Give labels (mine=…), or name one of them with --baseline.",
        )
    return [
        (candidate, _named_apart(baseline)) if baseline.label == candidate.label else pair
        for pair in pairs
        for candidate, baseline in [pair]
    ]


def _named_apart(baseline: Side) -> Side:
    return baseline.named(f"{baseline.label} ({baseline.source or 'baseline'})")
