"""Text that no token stands for: what each engine loses, held against what one can see by hand."""

import functools
import io
import itertools
import json

import numpy as np
import pytest
import regex
from every_kind import sentence_pieces
from hypothesis import given, settings
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from pair_samples import ranked
from public_samples import (
    GPT2,
    LLAMA2,
    added,
    byte_level,
    document,
    normalizers,
    sequence,
    split,
)

from toktk.formats.tokens import byte_names
from toktk.libraries.huggingface import HfDocumentsModel, HfModel
from toktk.libraries.sentencepiece import SentencePieceDocumentsModel
from toktk.libraries.tiktoken import TiktokenDocumentsModel
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.model import bytes_lost, spells_all
from toktk.models.pairs import PairModel
from toktk.models.vocabulary import packed


@pytest.fixture(scope="module", autouse=True)
def children():
    """Each library's child lives as long as it holds a tokenizer."""
    return of_bytes(), TiktokenDocumentsModel("a", RANKS, {}), of_letters()


def lost(model, *texts):
    data, offsets = packed([text.encode() for text in texts])
    return bytes_lost(model, data, offsets, *model.encode_pieces(data, offsets)).tolist()


def hf(model, **steps):
    return HfDocumentsModel(json.dumps(document(model) | steps))


def of_bytes(*missing):
    """A byte-level BPE without the tokens of some bytes; GPT-2's own processor trims its offsets."""
    names = [c for b, c in enumerate(byte_characters()) if b not in missing]
    model = {"type": "BPE", "vocab": {name: i for i, name in enumerate(names)}, "merges": []}
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return hf(model, pre_tokenizer=step, post_processor=step)


def test_a_byte_level_vocabulary_without_some_bytes():
    assert lost(of_bytes(), "a b  \r\n 😀 é\n", "") == [0, 0]
    assert lost(of_bytes(13), "one\r\ntwo\r\n\r\n", "\r\n 😀\r", "é") == [3, 2, 0]
    # A character that its tokens spell in part is lost, wherever it stands, and no neighbor is.
    assert lost(of_bytes(0x9F), "x😀y é 😀\n", "😀", "é") == [8, 4, 0]


LETTERS = {"a": 0, "b": 1, "c": 2, "\u2581": 3}
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}


def bpe(vocab=LETTERS, merges=(), **options):
    return {"type": "BPE", "vocab": vocab, "merges": list(merges), **options}


@pytest.mark.parametrize(
    "model",
    [
        bpe(),
        bpe({**LETTERS, "ab": 4}, [["a", "b"]]),
        bpe({**LETTERS, "?": 4}, unk_token="?"),
        bpe({**LETTERS, "?": 4}, unk_token="?", fuse_unk=True),
        {
            "type": "Unigram",
            "unk_id": 4,
            "vocab": [*([name, -1.0] for name in LETTERS), ["?", 0.0]],
            "byte_fallback": False,
        },
    ],
)
def test_characters_that_a_vocabulary_lacks(model):
    model = hf(model, pre_tokenizer=METASPACE)
    assert lost(model, "ab c", "a😀b", "😀é", "a😀éb c", "a xyz b", "") == [0, 4, 6, 6, 3, 0]


def test_a_name_that_is_taken_is_not_that_of_the_twin():
    tokens = [added(9, "unknown", special=False)]
    model = hf(bpe({**LETTERS, "unknown?": 4}), pre_tokenizer=METASPACE, added_tokens=tokens)
    assert lost(model, "unknown a", "xa") == [0, 1]


def test_one_unknown_token_for_a_long_word():
    vocab = {"[UNK]": 0, "a": 1, "b": 2, "##b": 3}
    model = {"type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]"}
    model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    cut = {"type": "WhitespaceSplit"}
    words = hf(model, pre_tokenizer=cut)
    # White space is in no token.
    assert lost(words, f"a {'a' * 5000} ab", "x" * 5000, "a\n\n b") == [5002, 5000, 3]
    level = {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}
    assert lost(hf(level, pre_tokenizer=cut), "a xyz a", "a") == [5, 0]


