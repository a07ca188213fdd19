"""Bytes of tokens against bytes of text: every kind of tokenizer, and each way to get them wrong."""

import numpy as np
import pytest
from every_kind import (
    EXACT,
    GROUPS,
    RANKS,
    bpe,
    hf,
    sentence_pieces,
    tokenizer_of,
    word_pieces,
)
from nasty import NASTY_TEXTS
from public_samples import LLAMA2, REPLACE, added, byte_level, byte_model, document
from rank_samples import RANK_FILES, shipped_ranks
from sample_texts import HELP
from tokenizer_samples import TEXT
from unigram_samples import WORD_LIST, of_characters

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.evaluation import source_bytes
from toktk.evaluation.source_bytes import prove
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.tokens import MARK, SPACE_BY_BYTES, byte_names
from toktk.libraries.tiktoken import TiktokenDocumentsModel
from toktk.loading.token_bytes import doubts
from toktk.models.pairs import PairModel
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.pretokenizer import Pretokenizer

PATTERN_OF = {"cl100k": "cl100k", "o200k": "o200k", "llama3": "llama3", "qwen3": "qwen2"}


def corpus_of(texts, groups=None):
    return Corpus.of(texts, groups=groups)


@pytest.mark.parametrize("kind", EXACT)
def test_the_sum_is_the_text_s(kind):
    texts = [
        text for text in [*NASTY_TEXTS, *TEXT.splitlines(), "<s><|x|>\0<|x|"] if MARK not in text
    ]
    groups = [GROUPS[i % len(GROUPS)] for i in range(len(texts))]
    tokenizer = EXACT[kind]()
    proof = prove(tokenizer, corpus_of(texts, groups), jobs=2)
    assert proof.holds
    assert proof.causes == ()
    assert proof.first is None
    assert proof.groups == tuple(sorted(GROUPS))
    # The slow twin: one document after the other, each token by itself.
    special = set(tokenizer.model.special_tokens)
    for g, group in enumerate(proof.groups):
        own = [text for text, of in zip(texts, groups, strict=True) if of == group]
        spelled = [tokenizer.model.tokens[i] for text in own for i in tokenizer.encode(text)]
        assert proof.token_bytes[g] == sum(map(len, spelled)) == proof.bytes[g]
        assert proof.bytes[g] == sum(len(text.encode()) for text in own)
        assert proof.documents[g] == len(own)
    lengths = tokenizer.token_bytes()
    assert lengths.dtype == np.int32
    assert lengths.size == tokenizer.vocab_size
    for i, token in enumerate(tokenizer.model.tokens):
        assert lengths[i] == (0 if token.decode(errors="replace") in special else len(token))


def test_partial_characters_are_not_three_bytes():
    """Trap 1: to decode an id and encode it again gives U+FFFD, three bytes, for part of a character."""
    tokenizer = bpe()
    lengths = tokenizer.token_bytes()
    decoded = np.array([len(tokenizer.decode([i]).encode()) for i in range(tokenizer.vocab_size)])
    part = tokenizer.model.tokens.index(b"\xe6\x9d")
    assert (decoded[part], lengths[part]) == (3, 2)
    text = "東京 ab"
    ids = tokenizer.encode(text)
    assert lengths[ids].sum() == len(text.encode())
    assert decoded[ids].sum() > len(text.encode())


def test_a_space_without_a_token_of_its_own():
    """Trap 2: three byte tokens spell U+2581, so that a space counts three times."""
    names = ["<unk>", *byte_names(), "a", "b", f"{MARK}a"]
    model = {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}
    model |= {"vocab": {name: i for i, name in enumerate(names)}, "merges": []}
    for tokenizer in (
        sentence_pieces("a", "b", f"{MARK}a", kind=proto.UNIGRAM),
        hf(document(model, REPLACE)),
    ):
        proof = prove(tokenizer, corpus_of(["b b  b", "ab"]))
        assert [(c.what, c.excess) for c in proof.causes] == [(source_bytes.BY_BYTES, 2 * 3)]
        assert SPACE_BY_BYTES in doubts(tokenizer)
    tokenizer = sentence_pieces("a", "b", f"{MARK}a")
    texts = ["a a b", "b b  b", "ab"]
    proof = prove(tokenizer, corpus_of(texts))
    assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
        (source_bytes.BY_BYTES, 2, 2 * 4)
    ]
    assert (proof.bytes.sum(), proof.token_bytes.sum()) == (13, 21)
    assert (proof.first.document, proof.first.byte, proof.first.spelled) == (1, 3, b"\xe2")
    nats = 10.0  # of whatever model: too large a denominator, so too few bits
    wrong, right = (nats / (np.log(2) * n) for n in (21, 13))
    assert wrong < 0.7 * right


