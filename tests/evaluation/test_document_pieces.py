"""The tokens of each sampled document: against encoding it by itself."""

from dataclasses import replace

import numpy as np
import pytest
from nasty import NASTY_TEXTS

import toktk
from toktk.corpus import Corpus
from toktk.errors import MetricError
from toktk.evaluation import documents
from toktk.evaluation.base import ChosenPieces, totals_of
from toktk.evaluation.documents import CutDocuments, DocumentPieces
from toktk.evaluation.evaluation import evaluate
from toktk.normalizers.normalizer import Normalizer
from toktk.pieces.counting import count_corpus_many
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import BLOCKS
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

NFC = Normalizer("NFC", marks=True, prefix="always")


def counted(corpus, pretokenizer):
    sample = Sample()
    (table,) = count_corpus_many(corpus, [pretokenizer], beside=[sample])
    totals = totals_of(table)
    cut = CutDocuments.of(sample.finish(), pretokenizer)
    return table, totals, DocumentPieces.of(cut, cut.places(table), totals[1])


def test_threads_add_up_what_one_does(monkeypatch):
    texts = [*NASTY_TEXTS, "", "a lone word", ""]
    corpus = Corpus.of(texts, groups=["xyz"[i % 3] for i in range(len(texts))])
    _, _, pieces = counted(corpus, Pretokenizer.of("o200k"))
    numbers = np.arange(pieces.is_word.size)
    values = [numbers.astype(np.int32), numbers.astype(np.int32) % 7], [1 / (1.0 + numbers)]
    expected = [pieces.sums(of_pieces) for of_pieces in values]
    of_documents = zip(pieces.ends[:-1], pieces.ends[1:], strict=True)
    assert expected[0][0].tolist() == [int(pieces.numbers[a:b].sum()) for a, b in of_documents]
    monkeypatch.setattr(documents, "_SHARE", 1)
    for jobs in (2, 3, 100):
        shared = replace(pieces, jobs=jobs)
        for of_pieces, sums in zip(values, expected, strict=True):
            np.testing.assert_array_equal(shared.sums(of_pieces), sums, strict=True)
            rows = np.arange(0, sums.shape[1], 3)
            np.testing.assert_array_equal(shared.sums(of_pieces, rows), sums[:, rows], strict=True)


def chosen_of(pieces):
    return ChosenPieces(pieces.rows, np.ones(pieces.is_word.size, dtype=np.uint8))


def texts_of(pieces):
    documents = pieces.documents
    spans = zip(documents.offsets[:-1].tolist(), documents.offsets[1:].tolist(), strict=True)
    return [documents.data[a:b].tobytes().decode() for a, b in spans]


@pytest.mark.parametrize(
    ("trainer", "options"),
    [
        ("bpe", {}),
        ("bpe", {"pretokenizer": "o200k", "symbols": ["東京", "the"]}),
        ("unigram", {}),
        ("bpe", {"pretokenizer": "none"}),
    ],
)
def test_equals_encoding_each_document(trainer, options):
    texts = [text for text in NASTY_TEXTS for _ in range(1 + len(text) % 2)]
    corpus = Corpus.of(texts, groups=["xyz"[i % 3] for i in range(len(texts))])
    tokenizers = [*toktk.train(trainer, corpus, sizes=[400, 480], **options).values()]
    pretokenizer = tokenizers[0].pretokenizer
    table, totals, pieces = counted(corpus, pretokenizer)
    models = [tokenizer.model for tokenizer in tokenizers]
    chosen = chosen_of(pieces)
    evaluations = evaluate(table, models, totals=totals, chosen=chosen)
    sizes = [tokenizer.vocab_size for tokenizer in tokenizers]
    found = pieces.quantities([*zip(evaluations, sizes, strict=True)])
    for e, (tokenizer, evaluation) in enumerate(zip(tokenizers, evaluations, strict=True)):
        quantities = {name: own[min(e, len(own) - 1)] for name, own in found.items()}
        encoded = [tokenizer.encode(text) for text in texts_of(pieces)]
        assert quantities["tokens"].tolist() == [*map(len, encoded)]
        counts = evaluation.of_pieces(tokenizer.vocab_size)
        for d, ids in enumerate(encoded):
            numbers = pieces.numbers[pieces.ends[d] : pieces.ends[d + 1]]
            spans = zip(counts.first_of[numbers], counts.tokens[numbers], strict=True)
            assert sorted(ids) == sorted(i for at, n in spans for i in counts.ids[at : at + n])
        weights, group = pieces.documents.copies, pieces.documents.group
        for name in ("tokens", "single_token_words", "lost"):
            sums = np.bincount(group, quantities[name] * weights, minlength=3)
            assert sums.tolist() == getattr(evaluation, name)(tokenizer.vocab_size).tolist()
        for name in ("bytes", "chars", "words", "pieces", "word_pieces"):
            sums = np.bincount(group, quantities[name] * weights, minlength=3)
            assert sums.tolist() == getattr(evaluation, name).tolist()


