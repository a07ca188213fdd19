"""Hugging Face's trainers inside toktk: the library's own results, to the id."""

import contextlib
import json

import numpy as np
import pytest
import tokenizers
from library_corpus import data_of, languages, training_slice
from tokenizers import models, normalizers, pre_tokenizers, trainers

from toktk.errors import TrainingError
from toktk.models.bpe import BpeModel
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.testing import _default_documents
from toktk.trainers import huggingface
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.huggingface import HfBpeTrainer, HfUnigramTrainer, HfWordPieceTrainer

SPECIALS = ("<|endoftext|>", "<|pad|>")
SIZES = {HfBpeTrainer: 3000, HfUnigramTrainer: 2000, HfWordPieceTrainer: 3000}
LEAST = {HfBpeTrainer: 256, HfUnigramTrainer: 257, HfWordPieceTrainer: 512}
ALL = list(SIZES)
TEXTS = [text for text, _ in _default_documents()]


@pytest.fixture
def train(corpus_of):
    def run(trainer, sizes, texts=TEXTS, weight=1):
        data = data_of(corpus_of([(text, "g", weight) for text in texts]))
        trained = trainer.train(data, sizes)
        return trained.tokenizers, trained.available

    return run


@pytest.fixture
def fitted(monkeypatch):
    """The library's files, as trained."""
    found = []
    fit = huggingface._HfTrainer._fit

    def recording(self, *arguments, **options):
        found.append(fit(self, *arguments, **options))
        return found[-1]

    monkeypatch.setattr(huggingface._HfTrainer, "_fit", recording)
    return found


@pytest.mark.parametrize("kind", ALL)
def test_ids_equal_the_library_in_every_language(kind, train, fitted, real_texts):
    sizes = [SIZES[kind]]
    (tokenizer,), _ = train(kind("o200k", SPECIALS), sizes, training_slice(real_texts))
    assert tokenizer.vocab_size == sizes[0]
    library = tokenizers.Tokenizer.from_str(json.dumps(fitted[-1]))
    if kind is HfWordPieceTrainer:  # its alphabet is completed after training
        trained = sorted(library.get_vocab(), key=library.get_vocab().__getitem__)
        names = tokenizer.model.names
        assert set(trained[: sizes[0] - 300]) < set(names)
        library = tokenizers.Tokenizer.from_str(tokenizer.model.document)
    library.encode_special_tokens = True
    for language, texts in languages(real_texts).items():
        for text in texts[60:120] or texts:
            ids = tokenizer.encode(text)
            assert ids == library.encode(text).ids, language
            if kind is not HfWordPieceTrainer or "##" not in text:
                assert tokenizer.decode(ids) == text
                assert library.decode(ids) == text


@pytest.mark.parametrize("options", [{}, {"min_frequency": 2}, {"max_token_length": 5}])
def test_cut_merges_equal_separate_trainings(train, real_texts, options):
    texts = training_slice(real_texts)[::4]
    sizes = [600, 900, 1500]
    together, _ = train(HfBpeTrainer("gpt2", SPECIALS, **options), sizes, texts)
    for size, tokenizer in zip(sizes, together, strict=True):
        (alone,), _ = train(HfBpeTrainer("gpt2", SPECIALS, **options), [size], texts)
        assert tokenizer.vocab_size == alone.vocab_size == size
        assert np.array_equal(tokenizer.model.merges, alone.model.merges)
        assert tokenizer.model.is_prefix_of(together[-1].model)


def test_bpe_is_the_model_of_toktks_own(train, real_texts):
    texts = training_slice(real_texts)[::4]
    (theirs,), _ = train(HfBpeTrainer("cl100k", SPECIALS), [1500], texts)
    (ours,), _ = train(BpeTrainer("cl100k", SPECIALS), [1500], texts)
    assert type(theirs.model) is BpeModel
    assert theirs.signature == ours.signature


@pytest.mark.parametrize("longest", [2, 3, 4, 7])
def test_the_longest_token_has_as_many_bytes_as_asked(train, longest):
    tokens = train(HfBpeTrainer(max_token_length=longest), [400 if longest < 4 else 900])[0][
        0
    ].model.tokens
    assert max(map(len, tokens)) == longest


