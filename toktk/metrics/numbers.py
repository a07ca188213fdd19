"""How numbers are cut: into which patterns of digits, at which places, and alike wherever they stand.

The figures come from the tokenizer alone: from numbers that are made here, not from the text that is
measured. Singh & Strouse (2024) found GPT-3.5 to add numbers of 7 to 9 digits right in 75.6 % of cases as
they are cut from the left, and in 97.8 % where commas made it cut from the right; what the figures say of
other models is not known.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk.arrays import Int64
from toktk.metrics.base import Case, Figure, metric
from toktk.metrics.cuts import cuts_of, figures_of
from toktk.metrics.vocabulary import renyi_entropy

if TYPE_CHECKING:
    from toktk.tokenizer import Tokenizer

DIGITS = (4, 5, 6, 7, 8)
"""How many digits the integers have that are looked at."""

_RANGE = f"{DIGITS[0]}-{DIGITS[-1]}"
_SAMPLE = 250_000  # integers of one length; fewer are all taken. Two decimals of their entropy hold
_FEW = 400  # of one length, where each is encoded in several surroundings
_BEFORE = (" ", "$", "-", "=", "(")
_AFTER = (" ", ".", ",", ")", "%")
_SMALL = range(1000)

# Numbers as they are written, and what separates their parts.
_DATES = [f"{1960 + i}-{1 + 5 * i % 12:02}-{1 + 11 * i % 28:02}" for i in range(80)]
_TIMES = [f"{5 * i % 24:02}:{17 * i % 60:02}" for i in range(120)]
_DECIMALS = [f"{i * 7 % 1000}.{i * 37 % 10 ** (1 + i % 3):0{1 + i % 3}}" for i in range(120)]
_PERCENTS = [f"{i}%" for i in range(101)] + [f"{i}.{i * 7 % 10}%" for i in range(100)]
_THOUSANDS = [f"{i**3 * 7919 + 1000:,}" for i in range(120)]
_SEPARATORS = {
    "date": ("-", _DATES),
    "time": (":", _TIMES),
    "decimal": (".", _DECIMALS),
    "percent": ("%", _PERCENTS),
    "comma": (",", _THOUSANDS),
}
_WRITTEN = {
    "year": [str(year) for year in range(1900, 2030)],
    "date": _DATES,
    "time": _TIMES,
    "decimal": _DECIMALS,
    "hex": [f"0x{i * 2654435761 % 2**32:08X}" for i in range(1, 121)],
}

_SOURCE = "after Singh & Strouse 2024; toktk"
_masks: weakref.WeakKeyDictionary[Tokenizer, dict[int, Int64 | None]] = weakref.WeakKeyDictionary()


def integers(digits: int, most: int = _SAMPLE) -> list[int]:
    """Return integers of so many digits, ascending: all, or one of each of `most` equal stretches.

    Which one of a stretch, a hash of its number says (SplitMix64), so they are the same everywhere. Multiples
    of one number would fill the range more evenly, and repeat themselves in the last digits.
    """
    least = 10 ** (digits - 1)
    n = 9 * least
    if n <= most:
        return [*range(least, least + n)]
    x = np.arange(1, most + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    edges = np.arange(most + 1, dtype=np.int64) * n // most
    within = (x % np.diff(edges).astype(np.uint64)).astype(np.int64)
    numbers: list[int] = (least + edges[:-1] + within).tolist()
    return numbers


def pattern_entropy(masks: Int64) -> float:
    """Return the entropy, in bits, of the ways in which integers of one length are cut."""
    counts = np.unique(masks, return_counts=True)[1]
    return renyi_entropy(counts, 1) or 0.0


def aligned_mask(digits: int, side: str) -> int:
    """Return the mask of cuts, as of `Cuts.masks`, between threes counted from the `side`: right or left."""
    first = digits % 3 if side == "right" else 3
    return sum(1 << place for place in range(first or 3, digits, 3))


def integer_masks(tokenizer: Tokenizer, digits: int) -> Int64 | None:
    """Return int64[n]: where the `integers` are cut, as `Cuts.masks`; None where they are not given back."""
    kept = _masks.setdefault(tokenizer, {})
    if digits not in kept:
        cuts = cuts_of(tokenizer, [str(i) for i in integers(digits)])
        kept[digits] = None if cuts is None else cuts.masks(0 * cuts.lengths, cuts.lengths)
    return kept[digits]


def _n_integers(digits: int) -> int:
    return min(int(9 * 10 ** (digits - 1)), _SAMPLE)


@metric(
    "digit_pattern_entropy",
    "bits",
    "lower",
    topic="numbers",
    formula="entropy of the lengths of the tokens of integers of k digits, all those of 4 and 5 digits, "
    "250,000 of more; the name gives k",
    trap="0 says that all numbers of a length are cut alike, not that the cut is a good one: single digits, "
    "threes from the left and threes from the right all give 0. Numbers of text are not spread evenly.",
    source=_SOURCE,
)
def digit_pattern_entropy(case: Case) -> list[Figure]:
    """How many ways there are in which numbers of one length are cut, by their entropy."""
    values: dict[str, tuple[float | None, int]] = {}
    for digits in DIGITS:
        masks = integer_masks(case.tokenizer, digits)
        value = None if masks is None else pattern_entropy(masks)
        values[str(digits)] = value, _n_integers(digits)
    return figures_of(case, values)


def alignment(tokenizer: Tokenizer, digits: int, side: str) -> float | None:
    """Return the share of integers of so many digits that are cut into threes from one side.

    For "thousands", no token lies across the cuts of "right", and there may be others.
    """
    masks = integer_masks(tokenizer, digits)
    if masks is None:
        return None
    cuts = aligned_mask(digits, "left" if side == "left" else "right")
    return float(((masks & cuts if side == "thousands" else masks) == cuts).mean())


@metric(
    "digit_alignment",
    "share",
    None,
    topic="numbers",
    formula="integers that are cut into threes from the right, and nowhere else (right), the same from the "
    "left (left), or in which no token lies across thousands (thousands) / integers; mean over 4 to 8 digits",
    trap="Threes from the left are threes from the right where their number divides by 3, here at 6 digits: "
    "that alone gives 20 %. Single digits have 0 % of right and 100 % of thousands. A pattern decides where "
    "a cut must be, and the vocabulary whether all threes are tokens.",
    source=_SOURCE,
)
def digit_alignment(case: Case) -> list[Figure]:
    """Whether tokens of numbers stand for the same places: ones, thousands, millions."""
    n = sum(map(_n_integers, DIGITS))
    values: dict[str, tuple[float | None, int]] = {}
    for side in ("right", "left", "thousands"):
        shares = [alignment(case.tokenizer, digits, side) for digits in DIGITS]
        known = [share for share in shares if share is not None]
        values[f"{side},{_RANGE}"] = (
            sum(known) / len(DIGITS) if len(known) == len(DIGITS) else None,
            n,
        )
    return figures_of(case, values)


@metric(
    "digit_consistency",
    "share",
    "higher",
    topic="numbers",
    formula="integers of 4 to 8 digits whose digits are cut alike (cuts), or are the same tokens (tokens), "
    "alone, after a space, $, -, = and (, and before a space, a full stop, a comma, ) and % / such integers",
    trap="Where the space before a word is part of its token, so it is before a number, and no number is "
    "the same tokens everywhere: read the share of cuts then.",
    source="toktk",
)
def digit_consistency(case: Case) -> list[Figure]:
    """Whether a number is cut alike whatever stands beside it."""
    numbers = [str(i) for digits in DIGITS for i in integers(digits, _FEW)]
    places = [("", ""), *((before, "") for before in _BEFORE), *(("", after) for after in _AFTER)]
    cuts = cuts_of(case.tokenizer, [f"{b}{number}{a}" for b, a in places for number in numbers])
    same_cuts = same_tokens = None
    if cuts is not None:
        begin = np.repeat([len(before) for before, _ in places], len(numbers))
        length = np.tile(np.array([*map(len, numbers)], dtype=np.int64), len(places))
        masks = cuts.masks(begin, length).reshape(len(places), -1)
        alike = (masks == masks[0]).all(axis=0)
        edges = cuts.has(np.stack([begin, begin + length], axis=1)).all(axis=1)
        apart = edges.reshape(len(places), -1).all(axis=0)
        same_cuts, same_tokens = float(alike.mean()), float((alike & apart).mean())
    n = len(numbers)
    return figures_of(case, {"cuts": (same_cuts, n), "tokens": (same_tokens, n)})


@metric(
    "sum_alignment",
    "share",
    "higher",
    topic="numbers",
    formula="sums a + b = c, a and b of k digits, in which all three are cut at the same places counted "
    "from the right, as far as a and b reach / sums; mean over k = 4 to 8",
    trap="Single digits give 100 %, and so does a tokenizer that has every number as one token.",
    source=_SOURCE,
)
def sum_alignment(case: Case) -> list[Figure]:
    """Whether the places of two numbers are cut as those of their sum."""
    shares: list[float] = []
    for digits in DIGITS:
        a = integers(digits, _FEW)
        b = [a[157 * i % _FEW] for i in range(_FEW)]  # another order of them
        texts = [
            str(number)
            for row in (a, b, [x + y for x, y in zip(a, b, strict=True)])
            for number in row
        ]
        cuts = cuts_of(case.tokenizer, texts)
        if cuts is None:
            break
        # From the right, as far as the numbers that are added reach.
        begin = cuts.lengths - digits
        masks = cuts.masks(begin, np.full_like(begin, digits)).reshape(3, -1)
        shares.append(float((masks == masks[0]).all(axis=0).mean()))
    value = sum(shares) / len(DIGITS) if len(shares) == len(DIGITS) else None
    return figures_of(case, {_RANGE: (value, _FEW * len(DIGITS))})


def _single_tokens(tokenizer: Tokenizer, before: str = "") -> Int64 | None:
    """Return those of the integers below 1,000 that are one token after what stands before them."""
    cuts = cuts_of(tokenizer, [f"{before}{i}" for i in _SMALL])
    return None if cuts is None else np.flatnonzero(cuts.counts == 1)


@metric(
    "single_token_integers",
    "integers",
    None,
    topic="numbers",
    formula="integers from 0 to 999 that are one token, alone and with the space before them",
    trap="Both all and ten can be meant: 1,000 where numbers are cut into threes, 10 where digits stand "
    "alone. What lies between has gaps (integer_gaps).",
    source="common use",
)
def single_token_integers(case: Case) -> list[Figure]:
    """How many small integers are one token."""
    values: dict[str, tuple[float | None, int]] = {}
    for key, before in (("0-999", ""), ("0-999,space", " ")):
        single = _single_tokens(case.tokenizer, before)
        values[key] = None if single is None else float(single.size), len(_SMALL)
    return figures_of(case, values)


@metric(
    "integer_gaps",
    "integers",
    "lower",
    topic="numbers",
    formula="integers from 0 to 999 that are several tokens while a larger one of them is one token",
    trap="What stands in for the missing ones is not seen here. A number that is one token in one text may "
    "be two in another: see digit_consistency.",
    source="toktk",
)
def integer_gaps(case: Case) -> list[Figure]:
    """How many small integers lack the token that others have."""
    single = _single_tokens(case.tokenizer)
    value = None
    if single is not None:
        value = float(single[-1] + 1 - single.size) if single.size else 0.0
    return figures_of(case, {"0-999": (value, len(_SMALL))})


@metric(
    "separator_isolation",
    "share",
    "higher",
    topic="numbers",
    formula="separators in numbers that are a token by themselves / separators: the hyphens of ISO dates, "
    "the colon of times, the decimal point, the percent sign, the comma between thousands",
    trap="A separator that goes with digits makes tokens such as '.5', in which no place of the number "
    "stands for itself. In text other than numbers the same sign may be cut otherwise.",
    source="toktk",
)
def separator_isolation(case: Case) -> list[Figure]:
    """Whether the signs within numbers are tokens of their own."""
    values: dict[str, tuple[float | None, int]] = {}
    for key, (sign, texts) in _SEPARATORS.items():
        whole = [text for text in texts for _ in range(text.count(sign))]
        at = np.array([i for text in texts for i, c in enumerate(text) if c == sign])
        cuts = cuts_of(case.tokenizer, whole)
        value = (
            None if cuts is None else float(cuts.has(np.stack([at, at + 1], 1)).all(axis=1).mean())
        )
        values[key] = value, len(whole)
    return figures_of(case, values)


@metric(
    "number_tokens",
    "tokens",
    "lower",
    topic="numbers",
    formula="tokens / numbers, each with a space before it: the years 1900 to 2029, ISO dates, times as "
    "17:05, decimals, hexadecimal numbers of 8 digits",
    trap="Fewer is cheaper, and says nothing of how well a model calculates: single digits cost most.",
    source="toktk",
)
def number_tokens(case: Case) -> list[Figure]:
    """How many tokens numbers take as they are written."""
    return figures_of(
        case, {kind: (_mean(case, texts), len(texts)) for kind, texts in _WRITTEN.items()}
    )


def _mean(case: Case, texts: Sequence[str]) -> float | None:
    cuts = cuts_of(case.tokenizer, [f" {text}" for text in texts])
    return None if cuts is None else float(cuts.counts.mean())
