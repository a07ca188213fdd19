"""Intervals of figures: of the right documents, around the right value, and absent where they must be."""

import numpy as np
import pytest

import toktk
from toktk.corpus import Corpus
from toktk.lab import id_intervals, intervals
from toktk.lab.intervals import IntervalMaker
from toktk.lab.knee import GAIN, knee_of
from toktk.lab.units import Units
from toktk.metrics.base import Column, Figure, Quotient
from toktk.metrics.multilingual import gini
from toktk.metrics.vocabulary import renyi_efficiency
from toktk.pieces.sample import Sample
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import ALIKE, NO_INTERVAL, ONE_DECIDES
from toktk.stats.jackknife import jackknife_interval
from toktk.stats.ratio import ratio_interval

LANGUAGES = ("de", "en", "fr")


def parallel(n=60):
    """Lines of different lengths in three languages."""
    texts, groups, ids = [], [], []
    for i in range(n):
        for k, language in enumerate(LANGUAGES):
            texts.append(" ".join(f"{language}{(i * j) % 17}" for j in range(1 + (i * 7 + k) % 11)))
            groups.append(language)
            ids.append(str(i))
    return Corpus.of(texts, groups=groups, align=ids)


@pytest.fixture(scope="module")
def results():
    corpus = parallel()
    (tokenizer,) = toktk.train("bpe", corpus, sizes=[260]).values()
    return toktk.evaluate({"bpe": tokenizer}, corpus), tokenizer, corpus


def figure(results, metric, group="all"):
    (record,) = results.where(metric=metric, group=group).records
    return record


