"""What is asked of costs: models, the text before a token, what is compared, weights, prices, laws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.costs.config import load_model
from toktk.costs.domain import positive
from toktk.costs.flop_equivalent import LossCurve
from toktk.costs.losses import read_losses
from toktk.costs.models import PRESETS, Model
from toktk.costs.price import BACKWARD, Context
from toktk.costs.price_table import PriceTable
from toktk.errors import CostError, as_usage, usage
from toktk.visible import listed

ModelSpec = str | Path | Model | Mapping[str, Any]
"""What names a model; see `toktk.costs.config.load_model`."""

USUAL_RHO = 1.0
"""FLOPs of service over FLOPs of training where nobody says otherwise, as in Marin's rule."""


@dataclass(frozen=True)
class Question:
    """What is asked of costs.

    Attributes:
        models: whose costs, by name.
        context: how much text stands before a token.
        serving_ratio: bytes served for each byte trained on; None: no figure of both together.
        baseline: the label of a tokenizer, or its size; None: see `toktk.report.costing.baseline_of`.
        weights: {group: weight} of the bytes of each group; None: the text as it is.
        prices: for a million tokens; None without any.
        compute: FLOPs of training, for laws and losses; None: those that each law holds optimal, and the
            most that all losses reach.
        parity: bytes that the text takes for the content of a byte of English.
        insist: whether laws and losses answer beyond what they were fitted to.
        losses: of models that were trained with tokenizers of the run; None without any.
    """

    models: tuple[Model, ...]
    context: Context = Context()  # noqa: RUF009 - it is frozen
    serving_ratio: float | None = None
    baseline: str | None = None
    weights: Mapping[str, float] | None = None
    prices: PriceTable | None = None
    compute: float | None = None
    parity: float = 1.0
    insist: bool = False
    losses: tuple[LossCurve, ...] | None = None

    @property
    def of_laws(self) -> list[str]:
        """What was asked of laws and losses, which need one model."""
        asked = {
            "compute": self.compute is not None,
            "parity": self.parity != 1,
            "insist": self.insist,
            "losses": self.losses is not None,
        }
        return [name for name, is_asked in asked.items() if is_asked]

    @property
    def rho(self) -> float:
        """FLOPs of service over FLOPs of training.

        A byte that is trained on takes 1 + `BACKWARD` times the FLOPs of one that is served, with the same
        tokenizer, model and context.
        """
        return USUAL_RHO if self.serving_ratio is None else self.serving_ratio / (1 + BACKWARD)

    def check(self) -> None:
        """Refuse what is wrong in itself.

        Raises:
            CostError: two models of one name, a ratio that is negative, or laws asked of several models.
            LawError: a compute or a parity that is not positive.
        """
        names = [model.name for model in self.models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise as_usage(
                CostError(
                    f"two models are called {twice!r}.", "Name one of them: mine=config.json."
                )
            )
        ratio = self.serving_ratio
        if ratio is not None and not 0 <= ratio < math.inf:
            raise as_usage(
                CostError(
                    f"a serving ratio of {ratio} is none.",
                    "Give the bytes served for each byte trained on: 0 or more.",
                )
            )
        with usage():
            positive("a law of the size", compute=self.compute, parity=self.parity)
        if self.of_laws and len(self.models) != 1:
            raise as_usage(
                CostError(
                    f"{listed(self.of_laws)}: laws and losses are asked for one model.",
                    f"Found: {listed(names)}.",
                    "Name one, such as --model 1b.",
                )
            )


def question_of(
    model: ModelSpec | Sequence[ModelSpec] = (),
    context: str | int | Context = "8192B",
    baseline: str | int | None = None,
    prices: str | Path | Mapping[str, Any] | None = None,
    losses: str | Path | Sequence[LossCurve] | None = None,
    **others: Any,
) -> Question:
    """Return what is asked of costs; see `toktk.report.results.Results.cost`.

    Raises:
        CostError: a model, the context or a price is none.
        LawError: no curves can be fitted to the losses.
    """
    specs = [model] if isinstance(model, str | Path | Model | Mapping) else list(model)
    models = tuple(map(load_model, specs)) or tuple(PRESETS.values())
    if not isinstance(context, Context):
        context = Context.parse(str(context))
    table = None
    if prices is not None:
        table = (
            PriceTable.of(prices) if isinstance(prices, Mapping) else PriceTable.read(Path(prices))
        )
    curves = None
    if losses is not None:
        curves = tuple(read_losses(Path(losses)) if isinstance(losses, str | Path) else losses)
    named = None if baseline is None else str(baseline)
    return Question(models, context, baseline=named, prices=table, losses=curves, **others)