def test_a_piece_by_piece_model_of_a_trainer():
    names = ["[UNK]", *byte_characters(), *(f"##{c}" for c in byte_characters() if c != "b")]
    model = {"type": "WordPiece", "vocab": {name: i for i, name in enumerate(names)}}
    model |= {"unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    steps = sequence(split(r"\S+|\s"), byte_level(use_regex=False))
    holder = document({**model, "max_input_chars_per_word": 100}) | {"pre_tokenizer": steps}
    pieces = HfModel(json.dumps(holder | {"added_tokens": [added(0, "[UNK]", special=True)]}))
    assert lost(pieces, "ba", " ", "cab", "é😀b", "é") == [0, 0, 3, 7, 0]


def test_a_split_that_removes():
    cut = {"type": "Split", "pattern": {"String": "c"}, "behavior": "Removed", "invert": False}
    assert lost(hf(bpe(), pre_tokenizer=cut), "acb", "ccc", "ab") == [1, 3, 0]


def test_what_a_normalizer_deletes_and_what_it_changes():
    deletes = {"type": "Replace", "pattern": {"String": "é"}, "content": ""}
    assert lost(hf(bpe(), normalizer=deletes), "aéb", "éé", "ab") == [2, 4, 0]
    collapses = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    spaces = bpe({**LETTERS, " ": 4})
    assert lost(hf(spaces, normalizer=collapses), "a    b", "a b") == [3, 0]
    strips = {"type": "Strip", "strip_left": True, "strip_right": True}
    assert lost(hf(spaces, normalizer=strips), "  a b\u3000") == [5]
    lower = bpe({"a": 0, "é": 1, "e": 2, "g": 3, "각": 4, "á": 5})
    assert lost(hf(lower, normalizer={"type": "Lowercase"}), "AaÉ") == [0]
    # The library's offsets leave out what is composed with the character before.
    composed = ["ae\u0301", "\u1100\u1161\u11a8g", "e\u0301e\u0301 e\u0301", "g\u0301a"]
    assert lost(hf(lower, normalizer={"type": "NFC"}), *composed) == [0, 0, 1, 3]
    parts = bpe({"a": 0, "e": 1, "\u0301": 2})
    assert lost(hf(parts, normalizer={"type": "NFD"}), "aéa") == [0]


def test_byte_fallback_loses_nothing():
    model = HfDocumentsModel(json.dumps(LLAMA2))
    assert lost(model, "a 😀\r\n é", " ", "\u2581") == [0, 0, 0]
    assert lost(HfDocumentsModel(json.dumps(GPT2)), " a 😀\r\n é") == [0]


def test_dropout_is_for_training():
    text = "aaaa aaaa " * 50
    model = hf(bpe({**LETTERS, "aa": 4}, [["a", "a"]], dropout=0.5), pre_tokenizer=METASPACE)
    plain = hf(bpe({**LETTERS, "aa": 4}, [["a", "a"]]), pre_tokenizer=METASPACE)
    pieces = packed([text.encode()])
    assert model.encode_pieces(*pieces)[0].tolist() == plain.encode_pieces(*pieces)[0].tolist()
    assert lost(model, text) == [0]


def trained(**options):
    import sentencepiece

    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat and the hat"] * 9),
        model_writer=file, hard_vocab_limit=False, model_type="unigram", minloglevel=2, **options,
    )  # fmt: skip
    return SentencePieceDocumentsModel(file.getvalue())


@functools.cache
def of_letters():
    return trained(vocab_size=30)


def test_sentencepiece():
    model = of_letters()
    texts = ["the cat", "the 😀é cat", "  the   cat \n", "the\x01 cat\u200b", "", "  "]
    assert lost(model, *texts) == [0, 6, 5, 4, 0, 2]
    suffix = trained(vocab_size=290, byte_fallback=True, treat_whitespace_as_suffix=True)
    assert lost(suffix, "the 😀é cat", "the  cat", "the\tcat ﬁ", "the cat  ") == [0, 1, 0, 1]
    as_it_is = trained(
        vocab_size=290, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )  # fmt: skip
    assert lost(as_it_is, "  the   cat \n", "the\x01 cat\u200b😀") == [0, 0]


