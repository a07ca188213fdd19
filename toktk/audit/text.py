"""The audit of a text: what is wrong with it, and what a tokenizer would learn from that.

All is found out in one reading, and kept: an audit of the same text is there at once. Where there are
repeats, a part of the text is read again to quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toktk.audit.finding import Finding
from toktk.audit.text_balance import balance_findings
from toktk.audit.text_damage import damage_findings
from toktk.audit.text_duplicates import repeat_findings
from toktk.audit.text_figures import TextFigures
from toktk.audit.text_premiums import premium_findings
from toktk.audit.text_reading import read_figures
from toktk.lab.reading import fingerprint_text

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.lab.counted import CountedCorpora


def audit_text(corpus: Corpus, training: bool, counted: CountedCorpora) -> list[Finding]:
    """Return what is wrong with a text, and what was looked for in vain; in the order of the checks.

    Args:
        corpus: the text.
        training: it is to be trained on, so warn of what a vocabulary would be spent on.
        counted: its store keeps the figures, its meter is told what is read.

    Raises:
        CorpusError: the text cannot be read, or has no documents.
    """
    figures = figures_of(corpus, counted)
    subject = corpus.name
    return [
        *damage_findings(figures, subject),
        *repeat_findings(figures, subject, training),
        *balance_findings(figures, subject, training),
        *premium_findings(figures, subject),
    ]


def figures_of(corpus: Corpus, counted: CountedCorpora) -> TextFigures:
    """Return the figures of a text, from the store or by reading it."""
    fingerprint_text(counted.meter, corpus.name, corpus, counted.jobs)
    key = {"corpus": corpus.fingerprint}
    figures = counted.store.read("audit", key, TextFigures.load)
    if figures is not None:
        counted.meter.reused("audit", corpus.name)
        return figures
    figures = read_figures(corpus, counted.meter)
    counted.store.write("audit", key, figures.save)
    return figures
