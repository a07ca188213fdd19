"""Findings for people and programs: text with the worst first, rows, and JSON.

Schema history of the JSON (`FINDINGS_SCHEMA`):
    1   findings: the fields of a `Finding`; ids are all of them, examples a few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from toktk.audit.finding import FINDINGS_SCHEMA, Finding, Severity, by_severity
from toktk.report.table import rendered, shortened
from toktk.report.tabular import Cell
from toktk.segmentation.signs import isolated, signs
from toktk.visible import json_text, visible, visible_name

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = (
    "severity", "check", "subject", "group", "count", "of", "unit", "message", "advice", "examples",
    "ids",
)  # fmt: skip

_STYLES: dict[Severity, str] = {
    "error": "bold red", "warning": "bold yellow", "info": "bold cyan", "ok": "bold green",
}  # fmt: skip
_WORDS = {"error": "error", "warning": "warning", "info": "note"}
_MOST_IDS = 6
_LONGEST, _ROOM = 32, 120  # cells of an example, and of all of them


def text(findings: Sequence[Finding], width: int, color: bool) -> str:
    """Return findings as paragraphs, worst first, for a terminal of this width."""
    lines = list(_paragraphs(findings))
    return rendered(lines, width, color)


def _paragraphs(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    yield Text(_summary(findings))
    told = [finding for finding in by_severity(findings) if finding.severity != "ok"]
    for (severity, message), alike in groupby(told, key=lambda f: (f.severity, f.message)):
        same = list(alike)
        checks = ", ".join(dict.fromkeys(_name(finding) for finding in same))
        yield Text(f"\n{severity}", style=_STYLES[severity]).append(f"  {checks}", style="bold")
        first = same[0]
        for part, style in (
            (visible(message), ""),
            (visible(first.advice), "italic"),
            (_examples(first), "dim"),
        ):
            if part:
                yield Padding(Text(part, style=style), (0, 0, 0, 2))
    fine = dict.fromkeys(_name(finding) for finding in findings if finding.severity == "ok")
    if fine:
        yield Text("\nok", style=_STYLES["ok"]).append(f"  {', '.join(fine)}", style="not bold")


def _summary(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each severity."""
    if not findings:
        return "no findings."
    subjects = ", ".join(dict.fromkeys(visible_name(finding.subject) for finding in findings))
    counts = [
        (n, word)
        for severity, word in _WORDS.items()
        if (n := sum(finding.severity == severity for finding in findings))
    ]
    listed = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts)
    n_ok = sum(finding.severity == "ok" for finding in findings)
    return f"{subjects}: {listed or 'no findings'}; {n_ok} {'check is' if n_ok == 1 else 'checks are'} ok."


def _name(finding: Finding) -> str:
    return f"{finding.check} [{visible_name(finding.group)}]" if finding.group else finding.check


def _examples(finding: Finding) -> str:
    """Return some examples in signs, and the first ids."""
    from rich.cells import cell_len

    shown, room = list[str](), _ROOM
    for example in map(_example, finding.examples):
        room -= cell_len(example) + 2
        if room >= 0:
            shown.append(example)
    parts = [f"such as {'  '.join(shown)}"] if shown else []
    if finding.ids:
        parts.append(f"ids {_first_ids(finding)}")
    return "; ".join(parts)


def _first_ids(finding: Finding) -> str:
    more = len(finding.ids) - _MOST_IDS
    ids = ", ".join(map(str, finding.ids[:_MOST_IDS]))
    return f"{ids} and {more:,} more" if more > 0 else ids


def _example(example: str) -> str:
    spelled = signs(example.encode("utf-8", "surrogateescape"))
    return isolated(shortened(spelled, _LONGEST)) if spelled else "''"


def rows(findings: Sequence[Finding], for_programs: bool = True) -> list[tuple[Cell, ...]]:
    """Return findings as rows under `COLUMNS`, worst first; examples in signs.

    Ids are all of them for programs, and the first ones for people.
    """
    return [
        (
            f.severity, f.check, f.subject, f.group, f.count, f.of, f.unit, f.message, f.advice,
            "  ".join(map(_example, f.examples)),
            " ".join(map(str, f.ids)) if for_programs else _first_ids(f),
        )
        for f in by_severity(findings)
    ]  # fmt: skip


def to_json(findings: Sequence[Finding]) -> str:
    """Return ``{"schema": 1, "findings": […]}``, a finding a line, worst first."""
    body = ",\n".join(
        json_text(finding.to_json(), allow_nan=False) for finding in by_severity(findings)
    )
    return f'{{"schema": {FINDINGS_SCHEMA}, "findings": [\n{body}\n]}}\n'
