"""How often each id occurs in each group, held against a slow and obvious count."""

from collections import Counter

import numpy as np
import pytest
from every_kind import EXACT, GROUPS, hf, word_pieces
from nasty import NASTY_TEXTS
from public_samples import LLAMA2

from toktk.corpus import Corpus
from toktk.evaluation import group_ids
from toktk.evaluation.evaluation import evaluate
from toktk.evaluation.group_ids import count_group_ids
from toktk.pieces.counting import count_corpus

KINDS = EXACT | {
    "words": lambda: word_pieces("the", "cat", "##s", pre_tokenizer={"type": "BertPreTokenizer"}),
    "space in front": lambda: hf(LLAMA2),
}


def slow(tokenizer, texts, groups):
    """Count the ids of one document after the other."""
    counts = Counter()
    for text, group in zip(texts, groups, strict=True):
        counts.update((i, group) for i in tokenizer.encode(text))
    return dict(counts)


def as_dict(counts):
    return {
        (i, counts.groups[counts.entry_group[e]]): int(counts.entry_count[e])
        for i in range(counts.total.size)
        for e in range(counts.ends[i], counts.ends[i + 1])
    }


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_those_of_the_slow_twin(kind, jobs, monkeypatch):
    texts = [*NASTY_TEXTS, *NASTY_TEXTS[3:9], ""]
    groups = [GROUPS[i % 3] for i in range(len(texts) - 1)] + ["empty"]
    tokenizer = KINDS[kind]()
    table = count_corpus(Corpus.of(texts, groups=groups), tokenizer.pretokenizer)
    seen = []
    counts = count_group_ids(table, tokenizer.model, jobs, seen.append)
    assert sum(seen) == len(table)
    assert as_dict(counts) == slow(tokenizer, texts, groups)
    assert counts.groups == table.groups
    assert "empty" in counts.groups
    # The evaluation counts the same, over all groups and of each.
    (evaluation,) = evaluate(table, [tokenizer.model])
    size = tokenizer.vocab_size
    assert counts.total.tolist() == evaluation.token_counts(size).tolist()
    sums = np.zeros(len(counts.groups), dtype=np.int64)
    np.add.at(sums, counts.entry_group, counts.entry_count)
    assert sums.tolist() == evaluation.tokens(size).tolist()
    # One group after the other gives the same.
    monkeypatch.setattr(group_ids, "_CELLS", 1)
    again = count_group_ids(table, tokenizer.model, jobs)
    for name in ("total", "ends", "entry_group", "entry_count"):
        assert np.array_equal(getattr(again, name), getattr(counts, name))


def test_very_many_groups():
    texts = [f"ab {i}" for i in range(3000)]
    groups = [f"g{i}" for i in range(3000)]
    tokenizer = EXACT["bpe"]()
    table = count_corpus(Corpus.of(texts, groups=groups), tokenizer.pretokenizer)
    counts = count_group_ids(table, tokenizer.model, 2)
    assert as_dict(counts) == slow(tokenizer, texts, groups)


@pytest.mark.parametrize("count", [count_group_ids, evaluate], ids=["groups", "whole"])
@pytest.mark.parametrize(
    ("ids", "ends", "fault"),
    [
        ([3, 50], [1, 2], "the id 50 is beyond the 50"),
        ([-1, 3], [1, 2], "beyond the 50"),
        ([3, 4], [1], "2 ids are not dealt to the 2 pieces"),
        ([3, 4], [1, 3], "not dealt"),
        ([3, 4], [2, 1], "not dealt"),
        ([3, 4], [0, 1], "not dealt"),
    ],
)
def test_what_a_plug_in_cannot_mean_is_refused(count, ids, ends, fault):
    class Wrong:
        vocab_size = 50
        special_tokens = ()
        tokens = (b"x",) * 50

        def encode_pieces(self, data, offsets):
            return np.array(ids, dtype=np.int64), np.array(ends, dtype=np.int64)

    table = count_corpus(Corpus.of(["zz yy"]), EXACT["bpe"]().pretokenizer)
    assert len(table) == 2
    with pytest.raises(IndexError, match=fault):
        count(table, Wrong() if count is count_group_ids else [Wrong()])
