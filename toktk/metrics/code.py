"""How code is cut: its indentation, names, operators, and the tokens of the language itself.

The figures come from the tokenizer alone: from a page of Python and a list of names that ship with toktk, not
from the text that is measured.
"""

from __future__ import annotations

import functools
import io
import itertools
import tokenize
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toktk.metrics.base import Case, Figure, metric
from toktk.metrics.code_sample import IDENTIFIERS, SAMPLE
from toktk.metrics.cuts import cuts_of, figures_of

if TYPE_CHECKING:
    from toktk.tokenizer import Tokenizer

_STATEMENTS = (
    "return value",
    "if x > 0:",
    "self.count += 1",
    "for item in items:",
    "# done",
    "pass",
)
_LEVEL = 4  # spaces
_LEVELS = 4
_LEXICAL = {tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP, tokenize.COMMENT}


class Lexeme(NamedTuple):
    """A token of Python, where it lies in the sample in bytes, and whether it is an operator or a bracket."""

    text: str
    is_sign: bool
    line: int
    begin: int
    end: int


@functools.cache
def lexemes() -> tuple[Lexeme, ...]:
    """Return the tokens that Python has in the sample, which is ASCII; line ends and indentation are none."""
    starts = [0, *itertools.accumulate(map(len, SAMPLE.splitlines(keepends=True)))]
    return tuple(
        Lexeme(
            token.string,
            token.type == tokenize.OP,
            token.start[0] - 1,
            starts[token.start[0] - 1] + token.start[1],
            starts[token.end[0] - 1] + token.end[1],
        )
        for token in tokenize.generate_tokens(io.StringIO(SAMPLE).readline)
        if token.type in _LEXICAL
    )


