"""How few tokens carry the text: bytes per token, its ceiling, and the plain totals behind them.

Compare bytes per token between tokenizers on the same text, never between languages: a Cyrillic
letter is two bytes and a Chinese character three. Across languages use `tokens_per_line`.
"""

from __future__ import annotations

from toktk.metrics.base import Case, Figure, metric


@metric("tokens", "tokens", "lower")
def tokens(case: Case) -> list[Figure]:
    """Tokens in the text (corpus token count, Schmidt et al. 2024)."""
    return case.totals(case.tokens)


@metric("bytes", "bytes", None)
def utf8_bytes(case: Case) -> list[Figure]:
    """UTF-8 bytes in the text."""
    return case.totals(case.evaluation.bytes)


@metric("chars", "chars", None)
def chars(case: Case) -> list[Figure]:
    """Unicode scalar values in the text."""
    return case.totals(case.evaluation.chars)


@metric("documents", "documents", None)
def documents(case: Case) -> list[Figure]:
    """Documents in the text."""
    return case.totals(case.evaluation.documents)


@metric("pieces", "pieces", None, pieces=True)
def pieces(case: Case) -> list[Figure]:
    """Pieces that the pretokenizer cuts the text into."""
    return case.totals(case.evaluation.pieces)


@metric("bytes_per_token", "bytes/token", "higher")
def bytes_per_token(case: Case) -> list[Figure]:
    """Compression: sum of bytes / sum of tokens.

    Compares tokenizers on the same text; not languages with each other.
    """
    return case.ratios(case.evaluation.bytes, case.tokens, "no tokens")


@metric("bytes_per_piece", "bytes/piece", None, pieces=True)
def bytes_per_piece(case: Case) -> list[Figure]:
    """Ceiling of bytes_per_token: sum of bytes / sum of pieces.

    No vocabulary on this pretokenizer passes it, because a token never spans two pieces.
    """
    return case.ratios(case.evaluation.bytes, case.evaluation.pieces, "no pieces")


@metric("headroom", "share", "lower", pieces=True)
def headroom(case: Case) -> list[Figure]:
    """1 - bytes_per_token / bytes_per_piece.

    This is what a larger vocabulary could still gain under this pretokenizer.
    """
    # (bytes/tokens) / (bytes/pieces): the bytes cancel.
    return case.ratios(case.tokens - case.evaluation.pieces, case.tokens, "no tokens")
