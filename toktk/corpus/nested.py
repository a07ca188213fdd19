"""Columns inside columns: ``messages.content`` leads through objects (structs) and lists to strings.

The strings that a row has there are one document, with a line feed between two; null ones are left out.
A column whose own name is the whole path comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrays import offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import spans, strings
from toktk.corpus.options import check_known
from toktk.errors import CorpusError

_BETWEEN = "\n"


def outer(name: str, columns: Collection[str]) -> str | None:
    """Return the column that `name` is, or that its path begins with; None if there is neither."""
    parts = name.split(".")
    heads = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((head for head in heads if head in columns), None)


def inner_path(name: str, column: str) -> list[str]:
    """Return the fields that the path `name` has after its `column`."""
    return name[len(column) + 1 :].split(".") if name != column else []


def column_at(
    columns: Mapping[str, pa.Array],
    name: str,
    where: str,
    lists: bool,
    prepare: Callable[[pa.Array], pa.Array],
) -> pa.Array:
    """Return the column of one value a row that the path `name` leads to, `prepare`d.

    With `lists`, the strings of lists become one text.

    Raises:
        CorpusError: the path leads nowhere, or to what is no text.
    """
    column = outer(name, columns)
    if column is None:
        raise KeyError(name)
    return _at(columns[column], inner_path(name, column), (column,), where, lists, prepare)


def _at(
    column: pa.Array,
    path: list[str],
    passed: tuple[str, ...],
    where: str,
    lists: bool,
    prepare: Callable[[pa.Array], pa.Array],
) -> pa.Array:
    import pyarrow.compute as pc

    place = f"column {'.'.join(passed)!r} of {where}"
    if lists and _is_list(column.type):
        inner = _at(pc.list_flatten(column), path, passed, where, lists, prepare)
        return _joined(inner, pc.list_parent_indices(column), len(column), place)
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        if not path:
            raise CorpusError(
                f"{place} holds objects.",
                f"Found: {', '.join(names)}.",
                f"Name a field, such as --text-column {'.'.join(passed)}.{names[0] if names else 'text'}.",
            )
        check_known(path[0], names, f"{place} has no field {path[0]!r}")
        inner = pc.struct_field(column, [names.index(path[0])])
        return _at(inner, path[1:], (*passed, path[0]), where, lists, prepare)
    if path:
        raise CorpusError(
            f"{place} has no field {path[0]!r}.",
            f"Found: {column.type}.",
            "Name the column without it.",
        )
    return prepare(column)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _joined(values: pa.Array, rows: pa.Array, n_rows: int, place: str) -> pa.Array:
    """Return the strings of each row as one; null where it has none. `rows` are int64, ascending."""
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return pa.nulls(n_rows, pa.large_string())
    if not _is_text(values.type):
        raise CorpusError(
            f"{place} does not hold text.",
            f"Found: lists of {values.type}.",
            "Name strings with --text-column.",
        )
    valid = arrow.is_valid(values)
    values = as_large_string(values.filter(arrow.from_numpy(valid)))
    counts = np.bincount(arrow.to_numpy(rows.cast(pa.int64()))[valid], minlength=n_rows)
    ends = offsets_of(counts)
    last = np.zeros(len(values), np.bool_)
    last[ends[1:][counts > 0] - 1] = True
    between, nothing = (pa.scalar(text, pa.large_string()) for text in (_BETWEEN, ""))
    after = pc.if_else(arrow.from_numpy(last), nothing, between)
    data, offsets = spans(pc.binary_join_element_wise(values, after, nothing))
    joined = strings(data, offsets[ends])
    return pc.if_else(arrow.from_numpy(counts > 0), joined, pa.scalar(None, pa.large_string()))


def _is_text(kind: pa.DataType) -> bool:
    return str(kind) in ("string", "large_string", "binary", "large_binary")


def as_large_string(values: pa.Array) -> pa.Array:
    """Return strings or bytes as large strings; whether they are UTF-8 is not asked."""
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return values.cast(pa.large_binary()).view(pa.large_string())
    return values.cast(pa.large_string())


def json_value(row: Mapping[str, Any], name: str, lists: bool) -> Any:
    """Return what a row of JSON has at the path `name`: strings of `lists` as one; None if it has nothing."""
    column = outer(name, row)
    return None if column is None else _json_at(row[column], inner_path(name, column), lists)


def _json_at(value: Any, path: list[str], lists: bool) -> Any:
    if lists and isinstance(value, list):
        found = [_json_at(item, path, lists) for item in value]
        texts = [text for text in found if text is not None]
        # What is no string is returned as it is, for an error that shows it.
        other = [text for text in texts if not isinstance(text, str)]
        return other[:1] or (_BETWEEN.join(texts) if texts else None)
    if path and isinstance(value, dict):
        return _json_at(value.get(path[0]), path[1:], lists)
    return [value] if path and value is not None else value


def json_type(
    value: Any, path: list[str], leaf: pa.DataType, others: set[str]
) -> pa.DataType | None:
    """Return the Arrow type of a value of JSON, with nothing but the `path`; None where it does not show.

    `others` receives the names of the fields that objects without that of the path have.
    """
    if isinstance(value, list):
        types = (json_type(item, path, leaf, others) for item in value)
        inner = next(filter(None, types), None)
        return None if inner is None else pa.list_(inner)
    if path and isinstance(value, dict):
        if path[0] not in value:
            others.update(value)
        inner = json_type(value.get(path[0]), path[1:], leaf, others)
        return None if inner is None else pa.struct([(path[0], inner)])
    return None if path or value is None else leaf
