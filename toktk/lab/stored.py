"""What a run directory holds, read without what could carry a run out: for verbs that answer at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from toktk.errors import StorageError
from toktk.lab.document import DOCUMENTS, NAME, RESULTS, read_document
from toktk.report.document_counts import DocumentCounts
from toktk.report.results import Results
from toktk.timing.figures import TIMED


def document_of(folder: Path) -> dict[str, Any]:
    """Return the run.json of a folder that has to hold a run.

    Raises:
        StorageError: there is none, or it cannot be read.
    """
    document = read_document(folder)
    if document is None:
        raise StorageError(
            f"{folder} holds no run.",
            f"Found: no {NAME} in it." if folder.is_dir() else "Found: no such folder.",
            "Give the folder that toktk sweep, train or bench wrote, such as runs/news.",
        )
    return document


def stored_results(folder: Path, document: dict[str, Any]) -> Results | None:
    """Return the figures of a run whose run.json this is, but those of throughput; None: it measured nothing.

    Raises:
        StorageError: they cannot be read.
    """
    if document["evaluation"] is None:
        return None
    results, counts = Results.read_parquet(folder / RESULTS), folder / DOCUMENTS
    figures = tuple(r for r in results if not r.metric.startswith(TIMED))
    documents = DocumentCounts.read_parquet(counts) if counts.is_file() else None
    return replace(results, records=figures, documents=documents)