def slow(tokenizer, corpus):
    """Tokens and bytes of each line in each language, [lines, languages]."""
    tokens = np.zeros((60, 3), dtype=np.int64)
    sizes = np.zeros((60, 3), dtype=np.int64)
    row = 0
    for batch in corpus.batches():
        for text in batch.column(0).to_pylist():
            tokens[row // 3, row % 3] = len(tokenizer.encode(text))
            sizes[row // 3, row % 3] = len(text.encode())
            row += 1
    return tokens, sizes


def assert_is(record, interval):
    assert record.value == pytest.approx(interval.value)
    assert (record.low, record.high) == pytest.approx((interval.low, interval.high))
    assert record.n_effective == pytest.approx(interval.n_effective)


def test_ratios_equal_those_of_encoded_lines(results):
    found, tokenizer, corpus = results
    tokens, sizes = slow(tokenizer, corpus)
    for k, language in enumerate(LANGUAGES):
        wanted = ratio_interval(sizes[:, k], tokens[:, k])
        assert_is(figure(found, "bytes_per_token", language), wanted)
        assert_is(
            figure(found, "tokens_per_line", language), ratio_interval(tokens[:, k], np.ones(60))
        )
    wanted = ratio_interval(sizes.sum(axis=1), tokens.sum(axis=1))  # the unit is the line
    assert_is(figure(found, "bytes_per_token"), wanted)
    assert_is(figure(found, "tokens_per_line"), ratio_interval(tokens.sum(axis=1), 3 * np.ones(60)))
    wanted = ratio_interval(tokens[:, 0], tokens[:, 1])
    assert_is(figure(found, "parity[en]", "de"), wanted)


def test_summaries_equal_the_jackknife_over_lines(results):
    found, tokenizer, corpus = results
    tokens, sizes = slow(tokenizer, corpus)
    sizes = sizes.sum(axis=1)
    # As many blocks as lines: their order does not matter.
    interval = jackknife_interval(
        lambda sums: sums[..., [0, 2]].mean(axis=-1) / sums[..., 1], tokens, sizes=sizes
    )
    assert_is(figure(found, "parity[en]|macro"), interval)
    interval = jackknife_interval(
        lambda sums: np.array([gini(row) for row in sums]), tokens, sizes=sizes
    )
    assert_is(figure(found, "gini[tokens_per_line]"), interval)


@pytest.mark.parametrize("of_one", [True, False])
def test_threads_make_the_same_intervals(monkeypatch, of_one):
    corpus = parallel()
    rng = np.random.default_rng(3)
    sample = Sample()
    for batch in corpus.batches():
        sample.see(batch)
    units = Units.of(sample.finish())
    n = units.of_row.size
    quantities = {"x": rng.integers(0, 90, (4, n)), "y": rng.integers(1, 9, (1, n))}
    quotients = [
        Quotient(Column(above, over), Column(below, under))
        for above, below in (("x", "y"), ("y", "x"), ("x", "x"), ("y", "y"))
        for over, under in (
            (None, None),
            *(((one,), (one,)) for one in LANGUAGES),
            (("de",), ("fr",)),
            (("de", "en"), ("fr", "en")),
        )
    ]
    figures = [Figure("all", "x", 1.0, "x", 1, made_of=quotient) for quotient in quotients]
    monkeypatch.setattr(intervals, "_SHARE", 1)
    found = []
    for jobs, prepared in ((1, False), (2, False), (3, True), (100, True)):
        maker = IntervalMaker(units, quantities, of_one=of_one, jobs=jobs)
        if prepared:
            maker.prepare(figures)
        found.append([maker.bounds(figure, e) for figure in figures for e in range(4)])
    assert found[0] == found[1] == found[2] == found[3]
    assert all(bounds.low is not None for bounds in found[0][:16])


def test_counts_are_kept(results):
    found, tokenizer, corpus = results
    counts = found.documents
    assert isinstance(counts, DocumentCounts)
    tokens, _ = slow(tokenizer, corpus)
    assert sorted(counts.tokens["bpe"].tolist()) == sorted(tokens.ravel().tolist())
    assert counts.kinds == ("lines",) * 3
    assert counts.n_all.tolist() == [60] * 3


def test_complement(results):
    found, _, _ = results
    record = figure(found, "headroom")
    assert record.low < record.value < record.high < 1


def test_counts_have_no_interval(results):
    found, _, _ = results
    assert figure(found, "tokens").low is None
    assert figure(found, "tokens").note is None


def one_tokenizer(texts, groups=None):
    corpus = Corpus.of(texts, groups=groups)
    (tokenizer,) = toktk.train("bpe", corpus, sizes=[260]).values()
    return toktk.evaluate({"bpe": tokenizer}, corpus)


@pytest.mark.parametrize("n", [2, 19])
def test_few_documents_have_none_and_say_why(n):
    found = one_tokenizer([f"text {i} of few" for i in range(n)])
    record = figure(found, "bytes_per_token")
    assert (record.low, record.high) == (None, None)
    assert record.note == f"{NO_INTERVAL}fewer than 20 effective documents"
    assert "fewer than 20 effective documents" in repr(found)


def test_copies_of_a_document_are_one_document():
    found = one_tokenizer([f"text {i % 5} of few" for i in range(500)])
    assert figure(found, "bytes_per_token").low is None


def test_one_giant_document_is_no_interval():
    found = one_tokenizer(["word " * 5000, *(f"text {i}" for i in range(100))])
    record = figure(found, "bytes_per_token")
    assert record.low is None
    assert record.n_effective < 20


def test_a_lone_long_document_has_blocks():
    found = one_tokenizer(["".join(f"line {i * i} of it\n" for i in range(5000))])
    record = figure(found, "bytes_per_token")
    assert record.low < record.value < record.high
    assert found.documents.kinds == ("blocks",)


def test_one_document_that_decides_is_named():
    texts = [f"the word {i} and so on" for i in range(400)]
    found = one_tokenizer([*texts, "東京都" * 5])
    assert figure(found, "bytes_per_token").note == ONE_DECIDES


def pages(n=60, lines=20):
    """Lines of pages: each page has lines of one kind, at random."""
    kinds = ("the word and so on", "abcdefghijklmnopq")
    of_page = np.random.default_rng(0).integers(0, 2, n)
    return [f"{kinds[of_page[p]]} {p * lines + i:04}" for p in range(n) for i in range(lines)]


@pytest.mark.parametrize("groups", [1, 2])
def test_lines_that_are_alike_are_named(groups):
    texts = pages()
    found = one_tokenizer(texts, ["xy"[i % groups] for i in range(len(texts))])
    for group in ("all", "x")[groups - 1 :]:  # in a pool, neighbors are of one group anyway
        note = figure(found, "bytes_per_token", group).note
        assert note.startswith(ALIKE)
        assert 1.5 < float(note.removeprefix(ALIKE)) < 5
    assert " ".join(ALIKE.split()) in " ".join(repr(found).split())
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = one_tokenizer([texts[i] for i in order], ["xy"[i % groups] for i in order])
    assert figure(shuffled, "bytes_per_token").note is None


def units_of(texts):
    sample = Sample()
    for batch in Corpus.of(texts).batches():
        sample.see(batch)
    return Units.of(sample.finish())


def test_the_knee_of_a_power_law():
    sizes = np.array([8, 16, 32, 64, 128]) * 1000
    units = units_of([f"text {i}" for i in range(300)])
    scale = 1000 + np.arange(300) % 13
    tokens = [np.rint(1e4 * scale * size**-0.2).astype(np.int64) for size in sizes]
    # Tokens ~ size**-0.2: 0.2 / size a thousand ids, 0.1 % at 200k; steps make it more.
    assert knee_of(sizes, tokens, units, None) is None  # not reached
    tokens = [np.rint(1e4 * scale * size**-0.05).astype(np.int64) for size in sizes]
    interval = knee_of(sizes, tokens, units, None)
    assert 40_000 < interval.value < 60_000  # 0.05 / 0.001 per thousand
    assert interval.low <= interval.value <= interval.high
    gain = 1 - ((interval.value + 500) / (interval.value - 500)) ** -0.05
    assert gain == pytest.approx(GAIN, rel=0.1)


def test_no_knee_of_two_sizes():
    units = units_of(["a", "b"])
    ones = np.ones(2, dtype=np.int64)
    assert knee_of(np.array([8000, 16000]), [ones, ones], units, None) is None


def test_ids_equal_the_jackknife_over_documents():
    texts = [" ".join(f"w{(i * j) % 23}" for j in range(3 + i % 9)) + f" {i}" for i in range(64)]
    corpus = Corpus.of(texts)
    (tokenizer,) = toktk.train("bpe", corpus, sizes=[300]).values()
    found = toktk.evaluate({"bpe": tokenizer}, corpus)
    counts = np.array([np.bincount(tokenizer.encode(text), minlength=300) for text in texts])
    n_pieces = np.array([len(tokenizer.encode(text)) for text in texts])
    used = jackknife_interval(
        lambda sums: (sums > 0).sum(axis=-1).astype(float), counts, sizes=n_pieces, log=False
    )
    record = figure(found, "utilization")
    assert record.value == used.value / 300
    half = (record.high - record.low) * 300 / 2
    assert half == pytest.approx((used.high - used.low) / 2, rel=0.1)  # other effective number
    even = jackknife_interval(
        lambda sums: np.array([renyi_efficiency(row, 2.5) for row in sums]),
        counts,
        sizes=n_pieces,
        log=False,
    )
    record = figure(found, "renyi_efficiency[a=2.5,V]")
    assert record.value == pytest.approx(even.value)
    assert record.high - record.low == pytest.approx(even.high - even.low, rel=0.1)


def test_a_part_says_nothing_of_the_ids_used_in_all(monkeypatch):
    order = np.random.default_rng(0).permutation(400).tolist()
    texts = [f"w{i % 23} v{i % 7} {i}" for i in order]
    whole = one_tokenizer(texts)
    monkeypatch.setattr(id_intervals, "_BYTES", 1500)
    part = one_tokenizer([*texts, "one more"])
    used = figure(part, "utilization")
    assert figure(whole, "utilization").low is not None
    assert used.low is used.high is None
    assert (
        used.note == f"{NO_INTERVAL}a part of the text says nothing of the ids that all of it uses"
    )
    widths = []
    for found in (whole, part):
        record = figure(found, "renyi_efficiency[a=2.5,V]")
        widths.append(record.high - record.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.25)  # scaled to the whole


def test_groups_that_are_sampled_more_thinly_weigh_as_much_as_they_are():
    """An interval where one group was sampled is nearly that of all documents."""
    texts = [f"{'word' * (1 + i % 9)} {i}" for i in range(700)]  # apart from each other
    texts += [f"{'x' * (1 + i % 2)} {i}" for i in range(11_300)]
    groups = ["a"] * 700 + ["b"] * 11_300
    corpus = Corpus.of(texts, groups=groups)
    widths = []
    for most in (20_000, 750):
        sample = Sample(most)
        for batch in corpus.batches():
            sample.see(batch)
        documents = sample.finish()
        assert (documents.levels > 0).tolist() == [False, most == 750]
        totals = documents.totals
        quantities = {"bytes": totals[None, :, 1], "words": totals[None, :, 4]}
        maker = IntervalMaker(Units.of(documents), quantities)
        quotient = Quotient(Column("bytes"), Column("words"))
        value = quantities["bytes"].sum() / quantities["words"].sum()
        interval = maker.bounds(Figure("all", "x", value, "x", 1, made_of=quotient), 0)
        widths.append(np.log(interval.high / interval.low))
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


@pytest.mark.parametrize(("n", "is_given"), [(400, True), (12, False)])
def test_evenness_of_large_documents_rests_on_enough_of_them(n, is_given):
    texts = [" ".join(f"w{(i * j) % 97}" for j in range(2000)) + f" {i}" for i in range(n)]
    found = one_tokenizer(texts)
    record = figure(found, "renyi_efficiency[a=2.5,V]")
    assert (record.low is not None) == is_given
    if not is_given:
        assert record.note == f"{NO_INTERVAL}fewer than 20 effective documents"
