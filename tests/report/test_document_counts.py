from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from toktk.errors import StorageError
from toktk.report.document_counts import DocumentCounts


def counts(n: int = 3, largest: int = 2**40) -> DocumentCounts:
    numbers = np.arange(n, dtype=np.int64)
    return DocumentCounts(
        ("unused", "b\u202e|", "a"),
        np.array([1, 1, 2][:n], dtype=np.int32),
        np.array([2**64 - 1, 0, 5][:n], dtype=np.uint64),
        numbers + 1,
        numbers * largest,
        numbers,
        numbers,
        {"bpe-8k": numbers * 2, "tokens:|": numbers * 3},
        np.array([0, 2, 99], dtype=np.int64),
        ("documents", "lines", "blocks"),
        numbers[::-1] - 1,
        {"bpe-8k": np.stack([numbers, numbers * largest, numbers * 7])},
    )


@pytest.mark.parametrize("n", [0, 3])
def test_counts_are_read_as_they_were_written(tmp_path: Path, n: int) -> None:
    written = counts(n)
    written.write_parquet(tmp_path / "documents.parquet")
    read = DocumentCounts.read_parquet(tmp_path / "documents.parquet")
    assert (read.groups, read.kinds) == (written.groups, written.kinds)
    for name in ("group", "unit", "copies", "bytes", "chars", "words", "n_all", "previous"):
        one, other = getattr(read, name), getattr(written, name)
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()
    assert {k: v.tolist() for k, v in read.tokens.items()} == {
        k: v.tolist() for k, v in written.tokens.items()
    }
    assert {k: v.tolist() for k, v in read.bits.items()} == {
        k: v.tolist() for k, v in written.bits.items()
    }
    assert len(read) == n
    assert read.to_arrow().equals(written.to_arrow(), check_metadata=True)


def test_what_is_no_counts_is_refused(tmp_path: Path) -> None:
    table = counts().to_arrow()
    key = b"toktk.document_counts"
    about = json.loads(table.schema.metadata[key])

    def changed(**fields: object) -> pa.Table:
        return table.replace_schema_metadata({key: json.dumps(about | fields)})

    for damaged in (
        table.replace_schema_metadata(None),
        table.replace_schema_metadata({key: b"{"}),
        changed(schema=4),
        changed(schema=2),
        changed(schema=1),
        changed(kinds=["documents"]),
        changed(kinds=["words"] * 3),
        changed(groups=["a", "x", "y"]),
        changed(n_all="many"),
        table.drop_columns(["copies"]),
        table.drop_columns(["bits[2]:bpe-8k"]),
        table.rename_columns([n.replace("bits[3]", "bits[4]") for n in table.column_names]),
        table.set_column(2, "copies", pa.array([1.0, 2.0, 3.0])),
        table.set_column(2, "copies", pa.array([1, None, 3])),
        table.set_column(2, "copies", pa.array([1, -2, 3])),
        table.set_column(0, "group", pa.array(["a", "a", "a"])),
    ):
        with pytest.raises(StorageError):
            DocumentCounts.from_arrow(damaged)
    (tmp_path / "x.parquet").write_bytes(b"no Parquet")
    for name in ("x.parquet", "missing.parquet"):
        with pytest.raises(StorageError, match="cannot read counts"):
            DocumentCounts.read_parquet(tmp_path / name)


@pytest.mark.parametrize("schema", [1, 2])
def test_counts_of_earlier_schemas_lack_what_came_later(schema: int) -> None:
    written = counts()
    table = written.to_arrow()
    key = b"toktk.document_counts"
    about = json.loads(table.schema.metadata[key]) | {"schema": schema}
    later = [name for name in table.column_names if name.startswith("bits[")]
    later += ["previous"] if schema == 1 else []
    old = table.drop_columns(later).replace_schema_metadata({key: json.dumps(about)})
    read = DocumentCounts.from_arrow(old)
    assert read.previous.tolist() == ([-1] * 3 if schema == 1 else written.previous.tolist())
    assert read.unit.tolist() == written.unit.tolist()
    assert read.bits == {}
