"""Metrics: definitions of figures, computed from an evaluation."""

from typing import Any

from toktk.registry import Registry


def _is_metric(target: Any) -> bool:
    from toktk.metrics.base import Metric

    return isinstance(target, Metric)


METRICS = Registry(
    "toktk.metrics",
    {
        "tokens": "toktk.metrics.compression:TOKENS",
        "bytes": "toktk.metrics.compression:BYTES",
        "chars": "toktk.metrics.compression:CHARS",
        "documents": "toktk.metrics.compression:DOCUMENTS",
        "pieces": "toktk.metrics.compression:PIECES",
        "bytes_per_token": "toktk.metrics.compression:BYTES_PER_TOKEN",
        "bytes_per_piece": "toktk.metrics.compression:BYTES_PER_PIECE",
        "headroom": "toktk.metrics.compression:HEADROOM",
        "tokens_per_line": "toktk.metrics.multilingual:TOKENS_PER_LINE",
        "parity": "toktk.metrics.multilingual:PARITY",
        "fertility[ws]": "toktk.metrics.multilingual:FERTILITY",
        "gini[tokens_per_line]": "toktk.metrics.multilingual:GINI",
        "utilization": "toktk.metrics.vocabulary:UTILIZATION",
        "renyi_efficiency": "toktk.metrics.vocabulary:RENYI_EFFICIENCY",
        "single_token_words[piece]": "toktk.metrics.vocabulary:SINGLE_TOKEN_WORDS",
        "unknown": "toktk.metrics.vocabulary:UNKNOWN",
    },
    accepts=_is_metric,
    expected="a toktk.metrics.base.Metric",
)
