"""A pattern is refused before it costs any library seconds or gigabytes."""

from __future__ import annotations

import pytest
import regex

from toktk.errors import LimitError, PatternError
from toktk.pretokenizers import automaton, construction
from toktk.pretokenizers.automaton import Automaton, compile_pattern
from toktk.pretokenizers.construction import construct, partition_unicode
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.syntax import CharacterSet, Repeat, Sequence, check_size

REFUSED = {
    "(" * 5000 + "a" + ")" * 5000: "nested more than 100 deep at position 100",
    "(?:" * 101 + "a" + ")*" * 101: "nested more than 100 deep at position 300",
    "(?R)|.": "calls itself or another at position 0",
    "(a)(?1)": "calls itself or another at position 3",
    "(?<n>a)(?&n)": "calls itself or another at position 7",
    "a{1000000}": "more than 100,000 characters",
    "((a{1000}){1000}){1000}": "more than 100,000 characters",
    "(?:(?:(?:){9999}){9999}){9999}": "more than 100,000 characters",
    "((((a{9,}){9}){9}){9}){99}": "more than 100,000 characters",
    "a" * 100_001: "more than 100,000 characters",
    "[" + "ab" * 50_000 + "]": "more than 100,000 characters",
    "a{99999999999999999999999}{9999}{9999}": "more than 100,000 characters",
}


@pytest.mark.parametrize("pattern", REFUSED, ids=lambda pattern: pattern[:20])
def test_refused_at_every_door(pattern):
    for door in (check_size, compile_pattern, lambda p: Pretokenizer("x", p).cut("a")):
        with pytest.raises(LimitError, match=REFUSED[pattern]) as caught:
            door(pattern)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "pattern",
    [
        *PATTERNS.values(),
        r"\(?R\)|.",
        r"[(?R)]+|[^)(]{3}|.",
        r"[]()]|[^](]|[[:alpha:](]|.",
        r"(?:a{3}){5}|\{9999999\}{2}|.",
        "(" * 100 + "a" + ")" * 100,
        "(a{0,9999}){0,9999}",
        "a{,99}|x{y}|.",
    ],
)
def test_what_is_harmless_is_allowed(pattern):
    check_size(pattern)
    regex.compile(pattern, regex.V0)


def test_nothing_repeated_often_is_nothing():
    nothing = Sequence(())
    for _ in range(30):
        nothing = Repeat(nothing, 9999, 9999, greedy=True)
    a = CharacterSet("a")
    built = [
        construct(tree, partition_unicode([a]), "tested") for tree in (a, Sequence((nothing, a)))
    ]
    for one, other in zip(*built, strict=True):
        assert one.tolist() == other.tolist()


def test_a_single_character_is_a_set_of_one():
    unicode = partition_unicode([CharacterSet("é"), CharacterSet("."), CharacterSet("[^é]")])
    single, anything, others = unicode.members.values()
    assert unicode.class_of[ord("é")] == single.bit_length() - 1
    assert others & single == 0
    assert anything & single
    assert not anything >> int(unicode.class_of[ord("\n")]) & 1


@pytest.mark.parametrize(
    ("limit", "pattern", "things"),
    [
        ("_MAX_POSITIONS", "a|b|c|d|e|f|g|h|i|j|k", "characters and sets"),
        ("_MAX_ASKED", "|".join(f"[{c}x]" for c in "abcdefghijk"), "character sets"),
        ("_MAX_WRITTEN", "[abcdefghijk]", "characters in sets"),
        ("_MAX_STEPS", "abcdefghij", "steps"),
        ("_MAX_STATES", "abcdefghijkl", "states"),
    ],
)
def test_construction_has_limits(monkeypatch, limit, pattern, things):
    automaton._compile(pattern)
    monkeypatch.setattr(construction, limit, 10)
    with pytest.raises(PatternError, match=f"more than 10 {things}"):
        automaton._compile(pattern)


def test_verification_ends(monkeypatch):
    pattern = "(?:a?){200}a{200}|."  # one text takes the regex library seconds, some take ages
    monkeypatch.setattr(automaton, "_PATIENCE", 0.2)
    with pytest.raises(PatternError, match="it is not verified"):
        automaton._compile(pattern)
    assert isinstance(automaton._compile("a+|b"), Automaton)


@pytest.mark.parametrize("pattern", ["(?V1)a", r"\L<names>", r"\N{NO SUCH}", "a{99999999999,}("])
def test_whatever_the_regex_library_raises_is_the_patterns_error(pattern):
    with pytest.raises(PatternError, match=r"cannot (compile|use)"):
        Pretokenizer("x", pattern).cut("a")


def test_a_pattern_is_text():
    for pretokenizer in ({"pattern": "\udcff"}, {"pattern": "a", "before": ("\ud800",)}):
        with pytest.raises(PatternError, match="surrogate"):
            Pretokenizer("x", **pretokenizer)
