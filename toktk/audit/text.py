"""The audit of a text alone."""

from __future__ import annotations

from toktk.audit.finding import Finding
from toktk.corpus import Corpus
from toktk.lab.counted import CountedCorpora


def audit_text(corpus: Corpus, training: bool, counted: CountedCorpora) -> list[Finding]:
    """Return what is found of a text; `training`: a vocabulary is to be learned from it."""
    return []
