"""User-defined symbols: one token wherever text holds them, in every trainer, file and figure."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
import tokenizers
from library_corpus import data_of

from toktk.corpus import Corpus
from toktk.errors import FormatError, TrainingError
from toktk.evaluation.evaluation import evaluate
from toktk.formats.files import write_as
from toktk.formats.hf_read import read_tokenizer_json
from toktk.lab.bench import Bench
from toktk.lab.meter import Meter
from toktk.lab.plan import BenchPlan, SweepPlan
from toktk.lab.sweep import Sweep
from toktk.lab.train import train
from toktk.models.model import model_from_arrays
from toktk.models.symbols import SymbolsModel
from toktk.normalizers.normalizer import Normalizer, arises
from toktk.pieces.counting import count_corpus
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.testing import _default_documents
from toktk.tokenizer import Tokenizer
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.huggingface import HfBpeTrainer, HfUnigramTrainer
from toktk.trainers.sentencepiece import SpBpeTrainer, SpUnigramTrainer
from toktk.trainers.unigram import UnigramTrainer

SYMBOLS = ("ab", "abc", "<tool>", "    ", " hi ", "e\u0301t\u0301", "填词", "a,b", '"q"')
SPECIALS = ("<|end|>",)
TEXTS = [
    "the cat sat on the mat ab abc <tool>the cat",
    "abcab hello hi hello <tool><tool> 填词 cats e\u0301t\u0301x",
    'hello world the world    of the cats, a,b "q" 填空 词',
    *[text for text, _ in _default_documents()],
]
NASTY = [
    "", "ab", "abc", "ababc", "aabcc", "xabcx", "<tool><tool>", "<tool", "     ", "        ",
    "a hi hi b", " hi ", "e\u0301t\u0301", "\u00e9t\u0301", "e\u0301t\u0301\u0301", "填词填", "a,bab",
    "the <tool>\n\n cat", '""q""', "na\u00efve\tab\r\n", "ab\u0301", "\u212b\u212aab", "<|end|>ab",
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def data(corpus_of):
    return data_of(corpus_of([(text, "g", 1) for text in TEXTS]))


def check_ids(tokenizer: Tokenizer, library, *others: Tokenizer, exact: bool = True) -> None:
    for text in NASTY + TEXTS:
        ids = tokenizer.encode(text)
        assert ids == library(text), text
        assert tokenizer.encode_batch([text, text])[0].tolist() == 2 * ids
        assert all(other.encode(text) == ids for other in others), text
        assert not exact or tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: BpeTrainer("o200k", SPECIALS, symbols=SYMBOLS),
        lambda: BpeTrainer("gpt2", symbols=SYMBOLS, score="ratio"),
        lambda: UnigramTrainer("o200k", SPECIALS, symbols=SYMBOLS),
        lambda: UnigramTrainer("metaspace", SPECIALS, symbols=SYMBOLS),
        lambda: HfBpeTrainer("o200k", SPECIALS, symbols=SYMBOLS),
        lambda: HfUnigramTrainer("o200k", SPECIALS, symbols=SYMBOLS),
    ],
)
def test_ids_equal_hugging_face_and_the_file_read_again(make, data, tmp_path) -> None:
    trainer = make()
    (tokenizer,) = trainer.train(data, [400]).tokenizers
    first = len(trainer.special_tokens) - len(SYMBOLS)
    assert [tokenizer.encode(symbol) for symbol in SYMBOLS] == [
        [first + i] for i in range(len(SYMBOLS))
    ]
    assert tokenizer.vocab_size == 400
    assert tokenizer.model.special_tokens == trainer.special_tokens[:first]
    path, _ = tokenizer.save(tmp_path).files
    added = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
    assert [(token["content"], token["special"]) for token in added[first:]] == [
        (symbol, False) for symbol in SYMBOLS
    ]
    library = tokenizers.Tokenizer.from_file(str(path))
    library.encode_special_tokens = True
    again = Tokenizer("again", *read_tokenizer_json(path.read_bytes(), path))
    assert again.signature == tokenizer.signature
    check_ids(tokenizer, lambda text: library.encode(text).ids, again)
    # Nothing else is learned from them, or across them.
    others = tokenizer.model.tokens[len(trainer.special_tokens) :]
    assert not any(symbol.encode() in token for token in others for symbol in SYMBOLS)


@pytest.mark.parametrize("kind", [SpBpeTrainer, SpUnigramTrainer])
def test_ids_equal_sentencepiece(kind, data, tmp_path) -> None:
    (tokenizer,) = kind(SPECIALS, symbols=SYMBOLS).train(data, [400]).tokenizers
    assert tokenizer.vocab_size == 400
    (path,) = tokenizer.save(tmp_path).files
    library = sentencepiece.SentencePieceProcessor(str(path))
    assert [tokenizer.encode(symbol) for symbol in SYMBOLS] == [
        [2 + i] for i in range(len(SYMBOLS))
    ]
    assert tokenizer.model.special_tokens == ("<unk>", *SPECIALS)
    check_ids(tokenizer, library.Encode)


@pytest.mark.parametrize("form", ["NFC", "NFKD"])
def test_normal_forms(form, data, tmp_path) -> None:
    cut = replace(Pretokenizer.of("gpt2"), normalizer=Normalizer(form))
    symbols = ("<tool>", "ab 1", "a,b") if form == "NFKD" else ("<tool>", "ab", "abc", "    ")
    (tokenizer,) = BpeTrainer(cut, SPECIALS, symbols=symbols).train(data, [400]).tokenizers
    tokenizer.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    library = tokenizers.Tokenizer.from_file(str(path))
    library.encode_special_tokens = True
    again = Tokenizer("again", *read_tokenizer_json(path.read_bytes(), path))
    check_ids(tokenizer, lambda text: library.encode(text).ids, again, exact=False)
    assert len(tokenizer.encode("\uff41b 1")) > 1  # only NFKD makes it "ab 1", and that is too late


def test_what_a_normal_form_makes() -> None:
    assert not arises("NFC", "tool 词\n\n")
    assert all(arises("NFC", text) for text in ("\u00e9", "K", "e\u0301", "\ud55c"))
    assert all(arises(form, "a") for form in ("NFD", "NFKC", "NFKD"))


@pytest.mark.parametrize("kind", [BpeTrainer, UnigramTrainer])
def test_every_size_is_evaluated_as_it_encodes(kind, data, corpus_of) -> None:
    corpus = corpus_of([(text, f"g{i % 3}", 1 + i % 2) for i, text in enumerate(NASTY + TEXTS)])
    trained = kind(special_tokens=SPECIALS, symbols=SYMBOLS).train(data, [350, 400]).tokenizers
    table = count_corpus(corpus, trained[0].pretokenizer)
    together = evaluate(table, [tokenizer.model for tokenizer in trained])
    if kind is BpeTrainer:
        assert together[0] is together[1]
    for tokenizer, evaluation in zip(trained, together, strict=True):
        counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
        tokens = dict.fromkeys(table.groups, 0)
        for i, text in enumerate(NASTY + TEXTS):
            ids = tokenizer.encode(text)
            np.add.at(counts, ids, 1 + i % 2)
            tokens[f"g{i % 3}"] += len(ids) * (1 + i % 2)
        size = tokenizer.vocab_size
        assert np.array_equal(evaluation.token_counts(size), counts)
        assert evaluation.tokens(size).tolist() == list(tokens.values())
        # A word that is one token is a word piece: "ab" is both, "<tool>" too.
        spelled = [table.piece(p).decode() for p in range(len(table))]
        words = sum(
            int(n)
            for piece, n in zip(spelled, table.counts, strict=True)
            if any(map(str.isalpha, piece)) and len(tokenizer.encode(piece)) == 1
        )
        assert evaluation.single_token_words(size).sum() == words


def test_models_with_other_special_tokens_are_evaluated_side_by_side(data) -> None:
    trained = [
        trainer.train(data, [400]).tokenizers[0]
        for trainer in (BpeTrainer("o200k", s, symbols=SYMBOLS) for s in ((), SPECIALS))
    ]
    table = count_corpus(data.corpus, trained[0].pretokenizer)
    for model, evaluation in zip(
        (t.model for t in trained), evaluate(table, [t.model for t in trained]), strict=True
    ):
        ids, _ = model.encode_pieces(table.data, table.offsets)
        counts = evaluation.token_counts(400)
        assert set(np.flatnonzero(counts).tolist()) == set(ids.tolist())


def test_the_store_brings_the_model_back(data) -> None:
    (tokenizer,) = BpeTrainer(symbols=SYMBOLS).train(data, [400]).tokenizers
    model = model_from_arrays(tokenizer.model.kind, tokenizer.model.to_arrays())
    assert isinstance(model, SymbolsModel)
    assert (model.symbols, model.signature) == (SYMBOLS, tokenizer.model.signature)
    assert model.is_prefix_of(tokenizer.model)


def test_a_sweep_and_a_bench_of_what_it_wrote_agree(tmp_path) -> None:
    corpus = Corpus.of(TEXTS)
    plan = SweepPlan(
        corpus,
        Corpus.of(NASTY + TEXTS[:3]),
        (350, 400),
        ("bpe", "unigram"),
        parameters={"symbols": SYMBOLS},
        inference=("own", "greedy", "fewest", "viterbi"),
    )
    sweep = Sweep(plan, Meter())
    sweep.prepare()
    outcome = sweep.run()
    assert not outcome.failed
    specs = []
    for label, tokenizer in outcome.trained.items():
        tokenizer.save(tmp_path / label)
        specs.append(f"{label}={tmp_path / label}")
    bench = Bench(BenchPlan(tuple(specs), plan.evaluation), Meter())
    bench.prepare()
    benched = bench.run()
    assert {engine for engine, _ in benched.results.about["engines"].values()} == {"native"}

    def figures(results):
        return {
            (r.tokenizer, r.metric, r.group): (r.value, r.n)
            for r in results.records
            if r.tokenizer in outcome.trained
        }

    found, expected = figures(benched.results), figures(outcome.results)
    assert found
    assert found == {key: expected[key] for key in found}
    # Other symbols are another training, and none is as before.
    other = replace(plan, parameters={"symbols": SYMBOLS[:2]})
    assert other.families[0].key() != plan.families[0].key()
    assert other.describe()["parameters"] == {"symbols": SYMBOLS[:2]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": [""]}, "cannot be a symbol"),
        ({"symbols": ["a\ud800"]}, "cannot be a symbol"),
        ({"symbols": ["x" * 1001]}, "cannot be a symbol"),
        ({"symbols": "tool"}, "symbols must be different"),
        ({"symbols": ["tool", "tool"]}, "symbols must be different"),
        ({"symbols": ["tool"], "special_tokens": ["tool"]}, "a special token as well"),
        ({"symbols": ["end"], "special_tokens": ["<|end|>"]}, "'end' cannot be a symbol"),
        ({"symbols": ["a"]}, "a byte's name"),
        ({"symbols": ["tool"], "normal_form": "NFKC"}, "NFKC makes it of other text"),
    ],
)
def test_symbols_that_cannot_be(options, message) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        train("bpe", Corpus.of(TEXTS), [400], **options)
    assert len(caught.value.args) == 3


@pytest.mark.parametrize("symbol", ["\n\n", "\u2581x", "<unk>"])
def test_symbols_that_sentencepiece_cannot_have(symbol) -> None:
    with pytest.raises(TrainingError, match="cannot have the symbol"):
        SpBpeTrainer(symbols=[symbol])


def test_who_cannot_hold_symbols_says_so_before_training() -> None:
    plan = SweepPlan(
        Corpus.of(TEXTS), None, (400,), ("hf-wordpiece",), parameters={"symbols": ["x"]}
    )
    with pytest.raises(TrainingError, match="'hf-wordpiece' takes no symbols"):
        plan.check()
    plan = replace(plan, trainers=("sp-bpe",), inference=("greedy",))
    with pytest.raises(TrainingError, match="its own library looks for"):
        plan.check()


def test_no_tiktoken_file_holds_symbols(data, tmp_path) -> None:
    (tokenizer,) = BpeTrainer(symbols=SYMBOLS).train(data, [400]).tokenizers
    assert "no .tiktoken" in tokenizer.save(tmp_path).notes[0]
    with pytest.raises(FormatError, match="9 symbols, which it would not find"):
        write_as(tokenizer.pretokenizer, tokenizer.model, tmp_path / "mine.tiktoken")


def test_a_greedy_model_has_no_file_where_wordpiece_would_differ(data, tmp_path) -> None:
    from toktk.models.inference import greedy

    (tokenizer,) = BpeTrainer(symbols=("填词Ġ", "ĠĠx")).train(data, [400]).tokenizers
    model = replace(tokenizer.model, model=greedy(tokenizer.model.model))
    with pytest.raises(FormatError, match="WordPiece would take its name"):
        replace(tokenizer, model=model).save(tmp_path)
