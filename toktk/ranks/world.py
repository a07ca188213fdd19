"""Which rank a process is, of how many: by options, or by what a scheduler says of its tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from toktk.errors import ToktkError, as_usage

MOST_RANKS = 99_999
"""Ranks of one world, at most: their files are numbered with five digits."""


@dataclass(frozen=True)
class World:
    """A rank and the number of ranks.

    Attributes:
        rank: from 0.
        size: how many ranks there are.
        source: in words, where the two were taken from; empty where options say both.

    Raises:
        ToktkError: there is no such rank, or there cannot be so many.
    """

    rank: int
    size: int
    source: str = ""

    def __post_init__(self) -> None:
        check_world_size(self.size)
        if not 0 <= self.rank < self.size:
            raise as_usage(
                ToktkError(
                    f"there is no rank {self.rank:,} of {self.size:,}.",
                    f"Found: {self.source or f'--rank {self.rank}'}.",
                    f"Ranks are numbered from 0 to {self.size - 1:,}.",
                )
            )


def world_of(
    rank: int | None, world_size: int | None, environment: Mapping[str, str] = os.environ
) -> World | None:
    """Return which rank this process is; None where neither options nor a scheduler say.

    An option is preferred to what a scheduler says. ``--world-size`` without a rank, given by either, is
    how many ranks all of them are to be: None too.

    Raises:
        ToktkError: there is no such rank, or nothing says how many there are.
    """
    if rank is not None and world_size is not None:
        return World(rank, world_size)
    for scheduler in _SCHEDULERS:
        told = scheduler(environment)
        if told is None:
            continue
        own_rank, own_size, source = told
        if rank is not None:  # the number of ranks alone is missing
            own_rank = rank
        elif world_size is not None and own_size not in (None, world_size):
            raise as_usage(
                ToktkError(
                    f"cannot tell which of {world_size:,} ranks this task is.",
                    f"Found: {source}, in an array of {own_size:,} tasks.",
                    "Say it: --rank R, from 0; or run as many tasks as ranks.",
                )
            )
        size = world_size if world_size is not None else own_size
        if size is not None:
            return World(own_rank, size, source)
        raise as_usage(
            ToktkError(
                "cannot tell how many ranks there are.",
                f"Found: {source}, which is a rank alone.",
                "Say it: --world-size N.",
            )
        )
    if rank is None:
        return None
    raise as_usage(
        ToktkError(
            f"cannot tell of how many ranks rank {rank:,} is one.",
            "Found: --rank without --world-size.",
            f"Give both: --rank {rank} --world-size N.",
        )
    )


def check_world_size(world_size: int) -> None:
    """Raise a ToktkError where there cannot be so many ranks."""
    if not 1 <= world_size <= MOST_RANKS:
        raise as_usage(
            ToktkError(
                f"cannot work in {world_size:,} ranks.", f"Give a number from 1 to {MOST_RANKS:,}."
            )
        )


Told = tuple[int, int | None, str]
"""A rank, the number of ranks where it is known, and both in words."""


def _slurm(environment: Mapping[str, str]) -> Told | None:
    """Return the place of a task in a Slurm array, whatever numbers the array has."""
    name = "SLURM_ARRAY_TASK_ID"
    number = _number(environment, name)
    if number is None:
        return None
    least = _number(environment, "SLURM_ARRAY_TASK_MIN") or 0
    step = _number(environment, "SLURM_ARRAY_TASK_STEP") or 1
    count = _number(environment, "SLURM_ARRAY_TASK_COUNT")
    source = f"{name}={number}"
    if least or step > 1:
        source += f" of an array from {least}" + (f" by {step}" if step > 1 else "")
    return (number - least) // step, count, source


def _kubernetes(environment: Mapping[str, str]) -> Told | None:
    """Return the index of a pod of an indexed Job, which does not say how many there are."""
    name = "JOB_COMPLETION_INDEX"
    number = _number(environment, name)
    return None if number is None else (number, None, f"{name}={number}")


def _mpi(environment: Mapping[str, str]) -> Told | None:
    name, size_name = "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"
    number, size = _number(environment, name), _number(environment, size_name)
    return None if number is None else (number, size, f"{name}={number}")


_SCHEDULERS: tuple[Callable[[Mapping[str, str]], Told | None], ...] = (_slurm, _kubernetes, _mpi)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise as_usage(
            ToktkError(
                f"cannot tell the rank by {name}.",
                f"Found: {text!r:.60}, no whole number.",
                "Unset the variable, or give --rank and --world-size.",
            )
        )
    return int(text)
