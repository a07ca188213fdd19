"""What a tokenizer costs a model: arithmetic, parameters, memory, and when a larger vocabulary pays.

With q the tokens per byte of text, V the vocabulary and d the model's width, a byte of text costs
(body + 2 d V) q FLOPs to serve and three times as much to train on. A larger V makes q smaller and the head
larger. The input embedding is looked up and costs no arithmetic.

Two FLOPs for each parameter that a token passes, and twice the forward pass for the backward one, is how
Kaplan et al. 2020 count (*Scaling Laws for Neural Language Models*, section 2.1) and Hoffmann et al. 2022
(*Training Compute-Optimal Large Language Models*, appendix F). Norms, biases, positions, routers and the
softmax are left out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from toktk.costs.models import Model
from toktk.errors import CostError, as_usage
from toktk.sizes import parse_bytes

BACKWARD = 2
"""The arithmetic of a backward pass over that of a forward pass (Kaplan et al. 2020)."""

KV_ELEMENT = 2
"""Bytes of a number in the cache of keys and values: 16 bits."""

LOGIT = 4
"""Bytes of a logit: 32 bits."""

_LONGEST = 10**12
_CONTEXT = re.compile(r"[0-9.]+ ?([kmgt]i?)?(b?)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """How much text a model has before it.

    Context in tokens gives a tokenizer with longer tokens more text; in bytes all have the same text
    (Limisiewicz et al. 2026, appendix E).

    Attributes:
        amount: so many bytes or tokens; None: attention is left out, which is the rule 6 N.
    """

    amount: int | None = 8192
    in_bytes: bool = True

    @classmethod
    def parse(cls, text: str) -> Context:
        """Return that of ``8k`` (tokens), ``8kB`` (bytes) or ``none``.

        Raises:
            CostError: it is none of them.
        """
        if text.strip().lower() == "none":
            return cls(None)
        match = _CONTEXT.fullmatch(text.strip())
        try:
            amount = parse_bytes(text) if match else 0
        except ValueError:
            amount = 0
        if not (match and 0 < amount <= _LONGEST):
            raise as_usage(
                CostError(
                    f"{text!r:.60} is no context.",
                    "Give tokens, such as 8k or 8192; bytes of text, such as 8192B or 32kB; or none.",
                )
            )
        return cls(amount, bool(match[2]))

    def tokens(self, q: float) -> float | None:
        """Return how many tokens it is, at `q` tokens per byte."""
        if self.amount is None:
            return None
        return self.amount * q if self.in_bytes else float(self.amount)

    def bytes(self, q: float) -> float | None:
        """Return how many bytes of text it is, at `q` tokens per byte."""
        if self.amount is None:
            return None
        return float(self.amount) if self.in_bytes else self.amount / q

    def __str__(self) -> str:
        if self.amount is None:
            return "none"
        return f"{self.amount}B" if self.in_bytes else str(self.amount)


# Parameters ---------------------------------------------------------------------------------------


def body_parameters(model: Model, *, stored: bool = False) -> int:
    """Return the parameters without embedding and head: those that a token passes, or all that are stored."""
    attention = model.width * model.head_dim * (2 * model.heads + 2 * model.kv_heads)
    units = sum(layer.stored if stored else layer.active for layer in model.layers)
    return len(model.layers) * attention + model.matrices * model.width * units


def embedding_parameters(width: int, vocabulary: int, tied: bool) -> int:
    """Return V d: the parameters of the embedding, and as many for a head that is not tied to it."""
    return vocabulary * width * (1 if tied else 2)


def embedding_share(body: int, width: int, vocabulary: int, tied: bool) -> float:
    """Return the share of embedding and head in all parameters, `body` being those without them."""
    own = embedding_parameters(width, vocabulary, tied)
    return own / (own + body)


# Arithmetic ---------------------------------------------------------------------------------------


def head_flops(width: int, vocabulary: int) -> int:
    """Return the forward FLOPs of the head for a token: 2 d V."""
    return 2 * width * vocabulary


def head_share(body: float, width: int, vocabulary: int) -> float:
    """Return the share of the head in the FLOPs of a token, `body` being those of all layers."""
    own = head_flops(width, vocabulary)
    return own / (own + body)


def attended(context: float, window: int | None = None) -> float:
    """Return how many positions a token attends to, on average over a context of so many.

    Half of the context, for attention is causal; with a window w that is shorter, w (1 - w / (2 context)).
    """
    if window is None or window >= context:
        return context / 2
    return window * (1 - window / (2 * context))


def body_flops(model: Model, context: float | None = None) -> float:
    """Return the forward FLOPs of all layers for a token.

    Each is 2 d (h d_h + 2 h_kv d_h) for queries, keys and values, 2 h d_h d for the output, 2 m d f for the
    MLP of f active units with m matrices, and 4 h d_h a for the scores of the a positions attended to and
    the sum over them.

    Args:
        context: in tokens; None: without the last term.
    """
    flops = 2.0 * body_parameters(model)
    if context is not None:
        of_position = 4 * model.heads * model.head_dim
        flops += of_position * sum(attended(context, layer.window) for layer in model.layers)
    return flops


def serve_flops(model: Model, vocabulary: int, q: float, context: Context) -> float:
    """Return the FLOPs to read or write a byte of text: (body + head) q, at `q` tokens per byte."""
    return (body_flops(model, context.tokens(q)) + head_flops(model.width, vocabulary)) * q


def train_flops(model: Model, vocabulary: int, q: float, context: Context) -> float:
    """Return the FLOPs to train on a byte of text: 3 (body + head) q."""
    return (1 + BACKWARD) * serve_flops(model, vocabulary, q, context)


def six_n(parameters: int, width: int, vocabulary: int, q: float) -> float:
    """Return the FLOPs to train on a byte of text by the rule 6 N: 6 (N + V d) q, N without embedding."""
    return 6 * (parameters + vocabulary * width) * q


# Which of two vocabularies ------------------------------------------------------------------------


def break_even(parameters: int, width: int, first: int, second: int) -> float:
    """Return (N + V1 d) / (N + V2 d): V2 pays if its tokens over those of V1 are less, attention left out."""
    return (parameters + first * width) / (parameters + second * width)


def break_even_ratio(
    model: Model, context: Context, first: int, second: int, q_first: float
) -> float:
    """Return the q2 / q1 below which a vocabulary of `second` ids costs less than one of `first`.

    As `break_even`, with attention: where the context is so many bytes, fewer tokens attend to fewer.
    """
    budget = serve_flops(model, first, q_first, context)
    low, high = 0.0, 1.0
    while serve_flops(model, second, q_first * high, context) < budget:
        low, high = high, 2 * high
    for _ in range(64):  # the cost grows with q, so halves lead to where it is met
        middle = (low + high) / 2
        if serve_flops(model, second, q_first * middle, context) < budget:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# Memory -------------------------------------------------------------------------------------------


def kv_bytes_per_token(model: Model, context: float | None = None) -> float:
    """Return the bytes of keys and values that are kept for a token: 2 h_kv d_h for each layer, of 16 bits.

    A layer with a window keeps no more tokens than that, so that a context of more has fewer bytes a token.
    """
    kept = [
        1.0 if context is None or layer.window is None else min(layer.window / context, 1.0)
        for layer in model.layers
    ]
    return 2 * model.kv_heads * model.head_dim * KV_ELEMENT * math.fsum(kept)


def logits_bytes(vocabulary: int, positions: float, batch: int = 1) -> float:
    """Return the memory of all logits of a batch in training: batch x context x V x 4 bytes."""
    return batch * positions * vocabulary * LOGIT
