"""How few tokens carry the text: bytes per token, its ceiling, and the plain totals behind them.

Compare bytes per token between tokenizers on the same text, never between languages: a Cyrillic
letter is two bytes and a Chinese character three. Across languages use `tokens_per_line`.
"""

from __future__ import annotations

from toktk.metrics.base import Case, Figure, Metric, metric


@metric("tokens", "tokens", "lower")
def tokens(case: Case) -> list[Figure]:
    """Tokens in the text (corpus token count, Schmidt et al. 2024)."""
    return case.totals(case.tokens)


def _count(name: str, description: str, pieces: bool = False) -> Metric:
    """Return the metric of a plain count, which `Totals` has under the same name."""

    def figures(case: Case) -> list[Figure]:
        return case.totals(getattr(case.evaluation, name))

    figures.__doc__ = description
    return metric(name, name, None, pieces=pieces)(figures)


utf8_bytes = _count("bytes", "UTF-8 bytes in the text.")
chars = _count("chars", "Unicode scalar values in the text.")
documents = _count("documents", "Documents in the text.")
pieces = _count("pieces", "Pieces that the pretokenizer cuts the text into.", pieces=True)


@metric("bytes_per_token", "bytes/token", "higher")
def bytes_per_token(case: Case) -> list[Figure]:
    """Compression: sum of bytes / sum of tokens.

    Compares tokenizers on the same text; not languages with each other.
    """
    return case.ratios("bytes", "tokens", "no tokens")


@metric("lost", "share", "lower")
def lost(case: Case) -> list[Figure]:
    """Bytes that no token stands for / bytes: what encoding loses, and what flatters bytes_per_token.

    A character is lost where no token covers it, or the unknown token does: what the vocabulary lacks, what
    falls between pieces, what a normalizer deletes, all white space but one character that becomes a space.
    What a normalizer changes (case, accents, forms) is not lost where a token covers it.
    """
    return case.ratios("lost", "bytes", "no text")


@metric("bytes_per_piece", "bytes/piece", None, pieces=True)
def bytes_per_piece(case: Case) -> list[Figure]:
    """Ceiling of bytes_per_token: sum of bytes / sum of pieces.

    No vocabulary on this pretokenizer passes it, because a token never spans two pieces.
    """
    return case.ratios("bytes", "pieces", "no pieces")


@metric("headroom", "share", "lower", pieces=True)
def headroom(case: Case) -> list[Figure]:
    """1 - bytes_per_token / bytes_per_piece.

    This is what a larger vocabulary could still gain under this pretokenizer.
    """
    # (bytes/tokens) / (bytes/pieces): the bytes cancel.
    return case.ratios("pieces", "tokens", "no tokens", complement=True)
