"""N-gram bits per byte of texts: what is learned from, what is priced, and what becomes of the figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from nasty import NASTY_TEXTS
from public_samples import LLAMA2, write
from small_corpora import PARALLEL, SYLLABLES, fresh_home, lines, write_parallel
from small_runs import toktk as run

import toktk
from toktk.corpus import Corpus
from toktk.educational import kneser_ney
from toktk.errors import MetricError
from toktk.lab.bench import Bench
from toktk.lab.counted import CountedCorpora
from toktk.lab.differences import REASONS
from toktk.lab.family import TokenizerFamily
from toktk.lab.intervals import IntervalMaker
from toktk.lab.measure import Measurer
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter, Watcher
from toktk.lab.ngrams import PARTS, NgramTexts
from toktk.lab.plan import BenchPlan
from toktk.lab.run import document_of, stored_run
from toktk.lab.units import Units
from toktk.metrics.base import Column, Figure, Quotient
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import BLOCKS, SampledDocuments
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

GROUPS = (*SYLLABLES,)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKTK_HOME", str(fresh_home(tmp_path_factory.mktemp("home") / "home")))
        yield


def corpus_of(n: int = 200, aligned: bool = False) -> Corpus:
    rows = [(text, group, str(i)) for group in GROUPS for i, text in enumerate(lines(group, n))]
    texts, groups, align = zip(*rows, strict=True)
    return Corpus.of(texts, groups, align if aligned else None, name="four")


@pytest.fixture(scope="module")
def trained(home: None) -> list[Tokenizer]:
    corpus = corpus_of()
    small, large = toktk.train("bpe", corpus, [330, 400]).values()
    (unigram,) = toktk.train("unigram", corpus, [400]).values()
    return [small, large, unigram]


@pytest.fixture(scope="module")
def results(trained: list[Tokenizer]) -> Results:
    return toktk.evaluate(trained, corpus_of(), metrics=["standard", "ngram"])


def sample_of(corpus: Corpus) -> SampledDocuments:
    sample = Sample()
    for batch in corpus.batches():
        sample.see(batch)
    return sample.finish()


def texts_of(corpus: Corpus, learn: Corpus | None = None, **bounds: int) -> NgramTexts:
    return NgramTexts.of(
        sample_of(corpus), learn or corpus, learn is not None, lambda n: None, **bounds
    )


def learned(texts: NgramTexts) -> list[str]:
    return [
        texts.data[a:b].tobytes().decode()
        for a, b in zip(texts.offsets, texts.offsets[1:], strict=False)
    ]


def priced(texts: NgramTexts, sample: SampledDocuments) -> list[str]:
    return [
        sample.data[sample.offsets[d] : sample.offsets[d + 1]].tobytes().decode()
        for d in texts.rows
    ]


def figure(results: Results, label: str, metric: str, group: str = "all"):
    (record,) = results.where(tokenizer=label, metric=metric, group=group)
    return record


# What is learned from, and what is priced -----------------------------------------------------------


def test_a_text_falls_into_what_is_learned_from_and_what_is_priced() -> None:
    corpus = corpus_of(400)
    texts, sample = texts_of(corpus), sample_of(corpus)
    both = [*learned(texts), *priced(texts, sample)]
    assert sorted(both) == sorted({text for g in GROUPS for text in lines(g, 400)})
    assert texts.rows.size == pytest.approx(len(both) / PARTS, rel=0.2)
    assert (texts.scale == 1).all()


def test_order_repeats_and_batches_change_nothing() -> None:
    rows = [(text, group) for group in GROUPS for text in lines(group, 90)]
    shuffled = [rows[i] for i in np.random.default_rng(3).permutation(len(rows))] * 2
    several = [Corpus.of(*zip(*own, strict=True)) for own in (rows, shuffled)]
    first, second = map(texts_of, several)
    assert np.array_equal(first.data, second.data)
    assert [priced(t, sample_of(c)) for t, c in zip((first, second), several, strict=True)] == [
        priced(first, sample_of(several[0]))
    ] * 2


def test_a_line_with_all_its_languages_is_on_one_side() -> None:
    corpus = corpus_of(300, aligned=True)
    texts, sample = texts_of(corpus), sample_of(corpus)
    line_of = {text: i for g in GROUPS for i, text in enumerate(lines(g, 300))}
    there, here = ({line_of[t] for t in own} for own in (learned(texts), priced(texts, sample)))
    assert not there & here
    assert texts.rows.size == len(here) * len(GROUPS)


def test_what_is_priced_of_another_text_is_not_learned_from() -> None:
    known, new = lines("en", 120), lines("de", 120)
    texts = texts_of(Corpus.of(known[:50]), Corpus.of([*known, *new]))
    assert sorted(learned(texts)) == sorted({*known[50:], *new} - {*known[:50]})
    assert len(priced(texts, sample_of(Corpus.of(known[:50])))) == len({*known[:50]})


def test_so_many_bytes_are_learned_from() -> None:
    corpus = corpus_of(300)
    whole, part = texts_of(corpus), texts_of(corpus, learned=9000)
    assert 8800 < part.data.size <= 9000 < whole.data.size
    assert learned(part) == learned(whole)[: len(learned(part))]
    half = part.offsets[part.n_half]
    assert half <= part.data.size / 2 < half + 200
    nothing = texts_of(corpus, learned=10)
    assert nothing.data.size <= 10


def test_a_document_longer_than_what_may_be_learned_is_left_out() -> None:
    long, short = "x" * 5000, lines("en", 50)
    texts = texts_of(Corpus.of(short), Corpus.of([long, *lines("de", 50)]), learned=4000)
    assert learned(texts)
    assert long not in learned(texts)


def test_so_many_bytes_are_priced_of_each_group() -> None:
    rows = [("long " * 400 + str(i), "a") for i in range(300)] + [(t, "b") for t in lines("en", 60)]
    corpus = Corpus.of(*zip(*rows, strict=True))
    texts, sample = texts_of(corpus, Corpus.of(lines("de")), priced=1), sample_of(corpus)
    group = sample.group[texts.rows]
    lengths = np.diff(sample.offsets)[texts.rows]
    assert 20_000 < lengths[group == 0].sum() <= (1 << 16) + 2010
    assert {*texts.scale[group == 0].tolist()} <= {8, 16}
    assert (texts.scale[group == 1] == 1).all()
    assert (group == 1).sum() == len({*lines("en", 60)})


def test_a_document_alone_is_priced_by_blocks() -> None:
    book = "\n".join(lines("en", 900))
    corpus = Corpus.of([book, *lines("de")], ["book", *["de"] * len(lines("de"))])
    texts, sample = texts_of(corpus), sample_of(corpus)
    assert sample.kinds == (BLOCKS, "documents")
    blocks = [text for text in priced(texts, sample) if text in book]
    assert blocks
    assert book not in learned(texts)
    rest = [text for text in learned(texts) if text in book]
    assert sum(map(len, [*blocks, *rest])) == len(book)


# Figures -------------------------------------------------------------------------------------------


def by_twin(texts: NgramTexts, sample: SampledDocuments, tokenizer: Tokenizer, order: int) -> float:
    """Return the bits that the slow twin makes the priced documents cost."""
    n = tokenizer.vocab_size
    p = kneser_ney([tokenizer.encode(text) for text in learned(texts)], order, n)
    bits = 0.0
    for text in priced(texts, sample):
        tokens = [-1, *tokenizer.encode(text), n]
        bits -= sum(math.log2(p(tokens[i], tokens[:i])) for i in range(1, len(tokens)))
    return bits


def test_figures_are_those_of_the_slow_twin(trained: list[Tokenizer], results: Results) -> None:
    corpus = corpus_of()
    texts, sample = texts_of(corpus), sample_of(corpus)
    n_bytes = int(np.diff(sample.offsets)[texts.rows].sum())
    for tokenizer in trained:
        for order in (1, 2, 3):
            record = figure(results, tokenizer.name, f"ngram_bpb[{order}]")
            bits = by_twin(texts, sample, tokenizer, order)
            assert record.value == pytest.approx(bits / n_bytes, rel=1e-5)
            assert record.unit == "bits/byte"
            assert record.n == texts.rows.size
            assert record.low < record.value < record.high


def test_each_group_has_figures_and_their_bits_add_up(results: Results) -> None:
    sample = sample_of(corpus_of())
    texts = texts_of(corpus_of())
    n_bytes = np.bincount(sample.group[texts.rows], np.diff(sample.offsets)[texts.rows])
    own = [figure(results, "bpe-400", "ngram_bpb[2]", group) for group in sample.groups]
    total = sum(record.value * n for record, n in zip(own, n_bytes, strict=True))
    pooled = figure(results, "bpe-400", "ngram_bpb[2]").value
    assert total / n_bytes.sum() == pytest.approx(pooled, rel=1e-9)


def test_nobody_pays_who_does_not_ask(trained: list[Tokenizer], monkeypatch) -> None:
    monkeypatch.setattr(NgramTexts, "of", None)
    results = toktk.evaluate(trained, corpus_of())
    assert not [r for r in results if r.metric.startswith("ngram")]
    assert results.documents.bits == {}


def of_letters(folder: Path, letters: str, *, lower: bool = False) -> Tokenizer:
    """Return a tokenizer of characters, without a token for others, by its library."""
    vocab = {letter: i for i, letter in enumerate(letters)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, []))
    if lower:
        made.normalizer = tokenizers.normalizers.Lowercase()
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return toktk.load(str(folder))


def test_text_that_is_lost_or_changed_makes_no_figure(home: None, tmp_path: Path) -> None:
    texts = [text.replace("t", "T") for text in lines("en", 100)]
    letters = "".join(sorted({*"".join(texts)}))
    labelled = {
        "whole": of_letters(tmp_path / "whole", letters),
        "some": of_letters(tmp_path / "some", letters.replace("e", "")),
        "lower": of_letters(tmp_path / "lower", letters.lower(), lower=True),
    }
    results = toktk.evaluate(labelled, Corpus.of(texts), metrics=["ngram", "lost"])
    assert figure(results, "lower", "lost").value == 0
    for order in (1, 2, 3):
        assert figure(results, "whole", f"ngram_bpb[{order}]").value > 0
        for label in ("some", "lower"):
            record = figure(results, label, f"ngram_bpb[{order}]")
            assert record.value is None
            assert "do not come back from their ids" in record.note


def test_a_normal_form_that_changes_text_makes_no_figure_of_that_group(home: None) -> None:
    plain = lines("en", 80)
    texts = [*plain, *(text.replace("e", "e\u0301") for text in plain)]
    groups = ["plain"] * 80 + ["apart"] * 80
    (tokenizer,) = toktk.train("bpe", Corpus.of(texts, groups), [320], normal_form="NFC").values()
    results = toktk.evaluate([tokenizer], Corpus.of(texts, groups), metrics=["ngram"])
    assert figure(results, tokenizer.name, "ngram_bpb[2]", "plain").value > 0
    assert figure(results, tokenizer.name, "ngram_bpb[2]", "apart").value is None
    assert figure(results, tokenizer.name, "ngram_bpb[2]").value is None


def test_a_space_that_a_tokenizer_puts_before_a_text_is_no_change(
    home: None, tmp_path: Path
) -> None:
    texts = lines("en", 150)
    tokenizer = toktk.load(str(write(tmp_path / "tokenizer.json", LLAMA2)))
    assert tokenizer.decode(tokenizer.encode("the")) == " the"
    results = toktk.evaluate([tokenizer], Corpus.of(texts), metrics=["ngram"])
    assert figure(results, tokenizer.name, "ngram_bpb[2]").value > 0


def test_nasty_text(trained: list[Tokenizer]) -> None:
    corpus = Corpus.of(NASTY_TEXTS * 2, [f"nasty {i % 3}" for i in range(2 * len(NASTY_TEXTS))])
    results = toktk.evaluate(trained[:2], corpus, metrics=["ngram"])
    for record in results:
        assert record.value is None or record.value > 0
        assert record.value is not None or record.note


@pytest.mark.parametrize("texts", [["one document"], [""], ["", "\0"]])
def test_a_text_too_small_to_hold_out_of(trained: list[Tokenizer], texts: list[str]) -> None:
    results = toktk.evaluate(trained[:1], Corpus.of(texts), metrics=["ngram"])
    assert len(results)
    for record in results:
        assert record.value is not None or record.note in (
            "no document is held out",
            "nothing to learn from",
        )


def test_the_store_gives_the_same_figures(trained: list[Tokenizer], results: Results) -> None:
    again = toktk.evaluate(trained, corpus_of(), metrics=["standard", "ngram"])
    assert again.records == results.records
    assert all(
        np.array_equal(again.documents.bits[n], own) for n, own in results.documents.bits.items()
    )


def test_units_and_copies_count(trained: list[Tokenizer]) -> None:
    sample = sample_of(corpus_of())
    texts, units = texts_of(corpus_of()), Units.of(sample)
    told: list[int] = []
    bits = texts.bits(trained[1], units, 1, told.append)
    assert sum(told) == texts.work(sample)
    assert bits.documents.sum() == texts.rows.size
    assert (bits.of_rows > 0).all(axis=0).sum() == texts.rows.size
    assert not bits.changed.any()
    assert np.array_equal(bits.bits.sum(axis=1), bits.of_rows.sum(axis=1))


@pytest.mark.parametrize("groups", [("a",), None])
def test_what_rests_on_a_sample_alone_is_as_uncertain_as_the_sample(groups) -> None:
    corpus = Corpus.of([f"{i} {text}" for i, text in enumerate(lines("en") * 4)], "a")
    sample = Sample(most=120)
    for batch in corpus.batches():
        sample.see(batch)
    documents = sample.finish()
    (level,) = documents.levels
    n_bytes = np.diff(documents.offsets)
    above = n_bytes + np.arange(n_bytes.size) % 7
    maker = IntervalMaker(Units.of(documents), {"x": above[None], "y": n_bytes[None]})
    reaches = []
    for of_sample in (False, True):
        made_of = Quotient(Column("x", groups), Column("y", groups), of_sample=of_sample)
        fresh = IntervalMaker(maker.units, maker.quantities)
        bounds = fresh.bounds(Figure("a", "m", 1.0, "x", 1, made_of=made_of), 0)
        reaches.append(math.log(bounds.high))
    assert level > 0
    assert reaches[1] / reaches[0] == pytest.approx(2 ** (level / 2), rel=0.02)


# Comparisons ---------------------------------------------------------------------------------------


def test_tokenizers_of_one_size_are_compared_by_document(results: Results) -> None:
    (row,) = (
        r
        for r in toktk.compare(
            results, baseline="unigram-400", metrics=["ngram_bpb[2]"], groups=["all"]
        )
        if r.candidate == "bpe-400"
    )
    own, base = (figure(results, n, "ngram_bpb[2]").value for n in ("bpe-400", "unigram-400"))
    assert row.difference == pytest.approx(own / base - 1)
    assert row.low < row.difference < row.high
    assert row.n == figure(results, "bpe-400", "ngram_bpb[2]").n
    # Paired, the interval is narrower than those of the two figures.
    widths = [
        (r.high - r.low) / r.value
        for r in (figure(results, n, "ngram_bpb[2]") for n in ("bpe-400", "unigram-400"))
    ]
    assert row.high - row.low < min(widths)


def test_tokenizers_of_different_sizes_are_not_compared(results: Results) -> None:
    compared = toktk.compare(results, baseline="bpe-330", metrics=["ngram"], groups=["all"])
    assert len({row.metric for row in compared}) == 3
    for row in compared:
        assert (row.difference, row.verdict) == (None, "none")
        assert row.note == REASONS["sizes"]
    assert compared.ranking == ()


def test_what_half_of_the_text_gives_is_not_compared(results: Results) -> None:
    with pytest.raises(MetricError):
        toktk.compare(results, baseline="bpe-330", metrics=["ngram_bpb[2]|half"])


def test_figures_learned_from_other_text_are_not_compared(trained: list[Tokenizer]) -> None:
    def measured(tokenizer: Tokenizer, learn: Corpus | None) -> Results:
        counted = CountedCorpora(Meter())
        measurer = Measurer(corpus_of(), Measures(("ngram",)), counted, learn=learn)
        families = [TokenizerFamily(tokenizer.name, {tokenizer.name: tokenizer})]
        ((_, figures),) = measurer.measure(families)
        return figures.results

    other = Corpus.of(lines("en", 300))
    several = [measured(trained[1], None), measured(trained[2], other)]
    with pytest.raises(MetricError, match="differ in n-gram text"):
        toktk.compare(several, baseline=trained[2].name, metrics=["ngram_bpb"])
    allowed = toktk.compare(
        several, baseline=trained[2].name, metrics=["ngram_bpb"], allow=["n-gram text"]
    )
    assert any("n-gram text" in note for note in allowed.notes)
    same = [measured(trained[1], None), measured(trained[2], corpus_of())]
    assert [*toktk.compare(same, baseline=trained[2].name, metrics=["ngram_bpb"])]


# Commands ------------------------------------------------------------------------------------------


class Steps(Watcher):
    """Keeps the totals of steps and what was told of them."""

    def __init__(self) -> None:
        self.totals: list[tuple[str, int | None, int]] = []
        self._open: list[list] = []

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        self._open.append([step, total, 0])

    def advance(self, amount: int) -> None:
        self._open[-1][2] += amount

    def end(self) -> None:
        self.totals.append(tuple(self._open.pop()))


def swept(folder: Path) -> Results:
    corpus = write_parallel(folder / "text.jsonl", 400)
    run("sweep", "-c", corpus, *PARALLEL, "-t", "bpe", "-t", "unigram", "-s", "300,340",
        "-m", "ngram", "-o", folder / "run", "-q")  # fmt: skip
    return stored_run(folder / "run", document_of(folder / "run")).results


def test_a_sweep_learns_from_the_training_text(home: None, tmp_path: Path) -> None:
    results = swept(tmp_path)
    labels = dict.fromkeys(record.tokenizer for record in results)
    assert [*labels] == ["bpe-300", "bpe-340", "unigram-300", "unigram-340"]
    for label in labels:
        for order in (1, 2, 3):
            assert figure(results, label, f"ngram_bpb[{order}]").value > 0
            assert figure(results, label, f"ngram_bpb[{order}]|half").note.startswith("n-grams are")
    # All of what is held out is priced.
    assert figure(results, "bpe-300", "ngram_bpb[1]").n == len(results.documents)
    text = repr(results)
    assert "never ranks sizes" in text
    assert "Kendall" in text or "same order" in text
    assert "half" not in text.partition("──")[0]
    out = run(
        "compare", tmp_path / "run", "--baseline", "unigram-340", "-m", "ngram_bpb", "-f", "json"
    )
    by_candidate = {row["candidate"]: row for row in json.loads(out.stdout)["comparisons"]}
    assert by_candidate["bpe-340"]["difference"] is not None
    assert by_candidate["bpe-300"]["difference"] is None


def test_tokenizers_at_hand_are_compared(trained: list[Tokenizer], tmp_path: Path) -> None:
    for tokenizer in trained:
        tokenizer.save(tmp_path / tokenizer.name)
    specs = [f"{t.name}={tmp_path / t.name}" for t in trained]
    corpus = write_parallel(tmp_path / "text.jsonl", 150)
    baseline = tmp_path / "baseline.json"
    asked = ("-m", "ngram", "-g", "all", "-f", "json", "-q")
    out = run("compare", *specs, "-c", corpus, *PARALLEL, *asked, "--save-baseline", baseline)
    rows = json.loads(out.stdout)["comparisons"]
    known = {(row["candidate"], row["metric"]) for row in rows if row["difference"] is not None}
    assert known == {("bpe-400", f"ngram_bpb[{n}]") for n in (1, 2, 3)}
    # A baseline keeps no bits and no sizes, so nothing is said of them.
    out = run("compare", specs[1], "-c", corpus, *PARALLEL, *asked, "--baseline", baseline)
    assert {row["difference"] for row in json.loads(out.stdout)["comparisons"]} == {None}


def test_progress_has_a_true_total(trained: list[Tokenizer], monkeypatch, tmp_path: Path) -> None:
    for tokenizer in trained[:2]:
        tokenizer.save(tmp_path / tokenizer.name)
    specs = tuple(f"{t.name}={tmp_path / t.name}" for t in trained[:2])
    steps = Steps()
    bench = Bench(BenchPlan(specs, corpus_of(77), Measures(("ngram",))), Meter(steps))
    bench.prepare()
    bench.run()
    own = [step for step in steps.totals if step[0] in ("n-grams", "choose")]
    assert [name for name, _, _ in own] == ["choose", "n-grams", "n-grams"]
    for _, total, done in own:
        assert total == done > 0


def test_a_baseline_in_a_sweep_learns_from_the_same_text(home: None, tmp_path: Path) -> None:
    swept(tmp_path)
    folder = tmp_path / "again"
    run("sweep", "-c", tmp_path / "text.jsonl", *PARALLEL, "-t", "bpe", "-s", "300", "-m", "ngram",
        "--baseline", f"old={tmp_path / 'run/tokenizers/bpe-300'}", "-o", folder, "-q")  # fmt: skip
    results = stored_run(folder, document_of(folder)).results
    new, old = (figure(results, label, "ngram_bpb[2]") for label in ("bpe-300", "old"))
    assert new.value == old.value
    assert new.signature == old.signature
