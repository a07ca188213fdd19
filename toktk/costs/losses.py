"""Losses of trained models, from a user's file: CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toktk import arrow
from toktk.costs.flop_equivalent import LossCurve, fit_losses
from toktk.errors import LawError, StorageError, clipped, in_a_line
from toktk.visible import listed

_WANTED = (
    "Wanted: tokenizer, flops (of training), and bpb (bits per byte) or loss (nats per token) with "
    "tokens_per_byte (of the text that the loss is of)."
)


def read_losses(path: Path) -> list[LossCurve]:
    """Return a curve for each tokenizer of a file, in the order of their first rows.

    A row is a model: the columns are ``tokenizer``, ``flops``, and ``bpb``, else ``loss`` in nats per token
    with ``tokens_per_byte``; others are not looked at. The end of the file's name tells its format: .csv,
    .json (a list of objects, or an object of columns), .jsonl or .parquet.

    Raises:
        StorageError: the file cannot be read, or is of none of these formats.
        LawError: a column is missing, a number is none, or losses that no curve can be fitted to; see
            `toktk.costs.flop_equivalent.fit_losses`.
    """
    points: dict[str, tuple[list[float], list[float]]] = {}
    n = 0
    for n, row in enumerate(_rows(path), 1):
        tokenizer, flops, bits = _point(path, n, row)
        budgets, losses = points.setdefault(tokenizer, ([], []))
        budgets.append(flops)
        losses.append(bits)
    if not n:
        raise LawError(f"{path} holds no losses.", "Found: no rows.", _WANTED)
    curves = []
    for tokenizer, (budgets, losses) in points.items():
        try:
            curves.append(fit_losses(tokenizer, budgets, losses))
        except LawError as error:
            error.args += (f"They are in {path}.",)
            raise
    return curves


def _point(path: Path, n: int, row: Mapping[str, Any]) -> tuple[str, float, float]:
    """Return tokenizer, FLOPs and bits per byte of a row."""
    tokenizer = row.get("tokenizer")
    if not isinstance(tokenizer, str) or not tokenizer:
        raise _odd(path, n, row, "tokenizer")
    flops = _number(path, n, row, "flops")
    if row.get("bpb") not in (None, ""):
        return tokenizer, flops, _number(path, n, row, "bpb")
    if row.get("loss") in (None, ""):
        raise _odd(path, n, row, "bpb")
    nats, tokens = _number(path, n, row, "loss"), _number(path, n, row, "tokens_per_byte")
    return tokenizer, flops, nats / math.log(2) * tokens


def _number(path: Path, n: int, row: Mapping[str, Any], column: str) -> float:
    value = row.get(column)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf:
        raise _odd(path, n, row, column)
    return number


def _odd(path: Path, n: int, row: Mapping[str, Any], column: str) -> LawError:
    """Return what to raise about a column of a row: it is not there, or holds something else."""
    value = row.get(column)
    if column not in row:
        what = f"{path} has no column {column!r} in row {n:,}."
        return LawError(what, f"Found: {listed([str(name) for name in row]) or 'none'}.", _WANTED)
    wanted = "a name" if column == "tokenizer" else "a positive number"
    return LawError(
        f"{column} in row {n:,} of {path} is not {wanted}.",
        f"Found: {clipped(value) if isinstance(value, str) else repr(value)[:80]}.",
        _WANTED,
    )


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a file as dictionaries."""
    import pyarrow as pa

    kind = path.suffix.lower()
    try:
        if kind == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file, strict=True)
        elif kind == ".json":
            yield from _objects(path, json.loads(path.read_text(encoding="utf-8-sig")))
        elif kind == ".jsonl":
            lines = path.read_text(encoding="utf-8-sig").split("\n")
            yield from _objects(path, [json.loads(line) for line in lines if line.strip()])
        elif kind == ".parquet":
            yield from arrow.read_parquet(path).to_pylist()
        else:
            raise _unreadable(path, f"the ending {kind!r}" if kind else "no ending")
    except (OSError, UnicodeError, csv.Error, ValueError, RecursionError, pa.ArrowException) as e:
        raise _unreadable(path, in_a_line(e)[:200]) from e


def _objects(path: Path, value: Any) -> list[Mapping[str, Any]]:
    """Return the rows of JSON: a list of objects, or one of an object that holds columns."""
    if isinstance(value, dict) and value and all(isinstance(c, list) for c in value.values()):
        lengths = {len(column) for column in value.values()}
        if len(lengths) == 1:
            return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return value
    raise _unreadable(path, "JSON that is no list of objects, nor columns of one length")


def _unreadable(path: Path, why: str) -> StorageError:
    return StorageError(
        f"cannot read the losses in {path}.",
        f"Found: {why}.",
        "Give a file .csv, .json, .jsonl or .parquet; " + _WANTED[0].lower() + _WANTED[1:],
    )
