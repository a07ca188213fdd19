"""Where tokens lie: where the text itself says so, and nowhere on doubt."""

from __future__ import annotations

import io
import json
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from public_samples import LLAMA2, MARK, byte_level, document, metaspace, write
from sentencepiece import SentencePieceTrainer

from toktk.errors import FormatError
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.libraries.sentencepiece import SentencePieceDocumentsModel
from toktk.loading.load import load, open_tokenizer
from toktk.models.bpe import BpeModel, byte_characters
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.segmentation.segmentation import Segmentation, totals
from toktk.tokenizer import Tokenizer

TEXTS = st.one_of(
    st.sampled_from([text[:300] for text in NASTY_TEXTS]),
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            [*"ae \n▁½éㅏ각", "e\u0301", "\u0323", "\u0301", "ᄒ", "ᆫ", "<s>", "\u0344"]
        ),
        max_size=12,
    ).map("".join),
)


def segmented(tokenizer: Tokenizer, text: str) -> Segmentation:
    (segmentation,) = tokenizer.show(text).segmentations
    assert segmentation.ids.tolist() == tokenizer.encode(text)
    assert [t.spelled for t in segmentation.tokens()] == [
        tokenizer.decode_bytes([i]) for i in segmentation.ids
    ]
    return segmentation


def placed(tokenizer: Tokenizer, text: str) -> list[tuple[str, str | None]]:
    """Return what each token spells, and the text where it lies; bytes that are no UTF-8 as surrogates."""
    raw = text.encode()
    return [
        (shown(t.spelled), None if t.start is None else shown(raw[t.start : t.end]))
        for t in segmented(tokenizer, text).tokens()
    ]


def shown(part: bytes) -> str:
    return part.decode(errors="surrogateescape")


def of_bytes(**steps: object) -> Tokenizer:
    """A tokenizer of bytes and of some letters, that cuts nowhere."""
    empty = BpeModel((), np.empty((0, 3), dtype=np.int64))
    id_of = [int(i) for i in empty.byte_ids]
    merges = [(id_of[195], id_of[169], 256), (id_of[32], id_of[97], 257), (id_of[101], 256, 258)]
    plain = Pretokenizer.of("none")
    cut = Pretokenizer(plain.name, plain.pattern, library="tokenizers", **steps)  # type: ignore[arg-type]
    return Tokenizer("bytes", cut, BpeModel((), np.array(merges)))


@given(TEXTS)
def test_tokens_that_spell_the_text_tile_it(text):
    segmentation = segmented(of_bytes(), text)
    raw, tokens = text.encode(), segmentation.tokens()
    edges = [0, *(token.end for token in tokens)]
    assert [(t.start, t.end) for t in tokens] == [*pairwise(edges)]
    assert edges[-1] == len(raw)
    assert all(raw[t.start : t.end] == t.spelled for t in tokens)
    assert segmentation.is_exact
    assert not segmentation.blind.size


