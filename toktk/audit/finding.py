"""Findings: what an audit says, each with the figure that it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Severity = Literal["error", "warning", "info", "ok"]
"""Text or ids go wrong; they may; worth to know; looked for and not found. The worst comes first."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
FINDINGS_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of an audit found.

    Attributes:
        check: the check's name, as in ``unreachable``: what programs select by.
        severity: how bad it is.
        subject: what was looked at: the label of a tokenizer, the name of a text.
        message: one sentence with the figures that it rests on.
        advice: what to do about it; "" where there is nothing to do.
        count: how many of `unit` are affected; None: there is nothing to count.
        of: how many were looked at; None: not known.
        unit: "tokens", "documents", "bytes" or what else is counted.
        group: the language, script or group of the text that it is about; "" for all of it.
        examples: some of what is affected, as it stands in the text or the vocabulary, not yet made visible.
        ids: of the tokens affected, all of them, ascending.
    """

    check: str
    severity: Severity
    subject: str
    message: str
    advice: str = ""
    count: int | None = None
    of: int | None = None
    unit: str = ""
    group: str = ""
    examples: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the finding, JSON-able."""
        return asdict(self)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first, in the order of the checks where they are equally bad."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def is_as_bad_as(finding: Finding, severity: Severity) -> bool:
    """Return whether a finding is of a severity or worse, as ``--fail-on`` asks."""
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(severity)
