"""A limit takes as many documents of every group."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import Corpus, load_corpus
from toktk.corpus import limit as limit_module


def rows(corpus):
    return [
        (row["text"], row["group"], row["align"])
        for batch in corpus.batches()
        for row in batch.to_pylist()
    ]


def corpus_of(documents):
    texts, groups = zip(*documents, strict=True)
    return Corpus.of(texts, groups=groups)


def slow_counts(sizes, limit):
    """Return how many of each group are taken, one after the other in turn; the last turn is open."""
    taken = dict.fromkeys(sizes, 0)
    while sum(taken.values()) + sum(taken[g] < n for g, n in sizes.items()) <= limit:
        growing = [group for group, n in sizes.items() if taken[group] < n]
        if not growing:
            break
        for group in growing:
            taken[group] += 1
    return taken


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab", max_size=3), st.sampled_from("ghij")), min_size=1, max_size=60
    ),
    st.integers(1, 70),
    st.integers(0, 3),
    st.sampled_from([1, 7, 1 << 16]),
)
def test_groups_are_taken_alike(documents, limit, seed, enough):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit_module, "_ENOUGH", enough)
        patch.setattr("toktk.corpus.batch.BATCH_BYTES", 8)
        taken = [(text, group) for text, group, _ in rows(corpus_of(documents).limit(limit, seed))]
    assert not Counter(taken) - Counter(documents)
    assert len(taken) == min(limit, len(documents))
    sizes = Counter(group for _, group in documents)
    found = Counter(group for _, group in taken)
    for group, least in slow_counts(sizes, limit).items():
        assert least <= found[group] <= min(least + 1, sizes[group])
    assert taken == [
        (text, group) for text, group, _ in rows(corpus_of(documents).limit(limit, seed))
    ]


def test_every_file_of_a_folder(tmp_path):
    for name, n in (("a", 5000), ("b", 700), ("c", 3)):
        (tmp_path / f"{name}.txt").write_text("".join(f"{name} {i}\n" for i in range(n)))
    found = Counter(group for _, group, _ in rows(load_corpus(tmp_path, limit=403)))
    assert found == {"a": 200, "b": 200, "c": 3}
    inside = tmp_path / "all"
    inside.mkdir()
    for name in "abc":
        (tmp_path / f"{name}.txt").rename(inside / f"{name}.txt")
    of_one = rows(load_corpus(tmp_path, limit=500))
    assert {group for _, group, _ in of_one} == {"all"}
    assert {text[0] for text, _, _ in of_one} >= {
        "a",
        "b",
    }  # spread over the files, as they are long


def test_aligned_text_counts_as_one_group_beside_others():
    documents = [(f"{group} {i}", group, str(i)) for group in ("de", "en") for i in range(90)]
    documents += [(f"code {i}", "code", None) for i in range(90)]
    texts, groups, align = zip(*documents, strict=True)
    taken = rows(Corpus.of(texts, groups=groups, align=align).limit(40))
    assert Counter(group for _, group, _ in taken) == {"de": 20, "en": 20, "code": 20}
