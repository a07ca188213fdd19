"""A run: carried out once, kept in a directory with all that is needed to judge and repeat it.

``run.json`` takes its place last: a directory without it holds no finished run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from toktk import __version__, arrow
from toktk.errors import FormatError, PluginError, StorageError, in_a_line
from toktk.formats.bpe_texts import texts_kept
from toktk.kernels import MACHINE_CODE
from toktk.lab.bench import Bench
from toktk.lab.card import CARD, model_card
from toktk.lab.compiling import compiled_ahead
from toktk.lab.document import (
    CURVES,
    DOCUMENTS,
    LINES,
    RESULTS,
    TOKEN_COUNTS,
    read_document,
    write_document,
)
from toktk.lab.environment import environment
from toktk.lab.folder import TOKENIZERS, RunFolder, fact_of, files_in, left_line, open_folder
from toktk.lab.meter import Meter
from toktk.lab.outcome import Outcome
from toktk.lab.overlap import lacking_lines, overlap_lines
from toktk.lab.plan import SweepPlan
from toktk.lab.special import special_lines
from toktk.lab.stored import document_of as document_of
from toktk.lab.stored import stored_results
from toktk.lab.sweep import Sweep
from toktk.lab.token_counts import write_token_counts
from toktk.paths import atomic_write
from toktk.registry import guarded
from toktk.report.records import SCHEMA, Record
from toktk.report.results import Results
from toktk.runtime import gc_off
from toktk.tokenizer import Tokenizer
from toktk.visible import visible_name

_IDENTITY = ("signature", "finished", "files")  # of run.json: what tells one run from another


@dataclass
class Run:
    """A run that is there, carried out just now or before.

    Attributes:
        path: the folder with run.json, results.parquet, curves.parquet and tokenizers/<label>/, which
            has a model card beside the files of its tokenizer.
        document: run.json.
        results: the figures; None if nothing was to be measured.
        reused: whether it was there before.
        trouble: why it or its timings could not be written; None if they were. The figures are here
            all the same.
        tokenizers: {label: tokenizer} of those at hand; of a stored run none.
    """

    path: Path
    document: dict[str, Any]
    results: Results | None
    reused: bool = False
    trouble: StorageError | None = None
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        tokenizers = ", ".join(map(visible_name, self.document["tokenizers"]))
        head = f"<p><b>{escape(visible_name(str(self.path)))}</b> {escape(tokenizers)}</p>\n"
        return head + ("" if self.results is None else self.results._repr_html_())

    def refuse_unwritten(self) -> None:
        """Raise FormatError if a tokenizer of the run has no file."""
        tokenizers = self.document["tokenizers"]
        unwritten = [label for label, about in tokenizers.items() if about.get("folder") is None]
        if unwritten:
            others = ["The others are complete."] if len(unwritten) < len(tokenizers) else []
            why = in_a_line(tokenizers[unwritten[0]]["notes"][0])
            raise FormatError(f"not written: {', '.join(unwritten)}.", why, *others)


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
    trainers: list[str] = []
    if isinstance(plan, SweepPlan):
        plan.check()  # before anything is compiled for it
        trainers = [family.name for family in plan.families]
    with compiled_ahead(trainers, plan.jobs):
        signature = experiment.prepare()
        path = path or Path("runs") / f"{plan.folder_name}-{signature[:8]}"
        run = _carried_out(experiment, path, signature)
    document = run.document
    for line in (
        *overlap_lines(document.get("overlap", {})),
        *lacking_lines(document.get("lacking", {})),
        *special_lines(document.get("special_tokens", {})),
    ):
        meter.remark(line)
    return run


def _carried_out(experiment: Sweep | Bench, path: Path, signature: str) -> Run:
    meter = experiment.meter
    with open_folder(path) as place:
        if (run := _found(place, signature, experiment.plan.force)) is not None:
            return run
        place.make_room(experiment.labels)
        outcome = experiment.run()
        tokenizers = {**outcome.trained, **experiment.loaded_tokenizers}
        try:
            document = _write(place, outcome, signature, meter)
            return Run(path, document, outcome.results, tokenizers=tokenizers)
        except StorageError as error:
            # The figures are there: a full disk must not take them away.
            document = described_outcome(outcome, meter, outcome.tokenizers)
            return Run(path, document, outcome.results, trouble=error, tokenizers=tokenizers)


def _found(folder: RunFolder, signature: str, force: bool) -> Run | None:
    """Return the run that a folder holds, or None if it is to be made."""
    if folder.busy:
        # What is complete can be read while another process looks at it too.
        with contextlib.suppress(StorageError):
            if not force and (document := folder.find(signature)) is not None:
                return stored_run(folder.path, document)
        folder.refuse_if_busy()
    folder.recover()
    document = None if force else folder.find(signature)
    return None if document is None else stored_run(folder.path, document)


def stored_run(path: Path, document: dict[str, Any]) -> Run:
    """Return a run that is there, whose run.json this is.

    Raises:
        StorageError: its figures cannot be read.
    """
    return Run(path, document, stored_results(path, document), reused=True)


def described_outcome(
    outcome: Outcome, meter: Meter, tokenizers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what run.json says of an outcome; `tokenizers`, of each of its tokenizers."""
    return {
        **outcome.described,
        "tokenizers": dict(tokenizers),
        "failed": dict(outcome.failed),
        "steps": [cost.describe() for cost in meter.costs],
    }


