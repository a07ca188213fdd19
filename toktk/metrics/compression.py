"""How few tokens carry the text: bytes per token, its ceiling, and the plain totals behind them.

Compare bytes per token between tokenizers on the same text, never between languages: a Cyrillic
letter is two bytes and a Chinese character three. Across languages use `tokens_per_line`.
"""

from __future__ import annotations

from toktk.metrics.base import Case, Figure, Metric, metric


@metric(
    "tokens",
    "tokens",
    "lower",
    formula="sum of tokens",
    trap="It grows with the text. Compare tokenizers on the same text only.",
    source="corpus token count (Schmidt et al. 2024)",
)
def tokens(case: Case) -> list[Figure]:
    """How many tokens the text takes."""
    return case.totals(case.tokens)


def _count(name: str, description: str, formula: str, trap: str, pieces: bool = False) -> Metric:
    """Return the metric of a plain count, which `Totals` has under the same name."""

    def figures(case: Case) -> list[Figure]:
        return case.totals(getattr(case.evaluation, name))

    figures.__doc__ = description
    define = metric(
        name, name, None, pieces=pieces, formula=formula, trap=trap, source="common use"
    )
    return define(figures)


utf8_bytes = _count(
    "bytes",
    "How long the text is in bytes.",
    "sum of UTF-8 bytes, before any normalizer",
    "Bytes do not measure content across languages: a Cyrillic letter takes two, a Chinese character three.",
)
chars = _count(
    "chars",
    "How long the text is in characters.",
    "sum of Unicode scalar values",
    "What a reader sees as one character may be several: an accented letter in NFD is two, an emoji of a "
    "family is seven.",
)
documents = _count(
    "documents",
    "How many documents the text has.",
    "sum of the documents' weights; a document without a weight counts once",
    "A document is what the reader makes of the text: a line of a .txt file, a file of source code, a row "
    "of a table. Intervals rest on it.",
)
pieces = _count(
    "pieces",
    "How many pieces the pretokenizer cuts the text into.",
    "sum of pieces",
    "It depends on the pretokenizer alone. Two vocabularies with the same cut have the same figure.",
    pieces=True,
)


@metric(
    "bytes_per_token",
    "bytes/token",
    "higher",
    formula="sum of bytes / sum of tokens",
    trap="Compare tokenizers on the same text, never languages: scripts differ in bytes per character. The "
    "group with most bytes decides the pooled figure. Text that is lost raises it: see lost.",
    source="common use",
)
def bytes_per_token(case: Case) -> list[Figure]:
    """How much text a token carries: compression."""
    return case.ratios("bytes", "tokens", "no tokens")


@metric(
    "lost",
    "share",
    "lower",
    formula="bytes of characters that no token covers, or only the unknown token / bytes",
    trap="Lost text raises bytes_per_token and lowers every count of tokens. Characters that the vocabulary "
    "lacks are lost, text between pieces, what a normalizer deletes, and all white space but one character "
    "that becomes a space. What a normalizer changes (case, accents, forms) is not lost where a token "
    "covers it.",
    source="toktk",
)
def lost(case: Case) -> list[Figure]:
    """How much of the text no token stands for."""
    return case.ratios("lost", "bytes", "no text")


@metric(
    "bytes_per_piece",
    "bytes/piece",
    None,
    pieces=True,
    formula="sum of bytes / sum of pieces",
    trap="It belongs to the pretokenizer and is no score: one that never cuts has the highest.",
    source="toktk",
)
def bytes_per_piece(case: Case) -> list[Figure]:
    """Ceiling of bytes_per_token: no vocabulary over this pretokenizer passes it."""
    return case.ratios("bytes", "pieces", "no pieces")


@metric(
    "headroom",
    "share",
    "lower",
    pieces=True,
    formula="1 - bytes_per_token / bytes_per_piece",
    trap="Compare only within the same cut: a cut into short pieces has a low ceiling and little headroom. "
    "Tables show one less it, as 'of ceiling'.",
    source="toktk",
)
def headroom(case: Case) -> list[Figure]:
    """Share of the ceiling that a larger vocabulary could still gain under this pretokenizer."""
    # (bytes/tokens) / (bytes/pieces): the bytes cancel.
    return case.ratios("pieces", "tokens", "no tokens", complement=True)
