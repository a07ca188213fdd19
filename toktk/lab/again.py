"""A stored run, and from its run.json the experiment that it was, to be carried out again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toktk.corpus import Corpus
from toktk.corpus.held_out import EVALUATION, TRAINING, HeldOut
from toktk.corpus.load import corpus_again
from toktk.counts.part import SIDES
from toktk.counts.text import CountedText, counted_again
from toktk.errors import CorpusError, StorageError, ToktkError
from toktk.lab.bench import Bench
from toktk.lab.document import CURVES, NAME, RESULTS, is_as_written, recorded_files
from toktk.lab.folder import fact_of
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.lab.plan import BenchPlan, SweepPlan
from toktk.lab.reading import fingerprint_text
from toktk.lab.run import Run, document_of, stored_run
from toktk.lab.sweep import Sweep
from toktk.loading.spec import placed
from toktk.places import is_address
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.shapes import misfit

_ONCE_MORE = "Run the same command again; what it writes can be repeated."
_NAMES = {...: str}
_BENCH = {
    "metrics": dict,
    "reference": (str, None),
    "jobs": int,
    "asked?": [str],
    "specs?": [str],
}
_COUNTS = {
    "folders": [str],
    "side": str,
    "weights": [float],
    "temperature": (str, None),
}
_SWEEP = {
    **_BENCH,
    "trainers": _NAMES,
    "sizes": [int],
    "pretokenizers": [(str, None)],
    "parameters": dict,
    "trainer_options": {...: _NAMES},
    "split_special": bool,
    "normal_form": (str, None),
    "roles": _NAMES,
    "inference": _NAMES,
    "seed": int,
    "baselines?": [str],
    "cuts?": [list],
}


def checked_run(folder: Path) -> Run:
    """Return the run that a folder holds, its files as they were written.

    Raises:
        StorageError: there is none, or its figures are not what it wrote.
    """
    document = document_of(folder)
    if not is_as_written(document):
        raise StorageError(
            f"{folder / NAME} is not what toktk wrote.", "Found: another hash.", _ONCE_MORE
        )
    facts = recorded_files(document)
    for name in (RESULTS, CURVES):
        file = folder / name
        if name in facts and not (file.is_file() and fact_of(file) == facts[name]):
            found = "it is missing" if not file.is_file() else "another hash"
            raise StorageError(f"{file} is not what the run wrote.", f"Found: {found}.", _ONCE_MORE)
    return stored_run(folder, document)


def experiment_of(
    run: Run, meter: Meter, jobs: int, force: bool = True, memory: int | None = None
) -> Sweep | Bench:
    """Return the sweep or the bench that a run was, on the same text.

    With `force` nothing that is stored is used but text that was downloaded.

    Raises:
        CorpusError: the text has changed; the error names the files.
        StorageError: run.json does not hold all that is needed.
    """
    folder, options = run.path, run.document["options"]
    is_bench = run.document.get("verb") == "bench"
    if wrong := misfit(options, _BENCH if is_bench else _SWEEP, "options"):
        raise StorageError(
            f"{folder} cannot be repeated.", f"Found: in {NAME}, {wrong}.", _ONCE_MORE
        )
    base = folder / (run.document.get("started_in") or ".")
    measures = Measures(tuple(_asked(run)), options["reference"])
    if is_bench:
        specs = options.get("specs") or _specs_of(run.document["tokenizers"])
        corpus = _text(run, EVALUATION, meter)
        plan = BenchPlan(
            tuple(placed(s, base) for s in specs), corpus, measures, jobs, force, memory
        )
        return Bench(plan, meter)
    measured = run.document["evaluation"] is not None
    training = _text(run, TRAINING, meter)
    sweep = SweepPlan(
        training,
        _text(run, EVALUATION, meter) if measured else None,
        tuple(options["sizes"]),
        tuple(options["trainers"]),
        tuple(_cuts(run)),
        options["parameters"],
        options["trainer_options"],
        options["split_special"],
        options["normal_form"],
        options["roles"],
        tuple(options["inference"]),
        measures,
        tuple(placed(spec, base) for spec in options.get("baselines", ())),
        seed=options["seed"],
        jobs=jobs,
        force=force,
        memory=memory,
    )
    return Sweep(sweep, meter)


def _text(run: Run, role: str, meter: Meter) -> Corpus:
    if "counts" in (run.document[role] or {}):
        return _counted(run, role)
    stored = HeldOut.of(run.path, role, again=True)
    corpus = corpus_again(stored)
    fingerprint_text(meter, role, corpus)
    stored.check(corpus)
    return corpus


def _counted(run: Run, role: str) -> CountedText:
    """Return a text of the run that was counted.

    Raises:
        CorpusError: the counts are not what they were.
        StorageError: they are not there, or run.json does not say which they were.
    """
    about = run.document[role]
    made = about["counts"]
    wrong = misfit(made, _COUNTS, "counts")
    if not wrong and made["side"] not in SIDES:
        wrong = f"counts are of the side {made['side']!r}"
    if wrong:
        raise StorageError(
            f"{run.path} cannot be repeated.", f"Found: in {NAME}, {wrong}.", _ONCE_MORE
        )
    base = run.path / (run.document.get("started_in") or ".")
    folders = [where if is_address(where) else str(base / where) for where in made["folders"]]
    corpus = counted_again(made, folders)
    if corpus.fingerprint != about["fingerprint"]:
        raise CorpusError(
            f"the counts that {run.path} is of are not what they were.",
            f"Found: other contents in {', '.join(folders)}.",
            "Bring them back, or run the same command again on what they are now.",
        )
    return corpus


def _asked(run: Run) -> list[str]:
    """Return the metrics that were asked for by name; an earlier run keeps them with its figures."""
    in_results = {} if run.results is None else run.results.about
    return list(run.document["options"].get("asked", in_results.get("asked", ())))


def _cuts(run: Run) -> list[Pretokenizer]:
    """Return the pretokenizers that were asked for; of an earlier run, by their names."""
    options = run.document["options"]
    if "cuts" in options:
        return [Pretokenizer.from_json(parts) for parts in options["cuts"]]
    signatures = dict.fromkeys(signature for signature in options["pretokenizers"] if signature)
    cuts = []
    for signature in signatures:
        name = signature.partition("@")[0]
        lacking = StorageError(
            f"{run.path} cannot be repeated.",
            f"Found: an earlier toktk wrote it, without the split pattern {name!r}.",
            _ONCE_MORE,
        )
        try:
            cut = Pretokenizer.of(name)
        except ToktkError as error:
            raise lacking from error
        if not options["normal_form"] and _hash_of(cut.signature) != _hash_of(signature):
            raise lacking
        cuts.append(cut)
    return cuts


def _hash_of(signature: str) -> str:
    """Return the part of a pretokenizer's signature that tells its pattern."""
    return signature.partition("@")[2].partition("|")[0]


def _specs_of(tokenizers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return LABEL=SPEC of what an earlier bench measured."""
    specs = []
    for label, about in tokenizers.items():
        spec = str(about.get("spec", label))
        specs.append(f"{label}={spec}")
    return specs
