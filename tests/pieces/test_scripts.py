import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.corpus import Corpus
from toktk.pieces.counting import count_corpus
from toktk.pieces.scripts import (
    NO_LETTERS,
    PARTIAL,
    script_of,
    script_table,
    scripts_of,
    scripts_of_tokens,
)
from toktk.pretokenizers.pretokenizer import Pretokenizer

TEXTS = {
    "en": "Hello world, 日本!",
    "ru": "Привет, мир: hi",
    "zh": "你好世界 ok",
    "ja": "東京東京カタひらヒラひカ",
    "ko": "안녕하세요",
    "hi": "नमस्ते दुनिया",
    "numbers": "1234 !!",
    "empty": "",
}


def test_the_script_of_most_letters() -> None:
    corpus = Corpus.of(list(TEXTS.values()) * 3, groups=list(TEXTS) * 3)
    found = scripts_of(count_corpus(corpus, Pretokenizer.of("gpt2")))
    assert found == {
        "en": "Latin",
        "ru": "Cyrillic",
        "zh": "Han",
        "ja": "Kana",
        "ko": "Hangul",
        "hi": "Devanagari",
        "numbers": "no letters",
        "empty": "no letters",
    }


def test_the_script_of_a_character_is_that_of_its_block() -> None:
    names, table = script_table()
    assert names[0] == ""
    assert len(set(names)) == len(names)
    text = "aßΣяԱשعहবਗગଗதతಕമසไລཀမგ한ሀកᠠⵣ東かカー"
    scripts = {char: names[table[ord(char)]] for char in text}
    assert scripts == {char: script_of(char) for char in text} | {"ー": "Kana"}
    assert {names[table[ord(char)]] for char in " 1.!?-«»“”、。…€😀"[:-1]} == {""}


def in_words(tokens):
    """Return the script of each token."""
    names, numbers = scripts_of_tokens(tokens)
    others = {NO_LETTERS: "no letters", PARTIAL: "parts"}
    return [others[n] if n < 0 else names[n] for n in numbers.tolist()]


def slowly(token):
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "parts"
    letters = Counter(script_of(char) for char in text if char.isalpha())
    return max(letters, key=lambda name: (letters[name], name), default="no letters")


def test_scripts_of_tokens() -> None:
    tokens = [" the", "ный", "東京", "123", "é", "…", "\n", "aб", "\0a", "aбa", "한a\n"]
    expected = ["Latin", "Cyrillic", "Han", "no letters", "Latin", "no letters", "no letters"]
    expected += ["Latin", "Latin", "Latin", "Latin"]
    assert in_words([token.encode() for token in tokens]) == expected
    assert in_words([b"\xe2\x82", b"\x82", b"a\xff", b"\xed\xa0\x80", b"\xc0\x80"]) == ["parts"] * 5


TEXT = "".join(NASTY_TEXTS).encode()
PARTS = st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 12))


@given(
    st.lists(
        PARTS.map(lambda part: TEXT[part[0] : sum(part)]) | st.binary(min_size=1, max_size=5),
        min_size=1,
    )
)
def test_scripts_of_tokens_are_those_of_each_alone(tokens) -> None:
    assert in_words(tokens) == [slowly(token) for token in tokens]


@pytest.mark.parametrize("n_words", [50, 5000])
def test_the_script_of_a_group_is_that_of_its_most_frequent_pieces(n_words) -> None:
    """However many pieces are as frequent, and with counts beyond those that are told apart."""
    chance = np.random.default_rng(0)
    frequent = ["мир"] * 9000 + ["день"] * 50
    rare = ["".join(letters) for letters in chance.choice(list("abcdefgh"), (n_words, 9))]
    corpus = Corpus.of([" ".join(frequent + rare), " ".join(rare)], groups=["a", "b"])
    found = scripts_of(count_corpus(corpus, Pretokenizer.of("gpt2")))
    assert found == {"a": "Cyrillic", "b": "Latin"}


def test_many_groups_take_little_memory() -> None:
    n = 20_000
    table = count_corpus(
        Corpus.of(["слово"] * n, groups=[str(i) for i in range(n)]), Pretokenizer.of("gpt2")
    )
    scripts_of(table)  # what is made once
    tracemalloc.start()
    try:
        scripts = scripts_of(table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert set(scripts.values()) == {"Cyrillic"}
    assert peak < 2_000 * n