@pytest.mark.parametrize("form", [None, "NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("prefix", ["never", "always", "unless_space"])
@given(text=TEXTS)
def test_a_place_is_where_the_text_before_it_becomes_the_tokens_before_it(
    form, marks, prefix, text
):
    tokenizer = of_bytes(normalizer=Normalizer(form, marks, prefix))
    raw, spelled, reached = text.encode(), b"", 0
    segmentation = segmented(tokenizer, text)
    for token in segmentation.tokens():
        before, spelled = spelled, spelled + token.spelled
        if token.start is None:
            continue
        assert reached <= token.start <= token.end <= len(raw)
        reached = token.end
        for place, wanted in ((token.start, before), (token.end, spelled)):
            if place and (len(raw) == place or raw[place] & 0xC0 != 0x80):
                assert normalized(raw[:place].decode(), form, marks, prefix) == wanted
    if segmentation.is_exact:
        assert not segmentation.blind.size


def normalized(text, form, marks, prefix):
    if form:
        text = unicodedata.normalize(form, text)
    if marks:
        text = text.replace(MARK, " ")
    if prefix == "always" or (prefix == "unless_space" and not text.startswith(" ")):
        text = f" {text}"
    return text.encode()


def test_what_changes_as_a_whole_has_a_place_as_a_whole():
    composed = of_bytes(normalizer=Normalizer("NFC"))
    assert placed(composed, "ae\u0301!") == [("a", "a"), ("é", "e\u0301"), ("!", "!")]
    apart = segmented(of_bytes(normalizer=Normalizer("NFD")), "aéb")
    assert [(t.spelled, t.start, t.end) for t in apart.tokens()] == [
        (b"a", 0, 1),
        (b"e", None, None),
        (b"\xcc", None, None),
        (b"\x81", None, None),
        (b"b", 3, 4),
    ]
    assert apart.blind.tolist() == [[1, 3]]
    assert not apart.is_exact


def test_a_space_in_front_lies_nowhere():
    tokenizer = of_bytes(normalizer=Normalizer(prefix="always"))
    assert placed(tokenizer, "ab") == [(" a", "a"), ("b", "b")]
    assert placed(tokenizer, "ba") == [(" ", ""), ("b", "b"), ("a", "a")]
    assert placed(tokenizer, "") == []


def test_strings_that_are_found_first_are_normalized_apart():
    tokenizer = of_bytes(normalizer=Normalizer("NFC", prefix="always"), added=("<s>", "e\u0301"))
    assert placed(tokenizer, "a<s>ae\u0301e\u0300") == [
        (" a", "a"),
        ("<", "<"), ("s", "s"), (">", ">"),
        (" a", "a"),
        ("e", "e"), ("\udccc", "\udccc"), ("\udc81", "\udc81"),
        (" ", ""), ("\udcc3", None), ("\udca8", None),
    ]  # fmt: skip


def test_llama_two(tmp_path):
    tokenizer = load(str(write(tmp_path / "tokenizer.json", LLAMA2)))
    assert tokenizer.engine == "native"
    text = "the  quick▁fox 東 <s>x"
    raw, segmentation = text.encode(), segmented(tokenizer, text)
    tokens = segmentation.tokens()
    assert tokens[0].spelled.startswith(b" t")
    assert (tokens[0].start, raw[: tokens[0].end]) == (0, tokens[0].spelled[1:])
    assert [t.start for t in tokens[1:]] == [t.end for t in tokens[:-1]]
    assert tokens[-1].end == len(raw)


UNIGRAM = {
    "type": "Unigram",
    "unk_id": 0,
    "vocab": [["<unk>", 0.0], [MARK, -2.0], ["a", -1.0], ["b", -1.0], [f"{MARK}a", -1.0]],
}


def test_text_that_the_vocabulary_lacks(tmp_path):
    path = write(tmp_path / "tokenizer.json", document(UNIGRAM, None, metaspace("always")))
    tokenizer = load(str(path))
    assert tokenizer.engine == "native"
    segmentation = segmented(tokenizer, "aéüb a東 é")
    assert placed(tokenizer, "aéüb a東 é") == [
        (" a", "a"), ("<unk>", "éü"), ("b", "b"), (" a", " a"), ("<unk>", "東"),
        (" ", " "), ("<unk>", "é"),
    ]  # fmt: skip
    assert segmentation.n_unknown == 3
    assert [t.is_unknown for t in segmentation.tokens()].count(True) == 3
    # Between two of them, what is whose is known of neither.
    assert placed(tokenizer, "béaéb")[1:] == [
        ("b", "b"), ("<unk>", None), ("a", None), ("<unk>", None), ("b", "b"),
    ]  # fmt: skip


def of_library(model: HfDocumentsModel | SentencePieceDocumentsModel) -> Tokenizer:
    return Tokenizer("library", Pretokenizer.of("none"), model, model.library)


def test_words_in_small_letters_by_a_library():
    vocab = {"[UNK]": 0, "hello": 1, "wor": 2, "##ld": 3, "!": 4, "東": 5, "cafe": 6}
    library = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab, unk_token="[UNK]"))
    library.normalizer = tokenizers.normalizers.BertNormalizer()
    library.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer = of_library(HfDocumentsModel(library.to_str()))
    assert placed(tokenizer, "  Hello,  World! 東京 Cafe\u0301 café") == [
        ("hello", "Hello"), ("[UNK]", ","), ("wor", "Wor"), ("ld", "ld"), ("!", "!"),
        ("東", "東"), ("[UNK]", "京"), ("cafe", "Cafe"), ("cafe", "café"),
    ]  # fmt: skip
    assert placed(tokenizer, "") == placed(tokenizer, " ") == []


