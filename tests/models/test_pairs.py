"""PairModel: the obvious definition, tiktoken and Hugging Face tokenizers, on any vocabulary."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from pair_samples import BYTES, encode, ranked
from reference import encode_by_pairs, encode_by_strings

from toktk.errors import FormatError
from toktk.kernels.constants import LONGEST_ALONE as LONGEST
from toktk.models.model import (
    is_storable,
    model_from_arrays,
    packed_tokens,
    release_tables,
    token_lengths,
)
from toktk.models.pairs import _TABLES, MAX_ID, PairModel
from toktk.models.vocabulary import unpacked

BYTE_IDS = np.arange(256)
WORDS = st.lists(st.text("abé", min_size=2, max_size=6).map(str.encode), max_size=14)
PIECES = st.lists(st.text("abé東", max_size=24).map(str.encode), min_size=1, max_size=8)


def tiktoken_of(ranks):
    return tiktoken.Encoding(
        "x", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={}
    ).encode_ordinary


@given(WORDS, PIECES, st.integers(1, 3))
@example([b"abab", b"ba"], [b"abab", b"xabab", b"ababab"], 1)  # only a piece is "abab"
@example([b"aa", b"aaaa", b"aaa"], [b"a" * n for n in range(12)], 2)
def test_any_ranks_encode_as_tiktoken_does(words, pieces, step):
    ranks = ranked(words, step)
    model = PairModel.from_ranks(ranks, {"<s>": 1, "<t>": 9_000} if step > 1 else {"<t>": 9_000})
    theirs = tiktoken_of(ranks)
    assert encode(model, *pieces, *ranks) == [
        encode_by_strings(piece, ranks) for piece in [*pieces, *ranks]
    ]
    assert encode(model, *pieces) == [theirs(piece.decode()) for piece in pieces]
    assert model.vocab_size == 9_001
    assert len(model.pairs) <= len(ranks) - 256  # one pair for each token at most


@given(WORDS, st.text("ab", min_size=90, max_size=400))
def test_long_pieces_as_tiktoken(words, text):
    ranks = ranked(words)
    assert encode(PairModel.from_ranks(ranks, {}), text.encode()) == [tiktoken_of(ranks)(text)]


def test_only_tokens_that_merging_does_not_make_are_whole():
    ranks = ranked([b"ab", b"abc", b"xyz"])
    model = PairModel.from_ranks(ranks, {})
    assert [model.tokens[i] for i in np.flatnonzero(model.whole)] == [b"xyz"]
    assert encode(model, b"xyz", b"xyzx") == [
        [ranks[b"xyz"]],
        [ranks[b] for b in (b"x", b"y", b"z", b"x")],
    ]


def hugging_face(vocab, merges, **options):
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": False, "vocab": vocab, "merges": merges,
    }  # fmt: skip
    rest = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    parts = {"version": "1.0", "added_tokens": [], **dict.fromkeys(rest), "model": model | options}
    return tokenizers.Tokenizer.from_str(json.dumps(parts))


@st.composite
def listed(draw, alphabet="abé"):
    """A vocabulary of characters with fallback, ids in any order, and merges, some listed twice."""
    names = [f"<0x{b:02X}>" for b in range(256)] + list(alphabet)
    made = list(alphabet)
    merges = []
    for _ in range(draw(st.integers(0, 10))):
        pair = draw(st.sampled_from(made)), draw(st.sampled_from(made))
        merges.append(pair)
        if "".join(pair) not in made:
            made.append("".join(pair))
    names += [*made[len(alphabet) :], "".join(draw(st.sampled_from(made)) for _ in "123")]
    names = draw(st.permutations(list(dict.fromkeys(names))))
    return {name: 3 * i for i, name in enumerate(names)}, draw(st.permutations(merges))


def from_listed(vocab, merges, whole=None, columns=2):
    tokens = [b""] * (1 + max(vocab.values()))
    for name, i in vocab.items():
        tokens[i] = name.encode()
    byte_ids = [vocab[f"<0x{b:02X}>"] for b in range(256)]
    for b, i in enumerate(byte_ids):
        tokens[i] = bytes([b])
    rows = [(vocab[a], vocab[b], vocab[a + b])[:columns] for a, b in merges]
    merges = np.array(rows, dtype=np.int64).reshape(-1, columns)
    mask = np.array([bool(whole and token) for token in tokens])
    mask[byte_ids] = False
    return PairModel.from_merges(tokens, merges, {}, np.array(byte_ids), True, mask)


@given(listed(), PIECES, st.booleans(), st.sampled_from([2, 3]))
def test_any_merges_encode_as_hugging_face_does(made, pieces, ignore_merges, columns):
    vocab, merges = made
    theirs = hugging_face(vocab, merges, byte_fallback=True, ignore_merges=ignore_merges)
    model = from_listed(vocab, merges, ignore_merges, columns)
    assert encode(model, *pieces) == [theirs.encode(piece.decode()).ids for piece in pieces]
    ranks = {(a, b): (rank, new) for a, b, new, rank in model.pairs.tolist()}
    if not ignore_merges:
        for piece in pieces:
            symbols = []
            for c in piece.decode():
                symbols += [vocab[c]] if c in vocab else model.byte_ids[list(c.encode())].tolist()
            assert encode(model, piece) == [encode_by_pairs(symbols, ranks)]


def test_of_equal_pairs_the_last_counts():
    tokens = [*BYTES, b"ab", b"bc"]
    merges = np.array([[97, 98], [98, 99], [97, 98]])
    model = PairModel.from_merges(tokens, merges, {}, BYTE_IDS)
    assert encode(model, b"abc") == [[97, 257]]
    assert model.pairs.tolist() == [[98, 99, 257, 1], [97, 98, 256, 2]]
    vocab = {"a": 97, "b": 98, "c": 99, "ab": 256, "bc": 257}
    theirs = hugging_face(vocab, [("a", "b"), ("b", "c"), ("a", "b")])
    assert theirs.encode("abc").ids == [97, 257]


def test_merges_that_make_no_token():
    with pytest.raises(FormatError, match=r"model.merges\[1\].*\n.*b'b' and b'c'"):
        PairModel.from_merges([*BYTES, b"ab"], np.array([[97, 98], [98, 99]]), {}, BYTE_IDS)
    with pytest.raises(FormatError, match=r"model.merges\[0\]"):
        PairModel.from_merges([*BYTES, b"ab"], np.array([[97, 99, 256]]), {}, BYTE_IDS)
    with pytest.raises(FormatError, match="outside the vocabulary"):
        PairModel.from_merges([*BYTES], np.array([[97, 256]]), {}, BYTE_IDS)
    with pytest.raises(FormatError, match="spell the same"):
        PairModel.from_merges([*BYTES, b"ab", b"ab"], np.array([[97, 98]]), {}, BYTE_IDS)
    twice = [*BYTES, b"ab", b"ab"]
    assert encode(PairModel.from_merges(twice, np.array([[97, 98, 257]]), {}, BYTE_IDS), b"ab") == [
        [257]
    ]


def test_merging_may_make_a_special_token():
    tokens = [*BYTES, b"<s", b"<s>"]
    merges = np.array([[ord("<"), ord("s")], [256, ord(">")]])
    model = PairModel.from_merges(tokens, merges, {"<s>": 257, "<end>": 300}, BYTE_IDS)
    assert encode(model, b"<s>", b"<end>")[0] == [257]
    assert (model.vocab_size, model.tokens[300], model.tokens[299]) == (301, b"<end>", b"")


@pytest.mark.parametrize(
    ("ranks", "special_tokens", "message"),
    [
        ({}, {}, "no rank for the byte 0x00"),
        (BYTES | {b"ab": 97}, {}, "97 is given twice"),
        (BYTES, {"<s>": 97}, "97 is given twice"),
        (BYTES | {b"ab": -1}, {}, "-1 is outside"),
        (BYTES | {b"ab": MAX_ID + 1}, {}, "outside"),
        (BYTES, {"": 300}, "special_tokens"),
    ],
)
def test_ranks_that_are_no_vocabulary(ranks, special_tokens, message):
    with pytest.raises(FormatError, match=message):
        PairModel.from_ranks(ranks, special_tokens)


def made():
    return PairModel.from_ranks(ranked([b"ab", b"abc", b"xyz"]), {"<s>": 300, "\0": 400})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pairs", lambda a: a[:, :3]),
        ("pairs", lambda a: a + 1_000),
        ("pairs", lambda a: a * np.array([1, 1, 1, -1])),
        ("pairs", lambda a: a + np.array([0, 0, 0, 2**31])),
        ("offsets", lambda a: a[::-1]),
        ("offsets", lambda a: a[:0]),
        ("byte_ids", lambda a: a[:255]),
        ("byte_ids", lambda a: a[::-1]),
        ("byte_ids", lambda a: a - 300),
        ("special_ids", lambda a: a[:1]),
        ("special_ids", lambda a: a[[0, 0]]),
        ("special_ids", lambda a: a + 1_000),
        ("whole", lambda a: a[1:]),
        ("whole", lambda a: ~a),
        ("alone_ids", lambda a: a + 10),
        ("alone_ids", lambda a: a[::-1]),
        ("alone_ids", lambda a: a.repeat(2)),
    ],
)
def test_arrays_that_are_no_model(name, change):
    arrays = made().to_arrays()
    with pytest.raises(FormatError):
        PairModel.from_arrays(arrays | {name: change(arrays[name])})


def test_goes_to_the_store_and_back(tmp_path):
    model = made()
    np.savez(tmp_path / "x.npz", allow_pickle=False, **model.to_arrays())
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        again = model_from_arrays("pairs", dict(arrays))
    assert is_storable(again)
    assert again.signature == model.signature
    assert again.is_prefix_of(model)
    assert again.tokens == model.tokens
    assert encode(again, b"abcxyz", b"xyz") == encode(model, b"abcxyz", b"xyz")
    others = [
        PairModel.from_ranks(ranked([b"abc", b"ab", b"xyz"]), {"<s>": 300, "\0": 400}),
        PairModel.from_ranks(ranked([b"ab", b"abc", b"xyz"]), {"<s>": 300}),
        PairModel.from_ranks(ranked([b"ab", b"abc"]), {"<s>": 300, "\0": 400}),
    ]
    assert len({model.signature, *(other.signature for other in others)}) == 4
    assert not model.is_prefix_of(others[0])


def with_tokens_alone(model):
    return PairModel.from_arrays(model.to_arrays())


@given(WORDS, PIECES)
@example([b"ab", b"bc", b"abc", b"\0", b"x" * 12, b"x" * 13], [b"abc", b"\0", b"x" * 12, b"x" * 13])
def test_knowing_the_tokens_that_encode_to_themselves_changes_no_ids_of_ranks(words, pieces):
    ranks = ranked(words)
    model = PairModel.from_ranks(ranks, {"<s>": 9_000})
    assert (
        sorted(ranks[token] for token in ranks if len(token) <= LONGEST)
        == model._alone_ids.tolist()
    )
    expected = [encode_by_strings(piece, ranks) for piece in [*pieces, *ranks]]
    assert encode(model, *pieces, *ranks) == expected
    assert encode(with_tokens_alone(model), *pieces, *ranks) == expected


@given(listed(), PIECES, st.booleans())
def test_knowing_the_tokens_that_encode_to_themselves_changes_no_ids_of_merges(
    made, pieces, ignore_merges
):
    model = from_listed(*made, ignore_merges)
    tokens = [token for token in model.tokens if token]
    expected = encode(model, *pieces, *tokens)
    again = with_tokens_alone(model)
    assert again._alone_ids.tolist() == [
        i
        for i, token in enumerate(model.tokens)
        if 0 < len(token) <= LONGEST and encode(model, token) == [[i]]
    ]
    assert encode(again, *pieces, *tokens) == expected
    assert again.signature == model.signature


@given(listed(), PIECES, st.booleans())
def test_tables_are_made_again(made, pieces, ignore_merges):
    model = from_listed(*made, ignore_merges)
    expected = encode(model, *pieces)
    release_tables(model)
    assert not _TABLES & vars(model).keys()
    assert encode(model, *pieces) == expected


def test_lengths_of_tokens_are_known_without_a_list():
    model = PairModel.from_ranks(ranked([b"ab", b"abc"], 2), {"<é>": 1, "<t>": 700})
    assert token_lengths(model).tolist() == [*map(len, model.tokens)]
    assert token_lengths(model)[[1, 700]].tolist() == [4, 3]
    assert unpacked(*packed_tokens(model)) == model.tokens


def test_another_model_is_not_known_by_its_tokens():
    model = with_tokens_alone(PairModel.from_ranks(ranked([b"ab", b"abc", b"xyz"]), {}))
    assert encode(model, b"xyz", b"abc") == [[258], [257]]
    other = dataclasses.replace(model, whole=np.zeros_like(model.whole))
    assert encode(other, b"xyz", b"abc") == [model.byte_ids[list(b"xyz")].tolist(), [257]]


def test_two_tokens_for_one_character():
    tokens = [*BYTES, b"\xc3\xa9", b"\xc3\xa9"]
    with pytest.raises(FormatError, match="ids 256 and 257"):
        PairModel.from_merges(tokens, np.empty((0, 2)), {}, BYTE_IDS, characters=True)


def scored(tokens, scores):
    tokens = [*BYTES, *(token.encode() for token in tokens)]
    made = np.arange(len(tokens)) >= 256
    return PairModel.from_scores(
        tokens, np.array([0.0] * 256 + scores, np.float32), made, {}, BYTE_IDS
    )


def test_greatest_score_first_and_equal_ones_from_the_left():
    model = scored(["a", "b", "ab", "ba"], [-9.0, -9.0, -1.0, -1.0])
    assert encode(model, b"aba", b"bab") == [[258, 256], [259, 257]]
    assert encode(scored(["a", "b", "ab", "ba"], [0.0, 0.0, -2.0, -1.0]), b"aba") == [[256, 259]]


def test_scores_that_are_no_vocabulary():
    with pytest.raises(FormatError, match="no number"):
        scored(["a"], [float("nan")])
    with pytest.raises(FormatError, match="by itself"):
        scored(["a", "ab"], [0.0, 0.0])
    with pytest.raises(FormatError, match="spell the same"):
        scored(["a", "a"], [0.0, 0.0])
