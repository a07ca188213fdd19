"""Runs of the schema before intervals: they are read, and the same command makes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from toktk.corpus import Corpus
from toktk.lab.document import DOCUMENTS, NAME, RESULTS, read_document
from toktk.lab.folder import fact_of
from toktk.lab.plan import SweepPlan
from toktk.lab.run import carry_out
from toktk.lab.sweep import Sweep
from toktk.report.results import Results


def sweep() -> Sweep:
    corpus = Corpus.of([f"text {i} of a corpus" for i in range(60)])
    return Sweep(SweepPlan(corpus, corpus, (260,), ("bpe",)))


@pytest.fixture
def old(home: Path, tmp_path: Path) -> Path:
    """A run as schema 2 wrote it: no counts of documents, no effective numbers."""
    run = carry_out(sweep(), tmp_path / "run")
    table = pq.read_table(run.path / RESULTS)
    meta = {**table.schema.metadata, b"toktk.schema": b"2"}
    table = table.drop_columns(["n_effective"]).replace_schema_metadata(meta)
    pq.write_table(table, run.path / RESULTS)
    (run.path / DOCUMENTS).unlink()
    document = json.loads((run.path / NAME).read_text(encoding="utf-8"))
    document["schema"] = 2
    del document["files"][DOCUMENTS]
    document["files"][RESULTS] = fact_of(run.path / RESULTS)
    (run.path / NAME).write_text(json.dumps(document), encoding="utf-8")
    return run.path


def test_it_is_read(old: Path) -> None:
    document = read_document(old)
    assert document is not None
    assert document["schema"] == 2
    results = Results.read_parquet(old / RESULTS)
    assert all(record.n_effective is None for record in results)


def test_the_same_command_makes_it_anew(old: Path) -> None:
    run = carry_out(sweep(), old)
    assert not run.reused
    assert run.results is not None
    assert run.results.documents is not None
    assert (old / DOCUMENTS).exists()
    assert any(record.low is not None for record in run.results)
    assert carry_out(sweep(), old).reused
