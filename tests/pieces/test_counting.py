import random
from collections import Counter

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk import arrow
from toktk.corpus.batch import TEXT, WEIGHT
from toktk.corpus.batch import spans as batch_spans
from toktk.errors import CorpusError, StorageError
from toktk.kernels.scan import BLOCK
from toktk.normalizers.normalizer import Normalizer
from toktk.pieces import counter, counting, runs
from toktk.pieces.counter import GroupTotals, merge
from toktk.pieces.counting import Counted, count_corpus, count_corpus_many, count_sides
from toktk.pieces.sample import Sample
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

GPT2 = Pretokenizer.of("gpt2")
texts = st.one_of(
    st.text("ab \n"), st.text("aB1 '\r\n.\u3000é東😀\0"), st.text(st.characters(codec="utf-8"))
)
groups = st.sampled_from(["de", "", "東京", "a/b c"])
documents = st.lists(st.tuples(texts, groups, st.integers(0, 2**40)), min_size=1, max_size=8)
# Compiles; leaves gaps; runs on the `regex` library (look-behind, and a possessive that is not exact).
PATTERNS_TRIED = [PATTERNS["cl100k"], PATTERNS["o200k"], r"\p{L}+|\d", r"(?<=a)b+|[^b]", r"\w++a|."]

ADDED = ("a", "ab", "\n", "😀")
MORE = [
    Pretokenizer("before", PATTERNS["gpt2"], (r"\d", "b+")),
    Pretokenizer("added", PATTERNS["o200k"], added=ADDED),
    Pretokenizer("normalizer", r"\w++a|.", (), Normalizer("NFD", True, "always")),
    Pretokenizer("all", PATTERNS["metaspace"], ("b",), Normalizer("NFC", True, "always"), ADDED),
    Pretokenizer("uncompiled", r"(?<=a)b+|[^b]", ("B",), Normalizer(), ADDED),
]


def expected_totals(documents):
    sums = {}
    for text, group, weight in documents:
        row = sums.setdefault(group, np.zeros(7, np.int64))
        row += np.array(reference.totals(text)) * weight
    return [sums[group].tolist() for group in sorted(sums)]


@pytest.fixture(scope="module", autouse=True)
def small_tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter, "_FIRST_SLOTS", 4)
        yield


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home where nothing is."""
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("pattern", PATTERNS_TRIED)
@settings(max_examples=30)
@given(documents=documents, batch_rows=st.integers(1, 4))
def test_equals_the_reference(corpus_of, pattern, documents, batch_rows):
    table = count_corpus(corpus_of(documents, batch_rows), Pretokenizer("tested", pattern))
    assert table.to_dict() == reference.count_pieces(pattern, documents)
    assert table.groups == tuple(sorted({group for _, group, _ in documents}))
    assert table.totals.tolist() == expected_totals(documents)


@pytest.mark.parametrize("pretokenizer", MORE, ids=lambda one: one.name)
@settings(max_examples=30)
@given(documents=documents, batch_rows=st.integers(1, 4))
def test_more_than_a_pattern(corpus_of, pretokenizer, documents, batch_rows):
    expected = Counter()
    for text, group, weight in documents:
        for piece in reference.cut_with(pretokenizer, text):
            expected[piece.encode(), group] += weight
    table = count_corpus(corpus_of(documents, batch_rows), pretokenizer)
    assert table.to_dict() == +expected
    assert table.totals.tolist() == expected_totals(documents)
    assert table.pretokenizer == pretokenizer.signature


@pytest.fixture(scope="module", params=[0, 1 << 20])
def few(request):
    """Join tables of threads by partition, or whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_FEW", request.param)
        yield


