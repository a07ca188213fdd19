"""The boundary transducer against the plain automaton and the `regex` library."""

import functools
import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from toktk import educational
from toktk.errors import PatternError
from toktk.kernels import kernel
from toktk.kernels.automaton import piece_end, split_documents
from toktk.kernels.scan import BLOCK, cut_batch, workspace
from toktk.pretokenizers import transducer
from toktk.pretokenizers.automaton import Automaton, compile_pattern, verify
from toktk.pretokenizers.construction import construct, partition_unicode
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.syntax import character_sets, parse
from toktk.pretokenizers.transducer import MAX_RUNS, build

WORK = workspace()
# Besides the named ones: gaps, ends far back, more runs than a queue holds, and look-ahead that is long.
OTHERS = [r"\p{L}+", r"\p{N}{1,3}", r"\d{2}|[.,]", "a+b|[^a]", r"(?:ab)+|\s+(?!\S)",
          r"(?:a{7}|a)(?:b{9}c)?|[^ab]",
          r"\p{N}{1,2}(?=(?:\p{N}{2}){0,2}(?!\p{N}))|\p{L}+(?= \p{N}|\p{N}{2}\z)|\p{L}|[^ ]"]  # fmt: skip
ALL = [*PATTERNS.values(), *OTHERS]
IDS = [*PATTERNS, *OTHERS]


@functools.cache
def tables(pattern):
    return build(compile_pattern(pattern)).tables


def cut(text, tables, target=None):
    """Cut a text, or the parts of `target` bytes that it can be split into."""
    data = np.frombuffer(text.encode(), np.uint8)
    offsets = np.array([0, data.size])
    if target is not None:
        split, owner = np.empty(data.size + 2, np.int64), np.empty(data.size + 1, np.int64)
        n = split_documents(data, offsets, target, tables, split, owner)
        offsets = split[: n + 1]
    ends, firsts = np.empty(data.size, np.int64), np.empty(offsets.size, np.int64)
    n = cut_batch(data, offsets, tables, WORK, ends, firsts)
    return [bytes(data[a:b]).decode() for a, b in itertools.pairwise([0, *ends[:n].tolist()])]


@kernel
def first_difference(characters, widths, length, tables, text, work, offsets, ends, firsts):
    """Cut every string of `length` characters both ways; return the number of the first bad one.

    `characters` is uint8[n, 4], UTF-8. In string number i, they are the digits of i in base n.
    """
    n = widths.size
    for number in range(n**length):
        rest, size = number, 0
        for _ in range(length):
            c = rest % n
            rest //= n
            for i in range(widths[c]):
                text[size] = characters[c, i]
                size += 1
        offsets[1] = size
        found = cut_batch(text, offsets, tables, work, ends, firsts)
        p = 0
        for k in range(found):
            if p >= size:
                return number
            p = piece_end(text, p, size, tables)
            if ends[k] != p:
                return number
        if p != size:
            return number
    return -1


def one_of_each_kind(automaton):
    """Return the first character of each class and each width in bytes that the class has."""
    codes = np.concatenate([np.arange(0xD800), np.arange(0xE000, 0x110000)])
    widths = 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF)
    kinds, first = np.unique(automaton.class_of[codes] * 8 + widths, return_index=True)
    found = sorted(zip(codes[first].tolist(), kinds.tolist(), strict=True))
    return {divmod(kind, 8): chr(code) for code, kind in found}


