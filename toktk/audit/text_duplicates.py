"""Findings on what a text says more than once: equal and nearly equal documents, lines, repetition."""

from __future__ import annotations

from toktk.audit.finding import Finding
from toktk.audit.text_figures import REPEATED_CHARACTER, Repeats, TextFigures
from toktk.audit.text_reading import REPETITIONS, REPETITIVE_SHARE
from toktk.audit.text_repeats import LEAST_BYTES, LEAST_WORDS, SHARED_BY
from toktk.audit.text_wording import mostly, of_all, percent

COPIED = 0.05
"""Of documents that are copies: what they repeat counts double in training. Filtered web text is below it."""

NEARLY_COPIED = 0.1
"""Of documents that are nearly copies: pages made from one template are, and may all be wanted."""

BOILERPLATE = 0.2
"""Of bytes in lines that other documents have too: menus and notices, from which merges are learned."""

SOME_LINES = 0.01
"""Below this share of lines that recur, there is nothing to say: mottos, headings."""

REPETITIVE = 0.01
"""Of documents that mostly repeat themselves: spam, logs, tables."""


def repeat_findings(figures: TextFigures, subject: str, training: bool) -> list[Finding]:
    """Return what there is to say of copies, near copies, lines that recur, and repetition."""
    return [
        _equal(figures, subject, training),
        _near(figures, subject, training),
        _lines(figures, subject, training),
        _repetitive(figures, subject, training),
    ]


def _estimate(repeats: Repeats) -> str:
    return f" (of one in {2**repeats.halvings}, by hash)" if repeats.halvings else ""


def _equal(figures: TextFigures, subject: str, training: bool) -> Finding:
    equal = figures.equal
    at_least = f"of {LEAST_BYTES} bytes or more"
    if not equal.copies:
        message = f"No document {at_least} is there twice."
        return Finding("duplicates", "ok", subject, message, count=0, of=equal.n, unit="documents")
    by_group = {group: equal.by_group.get(group, (0, 0))[1] for group in figures.groups}
    group, where = mostly(by_group)
    across = f", {equal.across:,} in another group" if equal.across else ""
    return Finding(
        "duplicates",
        "warning" if training and equal.copies / equal.n >= COPIED else "info",
        subject,
        f"{of_all(equal.copies, equal.n, f'documents {at_least}')} are copies of another one, with "
        f"{percent(equal.copy_bytes / equal.n_bytes)} of their bytes{_estimate(equal)}{across}{where}.",
        "Keep one of each: copies count double in training, and make intervals too narrow.",
        equal.copies,
        equal.n,
        "documents",
        "" if equal.across else group,
        tuple(figures.examples.get("equal", ())),
    )


def _near(figures: TextFigures, subject: str, training: bool) -> Finding:
    near = figures.near
    at_least = f"of {LEAST_WORDS} words or more"
    if not near.copies:
        message = f"No different documents {at_least} are nearly equal."
        check = "near-duplicates"
        return Finding(check, "ok", subject, message, count=0, of=near.n, unit="documents")
    by_group = {group: near.by_group.get(group, (0, 0))[1] for group in figures.groups}
    group, where = mostly(by_group)
    return Finding(
        "near-duplicates",
        "warning" if training and near.copies / near.n >= NEARLY_COPIED else "info",
        subject,
        f"{of_all(near.copies, near.n, f'different documents {at_least}')} are nearly equal to another one, "
        f"with four fifths of their shingles in common by estimate{_estimate(near)}{where}.",
        "Keep one of each, unless they are what the text is about: datatrove and text-dedup filter such.",
        near.copies,
        near.n,
        "documents",
        group,
        tuple(figures.examples.get("near", ())),
    )


def _lines(figures: TextFigures, subject: str, training: bool) -> Finding:
    lines = figures.lines
    share = lines.copy_bytes / max(lines.n_bytes, 1)
    if share < SOME_LINES:
        message = "Hardly any line stands in several documents."
        check = "repeated-lines"
        return Finding(check, "ok", subject, message, count=lines.copies, of=lines.n, unit="lines")
    return Finding(
        "repeated-lines",
        "warning" if training and share >= BOILERPLATE else "info",
        subject,
        f"{of_all(lines.copies, lines.n, 'lines')} repeat one that {SHARED_BY} documents or more have, with "
        f"{percent(share)} of the bytes of all lines{_estimate(lines)}.",
        "Remove menus, notices and headers that all pages of a source have.",
        lines.copies,
        lines.n,
        "lines",
        examples=tuple(figures.examples.get("lines", ())),
    )


def _repetitive(figures: TextFigures, subject: str, training: bool) -> Finding:
    columns = figures.sizes[:, REPEATED_CHARACTER : REPEATED_CHARACTER + len(REPETITIONS)]
    n = int(columns.sum())
    check, documents = "repetitive-documents", figures.documents
    if not n:
        message = "No document mostly repeats one character, word or line."
        return Finding(check, "ok", subject, message, count=0, of=documents, unit="documents")
    group, where = mostly(dict(zip(figures.groups, columns.sum(axis=1).tolist(), strict=True)))
    kinds = ", ".join(
        f"{count:,} a {kind.partition(' ')[2]}"
        for kind, count in zip(REPETITIONS, columns.sum(axis=0).tolist(), strict=True)
        if count
    )
    return Finding(
        check,
        "warning" if training and n / documents >= REPETITIVE else "info",
        subject,
        f"{of_all(n, documents, 'documents')} are one thing repeated, with more than "
        f"{percent(REPETITIVE_SHARE)} of their bytes: {kinds}{where}.",
        "Leave them out: spam, logs, empty tables.",
        n,
        documents,
        "documents",
        group,
        tuple(text for kind in REPETITIONS for text in figures.examples.get(kind, ())),
    )
