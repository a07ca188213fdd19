"""Ids by frequency: a file of all ids of a bench's tokenizers with their counts; what the first n cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk import arrow
from toktk.arrays import offsets_of, packed
from toktk.evaluation.group_ids import GroupIds, count_group_ids
from toktk.lab.bench import Bench
from toktk.lab.counted import CountedCorpora
from toktk.lab.recording import reading_of
from toktk.metrics.vocabulary import UNCOVERED, coverage, coverage_of
from toktk.models.model import Model, special_ids_of, token_lengths
from toktk.paths import atomic_write
from toktk.pieces.table import POOLED
from toktk.registry import guarded
from toktk.report.records import Record, signature
from toktk.report.results import Results
from toktk.tokenizer import NATIVE, Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


def count_ids(bench: Bench) -> dict[str, GroupIds]:
    """Return the counts of ids in each group, by label; pieces that were counted before are not read again.

    Raises:
        CorpusError: the text cannot be read.
        FormatError: a library fails at the text.
        PluginError: a tokenizer of another package fails.
    """
    plan = bench.plan
    counted = CountedCorpora(bench.meter, plan.jobs, memory=plan.memory)
    cuts = {t.pretokenizer.key: t.pretokenizer for t in bench.tokenizers.values()}
    counts: dict[str, GroupIds] = {}
    for key, cut in cuts.items():
        table = counted.get(plan.corpus, cut, by_group=True).table
        for label, tokenizer in bench.tokenizers.items():
            if tokenizer.pretokenizer.key == key:
                with (
                    bench.meter.step("count ids", label, len(table), "pieces") as advance,
                    guarded(f"the model of {label}", tokenizer.model),
                ):
                    counts[label] = count_group_ids(table, tokenizer.model, plan.jobs, advance)
        counted.drop(plan.corpus, cut)
    return {label: counts[label] for label in bench.tokenizers}


def write_ids(
    tokenizers: Mapping[str, Tokenizer], counts: Mapping[str, GroupIds], path: Path
) -> None:
    """Write a row for each id that has a token, those that occur most first, one tokenizer after the other.

    The columns are tokenizer (its label), id, bytes (of a special token its name), special, count (in the
    whole text) and groups: a map from the name of each group in which the id occurs to its count there.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    with atomic_write(path) as temporary, temporary.open("wb") as raw:
        tables = (_table(label, tokenizers[label].model, own) for label, own in counts.items())
        writer = None
        for table in tables:
            writer = writer or pq.ParquetWriter(raw, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _table(label: str, model: Model, counts: GroupIds) -> pa.Table:
    import pyarrow as pa

    tokens = model.tokens
    order = np.lexsort((np.arange(counts.total.size), -counts.total))
    order = order[[bool(tokens[i]) or counts.total[i] > 0 for i in order.tolist()]]
    lengths = np.diff(counts.ends)[order]
    ends = offsets_of(lengths)
    entries = np.repeat(counts.ends[:-1][order] - ends[:-1], lengths) + np.arange(ends[-1])
    names = arrow.from_list(counts.groups, pa.string())
    groups = pa.MapArray.from_arrays(
        arrow.from_numpy(ends.astype(np.int32)),
        names.take(arrow.from_numpy(counts.entry_group[entries])),
        arrow.from_numpy(counts.entry_count[entries]),
    )
    special = np.zeros(counts.total.size, dtype=np.bool_)
    special[special_ids_of(model)] = True
    data, offsets = packed([tokens[i] for i in order.tolist()])
    spelled = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), order.size, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return pa.table(
        {
            "tokenizer": arrow.from_list([label], pa.string()).take(
                arrow.from_numpy(np.zeros(order.size, dtype=np.int32))
            ),
            "id": arrow.from_numpy(order),
            "bytes": spelled.cast(pa.binary()),
            "special": arrow.from_numpy(special[order]),
            "count": arrow.from_numpy(counts.total[order]),
            "groups": groups,
        }
    )


def coverages(
    tokenizers: Mapping[str, Tokenizer], counts: Mapping[str, GroupIds]
) -> dict[str, dict[int, float | None]]:
    """Return {label: {n: share}} of the tokens that are one of the n most frequent ids."""
    return {
        label: coverage_of(own.total, int(np.count_nonzero(token_lengths(tokenizers[label].model))))
        for label, own in counts.items()
    }


def with_coverage(
    results: Results | None, shares: Mapping[str, Mapping[int, float | None]], bench: Bench
) -> Results:
    """Return the results with the coverage of each tokenizer, unless they have it: ``coverage[1024]``."""
    figures = Results(()) if results is None else results
    known = {(record.tokenizer, record.metric) for record in figures}
    records = [r for r in _records(shares, bench) if (r.tokenizer, r.metric) not in known]
    return replace(figures, records=(*figures.records, *records))


def _records(shares: Mapping[str, Mapping[int, float | None]], bench: Bench) -> Iterator[Record]:
    corpus = bench.plan.corpus
    for label, of_label in shares.items():
        tokenizer = bench.tokenizers[label]
        about: dict[str, Any] = {"tok": tokenizer.signature, "corpus": corpus.fingerprint}
        for n, share in of_label.items():
            yield Record(
                tokenizer=label,
                family=label,
                inference="own",
                pretokenizer=tokenizer.pretokenizer.name if tokenizer.engine == NATIVE else None,
                size=tokenizer.vocab_size,
                corpus=corpus.name,
                group=POOLED,
                metric=f"{coverage.name}[{n}]",
                value=share,
                unit=coverage.unit,
                note=UNCOVERED if share is None else None,
                signature=signature(
                    **about, **reading_of(tokenizer), unit=coverage.unit, agg="sum"
                ),
            )
