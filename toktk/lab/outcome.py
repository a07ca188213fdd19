"""What a sweep found, and what it did not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from toktk.corpus import Corpus
from toktk.lab.cells import Reading
from toktk.lab.meter import Cost
from toktk.lab.plan import SweepPlan
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Unreached:
    """Sizes that the text did not fill.

    `available` is how many ids it gives, None where the trainer did not tell.
    """

    family: str
    sizes: tuple[int, ...]
    available: int | None


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found.

    Attributes:
        plan: what was asked.
        results: the figures; none if nothing was to be measured.
        curves: tokens by group and size, or None; columns as in `toktk.lab.cells.Measured`.
        tokenizers: by label, such as ``bpe-50k``.
        trainers: label -> name of the trainer.
        unreached: the sizes left out.
        failed: family -> why it has no figures, a message for the user.
        readings: what the passes over training and evaluation text met, where one was made.
        costs: of each step so far.
    """

    plan: SweepPlan
    results: Results
    curves: pa.Table | None
    tokenizers: dict[str, Tokenizer]
    trainers: dict[str, str]
    unreached: tuple[Unreached, ...]
    failed: dict[str, str]
    readings: dict[str, Reading | None]
    costs: list[Cost]

    def describe(self) -> dict[str, Any]:
        """Return what the sweep did, JSON-able, for run.json."""
        plan = self.plan
        evaluation = None
        if plan.evaluation is not None:
            evaluation = _described(plan.evaluation, self.readings["evaluation"])
        return {
            "training": _described(plan.training, self.readings["training"]),
            "evaluation": evaluation,
            "options": {**plan.describe(), "jobs": plan.jobs},
            "unreached": [asdict(missing) for missing in self.unreached],
            "failed": self.failed,
            "steps": [cost.describe() for cost in self.costs],
        }


def _described(corpus: Corpus, reading: Reading | None) -> dict[str, Any]:
    # What the pass met that made the figures: this process may have made none.
    met = {"replaced": None, "null_rows": None} if reading is None else asdict(reading)
    return {**corpus.describe(), **met}
