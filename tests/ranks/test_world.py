import pytest

from toktk.errors import ToktkError
from toktk.ranks.world import MOST_RANKS, World, world_of

SLURM = {
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_TASK_COUNT": "7",
    "SLURM_ARRAY_TASK_MIN": "0",
    "SLURM_ARRAY_TASK_MAX": "6",
}
KUBERNETES = {"JOB_COMPLETION_INDEX": "3"}
MPI = {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "7"}


def place(world):
    return (world.rank, world.size)


def test_neither_options_nor_a_scheduler():
    assert world_of(None, None, {}) is None
    assert world_of(None, 7, {}) is None
    assert world_of(None, None, {"SLURM_ARRAY_TASK_ID": "", "SLURM_JOB_ID": "5"}) is None


def test_options_alone():
    assert world_of(3, 7, {}) == World(3, 7)
    assert world_of(0, 1, {}) == World(0, 1)


@pytest.mark.parametrize("environment", [SLURM, {**KUBERNETES}, MPI])
def test_an_option_beats_a_scheduler(environment):
    assert world_of(0, 2, environment) == World(0, 2)


@pytest.mark.parametrize(
    ("environment", "world_size"), [(SLURM, None), (SLURM, 7), (KUBERNETES, 7), (MPI, None)]
)
def test_a_scheduler_says_the_rank_and_where_it_is_from(environment, world_size):
    world = world_of(None, world_size, environment)
    assert place(world) == (3, 7)
    assert world.source.startswith(f"{next(iter(environment))}=3")


def test_a_rank_by_option_takes_the_size_of_a_scheduler():
    assert place(world_of(1, None, MPI)) == (1, 7)


@pytest.mark.parametrize(
    ("number", "least", "step", "rank"),
    [("1", "1", "1", 0), ("7", "1", "1", 6), ("5", "5", "", 0), ("13", "1", "2", 6)],
)
def test_an_array_may_begin_anywhere(number, least, step, rank):
    environment = {
        "SLURM_ARRAY_TASK_ID": number,
        "SLURM_ARRAY_TASK_COUNT": "7",
        "SLURM_ARRAY_TASK_MIN": least,
        "SLURM_ARRAY_TASK_STEP": step,
    }
    assert place(world_of(None, None, environment)) == (rank, 7)


def test_an_array_of_some_of_the_ranks_must_say_which_one():
    # Of sbatch --array=3,5 nobody can tell whether 3 is the first or the fourth.
    with pytest.raises(ToktkError, match="cannot tell which of 16 ranks") as told:
        world_of(None, 16, {**SLURM, "SLURM_ARRAY_TASK_COUNT": "2"})
    assert "--rank R" in str(told.value)
    assert place(world_of(3, 16, {**SLURM, "SLURM_ARRAY_TASK_COUNT": "2"})) == (3, 16)


@pytest.mark.parametrize(
    ("rank", "size", "environment"),
    [
        (7, 7, {}),
        (-1, 7, {}),
        (0, 0, {}),
        (0, MOST_RANKS + 1, {}),
        (3, None, {}),
        (None, None, KUBERNETES),
        (None, 2, KUBERNETES),
        (None, None, {**SLURM, "SLURM_ARRAY_TASK_ID": "9"}),
        (None, None, {**SLURM, "SLURM_ARRAY_TASK_ID": "three"}),
        (None, None, {**SLURM, "SLURM_ARRAY_TASK_ID": "٣"}),
        (None, None, {**MPI, "OMPI_COMM_WORLD_SIZE": "-2"}),
    ],
)
def test_wrong_ranks_are_wrong_usage(rank, size, environment):
    with pytest.raises(ToktkError) as told:
        world_of(rank, size, environment)
    assert told.value.is_usage
    assert len(told.value.args) >= 2
