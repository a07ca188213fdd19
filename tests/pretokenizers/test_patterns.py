import functools
import inspect
import random
import re
import unicodedata

import numpy as np
import pytest
import regex
import tiktoken_ext.openai_public as openai_public
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_automaton import (
    AutomatonCutter,
    compiled,
    cut_with_huggingface,
    cut_with_regex,
    cut_with_tiktoken,
)
from sample_texts import code, languages

from toktk.errors import PatternError
from toktk.pretokenizers.automaton import compile_pattern, verify
from toktk.pretokenizers.construction import partition_unicode
from toktk.pretokenizers.patterns import PATTERNS, PUBLISHED
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.syntax import character_sets, parse, portable

GAPPED = [r"\p{L}+", r"\d{2}|[.,]", r"(?i:the)(?!\S)"]  # these leave gaps
REAL = [
    "The quick brown fox can't jump; it's 12,345.67 metres, WE'LL SEE: DON'T!  Two  spaces\r\n\r\n",
    "Größe, naïve café, Straße, ſ'ſ, İstanbul ıI, Ǆ ǅ ǆ, O'Brien's 'tis ''s 'S 'Ll 'VE",
    "Москва — столица России. Ελληνικά ΣΊΣΥΦΟΣ ς; Հայերեն; ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "東京都は日本の首都です。カタカナ、ひらがな、漢字１２３４５６ｱｲｳ",
    "我爱北京天安门,2024年10月1日。繁體中文 𠀀𠮷",
    "한국어 문장입니다. ᄒᆞᆫ글 자모",
    "हिन्दी में लिखा हुआ पाठ क्षत्रिय १२३४; বাংলা ভাষা; தமிழ் மொழி; తెలుగు",
    "ภาษาไทยไม่มีช่องว่าง ๑๒๓๔ ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ བོད་སྐད་",
    "العربية لُغَةٌ ١٢٣٤ فارسی ۱۲۳۴ עִבְרִית שלום",
    "emoji 😀😃👨‍👩‍👧‍👦🏳️‍🌈🇩🇪 1️⃣ ☃︎ ✊🏽",
    "e\u0301a\u0308o\u0302 zalgo z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍ ﷽",
    "def f(x):\n\treturn x ** 2  # comment\n\n\n    if a != b:\r\n        pass\n",
    '{"key": [1, 2.5e-10, null], "url": "https://example.org/a/b?c=d&e=%20"}//\n//\r\n/',
]
NASTY = [
    "",
    " ",
    "   ",
    "\n",
    "\r\n\r\n",
    " \n ",
    "\n  ",
    "a\n ",
    "a \n\n b",
    "\t\t\n\x0b\x0c\x85\u2028\u2029\xa0\u3000\u1680\u180e\u200b\ufeff x",
    "\x1c\x1d\x1e\x1f\x00\x7f",
    "a" * 500,
    " " * 500 + "x",
    "\n" * 300,
    "1" * 100,
    "!" * 100 + "\n/\n",
    "'", "''", "'s", " 's", "'sa", "'ſ", "'\u212a", "'LL'll'lL", "x'REy're",
    "aA'sAa'S", "AAAaaa", "ªº", "Ⅷⅷ", "²³½", "ʰʱ", "ɪɴ",
    "\U0010ffff\ue000\uffff\ufffe",
    "\u0378\u0379 unassigned \U000e0fff",
]  # fmt: skip


@functools.cache
def cutter(pattern: str) -> AutomatonCutter:
    return AutomatonCutter(compile_pattern(pattern))


@functools.cache
def representatives(pattern: str) -> tuple[tuple[str, ...], ...]:
    """Return for each class the first, the last and some random characters."""
    class_of = compile_pattern(pattern).class_of
    chance = random.Random(7)
    groups = []
    for number in range(int(class_of.max()) + 1):
        codes = np.flatnonzero(class_of == number).tolist()
        groups.append(tuple(map(chr, [codes[0], codes[-1], *chance.choices(codes, k=40)])))
    return tuple(groups)


def is_assigned(character: str) -> bool:
    return unicodedata.category(character) not in ("Cn", "Cs")


def texts(pattern: str, assigned: bool = False) -> st.SearchStrategy[str]:
    groups = representatives(pattern)
    if assigned:
        groups = tuple(tuple(filter(is_assigned, group)) for group in groups)
    by_class = st.lists(st.one_of([st.sampled_from(group) for group in groups if group]))
    anything = st.characters(exclude_categories=["Cn", "Cs"] if assigned else [])
    return st.one_of(
        by_class.map("".join), st.text(anything), st.text(st.sampled_from(" \n\r\ta1.'s"))
    )


