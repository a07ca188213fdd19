"""Findings on languages: whether translations have the bytes that they should, and shares of content."""

from __future__ import annotations

from toktk.audit.finding import Finding
from toktk.audit.text_balance import main_script, shares_line, shares_of_bytes
from toktk.audit.text_figures import TextFigures
from toktk.audit.text_languages import Language, language_of
from toktk.audit.text_wording import percent
from toktk.visible import visible_name

FAR_OFF = 0.25
"""How far a translation's bytes may be from the premium of its language. Two texts of one language differ by
a tenth, as formal and plain ones do; half a translation is half off."""

LEAST_LINES = 30
"""Fewer aligned lines say nothing of a language."""

DISTORTED = 1.5
"""How many times a group's share of content is its share of bytes, or the reverse, to be told of."""

_KNOWN = 0.9  # of the bytes in groups of known languages, for content to be told of
_SHOWN = 8


def premium_findings(figures: TextFigures, subject: str) -> list[Finding]:
    """Return what there is to say of parallel text by lines, and of other text by shares."""
    if figures.reference:
        return [_translations(figures, subject)]
    return [_content(figures, subject)] if len(figures.groups) > 1 else []


def _language(figures: TextFigures, group: str) -> Language | None:
    """Return the language of a group, if it is written in the script that its premium is of."""
    language = language_of(group)
    script, _ = main_script(figures, figures.groups.index(group))
    return language if language is not None and script in language.scripts else None


def _translations(figures: TextFigures, subject: str) -> Finding:
    reference = _language(figures, figures.reference)
    off: dict[str, float] = {}
    measured: dict[str, float] = {}
    for group, translation in figures.translations.items():
        language = _language(figures, group)
        if (
            language
            and reference
            and translation.lines >= LEAST_LINES
            and translation.reference_bytes
        ):
            measured[group] = translation.n_bytes / translation.reference_bytes
            off[group] = measured[group] * reference.premium / language.premium - 1
    check, against = "byte-premium", visible_name(figures.reference)
    if not off:
        message = f"Fewer than {LEAST_LINES} aligned lines, or of no known language: premiums say nothing."
        return Finding(check, "ok", subject, message, count=0, of=0, unit="groups")
    far = sorted((g for g in off if abs(off[g]) > FAR_OFF), key=lambda g: (-abs(off[g]), g))
    if not far:
        worst = max(off, key=lambda group: abs(off[group]))
        return Finding(
            check,
            "ok",
            subject,
            f"Translations of {against} into {len(off):,} languages have the bytes that they have of "
            f"FLORES, within {percent(FAR_OFF)}; furthest off is {visible_name(worst)} ({off[worst]:+.0%}).",
            count=0,
            of=len(off),
            unit="groups",
        )
    told = "; ".join(
        f"{visible_name(g)} has {measured[g]:.2f} times the bytes of {against}, where "
        f"{measured[g] / (1 + off[g]):.2f} are usual"
        for g in far[:_SHOWN]
    )
    more = f" and {len(far) - _SHOWN:,} more" if len(far) > _SHOWN else ""
    return Finding(
        check,
        "warning",
        subject,
        f"{len(far):,} of {len(off):,} translations are far from the bytes of FLORES: {told}{more}.",
        "See whether lines are aligned (--align-column), cut off, or not translated.",
        len(far),
        len(off),
        "groups",
        far[0] if len(far) == 1 else "",
    )


def _content(figures: TextFigures, subject: str) -> Finding:
    """Say what share of content each language has: bytes over its premium."""
    shares = shares_of_bytes(figures)
    languages = {group: _language(figures, group) for group in figures.groups}
    content = {g: shares[g] / language.premium for g, language in languages.items() if language}
    known = sum(shares[group] for group in content)
    shares = {group: shares[group] / max(known, 1e-9) for group in content}
    if len(content) < 2 or known < _KNOWN:
        message = "The groups are not named after languages whose bytes per content are known."
        return Finding("content", "ok", subject, message, unit="groups")
    total = sum(content.values())
    content = {group: share / total for group, share in content.items()}
    told = ", ".join(f"{visible_name(g)} {percent(shares[g])}" for g in _distorted(shares, content))
    about = f"By content, bytes over the byte premium of FLORES: {shares_line(content)}."
    if not told:
        return Finding("content", "ok", subject, about, unit="groups")
    return Finding(
        "content",
        "info",
        subject,
        f"{about} Far from that by bytes: {told}.",
        "Weigh texts by content if all languages are to have a like share: -c de=german/:0.3.",
        unit="groups",
    )


def _distorted(shares: dict[str, float], content: dict[str, float]) -> list[str]:
    """Return the groups whose share of bytes is far from that of content, the largest first."""
    ratios = {group: shares[group] / content[group] for group in content if content[group]}
    far = [group for group, r in ratios.items() if not 1 / DISTORTED <= r <= DISTORTED]
    return sorted(far, key=lambda group: (-shares[group], group))[:_SHOWN]
