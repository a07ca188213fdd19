"""Options that mean the same under every verb."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from toktk.child import ENGINE_TIMEOUT_VARIABLE, set_engine_timeout
from toktk.cli.output import FORMATS
from toktk.cli.progress import MODES, Progress
from toktk.cli.running import RunOptions
from toktk.cli.streams import JSON_EVENTS
from toktk.errors import ToktkError, in_a_line, usage
from toktk.runtime import usable_cores
from toktk.sizes import parse_bytes, parse_size, size_label

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def parsed(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the callback that parses an option's value; a ValueError is wrong usage."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return callback


each_once = parsed(lambda names: tuple(dict.fromkeys(names)))


def stacked(*decorators: Any) -> Decorator:
    """Return the decorator that applies `decorators` so that their options are listed in this order."""
    return lambda function: functools.reduce(lambda f, d: d(f), reversed(decorators), function)


def gathered(into: str, make: Callable[..., Any] | str, *options: Any) -> Decorator:
    """Return the decorator that adds options, and gives a command ``into=make(**values)`` in their place."""
    add = stacked(*options)
    parameters = click.command("options")(add(lambda: None)).params
    names = [parameter.name for parameter in parameters if parameter.expose_value]

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            own = {str(name): values.pop(str(name)) for name in names}
            # By name it is imported when the command runs, not for --help.
            maker = pkgutil.resolve_name(make) if isinstance(make, str) else make
            with usage():
                made = maker(**own)
            return function(**values, **{into: made})

        return add(command)

    return decorate


eval_option = click.option(
    "--eval",
    "evals",
    multiple=True,
    metavar="SPEC",
    help="Other text to measure on. Repeatable.  [default: a held-out tenth, or starter:eval]",
)


def trainers_option(default: Sequence[str]) -> Decorator:
    """Add ``-t NAME``, repeatable."""
    return click.option(
        "-t",
        "--trainer",
        "trainers",
        multiple=True,
        default=default,
        callback=each_once,
        show_default=True,
        metavar="NAME",
        help="What to train: `toktk ls trainers`. Repeatable.",
    )


def sizes_option(default: Sequence[int] = ()) -> Decorator:
    """Add ``-s/--size``, repeatable: the command gets `sizes`, ascending and without repeats."""

    def parse(values: Sequence[str]) -> tuple[int, ...]:
        texts = [text.strip() for value in values for text in value.split(",")]
        return tuple(sorted(set(map(parse_size, texts))))

    return click.option(
        "-s",
        "--size",
        "sizes",
        multiple=True,
        required=not default,
        default=[",".join(map(size_label, default))] if default else None,
        show_default=bool(default),
        callback=parsed(parse),
        metavar="SIZE[,SIZE...]",
        help="Vocabulary size in tokens, specials and alphabet included: 50k is 50,000.",
    )


def _refuse_stray(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> None:
    """Say where words that no option takes belong: after -s, or after -c."""
    if not values:
        return
    what = f"nothing takes {', '.join(map(repr, values[:3]))}{', …' if len(values) > 3 else ''}. "
    try:
        sizes = [*ctx.params.get("sizes", ()), *map(parse_size, values)]
    except ValueError as error:
        quoted = "; quote a glob, or the shell expands it: -c 'folder/*.txt'"
        raise click.UsageError(
            f"{what}Give text with -c, each with its own: -c {values[0]}{quoted}."
        ) from error
    raise click.UsageError(
        f"{what}Give sizes with commas, without spaces: -s {','.join(map(size_label, sizes))}."
    )


no_arguments = click.argument(
    "stray", nargs=-1, expose_value=False, callback=_refuse_stray, metavar=""
)
"""For commands that take options alone."""


def output_option(help: str = "Write to this file instead of standard output.") -> Decorator:
    """Add ``-o/--output``: the command gets `output`, a Path or None."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), help=help)


format_option = click.option(
    "-f",
    "--format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How standard output is written; csv holds names as they are, formulas for spreadsheets as well.",
)


