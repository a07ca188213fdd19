"""Costs of a tokenizer: published values, and what must hold of any model."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from counted_runs import CURVE, SIZES
from hypothesis import given
from hypothesis import strategies as st

from toktk.costs.models import PRESETS, Layer, Model
from toktk.costs.price import (
    Context,
    attended,
    body_flops,
    body_parameters,
    break_even,
    break_even_ratio,
    embedding_parameters,
    embedding_share,
    head_flops,
    head_share,
    kv_bytes_per_token,
    logits_bytes,
    serve_flops,
    six_n,
    train_flops,
)
from toktk.errors import CostError

# Body and width: costs relative to 50k by size, the cheapest, and the break-even of 128k against 50k.
PUBLISHED = {
    (85e6, 768): ((0.947, 0.918, 0.947, 1, 1.049, 1.198, 1.318), 16_000, 0.6732),
    (302e6, 1024): ((1.126, 1.050, 1.011, 1, 1.004, 1.046, 1.088), 50_000, 0.8156),
    (1.13e9, 2048): ((1.193, 1.099, 1.035, 1, 0.987, 0.990, 1.003), 64_000, 0.8853),
    (2.87e9, 3200): ((1.225, 1.123, 1.047, 1, 0.979, 0.962, 0.961), 128_000, 0.9239),
    (7e9, 4096): ((1.252, 1.142, 1.056, 1, 0.973, 0.940, 0.927), 128_000, 0.9575),
    (70e9, 8192): ((1.276, 1.160, 1.065, 1, 0.967, 0.919, 0.896), 128_000, 0.9910),
}
SHARES = {
    (85e6, 768): (0.31, 0.54),
    (302e6, 1024): (0.14, 0.30),
    (1.13e9, 2048): (0.08, 0.19),
    (2.87e9, 3200): (0.05, 0.13),
    (7e9, 4096): (0.03, 0.07),
    (70e9, 8192): (0.006, 0.015),
}


@pytest.mark.parametrize("shape", PUBLISHED)
def test_costs_on_a_measured_curve(shape: tuple[float, int]) -> None:
    parameters, width = int(shape[0]), shape[1]
    relative, cheapest, needed = PUBLISHED[shape]
    costs = {
        size: six_n(parameters, width, size, 1 / per_token)
        for size, per_token in zip(SIZES, CURVE, strict=True)
    }
    found = [costs[size] / costs[50_000] for size in SIZES]
    assert found == pytest.approx(relative, abs=0.0006)
    assert min(SIZES, key=costs.__getitem__) == cheapest
    assert break_even(parameters, width, 50_000, 128_000) == pytest.approx(needed, abs=0.00006)
    # The published ratio of tokens is .8875: it pays exactly where the larger costs less.
    assert (CURVE[3] / CURVE[6] < needed) == (costs[128_000] < costs[50_000])


@pytest.mark.parametrize("shape", SHARES)
def test_shares_of_the_embedding(shape: tuple[float, int]) -> None:
    for size, share in zip((50_000, 128_000), SHARES[shape], strict=True):
        found = embedding_share(int(shape[0]), shape[1], size, tied=True)
        assert found == pytest.approx(share, abs=0.0006 if share < 0.02 else 0.006)


def test_marin_publishes_these_shares_of_the_head() -> None:
    assert head_share(521.4e6, 1024, 128_256) == pytest.approx(0.335, abs=0.0005)
    assert head_share(521.4e6, 1024, 256_000) == pytest.approx(0.501, abs=0.0005)
    # At the width of the model that it is a proxy for, 1.7 % and 3.4 %: one body gives both.
    body = head_flops(6144, 128_256) * (1 / 0.0172 - 1)
    assert head_share(body, 6144, 128_256) == pytest.approx(0.017, abs=0.0005)
    assert head_share(body, 6144, 256_000) == pytest.approx(0.034, abs=0.0005)


def test_published_sizes() -> None:
    llama = PRESETS["7b"]
    assert kv_bytes_per_token(llama) == 131_072
    assert body_parameters(llama) + embedding_parameters(4096, 128_256, False) == pytest.approx(
        8.03e9, rel=1e-3
    )
    assert body_parameters(PRESETS["125m"]) == 12 * 12 * 768**2
    assert body_parameters(PRESETS["350m"]) == 24 * 12 * 1024**2
    # 1.24 B, 3.21 B, 70.6 B; 30.5 B of which 3.3 B are active: as the model cards say.
    for name, whole in (("1b", 1.236e9), ("3b", 3.213e9), ("70b", 70.55e9)):
        model = PRESETS[name]
        own = embedding_parameters(model.width, 128_256, model.tied)
        assert body_parameters(model) + own == pytest.approx(whole, rel=1e-3)
    moe, own = PRESETS["moe"], embedding_parameters(2048, 151_936, False)
    assert body_parameters(moe, stored=True) + own == pytest.approx(30.5e9, rel=2e-3)
    assert body_parameters(moe) + own == pytest.approx(3.3e9, rel=0.02)


def test_a_layer_by_hand() -> None:
    model = Model.of(
        "small", width=6, layers=1, heads=4, kv_heads=2, head_dim=3, ffn=10, glu=True, tied=True
    )
    projections = 2 * 6 * (4 * 3 + 2 * 2 * 3) + 2 * 4 * 3 * 6
    mlp = 2 * 3 * 6 * 10
    assert body_flops(model) == projections + mlp
    assert body_flops(model, 100) == projections + mlp + 4 * 4 * 3 * 50
    assert serve_flops(model, 7, 0.5, Context(None)) == (projections + mlp + 2 * 6 * 7) * 0.5
    assert kv_bytes_per_token(model) == 2 * 2 * 3 * 2
    assert embedding_parameters(6, 7, True) * 2 == embedding_parameters(6, 7, False) == 84
    plain = Model.of("plain", width=6, layers=1, heads=2, head_dim=3, ffn=10, glu=False)
    assert body_parameters(plain) == 6 * 3 * 8 + 2 * 6 * 10
    assert logits_bytes(1000, 512, batch=8) == 8 * 512 * 1000 * 4


def test_experts_cost_memory_and_those_that_are_active_arithmetic() -> None:
    dense = Model.of("dense", width=64, layers=2, heads=2, ffn=96)
    sparse = Model.of("sparse", width=64, layers=2, heads=2, ffn=96, experts=8, active_experts=1)
    two = Model.of("two", width=64, layers=2, heads=2, ffn=96, experts=8, active_experts=2)
    assert body_flops(sparse) == body_flops(dense)
    assert body_parameters(two) - body_parameters(sparse) == 2 * 3 * 64 * 96
    assert body_parameters(sparse, stored=True) - body_parameters(sparse) == 7 * 2 * 3 * 64 * 96


def test_windows_bound_attention_and_cache() -> None:
    whole = Model.of("whole", width=64, layers=4, heads=2, ffn=96)
    windows = replace(whole, layers=(*whole.layers[:1], *[Layer(96, 96, 100)] * 3))
    assert body_flops(windows, 100) == body_flops(whole, 100)
    saved = body_flops(whole, 10_000) - body_flops(windows, 10_000)
    assert saved == pytest.approx(4 * 2 * 32 * 3 * (5000 - attended(10_000, 100)))
    assert attended(1e9, 100) == pytest.approx(100, rel=1e-6)  # about the window
    assert kv_bytes_per_token(windows) == kv_bytes_per_token(whole)
    assert kv_bytes_per_token(windows, 1000) == kv_bytes_per_token(whole) * (1 + 3 * 0.1) / 4


@given(st.integers(1, 400), st.integers(1, 400))
def test_positions_attended_are_their_mean(context: int, window: int) -> None:
    exact = sum(min(i, window) for i in range(1, context + 1)) / context
    assert attended(context, window) == pytest.approx(exact, abs=0.5)
    assert attended(context, window) <= min(context / 2, window)


models = st.builds(
    Model.of,
    st.just("any"),
    width=st.integers(1, 64).map(lambda n: 64 * n),
    layers=st.integers(1, 6),
    heads=st.sampled_from([1, 2, 4, 8, 16]),
    ffn=st.integers(1, 4096),
    glu=st.booleans(),
    tied=st.booleans(),
    window=st.none() | st.integers(1, 10_000),
)
contexts = st.builds(Context, st.none() | st.integers(1, 10**6), st.booleans())
rates = st.floats(0.05, 2)
sizes = st.integers(256, 10**6)


@given(models, contexts, sizes, sizes, rates)
def test_costs_cross_where_the_break_even_is(
    model: Model, context: Context, first: int, second: int, q: float
) -> None:
    needed = break_even_ratio(model, context, first, second, q)
    budget = serve_flops(model, first, q, context)
    assert serve_flops(model, second, q * needed, context) == pytest.approx(budget, rel=1e-9)
    assert serve_flops(model, second, q * needed * 0.999, context) < budget
    assert serve_flops(model, second, q * needed * 1.001, context) > budget
    if context.amount is None:
        closed = break_even(body_parameters(model), model.width, first, second)
        assert needed == pytest.approx(closed, rel=1e-9)


@given(models, contexts, sizes, rates)
def test_training_is_three_times_serving_and_6_n_without_attention(
    model: Model, context: Context, size: int, q: float
) -> None:
    train = train_flops(model, size, q, context)
    assert train == pytest.approx(3 * serve_flops(model, size, q, context))
    plain = train_flops(model, size, q, Context(None))
    assert plain == pytest.approx(six_n(body_parameters(model), model.width, size, q))
    assert train >= plain * (1 - 1e-12)


@given(models, sizes, rates, st.integers(1, 10**6))
def test_costs_scale(model: Model, size: int, q: float, amount: int) -> None:
    in_tokens, in_bytes = Context(amount, False), Context(amount)
    once, twice = (serve_flops(model, size, times * q, in_tokens) for times in (1, 2))
    assert twice == pytest.approx(2 * once)
    # As bytes, twice the tokens attend to more of them as well.
    assert serve_flops(model, size, 2 * q, in_bytes) >= 2 * serve_flops(model, size, q, in_bytes)
    deeper = replace(model, layers=model.layers * 2)
    for flops in (body_flops, kv_bytes_per_token):
        assert flops(deeper, 1000) == pytest.approx(2 * flops(model, 1000))
    assert head_flops(model.width, 2 * size) == 2 * head_flops(model.width, size)
    assert in_bytes.tokens(q) == pytest.approx(amount * q)
    assert in_tokens.bytes(q) == pytest.approx(amount / q)


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("8192B", Context(8192)),
        ("32kB", Context(32_000)),
        ("1MiB", Context(2**20)),
        ("8k", Context(8000, False)),
        ("8Ki", Context(8192, False)),
        ("2048", Context(2048, False)),
        ("None", Context(None)),
    ],
)
def test_contexts(text: str, context: Context) -> None:
    assert Context.parse(text) == context
    if context.amount is not None:
        assert Context.parse(str(context)) == context


@pytest.mark.parametrize(
    "text", ["", "0", "0B", "-1", "1e9", "8 k tokens", "９", "1.2.3", "9" * 30, "\0"]
)
def test_what_is_no_context_is_refused(text: str) -> None:
    with pytest.raises(CostError, match="is no context") as caught:
        Context.parse(text)
    assert caught.value.is_usage


def test_no_context_leaves_attention_out() -> None:
    context = Context(None)
    assert (context.tokens(0.3), context.bytes(0.3), str(context)) == (None, None, "none")
    assert math.isfinite(serve_flops(PRESETS["70b"], 128_000, 0.3, context))
