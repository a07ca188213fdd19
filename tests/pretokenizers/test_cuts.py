"""What `toktk ls pretokenizers` says of each pattern is what it does."""

from __future__ import annotations

import pytest

from toktk.educational import cut
from toktk.pretokenizers.patterns import CUTS, OTHER_NAMES, PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def pieces(name: str, text: str) -> list[str]:
    return cut(Pretokenizer.of(name).pattern, text)


LAST, SIGN = "the last of a run goes to the word", "letters, with one space or sign before"
SHOWN = {
    "words": {
        "letters, with one space before": {"a+b": ["a", "+", "b"], "a b": ["a", " b"]},
        SIGN: {"a+b": ["a", "+b"], "it's": ["it", "'s"]},
        "letters, marks and contractions, with one space or sign before": {
            "a+b": ["a", "+b"], "it's": ["it's"], "e\u0301x": ["e\u0301x"],
        },
        "what is no white space, with one space before": {"a+b \tc": ["a+b", " ", "\t", "c"]},
        "what is no space, with one space before": {"a+b\tc d": ["a+b\tc", " d"]},
        "what is no space, with all spaces before": {"a+b\tc  d": ["a+b\tc", "  d"]},
        "a document is one piece": {"a+b c": ["a+b c"]},
    },
    "digits": {
        "any number, with one space before": {"a 12345": ["a", " 12345"]},
        "up to three": {"a12345": ["a", "123", "45"]},
        "any number": {"a 12345": ["a", " ", "12345"]},
        "threes from the right": {"a12345": ["a", "12", "345"], "1234.5": ["1", "234", ".", "5"]},
        "each alone": {"a123": ["a", "1", "2", "3"]},
        "part of words": {"a12345": ["a12345"]},
        "part of it": {"a12345": ["a12345"]},
    },
    "spaces": {
        LAST: {"a   b": ["a", "  ", " b"]},
        "each begins a piece": {"a   b": ["a", " ", " ", " b"]},
        "a run begins a piece": {"a   b": ["a", "   b"]},
        "part of it": {"a   b": ["a   b"]},
    },
    "case": {
        "contractions in lower case alone": {"it's": ["it", "'s"], "IT'S": ["IT", "'", "S"]},
        "cut where a capital follows a small letter": {"camelCase": ["camel", "Case"]},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_what_is_said_of_a_pattern(name: str) -> None:
    for what, shown in SHOWN.items():
        said = getattr(CUTS[name], what)
        if said == "makes no difference":
            for text in ("it's camelCase", "a HTMLParser b"):
                lengths = [
                    list(map(len, pieces(name, t))) for t in (text, text.upper(), text.lower())
                ]
                assert lengths[0] == lengths[1] == lengths[2]
            continue
        for text, expected in shown[said].items():
            assert pieces(name, text) == expected


def test_other_names_are_of_patterns_and_none_is_one() -> None:
    assert set(OTHER_NAMES.values()) <= set(PATTERNS)
    assert not set(OTHER_NAMES) & set(PATTERNS)
