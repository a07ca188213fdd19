"""A text of few documents is held out by blocks."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from toktk.corpus import Corpus, load_corpus
from toktk.corpus import blocks as blocks_module
from toktk.errors import CorpusError


def texts(corpus):
    return [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]


def by_blocks(side):
    return "by blocks" in side.describe()["selection"]


def prose(seed, n_lines):
    """Return lines of words, some blank, with all kinds of line end."""
    draw = random.Random(seed)
    words = ["the", "naïve", "café", "of", "東京", "cat", "x" * 40]
    lines = (" ".join(draw.choices(words, k=draw.randint(0, 14))) for _ in range(n_lines))
    return "".join(line + draw.choice(["\n", "\n", "\n\n", "\r\n", "\r"]) for line in lines)


@pytest.mark.parametrize("n_documents", [1, 3, blocks_module.FEW - 1])
def test_long_documents_are_held_out_by_blocks(n_documents):
    documents = [prose(seed, 4000 // n_documents) for seed in range(n_documents)]
    corpus = Corpus.of(documents)
    train, test = corpus.split(0.2)
    assert by_blocks(train)
    sides = [texts(train), texts(test)]
    assert not set(sides[0]) & set(sides[1])
    shares = [sum(map(len, side)) for side in sides]
    assert sum(shares) == sum(map(len, documents))  # no character is lost
    assert 0.1 < shares[1] / sum(shares) < 0.3
    whole = "\0".join(documents)
    for block in sides[0] + sides[1]:
        # A block begins where a line does, and no run of line ends is cut.
        begin = r"(\A|\0)" if block[0] in "\r\n" else r"(\A|[\0\n\r])"
        assert re.search(f"{begin}{re.escape(block)}(\\Z|[^\r\n])", whole)


def test_blocks_hang_on_the_lines_at_hand_alone():
    document = prose(1, 2000)
    lines = document.splitlines(keepends=True)
    changed = "".join([*lines[:1000], "a line more\n", *lines[1000:]])
    blocks = [Counter(texts(Corpus.of([d]).split(0.5)[0])) for d in (document, changed)]
    assert sum((blocks[0] - blocks[1]).values()) <= 1
    turned = [prose(2, 500), document]
    sides = [Counter(texts(Corpus.of(some).split(0.3)[1])) for some in (turned, turned[::-1])]
    assert sides[0] == sides[1]


def test_blocks_keep_group_and_weight_and_aligned_text_stays_whole():
    long = [prose(seed, 500) for seed in (1, 2, 3)]
    corpus = Corpus.of(
        ["", *long],
        groups=["a", "b", "c", "a"],
        align=[None, None, "7", None],
        weights=[1, 2, 3, 4],
    )
    kept = [row for side in corpus.split(0.5) for b in side.batches() for row in b.to_pylist()]
    for text, group, align, weight in zip(
        ["", *long], "abca", [None, None, "7", None], [1, 2, 3, 4], strict=True
    ):
        rows = [
            row
            for row in kept
            if (row["group"], row["align"], row["weight"]) == (group, align, weight)
        ]
        assert sum(len(row["text"]) for row in rows) == len(text)
        assert (len(rows) > 1) == (len(text) > 0 and align is None)


def test_many_documents_and_short_ones_are_held_out_whole():
    documents = [prose(seed, 100) for seed in range(blocks_module.FEW)]
    train, test = Corpus.of(documents).split(0.3)
    assert not by_blocks(train)
    assert Counter(texts(train) + texts(test)) == Counter(documents)
    short = [prose(seed, 20) for seed in range(5)]
    assert not by_blocks(Corpus.of(short).split()[0])
    sides = []
    for side in Corpus.of(short).split(0.5):
        try:
            sides += texts(side)
        except CorpusError:
            continue
    assert Counter(sides) == Counter(short)


def test_one_file_by_document(tmp_path):
    path = tmp_path / "book.txt"
    path.write_bytes(prose(5, 3000).encode())
    corpus = load_corpus(path, sample_by="document")
    train, test = corpus.split()
    assert sum(len(t.encode()) for t in texts(train) + texts(test)) == path.stat().st_size
    assert test.describe()["selection"].startswith("test side of a 0.1 split, by blocks")
    assert any("blocks" in remark for remark in test.remarks)
    assert test.describe()["remarks"] == train.remarks
    again = load_corpus(path, sample_by="document").split()[1]
    assert texts(again) == texts(test)
    assert again.fingerprint == test.fingerprint != train.fingerprint


def test_blocks_are_about_as_long_whatever_the_lines_are():
    for length in (10, 100, 1000):
        draw = np.random.default_rng(length)
        lines = draw.integers(97, 123, (400_000 // length, length)).astype(np.uint8)
        lines[:, -1] = 10
        blocks = texts(Corpus.of([lines.tobytes().decode()]).split(0.5)[0])
        mean = np.mean([len(block) for block in blocks])
        assert blocks_module.BLOCK_BYTES / 2 < mean < 2 * blocks_module.BLOCK_BYTES
