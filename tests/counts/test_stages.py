import pickle

import pytest
from small_counts import count, merged, work_of, write_text

from toktk.counts.merge import MERGED, merging_name
from toktk.counts.stages import merge_stages
from toktk.errors import StorageError
from toktk.places import Place


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "text")


def carry_out(stages):
    for stage in pickle.loads(pickle.dumps(stages)):  # as they are sent
        for task in reversed(range(stage.n_tasks)):
            stage.run(task, stage.n_tasks)


@pytest.mark.parametrize(
    ("partitions", "tasks"), [(1, [1]), (7, [1]), (16, [4, 1]), (999, [64, 1])]
)
def test_partitions_are_merged_side_by_side_where_there_are_many(partitions, tasks):
    assert [stage.n_tasks for stage in merge_stages("somewhere", partitions, 1)] == tasks


@pytest.mark.parametrize("min_count", [1, 2])
def test_the_stages_merge_what_one_merge_does(text, tmp_path, min_count):
    work = work_of(text, partitions=9)
    alone = merged(work, tmp_path / "alone", range(1), min_count=min_count)
    place = count(work, tmp_path / "out", range(3))
    carry_out(merge_stages(str(tmp_path / "out"), 9, min_count))
    assert {name: place.read(name) for name in place.names("merged")} == alone


def test_what_a_killed_task_has_left_is_merged_in_the_end(text, tmp_path):
    place = count(work_of(text, partitions=9), tmp_path / "out", range(3))
    stages = merge_stages(str(tmp_path / "out"), 9, 1)
    carry_out(stages)
    before = {name: place.read(name) for name in place.names("merged")}
    place.remove(merging_name("training", 4))
    place.remove(MERGED)
    carry_out(stages[1:])
    assert {name: place.read(name) for name in place.names("merged")} == before


def test_a_missing_rank_fails_each_task(text, tmp_path):
    place = count(work_of(text, partitions=9), tmp_path / "out", range(3))
    place.remove("done/00001.json")
    for stage in merge_stages(str(tmp_path / "out"), 9, 1):
        with pytest.raises(StorageError, match="rank 1 of 3 is missing"):
            stage.run(0, stage.n_tasks)
    assert Place.of(tmp_path / "out").names("merged") == []
