"""How few tokens carry the text: bytes per token, its ceiling, and the plain totals behind them.

Compare bytes per token between tokenizers on the same text, never between languages: a Cyrillic
letter is two bytes and a Chinese character three. Across languages use `tokens_per_line`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toktk.metrics.base import Figure, Metric, MetricOptions, ratio_figures, total_figures

if TYPE_CHECKING:
    from toktk.evaluation.base import Evaluation


def _tokens(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return total_figures(evaluation, "tokens", evaluation.tokens(size))


def _bytes(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return total_figures(evaluation, "bytes", evaluation.bytes)


def _chars(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return total_figures(evaluation, "chars", evaluation.chars)


def _documents(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return total_figures(evaluation, "documents", evaluation.documents)


def _pieces(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return total_figures(evaluation, "pieces", evaluation.pieces)


def _bytes_per_token(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    tokens = evaluation.tokens(size)
    return ratio_figures(
        evaluation, "bytes_per_token", "bytes/token", evaluation.bytes, tokens, "no tokens"
    )


def _bytes_per_piece(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return ratio_figures(
        evaluation,
        "bytes_per_piece",
        "bytes/piece",
        evaluation.bytes,
        evaluation.pieces,
        "no pieces",
    )


def _headroom(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    # 1 - (bytes/tokens) / (bytes/pieces): the bytes cancel.
    tokens = evaluation.tokens(size)
    return ratio_figures(
        evaluation, "headroom", "share", tokens - evaluation.pieces, tokens, "no tokens"
    )


TOKENS = Metric(
    "tokens",
    "tokens",
    "lower",
    "Tokens in the text (corpus token count, Schmidt et al. 2024).",
    _tokens,
)
BYTES = Metric("bytes", "bytes", None, "UTF-8 bytes in the text.", _bytes)
CHARS = Metric("chars", "chars", None, "Unicode scalar values in the text.", _chars)
DOCUMENTS = Metric("documents", "documents", None, "Documents in the text.", _documents)
PIECES = Metric(
    "pieces",
    "pieces",
    None,
    "Pieces that the pretokenizer cuts the text into.",
    _pieces,
    pieces=True,
)
BYTES_PER_TOKEN = Metric(
    "bytes_per_token",
    "bytes/token",
    "higher",
    "Compression: sum of bytes / sum of tokens. Compares tokenizers on the same text; not languages"
    " with each other.",
    _bytes_per_token,
)
BYTES_PER_PIECE = Metric(
    "bytes_per_piece",
    "bytes/piece",
    None,
    "Ceiling of bytes_per_token: sum of bytes / sum of pieces. No vocabulary on this pretokenizer"
    " passes it, because a token never spans two pieces.",
    _bytes_per_piece,
    pieces=True,
)
HEADROOM = Metric(
    "headroom",
    "share",
    "lower",
    "1 - bytes_per_token / bytes_per_piece: what a larger vocabulary could still gain under this"
    " pretokenizer.",
    _headroom,
    pieces=True,
)
