"""``toktk sweep``: train at many sizes, measure every one."""

from __future__ import annotations

from pathlib import Path
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

SIZES = "8k,16k,32k,50k,64k,100k,128k"


@click.command("sweep")
@corpus_options
@click.option(
    "--eval",
    "evals",
    multiple=True,
    metavar="SPEC",
    help="Other text to measure on. Repeatable.  [default: a held-out tenth, or starter:eval]",
)
@click.option(
    "-t",
    "--trainer",
    "trainers",
    multiple=True,
    default=["bpe", "unigram"],
    show_default=True,
    metavar="NAME",
    help="What to train: `toktk ls trainers`. Repeatable.",
)
@pretokenizer_options
@click.option(
    "--inference",
    "inference",
    multiple=True,
    metavar="NAME",
    help="How to run the vocabularies: `toktk ls inference`. Repeatable.  [default: own]",
)
@sizes_option(SIZES)
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="What to measure: `toktk ls metrics`. Repeatable.  [default: all that the text allows]",
)
@click.option("--reference", metavar="GROUP", help="Parity's reference.  [default: English]")
@training_options
@output_option("The run directory.  [default: runs/<corpus>-<hash>]")
@format_option
@quiet_option
@seed_option
@jobs_option
@force_option
def command(**options: Any) -> None:
    """Train tokenizers at every size and measure what each costs in every language.

    \b
    toktk sweep
    toktk sweep -c news.parquet --group-column lang -s 8k,32k,128k -o runs/news
    toktk sweep -c corpus/ -t bpe -t sp-bpe -t hf-bpe -s 50k
    toktk sweep -c corpus/ -p o200k -p llama3 --eval other.txt

    Text is counted once, and one training of bpe or unigram serves every size. What is finished is
    kept: after an interruption, the same command goes on where it stopped.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.cli.experiment import named_pretokenizers, run
    from toktk.corpus import train_and_test
    from toktk.lab.plan import SweepPlan

    training, evaluation = train_and_test(options["corpora"], options["evals"], reader_options())
    plan = SweepPlan(
        training=training,
        evaluation=evaluation,
        sizes=options["sizes"],
        trainers=tuple(dict.fromkeys(options["trainers"])),
        pretokenizers=named_pretokenizers(options["names"], options["patterns"]),
        parameters=trainer_parameters(),
        inference=tuple(dict.fromkeys(options["inference"])),
        metrics=tuple(dict.fromkeys(options["metrics"])),
        reference=options["reference"],
        seed=options["seed"],
        jobs=options["jobs"],
        force=options["force"],
    )
    output: Path | None = options["output"]
    run(plan, output, options["format"], options["quiet"])
