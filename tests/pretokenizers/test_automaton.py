import functools
import itertools
import os
import re
import shutil
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_automaton import AutomatonCutter, compiled, cut_with_regex

from toktk import cache
from toktk.errors import PatternError
from toktk.pretokenizers import automaton as automaton_module
from toktk.pretokenizers.automaton import Automaton, compile_pattern, match_length, verify
from toktk.pretokenizers.construction import construct, partition_unicode
from toktk.pretokenizers.syntax import (
    Alternation,
    CharacterSet,
    Repeat,
    Sequence,
    character_sets,
    parse,
)

SETS = ["a", "b", " ", ".", "[ab]", "[^a]", r"\s", r"\S", r"\p{L}", "(?i:b)", r"\n"]
ALPHABET = "ab B\n1"
TEXTS = ["".join(t) for length in range(1, 5) for t in itertools.product(ALPHABET, repeat=length)]


@functools.cache
def partition():
    sets = [item for text in SETS for item in character_sets(parse(text))]
    return partition_unicode(sets, boundaries="\n")


def quantified(pattern: str, quantifier: str) -> str:
    return f"(?:{pattern}){quantifier}" if quantifier else pattern


def patterns():
    quantifiers = [
        "",
        "",
        "?",
        "*",
        "+",
        "{2}",
        "{1,2}",
        "{2,}",
        "*?",
        "+?",
        "??",
        "++",
        "?+",
        "*+",
    ]
    look_ahead = [rf"(?{kind}{text})" for kind in "=!" for text in (r"\S", "a", "[ab]|$")]
    simple = st.builds(str.__add__, st.sampled_from(SETS), st.sampled_from(quantifiers))
    leaf = st.one_of(simple, simple, simple, st.sampled_from([*look_ahead, "$", r"\z", ""]))

    def extend(inner):
        return st.one_of(
            st.lists(inner, min_size=2, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda c: f"(?:{'|'.join(c)})"),
            st.builds(quantified, inner, st.sampled_from(quantifiers)),
        )

    return st.recursive(leaf, extend, max_leaves=6)


@settings(max_examples=120, deadline=None)
@given(patterns())
def test_random_pattern_equals_regex_or_is_refused(pattern):
    try:
        tree = parse(pattern)
    except PatternError:
        return
    matcher = compiled(pattern)
    tables = construct(tree, partition(), pattern)
    if not all(table_match(tables, text) == regex_match(matcher, text) for text in TEXTS):
        with pytest.raises(PatternError, match="cannot be compiled exactly"):
            verify(Automaton(*tables), partition(), matcher)


@settings(max_examples=100, deadline=None)
@given(patterns().filter(lambda pattern: not re.search(r"[+*?]\+|\$", pattern)))
def test_pattern_without_possessives_and_empty_loops_equals_regex(pattern):
    try:
        tree = parse(pattern)
    except PatternError:
        assume(False)
    assume(not has_empty_loop(tree))
    tables = construct(tree, partition(), pattern)
    for text in TEXTS:
        assert table_match(tables, text) == regex_match(compiled(pattern), text), text


def has_empty_loop(node) -> bool:
    """Say whether a part that can match nothing is repeated without limit: engines differ there."""
    if isinstance(node, Repeat):
        return (node.most is None and is_nullable(node.item)) or has_empty_loop(node.item)
    return any(map(has_empty_loop, getattr(node, "items", getattr(node, "choices", ()))))


def is_nullable(node) -> bool:
    match node:
        case CharacterSet():
            return False
        case Sequence():
            return all(map(is_nullable, node.items))
        case Alternation():
            return any(map(is_nullable, node.choices))
        case Repeat():
            return node.least == 0 or is_nullable(node.item)
        case _:
            return True


def table_match(tables, text: str) -> int:
    class_of, next_state, accept = tables
    return match_length(next_state, accept, [class_of[ord(character)] for character in text])


def regex_match(matcher, text: str) -> int:
    found = matcher.match(text)
    return found.end() if found else 0


