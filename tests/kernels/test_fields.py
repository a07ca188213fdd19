import csv
import io
import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk.kernels.fields import NO_QUOTE, STRAY, UNCLOSED, row_ends, split_fields

COMMA, QUOTE = ord(","), ord('"')
cells = st.text(st.sampled_from('ab,;"\t\n\r é東'))


def array(text):
    return np.frombuffer(text.encode(), np.uint8)


def fields(text, n_columns, wanted=None, delimiter=COMMA, quote=QUOTE):
    wanted = range(n_columns) if wanted is None else wanted
    columns, rows, problem = split_fields(array(text), delimiter, quote, n_columns, wanted)
    found = [
        [data[a:b].tobytes().decode() for a, b in itertools.pairwise(ends)]
        for data, ends in columns
    ]
    assert all(len(column) == rows for column in found)
    return [list(row) for row in zip(*found, strict=True)], problem


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_equal_to_what_was_written(rows, end, quoting):
    file = io.StringIO()
    csv.writer(file, lineterminator=end, quoting=quoting).writerows(rows)
    # Python quotes LF and CR only where they are in the line end.
    hand_written = "".join(
        ",".join(f'"{c.replace(chr(34), 2 * chr(34))}"' for c in r) + end for r in rows
    )
    assert fields(hand_written, 3) == (rows, 0)
    if end == "\r\n":
        assert fields(file.getvalue(), 3) == (rows, 0)
    assert fields(hand_written, 3, [2, 0])[0] == [[c, a] for a, _, c in rows]
    ends = row_ends(array(hand_written), COMMA, QUOTE)
    assert len(ends) == len(rows)
    assert ends[-1] == len(hand_written.encode())


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('ab,"\n\r ')))
@example('a,"b\nc,d\n')
@example('a,b"c"\n"a""b",\r\n\r\nc,d')
def test_equal_to_pythons_reader(text):
    found, problem = fields(text, 2)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    expected = []
    wrong = 0
    try:
        for row in rows:
            if row:
                if len(row) != 2:
                    wrong = len(row)
                    break
                expected.append(row)
    except csv.Error:
        wrong = -1
    assert found == expected
    assert max(problem, -1) == wrong


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab,"\n\r')))
def test_whole_rows_and_the_rest_are_all_rows(text):
    ends = row_ends(array(text), COMMA, QUOTE).tolist()
    assert ends == sorted(set(ends))
    whole, problem = fields(text, 2)
    if not problem and ends:
        cut = ends[len(ends) // 2]
        first, second = text.encode()[:cut].decode(), text.encode()[cut:].decode()
        assert fields(first, 2)[0] + fields(second, 2)[0] == whole


def test_what_is_wrong_with_a_row():
    assert fields("a,b\nc\n", 2) == ([["a", "b"]], 1)
    assert fields("a,b\nc,d,e\n", 2) == ([["a", "b"]], 3)
    assert fields('a,"b\n', 2) == ([], UNCLOSED)
    assert fields('a,"b" c\n', 2) == ([], STRAY)


def test_marks_may_be_text():
    assert fields('"a" b\t"\n', 2, delimiter=9, quote=NO_QUOTE) == ([['"a" b', '"']], 0)


def test_nothing():
    assert fields("", 1) == ([], 0)
    assert fields("\n\r\n\r", 1) == ([], 0)
    assert row_ends(array(""), COMMA, QUOTE).size == 0


@pytest.mark.parametrize("end", ["\n", ""])
def test_an_empty_field_in_marks_is_a_row(end):
    assert fields('""' + end, 1) == ([[""]], 0)