def test_a_space_that_three_byte_tokens_spell_is_not_lost():
    names = ["<unk>", *byte_names(), "a", "b", "\u2581a"]
    of_bpe = {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}
    of_bpe |= {"vocab": {name: i for i, name in enumerate(names)}, "merges": []}
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    for model in (sentence_pieces("a", "b", "\u2581a").model, hf(of_bpe, normalizer=mark)):
        assert lost(model, "b b  b", "a a b", "", " ", "\u2581b é") == [0, 0, 0, 0, 0]


RANKS = {bytes([b]): b for b in range(256)} | {b"the": 256}


def test_a_pattern_of_tiktoken_with_gaps():
    model = TiktokenDocumentsModel(r"\w+", RANKS, {})
    assert lost(model, "the cat", "🤗🤗", "the\r\n", "") == [1, 8, 2, 0]
    assert lost(TiktokenDocumentsModel(r"\w+|\W", RANKS, {}), "the 🤗\n") == [0]


def test_loss_does_not_hang_on_the_batch(monkeypatch):
    texts = ["".join(parts) for parts in itertools.product("ax é", repeat=2)]
    model = hf(bpe(), pre_tokenizer=METASPACE)
    expected = [utf8_bytes(c for c in text if c in "xé") for text in texts]
    for n in (1, 3, 4096):
        monkeypatch.setattr(HfDocumentsModel, "batch", n)
        assert lost(model, *texts) == expected


def test_own_models_spell_every_byte():
    ranks = ranked([b"th", b"the", b" cat"])
    models = [
        BpeModel(("<s>",), np.array([[117, 105, 257]])),
        PairModel.from_ranks(ranks, {}),
        GreedyModel((), *packed(list(ranks))),
    ]
    data, offsets = packed([text.encode() for text in NASTY_TEXTS])
    for model in models:
        assert spells_all(model)
        assert not bytes_lost(model, data, offsets, *model.encode_pieces(data, offsets)).any()


# What follows holds the measure against slow references, on text of characters of one to four bytes.

TEXTS = st.lists(st.text("ab c\r\n\té東😀\u3000", max_size=12), min_size=1, max_size=20)
few = settings(max_examples=15, deadline=None)


def utf8_bytes(characters):
    return len("".join(characters).encode())


@few
@given(TEXTS, st.sets(st.sampled_from("ab c\ré東😀")), st.sampled_from([{}, {"unk_token": "?"}]))
def test_characters_equal_the_slow_reference(texts, known, options):
    names = ["?", *sorted(known)]
    merges = [[a, b] for a, b in itertools.product("aé", "b東") if {a, b} <= known]
    names += [a + b for a, b in merges]
    vocab = {name: i for i, name in enumerate(names)}
    model = hf(bpe(vocab, merges, **options))
    assert lost(model, *texts) == [utf8_bytes(c for c in text if c not in known) for text in texts]


@few
@given(TEXTS, st.sets(st.sampled_from([*b"ab \r\n", *"é東😀".encode()]), max_size=4))
def test_bytes_equal_the_slow_reference(texts, missing):
    lacking = [[c for c in text if missing & {*c.encode()}] for text in texts]
    assert lost(of_bytes(*missing), *texts) == list(map(utf8_bytes, lacking))


@few
@given(TEXTS, st.sets(st.sampled_from(["a", "b", "é", "東", "##a", "##b", "##é", "##東", "##ab"])))
def test_words_equal_the_slow_reference(texts, tokens):
    def is_spelled(word, mark=""):
        n = next((n for n in range(len(word), 0, -1) if mark + word[:n] in tokens), 0)
        return not word or (n > 0 and is_spelled(word[n:], "##"))

    vocab = {name: i for i, name in enumerate(["[UNK]", *sorted(tokens)])}
    model = {"type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]"}
    model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    kept = [[word for word in text.split() if is_spelled(word)] for text in texts]
    expected = [utf8_bytes(text) - utf8_bytes(w) for text, w in zip(texts, kept, strict=True)]
    assert lost(hf(model, pre_tokenizer={"type": "WhitespaceSplit"}), *texts) == expected


