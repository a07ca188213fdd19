"""Many documents at once: the same ids as piece by piece, however small the tables."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk import tokenizer as tokenizer_module
from toktk.encoder import Encoder, Limits
from toktk.errors import CorpusError, FormatError
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

# Everything is full all the time; blocks end inside and between documents.
TINY = Limits(
    first_slots=2, max_slots=256, max_arena=40, max_pool=20, longest=30, block=0, split=20, todo=64
)  # fmt: skip
ROOMY = Limits(first_slots=2, max_slots=1 << 12, block=300, split=300)

letters = st.text("aehnrst .\n") | st.text("ab é東😀\0") | st.text(st.characters(codec="utf-8"))
batches = st.lists(letters | st.sampled_from(NASTY_TEXTS), max_size=12)


@pytest.fixture(scope="module")
def unigram(tokenizer):
    """A unigram model over the same tokens, whose pieces may take several ids."""
    tokens = [t for t in tokenizer.model.tokens[2:] if len(t) < 6]
    offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    data = np.frombuffer(b"".join(tokens), dtype=np.uint8)
    scores = -np.arange(1.0, len(tokens) + 1)
    return Tokenizer("u", tokenizer.pretokenizer, UnigramModel((), data, offsets, scores))


def encoder_of(tokenizer, limits=None):
    return Encoder(tokenizer.pretokenizer, tokenizer.model, limits)


def flat(texts):
    parts = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(parts), np.uint8)
    return data, np.cumsum([0, *map(len, parts)], dtype=np.int64)


def expected(tokenizer, texts):
    """The ids of each document, by the definition: cut, then the model."""
    found = []
    for text in texts:
        pieces = tokenizer.pretokenizer.cut_bytes(text.encode())
        offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        data = np.frombuffer(b"".join(pieces), np.uint8)
        found.append(tokenizer.model.encode_pieces(data, offsets)[0].tolist())
    return found


def split(ids, offsets):
    assert ids.dtype == np.uint32
    assert offsets.dtype == np.int64
    assert offsets[0] == 0
    assert offsets[-1] == ids.size
    return [ids[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]


@pytest.mark.parametrize("limits", [TINY, ROOMY, Limits()], ids=["tiny", "roomy", "default"])
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_equals_the_model_on_each_piece(tokenizer, unigram, limits, kind):
    tested = tokenizer if kind == "bpe" else unigram
    encoder = encoder_of(tested, limits)

    @settings(max_examples=20)
    @given(batches, st.integers(1, 3))
    @example([], 1)
    @example([""] * 3000, 2)
    @example(NASTY_TEXTS, 3)
    @example(NASTY_TEXTS * 2, 1)
    def check(texts, jobs):
        want = expected(tested, texts)
        data, offsets = flat(texts)
        assert split(*encoder.encode_batch(data, offsets, jobs)) == want
        assert encoder.count_batch(data, offsets, jobs).tolist() == [len(ids) for ids in want]

    check()


@pytest.mark.parametrize("limits", [TINY, ROOMY, Limits()], ids=["tiny", "roomy", "default"])
@pytest.mark.parametrize("before", [0, 3])
def test_pieces_of_every_length(crafted, limits, before):
    # Of equal length they differ in the first letter or the last alone; NULs are not padding.
    tested = crafted([], pattern=r"\S+|\s")
    lengths = [*range(1, 41), *range(62, 67), *range(254, 259), 5000]
    words = [
        first * (n - 1) + last
        for n in lengths
        for first, last in (("\0", "a"), ("a", "a"), ("a", "b"), ("a", "\0"), ("\0", "\0"))
    ]
    texts = ["x" * before, " ".join(words), " ".join(reversed(words)), *words[:30]]
    found = split(*encoder_of(tested, limits).encode_batch(*flat(texts)))
    for ids, text in zip(found, texts, strict=True):
        assert ids == tested.model.byte_ids[list(text.encode())].tolist()


def test_a_batch_in_the_middle_of_a_buffer(tokenizer):
    data, offsets = flat(["not this one", "but this", "and that", "nor this"])
    found = split(*encoder_of(tokenizer, ROOMY).encode_batch(data, offsets[1:4]))
    assert found == expected(tokenizer, ["but this", "and that"])


@pytest.mark.parametrize("jobs", [1, 3])
def test_documents_longer_than_a_block_and_pieces_across_blocks(tokenizer, jobs):
    long = "the cat " * 12_000 + "x" * 70_000 + " the hat" * 9000
    texts = ["", "a", "", long, "", "", "b", " " * 150_000 + "a", "", long[5:70_000], ""]
    want = expected(tokenizer, texts)
    for limits in (TINY, Limits()):
        assert split(*encoder_of(tokenizer, limits).encode_batch(*flat(texts), jobs)) == want


def test_a_megabyte_of_one_letter(train):
    tested = train("a" * 5000, size=262)
    text = "a" * 2**20
    ids, _ = tested.encode_batch([text, "aa", text])
    assert tested.decode(ids) == text + "aa" + text


@pytest.mark.parametrize("pattern", [r"(?<=\s)\S+|\s", r"\p{L}+", "none", "gpt2"])
def test_other_patterns(train, pattern):
    tested = train(size=400, pretokenizer=pattern)
    want = expected(tested, NASTY_TEXTS)
    for limits in (TINY, Limits()):
        assert split(*encoder_of(tested, limits).encode_batch(*flat(NASTY_TEXTS), 2)) == want


@pytest.mark.parametrize("jobs", [1, 3])
def test_added_strings_and_normalizers(tokenizer, jobs):
    from toktk.normalizers.normalizer import Normalizer

    cutter = Pretokenizer(
        "tested", r"\S+|\s+", (r"\d",), Normalizer(form="NFC", prefix="always"), ("<x>", "the")
    )
    tested = Tokenizer("t", cutter, tokenizer.model)
    texts = ["a<x>e\u0301 12the<x>", "<x>", "", "the the", *NASTY_TEXTS, "123 the"]
    want = expected(tested, texts)
    for limits in (TINY, Limits()):
        encoder = encoder_of(tested, limits)
        assert split(*encoder.encode_batch(*flat(texts), jobs)) == want
    assert [tested.encode(text) for text in texts] == want


@given(batches)
def test_interned_pieces_spell_the_documents(tokenizer, texts):
    data, offsets = flat(texts)
    numbers, documents, pieces, starts = Encoder(
        tokenizer.pretokenizer, tokenizer.model, TINY
    ).intern_batch(data, offsets)
    spelled = [pieces[a:b].tobytes() for a, b in itertools.pairwise(starts.tolist())]
    assert len(set(spelled)) == len(spelled)
    assert numbers.dtype == np.int32
    for text, a, b in zip(texts, documents, documents[1:], strict=False):
        cut = tokenizer.pretokenizer.cut_bytes(text.encode())
        assert [spelled[i] for i in numbers[a:b]] == cut
    first = list(dict.fromkeys(numbers.tolist()))
    assert first == list(range(len(spelled)))


KINDS = [
    list,
    tuple,
    iter,
    lambda texts: pa.array(texts, pa.string()),
    lambda texts: pa.array(["before", *texts], pa.large_string())[1:],
    lambda texts: pa.chunked_array([texts[:3], [], texts[3:]], pa.string()),
    flat,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_batch(tokenizer, kind):
    texts = ["plain", "", "Größe 東京 😀", *NASTY_TEXTS]
    want = [tokenizer.encode(text) for text in texts]
    ids, offsets = tokenizer.encode_batch(kind(texts))
    assert split(ids, offsets) == want
    assert tokenizer.count_batch(kind(texts), jobs=2).tolist() == list(map(len, want))
    assert tokenizer.decode_batch(ids, offsets) == texts


@pytest.mark.parametrize(
    "empty", [[], pa.array([], pa.string()), pa.chunked_array([], pa.string())]
)
def test_no_documents(tokenizer, empty):
    ids, offsets = tokenizer.encode_batch(empty, jobs=2)
    assert ids.size == 0
    assert offsets.tolist() == [0]
    assert tokenizer.count_batch(empty).size == 0
    assert tokenizer.decode_batch(ids, offsets) == []


def test_long_and_short_texts_alike(tokenizer, monkeypatch):
    text = "".join(NASTY_TEXTS)
    found = tokenizer.encode(text)
    monkeypatch.setattr(tokenizer_module, "_SHORT", 1 << 40)
    assert tokenizer.encode(text) == found


@pytest.mark.parametrize(
    ("batch", "error", "what"),
    [
        ("text", FormatError, "call encode"),
        (["fine", "b\ud800"], FormatError, r"U\+D800 at character 1 of document 1"),
        (["fine", 5], FormatError, "document 1 is no string"),
        (pa.array(["a", None]), CorpusError, "document 1 of 2 is null"),
        (pa.array([1, 2]), FormatError, "int64"),
        ((np.frombuffer(b"a\xffb", np.uint8), np.array([0, 1, 3])), CorpusError, "row 1"),
        ((np.frombuffer("é".encode(), np.uint8), np.array([0, 1, 2])), CorpusError, "row 0"),
        ((np.zeros(2, np.uint8), np.array([0, 3])), FormatError, "leave"),
        ((np.zeros(2, np.uint8), np.array([0, 2, 1])), FormatError, "descend"),
        ((np.zeros(2, np.int32), np.array([0, 2])), FormatError, "int32"),
        (
            pa.Array.from_buffers(
                pa.string(),
                1,
                [None, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xc3")],
            ),
            CorpusError,
            "row 0",
        ),
    ],
)
def test_bad_batches_are_errors(tokenizer, batch, error, what):
    for call in (tokenizer.encode_batch, tokenizer.count_batch, tokenizer.intern_batch):
        with pytest.raises(error, match=what):
            call(batch)


def test_threads_may_share_a_tokenizer(tokenizer):
    from toktk.runtime import in_threads

    texts = NASTY_TEXTS * 20
    want = expected(tokenizer, texts)
    found = in_threads(lambda jobs: split(*tokenizer.encode_batch(texts, jobs)), [(1,), (2,), (1,)])
    assert all(ids == want for ids in found)
