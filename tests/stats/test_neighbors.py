import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.neighbors import neighbor_sums, place_in_text
from toktk.stats.neighbors import TextOrder, neighbor_factor, neighbor_factors, places_in_text

counts = st.integers(0, 50).map(float)


@st.composite
def texts(draw):
    """Documents of several texts, in chains: numerator, denominator, and which is before each or None."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 12))
        order = draw(st.permutations(range(n)))
        breaks = draw(st.sets(st.integers(0, n - 1)))
        before = dict(itertools.pairwise(order[::-1]))
        found.append(
            [(draw(counts), draw(counts), None if d in breaks else before.get(d)) for d in range(n)]
        )
    return found


@given(texts(), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_sums_are_those_of_all_pairs_along_the_text(texts, lags):
    lags = lags[: len(texts)]
    x, y = (np.array([row[side] for text in texts for row in text]) for side in (0, 1))
    lengths = [len(text) for text in texts]
    first = np.cumsum([0, *lengths])[:-1]
    previous = [
        -1 if before is None else at + before
        for at, text in zip(first.tolist(), texts, strict=True)
        for _, _, before in text
    ]
    group = np.repeat(np.arange(len(texts)), lengths)
    text_order = TextOrder.of(np.array(previous, dtype=np.int64), group)
    assert group[text_order.order].tolist() == group.tolist()
    spans = np.stack([first, first, lengths], axis=1)
    sums = np.full((len(texts), 3), np.nan)
    neighbor_sums(x, y, spans, *text_order, np.array(lags), np.empty(max(lengths)), sums)
    for text, lag, found in zip(texts, lags, sums.tolist(), strict=True):
        above, below = sum(row[0] for row in text), sum(row[1] for row in text)
        wanted = [0.0, 0.0, 0.0]
        for i in range(len(text) if above and below else 0):
            d = [a / above - b / below for a, b, _ in text]
            wanted[0] += d[i] ** 2
            j = i
            for k in range(1, lag + 1):
                j = text[j][2]
                if j is None:
                    break
                product = (1 - k / (lag + 1)) * d[i] * d[j]
                wanted[1] += product
                wanted[2] += product**2
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def factor(sizes, tokens, order=None):
    n = len(sizes)
    order = np.arange(n) if order is None else order
    spans = np.array([[0, 0, n]])
    in_text = TextOrder.of(np.arange(n) - 1)
    among_many = neighbor_factors(tokens[order], sizes[order], spans, in_text).item()
    assert neighbor_factor(tokens[order], sizes[order], in_text) == pytest.approx(among_many)
    return among_many


def pages(n_pages, lines, seed=0):
    """Lines whose tokens depend on their page."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(50, 150, n_pages * lines).astype(float)
    return sizes, sizes * (0.3 + 0.1 * np.repeat(rng.normal(size=n_pages), lines))


@given(texts(), st.integers(0, 9))
def test_one_text_has_the_factor_that_it_has_among_many(texts, copies):
    rows = texts[0] * (1 + 4 * copies)  # long enough to have lags
    n = len(texts[0])
    x, y = (np.array([row[side] for row in rows]) for side in (0, 1))
    previous = [-1 if row[2] is None else i // n * n + row[2] for i, row in enumerate(rows)]
    order = TextOrder.of(np.array(previous, dtype=np.int64))
    spans = np.array([[0, 0, x.size]])
    among_many = neighbor_factors(x, y, spans, order).item()
    assert neighbor_factor(x, y, order) == pytest.approx(among_many, rel=1e-9)


def test_lines_of_one_page_are_alike():
    sizes, tokens = pages(100, 10)
    found = factor(sizes, tokens)
    by_page = [np.add.reduceat(own, np.arange(0, 1000, 10)) for own in (tokens, sizes)]
    shares = [own / own.sum() for own in (tokens, sizes)]
    of_pages = by_page[0] / tokens.sum() - by_page[1] / sizes.sum()
    true = np.sqrt((of_pages**2).sum() / ((shares[0] - shares[1]) ** 2).sum())
    assert found == pytest.approx(true, rel=0.25)  # about 3: ten lines that count as one


@pytest.mark.parametrize("seed", range(20))
def test_lines_in_any_order_are_not(seed):
    sizes, tokens = pages(100, 10, seed)
    order = np.random.default_rng(seed).permutation(1000)
    assert factor(sizes, tokens, order) == 1


def test_little_that_is_alike_is_left_unsaid():
    sizes, tokens = pages(3000, 2)
    weaker = tokens + np.random.default_rng(1).normal(size=6000) * sizes * 0.2
    assert factor(sizes, weaker) == 1


def test_no_deviations_are_not_alike():
    assert factor(np.ones(50), np.ones(50)) == 1
    assert factor(np.zeros(50), np.ones(50)) == 1
    no_texts, none = np.empty((0, 3), np.int64), TextOrder.of(np.empty(0, np.int64))
    assert neighbor_factors(np.ones(0), np.ones(0), no_texts, none).size == 0


def test_places_of_chains():
    # 3 1 4 and 0 2, and 5 that nothing is known of; the chain of the least first number comes first.
    previous = np.array([-1, 3, 0, -1, 1, -1])
    assert places_in_text(previous).tolist() == [0, 3, 1, 2, 4, 5]


@given(
    st.integers(0, 12).flatmap(lambda n: st.lists(st.integers(-1, n - 1), min_size=n, max_size=n))
)
def test_places_number_each_document_once(previous):
    before = np.array(previous, dtype=np.int64)
    places = places_in_text(before).tolist()
    assert sorted(places) == [*range(len(previous))]
    compiled = np.full(before.size, -1, dtype=np.int64)
    place_in_text(before, np.full_like(compiled, -1), compiled)
    assert places == compiled.tolist()


@given(st.permutations(range(20)))
def test_places_are_the_order_of_the_text(order):
    previous = np.full(20, -1)
    for before, after in itertools.pairwise(order):
        previous[after] = before
    assert places_in_text(previous)[order].tolist() == [*range(20)]
