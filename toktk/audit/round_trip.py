"""Round trips: whether the tokens of a text spell the text, and what changes it where they do not.

What tokens spell is their bytes, one after the other. A library's own decoder may do more or less than that,
such as drop the space that was put in front.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from toktk.arrays import Ids, Int64
from toktk.audit.finding import Finding, Severity
from toktk.audit.subject import EXAMPLES, Subject, Text, percent, shown
from toktk.loading.torture import TORTURE

_QUOTED = 60  # characters of an example
_TRIED = 2000  # documents whose causes are looked for


class Cause(NamedTuple):
    """Something that changes text.

    Attributes:
        name: what a finding calls it.
        severity: of the finding.
        same: what makes two texts equal where nothing else differs.
    """

    name: str
    severity: Severity
    same: Callable[[str], str]


def _without(categories: str) -> Callable[[str], str]:
    def drop(text: str) -> str:
        return "".join(c for c in text if unicodedata.category(c) not in categories.split())

    return drop


def _without_marks(text: str) -> str:
    kept = (c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return "".join(kept)


def _form(name: str) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(name, text)  # type: ignore[arg-type]


PREFIX = Cause("a space is put in front", "info", str)
# The mildest first: the first that explains a difference is its cause.
CAUSES = (
    Cause("U+2581 becomes a space", "warning", lambda text: text.replace("\u2581", " ")),
    Cause("canonical normalization (NFC or NFD)", "info", _form("NFC")),
    Cause("CR LF becomes LF", "warning", lambda text: re.sub("\r\n?", "\n", text)),
    Cause("white space at the ends is dropped", "warning", str.strip),
    Cause("runs of white space become one space", "warning", lambda t: " ".join(t.split())),
    Cause("white space is dropped", "warning", lambda text: "".join(text.split())),
    Cause("compatibility normalization (NFKC or NFKD)", "warning", _form("NFKC")),
    Cause("upper case becomes lower case", "warning", lambda text: text.lower()),
    Cause("control and format characters are dropped", "warning", _without("Cc Cf")),
    Cause("accents are dropped", "warning", _without_marks),
)
UNKNOWN = Cause("text becomes the unknown token", "error", str)
OTHER = Cause("text is changed or lost in another way", "error", str)


def causes_of(before: str, after: str) -> list[Cause]:
    """Return what turns one text into another: one cause, the fewest of several, or `OTHER`."""
    rests: list[tuple[list[Cause], str]] = [([], after)]
    if after.startswith(" "):
        rests.insert(1 if before.startswith(" ") else 0, ([PREFIX], after[1:]))
    for causes, rest in rests:
        if rest == before:
            return causes
    for causes, rest in rests:
        for cause in CAUSES:
            if cause.same(before) == cause.same(rest):
                return [*causes, cause]
    for causes, rest in rests:
        if _are_same(CAUSES, before, rest):
            return [*causes, *_fewest(before, rest)]
    return [OTHER]


def _fewest(before: str, after: str) -> list[Cause]:
    """Return the causes that are needed together, the severest left out first."""
    needed = [*CAUSES]
    for cause in CAUSES[::-1]:
        fewer = [each for each in needed if each is not cause]
        if _are_same(fewer, before, after):
            needed = fewer
    return needed


def _are_same(causes: Iterable[Cause], before: str, after: str) -> bool:
    for cause in causes:
        before, after = cause.same(before), cause.same(after)
    return before == after


def round_trip(subject: Subject, text: Text | None, jobs: int = 1) -> list[Finding]:
    """Return what changes text, by cause: tricky texts, and the documents of a corpus."""
    raws = [each.encode() for each in TORTURE]
    ids, ends = subject.encode(raws, jobs)
    findings = _judged(subject, "round-trip", f"{len(raws)} tricky texts", raws, ids, ends)
    if text is None:
        return findings
    documents = [text.document(d) for d in range(len(text))]
    of_text = _judged(subject, "round-trip-corpus", text.described, documents, text.ids, text.ends)
    return findings + of_text


def _judged(
    subject: Subject, check: str, what: str, raws: Sequence[bytes], ids: Ids, ends: Int64
) -> list[Finding]:
    """Return a finding for each cause, or that there is none."""
    unknown: int | None = getattr(subject.model, "unknown_id", None)
    after = subject.decoded(ids, ends)
    examples: defaultdict[Cause, list[str]] = defaultdict(list)
    counts: Counter[Cause] = Counter()
    differing = [d for d, raw in enumerate(raws) if after[d] != raw]
    for d in differing[:_TRIED]:
        if unknown is not None and bool((ids[ends[d] : ends[d + 1]] == unknown).any()):
            found = [UNKNOWN]
        elif not _is_text(after[d]):
            found = [OTHER]
        else:
            found = causes_of(raws[d].decode(), after[d].decode())
        for cause in found:
            counts[cause] += 1
            examples[cause].append(_difference(raws[d], after[d]))
    if not differing:
        same = f"the tokens of {what} spell every byte of them."
        return [subject.finding(check, "ok", same, count=0, of=len(raws), unit="documents")]
    looked_at, others = len(raws), ""
    if len(differing) > _TRIED:
        looked_at = differing[_TRIED - 1] + 1
        what = f"the first {looked_at:,} of {what}"
        others = f" In all, {len(differing):,} do, for this cause or another."
    finding = functools.partial(subject.finding, check, of=looked_at, unit="documents")
    return [
        finding(
            cause.severity,
            f"{cause.name}: the tokens of {n:,} of {what} spell another text "
            f"({percent(n, looked_at)}).{others}",
            advice=_advice(cause),
            count=n,
            examples=tuple(examples[cause][:EXAMPLES]),
        )
        for cause, n in counts.most_common()
    ]


def _advice(cause: Cause) -> str:
    if cause is UNKNOWN:
        return "Use byte fallback or byte-level BPE: what is unknown cannot be decoded."
    if cause is OTHER:
        return "See with toktk show what becomes of an example."
    if cause.severity == "info":
        return ""
    return "Measure in bytes of the source text, and do not expect the text back."


def _is_text(raw: bytes) -> bool:
    return raw.decode(errors="replace").encode() == raw


def _difference(before: bytes, after: bytes) -> str:
    """Return an excerpt of a text where what its tokens spell first differs."""
    n = min(len(before), len(after))
    a, b = np.frombuffer(before, np.uint8, n), np.frombuffer(after, np.uint8, n)
    differs = np.flatnonzero(a != b)
    at = int(differs[0]) if differs.size else n
    start = before[:at].decode(errors="ignore")[-10:]
    rest = shown(before[len(before[:at].decode(errors="ignore").encode()) :])
    return f"{start}{rest}"[:_QUOTED]
