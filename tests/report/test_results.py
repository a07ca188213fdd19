from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.errors import MetricError, StorageError
from toktk.report import tabular
from toktk.report.records import COLUMNS, Record
from toktk.report.results import Results


def record(**changes: object) -> Record:
    values: dict[str, object] = {
        "tokenizer": "bpe-50k",
        "family": "bpe",
        "inference": "own",
        "trainer": "bpe",
        "pretokenizer": "o200k",
        "size": 50_000,
        "corpus": "starter",
        "group": "en",
        "metric": "fertility[ws]|macro",
        "value": 1.25,
        "low": None,
        "high": None,
        "unit": "tokens/word",
        "n": 30,
        "note": None,
        "signature": "toktk:0.1.0|tok:1a2b3c4d",
    }
    return Record(**(values | changes))  # type: ignore[arg-type]


NASTY = 'naïve, "東京"\n| & _ % \\ 🙂 e\u0301 \x00'


@pytest.fixture
def results() -> Results:
    return Results((record(), record(group=NASTY, value=None, n=None, size=None, note="no words")))


def test_parquet_round_trip_and_reproducible_bytes(results: Results, tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "a.parquet", tmp_path / "b.parquet"
    results.write_parquet(first)
    results.write_parquet(second)
    assert first.read_bytes() == second.read_bytes()
    assert Results.read_parquet(first) == results
    assert [path.name for path in first.parent.iterdir()] == ["a.parquet"]


def test_no_records_make_a_readable_file(tmp_path: Path) -> None:
    Results(()).write_parquet(tmp_path / "none.parquet")
    assert len(Results.read_parquet(tmp_path / "none.parquet")) == 0


def test_arrow_types_do_not_depend_on_the_records() -> None:
    assert Results(()).to_arrow().schema == Results((record(value=None),)).to_arrow().schema


def test_json_keeps_nulls_and_full_precision(results: Results) -> None:
    data = json.loads(results.to_json())
    assert data["schema"] == 3
    assert tuple(data["records"][0]) == COLUMNS
    assert data["records"][1]["value"] is None
    assert data["records"][1]["group"] == NASTY
    assert json.loads(Results(()).to_json()) == {"schema": 3, "records": []}


def test_csv_reads_back(results: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(results.to_csv())))
    assert rows[0]["value"] == "1.25"
    assert rows[1]["value"] == ""
    assert rows[1]["group"] == NASTY


def test_markdown_has_one_line_a_record_and_escapes_pipes(results: Results) -> None:
    lines = tabular.to_markdown(COLUMNS, results.rows()).splitlines()
    assert len(lines) == 2 + len(results)
    assert r"fertility[ws]\|macro" in lines[2]


def test_latex_escapes_what_latex_reads(results: Results) -> None:
    text = tabular.to_latex(COLUMNS, results.rows())
    assert r"fertility[ws]\textbar{}macro" in text
    assert r"\& \_ \% \textbackslash{}" in text
    assert text.count("\\\\\n") == 1 + len(results)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(MetricError, match="gives None with a note"):
        record(value=value)


def test_numpy_scalars_become_python_numbers() -> None:
    made = record(value=np.float32(0.5), n=np.int64(3), size=np.int32(8))
    assert [type(x) for x in (made.value, made.n, made.size)] == [float, int, int]


def test_reading_what_is_no_result_says_so(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(StorageError, match="cannot read results"):
        Results.read_parquet(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(StorageError, match="cannot read results"):
        Results.read_parquet(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(StorageError, match="schema none with the columns a"):
        Results.read_parquet(tmp_path / "other.parquet")


def test_an_interrupted_write_leaves_the_old_file(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "results.parquet"
    results.write_parquet(path)

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StorageError, match="No space left"):
        Results(()).write_parquet(path)
    assert Results.read_parquet(path) == results
    assert list(tmp_path.iterdir()) == [path]


@given(
    st.lists(
        st.builds(
            record,
            group=st.text(st.characters(exclude_categories=["Cs"])),
            value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            n=st.none() | st.integers(0, 2**63 - 1),
        ),
        max_size=5,
    )
)
def test_any_records_survive_arrow_and_json(records: list[Record]) -> None:
    results = Results(tuple(records))
    assert [Record(**row) for row in results.to_arrow().to_pylist()] == records
    assert [Record(**row) for row in json.loads(results.to_json())["records"]] == records
