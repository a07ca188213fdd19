"""``toktk cost``: what each tokenizer of a run costs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from toktk.cli.options import format_option, gathered, output_option, parsed, stacked
from toktk.cli.output import note_formulas, show_in

if TYPE_CHECKING:
    from toktk.costs.models import Model

_POSITIVE = click.IntRange(min=1)


def _weights(values: Sequence[str]) -> dict[str, float] | None:
    """Return {group: weight} of ``en=2,de=1``; the last = is the sign, for groups may hold one."""
    weights: dict[str, float] = {}
    for part in (part for value in values for part in value.split(",")):
        group, equals, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            equals = ""
        if not (equals and group):
            raise ValueError(f"{part!r:.60} is no weight of a group; write en=2,de=1.")
        if group in weights:
            raise ValueError(f"two weights of {group!r:.60}.")
        weights[group] = weight
    return weights or None


class _Models(NamedTuple):
    """What the options say of models; `own` is the one whose widths are given."""

    names: tuple[str, ...]
    tied: bool | None
    own: Model | None

    def load(self) -> list[Model]:
        """Return the models, all presets where none is asked for."""
        from toktk.costs.config import load_model
        from toktk.costs.models import PRESETS

        own = [] if self.own is None else [self.own]
        models = [*map(load_model, self.names), *own] or [*PRESETS.values()]
        if self.tied is not None:
            models = [replace(model, tied=self.tied) for model in models]
        return models


def _models(
    names: tuple[str, ...], width: int | None, layers: int | None, tied: bool | None, **shape: Any
) -> _Models:
    from toktk.costs.models import Model

    given = {name: value for name, value in shape.items() if value is not None}
    if width is not None and layers is not None:
        own = Model.of(f"d{width}", width=width, layers=layers, tied=bool(tied), **given)
        return _Models(names, tied, own)
    if width is not None or layers is not None or given:
        lacking = "--width" if width is None else "--layers"
        raise click.UsageError(f"a model by its widths needs --width and --layers: give {lacking}.")
    return _Models(names, tied, None)


_model_options = gathered(
    "models",
    _models,
    click.option(
        "--model",
        "names",
        multiple=True,
        metavar="NAME|FILE",
        help="125m, 350m, 1b, 3b, 7b, 70b, moe, or the config.json of a model, which mine=FILE names. "
        "Repeatable; one alone is shown in detail.  [default: all of these names]",
    ),
    click.option("--width", type=_POSITIVE, help="Of a model of your own, with --layers."),
    click.option("--layers", type=_POSITIVE, help="How many layers it has."),
    click.option(
        "--heads", type=_POSITIVE, help="Heads of attention.  [default: of 128 numbers each]"
    ),
    click.option(
        "--kv-heads", type=_POSITIVE, help="Heads of keys and values.  [default: as many as heads]"
    ),
    click.option(
        "--head-dim", type=_POSITIVE, help="Width of a head.  [default: the width over the heads]"
    ),
    click.option(
        "--ffn",
        type=_POSITIVE,
        help="Width of the MLP, or of one expert.  [default: 8/3 of the width, 4 times with --no-glu]",
    ),
    click.option(
        "--glu/--no-glu", default=None, help="Whether the MLP is gated.  [default: gated]"
    ),
    click.option(
        "--tied/--untied",
        default=None,
        help="Whether the head is the embedding, also of named models.  [default: untied, or as named]",
    ),
    click.option("--experts", type=_POSITIVE, help="MLPs of a layer.  [default: 1]"),
    click.option(
        "--active-experts", type=_POSITIVE, help="Those that a token passes.  [default: all]"
    ),
    click.option("--window", type=_POSITIVE, help="Positions that attention reaches back."),
)

_what_options = stacked(
    click.option(
        "--context",
        default="8192B",
        show_default=True,
        metavar="TOKENS|BYTES",
        help="Text before a token: 8k tokens, 8192B or 32kB of text, or none, which leaves attention out.",
    ),
    click.option(
        "--serving-ratio",
        type=click.FloatRange(min=0),
        metavar="R",
        help="Bytes served for each byte trained on: adds the arithmetic of both, and weighs serving with "
        "--losses.  [default of --losses: 3, as many FLOPs as training]",
    ),
    click.option(
        "--baseline",
        metavar="SIZE|LABEL",
        help="What costs are relative to.  [default: 50k, or else the middle size]",
    ),
    click.option(
        "--weights",
        multiple=True,
        callback=parsed(_weights),
        metavar="GROUP=W[,...]",
        help="Weights of groups, by bytes: en=2,de=1.  [default: the text as it is]",
    ),
    click.option(
        "--prices",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Prices of a million tokens, in TOML, JSON or CSV: adds the price of text in each group.",
    ),
)

_law_options = gathered(
    "laws",
    dict,
    click.option(
        "--compute",
        type=float,
        metavar="FLOPS",
        help="FLOPs of training, such as 1e21, that laws of the size and --losses are asked with.  "
        "[default: those that each law holds best; the most that all losses reach]",
    ),
    click.option(
        "--parity",
        type=float,
        default=1.0,
        show_default=True,
        metavar="P",
        help="Bytes that the text takes for the content of a byte of English, to which laws were fitted.",
    ),
    click.option(
        "--insist",
        is_flag=True,
        help="Ask laws and losses beyond what they were fitted to; such answers are marked.",
    ),
    click.option(
        "--losses",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Losses of models that you trained, in CSV, JSON or Parquet: tokenizer, flops and bpb. Adds "
        "their flop-equivalent bits per byte.",
    ),
)


@click.command("cost")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@_model_options
@_what_options
@_law_options
@format_option
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No remarks on standard error.")
def command(
    run: Path,
    models: _Models,
    context: str,
    serving_ratio: float | None,
    baseline: str | None,
    weights: dict[str, float] | None,
    prices: Path | None,
    laws: dict[str, Any],
    format: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Say what each tokenizer of a run costs a model: arithmetic, parameters, memory, money.

    \b
    toktk cost runs/news
    toktk cost runs/news --model 7b --context 32kB
    toktk cost runs/news --model mine=config.json --serving-ratio 10
    toktk cost runs/news --model 1b --compute 1e21 --losses losses.csv
    toktk cost runs/news --width 2048 --layers 24 --kv-heads 4 --weights en=2,de=1

    A RUN is a folder that sweep or bench wrote. Nothing is measured again: all is computed from the tokens
    that it has counted. Costs are of equal text, in bytes; they say nothing of what a model learns. Of one
    model, laws of the vocabulary size answer as well, where they were fitted to the question.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.errors import CostError
    from toktk.lab.stored import document_of, stored_results

    results = stored_results(run, document_of(run))
    if results is None:
        raise CostError(
            f"{run} has no figures to price.",
            "Found: a run that trained and did not measure.",
            "Measure its tokenizers: toktk bench.",
        )
    costs = results.cost(
        models.load(),
        context=context,
        serving_ratio=serving_ratio,
        baseline=baseline,
        weights=weights,
        prices=prices,
        **laws,
    )
    show_in(format, costs, output)
    if format == "csv" and output is None and not quiet:
        note_formulas(costs.rows())
