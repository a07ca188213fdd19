"""Long and tidy results: one record per figure, in and out of Parquet, JSON and tables.

Schema history (`SCHEMA`, stored in every Parquet and JSON file):
    1   tokenizer, trainer, pretokenizer, size, corpus, group, metric, value, low, high, unit, n,
        note, signature. Null means not measured, never 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from toktk import arrow
from toktk.errors import MetricError, StorageError
from toktk.paths import atomic_write
from toktk.report import tabular

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
_SCHEMA_KEY = b"toktk.schema"


@dataclass(frozen=True, slots=True)
class Record:
    """One figure: what was measured, on what, and its value with the ends of its interval.

    `size` is the vocabulary size in tokens, `n` the number of units behind the value (documents,
    aligned lines, groups). numpy scalars are turned into Python numbers.

    Raises:
        MetricError: a number is NaN or infinite; what is not measured is None.
    """

    tokenizer: str
    trainer: str | None
    pretokenizer: str | None
    size: int | None
    corpus: str
    group: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    n: int | None
    note: str | None
    signature: str

    def __post_init__(self) -> None:
        for name, kind in _NUMBERS.items():
            number = getattr(self, name)
            if number is None:
                continue
            if not math.isfinite(number):
                raise MetricError(
                    f"{self.metric} of {self.tokenizer} on {self.group}: {name} is {number}.",
                    "A metric gives None with a note where it is undefined.",
                )
            object.__setattr__(self, name, kind(number))


_NUMBERS: dict[str, type[int] | type[float]] = {
    "size": int,
    "value": float,
    "low": float,
    "high": float,
    "n": int,
}

COLUMNS = tuple(field.name for field in fields(Record))


@dataclass(frozen=True, slots=True)
class Results:
    """Records in a fixed order; the same records always give the same bytes in every format."""

    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def rows(self) -> Iterator[tuple[str | int | float | None, ...]]:
        """Yield each record as a tuple in the order of `COLUMNS`."""
        for record in self.records:
            yield tuple(getattr(record, name) for name in COLUMNS)

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table: strings, int64 for size and n, float64 for the values."""
        import pyarrow as pa

        types = {int: pa.int64(), float: pa.float64()}
        schema = pa.schema(
            [
                pa.field(name, types[_NUMBERS[name]] if name in _NUMBERS else pa.string())
                for name in COLUMNS
            ],
            metadata={_SCHEMA_KEY: str(SCHEMA)},
        )
        columns = list(zip(*self.rows(), strict=True)) or [()] * len(COLUMNS)
        arrays = [arrow.from_list(c, f.type) for c, f in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    def write_parquet(self, path: Path) -> None:
        """Write a Parquet file, whole or not at all.

        Raises:
            StorageError: the file cannot be written.
        """
        import pyarrow.parquet as pq

        table = self.to_arrow()
        with atomic_write(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def read_parquet(cls, path: Path) -> Results:
        """Read what `write_parquet` wrote.

        Raises:
            StorageError: the file is missing, damaged, or of another schema.
        """
        import pyarrow as pa

        try:
            table = arrow.read_parquet(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(f"cannot read results from {path}.", f"Found: {error}") from error
        found = (table.schema.metadata or {}).get(_SCHEMA_KEY, b"none").decode()
        if found != str(SCHEMA) or set(table.column_names) != set(COLUMNS):
            raise StorageError(
                f"cannot read results from {path}.",
                f"Found: schema {found} with the columns {', '.join(table.column_names)};"
                f" this toktk reads schema {SCHEMA}.",
                "Read it with the toktk that wrote it, or measure again.",
            )
        return cls(tuple(Record(**row) for row in table.to_pylist()))

    def to_json(self) -> str:
        """Return ``{"schema": 1, "records": [...]}`` with one record a line."""
        lines = [
            json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False, allow_nan=False)
            for row in self.rows()
        ]
        body = ",\n".join(lines)
        return f'{{"schema": {SCHEMA}, "records": [\n{body}\n]}}\n'

    def to_csv(self) -> str:
        """Return the records as CSV with a header; null is an empty cell."""
        return tabular.to_csv(COLUMNS, self.rows())

    def to_markdown(self) -> str:
        """Return the records as a Markdown table; null is an empty cell."""
        return tabular.to_markdown(COLUMNS, self.rows())

    def to_latex(self) -> str:
        """Return the records as a LaTeX tabular; null is an empty cell."""
        return tabular.to_latex(COLUMNS, self.rows())
