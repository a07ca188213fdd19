"""Where the sides of a comparison come from: run directories, or tokenizers that are measured on a text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.errors import MetricError
from toktk.lab.bench import Bench
from toktk.lab.counted import CountedCorpora
from toktk.lab.deciding import Deciding
from toktk.lab.document import LINES, NAME, recorded_files
from toktk.lab.outcome import Outcome, without_figures
from toktk.lab.overlap import lacking_lines, overlap_lines
from toktk.lab.run import Run, document_of, stored_run
from toktk.lab.side import Side, sides_of
from toktk.report.results import Results


@dataclass(frozen=True)
class Sources:
    """Sides of a comparison, and what is known besides.

    Attributes:
        remarks: what a reader must know of tokenizers and text.
        decides: tells the pieces that decide; None where the text is not at hand.
        run: the stored run that they are of.
        bench, outcome: the bench that measured them, and what it gave.
    """

    sides: Sequence[Side]
    remarks: Sequence[str] = ()
    decides: Deciding | None = None
    run: Run | None = None
    bench: Bench | None = None
    outcome: Outcome | None = None


def run_folder(spec: str) -> tuple[str, Path] | None:
    """Return the label and the folder that ``runs/news`` or ``old=runs/news`` names; None for no run."""
    label, equals, rest = spec.partition("=")
    for name, path in ((spec, spec), *([(label, rest)] if equals else [])):
        folder = Path(path).expanduser()
        if (folder / NAME).is_file():
            return name, folder
    return None


def sources_of(source: str, folder: Path) -> Sources:
    """Return the sides of a stored run; `source` is what they are called where labels are not enough.

    Raises:
        StorageError: run.json or the figures cannot be read.
        MetricError: nothing was measured.
    """
    document = document_of(folder)
    run = stored_run(folder, document)
    results = run.results
    if results is None:
        raise MetricError(
            f"{folder} has no figures to compare.",
            "Found: a run that trained and did not measure.",
            "Measure its tokenizers: toktk bench.",
        )
    lines = recorded_files(document).get(LINES, {}).get("sha256")
    trained = {label: lines for label, t in document["tokenizers"].items() if t.get("folder")}
    return Sources(sides_of(results, trained, source), _remarks(document), run=run)


def measured(bench: Bench) -> Sources:
    """Return the sides of a bench, which is carried out; no run directory is written.

    Raises:
        ToktkError: a tokenizer cannot be loaded or measured.
    """
    bench.prepare()
    _refuse_failed(bench)
    outcome = bench.run()
    _refuse_failed(bench)
    trained = {
        label: hashlib.sha256(lines.to_bytes()).hexdigest()
        for label, lines in bench.trained_lines.items()
    }
    results = outcome.results or Results(())
    counted = CountedCorpora(bench.meter, bench.plan.jobs, memory=bench.plan.memory)
    deciding = Deciding(bench.plan.corpus, bench.tokenizers, counted)
    sides, remarks = sides_of(results, trained), _remarks(outcome.described)
    return Sources(sides, remarks, deciding, bench=bench, outcome=outcome)


def _refuse_failed(bench: Bench) -> None:
    if bench.failed:
        failed = {label: str(error) for label, error in bench.failed.items()}
        raise without_figures(f"cannot be compared: {', '.join(failed)}.", failed)


def _remarks(described: Mapping[str, Any]) -> list[str]:
    return [
        *overlap_lines(described.get("overlap", {})),
        *lacking_lines(described.get("lacking", {})),
    ]
