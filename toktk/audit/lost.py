"""Text that is lost: characters that no token stands for, by script, of all that there are and of a text."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from toktk.arrays import Bytes, Int64, packed
from toktk.audit.finding import Finding, Severity
from toktk.audit.scripts import assigned, script_or_kind
from toktk.audit.subject import EXAMPLES, Subject, Text, percent
from toktk.models.model import bytes_lost, spells_all

_MOST_SCRIPTS = 8


def lost_text(subject: Subject, text: Text | None, jobs: int = 1) -> list[Finding]:
    """Return which characters are lost: of all that Unicode has assigned, and of a text."""
    check = "lost-characters"
    if spells_all(subject.model):
        every = "every byte has a token, so no character is lost."
        return [subject.finding(check, "ok", every, count=0, unit="characters")]
    characters = assigned()
    lost = _lost(subject, _lost(subject, characters), "a{}a")  # alone, it may be dropped as an end
    findings = [_of_unicode(subject, characters, lost)]
    if text is not None:
        findings.append(_of_text(subject, text, frozenset(lost)))
    return findings


def _lost(subject: Subject, characters: Sequence[str], around: str = "{}") -> list[str]:
    """Return the characters that are lost within some text."""
    documents = packed([around.format(character).encode() for character in characters])
    is_lost = _lost_of(subject, *documents) > 0
    return [c for c, gone in zip(characters, is_lost.tolist(), strict=True) if gone]


def _lost_of(subject: Subject, data: Bytes, offsets: Int64) -> Int64:
    """Return int64[D]: the bytes of each document that no token stands for."""
    pieces = subject.tokenizer.pretokenizer.cut_batch(data, offsets)
    ids, ends = subject.model.encode_pieces(pieces.data, pieces.offsets)
    lost = bytes_lost(subject.model, pieces.data, pieces.offsets, ids, ends)
    sums = np.append(0, np.cumsum(lost))
    return np.asarray(np.diff(sums[pieces.documents]), dtype=np.int64)


def _of_unicode(subject: Subject, characters: str, lost: Sequence[str]) -> Finding:
    n = len(characters)
    finding = functools.partial(
        subject.finding, "lost-characters", count=len(lost), of=n, unit="characters",
        examples=tuple(lost[:EXAMPLES]),
    )  # fmt: skip
    version = f"Unicode {unicodedata.unidata_version}"
    if not lost:
        return finding("ok", f"none of the {n:,} characters of {version} is lost.")
    of, gone = _scripts(characters), _scripts(lost)
    whole = [script for script, k in gone.most_common() if k == of[script]]
    partly = [f"{s} {k:,} of {of[s]:,}" for s, k in gone.most_common() if k < of[s]]
    told = [f"all of {_few(whole)}"] if whole else []
    told += [f"in part {_few(partly)}"] if partly else []
    ascii_lost = [c for c in lost if " " <= c <= "~"]
    severity: Severity = "error" if ascii_lost else "warning"
    also = f" Among them {len(ascii_lost)} of the 95 printable ones of ASCII." if ascii_lost else ""
    message = (
        f"{len(lost):,} of {n:,} characters of {version} ({percent(len(lost), n)}) are lost: no token stands "
        f"for them: {'; '.join(told)}.{also}"
    )
    advice = "A model cannot tell such text apart: byte fallback or byte-level BPE loses none."
    return finding(severity, message, advice=advice)


def _of_text(subject: Subject, text: Text, lost: frozenset[str]) -> Finding:
    data = text.data.tobytes().decode()
    gone = Counter(data)
    counts = Counter({c: n for c, n in gone.items() if c in lost})
    n_bytes = int(_lost_of(subject, text.data, text.offsets).sum())
    of = int(text.offsets[-1])
    if not n_bytes:
        message = f"no byte of {text.described} is lost."
        return subject.finding("lost-text", "ok", message, count=0, of=of, unit="bytes")
    scripts: Counter[str] = Counter()
    for character, n in counts.items():
        scripts[script_or_kind(character)] += n
    listed = [f"{script} {n:,}" for script, n in scripts.most_common()]
    which = f" Characters, by script: {_few(listed)}." if listed else ""
    message = (
        f"{n_bytes:,} of {of:,} bytes ({percent(n_bytes, of)}) of {text.described} are lost: no token stands "
        f"for them.{which}"
    )
    examples = tuple(c for c, _ in counts.most_common(EXAMPLES))
    advice = (
        "What is lost no model sees and no decoder gives back: choose a vocabulary that has it."
    )
    severity: Severity = "warning" if counts and not "".join(counts).strip() else "error"
    return subject.finding(
        "lost-text", severity, message, count=n_bytes, of=of, unit="bytes", examples=examples,
        advice=advice,
    )  # fmt: skip


def _scripts(characters: Sequence[str]) -> Counter[str]:
    return Counter(map(script_or_kind, characters))


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SCRIPTS
    return ", ".join(names[:_MOST_SCRIPTS]) + (f" and {more:,} more" if more > 0 else "")
