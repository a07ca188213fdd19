"""Losses from a user's file."""

import json
import math

import pyarrow as pa
import pytest

from toktk import arrow
from toktk.costs.losses import read_losses
from toktk.errors import LawError, StorageError

ROWS = [
    {"tokenizer": label, "flops": flops, "bpb": c + 30 * flops**-0.1}
    for label, c in (("bpe-50k", 0.6), ("=bpe „128k“\x1b[31m", 0.58))
    for flops in (1e18, 1e19, 1e20)
]


def csv_of(rows):
    names = [*rows[0]]
    return "\n".join(
        [",".join(names), *(",".join(str(row.get(n, "")) for n in names) for row in rows)]
    )


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def write(path, rows=ROWS):
    kind = path.suffix
    if kind == ".parquet":
        arrow.write_parquet(pa.table(columns_of(rows)), path)
        return path
    text = {
        ".csv": lambda: csv_of(rows),
        ".json": lambda: json.dumps(rows),
        ".jsonl": lambda: "\n".join([json.dumps(row) for row in rows]) + "\n\n",
    }[kind]()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [".csv", ".json", ".jsonl", ".parquet"])
def test_all_formats_give_the_same_curves(tmp_path, kind):
    curves = read_losses(write(tmp_path / f"losses{kind}"))
    assert [curve.tokenizer for curve in curves] == ["bpe-50k", "=bpe „128k“\x1b[31m"]
    assert [curve.b for curve in curves] == [0.1, 0.1]
    assert [curve.c for curve in curves] == pytest.approx([0.6, 0.58])


def test_json_as_columns_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "losses.json"
    path.write_text(json.dumps(columns_of(ROWS)), encoding="utf-8-sig")
    assert [curve.c for curve in read_losses(path)] == pytest.approx([0.6, 0.58])
    (tmp_path / "losses.CSV").write_text(csv_of(ROWS).replace("\n", "\r\n"), encoding="utf-8-sig")
    assert [curve.c for curve in read_losses(tmp_path / "losses.CSV")] == pytest.approx([0.6, 0.58])


def test_nats_per_token_become_bits_per_byte(tmp_path):
    rows = [
        {"tokenizer": "a", "flops": row["flops"], "tokens_per_byte": 0.25}
        | {"loss": row["bpb"] * math.log(2) / 0.25}
        for row in ROWS[:3]
    ]
    (curve,) = read_losses(write(tmp_path / "losses.csv", rows))
    assert curve.c == pytest.approx(0.6)
    mixed = [{**row, "bpb": ""} for row in rows[:2]]  # where bits are there, they count
    mixed += [{**rows[2], "bpb": ROWS[2]["bpb"], "loss": 99.0}]
    (curve,) = read_losses(write(tmp_path / "mixed.csv", mixed))
    assert curve.c == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": None}, "tokenizer in row 2 of .* is not a name"),
        ({"tokenizer": ""}, "tokenizer in row 2 of .* is not a name"),
        ({"tokenizer": 7}, "tokenizer in row 2 of .* is not a name"),
        ({"flops": "much"}, "flops in row 2 of .* is not a positive number"),
        ({"flops": 0}, "flops in row 2"),
        ({"flops": True}, "flops in row 2"),
        ({"flops": [1e19]}, "flops in row 2"),
        ({"flops": 10**400}, "flops in row 2"),
        ({"bpb": -1}, "bpb in row 2"),
        ({"bpb": "NaN"}, "bpb in row 2"),
        ({"bpb": "inf"}, "bpb in row 2"),
        ({"bpb": None}, "bpb in row 2"),
        ({"bpb": None, "loss": 2.0}, "no column 'tokens_per_byte' in row 2"),
        ({"bpb": None, "loss": 2.0, "tokens_per_byte": 0}, "tokens_per_byte in row 2"),
    ],
)
def test_wrong_cells_are_named(tmp_path, change, message):
    rows = [ROWS[0], {**ROWS[1], **change}, *ROWS[2:]]
    with pytest.raises(LawError, match=message) as refusal:
        read_losses(write(tmp_path / "losses.json", rows))
    assert "Wanted: tokenizer, flops" in str(refusal.value)


@pytest.mark.parametrize("column", ["tokenizer", "flops", "bpb"])
def test_missing_columns_are_named(tmp_path, column):
    rows = [{name: row[name] for name in row if name != column} for row in ROWS]
    for kind in (".csv", ".parquet", ".json"):
        with pytest.raises(LawError, match=f"no column '{column}' in row 1") as refusal:
            read_losses(write(tmp_path / f"losses{kind}", rows))
        assert "\x1b" not in str(refusal.value)


def test_losses_that_no_curve_fits(tmp_path):
    with pytest.raises(LawError, match="3 or more budgets") as refusal:
        read_losses(write(tmp_path / "few.csv", ROWS[:2]))
    assert "few.csv" in str(refusal.value)
    rising = [{**row, "bpb": 2 - row["bpb"]} for row in ROWS]
    with pytest.raises(LawError, match="losses of bpe-50k do not fall") as refusal:
        read_losses(write(tmp_path / "rising.parquet", rising))
    assert "rising.parquet" in str(refusal.value)
    (tmp_path / "empty.csv").write_text("tokenizer,flops,bpb\n")
    with pytest.raises(LawError, match="holds no losses"):
        read_losses(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("losses.json", b"{"),
        ("losses.json", b"[1, 2]"),
        ("losses.json", b'{"tokenizer": ["a"], "flops": [1, 2]}'),
        ("losses.json", b"[" * 100_000),
        ("losses.jsonl", b'{"tokenizer": "a"}\n{'),
        ("losses.csv", b"tokenizer,flops,bpb\n\xff,1,1"),
        ("losses.csv", b'tokenizer,flops,bpb\n"a,1,1'),
        ("losses.parquet", b"PAR1"),
        ("losses.txt", b"a"),
        ("losses", b"a"),
    ],
)
def test_unreadable_files(tmp_path, name, contents):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(StorageError, match="cannot read the losses in") as refusal:
        read_losses(tmp_path / name)
    assert ".parquet; wanted: tokenizer" in str(refusal.value)


def test_no_file_and_a_folder(tmp_path):
    for name in ("absent.csv", "absent.json", "absent.parquet"):
        with pytest.raises(StorageError, match="cannot read the losses"):
            read_losses(tmp_path / name)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(StorageError, match="cannot read the losses"):
        read_losses(tmp_path / "folder.json")
