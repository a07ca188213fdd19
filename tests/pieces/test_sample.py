"""The sample of documents: the same for any order, batches and parts; against a slow twin."""

import dataclasses
import itertools
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.corpus import Corpus
from toktk.pieces import excerpts
from toktk.pieces import sample as sampling
from toktk.pieces.sample import Sample
from toktk.pieces.sample_rows import sorted_rows
from toktk.pieces.sampled_documents import BLOCKS, DOCUMENTS, LINES, SampledDocuments

texts = st.text(st.sampled_from("ab \n\0é😀"), max_size=6)
documents = st.lists(st.tuples(texts, st.sampled_from(["x", "y"])), max_size=40)


def sampled(parts, most, align=None):
    """Sample parts, each seen by a sample of its own, and merge them."""
    whole = Sample(most)
    seen = []
    for part in parts:
        if not part:
            continue
        own = whole.fresh()
        corpus = Corpus.of(
            [text for text, _ in part], groups=[group for _, group in part], align=align
        )
        for batch in corpus.batches():
            own.see(batch)
        seen.append(own)
    whole.merge(seen)
    return whole.finish()


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=30), st.booleans())
def test_rows_are_sorted_by_group_unit_and_text(keys, text_is_unit):
    group, unit, text = np.array(keys, dtype=np.int64).reshape(-1, 3).T
    group = np.ascontiguousarray(group, dtype=np.int32)
    unit, text = (np.ascontiguousarray(c, dtype=np.uint64) << 62 for c in (unit, text))
    text = unit if text_is_unit else text
    order = sorted_rows(group, unit, text)
    assert sorted(order.tolist()) == [*range(len(keys))]
    rows = [*zip(group[order], unit[order], text[order], strict=True)]
    assert rows == sorted(rows)


def rows_of(sample: SampledDocuments):
    spans = zip(sample.offsets[:-1].tolist(), sample.offsets[1:].tolist(), strict=True)
    return [
        (sample.groups[g], sample.data[a:b].tobytes().decode(), copies)
        for g, (a, b), copies in zip(
            sample.group.tolist(), spans, sample.copies.tolist(), strict=True
        )
    ]


@given(documents, st.integers(0, 40))
def test_all_documents_where_they_fit(documents, cut):
    sample = sampled([documents[:cut], documents[cut:]], most=100)
    wanted = Counter((group, text) for text, group in documents)
    assert Counter({(group, text): n for group, text, n in rows_of(sample)}) == wanted
    assert sample.levels.tolist() == [0] * len(sample.groups)
    by_group = Counter(group for group, _ in wanted)
    assert dict(zip(sample.groups, sample.n_all.tolist(), strict=True)) == dict(by_group)
    assert sample.group.tolist() == sorted(sample.group.tolist())


@given(st.permutations(range(60)), st.integers(1, 20), st.integers(0, 60))
def test_a_sample_does_not_depend_on_order_or_parts(order, most, cut):
    documents = [(f"text {i}", "xy"[i % 2]) for i in order]
    sample = sampled([documents[:cut], documents[cut:]], most)
    again = sampled([sorted(documents)], most)
    assert rows_of(sample) == rows_of(again)
    assert sample.unit.tolist() == again.unit.tolist()
    for g, level in enumerate(sample.levels.tolist()):
        n = int((sample.group == g).sum())
        assert n <= most
        hashes = sample.unit[sample.group == g]
        assert level == 0 or (hashes >> np.uint64(64 - level) == 0).all()
        # One bit less would have been too many.
        everything = sampled([documents], 10**6)
        fewer = everything.unit[everything.group == g]
        if level:
            assert (fewer >> np.uint64(64 - level + 1) == 0).sum() > most or level == 1


def test_the_document_before_each_is_known():
    documents = [(f"text {i}", "xy"[i % 3 == 0]) for i in range(30)]
    parts = [documents[:11], documents[11:]]
    for sample in (sampled(parts, 100), sampled(parts[::-1], 100)):
        rows = rows_of(sample)
        before = {rows[d][1]: rows[at][1] for d, at in enumerate(sample.previous) if at >= 0}
        wanted = {}
        for part in parts:
            for group in "xy":
                own = [text for text, of in part if of == group]
                wanted |= dict(zip(own[1:], own[:-1], strict=True))
        assert before == wanted


@given(documents, st.integers(0, 40))
def test_the_document_before_each_is_one_that_was(documents, cut):
    """Of copies any may count; a copy of itself does not."""
    parts = [documents[:cut], documents[cut:]]
    pairs = set()
    for part in parts:
        for name in "xy":
            own = [(name, text) for text, group in part if group == name]
            pairs |= {(b, a) for a, b in itertools.pairwise(own) if a != b}
    sample = sampled(parts, most=100)
    rows = [row[:2] for row in rows_of(sample)]
    found = {rows[d]: rows[at] for d, at in enumerate(sample.previous) if at >= 0}
    assert set(found.items()) <= pairs
    assert set(found) == {after for after, _ in pairs}
    again = sampled(parts[::-1], most=100)
    assert again.previous.tolist() == sample.previous.tolist()


