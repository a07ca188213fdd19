"""Unigram and greedy models: against the slow rules and Hugging Face; what they refuse."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models

from toktk import educational as slow
from toktk.errors import FormatError
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.model import is_storable, model_from_arrays
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

BYTES = [bytes([b]) for b in range(256)]
SPECIALS = ("<unk>", "ab\0")
letters = st.sampled_from([b"a", b"b", b" ", "é".encode(), "𠮷".encode(), b"\0", b"\r\n"])
texts = st.lists(letters, max_size=12).map(b"".join)
pieces = st.lists(texts, max_size=5)
# Few values, sums of which are often equal.
scores = st.sampled_from([-1.0, -2.0, -3.0, -0.5, -1.5])
vocabularies = st.dictionaries(
    st.lists(letters, min_size=2, max_size=4).map(b"".join), scores, max_size=14
)


def unigram(vocabulary, byte_score=-3.0, specials=()):
    """Build a lossless model, the bytes in the midst of the tokens."""
    half = len(vocabulary) // 2
    tokens, values = list(vocabulary), list(vocabulary.values())
    tokens[half:half], values[half:half] = BYTES, [byte_score] * 256
    return UnigramModel(specials, *packed(tokens), np.array(values))


def with_fallback(vocabulary, specials=("<unk>",), **options):
    """Build a model of characters; the byte tokens come first, at score 0 as in SentencePiece."""
    tokens = [*BYTES, *vocabulary]
    values = np.array([0.0] * 256 + list(vocabulary.values()))
    fallback = np.arange(256) + len(specials)
    return UnigramModel(specials, *packed(tokens), values, fallback, **options)


def encode(model, parts):
    data, offsets = packed(parts)
    ids, ends = model.encode_pieces(data, offsets)
    assert ids.dtype == np.uint32
    assert ends.dtype == np.int64
    return [ids[a:b].tolist() for a, b in zip([0, *ends], ends, strict=False)]


def ids_of(model, path):
    """Name a path of the reference; numbers are bytes spelled by fallback tokens."""
    matched = {token: i for i, token in enumerate(model.tokens)}
    if model.fallback is not None:
        start = len(model.special_tokens) + 256
        matched = {token: start + i for i, token in enumerate(model.tokens[start:])}
    return [int(model.fallback[t]) if isinstance(t, int) else matched[t] for t in path]


@given(vocabularies, pieces, st.sampled_from([(), SPECIALS]))
def test_viterbi_equals_the_reference(vocabulary, parts, specials):
    model = unigram(vocabulary, specials=specials)
    known = {**dict.fromkeys(BYTES, -3.0), **vocabulary}
    expected = [ids_of(model, slow.viterbi(part, known)[1]) for part in parts]
    assert encode(model, parts) == expected
    for part, ids in zip(parts, expected, strict=True):
        assert b"".join(model.tokens[i] for i in ids) == part


@given(vocabularies, pieces)
def test_fallback_equals_the_reference(vocabulary, parts):
    model = with_fallback({b"a": -2.0, **vocabulary})
    known = {b"a": -2.0, **vocabulary}
    unknown = min(known.values()) - 10
    assert encode(model, parts) == [
        ids_of(model, slow.viterbi(part, known, unknown)[1]) for part in parts
    ]


@given(vocabularies, pieces, st.sampled_from([-3.0, -1.0, -0.5]))
@settings(max_examples=150)
@example({b"aa": -2.0, b"ab": -2.0}, [b"aaab", b"aab"], -1.0)
def test_lossless_ids_equal_huggingface(vocabulary, parts, byte_score):
    model = unigram(vocabulary, byte_score)
    characters = byte_characters()

    def shown(token):
        return "".join(characters[b] for b in token)

    listed = [(shown(t), s) for t, s in zip(model.tokens, model.scores.tolist(), strict=True)]
    theirs = models.Unigram(listed, None, False)
    assert encode(model, parts) == [
        [token.id for token in theirs.tokenize(shown(part))] if part else [] for part in parts
    ]


@given(vocabularies, pieces)
@settings(max_examples=100)
def test_fallback_ids_equal_huggingface(vocabulary, parts):
    model = with_fallback({"é".encode(): -1.0, **vocabulary})
    names = ["<unk>", *(f"<0x{b:02X}>" for b in range(256))]
    names += [token.decode() for token in model.tokens[257:]]
    theirs = models.Unigram(list(zip(names, [0.0, *model.scores.tolist()], strict=True)), 0, True)
    assert encode(model, parts) == [
        [token.id for token in theirs.tokenize(part.decode())] if part else [] for part in parts
    ]


@given(vocabularies, texts)
def test_log_likelihood(vocabulary, piece):
    known = {**dict.fromkeys(BYTES, -3.0), **vocabulary}
    data, offsets = packed([piece, piece])
    expected = slow.forward(piece, known)[-1]
    found = unigram(vocabulary).log_likelihood(data, offsets)
    assert found.tolist() == pytest.approx([expected, expected])


@given(vocabularies, pieces)
def test_greedy_equals_the_reference(vocabulary, parts):
    model = GreedyModel(SPECIALS, *packed([*BYTES, *vocabulary]))
    known = {*BYTES, *vocabulary}
    assert encode(model, parts) == [ids_of(model, slow.greedy(part, known)) for part in parts]
    model = GreedyModel(SPECIALS, *packed([*BYTES, *vocabulary]), np.arange(256) + 2)
    known = set(vocabulary)
    assert encode(model, parts) == [ids_of(model, slow.greedy(part, known)) for part in parts]


def test_a_megabyte_of_one_letter():
    model = unigram({b"a" * n: -1.0 for n in range(2, 17)}, -1.0)
    (ids,) = encode(model, [b"a" * 1_000_000])
    assert len(ids) == 62_500
    found = model.log_likelihood(*packed([b"a" * 1_000_000]))
    assert np.isfinite(found).all()
    (ids,) = encode(GreedyModel((), model.data, model.offsets), [b"a" * 1_000_000])
    assert len(ids) == 62_500


@pytest.mark.parametrize("pattern", ["gpt2", "none"])
def test_nasty_texts_come_back(nasty_texts, pattern):
    common = {b"the ": -2.0, "東京".encode(): -2.0, "е".encode(): -1.0, b"aaa": -2.5}
    cut = Pretokenizer.of(pattern)
    characters = {b" ": -1.0, b"e": -2.0, "😀".encode(): -3.0}
    models = [
        unigram(common),
        with_fallback(common | characters),
        with_fallback(common | characters, byte_score=-1.0),
        GreedyModel(SPECIALS, *packed([*BYTES, *common])),
    ]
    for model in models:
        tokenizer = Tokenizer("tested", cut, model)
        assert [tokenizer.decode(tokenizer.encode(text)) for text in nasty_texts] == nasty_texts


def test_sizes_and_tokens():
    model = unigram({b"aa": -1.0}, specials=SPECIALS)
    assert model.vocab_size == 259
    assert model.tokens[:2] == [b"<unk>", b"ab\0"]
    model = with_fallback({b"a": -1.0, "é".encode(): -1.0, b"ab": -1.0, "éa".encode(): -1.0})
    assert model.vocab_size == 261


def store(model):
    """Take a model through a file and back."""
    import io

    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return model_from_arrays(model.kind, arrays)


def test_arrays_bring_a_model_back():
    merges = np.array([[64, 64, 256], [256, 64, 257]])
    kept = [
        BpeModel(("<s>", "填\0"), merges + len(SPECIALS)),
        unigram({b"ab": -0.1}, specials=SPECIALS),
        with_fallback({b"ab": -0.1}),
        with_fallback({b"ab": -0.1}, byte_score=-1.0),
        GreedyModel(SPECIALS, *packed([*BYTES, b"ab"])),
        GreedyModel((), *packed([*BYTES, b"ab"]), np.arange(256)),
    ]
    for model in kept:
        again = store(model)
        assert type(again) is type(model)
        assert (again.signature, again.tokens) == (model.signature, model.tokens)
        assert again.is_prefix_of(model)
        assert is_storable(model)
    assert len({model.signature for model in kept}) == len(kept)
    for model in kept:
        assert [model.is_prefix_of(other) for other in kept] == [model is other for other in kept]


def test_an_unknown_kind():
    assert not is_storable(object())
    with pytest.raises(FormatError, match=r"kind 'magic'.*\n?.*bpe"):
        model_from_arrays("magic", {})


REFUSED = {
    "a byte is missing": (BYTES[:-1], None, "1 missing, the first is 0xFF"),
    "empty token": ([*BYTES, b""], None, "token 256 .* is empty"),
    "fallback outside": (BYTES, np.arange(256) + 1, "256 ids of ordinary tokens"),
    "fallback too short": (BYTES, np.arange(255), "256 ids of ordinary tokens"),
    "fallback of another byte": (BYTES, np.arange(256)[::-1], "fallback of byte 0x00 is another"),
    "half a character": (
        [*BYTES, "é".encode(), b"\xc3"], np.arange(256), "whole characters.*\n.*257"
    ),
    "the other half": (
        [*BYTES, b"a", b"a\xc3", b"\xa9"], np.arange(256), "whole characters.*\n.*25[78]"
    ),
    "not UTF-8": ([*BYTES, b"\xff"], np.arange(256), "whole characters"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_vocabularies_that_are_refused(case):
    tokens, fallback, message = REFUSED[case]
    with pytest.raises(FormatError, match=message):
        UnigramModel((), *packed(tokens), np.zeros(len(tokens)), fallback)
    with pytest.raises(FormatError, match=message):
        GreedyModel((), *packed(tokens), fallback)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([*BYTES, b"ab", b"ab"], "token 257 .*b'ab' once more"),
        ([*BYTES, b"a"], "token 256 .*b'a' once more"),
        ([*BYTES, b"ab", b"b", b"ab"], "once more"),
    ],
)
def test_equal_tokens_are_refused_on_first_use(tokens, message):
    scores = np.zeros(len(tokens))
    for model in (UnigramModel((), *packed(tokens), scores), GreedyModel((), *packed(tokens))):
        with pytest.raises(FormatError, match=message):
            model.check()
        with pytest.raises(FormatError, match=message):
            encode(model, [b"ab"])


def test_equal_tokens_beside_a_fallback_are_refused_on_first_use():
    fallback = np.arange(256)
    for twice in ([b"ab", b"ab"], [b"a", b"a"]):
        model = UnigramModel((), *packed([*BYTES, *twice]), np.zeros(258), fallback)
        with pytest.raises(FormatError, match=r"token 257 .* once more"):
            model.check()
    # The tokens of the bytes are not matched, so a character of one byte is another token.
    model = UnigramModel((), *packed([*BYTES, b"a"]), np.zeros(257), fallback)
    assert encode(model, [b"a"]) == [[256]]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(wrong):
    with pytest.raises(FormatError, match=f"Found: {wrong} for token 256"):
        UnigramModel((), *packed([*BYTES, b"ab"]), np.array([0.0] * 256 + [wrong]))


def test_other_refusals():
    data, offsets = packed(BYTES)
    with pytest.raises(FormatError, match="one score"):
        UnigramModel((), data, offsets, np.zeros(255))
    with pytest.raises(FormatError, match="special tokens must be different"):
        UnigramModel(("a", "a"), data, offsets, np.zeros(256))
    with pytest.raises(FormatError, match="must go from 0 to 256"):
        UnigramModel((), data, offsets[:-1], np.zeros(255))
    with pytest.raises(ValueError, match="ascend from 0 to 3"):
        unigram({}).encode_pieces(np.zeros(3, np.uint8), np.array([0, 2]))
