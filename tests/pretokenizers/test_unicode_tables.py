r"""Character tables are those of the library that a file belongs to, for every code point."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import regex
import tokenizers
from public_samples import GPT2, byte_level, sequence, split

from toktk.arrays import write_arrays
from toktk.cache import Store
from toktk.child import ChildEnded
from toktk.errors import FormatError, PatternError, ToktkError
from toktk.formats.fields import NotNative
from toktk.formats.hf_read import read_tokenizer_json
from toktk.pretokenizers import code_points, unicode_tables
from toktk.pretokenizers.export import exported_pattern, strangers, table_notes
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer, pretokenizers_of
from toktk.pretokenizers.syntax import folds_several, parse, spelled_out
from toktk.pretokenizers.unicode_tables import digits, edges, edges_of_each, needs_tables

SETS = [
    r"\p{L}",
    r"\p{N}",
    r"[\p{Lu}\p{Lt}\p{M}]",
    r"[^\s\p{L}\p{N}]",
    r"\w",
    r"\d",
    r"\s",
    "(?i:[sk])",
]
WORDS = r"\w+|[^\w\s]+|\s+"


@pytest.mark.parametrize("characters", SETS)
def test_a_set_holds_what_the_library_finds_one_by_one(characters):
    step = tokenizers.pre_tokenizers.Split(tokenizers.Regex(characters), "removed", invert=True)
    members = edges(characters, "tokenizers")
    chance = random.Random(characters)
    near = [code + by for code in members.tolist() for by in (-1, 0)]
    codes = [*chance.sample(near, min(len(near), 300)), *chance.choices(range(0x110000), k=300)]
    for code in codes:
        if 0 <= code < 0xD800 or 0xE000 <= code < 0x110000:
            is_member = np.searchsorted(members, code, side="right") % 2 == 1
            assert is_member == bool(step.pre_tokenize_str(chr(code))), hex(code)


@pytest.mark.parametrize("library", ["regex", "tokenizers", "tiktoken"])
@pytest.mark.parametrize(
    "characters",
    [r"\p{L}", r"\p{Co}", r"[^\p{Cn}]", "[\\p{L}\U00051234]", "[\\p{Lu}\U000fff00-\U00100fff]"],
)
def test_few_code_points_tell_of_all(characters, library, monkeypatch):
    members = edges(characters, library)
    monkeypatch.setattr(code_points, "singles_out", lambda characters: True)
    monkeypatch.setattr(unicode_tables, "_known", {})
    if library == "regex":  # others are looked at in a process of their own
        assert edges(characters, library).tolist() == members.tolist()
    codes = [0x51233, 0x51234, 0x90000, 0xFFEFF, 0xFFF00, 0xFFFFD, 0xFFFFE, 0x100FFF, 0x10FFFF]
    text = [chr(code) for code in codes]
    matches = [regex.fullmatch(characters, character, regex.V0) is not None for character in text]
    assert (np.searchsorted(members, codes, side="right") % 2 == 1).tolist() == matches


def test_the_step_digits_has_a_table_of_its_own():
    step = tokenizers.pre_tokenizers.Digits(individual_digits=True)
    pretokenizer = Pretokenizer("digits", digits(), library="tokenizers")
    for code in [*range(0x20, 0x100), *range(0x2150, 0x2190), *range(0x10D30, 0x10D60)]:
        text = f"a{chr(code)}{chr(code)}b"
        assert pretokenizer.cut(text) == [text[a:b] for _, (a, b) in step.pre_tokenize_str(text)]


def test_only_what_is_looked_up_is_asked_for(monkeypatch):
    monkeypatch.setattr(unicode_tables, "_asked", None)
    for pattern in ("none", "metaspace", "[a-z]+|[^a-z\r\n]|."):
        assert not needs_tables(Pretokenizer.of(pattern).pattern)
        assert Pretokenizer.of(pattern).key == Pretokenizer.of(pattern).pattern
    edges("[^a-f]", "tokenizers")
    for pattern in (r"\p{L}|.", r"[^\W]", "(?i:a)", "(?si)a", r"\S"):
        assert needs_tables(pattern)


def test_a_set_that_a_library_does_not_read():
    with pytest.raises(
        PatternError, match=r"cannot look up .* in tokenizers [\d.]+\.\n.*It says: "
    ):
        edges(r"\p{Block=Basic_Latin}", "tokenizers")
    pretokenizer = Pretokenizer.of(r"\p{Block=Basic_Latin}+|(?s:.)")
    assert pretokenizer.compile() is None
    assert pretokenizer.cut("abcé") == ["abc", "é"]  # the regex library cuts instead
    with pytest.raises(FormatError, match="cannot export"):
        exported_pattern(pretokenizer)


def test_a_library_that_breaks_down_is_no_reason_for_other_tables(tmp_path, monkeypatch):
    class Broken:
        def turn(self):
            raise ChildEnded("ended by signal 6 (SIGABRT)")

    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    monkeypatch.setattr(unicode_tables, "_tables", Broken())
    with pytest.raises(
        ToktkError, match=r"cannot look up .*\n  Found: the library ended by signal 6"
    ):
        Pretokenizer.of(r"[\p{Lu}\p{Pd}]|(?s:.)").compile()


@pytest.mark.parametrize(
    "damage", [np.array([3.0, 4.0]), np.array([5]), np.array([7, 3]), np.array([0, 0x110001])]
)
def test_damaged_tables_are_asked_for_again(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    sets = [r"\s", "(?i:k)"]
    monkeypatch.setattr(unicode_tables, "_known", {})
    expected = [found.tolist() for found in edges_of_each(sets, "tokenizers")]
    key = ["sets", 1, unicode_tables.release("tokenizers"), "", *sets]
    store = Store(force=True)
    for there in ({}, {"0": damage, "1": damage}):
        store.write(
            "patterns", key, lambda folder, there=there: write_arrays(folder, there), code=None
        )
        monkeypatch.setattr(unicode_tables, "_known", {})
        assert [found.tolist() for found in edges_of_each(sets, "tokenizers")] == expected
    monkeypatch.setattr(unicode_tables, "_known", {})
    monkeypatch.setattr(unicode_tables, "_asked", None)
    assert [found.tolist() for found in edges_of_each(sets, "tokenizers")] == expected


@pytest.mark.parametrize("library", ["tokenizers", "tiktoken"])
def test_sets_that_are_asked_for_together_hold_what_each_holds_alone(
    tmp_path, monkeypatch, library
):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    sets = ["(?i:s)", "(?i:k)", r"\p{Lu}", "(?i:')", "(?i:ß)", "[^\\s]", "(?i:i)", "(?i:A)", "a"]
    alone = []
    for characters in sets:
        monkeypatch.setattr(unicode_tables, "_known", {})
        alone.append(edges(characters, library).tolist())
    monkeypatch.setattr(unicode_tables, "_known", {})
    assert [found.tolist() for found in edges_of_each(sets, library)] == alone
    assert alone[0] == [0x53, 0x54, 0x73, 0x74, 0x17F, 0x180]


def test_of_several_sets_the_one_that_is_not_read_is_named():
    with pytest.raises(
        PatternError, match=r"the character set '\\\\p\{Block=Basic_Latin\}' in tokenizers"
    ):
        edges_of_each([r"\p{Lu}", r"\p{Block=Basic_Latin}", r"\d"], "tokenizers")


class TestKey:
    def test_tables_that_agree_give_one_key(self, monkeypatch):
        by_name = {
            library: Pretokenizer("x", r"\d+|.", library=library)
            for library in ("regex", "tiktoken")
        }
        agree = strangers(by_name["regex"], "tiktoken").size == 0
        assert (by_name["regex"].key == by_name["tiktoken"].key) == agree
        assert Pretokenizer("x", "a|.").key == Pretokenizer("x", "a|.", library="tiktoken").key

    def test_patterns_before_count(self):
        one = Pretokenizer("x", "a|.", before=(r"\w",), library="regex")
        assert one.key != replace(one, library="tokenizers").key


class TestNotes:
    @pytest.fixture
    def younger(self, monkeypatch):
        """Let tiktoken know two letters more than others do."""
        asked = unicode_tables.edges

        def answer(characters, library):
            found = asked(characters, "tokenizers" if library == "tiktoken" else library)
            return np.append(found, [0xE0000, 0xE0002]) if library == "tiktoken" else found

        monkeypatch.setattr(unicode_tables, "edges", answer)

    @pytest.mark.usefixtures("younger")
    def test_a_file_says_where_ids_can_differ(self):
        (note,) = table_notes(Pretokenizer.of(r"\p{Lu}|."), "tiktoken", "x.tiktoken")
        assert note.startswith(
            "x.tiktoken: ids can differ in tiktoken at 2 characters, such as U+E0000, "
        )
        assert table_notes(Pretokenizer.of(r"\p{Lu}|."), "tokenizers", "tokenizer.json") == ()


class TestWords:
    @pytest.mark.parametrize(
        "pattern", [WORDS, r"\W", r"[\w']+|[^\w']", r"\\w|(?i:\w)", "[\\]\\w]"]
    )
    def test_are_spelled_out(self, pattern):
        import regex

        spelled = spelled_out(pattern)
        assert r"\p{Alphabetic}" in spelled
        text = "".join(map(chr, [*range(0x20, 0x3000), 0x200C, 0x200D, 0x1F600, 0x20000]))
        assert regex.findall(spelled, text, regex.V0) == regex.findall(pattern, text, regex.V0)
        assert Pretokenizer.of(pattern).pattern == spelled
        assert pretokenizers_of([], [pattern])[0].pattern == spelled

    @pytest.mark.parametrize("pattern", [r"\\w", r"[\W\d]", r"(?<=\w)a", PATTERNS["o200k"]])
    def test_others_stay(self, pattern):
        assert spelled_out(pattern) == pattern


class TestFolding:
    @pytest.mark.parametrize(
        "pattern", ["(?i:st)", "(?i)offer|.", "(?i:ß)", "(?i:[À-ÿ])+", "(?i:a|(?:xss)?b)"]
    )
    def test_one_character_for_several(self, pattern):
        assert folds_several(parse(pattern))
        with pytest.raises(FormatError, match="fold case differently"):
            exported_pattern(Pretokenizer.of(pattern))

    @pytest.mark.parametrize(
        "pattern", [*PATTERNS.values(), "st", r"(?i:\p{L})", "(?i:[^ß])", "(?i:s+t)"]
    )
    def test_one_for_one(self, pattern):
        assert not folds_several(parse(pattern))

    def test_the_library_runs_such_a_file(self):
        steps = sequence(split("(?i:st)|(?s:.)"), byte_level(use_regex=False))
        raw = json.dumps({**GPT2, "pre_tokenizer": steps}).encode()
        with pytest.raises(NotNative, match="fold case differently"):
            read_tokenizer_json(raw, Path("tokenizer.json"))

    def test_tokenizers_folds_several(self):
        step = tokenizers.pre_tokenizers.Split(tokenizers.Regex("(?i:st)"), "isolated")
        assert [piece for piece, _ in step.pre_tokenize_str("xﬆy")] == ["x", "ﬆ", "y"]
