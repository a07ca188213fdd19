"""Ranks in processes of this machine: each process takes the next rank when it is done with one."""

from __future__ import annotations

import contextlib
import mmap
import pickle
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from toktk import errors
from toktk.child import Child, ChildEnded
from toktk.errors import ToktkError
from toktk.paths import temporary_folder
from toktk.places import Place
from toktk.ranks.work import Progress, Work, run_rank
from toktk.runtime import Threads

_LOOK = 0.2  # seconds between two looks at what the processes have done
_NUMBER = 8  # bytes of a number that a process writes for others to read
_TRIES = 2  # of a rank whose process was ended from outside


def run_pool(
    work: Work,
    where: str,
    ranks: Sequence[int],
    world_size: int,
    jobs: int,
    advance: Progress = lambda amount: None,
    remark: Callable[[str], None] = lambda text: None,
    *,
    here: bool = False,
) -> None:
    """Carry out ranks in `jobs` processes.

    A process that is killed is started again, once for each rank. Ctrl-C and errors lose the ranks that are
    not finished, and no others.

    Args:
        where: the folder, a path or an address.
        advance: called with what was done since the last call, in the work's unit; a rank that is done again
            adds nothing until it is as far as before.
        remark: called with what a user should know.
        here: this process is one of them, in a thread: a process that starts takes a second of CPU time.

    Raises:
        ToktkError: what a rank raised; no rank is begun after it.
    """
    pickled = pickle.dumps(work)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for rank in ranks:
        waiting.put(rank)
    jobs = max(min(jobs, len(ranks)), 1)
    stop = threading.Event()
    with _Counters(jobs, advance) as counters, Threads(jobs) as pool:
        workers = [
            _Worker(pickled, where, world_size, slot, counters, remark)
            for slot in range(jobs - here)
        ]
        if here:
            workers.append(_Here(work, where, world_size, jobs - 1, counters, stop))
        try:
            for future in [pool.submit(worker.serve, waiting, stop) for worker in workers]:
                future.result()
        finally:
            stop.set()
            for worker in workers:
                worker.close()


class _Worker:
    """A process and the thread that waits for it."""

    def __init__(
        self,
        pickled: bytes,
        where: str,
        world_size: int,
        slot: int,
        counters: _Counters,
        remark: Callable[[str], None],
    ) -> None:
        self._where, self._world_size = where, world_size
        self._pickled, self._slot = pickled, slot
        self._counters, self._remark = counters, remark
        self._child: Child | None = None

    def serve(self, waiting: queue.SimpleQueue[int], stop: threading.Event) -> None:
        """Carry out ranks until none waits."""
        try:
            while not stop.is_set():
                try:
                    rank = waiting.get_nowait()
                except queue.Empty:
                    return
                with self._counters.counting(self._slot, rank):
                    self._carry_out(rank, stop)
        except BaseException:
            stop.set()
            raise
        finally:
            self.close()

    def close(self) -> None:
        if self._child is not None:
            self._child.close()

    def _carry_out(self, rank: int, stop: threading.Event) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._ask(rank)
                break
            except ChildEnded as ended:
                if ended.interrupted or stop.is_set():
                    raise
                if ended.is_error or attempt == _TRIES:
                    said = f": {ended.complaint}" if ended.is_error else ""
                    raise ToktkError(
                        f"rank {rank} failed.",
                        f"Found: its process {ended.how}{said}.",
                        "The ranks that are done are kept: run the same command again. A process that the "
                        "system kills wants less memory: give fewer --jobs.",
                    ) from ended
                self._remark(f"rank {rank}: its process {ended.how}; it is carried out again.")
        if "error" in answer:
            raise _error_of(answer)

    def _ask(self, rank: int) -> dict[str, Any]:
        if self._child is None or not self._child.running:
            self._child = Child("toktk.ranks.worker")
            self._child.ask(
                "load", self._pickled, counter=str(self._counters.path), slot=self._slot
            )
        answer, _ = self._child.ask(
            "run", where=self._where, world_size=self._world_size, rank=rank
        )
        return dict(answer)


class _Stopped(Exception):
    """Another rank has failed, so this one is given up."""


class _Here(_Worker):
    """A thread of this process that carries out ranks by itself."""

    def __init__(
        self,
        work: Work,
        where: str,
        world_size: int,
        slot: int,
        counters: _Counters,
        stop: threading.Event,
    ) -> None:
        super().__init__(b"", where, world_size, slot, counters, lambda text: None)
        self._work, self._stop = work, stop

    def _carry_out(self, rank: int, stop: threading.Event) -> None:
        with contextlib.suppress(_Stopped):
            run_rank(self._work, Place.of(self._where), rank, self._world_size, self._advance)

    def _advance(self, amount: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._counters.add(self._slot, amount)


class _Counters:
    """What the processes have done, in a file that all map: a number for each of them.

    It counts for the whole of `with`, in a thread that looks at it again and again.
    """

    def __init__(self, n: int, advance: Progress) -> None:
        self._n, self._advance = n, advance
        self._ranks: list[int | None] = [None] * n
        self._told: dict[int, int] = {}  # of each rank
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> _Counters:
        self._at_end = contextlib.ExitStack()
        self.path = self._at_end.enter_context(temporary_folder()) / "counters"
        self.path.write_bytes(bytes(_NUMBER * self._n))
        file = self._at_end.enter_context(self.path.open("r+b"))
        self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        threading.Thread(target=self._watch, name="ranks", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        with self._lock:
            self._at_end.close()

    def add(self, slot: int, amount: int) -> None:
        """Add what this process has done itself in a slot."""
        self._numbers[slot] += amount

    @contextlib.contextmanager
    def counting(self, slot: int, rank: int) -> Iterator[None]:
        """Count what the process of a slot does for a rank."""
        self._numbers[slot] = 0
        self._ranks[slot] = rank
        try:
            yield
        finally:
            self._look()
            self._ranks[slot] = None

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            self._look()

    def _look(self) -> None:
        with self._lock:
            for slot, rank in enumerate(self._ranks):
                if rank is not None and not self._ended.is_set():
                    done, told = self._numbers[slot], self._told.get(rank, 0)
                    if done > told:
                        self._told[rank] = done
                        self._advance(done - told)


def _error_of(answer: dict[str, Any]) -> ToktkError:
    """Return the error that a rank has raised, of its own kind."""
    kind: type[ToktkError] = getattr(errors, answer["error"])
    error = kind.__new__(kind)
    error.args = tuple(answer["args"])
    error.is_usage = answer["is_usage"]
    return error
