"""Arrow arrays are what the values are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from toktk import arrow

NAMES = ["", "de", "naïve", "東京", "e\u0301", "\u202eשלום", "a\0b", "\r\n", "x" * 1000, None, "🙂"]


@pytest.mark.parametrize("n", [0, 1, 11, 10_001])
def test_names_by_number_are_the_column_of_names(n):
    numbers = (np.arange(n) * 7 % len(NAMES)).astype(np.int32)

    column = arrow.from_names(NAMES, numbers)

    assert column.type == pa.string()
    assert column.to_pylist() == [NAMES[i] for i in numbers.tolist()]
    column.validate(full=True)


@pytest.mark.parametrize("n", [0, 1, 2, 9, 10, 11, 10_001, 25_000])
@pytest.mark.parametrize("first", [0, 1, 9, 99, 998, 9_999, 10_000, 99_995, 123_456, 10**12 - 3])
def test_numerals_are_the_numbers_that_follow_one_another(first, n):
    numerals = arrow.numerals(first, n)
    numerals.validate(full=True)
    assert numerals.type == pa.string()
    assert numerals.to_pylist() == [str(number) for number in range(first, first + n)]