def _write(folder: RunFolder, outcome: Outcome, signature: str, meter: Meter) -> dict[str, Any]:
    """Write a run, in place of what an earlier one wrote here; return its run.json."""
    with folder.stage() as stage:
        tokenizers = _write_files(stage, outcome, meter)
        document = {
            "schema": SCHEMA,
            "toktk": __version__,
            "signature": signature,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **described_outcome(outcome, meter, tokenizers),
            "started_in": _path_from(folder.path),
            "environment": environment(),
            "files": files_in(stage),
        }
        write_document(stage, document)
        if left := folder.commit(stage):
            meter.remark(left_line(folder.path, left))
    return document


def _path_from(folder: Path) -> str | None:
    """Return the path from a folder to the one that this process works in: what relative paths are of."""
    try:
        return os.path.relpath(Path.cwd(), folder.resolve())
    except (OSError, ValueError):  # on another drive, or deleted
        return None


def _write_files(stage: Path, outcome: Outcome, meter: Meter) -> dict[str, Any]:
    """Write all but run.json; return what that says of the tokenizers."""
    tokenizers = dict(outcome.tokenizers)
    records = defaultdict[str, list[Record]](list)
    for record in outcome.results or ():
        records[record.tokenizer].append(record)
    with (
        meter.step("write", "", len(outcome.trained), "tokenizers") as advance,
        gc_off(),
        texts_kept(),
    ):
        if outcome.results is not None:
            outcome.results.write_parquet(stage / RESULTS)
            if outcome.results.documents is not None:
                outcome.results.documents.write_parquet(stage / DOCUMENTS)
        if outcome.curves is not None:
            with atomic_write(stage / CURVES) as temporary:
                arrow.write_parquet(outcome.curves, temporary)
        if outcome.token_counts:
            write_token_counts(outcome.token_counts, stage / TOKEN_COUNTS)
        if outcome.lines is not None:
            with atomic_write(stage / LINES) as temporary:
                temporary.write_bytes(outcome.lines.to_bytes())
        # The largest of each family first, as `texts_kept` wants it.
        for label, tokenizer in reversed([*outcome.trained.items()]):
            target = stage / TOKENIZERS / label
            files: dict[str, Any] = {"folder": f"{TOKENIZERS}/{label}"}
            try:
                with guarded(f"the model of {label}", tokenizer.model):
                    saved = tokenizer.save(target, **outcome.described["options"]["roles"])
                files |= saved.describe()
                files["files"].append(CARD)
                text = model_card(tokenizer, tokenizers[label], outcome, records[label], saved)
                (target / CARD).write_text(text, encoding="utf-8", newline="\n")
            except (FormatError, PluginError) as error:
                # A vocabulary that no file can hold has figures all the same.
                meter.remark(f"{label} is not written: {in_a_line(error)}")
                shutil.rmtree(target, ignore_errors=True)
                files = {"folder": None, "notes": [str(error)]}
            tokenizers[label] = {**tokenizers[label], **files}
            advance(1)
    return tokenizers


def keep_timings(run: Run, taken: Mapping[str, Any], results: Results) -> None:
    """Add timings to run.json of a run and to its results.parquet, if the folder still holds that run.

    `results` are its figures and the timings.

    Raises:
        StorageError: another run is there, or the folder cannot be written.
    """
    with open_folder(run.path) as folder:
        folder.refuse_if_busy()
        stored = read_document(run.path)
        if stored is None or any(stored.get(k) != run.document.get(k) for k in _IDENTITY):
            raise StorageError(
                f"the timings are not kept: {run.path} holds another run by now.",
                "Choose another folder with -o.",
            )
        # Ended between the two, the file is not as recorded, and the same command measures anew.
        results.write_parquet(run.path / RESULTS)
        files = {**run.document["files"], RESULTS: fact_of(run.path / RESULTS)}
        write_document(run.path, {**run.document, "files": files, "throughput": dict(taken)})