def test_special_tokens_count_in_neither_sum():
    """Trap 3: nats of special tokens without bytes to divide by; and trap 10: one more or less of them."""
    for kind in EXACT:
        tokenizer = EXACT[kind]()
        lengths, special = tokenizer.token_bytes(), tokenizer.model.special_tokens
        named = [
            i
            for i, token in enumerate(tokenizer.model.tokens)
            if token.decode(errors="replace") in special
        ]
        assert (lengths[named] == 0).all()
        ids = np.array(tokenizer.encode("the ab\n"))
        nats = np.linspace(1.0, 2.0, ids.size)
        for before in ([], named[:1], named[:1] * 2):
            with_special = np.array([*before, *ids])
            of_model = np.array([*[9.0] * len(before), *nats])
            counted = lengths[with_special] > 0
            assert of_model[counted].sum() == pytest.approx(nats.sum())
            assert lengths[with_special].sum() == 7


def test_a_beginning_of_text_is_not_among_the_ids():
    """Trap 10: what a file's post-processor adds differs between tokenizers; toktk's ids have none of it."""
    special = [added(0, "<s>", True)]
    post = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    }
    value = document(byte_model(), pre_tokenizer=byte_level(), added_tokens=special)
    tokenizer = hf(value, post_processor=post)
    assert 0 not in tokenizer.encode("a <s> b")
    assert prove(tokenizer, corpus_of(["a <s> b", ""])).holds


def test_normal_forms_are_measured_step_by_step():
    """Trap 4: the tokens are those of the changed text, and the bytes are to be the source's."""
    texts = ["e\u0301a", "plain", "", "\u2126 é", "e\u0301"]
    proof = prove(bpe(form="NFC"), corpus_of(texts, ["a", "b", "a", "b", "b"]))
    assert not proof.holds
    assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
        ("the normalizer NFC changes the text", 3, -3)
    ]
    assert proof.groups == ("a", "b")
    assert proof.differing.tolist() == [1, 2]
    assert (proof.token_bytes - proof.bytes).tolist() == [-1, -2]
    assert (proof.first.document, proof.first.group, proof.first.byte) == (1, "a", 0)
    assert doubts(bpe(form="NFC")) == ("the normalizer NFC changes text",)


def test_a_space_in_front_is_one_byte_a_document():
    for tokenizer in (
        tokenizer_of(
            of_characters(WORD_LIST),
            Pretokenizer("x", r"[\s\S]+", normalizer=Normalizer(prefix="always")),
        ),
        sentence_pieces(MARK, "a", "b", f"{MARK}a", prefix=1),
        hf(LLAMA2),
        hf(document(byte_model(), pre_tokenizer=byte_level(add_prefix_space=True))),
    ):
        proof = prove(tokenizer, corpus_of(["ab a", "b", "", "éa"]))
        assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
            (source_bytes.PREFIX, 3, 3)
        ]
        assert (proof.first.document, proof.first.byte) == (1, 0)
        assert "a space is put in front of a text" in doubts(tokenizer)


def test_u2581_is_read_as_a_space():
    own = Pretokenizer("x", r"[\s\S]+", normalizer=Normalizer(marks=True))
    for tokenizer in (
        tokenizer_of(of_characters(WORD_LIST), own),
        sentence_pieces(MARK, "a", f"{MARK}a"),
    ):
        proof = prove(tokenizer, corpus_of([f"a{MARK}a", f"{MARK}{MARK}", "a a"]))
        assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
            (source_bytes.MARKED, 2, -6)
        ]


def test_unknown_and_dropped_text():
    """Trap 4: of a vocabulary that lacks characters nobody can give the bytes by id."""
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
    bert |= {"strip_accents": None, "lowercase": True}
    tokenizer = word_pieces(
        "the",
        "cat",
        "##s",
        "caf",
        "##e",
        normalizer=bert,
        pre_tokenizer={"type": "BertPreTokenizer"},
    )
    lengths = tokenizer.token_bytes()
    assert lengths.tolist() == [0, 0, 0, 3, 3, 1, 3, 1]
    proof = prove(tokenizer, corpus_of(["the", "The cats", "CAFÉ", "the 東", "\x00cat"]))
    by_cause = {c.what: (c.documents, c.excess) for c in proof.causes}
    assert by_cause == {
        source_bytes.DROPPED: (2, -2),
        source_bytes.CHANGED: (1, -1),
        source_bytes.UNKNOWN: (1, -4),
    }
    assert (proof.first.document, proof.first.byte, proof.first.token) == (2, 0, 3)
    told = doubts(tokenizer)
    assert "BertNormalizer changes text" in told
    assert any("BertPreTokenizer drops" in doubt for doubt in told)
    assert any("id 1 stands for text" in doubt for doubt in told)


