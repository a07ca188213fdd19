import json
import random

import pytest
from small_counts import count, merged, work_of, write_text

from toktk.counts.merge import Merge, folder_at, merged_name, merging_name
from toktk.counts.merged import Counts
from toktk.counts.status import status_of
from toktk.errors import StorageError, ToktkError
from toktk.places import Place
from toktk.ranks.sealed import sealed, unsealed
from toktk.ranks.work import run_rank


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "text")


@pytest.fixture(scope="module")
def alone(text, tmp_path_factory):
    """What one rank gives."""
    return merged(work_of(text), tmp_path_factory.mktemp("alone") / "out", range(1))


@pytest.fixture
def place(text, tmp_path):
    """Three ranks, counted and not merged."""
    return count(work_of(text), tmp_path / "out", range(3))


def files_of(place):
    return {name: place.read(name) for name in place.names("merged")}


@pytest.mark.parametrize("n", [2, 7, 64])
def test_any_number_of_ranks_in_any_order_gives_the_same_bytes(text, alone, tmp_path, n):
    ranks = random.Random(n).sample(range(n), n)
    assert merged(work_of(text), tmp_path / "out", ranks) == alone


@pytest.mark.parametrize("address", ["memory://bucket/counts", "s3://bucket/deep/counts"])
def test_a_count_at_an_address_has_the_same_bytes(text, alone, request, address):
    if address.startswith("s3:"):
        request.getfixturevalue("s3")
    place = Place.of(address)
    for rank in (1, 0):
        run_rank(work_of(text), place, rank, 2)
    with pytest.raises(StorageError, match="is not merged"):
        Counts.open(address)
    assert Merge(place).run(jobs=3)
    assert files_of(place) == alone
    assert Counts.open(address).table("training").pretokenizer.startswith("gpt2@")
    assert status_of(place).next == ""


def test_names_are_those_of_hive_and_documents_lie_apart(alone):
    assert sorted(alone) == [
        "merged/groups.arrow",
        "merged/merged.json",
        "merged/sample.arrow",
        *(f"merged/side=held-out/part=00{k}.parquet" for k in range(3)),
        *(f"merged/side=training/part=00{k}.parquet" for k in range(3)),
    ]


def test_other_tools_read_what_is_merged(text, tmp_path, alone):
    import pyarrow.dataset as ds

    merged(work_of(text), tmp_path / "out", range(2))
    files = [str(p) for p in (tmp_path / "out/merged").rglob("*.parquet")]
    rows = ds.dataset(files).to_table()
    assert rows.column_names == ["piece", "group", "count"]
    about = json.loads(alone["merged/merged.json"])
    assert sum(rows["count"].to_pylist()) == sum(of["pieces"] for of in about["sides"].values())


@pytest.mark.parametrize("jobs", [1, 4])
def test_threads_and_single_partitions_give_the_same_bytes(place, alone, jobs):
    amounts = []
    first = Merge(place, partition=1)
    assert first.run(jobs, amounts.append) is False
    assert sum(amounts) == first.size > 0
    assert place.read("merged/merged.json") is None
    assert Merge(place, partition=2).run(jobs) is False
    assert Merge(place, partition=2).size == 0
    assert Merge(place, partition=0).run(jobs) is True
    assert files_of(place) == alone


def test_what_is_merged_is_not_merged_again(place, alone):
    assert Merge(place).run()
    assert Merge(place).size == 0
    place.write("merged/merged.json", b"{")
    place.remove(merged_name("training", 1))
    again = Merge(place)
    assert 0 < again.size < sum(len(place.read(n)) for n in place.names("side=training"))
    assert again.run()
    assert files_of(place) == alone


@pytest.mark.parametrize("content", [b"", b"[]", b"{", "edited"])
def test_what_says_that_a_partition_is_merged_may_be_damaged(place, alone, content):
    assert Merge(place).run()
    if content == "edited":
        content = place.read(merging_name("held-out", 0)).replace(b'"pruned"', b'"left out"')
    place.write(merging_name("held-out", 0), content)
    assert Merge(place).size > 0
    assert Merge(place).run()
    assert files_of(place) == alone


