import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.corpus import Corpus
from toktk.corpus.units import filtered
from toktk.counts.documents import (
    DocumentSum,
    Totals,
    compacted,
    muted,
    pooled,
    read_documents,
    read_sample,
    read_totals,
    write_documents,
    write_sample,
    write_totals,
)
from toktk.errors import StorageError
from toktk.pieces.counter import GroupTotals
from toktk.pieces.sample import Sample

rows = st.lists(
    st.tuples(
        st.text("ab\0é", max_size=3),
        st.sampled_from(["x", "", "東"]),
        st.sampled_from([None, "", "1", "é"]),
        st.sampled_from([0, 1, 1, 5, 2**40]),
    ),
    min_size=1,
    max_size=12,
)


def batches(rows):
    texts, groups, align, weights = (list(column) for column in zip(*rows, strict=True))
    return Corpus.of(texts, groups, align, weights).batches()


def sum_of(*parts):
    whole = DocumentSum()
    for part in parts:
        own = DocumentSum()
        for batch in batches(part) if part else ():
            own.add(batch)
        whole.merge(DocumentSum(str(own)))
    return str(whole)


@given(rows, st.data())
def test_a_fingerprint_is_that_of_the_documents_in_any_order_and_parts(rows, data):
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    assert sum_of(shuffled[:cut], shuffled[cut:]) == sum_of(rows)
    assert len(sum_of(rows)) == 32


@given(rows, rows)
def test_other_documents_have_another_fingerprint(a, b):
    assert (sum_of(a) == sum_of(b)) == (sorted(a, key=repr) == sorted(b, key=repr))


@pytest.mark.parametrize(
    "other", [("b", "x", "1", 5), ("a", "y", "1", 5), ("a", "x", None, 5), ("a", "x", "1", 1)]
)
def test_text_group_alignment_and_weight_count(other):
    assert sum_of([("a", "x", "1", 5)]) != sum_of([other])


def test_a_fingerprint_is_the_same_for_ever():
    row = [("a", "x", None, 1), ("b", "y", "é", 3)]
    assert sum_of(row) == "40cdc5a07024636524ad14fa2287b38a"


def test_groups_that_no_row_has_are_dropped():
    (batch,) = batches([("a", "x", None, 1), ("b", "東", "1", 2), ("c", "y", None, 1)])
    few = compacted(batch.slice(1, 1))
    assert few.column(1).dictionary.to_pylist() == ["東"]
    assert few.to_pylist() == batch.slice(1, 1).to_pylist()
    assert compacted(batch) is batch


def test_pooled():
    (batch,) = batches([("a", "x", None, 1), ("b", "東", "1", 2)])
    assert [row["group"] for row in pooled(batch).to_pylist()] == ["text", "text"]
    assert pooled(batch).schema == batch.schema


totals = st.dictionaries(
    st.text(max_size=3), st.lists(st.integers(0, 2**40), min_size=9, max_size=9), max_size=4
).map(
    lambda d: Totals(tuple(sorted(d)), np.array([d[k] for k in sorted(d)], np.int64).reshape(-1, 9))
)


@given(totals, totals)
def test_totals_are_added_by_group_and_stored(tmp_path_factory, a, b):
    whole = Totals.added([a, b])
    for name, row in zip(whole.groups, whole.sums, strict=True):
        parts = [t.sums[t.groups.index(name)] for t in (a, b) if name in t.groups]
        assert (row == np.sum(parts, axis=0)).all()
    assert whole.groups == tuple(sorted({*a.groups, *b.groups}))
    assert (whole.totals.shape[1], whole.aligned.shape[1]) == (7, 2)
    path = tmp_path_factory.mktemp("totals") / "groups"
    write_totals({"training": a, "held-out": b}, path)
    read = read_totals(path)
    for side, of_side in (("training", a), ("held-out", b)):
        assert (side in read) == bool(of_side.groups)
        if side in read:
            assert read[side].groups == of_side.groups
            assert (read[side].sums == of_side.sums).all()


def test_a_sample_is_stored_with_what_merging_needs(tmp_path):
    documents = [(f"text {i} \0é", "xy"[i % 2], None if i % 3 else f"{i}", 1) for i in range(50)]
    whole, stored = (Sample(10, in_order=True) for _ in range(2))
    for part in (documents[:20], documents[20:21], documents[21:]):
        own = Sample(10, in_order=True)
        for batch in batches(part):
            own.see(batch)
        write_sample(own, tmp_path / "sample")
        stored.merge([read_sample(tmp_path / "sample")])
        whole.merge([own])
    expected = whole.finish()
    write_documents(stored.finish(), tmp_path / "documents")
    read = read_documents(tmp_path / "documents")
    for name, value in vars(expected).items():
        assert np.array_equal(getattr(read, name), value), name
        assert type(getattr(read, name)) is type(value)


@pytest.mark.parametrize("read", [read_totals, read_sample, read_documents])
@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"text"])
def test_damaged_files_are_named(tmp_path, read, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StorageError, match="is no part of a count"):
        read(tmp_path / "file")


@given(rows, st.data())
def test_rows_that_are_muted_count_as_if_they_were_not_there(rows, data):
    for batch in batches(rows):
        kept = np.array([data.draw(st.booleans()) for _ in range(len(batch))])
        if not kept.any():
            continue
        sums = []
        for some in (filtered(batch, kept), muted(batch, ~kept)):
            totals = GroupTotals(by_group=True)
            totals.add(compacted(some))
            names, _, of_groups, aligned = totals.in_order()
            sums.append((names, of_groups.tolist(), aligned.tolist()))
        assert sums[0] == sums[1]
        assert muted(batch, ~kept).schema == batch.schema
