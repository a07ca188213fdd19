"""A sweep and a bench of counts give the figures of the text, to the last digit, or say why not."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from counted_texts import CountsAtHand, side_of
from nasty import NASTY_TEXTS
from small_corpora import lines, write_nasty, write_parallel

import toktk
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.corpus.held_out import HeldOut
from toktk.counts.text import HELD_OUT, TRAINING, CountedText, NotCounted
from toktk.errors import CorpusError, TrainingError
from toktk.lab.bench import Bench
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter, Watcher
from toktk.lab.outcome import Outcome
from toktk.lab.plan import BenchPlan, SweepPlan
from toktk.lab.run import carry_out
from toktk.lab.sweep import Sweep
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.report.records import parse_signature
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("home")

CUT = Pretokenizer.of("o200k")
SIZES = (300, 340, 400)


@pytest.fixture(params=["parallel", "nasty"])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> CountsAtHand:
    if request.param == "parallel":
        options = ReaderOptions(group_column="lang", align_column="id")
        corpus = load_corpus(str(write_parallel(tmp_path / "four.jsonl", 300)), options)
    else:
        corpus = load_corpus(str(write_nasty(tmp_path / "nasty.jsonl")), group_column="lang")
    return CountsAtHand(corpus, CUT)


def texts(counts: CountsAtHand) -> tuple[Corpus, Corpus]:
    train, test = (side_of(counts.corpus, counts.held_out, side) for side in (TRAINING, HELD_OUT))
    return train, test


def counted(counts: CountsAtHand) -> tuple[CountedText, CountedText]:
    return CountedText([counts], TRAINING), CountedText([counts], HELD_OUT)


class Told(Watcher):
    """Keeps the remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def sweep(
    train: Corpus, test: Corpus | None, meter: Meter | None = None, **plan: object
) -> Outcome:
    made = SweepPlan(train, test, **{"sizes": SIZES, "trainers": ("bpe",), **plan})  # type: ignore[arg-type]
    experiment = Sweep(made, meter or Meter())
    experiment.prepare()
    return experiment.run()


def assert_same(one: Results | None, other: Results | None) -> None:
    """All is the same but what tells the texts apart."""
    assert one is not None
    assert other is not None
    assert len(one) == len(other) > 0
    for mine, its in zip(one, other, strict=True):
        assert dataclasses.replace(mine, signature="") == dataclasses.replace(its, signature="")
        fields = [parse_signature(record.signature) for record in (mine, its)]
        assert fields[0].pop("corpus") != fields[1].pop("corpus")
        assert fields[0] == fields[1]
    assert one.about == other.about
    assert one.documents is not None
    assert other.documents is not None
    for field in dataclasses.fields(one.documents):
        values = getattr(one.documents, field.name), getattr(other.documents, field.name)
        if field.name in ("tokens", "bits"):
            assert values[0].keys() == values[1].keys()
            assert all(np.array_equal(own, values[1][label]) for label, own in values[0].items())
        else:
            assert np.array_equal(*values)


def test_a_sweep_of_counts_is_that_of_the_text(counts: CountsAtHand) -> None:
    trainers = {"trainers": ("bpe", "unigram"), "inference": ("own", "greedy")}
    of_text, of_counts = sweep(*texts(counts), **trainers), sweep(*counted(counts), **trainers)
    assert_same(of_text.results, of_counts.results)
    assert (
        any(record.low is not None for record in of_counts.results or ()) or "nasty" in counts.name
    )
    signatures = [{n: t.signature for n, t in o.trained.items()} for o in (of_text, of_counts)]
    assert signatures[0] == signatures[1]
    assert of_text.curves is not None
    assert of_text.curves.equals(of_counts.curves)
    for label, own in of_text.token_counts.items():
        assert np.array_equal(own, of_counts.token_counts[label])
    assert of_counts.lines is None
    assert of_counts.described["training"]["groups"] == of_text.described["training"]["groups"]


def test_a_text_to_measure_on_beside_counts(counts: CountsAtHand) -> None:
    other = Corpus.of(lines("en") + lines("de"), groups="other", name="other")
    of_text = sweep(texts(counts)[0], other)
    of_counts = sweep(counted(counts)[0], other)
    assert of_counts.results == of_text.results  # the text that is measured is the same


def test_a_bench_of_counts_is_that_of_the_text(counts: CountsAtHand, tmp_path: Path) -> None:
    train, test = counted(counts)
    (mine,) = toktk.train("bpe", train, [400]).values()
    (other,) = toktk.train("bpe", texts(counts)[0], [400], pretokenizer="gpt2").values()
    specs = []
    for label, tokenizer in (("mine", mine), ("other", other)):
        tokenizer.save(tmp_path / label)
        specs.append(f"{label}={tmp_path / label}")

    def bench(
        corpus: Corpus, specs: list[str], meter: Meter | None = None
    ) -> tuple[Bench, Outcome]:
        experiment = Bench(BenchPlan(tuple(specs), corpus), meter or Meter())
        experiment.prepare()
        return experiment, experiment.run()

    _, of_text = bench(texts(counts)[1], specs[:1])
    _, of_counts = bench(test, specs[:1])
    assert_same(of_text.results, of_counts.results)
    told = Told()
    left, with_other = bench(test, specs, Meter(told))
    assert_same(of_text.results, with_other.results)
    assert [*with_other.failed] == ["other"]
    assert isinstance(left.failed["other"], NotCounted)
    assert any("other is left out" in text for text in told.remarks)
    with pytest.raises(CorpusError, match="was cut by o200k when it was counted"):
        bench(test, specs[1:])
    assert_same(toktk.evaluate([mine], texts(counts)[1]), toktk.evaluate([mine], test))


