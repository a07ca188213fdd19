"""BPE by scores of pairs: against the fast path, the reference, and Hugging Face's encoding."""

import importlib
import sys

import numpy as np
import pytest
import reference
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from toktk import educational
from toktk.cache import _code_digest
from toktk.errors import ToktkError, TrainingError
from toktk.lab.plan import SweepPlan
from toktk.pretokenizers.patterns import PATTERNS
from toktk.trainers import pair_scores
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.pair_scores import PAIR_SCORES

FORMULAS = {
    "ratio": educational.ratio,
    "count*length": reference.count_times_length,
}


@pytest.fixture(scope="module")
def train(corpus_of):
    def run(documents, sizes, *args, progress=None, **options):
        data = TrainingData(corpus_of(documents), progress=progress)
        return BpeTrainer(*args, **options).train(data, sizes).tokenizers

    return run


@pytest.fixture(scope="module")
def documents(real_texts):
    rows = [text for name, texts in sorted(real_texts.items()) for text in texts[:150]]
    return [(text[:4000], "g", 1 + i % 3) for i, text in enumerate(rows)]


def my_count(pair_count, left_count, right_count, left_length, right_length):
    return pair_count * 1.0


@pytest.mark.parametrize(
    "options", [{}, {"min_frequency": 5, "special_tokens": ("<s>",)}, {"max_token_length": 4}]
)
@pytest.mark.parametrize("pretokenizer", ["o200k", "metaspace"])
def test_a_score_that_equals_the_count_gives_the_merges_of_the_fast_path(
    train, documents, pretokenizer, options
):
    sizes = [2000, 6000]
    fast = train(documents, sizes, pretokenizer, **options)
    scored = train(documents, sizes, pretokenizer, score=my_count, **options)
    assert [one.vocab_size for one in scored] == [one.vocab_size for one in fast]
    assert [one.signature for one in scored] == [one.signature for one in fast]


@pytest.mark.parametrize("name", sorted(FORMULAS))
@pytest.mark.parametrize("floor", [0, 3])
def test_hundreds_of_merges_of_real_text_equal_the_reference(train, real_texts, name, floor):
    texts = [texts[0][:900] for _, texts in sorted(real_texts.items())]
    documents = [(text, "g", 1) for text in texts]
    options = {"min_frequency": floor, "max_token_length": 12}
    expected = educational.train_bpe(
        reference.pieces_of(documents, PATTERNS["gpt2"]), 456, score=FORMULAS[name], **options
    )
    (tokenizer,) = train(documents, [256 + len(expected)], "gpt2", score=name, **options)
    assert tokenizer.model.merges.tolist() == [list(merge[:3]) for merge in expected]


@pytest.mark.parametrize("name", sorted(FORMULAS))
@pytest.mark.parametrize("pretokenizer", ["gpt2", "none"])
def test_nasty_texts_equal_the_reference(train, nasty_texts, name, pretokenizer):
    documents = [(text, "g", i + 1) for i, text in enumerate(nasty_texts) if len(text) < 600]
    pieces = reference.pieces_of(documents, PATTERNS[pretokenizer])
    expected = educational.train_bpe(pieces, 380, score=FORMULAS[name])
    (tokenizer,) = train(documents, [380], pretokenizer, score=name)
    assert tokenizer.model.merges.tolist() == [list(merge[:3]) for merge in expected]


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_huggingface_encodes_alike(train, documents, nasty_texts, tmp_path, name):
    (tokenizer,) = train(
        documents, [3000], "gpt2", score=name, min_frequency=2, special_tokens=("<s>",)
    )
    tokens = tokenizer.model.tokens
    assert len(set(tokens[1:])) == len(tokens) - 1
    tokenizer.save(tmp_path)
    loaded = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*nasty_texts, *(text for text, _, _ in documents[::20])]:
        assert tokenizer.encode(text) == loaded.encode(text).ids


@given(st.sampled_from(["ratio", "count*length"]), st.lists(st.integers(0, 12), min_size=1))
def test_every_size_of_one_training_equals_training_to_it(train, name, more):
    documents = [("low lower lowest aaaa newer\r\nwide 😀😀", "g", 3), ("\0\0 new", "x", 2)]
    sizes = [256 + n for n in more]
    for size, one in zip(sizes, train(documents, sizes, "gpt2", score=name), strict=True):
        (alone,) = train(documents, [size], "gpt2", score=name)
        assert one.vocab_size == alone.vocab_size == size
        assert one.signature == alone.signature


def test_the_ratio_prefers_what_occurs_together_alone(train):
    # "qu" occurs rarely, but q never without u; "th" is frequent, and so are its letters.
    documents = [("that tot hut hat the " * 20 + "quo quit", "g", 1)]
    (tokenizer,) = train(documents, [257], "gpt2", score="ratio", min_frequency=2)
    assert tokenizer.model.tokens[256] == b"qu"
    (tokenizer,) = train(documents, [257], "gpt2", score="ratio", min_frequency=3)
    assert tokenizer.model.tokens[256] != b"qu"


