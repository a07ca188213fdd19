"""Findings on characters that text should not hold: damage by encodings, leftovers of markup, mixed forms."""

from __future__ import annotations

from dataclasses import dataclass

from toktk.audit.finding import Finding, Severity
from toktk.audit.text_figures import RAW_BYTES, TextFigures
from toktk.audit.text_tables import FAULTS
from toktk.audit.text_wording import mostly, of_all

NEVER = 2.0

DAMAGED = 0.001
"""Of documents with damage, from which on a tokenizer learns it: tokens of their own come soon after."""

BROKEN = 0.05
"""Of documents with damage, from which on the text as a whole was read or made wrong."""

LEFT_OVER = 0.01
"""Of documents with what may be there on purpose, as markup is in a text about it."""

_KILOBYTE = 1000


@dataclass(frozen=True)
class _Damage:
    """A check of one fault.

    Attributes:
        check, fault: their names.
        holding: what the documents hold, after "hold".
        warning, error: the shares of documents from which on it is that bad.
        advice: what to do.
    """

    check: str
    fault: str
    holding: str
    warning: float
    error: float
    advice: str


_DAMAGES = (
    _Damage(
        "mojibake",
        "mojibake",
        "mojibake, UTF-8 that was read in another encoding (Ã© for é)",
        DAMAGED,
        BROKEN,
        "Make the text again from its source, read as UTF-8; ftfy and the like repair what is left.",
    ),
    _Damage(
        "replacement-characters",
        "replaced",
        "U+FFFD, which stands for bytes that could not be read",
        DAMAGED,
        BROKEN,
        "Read the source in its own encoding (--encoding); leave out documents that keep it.",
    ),
    _Damage(
        "nul",
        "nul",
        "U+0000",
        0.0,
        LEFT_OVER,
        "Leave out such documents: they are binary files, or UTF-16 that was read as UTF-8.",
    ),
    _Damage(
        "control-characters",
        "control",
        "control characters other than tabs and line ends",
        DAMAGED,
        NEVER,
        "Remove them, or leave such documents out.",
    ),
    _Damage(
        "byte-order-marks",
        "bom",
        "U+FEFF inside the text, where files were joined",
        LEFT_OVER,
        NEVER,
        "Remove it: a word behind it gets tokens of its own.",
    ),
    _Damage(
        "private-characters",
        "private",
        "private-use characters or code points that are no characters",
        LEFT_OVER,
        NEVER,
        "Remove them: fonts of PDF files and web pages give them a meaning that the text does not.",
    ),
    _Damage(
        "invisible-characters",
        "invisible",
        "soft hyphens, zero-width spaces or word joiners",
        NEVER,
        NEVER,
        "Remove them, but for Khmer, Thai, Lao and Burmese, where they may set words apart.",
    ),
    _Damage(
        "html-entities",
        "entity",
        "character references of HTML, such as &amp;",
        LEFT_OVER,
        NEVER,
        "Unescape the text once more, unless it is source code.",
    ),
    _Damage(
        "html-tags",
        "tag",
        "tags of HTML",
        NEVER,
        NEVER,
        "Extract the text again, unless it is source code or about HTML.",
    ),
)


def damage_findings(figures: TextFigures, subject: str) -> list[Finding]:
    """Return what there is to say of each kind of damage, and of line ends and normal forms."""
    findings = [_damage(figures, subject, damage) for damage in _DAMAGES]
    return [
        *findings,
        _invalid(figures, subject),
        _line_ends(figures, subject),
        _forms(figures, subject),
    ]


def _places(figures: TextFigures, fault: str) -> tuple[int, int]:
    """Return in how many documents a fault is, and how often."""
    occurrences, documents = figures.faults[:, FAULTS.index(fault)].sum(axis=0).tolist()
    return documents, occurrences


def _share(figures: TextFigures, documents: int, occurrences: int) -> float:
    """Return the share of documents, or of kilobytes if that is less: a book is one document."""
    kilobytes = int(figures.sizes[:, RAW_BYTES].sum()) / _KILOBYTE
    return min(documents / max(figures.documents, 1), occurrences / max(kilobytes, 1))