def test_blocks_have_the_tokens_of_their_document():
    text = "".join(f"{i} naïve 東京\n\n" for i in range(3000))
    corpus = Corpus.of([text, "a b", "c d"], groups=["x", "y", "y"])
    (tokenizer,) = toktk.train("bpe", corpus, sizes=[300]).values()
    table, totals, pieces = counted(corpus, tokenizer.pretokenizer)
    assert pieces.documents.kinds[0] == BLOCKS
    (evaluation,) = evaluate(table, [tokenizer.model], totals=totals, chosen=chosen_of(pieces))
    quantities = pieces.quantities([(evaluation, tokenizer.vocab_size)])
    of_text = pieces.documents.group == 0
    tokens = quantities["tokens"][0, of_text]
    assert tokens.sum() == len(tokenizer.encode(text))
    assert quantities["bytes"][0, of_text].sum() == len(text.encode())
    assert tokens.min() > 0.5 * tokens.max()


def test_documents_of_another_text_are_refused():
    pretokenizer = Pretokenizer.of("gpt2")
    table, _, _ = counted(Corpus.of(["a b c"]), pretokenizer)
    _, _, others = counted(Corpus.of(["a b d"]), pretokenizer)
    with pytest.raises(MetricError, match="lacks"):
        CutDocuments.of(others.documents, pretokenizer).places(table)


@pytest.mark.parametrize(
    "pretokenizer",
    [
        Pretokenizer.of("gpt2"),
        Pretokenizer.of("none"),
        Pretokenizer.of(r"(?<=a)b+|[^b]"),  # the regex library cuts
        Pretokenizer("all", PATTERNS["metaspace"], (r"\p{N}{1,3}",), NFC, ("a", "😀")),
    ],
    ids=["gpt2", "none", "uncompiled", "all"],
)
def test_a_text_is_counted_in_its_documents(pretokenizer):
    texts = [text for text in NASTY_TEXTS for _ in range(1 + len(text) % 3)]
    texts += ["".join(f"{i} naïve 東京\n\n" for i in range(3000))]
    groups = [*("xyz"[i % 3] for i in range(len(texts) - 1)), "in blocks"]
    corpus = Corpus.of(texts, groups=groups, weights=[1 + i % 5 for i in range(len(texts))])
    (table,) = count_corpus_many(corpus, [pretokenizer], beside=[sample := Sample()])
    cut = CutDocuments.of(sample.finish(), pretokenizer)
    own = cut.table(table.totals, table.aligned)
    assert own.to_dict() == table.to_dict()
    assert own.pretokenizer == table.pretokenizer
    assert np.array_equal(own.group_pieces, table.group_pieces)
    places = cut.places(table)
    assert [own.piece(p) for p in range(len(own))] == [table.piece(p) for p in places]


def test_nothing():
    table, _, pieces = counted(Corpus.of([""]), Pretokenizer.of("gpt2"))
    assert pieces.rows.size == len(table) == 0
    assert pieces.plain["bytes"].tolist() == [0]
    cut = CutDocuments.of(pieces.documents, Pretokenizer.of("gpt2"))
    assert len(cut.table(table.totals, table.aligned)) == 0
