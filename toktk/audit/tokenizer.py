"""The audit of a tokenizer: all checks in turn, on the vocabulary alone and on a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from toktk.audit.boundary import boundary
from toktk.audit.determinism import determinism
from toktk.audit.files import files
from toktk.audit.finding import Finding
from toktk.audit.hygiene import hygiene
from toktk.audit.lost import lost_text
from toktk.audit.reachability import reachability
from toktk.audit.round_trip import round_trip
from toktk.audit.special import special, special_in
from toktk.audit.speed import speed
from toktk.audit.subject import Subject, Text
from toktk.audit.usage import usage
from toktk.audit.utf8 import utf8
from toktk.corpus import Corpus
from toktk.errors import FormatError, ToktkError, as_usage, did_you_mean, in_a_line
from toktk.lab.counted import CountedCorpora
from toktk.loading.load import Loaded
from toktk.loading.sample import first_documents
from toktk.models.counts import COUNTS_ALONE, CountsModel


@dataclass
class Scope:
    """What the checks look at.

    Attributes:
        subject: the tokenizer.
        corpus, text: a text, and documents of it as the tokenizer encodes them; None without one.
        second: documents of another text, in which unused ids are looked for.
        counted: the store of texts, the meter and the number of threads.
    """

    subject: Subject
    counted: CountedCorpora
    corpus: Corpus | None = None
    text: Text | None = None
    second: Text | None = None

    @property
    def jobs(self) -> int:
        """Threads; they change no finding."""
        return self.counted.jobs


def _special(scope: Scope) -> list[Finding]:
    found = special(scope.subject)
    if scope.corpus is not None:
        found += special_in(scope.subject, scope.corpus, scope.counted)
    return found


def _usage(scope: Scope) -> list[Finding]:
    if scope.text is None:
        why = "give a text with -c."
        return [scope.subject.not_checked(check, why) for check in ("never-used", "one-document")]
    return usage(scope.subject, scope.text, scope.second)


def _boundary(scope: Scope) -> list[Finding]:
    if scope.text is None:
        return [scope.subject.not_checked("boundary", "give a text with -c.")]
    return boundary(scope.subject, scope.text, scope.jobs)


CHECKS: dict[str, Callable[[Scope], list[Finding]]] = {
    "files": lambda scope: files(scope.subject),
    "reachability": lambda scope: reachability(scope.subject, scope.jobs),
    "utf8": lambda scope: utf8(scope.subject, scope.text),
    "lost": lambda scope: lost_text(scope.subject, scope.text, scope.jobs),
    "round-trip": lambda scope: round_trip(scope.subject, scope.text, scope.jobs),
    "special": _special,
    "hygiene": lambda scope: hygiene(scope.subject),
    "usage": _usage,
    "boundary": _boundary,
    "determinism": lambda scope: determinism(scope.subject, scope.text, scope.jobs),
    "speed": lambda scope: speed(scope.subject),
}
"""What can be asked for, in the order in which it is done."""


@dataclass(frozen=True)
class Asked:
    """What an audit is to do: `checks` by name, all by default.

    Raises:
        ToktkError: there is no such check.
    """

    checks: tuple[str, ...] = field(default=tuple(CHECKS))

    def __post_init__(self) -> None:
        for name in self.checks:
            if name not in CHECKS:
                known = f"Known: {', '.join(CHECKS)}."
                raise as_usage(
                    ToktkError(f"no check is called {name!r}{did_you_mean(name, CHECKS)}.", known)
                )


def audit_tokenizer(
    loaded: Loaded,
    corpus: Corpus | None,
    counted: CountedCorpora,
    second: Corpus | None = None,
    asked: Asked = Asked(),
) -> list[Finding]:
    """Return what is found of a tokenizer, in the order of the checks.

    It is first held against its library, on tricky text and the first documents of the text. A check that its
    library cannot bear is a finding of its own, and ends no other.

    Raises:
        ToktkError: the tokenizer or a text cannot be read, or the tokenizer is counts of tokens alone.
    """
    meter = counted.meter
    documents: Sequence[str] = [] if corpus is None else first_documents(corpus, counted.store)
    with meter.step("check", loaded.label, 1, "tokenizers") as advance:
        tokenizer = loaded.checked(documents)
        advance(1)
    if isinstance(tokenizer.model, CountsModel):
        raise FormatError(
            f"cannot audit {loaded.spec}.",
            f"Found: {COUNTS_ALONE}.",
            "Audit the tokenizer's own files; toktk bench and compare take its counts.",
        )
    scope = Scope(Subject(tokenizer, loaded), counted, corpus)
    if corpus is not None:
        scope.text = _text_of(scope, corpus)
    if second is not None:
        scope.second = _text_of(scope, second)
    return run_checks(scope, asked)


def run_checks(scope: Scope, asked: Asked = Asked()) -> list[Finding]:
    """Return what the checks find, one after the other."""
    findings: list[Finding] = []
    names = [name for name in CHECKS if name in asked.checks]
    with scope.counted.meter.step("audit", scope.subject.label, len(names), "checks") as advance:
        for name in names:
            try:
                findings += CHECKS[name](scope)
            except FormatError as error:  # a library that fails at a text, or takes too long
                why = f"{in_a_line(error)}"
                findings.append(scope.subject.not_checked(name, why))
            advance(1)
    return findings


def _text_of(scope: Scope, corpus: Corpus) -> Text:
    sample = scope.counted.sample(corpus)
    return Text.of(corpus.name, sample, scope.subject, scope.jobs)