def _by_group(figures: TextFigures, fault: str) -> dict[str, int]:
    documents = figures.faults[:, FAULTS.index(fault), 1].tolist()
    return dict(zip(figures.groups, documents, strict=True))


def _damage(figures: TextFigures, subject: str, damage: _Damage) -> Finding:
    documents, occurrences = _places(figures, damage.fault)
    if not documents:
        return Finding(
            damage.check,
            "ok",
            subject,
            f"No document holds {damage.holding}.",
            count=0,
            of=figures.documents,
            unit="documents",
        )
    share = _share(figures, documents, occurrences)
    severity: Severity = "info"
    if share >= damage.error:
        severity = "error"
    elif share >= damage.warning:
        severity = "warning"
    group, where = mostly(_by_group(figures, damage.fault))
    times = f", in {occurrences:,} places" if occurrences > documents else ""
    return Finding(
        damage.check,
        severity,
        subject,
        f"{of_all(documents, figures.documents, 'documents')} hold {damage.holding}{times}{where}.",
        damage.advice,
        documents,
        figures.documents,
        "documents",
        group,
        tuple(figures.examples.get(damage.fault, ())),
    )


def _invalid(figures: TextFigures, subject: str) -> Finding:
    if not figures.replaced:
        message = "All bytes are valid UTF-8, or were read in the encoding that was given."
        return Finding("invalid-utf-8", "ok", subject, message, count=0, unit="sequences")
    return Finding(
        "invalid-utf-8",
        "warning",
        subject,
        f"{figures.replaced:,} invalid sequences were read as U+FFFD.",
        "Name the encoding with --encoding, or leave --errors replace out to see the first one.",
        figures.replaced,
        unit="sequences",
    )


def _line_ends(figures: TextFigures, subject: str) -> Finding:
    crlf, _ = _places(figures, "crlf")
    cr, _ = _places(figures, "cr")
    lf, _ = _places(figures, "lf")
    mixed, _ = _places(figures, "mixed ends")
    if not crlf + cr:
        message = "Lines end with LF, where documents hold line ends at all."
        return Finding("line-ends", "ok", subject, message, count=0, of=lf, unit="documents")
    group, where = mostly(_by_group(figures, "crlf" if crlf >= cr else "cr"))
    inside = f", {mixed:,} have both" if mixed else ""
    return Finding(
        "line-ends",
        "warning" if max(crlf, cr) / figures.documents >= LEFT_OVER else "info",
        subject,
        f"Lines end with CR LF in {crlf:,} documents, with CR in {cr:,}, with LF in {lf:,}{inside}{where}.",
        "Write them all alike (--line-ends universal does so for plain text): CR LF gets tokens of its own.",
        max(crlf, cr),
        figures.documents,
        "documents",
        group,
        tuple(figures.examples.get("crlf", figures.examples.get("cr", ()))),
    )


def _forms(figures: TextFigures, subject: str) -> Finding:
    decomposed, occurrences = _places(figures, "decomposed")
    composed, _ = _places(figures, "composed")
    if not decomposed:
        message = "Letters with marks are one character each, as in the normal form NFC."
        return Finding("normal-forms", "ok", subject, message, count=0, unit="documents")
    share = _share(figures, decomposed, occurrences)
    group, where = mostly(_by_group(figures, "decomposed"))
    beside = f"; {composed:,} have letters that are one character" if composed else ""
    return Finding(
        "normal-forms",
        "warning" if share >= DAMAGED and composed else "info",
        subject,
        f"{of_all(decomposed, figures.documents, 'documents')} have letters and marks apart that NFC "
        f"unites{where}{beside}: one word, two spellings.",
        "Give --normalize nfc, which tokenizers then do to every text.",
        decomposed,
        figures.documents,
        "documents",
        group,
        tuple(figures.examples.get("decomposed", ())),
    )
