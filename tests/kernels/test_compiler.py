"""Kernels that call kernels, which are compiled as parts of the others; first calls from threads."""

import threading
import time

import numpy as np
import pytest
from numba import config, typeof

from toktk.encoder import number_pieces
from toktk.kernels import count, inlined, kernel, piece_lookup
from toktk.pieces.counter import Counter
from toktk.pretokenizers.pretokenizer import Pretokenizer

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


@kernel
def at(values, i):
    if i > 100:
        raise ValueError("beyond")
    return values[i]


@kernel
def above(values, i, least):
    return max(at(values, i), least)


@kernel
def add_up(values, first, last, least):
    total = values[0] * 0
    for i in range(first, last):
        total += above(values, i, least) + at(values, i)
    return total


@inlined
def times(values, i, factor):
    return values[i] * factor


@kernel
def combined(values):
    return times(values, 1, 2) + times(values, 2, 30)


def test_what_is_inlined_compiles_once_for_all_numbers_written_out():
    assert combined(np.arange(4)) == 62
    assert times(np.arange(4), 3, 5) == 15
    assert len(times._part.overloads) == 1


def test_counting_and_encoding_share_what_cuts_text(monkeypatch):
    """Whatever may be written, kernels are given arrays of one type: cutting takes seconds to compile."""
    given = set()

    def spied(module, name, places):
        compiled = getattr(module, name)

        def call(*arguments):
            given.add(tuple(str(typeof(arguments[i])) for i in places))
            return compiled(*arguments)

        monkeypatch.setattr(module, name, call)

    spied(count, "count_documents", (0, 1, 4, 8))  # data, offsets, tables, work
    spied(piece_lookup, "cut_and_walk", (0, 1, 2, 3))
    cut = Pretokenizer.of("o200k")
    data, offsets = np.frombuffer(b"a cat and a hat", dtype=np.uint8), np.array([0, 5, 15])
    groups, weights = np.zeros(2, dtype=np.int32), np.ones(2, dtype=np.int64)
    for text in (data, data.copy()):
        Counter(cut).add(text, offsets, groups, weights)
        number_pieces(cut, text, offsets)
    assert len(given) == 1


def test_a_part_gives_what_python_gives():
    for values in (np.arange(7), np.linspace(-1, 1, 7)):
        expected = sum(max(v, 0) + v for v in values[2:6].tolist())
        assert add_up(values, 2, 6, values[0] * 0) == pytest.approx(expected, abs=1e-12)


def test_a_part_is_not_compiled_by_itself():
    add_up(np.arange(7), 0, 3, 0)
    assert add_up.overloads
    assert not above.overloads
    assert above(np.arange(7), 3, 0) == 3  # but may be, for a call from Python
    assert above.overloads


def test_an_error_in_a_part_is_raised():
    with pytest.raises(ValueError, match="beyond"):
        add_up(np.arange(3), 101, 103, 0)


@pytest.mark.skipif(not config.BOUNDSCHECK, reason="indices are not checked")
def test_indices_of_parts_are_checked():
    with pytest.raises(IndexError):
        add_up(np.arange(3), 0, 4, 0)


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