def differing(pattern, characters, length):
    raw = [character.encode() for character in characters]
    rows = np.array([list(r.ljust(4, b"\0")) for r in raw], np.uint8)
    widths = np.array([len(r) for r in raw])
    text, ends = np.empty(4 * length, np.uint8), np.empty(4 * length, np.int64)
    offsets, firsts = np.zeros(2, np.int64), np.empty(2, np.int64)
    number = first_difference(
        rows, widths, length, tables(pattern), text, WORK, offsets, ends, firsts
    )
    if number < 0:
        return None
    return "".join(characters[number // len(raw) ** k % len(raw)] for k in range(length))


@pytest.mark.parametrize("pattern", ALL, ids=IDS)
def test_every_short_string_of_classes_equals_the_automaton(pattern):
    kinds = one_of_each_kind(compile_pattern(pattern))
    by_class = {class_: character for (class_, _), character in reversed(kinds.items())}
    for length in range(1, 6):
        assert differing(pattern, list(by_class.values()), length) is None
        if len(kinds) ** length < 1_000_000:
            assert differing(pattern, list(kinds.values()), length) is None


@pytest.mark.parametrize("pattern", ALL, ids=IDS)
def test_short_strings_of_classes_equal_regex(pattern):
    characters = list(one_of_each_kind(compile_pattern(pattern)).values())
    chance = random.Random(3)
    texts = ["".join(pair) for pair in itertools.product(characters, repeat=2)]
    texts += ["".join(chance.choices(characters, k=chance.randint(3, 12))) for _ in range(1500)]
    for text in texts:
        assert cut(text, tables(pattern)) == educational.cut(pattern, text), text


@pytest.mark.parametrize("pattern", ALL, ids=IDS)
def test_many_short_documents_equal_regex(pattern):
    characters = list(one_of_each_kind(compile_pattern(pattern)).values())
    chance = random.Random(5)
    texts = ["".join(chance.choices(characters, k=chance.randint(0, 9))) for _ in range(1500)]
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    ends, firsts = np.empty(data.size, np.int64), np.empty(offsets.size, np.int64)
    cut_batch(data, offsets, tables(pattern), WORK, ends, firsts)
    for text, start, a, b in zip(texts, offsets.tolist(), firsts, firsts[1:], strict=False):
        pieces = itertools.pairwise([start, *ends[a:b].tolist()])
        expected = educational.cut(pattern, text)
        assert [bytes(data[i:j]).decode() for i, j in pieces] == expected, text


@pytest.mark.parametrize("pattern", ALL, ids=IDS)
def test_every_short_white_space_ending_equals_regex(pattern):
    for length in range(6):
        for text in map("".join, itertools.product("a \n\r", repeat=length)):
            assert cut(text, tables(pattern)) == educational.cut(pattern, text), repr(text)


@pytest.mark.parametrize("pattern", ALL, ids=IDS)
def test_nasty_texts_equal_regex(pattern, nasty_texts):
    for text in [*nasty_texts, "".join(nasty_texts), "\n".join(reversed(nasty_texts))]:
        expected = educational.cut(pattern, text)
        assert cut(text, tables(pattern)) == expected
        assert cut(text, tables(pattern), 7) == expected


@settings(max_examples=40)
@given(
    st.sampled_from(ALL),
    st.text(st.characters(codec="utf-8"), max_size=40)
    | st.text("ab \n\r'.1\u3000é東😀", max_size=60),
    st.integers(0, 20),
)
def test_any_text_in_parts_of_any_size(pattern, text, target):
    assert cut(text, tables(pattern), target) == educational.cut(pattern, text)


LONG = {  # of two blocks or more
    "letter": "a" * 2**18,
    "capital": "A" * 2**18,
    "spaces": " " * 2**18,
    "newlines": "\n" * 2**18,
    "CRLF": "\r\n" * 2**17,
    "digits": "7" * (BLOCK + 5000),  # regex looks ahead over hundreds of them at each
    "marks": "e" + "\u0301" * 2**17,
    "Han": "東" * 2**17,
    "NUL": "\0" * 2**17,
    "dots": "." * 2**18,
    "quotes": "'" * 2**16,
    "mixed": ("word " * 9 + "\n\n  \t" + "東京😀 it's 1234 ") * 3000,
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_long_documents(pattern, kind):
    # Each also with an end that changes how the run before it is cut.
    for text in (LONG[kind], LONG[kind] + "x"):
        assert cut(text, tables(pattern)) == regex.findall(pattern, text, regex.V0)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pieces_that_straddle_a_block(pattern):
    cases = ["it's", "  \n x", "\r\n\r\n", "12345", "Größe", "東京", "😀😀", "a'LLb", " \t  "]
    for case, shift in itertools.product(cases, range(0, 8, 3)):
        text = "ab " * (BLOCK // 3 - 1) + "." * (BLOCK % 3 + 3 - shift % 3) + "x" * shift + case * 3
        assert cut(text, tables(pattern)) == regex.findall(pattern, text, regex.V0)


@pytest.mark.parametrize("pattern", ["a*b|a|c", "(?:a{7}|a)(?:b{9}c)?|[^ab]", "a+?(?!a)|a{5}b|c"])
def test_a_run_given_up_long_after_its_beginning(pattern):
    for text in ("a" * 300 + "c", "ab" * 150 + "c", "c" + "a" * 100 + "bc" * 20):
        assert cut(text, tables(pattern)) == educational.cut(pattern, text)


@pytest.mark.parametrize("pattern", ["a*b", "a*?b", r"\s*\p{L}", "(?:ab)*c", "(?:ab)*c|a"])
def test_a_loop_through_the_start_that_the_text_breaks_off(pattern):
    # The automaton is in its start state there, but the piece is open.
    for text in map("".join, itertools.product("ab c", repeat=5)):
        for end in range(1, 6):
            assert cut(text[:end], tables(pattern), 0) == educational.cut(pattern, text[:end])


@pytest.mark.parametrize("pattern", ["xa+b|a+|c", "xa+b|a+|x|c", "(?:xa+b)+|a+|x|c"])
def test_a_run_given_up_in_the_next_block(pattern):
    run = "a" * (BLOCK + 40)
    pieces = [*(["xabxab"] if ")+" in pattern else ["xab"] * 2), "x", run, "c"]
    assert cut("".join(pieces), tables(pattern)) == pieces


def test_a_gap_across_the_end_of_a_block():
    words = ["ab"] * (BLOCK // 2 - 200)
    text = "".join(words) + "a" * 840 + "c"
    assert cut(text, tables("a+b|c")) == [*words, "a" * 840, "c"]


@pytest.mark.parametrize(
    ("pattern", "bails"),
    [(r"\p{N}{1,3}", False), ("[a-y]+| b?", False), ("ab?|b(?!a)", True), ("(?:ab)+", True)],
)
def test_gaps_of_characters_that_begin_no_match_are_no_reason_to_bail(pattern, bails):
    built = build(compile_pattern(pattern))
    # A row for each state, then the two that bail; a byte that is no UTF-8 leads to the second.
    assert (built.steps >> 8 == len(built.finish) << 8).any() == bails


SETS = ["a", "b", " ", ".", "[ab]", "[^a]", r"\s", r"\S", r"\p{L}", "(?i:b)", r"\n"]
TEXTS = ["".join(t) for length in range(1, 6) for t in itertools.product("ab \n", repeat=length)]
LONGER = ["".join(random.Random(i).choices("aabb \né1", k=30)) for i in range(60)]


@functools.cache
def partition():
    sets = [item for text in SETS for item in character_sets(parse(text))]
    return partition_unicode(sets, boundaries="\n")


def random_patterns():
    quantifiers = ["", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "*?", "+?", "{9}", "{12}"]
    simple = st.builds(str.__add__, st.sampled_from(SETS), st.sampled_from(quantifiers))
    leaf = st.one_of(simple, simple, st.sampled_from([r"(?=\S)", r"(?!\S)", "(?!a)", r"\z"]))
    sequence = st.lists(leaf, min_size=1, max_size=3).map("".join)
    return st.lists(sequence, min_size=1, max_size=3).map("|".join)


@settings(max_examples=30)
@given(random_patterns())
def test_random_pattern_equals_regex(pattern):
    matcher = regex.compile(pattern, regex.V0)
    try:
        automaton = Automaton(*construct(parse(pattern), partition(), pattern))
        verify(automaton, partition(), matcher)
        found = build(automaton).tables
    except PatternError:
        assume(False)
    for text in [*TEXTS[::7], *LONGER]:
        expected = educational.cut(pattern, text)
        assert cut(text, found) == expected, (pattern, text)
        assert cut(text, found, 0) == expected, (pattern, text)


def test_too_many_composite_states(monkeypatch):
    monkeypatch.setattr(transducer, "MAX_STATES", 3)
    with pytest.raises(PatternError, match="more than 3 composite states"):
        build(compile_pattern(PATTERNS["gpt2"]))


@pytest.mark.parametrize("name", PATTERNS)
def test_tables_stay_small(name):
    made = build(compile_pattern(PATTERNS[name]))
    assert made.steps.nbytes < 15 * 2**17  # a row and a move each
    assert made.bytes_table.nbytes < 2**19


@pytest.fixture(scope="module")
def built():
    return build(compile_pattern(PATTERNS["gpt2"]))


class TestIsSound:
    ARRAYS = ("steps", "finish", "bytes_table", "next_state", "accept", "certain")

    def is_sound(self, built, name, array):
        return replace(built, **{name: array}).is_sound()

    def test_what_is_built(self, built):
        assert built.is_sound()

    @pytest.mark.parametrize("name", ARRAYS)
    def test_another_type_or_shape(self, built, name):
        array = getattr(built, name)
        assert not self.is_sound(built, name, array.astype(np.float64))
        assert not self.is_sound(built, name, array.reshape(1, 1, -1))
        assert not self.is_sound(built, name, array[:0])
        if name != "finish":
            assert not self.is_sound(built, name, array[:-1])

    @pytest.mark.parametrize("name", ARRAYS)
    def test_another_layout(self, built, name):
        array = getattr(built, name)
        assert not self.is_sound(built, name, np.repeat(array, 2, axis=0)[::2])

    def test_more_states_than_rows(self, built):
        states = built.steps.size // 256 - 2
        assert not self.is_sound(built, "finish", np.zeros((states, 3), np.int8))

    def test_another_number_of_columns(self, built):
        assert not self.is_sound(built, "finish", np.ascontiguousarray(built.finish[:, :2]))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("bytes_table", 2**32 - 256),  # a node outside
            ("bytes_table", 255),  # a class outside
            ("steps", 2**32 - 256),  # a row outside
            ("steps", 2),
            ("steps", 255 - MAX_RUNS),
            ("finish", 2),
            ("finish", -MAX_RUNS - 1),
            ("next_state", 200),
            ("next_state", -2),
        ],
    )
    def test_values_that_lead_outside(self, built, name, value):
        changed = getattr(built, name).copy()
        changed.ravel()[changed.size // 2] = value
        assert not self.is_sound(built, name, changed)

    @given(st.integers(0, 2**32), st.lists(st.binary(max_size=40), max_size=6))
    def test_wrong_values_leave_nothing_out(self, built, seed, documents):
        # Tables that pass may cut wrongly, but the kernels come to an end and write nowhere else.
        chance = np.random.default_rng(seed)
        changed = {name: getattr(built, name).copy() for name in ("steps", "finish")}
        for array in changed.values():
            flat = array.ravel()
            chosen = chance.random(flat.size) < 0.3
            flat[chosen] = chance.permutation(flat[chosen])
        transducer = replace(built, **changed)
        assert transducer.is_sound()
        data = np.frombuffer(b"".join(documents), np.uint8)
        offsets = np.cumsum([0, *map(len, documents)])
        ends, firsts = np.empty(data.size, np.int64), np.empty(offsets.size, np.int64)
        n = cut_batch(data, offsets, transducer.tables, WORK, ends, firsts)
        found = ends[:n].tolist()
        assert found == sorted(set(found))
        assert len(found) <= data.size
        assert {int(offset) for offset in offsets} <= {0, *found}