def test_missing_ranks_and_ranks_that_are_there_twice(place, text):
    place.remove("done/00001.json")
    with pytest.raises(StorageError, match="rank 1 of 3 is missing") as told:
        Merge(place)
    assert "toktk count -c SPEC --rank 1 --world-size 3 -o " in told.value.args[2]
    place.write("done/00001.json", place.read("done/00000.json"))
    with pytest.raises(StorageError, match="rank 0 is there twice"):
        Merge(place)
    run_rank(work_of(text), place, 1, 3)
    Merge(place)


@pytest.mark.parametrize(
    "kind", ["side=training/part=001", "side=held-out/part=002", "groups", "sample"]
)
@pytest.mark.parametrize("damage", ["flipped", "shorter", "missing"])
def test_damaged_files_are_named_with_their_rank_and_nothing_is_lost(
    place, text, alone, kind, damage
):
    (name,) = (n for n in place.names(kind) if "/00002." in n)
    content = place.read(name)
    if damage == "missing":
        place.remove(name)
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        place.write(name, flipped if damage == "flipped" else content[:-1])
    with pytest.raises(StorageError, match=r"is not what rank 2 has written") as told:
        Merge(place).run()
    assert name in str(told.value)
    assert "--rank 2 --world-size 3" in str(told.value)
    assert place.read("merged/merged.json") is None
    place.remove("done/00002.json")
    run_rank(work_of(text), place, 2, 3)
    assert Merge(place).run()
    assert files_of(place) == alone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m["sides"]["training"].update(documents=1),
            "training side of .* does not add up",
        ),
        (lambda m: m["sides"]["held-out"].update(bytes=1), "held-out side of .* does not add up"),
        (lambda m: m["sides"]["training"].update(pieces=1), "training side of .* does not add up"),
        (lambda m: m["share"].update(begin=1), "share of rank 0 does not join"),
        (
            lambda m: next(of for n, of in m["files"].items() if "training" in n).update(pieces=1),
            "not what rank 0 has written",
        ),
    ],
)
def test_sums_that_do_not_add_up(place, change, message):
    marker = unsealed(place.read("done/00000.json"))
    change(marker)
    place.write("done/00000.json", sealed(marker))
    with pytest.raises(StorageError, match=message):
        Merge(place).run()
    assert place.read("merged/merged.json") is None


def test_rare_pieces_of_the_training_side_are_left_out(place, text, alone):
    assert Merge(place).run()
    whole = Counts.open(place.shown)
    assert whole.effect == []
    before = {side: whole.table(side) for side in whole.sides}
    assert Merge(place, min_count=3).run()
    counts = Counts.open(place.shown)
    assert counts.min_count == 3
    table = counts.table("training")
    of_piece = dict(
        zip(
            map(before["training"].piece, range(len(before["training"]))),
            before["training"].counts.tolist(),
            strict=True,
        )
    )
    expected = {k: n for k, n in before["training"].to_dict().items() if of_piece[k[0]] >= 3}
    assert table.to_dict() == expected
    assert counts.table("held-out").to_dict() == before["held-out"].to_dict()
    assert counts.fingerprint("training") == whole.fingerprint("training")
    assert (table.totals == before["training"].totals).all()
    rare = {piece: n for piece, n in of_piece.items() if n < 3}
    pruned = counts.about["pruned"]
    assert pruned["distinct"] == len(rare)
    assert pruned["pieces"] == sum(rare.values())
    assert pruned["text_bytes"] == sum(n * len(piece) for piece, n in rare.items())
    left_out, bound = counts.effect
    assert f"{len(rare):,} of {len(of_piece):,} different pieces" in left_out
    assert f"{pruned['pieces']:,} to {pruned['text_bytes']:,} more" in bound
    assert Merge(place).run()  # all of them once more
    assert files_of(place) == alone


