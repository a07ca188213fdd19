"""``toktk train``: train and write, measure nothing."""

from __future__ import annotations

from typing import Any

import click

from toktk.cli.options import (
    corpus_options,
    force_option,
    format_option,
    jobs_option,
    output_option,
    pretokenizer_options,
    quiet_option,
    reader_options,
    seed_option,
    sizes_option,
    trainer_parameters,
    training_options,
)
from toktk.errors import TrainingError


@click.command("train")
@corpus_options
@click.option(
    "-t",
    "--trainer",
    default="bpe",
    show_default=True,
    metavar="NAME",
    help="What to train: `toktk ls trainers`.",
)
@pretokenizer_options
@sizes_option(required=True)
@training_options
@output_option("The folder to write to; required.")
@format_option
@quiet_option
@seed_option
@jobs_option
@force_option
def command(**options: Any) -> None:
    """Train one tokenizer, at one size or several, and write it.

    \b
    toktk train -c corpus/ -s 50k -o mine

    Each size is a folder below OUTPUT/tokenizers, such as bpe-50k, with a tokenizer.json.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.cli.experiment import named_pretokenizers, run
    from toktk.corpus import load_corpus
    from toktk.lab.plan import SweepPlan

    if options["output"] is None:
        raise click.UsageError("give the folder to write to: -o DIR.")
    pretokenizers = named_pretokenizers(options["names"], options["patterns"])
    if len(pretokenizers) > 1:
        raise TrainingError(
            "train takes one pretokenizer.",
            f"Found: {', '.join(pretokenizer.name for pretokenizer in pretokenizers)}.",
            "Use toktk sweep to train with several.",
        )
    plan = SweepPlan(
        training=load_corpus(options["corpora"], reader_options()),
        evaluation=None,
        sizes=options["sizes"],
        trainers=(options["trainer"],),
        pretokenizers=pretokenizers,
        parameters=trainer_parameters(),
        seed=options["seed"],
        jobs=options["jobs"],
        force=options["force"],
    )
    run(plan, options["output"], options["format"], options["quiet"])
