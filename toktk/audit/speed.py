"""Speed: how the time to encode grows with the length of texts on which encoders are known to blow up."""

from __future__ import annotations

from collections.abc import Sequence

from toktk.audit.finding import Finding
from toktk.audit.subject import Subject, plural
from toktk.errors import FormatError
from toktk.paths import temporary_folder
from toktk.timing.engines import engines_for
from toktk.timing.figures import Timing
from toktk.timing.pathological import KINDS, LENGTHS, pathological

FLAGGED = 1.3
"""An exponent of the time above this is told; 1 is linear, 2 quadratic."""

_LENGTHS = LENGTHS[::2]  # 4 KiB to 1 MiB, four times as long each
_NAMES = {
    "letter": "one letter again and again", "spaces": "spaces", "digits": "digits",
    "cjk": "Chinese characters without a space", "emoji": "emoji",
}  # fmt: skip


def speed(subject: Subject) -> list[Finding]:
    """Time the file's library, and toktk's engine if it has one, in processes of their own."""
    if subject.loaded is None:
        return [subject.not_checked("speed", "the tokenizer is at hand, and in no file.")]
    with temporary_folder() as folder:
        try:
            engines = engines_for(subject.loaded, folder)
        except FormatError as error:
            return [subject.not_checked("speed", f"{error.args[0]}")]
        timings = pathological(subject.label, engines, folder, 1, _LENGTHS)
    return growth(subject.label, timings)


def growth(label: str, timings: Sequence[Timing]) -> list[Finding]:
    """Return what is said of timings: of each kind of text whose time grows faster than its length."""
    findings = []
    for timing in timings:
        if timing.unit == "exponent" and (found := _of_kind(label, timing)) is not None:
            findings.append(found)
    if findings:
        return findings
    engines = dict.fromkeys(f"{timing.engine} {timing.version}" for timing in timings)
    known = [t.value for t in timings if t.unit == "exponent" and t.value is not None]
    if not known:
        why = "not checked: no text was long enough to tell how the time grows."
        return [Finding("speed", "info", label, why)]
    message = (
        f"the time of {' and '.join(engines)} grows as the length of the text, up to 1 MiB, on "
        f"{plural(len(KINDS), 'kind')} of hard text: exponents {min(known):.2f} to {max(known):.2f}."
    )
    return [Finding("speed", "ok", label, message, count=0, of=len(known), unit="kinds of text")]


def _of_kind(label: str, timing: Timing) -> Finding | None:
    """Return what is wrong with one kind of text; None where the time grows as the text does.

    An exponent counts where all of its interval is above the limit: what else the machine does is no finding.
    """
    kind = timing.what.partition(":")[2]
    engine = f"{timing.engine} {timing.version}"
    advice = "Cut such runs before encoding, or limit the length of text that strangers send."
    value, low = timing.value, timing.low
    if value is not None and low is not None and low > FLAGGED:
        stopped = f"; {timing.note}" if timing.note else ""
        message = (
            f"{_NAMES.get(kind, kind)}: the time of {engine} grows as the length to the power of {value:.2f} "
            f"(95% {low:.2f} to {timing.high or value:.2f}, {timing.n} lengths){stopped}."
        )
        return Finding("speed", "warning", label, message, advice, 1, unit="kinds of text")
    if timing.note:
        message = f"{_NAMES.get(kind, kind)}: {engine} ended with: {timing.note}."
        return Finding("speed", "warning", label, message, advice, 1, unit="kinds of text")
    return None
