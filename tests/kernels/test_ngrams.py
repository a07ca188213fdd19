"""N-grams: counts, probabilities and bits equal those of the slow twin; wrappers refuse what is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ngram_samples import N_IDS, learned, priced, stream_of

from toktk.educational import kneser_ney, kneser_ney_discounts
from toktk.evaluation.ngrams import ORDERS, NgramCounts, discounts
from toktk.kernels.ngrams import (
    PairTable,
    bits_of,
    context_sums,
    interpolate,
    pair_weights,
    stream,
)

# nltk 3.10.4, KneserNeyInterpolated(order, discount=0.75), on the documents of ngram_samples; None: a context
# that goes back to the beginning of a document, which it counts otherwise.
NLTK = {
    2: [
        0.115590756, 0.003846175, 0.12810876, 0.300321024, 0.000484097, 0.000835189, 0.211442094,
        0.003991969, 0.038219854, 0.209446919, 0.052087973, 0.50174992, 0.003734229, 0.043337045,
        0.064587973, 0.051252784, 0.085421307, 0.066286192, 0.145496461, 0.000291587, 0.000556793,
        0.000278396, 0.336442094, 0.000145794, 0.007099109, 0.004259465, 0.002505568, 0.001431753,
        0.069153675,
    ],
    3: [
        None, None, None, None, None, 0.000835189, 0.211442094, None, None, 0.407085189, 0.16406598,
        0.56403118, 0.066145996, 0.157502784, 0.29844098, 0.288439588, 0.31406598, 0.299714644,
        0.357765521, None, None, 0.000417595, 0.336442094, None, None, 0.004406344, 0.002591967,
        0.001503341, 0.069153675,
    ],
}  # fmt: skip

# lmplz of KenLM 0.3.0, without pruning, asked by its module for Python: log10 of each document of `priced`.
# It has an unknown word, which is one id more.
KENLM = {
    1: [-0.8056, -3.4799, -7.5305, -27.8703, -9.925, -12.6153],
    2: [-0.8937, -3.478, -7.5162, -17.2565, -10.0066, -14.0441],
    3: [-0.8888, -3.5008, -7.6323, -14.8842, -9.8557, -13.9198],
}

IDS = 4
DOCUMENTS = st.lists(st.lists(st.integers(0, IDS - 1), max_size=7), max_size=9)


def counted(documents, n_ids, at_a_time=None):
    """Return what documents give, added in parts of so many."""
    counts = NgramCounts(n_ids)
    step = at_a_time or max(len(documents), 1)
    for first in range(0, len(documents), step):
        counts.add(stream_of(documents[first : first + step], n_ids))
    return counts.estimate()


def by_twin(documents, order, n_ids, priced):
    """Return the probability of each token and end of some documents, after the beginning of each a 1."""
    p = kneser_ney(documents, order, n_ids)
    found = []
    for document in priced:
        tokens = [-1, *document, n_ids]
        found += [1.0, *(p(tokens[i], tokens[:i]) for i in range(1, len(tokens)))]
    return found


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS, st.integers(1, 3))
def test_equal_to_the_slow_twin(documents, others, at_a_time):
    model = counted(documents, IDS, at_a_time)
    tokens = stream_of(others, IDS)
    for order, probabilities in zip(ORDERS, model.probabilities(tokens), strict=True):
        probabilities[tokens == IDS + 1] = 1
        assert np.allclose(probabilities, by_twin(documents, order, IDS, others), rtol=1e-12)


def test_equal_to_the_slow_twin_on_many_ids():
    model, tokens = counted(learned(), N_IDS, 7), stream_of(priced(), N_IDS)
    bits = model.bits(tokens)
    for order in ORDERS:
        expected = by_twin(learned(), order, N_IDS, priced())
        lengths = [len(document) + 2 for document in priced()]
        ends = np.cumsum(lengths)
        sums = [
            -sum(map(math.log2, expected[end - n : end]))
            for n, end in zip(lengths, ends, strict=True)
        ]
        assert np.allclose(bits[order - 1], sums, rtol=1e-12)


@settings(deadline=None)
@given(DOCUMENTS, st.lists(st.integers(0, IDS - 1), max_size=3))
def test_after_any_context_all_outcomes_together_have_probability_one(documents, context):
    model = counted(documents, IDS)
    outcomes = range(IDS + 1)
    tokens = np.array([t for own in outcomes for t in (IDS + 1, *context, own)], dtype=np.int64)
    for probabilities in model.probabilities(tokens):
        each = probabilities[len(context) + 1 :: len(context) + 2]
        assert len(each) == IDS + 1
        assert math.isclose(each.sum(), 1, rel_tol=1e-12)
        assert (each > 0).all()


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS, st.permutations(range(IDS)))
def test_numbers_of_ids_mean_nothing(documents, others, order):
    bits = counted(documents, IDS).bits(stream_of(others, IDS))
    renamed = [[[order[i] for i in own] for own in texts] for texts in (documents, others)]
    again = counted(renamed[0], IDS).bits(stream_of(renamed[1], IDS))
    assert np.allclose(bits, again, rtol=1e-12)


@settings(deadline=None)
@given(DOCUMENTS, st.integers(0, 2**32))
def test_the_order_of_documents_means_nothing(documents, seed):
    shuffled = list(np.random.default_rng(seed).permutation(len(documents)))
    tokens = stream_of(documents, IDS)
    bits = counted(documents, IDS).bits(tokens)
    assert np.allclose(
        bits, counted([documents[i] for i in shuffled], IDS).bits(tokens), rtol=1e-12
    )


def test_what_nothing_was_learned_of_costs_as_much_as_any_other():
    bits = counted([], 7).bits(stream_of([[0, 6], []], 7))
    assert bits.tolist() == [[9.0, 3.0]] * 3


def test_an_id_that_never_occurs_is_paid_for_by_all_others():
    tokens = stream_of([[0, 1]], 100)
    few, many = (counted([[0, 1, 0], [1, 1]], n).bits(stream_of([[0, 1]], n)) for n in (2, 100))
    assert (many > few).all()
    assert counted([[0, 1]], 100).bits(tokens).shape == (3, 1)


@given(st.lists(st.integers(1, 6), max_size=40))
def test_discounts(counts):
    assert discounts(np.array(counts, dtype=np.int64)) == pytest.approx(
        kneser_ney_discounts(counts), abs=1e-15
    )


def test_discounts_stay_within_their_counts():
    assert discounts(np.array([1, 2, 3, 4], dtype=np.int64)) == pytest.approx((1 / 3, 1, 5 / 3))
    assert discounts(np.array([1, 2, 3])) == (0.75, 0.75, 0.75)
    # By the formula, less than nothing of 1 and of more, and nearly 2 of 2.
    assert discounts(np.repeat([1, 2, 3, 4], [1, 100, 1, 1]))[:2] == (0.1, 1.99)
    assert discounts(np.repeat([1, 2, 3, 4], [1, 1, 1, 9]))[2] == 0.1


@pytest.mark.parametrize("order", NLTK)
def test_the_twin_is_nltks_where_discounts_are_fixed(order):
    fixed = [(0.0, 0.0, 0.0), *[(0.75, 0.75, 0.75)] * (order - 1)]
    p = kneser_ney(learned(), order, N_IDS, fixed)
    contexts = [
        (token, [-1, *document, N_IDS][max(0, i - order + 2) : i + 1])
        for document in priced()
        for i, token in enumerate([*document, N_IDS])
    ]
    found = [p(*each) for each in contexts]
    expected = NLTK[order]
    assert len(found) == len(expected)
    assert [None if b is None else round(a, 9) for a, b in zip(found, expected, strict=True)] == (
        expected
    )


@pytest.mark.parametrize("order", NLTK)
def test_nltk_agrees_where_it_is_installed(order):
    lm, util = pytest.importorskip("nltk.lm"), pytest.importorskip("nltk.util")
    model = lm.KneserNeyInterpolated(order, discount=0.75)
    texts = [["<s>", *map(str, own), "</s>"] for own in learned()]
    model.fit(
        [util.everygrams(text, max_len=order) for text in texts], [w for t in texts for w in t]
    )
    found = []
    for document in priced():
        text = ["<s>", *map(str, document), "</s>"]
        for i in range(1, len(text)):
            context = text[max(0, i - order + 1) : i]
            is_known = len(context) == order - 1 and (order == 2 or "<s>" not in context)
            found.append(round(model.score(text[i], context), 9) if is_known else None)
    assert found == NLTK[order]


@pytest.mark.parametrize("order", KENLM)
def test_bits_are_those_of_kenlm(order):
    bits = counted(learned(), N_IDS + 1).bits(stream_of(priced(), N_IDS + 1))[order - 1]
    assert (-bits * math.log10(2)).tolist() == pytest.approx(KENLM[order], abs=1e-4)


def test_pairs_are_numbered_as_they_come():
    table = PairTable(9)
    tokens = np.array([9, 1, 2, 1, 2, 8, 9, 2, 8], dtype=np.int64)
    extends = np.zeros(10, dtype=np.int64)
    assert table.count(tokens, tokens, tokens, extends).tolist() == [-1, 0, 1, 2, 1, 3, -1, 4, 3]
    assert table.counts.tolist() == [1, 2, 1, 2, 1]
    assert [divmod(int(key), 2**32) for key in table.keys] == [
        (9, 1),
        (1, 2),
        (2, 1),
        (2, 8),
        (9, 2),
    ]
    assert extends.tolist() == [0, 2, 2, 0, 0, 0, 0, 0, 1, 0]
    assert table.find(tokens[:4], tokens[:4]).tolist() == [-1, 0, 1, 2]
    assert table.find(np.array([3, 3]), np.array([1, 2])).tolist() == [-1, -1]


def test_a_table_grows():
    table, n = PairTable(0), 5000
    tokens = np.arange(n, dtype=np.int64)
    numbers = table.count(tokens, tokens, tokens, np.zeros(n, dtype=np.int64))
    assert numbers.tolist() == [-1, *range(n - 1)]
    assert len(table) == n - 1
    assert np.array_equal(table.find(tokens, tokens), numbers)


def test_documents_of_pieces_become_tokens():
    numbers, ends = np.array([1, 0, 1, 2], np.int32), np.array([0, 3, 3, 4])
    ids, id_ends = np.array([5, 6, 7], np.uint32), np.array([1, 3, 3])
    found = stream(numbers, ends, ids, id_ends, 8)
    assert found.tolist() == [9, 6, 7, 5, 6, 7, 8, 9, 8, 9, 8]
    assert stream(numbers, ends[:1], ids, id_ends, 8).tolist() == []


A, F = np.zeros(2, dtype=np.int64), np.ones(2, dtype=np.float64)


@pytest.mark.parametrize(
    "call",
    [
        lambda: PairTable(-1),
        lambda: PairTable(2**31),
        lambda: PairTable(5).count(A.astype(np.int32), A, A, A),
        lambda: PairTable(5).count(A, A[::-1], A, A),
        lambda: PairTable(5).count(A, A[:1], A, A),
        lambda: PairTable(5).count(A - 2, A, A, A),
        lambda: PairTable(5).count(A, A - 1, A, A),
        lambda: PairTable(5).count(A, A, A + 2, A),
        lambda: PairTable(5).count(A, A, A - 1, A),
        lambda: PairTable(5).find(A, A + 2**31),
        lambda: context_sums(np.array([2**32], np.uint64), A[:1], 1),
        lambda: context_sums(A.view(np.uint64), A[:1], 1),
        lambda: context_sums(A, A, 1),
        lambda: pair_weights(A.view(np.uint64), A, A, F),
        lambda: interpolate(A + 2, A, F, F, F),
        lambda: interpolate(A, A + 2, F, F, F),
        lambda: interpolate(A - 2, A, F, F, F),
        lambda: interpolate(A, A, F, F, F[:1]),
        lambda: interpolate(A, A, F, F.astype(np.float32), F),
        lambda: bits_of(A, 1, F),
        lambda: bits_of(A, 0, F[:1]),
        lambda: bits_of(np.array([1, 0]), 1, F * 0),
        lambda: stream(A, A, A.astype(np.uint32), A, 3),
        lambda: stream(A.astype(np.int32), A + 3, A.astype(np.uint32), A, 3),
        lambda: stream(A.astype(np.int32), np.array([0, 2]), A.astype(np.uint32), A[:0], 3),
        lambda: stream(A.astype(np.int32), A, np.array([3], np.uint32), A, 3),
        lambda: stream(A.astype(np.int32), A, A.astype(np.uint32), A + 3, 3),
    ],
)
def test_what_kernels_cannot_take_is_refused(call):
    with pytest.raises((TypeError, ValueError)):
        call()