def test_wordpiece_vocabularies_begin_each_other_and_hold_all_bytes_twice(train):
    made, _ = train(HfWordPieceTrainer(special_tokens=SPECIALS), [514, 600, 700])
    assert [tokenizer.vocab_size for tokenizer in made] == [514, 600, 700]
    names = made[-1].model.names
    assert all(tokenizer.model.names == names[: tokenizer.vocab_size] for tokenizer in made)
    assert sorted(made[0].model.tokens[2:]) == sorted(2 * [bytes([b]) for b in range(256)])
    assert len(made[0].encode("x" * 3000)) == 3000  # no longest word


def library_of(kind, lines, size, normalizer=None):
    """Return what the library makes of lines of text when it is run the ordinary way."""
    model, name = getattr(models, kind.kind), kind.kind.replace("BPE", "Bpe")
    unknown = {"unk_token": "[UNK]"} if kind is HfWordPieceTrainer else {}
    library = tokenizers.Tokenizer(model(**unknown))
    by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    cut = pre_tokenizers.Split(tokenizers.Regex(PATTERNS["gpt2"]), "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence([cut, by_byte])
    if normalizer is not None:
        library.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"vocab_size": size, "initial_alphabet": alphabet, "special_tokens": [*SPECIALS]}
    trainer = getattr(trainers, f"{name}Trainer")(show_progress=False, **options)
    library.train_from_iterator(lines, trainer)
    return library


