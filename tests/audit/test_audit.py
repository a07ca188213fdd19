"""The whole audit of small tokenizers, on no text and on one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from audited import of_ranks, only, opened, word_pieces
from nasty import NASTY_TEXTS
from public_samples import LLAMA2, write
from small_corpora import lines

from toktk.audit.subject import Subject
from toktk.audit.tokenizer import CHECKS, Asked, Scope, audit_tokenizer, run_checks
from toktk.corpus import Corpus
from toktk.errors import FormatError, ToktkError
from toktk.lab.counted import CountedCorpora
from toktk.lab.meter import Meter, Watcher

QUICK = Asked(tuple(name for name in CHECKS if name != "speed"))


class Steps(Watcher):
    """Remembers the steps of an audit: name, total, done."""

    def __init__(self) -> None:
        self.seen: list[list[object]] = []
        self.open: list[list[object]] = []

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        self.open.append([step, total, 0])

    def advance(self, amount: int) -> None:
        self.open[-1][2] += amount  # type: ignore[operator]

    def end(self) -> None:
        self.seen.append(self.open.pop())


def counted(watcher: Watcher | None = None) -> CountedCorpora:
    return CountedCorpora(Meter(watcher), 2)


def test_all_checks_of_a_tokenizer_and_a_text(tmp_path: Path, tokenizer, home: Path):
    tokenizer.save(tmp_path / "mine")
    groups = ["en"] * 40 + ["ja"] * 40
    text = Corpus.of(lines("en", 40) + lines("ja", 40), groups, name="news")
    steps = Steps()
    findings = audit_tokenizer(opened(tmp_path / "mine"), text, counted(steps), asked=QUICK)
    assert {finding.subject for finding in findings} == {"mine"}
    by_check = {finding.check: finding.severity for finding in findings}
    assert by_check["round-trip-corpus"] == "ok"
    assert by_check["determinism"] == "ok"
    assert by_check["never-used"] == "info"
    assert by_check["special-injected"] == "warning"
    assert not [finding for finding in findings if finding.severity == "error"]
    assert not [finding for finding in findings if "not checked" in finding.message]
    assert ["audit", len(CHECKS) - 1, len(CHECKS) - 1] in steps.seen
    assert all(total is None or done == total for _, total, done in steps.seen)
    assert findings == audit_tokenizer(opened(tmp_path / "mine"), text, counted(), asked=QUICK)


def test_nasty_text_breaks_no_check(tmp_path: Path, home: Path):
    path = write(tmp_path / "nasty" / "tokenizer.json", LLAMA2)
    text = Corpus.of(NASTY_TEXTS, name="nasty")
    findings = audit_tokenizer(opened(path), text, counted(), text, QUICK)
    assert only(findings, "truncation").severity == "warning"
    assert "Of these, 0 (0%) are used in" in only(findings, "never-used").message
    loaded = word_pieces(tmp_path, ["a"]).loaded
    assert loaded is not None
    findings = audit_tokenizer(loaded, text, counted(), asked=QUICK)
    assert only(findings, "lost-text").severity == "error"


def test_only_what_is_asked_for(home: Path):
    scope = Scope(of_ranks([b"ab"]), counted())
    findings = run_checks(scope, Asked(("hygiene", "utf8")))
    assert {finding.check for finding in findings} == {
        "partial-utf8", "missing-bytes", "holes", "duplicates", "variants", "long-tokens",
        "blank-tokens", "mixed-scripts", "private",
    }  # fmt: skip
    (used, alone) = run_checks(scope, Asked(("usage",)))
    assert used.message == alone.message == "not checked: give a text with -c."
    with pytest.raises(ToktkError, match="no check is called 'utf'") as error:
        Asked(("utf",))
    assert error.value.is_usage
    assert "did you mean 'utf8'" in str(error.value)


def test_counts_alone_are_not_audited(tmp_path: Path, home: Path):
    # Checks of the vocabulary would find nothing wrong, for there is none.
    counts = pa.table({"sha256": [hashlib.sha256(b"text").hexdigest()], "tokens": [1]})
    pq.write_table(counts, tmp_path / "closed.parquet")
    with pytest.raises(FormatError, match="cannot audit counts:") as caught:
        audit_tokenizer(opened(f"counts:{tmp_path / 'closed.parquet'}"), None, counted())
    assert "counts of tokens alone" in str(caught.value)


def test_a_library_that_fails_ends_no_other_check(home: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(scope: Scope) -> list[object]:
        raise FormatError("cannot encode this text.", "Found: a panic.")

    monkeypatch.setitem(CHECKS, "boundary", fails)
    subject: Subject = of_ranks([])
    findings = run_checks(Scope(subject, counted()), Asked(("boundary", "utf8")))
    assert (
        only(findings, "boundary").message
        == "not checked: cannot encode this text. Found: a panic."
    )
    assert only(findings, "missing-bytes").severity == "ok"