def test_a_library_that_drops_what_it_lacks():
    # Behind what it drops, the library names places that are too early.
    vocab = {"a": 0, "b": 1, "c": 2, MARK: 3}
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    tokenizer = of_library(HfDocumentsModel(json.dumps(document(model))))
    for text in ("aéa東a", "éaab", "xxaxxbxxcc", "é", "a\u0301a"):
        raw = text.encode()
        wanted = [(i, i + 1) for i, byte in enumerate(raw) if byte in b"abc"]
        assert [(t.start, t.end) for t in segmented(tokenizer, text).tokens()] == wanted


def test_a_library_that_lacks_bytes():
    names = [c for b, c in enumerate(byte_characters()) if b not in (13, 0x9F)]
    model = {"type": "BPE", "vocab": {name: i for i, name in enumerate(names)}, "merges": []}
    tokenizer = of_library(HfDocumentsModel(json.dumps(document(model, None, byte_level()))))
    assert placed(tokenizer, "\rxx\r\nx") == [("x", "x"), ("x", "x"), ("\n", "\n"), ("x", "x")]
    starts = [t.start for t in segmented(tokenizer, "\rxx\r\nx").tokens()]
    assert starts == [1, 2, 4, 5]
    # Of a character that is there in part, nobody can tell which bytes are whose.
    assert placed(tokenizer, "x😀x") == [
        ("x", "x"), ("\udcf0", None), ("\udc98", None), ("\udc80", None), ("x", "x"),
    ]  # fmt: skip


def test_sentencepiece_with_rules_of_its_own():
    written = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(["the cat sat on the mat ½ 1/2"] * 50),
        model_writer=written,
        vocab_size=60,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc_cf",
        minloglevel=2,
    )
    tokenizer = of_library(SentencePieceDocumentsModel(written.getvalue()))
    text = "  The  Cat ½ 東 SAT "
    segmentation = segmented(tokenizer, text)
    assert not segmentation.is_exact
    shown = placed(tokenizer, text)
    assert "".join(part for _, part in shown if part).replace(" ", "") == "TheCat東SAT"
    assert ("<unk>", "東") in [(spelled, part and part.strip()) for spelled, part in shown]
    # The fraction becomes three characters, and the space before it is a part of the first token.
    begin = text.encode().index(" ½".encode())
    assert segmentation.blind.tolist() == [[begin, begin + 3]]


@given(TEXTS)
def test_a_library_says_no_other_place_than_toktk(llama, text):
    native, library = llama
    pairs = zip(segmented(native, text).tokens(), segmented(library, text).tokens(), strict=True)
    for own, other in pairs:
        assert own.spelled == other.spelled
        assert other.start is None or (own.start, own.end) == (other.start, other.end)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """One tokenizer on toktk's engine and on the library's."""
    path = write(tmp_path_factory.mktemp("llama") / "tokenizer.json", LLAMA2)
    loaded = open_tokenizer(str(path), cache=False)
    assert loaded.native is not None
    return loaded.native, loaded.reference


def test_a_lone_surrogate_is_an_error():
    with pytest.raises(FormatError, match="surrogate"):
        of_bytes().show("a\ud800")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", (0, 0)),
        ("two words\n", (10, 2)),
        ("naïve\u00a0e\u0301 x\u2003y", (12, 4)),
        ("東京は", (3, None)),
        ("ภาษาไทย and a few words of English, so many that Thai is no tenth", None),
    ],
)
def test_totals(text, wanted):
    characters, words = totals(text.encode())
    assert characters == len(text)
    if wanted is not None:
        assert (characters, words) == wanted
