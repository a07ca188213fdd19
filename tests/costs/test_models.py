"""Models by name, by widths and from config.json."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from toktk.costs.config import load_model, model_of
from toktk.costs.models import PRESETS, Model, preset
from toktk.costs.price import body_parameters
from toktk.errors import CostError

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}


def windows(model: Model) -> list[int | None]:
    return [layer.window for layer in model.layers]


def test_presets_have_names_in_order() -> None:
    assert [*PRESETS] == ["125m", "350m", "1b", "3b", "7b", "70b", "moe"]
    assert preset("7B") is PRESETS["7b"]
    with pytest.raises(
        CostError, match=r"unknown model '350'.* \(did you mean '350m'\?\)"
    ) as caught:
        preset("350")
    assert caught.value.is_usage
    assert "Known: 125m" in str(caught.value)


def test_llama_from_its_config_is_the_preset() -> None:
    config = model_of(LLAMA, "7b")
    assert config == PRESETS["7b"]


@pytest.mark.parametrize(
    ("config", "parameters", "glu", "tied"),
    [
        # 124 M with 50,257 x 768 of embedding; positions, norms and biases left out.
        (
            {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_inner": None},
            84_934_656,
            False,
            True,
        ),
        (
            {
                "model_type": "gpt_neox",
                "hidden_size": 2048,
                "num_hidden_layers": 16,
                "num_attention_heads": 8,
                "intermediate_size": 8192,
            },
            805_306_368,
            False,
            False,
        ),
        (
            {
                "model_type": "mistral",
                "hidden_size": 5120,
                "num_hidden_layers": 40,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "intermediate_size": 14336,
                "sliding_window": None,
            },
            10_905_190_400,  # Mistral-Nemo: 12.2 B with two matrices of 131,072 x 5120
            True,
            False,
        ),
        (
            {"model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16},
            24 * 12 * 1024 * 1024,  # Bloom-560m: 559 M with a matrix of 250,880 x 1024
            False,
            True,
        ),
        (
            {
                "model_type": "falcon",
                "hidden_size": 4544,
                "num_hidden_layers": 32,
                "num_attention_heads": 71,
                "multi_query": True,
                "new_decoder_architecture": False,
            },
            32 * (4544 * 64 * (2 * 71 + 2) + 2 * 4544 * 4 * 4544),
            False,
            True,
        ),
    ],
)  # fmt: skip
def test_families(config: dict[str, Any], parameters: int, glu: bool, tied: bool) -> None:
    model = model_of(config, "x")
    assert (body_parameters(model), model.glu, model.tied) == (parameters, glu, tied)
    assert model.assumed == ()


def test_experts() -> None:
    mixtral = {**LLAMA, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}
    model = model_of(mixtral, "mixtral")
    assert body_parameters(model, stored=True) == pytest.approx(
        46.7e9 - 2 * 32_000 * 4096, rel=2e-3
    )
    assert body_parameters(model) == pytest.approx(12.9e9 - 2 * 32_000 * 4096, rel=3e-3)
    qwen = {
        "model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
        "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768,
        "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "sliding_window": None, "use_sliding_window": False, "max_window_layers": 48,
    }  # fmt: skip
    assert model_of(qwen, "moe") == PRESETS["moe"]
    mixed = model_of({**qwen, "mlp_only_layers": [0], "decoder_sparse_step": 2}, "mixed")
    assert Counter(layer.stored for layer in mixed.layers) == {6144: 24, 128 * 768: 24}
    shared = model_of({**qwen, "shared_expert_intermediate_size": 1000}, "shared")
    assert {(layer.active, layer.stored) for layer in shared.layers} == {(7144, 99_304)}
    first = {**qwen, "model_type": "glm4_moe", "hidden_act": "silu", "n_shared_experts": 1}
    dense = model_of({**first, "first_k_dense_replace": 3}, "dense")
    assert Counter(layer.active for layer in dense.layers) == {6144: 3, 9 * 768: 45}
    assert len(dense.assumed) == 2  # a kind that is not known


def test_windows() -> None:
    mistral = {**LLAMA, "model_type": "mistral", "sliding_window": 4096}
    assert windows(model_of(mistral, "x")) == [4096] * 32
    qwen = {**LLAMA, "model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 30}
    assert windows(model_of({**qwen, "use_sliding_window": True}, "x")) == [None] * 30 + [4096] * 2
    assert windows(model_of({**qwen, "use_sliding_window": False}, "x")) == [None] * 32
    kinds = ["sliding_attention", "full_attention"] * 16
    listed = {**LLAMA, "model_type": "gpt_oss", "layer_types": kinds, "sliding_window": 128}
    assert windows(model_of(listed, "x")) == [128, None] * 16
    gemma = {**LLAMA, "model_type": "gemma2", "sliding_window": 4096}
    assert windows(model_of(gemma, "x")) == [4096, None] * 16
    assert model_of(gemma, "x").head_dim == 256


def test_a_model_with_images_holds_that_of_its_text() -> None:
    config = {
        "model_type": "gemma3",
        "tie_word_embeddings": True,
        "vision_config": {"hidden_size": 1152},
        "text_config": {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        },
    }
    model = model_of(config, "gemma")
    assert (model.heads, model.kv_heads, model.head_dim, model.tied) == (8, 4, 256, True)
    assert windows(model)[:7] == [1024] * 5 + [None, 1024]
    assert body_parameters(model) == pytest.approx(3.88e9 - 262_208 * 2560, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"hidden_size": None}, "no hidden_size or n_embd or n_embed or d_model"),
        ({"hidden_size": 10**400}, "no whole number from 1 to 1,000,000,000"),
        ({"num_hidden_layers": 10**9}, "no whole number from 1 to 10,000"),
        ({"num_key_value_heads": 3}, "32 heads of queries cannot share 3"),
        ({"model_type": "dbrx", "intermediate_size": None}, "no intermediate_size"),  # nested there
        ({"model_type": "bert"}, "bert, an encoder"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_attention_heads": "32"}, "num_attention_heads is '32'"),
        ({"intermediate_size": None}, "no intermediate_size"),
        ({"intermediate_size": -1}, "intermediate_size is -1"),
        ({"hidden_size": 1.5}, "hidden_size is 1.5"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no'"),
        ({"kv_lora_rank": 512}, "latent attention"),
        ({"layer_types": ["full_attention"]}, "no list of 32 kinds"),
        ({"layer_types": ["linear_attention"] * 32}, "layers of linear_attention"),
        ({"layer_types": ["sliding_attention"] * 32}, "no sliding_window"),
        ({"num_local_experts": 8}, "no num_experts_per_tok"),
        ({"num_local_experts": 8, "num_experts_per_tok": 2, "mlp_only_layers": "0"}, "mlp_only_layers"),
    ],
)  # fmt: skip
def test_a_config_that_says_too_little_is_refused(changes: dict[str, Any], found: str) -> None:
    with pytest.raises(CostError, match="describes no model that can be priced") as caught:
        model_of({**LLAMA, **changes}, "x")
    assert found in str(caught.value)
    assert not caught.value.is_usage


def test_what_is_assumed_of_a_kind_that_is_not_known() -> None:
    config = {**LLAMA, "model_type": "other"}
    assert model_of(config, "x").assumed[0] == "the MLP is not gated, for it names no activation"
    gated = model_of({**config, "hidden_act": "silu"}, "x")
    assert gated.assumed[0] == "the MLP is gated, by its activation silu"
    assert len(model_of({**config, "hidden_act": "a" * 1000}, "x").assumed[0]) < 90


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Llama-3-8B"
    folder.mkdir()
    file = folder / "config.json"
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    file.rename(folder / "mine.json")
    assert load_model(folder / "mine.json").name == "mine"
    (folder / "mine.json").rename(file)
    for spec in (file, str(file), folder, str(folder)):
        assert load_model(spec).name == "Llama-3-8B"
    assert load_model(f"big={file}").name == "big"
    assert load_model(LLAMA).name == "llama"
    assert load_model(PRESETS["1b"]) is PRESETS["1b"]
    monkeypatch.chdir(folder)
    assert load_model("config.json").name == "Llama-3-8B"
    Path("7b").mkdir()  # a folder hides no name
    assert load_model("7b") is PRESETS["7b"]
    for text in ("", "[]", '{"hidden_size": NaN}', '{"a": 1, "a": 2}', "\x00", "[" * 100_000):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(CostError) as caught:
            load_model(file)
        assert not caught.value.is_usage
    with pytest.raises(CostError, match="cannot read the model"):
        load_model("nowhere/config.json")


def test_widths() -> None:
    model = Model.of("own", width=2048, layers=24)
    assert (model.heads, model.kv_heads, model.head_dim) == (16, 16, 128)
    assert {(layer.active, layer.stored) for layer in model.layers} == {(5632, 5632)}
    assert Model.of("own", width=2048, layers=1, glu=False).layers[0].active == 8192
    assert Model.of("own", width=64, layers=1).heads == 1
    sparse = Model.of("own", width=64, layers=1, ffn=10, experts=4, active_experts=2, window=7)
    assert sparse.layers[0] == (sparse.layers[0].__class__)(20, 40, 7)
    assert sparse.describe()["stored"] == 40


@pytest.mark.parametrize(
    "widths",
    [
        {"width": 0}, {"layers": 0}, {"width": -5}, {"heads": 3}, {"kv_heads": 5}, {"ffn": 0},
        {"head_dim": 0}, {"experts": 2, "active_experts": 3}, {"experts": 0}, {"active_experts": 0},
        {"window": 0}, {"layers": 10**9}, {"width": 10**30}, {"heads": None, "width": 10**400},
    ],
)  # fmt: skip
def test_widths_that_cannot_be_are_refused(widths: dict[str, int]) -> None:
    with pytest.raises(CostError) as caught:
        Model.of("own", **{"width": 64, "layers": 2, "heads": 4, **widths})
    assert caught.value.is_usage
