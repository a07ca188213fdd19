"""Options that mean the same under every verb."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toktk.cli.output import FORMATS
from toktk.sizes import parse_size, size_label

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class SizeType(click.ParamType):  # type: ignore[type-arg] # older clicks cannot subscript it
    """Vocabulary sizes, ``50k`` or ``8k,16k``; see `toktk.sizes.parse_size`."""

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


def sizes_option(default: Sequence[int] | None = None, **attributes: Any) -> Decorator:
    """Add ``-s/--size``, repeatable: the command gets `sizes`, ascending and without repeats."""

    def merge(
        ctx: click.Context, param: click.Parameter, values: tuple[tuple[int, ...], ...]
    ) -> tuple[int, ...]:
        return tuple(sorted({size for value in values for size in value}))

    return click.option(
        "-s",
        "--size",
        "sizes",
        type=SizeType(),
        multiple=True,
        default=None if default is None else [",".join(map(size_label, default))],
        show_default=default is not None,
        callback=merge,
        metavar="SIZE[,SIZE...]",
        help="Vocabulary size in tokens, specials and alphabet included: 50k is 50,000.",
        **attributes,
    )


def output_option(help: str = "Write to this file instead of standard output.") -> Decorator:
    """Add ``-o/--output``: the command gets `output`, a Path or None."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), help=help)


format_option: Decorator = click.option(
    "-f",
    "--format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How standard output is written.",
)
quiet_option: Decorator = click.option(
    "-q", "--quiet", is_flag=True, help="No progress, no remarks."
)
seed_option: Decorator = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of whatever is random.",
)
force_option: Decorator = click.option(
    "--force",
    is_flag=True,
    help="Compute everything anew, and overwrite another run in the folder.",
)


def _usable(ctx: click.Context, param: click.Parameter, value: int | None) -> int:
    from toktk.runtime import usable_cores

    return usable_cores() if value is None else value


jobs_option: Decorator = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    callback=_usable,
    help="Threads.  [default: all usable cores]",
)


def stacked(*decorators: Any) -> Decorator:
    """Return the decorator that applies `decorators` so that their options are listed in this order."""
    return lambda function: functools.reduce(lambda f, d: d(f), reversed(decorators), function)


def gathered(into: str, make: Callable[..., Any], *names: str) -> Decorator:
    """Return the decorator that gives a command ``into=make(**options)`` in place of the options `names`."""

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(**options: Any) -> Any:
            values = {name: options.pop(name) for name in names}
            return function(**options, **{into: make(**values)})

        return command

    return decorate


def corpus_options(default: str, what: str) -> Decorator:
    """Add ``-c/--corpus`` and how to read it: the command gets `specs` and `reader`, a ReaderOptions."""
    help = (
        f"{what}: a file, folder, quoted glob, hub:<org>/<name>, or a name from `toktk ls corpora`. "
        "Repeatable."
    )
    return stacked(
        click.option(
            "-c",
            "--corpus",
            "specs",
            multiple=True,
            default=[default],
            show_default=True,
            metavar="SPEC",
            help=help,
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
        gathered(
            "reader",
            _reader_options,
            "text_column",
            "group_column",
            "align_column",
            "sample_by",
            "limit",
            "errors",
        ),
    )


def _reader_options(**values: Any) -> ReaderOptions:
    from toktk.corpus import ReaderOptions

    # A seed makes a limit a sample only where it was given: 0 by default means the first documents.
    ctx = click.get_current_context()
    if ctx.get_parameter_source("seed") is not click.core.ParameterSource.DEFAULT:
        values["seed"] = ctx.params["seed"]
    return ReaderOptions(**values)


def _pretokenizers(**values: Any) -> Any:
    from toktk.pretokenizers.pretokenizer import pretokenizers_of

    return pretokenizers_of(values["names"], values["patterns"])


pretokenizer_options = stacked(
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
    gathered("pretokenizers", _pretokenizers, "names", "patterns"),
)


def _parameters(**values: Any) -> dict[str, Any]:
    values["special_tokens"] = list(values["special_tokens"]) or None
    return {name: value for name, value in values.items() if value is not None}


training_options = stacked(
    click.option(
        "--min-frequency", type=click.IntRange(min=0), help="Merge no pair that occurs less often."
    ),
    click.option("--max-token-length", type=click.IntRange(min=1), help="Most bytes of a token."),
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
        "parameters", _parameters, "min_frequency", "max_token_length", "score", "special_tokens"
    ),
)


def _measures(metrics: tuple[str, ...], reference: str | None) -> Any:
    from toktk.lab.plan import Measures

    return Measures(tuple(dict.fromkeys(metrics)), reference)


measuring_options = stacked(
    click.option(
        "-m",
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME",
        help="What to measure: `toktk ls metrics`. Repeatable.  [default: all that the text allows]",
    ),
    click.option("--reference", metavar="GROUP", help="Parity's reference.  [default: English]"),
    gathered("measures", _measures, "metrics", "reference"),
)

run_options = stacked(format_option, quiet_option, seed_option, jobs_option, force_option)