def _set_engine_timeout(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Set the environment variable, which children inherit."""
    try:
        if value is not None:
            set_engine_timeout(value)
    except ToktkError as error:
        raise click.BadParameter(in_a_line(error)) from error


engine_timeout_option = click.option(
    "--engine-timeout",
    metavar="SECONDS",
    envvar=ENGINE_TIMEOUT_VARIABLE,
    show_envvar=True,
    expose_value=False,
    callback=_set_engine_timeout,
    help="Most seconds a library may take for a document, and for each MB of it.  [default: 30]",
)


class _Mode(click.Choice[str]):
    """A mode of progress; 0 is none, as of variables that switch something off."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert("none" if value == "0" else value, param, ctx)


def _progress(quiet: bool, progress_mode: str) -> Progress:
    context = click.get_current_context()
    is_asked = context.get_parameter_source("progress_mode") == ParameterSource.COMMANDLINE
    if quiet and is_asked and progress_mode not in ("auto", "none"):
        raise click.UsageError(f"-q shows no progress: leave out -q or --progress {progress_mode}.")
    progress = Progress(progress_mode, quiet)
    context.meta[JSON_EVENTS] = progress.mode == "json"
    return progress


_progress_options = (
    click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks."),
    click.option(
        "--progress",
        "progress_mode",
        type=_Mode(MODES),
        default="auto",
        show_default=True,
        envvar="TOKTK_PROGRESS",
        show_envvar=True,
        help="Progress on standard error: a bar, plain lines, JSON lines or none. auto is a bar on a "
        "terminal, else plain lines.",
    ),
)

progress_options = gathered("progress", _progress, *_progress_options)
"""Adds -q and --progress: the command gets `progress`, a Progress."""


def _run_options(quiet: bool, progress_mode: str, **values: Any) -> RunOptions:
    return RunOptions(progress=_progress(quiet, progress_mode), **values)


jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1, max=1024),
    callback=parsed(lambda jobs: jobs or usable_cores()),
    help="Cores to use, at most.  [default: all usable cores]",
)
memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=parsed(lambda size: None if size is None else parse_bytes(size)),
    help="Memory that counts may take, such as 8GB, before they go to disk.  [default: half of what is free]",
)
sampling_seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**31 - 1),
    default=0,
    show_default=True,
    is_eager=True,
    help="Seed of the sample of --limit.",
)


def run_options(output: str) -> Decorator:
    """Add what sweep, train and bench share: the command gets `options`, RunOptions."""
    return gathered(
        "options",
        _run_options,
        output_option(output),
        format_option,
        *_progress_options,
        click.option(
            "--seed",
            type=click.IntRange(min=0, max=2**31 - 1),
            default=0,
            show_default=True,
            help="Seed of whatever is random: the sample of --limit, trainers, the text to time on.",
        ),
        jobs_option,
        memory_option,
        click.option(
            "--force",
            is_flag=True,
            help="Compute everything anew, and overwrite another run in the folder.",
        ),
        click.option(
            "--page/--no-page",
            default=True,
            show_default=True,
            help="Write report.html, the page to look at, into the run directory.",
        ),
        engine_timeout_option,
    )


def _reader_options(**values: Any) -> ReaderOptions:
    from toktk.corpus import ReaderOptions

    return ReaderOptions(**values, seed=click.get_current_context().params.get("seed", 0))


reader_options = gathered(
    "reader",
    _reader_options,
    click.option("--text-column", default="text", show_default=True, help="Column of the text."),
    click.option(
        "--group-column", help="Column of the group (language).  [default: the file's name]"
    ),
    click.option(
        "--align-column",
        help="Column of the line id of parallel text; for plain text `line`, its number.",
    ),
    click.option(
        "--weight-column",
        help="Column of how often a document counts, such as of words and their counts.",
    ),
    click.option(
        "--quotes/--no-quotes",
        default=True,
        show_default=True,
        help="In CSV and TSV, quotation marks enclose fields, or are text.",
    ),
    click.option(
        "--sample-by",
        type=click.Choice(("line", "paragraph", "document")),
        help="What a document is in plain text.  [default: line; of source code the file]",
    ),
    click.option(
        "--line-ends",
        type=click.Choice(("universal", "keep")),
        help="CR LF and CR become LF, or stay.  [default: universal; keep in whole files]",
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        help="Documents of each corpus, at most: a random sample, as many from every group "
        "(and of each group from all of its files) as it has.",
    ),
    click.option(
        "--errors",
        type=click.Choice(("strict", "replace")),
        default="strict",
        show_default=True,
        help="Invalid UTF-8 is an error, or becomes U+FFFD.",
    ),
    click.option(
        "--encoding",
        default="utf-8",
        show_default=True,
        help="Of plain text and JSON Lines: utf-16, latin-1, cp1252, shift_jis and so on.",
    ),
    click.option(
        "--split",
        metavar="NAME",
        help="Split of a saved dataset, or of a folder of files named after splits.  "
        "[default: train, if it is a saved dataset]",
    ),
)
"""Adds how text is read: the command gets `reader`, a ReaderOptions."""