def random_texts(pattern: str, count: int) -> list[str]:
    groups = [tuple(filter(is_assigned, group)) for group in representatives(pattern)]
    groups = [group for group in groups if group]
    chance = random.Random(pattern)
    return [
        "".join(chance.choice(chance.choice(groups)) for _ in range(chance.randint(1, 16)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("library", ["regex", "tokenizers", "tiktoken"])
@pytest.mark.parametrize("known", [*PATTERNS.values(), *PUBLISHED])
def test_a_known_pattern_equals_regex_on_the_texts_on_which_others_are_compared(known, library):
    for pattern in {known, portable(known)}:
        automaton = compile_pattern(pattern, library)
        unicode = partition_unicode(character_sets(parse(pattern)), "\n", library)
        verify(automaton, unicode, regex.compile(pattern, regex.V0))


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
class TestNamedPattern:
    def test_equals_regex_on_given_texts(self, pattern):
        for text in [*REAL, *NASTY, "".join(REAL), *random_texts(pattern, 300)]:
            pieces = cutter(pattern).cut(text)
            assert pieces == compiled(pattern).findall(text)
            assert "".join(pieces) == text

    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_equals_regex_on_any_text(self, pattern, data):
        text = data.draw(texts(pattern))
        pieces = cutter(pattern).cut(text)
        assert pieces == compiled(pattern).findall(text)
        assert "".join(pieces) == text

    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_equals_huggingface_on_assigned_characters(self, pattern, data):
        text = data.draw(texts(pattern, assigned=True))
        assert cutter(pattern).cut(text) == cut_with_huggingface(portable(pattern), text)

    def test_equals_huggingface_on_given_texts(self, pattern):
        for text in [*REAL, *NASTY[:-2], *random_texts(pattern, 300)]:
            assert cutter(pattern).cut(text) == cut_with_huggingface(portable(pattern), text)

    @pytest.mark.parametrize("written", [str, portable], ids=["as given", "portable"])
    def test_equals_tiktoken(self, pattern, written):
        samples = [*REAL, *(t for t in NASTY[:-2] if len(t) < 120), *random_texts(pattern, 400)]
        expected = [cutter(pattern).cut(text) for text in samples]
        assert expected == cut_with_tiktoken(written(pattern), samples)

    def test_portable_gives_the_same_tables(self, pattern):
        one, other = compile_pattern(pattern), compile_pattern(portable(pattern))
        for name in ("class_of", "next_state", "accept"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))

    def test_equals_regex_on_real_text(self, pattern):
        for text in ["\n".join(rows[:58]) for rows in languages().values()] + code()[:3]:
            assert cutter(pattern).cut(text) == compiled(pattern).findall(text)


@pytest.mark.parametrize("pattern", GAPPED)
def test_what_no_match_covers_is_a_piece(pattern):
    for text in [*REAL, *NASTY[:-2], *random_texts(pattern, 200)]:
        pieces = cutter(pattern).cut(text)
        assert pieces == cut_with_regex(pattern, text) == cut_with_huggingface(pattern, text)


@pytest.mark.parametrize(
    ("name", "states", "classes"), [("gpt2", 13, 12), ("cl100k", 20, 13), ("o200k", 33, 28)]
)
def test_automata_are_small(name, states, classes):
    shape = compile_pattern(PATTERNS[name]).next_state.shape
    assert shape[0] <= states
    assert shape[1] <= classes


@pytest.mark.parametrize(("name", "source"), [("cl100k", "cl100k_base"), ("o200k", "o200k_base")])
def test_texts_are_those_of_tiktoken(name, source):
    literals = re.findall(r'r"""(.*?)"""', inspect.getsource(getattr(openai_public, source)))
    assert PATTERNS[name] == "|".join(literals)


def test_gpt2_equals_the_form_that_tiktoken_uses():
    original, faster = (compile_pattern(p) for p in (PATTERNS["gpt2"], openai_public.r50k_pat_str))
    for name in ("class_of", "next_state", "accept"):
        np.testing.assert_array_equal(getattr(original, name), getattr(faster, name))


def test_cl100k_differs_from_llama3_at_the_end_of_a_text_alone():
    assert cutter(PATTERNS["cl100k"]).cut("a\n ") == ["a", "\n "]
    assert cutter(PATTERNS["llama3"]).cut("a\n ") == ["a", "\n", " "]
    for text in random_texts(PATTERNS["llama3"], 500):
        closed = text + "."
        assert cutter(PATTERNS["cl100k"]).cut(closed) == cutter(PATTERNS["llama3"]).cut(closed)


class TestOf:
    def test_name(self):
        expected = Pretokenizer("o200k", PATTERNS["o200k"], library="tokenizers")
        assert Pretokenizer.of("o200k") == expected

    def test_text_of_a_named_pattern(self):
        expected = Pretokenizer("qwen2", PATTERNS["qwen2"], library="tokenizers")
        assert Pretokenizer.of(PATTERNS["qwen2"]) == expected

    def test_pattern(self):
        pretokenizer = Pretokenizer.of(r"\p{L}+|\s")
        assert re.fullmatch("regex-[0-9a-f]{8}", pretokenizer.name)
        assert pretokenizer.pattern == r"\p{L}+|\s"
        assert Pretokenizer.of(r"\p{L}+").name != pretokenizer.name

    @pytest.mark.parametrize(
        ("word", "meant"), [("cl100", "cl100k"), ("gpt-2", "gpt2"), ("qwen2.5", "qwen2")]
    )
    def test_unknown_name(self, word, meant):
        with pytest.raises(
            PatternError, match=f"unknown pretokenizer '{word}' .did you mean '{meant}'"
        ):
            Pretokenizer.of(word)

    @pytest.mark.parametrize("word", ["", "zzz", "hf:org/name"])
    def test_nothing_close(self, word):
        with pytest.raises(PatternError, match=r"Known: gpt2 \(GPT-2, GPT-3\), cl100k"):
            Pretokenizer.of(word)