def test_ngrams_learn_from_the_sampled_documents(tmp_path: Path) -> None:
    corpus = Corpus.of(lines("en", 600), groups="en", name="english")
    train, test = counted(CountsAtHand(corpus, CUT, 0.5))
    outcome = sweep(train, test, measures=Measures(("ngram_bpb",)))
    values = [r.value for r in outcome.results or () if r.metric.startswith("ngram_bpb")]
    assert values
    assert None not in values
    # What it learns from is no text of the training side, nor what it prices.
    own = sweep(texts(CountsAtHand(corpus, CUT, 0.5))[0], test, measures=Measures(("ngram_bpb",)))
    assert values != [r.value for r in own.results or () if r.metric.startswith("ngram_bpb")]


@pytest.mark.parametrize("name", ["hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram"])
def test_trainers_that_read_text_are_refused(name: str) -> None:
    train, test = counted(CountsAtHand(Corpus.of(NASTY_TEXTS), CUT))
    with pytest.raises(TrainingError, match=f"'{name}' reads text") as caught:
        sweep(train, test, trainers=("bpe", name))
    assert caught.value.is_usage
    assert "bpe, unigram" in str(caught.value)


def test_another_cut_is_refused_before_anything_is_read() -> None:
    train, test = counted(CountsAtHand(Corpus.of(NASTY_TEXTS), CUT))
    with pytest.raises(NotCounted, match="not by gpt2") as caught:
        sweep(train, test, pretokenizers=(CUT, Pretokenizer.of("gpt2")))
    assert not caught.value.is_usage
    with pytest.raises(NotCounted, match="was cut by o200k"):
        toktk.train("bpe", train, [300], normal_form="NFC")


def test_the_default_cut_is_that_of_the_count() -> None:
    cut = Pretokenizer.of("gpt2")
    train, _ = counted(CountsAtHand(Corpus.of(NASTY_TEXTS), cut))
    (mine,) = toktk.train("bpe", train, [300]).values()
    assert mine.pretokenizer == cut


def same_ids(one: dict[int, Tokenizer], other: dict[int, Tokenizer]) -> bool:
    return {n: t.signature for n, t in one.items()} == {n: t.signature for n, t in other.items()}


def test_special_tokens() -> None:
    held = Corpus.of(["the cat<s>the hat\n" * 9, "a<s>b", "cats"] * 9, groups="en", name="held")
    train = CountedText([CountsAtHand(held, CUT, 0.0)], TRAINING)
    run = partial(toktk.train, "bpe", sizes=[264], special_tokens=["<s>"])
    with pytest.raises(NotCounted, match="was not cut at <s>"):
        run(train)
    assert same_ids(run(train, split_special=False), run(held, split_special=False))
    # Cut at it, training has what it needs; that it is text is what figures need.
    at_it = dataclasses.replace(CUT, added=("<s>",))
    cut = CountedText([CountsAtHand(held, at_it, 0.0)], TRAINING)
    assert same_ids(run(cut), run(held))
    with pytest.raises(NotCounted, match="was cut at <s>"):
        toktk.evaluate(run(cut).values(), cut)
    absent = partial(toktk.train, "bpe", sizes=[264], special_tokens=["<|endoftext|>"])
    assert same_ids(absent(train), absent(held))


def test_symbols_that_the_count_was_cut_at() -> None:
    text = Corpus.of(["the cat[X]the hat [X]\n" * 9, "ab", "cats"] * 9, groups="en", name="held")
    cut = dataclasses.replace(CUT, added=("[X]",))
    of_counts = CountedText([CountsAtHand(text, cut, 0.0)], TRAINING)
    run = partial(toktk.train, "bpe", sizes=[264], symbols=["[X]"])
    assert same_ids(run(of_counts), run(text))
    tokenizers = [*run(of_counts).values()]
    assert_same(toktk.evaluate(tokenizers, text), toktk.evaluate(tokenizers, of_counts))


def test_what_needs_text_is_said_once(counts: CountsAtHand) -> None:
    told = Told()
    sweep(*counted(counts), Meter(told))
    assert len([text for text in told.remarks if "no text" in text]) == 1


def test_the_run_says_where_its_counts_came_from(counts: CountsAtHand, tmp_path: Path) -> None:
    train, test = counted(counts)
    plan = SweepPlan(train, test, SIZES, ("bpe",))
    run = carry_out(Sweep(plan), tmp_path / "run")
    training, evaluation = run.document["training"], run.document["evaluation"]
    assert training["counts"]["folders"] == ["counts"]
    assert (training["counts"]["side"], evaluation["counts"]["side"]) == (TRAINING, HELD_OUT)
    assert training["fingerprint"] == train.fingerprint != evaluation["fingerprint"]
    assert training["parts"][0]["held_out"] == 0.2
    card = (tmp_path / "run/tokenizers/bpe-300/README.md").read_text("utf-8")
    assert "training side of a count that holds out 0.2" in card
    assert carry_out(Sweep(plan), tmp_path / "run").reused
    with pytest.raises(CorpusError, match="cannot read the held-out text") as caught:
        HeldOut.of(tmp_path / "run")
    assert "its counts were read" in str(caught.value)
