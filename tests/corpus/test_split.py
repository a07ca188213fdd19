"""A split holds out about the share of the bytes of every group."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import Corpus, concat, load_corpus
from toktk.corpus import split as split_module
from toktk.errors import CorpusError


def rows(corpus):
    try:
        return [
            tuple(row[column] for column in ("text", "group", "align", "weight"))
            for batch in corpus.batches()
            for row in batch.to_pylist()
        ]
    except CorpusError:
        return []


def corpus_of(documents):
    texts, groups, align, weights = zip(*documents, strict=True)
    return Corpus.of(texts, groups=groups, align=align, weights=weights)


def shares(corpus, test=0.1):
    """Return the share of each group's bytes that is held out."""
    sizes, held = Counter(), Counter()
    sides = corpus.split(test)
    for side in sides:
        for text, group, _, weight in rows(side):
            sizes[group] += len(text.encode()) * weight
            held[group] += len(text.encode()) * weight * (side is sides[1])
    return {group: held[group] / size for group, size in sizes.items()}


def documents_of(group, lengths, seed=0):
    draw = random.Random(f"{group} {seed}")
    return [("".join(draw.choices("abcdefgh ", k=n)), group, None, 1) for n in lengths]


documents_strategy = st.lists(
    st.tuples(
        st.text("abü\n", max_size=12),
        st.sampled_from("gh"),
        st.none() | st.sampled_from("123"),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(documents_strategy, st.sampled_from([0.1, 0.3, 0.5, 0.8]), st.randoms())
def test_sides_are_disjoint_complete_free_of_order_and_the_same_again(documents, test, chance):
    sides = [Counter(rows(side)) for side in corpus_of(documents).split(test)]
    assert sides[0] + sides[1] == Counter(documents)
    keys = [{align or text for text, _, align, _ in side} for side in sides]
    assert not keys[0] & keys[1]
    shuffled = chance.sample(documents, len(documents))
    assert [Counter(rows(side)) for side in corpus_of(shuffled).split(test)] == sides
    if len(keys[0] | keys[1]) > 1:
        assert keys[0]
        assert keys[1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=20, max_size=200), st.integers(0, 9))
def test_the_held_out_bytes_of_a_group_are_near_its_share(lengths, seed):
    share = shares(corpus_of(documents_of("a", lengths, seed)))["a"]
    parts = [n / sum(lengths) for n in lengths]
    short = [part for part in parts if part <= 0.2]
    # Within a quarter of the share; else as near as one of the documents is long, or all short ones.
    assert abs(share - 0.1) <= max(0.025, *short, 0.1 - sum(short)) + 1e-9


@settings(max_examples=60, deadline=None)
@given(documents_strategy, st.integers(1, 60), st.sampled_from([0.1, 0.3, 0.5, 0.8]))
def test_where_hashes_are_near_nothing_else_is_looked_at(documents, times, test):
    documents = [
        (f"{text}{i}" if text else "", group, align and f"{align} {i}", weight)
        for i in range(times)
        for text, group, align, weight in documents
    ]

    def held_out():
        sides = corpus_of(documents).split(test)
        return [rows(side) for side in sides], [str(side.describe()) for side in sides]

    shortcut = held_out()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_module, "_are_near", lambda *_: False)
        assert held_out() == shortcut


def test_groups_of_few_and_of_unequal_documents():
    lengths = {
        "fifty": [300] * 50,
        "thirty": list(range(20, 620, 20)),
        "one giant": [50_000] + [40] * 400,
        "giants": [9_000] * 25,
        "ten": [80] * 10,
        "a book": [60_000],
    }
    documents = [d for group, n in lengths.items() for d in documents_of(group, n)]
    documents[-1] = (documents[-1][0].replace(" ", "\n"), *documents[-1][1:])
    found = shares(corpus_of(documents))
    for group in ("fifty", "thirty", "giants", "ten", "a book"):
        assert 0.075 <= found[group] <= 0.125, group
    # The giant is more than the share by far: all that can be is on the other side.
    assert 0.05 < found["one giant"] < 0.25


