"""How often each token occurs in the text that a run measured, kept beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.errors import StorageError, in_a_line
from toktk.paths import atomic_write


def write_token_counts(counts: Mapping[str, Int64], path: Path) -> None:
    """Write a row for each id that occurs: tokenizer (its label), id, count.

    Args:
        counts: {label: int64[ids]}.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow as pa

    ids = {label: np.flatnonzero(own) for label, own in counts.items()}
    numbers = np.repeat(np.arange(len(ids)), [own.size for own in ids.values()])
    table = pa.table(
        {
            "tokenizer": pa.DictionaryArray.from_arrays(
                arrow.from_numpy(numbers.astype(np.int32)), arrow.from_list([*ids], pa.string())
            ),
            "id": arrow.from_numpy(np.concatenate([*ids.values(), np.empty(0, np.int64)])),
            "count": arrow.from_numpy(
                np.concatenate([*(counts[n][i] for n, i in ids.items()), np.empty(0, np.int64)])
            ),
        }
    )
    with atomic_write(path) as temporary:
        arrow.write_parquet(table, temporary)


def read_token_counts(path: Path, sizes: Mapping[str, int]) -> dict[str, Int64]:
    """Return {label: int64[size]} of what `write_token_counts` wrote; `sizes` are of the tokenizers wanted.

    Raises:
        StorageError: the file is missing or damaged, or holds ids beyond a size.
    """
    import pyarrow as pa

    try:
        table = arrow.read_parquet(path).combine_chunks()
        labels = table.column("tokenizer").combine_chunks()
        names = labels.dictionary.to_pylist()
        numbers = arrow.to_numpy(labels.indices)
        ids = arrow.to_numpy(table.column("id").combine_chunks())
        occurrences = arrow.to_numpy(table.column("count").combine_chunks())
        counts = {}
        for label, size in sizes.items():
            if label in names:
                own = numbers == names.index(label)
                counts[label] = np.zeros(size, dtype=np.int64)
                if (ids[own] < 0).any():
                    raise IndexError(f"the id {ids[own].min()}")
                counts[label][ids[own]] = occurrences[own]
        return counts
    except (OSError, ValueError, KeyError, IndexError, AttributeError, pa.ArrowException) as error:
        raise StorageError(
            f"cannot read the counts of tokens from {path}.",
            f"Found: {in_a_line(error)}.",
            "Make the run again with --force.",
        ) from error
