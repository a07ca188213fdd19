"""SentencePiece's sums: the same ids in the library, in plain Python, document by document and looked up."""

import itertools
import random

import numba
import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from reading import read_file
from reference import viterbi_float32
from unigram_samples import made, of_characters

from toktk.encoder import Encoder, Limits
from toktk.models.unigram_float32 import Float32Pieces
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

SLOW = bool(numba.config.DISABLE_JIT)
N_WORDS = 300 if SLOW else 15_000
LETTERS = "ab <é語\n1"
TINY = Limits(
    first_slots=2, max_slots=256, max_arena=40, max_pool=20, longest=9, block=0, split=20, todo=64
)  # fmt: skip
# Sums that are equal but for the rounding; the large ones pass 100,000 in a few tokens.
SCORES = st.builds(
    lambda size, parts, more: float(np.float32(-size * parts - more)),
    st.sampled_from([1.1, 2.3, 7_333.3, 33_333.3, 120_000.7]),
    st.integers(1, 3),
    st.sampled_from([0.0, 1e-6, 1e-3, 0.5]),
)
WORDS = st.dictionaries(
    st.text(LETTERS, min_size=1, max_size=4).filter(lambda word: word not in ("<unk>", "<s>")),
    SCORES,
    max_size=25,
)
DOCUMENTS = st.lists(st.text(LETTERS + "z𝄞", max_size=60), max_size=6)


def single(words):
    """Build what a ``.model`` of these tokens is read as."""
    words = {word: float(np.float32(score)) for word, score in words.items()}
    model = of_characters(words, single=True)
    steps = Normalizer(marks=True)
    return Tokenizer(
        "made", Pretokenizer("none", Pretokenizer.of("none").pattern, normalizer=steps), model
    )


def by_library(tokenizer, folder):
    (path,) = tokenizer.save(folder).files
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def split(ids, offsets):
    return [ids[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]


def spelled(tokenizer, path):
    ids = {token: i for i, token in reversed([*enumerate(tokenizer.model.tokens)][258:])}
    return [
        i
        for token in path
        for i in ([ids[token.encode()]] if isinstance(token, str) else [2 + b for b in token])
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("single")


@given(WORDS, DOCUMENTS, st.sampled_from([TINY, Limits()]))
@example({}, ["", "z", "\u2581 \u2581", *NASTY_TEXTS], TINY)
@example({"a": -33_333.3, "aa": -66_666.6, " a": -33_333.4}, ["a" * 50 + " a" * 20], Limits())
def test_equals_the_library_and_the_reference(folder, words, documents, limits):
    tokenizer = single(words)
    library = by_library(tokenizer, folder)
    wanted = library.Encode(documents)
    scores = {token.decode(): score for token, score in zip(
        tokenizer.model.tokens[258:], tokenizer.model.scores[256:].tolist(), strict=True)}  # fmt: skip
    unknown = tokenizer.model.unknown[1]
    for document, ids in zip(documents, wanted, strict=True):
        if len(document) < 500:
            path = viterbi_float32(document.replace("\u2581", " "), scores, unknown)
            assert spelled(tokenizer, path) == ids
        assert tokenizer.encode(document) == ids
    raw = [document.encode() for document in documents]
    data = np.frombuffer(b"".join(raw), np.uint8)
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    encoder = Encoder(tokenizer.pretokenizer, tokenizer.model, limits)
    for jobs in (1, 2):
        assert split(*encoder.encode_batch(data, offsets, jobs)) == wanted
    assert encoder.count_batch(data, offsets).tolist() == [*map(len, wanted)]


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_near_ties_in_long_documents(folder, seed):
    chance = random.Random(seed)
    words = {}
    for _ in range(60):
        word = chance.choice(["", " "]) + "".join(chance.choices("abé", k=chance.randint(1, 4)))
        near = chance.choice([0.0, 1e-6 * chance.random(), chance.random()])
        words[word] = float(
            np.float32(-chance.choice([1.1, 2.3, 3.9]) * chance.randint(1, 3) - near)
        )
    tokenizer = single(words)
    library = by_library(tokenizer, folder)
    text = " ".join(
        "".join(chance.choices("abéz", k=chance.randint(1, 12))) for _ in range(N_WORDS)
    )
    for _ in range(2):  # the second time every piece is in the table
        assert tokenizer.encode(text) == library.Encode(text)
    assert read_file(folder / "made.model").model.signature == tokenizer.model.signature


def test_most_pieces_are_certain():
    tokenizer = single({"a": -3.1, "b": -4.7, "ab": -6.5, " a": -4.0, " ab": -8.2})
    pieces = Float32Pieces.of(tokenizer.pretokenizer, tokenizer.model)
    words = [b" ab", b" abab", b" zz", b"ba", b"ab" * 40]
    offsets = np.cumsum([0, *map(len, words)])
    headed, ends = pieces.encode_pieces(np.frombuffer(b"".join(words), np.uint8), offsets)
    reaches = headed.view(np.float32)[np.append(0, ends[:-1])]
    assert (reaches[:4] > 90_000).all()
    assert reaches[4] < 0  # too long to be kept


@pytest.mark.parametrize(
    ("tokenizer", "is_cut"),
    [
        (single({"ab": -1.0, " a": -1.0, "12": -1.0, "  ": -1.0, "  a": -2.0}), "letters"),
        (single({"a1": -1.0}), "spaces"),
        (single({"a b": -1.0}), None),
        (made(of_characters({}), "none"), None),
        (made(of_characters({}, single=True), "metaspace"), None),
    ],
)
def test_where_text_is_cut(tokenizer, is_cut):
    pieces = Float32Pieces.of(tokenizer.pretokenizer, tokenizer.model)
    cut = pieces and b"|".join(pieces.pretokenizer.cut_bytes(b"  a1 b")).decode()
    assert cut == {"letters": "  a|1| b", "spaces": "  a1| b", None: None}[is_cut]
