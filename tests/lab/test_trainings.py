"""Several trainings from one counting: each is what training on its text alone gives."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from threading import current_thread
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
from small_corpora import lines, write_parallel

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.errors import CorpusError, ToktkError, TrainingError
from toktk.lab import train, trainings
from toktk.lab.meter import Meter, Watcher
from toktk.lab.plan import SweepPlan
from toktk.lab.trainings import Resampling, stabilities
from toktk.report.stability import stability_text
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData

pytestmark = pytest.mark.usefixtures("home")

SIZES = (300, 340)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    options = ReaderOptions(group_column="lang", align_column="id")
    return load_corpus(str(write_parallel(tmp_path / "four.jsonl", 240)), options)


@pytest.fixture
def plan(corpus: Corpus) -> SweepPlan:
    return SweepPlan(*corpus.split(0.2), SIZES, ("bpe",), jobs=2)


def alone(plan: SweepPlan, resampling: Resampling) -> list[dict[int, Tokenizer]]:
    """Train on each resample by itself, on text that is read and counted for it."""
    (family,) = plan.families
    vocabularies = []
    for times in resampling.multiplicities:
        data = TrainingData(plan.training.resampled(times), split_at=family.split_at)
        found = family.trainer().train(data, list(plan.sizes)).tokenizers
        vocabularies.append({tokenizer.vocab_size: tokenizer for tokenizer in found})
    return vocabularies


def boundaries(tokenizer: Tokenizer, text: str) -> set[int]:
    """Return where tokens end inside the pieces of a text, in bytes."""
    raw = text.encode()
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    cut = tokenizer.pretokenizer.cut_batch(data, offsets)
    lengths = [len(tokenizer.model.tokens[i]) for i in tokenizer.encode(text)]
    return set(np.cumsum(lengths).tolist()) - set(cut.offsets.tolist())


@pytest.mark.parametrize("name", ["bpe", "unigram", "hf-bpe"])
@pytest.mark.parametrize("shards", [False, True])
def test_figures_are_those_of_trainings_apart(plan: SweepPlan, name: str, shards: bool) -> None:
    plan, resampling = replace(plan, trainers=(name,)), Resampling(3, shards)
    found = stabilities(plan, resampling, Meter())
    assert [record.size for record in found.records] == [*SIZES]
    evaluation = plan.evaluation
    assert evaluation is not None
    texts = [t for batch in evaluation.batches() for t in batch.column(0).to_pylist()]
    vocabularies = alone(plan, resampling)
    confidence = found.confidence().to_pylist()
    for record in found.records:
        tokenizers = [of_training[record.size] for of_training in vocabularies]
        counts = [sum(map(t.count, texts)) for t in tokenizers]
        n_bytes = sum(len(text.encode()) for text in texts)
        assert record.bytes_per_token == pytest.approx(n_bytes / np.mean(counts))
        assert record.training_sd == pytest.approx(np.std(counts, ddof=1) / np.mean(counts))
        sets = [set(t.model.tokens[len(t.model.special_tokens) :]) for t in tokenizers]
        pairs = [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
        assert record.overlap == pytest.approx(np.mean(pairs))
        assert (record.core, record.tokens) == (
            len(set.intersection(*sets)),
            np.mean([*map(len, sets)]),
        )
        told = {row["token"]: row["confidence"] for row in confidence if row["size"] == record.size}
        assert told == {token: sum(token in one for one in sets) / 3 for token in set.union(*sets)}
        ends = [
            {(i, end) for i, text in enumerate(texts) for end in boundaries(t, text)}
            for t in tokenizers
        ]
        pairs = [2 * len(a & b) / (len(a) + len(b)) for a, b in combinations(ends, 2)]
        assert record.boundaries == pytest.approx(np.mean(pairs))
        assert record.low is not None
        assert record.high is not None
        assert record.low < record.bytes_per_token < record.high
    again = stabilities(replace(plan, jobs=1, force=True), resampling, Meter())
    assert again.records == found.records
    assert again.confidence().equals(found.confidence())


class Stopping(Watcher):
    """Counts what is passed on, and interrupts once the trainings are far enough."""

    def __init__(self, after: float = float("inf")) -> None:
        self.after, self.trained, self.total, self.step = after, 0, 0, [""]

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        self.step.append(step)
        if step == "train":
            self.total = total or 0

    def end(self) -> None:
        self.step.pop()

    def advance(self, amount: int) -> None:
        if self.step[-1] == "train":
            self.trained += amount
            if self.trained >= self.after:
                raise KeyboardInterrupt


def test_what_is_finished_is_kept_and_progress_has_a_true_total(
    plan: SweepPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(plan, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        stabilities(plan, Resampling(4), Meter(Stopping(after=2 * 340)))
    real, calls = train.Trainings._train, []
    monkeypatch.setattr(
        train.Trainings, "_train", lambda *args: calls.append(current_thread()) or real(*args)
    )
    watcher, interrupted = Stopping(), {*enumerate_threads()}  # these may begin one more
    stabilities(plan, Resampling(4), Meter(watcher))
    assert 1 <= len([thread for thread in calls if thread not in interrupted]) <= 3
    assert watcher.trained == watcher.total == 4 * 340
    del calls[:]
    stabilities(plan, Resampling(4), Meter())
    assert calls == []


def test_text_is_counted_once(plan: SweepPlan) -> None:
    meter = Meter()
    stabilities(replace(plan, trainers=("bpe", "unigram")), Resampling(3), meter)
    assert [cost.step for cost in meter.costs].count("count") == 2  # to train on, and to measure on


def test_what_cannot_be_resampled_is_refused(plan: SweepPlan) -> None:
    one = Corpus.of(["a single document, however long it is. " * 100])
    few = Corpus.of(lines("de", 12))
    for corpus in (one, few, Corpus.of(["the same"] * 1000)):
        with pytest.raises(
            CorpusError, match=r"too few documents.*\n.*of 20 parts.*\n.*--sample-by"
        ):
            stabilities(replace(plan, training=corpus, evaluation=None), Resampling(2), Meter())
    with pytest.raises(TrainingError, match="Found: fewer than two"):
        stabilities(plan, Resampling(1), Meter())
    with pytest.raises(ToktkError, match="unknown"):
        stabilities(replace(plan, trainers=("bqe",)), Resampling(2), Meter())
    with pytest.raises(TrainingError, match="256"):
        stabilities(replace(plan, sizes=(10,)), Resampling(2), Meter())


def test_what_is_not_measured_is_none(plan: SweepPlan) -> None:
    found = stabilities(replace(plan, evaluation=None), Resampling(2), Meter())
    assert {
        (r.bytes_per_token, r.training_sd, r.low, r.n, r.boundaries) for r in found.records
    } == {(None,) * 5}
    assert all(record.overlap for record in found.records)
    few = replace(plan, evaluation=Corpus.of(lines("de", 10)))
    (first, _) = stabilities(few, Resampling(2), Meter()).records
    assert first.bytes_per_token is not None
    assert (first.low, first.high) == (None, None)
    assert first.n is not None
    assert first.n <= 10
    text = stability_text(found.records, 80)
    assert "–" in text
    assert max(map(len, text.splitlines())) <= 80


def test_sizes_that_some_trainings_do_not_reach_are_named(plan: SweepPlan) -> None:
    remarks: list[str] = []
    meter = Meter()
    meter.remark = remarks.append  # type: ignore[method-assign]
    reached = []
    for times in Resampling(3).multiplicities:
        data = TrainingData(plan.training.resampled(times))
        model = plan.families[0].trainer()._learn(data, 100_000)
        reached.append(model.vocab_size)
    assert len(set(reached)) > 1
    sizes = (300, max(reached))
    found = stabilities(replace(plan, sizes=sizes), Resampling(3), meter)
    assert [record.size for record in found.records] == [300]
    assert any("not all trainings reach" in remark for remark in remarks)


def test_a_broken_family_takes_no_other_away(
    plan: SweepPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trainings._trained

    def failing(plan: SweepPlan, family: object, *rest: object) -> object:
        if getattr(family, "name", "") == "unigram":
            raise TrainingError("no.")
        return real(plan, family, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trainings, "_trained", failing)
    found = stabilities(replace(plan, trainers=("unigram", "bpe")), Resampling(2), Meter())
    assert {record.family for record in found.records} == {"bpe"}
    with pytest.raises(TrainingError, match="no"):
        stabilities(replace(plan, trainers=("unigram",)), Resampling(2), Meter())
