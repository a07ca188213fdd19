"""Throughput within a bench: which text is timed, what is stored, and timings as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from toktk.counts.text import CountedText
from toktk.errors import StorageError
from toktk.lab.bench import Bench
from toktk.lab.run import Run, keep_timings
from toktk.models.counts import CountsModel
from toktk.pieces.table import POOLED
from toktk.report.records import Record, signature
from toktk.report.results import Results
from toktk.timing.engines import versions
from toktk.timing.figures import Timing
from toktk.timing.protocol import PHASES, measure, too_little
from toktk.timing.slices import draw
from toktk.tokenizer import NATIVE

_FIELDS = [field.name for field in fields(Timing)]


@dataclass(frozen=True)
class TimingPlan:
    """What determines timings, as far as anything does; `pathological` adds step 5 of the protocol."""

    threads: int = 1
    seed: int = 0
    pathological: bool = False


def timings_of(bench: Bench, run: Run, plan: TimingPlan) -> list[Timing]:
    """Return the timings of a bench: those that its run directory holds, or else take and store them.

    Where they cannot be stored, `run.trouble` says why. Of a text that was counted there are none.

    Raises:
        CorpusError: the text cannot be read.
        StorageError: what the engines' processes read cannot be written.
    """
    if isinstance(bench.plan.corpus, CountedText):
        bench.meter.remark(f"no speed of {bench.plan.corpus.name}: its text is not at hand.")
        return []
    asked = {**asdict(plan), "versions": versions()}
    stored = run.document.get("throughput", {"asked": None, "timings": []})
    labels = {timing["tokenizer"] for timing in stored["timings"]}
    if stored["asked"] == asked and labels <= bench.loaded.keys():
        return [Timing(**{name: timing[name] for name in _FIELDS}) for timing in stored["timings"]]
    timings: list[Timing] = []
    phases = len(bench.tokenizers) * (PHASES + plan.pathological)
    with bench.meter.step("time", "", phases, "phases") as advance:
        documents = draw(bench.plan.corpus.batches(), plan.seed)
        if reason := too_little(documents, seed=plan.seed):
            bench.meter.remark(f"no speed of {bench.plan.corpus.name}: {reason}.")
        for label, tokenizer in bench.tokenizers.items():
            if isinstance(tokenizer.model, CountsModel):
                bench.meter.remark(f"no speed of {label}: {tokenizer.why}.")
                advance(PHASES + plan.pathological)
                continue
            loaded = bench.loaded[label]
            if tokenizer.engine != NATIVE:  # toktk's own engine gives other ids
                loaded = replace(loaded, native=None)
            timings += measure(
                loaded,
                documents,
                jobs=plan.threads,
                seed=plan.seed,
                growth=plan.pathological,
                progress=advance,
            )
    if run.trouble is None:
        taken = {"asked": asked, "timings": [asdict(timing) for timing in timings]}
        try:
            keep_timings(run, taken, with_timings(run.results, timings, bench))
        except StorageError as error:  # they are here all the same
            run.trouble = error
    return timings


def with_timings(results: Results | None, timings: Sequence[Timing], bench: Bench) -> Results:
    """Return the results with timings beside the other figures: ``warm[tiktoken 0.14.0, 1 thread]``."""
    figures = Results(()) if results is None else results
    corpus = bench.plan.corpus
    records = []
    for timing in timings:
        threads = f"{timing.threads} thread{'s' * (timing.threads > 1)}"
        loaded = bench.loaded[timing.tokenizer]
        records.append(
            Record(
                tokenizer=timing.tokenizer,
                family=timing.tokenizer,
                size=bench.tokenizers[timing.tokenizer].vocab_size,
                corpus=corpus.name,
                group=POOLED,
                metric=f"{timing.what}[{timing.engine} {timing.version}, {threads}]",
                value=timing.value,
                low=timing.low,
                high=timing.high,
                unit=timing.unit,
                n=timing.n,
                note=timing.note or None,
                signature=signature(
                    tok=loaded.digest, corpus=corpus.fingerprint, unit=timing.unit, agg="median"
                ),
            )
        )
    return Results((*figures, *records), figures.about, figures.documents)
