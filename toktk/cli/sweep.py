"""``toktk sweep``: train at many sizes, measure every one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toktk.cli.counts import CountsOptions, counts_options
from toktk.cli.options import (
    corpus_options,
    each_once,
    eval_option,
    measuring_options,
    no_arguments,
    pretokenizer_options,
    run_options,
    sizes_option,
    temperature_option,
    trainers_option,
    training_options,
)
from toktk.cli.running import RunOptions
from toktk.sizes import DEFAULT_SIZES
from toktk.trainers import DEFAULT_TRAINERS

if TYPE_CHECKING:
    from toktk.corpus import Corpus, ReaderOptions


@click.command("sweep")
@no_arguments
@corpus_options("starter", "Text to train on")
@counts_options
@eval_option
@trainers_option(DEFAULT_TRAINERS)
@temperature_option
@pretokenizer_options
@click.option(
    "--inference",
    multiple=True,
    callback=each_once,
    metavar="NAME",
    help="The algorithm that encodes with each vocabulary: `toktk ls inference`. Repeatable.  [default: own]",
)
@sizes_option(DEFAULT_SIZES)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    callback=each_once,
    metavar="SPEC",
    help="A tokenizer that exists, to measure beside: as `toktk bench` names it. Repeatable.",
)
@measuring_options
@training_options
@run_options("The run directory.  [default: runs/<corpus>-<hash>]")
def command(
    specs: tuple[str, ...],
    reader: ReaderOptions,
    temperature: float | None,
    evals: tuple[str, ...],
    counts: CountsOptions,
    options: RunOptions,
    **plan: Any,  # the other fields of a SweepPlan
) -> None:
    """Train tokenizers at every size and measure what each costs in every language.

    \b
    toktk sweep
    toktk sweep -c news.parquet --group-column lang -s 8k,32k,128k -o runs/news
    toktk sweep -c corpus/ -t bpe -t sp-bpe -t hf-bpe -s 50k
    toktk sweep -c de=german/:0.3 -c en=english/:0.7 -s 32k
    toktk sweep -c corpus/ -p o200k -p llama3 --eval other.txt
    toktk sweep -c corpus/ --baseline llama=path/tokenizer.json --baseline tiktoken:o200k_base
    toktk sweep --counts counts/ -s 32k,128k

    Text is counted once, and one training of bpe or unigram serves every size. What is finished is
    kept: after an interruption, the same command goes on where it stopped.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.corpus import train_and_test

    options.progress.watch_downloads()
    with options.progress.opening(*(counts.folders or specs), *evals):
        corpora: tuple[Corpus, Corpus] = (
            counts.sides(temperature, evals, reader)
            if counts
            else train_and_test(specs, evals, reader, temperature)
        )
    options.sweep(*corpora, **plan)
