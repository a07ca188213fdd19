import pickle

import pytest
from small_counts import count, merged, work_of, write_text

from toktk.counts.followups import merge_followups
from toktk.counts.merge import MERGED, merging_name
from toktk.errors import StorageError
from toktk.places import Place


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "text")


def carry_out(followups):
    for followup in pickle.loads(pickle.dumps(followups)):  # as they are sent
        for task in reversed(range(followup.n_tasks)):
            followup.run(task, followup.n_tasks)


@pytest.mark.parametrize(
    ("partitions", "tasks"), [(1, [1]), (7, [1]), (16, [4, 1]), (999, [64, 1])]
)
def test_partitions_are_merged_side_by_side_where_there_are_many(partitions, tasks):
    assert [followup.n_tasks for followup in merge_followups("somewhere", partitions, 1)] == tasks


@pytest.mark.parametrize("min_count", [1, 2])
def test_followups_merge_what_one_merge_does(text, tmp_path, min_count):
    work = work_of(text, partitions=9)
    alone = merged(work, tmp_path / "alone", range(1), min_count=min_count)
    place = count(work, tmp_path / "out", range(3))
    carry_out(merge_followups(str(tmp_path / "out"), 9, min_count))
    assert {name: place.read(name) for name in place.names("merged")} == alone


def test_what_a_killed_task_has_left_is_merged_in_the_end(text, tmp_path):
    place = count(work_of(text, partitions=9), tmp_path / "out", range(3))
    followups = merge_followups(str(tmp_path / "out"), 9, 1)
    carry_out(followups)
    before = {name: place.read(name) for name in place.names("merged")}
    place.remove(merging_name("training", 4))
    place.remove(MERGED)
    carry_out(followups[1:])
    assert {name: place.read(name) for name in place.names("merged")} == before


def test_a_missing_rank_fails_each_task(text, tmp_path):
    place = count(work_of(text, partitions=9), tmp_path / "out", range(3))
    place.remove("done/00001.json")
    for followup in merge_followups(str(tmp_path / "out"), 9, 1):
        with pytest.raises(StorageError, match="rank 1 of 3 is missing"):
            followup.run(0, followup.n_tasks)
    assert Place.of(tmp_path / "out").names("merged") == []
