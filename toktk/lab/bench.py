"""The bench: tokenizers that were trained elsewhere, measured on text that none of them has seen."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk import __version__
from toktk.cache import Store, digest
from toktk.corpus import Corpus
from toktk.errors import FormatError, MetricError
from toktk.evaluation.base import totals_of
from toktk.evaluation.evaluation import evaluate
from toktk.lab.cells import Reading, read_json, write_json
from toktk.lab.figures import records
from toktk.lab.meter import Cost, Meter
from toktk.lab.pieces import CountedCorpora
from toktk.lab.plan import measures, measures_key
from toktk.loading.load import Loaded, load
from toktk.loading.sample import first_documents
from toktk.loading.spec import Spec, parse_spec
from toktk.loading.verify import NATIVE, Checked, check
from toktk.metrics.base import Metric, MetricOptions
from toktk.pretokenizers.patterns import PATTERNS
from toktk.report.results import Record, Results

if TYPE_CHECKING:
    from toktk.pretokenizers.pretokenizer import Pretokenizer


@dataclass(frozen=True)
class BenchPlan:
    """Tokenizers on a text.

    Args:
        tokenizers: as `load_all` gives them; no two of one label.
        corpus: text to measure on.
        metrics: names known to `toktk.metrics.METRICS`; none means all that the text can carry.
        reference: the group that parity divides by.
        jobs: threads; they change no result.
        force: compute everything anew.
    """

    tokenizers: tuple[Loaded, ...]
    corpus: Corpus
    metrics: tuple[str, ...] = ()
    reference: str | None = None
    jobs: int = 1
    force: bool = False

    @functools.cached_property
    def measures(self) -> dict[str, tuple[Metric, str]]:
        """The metrics asked for, or all, by name, each with where it comes from.

        Raises:
            ToktkError: an unknown metric, or a plug-in that is broken.
        """
        return measures(self.metrics)

    def check(self) -> None:
        """Find what can be found wrong without reading text.

        Raises:
            ToktkError: no tokenizer, two of one label, or an unknown metric.
        """
        if not self.tokenizers:
            raise FormatError("a bench needs at least one tokenizer.", "Name a file or a folder.")
        _check_labels(self.tokenizers)
        if not self.measures:
            raise MetricError("a bench needs at least one metric.")

    def describe(self) -> dict[str, Any]:
        """Return what determines the results, tokenizers and corpus left out, JSON-able."""
        return {
            "metrics": {name: origin for name, (_, origin) in self.measures.items()},
            "reference": self.reference,
        }

    def signature(self, engines: Sequence[Checked]) -> str:
        """Return the sha256 (hex) of all that determines the results."""
        tokenizers = [
            [loaded.label, loaded.source, engine.tokenizer.signature, engine.engine]
            for loaded, engine in zip(self.tokenizers, engines, strict=True)
        ]
        corpus = [self.corpus.name, self.corpus.fingerprint]
        return digest([__version__, "bench", self.describe(), tokenizers, corpus])


def load_all(specs: Sequence[str], meter: Meter | None = None) -> tuple[Loaded, ...]:
    """Return the tokenizers of `specs`.

    Raises:
        ToktkError: a spec names no tokenizer that can be read, or two have one label.
    """
    meter = meter or Meter()
    _check_labels([parse_spec(spec) for spec in specs])
    loaded = []
    with meter.step("load", "", len(specs), "tokenizers") as advance:
        for spec in specs:
            loaded.append(load(spec))
            advance(1)
    return tuple(loaded)


def _check_labels(tokenizers: Sequence[Loaded] | Sequence[Spec]) -> None:
    label, n = Counter(one.label for one in tokenizers).most_common(1)[0]
    if n == 1:
        return
    specs = [
        one.spec if isinstance(one, Loaded) else one.text
        for one in tokenizers
        if one.label == label
    ]
    raise FormatError(
        f"{n} tokenizers are called {label!r}.",
        f"Found: {', '.join(specs)}.",
        f"Give each a label of its own: {label}-2={specs[1]}",
    )


@dataclass(frozen=True)
class BenchResult:
    """What a bench found.

    Attributes:
        plan: what was asked.
        engines: what ran each tokenizer, in the plan's order.
        results: the figures, in the plan's order.
        reading: what the pass over the text met.
        costs: of each step so far.
    """

    plan: BenchPlan
    engines: tuple[Checked, ...]
    results: Results
    reading: Reading
    costs: list[Cost]

    def describe(self) -> dict[str, Any]:
        """Return what the bench did, JSON-able, for run.json."""
        plan = self.plan
        return {
            "verb": "bench",
            "evaluation": {**plan.corpus.describe(), **asdict(self.reading)},
            "options": {**plan.describe(), "jobs": plan.jobs},
            "tokenizers": {
                loaded.label: {
                    "spec": loaded.spec,
                    "source": loaded.source,
                    "library": loaded.reference.library,
                    "engine": engine.engine,
                    "why": engine.why,
                    "pretokenizer": _cut_of(engine),
                    "size": engine.tokenizer.vocab_size,
                    "signature": engine.tokenizer.signature,
                }
                for loaded, engine in zip(plan.tokenizers, self.engines, strict=True)
            },
            "steps": [cost.describe() for cost in self.costs],
        }


def _cut_of(engine: Checked) -> str | None:
    return engine.tokenizer.pretokenizer.name if engine.engine == NATIVE else None


def check_engines(plan: BenchPlan, meter: Meter | None = None) -> tuple[Checked, ...]:
    """Return what is to run each tokenizer: toktk's engine where it equals the library's.

    They are compared on a fixed text of traps and on the first documents of the corpus.

    Raises:
        CorpusError: the text cannot be read.
        ToktkError: the library cannot run a tokenizer.
    """
    plan.check()
    meter = meter or Meter()
    with meter.step("fingerprint", plan.corpus.name):
        plan.corpus.fingerprint  # noqa: B018 - computed on first use
    documents = first_documents(plan.corpus, Store(meter.watcher.remark))
    found = []
    with meter.step("check", "", len(plan.tokenizers), "tokenizers") as advance:
        for loaded in plan.tokenizers:
            found.append(check(loaded, documents))
            advance(1)
    return tuple(found)


def bench(
    plan: BenchPlan, meter: Meter | None = None, engines: tuple[Checked, ...] | None = None
) -> BenchResult:
    """Measure all that `plan` asks for, taking from the store what is there.

    Text is cut and counted once for each pretokenizer, however many tokenizers share it, and each
    distinct piece is encoded once by each tokenizer.

    Args:
        plan: what to do.
        meter: watches.
        engines: what `check_engines` returned, where it was called before.

    Raises:
        MetricError: the text cannot carry a metric that was asked for.
        CorpusError: the text cannot be read.
        FormatError: a library fails at the text.
    """
    meter = meter or Meter()
    return _Bench(plan, engines or check_engines(plan, meter), meter).run()


@dataclass(frozen=True)
class _Figures:
    """The figures of one tokenizer."""

    results: Results
    reading: Reading

    def save(self, folder: Path) -> None:
        self.results.write_parquet(folder / "results.parquet")
        write_json(folder, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> _Figures:
        results = Results.read_parquet(folder / "results.parquet")
        return cls(results, Reading(**read_json(folder)["reading"]))


class _Bench:
    def __init__(self, plan: BenchPlan, engines: tuple[Checked, ...], meter: Meter) -> None:
        self.plan = plan
        self.engines = engines
        self.meter = meter
        self.store = Store(meter.watcher.remark, force=plan.force)
        self.pieces = CountedCorpora(self.store, meter, plan.jobs)
        self.found: dict[int, _Figures] = {}

    def run(self) -> BenchResult:
        for i in range(len(self.engines)):
            stored = self.store.read("bench", self._key(i), _Figures.load)
            if stored is not None:
                self.meter.reused("measure", self.plan.tokenizers[i].label)
                self.found[i] = stored
        alike: dict[str, list[int]] = {}
        for i, engine in enumerate(self.engines):
            if i not in self.found:
                alike.setdefault(engine.tokenizer.pretokenizer.key, []).append(i)
        cuts = [self.engines[some[0]].tokenizer.pretokenizer for some in alike.values()]
        self.pieces.count_together(self.plan.corpus, cuts)
        for cut, some in zip(cuts, alike.values(), strict=True):
            self._measure(cut, some)
            self.pieces.drop(self.plan.corpus, cut)
        in_order = [self.found[i] for i in range(len(self.engines))]
        return BenchResult(
            self.plan,
            self.engines,
            Results(tuple(record for one in in_order for record in one.results)),
            in_order[0].reading,
            self.meter.costs,
        )

    def _key(self, i: int) -> dict[str, Any]:
        loaded, engine = self.plan.tokenizers[i], self.engines[i]
        return {
            "tokenizer": engine.tokenizer.signature,
            "engine": engine.engine,
            "cut": engine.tokenizer.pretokenizer.signature,
            "label": loaded.label,
            "corpus": [self.plan.corpus.name, self.plan.corpus.fingerprint],
            "metrics": measures_key(self.plan.measures),
            "asked": bool(self.plan.metrics),
            "reference": self.plan.reference,
        }

    def _measure(self, cut: Pretokenizer, some: Sequence[int]) -> None:
        """Measure tokenizers that cut alike."""
        corpus, jobs = self.plan.corpus, self.plan.jobs
        pieces = self.pieces.get(corpus, cut, by_group=True)
        known = totals_of(pieces.table)
        for i in some:
            loaded, engine = self.plan.tokenizers[i], self.engines[i]
            n = len(pieces.table)
            with self.meter.step("measure", loaded.label, n, "pieces") as advance:
                (evaluation,) = evaluate(
                    pieces.table,
                    [engine.tokenizer.model],
                    every_size=False,
                    jobs=jobs,
                    totals=known,
                    progress=advance,
                )
                found: list[Record] = records(
                    evaluation,
                    engine.tokenizer,
                    loaded.label,
                    None,
                    (corpus.name, corpus.fingerprint),
                    [metric for metric, _ in self.plan.measures.values()],
                    MetricOptions(reference=self.plan.reference),
                    asked=bool(self.plan.metrics),
                    pieces=cut.key != PATTERNS["none"],
                )
            if engine.engine != NATIVE:  # the library cuts, and does not say how
                found = [replace(record, pretokenizer=None) for record in found]
            self.found[i] = _Figures(Results(tuple(found)), pieces.reading)
            self.store.write("bench", self._key(i), self.found[i].save)
