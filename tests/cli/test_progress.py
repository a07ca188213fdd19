"""What is shown of how far a command is: a bar, plain lines, JSON lines; and totals that are true."""

from __future__ import annotations

import io
import json
import sys
import threading
from typing import Any

import pytest
from click.testing import CliRunner
from command_line import run
from hostile_names import HOSTILE_NAMES, WITHOUT_UTF8, hidden
from rich.cells import cell_len
from rich.console import Console

from toktk.cli.progress import (
    Bar,
    JsonLines,
    Pace,
    PlainLines,
    Progress,
    Remarks,
    speed_label,
    time_label,
)

pytestmark = pytest.mark.usefixtures("home")

FIELDS = [
    "schema", "event", "step", "what", "stage", "stages", "done", "total", "unit", "seconds", "per_second",
    "seconds_left",
]  # fmt: skip


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Speed and time left --------------------------------------------------------------------------------


def pace_of(*marks: tuple[float, int]) -> Pace:
    pace = Pace()
    for now, done in marks:
        pace.mark(now, done)
    return pace


def test_a_steady_pace() -> None:
    pace = pace_of(*((t, 10 * t) for t in range(1, 101)))
    assert pace.per_second(100, 1000) == pytest.approx(10)
    assert pace.per_second(105, 1000) == pytest.approx(10, rel=0.15)


def test_a_pace_follows_a_step_that_becomes_faster() -> None:
    slow = [(t, t) for t in range(50)]
    fast = [(50 + t, 50 + 100 * t) for t in range(100)]
    assert pace_of(*slow, *fast).per_second(149, 9950) == pytest.approx(100)


def test_a_pace_outlasts_a_pause_and_begins_with_the_first_mark() -> None:
    pace = pace_of((500, 1))
    assert pace.per_second(600, 1) is None
    pace.mark(510, 2)
    assert pace.per_second(510, 2) == pytest.approx(1 / 10)
    assert pace.per_second(600, 2) == pytest.approx(1 / 100)
    assert Pace().per_second(1, 0) is None
    assert pace_of((5, 0), (5, 9)).per_second(5, 9) is None  # no time has passed


def test_a_pace_of_many_marks_is_small() -> None:
    pace = pace_of(*((t / 100, t) for t in range(100_000)))
    assert len(pace._marks) < 300
    assert pace.per_second(999.99, 99_999) == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(
    ("per_second", "unit", "label"),
    [
        (4_100_000, "bytes", "4.1 MB/s"),
        (12_345.6, "tokens", "12,346 tokens/s"),
        (3.21, "sizes", "3.2 sizes/s"),
        (0.05, "tokenizers", "3.0 tokenizers/min"),
    ],
)
def test_speeds_for_people(per_second: float, unit: str, label: str) -> None:
    assert speed_label(per_second, unit) == label


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (100, "1:40 min"), (7500, "2:05 h")],
)
def test_times_for_people(seconds: float, label: str) -> None:
    assert time_label(seconds) == label


# Plain lines ----------------------------------------------------------------------------------------