def test_the_line_before_each_in_all_languages():
    documents = [(f"{group} {i}", group) for group in "xy" for i in range(5)]
    sample = sampled([documents], 100, align=[f"id {i}" for _ in "xy" for i in range(5)])
    rows = rows_of(sample)
    before = {rows[d][1]: rows[at][1] for d, at in enumerate(sample.previous) if at >= 0}
    assert before == {f"{group} {i + 1}": f"{group} {i}" for group in "xy" for i in range(4)}


def test_a_large_text_is_sampled_evenly():
    documents = [(f"{i} text", "x") for i in range(4000)]
    sample = sampled([documents], most=600)
    n_all = int(sample.n_all[0])
    assert abs(n_all / 4000 - 1) < 0.2  # of the hash, not of chance: the same on every machine


def test_languages_of_a_line_are_in_it_together():
    lines = [(f"{lang} {i} " * (1 + 3 * (lang == "y")), lang) for i in range(200) for lang in "xy"]
    ids = [str(i) for i in range(200) for _ in "xy"]
    sample = sampled([lines], most=40, align=ids)
    assert sample.kinds == (LINES, LINES)
    x, y = (sample.unit[sample.group == g].tolist() for g in (0, 1))
    assert x == y
    assert 0 < len(x) <= 40
    assert sample.n_all[0] == sample.n_all[1]


def test_a_lone_document_is_cut_into_blocks():
    text = "".join(f"line {i} naïve 東京\n" for i in range(2000))
    sample = sampled([[(text, "x"), ("short", "y"), ("other", "y")]], most=100)
    assert sample.kinds == (BLOCKS, DOCUMENTS)
    blocks = [text for group, text, _ in rows_of(sample) if group == "x"]
    assert "".join(blocks) == text
    assert len(blocks) >= 40
    assert all(block.endswith("\n") for block in blocks)
    assert max(map(len, blocks)) < 2 * min(map(len, blocks))


@pytest.mark.parametrize("text", ["", "a", "a" * 5000, "é" * 5000, " " * 5000])
def test_blocks_of_odd_documents(text):
    sample = sampled([[(text, "x")]], most=100)
    assert "".join(block for _, block, _ in rows_of(sample)) == text


def test_it_survives_the_store(tmp_path):
    sample = sampled([[("é", "x"), ("b", "y")]], most=100)
    sample.save(tmp_path)
    again = SampledDocuments.load(tmp_path)
    assert rows_of(again) == rows_of(sample)
    assert (again.groups, again.kinds) == (sample.groups, sample.kinds)


def test_nothing():
    assert len(Sample().finish()) == 0


def in_order(parts, most):
    """Sample parts of a text, each in samples of one batch or many, stored and read in between."""
    whole = Sample(most, in_order=True)
    for part in parts:
        own = whole.fresh()
        for texts in part:
            corpus = Corpus.of([text for text, _ in texts], groups=[group for _, group in texts])
            for batch in corpus.batches() if texts else ():
                own.see(batch)
                own._take_in()
        whole.merge([Sample.of_state(*own.state(), most)])
    return whole.finish()


def columns_of(sample):
    return {name: np.asarray(column).tolist() for name, column in vars(sample).items()}


cuts = st.lists(st.lists(st.integers(0, 40), max_size=3).map(sorted), max_size=3)


