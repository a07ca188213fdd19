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
from toktk.kernels import cache_directory
from toktk.lab.bench import Bench
from toktk.lab.environment import environment
from toktk.lab.measure import Outcome
from toktk.lab.meter import Meter
from toktk.lab.sweep import Sweep
from toktk.paths import atomic_write
from toktk.report.records import SCHEMA
from toktk.report.results import Results
from toktk.runtime import gc_off
from toktk.tokenizer import Tokenizer

_OVERWRITE = "Choose another folder with -o, or overwrite it with --force."
_OWN = {"run.json", "results.parquet", "curves.parquet", "tokenizers", "report.html"}


@dataclass(frozen=True)
class Run:
    """A run that is there, carried out just now or before.

    Attributes:
        directory: where it is kept.
        document: run.json.
        results: the figures; None if nothing was to be measured.
        reused: whether it was there before.
        trouble: why it could not be written; None if it was. The figures are here all the same.
    """

    directory: RunDirectory
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
    folder = cache_directory()
    if folder is None or not any(folder.rglob("*.nbi")):
        # So that nobody takes the wait for the work.
        meter.remark("compiling kernels, once (up to a minute)")
    signature = experiment.prepare()
    directory = RunDirectory(path or Path("runs") / f"{plan.folder_name}-{signature[:8]}")
    document = None if plan.force else directory.find(signature)
    if document is not None:
        results = None if document["evaluation"] is None else directory.results()
        return Run(directory, document, results, reused=True)
    directory.prepare()
    outcome = experiment.run()
    trouble = None
    try:
        document = directory.write(outcome, signature, meter)
    except StorageError as error:
        # The figures are there: a full disk must not take them away.
        document, trouble = _described(outcome, meter, outcome.tokenizers), error
    return Run(directory, document, outcome.results, trouble=trouble)


def _described(
    outcome: Outcome, meter: Meter, tokenizers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        **outcome.described,
        "tokenizers": dict(tokenizers),
        "failed": dict(outcome.failed),
        "steps": [cost.describe() for cost in meter.costs],
    }


class RunDirectory:
    """One folder: run.json, results.parquet, curves.parquet, tokenizers/<label>/.

    Args:
        path: made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, signature: str) -> dict[str, Any] | None:
        """Return run.json of this very run, complete; None if nothing is in the way of making it.

        Raises:
            StorageError: the folder holds another run, or something that is no run.
        """
        document = self._read()
        if document is None:
            self._refuse_strangers()
            return None
        version, schema = document.get("toktk", "?"), document.get("schema")
        if schema != SCHEMA:
            raise StorageError(
                f"{self.path} holds a run that this toktk does not read.",
                f"Found: schema {schema}, by toktk {version}; readable is schema {SCHEMA}.",
                _OVERWRITE,
            )
        if document.get("signature") != signature:
            run = str(document.get("signature"))[:8]
            raise StorageError(
                f"{self.path} holds another run.",
                f"Found: run {run} by toktk {version}; this one is {signature[:8]}.",
                _OVERWRITE,
            )
        return document if self._complete(document) else None

    def _read(self) -> dict[str, Any] | None:
        path = self.path / "run.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot read {path}.", f"Found: {error}.", _OVERWRITE) from error
        return document if isinstance(document, dict) else {}

    def _refuse_strangers(self) -> None:
        names = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        strangers = sorted(name for name in names - _OWN if not name.startswith("."))
        if strangers:
            raise StorageError(
                f"{self.path} is not empty and not a run directory.",
                f"Found: {', '.join(strangers[:5])}{', …' if len(strangers) > 5 else ''}.",
                "Choose another folder with -o, or write into it with --force.",
            )

    def _complete(self, document: dict[str, Any]) -> bool:
        import pyarrow as pa

        if document.get("failed"):
            return False
        try:
            if document["evaluation"] is not None:
                self.results()
                if document.get("verb") != "bench":
                    arrow.read_parquet(self.path / "curves.parquet")
        except (StorageError, OSError, pa.ArrowInvalid):
            return False
        folders = [tokenizer.get("folder") for tokenizer in document["tokenizers"].values()]
        return all((self.path / folder).is_dir() for folder in folders if folder)

    def prepare(self) -> None:
        """Make the folder, and make sure that it can be written, before hours of work.

        Raises:
            StorageError: it cannot.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise StorageError(
                f"cannot write to {self.path}.",
                f"Found: {error.strerror or error}.",
                "Choose another folder with -o.",
            ) from error

    def write(self, outcome: Outcome, signature: str, meter: Meter) -> dict[str, Any]:
        """Write a run, in place of what an earlier one wrote here; return its run.json.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        import pyarrow.parquet as pq

        self.prepare()
        tokenizers = dict(outcome.tokenizers)
        writing = meter.step("write", "", len(tokenizers), "tokenizers")
        with writing as advance, gc_off():
            self._clear()
            if outcome.results is not None:
                outcome.results.write_parquet(self.path / "results.parquet")
            if outcome.curves is not None:
                with atomic_write(self.path / "curves.parquet") as temporary:
                    pq.write_table(outcome.curves, temporary, compression="zstd")
            for label, tokenizer in outcome.trained.items():
                files = self._save(label, tokenizer, meter)
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
        self.write_document(document)
        return document

    def write_document(self, document: dict[str, Any]) -> None:
        """Write run.json.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        with atomic_write(self.path / "run.json") as temporary:
            text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
            temporary.write_text(text, encoding="utf-8")

    def _save(self, label: str, tokenizer: Tokenizer, meter: Meter) -> dict[str, Any]:
        folder = f"tokenizers/{label}"
        try:
            return {"folder": folder, **tokenizer.save(self.path / folder).describe()}
        except FormatError as error:
            # A vocabulary that no file can hold has figures all the same.
            meter.remark(f"{label} is not written: {in_a_line(error)}")
            return {"folder": None, "notes": [str(error)]}

    def _clear(self) -> None:
        """Remove what an earlier run wrote, run.json first; only what it says is its own."""
        try:
            earlier = self._read() or {}
        except StorageError:
            earlier = {}
        try:
            for name in ("run.json", "results.parquet", "curves.parquet"):
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot overwrite the run in {self.path}.", f"Found: {error.strerror or error}."
            ) from error
        for label in earlier.get("tokenizers", {}):
            shutil.rmtree(self.path / "tokenizers" / Path(label).name, ignore_errors=True)

    def results(self) -> Results:
        """Return the figures.

        Raises:
            StorageError: they are missing or damaged.
        """
        return Results.read_parquet(self.path / "results.parquet")
