"""Flags that mean the same under every verb, and the SIZE type."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "md", "latex")

_SIZE = re.compile(r"([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)(k|m|ki|mi)?", re.IGNORECASE)
_SCALE = {"": 1, "k": 1000, "m": 1000_000, "ki": 1024, "mi": 1024 * 1024}
# Token ids are int32 wherever they are stored.
MAX_SIZE = 2**31 - 1


class SizeType(click.ParamType):  # type: ignore[type-arg] # older clicks cannot subscript it
    """Vocabulary sizes, ``50k`` or ``8k,16k``: k is 1000, M a million, Ki 1024, Mi 1024 * 1024."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the sizes of one option value, in the order written."""
        if isinstance(value, tuple):
            return value
        return tuple(self._size(item.strip(), param, ctx) for item in str(value).split(","))

    def _size(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = _SIZE.fullmatch(text)
        if match is None:
            self.fail(
                f"{text!r} is not a vocabulary size; write 32000, 32k, 1.5k, 1M or 50Ki, and"
                " several as 8k,16k.",
                param,
                ctx,
            )
        number = Fraction(match[1].replace("_", "")) * _SCALE[(match[2] or "").lower()]
        if number.denominator != 1:
            self.fail(f"{text!r} is {float(number):g} tokens, not a whole number.", param, ctx)
        if not 1 <= number <= MAX_SIZE:
            hint = "; a comma separates sizes, 50,000 is written 50000 or 50k" if not number else ""
            self.fail(
                f"{text!r} is not between 1 and {MAX_SIZE:,} tokens{hint}.",
                param,
                ctx,
            )
        return int(number)


SIZE = SizeType()


def sizes_option(default: str | None = None, **attributes: Any) -> Callable[[F], F]:
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
        default=None if default is None else [default],
        show_default=default or False,
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
        from toktk.lab.environment import usable_cores

        return usable_cores() if value is None else value

    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=None,
        callback=usable,
        help="Threads.  [default: all usable cores]",
    )(function)
