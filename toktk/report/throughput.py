"""Timings on the terminal: engines under each tokenizer, then what grows faster than its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from toktk.report.table import NULL, Head, Row, Table
from toktk.report.tables import Page
from toktk.timing.figures import Interval, Timing, is_level
from toktk.visible import visible, visible_name

_PATHOLOGICAL = "pathological:"

_HEADS = [Head("load"), Head("cold"), Head("warm"), Head("× lib."), Head("memory", spare=1)]
_LEGEND = (
    "load    s, from the file to the first ids: a fresh process, its library already imported",
    "cold    MB/s (10**6 bytes of UTF-8), the first text of a fresh engine",
    "warm    MB/s, text it has not seen, after other text; in brackets the quartiles over slices",
    "× lib.  warm speed over the reference library's on the same slices, with its 95 % interval;",
    "        level: the interval holds 1, or the ratio is under 1.05",
    "memory  MB by which the process grew at its peak, from before loading",
)
_BUSY = "the machine was busy: engines had to wait for a core, so figures are too low and too wide"
_GROWTH_HEADS = [Head("text", right=False), Head("growth"), Head("MB/s")]
_GROWTH = (
    "growth  exponent of CPU time against length of text: at 1, twice the text takes twice the time",
    "MB/s    CPU speed at the longest text that was tried, at most a megabyte",
)


def throughput_text(timings: Sequence[Timing], width: int, color: bool = False) -> str:
    """Return the tables of engines and of growth as text for a terminal of this width."""
    return throughput_page(timings).text(width, color) if timings else ""


def throughput_page(timings: Sequence[Timing]) -> Page:
    """Return the tables of engines and of growth."""
    timings = [
        replace(timing, tokenizer=visible_name(timing.tokenizer), note=visible(timing.note))
        for timing in timings
    ]
    timed: dict[tuple[str, str], dict[tuple[str, str], Timing]] = {}
    for timing in timings:
        by = timed.setdefault((timing.tokenizer, timing.engine), {})
        by[timing.what, timing.unit] = timing
    whats = dict.fromkeys(timing.what for timing in timings)
    kinds = [what for what in whats if what.startswith(_PATHOLOGICAL)]
    speeds: dict[tuple[str, str], Sequence[str]] = {}
    growth: list[tuple[str, str, Sequence[str]]] = []
    for (tokenizer, engine), by in timed.items():
        version = next(iter(by.values())).version
        speeds[tokenizer, f"{engine} {version}"] = (
            _written(by.get(("load", "s")), "{:.2f}".format),
            _written(by.get(("cold", "MB/s"))),
            _with_ends(by.get(("warm", "MB/s"))),
            _ratio(by.get(("warm_ratio", "ratio"))),
            _written(by.get(("memory", "bytes")), lambda size: f"{size / 1e6:.0f}"),
        )
        for kind in kinds:
            exponent = _written(by.get((kind, "exponent")), "{:.2f}".format)
            figures = exponent, _written(by.get((kind, "MB/s")))
            if figures != (NULL, NULL):
                growth.append((tokenizer, engine, (kind.removeprefix(_PATHOLOGICAL), *figures)))
    threads = timings[0].threads
    title = f"throughput, {threads} thread{'s' * (threads > 1)}"
    shown = [(*names, figures) for names, figures in speeds.items()]
    tables = [_table(title, _HEADS, shown, _remarks(timings))]
    if growth:
        tables.append(_table("long runs of one kind of character", _GROWTH_HEADS, growth))
    return Page(tables, (*_LEGEND, *_GROWTH) if growth else _LEGEND)


def _table(
    title: str,
    heads: Sequence[Head],
    cells: Sequence[tuple[str, str, Sequence[str]]],
    notes: Sequence[str] = (),
) -> Table:
    """Return a table of tokenizer, engine and the cells of each row."""
    names = [Head("tokenizer", right=False, style="bold", folds=True), Head("engine", right=False)]
    rows: list[Row] = []
    before = ("", "")
    for tokenizer, engine, figures in cells:
        other, same = tokenizer != before[0], (tokenizer, engine) == before
        names_shown = tokenizer if other else "", "" if same else engine
        rows.append(Row((*names_shown, *figures), rule_above=other))
        before = tokenizer, engine
    return Table(title, "", [*names, *heads], rows, notes)


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def _written(timing: Timing | None, label: Callable[[float], str] = _three_digits) -> str:
    return NULL if timing is None or timing.value is None else label(timing.value)


def _with_ends(timing: Timing | None) -> str:
    if timing is None or timing.low is None or timing.high is None:
        return _written(timing)
    return f"{_written(timing)} [{_three_digits(timing.low)}–{_three_digits(timing.high)}]"


def _ratio(timing: Timing | None) -> str:
    if timing is None or timing.value is None or timing.low is None or timing.high is None:
        return NULL
    level = is_level(Interval(timing.value, timing.low, timing.high))
    return f"{'level ' * level}{_with_ends(timing)}"


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
            lines.append(f"{who}: {timing.note}")
        elif timing.busy:
            lines.append(_BUSY)
    return list(dict.fromkeys(lines))
