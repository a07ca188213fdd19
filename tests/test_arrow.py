"""Arrow arrays without PyArrow's conversions."""

from __future__ import annotations

import pyarrow as pa
import pytest

from toktk import arrow


@pytest.mark.parametrize("n", [0, 1, 2, 9, 10, 11, 10_001, 25_000])
@pytest.mark.parametrize("first", [0, 1, 9, 99, 998, 9_999, 10_000, 99_995, 123_456, 10**12 - 3])
def test_numerals_are_the_numbers_that_follow_one_another(first, n):
    numerals = arrow.numerals(first, n)
    numerals.validate(full=True)
    assert numerals.type == pa.string()
    assert numerals.to_pylist() == [str(number) for number in range(first, first + n)]
