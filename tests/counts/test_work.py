import json
import pickle

import numpy as np
import pytest
from small_counts import READER, count, merged, work_of, write_text

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.corpus.split import Sides
from toktk.corpus.units import filtered
from toktk.counts.documents import read_sample, read_totals
from toktk.counts.merge import Merge, folder_at
from toktk.counts.merged import Counts
from toktk.counts.work import CountWork
from toktk.errors import CorpusError, StorageError, ToktkError
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import Sample
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.text import Text

GPT2 = Pretokenizer.of("gpt2")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "text")


class Kept(Corpus):
    """The documents of a corpus that a hash holds out, or does not."""

    def __init__(self, corpus, share, held):
        super().__init__(corpus.name, [corpus])
        self.sides, self.held = Sides(None, share), held

    def batches(self, progress=None):
        for batch in super().batches(progress):
            held = self.sides.held_out(batch)
            yield filtered(batch, held if self.held else ~held)


def opened(work, folder, n=3):
    place = count(work, folder, range(n))
    assert Merge(place).run()
    return Counts.open(str(folder))


def same_tables(a, b):
    assert a.to_dict() == b.to_dict()
    assert a.pretokenizer == b.pretokenizer
    there = [g for g, name in enumerate(b.groups) if b.totals[g].any() or name in a.groups]
    assert a.groups == tuple(b.groups[g] for g in there)
    assert (a.totals == b.totals[there]).all()
    assert (a.aligned == b.aligned[there]).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_a_count_is_what_count_corpus_gives(text, tmp_path, share):
    counts = opened(work_of(text, hold_out=share), tmp_path / "out")
    corpus = load_corpus([str(text)], READER)
    assert counts.sides == (("training", "held-out") if share else ("training",))
    for side in counts.sides:
        kept = Kept(corpus, share, side == "held-out") if share else corpus
        expected = count_corpus(kept, GPT2)
        same_tables(counts.table(side), expected)
        pooled = counts.table(side, by_group=False)
        assert dict(zip(map(pooled.piece, range(len(pooled))), pooled.counts, strict=True)) == dict(
            zip(map(expected.piece, range(len(expected))), expected.counts, strict=True)
        )
        assert (pooled.totals == expected.totals.sum(axis=0)).all()


def test_the_sample_is_that_of_the_text(text, tmp_path):
    counts = opened(work_of(text), tmp_path / "out", 5)
    whole = Sample(in_order=True)
    for batch in Kept(load_corpus([str(text)], READER), 0.25, True).batches():
        whole.see(batch)
    expected, sample = whole.finish(), counts.sample()
    there = np.isin(np.arange(len(expected.groups)), expected.group)
    assert sample.groups == tuple(
        g for g, is_there in zip(expected.groups, there, strict=True) if is_there
    )
    for name in ("unit", "copies", "data", "offsets", "previous"):
        assert np.array_equal(getattr(sample, name), getattr(expected, name)), name
    assert counts.sampled_side == "held-out"


def test_without_a_hold_out_the_sample_is_of_the_training_side(text, tmp_path):
    counts = opened(work_of(text, hold_out=0.0), tmp_path / "out", 2)
    assert counts.sampled_side == "training"
    assert counts.sample().copies.sum() == counts.totals("training").totals[:, 0].sum()


def test_groups_may_be_counted_as_one(text, tmp_path):
    apart = opened(work_of(text), tmp_path / "apart")
    pooled = opened(work_of(text, groups=False), tmp_path / "pooled")
    assert pooled.table("training").groups == ("text",)
    same_tables(pooled.table("held-out"), apart.table("held-out"))
    a, b = apart.table("training", by_group=False), pooled.table("training")
    assert a.to_dict() == b.to_dict()
    assert (a.totals == b.totals).all()
    assert pooled.sample().groups == apart.sample().groups
    assert [pooled.fingerprint(side) for side in pooled.sides] == [
        apart.fingerprint(side) for side in apart.sides
    ]


def test_special_tokens_cut_the_training_side_and_symbols_both(text, tmp_path):
    work = work_of(text, special=("the",), symbols=("é",))
    counts = opened(work, tmp_path / "out")
    cut = {side: counts.cut_of(side).added for side in counts.sides}
    assert cut == {"training": ("é", "the"), "held-out": ("é",)}
    assert counts.pretokenizer == GPT2
    corpus = load_corpus([str(text)], READER)
    for side in counts.sides:
        expected = count_corpus(Kept(corpus, 0.25, side == "held-out"), counts.cut_of(side))
        same_tables(counts.table(side), expected)
    assert (b"the", "de") in counts.table("training").to_dict()


def test_little_memory_changes_nothing(text, tmp_path):
    files = merged(work_of(text), tmp_path / "large", range(2))
    assert merged(work_of(text, memory=1), tmp_path / "small", range(2)) == files


