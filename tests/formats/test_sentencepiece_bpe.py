"""SentencePiece's BPE models: the same ids in the library, and errors that name the field."""

from __future__ import annotations

import io

import pytest
import sentencepiece
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from pair_samples import encode_documents
from reading import UNREAD, read_file
from tokenizer_samples import TEXT

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import NotNative
from toktk.formats.files import write_as

SYMBOLS = ["[REF]", "[REF", "]x", "\u2581lazy", "語", "a.b*c"]
OPTIONS = {
    "plain": {},
    "as it is": {"add_dummy_prefix": False},
    "symbols": {"user_defined_symbols": SYMBOLS, "control_symbols": ["<ctl>"]},
    "symbols, as it is": {
        "user_defined_symbols": ["[REF]", "[REF", "]x", "語", "a.b*c", "b"],
        "add_dummy_prefix": False,
    },
    "across spaces": {"split_by_whitespace": False},
    "symbols across spaces": {
        "user_defined_symbols": ["a\u2581b", "fox\u2581", "b"],
        "split_digits": True,
    },
}


@pytest.fixture(scope="session", params=OPTIONS)
def model(request, tmp_path_factory):
    """A path, the library's processor and ours."""
    path = tmp_path_factory.mktemp("bpe") / "small.model"
    path.write_bytes(trained(**OPTIONS[request.param]))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return request.param, theirs, read_file(path)


def trained(**options):
    made = io.BytesIO()
    options = {"vocab_size": 560, "byte_fallback": True} | options
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines() * 3),
        model_writer=made,
        model_type="bpe",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.98,
        minloglevel=3,
        **options,
    )
    return made.getvalue()


def test_nasty_texts(model, nasty_texts):
    kind, theirs, ours = model
    texts = [*nasty_texts, *TEXT.splitlines(), TEXT, " ", "  x", "\u2581", "a\u2581b \u2581 c"]
    texts += ["[REF]abc[REF [REF]]x", "the fox  fox lazy lazy[REF]", "語語[REF]", "a.b*cab*c"]
    texts += ["a ba b", "<s></s><unk><ctl>", "<0x41>", "x[REF", "]x]x"]
    assert encode_documents(ours, texts) == [theirs.Encode(text) for text in texts]
    assert ours.vocab_size == theirs.GetPieceSize()
    assert ours.pretokenizer.name == ("none" if "across" in kind else "spaces")
    assert ours.pretokenizer.normalizer.prefix == ("never" if "as it is" in kind else "always")
    for i, token in enumerate(ours.model.tokens):
        name = theirs.IdToPiece(i)
        if theirs.IsByte(i):
            assert token == bytes([int(name[3:5], 16)])
        else:
            assert token.decode() == name.replace("\u2581", " ")


@given(st.lists(st.text(st.sampled_from("the fox lazy  [REF]x語.ab*c0é\u2581\n"), max_size=40)))
@example(["", " ", "  "])
def test_any_text(model, texts):
    _, theirs, ours = model
    assert encode_documents(ours, texts) == [theirs.Encode(text) for text in texts]


def test_written_as_tokenizer_json(model, nasty_texts, tmp_path):
    kind, theirs, ours = model
    path = tmp_path / "written.json"
    if kind in REFUSED:
        with pytest.raises(FormatError, match=REFUSED[kind]):
            write_as(ours.pretokenizer, ours.model, path)
        assert not path.exists()
        return
    write_as(ours.pretokenizer, ours.model, path)
    found = tokenizers.Tokenizer.from_file(str(path))
    found.encode_special_tokens = True
    texts = [*nasty_texts, *TEXT.splitlines(), "[REF]", "x[REF [REF]]x y", " 語語[REF]a.b*cab*cb "]
    expected = theirs.Encode(texts)
    assert [encoded.ids for encoded in found.encode_batch(texts)] == expected
    assert encode_documents(read_file(path), texts) == expected


REFUSED = {
    "symbols": "' lazy', in whose text",
    "symbols across spaces": "'fox ', in whose text",
}


