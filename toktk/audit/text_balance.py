"""Findings on what a text consists of: groups, documents of odd sizes, scripts."""

from __future__ import annotations

import numpy as np

from toktk.audit.finding import Finding, Severity
from toktk.audit.text_figures import (
    BYTES,
    EMPTY,
    LONGEST,
    RAW_BYTES,
    SHORT,
    TextFigures,
)
from toktk.audit.text_languages import language_of
from toktk.audit.text_reading import LONG, SHORT_BYTES
from toktk.audit.text_wording import mostly, of_all, percent
from toktk.sizes import bytes_label
from toktk.visible import listed, visible_name

DOMINANT = 0.9
"""Of the bytes in one of several groups: the merges of the others come from what is left, a tenth."""

SCARCE = 0.001
"""Of the bytes in a group: of a thousand merges, one is its own."""

ONE_DOCUMENT = 0.05
"""Of the bytes in one document, whose names and habits become tokens."""

FEW_GROUPS = 20
"""Of more groups that no language gives its name, each is a file as a rule: small ones are no fault."""

_TIMES_FAIR = (
    10  # a document must have so many times its fair share; three documents have a third each
)
MANY_EMPTY = 0.5
MANY_SHORT = 0.01

EXPECTED_SCRIPT = 0.5
"""Of a group's letters in the scripts of the language that it is named after; code and names are Latin."""

_LEAST_LETTERS = 1000
_SHOWN = 8


def balance_findings(figures: TextFigures, subject: str, training: bool) -> list[Finding]:
    """Return what there is to say of groups, sizes of documents, and scripts."""
    return [
        *_groups(figures, subject, training),
        _one_document(figures, subject, training),
        _empty(figures, subject),
        _short(figures, subject),
        _scripts(figures, subject),
        _foreign_scripts(figures, subject),
    ]


def shares_line(shares: dict[str, float]) -> str:
    """Return ``de 34%, fr 30% and 3 more``, the largest first."""
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{visible_name(name)} {percent(share)}" for name, share in ordered[:_SHOWN])
    more = f" and {len(ordered) - _SHOWN:,} more" if len(ordered) > _SHOWN else ""
    return f"{shown}{more}"


def shares_of_bytes(figures: TextFigures) -> dict[str, float]:
    """Return the share of each group of the bytes, times the weights."""
    n_bytes = figures.sizes[:, BYTES]
    shares = (n_bytes / max(int(n_bytes.sum()), 1)).tolist()
    return dict(zip(figures.groups, shares, strict=True))


def _groups(figures: TextFigures, subject: str, training: bool) -> list[Finding]:
    shares = shares_of_bytes(figures)
    n_bytes = int(figures.sizes[:, BYTES].sum())
    about = f"{len(shares):,} group{'s' * (len(shares) > 1)}, by bytes: {shares_line(shares)}."
    findings = [Finding("balance", "ok", subject, about, of=n_bytes, unit="bytes")]
    if not training or len(shares) < 2:
        return findings
    largest = max(shares, key=lambda group: shares[group])
    if shares[largest] >= DOMINANT:
        findings[0] = Finding(
            "balance",
            "warning",
            subject,
            f"{visible_name(largest)} is {percent(shares[largest])} of the bytes of "
            f"{len(shares):,} groups: most of the vocabulary will be its own.",
            "Even the groups out with --temperature 3.3, or give texts shares (-c de=german/:0.3).",
            int(figures.sizes[figures.groups.index(largest), BYTES]),
            n_bytes,
            "bytes",
            largest,
        )
    scarce = sorted((g for g in shares if shares[g] < SCARCE), key=lambda g: (shares[g], g))
    if scarce:
        meant = len(shares) <= FEW_GROUPS or any(map(language_of, scarce))
        findings.append(
            Finding(
                "scarce-groups",
                "warning" if meant else "info",
                subject,
                f"{len(scarce):,} of {len(shares):,} groups have less than {percent(SCARCE)} of the bytes "
                f"each, and hardly a token of their own: {listed(scarce)}.",
                "Add text, or even the groups out with --temperature.",
                len(scarce),
                len(shares),
                "groups",
                scarce[0] if len(scarce) == 1 else "",
            )
        )
    return findings


def _one_document(figures: TextFigures, subject: str, training: bool) -> Finding:
    longest, total = int(figures.sizes[:, LONGEST].max()), int(figures.sizes[:, RAW_BYTES].sum())
    share, n = longest / max(total, 1), figures.documents
    message = (
        f"The longest of {n:,} documents has {bytes_label(longest)}, {percent(share)} of the bytes."
    )
    examples = tuple(figures.examples.get(LONG, ()))
    severity: Severity = "ok"
    advice = ""
    if n == 1:
        severity, message = "info", f"The text is one document of {bytes_label(longest)}."
        advice = (
            "Cut it (--sample-by line or paragraph), so that intervals have documents to rest on."
        )
    elif share >= ONE_DOCUMENT and share * n >= _TIMES_FAIR:
        severity = "warning" if training else "info"
        advice = "Look at it, leave it out, or cut it (--sample-by line or paragraph)."
    if severity == "ok":
        examples = ()
    group = figures.groups[int(np.argmax(figures.sizes[:, LONGEST]))] if advice else ""
    return Finding(
        "longest-document",
        severity,
        subject,
        message,
        advice,
        longest,
        total,
        "bytes",
        group,
        examples,
    )


