"""The tables of timings."""

import functools

from toktk.report.throughput import throughput_text
from toktk.timing.figures import Timing


def test_growth_has_a_headed_column_for_each_figure() -> None:
    timings = []
    for engine in ("toktk", "tiktoken"):
        timing = functools.partial(
            Timing, "gpt2", engine, "1.0", 1, what="pathological:letter", verified=True
        )
        timings += [
            timing(value=1.25, low=1.2, high=1.3, unit="exponent"),
            timing(value=41.5, unit="MB/s"),
        ]
        spaces = functools.partial(timing, what="pathological:spaces")
        timings.append(spaces(unit="exponent", note="stopped after 3 s at 4,096 bytes"))
    timings[-1] = Timing(
        "gpt2",
        "tiktoken",
        "1.0",
        1,
        what="pathological:spaces",
        value=7.0,
        unit="MB/s",
        verified=True,
    )
    shown = throughput_text(timings, 60)
    rows = [line.split() for line in shown.splitlines()]
    at = rows.index(["tokenizer", "engine", "text", "growth", "MB/s"])
    assert [row for row in rows[at + 1 :] if row and "─" not in row[0]][:3] == [
        ["gpt2", "toktk", "letter", "1.25", "41.5"],
        ["tiktoken", "letter", "1.25", "41.5"],
        ["spaces", "–", "7.00"],
    ]
    assert "growth  exponent of CPU time" in shown
    assert "toktk, spaces: stopped after 3 s" in " ".join(shown.split())
