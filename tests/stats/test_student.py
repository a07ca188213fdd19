"""Student's t is SciPy's, to the last digit, without the time that scipy.special takes to import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from toktk.stats import student

LEAN = """
import sys
from toktk.stats.student import quantile, quantiles
{first}
value = quantile(0.975, 19.5)
assert ("scipy.special" in sys.modules) == {is_there}, "imported"
import numpy as np
import scipy.special
from scipy.special import stdtrit, gammaln
assert scipy.special._ufuncs.stdtrit is stdtrit
assert value == stdtrit(19.5, 0.975) and gammaln(5.0) > 3
print(value.hex())
"""


@pytest.mark.parametrize("first", ["", "import scipy.special"])
def test_the_package_is_not_imported_and_can_be_later(first: str) -> None:
    script = LEAN.format(first=first, is_there=bool(first))
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert float.fromhex(ended.stdout) == student.quantile(0.975, 19.5)


def test_values_are_those_of_scipy() -> None:
    from scipy.special import stdtr, stdtrit

    degrees = np.concatenate([np.linspace(1, 60, 500), np.geomspace(60, 1e7, 200)])
    for p in (0.9, 0.95, 0.975, 0.995, student.POWER):
        assert student.quantiles(p, degrees).tolist() == stdtrit(degrees, p).tolist()
        assert student.quantile(p, 7.25) == float(stdtrit(7.25, p))
    assert student.tail(2.1, 11.5) == float(stdtr(11.5, -2.1))


def test_another_scipy_is_asked_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError

    monkeypatch.setattr(student, "_load_compiled", fail)
    student._functions.cache_clear()
    try:
        assert student.quantile(0.975, 19.5) > 2
    finally:
        student._functions.cache_clear()