def test_a_rank_writes_what_its_marker_says(text, tmp_path):
    place = count(work_of(text), tmp_path / "out", [1], 3)
    marker = folder_at(place).marker(1)
    names = {*marker["files"], "counts.json", "done/00001.json"}
    assert {*place.names()} == names
    assert {"groups/00001.arrow", "sample/00001.arrow"} < names
    totals = read_totals(tmp_path / "out/groups/00001.arrow")
    for side, about in marker["sides"].items():
        sums = totals[side].totals.sum(axis=0)
        assert (sums[0], sums[1]) == (about["documents"], about["bytes"])
        of_side = [of for name, of in marker["files"].items() if name.startswith(f"side={side}/")]
        assert sum(of["pieces"] for of in of_side) == about["pieces"]
        assert sum(of["distinct"] for of in of_side) == about["distinct"]
        assert about["text_bytes"] == about["bytes"]
    assert len(read_sample(tmp_path / "out/sample/00001.arrow").finish()) > 0


def test_a_share_without_documents(tmp_path):
    (tmp_path / "one.jsonl").write_text(json.dumps({"text": "a b", "lang": "x"}) + "\n")
    work = CountWork(Text([str(tmp_path / "one.jsonl")], ReaderOptions(group_column="lang")), GPT2)
    files = merged(work, tmp_path / "out", range(5))
    assert files == merged(work, tmp_path / "alone", range(1))
    counts = Counts.open(str(tmp_path / "out"))
    assert counts.table("training").to_dict() == {(b"a", "x"): 1, (b" b", "x"): 1}


def test_a_side_without_documents(tmp_path):
    (tmp_path / "one.txt").write_text("a b\n")
    work = CountWork(Text([str(tmp_path / "one.txt")], ReaderOptions()), GPT2, hold_out=0.1)
    counts = opened(work, tmp_path / "out", 2)
    table = counts.table("held-out")
    assert (len(table), table.groups, table.totals.shape) == (0, (), (0, 7))
    assert (len(counts.sample()), counts.groups) == (0, ("one",))


def test_a_process_opens_the_text_by_itself(text):
    work = work_of(text)
    manifest = work.manifest
    again = pickle.loads(pickle.dumps(work))
    assert not {"corpus", "inputs"} & {*vars(again)}
    assert again.manifest == manifest
    assert len(pickle.dumps(work)) < 2000


def test_a_text_that_changed_is_other_work(text, tmp_path):
    own = write_text(tmp_path / "text")
    count(work_of(own), tmp_path / "out", [0], 2)
    with (own / "b.jsonl").open("a") as file:
        file.write(json.dumps({"text": "more", "lang": "de", "n": 1}) + "\n")
    with pytest.raises(StorageError, match="other work") as told:
        count(work_of(own), tmp_path / "out", [1], 2)
    assert "inputs.bytes" in told.value.args[1]


@pytest.mark.parametrize(
    "change",
    [
        {"hold_out": 0.5},
        {"partitions": 4},
        {"groups": False},
        {"special": ("x",)},
        {"symbols": ("x",)},
        {"pretokenizer": Pretokenizer.of("cl100k")},
        {"text": ReaderOptions(group_column="lang")},
    ],
)
def test_ranks_that_count_otherwise_are_refused(text, tmp_path, change):
    count(work_of(text), tmp_path / "out", [0], 2)
    other = work_of(text)
    for name, value in change.items():
        setattr(other, name, Text([str(text)], value) if name == "text" else value)
    with pytest.raises(StorageError, match="other work"):
        count(other, tmp_path / "out", [1], 2)
    with pytest.raises(StorageError, match="world_size is 2 there and 3 here"):
        count(work_of(text), tmp_path / "out", [1], 3)


def test_a_group_called_all_is_refused(tmp_path):
    (tmp_path / "all.txt").write_text("a b\n" * 9)
    work = CountWork(Text([str(tmp_path / "all.txt")], ReaderOptions()), GPT2)
    with pytest.raises(CorpusError, match="is called 'all'"):
        count(work, tmp_path / "out", [0], 1)
    assert folder_at_state(tmp_path / "out") == ([0], [0])


def folder_at_state(folder):
    from toktk.places import Place

    state = folder_at(Place.of(folder)).state()
    return state.missing, sorted(state.begun)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hold_out": 1.0}, "cannot hold out 1"),
        ({"hold_out": -0.1}, "cannot hold out"),
        ({"partitions": 0}, "partitions"),
        ({"partitions": 1001}, "partitions"),
        ({"special": ("x",), "symbols": ("x",)}, "a special token and a symbol"),
        ({"text": ("-", READER)}, "cannot share - out among ranks"),
        ({"text": ("x=-", READER)}, "cannot share"),
        ({"text": ("", ReaderOptions(limit=5, group_column="lang"))}, "limit"),
    ],
)
def test_what_cannot_be_counted_is_found_before_it_is(text, change, message):
    work = work_of(text)
    for name, value in change.items():
        if name == "text":
            spec, reader = value
            value = Text([spec or str(text)], reader)
        setattr(work, name, value)
    with pytest.raises(ToktkError, match=message):
        work.check()


@pytest.mark.parametrize(
    ("n_bytes", "partitions"),
    [(0, 1), (1 << 23, 1), (1 << 24, 2), (3 << 23, 4), (1 << 28, 32), (1 << 40, 64)],
)
def test_a_small_text_has_fewer_partitions(text, n_bytes, partitions):
    work = work_of(text, partitions=None)
    work.text.inputs = [{"bytes": n_bytes}]
    assert work.n_partitions == partitions
