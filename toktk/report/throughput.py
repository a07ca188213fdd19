"""Timings on the terminal: engines under each tokenizer, then what grows faster than its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from toktk.report.table import NULL, new_table, rendered
from toktk.report.table import shortened as short
from toktk.timing.figures import Interval, Timing, is_level

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LONGEST_NAME = 24
_LONGEST_NOTE = 140
_PATHOLOGICAL = "pathological:"

_LEGEND = (
    "load    s, from the file to the first ids: a fresh process, its library already imported",
    "cold    MB/s (10**6 bytes of UTF-8), the first text of a fresh engine",
    "warm    MB/s, text it has not seen, after other text; in brackets the quartiles over slices",
    "× lib.  warm speed over the reference library's on the same slices, with its 95 % interval;",
    "        level: the interval holds 1, or the ratio is under 1.05",
    "memory  MB by which the process grew at its peak, from before loading",
)
_GROWTH = "exponent of CPU time against length (1: twice the text, twice the time); MB/s at the longest text"

_BUSY = (
    "the machine was busy: engines had to wait for a core, so the figures are too low and too wide"
)

Timed = dict[tuple[str, str], dict[tuple[str, str], Timing]]


def throughput_text(timings: Sequence[Timing], width: int, color: bool = False) -> str:
    """Return the tables of timings as text for a terminal of this width."""
    return rendered(throughput_tables(timings), width, color)


def throughput_tables(timings: Sequence[Timing]) -> list[RenderableType]:
    """Return the table of engines, the table of growth, remarks and the legend; nothing for none."""
    from rich.text import Text

    if not timings:
        return []
    timed: Timed = {}
    for timing in timings:
        by = timed.setdefault((timing.tokenizer, timing.engine), {})
        by[timing.what, timing.unit] = timing
    threads = timings[0].threads
    title = f"throughput, {threads} thread{'s' * (threads > 1)}"
    shown: list[RenderableType] = [Text(title, style="bold"), _engines(timed)]
    shown += [Text(line, style="yellow") for line in _remarks(timings)]
    growth = _growth(timed)
    if growth is not None:
        shown += [Text(), Text("one kind of character without end", style="bold"), growth]
    legend = (*_LEGEND, *([_GROWTH] if growth is not None else []))
    return [*shown, Text(), *(Text(line, style="dim") for line in legend)]


def _engines(timed: Timed) -> Table:
    from rich.text import Text

    table = new_table()
    table.add_column("tokenizer", style="bold", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for header in ("load", "cold", "warm", "× lib.", "memory"):
        table.add_column(header, justify="right", no_wrap=True)
    before = ""
    for (tokenizer, engine), by in timed.items():
        if before and tokenizer != before:
            table.add_section()
        name = short(tokenizer, _LONGEST_NAME) if tokenizer != before else ""
        version = next(iter(by.values())).version
        cells = (
            _value(by.get(("load", "s")), "{:.2f}"),
            _value(by.get(("cold", "MB/s"))),
            _with_ends(by.get(("warm", "MB/s"))),
            _ratio(by.get(("warm_ratio", "ratio"))),
            _value(by.get(("memory", "bytes")), "{:.0f}", 1e-6),
        )
        table.add_row(*map(Text, (name, f"{engine} {version}", *cells)))
        before = tokenizer
    return table


def _growth(timed: Timed) -> Table | None:
    from rich.text import Text

    whats = dict.fromkeys(what for by in timed.values() for what, _ in by)
    grown = [what for what in whats if what.startswith(_PATHOLOGICAL)]
    if not grown:
        return None
    table = new_table()
    table.add_column("tokenizer", style="bold", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for what in grown:
        table.add_column(what.removeprefix(_PATHOLOGICAL), justify="right", no_wrap=True)
    before = ""
    for (tokenizer, engine), by in timed.items():
        cells = [_grown(by, what) for what in grown]
        if set(cells) == {NULL}:
            continue
        name = short(tokenizer, _LONGEST_NAME) if tokenizer != before else ""
        table.add_row(*map(Text, (name, engine, *cells)))
        before = tokenizer
    return table


def _grown(by: dict[tuple[str, str], Timing], what: str) -> str:
    exponent, speed = by.get((what, "exponent")), by.get((what, "MB/s"))
    if exponent is None:
        return NULL
    shown = _value(exponent, "{:.2f}")
    return f"{shown} {_value(speed):>5}" if speed is not None else shown


def _value(timing: Timing | None, form: str = "", factor: float = 1.0) -> str:
    if timing is None or timing.value is None:
        return NULL
    value = timing.value * factor
    return form.format(value) if form else _three_digits(value)


def _three_digits(value: float) -> str:
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f}"


def _with_ends(timing: Timing | None) -> str:
    if timing is None or timing.low is None or timing.high is None:
        return _value(timing)
    return f"{_value(timing)} [{_three_digits(timing.low)}–{_three_digits(timing.high)}]"


def _ratio(timing: Timing | None) -> str:
    if timing is None or timing.value is None or timing.low is None or timing.high is None:
        return NULL
    level = is_level(Interval(timing.value, timing.low, timing.high))
    return f"{'level ' * level}{_with_ends(timing)}"


def _first(note: str) -> str:
    """Return a note as it fits on two lines; run.json has all of it."""
    return note if len(note) <= _LONGEST_NOTE else f"{note[: _LONGEST_NOTE - 1]}…"


def _remarks(timings: Sequence[Timing]) -> list[str]:
    """Return why figures are missing, and what casts doubt on one; each line once."""
    lines = []
    for timing in timings:
        who = f"{timing.tokenizer}, {timing.engine}" if timing.engine else timing.tokenizer
        if timing.what.startswith(_PATHOLOGICAL):
            if timing.unit == "exponent" and timing.note:
                kind = timing.what.removeprefix(_PATHOLOGICAL)
                lines.append(f"{who}, {kind}: {timing.note}")
        elif not timing.verified or timing.value is None:
            lines.append(f"{who}: {_first(timing.note)}")
        elif "busy" in timing.note:
            lines.append(_BUSY)
    return list(dict.fromkeys(lines))