@pytest.mark.parametrize(
    ("symbols", "found"),
    [
        (["[REF]"], r"the text '\[REF\]' begins with the id 259, .* begin with 260 there"),
        (["b"], "the text 'b' begins with the id 259, .* begin with 260 there"),
        (["ab"], r"the text 'ab' begins with the id 259, .* begin with 260 there"),
    ],
)
def test_a_symbol_behind_the_space_in_front(tmp_path, symbols, found):
    pieces = [(c, -9.0, proto.NORMAL) for c in "ac\u2581"]
    pieces += [(name, 0.0, proto.USER_DEFINED) for name in symbols]
    (tmp_path / "x.model").write_bytes(pieces_of(pieces) + settings())
    ours = read_file(tmp_path / "x.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "x.model"))
    assert theirs.Encode(symbols[0]) == [259, 260]
    with pytest.raises(FormatError, match=found):
        write_as(ours.pretokenizer, ours.model, tmp_path / "x.json")


def test_a_special_token_that_hides_a_symbol(tmp_path):
    pieces = [(c, -9.0, proto.NORMAL) for c in "ab\u2581"]
    pieces += [("<s>", 0.0, proto.CONTROL), ("s>a", 0.0, proto.USER_DEFINED)]
    raw = pieces_of(pieces) + settings((), {proto.DUMMY_PREFIX: 0})
    (tmp_path / "x.model").write_bytes(raw)
    ours = read_file(tmp_path / "x.model")
    with pytest.raises(FormatError, match="'s>a', which another can hide"):
        write_as(ours.pretokenizer, ours.model, tmp_path / "x.json")


def pieces_of(found):
    """Build a file of pieces (name, score, type), with all bytes and <unk>."""
    base = [("<unk>", 0.0, proto.UNKNOWN), *((f"<0x{b:02X}>", 0.0, proto.BYTE) for b in range(256))]
    parts = []
    for name, score, kind in [*base, *found]:
        piece = proto.encode_field(proto.TEXT, name) + proto.encode_field(proto.SCORE, score)
        parts.append(proto.encode_field(proto.PIECE, piece + proto.encode_field(proto.TYPE, kind)))
    return b"".join(parts)


def settings(trainer=(), normalizer=()):
    trainer = {proto.MODEL_TYPE: 2, proto.BYTE_FALLBACK: 1} | dict(trainer)
    normalizer = {proto.NAME: "identity", proto.REMOVE_WHITESPACES: 0} | dict(normalizer)
    specs = ((proto.TRAINER, trainer), (proto.NORMALIZER, normalizer))
    return b"".join(
        proto.encode_field(number, b"".join(proto.encode_field(*entry) for entry in spec.items()))
        for number, spec in specs
    )


@given(
    st.lists(
        st.tuples(st.text("ab\u2581", min_size=2, max_size=5), st.integers(-3, 3)),
        max_size=12,
        unique_by=lambda piece: piece[0],
    ),
    st.lists(st.text("abc ", max_size=30), max_size=5),
)
def test_any_scores(tmp_path_factory, words, texts):
    if not FOLDER:
        FOLDER.append(tmp_path_factory.mktemp("scores"))
    path = FOLDER[0] / "made.model"
    found = [(c, -9.0, proto.NORMAL) for c in "ab\u2581"]
    found += [(word, float(score), proto.NORMAL) for word, score in words]
    path.write_bytes(pieces_of(found) + settings())
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    expected = [theirs.Encode(text) for text in texts]
    assert encode_documents(read_file(path), texts) == expected


FOLDER = []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\xff", "the file"),
        (settings(), "no piece <0x00>"),
        (pieces_of([]) + settings({proto.MODEL_TYPE: 3}), "model_type word"),
        (settings({proto.MODEL_TYPE: b"bpe"}), "trainer_spec.model_type"),
        (pieces_of([]) + settings({proto.BYTE_FALLBACK: 0}), "byte_fallback"),
        (pieces_of([]) + settings({proto.SUFFIX: 1}), "treat_whitespace_as_suffix"),
        (pieces_of([]) + settings((), {proto.REMOVE_WHITESPACES: 1}), "remove_extra_whitespaces"),
        (pieces_of([]) + settings((), {proto.ESCAPE: 0}), "escape_whitespaces"),
        (pieces_of([]) + settings((), {proto.CHARSMAP: b"x"}), "precompiled_charsmap"),
        (pieces_of([("ab", 0.0, proto.NORMAL)]) + settings(), "no token by itself"),
        (pieces_of([("a", float("nan"), proto.NORMAL)]) + settings(), "no number"),
        (pieces_of([("a", 0.0, 5)]) + settings(), "UNUSED"),
        (pieces_of([("a", 0.0, 9)]) + settings(), r"pieces\[257\].type"),
        (pieces_of([("a", 0.0, 1), ("a", 0.0, 1)]) + settings(), "once more"),
        (pieces_of([("a b", 0.0, 1)]) + settings(), "U.2581"),
        (pieces_of([("x", 0.0, proto.CONTROL)]) + settings(), "of one character"),
        (pieces_of([("<0xZZ>", 0.0, proto.BYTE)]) + settings(), "<0x00> to <0xFF>"),
        (pieces_of([("", 0.0, 1)]) + settings(), r"pieces\[257\]"),
        (pieces_of([]) + proto.encode_field(proto.PIECE, b"\x0a\x02\xff\xfe") + settings(), "257"),
        (pieces_of([]) + proto.encode_field(proto.PIECE, 7) + settings(), r"pieces\[257\]"),
        ((pieces_of([]) + settings())[:-3], "the file|spec"),
    ],
)
def test_damaged_or_of_another_kind(tmp_path, raw, message):
    path = tmp_path / "x.model"
    path.write_bytes(raw)
    with pytest.raises(UNREAD, match=message) as caught:
        read_file(path, "sentencepiece")
    assert str(path) in str(caught.value) or isinstance(caught.value, NotNative)


def test_missing(tmp_path):
    with pytest.raises(FormatError, match="No such file"):
        read_file(tmp_path / "none.model")