@given(documents, st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_threads_batches_and_order_do_not_matter(
    few, corpus_of, documents, jobs, batch_rows, chance
):
    plain = count_corpus(corpus_of(documents), GPT2)
    chance.shuffle(documents)
    other = count_corpus(corpus_of(documents, batch_rows), GPT2, jobs=jobs)
    assert (other.groups, other.pretokenizer) == (plain.groups, plain.pretokenizer)
    assert other.totals.tolist() == plain.totals.tolist()
    assert other.aligned.tolist() == plain.aligned.tolist()
    assert other.to_dict() == plain.to_dict()


def test_nasty_texts(corpus_of, nasty_texts):
    documents = [(text, f"g{i % 5}", i % 3 + 1) for i, text in enumerate(nasty_texts)]
    for name in PATTERNS:
        pretokenizer = Pretokenizer.of(name)
        table = count_corpus(corpus_of(documents, 3), pretokenizer, jobs=3)
        assert table.to_dict() == reference.count_pieces(pretokenizer.pattern, documents), name


def test_pieces_of_all_lengths(corpus_of):
    lengths = [
        *range(1, 35),
        63,
        64,
        65,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        BLOCK + 4000,
        300_000,
    ]
    chance = random.Random(1)
    documents = []
    for n in lengths:
        piece = "".join(chance.choices("abé", k=n))
        twin = piece[:-1] + ("b" if piece[-1] == "a" else "a")
        documents += [(piece, "g", 1), (twin, "g", 2), (f"x {piece} {twin}", "h", 3)]
    table = count_corpus(corpus_of(documents, 5), GPT2)
    assert table.to_dict() == reference.count_pieces(GPT2.pattern, documents)


def test_many_groups_and_pieces(corpus_of):
    documents = [
        (" ".join(str(i * j % 4001) for j in range(200)), f"g{i:03}", 1) for i in range(150)
    ]
    table = count_corpus(corpus_of(documents, 7), GPT2, jobs=2)
    assert table.to_dict() == reference.count_pieces(GPT2.pattern, documents)
    assert len(table.groups) == 150
    assert table.totals.tolist() == expected_totals(documents)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_what_goes_to_disk_is_counted_and_gone_in_the_end(corpus_of, nasty_texts, jobs, home):
    documents = [(text, f"g{i % 5}", i % 3 + 1) for i, text in enumerate(nasty_texts)]
    table = count_corpus(corpus_of(documents, 2), GPT2, jobs=jobs, memory=1)
    assert table.to_dict() == reference.count_pieces(GPT2.pattern, documents)
    assert table.totals.tolist() == expected_totals(documents)
    assert [*(home / "temporary").iterdir()] == []


def test_nothing_goes_to_disk_that_need_not(corpus_of, nasty_texts, home):
    documents = [(text, "g", 1) for text in nasty_texts]
    count_corpus(corpus_of(documents, 2), GPT2, jobs=2)
    assert not (home / "temporary").exists()


def test_a_thread_that_cannot_write_ends_the_counting(corpus_of, nasty_texts, monkeypatch):
    def full(self, *entries):
        raise StorageError("the disk is full")

    monkeypatch.setattr(runs.RunFile, "_write", full)
    documents = [(text, "g", 1) for text in nasty_texts]
    with pytest.raises(StorageError, match="disk is full"):
        count_corpus(corpus_of(documents, 1), GPT2, jobs=2, memory=1)


@given(documents, st.integers(2, 5), st.booleans())
def test_threads_add_up_what_they_counted(corpus_of, documents, jobs, by_group):
    # Each counter meets the groups in an order of its own; the last pieces are long ones.
    documents = documents + 2 * [("x" * 40 + " " + "東" * 9, group, 3) for group in ("b", "a")]
    counters = [counter.Counter(GPT2) for _ in range(jobs)]
    totals = [GroupTotals(by_group) for _ in range(jobs)]
    sums = GroupTotals(by_group=True)
    for i, batch in enumerate(corpus_of(documents, 1).batches()):
        groups = totals[i % jobs].add(batch)
        weights = arrow.to_numpy(batch.column(WEIGHT))
        counters[i % jobs].add(*batch_spans(batch.column(TEXT)), groups, weights)
    numbers = [sums.merge(of_counter) for of_counter in totals]
    table = counter.SpanCounter.summed(counters, sums, numbers)
    expected = count_corpus(corpus_of(documents), GPT2, by_group=by_group)
    assert table.to_dict() == expected.to_dict()
    assert (table.groups, table.totals.tolist()) == (expected.groups, expected.totals.tolist())
    assert len({table.piece(p) for p in range(len(table))}) == len(table)


def test_without_groups(corpus_of):
    documents = [("a b a", "one", 2), ("a", "all", 1), ("", "two", 1)]
    table = count_corpus(corpus_of(documents), GPT2, by_group=False, jobs=2)
    assert table.to_dict() == {(b"a", "text"): 3, (b" b", "text"): 2, (b" a", "text"): 2}
    assert table.groups == ("text",)


def test_empty_documents_alone(corpus_of):
    table = count_corpus(corpus_of([("", "g", 1), ("", "h", 3)]), GPT2, jobs=2)
    assert (len(table), table.groups) == (0, ("g", "h"))
    assert table.totals[:, 0].tolist() == [1, 3]
    assert len(merge([table, table])) == 0


def test_a_group_called_all_is_refused(corpus_of):
    with pytest.raises(CorpusError, match="'all'"):
        count_corpus(corpus_of([("a", "all", 1)]), GPT2)


def test_alignment_ids_are_summed(corpus_of):
    rows = [("a", "de", 1, "1"), ("b", "de", 1, "2"), ("c", "fr", 1, "2"), ("d", "fr", 1, "1")]
    rows += [("e", "it", 1, "1"), ("f", "it", 1, "3"), ("g", "en", 1)]
    table = count_corpus(corpus_of(rows, 2), GPT2, jobs=2)
    en, de, fr, it = (
        table.aligned[table.groups.index(g)].tolist() for g in ("en", "de", "fr", "it")
    )
    assert en == [0, 0]
    assert de == fr
    assert de[0] == it[0] == 2
    assert de[1] != it[1]


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("memory", [None, 1])
def test_several_pretokenizers_in_one_reading(corpus_of, nasty_texts, jobs, memory):
    corpus = corpus_of([(text, "ab"[i % 2], 1 + i % 3) for i, text in enumerate(nasty_texts)], 7)
    cuts = [GPT2, Pretokenizer.of("metaspace")]
    tables = count_corpus_many(corpus, cuts, jobs=jobs, memory=memory)
    for cut, table in zip(cuts, tables, strict=True):
        alone = count_corpus(corpus, cut)
        assert table.to_dict() == alone.to_dict()
        assert table.groups == alone.groups
        assert (table.totals == alone.totals).all()


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("memory", [None, 1])
def test_both_sides_of_a_hold_out_in_one_reading(corpus_of, nasty_texts, jobs, memory):
    corpus = corpus_of([(text, "ab"[i % 2], 1 + i % 3) for i, text in enumerate(nasty_texts)], 7)
    train, test = corpus.split(0.4)
    cuts = [Pretokenizer.of("metaspace"), GPT2]
    sample = Sample()
    sides = [Counted(test, [GPT2], beside=[sample]), Counted(train, cuts, by_group=False)]
    ((own,), others) = count_sides(sides, jobs=jobs, memory=memory)
    assert own.to_dict() == count_corpus(test, GPT2).to_dict()
    assert (own.totals == count_corpus(test, GPT2).totals).all()
    assert len(sample.finish()) > 0
    for cut, table in zip(cuts, others, strict=True):
        assert table.to_dict() == count_corpus(train, cut, by_group=False).to_dict()


def test_an_error_in_a_thread_is_raised(corpus_of, monkeypatch):
    def fail(self, batch):
        raise CorpusError("as planned")

    monkeypatch.setattr(counting._Tally, "add", fail)
    with pytest.raises(CorpusError, match="as planned"):
        count_corpus(corpus_of([("a", "g", 1)] * 50, 1), GPT2, jobs=3)


def test_an_error_of_the_reader_ends_the_threads(corpus_of):
    class Broken:
        def batches(self, progress=None):
            yield from corpus_of([("a", "g", 1)]).batches()
            raise CorpusError("line 2 is damaged")

    with pytest.raises(CorpusError, match="line 2"):
        count_corpus(Broken(), GPT2, jobs=2)


@pytest.mark.parametrize("fill", [0.4, 0.5, 0.54, 0.57, 0.59, 0.6])
@pytest.mark.parametrize("power", [13, 17])
def test_merging_tables_of_the_same_hash_passes_over_few_slots(fill, power, monkeypatch):
    # A table lists its pieces in the order of their hash, and this is how they come to the merging one.
    n = int(fill * 2**power)
    chance = np.random.default_rng(power)
    totals = counter.GroupTotals(by_group=False)
    totals._numbered(["text"])
    counters = []

    class Watched(counter.SpanCounter):
        def __init__(self, *args):
            super().__init__(*args)
            counters.append(self)

    monkeypatch.setattr(counter, "SpanCounter", Watched)

    def table_of(letters):
        counter = Watched("")
        groups, counts = np.zeros(n, np.int32), np.ones(n, np.int64)
        counter.add_spans(letters.reshape(-1), np.arange(0, 10 * n + 1, 10), groups, counts)
        return counter.table(totals)

    tables = [table_of(chance.integers(97, 123, (n, 10), np.uint8)) for _ in range(3)]
    table = merge([*tables, tables[0]])
    assert table.counts.sum() == 4 * n
    assert len(table) == 3 * n
    assert len(counters) == 4
    assert counters[-1]._state[counters[-1]._kernels.PASSED] < 4 * 4 * n
