import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import packed
from toktk.audit import text_repeats
from toktk.audit.text_repeats import EqualDocuments, NearDocuments
from toktk.kernels.hash import hash_spans


def see(seer, texts, groups=None):
    data, offsets = packed([text.encode() for text in texts])
    numbers = np.zeros(len(texts), np.int64) if groups is None else np.array(groups, np.int64)
    seer.see(data, offsets, numbers, hash_spans(data, offsets))


long = st.sampled_from(["a" * 47, "a" * 48, "b" * 50, "東" * 16, "c" * 100])


@given(st.lists(st.tuples(long, st.integers(0, 2)), max_size=20))
def test_equal_documents_are_those_of_set_arithmetic(rows):
    equal = EqualDocuments()
    for row in rows:
        see(equal, [row[0]], [row[1]])
    repeats = equal.figures(["x", "y", "z"])
    kept = [(text, group) for text, group in rows if len(text.encode()) >= 48]
    assert repeats.n == len(kept)
    assert repeats.copies == len(kept) - len({text for text, _ in kept})
    assert repeats.across == len(set(kept)) - len({text for text, _ in kept})
    sizes = [len(text.encode()) for text, _ in kept]
    assert repeats.copy_bytes == sum(sizes) - sum(len(t.encode()) for t in {t for t, _ in kept})


def pages(n, copies):
    chance = random.Random(5)
    texts = [" ".join(f"{chance.randrange(10**6):x}" for _ in range(60)) for _ in range(n)]
    return texts + [f"{text} end" for text in texts[:copies]]


def test_a_sample_keeps_near_duplicates_together():
    near = NearDocuments(most=200)
    texts = pages(800, 800)
    for at in range(0, len(texts), 100):
        see(near, texts[at : at + 100])
    repeats = near.figures(["en"])
    assert repeats.halvings == 3
    assert repeats.n <= 200
    assert repeats.copies == pytest.approx(repeats.n / 2, rel=0.1)


def test_a_pair_below_the_index_is_no_near_duplicate(monkeypatch):
    first = pages(1, 0)[0].split()
    near = NearDocuments()
    see(near, [" ".join(first), " ".join([*first[:50], "x", *first[50:], "y", *first[:9]])])
    assert near.figures(["en"]).copies == 0
    monkeypatch.setattr(text_repeats, "JACCARD", 0.5)
    near = NearDocuments()
    see(near, [" ".join(first), " ".join([*first[:50], "x", *first[50:], "y", *first[:9]])])
    assert near.figures(["en"]).copies == 1
