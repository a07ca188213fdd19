"""Unigram models by hand and by SentencePiece, and texts that tempt a library to differ."""

from __future__ import annotations

import functools
import io

import numpy as np
from hypothesis import strategies as st
from sample_texts import languages

from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

BYTES = [bytes([b]) for b in range(256)]
SPECIAL = ("<unk>", "<s>")
LETTERS = "ab <0xA>u\n東é😀"
WORD_LIST = dict.fromkeys(LETTERS, -3.0) | {"ab": -4.0, " a": -2.0, "東é": -5.0}

# Few values, so that many paths are equally good; and some that are far from all others.
SCORES = st.sampled_from([-1.0, -2.0, -0.5, -1.0 / 1024, -12.0, -40.25, -199.0])
WORDS = st.dictionaries(
    st.text(LETTERS, min_size=1, max_size=5).filter(lambda word: word not in SPECIAL),
    SCORES,
    max_size=25,
)
TEXTS = st.lists(
    st.sampled_from([*LETTERS, *SPECIAL, "<0x0A>", "<0xFF>", "\0", "ж", "\u0301", "\r\n", "  "]),
    max_size=25,
).map("".join)


def of_characters(words, special_tokens=SPECIAL, **options):
    """Build a model with byte fallback; "<" and " " are tokens."""
    words = {"<": -9.0, " ": -4.0, **words}
    scores = np.array([0.0] * 256 + list(words.values()))
    fallback = np.arange(256) + len(special_tokens)
    tokens = packed([*BYTES, *(word.encode() for word in words)])
    return UnigramModel(tuple(special_tokens), *tokens, scores, fallback, **options)


def of_bytes(words, special_tokens=SPECIAL):
    """Build a byte vocabulary, the bytes in its midst."""
    scores = {word.encode(): score for word, score in words.items()}
    first = dict(list(scores.items())[: len(scores) // 2])
    scores = {**first, **dict.fromkeys(BYTES, -12.0), **scores}
    return UnigramModel(
        tuple(special_tokens), *packed(list(scores)), np.array(list(scores.values()))
    )


def made(model, pretokenizer="metaspace"):
    return Tokenizer("made", Pretokenizer.of(pretokenizer), model)


@functools.cache
def lines():
    """Return (language, text): some 40 lines of each language."""
    return [(name, row) for name, rows in languages().items() for row in rows[:: len(rows) // 40]]


@functools.cache
def trained(vocab_size=4000, **options):
    """Return the bytes of a model that SentencePiece trained; by default one that toktk reads."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text for _, text in lines()]),
        model_writer=written,
        **{
            "vocab_size": vocab_size,
            "model_type": "unigram",
            "byte_fallback": True,
            "normalization_rule_name": "identity",
            "add_dummy_prefix": False,
            "remove_extra_whitespaces": False,
            "hard_vocab_limit": False,
            "num_threads": 1,
            "minloglevel": 2,
            **options,
        },
    )
    return written.getvalue()


def on_grid(model):
    """Return the model with scores as toktk's trainer rounds them."""
    scores = np.round(model.scores * 1024) / 1024
    return UnigramModel(model.special_tokens, model.data, model.offsets, scores, model.fallback)