def test_a_large_group_keeps_the_sides_of_its_hashes(monkeypatch):
    documents = documents_of("a", [50] * 400)
    plain = corpus_of(documents)
    _, test = plain.split()
    by_hash = split_module.Sides(None, 0.1).held_out(next(plain.batches()))
    expected = [d for d, held in zip(documents, by_hash, strict=True) if held]
    assert rows(test) == expected  # near enough: nothing is changed
    monkeypatch.setattr(split_module, "NEAR", 0)
    assert test.describe()["selection"] == "test side of a 0.1 split"
    exact = corpus_of(documents).split()[1]
    assert exact.describe()["selection"] == "test side of a 0.1 split, by bytes"
    assert exact.fingerprint != test.fingerprint
    monkeypatch.setattr(split_module, "MANY", 400)
    assert corpus_of(documents).split()[1].fingerprint == test.fingerprint


def test_of_many_groups_fewer_documents_are_looked_at(monkeypatch):
    monkeypatch.setattr(split_module, "NEAR", 0)
    documents = [d for group in "abcd" for d in documents_of(group, [50] * 100)]
    exact = corpus_of(documents).split()[1].describe()["selection"]
    assert exact == "test side of a 0.1 split, by bytes"
    monkeypatch.setattr(split_module, "MANY_IN_ALL", 400)  # 100 for each group
    by_hash = corpus_of(documents)
    _, test = by_hash.split()
    assert test.describe()["selection"] == "test side of a 0.1 split"
    held = split_module.Sides(None, 0.1).held_out(next(by_hash.batches()))
    assert rows(test) == [d for d, out in zip(documents, held, strict=True) if out]
    assert split_module.many_of(10**9) == split_module.FEW


def test_of_a_file_no_more_is_looked_at_than_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", 64)
    monkeypatch.setattr(split_module, "MANY", 20)
    (tmp_path / "long.txt").write_text("".join(f"line {i}\n" for i in range(2000)))
    (tmp_path / "short.txt").write_text("".join(f"short {i}\n" for i in range(12)))
    corpus = load_corpus(tmp_path)
    seen = []
    for reader in corpus.sources:
        batches = reader.batches

        def counted(progress, batches=batches):
            for batch in batches(progress):
                seen.append(batch.num_rows)
                yield batch

        monkeypatch.setattr(reader, "batches", counted)
    _, test = corpus.split()
    assert test.fingerprint
    assert sum(seen) < 60
    assert Counter(group for _, group, _, _ in rows(test))["short"] == 1


def test_parallel_text_is_held_out_by_lines_and_a_group_that_lacks_some_has_its_share():
    documents = [
        (f"{group} {'x' * (i % 17)} {i}", group, str(i), 1)
        for group, n in (("de", 300), ("en", 300), ("xx", 20))
        for i in range(n)
    ]
    corpus = corpus_of(documents)
    ids = [{align for _, _, align, _ in rows(side)} for side in corpus.split()]
    assert not ids[0] & ids[1]
    found = shares(corpus)
    assert all(0.07 <= share <= 0.13 for share in found.values()), found


def test_equal_texts_in_several_groups_are_on_one_side():
    documents = [*documents_of("a", [30] * 20), *documents_of("b", [30] * 200)]
    documents += [(text, "b", None, 1) for text, *_ in documents[:20]]
    sides = [{text for text, *_ in rows(side)} for side in corpus_of(documents).split()]
    assert not sides[0] & sides[1]
    assert all(0.07 <= share <= 0.13 for share in shares(corpus_of(documents)).values())


def test_groups_of_single_documents_are_held_out_together():
    documents = [d for i in range(60) for d in documents_of(f"user {i:02}", [100])]
    train, test = corpus_of(documents).split()
    assert 5 <= len(rows(test)) <= 7
    (on_train, on_test) = test.remarks
    assert on_train == train.remarks[0] == test.describe()["remarks"][0]
    assert on_train.startswith("texts: only on the training side, for want of documents: user 0")
    assert on_train.endswith(" more.")
    assert "only on the measured side" in on_test
    # Beside other text they stay where something is learned from them.
    few = [*documents_of("lone", [100]), *documents_of("pair", [90, 100])]
    _, test = corpus_of([*few, *documents_of("large", [100] * 300)]).split()
    assert len({group for _, group, _, _ in rows(test)}) <= 2