@functools.cache
def styles() -> dict[str, str]:
    """Return the sample in other styles: indented with tabs; without the spaces that Python does not need."""
    lines = SAMPLE.splitlines()
    depths = [(len(line) - len(line.lstrip(" "))) // _LEVEL for line in lines]
    tabs = ["\t" * depth + line.lstrip(" ") for depth, line in zip(depths, lines, strict=True)]
    compact = [" " * _LEVEL * depth for depth in depths]
    for lexeme in lexemes():
        before = compact[lexeme.line]
        is_apart = _is_word(before[-1:]) and _is_word(lexeme.text[0])
        compact[lexeme.line] += " " * is_apart + lexeme.text
    return {
        style: "\n".join([*of_style, ""])
        for style, of_style in (("tabs", tabs), ("compact", compact))
    }


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@metric(
    "indentation_tokens",
    "tokens",
    "lower",
    topic="code",
    formula="tokens of an indented line less those of the line without its indentation, mean over six "
    "statements; next level: what four spaces more add, mean over 4 to 16 spaces",
    trap="Tokens of long runs of spaces cost ids that other text never uses. In code indented with tabs or "
    "by two spaces other tokens decide.",
    source="toktk",
)
def indentation_tokens(case: Case) -> list[Figure]:
    """How many tokens the indentation of a line of code takes."""
    spaces = {f"{_LEVEL * i} spaces": " " * (_LEVEL * i) for i in range(1, _LEVELS + 1)}
    values: dict[str, tuple[float | None, int]] = {}
    for key, indentation in {**spaces, "tab": "\t"}.items():
        values[key] = _added(case.tokenizer, indentation), len(_STATEMENTS)
    ends = [values[key][0] for key in (*spaces,)[:: _LEVELS - 1]]
    first, last = ends
    step = None if first is None or last is None else (last - first) / (_LEVELS - 1)
    return figures_of(case, {**values, "next level": (step, len(_STATEMENTS))})


def _added(tokenizer: Tokenizer, indentation: str) -> float | None:
    """Return how many tokens an indentation adds to a line, or None."""
    counts = []
    for before in ("", indentation):
        cuts = cuts_of(tokenizer, [f"x\n{before}{statement}\n" for statement in _STATEMENTS])
        if cuts is None:
            return None
        counts.append(int(cuts.counts.sum()))
    return (counts[1] - counts[0]) / len(_STATEMENTS)


@metric(
    "identifier_f1",
    "share",
    "higher",
    topic="code",
    formula="2 TP / (2 TP + FP + FN) over names of two to four words: TP places between words with a cut "
    "(in snake_case on either side of the _), FN such places without one, FP cuts within words",
    trap="A name that is one token has no cut, and counts as missed: common names pull a large vocabulary "
    "down. No evidence says that models program better with a higher figure.",
    source="boundary F1, as of morphs; toktk",
)
def identifier_f1(case: Case) -> list[Figure]:
    """Whether names in code are cut between their words."""
    names = [name.split() for name in IDENTIFIERS.split(",")]
    values: dict[str, tuple[float | None, int]] = {}
    for style in ("snake", "camel"):
        written = ["_".join(words) if style == "snake" else _camel(words) for words in names]
        cuts = cuts_of(case.tokenizer, written)
        value = None
        if cuts is not None:
            tokens = [
                cuts.starts[a:b].tolist() for a, b in itertools.pairwise(cuts.offsets.tolist())
            ]
            right = wrong = missed = 0
            for words, starts in zip(names, tokens, strict=True):
                inner = {start for start in starts if start > 0}
                places = _between(words, 1 if style == "snake" else 0)
                hits = sum(not inner.isdisjoint(place) for place in places)
                right += hits
                missed += len(places) - hits
                wrong += len(inner.difference(*places))
            value = 2 * right / (2 * right + wrong + missed)
        values[style] = value, len(written)
    return figures_of(case, values)


def _camel(words: list[str]) -> str:
    return words[0] + "".join(map(str.capitalize, words[1:]))


def _between(words: list[str], sign: int) -> list[set[int]]:
    """Return where a cut lies between each two neighboring words, which `sign` characters join."""
    ends = itertools.accumulate(len(word) + sign for word in words[:-1])
    return [set(range(end - sign, end + 1)) for end in ends]


@metric(
    "operator_fusion",
    "share",
    None,
    topic="code",
    formula="neighboring operators and brackets of the Python sample without a cut between them / such "
    "neighbors",
    trap="Fused signs make code cheaper, and hide a bracket's partner in another token: which counts for "
    "more is not known. One sample in one language.",
    source="toktk",
)
def operator_fusion(case: Case) -> list[Figure]:
    """How often neighboring operators and brackets are in one token."""
    pairs = itertools.pairwise(lexemes())
    places = [b.begin for a, b in pairs if a.is_sign and b.is_sign and a.end == b.begin]
    cuts = cuts_of(case.tokenizer, [SAMPLE])
    value = None if cuts is None else 1 - float(cuts.has(np.array([places])).mean())
    return figures_of(case, {"python": (value, len(places))})


@metric(
    "lexical_boundaries",
    "share",
    "higher",
    topic="code",
    formula="recall: places between two tokens of Python's own, in the sample, with a cut in them / such "
    "places; precision: cuts in such places / cuts",
    trap="Single bytes have a recall of 100 %, whole lines as tokens a precision of 100 %: read both. Long "
    "names, strings and comments are cut within, which lowers precision and is no fault.",
    source="toktk",
)
def lexical_boundaries(case: Case) -> list[Figure]:
    """How well tokens agree with those that Python itself finds."""
    gaps = [(a.end, b.begin) for a, b in itertools.pairwise(lexemes())]
    cuts = cuts_of(case.tokenizer, [SAMPLE])
    recall = precision = None
    if cuts is not None:
        inner = {start for start in cuts.starts.tolist() if start > 0}
        places = [set(range(begin, end + 1)) for begin, end in gaps]
        recall = sum(not inner.isdisjoint(place) for place in places) / len(places)
        precision = len(inner.intersection(*[set().union(*places)])) / len(inner) if inner else 1.0
    n = len(gaps)
    return figures_of(case, {"recall": (recall, n), "precision": (precision, n)})


@metric(
    "reformatting",
    "ratio",
    None,
    topic="code",
    formula="tokens of the Python sample in another style / tokens of the sample: indented with tabs; "
    "without the spaces that Python does not need",
    trap="Far from 1, the same program costs much more or less as it is formatted. Comments go along as "
    "they are.",
    source="toktk",
)
def reformatting(case: Case) -> list[Figure]:
    """How much the cost of code depends on how it is formatted."""
    cuts = cuts_of(case.tokenizer, [SAMPLE, *styles().values()])
    counts = None if cuts is None else cuts.counts.tolist()
    return figures_of(
        case,
        {
            style: (None if counts is None else counts[i] / counts[0], 1)
            for i, style in enumerate(styles(), start=1)
        },
    )