def corpus_options(default: str | None, what: str) -> Decorator:
    """Add ``-c/--corpus`` and how to read it: the command gets `specs` and `reader`, a ReaderOptions."""
    help = (
        f"{what}: a file, folder, quoted glob, hf:<org>/<name>, - for standard input, or a name from "
        "`toktk ls corpora`. Repeatable; de=german/ names a text, german/:0.3 gives it a share of several."
    )
    return stacked(
        click.option(
            "-c",
            "--corpus",
            "specs",
            multiple=True,
            default=[] if default is None else [default],
            show_default=default is not None,
            metavar="SPEC",
            help=help,
        ),
        reader_options,
    )


temperature_option = click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    help="Give each group of the training text the share of its bytes to the power of 1 / this: 1 changes "
    "nothing, 3.3 is common, inf makes all equal.",
)


pretokenizer_options = gathered(
    "pretokenizers",
    "toktk.pretokenizers.pretokenizer:pretokenizers_of",
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
        "own_patterns",
        multiple=True,
        metavar="REGEX",
        help="A split pattern of your own, instead of a name. Repeatable.",
    ),
)


def _parameters(**values: Any) -> dict[str, Any]:
    for name in ("special_tokens", "symbols"):
        values[name] = list(values[name]) or None
    return {name: value for name, value in values.items() if value is not None}


def _options_of(values: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return {trainer: {option: text}} of ``TRAINER.NAME=VALUE``."""
    options: dict[str, dict[str, str]] = {}
    for value in values:
        where, equals, text = value.partition("=")
        trainer, dot, name = where.rpartition(".")
        if not (equals and dot and trainer and name):
            raise ValueError(
                f"{value!r:.80} is not TRAINER.NAME=VALUE, as in unigram.seed_size=500000."
            )
        options.setdefault(trainer, {})[name] = text
    return options


_ROLES = {
    "eos": "ends a text",
    "bos": "begins a text",
    "pad": "fills short texts of a batch",
    "unk": "stands for what the vocabulary lacks",
}


def _role_option(role: str) -> Decorator:
    return click.option(
        f"--{role}",
        metavar="TOKEN",
        help=f"The special token that {_ROLES[role]}, for transformers; takes one of the ids.",
    )


def _roles(**values: str | None) -> dict[str, str]:
    return {role: name for role, name in values.items() if name is not None}


normalize_option = functools.partial(
    click.option,
    "--normalize",
    "normal_form",
    type=click.Choice(("nfc", "nfd", "nfkc", "nfkd")),
    callback=parsed(lambda form: form and form.upper()),
)
training_options = stacked(
    gathered(
        "parameters",
        _parameters,
        click.option(
            "--min-frequency",
            type=click.IntRange(min=0),
            help="Merge no pair that occurs less often.",
        ),
        click.option(
            "--max-token-length", type=click.IntRange(min=1), help="Longest token, in bytes."
        ),
        click.option(
            "--pair-score",
            "score",
            metavar="NAME",
            help="The score that picks the next merge of BPE: `toktk ls pair-scores`.  [default: count]",
        ),
        click.option(
            "--special",
            "special_tokens",
            multiple=True,
            metavar="TOKEN",
            help="A special token; takes one of the ids. Repeatable.",
        ),
        click.option(
            "--symbol",
            "symbols",
            multiple=True,
            metavar="TOKEN",
            help="A token that is found in text wherever it stands; takes one of the ids. Repeatable.",
        ),
    ),
    gathered("roles", _roles, *map(_role_option, _ROLES)),
    click.option(
        "--split-special/--no-split-special",
        default=True,
        show_default=True,
        help="Cut the text at special tokens before training: nothing is learned from them or across them.",
    ),
    normalize_option(
        help="Put text into this Unicode normal form, in training and in tokenizer.json."
    ),
    click.option(
        "-O",
        "--option",
        "trainer_options",
        multiple=True,
        callback=parsed(_options_of),
        metavar="TRAINER.NAME=VALUE",
        help="An option of one trainer alone: `toktk ls trainers`. Repeatable.",
    ),
)


measuring_options = gathered(
    "measures",
    "toktk.lab.plan:Measures",
    click.option(
        "-m",
        "--metric",
        "metrics",
        multiple=True,
        callback=each_once,
        metavar="NAME",
        help="What to measure: a name or a topic of `toktk ls metrics`. Repeatable.  [default: standard]",
    ),
    click.option("--reference", metavar="GROUP", help="Parity's reference.  [default: English]"),
)