def test_unknown_characters_of_sentencepiece():
    tokenizer = sentence_pieces(MARK, "a", byte_tokens=False, extra=1, kind=proto.UNIGRAM)
    proof = prove(tokenizer, corpus_of(["a a", "a é a", " a  a "]))
    assert not proof.holds
    assert sum(c.excess for c in proof.causes) == (proof.token_bytes - proof.bytes).sum() == -5
    assert {c.what: c.excess for c in proof.causes} == {
        source_bytes.UNKNOWN: -2,
        source_bytes.DROPPED: -3,
    }
    assert any("extra spaces" in doubt for doubt in doubts(tokenizer))


def test_text_that_merges_into_a_special_token():
    model = TiktokenDocumentsModel(r"[\s\S]+", {**RANKS, b"<e": 398, b"<e>": 399}, {"<t>": 300})
    assert prove(tokenizer_of(model), corpus_of(["a<e>b", "<t>"])).holds
    pairs = PairModel.from_ranks({**RANKS, b"<e": 398, b"<e>": 399}, {"<t>": 300})
    reached = PairModel(
        ("<e>",),
        np.array([399]),
        pairs.data,
        pairs.offsets,
        pairs.pairs,
        pairs.byte_ids,
        False,
        pairs.whole,
    )
    proof = prove(tokenizer_of(reached), corpus_of(["a<e>b", "ab"]))
    assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
        (source_bytes.SPECIAL, 1, -3)
    ]
    assert (proof.first.byte, proof.first.token) == (1, 399)


def test_ends_of_words_are_no_bytes():
    model = {
        "type": "BPE", "vocab": {"a": 0, "b</w>": 1, "ab</w>": 2, "b": 3}, "merges": [["a", "b</w>"]],
        "end_of_word_suffix": "</w>", "unk_token": None,
    }  # fmt: skip
    tokenizer = hf(document(model, pre_tokenizer={"type": "WhitespaceSplit"}))
    assert tokenizer.token_bytes().tolist() == [1, 1, 2, 1]
    proof = prove(tokenizer, corpus_of(["ab", "ab ab"]))
    assert [(c.what, c.documents, c.excess) for c in proof.causes] == [
        (source_bytes.DROPPED, 1, -1)
    ]


def test_weights_and_batches_and_places(tmp_path):
    """Documents count as often as they weigh; the first break is found in whatever batch it is."""
    path = tmp_path / "weighted.csv"
    path.write_text("text,n\nab,5\ne\u0301,3\ne\u0301b,2\n", encoding="utf-8")
    weighted = load_corpus(str(path), ReaderOptions(weight_column="n"))
    proof = prove(bpe(form="NFC"), weighted)
    assert proof.documents.tolist() == [10]
    assert (proof.bytes.tolist(), proof.token_bytes.tolist()) == (
        [5 * 2 + 3 * 3 + 2 * 4],
        [10 + 6 + 6],
    )
    assert [(c.documents, c.excess) for c in proof.causes] == [(5, -5)]
    many = ["ab" * 1_000_000] * 9 + ["x"] * 3 + ["ae\u0301"]
    first = prove(bpe(form="NFC"), corpus_of(many)).first
    assert (first.document, first.byte, first.text) == (13, 1, "e\u0301")


def test_help_pages_add_up_for_shipped_ranks():
    """What quicktok ships of cl100k, o200k, Llama 3 and Qwen 3, on 22 MB of 20 languages."""
    if not HELP.exists() or not RANK_FILES:
        pytest.skip("no help pages, or no quicktok")
    corpus = load_corpus(str(HELP), ReaderOptions(group_column="lang"))
    for name, path in RANK_FILES.items():
        tokenizer = tokenizer_of(PairModel.from_ranks(shipped_ranks(path), {}), PATTERN_OF[name])
        proof = prove(tokenizer, corpus, jobs=2)
        assert proof.holds
        assert proof.bytes.sum() == 22_846_831


def test_a_group_for_each_document():
    texts = [f"e\u0301 {i}" for i in range(20_000)]
    proof = prove(bpe(form="NFC"), corpus_of(texts, [f"g{i:05}" for i in range(20_000)]))
    assert len(proof.groups) == 20_000
    assert proof.differing.sum() == 20_000
    assert (proof.token_bytes - proof.bytes == -1).all()
