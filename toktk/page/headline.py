"""The first answers of a page, in words, with their evidence, and only as far as intervals carry them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toktk.errors import MetricError
from toktk.lab.compare import Asked, compare_sides
from toktk.lab.side import Side
from toktk.page.figures import Figures
from toktk.pieces.table import POOLED
from toktk.report.comparison import Comparison
from toktk.sizes import size_label
from toktk.visible import visible

SETTLED, UNDECIDED, NOTE = "settled", "undecided", "fact"

WORST = "Which language costs most?"

_FROM, _TO = 50_000, 128_000
_ENOUGH = 20  # aligned lines or documents


@dataclass(frozen=True)
class Answer:
    """An answer to a question that people ask first.

    Attributes:
        question, text, evidence: sentences.
        state: `SETTLED`, `UNDECIDED` or `NOTE`.
    """

    question: str
    text: str
    evidence: str
    state: str = SETTLED


def answers(figures: Figures, sides: dict[str, Side], rows: Sequence[Comparison]) -> list[Answer]:
    """Return the answers that these figures give, the most wanted first.

    Args:
        sides: of the tokenizers, by label as shown.
        rows: comparisons of families with the first one, at every size that both have.
    """
    return [
        *_best_size(figures),
        *_larger(figures, sides),
        *_families(figures, sides, rows),
        *_worst(figures),
        *_how_sure(figures, rows),
    ]


def _best_size(figures: Figures) -> Iterator[Answer]:
    """Say from which size on more ids save hardly anything."""
    question = "Which size?"
    for name, labels in figures.families.items():
        if len(labels) < 3:
            continue
        knee = next(
            (r for r in figures.records if r.family == name and r.metric.startswith("knee[")), None
        )
        largest, smaller = labels[-1], labels[-2]
        if knee is not None and knee.value is not None:
            at = _about(knee.value)
            if knee.low is None or knee.high is None:
                yield Answer(question, f"{name} is flat from about {at} ids on.",
                             f"No interval: {knee.note}.", UNDECIDED)  # fmt: skip
                continue
            low, high = _about(knee.low), _about(knee.high)
            yield Answer(
                question,
                f"{name} is flat from about {at} ids on.",
                f"Beyond that a thousand more ids save less than 0.1 % of the tokens; the place lies between "
                f"{low} and {high}.",
            )
            continue
        before, after = figures.value(smaller, "tokens"), figures.value(largest, "tokens")
        if figures.is_parallel:
            before = figures.value(smaller, "tokens_per_line")
            after = figures.value(largest, "tokens_per_line")
        if not before or not after:
            continue
        steps = (figures.size(largest) - figures.size(smaller)) / 1000
        gain = (1 - after / before) / steps
        if gain < 0.001:
            continue
        yield Answer(
            question,
            f"{name} still gains at {size_label(figures.size(largest))}, the largest size tried.",
            f"Between {size_label(figures.size(smaller))} and {size_label(figures.size(largest))} a thousand "
            f"more ids save {100 * gain:.2f} % of the tokens; flat would be less than 0.1 %.",
            NOTE,
        )


def _larger(figures: Figures, sides: dict[str, Side]) -> Iterator[Answer]:
    """Say what a larger vocabulary saves: from 50k to 128k, or what is nearest."""
    for name, labels in figures.families.items():
        if len(labels) < 2:
            continue
        small, large = _ends(figures, labels)
        if small == large or not {small, large} <= sides.keys():
            continue
        if figures.value(large, figures.primary) is None:  # nobody asked for it
            continue
        asked = Asked((figures.primary,), (POOLED,))
        row = compare_sides([(sides[large], sides[small])], asked).rows[0]
        if row.difference is None:
            continue
        saved = _tokens(row)
        ids = figures.size(large) - figures.size(small)
        sizes = f"{size_label(figures.size(small))} → {size_label(figures.size(large))}"
        settled = row.verdict in ("better", "worse", "equivalent")
        yield Answer(
            f"What does {sizes} save?",
            f"{name}: {_percent(-saved)} of the tokens." if settled
            else f"{name}: undecided; {_percent(-saved)} of the tokens on this text.",
            f"{_interval(row)} It costs {ids:,} more rows of the embedding: "
            f"{ids * 2048 / 1e6:,.0f} M parameters at a width of 2048.",
            SETTLED if settled else UNDECIDED,
        )  # fmt: skip


def _about(size: float) -> str:
    """Return a size to three digits."""
    return size_label(int(float(f"{size:.3g}")))


def _ends(figures: Figures, labels: Sequence[str]) -> tuple[str, str]:
    """Return the tokenizers nearest to 50k and 128k; the last two where these are the same."""

    def nearest(size: int) -> str:
        return min(labels, key=lambda label: abs(figures.size(label) - size))

    small, large = nearest(_FROM), nearest(_TO)
    return (labels[-2], labels[-1]) if small == large else (small, large)


def _families(
    figures: Figures, sides: dict[str, Side], rows: Sequence[Comparison]
) -> Iterator[Answer]:
    """Say which of the families needs the fewest tokens, at the size nearest to 50k."""
    labels = [
        min(own, key=lambda n: abs(figures.size(n) - _FROM)) for own in figures.families.values()
    ]
    values = {n: figures.value(n, figures.primary) for n in labels if n in sides}
    more_is_better = figures.primary == "bytes_per_token"
    known = {n: -v if more_is_better else v for n, v in values.items() if v is not None}
    if len(known) < 2:
        return
    best, second, *others = sorted(known, key=lambda label: known[label])
    question = "Which tokenizer?" if others else f"{' or '.join(figures.families)}?"
    pair, asked = (sides[second], sides[best]), Asked((figures.primary,), (POOLED,))
    try:
        (row,) = compare_sides([pair], asked).rows
    except MetricError as error:  # they normalize text differently, for example
        told, *more = map(visible, error.args)
        yield Answer(question, told, " ".join(more), UNDECIDED)
        return
    first, next_ = (figures.tokenizers[label].family for label in (best, second))
    sizes = {figures.size(label) for label in labels}
    at = f" at {size_label(min(sizes))}" if len(sizes) == 1 else ""
    order = ""
    if others:
        listed = ", ".join(
            f"{figures.tokenizers[n].family} {abs(known[n]):.4g}"
            for n in (best, second, *others[:6])
        )
        order = f" In order: {listed}{' …' * (len(others) > 6)}."
    if row.verdict == "equivalent":
        text, state = f"{first} and {next_} are equivalent{at}.", SETTLED
    elif row.verdict in ("better", "worse"):
        text, state = (
            f"{next_} needs {_percent(_tokens(row))} more tokens than {first}{at}.",
            SETTLED,
        )
        if others:
            text = f"{first} needs the fewest tokens{at}."
            order = f" {next_} comes next, with {_percent(_tokens(row))} more.{order}"
    else:
        text, state = f"Undecided between {first} and {next_}{at}.", UNDECIDED
    own = [r for r in rows if r.group == POOLED and r.metric == figures.primary]
    verdicts = {r.verdict for r in own}
    always = (
        f" It is so at all {len(own)} sizes."
        if not others and len(own) > 1 and len(verdicts) == 1
        else ""
    )
    yield Answer(question, text, f"{_interval(row)}{always}{order}", state)


def _worst(figures: Figures) -> Iterator[Answer]:
    """Say which language costs most, if its interval is clear of the next one's."""
    metric = f"parity[{figures.reference}]"
    if figures.reference is None:
        return
    for name, labels in figures.families.items():
        label = min(labels, key=lambda n: abs(figures.size(n) - _FROM))
        ranked = sorted(
            (
                r
                for group in figures.groups
                if group not in (POOLED, figures.reference, *figures.untrained)
                and (r := figures.by_key.get((label, metric, group))) is not None
                and r.value is not None
            ),
            key=lambda r: -(r.value or 0),
        )
        if len(ranked) < 2:
            return
        worst, second = ranked[0], ranked[1]
        ends = (worst.low, second.high)
        is_clear = ends[0] is not None and ends[1] is not None and ends[0] > ends[1]
        unseen = (
            f" Not in the training text, and left out: {', '.join(sorted(figures.untrained))}."
            if figures.untrained
            else ""
        )
        low = math.inf if worst.low is None else worst.low
        among = [r.group for r in ranked if r.high is not None and r.high >= low]
        at = f" at {size_label(figures.size(label))}" if len(labels) > 1 else ""
        of = f" ({name}{at})" if len(figures.families) > 1 or at else ""
        text = (
            f"{worst.group} needs {worst.value:.2g} times the tokens of {figures.reference}{of}."
            if is_clear
            else f"Undecided: {' or '.join(among[:4]) or worst.group}"
            f"{' or others' * (len(among) > 4)}{of}."
        )
        evidence = (
            f"{worst.low:.3g} to {worst.high:.3g} times; next comes {second.group} with {second.value:.3g}."
            if worst.low is not None and worst.high is not None
            else f"Next comes {second.group} with {second.value:.3g} times."
        )
        if not is_clear:
            evidence = (
                f"{worst.group} has the most ({worst.value:.3g} times), but the intervals overlap."
            )
        yield Answer(
            WORST,
            text,
            f"{evidence}{unseen}",
            SETTLED if is_clear else UNDECIDED,
        )  # fmt: skip


