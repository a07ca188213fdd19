"""``--counts``: start from merged counts instead of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from toktk.cli.options import gathered, reader_options
from toktk.errors import CorpusError
from toktk.visible import listed

if TYPE_CHECKING:
    from toktk.corpus import Corpus, ReaderOptions
    from toktk.counts.text import CountedText


@dataclass(frozen=True)
class CountsOptions:
    """The counts that a command starts from, with their weights; false where it starts from text."""

    folders: tuple[str, ...]
    weights: tuple[float, ...]

    @staticmethod
    def is_given(name: str) -> bool:
        """Return whether a parameter of the command is given on the command line."""
        source = click.get_current_context().get_parameter_source(name)
        return source == ParameterSource.COMMANDLINE

    def __bool__(self) -> bool:
        return bool(self.folders)

    def sides(
        self, temperature: float | None, evals: tuple[str, ...], reader: ReaderOptions
    ) -> tuple[CountedText, Corpus]:
        """Return the text to train on and the one to measure on, which is read where `evals` name it.

        Raises:
            CorpusError: nothing was held out, and there are no `evals`.
        """
        from toktk.corpus import load_corpus
        from toktk.corpus.held_out import recipe
        from toktk.counts.text import open_counts, without_held_out

        training, measured = open_counts(self.folders, self.weights)
        if temperature is not None:
            training = training.balanced(temperature)
        if evals:
            other = load_corpus(evals, reader)
            other.recipe = recipe(evals, evals, reader)  # so that RUN:held-out names it
            return training, other
        if measured is None:
            raise CorpusError(
                "there is no text to measure on.",
                f"Found: nothing was held out of {listed(without_held_out(training.counts))}.",
                "Give text with --eval, count with --hold-out 0.1, or train alone: toktk train.",
            )
        return training, measured

    def to_train(self) -> CountedText:
        """Return the text that `toktk train` trains on."""
        from toktk.counts.text import open_counts

        return open_counts(self.folders, self.weights)[0]

    def to_measure(self) -> CountedText:
        """Return the text that a bench measures on."""
        from toktk.counts.text import counts_to_measure

        return counts_to_measure(self.folders, self.weights)


def about_held_out(training: CountedText) -> list[str]:
    """Return a sentence on what was held out of the counts that are trained on; none where nothing was."""
    held_out = [f"{each.held_out:g} of {each.name}" for each in training.counts if each.held_out]
    return [f"held out, and not trained on: {listed(held_out)}."] if held_out else []


def _counts(folders: tuple[str, ...], weights: tuple[float, ...]) -> CountsOptions:
    if weights and len(weights) != len(folders):
        raise click.UsageError(
            f"give a --weight for each --counts, or none: there are {len(weights)} for {len(folders)}."
        )
    is_given = CountsOptions.is_given
    reading = [] if is_given("evals") else [p.name for p in _reader_parameters() if p.name]
    clashing = [name for name in ("specs", *reading) if folders and is_given(name)]
    if clashing:
        parameters = click.get_current_context().command.params
        option = next(p.opts[-1] for p in parameters if p.name == clashing[0])
        raise click.UsageError(
            f"--counts and {option} do not go together: the text was read when it was counted."
        )
    return CountsOptions(folders, weights)


def _reader_parameters() -> list[click.Parameter]:
    return click.command("options")(reader_options(lambda **_: None)).params


counts_options = gathered(
    "counts",
    _counts,
    click.option(
        "--counts",
        "folders",
        multiple=True,
        metavar="DIR",
        help="Start from a merged count, as `toktk count` writes it, and read no text. Repeatable.",
    ),
    click.option(
        "--weight",
        "weights",
        type=click.FloatRange(min=0, min_open=True),
        multiple=True,
        metavar="SHARE",
        help="The share of the bytes that each --counts is to have, in their order. Repeatable.",
    ),
)
"""Adds --counts and --weight: the command gets `counts`, a CountsOptions."""
