"""A run directory: what a sweep or a bench found, with all that is needed to judge and repeat it.

``run.json`` is written last: a directory without it holds an unfinished run.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk import __version__, arrow
from toktk.errors import FormatError, StorageError
from toktk.lab.environment import environment
from toktk.lab.meter import Meter
from toktk.paths import atomic_write
from toktk.report.results import Results
from toktk.runtime import gc_off

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.lab.bench import BenchResult
    from toktk.lab.outcome import SweepResult
    from toktk.tokenizer import Tokenizer

SCHEMA = 1
_OWN = {"run.json", "results.parquet", "curves.parquet", "tokenizers", "report.html"}


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
        found = self._read()
        if found is None:
            self._refuse_strangers()
            return None
        if found.get("signature") != signature:
            raise StorageError(
                f"{self.path} holds another run.",
                f"Found: run {found.get('signature', '?')[:8]} by toktk {found.get('toktk', '?')}; "
                f"this one is {signature[:8]}.",
                "Choose another folder with -o, or overwrite it with --force.",
            )
        return found if self._complete(found) else None

    def _read(self) -> dict[str, Any] | None:
        path = self.path / "run.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise StorageError(
                f"cannot read {path}.",
                f"Found: {error}.",
                "Choose another folder with -o, or overwrite it with --force.",
            ) from error
        return found if isinstance(found, dict) else {}

    def _refuse_strangers(self) -> None:
        if not self.path.is_dir():
            return
        strangers = sorted(
            path.name
            for path in self.path.iterdir()
            if path.name not in _OWN and not path.name.startswith(".")
        )
        if strangers:
            raise StorageError(
                f"{self.path} is not empty and not a run directory.",
                f"Found: {', '.join(strangers[:5])}{', …' if len(strangers) > 5 else ''}.",
                "Choose another folder with -o, or write into it with --force.",
            )

    def _complete(self, found: dict[str, Any]) -> bool:
        if found.get("failed"):
            return False
        try:
            if found["evaluation"] is not None:
                self.results()
                if found.get("verb") != "bench":
                    self.curves()
        except StorageError:
            return False
        folders = [one.get("folder") for one in found["tokenizers"].values()]
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

    def write(self, result: SweepResult, signature: str, meter: Meter) -> dict[str, Any]:
        """Write a run, in place of what an earlier one wrote here; return its run.json.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        self.prepare()
        writing = meter.step("write", "", len(result.tokenizers), "tokenizers")
        with writing as advance, gc_off():
            self._clear()
            if result.curves is not None:
                result.results.write_parquet(self.path / "results.parquet")
                _write_table(result.curves, self.path / "curves.parquet")
            tokenizers = {}
            for label, tokenizer in result.tokenizers.items():
                tokenizers[label] = {
                    "trainer": result.trainers[label],
                    "pretokenizer": tokenizer.pretokenizer.name,
                    "size": tokenizer.vocab_size,
                    "signature": tokenizer.signature,
                    **self._save(label, tokenizer, meter),
                }
                advance(1)
        return self._finish({**result.describe(), "tokenizers": tokenizers}, signature)

    def write_bench(self, result: BenchResult, signature: str, meter: Meter) -> dict[str, Any]:
        """Write a bench in the same way; what it measured is somebody else's, and stays there.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        self.prepare()
        with meter.step("write", "", len(result.results), "figures"):
            self._clear()
            result.results.write_parquet(self.path / "results.parquet")
        return self._finish(result.describe(), signature)

    def _finish(self, described: dict[str, Any], signature: str) -> dict[str, Any]:
        """Write run.json and return it."""
        document = {
            "schema": SCHEMA,
            "toktk": __version__,
            "signature": signature,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **described,
            "environment": environment(),
        }
        return self._write_json(document)

    def add(self, document: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Write run.json once more with `more` in it, and return it.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        return self._write_json({**document, **more})

    def _write_json(self, document: dict[str, Any]) -> dict[str, Any]:
        with atomic_write(self.path / "run.json") as temporary:
            text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
            temporary.write_text(text, encoding="utf-8")
        return document

    def _save(self, label: str, tokenizer: Tokenizer, meter: Meter) -> dict[str, Any]:
        folder = f"tokenizers/{label}"
        try:
            return {"folder": folder, **tokenizer.save(self.path / folder).describe()}
        except FormatError as error:
            # A vocabulary that no file can hold has figures all the same.
            meter.watcher.remark(f"{label} is not written: {' '.join(str(error).split())}")
            return {"folder": None, "notes": [str(error)]}

    def _clear(self) -> None:
        """Remove what an earlier run wrote, run.json first; only what it says is its own."""
        try:
            earlier = self._read() or {}
        except StorageError:
            earlier = {}
        try:
            (self.path / "run.json").unlink(missing_ok=True)
            (self.path / "results.parquet").unlink(missing_ok=True)
            (self.path / "curves.parquet").unlink(missing_ok=True)
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

    def curves(self) -> pa.Table:
        """Return tokens by family, group and size.

        Raises:
            StorageError: they are missing or damaged.
        """
        import pyarrow as pa

        path = self.path / "curves.parquet"
        try:
            return arrow.read_parquet(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(f"cannot read curves from {path}.", f"Found: {error}") from error


def _write_table(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
