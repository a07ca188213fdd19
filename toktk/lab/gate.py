"""Gates: ``bytes_per_token < -1%`` fails where the interval of a difference says so, not the point."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toktk.errors import MetricError, as_usage
from toktk.pieces.table import POOLED
from toktk.report.comparison import Judged, percent
from toktk.stats.difference import Difference

_GATE = re.compile(
    r"\s*(?P<metric>[^\s<>:=]+)(?::(?P<group>.*?))?\s*(?P<sign>[<>]=?)\s*"
    r"(?P<number>[+-]?\d{1,6}(?:\.\d{1,9})?)\s*%\s*"
)
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Gate:
    """A limit to a difference, of which all of the interval must be on the wrong side for it to fail.

    Attributes:
        text: as it was written.
        metric: the figure.
        group: of which group; ``*`` is each of them.
        sign: on which side of the limit the gate fails.
        limit: a relative difference, -0.01 for -1 %.
    """

    text: str
    metric: str
    group: str
    sign: str
    limit: float

    def judge(self, candidate: str, group: str, difference: Difference, reason: str) -> Judged:
        """Return whether a difference breaks the gate; nobody knows without an interval.

        Its interval is one of 1 - 5 % / n where the gate is asked of n differences.
        """
        low, high = difference.low, difference.high
        if low is None or high is None:
            return Judged(self.text, candidate, group, None, reason)
        broken = _SIGNS[self.sign](high if self.sign.startswith("<") else low, self.limit)
        between = f"between {percent(low, 2, '+')} and {percent(high, 2, '+')}"
        return Judged(self.text, candidate, group, broken, f"the difference lies {between}")


def parse_gate(text: str) -> Gate:
    """Return the gate of ``METRIC < -1%`` or ``METRIC:GROUP > 2%``; without a group that of all together.

    Raises:
        MetricError: it names no metric, or no limit in percent.
    """
    match = _GATE.fullmatch(text)
    if match is None or not match["metric"].strip("-+.0123456789%"):
        raise as_usage(
            MetricError(
                f"{text!r:.200} is no gate.",
                "Write a metric, < or >, and a difference in percent: 'bytes_per_token < -1%'; of one "
                "group 'bytes_per_token:de < -1%', of each 'bytes_per_token:* < -1%'.",
            )
        )
    group = match["group"]
    if group == "":
        group = None
    return Gate(
        text.strip(),
        match["metric"],
        POOLED if group is None else group,
        match["sign"],
        float(match["number"]) / 100,
    )


def refuse_unjudged(judged: Sequence[Judged]) -> None:
    """Refuse a gate that no difference could be judged by: it would never fail.

    Raises:
        MetricError: there is such a gate.
    """
    by_gate: dict[str, list[Judged]] = {}
    for one in judged:
        by_gate.setdefault(one.gate, []).append(one)
    for gate, those in by_gate.items():
        if all(one.broken is None for one in those):
            whys = "; ".join(dict.fromkeys(f"{one.group}: {one.why}" for one in those[:3]))
            raise MetricError(
                f"the gate {gate!r} cannot be judged.",
                f"Found: no interval ({whys}).",
                "Give more text, or name another group.",
            )
