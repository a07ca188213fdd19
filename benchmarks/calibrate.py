"""Simulate corpora of known truth: how often intervals cover it, and how often verdicts are wrong.

    python benchmarks/calibrate.py --text help.parquet --results benchmarks/results/calibrate.txt

A corpus is drawn, its figures, differences and verdicts are computed by `toktk.stats`, and they are held
against the truth that it was drawn from; 2,000 times and more for each setting. Documents have sizes (light
or heavy tails), and each costs a tokenizer what its bytes do, times what is the document's own. Where
most texts have too few effective documents for an interval, up to forty times as many are drawn.

`--text` is a Parquet file with the columns id, lang and text, the same ids in each language, ``page#line``.
Tokenizers are trained on a fifth of the pages. The rest is halved at random, 2,000 times, and the halves
have to agree as often as the intervals say: by lines; by pages, with lines as the units, as if lines of one
page were independent, and allowing for neighbors, as toktk does; and by pages with pages as the units.

Seeds depend on the names of settings alone, so the same versions print the same table.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import math
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.stats.difference import (
    Difference,
    paired_ratio,
    paired_statistic,
    text_needed,
    unpaired_ratio,
    verdicts,
)
from toktk.stats.hierarchical import FEW, over_languages
from toktk.stats.interval import Interval
from toktk.stats.jackknife import Statistic, jackknife_interval
from toktk.stats.neighbors import TextOrder, neighbor_factors
from toktk.stats.randomization import paired_randomization
from toktk.stats.ratio import ratio_interval

Floats = npt.NDArray[np.float64]
Chance = np.random.Generator

seed = 0  # of all random numbers; see --seed
SIMULATIONS = 2000
LANGUAGES = 20
ZONE = 0.005
COVERAGE = (93.0, 97.0)
ERRORS = (0.0, 5.0)
# At the very edge of the zone the rate is 5 % by construction; chance moves 2,000 trials by one percent.
EDGE = (0.0, 6.0)
POWER = (75.0, 85.0)
WARNED = 50.0  # percent of intervals with a note: the tool warns in such a setting
_FEWEST = 200  # intervals that a rate is given of


@dataclass
class Rate:
    """How often something held in a setting, in percent of `given` intervals or families."""

    setting: str
    given: int
    drawn: int
    percent: float
    warned: float
    target: tuple[float, float]

    @property
    def is_shown(self) -> bool:
        """Whether there are enough for a rate."""
        return self.given >= _FEWEST

    @property
    def misses(self) -> bool:
        """Whether the rate is outside its target."""
        low, high = self.target
        return self.is_shown and not low <= self.percent <= high

    def row(self) -> str:
        """Return its line of the table."""
        share = 100 * self.given / self.drawn
        cells = f"{self.setting:<62}{self.given:>7,}{share:>6.0f} %"
        if not self.is_shown:
            return f"{cells}   no interval"
        low, high = self.target
        target = f"<= {high:.0f}" if low == 0 else f"{low:.0f}-{high:.0f}"
        return (
            f"{cells}{self.percent:>8.1f}{target:>8}{self.warned:>7.0f} %{'  MISS' * self.misses}"
        )


Trial = Callable[[Chance], tuple[bool, bool] | None]
"""Draws a corpus and tells whether what is counted held, and whether a note warns; None: no
interval."""


def chance_of(setting: str) -> Chance:
    """Return random numbers of a setting's own: those of others do not change them."""
    return np.random.default_rng(zlib.crc32(setting.encode(), seed))


def rate_of(setting: str, trial: Trial, n: int, target: tuple[float, float]) -> Rate:
    """Run a trial until `n` have an interval, at most 40 n times."""
    chance = chance_of(setting)
    held = warned = given = drawn = 0
    while given < n and drawn < 40 * n:
        if drawn == 2 * n and given < n // 100:  # hardly any will come
            break
        drawn += 1
        outcome = trial(chance)
        if outcome is not None:
            given, held, warned = given + 1, held + outcome[0], warned + outcome[1]
    rest = max(given, 1)
    return Rate(setting, given, drawn, 100 * held / rest, 100 * warned / rest, target)