def _how_sure(figures: Figures, rows: Sequence[Comparison]) -> Iterator[Answer]:
    """Say what the intervals rest on, and how many questions are open."""
    label = next(iter(figures.tokenizers))
    lines = [r.n for r in figures.records if r.metric == "tokens_per_line" and r.value is not None
             and r.group != POOLED and r.n]  # fmt: skip
    documents = figures.value(label, "documents")
    if documents is None and not lines:  # a run that was asked for other metrics
        return
    unit = (
        f"{lines[0]:,} aligned lines in each language"
        if lines
        else f"{int(documents or 0):,} documents"
    )
    judged = [r for r in rows if r.verdict != "none"]
    open_ = sum(r.verdict == "undecided" for r in judged)
    without = {r.group for r in figures.records if r.metric == figures.primary and r.low is None
               and r.value is not None and r.note is not None and "no interval" in r.note}  # fmt: skip
    evidence = (
        "Counts on this text are exact; intervals (95 %) say where a figure lies on text like it."
    )
    if without:
        evidence += f" Without an interval, for lack of text: {', '.join(sorted(without)[:8])}."
    text = f"Intervals rest on {unit}."
    if judged:
        text += (
            f" Of {len(judged):,} differences {open_:,} {'is' if open_ == 1 else 'are'} undecided."
        )
    few = bool(lines) and lines[0] < _ENOUGH
    yield Answer("How sure is this?", text, evidence, UNDECIDED if few else NOTE)


def _tokens(row: Comparison) -> float:
    """Return how many more tokens the candidate needs, as a share, whatever the metric."""
    difference = row.difference or 0.0
    return 1 / (1 + difference) - 1 if row.metric == "bytes_per_token" else difference


def _interval(row: Comparison) -> str:
    """Return where the difference in tokens lies on text like this, or why nobody knows, as a sentence."""
    if row.low is None or row.high is None:
        return f"On this text it is so; no interval: {row.note or 'too little text'}."
    low, high = row.low, row.high
    if row.metric == "bytes_per_token":
        low, high = 1 / (1 + high) - 1, 1 / (1 + low) - 1
    n = f", from {row.n:,} pairs" if row.n else ""
    return f"On text like this {_signed(low)} to {_signed(high)} tokens (95 %{n})."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _signed(share: float) -> str:
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return f"{sign}{_percent(abs(share))}"