def test_the_bound_of_what_is_left_out_holds(place):
    from collections import Counter
    from itertools import pairwise

    def pairs(table):
        counts = Counter()
        for p, n in enumerate(table.counts.tolist()):
            for pair in pairwise(table.piece(p)):
                counts[pair] += n
        return counts

    assert Merge(place).run()
    whole = Counts.open(place.shown).table("training")
    assert Merge(place, min_count=5).run()
    counts = Counts.open(place.shown)
    pruned = counts.about["pruned"]
    lost = pairs(whole) - pairs(counts.table("training"))
    assert 0 < max(lost.values()) <= pruned["text_bytes"] - pruned["pieces"]


def test_everything_may_be_rare(place):
    assert Merge(place, min_count=10**9).run()
    counts = Counts.open(place.shown)
    assert len(counts.table("training")) == 0
    assert counts.about["pruned"]["pieces"] > 0


@pytest.mark.parametrize(("min_count", "partition"), [(0, None), (1, 3), (1, -1)])
def test_impossible_merges(place, min_count, partition):
    with pytest.raises(ToktkError) as told:
        Merge(place, min_count, partition)
    assert told.value.is_usage


def test_opening_what_is_not_merged(place, tmp_path):
    with pytest.raises(StorageError, match="is not merged") as told:
        Counts.open(place.shown)
    assert f"toktk count merge {place.shown}" in told.value.args[2]
    place.remove("done/00001.json")
    with pytest.raises(StorageError, match="is not merged") as told:
        Counts.open(place.shown)
    assert "1 of 3 ranks are missing" in told.value.args[1]
    with pytest.raises(StorageError, match="is no folder of toktk count"):
        Counts.open(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "content", [b"{", b"{}", b"[]", b'{"format": 99}', sealed({"format": 99}), "edited"]
)
def test_a_damaged_merge_is_named(place, content):
    assert Merge(place).run()
    if content == "edited":
        content = place.read("merged/merged.json").replace(b'"files"', b'"file"')
    place.write("merged/merged.json", content)
    with pytest.raises(StorageError, match=r"merged.json is damaged"):
        Counts.open(place.shown)


@pytest.mark.parametrize(
    "name", [merged_name("training", 0), "merged/groups.arrow", "merged/sample.arrow"]
)
def test_a_damaged_merged_file_is_named(place, name):
    assert Merge(place).run()
    content = place.read(name)
    place.write(name, content[:-1] + bytes([content[-1] ^ 1]))
    counts = Counts.open(place.shown)
    with pytest.raises(StorageError, match="is damaged") as told:
        (counts.table("training"), counts.sample())
    assert name in str(told.value)
    place.remove(name)
    with pytest.raises(StorageError, match="No such file") as told:
        (Counts.open(place.shown).table("training"), counts.sample())
    assert f"toktk count merge {place.shown}" in told.value.args[2]
    Merge(place).run()
    (counts.table("training"), counts.sample())


def test_status(text, tmp_path):
    place = Place.of(tmp_path / "out")
    with pytest.raises(StorageError, match="is no folder"):
        status_of(place)
    count(work_of(text), tmp_path / "out", [0, 2], 3)
    folder_at(place).note_begun(1)
    status = status_of(place)
    assert (status.ranks.missing, sorted(status.ranks.begun), status.merged) == ([1], [1], 0)
    assert status.n_partitions == 6
    assert "toktk count" in status.next
    run_rank(work_of(text), place, 1, 3)
    assert status_of(place).next == f"toktk count merge {place.shown}"
    Merge(place, partition=0).run()
    assert status_of(place).merged == 2
    Merge(place).run()
    status = status_of(place)
    assert (status.merged, status.next, status.ranks.begun) == (6, "", {})
    about = Counts.open(place.shown).about["sides"]
    assert status.sums == {
        key: sum(of[key] for of in about.values())
        for key in ("rows", "documents", "bytes", "pieces")
    }
    json.dumps(status.to_json())
