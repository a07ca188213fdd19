"""A run: carried out once, kept in a directory with all that is needed to judge and repeat it.

``run.json`` is written last: a directory without it holds an unfinished run.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toktk import __version__, arrow
from toktk.errors import FormatError, StorageError, in_a_line
from toktk.kernels import MACHINE_CODE
from toktk.lab.bench import Bench
from toktk.lab.environment import environment
from toktk.lab.measure import Outcome
from toktk.lab.meter import Meter
from toktk.lab.sweep import Sweep
from toktk.paths import atomic_write
from toktk.report.records import SCHEMA
from toktk.report.results import Results
from toktk.runtime import gc_off

_OVERWRITE = "Choose another folder with -o, or overwrite it with --force."
_OWN = {"run.json", "results.parquet", "curves.parquet", "tokenizers", "report.html"}


@dataclass(frozen=True)
class Run:
    """A run that is there, carried out just now or before.

    Attributes:
        path: the folder with run.json, results.parquet, curves.parquet and tokenizers/<label>/.
        document: run.json.
        results: the figures; None if nothing was to be measured.
        reused: whether it was there before.
        trouble: why it could not be written; None if it was. The figures are here all the same.
    """

    path: Path
    document: dict[str, Any]
    results: Results | None
    reused: bool = False
    trouble: StorageError | None = None


def carry_out(experiment: Sweep | Bench, path: Path | None = None) -> Run:
    """Return the run of an experiment: the one that its directory holds, or else do it and write it.

    Args:
        experiment: a sweep or a bench.
        path: the run directory; by default a folder of ``runs`` named after corpus and signature.

    Raises:
        StorageError: the directory holds something else, or cannot be written to.
        ToktkError: whatever is wrong with plan, text or tokenizers.
    """
    plan, meter = experiment.plan, experiment.meter
    MACHINE_CODE.announce(meter.remark)
    signature = experiment.prepare()
    path = path or Path("runs") / f"{plan.folder_name}-{signature[:8]}"
    document = None if plan.force else _find(path, signature)
    if document is not None:
        measured = document["evaluation"] is not None
        results = Results.read_parquet(path / "results.parquet") if measured else None
        return Run(path, document, results, reused=True)
    _prepare(path)
    outcome = experiment.run()
    trouble = None
    try:
        document = _write(path, outcome, signature, meter)
    except StorageError as error:
        # The figures are there: a full disk must not take them away.
        document, trouble = _described(outcome, meter, outcome.tokenizers), error
    return Run(path, document, outcome.results, trouble=trouble)


def _described(
    outcome: Outcome, meter: Meter, tokenizers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        **outcome.described,
        "tokenizers": dict(tokenizers),
        "failed": dict(outcome.failed),
        "steps": [cost.describe() for cost in meter.costs],
    }


def _find(path: Path, signature: str) -> dict[str, Any] | None:
    """Return run.json of this very run, complete; None if nothing is in the way of making it."""
    document = _read(path)
    if document is None:
        names = {child.name for child in path.iterdir()} if path.is_dir() else set()
        strangers = sorted(name for name in names - _OWN if not name.startswith("."))
        if strangers:
            raise StorageError(
                f"{path} is not empty and not a run directory.",
                f"Found: {', '.join(strangers[:5])}{', …' if len(strangers) > 5 else ''}.",
                "Choose another folder with -o, or write into it with --force.",
            )
        return None
    version, schema = document.get("toktk", "?"), document.get("schema")
    if schema != SCHEMA:
        raise StorageError(
            f"{path} holds a run that this toktk does not read.",
            f"Found: schema {schema}, by toktk {version}; readable is schema {SCHEMA}.",
            _OVERWRITE,
        )
    if document.get("signature") != signature:
        run = str(document.get("signature"))[:8]
        raise StorageError(
            f"{path} holds another run.",
            f"Found: run {run} by toktk {version}; this one is {signature[:8]}.",
            _OVERWRITE,
        )
    return document if _is_complete(path, document) else None


def _read(path: Path) -> dict[str, Any] | None:
    file = path / "run.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {file}.", f"Found: {error}.", _OVERWRITE) from error
    return document if isinstance(document, dict) else {}


def _is_complete(path: Path, document: dict[str, Any]) -> bool:
    import pyarrow as pa

    if document.get("failed"):
        return False
    try:
        if document["evaluation"] is not None:
            Results.read_parquet(path / "results.parquet")
            if document.get("verb") != "bench":
                arrow.read_parquet(path / "curves.parquet")
    except (StorageError, OSError, pa.ArrowInvalid):
        return False
    folders = [tokenizer.get("folder") for tokenizer in document["tokenizers"].values()]
    return all((path / folder).is_dir() for folder in folders if folder)


def _prepare(path: Path) -> None:
    """Make the folder, and make sure that it can be written, before hours of work."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to {path}.",
            f"Found: {error.strerror or error}.",
            "Choose another folder with -o.",
        ) from error


def _write(path: Path, outcome: Outcome, signature: str, meter: Meter) -> dict[str, Any]:
    """Write a run, in place of what an earlier one wrote here; return its run.json."""
    import pyarrow.parquet as pq

    _prepare(path)
    tokenizers = dict(outcome.tokenizers)
    with meter.step("write", "", len(tokenizers), "tokenizers") as advance, gc_off():
        _clear(path)
        if outcome.results is not None:
            outcome.results.write_parquet(path / "results.parquet")
        if outcome.curves is not None:
            with atomic_write(path / "curves.parquet") as temporary:
                pq.write_table(outcome.curves, temporary, compression="zstd")
        for label, tokenizer in outcome.trained.items():
            files: dict[str, Any] = {"folder": f"tokenizers/{label}"}
            try:
                files |= tokenizer.save(path / "tokenizers" / label).describe()
            except FormatError as error:
                # A vocabulary that no file can hold has figures all the same.
                meter.remark(f"{label} is not written: {in_a_line(error)}")
                files = {"folder": None, "notes": [str(error)]}
            tokenizers[label] = {**tokenizers[label], **files}
            advance(1)
    document = {
        "schema": SCHEMA,
        "toktk": __version__,
        "signature": signature,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **_described(outcome, meter, tokenizers),
        "environment": environment(),
    }
    write_document(path, document)
    return document


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write run.json into a run directory.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with atomic_write(path / "run.json") as temporary:
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
        temporary.write_text(text, encoding="utf-8")


def _clear(path: Path) -> None:
    """Remove what an earlier run wrote, run.json first; only what it says is its own."""
    try:
        earlier = _read(path) or {}
    except StorageError:
        earlier = {}
    try:
        for name in ("run.json", "results.parquet", "curves.parquet"):
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot overwrite the run in {path}.", f"Found: {error.strerror or error}."
        ) from error
    for label in earlier.get("tokenizers", {}):
        shutil.rmtree(path / "tokenizers" / Path(label).name, ignore_errors=True)
