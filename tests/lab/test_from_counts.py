"""A sweep and a bench of counts give the figures of the text, to the last digit, or say why not."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from counted_texts import CUT, CountedFile, count
from nasty import NASTY_TEXTS
from small_corpora import lines, write_nasty, write_parallel

import toktk
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.corpus.held_out import HeldOut
from toktk.counts.part import HELD_OUT, TRAINING
from toktk.counts.text import CountedText, NotCounted
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

SIZES = (300, 340, 400)


@pytest.fixture(params=["parallel", "nasty", "real"])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> CountedFile:
    if request.param == "parallel":
        options = ReaderOptions(group_column="lang", align_column="id")
        path = write_parallel(tmp_path / "four.jsonl", 300)
        return count(Corpus("four", [load_corpus(str(path), options)]), tmp_path)
    if request.param == "real":
        return count(Corpus("real", [load_corpus("starter:parallel")]), tmp_path)
    path = write_nasty(tmp_path / "source.jsonl")
    return count(Corpus("nasty", [load_corpus(str(path), group_column="lang")]), tmp_path)


def counted(counts: CountedFile) -> tuple[CountedText, CountedText]:
    return CountedText([counts.counts], TRAINING), CountedText([counts.counts], HELD_OUT)


def small(tmp_path: Path, **options: object) -> tuple[CountedText, CountedText]:
    return counted(count(Corpus.of(NASTY_TEXTS), tmp_path, **options))


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


def test_a_sweep_of_counts_is_that_of_the_text(counts: CountedFile) -> None:
    trainers = {"trainers": ("bpe", "unigram"), "inference": ("own", "greedy")}
    of_text, of_counts = sweep(*counts.texts, **trainers), sweep(*counted(counts), **trainers)
    assert_same(of_text.results, of_counts.results)
    with_interval = any(record.low is not None for record in of_counts.results or ())
    assert with_interval == (counts.counts.name == "four.jsonl")  # of the others there are too few
    signatures = [{n: t.signature for n, t in o.trained.items()} for o in (of_text, of_counts)]
    assert signatures[0] == signatures[1]
    assert of_text.curves is not None
    assert of_text.curves.equals(of_counts.curves)
    for label, own in of_text.token_counts.items():
        assert np.array_equal(own, of_counts.token_counts[label])
    assert of_counts.lines is None
    assert of_counts.described["training"]["groups"] == of_text.described["training"]["groups"]


def test_a_text_to_measure_on_beside_counts(counts: CountedFile) -> None:
    other = Corpus.of(lines("en") + lines("de"), groups="other", name="other")
    of_text = sweep(counts.texts[0], other)
    of_counts = sweep(counted(counts)[0], other)
    assert of_counts.results == of_text.results  # the text that is measured is the same


def test_a_bench_of_counts_is_that_of_the_text(counts: CountedFile, tmp_path: Path) -> None:
    train, test = counted(counts)
    (mine,) = toktk.train("bpe", train, [400]).values()
    (other,) = toktk.train("bpe", counts.texts[0], [400], pretokenizer="gpt2").values()
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

    _, of_text = bench(counts.texts[1], specs[:1])
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
    assert_same(toktk.evaluate([mine], counts.texts[1]), toktk.evaluate([mine], test))


def test_ngrams_learn_from_the_sampled_documents(tmp_path: Path) -> None:
    corpus = Corpus.of(lines("en", 600), groups="en", name="english")
    counts = count(corpus, tmp_path, hold_out=0.5)
    train, test = counted(counts)
    outcome = sweep(train, test, measures=Measures(("ngram_bpb",)))
    values = [r.value for r in outcome.results or () if r.metric.startswith("ngram_bpb")]
    assert values
    assert None not in values
    # What it learns from is no text of the training side, nor what it prices.
    own = sweep(counts.text(TRAINING), test, measures=Measures(("ngram_bpb",)))
    assert values != [r.value for r in own.results or () if r.metric.startswith("ngram_bpb")]


@pytest.mark.parametrize("name", ["hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram"])
def test_trainers_that_read_text_are_refused(name: str, tmp_path: Path) -> None:
    train, test = small(tmp_path)
    with pytest.raises(TrainingError, match=f"'{name}' reads text") as caught:
        sweep(train, test, trainers=("bpe", name))
    assert caught.value.is_usage
    assert "bpe, unigram" in str(caught.value)


def test_another_cut_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    train, test = small(tmp_path)
    with pytest.raises(NotCounted, match="not by gpt2") as caught:
        sweep(train, test, pretokenizers=(CUT, Pretokenizer.of("gpt2")))
    assert not caught.value.is_usage
    with pytest.raises(NotCounted, match="was cut by o200k"):
        toktk.train("bpe", train, [300], normal_form="NFC")


def test_the_default_cut_is_that_of_the_count(tmp_path: Path) -> None:
    cut = Pretokenizer.of("gpt2")
    train, _ = small(tmp_path, pretokenizer=cut)
    (mine,) = toktk.train("bpe", train, [300]).values()
    assert mine.pretokenizer == cut


def same_ids(one: dict[int, Tokenizer], other: dict[int, Tokenizer]) -> bool:
    return {n: t.signature for n, t in one.items()} == {n: t.signature for n, t in other.items()}


def test_special_tokens(tmp_path: Path) -> None:
    text = Corpus.of(["the cat<s>the hat\n" * n for n in range(1, 40)], name="text")
    counts = count(text, tmp_path)
    train, held_out = counted(counts)
    run = partial(toktk.train, "bpe", sizes=[264], special_tokens=["<s>"])
    with pytest.raises(NotCounted, match="was not cut at <s>"):
        run(train)
    assert same_ids(
        run(train, split_special=False), run(counts.text(TRAINING), split_special=False)
    )
    absent = partial(toktk.train, "bpe", sizes=[264], special_tokens=["<|endoftext|>"])
    assert same_ids(absent(train), absent(counts.text(TRAINING)))
    # Counted at it, all is there: training without it, and figures of text that it is part of.
    (tmp_path / "special").mkdir()
    counts = count(text, tmp_path / "special", special=["<s>"])
    train, held_out = counted(counts)
    tokenizers = run(train)
    assert same_ids(tokenizers, run(counts.text(TRAINING)))
    plan = {"sizes": (264,), "parameters": {"special_tokens": ["<s>"]}}
    assert_same(sweep(*counts.texts, **plan).results, sweep(train, held_out, **plan).results)
    with pytest.raises(NotCounted, match="was cut at <s>"):
        run(train, sizes=[263], split_special=False)  # not trained yet on this text


def test_symbols_that_the_count_was_cut_at(tmp_path: Path) -> None:
    text = Corpus.of(["the cat[X]the hat [X]\n" * n for n in range(1, 40)], name="text")
    counts = count(text, tmp_path, symbols=["[X]"])
    plan = {"sizes": (264,), "parameters": {"symbols": ["[X]"]}}
    assert_same(sweep(*counts.texts, **plan).results, sweep(*counted(counts), **plan).results)


def test_what_needs_text_is_said_once(counts: CountedFile) -> None:
    told = Told()
    sweep(*counted(counts), Meter(told))
    assert len([text for text in told.remarks if "are not noticed" in text]) == 1


def test_the_run_says_where_its_counts_came_from(counts: CountedFile, tmp_path: Path) -> None:
    train, test = counted(counts)
    plan = SweepPlan(train, test, SIZES, ("bpe",))
    run = carry_out(Sweep(plan), tmp_path / "run")
    training, evaluation = run.document["training"], run.document["evaluation"]
    assert training["counts"]["folders"] == [counts.counts.place.shown]
    assert (training["counts"]["side"], evaluation["counts"]["side"]) == (TRAINING, HELD_OUT)
    assert training["fingerprint"] == train.fingerprint != evaluation["fingerprint"]
    assert training["parts"][0]["counted"]["hold_out"] == 0.2
    card = (tmp_path / "run/tokenizers/bpe-300/README.md").read_text("utf-8")
    assert "training side, 0.2 being held out, of a count: " in card
    assert carry_out(Sweep(plan), tmp_path / "run").reused
    with pytest.raises(CorpusError, match="cannot read the held-out text") as caught:
        HeldOut.of(tmp_path / "run")
    assert "its counts were read" in str(caught.value)