def test_more_groups_than_are_looked_at_one_by_one(monkeypatch):
    monkeypatch.setattr(split_module, "_MOST_GROUPS", 3)
    documents = [d for i in range(12) for d in documents_of(str(i), [50] * (8 + i))]
    found = shares(corpus_of(documents))
    assert all(0.05 <= found[str(i)] <= 0.15 for i in (9, 10, 11))
    held = sum(found[str(i)] * (8 + i) for i in range(9)) / sum(8 + i for i in range(9))
    assert 0.075 <= held <= 0.125


def test_a_corpus_in_parts_and_a_split_of_a_side():
    parts = [corpus_of(documents_of(group, [40] * 30)) for group in "abc"]
    joined = concat(parts, "joined")
    whole = corpus_of([d for group in "abc" for d in documents_of(group, [40] * 30)])
    assert rows(joined.split()[1]) == rows(whole.split()[1])
    train, _ = whole.split(0.2)
    inner = shares(train, 0.25)
    assert all(0.18 <= share <= 0.32 for share in inner.values())


@pytest.mark.parametrize("test", [0.1, 0.9])
def test_a_file_of_two_lines_has_two_sides(tmp_path, test):
    path = tmp_path / "two.txt"
    path.write_text("one\nand two\n")
    assert [len(rows(side)) for side in load_corpus(path).split(test)] == [1, 1]


def test_what_decides_is_read_once_with_a_true_total(tmp_path):
    path = tmp_path / "text.jsonl"
    rows = [f'{{"text": "document {i} of a group", "lang": "{"ab"[i % 2]}"}}\n' for i in range(300)]
    path.write_text("".join(rows), encoding="utf-8")
    corpus = load_corpus(path, group_column="lang")
    for chosen in (*corpus.split(0.1), corpus.limit(50)):
        done = []
        chosen.hash_files(done.append)
        assert sum(done) == chosen.size == path.stat().st_size
        done.clear()
        looked = bool(chosen.undecided)  # not if the other side has
        chosen.look_over(done.append)
        assert sum(done) == looked * chosen.size
        assert chosen.undecided == []
        done.clear()
        chosen.look_over(done.append)
        assert done == []
    assert corpus.undecided == []
    nested = corpus.limit(200).split(0.1)[0].limit(20)
    assert len(nested.undecided) == 3
    done = []
    nested.look_over(done.append)
    assert sum(done) == 3 * corpus.size


@settings(max_examples=40, deadline=None)
@given(documents_strategy, st.sampled_from([0.1, 0.5, 0.8]))
def test_one_reading_gives_both_sides(documents, share):
    train, test = corpus_of(documents).split(share)
    expected = [rows(train), rows(test)]
    for sides in ([train, test], [test, train]):
        assert sides[0].is_beside(sides[1])
        chosen, read = ([], []), 0
        try:
            for batches in sides[0].batches_beside(sides[1], lambda n: None):
                read += 1
                for batch, of_side in zip(batches, chosen, strict=True):
                    assert batch is None or batch.num_rows
                    own = [] if batch is None else batch.to_pylist()
                    of_side += [
                        tuple(row[c] for c in ("text", "group", "align", "weight")) for row in own
                    ]
        except CorpusError:
            assert [] in expected
            continue
        assert [*chosen] == (expected if sides[0] is train else expected[::-1])
        assert sides[0].groups == tuple(sorted({row[1] for row in chosen[0]}))
        assert sides[1].groups == tuple(sorted({row[1] for row in chosen[1]}))


def test_only_the_sides_of_one_hold_out_are_beside_each_other():
    corpus = corpus_of(documents_of("g", [9] * 40))
    train, test = corpus.split(0.3)
    others = [corpus, train, train.split(0.3)[1], *corpus.split(0.3), test.limit(3)]
    assert not any(train.is_beside(other) or other.is_beside(train) for other in others)
