"""``toktk train``: train and write, measure nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toktk.cli.options import (
    corpus_options,
    no_arguments,
    pretokenizer_options,
    run_options,
    sizes_option,
    temperature_option,
    training_options,
)
from toktk.cli.running import RunOptions
from toktk.errors import TrainingError, as_usage

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.pretokenizers.pretokenizer import Pretokenizer


@click.command("train")
@no_arguments
@corpus_options("starter", "Text to train on")
@click.option(
    "-t",
    "--trainer",
    default="bpe",
    show_default=True,
    metavar="NAME",
    help="What to train: `toktk ls trainers`.",
)
@temperature_option
@pretokenizer_options
@sizes_option()
@training_options
@run_options("The folder to write to; required.")
def command(
    specs: tuple[str, ...],
    reader: ReaderOptions,
    temperature: float | None,
    trainer: str,
    pretokenizers: tuple[Pretokenizer, ...],
    options: RunOptions,
    **plan: Any,  # the other fields of a SweepPlan
) -> None:
    """Train one tokenizer, at one size or several, and write it.

    \b
    toktk train -c corpus/ -s 50k -o mine

    Each size is a folder below OUTPUT/tokenizers, such as bpe-50k, with a tokenizer.json.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.corpus import load_corpus

    if options.output is None:
        raise click.UsageError("give the folder to write to: -o DIR.")
    if len(pretokenizers) > 1:
        raise as_usage(
            TrainingError(
                "train takes one pretokenizer.",
                f"Found: {', '.join(pretokenizer.name for pretokenizer in pretokenizers)}.",
                "Use toktk sweep to train with several.",
            )
        )
    plan |= {"trainers": (trainer,), "pretokenizers": pretokenizers, "must_write": True}
    options.watch_downloads()
    corpus = load_corpus(specs, reader)
    if temperature is not None:
        corpus = corpus.balanced(temperature)
    options.sweep(corpus, None, **plan)
