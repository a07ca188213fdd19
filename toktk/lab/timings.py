"""Throughput within a bench: which text is timed, and timings as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from toktk.lab.bench import BenchPlan
from toktk.lab.meter import Meter
from toktk.metrics.base import POOLED
from toktk.report.results import Record
from toktk.report.signature import signature
from toktk.tokenizer import NATIVE

if TYPE_CHECKING:
    from toktk.timing.timing import Timing
    from toktk.tokenizer import Tokenizer


def time_tokenizers(
    plan: BenchPlan,
    engines: Sequence[Tokenizer],
    meter: Meter,
    *,
    threads: int = 1,
    seed: int = 0,
    pathological: bool = False,
) -> list[Timing]:
    """Time the tokenizers of a bench on documents drawn from its corpus.

    Args:
        plan: the tokenizers and the corpus.
        engines: what runs each of them; toktk's own engine is timed where it is the one.
        meter: watches.
        threads: that each engine may use.
        seed: of the choice of documents and their order.
        pathological: also text of one kind of character, doubling in length.

    Raises:
        CorpusError: the text cannot be read, or not be written for the engines' processes.
        StorageError: a tokenizer cannot be written for them.
    """
    from toktk.timing.protocol import measure
    from toktk.timing.slices import draw

    found: list[Timing] = []
    with meter.step("time", "", len(plan.tokenizers), "tokenizers") as advance:
        documents = draw(plan.corpus.batches(), seed)
        for loaded, engine in zip(plan.tokenizers, engines, strict=True):
            one = loaded if engine.engine == NATIVE else replace(loaded, native=None)
            found += measure([one], documents, jobs=threads, seed=seed, growth=pathological)
            advance(1)
    return found


def asked(threads: int, seed: int, pathological: bool) -> dict[str, Any]:
    """Return what determines timings as far as anything does: the arguments of `time_tokenizers`."""
    return {"threads": threads, "seed": seed, "pathological": pathological}


def describe_timings(timings: Sequence[Timing]) -> list[dict[str, Any]]:
    """Return timings as run.json keeps them."""
    return [asdict(one) for one in timings]


def read_timings(described: Sequence[dict[str, Any]]) -> list[Timing]:
    """Return what `describe_timings` was given."""
    from toktk.timing.timing import Timing

    return [Timing(**one) for one in described]


def timing_records(timings: Sequence[Timing], plan: BenchPlan) -> list[Record]:
    """Return timings beside the other figures: ``warm[tiktoken 0.14.0, 1 thread]``.

    A ratio's metric ends in the library that it is relative to.
    """
    sources = {loaded.label: loaded.digest for loaded in plan.tokenizers}
    sizes = {loaded.label: loaded.native.vocab_size for loaded in plan.tokenizers if loaded.native}
    found = []
    for one in timings:
        threads = f"{one.threads} thread{'s' * (one.threads > 1)}"
        signed = signature(
            tok=sources[one.tokenizer], corpus=plan.corpus.fingerprint, unit=one.unit, agg="median"
        )
        record = Record(
            one.tokenizer, None, None, sizes.get(one.tokenizer), plan.corpus.name, POOLED,
            f"{one.what}[{one.engine} {one.version}, {threads}]", one.value, one.low, one.high,
            one.unit, one.n, one.note or None, signed,
        )  # fmt: skip
        found.append(record)
    return found
