"""``toktk train``: train and write, measure nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toktk.cli.counts import CountsOptions, about_held_out, counts_options
from toktk.cli.options import (
    corpus_options,
    no_arguments,
    pretokenizer_options,
    run_options,
    sizes_option,
    temperature_option,
    trainers_option,
    training_options,
)
from toktk.cli.running import RunOptions
from toktk.cli.streams import remark

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions


@click.command("train")
@no_arguments
@corpus_options("starter", "Text to train on")
@counts_options
@trainers_option(["bpe"])
@temperature_option
@pretokenizer_options
@sizes_option()
@training_options
@run_options("The folder to write to; required.")
def command(
    specs: tuple[str, ...],
    reader: ReaderOptions,
    temperature: float | None,
    counts: CountsOptions,
    options: RunOptions,
    **plan: Any,  # the other fields of a SweepPlan
) -> None:
    """Train tokenizers, at one size or several, and write them.

    \b
    toktk train -c corpus/ -s 50k -o mine
    toktk train -c corpus/ -s 32k,50k -t bpe -t unigram --eos '</s>' --pad '<pad>' -o mine
    toktk train --counts counts/ -s 50k -o mine

    Each tokenizer is a folder below OUTPUT/tokenizers, such as bpe-50k, with a tokenizer.json and a
    README.md that says how to load it.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.corpus import load_corpus
    from toktk.counts.text import CountedText

    if options.output is None:
        raise click.UsageError("give the folder to write to: -o DIR.")
    options.progress.watch_downloads()
    with options.progress.opening(*(counts.folders or specs)):
        corpus = counts.to_train() if counts else load_corpus(specs, reader)
    if isinstance(corpus, CountedText) and not options.quiet:
        remark(*about_held_out(corpus))
    if temperature is not None:
        corpus = corpus.balanced(temperature)
    options.sweep(corpus, None, must_write=True, **plan)
