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
