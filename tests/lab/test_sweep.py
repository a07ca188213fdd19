"""The sweep as a library: one pass gives what separate trainings and measurements give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_corpora import LINES, lines, write_nasty, write_parallel

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.errors import CorpusError, MetricError, ToktkError, TrainingError
from toktk.evaluation.evaluation import evaluate
from toktk.lab.counted_corpus import CountedCorpus
from toktk.lab.family import FamilyFigures
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.lab.outcome import Outcome
from toktk.lab.plan import SweepPlan
from toktk.lab.reading import Reading
from toktk.lab.sweep import Sweep
from toktk.lab.train import Training
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pieces.counting import count_corpus
from toktk.pieces.table import POOLED
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

SIZES = (300, 340, 400)


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    options = ReaderOptions(group_column="lang", align_column="id")
    return load_corpus(str(write_parallel(tmp_path / "four.jsonl")), options)


@pytest.fixture
def plan(corpus: Corpus) -> SweepPlan:
    train, test = corpus.split(0.2)
    return SweepPlan(train, test, SIZES, ("bpe",))


def sweep(plan: SweepPlan, meter: Meter | None = None) -> Outcome:
    plan.check()
    return Sweep(plan, meter or Meter()).run()


def steps(meter: Meter) -> list[tuple[str, bool]]:
    return [(cost.step, cost.reused) for cost in meter.costs]


def test_both_sides_of_a_hold_out_are_counted_in_one_reading(
    plan: SweepPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    batches = Corpus._all

    def counted(corpus: Corpus, progress: Callable[[int], None] = lambda n: None) -> Iterator[Any]:
        read.append(corpus.name)
        return batches(corpus, progress)

    plan.evaluation.look_over()  # type: ignore[union-attr]
    monkeypatch.setattr(Corpus, "_all", counted)
    meter = Meter()
    sweep(plan, meter)
    assert [step for step, _ in steps(meter)].count("count") == 1
    assert read.count(plan.evaluation.name) + read.count(plan.training.name) == 1  # type: ignore[union-attr]


def test_every_size_is_what_training_and_measuring_it_alone_gives(plan: SweepPlan) -> None:
    result = sweep(plan)
    assert list(result.trained) == ["bpe-300", "bpe-340", "bpe-400"]
    train, test = plan.training, plan.evaluation
    assert test is not None
    for size in SIZES:
        trainer = BpeTrainer("o200k")
        (alone,) = trainer.train(TrainingData(train), [size]).tokenizers
        assert result.trained[f"bpe-{size}"].signature == alone.signature
        (evaluation,) = evaluate(count_corpus(test, trainer.pretokenizer), [alone.model])
        counts = evaluation.tokens(size)
        found = {
            record.group: record.value
            for record in result.results
            if record.metric == "tokens" and record.size == size
        }
        assert found.pop(POOLED) == counts.sum()
        assert list(found.values()) == counts.tolist()
        # And what the tokenizer itself says, text by text.
        texts = [t for batch in test.batches() for t in batch.column(0).to_pylist()]
        assert counts.sum() == sum(map(alone.count, texts))


def test_records_say_what_they_depend_on(plan: SweepPlan) -> None:
    result = sweep(plan)
    (record,) = (
        r for r in result.results if r.metric == "parity[en]|max" and r.tokenizer == "bpe-400"
    )
    assert (record.trainer, record.pretokenizer, record.size) == ("bpe", "o200k", 400)
    assert record.note in ("de", "ru", "ja")
    tok = result.trained["bpe-400"].signature[:8]
    assert f"|tok:{tok}|" in record.signature
    assert f"|corpus:{plan.evaluation.fingerprint[:8]}|" in record.signature  # type: ignore[union-attr]
    assert "|agg:max" in record.signature


def test_curves_hold_every_group_and_all_sizes_asked_for(plan: SweepPlan) -> None:
    result = sweep(plan)
    curves = result.curves.to_pydict()
    assert set(curves["tokenizer"]) == {"bpe"}
    assert set(curves["group"]) == {POOLED, "de", "en", "ja", "ru"}
    assert set(SIZES) <= set(curves["size"])
    assert min(curves["size"]) == 256
    tokens = {
        (group, size): n
        for group, size, n in zip(curves["group"], curves["size"], curves["tokens"], strict=True)
    }
    for record in result.results:
        if record.metric == "tokens":
            assert tokens[record.group, record.size] == record.value
    english = [tokens["en", size] for size in sorted({s for g, s in tokens if g == "en"})]
    assert (np.diff(english) <= 0).all()


def test_a_second_sweep_reuses_and_finds_the_same(plan: SweepPlan) -> None:
    first, second, third = Meter(), Meter(), Meter()
    one = sweep(plan, first)
    two = sweep(plan, second)
    assert not any(reused for _, reused in steps(first))
    assert steps(second) == [("train", True), ("measure", True)]
    assert one.results == two.results
    assert one.curves == two.curves
    assert one.described == two.described
    assert {k: v.signature for k, v in one.trained.items()} == {
        k: v.signature for k, v in two.trained.items()
    }
    forced = sweep(dataclasses.replace(plan, force=True), third)
    assert not any(reused for _, reused in steps(third))
    assert forced.results == one.results


def test_what_was_counted_survives_an_interruption(
    plan: SweepPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("toktk.trainers.bpe.BpeTrainer.train", stop)
        with pytest.raises(KeyboardInterrupt):
            sweep(plan)
    meter = Meter()
    sweep(plan, meter)
    assert [reused for step, reused in steps(meter) if step == "count"] == [True, True]


@pytest.mark.parametrize("kind", ["pieces", "training", "figures"])
def test_one_lost_cell_costs_one_step(plan: SweepPlan, home: Path, kind: str) -> None:
    expected = sweep(plan)
    for folder in (home / "cells" / kind).iterdir():
        (folder / "about.json").write_text("{}")
    meter = Meter()
    found = sweep(plan, meter)
    assert found.results == expected.results
    made = {step for step, reused in steps(meter) if not reused}
    expected_steps = {"pieces": set(), "training": {"train"}, "figures": {"measure", "intervals"}}
    assert made == expected_steps[kind]


def test_threads_and_other_metrics(plan: SweepPlan) -> None:
    expected = sweep(plan)
    meter = Meter()
    few = sweep(dataclasses.replace(plan, jobs=3, measures=Measures(("bytes_per_token",))), meter)
    assert ("train", True) in steps(meter)
    assert few.results.records == tuple(
        r for r in expected.results if r.metric == "bytes_per_token"
    )
    forced = sweep(dataclasses.replace(plan, jobs=3, force=True))
    assert forced.results == expected.results


def test_several_pretokenizers_have_their_name_in_the_label(plan: SweepPlan) -> None:
    both = (Pretokenizer.of("gpt2"), Pretokenizer.of("o200k"))
    result = sweep(dataclasses.replace(plan, pretokenizers=both, sizes=(300,)))
    assert list(result.trained) == ["bpe-gpt2-300", "bpe-o200k-300"]
    assert {r.tokenizer for r in result.results} == set(result.trained)


@pytest.mark.parametrize("name", ["o200k", "O200K"])
def test_two_tokenizers_of_one_label_are_refused(plan: SweepPlan, name: str) -> None:
    cuts = (Pretokenizer.of("o200k"), Pretokenizer(name, r"\S+|\s+"))
    with pytest.raises(TrainingError, match="two tokenizers would be called"):
        sweep(dataclasses.replace(plan, pretokenizers=cuts))
    with pytest.raises(TrainingError, match="more than 200"):
        sweep(dataclasses.replace(plan, pretokenizers=(cuts[0], Pretokenizer("x" * 200, "a"))))


def test_nasty_text_and_a_pattern_that_does_not_compile(tmp_path: Path) -> None:
    options = ReaderOptions(group_column="lang")
    nasty = load_corpus(str(write_nasty(tmp_path / "nasty.jsonl")), options)
    remarks: list[str] = []
    meter = Meter()
    meter.watcher.remark = remarks.append  # type: ignore[method-assign]
    backwards = Pretokenizer("backwards", r"(?<=a)b+|\S+|\s+")
    result = sweep(SweepPlan(nasty, nasty, (256, 280), ("bpe",), pretokenizers=(backwards,)), meter)
    assert sum("regex library" in remark for remark in remarks) == 1
    (total,) = (
        r for r in result.results if r.metric == "tokens" and r.size == 256 and r.group == POOLED
    )
    (data,) = (
        r for r in result.results if r.metric == "bytes" and r.size == 256 and r.group == POOLED
    )
    assert total.value == data.value  # 256 ids are the bytes
    # Not parallel: what needs parallel text is left out.
    assert not any(r.metric.startswith(("parity", "gini")) for r in result.results)


def test_sizes_out_of_reach_are_left_out_and_named(plan: SweepPlan) -> None:
    result = sweep(dataclasses.replace(plan, sizes=(300, 900_000)))
    assert list(result.trained) == ["bpe-300"]
    (missing,) = result.described["unreached"]
    assert missing["sizes"] == [900_000]
    data = TrainingData(plan.training)
    with pytest.raises(TrainingError) as error:
        BpeTrainer("o200k").train(data, [900_000])
    assert f"gives {missing['available']:,} before" in str(error.value)
    again = sweep(dataclasses.replace(plan, sizes=(300, 900_000)))
    assert again.described == result.described
    with pytest.raises(TrainingError, match="cannot reach 900,000"):
        sweep(dataclasses.replace(plan, sizes=(900_000,)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sizes": ()}, TrainingError, "at least one size"),
        ({"sizes": (100, 200)}, TrainingError, "cannot train 200"),
        ({"parameters": {"depth": 3}}, TrainingError, "takes no depth"),
        ({"measures": Measures(reference="xx")}, MetricError, "no reference group 'xx'"),
        ({"parameters": {"special_tokens": ["a", "a"]}}, TrainingError, "different"),
    ],
)
def test_impossible_plans(plan: SweepPlan, change, error, message) -> None:
    with pytest.raises(error, match=message):
        sweep(dataclasses.replace(plan, **change))


def test_a_metric_asked_for_by_name_must_apply(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a cat and a hat and a bat\n" * 9)
    corpus = load_corpus(str(text))
    with pytest.raises(MetricError, match="needs parallel text"):
        sweep(SweepPlan(corpus, corpus, (260,), ("bpe",), measures=Measures(("parity",))))
    with pytest.raises(MetricError, match="needs parallel text"):
        sweep(SweepPlan(corpus, corpus, (260,), ("bpe",), measures=Measures(reference="en")))
    assert len(sweep(SweepPlan(corpus, corpus, (260,), ("bpe",))).results)


def test_a_group_called_all_is_refused(tmp_path: Path) -> None:
    for name in ("all", "en"):
        (tmp_path / f"{name}.txt").write_text("a cat and a hat and a bat\n" * 9)
    corpus = load_corpus(str(tmp_path / "*.txt"))
    with pytest.raises(CorpusError, match="'all'"):
        sweep(SweepPlan(corpus, corpus, (260,), ("bpe",)))


def test_without_evaluation_nothing_is_measured(plan: SweepPlan) -> None:
    meter = Meter()
    result = sweep(dataclasses.replace(plan, evaluation=None), meter)
    assert result.results is None
    assert result.curves is None
    assert list(result.trained) == ["bpe-300", "bpe-340", "bpe-400"]
    assert [step for step, _ in steps(meter)] == ["count", "train"]


def test_a_home_that_cannot_be_written_does_not_stop_the_run(
    plan: SweepPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sweep(plan)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("TOKTK_HOME", str(blocked))
    meter = Meter()
    remarks: list[str] = []
    meter.watcher.remark = remarks.append  # type: ignore[method-assign]
    assert sweep(plan, meter).results == expected.results
    assert sum("not kept" in remark for remark in remarks) == 1


def test_unrelated_vocabularies_are_stored_and_come_back(tmp_path: Path) -> None:
    gpt2 = Pretokenizer.of("gpt2")

    def model(*pairs: tuple[int, int]) -> BpeModel:
        rows = [(left, right, 257 + i) for i, (left, right) in enumerate(pairs)]
        return BpeModel(("<s>",), np.array(rows, dtype=np.int64).reshape(-1, 3))

    training = Training(
        (Tokenizer("a", gpt2, model((70, 71))), Tokenizer("b", gpt2, model((80, 81), (82, 83)))),
        None,
        Reading(3, 4),
    )
    assert not training.nested
    training.save(tmp_path)
    found = Training.load(tmp_path)
    assert [t.signature for t in found.tokenizers] == [t.signature for t in training.tokenizers]
    assert (found.available, found.reading) == (None, Reading(3, 4))


def test_cells_come_back_whole(plan: SweepPlan, tmp_path: Path) -> None:
    table = count_corpus(plan.training, Pretokenizer.of("o200k"))
    CountedCorpus(table, Reading(1, 2)).save(tmp_path)
    found = CountedCorpus.load(tmp_path)
    for name, stored in vars(found.table).items():
        assert np.array_equal(stored, getattr(table, name)), name
    assert found.reading == Reading(1, 2)
    result = sweep(plan)
    (tmp_path / "measured").mkdir()
    FamilyFigures(result.results, result.curves, Reading(), result.token_counts).save(
        tmp_path / "measured"
    )
    again = FamilyFigures.load(tmp_path / "measured")
    assert again.results == result.results
    assert again.curves == result.curves


def test_inference_methods_share_a_training(plan: SweepPlan) -> None:
    meter = Meter()
    methods = ("merges", "greedy", "fewest", "viterbi")
    crossed = dataclasses.replace(plan, inference=methods)
    result = sweep(crossed, meter)
    assert list(result.trained) == [f"bpe-{m}-{size}" for m in methods for size in SIZES]
    assert [step for step, _ in steps(meter)].count("train") == 1
    assert {t.model.kind for t in result.trained.values()} == {"bpe", "greedy", "unigram"}
    assert {t["trainer"] for t in result.tokenizers.values()} == {"bpe"}
    texts = [t for batch in plan.evaluation.batches() for t in batch.column(0).to_pylist()]  # type: ignore[union-attr]
    tokens = {
        record.tokenizer: record.value
        for record in result.results
        if record.metric == "tokens" and record.group == POOLED
    }
    for label, tokenizer in result.trained.items():
        assert tokens[label] == sum(map(tokenizer.count, texts)), label
    for size in SIZES:
        assert tokens[f"bpe-fewest-{size}"] == min(tokens[f"bpe-{m}-{size}"] for m in methods)
    assert result.curves is not None
    assert set(result.curves["tokenizer"].to_pylist()) == {f"bpe-{m}" for m in methods}
    # As trained and by merges are the same, under another label.
    alone = sweep(plan)
    assert {r.value for r in alone.results if r.tokenizer == "bpe-400"} == {
        r.value for r in result.results if r.tokenizer == "bpe-merges-400"
    }
    again = Meter()
    repeated = sweep(crossed, again)
    assert repeated.results == result.results
    assert {reused for step, reused in steps(again) if step in ("train", "measure")} == {True}


def test_inference_that_does_not_exist(plan: SweepPlan) -> None:
    with pytest.raises(ToktkError, match=r"unknown inference 'gredy' \(did you mean"):
        sweep(dataclasses.replace(plan, inference=("gredy",)))


def test_own_is_as_trained_under_the_trainers_label(plan: SweepPlan) -> None:
    crossed = dataclasses.replace(plan, trainers=("bpe", "unigram"), inference=("own", "greedy"))
    result = sweep(crossed)
    families = ["bpe", "bpe-greedy", "unigram", "unigram-greedy"]
    assert list(result.trained) == [f"{f}-{size}" for f in families for size in SIZES]
    alone = sweep(dataclasses.replace(plan, trainers=("bpe", "unigram")))
    for label, tokenizer in alone.trained.items():
        assert result.trained[label].signature == tokenizer.signature
    assert not crossed.check()


@pytest.mark.parametrize(
    ("trainer", "method", "why"),
    [
        ("unigram", "merges", "have no merges"),
        ("hf-unigram", "merges", "have no merges"),
        ("sp-bpe", "merges", "have no merges"),
        ("hf-wordpiece", "greedy", "do not tell apart"),
        ("hf-wordpiece", "viterbi", "do not tell apart"),
    ],
)
def test_inference_that_cannot_be_is_refused_before_training(
    plan: SweepPlan, trainer: str, method: str, why: str
) -> None:
    crossed = dataclasses.replace(plan, trainers=("bpe", trainer), inference=("own", method))
    with pytest.raises(TrainingError, match=why) as error:
        crossed.check()
    assert f"{trainer}-{method}" in str(error.value)


def test_a_trainer_that_fails_takes_no_other_away(tmp_path: Path, corpus_of) -> None:
    words = corpus_of([(f"word{i}", "en", i + 2) for i in range(40)])
    text = load_corpus(str(write_parallel(tmp_path / "four.jsonl")))
    plan = SweepPlan(words, text, (260, 270), trainers=("hf-bpe", "bpe", "hf-wordpiece"))
    result = sweep(plan)
    assert list(result.trained) == ["bpe-260", "bpe-270"]
    assert {record.trainer for record in result.results} == {"bpe"}
    assert list(result.failed) == ["hf-bpe", "hf-wordpiece"]
    assert "word frequencies" in result.failed["hf-bpe"]
    with pytest.raises(TrainingError, match="hf-bpe: cannot train on"):
        sweep(dataclasses.replace(plan, trainers=("hf-bpe", "hf-wordpiece")))


def test_a_pretokenizer_is_for_the_trainers_that_take_one(plan: SweepPlan) -> None:
    cut = (Pretokenizer.of("gpt2"), Pretokenizer.of("cl100k"))
    both = dataclasses.replace(plan, trainers=("sp-bpe", "bpe"), pretokenizers=cut)
    assert [family.label for family in both.families] == ["sp-bpe", "bpe-gpt2", "bpe-cl100k"]
    with pytest.raises(TrainingError, match="takes no pretokenizer"):
        dataclasses.replace(both, trainers=("sp-bpe",)).check()


def test_models_of_any_kind_are_stored_and_come_back(tmp_path: Path) -> None:
    gpt2 = Pretokenizer.of("gpt2")
    data, offsets = packed([*(bytes([b]) for b in range(256)), b"ab"])
    models = [
        UnigramModel(("<s>",), data, offsets, np.linspace(-9, -1, 257)),
        GreedyModel((), data, offsets),
    ]
    for kept in (models, models[:1], models[1:]):
        training = Training(tuple(Tokenizer("t", gpt2, m) for m in kept), 7, None)
        assert training.storable
        assert training.nested == (len(kept) == 1)
        training.save(tmp_path)
        found = Training.load(tmp_path)
        assert [t.signature for t in found.tokenizers] == [t.signature for t in training.tokenizers]
        assert (found.available, found.reading) == (7, None)


def test_a_signature_says_over_which_groups_a_mean_is(tmp_path: Path) -> None:
    measured = Corpus.of(lines("en") + lines("de"), ["en"] * LINES + ["de"] * LINES, name="both")
    signatures = []
    for groups in (["en"] * LINES, ["de"] * LINES, ["en"] * 60 + ["de"] * 60):
        training = Corpus.of(lines("en"), groups)
        experiment = Sweep(SweepPlan(training, measured, (300,), ("bpe",)))
        experiment.prepare()
        results = experiment.run().results
        assert results is not None
        (mean,) = results.where(metric="fertility[ws]|macro")
        (total,) = results.where(metric="bytes_per_token", group="all")
        assert "over:" not in total.signature
        signatures.append(mean.signature)
    assert len(set(signatures)) == 3
    assert ["over:" in signature for signature in signatures] == [True, True, False]
