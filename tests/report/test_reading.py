"""A results file with odd columns, values or metadata is refused with a message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.errors import StorageError
from toktk.report.records import Record
from toktk.report.results import Results

ABOUT = {
    "engines": {"a": ["native", ""]},
    "unreached": [{"family": "a", "sizes": [9], "available": None}],
}
RECORD = Record(
    tokenizer="a", family="a", corpus="text", group="all", metric="tokens", value=2.0, unit="tokens",
    n=1, signature="s",
)  # fmt: skip


def write(path: Path, **columns: object) -> Path:
    """Write results, some of whose columns are other Arrow arrays, or None: left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = Results((RECORD,), ABOUT).to_arrow()
    for name, values in columns.items():
        at = table.column_names.index(name) if name in table.column_names else table.num_columns
        table = table.remove_column(at) if at < table.num_columns else table
        if values is not None:
            table = table.add_column(at, name, pa.array(values))
    pq.write_table(table, path)
    return path


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    found = Results.read_parquet(write(tmp_path / "x.parquet"))
    assert found == Results((RECORD,), ABOUT)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"value": ["2.0"]}, "value (string)"),
        ({"size": [9.0]}, "size (double)"),
        ({"group": [["all"]]}, "group (list"),
        ({"group": None}, "with the columns tokenizer (string), family (string), trainer"),
        ({"more": [1]}, "more (int64)"),
        ({"value": [float("nan")]}, "value is nan"),
        ({"value": [float("inf")]}, "value is inf"),
    ],
)
def test_odd_columns(tmp_path: Path, columns: dict[str, object], found: str) -> None:
    with pytest.raises(StorageError) as error:
        Results.read_parquet(write(tmp_path / "x.parquet", **columns))
    assert found in str(error.value)


def test_a_null_where_a_name_must_be(tmp_path: Path) -> None:
    import pyarrow as pa

    path = write(tmp_path / "x.parquet", group=pa.array([None], pa.string()))
    with pytest.raises(StorageError, match="nulls in group"):
        Results.read_parquet(path)


@pytest.mark.parametrize(
    "about",
    [
        b"", b"{", b"[]", b"\xff", b'{"engines": 3}', b'{"engines": {"a": ["native"]}}',
        b'{"engines": {"a": [1, 2]}}', b'{"unreached": [{"sizes": [1]}]}',
        b'{"unreached": [{"family": "a", "sizes": ["b"], "available": 3}]}', b"[" * 50_000,
        b'{"engines": {}, "engines": {}}', b"NaN",
    ],
)  # fmt: skip
def test_odd_metadata(tmp_path: Path, about: bytes) -> None:
    import pyarrow.parquet as pq

    table = Results((RECORD,), ABOUT).to_arrow()
    changed = {**table.schema.metadata, b"toktk.about": about}
    pq.write_table(table.replace_schema_metadata(changed), tmp_path / "x.parquet")
    with pytest.raises(StorageError, match="cannot read results"):
        Results.read_parquet(tmp_path / "x.parquet")
    changed = {**table.schema.metadata, b"toktk.schema": b"\xff\xfe"}
    pq.write_table(table.replace_schema_metadata(changed), tmp_path / "x.parquet")
    with pytest.raises(StorageError, match="cannot read results"):
        Results.read_parquet(tmp_path / "x.parquet")


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_ends_in_a_message(
    tmp_path_factory: pytest.TempPathFactory, at: float, mask: int, cut: bool
) -> None:
    path = write(tmp_path_factory.mktemp("damaged") / "x.parquet")
    contents = bytearray(path.read_bytes())
    place = int(at * len(contents))
    contents[place] ^= mask
    path.write_bytes(contents[:place] if cut else contents)
    try:
        found = Results.read_parquet(path)
    except StorageError:
        return
    json.dumps(found.about)
    found.page().text(100)


def test_results_of_schema_2_are_read(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    file = write(tmp_path / "x.parquet", n_effective=None)
    table = pq.read_table(file)
    old = {**table.schema.metadata, b"toktk.schema": b"2"}
    pq.write_table(table.replace_schema_metadata(old), file)
    assert Results.read_parquet(file) == Results((RECORD,), ABOUT)