@pytest.mark.parametrize(
    "pattern",
    [
        "ab|a|abc",  # the first choice wins, not the longest
        "a|ab",
        "(?:a|ab)(?:c|bcd)?",
        "a*?b|a+",
        "a+?",
        "a{2,3}?b?",
        "(?:ab){2}|a",
        "(?:a|b)*abb",
        "a(?=b)|ab?c",  # look-ahead between and at the end
        r"a(?!b).|b+(?=a|\z)",
        r"(?=\p{Lu})\w+|\w",
        r"\s+(?!\S)|\s+",
        r"\d{1,3}(?!\d)|\d",
        "(?i:straße|ſ)+",
        r"[^\S\n]+|\n",
        r"a\z|b",
        "(?s:a.b)|a.b?",
        "\U0001f600+|[\U0001f600-\U0001f64f]",
        r"\p{Han}+|\p{Script=Greek}|\P{L}",
        r"[\ud800-\udfff]|a",
        "",
        "(?!a)a",
    ],
)
def test_compiled_equals_regex(pattern):
    cutter = AutomatonCutter(compile_pattern(pattern))
    alphabet = "abcB \nß1Σ漢\U0001f600\U0001f601\ud800"
    texts = ["".join(t) for length in range(4) for t in itertools.product(alphabet, repeat=length)]
    for text in texts[::5]:
        assert cutter.cut(text) == cut_with_regex(pattern, text), text


def test_empty_match_counts_as_none():
    # `regex` prefers the empty match at "b", so nothing is matched there.
    cutter = AutomatonCutter(compile_pattern("a*|bb"))
    assert cutter.cut("aabbc") == ["aa", "bbc"]
    assert cutter.cut("") == []


def test_start_state_never_accepts_and_tables_are_as_promised():
    automaton = compile_pattern(r" ?\p{L}+|\s+(?!\S)|\s+")
    states, classes = automaton.next_state.shape
    assert automaton.class_of.shape == (0x110000,)
    assert automaton.class_of.dtype == np.uint8
    assert automaton.next_state.dtype == np.int16
    assert automaton.accept.dtype == np.uint16
    assert automaton.accept.shape == (states, classes + 1)
    assert not automaton.accept[0].any()
    assert automaton.class_of.max() == classes - 1
    assert automaton.next_state.min() == -1
    assert automaton.next_state.max() < states
    for table in (automaton.class_of, automaton.next_state, automaton.accept):
        assert table.flags.c_contiguous


@pytest.mark.parametrize("name", ["class_of", "next_state", "accept"])
def test_tables_of_another_layout_are_not_sound(name):
    automaton = compile_pattern(r"[ab]+|\s")
    assert automaton.is_sound()
    table = getattr(automaton, name)
    others = [table.astype(np.float64), table.astype(table.dtype.newbyteorder()), table[:-1]]
    others += [table[:0], table[np.newaxis], table[..., :-1], np.asfortranarray(table)]
    for other in others:
        # A byte, or one dimension, has no other order.
        if (other.dtype, other.shape, other.flags.c_contiguous) != (table.dtype, table.shape, True):
            assert not replace(automaton, **{name: other}).is_sound()


@pytest.mark.parametrize(
    ("name", "value"), [("class_of", 200), ("next_state", 99), ("next_state", -2)]
)
def test_values_that_lead_outside_are_not_sound(name, value):
    automaton = compile_pattern(r"[ab]+|\s")
    changed = getattr(automaton, name).copy()
    changed.ravel()[changed.size // 2] = value
    assert not replace(automaton, **{name: changed}).is_sound()


@pytest.mark.parametrize(
    ("pattern", "equal"),
    [(r"\p{L}++|\p{N}{1,3}+", r"\p{L}+|\p{N}{1,3}"), (r"(?:a|b)+", "[ba]{1,}"), ("ab|ac", "a[bc]")],
)
def test_equal_patterns_get_equal_tables(pattern, equal):
    one, other = compile_pattern(pattern), compile_pattern(equal)
    for name in ("class_of", "next_state", "accept"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"\w++a", "cannot be compiled exactly"),
        ("a{1,5}+a", "cannot be compiled exactly"),
        ("a?+ab", "cannot be compiled exactly"),
        ("a$", "cannot be compiled exactly"),  # `regex` also matches before a final line feed
        ("^a", "anchor"),
        (r"\p{NoSuchProperty}", "unknown property"),
        ("[z-a]", "bad character range"),
        ("(?:a{100}){100}", "too large"),
        ("(?:a|b)*a(?:a|b){12}", "too large"),
        ("|".join(f"{chr(code)}{chr(code + 1)}" for code in range(0x4E00, 0x4F20)), "too large"),
    ],
)
def test_refused(pattern, message):
    with pytest.raises(PatternError, match=message):
        compile_pattern(pattern)


