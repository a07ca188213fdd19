"""Comparing: which figures of which tokenizers, what is refused, and the verdicts on all of it together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from toktk.errors import MetricError, as_usage, did_you_mean
from toktk.lab.differences import (
    LOWER_IS_BETTER,
    REASONS,
    base_of,
    difference_of,
    is_paired,
    is_tokens_alone,
    pool_of,
)
from toktk.lab.gate import Gate, parse_gate
from toktk.lab.languages import NAME, of_languages
from toktk.lab.meter import Meter
from toktk.lab.pairing import Pair, pairs_of, told_apart
from toktk.lab.side import Side, sides_of
from toktk.metrics import METRICS, topics
from toktk.pieces.table import POOLED
from toktk.report.comparison import ONE_DECIDES, Comparison, Comparisons, Judged, Rank
from toktk.report.ngrams import HALF
from toktk.report.records import ALIKE, common_signature, short_signature
from toktk.report.results import Results
from toktk.stats.difference import ZONE, Difference, text_needed, verdicts
from toktk.stats.multiplicity import holm
from toktk.visible import listed

FIELDS = {
    "unit": "unit",
    "aggregation": "agg",
    "corpus": "corpus",
    "normalization": "norm",
    "specials": "specials",
    "groups": "over",
    "n-gram text": "ngrams",
}
"""What must not differ between two figures: {what it is called: its field in signatures}."""

_LEVEL = 0.95
_TRAINED_APART = "were not trained on the same text: the difference is of the texts too"

T = TypeVar("T")
Decides = Callable[[str, str, Sequence[str]], str | None]
"""(candidate, baseline, group) -> the pieces that decide on the difference."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a comparison.

    Attributes:
        metrics: names; ``fertility`` stands for all that begin so, and ``languages`` adds a figure over
            languages at large. None: tokens per line on parallel text, else bytes per token.
        groups: their names, "all" among them; none: all of them.
        zone: relative differences up to this do not matter.
        allow: names of `FIELDS` that may differ.
        gates: limits, see `toktk.lab.gate`.
    """

    metrics: Sequence[str] = ()
    groups: Sequence[str] = ()
    zone: float = ZONE
    allow: Collection[str] = ()
    gates: Sequence[Gate] = ()

    def check(self) -> None:
        """Refuse what is wrong in itself.

        Raises:
            MetricError: a field that there is not, or a zone out of range.
        """
        for name in self.allow:
            if name not in FIELDS:
                raise as_usage(
                    MetricError(
                        f"nothing is called {name!r} that could differ{did_you_mean(name, FIELDS)}.",
                        f"Known: {', '.join(FIELDS)}.",
                    )
                )
        for name in (*self.metrics, *(gate.metric for gate in self.gates)):
            if base_of(name) not in LOWER_IS_BETTER and _is_known(name):
                metric = name if name in METRICS.names() else base_of(name)
                raise as_usage(
                    MetricError(
                        f"{name!r} cannot be compared by document.",
                        f"Compared are: {', '.join(LOWER_IS_BETTER)}.",
                        f"`toktk bench … -m {metric}` shows it of tokenizers side by side.",
                    )
                )
        if not 0 <= self.zone < 1:
            raise as_usage(
                MetricError(
                    f"a zone of {self.zone} is none.", "Give a share below 1: 0.005 is 0.5 %."
                )
            )


def _is_known(name: str) -> bool:
    """Tell whether a metric, or a topic with none that can be compared, is called this."""
    of_topic = {base_of(metric) for metric in topics().get(name, ())}
    return base_of(name) in {base_of(each) for each in METRICS.names()} or (
        bool(of_topic) and of_topic.isdisjoint(LOWER_IS_BETTER)
    )


@dataclass(frozen=True)
class _Question:
    """One figure of a pair of sides."""

    candidate: Side
    baseline: Side
    metric: str
    group: str

    def difference(self, zone: float, level: float = _LEVEL) -> Difference:
        return difference_of(self.candidate, self.baseline, self.metric, self.group, zone, level)

    @property
    def sides(self) -> Pair:
        return self.candidate, self.baseline


def compare(
    results: Results | Sequence[Results],
    baseline: str | Path | Results | None = None,
    *,
    metrics: Sequence[str] = (),
    groups: Sequence[str] = (),
    zone: float = ZONE,
    allow: Collection[str] = (),
    fail_if: Sequence[str] = (),
) -> Comparisons:
    """Compare tokenizers with one of them, or with a stored baseline; paired by document.

    The difference on this text is exact; interval and verdict are about text like it.

    Args:
        results: of `toktk.evaluate` or of a run; of several, those of the first are compared.
        baseline: the label of a tokenizer; a file that ``--save-baseline`` wrote; or other results, in
            which each tokenizer is compared with that of its label. By default the last tokenizer.
        metrics: such as ``["bytes_per_token", "parity"]``; by default tokens per line on parallel text,
            else bytes per token.
        groups: by default all together and each.
        zone: relative differences up to this do not matter.
        allow: which of unit, aggregation, corpus, normalization, specials and groups may differ.
        fail_if: gates such as ``"bytes_per_token < -1%"``; see `Comparisons.gates`.

    Raises:
        MetricError: there is no such metric or group, or the figures differ in what matters.
        StorageError: the baseline's file cannot be read.
    """
    asked = Asked(metrics, groups, zone, allow, [*map(parse_gate, fail_if)])
    several = [results] if isinstance(results, Results) else list(results)
    sides = [side for each in several for side in sides_of(each)]
    return compare_sides(pairs_of(told_apart(sides), baseline), asked)


def compare_sides(
    pairs: Sequence[Pair],
    asked: Asked,
    decides: Decides | None = None,
    remarks: Sequence[str] = (),
    meter: Meter | None = None,
) -> Comparisons:
    """Return the comparisons of pairs; all questions together are one family for Holm.

    `remarks` are what is known of tokenizers and text besides; `meter` is told how far it is.

    Raises:
        MetricError: see `compare`.
    """
    asked.check()
    at_large = NAME in asked.metrics
    asked = replace(asked, metrics=[name for name in asked.metrics if name != NAME])
    metrics = metrics_of(pairs, asked)
    questions = [*_questions(pairs, metrics, asked)]
    marks = _refuse_unlike(questions, asked.allow)
    with (meter or Meter()).step("compare", "", 2 * len(questions), "answers") as advance:
        differences = [question.difference(asked.zone) for question in _told(questions, advance)]
        said = verdicts(
            differences,
            zone=asked.zone,
            level=_LEVEL,
            lower_is_better=[LOWER_IS_BETTER[base_of(q.metric)] for q in questions],
        )
        answers = [*zip(questions, differences, said, strict=True)]
        rows = tuple(
            _comparison(q, d, verdict, asked.zone, decides)
            for q, d, verdict in _told(answers, advance)
        )
    if at_large:
        wanted = next((metric for metric in metrics if is_tokens_alone(metric)), metrics[0])
        rows += tuple(of_languages(a, b, wanted, asked.zone) for a, b in pairs)
    gates = tuple(judged for gate in asked.gates for judged in _judged(gate, questions, asked.zone))
    notes = (*marks, *_notes(pairs, questions, differences), *remarks)
    hashes = {s.label: h for pair in pairs for s in pair if (h := _tokenizer_of(s)) is not None}
    return Comparisons(rows, asked.zone, ranking_of(pairs, metrics[0], asked), gates, notes, hashes)


def _told(items: Iterable[T], advance: Callable[[int], None]) -> Iterator[T]:
    for item in items:
        yield item
        advance(1)


# What is asked ------------------------------------------------------------------------------------


def metrics_of(pairs: Sequence[Pair], asked: Asked) -> list[str]:
    """Return the whole names of the metrics that are asked for, those of gates too.

    Raises:
        MetricError: there is no such metric, it cannot be compared, or these figures do not have it.
    """
    held = dict.fromkeys(metric for a, b in pairs for metric, _ in (*a.records, *b.records))
    known = [m for m in held if base_of(m) in LOWER_IS_BETTER and not m.endswith(HALF)]
    wanted = list(asked.metrics)
    if not wanted:
        parallel = any(a.value("tokens_per_line", POOLED) is not None for a, _ in pairs)
        wanted = ["tokens_per_line" if parallel else "bytes_per_token"]
    chosen: list[str] = []
    for name in [*wanted, *(gate.metric for gate in asked.gates)]:
        names = {name, *topics().get(name, ())}
        alike = [m for m in known if m == name or (base_of(m) in names and not m.endswith("|max"))]
        if not alike:
            raise _no_metric(name, known, held)
        chosen += alike
    return list(dict.fromkeys(chosen))


def _no_metric(name: str, known: Sequence[str], held: Iterable[str]) -> MetricError:
    names = f"Compared are: {', '.join(known) or 'none of these figures'}."
    if base_of(name) in LOWER_IS_BETTER:
        return MetricError(
            f"there are no figures of {name!r} here.", names, "Measure it, or name another."
        )
    if name in held:
        return MetricError(f"{name!r} cannot be compared by document.", names)
    return as_usage(MetricError(f"unknown metric {name!r}{did_you_mean(name, known)}.", names))


def _questions(pairs: Sequence[Pair], metrics: Sequence[str], asked: Asked) -> Iterator[_Question]:
    """Yield a question for each pair, metric and group that has a figure, all groups together first."""
    there = dict.fromkeys(g for pair in pairs for side in pair for _, g in side.records)
    wanted = dict.fromkeys([*asked.groups, *(gate.group for gate in asked.gates)])
    for group in wanted:
        if group not in there and group != "*":
            raise MetricError(
                f"no group is called {group!r}{did_you_mean(group, there)}.",
                f"Found: {listed([*there])}.",
            )
    every = not asked.groups or "*" in asked.groups
    groups = [POOLED, *(g for g in there if g != POOLED)] if every else list(asked.groups)
    found = False
    for candidate, baseline in pairs:
        for metric in metrics:
            for group in groups:
                question = _Question(candidate, baseline, metric, group)
                known = [side.records.get((metric, group)) for side in question.sides]
                if not any(known):
                    continue
                is_null = all(record is None or record.value is None for record in known)
                if (is_null and group != POOLED and every) or f"[{group}]" in metric:
                    continue  # nothing to see; or parity's reference, which is 1 by definition
                found = True
                yield question
    if not found:
        raise MetricError(
            f"there are no figures of {', '.join(metrics)} of {listed(groups)}.",
            "Name another metric with -m, or another group with -g.",
        )


def _refuse_unlike(questions: Sequence[_Question], allow: Collection[str]) -> list[str]:
    """Return what differs and is allowed to, a line each.

    Raises:
        MetricError: the figures differ in a field that matters and is not allowed to.
    """
    marks: dict[str, None] = {}
    for question in questions:
        if any((question.metric, question.group) not in s.records for s in question.sides):
            continue
        fields = [side.fields(question.metric, question.group) for side in question.sides]
        for what, name in FIELDS.items():
            values = [of_side.get(name) for of_side in fields]
            if values[0] == values[1]:
                continue
            shown = [
                _shown(s, question, name, v) for s, v in zip(question.sides, values, strict=True)
            ]
            labels = [side.label for side in question.sides]
            if what not in allow:
                raise MetricError(
                    f"{labels[0]} and {labels[1]} are not compared: they differ in {what}.",
                    f"Found: {shown[0]}; {shown[1]} ({question.metric}).",
                    f"Measure both alike, or compare all the same with --allow {what}.",
                )
            marks[f"differs in {what}: {labels[0]} {shown[0]}; {labels[1]} {shown[1]}."] = None
    return list(marks)


def are_comparable(pair: Pair, metric: str) -> bool:
    """Return whether two sides have figures of a metric, and nothing differs that matters to them."""
    try:
        _refuse_unlike([*_questions([pair], [metric], Asked((metric,)))], ())
    except MetricError:
        return False
    return True


def _shown(side: Side, question: _Question, name: str, value: str | None) -> str:
    if name != "corpus":
        return value or "none"
    return f"{side.records[question.metric, question.group].corpus} {value or ''}".strip()


# What is answered ---------------------------------------------------------------------------------


def _comparison(
    question: _Question, difference: Difference, verdict: str, zone: float, decides: Decides | None
) -> Comparison:
    records = [side.records.get((question.metric, question.group)) for side in question.sides]
    there = [record for record in records if record is not None]
    values = [side.value(question.metric, question.group) for side in question.sides]
    note = REASONS[difference.why] if difference.why else None
    if difference.wider > 1:
        note = f"{ALIKE}{difference.wider:.1f}"
    if difference.one_decides:
        note = ONE_DECIDES
    if None in values:
        note = next((r.note for r in there if r.value is None and r.note), note)
    wanted = needed = None
    if verdict == "undecided":
        # Twice the zone, or the zone itself where the text shows that much already.
        wanted = 2 * zone or 0.01
        if difference.least is not None and difference.least <= wanted and zone:
            wanted = zone
        needed = text_needed(difference, wanted)
    pieces = None
    if decides is not None and verdict != "none" and is_tokens_alone(question.metric):
        is_pooled = question.group == POOLED
        groups = pool_of(question.candidate, question.metric) if is_pooled else [question.group]
        pieces = decides(question.candidate.label, question.baseline.label, groups)
    has_interval = difference.low is not None
    return Comparison(
        candidate=question.candidate.label,
        baseline=question.baseline.label,
        corpus=there[0].corpus,
        group=question.group,
        metric=question.metric,
        unit=there[0].unit,
        candidate_value=values[0],
        baseline_value=values[1],
        difference=difference.value,
        low=difference.low,
        high=difference.high,
        n=difference.n or None,
        n_effective=difference.n_effective or None,
        p=difference.p,
        p_equivalent=difference.p_equivalent,
        least=difference.least if has_interval else None,
        verdict=verdict,
        wanted=wanted,
        text_needed=needed,
        decides=pieces,
        note=note,
        signature=short_signature(common_signature(r.signature for r in there)),
    )


def _judged(gate: Gate, questions: Sequence[_Question], zone: float) -> Iterator[Judged]:
    """Yield what becomes of a gate; asked of several differences, each has a wider interval."""
    asked = [
        q
        for q in questions
        if (q.metric == gate.metric or base_of(q.metric) == gate.metric)
        and (q.group == gate.group or (gate.group == "*" and q.group != POOLED))
    ]
    if not asked:
        raise MetricError(
            f"the gate {gate.text!r} is about no figure that is compared.",
            f"Found: {gate.metric} of {', '.join(dict.fromkeys(q.group for q in questions))}.",
            "Leave -g out, or name its group there too.",
        )
    level = 1 - (1 - _LEVEL) / len(asked)
    for question in asked:
        difference = question.difference(zone, level)
        reason = REASONS[difference.why] if difference.why else ""
        yield gate.judge(question.candidate.label, question.group, difference, reason)


def ranking_of(pairs: Sequence[Pair], metric: str, asked: Asked) -> tuple[Rank, ...]:
    """Return the ranks of more than two tokenizers, best first; none where one has no interval.

    A rank lies between one more than the tokenizers that are better, and all less those that are worse,
    by Holm over all pairs: so all ranks hold together.
    """
    baselines = {id(b): b for _, b in pairs}
    if len(baselines) > 1 or len(pairs) < 2:
        return ()
    sides = [*(a for a, _ in pairs), *baselines.values()]
    both = [*itertools.combinations(range(len(sides)), 2)]
    found = [difference_of(sides[i], sides[j], metric, POOLED, asked.zone) for i, j in both]
    if any(difference.p is None for difference in found):
        return ()
    lower = LOWER_IS_BETTER[base_of(metric)]
    better, worse = [0] * len(sides), [0] * len(sides)
    adjusted = holm([difference.p or 0.0 for difference in found])
    for (i, j), difference, p in zip(both, found, adjusted, strict=True):
        if p < 1 - _LEVEL and difference.value:
            first, last = (i, j) if (difference.value < 0) == lower else (j, i)
            worse[first] += 1  # so many are worse than it
            better[last] += 1
    ranks = [
        Rank(side.label, metric, side.value(metric, POOLED), 1 + better[i], len(sides) - worse[i])
        for i, side in enumerate(sides)
    ]
    sign = 1 if lower else -1
    return tuple(sorted(ranks, key=lambda rank: (sign * (rank.value or 0.0), rank.tokenizer)))


def _notes(
    pairs: Sequence[Pair], questions: Sequence[_Question], differences: Sequence[Difference]
) -> Iterator[str]:
    """Yield what a reader of a comparison must know."""
    kinds = dict.fromkeys(map(_pairing, pairs))
    yield from filter(None, kinds)
    one = [q.group for q, d in zip(questions, differences, strict=True) if d.one_decides]
    if one:
        yield (
            f"one document decides how wide the interval is, which may be too narrow: "
            f"{listed([*dict.fromkeys(one)])}."
        )
    yield from dict.fromkeys(line for pair in pairs for side in pair for line in _repeated(side))
    for candidate, baseline in pairs:
        texts = candidate.training, baseline.training
        if None not in texts and texts[0] != texts[1]:
            yield f"{candidate.label} and {baseline.label} {_TRAINED_APART}."
    same = [a.label for a, b in pairs if (h := _tokenizer_of(a)) and h == _tokenizer_of(b)]
    if same:
        yield f"the same tokenizer on both sides: {listed(same)}."


def _pairing(pair: Pair) -> str:
    candidate, baseline = pair
    if candidate.units is None or baseline.units is None:
        return ""
    if not is_paired(candidate, baseline):
        return "not paired: the two were measured on different text, so intervals are wide."
    if candidate.units.in_blocks or baseline.units.in_blocks:
        return "paired by block of documents, as the stored baseline has them."
    return "paired by document; of parallel text by aligned line."


def _repeated(side: Side) -> Iterator[str]:
    units = side.units
    if units is None:
        return
    for group, n, copies in zip(units.groups, units.documents, units.copies, strict=True):
        if copies > 2 * n:
            yield f"{group}: {copies:,} documents are {n:,} different ones, repeated."


def _tokenizer_of(side: Side) -> str | None:
    key = next(iter(side.records), None)
    return None if key is None else side.fields(*key).get("tok")
