"""Options that mean the same under every verb; each decorator says what it gives the command."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toktk.cli.output import FORMATS
from toktk.sizes import parse_size, size_label

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions

F = TypeVar("F", bound=Callable[..., Any])


class SizeType(click.ParamType):  # type: ignore[type-arg] # older clicks cannot subscript it
    """Vocabulary sizes, ``50k`` or ``8k,16k``: k is 1000, M a million, Ki 1024, Mi 1024 * 1024."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the sizes of one option value, in the order written."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(parse_size(item.strip()) for item in str(value).split(","))
        except ValueError as error:
            self.fail(str(error), param, ctx)


SIZE = SizeType()


def sizes_option(default: Sequence[int] | None = None, **attributes: Any) -> Callable[[F], F]:
    """Add ``-s/--size``, repeatable: the command gets `sizes`, ascending and without repeats."""

    def merge(
        ctx: click.Context, param: click.Parameter, values: tuple[tuple[int, ...], ...]
    ) -> tuple[int, ...]:
        return tuple(sorted({size for value in values for size in value}))

    return click.option(
        "-s",
        "--size",
        "sizes",
        type=SIZE,
        multiple=True,
        default=None if default is None else [",".join(map(size_label, default))],
        show_default=default is not None,
        callback=merge,
        metavar="SIZE[,SIZE...]",
        help="Vocabulary size in tokens, specials and alphabet included: 50k is 50,000.",
        **attributes,
    )


def format_option(function: F) -> F:
    """Add ``-f/--format``: the command gets `format`, one of `FORMATS`."""
    return click.option(
        "-f",
        "--format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How standard output is written.",
    )(function)


def output_option(
    help: str = "Write to this file instead of standard output.",
) -> Callable[[F], F]:
    """Add ``-o/--output``: the command gets `output`, a Path or None."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), help=help)


def quiet_option(function: F) -> F:
    """Add ``-q/--quiet``: the command gets `quiet`; errors are still shown."""
    return click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")(function)


def seed_option(function: F) -> F:
    """Add ``--seed``: the command gets `seed`, 0 unless given."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of whatever is random.",
    )(function)


def jobs_option(function: F) -> F:
    """Add ``--jobs``: the command gets `jobs`, all usable cores unless given."""

    def usable(ctx: click.Context, param: click.Parameter, value: int | None) -> int:
        from toktk.runtime import usable_cores

        return usable_cores() if value is None else value

    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=None,
        callback=usable,
        help="Threads.  [default: all usable cores]",
    )(function)


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return the decorator that adds options in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def gathered(names: tuple[str, ...], into: str, make: Callable[..., Any]) -> Callable[[F], F]:
    """Return the decorator that gives a command ``into=make(name=value, …)`` in place of those options."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(**options: Any) -> Any:
            values = {name: options.pop(name) for name in names}
            return function(**options, **{into: make(**values)})

        return command  # type: ignore[return-value]

    return decorate


def corpus_options(default: str, what: str) -> Callable[[F], F]:
    """Add ``-c/--corpus`` and how to read it: the command gets `specs` and `reader`, a ReaderOptions."""
    names = ("text_column", "group_column", "align_column", "sample_by", "limit", "errors")
    return stacked(
        click.option(
            "-c",
            "--corpus",
            "specs",
            multiple=True,
            default=[default],
            show_default=True,
            metavar="SPEC",
            help=f"{what}: a file, folder, quoted glob, hub:<org>/<name>, or a name from"
            " `toktk ls corpora`. Repeatable.",
        ),
        click.option(
            "--text-column", default="text", show_default=True, help="Column of the text."
        ),
        click.option(
            "--group-column", help="Column of the group (language).  [default: the file's name]"
        ),
        click.option(
            "--align-column",
            help="Column of the line id of parallel text; for plain text `line`, its number.",
        ),
        click.option(
            "--sample-by",
            type=click.Choice(("line", "paragraph", "document")),
            help="What a document is in plain text.  [default: line]",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            help="Documents of each corpus, at most: the first, or with --seed a random sample.",
        ),
        click.option(
            "--errors",
            type=click.Choice(("strict", "replace")),
            default="strict",
            show_default=True,
            help="Invalid UTF-8 is an error, or becomes U+FFFD.",
        ),
        gathered(names, "reader", _reader_options),
    )


def _reader_options(**values: Any) -> ReaderOptions:
    """Return how the command line says that text is read.

    A seed makes a limit a sample only where it was given: 0 by default means the first documents.
    """
    from toktk.corpus import ReaderOptions

    ctx = click.get_current_context()
    if ctx.get_parameter_source("seed") is not click.core.ParameterSource.DEFAULT:
        values["seed"] = ctx.params["seed"]
    return ReaderOptions(**values)


def pretokenizer_options(function: F) -> F:
    """Add ``-p/--pretokenizer`` and ``--pattern``: the command gets `pretokenizers`, each once."""

    def make(names: tuple[str, ...], patterns: tuple[str, ...]) -> Any:
        from toktk.pretokenizers.pretokenizer import pretokenizers_of

        return pretokenizers_of(names, patterns)

    return stacked(
        click.option(
            "-p",
            "--pretokenizer",
            "names",
            multiple=True,
            metavar="NAME",
            help="How text is cut: `toktk ls pretokenizers`. Repeatable.  [default: o200k]",
        ),
        click.option(
            "--pattern",
            "patterns",
            multiple=True,
            metavar="REGEX",
            help="A split pattern of your own, instead of a name. Repeatable.",
        ),
        gathered(("names", "patterns"), "pretokenizers", make),
    )(function)


def training_options(function: F) -> F:
    """Add what trainers take: the command gets `parameters`, those that were given, by name."""

    def make(**values: Any) -> dict[str, Any]:
        values["special_tokens"] = list(values["special_tokens"]) or None
        return {name: value for name, value in values.items() if value is not None}

    return stacked(
        click.option(
            "--min-frequency",
            type=click.IntRange(min=0),
            help="Merge no pair that occurs less often.",
        ),
        click.option(
            "--max-token-length", type=click.IntRange(min=1), help="Most bytes of a token."
        ),
        click.option(
            "--pair-score",
            "score",
            metavar="NAME",
            help="What BPE merges first: `toktk ls pair-scores`.  [default: count]",
        ),
        click.option(
            "--special",
            "special_tokens",
            multiple=True,
            metavar="TOKEN",
            help="A special token; takes one of the ids. Repeatable.",
        ),
        gathered(
            ("min_frequency", "max_token_length", "score", "special_tokens"), "parameters", make
        ),
    )(function)


def measuring_options(function: F) -> F:
    """Add ``-m/--metric`` and ``--reference``: the command gets `measures`, a Measures."""

    def make(metrics: tuple[str, ...], reference: str | None) -> Any:
        from toktk.lab.plan import Measures

        return Measures(tuple(dict.fromkeys(metrics)), reference)

    return stacked(
        click.option(
            "-m",
            "--metric",
            "metrics",
            multiple=True,
            metavar="NAME",
            help="What to measure: `toktk ls metrics`. Repeatable.  [default: all that the text allows]",
        ),
        click.option(
            "--reference", metavar="GROUP", help="Parity's reference.  [default: English]"
        ),
        gathered(("metrics", "reference"), "measures", make),
    )(function)


def force_option(function: F) -> F:
    """Add ``--force``: the command gets `force`."""
    return click.option(
        "--force",
        is_flag=True,
        help="Compute everything anew, and overwrite another run in the folder.",
    )(function)