@given(documents, cuts, st.integers(1, 30))
def test_a_sample_in_order_does_not_depend_on_parts_or_batches(documents, cuts, most):
    bounds = sorted({0, len(documents), *itertools.chain(*cuts)})
    batches = [documents[a:b] for a, b in itertools.pairwise(bounds)]
    n = max(len(cuts), 1)
    parts = [batches[len(batches) * i // n : len(batches) * (i + 1) // n] for i in range(n)]
    assert columns_of(in_order(parts, most)) == columns_of(in_order([[documents]], most))


@given(documents)
def test_a_sample_in_order_knows_the_document_before(documents):
    sample = in_order([[[document] for document in documents]], most=1000)
    rows = [(group, text) for group, text, _ in rows_of(sample)]
    befores = {row: set() for row in rows}
    last = {}
    for text, group in documents:
        if last.get(group, text) != text:
            befores[group, text].add((group, last[group]))
        last[group] = text
    for row, place in zip(rows, sample.previous.tolist(), strict=True):
        assert (rows[place] if place >= 0 else None) in (befores[row] or {None})


def test_a_document_of_no_weight_stands_before_another_and_is_not_kept():
    kinds = [("a", 1), ("b", 0), ("c", 1), ("a", 1), ("b", 0)]
    corpora = [Corpus.of([text], weights=[n], groups="x") for text, n in kinds]
    whole = Sample(in_order=True)
    for corpus in corpora:
        own = whole.fresh()
        for batch in corpus.batches():
            own.see(batch)
        whole.merge([own])
    sample = whole.finish()
    assert sorted(rows_of(sample)) == [("x", "a", 2), ("x", "c", 1)]
    places = dict(
        zip([text for _, text, _ in rows_of(sample)], sample.previous.tolist(), strict=True)
    )
    assert places["c"] == -1  # b was before it
    assert rows_of(sample)[places["a"]][1] == "c"


@pytest.fixture
def little_room(monkeypatch):
    """Let all groups together have 4 kB, each 64 bytes, and a document 1 kB."""
    for name, value in [("_BYTES", 4096), ("_LEAST_SHARE", 64), ("_LARGEST_SHARE", 1024)]:
        monkeypatch.setattr(sampling, name, value)
    monkeypatch.setattr(sampling, "_ROW", 4)
    monkeypatch.setattr(sampling, "_PENDING", 50)
    monkeypatch.setattr(sampling, "_WAITING", 100)
    monkeypatch.setattr(excerpts, "_BLOCK", 20)
    monkeypatch.setattr(excerpts, "_NEAR", 6)


def shuffled(n, seed):
    """Return 0..n-1 in some order, and where to cut it."""
    chance = random.Random(seed)
    return chance.sample(range(n), n), chance.randrange(1, n)


@pytest.mark.parametrize("seed", range(5))
def test_many_groups_have_a_bound_together(little_room, seed):
    order, cut = shuffled(900, seed)
    documents = [(f"text {i} of {'many ' * (i % 9)}groups", f"g{i % 300}") for i in order]
    whole = sampled([documents[:cut], documents[cut:]], most=100)
    again = sampled([sorted(documents)], most=100)
    assert rows_of(whole) == rows_of(again)
    assert whole.levels.tolist() == again.levels.tolist()
    assert whole.data.size < 3 * 4096 + 300 * 70  # the longest of a group does not count
    assert len(whole) < 600
    assert 600 < whole.n_all.sum() < 1200
    few = sampled([documents[:40]], most=100)  # less than the bound: all of it
    assert len(few) == 40


@pytest.mark.parametrize("seed", range(5))
def test_long_documents_have_a_bound_together(little_room, seed):
    order, cut = shuffled(40, seed)
    words = ["".join(f"{i}.{n} " for n in range(40 * (i + 1))) for i in range(40)]
    documents = [(words[i], f"g{i}") for i in order]
    whole = sampled([documents[:cut], documents[cut:]], most=100)
    again = sampled([sorted(documents)], most=100)
    assert rows_of(whole) == rows_of(again)
    assert whole.data.size < 4096
    assert whole.data.size > 500
    for group, text, _ in rows_of(whole):
        of_group = words[int(group[1:])]
        assert set(text.split()) <= set(of_group.split())  # whole words, from all of it
    alone = sampled([[(words[39], "x")]], most=100)
    text = "".join(text for _, text, _ in rows_of(alone))
    assert 200 < len(text) <= 512
    assert int(text.split()[-1].partition(".")[2]) > 1400


def test_a_long_line_of_one_character_is_cut_between_characters(little_room):
    for letter in ("a", "é", "東", "😀"):
        text = letter * 2000
        whole = sampled([[(text, "x"), (text, "y"), ("short", "y")]], most=100)
        for _, excerpt, _ in rows_of(whole):
            assert excerpt in ("short", letter * len(excerpt))
            assert len(excerpt) < 1024


@pytest.mark.parametrize("n", [500, 15_000])  # all are kept, or half of them
def test_samples_of_texts_are_the_sample_of_the_texts_together(n):
    def text(name, first):
        texts = [f"{name} {i}" for i in range(first, first + n)]
        return Corpus.of(texts, groups=[("x", name)[i % 5 == 0] for i in range(n)], name=name)

    def seen(corpora, factors):
        sample = Sample()
        for corpus, times in zip(corpora, factors, strict=True):
            for batch in corpus.batches():
                weights = pa.array([times] * len(batch), pa.int64())
                sample.see(batch.set_column(3, batch.schema[3], weights))
        return sample

    made = [text("y", 0), text("y", n // 2), text("z", 0)]  # half of the second stand in the first
    parts = []
    for corpus, times in zip(made, (2, 1, 3), strict=True):
        documents = seen([corpus], [1]).finish()
        sums = np.zeros((len(documents.groups), 7), np.int64)
        for batch in corpus.batches():
            for group, size in zip(
                batch["group"].to_pylist(), batch["text"].to_pylist(), strict=True
            ):
                sums[documents.groups.index(group), :2] += 1, len(size)
        parts.append(Sample.of(documents, sums, np.full(len(documents.groups), times)))
    whole = Sample()
    whole.merge(parts)
    found, wanted = whole.finish(), seen(made, (2, 1, 3)).finish()
    for field in dataclasses.fields(SampledDocuments):
        assert np.array_equal(getattr(found, field.name), getattr(wanted, field.name)), field.name
    assert (found.levels.max() > 0) == (n > 500)