def skewed():
    """Return lines in which a few words are as frequent as all others together; some in two forms."""
    stems = [
        "token",
        "train",
        "merg",
        "piec",
        "count",
        "text",
        "byte",
        "word",
        "caf\u00e9",
        "cafe\u0301",
    ]
    words = [a + b for a in stems for b in ("", "s", "ing", "ed", "er", "-like", "ization")]
    places = [
        [(i * k * k + k) % len(words) // (1 + (i + k) % 9) for k in range(3, 20)]
        for i in range(300)
    ]
    return [" ".join(words[place] for place in row) for row in places]


@pytest.mark.parametrize("normal_form", [None, "NFD"])
@pytest.mark.parametrize("kind", ALL)
def test_the_vocabulary_is_the_one_that_the_library_learns(kind, normal_form, corpus_of, tmp_path):
    size = LEAST[kind] + (40 if kind is HfUnigramTrainer else 90)
    cut = Pretokenizer("gpt2", PATTERNS["gpt2"], normalizer=Normalizer(normal_form))
    data = data_of(corpus_of([(line, "g", 1) for line in skewed()]))
    (tokenizer,) = kind(cut, SPECIALS).train(data, [size]).tokenizers
    normalizer = getattr(normalizers, normal_form)() if normal_form else None
    library = library_of(kind, skewed(), size, normalizer)
    expected = library.get_vocab()
    (path,) = [path for path in tokenizer.save(tmp_path).files if path.name == "tokenizer.json"]
    saved = tokenizers.Tokenizer.from_file(str(path))
    if kind is HfBpeTrainer:
        assert saved.get_vocab() == expected
    elif kind is HfUnigramTrainer:  # the order among equal scores is left open
        assert saved.get_vocab().keys() == expected.keys()
    else:  # each run of the library decides anew among equally frequent pairs, to the same effect
        counts = [sum(len(t.encode(line).ids) for line in skewed()) for t in (saved, library)]
        assert abs(counts[0] - counts[1]) <= 0.05 * counts[1]
    saved.encode_special_tokens = True
    for line in (*skewed()[:20], "Cafe\u0301 caf\u00e9 \ufb01n \uac00"):
        assert tokenizer.encode(line) == saved.encode(line).ids


def test_unigram_ids_are_the_librarys_order(train, fitted, tmp_path):
    """The library reads a long decimal as a float64 beside the nearest one; both files are read by it."""
    (tokenizer,), _ = train(HfUnigramTrainer(special_tokens=SPECIALS), [400])
    saved = tokenizer.save(tmp_path).files[0].read_text("utf-8")
    ours, theirs = (
        json.loads(tokenizers.Tokenizer.from_str(text).to_str())["model"]["vocab"]
        for text in (saved, json.dumps(fitted[-1]))
    )
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert [name for name, _ in theirs[:2]] == list(tokenizer.model.special_tokens)
    scores = tokenizer.model.scores.tolist()
    assert [score for _, score in theirs[2:]] == scores
    assert [score for _, score in ours[2:]] == scores
    assert len(theirs) == 400


@pytest.mark.parametrize("kind", ALL)
class TestSizes:
    def test_what_cannot_be_reached_is_left_out(self, kind, train):
        made, available = train(kind(), [600, 50_000, 560])
        assert [tokenizer.vocab_size for tokenizer in made] == [600, 560]
        assert 600 <= available < 50_000

    def test_too_small_ones_are_left_out(self, kind, corpus_of):
        data = data_of(corpus_of([(text, "g", 1) for text in TEXTS]))
        trained = kind().train(data, [100, 560])
        assert [tokenizer.vocab_size for tokenizer in trained.tokenizers] == [560]
        assert (trained.least, trained.available) == (LEAST[kind], None)

    def test_none_can_be_reached(self, kind, train):
        with pytest.raises(TrainingError, match=r"cannot reach 60,000 tokens\.\n  Found: tested"):
            train(kind(), [60_000, 70_000])

    @pytest.mark.parametrize("sizes", [[], [256], [100, 200]])
    def test_below_the_alphabet(self, kind, train, sizes):
        if kind is HfBpeTrainer and sizes == [256]:
            assert train(kind(), sizes)[0][0].vocab_size == 256
            sizes = [255]
        with pytest.raises(TrainingError, match="are taken by 0 special tokens and 256 bytes"):
            train(kind(), sizes)

    def test_progress_adds_up(self, kind, corpus_of):
        steps = []
        kind().train(data_of(corpus_of([(t, "g", 1) for t in TEXTS]), steps.append), [600, 560])
        assert sum(steps) == 600

    def test_word_frequencies_are_refused(self, kind, train):
        with pytest.raises(TrainingError, match="this trainer reads running text"):
            train(kind(), [600], weight=7)

    def test_a_special_token_that_text_spells(self, kind, train):
        for name in ("a", "lo") if kind is not HfUnigramTrainer else ("a",):
            with pytest.raises(TrainingError, match="is also an ordinary token"):
                train(kind(special_tokens=(name,)), [600])

    @pytest.mark.parametrize("texts", [["\U00010000" * 40], ["a"], ["", "b" * 3000]])
    def test_text_of_one_document_or_one_letter(self, kind, texts, train):
        with contextlib.suppress(TrainingError):
            made, _ = train(kind(), [520], texts)
            assert made[0].decode(made[0].encode(texts[0])) == texts[0]
            return
        with pytest.raises(TrainingError, match=r"^cannot (reach|train) 520 tokens"):
            train(kind(), [520], texts)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HfBpeTrainer(max_token_length=1), "2 or more"),
        (lambda: HfBpeTrainer(min_frequency=-1), "0 or more"),
        (lambda: HfWordPieceTrainer(min_frequency=-1), "0 or more"),
        (lambda: HfUnigramTrainer(shrinking_factor=1.0), "between 0 and 1"),
        (lambda: HfUnigramTrainer(seed_size=0), "seed_size must be 1"),
        (lambda: HfUnigramTrainer(sub_iterations=0), "sub_iterations must be 1"),
        (lambda: HfUnigramTrainer(special_tokens=("a", "a")), "different from each other"),
        (lambda: HfBpeTrainer(special_tokens=("\ud800",)), "no UTF-8"),
    ],
)
def test_options_that_make_no_sense(make, message):
    with pytest.raises(TrainingError, match=message):
        make()


def test_the_longest_piece_is_named_where_the_library_ends_its_process(train, monkeypatch):
    monkeypatch.setattr(HfUnigramTrainer, "kind", "NoSuchModel")
    with pytest.raises(TrainingError, match="with hf-unigram") as caught:
        train(HfUnigramTrainer(), [300], ["a", "b" * 3000, "c"])
    assert "ended with exit code 1" in str(caught.value)
    assert "; the longest piece has 3,000 bytes, 'bbb" in str(caught.value)
