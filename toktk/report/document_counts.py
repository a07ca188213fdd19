"""Counts of each document: what intervals are made of.

Points come from all text; intervals from the documents here, which are all of a group, or a sample of them.

Schema history (in the Parquet file's metadata):
    1   group, unit, copies, bytes, chars, words, and ``tokens:LABEL`` for each tokenizer.
    2   previous, after words.
    3   ``bits[n]:LABEL`` for tokenizers whose n-grams were asked for, after the tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk import arrow, shapes
from toktk.arrays import Int64
from toktk.errors import StorageError, in_a_line
from toktk.paths import atomic_write
from toktk.visible import json_text, without_surrogates

if TYPE_CHECKING:
    import pyarrow as pa

Int32 = npt.NDArray[np.int32]
UInt64 = npt.NDArray[np.uint64]

KINDS = ("documents", "lines", "blocks")
"""What the rows of a group are: documents; aligned lines of parallel text; blocks of one long document."""

_SCHEMA, _OLDEST, _KEY = 3, 1, b"toktk.document_counts"
_TOKENS, _BITS = "tokens:", "bits["
_ABOUT = {"schema": int, "groups": [str], "n_all": [int], "kinds": [str]}
_COUNTS = ("copies", "bytes", "chars", "words")


@dataclass(frozen=True, eq=False)
class DocumentCounts:
    """Counts of documents, a row for each different one; rows are sorted by group, then by unit.

    Attributes:
        groups: names of the groups, in the order of the evaluation.
        group: int32[D], which group each document is in.
        unit: uint64[D], the hash of the document's text; of parallel text that of its alignment id, the same
            in all languages; of a block that of the block.
        copies: int64[D], how often the document occurs; the other counts are those of one copy.
        bytes, chars, words: int64[D], of one copy.
        tokens: {tokenizer's label: int64[D]}, of one copy.
        n_all: int64[G], the different documents of each group in the whole text: more than rows where it
            was sampled.
        kinds: of each group one of `KINDS`.
        previous: int64[D], the row of the document before this one in its group of the text; -1: not known.
        bits: {tokenizer's label: int64[3, D]}, what one copy costs n-gram models, in thousandths; 0 where
            that is not known. One that stands for others, which were not priced, has their bits too.
    """

    groups: tuple[str, ...]
    group: Int32
    unit: UInt64
    copies: Int64
    bytes: Int64
    chars: Int64
    words: Int64
    tokens: Mapping[str, Int64]
    n_all: Int64
    kinds: tuple[str, ...]
    previous: Int64
    bits: Mapping[str, Int64] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.group.size)

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table: dictionary strings, uint64, and int32 counts, int64 where they are large."""
        import pyarrow as pa

        names = arrow.from_list([*map(without_surrogates, self.groups)], pa.string())
        columns: dict[str, Any] = {
            "group": pa.DictionaryArray.from_arrays(arrow.from_numpy(self.group), names),
            "unit": arrow.from_numpy(self.unit),
        }
        counts = {name: getattr(self, name) for name in (*_COUNTS, "previous")}
        counts |= {_TOKENS + without_surrogates(name): n for name, n in self.tokens.items()}
        counts |= {
            f"{_BITS}{n}]:{without_surrogates(name)}": own
            for name, bits in self.bits.items()
            for n, own in enumerate(bits, 1)
        }
        columns |= {name: arrow.from_numpy(_narrow(values)) for name, values in counts.items()}
        about = {
            "schema": _SCHEMA,
            "groups": [*map(without_surrogates, self.groups)],
            "n_all": self.n_all.tolist(),
            "kinds": [*self.kinds],
        }
        return pa.table(columns).replace_schema_metadata({_KEY: json_text(about, sort_keys=True)})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> DocumentCounts:
        """Return what `to_arrow` made a table of.

        Raises:
            StorageError: the table holds something else.
        """
        import pyarrow as pa

        try:
            about = shapes.parse((table.schema.metadata or {}).get(_KEY, b"null"))
        except ValueError as error:
            raise _damaged(in_a_line(error)) from error
        if wrong := shapes.misfit(about, _ABOUT):
            raise _damaged(wrong)
        schema = about["schema"]
        if not _OLDEST <= schema <= _SCHEMA:
            raise _damaged(f"schema {schema}; this toktk reads schemas {_OLDEST} to {_SCHEMA}")
        groups, kinds = tuple(about["groups"]), tuple(about["kinds"])
        if not len(set(groups)) == len(groups) == len(kinds) == len(about["n_all"]):
            raise _damaged("groups, kinds and n_all do not go together")
        if not set(kinds) <= set(KINDS):
            raise _damaged(f"kinds that are none of {', '.join(KINDS)}")
        labels = [name for name in table.column_names if name.startswith(_TOKENS)]
        since = ["previous"] if schema > 1 else []
        priced = [name for name in table.column_names if name.startswith(_BITS) and schema > 2]
        if table.column_names != ["group", "unit", *_COUNTS, *since, *labels, *priced]:
            raise _damaged(f"the columns {', '.join(table.column_names)}")
        if table.column("group").type != pa.dictionary(pa.int32(), pa.string()):
            raise _damaged(f"group is {table.column('group').type}")
        if odd := [name for name in table.column_names if table.column(name).null_count]:
            raise _damaged(f"nulls in {', '.join(odd)}")
        named = table.column("group").combine_chunks()
        number = {name: i for i, name in enumerate(groups)}
        numbers = [number.get(name, -1) for name in named.dictionary.to_pylist()]
        group = np.array([*numbers, -1], dtype=np.int32)[arrow.to_numpy(named.indices)]
        counts = {name: _column(table, name, np.int64) for name in (*_COUNTS, *labels, *priced)}
        if (group < 0).any() or any((values < 0).any() for values in counts.values()):
            raise _damaged("a group that is not listed, or a count below 0")
        previous = np.full(group.size, -1, dtype=np.int64)
        if since:
            previous = _column(table, "previous", np.int64)
            if ((previous < -1) | (previous >= group.size)).any():
                raise _damaged("a document before one that is not there")
        return cls(
            groups,
            group,
            _column(table, "unit", np.uint64),
            counts["copies"],
            counts["bytes"],
            counts["chars"],
            counts["words"],
            {name.removeprefix(_TOKENS): counts[name] for name in labels},
            np.array(about["n_all"], dtype=np.int64),
            kinds,
            previous,
            _bits({name: counts[name] for name in priced}),
        )

    def write_parquet(self, path: Path, in_haste: bool = False) -> None:
        """Write a Parquet file, whole or not at all; `in_haste` as in `toktk.arrow.write_parquet`.

        Raises:
            StorageError: the file cannot be written.
        """
        table = self.to_arrow()
        with atomic_write(path) as temporary:
            arrow.write_parquet(table, temporary, in_haste)

    @classmethod
    def read_parquet(cls, path: Path) -> DocumentCounts:
        """Read what `write_parquet` wrote.

        Raises:
            StorageError: the file is missing, damaged, or of another schema.
        """
        import pyarrow as pa

        try:
            return cls.from_arrow(arrow.read_parquet(path))
        except StorageError as error:
            raise StorageError(f"cannot read counts from {path}.", *error.args[1:]) from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StorageError(
                f"cannot read counts from {path}.", f"Found: {in_a_line(error)}.", _WAY_OUT
            ) from error


_WAY_OUT = "Read it with the toktk that wrote it, or measure again."


def _damaged(found: str) -> StorageError:
    return StorageError("this table holds no counts of documents.", f"Found: {found}.", _WAY_OUT)


def _bits(columns: Mapping[str, Int64]) -> dict[str, Int64]:
    """Return int64[3, D] by label, from a column for each label and order."""
    labels = [name.partition(":")[2] for name in columns if name.startswith(f"{_BITS}1]:")]
    if [*columns] != [f"{_BITS}{n}]:{label}" for label in labels for n in (1, 2, 3)]:
        raise _damaged(f"the columns {', '.join(columns)}")
    return {
        label: np.stack([columns[f"{_BITS}{n}]:{label}"] for n in (1, 2, 3)]) for label in labels
    }


def _narrow(values: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return counts in int32 where that holds all of them: half the memory of who reads them."""
    return values.astype(np.int32) if not values.size or values.max() < 2**31 else values


def _column(table: pa.Table, name: str, dtype: type[Any]) -> npt.NDArray[Any]:
    column = table.column(name)
    wanted = ("uint64",) if dtype is np.uint64 else ("int32", "int64")
    if str(column.type) not in wanted:
        raise _damaged(f"{name} is {column.type}, not {' or '.join(wanted)}")
    array = column.combine_chunks()
    return arrow.to_numpy(array).astype(dtype)
