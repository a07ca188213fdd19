from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from toktk.lab.cost import Cost
from toktk.lab.results import Record, Results
from toktk.report.progress import ProgressBars, costs_line
from toktk.report.tables import sweep_tables
from toktk.trainers.base import size_label


def record(size: int, metric: str, group: str, value: float | None, note: str | None = None):
    return Record(
        f"bpe-{size_label(size)}", "bpe", "gpt2", size, "text", group, metric, value, None, None,
        "unit", 7, note, "signature",
    )  # fmt: skip


def show(
    records: Sequence[Record], unreached: Sequence[dict[str, object]] = (), width: int = 80
) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False)
    for one in sweep_tables(Results(tuple(records)), unreached):
        console.print(one)
    return text.getvalue()


def test_gain_is_tokens_saved_per_thousand_ids() -> None:
    shown = show([record(s, "tokens", "all", v) for s, v in ((8000, 1000), (16_000, 960))])
    # 4 % fewer tokens for 8 thousand ids more.
    assert [line.split() for line in shown.splitlines()[3:6] if "k " in line] == [
        ["8k", "–"],
        ["16k", "0.50%"],
    ]


def test_the_worst_language_is_named_and_brackets_are_no_markup() -> None:
    shown = show(
        [
            record(8000, "parity[en]|macro", "all", 1.5),
            record(8000, "parity[en]|max", "all", 3.14, "[b]am"),
        ]
    )
    assert "3.1 [b]am" in shown
    assert "1.50" in shown


def test_null_is_a_dash_with_the_reason_once() -> None:
    shown = show([record(s, "headroom", "all", None, "no tokens") for s in (300, 400)])
    assert shown.count("– headroom: no tokens.") == 1
    assert "nan" not in shown


def test_sizes_out_of_reach_are_rows() -> None:
    missing = {"family": "bpe", "sizes": [64_000], "available": 9000}
    shown = show([record(8000, "bytes_per_token", "all", 4.0)], [missing])
    assert "64k" in shown
    assert "– not reached: 64k; the text gives 9,000 tokens." in shown


def test_many_sizes_and_groups_stay_on_the_page() -> None:
    sizes = range(1000, 21_000, 1000)
    groups = [f"language {i:03}" for i in range(90)]
    shown = show(
        [record(s, "tokens_per_line", g, 10.0 + i) for s in sizes for i, g in enumerate(groups)],
        width=100,
    )
    assert max(map(len, shown.splitlines())) <= 100
    assert "… 30 more …" in shown
    assert "language 000" in shown
    assert "language 089" in shown
    assert "20k" in shown


def test_groups_that_are_not_parallel_show_bytes_per_token() -> None:
    records = [
        record(300, "tokens_per_line", "am", 30.0),
        record(300, "tokens_per_line", "python", None, "not parallel text"),
        record(300, "bytes_per_token", "am", 1.25),
        record(300, "bytes_per_token", "python", 2.5),
        record(300, "parity[en]", "am", 5.0),
    ]
    lines = [" ".join(line.split()) for line in show(records).splitlines()]
    assert "am 30.0 5.00" in lines
    assert "python 2.500" in lines


def test_the_costs_of_a_step_are_added_up() -> None:
    costs = [
        Cost("count", "a", 1.0, 2.0, 5_000_000),
        Cost("count", "b", 0.5, 1.0, 7_000_000),
        Cost("train", "bpe", 0.0, 0.0, None, reused=True),
        Cost("measure", "bpe", 0.25, 0.25, None),
    ]
    expected = "count 1.5 s 7 MB · train reused · measure 0.2 s"
    assert costs_line(costs) == expected
    assert costs_line([cost.describe() for cost in costs]) == expected


def test_bars_nest_and_quiet_is_quiet(capsys) -> None:
    for quiet in (False, True):
        with ProgressBars(quiet) as bars:
            bars.begin("train bpe", 100, "tokens")
            bars.begin("count text", None, "bytes")
            bars.advance(5)
            bars.end()
            bars.advance(50)
            bars.remark("[b]a remark")
            bars.end()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "[b]a remark\n"
