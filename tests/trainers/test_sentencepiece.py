"""SentencePiece's trainers inside toktk: the library's own results, from documents and weights."""

import contextlib
import io

import pytest
import sentencepiece
from library_corpus import data_of, languages, training_slice

from toktk.errors import TrainingError
from toktk.testing import _default_documents
from toktk.trainers.sentencepiece import SpBpeTrainer, SpUnigramTrainer

SPECIALS = ("<pad>", "a,b", "東")
ALL = [SpBpeTrainer, SpUnigramTrainer]
TEXTS = [text for text, _ in _default_documents()]


@pytest.fixture
def train(corpus_of):
    def run(trainer, sizes, texts=TEXTS, weights=1):
        weights = [weights] * len(texts) if isinstance(weights, int) else weights
        data = data_of(corpus_of([(t, "g", w) for t, w in zip(texts, weights, strict=True)]))
        trained = trainer.train(data, sizes)
        return trained.tokenizers, trained.available

    return run


@pytest.mark.parametrize("kind", ALL)
def test_ids_equal_the_library_in_every_language(kind, train, real_texts, tmp_path):
    (tokenizer,), _ = train(kind(SPECIALS), [6000], training_slice(real_texts))
    assert tokenizer.vocab_size == 6000
    assert tokenizer.model.special_tokens == ("<unk>", *SPECIALS)
    (path,) = tokenizer.save(tmp_path).files
    library = sentencepiece.SentencePieceProcessor(str(path))
    for language, texts in languages(real_texts).items():
        for text in (*texts[60:160], "\n".join(texts)):
            ids = tokenizer.encode(text)
            assert ids == library.Encode(text), language
            assert tokenizer.decode(ids) == text.replace("\u2581", " ") == library.Decode(ids)


@pytest.mark.parametrize("kind", ALL)
def test_nasty_texts_round_trip(kind, train, nasty_texts):
    (tokenizer,), _ = train(kind(character_coverage=0.98), [600], [*TEXTS, *nasty_texts])
    for text in nasty_texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert 0 not in ids  # <unk> is never used


