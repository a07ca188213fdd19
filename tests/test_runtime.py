"""Threads: an error, a missing thread and Ctrl-C end the waiting for them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from toktk import runtime
from toktk.errors import ThreadError
from toktk.runtime import Threads, _left_in_control_groups, default_memory, in_threads


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch):
    """Let the system start only so many threads from now on."""

    def allow(n: int) -> None:
        started: list[threading.Thread] = []
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if len(started) == n:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)

    return allow


def test_results_come_in_order() -> None:
    assert in_threads(pow, [(2, n) for n in range(5)]) == [1, 2, 4, 8, 16]
    assert in_threads(pow, [(2, 3)]) == [8]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_threads_share_more_calls_than_they_are(jobs):
    def run(n):
        time.sleep(0.001)
        return n, threading.get_ident()

    results = in_threads(run, [(n,) for n in range(20)], jobs)
    assert [n for n, _ in results] == list(range(20))
    assert len({thread for _, thread in results}) <= jobs


def test_an_error_drops_what_was_not_begun() -> None:
    begun: list[int] = []

    def run(n: int) -> None:
        begun.append(n)
        raise ValueError

    with pytest.raises(ValueError), Threads(1) as pool:  # noqa: PT011, PT012
        futures = [pool.submit(run, n) for n in range(1000)]
        futures[0].result()
    assert len(begun) < 1000


@pytest.mark.parametrize("n", [0, 1])
def test_no_more_threads_is_an_error_for_the_user(no_more_threads, n: int) -> None:
    no_more_threads(n)
    with pytest.raises(ThreadError, match="--jobs"):
        # A pool starts no thread while another is idle.
        in_threads(time.sleep, [(0.2,), (0.2,), (0.2,)])


@pytest.mark.parametrize("n", [0, 1])
def test_counting_without_threads_ends(no_more_threads, corpus_of, n: int) -> None:
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    pretokenizer = Pretokenizer.of("gpt2")
    corpus = corpus_of([(f"document {i}", "g", 1) for i in range(20)], 1)
    no_more_threads(n)
    with pytest.raises(ThreadError):
        count_corpus(corpus, pretokenizer, jobs=3)


def test_ctrl_c_does_not_wait_for_work() -> None:
    go_on = threading.Event()
    try:
        with pytest.raises(KeyboardInterrupt), Threads(1) as pool:  # noqa: PT012
            working = pool.submit(go_on.wait)
            raise KeyboardInterrupt
        assert not working.done()
    finally:
        go_on.set()


def test_memory_that_batch_systems_leave(tmp_path: Path) -> None:
    def group(path: str, limit: object, used: int, **stat: int) -> None:
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        names = ("memory.max", "memory.current")
        if path.startswith("memory"):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        for name, value in zip(names, (limit, used), strict=True):
            (folder / name).write_text(f"{value}\n")
        (folder / "memory.stat").write_text("".join(f"{k} {v}\n" for k, v in stat.items()))

    group("slurm", 1000, 400, anon=1, inactive_file=50)
    group("slurm/job_1", 700, 900, inactive_file=0)
    group("slurm/job_1/step_0", "max", 900)
    group("memory/docker/1", 500, 100)
    of_process = tmp_path / "cgroup"
    of_process.write_text("0::/slurm/job_1/step_0\n4:memory:/docker/1\n5:cpu:/docker/1\n")
    assert [*_left_in_control_groups(of_process, tmp_path)] == [0, 650, 400]
    assert [*_left_in_control_groups(tmp_path / "none", tmp_path)] == []


@pytest.mark.parametrize("library", [SimpleNamespace(), None])
def test_freed_memory_is_kept_where_the_c_library_is_glibc(
    monkeypatch: pytest.MonkeyPatch, library: SimpleNamespace | None
) -> None:
    asked: list[tuple[int, int]] = []
    glibc = SimpleNamespace(mallopt=lambda parameter, n: asked.append((parameter, n)))
    monkeypatch.setattr(runtime.sys, "platform", "linux")
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: library or glibc)
    runtime.keep_freed_memory.__wrapped__()
    assert asked == ([] if library else [(-1, 64 << 20), (-3, 32 << 20)])


def test_half_of_what_is_free_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, expected in [(8 << 30, 4 << 30), (1000, 1 << 26), (None, 2 << 30)]:
        monkeypatch.setattr(runtime, "_available", lambda free=free: free)
        monkeypatch.setattr(runtime, "_left_in_control_groups", lambda: iter(()))
        assert default_memory.__wrapped__() == expected
