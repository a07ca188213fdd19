"""A small tokenizer of every kind that toktk loads."""

from __future__ import annotations

import json

import numpy as np
from pair_samples import ranked
from public_samples import GPT2, added, document
from unigram_samples import WORD_LIST, made, of_bytes, of_characters

from toktk.formats import sentencepiece_proto as proto
from toktk.formats.sentencepiece_proto import encode_field, encode_message
from toktk.formats.tokens import MARK, byte_names
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.libraries.sentencepiece import SentencePieceDocumentsModel
from toktk.libraries.tiktoken import TiktokenDocumentsModel
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel
from toktk.models.vocabulary import packed
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

RANKS = ranked([b" a", b"ab", b"the", b"th", "é".encode(), b"\xe6\x9d", b"\r\n"])
GROUPS = ["x", "\x1b[31m;DROP", "=1+1", "日本"]


def tokenizer_of(model, pretokenizer="none"):
    cut = Pretokenizer.of(pretokenizer) if isinstance(pretokenizer, str) else pretokenizer
    return Tokenizer("made", cut, model)


def hf(value, **steps):
    return tokenizer_of(HfDocumentsModel(json.dumps({**value, **steps})))


def word_pieces(*words, **steps):
    names = ["[PAD]", "[UNK]", "[CLS]", *words]
    model = {
        "type": "WordPiece",
        "vocab": {name: i for i, name in enumerate(names)},
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    }
    special = [added(i, name, True) for i, name in enumerate(names[:3])]
    return hf(document(model, added_tokens=special, **steps))


def sentence_pieces(*pieces, prefix=0, extra=0, byte_tokens=True, kind=proto.BPE):
    """Return the tokenizer of a model of these pieces, written field by field, which the library runs."""
    typed = [("<unk>", 0.0, proto.UNKNOWN), ("<s>", 0.0, proto.CONTROL)]
    if byte_tokens:
        typed += [(name, 0.0, proto.BYTE) for name in byte_names()]
    typed += [(piece, -float(i), proto.NORMAL) for i, piece in enumerate(pieces)]
    parts = [
        encode_message({proto.TEXT: name, proto.SCORE: score, proto.TYPE: of})
        for name, score, of in typed
    ]
    trainer = {proto.MODEL_TYPE: kind, proto.VOCAB_SIZE: len(typed)}
    trainer |= {proto.BYTE_FALLBACK: int(byte_tokens)}
    steps = {proto.NAME: "identity", proto.DUMMY_PREFIX: prefix}
    steps |= {proto.REMOVE_WHITESPACES: extra, proto.ESCAPE: 1}
    raw = b"".join(encode_field(proto.PIECE, part) for part in parts)
    raw += encode_field(proto.TRAINER, encode_message(trainer))
    raw += encode_field(proto.NORMALIZER, encode_message(steps))
    return tokenizer_of(SentencePieceDocumentsModel(raw))


def bpe(special=("<s>",), form=None):
    model = BpeModel(special, np.empty((0, 3), dtype=np.int64))
    ids = {token: i for i, token in enumerate(model.tokens)}
    merges = []
    for left, right in [(b"a", b"b"), (b"ab", b"ab"), (b" ", b"ab"), (b"\xe6", b"\x9d")]:
        ids[left + right] = len(model.tokens) + len(merges)
        merges.append((ids[left], ids[right], ids[left + right]))
    cut = Pretokenizer.of("gpt2")
    if form is not None:
        cut = Pretokenizer(cut.name, cut.pattern, normalizer=Normalizer(form))
    return tokenizer_of(BpeModel(special, np.array(merges, dtype=np.int64)), cut)


def greedy():
    words = [*(bytes([b]) for b in range(256)), b" the", b"the ", "東京".encode()]
    return tokenizer_of(GreedyModel(("<s>",), *packed(words)), "o200k")


def with_symbols():
    inner = bpe(("<s>", "<|x|>", "\0"))
    cut = Pretokenizer.of("gpt2")
    cut = Pretokenizer(cut.name, cut.pattern, added=("<|x|>", "\0"))
    return tokenizer_of(SymbolsModel(inner.model, 2), cut)


EXACT = {
    "bpe": bpe,
    "greedy": greedy,
    "symbols": with_symbols,
    "unigram": lambda: made(of_characters(WORD_LIST)),
    "unigram of bytes": lambda: made(of_bytes(WORD_LIST), "gpt2"),
    "ranks": lambda: tokenizer_of(PairModel.from_ranks(RANKS, {"<e>": 300}), "cl100k"),
    "tiktoken": lambda: tokenizer_of(TiktokenDocumentsModel(r"\w+|\W", RANKS, {"<e>": 300})),
    "byte-level document": lambda: hf(GPT2),
    "sentencepiece": lambda: sentence_pieces(MARK, "a", "b", f"{MARK}a", "é"),
}
"""Tokenizers whose tokens spell every text without U+2581."""