def library(kind, lines, size, **options):
    """Return what the library learns from lines of text when it is run the ordinary way."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=file,
        model_type=kind.model_type,
        vocab_size=size,
        byte_fallback=True,
        bos_id=-1,
        eos_id=-1,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        max_sentence_length=2**30,
        num_threads=16,
        minloglevel=4,
        **options,
    )
    return pieces_of(model_proto=file.getvalue())


def pieces_of(**file):
    model = sentencepiece.SentencePieceProcessor(**file)
    return [(model.IdToPiece(i), model.GetScore(i)) for i in range(model.GetPieceSize())]


def written(tokenizer, folder):
    (path,) = tokenizer.save(folder).files
    return pieces_of(model_file=str(path))


def skewed(n=400):
    """Return lines in which a few words are as frequent as all others together, and tabs."""
    stems = ["token", "train", "merge", "piece", "count", "text", "byte", "word"]
    ends = ["", "s", "ing", "ed", "er", "\tthe", "-like", "ization"]
    words = [a + b for a in stems for b in ends]
    return [
        " ".join(words[(i * k * k + k) % len(words) // (1 + (i + k) % 9)] for k in range(3, 20))
        for i in range(n)
    ]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [340, 390])
def test_pieces_and_scores_are_those_that_the_library_learns_from_the_text(
    kind, size, train, real_texts, tmp_path
):
    real = [" ".join(text.split("\n")) for text in real_texts["en"][:80]]
    for lines in (skewed(), [f"{line}\r\n" for line in skewed()], real):
        (tokenizer,), _ = train(kind(), [size], lines)
        assert written(tokenizer, tmp_path) == library(kind, lines, size)


@pytest.mark.parametrize("kind", ALL)
def test_a_weight_is_as_good_as_so_many_documents_in_a_row(kind, train, tmp_path):
    lines, weights = skewed(100), [1 + i % 5 for i in range(100)]
    (weighted,), _ = train(kind(), [330], lines, weights)
    repeated = [line for line, n in zip(lines, weights, strict=True) for _ in range(n)]
    assert written(weighted, tmp_path) == library(kind, repeated, 330)


def test_order_of_documents_does_not_matter_to_bpe(train):
    (one,), (other,) = (train(SpBpeTrainer(), [400], texts)[0] for texts in (TEXTS, TEXTS[::-1]))
    assert one.signature == other.signature


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("character", ["\0", "\x1f", "\U00100009", "\u2581", "\u2585"])
def test_what_the_input_cannot_carry_is_left_out_of_the_training(kind, character, train):
    texts = [f"{text} left{character}right" for text in TEXTS]
    (tokenizer,), _ = train(kind(), [600], texts)
    mark = b" " if character == "\u2581" else character.encode()
    assert not [t for t in tokenizer.model.tokens if mark in t[1:]]
    if kind is SpBpeTrainer:
        assert {b" left", b"right"} <= set(tokenizer.model.tokens) or mark == b" "
    back = tokenizer.decode(tokenizer.encode(texts[0]))
    assert back == texts[0].replace("\u2581", " ")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x85", "\u2028", "\x0b"])
def test_line_ends_are_text_like_any_other(kind, character, train):
    (tokenizer,), _ = train(kind(), [600], [f"{text} left{character}right" for text in TEXTS])
    assert character.encode() in tokenizer.model.tokens
    if kind is SpBpeTrainer:
        assert f" left{character}right".encode() in tokenizer.model.tokens


@pytest.mark.parametrize("kind", ALL)
class TestSizes:
    def test_what_cannot_be_reached_is_left_out(self, kind, train, capfd):
        made, available = train(kind(), [400, 50_000, 330])
        assert [tokenizer.vocab_size for tokenizer in made] == [400, 330]
        assert 400 <= available < 50_000
        assert capfd.readouterr() == ("", "")  # the library's log is silent
        again, _ = train(kind(), [available])
        assert again[0].vocab_size == available

    def test_a_size_beyond_all_text_costs_no_time(self, kind, train):
        made, available = train(kind(), [330, 2**31 - 1])
        assert len(made) == 1
        assert available == train(kind(), [330, 50_000])[1]

    def test_none_can_be_reached(self, kind, train):
        with pytest.raises(TrainingError, match=r"cannot reach 60,000 tokens\.\n  Found: tested"):
            train(kind(), [60_000, 70_000])

    @pytest.mark.parametrize("sizes", [[], [257], [100, 200]])
    def test_below_the_alphabet(self, kind, train, sizes):
        with pytest.raises(TrainingError, match="are taken by <unk>, 0 special tokens"):
            train(kind(), sizes)

    def test_too_small_ones_are_left_out(self, kind, corpus_of):
        data = data_of(corpus_of([(text, "g", 1) for text in TEXTS]))
        trained = kind().train(data, [100, 270, 400, 50_000])
        assert [tokenizer.vocab_size for tokenizer in trained.tokenizers] == [400]
        assert 270 < trained.least <= 400 <= trained.available
        assert kind().train(data, [400]).least is None
        assert kind().train(data, [trained.least, 400]).least in (None, trained.least)
        with pytest.raises(TrainingError, match="-O sp-"):
            kind().train(data, [270])

    def test_below_the_characters(self, kind, train, capfd):
        with pytest.raises(TrainingError, match=r"make up 99\.95% of tested") as caught:
            train(kind(), [260])
        assert "src/" not in str(caught.value)
        assert capfd.readouterr() == ("", "")

    def test_progress_adds_up(self, kind, corpus_of):
        steps = []
        kind().train(data_of(corpus_of([(t, "g", 1) for t in TEXTS]), steps.append), [400, 330])
        assert sum(steps) == 400

    @pytest.mark.parametrize(
        "texts", [["\U00010000" * 40], ["a"], ["", "b" * 3000], ["\0"], ["\t"], [" "], ["\n"]]
    )
    def test_text_of_one_document_or_one_letter(self, kind, texts, train):
        with contextlib.suppress(TrainingError):
            made, _ = train(kind(), [260], texts)
            assert made[0].decode(made[0].encode(texts[0])) == texts[0]
            return
        with pytest.raises(TrainingError, match=r"^cannot (reach|train) 260 tokens"):
            train(kind(), [260], texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_coverage": 0.5}, "must be 0.98 to 1"),
        ({"max_token_chars": 0}, "must be 1 to 512"),
        ({"special_tokens": ("<unk>",)}, "cannot have the special token '<unk>'"),
        ({"special_tokens": ("<0x41>",)}, "cannot have the special token"),
        ({"special_tokens": ("a b",)}, "cannot have the special token"),
        ({"special_tokens": ("",)}, "not empty"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(TrainingError, match=message):
        SpBpeTrainer(**options)


def test_why_there_is_no_pretokenizer_is_said(corpus_of):
    from toktk.lab.plan import SweepPlan
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    corpus = corpus_of([("a", "g", 1)])
    cut = (Pretokenizer.of("gpt2"),)
    plan = SweepPlan(corpus, None, (500,), trainers=("sp-bpe",), pretokenizers=cut)
    with pytest.raises(TrainingError, match=r"no pretokenizer\.\n  It cuts text at spaces alone"):
        plan.check()
