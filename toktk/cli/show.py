"""``toktk show``: how a text falls apart into tokens."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.options import engine_timeout_option, format_option, output_option
from toktk.cli.output import emit, emit_rows, show_page
from toktk.cli.streams import say

if TYPE_CHECKING:
    from toktk.segmentation.view import View
    from toktk.tokenizer import Tokenizer

_FILE_WIDTH = 100


@click.command("show")
@click.argument("arguments", nargs=-1, required=True, metavar="SPEC... TEXT")
@click.option("--ids", is_flag=True, help="List the tokens too: id, bytes, text.")
@click.option(
    "--all", "all_tokens", is_flag=True, help="Draw all tokens, not only the first 2,000."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page of its own too, without scripts and requests.",
)
@format_option
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No remarks.")
@engine_timeout_option
def command(
    arguments: tuple[str, ...],
    ids: bool,
    all_tokens: bool,
    html: Path | None,
    format: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Draw how a text falls apart into tokens, by one tokenizer or several.

    \b
    toktk show ours=runs/news/tokenizers/bpe-50k tiktoken:cl100k_base "12345 + naïve café 東京"
    toktk show runs/news/tokenizers/bpe-50k --ids "a text"
    toktk show path/tokenizer.json - < text.txt
    toktk show mine=path/ tiktoken:o200k_base --html tokens.html "a text"

    A SPEC is a tokenizer as for `toktk bench`. The last argument is the text; - is standard input, and so is
    no text where standard input is no terminal. Behind -- a text may begin with a hyphen.

    A token that some other tokenizer lacks is underlined; without color it stands in ⟨ ⟩. Each token has
    its place in the text, in bytes, unless the tokenizer changes the text so that nobody can tell. csv and
    json hold all tokens.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.kernels import MACHINE_CODE
    from toktk.loading.spec import check_labels
    from toktk.segmentation.terminal import MOST

    specs, text = _specs_and_text(arguments, quiet)
    check_labels(specs)
    if not quiet:
        MACHINE_CODE.announce(say)
    first, *others = (_loaded(spec, quiet) for spec in specs)
    view = first.show(text, *others)
    most = None if all_tokens else MOST
    if html is not None:
        emit(view.html(most, ids), html)
        if not quiet:
            say(str(html))
    if format == "table":
        if output is None:
            show_page(lambda width, screen: view.text(width, screen and _has_color(), most, ids))
        else:
            emit(view.text(_FILE_WIDTH, False, most, ids), output)
    else:
        _emit(view, format, most, output)


def _emit(view: View, format: str, most: int | None, output: Path | None) -> None:
    from toktk.segmentation.view import COLUMNS

    if format == "json":
        emit(view.to_json(), output)
    elif format == "csv":
        emit_rows(COLUMNS, [*view.rows()], format, output)
    else:
        emit_rows(COLUMNS, [*view.rows(most, in_signs=True)], format, output)


def _has_color() -> bool:
    """Tell whether a terminal is to be sent colors; see no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")


def _specs_and_text(arguments: tuple[str, ...], quiet: bool) -> tuple[tuple[str, ...], str]:
    """Tell specs from text, which is the last argument or on standard input."""
    from toktk.loading.spec import names_tokenizer, parse_spec

    *specs, last = arguments
    if last == "-":
        if not specs:
            raise click.UsageError("name a tokenizer before the text: toktk show SPEC... TEXT.")
        return tuple(specs), _standard_input()
    if not specs:
        parse_spec(last)  # the error says what there is instead
    if not specs or names_tokenizer(last):
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError(
                f"there is no text: {last!r} names a tokenizer. Give the text as last argument, or - and "
                "the text on standard input."
            )
        return arguments, _standard_input()
    with contextlib.suppress(OSError, ValueError):  # no name of a file
        if not quiet and Path(last).is_file():
            say(f"Note: the text is {last!r} itself; toktk show SPEC... - < FILE shows a file.")
    return tuple(specs), last


def _standard_input() -> str:
    from toktk.errors import CorpusError

    raw = sys.stdin.buffer.read() if sys.stdin is not None else b""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CorpusError(
            "cannot read the text on standard input.",
            f"Found: the byte 0x{raw[error.start]:02X} at offset {error.start:,}, which is no UTF-8.",
            "Convert it, as in: iconv -f latin1 -t utf-8 < FILE | toktk show SPEC -",
        ) from error


def _loaded(spec: str, quiet: bool) -> Tokenizer:
    from toktk.loading.load import open_tokenizer

    loaded = open_tokenizer(spec)
    if not quiet:
        for note in loaded.notes:
            say(f"{loaded.label}: {note}")
    return loaded.checked()