def test_pieces_of_one_letter_count_as_occurrences(train):
    documents = [("ab", "g", 8), ("cd", "g", 9)]
    (tokenizer,) = train(documents, [257], "none", score="ratio")
    assert tokenizer.model.tokens[256] == b"ab"
    (tokenizer,) = train([*documents, ("b", "g", 3)], [257], "none", score="ratio")
    assert tokenizer.model.tokens[256] == b"cd"


def test_counts_of_billions(train):
    # The product of two symbols' counts does not fit 64 bits.
    documents = [("ab", "g", 2**40), ("cd", "g", 2**36), ("ef", "g", 2**44)]
    (tokenizer,) = train(documents, [259], "gpt2", score="ratio")
    assert tokenizer.model.tokens[256:] == [b"cd", b"ab", b"ef"]


def test_progress_adds_up_to_the_largest_size(train):
    steps = []
    options = {"score": "ratio", "progress": steps.append}
    train([("low lower lowest", "g", 5)], [263], "gpt2", **options)
    assert sum(steps) == 263


def test_the_floor_ends_training(train):
    with pytest.raises(TrainingError, match="before no pair that occurs 5 times is left"):
        train([("ab", "g", 4)], [257], "gpt2", score="ratio", min_frequency=5)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (
            lambda n, a, b, k, m: np.full(n.shape, np.nan),
            "Found: nan for a pair that occurs 4 times",
        ),
        (lambda n, a, b, k, m: np.full(n.shape, np.inf), "Found: inf"),
        (lambda n, a, b, k, m: np.full(n.shape, -np.inf), "Found: -inf"),
        (lambda n, a, b, k, m: 1.0, r"Found: float64 of shape \(\) for 1 pairs"),
        (lambda n, a, b, k, m: np.ones(n.size + 1), r"of shape \(2,\) for 1 pairs"),
        (lambda n, a, b, k, m: ["x"] * n.size, "must return one float64"),
        (lambda n, a, b, k, m: n * 1j, "must return one float64"),
        (lambda n, a, b, k, m: None, "must return one float64"),
    ],
)
def test_a_broken_score_is_named(train, broken, found):
    with pytest.raises(TrainingError, match=found) as caught:
        train([("ab", "g", 4)], [257], "gpt2", score=broken)
    assert "the pair score" in str(caught.value)
    assert "is broken" in str(caught.value)


def test_an_unknown_score_is_found_before_any_text_is_read():
    with pytest.raises(ToktkError, match=r"unknown pair score 'ration' \(did you mean 'ratio'\?\)"):
        BpeTrainer("gpt2", score="ration")


def test_whole_numbers_will_do():
    features = np.arange(1, 11).reshape(5, 2)
    scores = pair_scores.scores_of(lambda n, *_: n, "whole", features)
    assert scores.dtype == np.float64
    assert scores.tolist() == [1.0, 2.0]
    assert not np.shares_memory(scores, features)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a score of another package; return the file of its code."""
    info = tmp_path / "odd_scores-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-scores\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[toktk.pair_scores]\nodd = odd_scores:odd\n")
    source = tmp_path / "odd_scores.py"
    source.write_text("def odd(n, a, b, k, m):\n    return n * 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_scores", raising=False)
    importlib.invalidate_caches()
    _code_digest.cache_clear()
    yield source
    _code_digest.cache_clear()


def test_a_score_of_another_package(plugin, train):
    assert PAIR_SCORES.names()["odd"] == "odd-scores 0.3"
    documents = [("low lower lowest", "g", 5)]
    (odd,) = train(documents, [263], "gpt2", score="odd")
    (fast,) = train(documents, [263], "gpt2")
    assert odd.signature == fast.signature


def key_of(corpus, score):
    parameters = {} if score is None else {"score": score}
    plan = SweepPlan(corpus, None, (300,), ("bpe",), parameters=parameters)
    (family,) = plan.families
    return family.key(), plan.describe()


def test_a_sweep_tells_scores_apart(plugin, corpus_of):
    corpus = corpus_of([("low lower", "g", 1)])
    found = [key_of(corpus, score) for score in (None, "ratio", "count*length", "odd")]
    assert len({str(key) for key, _ in found}) == len({str(what) for _, what in found}) == 4
    assert found[3][1]["pair_score"] == "odd-scores 0.3"
    plugin.write_text("def odd(n, a, b, k, m):\n    return n * 2.0\n")
    _code_digest.cache_clear()
    assert key_of(corpus, "odd")[0] != found[3][0]
    assert key_of(corpus, "ratio")[0] == found[1][0]