class Played:
    """A drawing of lines to whom time passes in halves of a second, as its thread would look."""

    def __init__(self, drawing: Any, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        self.drawing, self.clock, self._capsys = drawing, clock, capsys

    def passes(self, seconds: float, each: int = 0) -> list[str]:
        """Let time pass, with `each` advance in every half second; return the lines of it."""
        for _ in range(int(2 * seconds)):
            self.clock.now += 0.5
            if each:
                self.drawing.advance(each)
            self.drawing.tick()
        return self.lines()

    def lines(self) -> list[str]:
        return self._capsys.readouterr().err.splitlines()


@pytest.fixture
def plain(clock: Clock, capsys: pytest.CaptureFixture[str]) -> Played:
    return Played(PlainLines(clock), clock, capsys)


def test_plain_lines_are_silent_about_brief_steps(plain: Played) -> None:
    plain.drawing.begin("write", "", 10, "tokenizers")
    assert plain.passes(0.5, each=5) == []
    plain.drawing.end()
    assert plain.lines() == []


def test_plain_lines_have_a_sensible_pace(plain: Played) -> None:
    plain.drawing.stage(2, 7)
    plain.drawing.begin("train", "bpe", 100_000, "tokens")
    assert plain.passes(1, each=500) == [
        "2/7 train bpe: 1,000 of 100,000 tokens, 1 %, 1,000 tokens/s, 1:39 min left"
    ]
    assert plain.passes(9.5, each=500) == []
    assert plain.passes(10, each=500) == [
        "2/7 train bpe: 11,000 of 100,000 tokens, 11 %, 1,000 tokens/s, 1:29 min left"
    ]
    told = plain.passes(79, each=500)
    assert [line.split(", ")[1] for line in told] == [f"{n} %" for n in range(21, 100, 10)]
    plain.drawing.advance(500)
    plain.drawing.end()
    assert plain.lines() == ["2/7 train bpe: 100,000 of 100,000 tokens in 1:40 min"]


def test_plain_lines_of_long_steps_come_each_minute(plain: Played) -> None:
    plain.drawing.begin("count", "text", 10**12, "bytes")
    told = plain.passes(3600, each=10**6)
    assert 58 <= len(told) <= 61
    assert told[-1].startswith("count text: 7.1 GB of 1.0 TB, 1 %, 2.0 MB/s, ")


def test_plain_lines_of_steps_without_total_or_advance(plain: Played) -> None:
    plain.drawing.begin("open", "-", None, "bytes")
    assert plain.passes(2, each=1000) == ["open -: 2.0 kB, 2.0 kB/s, 1 s so far"]
    plain.drawing.end()
    assert plain.lines() == ["open -: 4.0 kB in 2 s"]
    plain.drawing.begin("train", "hf-bpe", 500, "tokens")
    assert plain.passes(62) == ["train hf-bpe: 1 s so far", "train hf-bpe: 1:01 min so far"]
    plain.drawing.end()
    assert plain.lines() == ["train hf-bpe: 1:02 min"]


def test_the_pace_of_a_step_leaves_out_steps_inside_it_and_kernels(plain: Played) -> None:
    plain.drawing.begin("train", "bpe", 1000, "tokens")
    plain.drawing.advance(100)
    plain.drawing.begin("count", "text", 10, "bytes")
    assert len(plain.passes(600)) == 10
    plain.drawing.end()
    plain.drawing.compiling(True)
    assert plain.passes(600)[-1].startswith("train bpe: compiling")
    plain.drawing.compiling(False)
    plain.lines()
    plain.passes(2, each=50)
    plain.drawing.begin("x", "", None, "")
    plain.drawing.end()
    (step,) = plain.drawing._open
    plain.passes(2, each=50)
    assert step.pace.per_second(plain.clock.now, step.done) == pytest.approx(100)


def test_plain_lines_say_once_that_kernels_are_compiled(plain: Played) -> None:
    plain.drawing.begin("count", "text", 10, "bytes")
    for _ in range(3):
        plain.drawing.compiling(True)
        plain.passes(2)
        plain.drawing.compiling(False)
    plain.drawing.begin("other", "", None, "")
    plain.drawing.end()
    plain.drawing.end()
    said = plain.lines()
    assert said == []  # as it was read between
    plain.drawing.begin("count", "text", 10, "bytes")
    plain.drawing.compiling(True)
    assert len(plain.passes(30)) == 1


# JSON lines -----------------------------------------------------------------------------------------


@pytest.fixture
def jsonl(clock: Clock, capsys: pytest.CaptureFixture[str]) -> Played:
    return Played(JsonLines(clock), clock, capsys)


def test_json_lines_tell_all_of_a_step(jsonl: Played) -> None:
    jsonl.drawing.stage(1, 3)
    jsonl.drawing.begin("train", "bpe", 400, "tokens")
    events = [json.loads(line) for line in [*jsonl.lines(), *jsonl.passes(2, each=100)]]
    jsonl.drawing.end()
    events += [json.loads(line) for line in jsonl.lines()]
    assert [event["event"] for event in events] == ["begin", *["progress"] * 4, "end"]
    assert all([*event] == FIELDS for event in events)
    same = {"schema": 1, "step": "train", "what": "bpe", "stage": 1, "stages": 3}
    assert events[0] == {
        **same, "event": "begin", "done": 0, "total": 400, "unit": "tokens", "seconds": 0,
        "per_second": None, "seconds_left": None,
    }  # fmt: skip
    assert events[3] == {
        **same, "event": "progress", "done": 300, "total": 400, "unit": "tokens", "seconds": 1.5,
        "per_second": 200, "seconds_left": 0.5,
    }  # fmt: skip
    assert events[-1]["done"] == events[-1]["total"]


def test_json_lines_of_a_step_that_stands_still_are_few(jsonl: Played) -> None:
    jsonl.drawing.begin("train", "hf-bpe", 400, "tokens")
    assert len(jsonl.passes(60)) == 1 + 6


def test_json_lines_tell_when_kernels_are_compiled(jsonl: Played) -> None:
    jsonl.drawing.begin("count", "text", 10, "bytes")
    jsonl.drawing.compiling(True)
    jsonl.passes(1)
    jsonl.drawing.compiling(True)
    assert jsonl.passes(3) == []
    jsonl.drawing.compiling(False)
    (line,) = jsonl.passes(3)
    event = json.loads(line)
    assert [*event] == [*FIELDS, "active"]
    assert (event["event"], event["active"]) == ("compiling", False)
    jsonl.drawing.compiling(True)
    (line,) = jsonl.passes(1)
    assert json.loads(line)["active"] is True


def test_names_read_back_from_json_lines(jsonl: Played) -> None:
    # The third of the others is a pair of surrogates, which JSON reads as the character that they stand for.
    for name in [*HOSTILE_NAMES, *WITHOUT_UTF8[:2], "\0", "\r\n", "", "x" * 10_000]:
        jsonl.drawing.begin("train", name, None, "tokens")
        jsonl.drawing.remark(f"{name} is left out")
        jsonl.drawing.end()
        told = jsonl.lines()
        begin, remark, end = map(json.loads, told)
        assert [hidden(line) for line in told] == [[], [], []]
        assert begin["what"] == end["what"] == name
        assert remark == {"schema": 1, "event": "remark", "text": f"{name} is left out"}


def test_json_lines_are_in_utf8_whatever_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    JsonLines().begin("count", "日本 😀", 1, "bytes")
    assert json.loads(raw.getvalue().decode("utf-8"))["what"] == "日本 😀"


def test_threads_advance_a_step_together(clock: Clock) -> None:
    drawing = JsonLines(clock)
    drawing.begin("measure", "", 80_000, "pieces")
    threads = [
        threading.Thread(target=lambda: [drawing.advance(1) for _ in range(10_000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawing._open[0].done == 80_000


# The bar --------------------------------------------------------------------------------------------


def drawn(bar: Bar, width: int) -> str:
    bar._console.width = width
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(bar.line())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_bar_is_one_line_on_any_terminal(clock: Clock, width: int) -> None:
    for name in [*HOSTILE_NAMES, *WITHOUT_UTF8, "日本語" * 40, "x" * 300, "é" * 300]:
        bar = Bar(clock=clock)
        bar.stage(10, 12)
        bar.begin("train", name, 1_000_000_000, "tokens")
        for done in (0, 12_345_678, 0, 234_567_890):
            clock.now += 12.3
            bar.advance(done)
            shown = drawn(bar, width)
            assert shown.count("\n") == 1
            assert cell_len(shown.rstrip("\n")) <= width
            assert hidden(shown.rstrip("\n")) == []


def test_a_bar_shows_stage_amount_speed_and_time_left(clock: Clock) -> None:
    bar = Bar(clock=clock)
    assert drawn(bar, 80) == "\n"
    bar.stage(3, 7)
    bar.begin("train", "bpe", 128_000, "tokens")
    assert "3/7 train bpe " in drawn(bar, 80)
    for _ in range(3):
        clock.now += 1
        bar.advance(16_000)
    shown = drawn(bar, 80)
    assert shown.rstrip().endswith(" 48,000 of 128,000, 16,000 tokens/s, 5 s left")
    bar.begin("count", "starter, o200k", 31_000_000, "bytes")
    assert "3/7 count starter, o200k " in drawn(bar, 80)
    bar.compiling(True)
    assert drawn(bar, 80).rstrip().endswith((" compiling (once)", " compiling"))
    bar.compiling(False)
    bar.end()
    assert "48,000 of 128,000" in drawn(bar, 80)


def test_bars_nest_and_remarks_stand_above(capsys: pytest.CaptureFixture[str]) -> None:
    for drawing in (Bar(), Remarks(quiet=True)):
        with drawing:
            drawing.begin("train", "bpe", 100, "tokens")
            drawing.begin("count", "text", None, "bytes")
            drawing.advance(5)
            drawing.end()
            drawing.advance(50)
            drawing.remark("[b]a remark")
            drawing.end()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "[b]a remark\n"


def test_a_bar_that_is_asked_for_is_drawn_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    progress = Progress("bar")
    with progress.watching() as drawing, progress.watching() as inner:
        assert inner is drawing
        drawing.begin("train", "bpe", 100, "tokens")
    shown = capsys.readouterr().err
    assert " train bpe " in shown
    assert shown.rfind("\x1b[?25l") < shown.rfind("\x1b[?25h")  # the cursor is back


# Modes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "on_screen", "mode"),
    [("xterm", True, "bar"), ("dumb", True, "plain"), ("xterm", False, "plain")],
)
def test_a_bar_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, term: str, on_screen: bool, mode: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_screen, raising=False)
    assert Progress().mode == mode
    assert Progress("json").mode == "json"
    assert Progress("json", quiet=True).mode == "none"
    monkeypatch.setattr(sys, "stderr", None)
    assert Progress().mode == "plain"


def mode_of(*args: str, **variables: str) -> str:
    """Return how the command of a probe shows its progress."""
    import click

    from toktk.cli.options import progress_options

    @click.command("probe")
    @progress_options
    def probe(progress: Progress) -> None:
        click.echo(f"{progress.mode} {progress.quiet}")

    result = CliRunner().invoke(probe, args, env={"TOKTK_PROGRESS": None, **variables})
    return result.stdout.strip() if result.exit_code == 0 else str(result.exit_code)


def test_modes_are_chosen_by_option_variable_and_quiet() -> None:
    assert mode_of() == "plain False"
    for mode in ("bar", "plain", "json", "none"):
        assert mode_of("--progress", mode) == f"{mode} False"
        assert mode_of(TOKTK_PROGRESS=mode) == f"{mode} False"
    assert mode_of(TOKTK_PROGRESS="0") == mode_of("--progress", "0") == "none False"
    assert mode_of("--progress", "plain", TOKTK_PROGRESS="json") == "plain False"
    assert mode_of("-q", TOKTK_PROGRESS="json") == "none True"
    assert mode_of("-q", "--progress", "none") == mode_of("-q", "--progress", "auto") == "none True"
    assert mode_of("-q", "--progress", "json") == "2"
    assert mode_of("--progress", "loud") == mode_of(TOKTK_PROGRESS="loud") == "2"


def test_quiet_and_a_mode_exclude_each_other() -> None:
    refused = run("cache", "-q", "--progress", "plain")
    assert refused.exit_code == 2
    assert "leave out -q or --progress plain" in refused.stderr