def is_within(interval: Interval | Difference, truth: float) -> tuple[bool, bool] | None:
    """Tell whether an interval covers the truth, and whether one document decides."""
    if interval.low is None or interval.high is None:
        return None
    return interval.low <= truth <= interval.high, interval.one_decides


# Corpora ------------------------------------------------------------------------------------------


def factors(chance: Chance, sigma: float, shape: int | tuple[int, ...]) -> Floats:
    """Return factors of mean 1, lognormal."""
    return np.exp(chance.normal(-(sigma**2) / 2, sigma, shape))


def with_giant(chance: Chance, n: int) -> Floats:
    """Return sizes of documents, of which the first has 15 % of all text."""
    sizes = factors(chance, 0.5, n)
    sizes[0] = 0.15 / 0.85 * sizes[1:].sum()
    return sizes


SIZES: dict[str, Callable[[Chance, int], Floats]] = {
    "sizes alike": partial(lambda chance, n: factors(chance, 0.2, n)),
    "lognormal 0.5": partial(lambda chance, n: factors(chance, 0.5, n)),
    "lognormal 1.5": partial(lambda chance, n: factors(chance, 1.5, n)),
    "Pareto 1.5": partial(lambda chance, n: chance.pareto(1.5, n) + 1),
    "one giant": with_giant,
}
DOCUMENTS = (20, 30, 50, 200, 2_000, 20_000)
# Sigma of what a token costs in a document, against what it costs in all.
ALIKE, APART = 0.15, 0.6
KINDS = {"documents alike": ALIKE, "documents apart": APART}


def tokens_of(chance: Chance, sizes: str, n: int, sigma: float) -> tuple[Floats, Floats]:
    """Return the tokens and bytes of n documents; in truth 0.25 tokens a byte."""
    n_bytes = 400 * SIZES[sizes](chance, n)
    return 0.25 * n_bytes * factors(chance, sigma, n), n_bytes


@dataclass(frozen=True)
class Lines:
    """Parallel lines: a line is long or short in all languages, and each says it in its own way.

    Attributes:
        costs: [L], what a line costs in truth, in each language.
    """

    costs: Floats
    n: int
    sigma: float = 0.6

    def draw(self, chance: Chance) -> Floats:
        """Return float64[n, L + 1], tokens in each language and 1, the line."""
        lines = factors(chance, self.sigma, (self.n, 1)) * factors(
            chance, 0.3, (self.n, self.costs.size)
        )
        return np.column_stack([lines * self.costs, np.ones(self.n)])


def macro_mean(sums: Floats) -> Floats:
    """Return the mean over languages of tokens a line."""
    return np.asarray(sums[..., :-1].mean(axis=-1) / sums[..., -1])


def worst(sums: Floats) -> Floats:
    """Return the tokens a line of the language with the most."""
    return np.asarray(sums[..., :-1].max(axis=-1) / sums[..., -1])


def gini(sums: Floats) -> Floats:
    """Return the Gini coefficient of tokens over languages."""
    costs = np.sort(sums[..., :-1], axis=-1)
    n = costs.shape[-1]
    return np.asarray(costs @ (2 * np.arange(1, n + 1) - n - 1.0) / (n * costs.sum(axis=-1)))


STATISTICS: dict[str, Statistic] = {"macro mean": macro_mean, "Gini": gini, "worst": worst}
UNEQUAL = np.geomspace(15, 60, LANGUAGES)
BETTER = UNEQUAL**0.98  # by a tokenizer with which languages that cost much gain more
# Two worst languages that differ by half a percent in truth, as good as tied.
TIED = np.r_[UNEQUAL[:-1], UNEQUAL[-1] * 0.995]


# What is simulated --------------------------------------------------------------------------------

Section = Iterator[Rate]