class TestCache:
    PATTERN = r"[ab]+|\s"

    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
        return tmp_path / "home"

    def stored(self, home):
        return list((home / "cells" / "patterns").iterdir())

    def test_second_call_loads(self, home, monkeypatch):
        first = compile_pattern(self.PATTERN)
        assert len(self.stored(home)) == 1
        monkeypatch.setattr(automaton_module, "_compile", None)
        second = compile_pattern(self.PATTERN)
        for name in ("class_of", "next_state", "accept"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))

    def test_an_edit_of_the_sources_changes_nothing(self, home, monkeypatch):
        compile_pattern(self.PATTERN)
        monkeypatch.setattr(cache, "code_digest", lambda package: "other")
        monkeypatch.setattr(cache, "__version__", "99")
        monkeypatch.setattr(automaton_module, "_compile", None)
        compile_pattern(self.PATTERN)

    def test_other_unicode_tables_get_another_entry(self, home, monkeypatch):
        compile_pattern(self.PATTERN)
        monkeypatch.setattr(automaton_module.regex, "__version__", "1.2.3")
        compile_pattern(self.PATTERN)
        assert len(self.stored(home)) == 2

    @pytest.mark.parametrize("sealed", [True, False])
    @pytest.mark.parametrize(
        "damage",
        ["empty", "noise", "truncated", "method", "encrypted", "npy", "pickle", "other", "range"],
    )
    def test_a_damaged_entry_is_replaced(self, home, damage, sealed):
        expected = compile_pattern(self.PATTERN)
        (folder,) = self.stored(home)
        path = folder / "tables.npz"
        content = path.read_bytes()
        if damage == "empty":
            path.write_bytes(b"")
        elif damage == "noise":
            path.write_bytes(b"PK\x03\x04" + bytes(range(256)))
        elif damage == "truncated":
            path.write_bytes(content[: len(content) // 2])
        elif damage in ("method", "encrypted"):  # says the zip file's directory
            at = content.index(b"PK\x01\x02") + (10 if damage == "method" else 8)
            path.write_bytes(content[:at] + b"\x63\0" + content[at + 2 :])
        elif damage == "npy":
            with path.open("wb") as file:
                np.save(file, np.arange(3))
        elif damage == "pickle":
            with path.open("wb") as file:
                np.savez(file, class_of=np.array([{}], dtype=object))
        elif damage == "other":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("class_of.npy", b"no array")
        else:
            np.savez(
                path, **asdict(expected) | {"next_state": np.full_like(expected.next_state, 99)}
            )
        if sealed:  # as if it had been written so
            cache._seal(folder, None)
        again = compile_pattern(self.PATTERN)
        np.testing.assert_array_equal(again.next_state, expected.next_state)
        with np.load(path) as arrays:
            np.testing.assert_array_equal(arrays["next_state"], expected.next_state)

    def test_home_that_is_a_file(self, home):
        home.write_text("in the way")
        assert compile_pattern(self.PATTERN).next_state.shape[0] > 1

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
    def test_unwritable_home(self, home):
        home.mkdir(mode=0o500)
        assert compile_pattern(self.PATTERN).next_state.shape[0] > 1
        assert list(home.iterdir()) == []

    def test_a_file_in_the_place_of_an_entry(self, home):
        compile_pattern(self.PATTERN)
        (folder,) = self.stored(home)
        shutil.rmtree(folder)
        folder.write_text("in the way")
        assert compile_pattern(self.PATTERN).next_state.shape[0] > 1
        assert [path.is_dir() for path in self.stored(home)] == [True]
