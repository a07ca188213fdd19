"""Libraries as reference engines: whole documents in, ids out."""

import io
import json

import numpy as np
import pytest
from nasty import NASTY_TEXTS
from public_samples import GPT2, LLAMA2, MARK, SPECIAL, added, document

from toktk.errors import FormatError
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.libraries.sentencepiece import SentencePieceDocumentsModel
from toktk.libraries.tiktoken import TiktokenDocumentsModel
from toktk.models.model import is_storable, model_from_arrays
from toktk.models.vocabulary import packed
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

BYTES = {bytes([b]): 300 - b for b in range(256)}


@pytest.fixture(scope="module")
def proto():
    import sentencepiece

    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat and the hat", "größe 東京"] * 9),
        model_writer=file, vocab_size=300, model_type="bpe", byte_fallback=True,
        user_defined_symbols=["<u>"], minloglevel=2,
    )  # fmt: skip
    return file.getvalue()


@pytest.fixture(scope="module")
def models(proto):
    return {
        HfDocumentsModel: HfDocumentsModel(json.dumps(LLAMA2)),
        TiktokenDocumentsModel: TiktokenDocumentsModel(
            r"\S+|\s", {**BYTES, b"th": 301, b"the": 305}, {"<|end|>": 310}
        ),
        SentencePieceDocumentsModel: SentencePieceDocumentsModel(proto),
    }


KINDS = pytest.mark.parametrize(
    "kind", [HfDocumentsModel, TiktokenDocumentsModel, SentencePieceDocumentsModel]
)


@KINDS
def test_arrays_bring_a_model_back(models, kind):
    model = models[kind]
    assert is_storable(model)
    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = model_from_arrays(model.kind, arrays)
    assert type(again) is kind
    assert again.signature == model.signature
    assert again.is_prefix_of(model)
    assert again.tokens == model.tokens


@KINDS
def test_a_batch_gives_what_one_document_gives(models, kind):
    model = models[kind]
    ids, ends = model.encode_pieces(*packed([text.encode() for text in NASTY_TEXTS]))
    starts = [0, *ends.tolist()]
    assert ids.dtype == np.uint32
    tokenizer = Tokenizer("reference", Pretokenizer.of("none"), model)
    for d, text in enumerate(NASTY_TEXTS):
        assert ids[starts[d] : starts[d + 1]].tolist() == tokenizer.encode(text)
    assert model.encode_pieces(*packed([]))[0].size == 0


@KINDS
def test_tokens_spell_the_text(models, kind):
    model = models[kind]
    assert len(model.tokens) == model.vocab_size
    assert model.special_tokens
    assert {name.encode() for name in model.special_tokens} <= set(model.tokens)
    text = "the cat, größe 東京 <s>\n"
    ids, _ = model.encode_pieces(*packed([text.encode()]))
    spelled = b"".join(model.tokens[i] for i in ids.tolist()).decode()
    assert spelled.removeprefix(" ") == text or kind is SentencePieceDocumentsModel
    assert spelled.strip() == text.strip()


def test_special_tokens_are_text_and_others_are_found():
    names = [*SPECIAL, added(LLAMA2["model"]["vocab"][MARK * 2], MARK * 2)]
    model = HfDocumentsModel(json.dumps({**LLAMA2, "added_tokens": names}))
    assert model.special_tokens == ("<unk>", "<s>", "</s>")
    ids, _ = model.encode_pieces(*packed([f"<s>{MARK * 2}".encode()]))
    assert ids[-1] == LLAMA2["model"]["vocab"][MARK * 2]
    assert not np.isin(ids, [0, 1, 2]).any()


def test_ids_without_a_token_are_empty(models):
    model = models[TiktokenDocumentsModel]
    assert model.vocab_size == 311
    assert model.tokens[302] == b""
    assert model.tokens[305] == b"the"


def test_byte_level_names_are_bytes_again():
    model = HfDocumentsModel(json.dumps(GPT2))
    assert {len(token) for token in model.tokens} >= {0, 1, 2}
    assert {bytes([b]) for b in range(256)} <= set(model.tokens)


def test_refusals_are_errors():
    for text in ("", "{}", "[]", json.dumps({**LLAMA2, "normalizer": {"type": "None"}})):
        with pytest.raises(FormatError, match=r"tokenizers \S+ says"):
            HfDocumentsModel(text)
    with pytest.raises(FormatError, match="SentencePiece"):
        SentencePieceDocumentsModel(b"no model")
    with pytest.raises(FormatError, match="0x20"):
        TiktokenDocumentsModel("a", {t: i for t, i in BYTES.items() if t != b" "}, {})
    with pytest.raises(FormatError, match="twice"):
        TiktokenDocumentsModel("a", BYTES, {"<s>": 45})
    with pytest.raises(FormatError, match=r"tiktoken \S+ says"):
        TiktokenDocumentsModel("(", BYTES, {})
    model = HfDocumentsModel(json.dumps(LLAMA2))
    with pytest.raises(FormatError, match="UTF-8"):
        model.encode_pieces(*packed([b"\xff"]))


def test_a_library_that_aborts_is_an_error():
    """It cuts the bytes of the prefix off the right part of each merge, whether they are there or not."""
    vocab = {token: i for i, token in enumerate(["a", "b", "é", "aé", "##b"])}
    model = {"type": "BPE", "vocab": vocab, "continuing_subword_prefix": " "}
    with pytest.raises(FormatError, match=r"(?s)cannot load.*tokenizers \S+ ended by signal"):
        HfDocumentsModel(json.dumps(document({**model, "merges": ["a é"]})))
    model |= {"continuing_subword_prefix": "##", "merges": [["a", "##b"]]}
    model["vocab"]["ab"] = 5
    assert HfDocumentsModel(json.dumps(document(model))).tokens[4] == b"b"


@pytest.mark.parametrize("name", ["continuing_subword_prefix", "unk_token"])
def test_fields_that_a_model_does_not_have_are_anything(name):
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]], name: 5}
    found = HfDocumentsModel(json.dumps(document(model)))
    assert found.tokens == [b"<unk>", b"a"]
    assert found.unknown_id == 0


def test_pieces_that_are_no_utf8_are_errors(proto):
    at = proto.index(b"the")
    model = SentencePieceDocumentsModel(proto[:at] + b"\xff" + proto[at + 1 :])
    with pytest.raises(FormatError, match=r"SentencePiece model\.\n.* says: piece \d+: .*utf-8"):
        _ = model.tokens


def test_messages_that_are_no_utf8_are_errors(proto):
    names = [b"\xe2\x96\x81the", b"\xe2\x96\x81and"]  # twice the same piece: the library names it
    assert all(name in proto for name in names)
    for name in names:
        proto = proto.replace(name, b"\xff" * 6, 1)
    with pytest.raises(FormatError, match="SentencePiece"):
        SentencePieceDocumentsModel(proto)


@pytest.mark.parametrize("big", [2**22, 2**32, 2**70, -1])
def test_ids_out_of_bounds_are_refused(big):
    for ranks, special in (({**BYTES, b"ab": big}, {}), (BYTES, {"<s>": big})):
        with pytest.raises(FormatError, match="the id"):
            TiktokenDocumentsModel(".", ranks, special)