@few
@given(TEXTS, st.sampled_from([r"\p{L}+", r"\S", r"a+| ", r"\p{L}+|\s(?=\S)", r"\r?\n|[^\r\n]"]))
def test_gaps_equal_the_slow_reference(texts, pattern):
    kept = ["".join(regex.findall(pattern, text)) for text in texts]
    expected = [utf8_bytes(text) - utf8_bytes(k) for text, k in zip(texts, kept, strict=True)]
    assert lost(TiktokenDocumentsModel(pattern, RANKS, {}), *texts) == expected


@few
@given(st.lists(st.text("the \n\u3000\x01é😀", max_size=12), min_size=1, max_size=20))
def test_sentencepiece_equals_the_slow_reference(texts):
    def standing(text):
        visible = [c for c in text if c != "\x01"]
        spaces = [c.isspace() for c in visible]
        for i, c in enumerate(visible):
            # Of white space in front of a word the first character stands.
            begins = spaces[i] and not any(spaces[i - 1 : i]) and not all(spaces[i:])
            if begins or c in "the":
                yield c

    expected = [utf8_bytes(text) - utf8_bytes(standing(text)) for text in texts]
    assert lost(of_letters(), *texts) == expected


class AskedModel(HfDocumentsModel):
    """One whose library is asked about every text that its tokens do not spell as it is."""

    def _count_lost(self, *_):
        pass


NORMALIZERS = [
    None,
    *(
        {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": clean}
        | {"strip_accents": strip, "lowercase": lower}
        for clean, strip, lower in itertools.product([True, False], [None, True, False], [True, False])
    ),
    *({"type": name} for name in ("Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents")),
    normalizers({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}),
    {"type": "Replace", "pattern": {"String": "b"}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": "(?<=c) +"}, "content": ""},
    {"type": "Strip", "strip_left": True, "strip_right": True},
]  # fmt: skip
PRETOKENIZERS = [
    None,
    *({"type": name} for name in ("BertPreTokenizer", "WhitespaceSplit", "Whitespace")),
    {"type": "Digits", "individual_digits": False},
    METASPACE,
]
UNKNOWN = "[UNK]"


def of_words(names):
    vocab = {name: i for i, name in enumerate([UNKNOWN, *sorted(names)])}
    model = {"type": "WordPiece", "vocab": vocab, "unk_token": UNKNOWN}
    return {**model, "continuing_subword_prefix": "##", "max_input_chars_per_word": 6}


def of_parts(names, **options):
    merges = [[a, b] for a, b in itertools.product("ace", "ab\u0301") if {a, b, a + b} <= names]
    vocab = {name: i for i, name in enumerate(sorted(names | {UNKNOWN}))}
    return bpe(vocab, merges, **options)


MODELS = [
    lambda names: of_words(names | {f"##{name}" for name in names}),
    lambda names: {**of_words(names), "type": "WordLevel"},
    lambda names: of_parts(names, unk_token=UNKNOWN),
    of_parts,
]
LETTERS_ETC = "ab cé\u0301İßﬁ½中각\u1100\u1161ो\x00\u200b\u3000\n1!#-"
NAMES = sorted({*LETTERS_ETC, *"eisfi\u0307\u11a8\u2581", "ab", "ca", "aé", "éa"})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.sampled_from(NORMALIZERS),
    st.sampled_from(PRETOKENIZERS),
    st.sets(st.sampled_from(NAMES), max_size=8),
    st.sampled_from([[], [added(0, UNKNOWN, special=True), added(90, "ca", lstrip=True)]]),
    st.lists(st.text(LETTERS_ETC, max_size=16), min_size=1, max_size=30),
)
def test_what_tokens_tell_equals_what_the_library_tells(model, form, cut, lacking, tokens, texts):
    file = document(model({*NAMES} - lacking), form, cut, tokens)
    own, asked = (kind(json.dumps(file)) for kind in (HfDocumentsModel, AskedModel))
    assert lost(own, *texts) == lost(asked, *texts)
