"""Traps of pricing a vocabulary: each does what it is known for, and toktk does not fall into it.

The numbers are those of docs/bits-per-byte.md; traps 1 to 4 are about the bytes of tokens.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from counted_runs import CURVE, SIZES, on_curve

from toktk.costs.models import PRESETS, Model
from toktk.costs.price import (
    Context,
    body_flops,
    break_even,
    embedding_parameters,
    embedding_share,
    head_flops,
    serve_flops,
    train_flops,
)

Q = {size: 1 / per_token for size, per_token in zip(SIZES, CURVE, strict=True)}
SMALL, LARGE = SIZES[0], SIZES[-1]
WITHOUT_ATTENTION = Context(None)

# Marin's proxy has width 1,024 and a body of 521.4 MFLOP a token; its target has width 6,144, where the head
# of Llama 3 is 1.7 % of all.
PROXY_WIDTH, PROXY_BODY = 1024, 521.4e6
TARGET_WIDTH = 6144
TARGET_BODY = head_flops(TARGET_WIDTH, 128_256) * (1 / 0.0172 - 1)


def cheapest(costs: dict[int, float]) -> int:
    return min(costs, key=costs.__getitem__)


def test_trap_5_context_matched_in_tokens_favors_long_tokens() -> None:
    model, in_tokens, in_bytes = PRESETS["125m"], Context(2048, False), Context(8192)
    text = {size: in_tokens.bytes(q) or 0 for size, q in Q.items()}
    assert text[LARGE] / text[SMALL] == pytest.approx(3.414 / 2.363)  # 44 % more to predict from
    assert {in_bytes.bytes(q) for q in Q.values()} == {8192}

    def relative(context: Context) -> float:
        return serve_flops(model, LARGE, Q[LARGE], context) / serve_flops(
            model, SMALL, Q[SMALL], context
        )

    # As much text for both: fewer tokens attend to fewer. The same tokens hide that.
    assert relative(in_bytes) < relative(in_tokens) * 0.99
    seen = serve_flops(model, LARGE, Q[LARGE], Context(round(text[SMALL])))
    assert seen < serve_flops(model, LARGE, Q[LARGE], in_tokens)
    assert "tokens for each, which is more text where tokens are longer" in told(context="8k")
    assert "bytes of text for each, in fewer tokens" in told()


def test_trap_6_a_price_at_the_width_of_a_proxy_flips_the_verdict() -> None:
    """A vocabulary as large as Gemma's, with 4 % fewer tokens than that of Llama 3."""
    llama, gemma, fewer = 128_256, 256_000, 0.96

    def relative(body: float, width: int) -> float:
        return fewer * (body + head_flops(width, gemma)) / (body + head_flops(width, llama))

    assert relative(PROXY_BODY, PROXY_WIDTH) == pytest.approx(1.28, abs=0.005)
    assert relative(TARGET_BODY, TARGET_WIDTH) == pytest.approx(0.976, abs=0.005)
    proxy, target = (
        break_even(int(body / 2), width, llama, gemma)
        for body, width in ((PROXY_BODY, PROXY_WIDTH), (TARGET_BODY, TARGET_WIDTH))
    )
    assert proxy < fewer < target
    # With the shapes that toktk has, on a measured curve.
    dearer, cheaper = (
        serve_flops(PRESETS[name], LARGE, Q[LARGE], Context())
        / serve_flops(PRESETS[name], 50_000, Q[50_000], Context())
        for name in ("350m", "70b")
    )
    assert cheaper < 1 < dearer


@pytest.mark.parametrize("name", ["125m", "350m", "1b"])
def test_trap_7_without_the_head_large_vocabularies_are_free(name: str) -> None:
    model = PRESETS[name]
    free = {size: 3 * body_flops(model) * q for size, q in Q.items()}
    priced = {size: train_flops(model, size, q, WITHOUT_ATTENTION) for size, q in Q.items()}
    assert cheapest(free) == LARGE
    assert cheapest(priced) < LARGE
    for size, q in Q.items():
        assert priced[size] - free[size] == pytest.approx(3 * 2 * model.width * size * q)


def test_trap_8_equal_tokens_are_not_equal_bytes_nor_equal_flops() -> None:
    model = PRESETS["7b"]
    flops = {size: train_flops(model, size, Q[size], Context()) for size in (SMALL, LARGE)}
    of_token = {size: flops[size] / Q[size] for size in flops}
    # For as many tokens the larger costs more; for as much text, less; and for as much arithmetic it has
    # read more text, in fewer tokens.
    assert of_token[LARGE] > of_token[SMALL]
    assert flops[LARGE] < flops[SMALL]
    text = flops[SMALL] / flops[LARGE]
    assert 1 < text < Q[SMALL] / Q[LARGE]
    assert text * Q[LARGE] < Q[SMALL]
    assert "compared for equal text, in bytes: not for equal tokens, nor for equal" in told()
    assert "FLOPs per byte of text" in told(model=["1b", "7b"])


@pytest.mark.parametrize("name", PRESETS)
def test_trap_9_an_untied_head_doubles_the_parameters_of_a_vocabulary(name: str) -> None:
    tied, untied = (replace(PRESETS[name], tied=is_tied) for is_tied in (True, False))
    for size, q in Q.items():
        once = embedding_parameters(tied.width, size, tied.tied)
        assert once == tied.width * size
        assert embedding_parameters(untied.width, size, untied.tied) == 2 * once
        assert embedding_share(10**9, untied.width, size, False) > embedding_share(
            10**9, tied.width, size, True
        )
        # The arithmetic is the same: one matrix is multiplied with, the other looked up.
        assert serve_flops(tied, size, q, Context()) == serve_flops(untied, size, q, Context())
    assert ", tied" in told(model=tied)
    assert ", untied" in told(model=untied)


def told(model: str | list[str] | Model = "7b", **asked: str) -> str:
    """Return what a page of costs says, in a line."""
    text = on_curve().cost(model, **asked).page(160).text(160)
    return " ".join(text.split())