def ratios(n: int) -> Section:
    """Coverage of the interval of a ratio of sums."""
    for (kind, sigma), sizes, documents in itertools.product(KINDS.items(), SIZES, DOCUMENTS):

        def trial(chance: Chance, sizes=sizes, documents=documents, sigma=sigma) -> Any:
            return is_within(ratio_interval(*tokens_of(chance, sizes, documents, sigma)), 0.25)

        yield rate_of(f"tokens/byte, {sizes}, {kind}, {documents:,}", trial, n, COVERAGE)


def pairs(n: int) -> Section:
    """Coverage of the interval of a difference."""
    for (name, ratio, sigma), sizes, documents in itertools.product(
        (("near-equal", 1.003, 0.03), ("unequal", 1.12, 0.2)), SIZES, (30, 200, 2_000)
    ):

        def trial(chance: Chance, a=ratio, s=sigma, sizes=sizes, documents=documents) -> Any:
            baseline, _ = tokens_of(chance, sizes, documents, ALIKE)
            candidate = a * baseline * factors(chance, s, documents)
            return is_within(paired_ratio(candidate, baseline), a - 1)

        yield rate_of(f"paired, {name}, {sizes}, {documents:,}", trial, n, COVERAGE)
    for sizes, documents in itertools.product(SIZES, (50, 2_000)):

        def unpaired(chance: Chance, sizes=sizes, documents=documents) -> Any:
            baseline = tokens_of(chance, sizes, documents, ALIKE)
            candidate = tokens_of(chance, sizes, documents // 2, ALIKE)
            return is_within(unpaired_ratio(candidate, baseline), 0.0)

        yield rate_of(
            f"unpaired, {sizes}, {documents // 2:,} and {documents:,}", unpaired, n, COVERAGE
        )


def jackknifed(n: int) -> Section:
    """Coverage of figures over languages, and of their differences."""
    for (name, costs), (figure, statistic), lines in itertools.product(
        (("unequal", UNEQUAL), ("worst tied", TIED)), STATISTICS.items(), (50, 200, 1_000)
    ):
        truth = float(statistic(np.r_[costs, 1.0]))

        def trial(chance: Chance, f=statistic, text=Lines(costs, lines), truth=truth) -> Any:
            sums = text.draw(chance)
            return is_within(jackknife_interval(f, sums, sizes=sums.sum(axis=1)), truth)

        yield rate_of(f"{figure}, languages {name}, {lines:,} lines", trial, n, COVERAGE)
    for (figure, statistic), lines in itertools.product(STATISTICS.items(), (50, 1_000)):
        after, before = (float(statistic(np.r_[costs, 1.0])) for costs in (BETTER, UNEQUAL))

        def paired(chance: Chance, f=statistic, lines=lines, truth=after / before - 1) -> Any:
            baseline = Lines(UNEQUAL, lines).draw(chance)
            own = factors(chance, 0.05, (lines, LANGUAGES)) * BETTER / UNEQUAL
            candidate = baseline * np.column_stack([own, np.ones(lines)])
            return is_within(
                paired_statistic(f, candidate, baseline, sizes=baseline.sum(axis=1)), truth
            )

        yield rate_of(f"difference of {figure}, {lines:,} lines", paired, n, COVERAGE)


# How unlike the standard errors of languages are: sigma.
KNOWN = {"alike": 0.0, "unlike": 0.5, "very unlike": 1.0}


def languages(n: int) -> Section:
    """Coverage of the mean over languages, where those measured are a sample of languages."""
    for known, between in itertools.product(KNOWN, (0.0, 0.02, 0.1)):
        for count in (5, 10, 20):

            def trial(chance: Chance, known=known, between=between, count=count) -> Any:
                errors = 0.02 * (
                    np.ones(count) if known == "alike" else factors(chance, 0.5, count)
                )
                values = chance.normal(0.03, between, count) + errors * chance.normal(size=count)
                outcome = is_within(over_languages(values, errors**2), 0.03)
                return None if outcome is None else (outcome[0], count < FEW)

            # Where languages do not differ at all, the interval is too wide on purpose.
            target = COVERAGE if between else (93.0, 100.0)
            yield rate_of(
                f"languages at large, sd {between:.0%}, known {known}, {count}", trial, n, target
            )


def family(
    chance: Chance, sizes: str, documents: int, ratio: float, sigma: float
) -> list[Difference]:
    """Compare nine tokenizers with a tenth in twenty languages."""
    differences = []
    for _ in range(LANGUAGES):
        baseline, _ = tokens_of(chance, sizes, documents, ALIKE)
        own = factors(chance, sigma, (9, documents))
        own_baseline = factors(chance, sigma, documents)
        differences += [
            paired_ratio(ratio * baseline * f, baseline * own_baseline, zone=ZONE) for f in own
        ]
    return differences


def families(n: int) -> Section:
    """Errors in families of 180 questions, after Holm."""
    better, equivalent = {"better", "worse"}, {"equivalent"}
    equals, twice = "better/worse of equals", "equivalent at twice the zone"
    for error, wrong, ratio, sigma, sizes, documents in (
        (equals, better, 1.0, 0.05, "lognormal 0.5", 30),
        (equals, better, 1.0, 0.05, "lognormal 0.5", 200),
        (equals, better, 1.0, 0.05, "lognormal 1.5", 200),
        (equals, better, 1.0, 0.05, "Pareto 1.5", 200),
        (twice, equivalent, 1 + 2 * ZONE, 0.01, "lognormal 0.5", 30),
        (twice, equivalent, 1 + 2 * ZONE, 0.01, "Pareto 1.5", 200),
    ):

        def trial(
            chance: Chance, sizes=sizes, docs=documents, ratio=ratio, sigma=sigma, wrong=wrong
        ) -> Any:
            differences = family(chance, sizes, docs, ratio, sigma)
            if all(d.low is None for d in differences):
                return None
            said = verdicts(differences, zone=ZONE, lower_is_better=[True] * len(differences))
            flags = sum(d.one_decides for d in differences) > len(differences) / 2
            return bool(wrong.intersection(said)), flags

        yield rate_of(f"family, {error}, {sizes}, {documents}", trial, n, ERRORS)


def single(n: int) -> Section:
    """Errors of one question: equivalence, direction, the second opinion."""
    for sizes, documents, sigma in itertools.product(SIZES, (50, 2_000), (0.005, 0.02)):
        for name, ratio, target in (
            ("twice the zone", 1 + 2 * ZONE, ERRORS),
            ("the zone's edge", 1 + ZONE, EDGE),
        ):

            def trial(
                chance: Chance, sizes=sizes, documents=documents, sigma=sigma, ratio=ratio
            ) -> Any:
                baseline, _ = tokens_of(chance, sizes, documents, ALIKE)
                candidate = ratio * baseline * factors(chance, sigma, documents)
                difference = paired_ratio(candidate, baseline, zone=ZONE)
                said = verdicts([difference], zone=ZONE, lower_is_better=[True])
                if said == ["none"]:
                    return None
                return said == ["equivalent"], difference.one_decides

            setting = f"equivalent at {name}, {sizes}, {documents:,}, noise {sigma:.1%}"
            yield rate_of(setting, trial, n, target)
    for sizes in SIZES:

        def opinion(chance: Chance, sizes=sizes) -> Any:
            baseline, _ = tokens_of(chance, sizes, 100, ALIKE)
            swapped = [baseline * factors(chance, 0.05, 100) for _ in range(2)]
            return paired_randomization(
                *swapped, n=999, seed=int(chance.integers(1 << 30))
            ) < 0.05, False

        yield rate_of(f"randomization, p < 5 % of equals, {sizes}, 100", opinion, n, EDGE)


def detection(n: int) -> Section:
    """How often the least detectable difference is found, and that the text which is named settles it."""
    for sizes, documents, sigma in itertools.product(SIZES, (50, 500), (0.05,)):

        def draw(
            chance: Chance, ratio: float, n_documents: int, sizes=sizes, s=sigma
        ) -> Difference:
            baseline, _ = tokens_of(chance, sizes, n_documents, ALIKE)
            return paired_ratio(ratio * baseline * factors(chance, s, n_documents), baseline)

        chance = np.random.default_rng(0)
        pilots = [draw(chance, 1.0, documents) for _ in range(400)]
        least = [d.least for d in pilots if d.least is not None]
        if len(least) < len(pilots) / 4:
            continue
        ratio = 1 + float(np.median(least))
        where = f"{sizes}, {documents}"

        def found(chance: Chance, n_documents=documents, ratio=ratio, draw=draw) -> Any:
            difference = draw(chance, ratio, n_documents)
            return None if difference.p is None else (difference.p < 0.05, difference.one_decides)

        yield rate_of(f"least difference found, {where}", found, n, POWER)
        if sizes == "one giant":  # which does not grow with the text
            continue
        times = [text_needed(d, (ratio - 1) / 2) for d in pilots if d.least is not None]
        more = math.ceil(documents * float(np.median(np.array(times, dtype=np.float64))))
        half = partial(found, n_documents=more, ratio=1 + (ratio - 1) / 2)
        yield rate_of(
            f"half of it found in {more / documents:.1f} as much text, {where}", half, n, POWER
        )


# Real text ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RealText:
    """Parallel lines that were not trained on: float64[N, L] of tokens by each tokenizer, and of bytes."""

    tokens: dict[str, Floats]
    n_bytes: Floats
    page: npt.NDArray[np.int64]
    languages: tuple[str, ...]


def read_text(path: Path) -> RealText:
    """Train on a fifth of the pages and count the tokens of the others."""
    import pyarrow.parquet

    import toktk

    table = pyarrow.parquet.read_table(path, columns=["id", "lang", "text"]).to_pydict()
    by_id: dict[str, dict[str, str]] = {}
    for align, language, text in zip(table["id"], table["lang"], table["text"], strict=True):
        by_id.setdefault(align, {})[language] = text
    names = tuple(sorted(set(table["lang"])))
    whole = {align: texts for align, texts in sorted(by_id.items()) if len(texts) == len(names)}
    trained = [zlib.crc32(align.partition("#")[0].encode()) % 5 == 0 for align in whole]
    rows = [[texts[name] for name in names] for texts in whole.values()]
    learned = [text for row, use in zip(rows, trained, strict=True) if use for text in row]
    tokenizers = toktk.train("bpe", toktk.Corpus.of(learned), sizes=[4_000, 8_000])
    kept = [row for row, use in zip(rows, trained, strict=True) if not use]
    flat = [text for row in kept for text in row]
    shape = (len(kept), len(names))
    pages = [a.partition("#")[0] for a, use in zip(whole, trained, strict=True) if not use]
    return RealText(
        {
            f"bpe-{size // 1000}k": tokenizer.count_batch(flat).reshape(shape).astype(np.float64)
            for size, tokenizer in tokenizers.items()
        },
        np.array([len(text.encode()) for text in flat], dtype=np.float64).reshape(shape),
        np.unique(pages, return_inverse=True)[1],
        names,
    )


def agree(first: Interval, second: Interval) -> bool:
    """Tell whether the logs of two figures are as near as their intervals, taken together, say."""
    sides = (first, second)
    logs = [math.log(i.value) for i in sides if i.value]
    reach = [math.log(i.high / i.value) for i in sides if i.high and i.value]
    return abs(logs[0] - logs[1]) <= math.hypot(*reach)


def of_pages(counts: Floats, page: npt.NDArray[np.int64]) -> Floats:
    """Return the counts of pages, from those of their lines."""
    sums = np.zeros((int(page.max()) + 1, counts.shape[1]))
    np.add.at(sums, page, counts)
    return sums


@dataclass(frozen=True)
class Way:
    """A way to halve a text.

    Attributes:
        counts: float64[U, 3 L + 1] of units: bytes, tokens of the smaller and of the larger vocabulary in
            each language, lines.
        part: int64[U], what goes to one half as a whole: the unit or its page.
        in_order: whether units are in the order of the text, and intervals allow for neighbors.
        target: in percent; any where the intervals are not those of toktk.
    """

    name: str
    counts: Floats
    part: npt.NDArray[np.int64]
    in_order: bool = False
    target: tuple[float, float] = COVERAGE

    def halve(self, chance: Chance) -> tuple[Floats, Floats]:
        """Return the counts of both halves, units in the text's order or, as by a hash, in random order."""
        n = int(self.part.max()) + 1
        is_first = (chance.permutation(n) < n // 2)[self.part]
        order = chance.permutation(len(self.counts))
        if self.in_order:
            order.sort()
        first, other = (order[side[order]] for side in (is_first, ~is_first))
        return self.counts[first], self.counts[other]


def wider_of(x: Floats, y: Floats) -> float:
    """Return by how much neighbors widen the interval of a ratio, units in the order of the text."""
    text = TextOrder.of(np.arange(x.size) - 1)
    return float(neighbor_factors(x, y, np.array([[0, 0, x.size]]), text)[0])


def compare_halves(way: Way, chance: Chance, n_languages: int) -> Iterator[tuple[str, bool, bool]]:
    """Halve a text once; yield each comparison, whether the halves agree, and whether a note warns."""
    sides = way.halve(chance)
    for language in chance.choice(n_languages, 4, replace=False):
        n_bytes, small, large = (int(language) + n_languages * i for i in range(3))
        for name, over in (("bytes/token", n_bytes), ("difference of 4k and 8k", small)):
            one, other = ((side[:, over], side[:, large]) for side in sides)
            wider = 1.0, 1.0
            if way.in_order:
                wider = wider_of(*one), wider_of(*other)
            outcome = is_within(unpaired_ratio(one, other, wider=wider), 0.0)
            if outcome is not None:
                yield name, outcome[0], outcome[1] or max(wider) > 1
    tokens = [side[:, 2 * n_languages :] for side in sides]
    for name, statistic in STATISTICS.items():
        intervals = [
            jackknife_interval(statistic, side, sizes=side[:, :-1].sum(axis=1)) for side in tokens
        ]
        if all(interval.low is not None for interval in intervals):
            yield name, agree(*intervals), any(interval.one_decides for interval in intervals)


def halves(n: int, text: RealText) -> Section:
    """How often halves of a real text agree; four languages of each are looked at."""
    n_lines = len(text.n_bytes)
    counts = np.column_stack([text.n_bytes, *text.tokens.values(), np.ones(n_lines)])
    pages = of_pages(counts, text.page)
    for way in (
        Way("halved by lines, lines as units", counts, np.arange(n_lines)),
        Way("halved by pages, neighbors ignored", counts, text.page, target=(0.0, 100.0)),
        Way("halved by pages, lines with neighbors", counts, text.page, in_order=True),
        Way("halved by pages, pages as units", pages, np.arange(len(pages))),
    ):
        chance = chance_of(way.name)
        outcomes: dict[str, list[tuple[bool, bool]]] = {}
        for _ in range(n):
            for name, *outcome in compare_halves(way, chance, len(text.languages)):
                outcomes.setdefault(name, []).append((outcome[0], outcome[1]))
        for name, told in outcomes.items():
            percent, flags = 100 * np.mean(told, axis=0)
            count = len(told)
            yield Rate(
                f"{name}, {way.name}", count, count, float(percent), float(flags), way.target
            )


def tightness(text: RealText) -> str:
    """Say how many times narrower the paired interval of two tokenizers is than the unpaired one."""
    small, large = text.tokens.values()
    times = []
    for language in range(len(text.languages)):
        a, b, n_bytes = (counts[:, language] for counts in (large, small, text.n_bytes))
        widths = [
            math.log1p(d.high) - math.log1p(d.low)
            for d in (paired_ratio(a, b), unpaired_ratio((a, n_bytes), (b, n_bytes)))
            if d.low is not None and d.high is not None
        ]
        times.append(widths[1] / widths[0])
    return (
        f"Paired intervals of {' and '.join(text.tokens)} are {np.median(times):.1f} times narrower than "
        f"unpaired ones (median of languages; {min(times):.1f} to {max(times):.1f})."
    )


# The table ----------------------------------------------------------------------------------------

SECTIONS: dict[str, tuple[str, Callable[[int], Section]]] = {
    "ratios": ("Coverage: tokens per byte", ratios),
    "pairs": ("Coverage: differences", pairs),
    "jackknife": ("Coverage: figures over languages, 20 of them, parallel lines", jackknifed),
    "languages": ("Coverage: mean over languages at large", languages),
    "families": ("Errors: 10 tokenizers x 20 languages, percent of families, after Holm", families),
    "single": ("Errors: one question", single),
    "detection": ("Power: the least detectable difference", detection),
}
HEAD = f"{'setting':<62}{'given':>7}{'of':>6}  {'percent':>8}{'target':>8}{'warned':>9}"


def show(title: str, rates: Iterator[Rate]) -> Iterator[Rate]:
    """Print a table as its rates come, and pass them on."""
    print(f"\n{title}\n{HEAD}", flush=True)
    for rate in rates:
        print(rate.row(), flush=True)
        yield rate


def summary(rates: Sequence[Rate]) -> str:
    """Say what misses its target, and whether the tool warns there."""
    shown = [rate for rate in rates if rate.is_shown]
    missing = [rate for rate in shown if rate.misses]
    lines = [
        f"\n{len(shown)} settings with intervals, {len(rates) - len(shown)} without. "
        f"{len(missing)} miss their target:",
    ]
    for rate in missing:
        often = "warned" if rate.warned >= WARNED else "NOT warned"
        lines.append(f"  {rate.setting}: {rate.percent:.1f}; {often} ({rate.warned:.0f} %)")
    return "\n".join(lines)


class Both(io.StringIO):
    """Text that is kept for a file, and shown on standard error meanwhile."""

    def write(self, text: str) -> int:
        """Keep and show text."""
        sys.stderr.write(text)
        return super().write(text)


def main() -> None:
    """Simulate, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    parser.add_argument("--only", choices=[*SECTIONS, "text"], action="append", default=[])
    parser.add_argument("--text", type=Path, help="Parquet with the columns id, lang and text")
    parser.add_argument("--results", type=Path, help="write the tables here, too")
    parser.add_argument("--seed", type=int, default=0, help="other random numbers")
    options = parser.parse_args()
    global seed
    seed = options.seed
    n, start = SIMULATIONS // (10 if options.quick else 1), time.monotonic()
    both = Both()
    with contextlib.redirect_stdout(both):
        print_tables(options, n)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    if options.results:
        options.results.write_text(both.getvalue(), encoding="utf-8")


def print_tables(options: argparse.Namespace, n: int) -> None:
    """Simulate section by section."""
    print(
        f"Intervals of 95 %, zone +-{ZONE:.1%}, {n:,} simulations a setting. given: intervals, and the\n"
        "share of texts that have one. warned: of those, the share with a note: one document decides,\n"
        "neighbors are alike, or languages are few."
    )
    rates: list[Rate] = []
    for name, (title, section) in SECTIONS.items():
        if not options.only or name in options.only:
            rates += show(title, section(n))
    if options.text and (not options.only or "text" in options.only):
        title = f"Agreement of halves: {options.text.name}, {LANGUAGES} languages"
        text = read_text(options.text)
        rates += show(title, halves(n, text))
        print(tightness(text))
    print(summary(rates))


if __name__ == "__main__":
    main()
