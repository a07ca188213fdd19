"""Threads: an error, a missing thread and Ctrl-C end the waiting for them."""

from __future__ import annotations

import threading
import time

import pytest

from toktk.errors import ThreadError
from toktk.runtime import Threads, in_threads


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
