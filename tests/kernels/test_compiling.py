"""First calls of kernels from several threads at once."""

import threading
import time

import numba
import numpy as np
import pytest

from toktk.kernels import kernel


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_threads_compile_one_after_the_other():
    @kernel
    def double(values, result):
        for i in range(values.size):
            result[i] = 2 * values[i]

    @kernel
    def negate(values, result):
        for i in range(values.size):
            result[i] = -values[i]

    busy, most = [], []

    def watched(compile_one):
        def run(*args):
            busy.append(1)
            most.append(len(busy))
            time.sleep(0.02)
            made = compile_one(*args)
            busy.pop()
            return made

        return run

    for one in (double, negate):
        one.compile = watched(one.compile)
    results = [np.zeros(3) for _ in range(6)]
    start = threading.Barrier(len(results))

    def run(i):
        start.wait()
        (double, negate)[i % 2](np.arange(3.0), results[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.tolist() for r in results] == [[0.0, 2.0, 4.0], [0.0, -1.0, -2.0]] * 3
    assert most
    assert max(most) == 1
    assert [len(one.signatures) for one in (double, negate)] == [1, 1]
    calls = len(most)
    double(np.arange(3.0), results[0])  # compiled by now
    assert len(most) == calls