def _empty(figures: TextFigures, subject: str) -> Finding:
    n, of = int(figures.sizes[:, EMPTY].sum()), figures.documents
    group, where = mostly(dict(zip(figures.groups, figures.sizes[:, EMPTY].tolist(), strict=True)))
    nulls = f" Rows without text, {figures.null_rows:,}, are left out." if figures.null_rows else ""
    if not n:
        severity: Severity = "info" if nulls else "ok"
        advice = "See whether --text-column names the right column." if nulls else ""
        message = f"No document is empty.{nulls}"
        return Finding("empty-documents", severity, subject, message, advice, 0, of, "documents")
    return Finding(
        "empty-documents",
        "warning" if n / of >= MANY_EMPTY else "info",
        subject,
        f"{of_all(n, of, 'documents')} hold nothing to see{where}.{nulls}",
        "Blank lines are documents where a text file is read by line: see --sample-by.",
        n,
        of,
        "documents",
        group,
    )


def _short(figures: TextFigures, subject: str) -> Finding:
    n, of = int(figures.sizes[:, SHORT].sum()), figures.documents
    group, where = mostly(dict(zip(figures.groups, figures.sizes[:, SHORT].tolist(), strict=True)))
    sizes = figures.sizes.sum(axis=0)
    is_word_list = sizes[BYTES] != sizes[RAW_BYTES]  # documents with weights, each a word as a rule
    many = n / of >= MANY_SHORT and not is_word_list
    return Finding(
        "short-documents",
        "info" if many else "ok",
        subject,
        f"{of_all(n, of, 'documents')} have fewer than {SHORT_BYTES} bytes{where if many else ''}.",
        "Make what belongs together one document (--sample-by paragraph or document)."
        if many
        else "",
        n,
        of,
        "documents",
        group if many else "",
    )


def _scripts(figures: TextFigures, subject: str) -> Finding:
    totals = figures.scripts.sum(axis=0)
    n_bytes = int(totals[:, 0].sum())
    shares = {
        name: int(totals[s, 0]) / n_bytes
        for s, name in enumerate(figures.script_names)
        if s and totals[s, 0]
    }
    none = percent(int(totals[0, 0]) / max(n_bytes, 1))
    message = f"{len(shares):,} scripts, by bytes: {shares_line(shares)}; of no script {none}."
    if not shares:
        message = "The text holds no letters of any script."
    return Finding("scripts", "ok", subject, message, of=n_bytes, unit="bytes")


def main_script(figures: TextFigures, group: int) -> tuple[str, int]:
    """Return the script of most of a group's letters, and how many letters there are."""
    letters = figures.scripts[group, 1:, 1]
    return figures.script_names[1 + int(np.argmax(letters))], int(letters.sum())


def _foreign_scripts(figures: TextFigures, subject: str) -> Finding:
    foreign: dict[str, str] = {}
    n_known = 0
    for g, group in enumerate(figures.groups):
        language = language_of(group)
        script, n = main_script(figures, g)
        if language is None or n < _LEAST_LETTERS:
            continue
        n_known += 1
        letters = dict(zip(figures.script_names, figures.scripts[g, :, 1].tolist(), strict=True))
        share = sum(letters[name] for name in (*language.scripts, *language.also)) / n
        if share < EXPECTED_SCRIPT:
            expected = " and ".join(language.scripts)
            other = percent(letters[script] / n)
            foreign[group] = (
                f"{visible_name(group)} is {other} {script}, {percent(share)} {expected}"
            )
    if not foreign:
        message = (
            f"{n_known:,} groups are written in the script that their names suggest."
            if n_known
            else "No group has enough letters and the name of a language whose script is known."
        )
        check = "foreign-scripts"
        return Finding(check, "ok", subject, message, count=0, of=n_known, unit="groups")
    more = f" and {len(foreign) - _SHOWN:,} more" if len(foreign) > _SHOWN else ""
    return Finding(
        "foreign-scripts",
        "warning",
        subject,
        f"The script of {len(foreign):,} groups is not that of their names: "
        f"{'; '.join([*foreign.values()][:_SHOWN])}{more}.",
        "See whether --group-column names the right column, and whether the text is what its name says.",
        len(foreign),
        n_known,
        "groups",
        next(iter(foreign)) if len(foreign) == 1 else "",
    )
