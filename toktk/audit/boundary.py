"""Boundaries: whether a text cut in two has the ids of the whole.

A prompt that ends where a token of the whole would go on leaves a model with ids that it has seldom seen:
what token healing repairs.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from toktk.audit.finding import Finding
from toktk.audit.subject import Subject, Text, percent

_AROUND = 200  # bytes on either side of a cut
_PER_DOCUMENT = 4
_CUTS = {True: 2000, False: 500}  # of each kind, natively or by a library
_KINDS = {
    "before a space": re.compile(rb"(?<=[^\s])(?= )"),
    "after a space": re.compile(rb"(?<= )(?=[^\s])"),
    # Only where a character begins.
    "within a word": re.compile(rb"(?<=[A-Za-z\x80-\xff])(?=[A-Za-z\xc0-\xff])"),
    "after a line end": re.compile(rb"(?<=\n)(?=[^\n])"),
}
_BYTES = 1 << 14  # of a document


def boundary(subject: Subject, text: Text, jobs: int = 1) -> list[Finding]:
    """Return how often the ids of two parts, joined, are not those of the whole."""
    rates, examples, n_all, n_other = [], [], 0, 0
    for kind in _KINDS:
        cuts = cuts_of(text, kind, _CUTS[subject.is_native])
        differs = differing(subject, cuts, jobs)
        if cuts:
            rates.append(
                f"{kind} at {percent(int(differs.sum()), len(cuts))} of {len(cuts):,} cuts"
            )
        n_all, n_other = n_all + len(cuts), n_other + int(differs.sum())
        for i in np.flatnonzero(differs)[:2].tolist():
            before, after = cuts[i]
            examples.append(f"{_end_of(before)}|{after.decode()[:12]}")
    more = {"count": n_other, "of": n_all, "unit": "cuts", "examples": tuple(examples)}
    if not n_all:
        return [subject.not_checked("boundary", "the text has no place to cut.")]
    if not n_other:
        message = (
            f"the ids of two parts of a text, joined, were those of the whole at {n_all:,} cuts."
        )
        return [subject.finding("boundary", "ok", message, **more)]
    message = f"the ids of two parts, joined, are not those of the whole: {', '.join(rates)}."
    if subject.adds_space:
        message += (
            " The tokenizer puts a space in front of every text, and so of every second part."
        )
    advice = "Encode a text as a whole; let no prompt end with a space without token healing."
    return [subject.finding("boundary", "info", message, advice=advice, **more)]


def cuts_of(text: Text, kind: str, most: int) -> list[tuple[bytes, bytes]]:
    """Return what stands before and after at most so many cuts of a kind, a few of each document."""
    cuts: list[tuple[bytes, bytes]] = []
    pattern = _KINDS[kind]
    for begin, end in pairwise(text.offsets.tolist()):
        if len(cuts) >= most:
            break
        raw = text.data[begin : min(end, begin + _BYTES)].tobytes()
        raw = raw.decode(errors="ignore").encode()  # without a part of a character at its end
        places = [match.start() for match in pattern.finditer(raw)]
        step = max(1, len(places) // _PER_DOCUMENT)
        for at in places[step // 2 :: step][:_PER_DOCUMENT]:
            before = raw[max(0, at - _AROUND) : at].decode(errors="ignore").encode()
            cuts.append((before, raw[at : at + _AROUND].decode(errors="ignore").encode()))
    return cuts[:most]


def differing(subject: Subject, cuts: list[tuple[bytes, bytes]], jobs: int = 1) -> np.ndarray:
    """Return bool[n]: where the ids of the two sides of a cut, joined, are not those of the whole."""
    befores, afters = [before for before, _ in cuts], [after for _, after in cuts]
    whole, ends = subject.encode([a + b for a, b in cuts], jobs)
    left, left_ends = subject.encode(befores, jobs)
    right, right_ends = subject.encode(afters, jobs)
    differs = np.zeros(len(cuts), dtype=np.bool_)
    for i in range(len(cuts)):
        parts = (
            left[left_ends[i] : left_ends[i + 1]],
            right[right_ends[i] : right_ends[i + 1]],
        )
        differs[i] = not np.array_equal(whole[ends[i] : ends[i + 1]], np.concatenate(parts))
    return differs


def _end_of(raw: bytes) -> str:
    return raw.decode()[-12:]
