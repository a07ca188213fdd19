import os

import pytest
from counting_work import NumberWork

from toktk.errors import CorpusError, StorageError, ToktkError
from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.ranks.pool import run_pool
from toktk.ranks.work import run_rank


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def alone(tmp_path):
    for rank in range(5):
        run_rank(NumberWork(), Place.of(tmp_path / "alone"), rank, 5)
    return files(tmp_path / "alone")


def test_many_processes_write_what_one_does(tmp_path, alone):
    amounts = []
    run_pool(NumberWork(), str(tmp_path / "out"), range(5), 5, 2, amounts.append)
    assert files(tmp_path / "out") == alone
    assert sum(amounts) == 1000
    run_pool(NumberWork(), str(tmp_path / "out"), [], 5, 2)


def test_a_killed_process_is_said_and_its_rank_done_again(tmp_path, alone):
    (tmp_path / "deaths").mkdir()
    for rank in (1, 3):
        (tmp_path / "deaths" / str(rank)).write_text("once")
    amounts, remarks = [], []
    work = NumberWork(dies=str(tmp_path / "deaths"))
    run_pool(work, str(tmp_path / "out"), range(5), 5, 2, amounts.append, remarks.append)
    assert files(tmp_path / "out") == alone
    assert sum(amounts) == 1000  # nothing twice
    assert sorted(remarks) == [
        f"rank {rank}: its process ended by signal 9 (SIGKILL); it is carried out again."
        for rank in (1, 3)
    ]


def test_a_process_that_is_killed_twice_is_an_error(tmp_path):
    (tmp_path / "deaths").mkdir()
    (tmp_path / "deaths/1").write_text("once\ntwice")
    work = NumberWork(dies=str(tmp_path / "deaths"))
    with pytest.raises(ToktkError, match="rank 1 failed") as told:
        run_pool(work, str(tmp_path / "out"), range(3), 3, 1)
    assert "SIGKILL" in str(told.value)
    folder = RankFolder(Place.of(tmp_path / "out"), "numbers", "toktk number")
    assert folder.state().missing == [1, 2]
    run_pool(work, str(tmp_path / "out"), [1, 2], 3, 1)
    folder.complete()


def test_an_error_keeps_its_kind_and_what_is_done(tmp_path):
    with pytest.raises(CorpusError) as told:
        run_pool(NumberWork(fails=(1,)), str(tmp_path / "out"), range(4), 4, 1)
    assert told.value.args == ("rank 1 reads nothing.", "Found: \x1b[31m.", "Give text.")
    state = RankFolder(Place.of(tmp_path / "out"), "numbers", "toktk number").state()
    assert state.missing == [1, 2, 3]
    assert sorted(state.begun) == [1]


def test_a_folder_of_other_work_is_refused(tmp_path, alone):
    with pytest.raises(StorageError, match="other work"):
        run_pool(NumberWork({"what": "letters"}), str(tmp_path / "alone"), range(5), 5, 2)
    assert files(tmp_path / "alone") == alone


def test_an_error_that_nobody_expected_is_told(tmp_path):
    with pytest.raises(ToktkError, match="rank 0 failed") as told:
        run_pool(NumberWork(waits=-1), str(tmp_path / "out"), range(2), 2, 1)
    assert "ValueError: sleep length must be non-negative" in str(told.value)


@pytest.mark.parametrize("jobs", [1, 2])
def test_this_process_may_be_one_of_them(tmp_path, alone, jobs):
    amounts = []
    run_pool(NumberWork(), str(tmp_path / "out"), range(5), 5, jobs, amounts.append, here=True)
    assert files(tmp_path / "out") == alone
    assert sum(amounts) == 1000


def test_this_process_gives_up_its_rank_where_another_fails(tmp_path):
    work = NumberWork(fails=(0, 1, 2), stalls_in=os.getpid())
    with pytest.raises(CorpusError, match="reads nothing"):
        run_pool(work, str(tmp_path / "out"), range(3), 3, 2, here=True)
    assert not (tmp_path / "out/done").exists()
