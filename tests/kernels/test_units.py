import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.units import write_before

rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)), max_size=40)


@given(rows)
def test_the_unit_before_each_row_in_its_group(rows):
    rows.sort(key=lambda row: row[2])
    unit, group, number = (np.array([row[i] for row in rows]) for i in range(3))
    before = np.full(len(rows), 9, np.uint64)
    write_before(
        unit.astype(np.uint64),
        group.astype(np.int32),
        number.astype(np.int64),
        np.full(3, -1),
        before,
    )
    expected = []
    for i, (own, of_group, of_number) in enumerate(rows):
        earlier = [row for row in rows[:i] if row[1] == of_group]
        is_known = earlier and earlier[-1][2] == of_number
        expected.append(earlier[-1][0] if is_known and earlier[-1][0] != own else 0)
    assert before.tolist() == expected
