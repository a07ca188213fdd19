"""How hard a text is to predict from its ids: bits per byte of n-gram models, on documents held out.

The models are counted, not trained, and see two tokens back at most. A tokenizer that they predict badly is
seldom a good one of its size; which of two good ones is better they cannot say, and of sizes nothing at all.
"""

from __future__ import annotations

from toktk.errors import MetricError
from toktk.metrics.base import Case, Column, Figure, Quotient, metric
from toktk.pieces.table import POOLED

TOPIC = "ngram"
BYTES = "ngram_bytes"
"""The quantity below the figures: bytes of the documents that are priced."""


def bits_name(order: int) -> str:
    """Return what the quantity above a figure is called: the bits of an order, in thousandths."""
    return f"ngram_bits[{order}]"


@metric(
    "ngram_bpb",
    "bits/byte",
    "lower",
    topic=TOPIC,
    formula="[n]: sum of -log2 p(token | n - 1 tokens before it), over ids and end of held-out documents "
    "/ their bytes before any normalizer; p: interpolated modified Kneser-Ney, down to 1 / (ids + 1)",
    trap="It never ranks sizes: compare tokenizers of one size (within 5 %), on one text. It screens out bad "
    "tokenizers and does not choose among good ones; the evidence (|rho| .80 with the loss of 48 models for "
    "n = 2) is of an unreviewed draft. A context is n - 1 tokens, which favors long tokens as n grows: n = 3 "
    "wants much text for each id. Do not compare languages. Null where a document does not come back from "
    "its ids: what is lost costs no bits.",
    source="Chen & Goodman 1999; end and beginning of documents as in KenLM, Heafield et al. 2013",
)
def ngram_bpb(case: Case) -> list[Figure]:
    """How many bits a byte of unseen documents costs n-gram models of one, two and three tokens."""
    ngrams = case.options.ngrams
    if ngrams is None:
        raise MetricError(
            f"{case.name} needs the text itself, not counts of its pieces alone.",
            "Found: no documents to learn from.",
            "Measure it with toktk sweep, toktk bench or toktk.evaluate.",
        )
    rows: list[tuple[str, list[int], tuple[str, ...] | None]] = [
        (POOLED, [*range(len(ngrams.groups))], None)
    ]
    rows += [(name, [g], (name,)) for g, name in enumerate(ngrams.groups)]
    figures = []
    for i, bits in enumerate(ngrams.bits):
        name = f"{case.name}[{i + 1}]"
        for group, numbers, of in rows:
            n, n_bytes = int(ngrams.documents[numbers].sum()), int(ngrams.bytes[numbers].sum())
            changed = int(ngrams.changed[numbers].sum())
            if changed:
                why = f"{changed:,} of {n:,} held-out documents do not come back from their ids"
                figures.append(Figure(group, name, None, case.unit, n, why, "changed"))
                continue
            if not ngrams.learned or not n_bytes:
                why = "no document is held out" if ngrams.learned else "nothing to learn from"
                figures.append(Figure(group, name, None, case.unit, n, why, "empty"))
                continue
            made_of = Quotient(Column(bits_name(i + 1), of), Column(BYTES, of), of_sample=True)
            value = int(bits[numbers].sum()) / 1000 / n_bytes
            figures.append(Figure(group, name, value, case.unit, n, made_of=made_of))
            if group == POOLED and (half := int(ngrams.half[i].sum())):
                about = f"{ngrams.about}; this figure is of half of what is learned from"
                figures.append(
                    Figure(group, f"{name}|half", half / 1000 / n_bytes, case.unit, n, about)
                )
    return figures
