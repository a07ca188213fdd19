"""The digit policies on the base of o200k, and look-ahead over several characters, which one needs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import regex
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

import toktk
from toktk.corpus import Corpus
from toktk.formats.tiktoken import load_tiktoken
from toktk.kernels.scan import BLOCK, PART
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import exported_pattern, maybe_pieces
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

POLICIES = ("o200k", "o200k-digits-1", "o200k-digits-r3", "o200k-digits-all")
LIMIT = 510  # digits that are looked at
NUMBERS = [
    "", "7", "42", "123", "1234", "12345", "123456", "1234567", "0000000", "a1234b",
    "x 12345.6789, -1,234,567%",
    "2024-11-29T23:59:59+01:00", "0x1234567 1e10 ½¾1234", "٣٤٥٦٧٨٩", "１２３４５", "१२३४५६७ १२",
    "Ⅷ1234²³", "12\x0034567",
    "1234\r\n5678", "1 2 34 567 8901", "𝟏𝟐𝟑𝟒𝟓", "1\u03012345", "1234\u200d5678", "😀12345😀",
    *("8" * n for n in (LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 2, LIMIT + 3, 2 * LIMIT, 3000)),
    "٣" * (LIMIT + 4) + "x",
]  # fmt: skip


def twin(name: str, text: str) -> list[str]:
    return regex.findall(PATTERNS[name], text, regex.V0)


@pytest.mark.parametrize("name", POLICIES)
def test_what_the_regex_library_cuts(name: str) -> None:
    cut = Pretokenizer.of(name)
    assert cut.compile() is not None
    for text in [*NUMBERS, *NASTY_TEXTS, " ".join(NUMBERS)]:
        if len(text) < 100_000:
            assert cut.cut(text) == twin(name, text)


@pytest.mark.parametrize("name", POLICIES)
@given(st.text(st.sampled_from("0123456789٣４ a.,-\n\x00éé😀"), max_size=60))
@example("1" * 600)
def test_any_text(name: str, text: str) -> None:
    assert Pretokenizer.of(name).cut(text) == twin(name, text)


def test_threes_from_the_right() -> None:
    cut = Pretokenizer.of("o200k-digits-r3").cut
    for n in range(1, LIMIT + 1):
        first = n % 3 or 3
        assert list(map(len, cut("9" * n))) == [first, *[3] * ((n - first) // 3)]
    # Beyond, threes from the left until the rest is short enough.
    assert list(map(len, cut("9" * (LIMIT + 4)))) == [3, 3, 1, *[3] * 169]


@pytest.mark.parametrize("name", POLICIES)
def test_numbers_across_parts_and_blocks(name: str) -> None:
    for size, digits in itertools.product((PART, BLOCK), ("1234567", "8" * 700)):
        for shift in (0, 1, 5):
            text = "ab " * (size // 3 - shift) + digits + "x" + digits + " "
            assert Pretokenizer.of(name).cut(text) == twin(name, text)


def test_text_that_is_not_utf8_leads_nowhere() -> None:
    cut = Pretokenizer.of("o200k-digits-r3")
    for raw in (b"12345\x80\x80", b"\x80" * 50 + b"1" * 600, b"1234\xf0\x9d\x9f", b"\xd9" * 20):
        data = np.frombuffer(raw, dtype=np.uint8)
        pieces = cut.cut_batch(data, np.array([0, data.size]))
        assert (np.diff(pieces.offsets) > 0).all()
        assert pieces.offsets[-1] == data.size


@pytest.mark.parametrize(
    "pattern",
    [
        r"a+(?=b{1,9}c)|b|c",
        r"a+?(?=a{2,5}b|c)|a|[^a]",
        r"(?:ab|a)(?=b{0,3}\z)|.",
        r"a(?=b|bb)|b{1,2}(?=ab|\z)|[abc]",
        r"a?(?=bc)|[abc]+",
        r"(?i:a)(?=BC|b(?!c))|.",
        r"x|(?:a|b(?=c{3}))",
    ],
)
def test_look_ahead_over_several_characters(pattern: str) -> None:
    cut = Pretokenizer("tested", pattern)
    assert cut.compile() is not None
    matcher = regex.compile(pattern, regex.V0)
    for text in map("".join, itertools.product("abcA", repeat=6)):
        pieces, at, gap = [], 0, 0
        while at < len(text):
            match = matcher.match(text, at)
            if match is None or match.end() == at:
                at += 1
                continue
            pieces += [text[gap:at], match[0]]
            at = gap = match.end()
        assert cut.cut(text) == [piece for piece in (*pieces, text[gap:]) if piece]


def test_look_ahead_without_a_bound_is_left_to_the_library() -> None:
    cut = Pretokenizer("tested", r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))|\P{N}+")
    assert cut.compile() is None
    assert cut.cut("a1234567") == ["a", "1", "234", "567"]


def test_any_text_may_be_a_piece_where_the_pattern_looks_far() -> None:
    # Alone "ab" is two pieces; before "c" it is one.
    cut = Pretokenizer("tested", r"ab(?=cc)|[abc]")
    assert cut.cut("ab") == ["a", "b"]
    assert cut.cut("abcc") == ["ab", "c", "c"]
    assert maybe_pieces(cut, [b"ab", b"a"]) == [0, 1]


@pytest.mark.parametrize("name", POLICIES[1:])
def test_files_give_the_same_ids(name: str, tmp_path) -> None:
    cut = Pretokenizer.of(name)
    texts = [
        *filter(None, NUMBERS),
        "the then " * 5,
        *(f"{i * 7919 % 1000} then" for i in range(900)),
    ]
    data = TrainingData(Corpus.of(texts))
    tokenizer = BpeTrainer(pretokenizer=cut).train(data, [290]).tokenizers[0]
    tokenizer.save(tmp_path)
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ranks = load_tiktoken(next(tmp_path.glob("*.tiktoken")))
    read = toktk.load(str(tmp_path))
    assert read.pretokenizer.name == name
    assert read.signature == tokenizer.signature
    assert exported_pattern(cut) == cut.pattern
    for text in [*NUMBERS, *NASTY_TEXTS]:
        if len(text) < 5000:
            ids = tokenizer.encode(text)
            assert library.encode(text, add_special_tokens=False).ids == ids == read.encode(text)
            assert ranks.encode_ordinary(text) == ids


def test_the_automaton_of_another_library_is_as_large() -> None:
    # Nothing but the bound makes states: one for each digit that is looked at.
    pattern = PATTERNS["o200k-digits-r3"]
    for library in ("regex", "tokenizers"):
        assert compile_pattern(pattern, library).next_state.shape[0] < LIMIT + 40
