"""A model's shape from the config.json of Hugging Face transformers.

Families name the same number differently, and leave out what is the default of their class. What the
formulas of `toktk.costs.price` do not cover is refused: latent attention, recurrent layers, encoders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toktk import shapes
from toktk.costs.models import MOST, MOST_LAYERS, PRESETS, Layer, Model, preset
from toktk.errors import CostError, in_a_line
from toktk.visible import without_surrogates

_WIDTH = ("hidden_size", "n_embd", "n_embed", "d_model")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads")
_FFN = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_ACTIVE = ("num_experts_per_tok", "experts_per_token")

# Whether the MLP is gated, and the head the embedding where the file does not say, by kind of model.
_KINDS = {
    **dict.fromkeys(("llama", "ministral", "mistral", "mixtral", "seed_oss"), (True, False)),
    **dict.fromkeys(("qwen2", "qwen2_moe", "qwen3", "qwen3_moe"), (True, False)),
    **dict.fromkeys(("olmo", "olmo2", "olmo3", "olmoe", "phi3", "phimoe"), (True, False)),
    **dict.fromkeys(("gpt_oss", "granite", "granitemoe", "glm", "glm4", "stablelm"), (True, False)),
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma3_text"), (True, True)),
    **dict.fromkeys(("cohere", "cohere2", "smollm3"), (True, True)),
    **dict.fromkeys(("bloom", "falcon", "gpt2", "gpt_bigcode", "mpt", "opt"), (False, True)),
    "starcoder2": (False, True),
    **dict.fromkeys(("codegen", "gpt_neox", "gptj", "phi"), (False, False)),
}
_DEFAULTS: dict[str, dict[str, int]] = {
    # Files of these leave out what is the default of transformers.
    "gemma2": {"sliding_window_pattern": 2, "head_dim": 256},
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window_pattern": 6,
    },
}
_UNCOVERED = {
    "kv_lora_rank": "latent attention",
    "interleave_moe_layer_step": "layers of several kinds of MLP",
    "is_encoder_decoder": "an encoder",
    "ssm_cfg": "recurrent layers",
    "mamba_d_state": "recurrent layers",
    "linear_num_value_heads": "recurrent layers",
}
_ENCODERS = {
    "albert",
    "bert",
    "deberta",
    "deberta-v2",
    "electra",
    "modernbert",
    "roberta",
    "xlm-roberta",
}
_WIDE = {"full_attention": False, "sliding_attention": True}


def load_model(spec: str | Path | Model | Mapping[str, Any]) -> Model:
    """Return a model: a preset by name, a config.json or its folder, or what such a file holds.

    A file is called what its folder is called, unless it is ``NAME=PATH``.

    Raises:
        CostError: there is no such preset; or see `read_config`.
    """
    if isinstance(spec, Model):
        return spec
    if isinstance(spec, Mapping):
        return model_of(spec, str(spec.get("model_type", "model")))
    name, equals, rest = str(spec).partition("=")
    path = Path(spec).expanduser()
    if equals and not path.exists():
        return read_config(Path(rest).expanduser(), name)
    if str(spec) not in PRESETS and (
        path.suffix == ".json" or len(path.parts) > 1 or path.exists()
    ):
        own = path.resolve()
        return read_config(path, own.parent.name if own.name == "config.json" else own.stem)
    return preset(str(spec))


def read_config(path: Path, name: str) -> Model:
    """Return the model that a config.json describes, or a folder that holds one.

    Raises:
        CostError: the file cannot be read, says too little, or describes what is not covered.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config = shapes.parse(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CostError(
            f"cannot read the model {file}.",
            f"Found: {in_a_line(error)}.",
            "Give the config.json of a model, or --width and --layers.",
        ) from error
    if wrong := shapes.misfit(config, dict):
        raise CostError(f"{file} describes no model.", f"Found: {wrong}.")
    return model_of(config, name, str(file))


def model_of(config: Mapping[str, Any], name: str, source: str = "the config") -> Model:
    """Return the model that a config describes; `source` is what messages call it.

    Raises:
        CostError: it says too little, or describes what is not covered.
    """
    read = _Reader(_of_text(config), source)
    read.refuse_uncovered()
    n = read.number(_LAYERS, most=MOST_LAYERS)
    assumed = []
    if read.kind in _KINDS:
        glu, tied = _KINDS[read.kind]
    else:
        act = read.config.get("hidden_act") or read.config.get("activation_function")
        glu, tied = act in ("silu", "swish", "swiglu"), False
        why = f"by its activation {act!s:.40}" if act else "for it names no activation"
        assumed.append(f"the MLP is {'gated' if glu else 'not gated'}, {why}")
        if "tie_word_embeddings" not in read.config:
            assumed.append("the head is a matrix of its own")
    tied = read.flag("tie_word_embeddings", tied)
    width, heads = read.number(_WIDTH), read.number(_HEADS)
    head_dim = read.number(("head_dim",), width // heads or 1)
    kv_heads = 1 if _is_multi_query(read) else read.number(_KV_HEADS, heads)
    windows = _windows(read, n)
    name = without_surrogates(name)
    layers = tuple(
        Layer(active, stored, window)
        for (active, stored), window in zip(_mlps(read, n, width, glu), windows, strict=True)
    )
    try:
        return Model(name, width, heads, kv_heads, head_dim, glu, tied, layers, tuple(assumed))
    except CostError as error:
        raise read.refused(error.args[0].removesuffix(".")) from error


class _Reader:
    """The fields of a config, checked as they are read."""

    def __init__(self, config: dict[str, Any], source: str) -> None:
        self.kind = str(config.get("model_type", ""))
        self.config = {**_DEFAULTS.get(self.kind, {}), **config}
        self.source = source

    def number(
        self, names: Sequence[str], default: int | None = None, least: int = 1, most: int = MOST
    ) -> int:
        """Return the first of these fields that is there, a whole number from `least` to `most`."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if type(value) is not int or not least <= value <= most:
                    raise self.refused(
                        f"{name} is {value!r:.40}, no whole number from {least} to {most:,}"
                    )
                return value
        if default is None:
            raise self.refused(f"no {' or '.join(names)}")
        return default

    def flag(self, name: str, default: bool) -> bool:
        value = self.config.get(name, default)
        if type(value) is not bool:
            raise self.refused(f"{name} is {value!r:.40}, not true or false")
        return value

    def numbers(self, name: str) -> list[int]:
        """Return a list of layers' numbers; empty where there is none."""
        value = self.config.get(name) or []
        if shapes.misfit(value, [int]):
            raise self.refused(f"{name} is no list of whole numbers")
        return list(value)

    def refuse_uncovered(self) -> None:
        if self.kind in _ENCODERS and self.config.get("is_decoder") is not True:
            raise self.refused(f"{self.kind}, an encoder", "not covered by the formulas")
        for field, what in _UNCOVERED.items():
            if self.config.get(field):
                raise self.refused(f"{field}, which means {what}", "not covered by the formulas")

    def refused(self, problem: str, why: str = "") -> CostError:
        return CostError(
            f"{self.source} describes no model that can be priced{f': {why}' if why else ''}.",
            f"Found: {problem}.",
            "Give the config.json of a decoder, or --width and --layers with what else is known.",
        )


def _of_text(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the language model: of one with images it is nested."""
    inner = config.get("text_config")
    if not isinstance(inner, Mapping):
        return dict(config)
    shared = {k: config[k] for k in ("tie_word_embeddings",) if k in config}
    return {**shared, **inner}


def _is_multi_query(read: _Reader) -> bool:
    return read.flag("multi_query", False) and not read.flag("new_decoder_architecture", False)


def _windows(read: _Reader, n: int) -> list[int | None]:
    """Return the window of each layer."""
    kinds = read.config.get("layer_types")
    if kinds is None:
        slides = _slides(read, n)
    else:
        if shapes.misfit(kinds, [str]) or len(kinds) != n:
            raise read.refused(f"layer_types is no list of {n} kinds")
        if odd := sorted(set(kinds) - set(_WIDE)):
            raise read.refused(f"layers of {odd[0]}", "not covered by the formulas")
        slides = [_WIDE[kind] for kind in kinds]
    window = read.number(("sliding_window",)) if any(slides) else None
    return [window if slide else None for slide in slides]


def _slides(read: _Reader, n: int) -> list[bool]:
    """Return which layers have a window, where the file does not list them."""
    if read.config.get("sliding_window") is None or not read.flag("use_sliding_window", True):
        return [False] * n
    # Of qwen the layers from one on; of gemma all but every second or sixth.
    first = read.number(("max_window_layers",), 0, 0)
    every = read.number(("sliding_window_pattern", "_sliding_window_pattern"), n + 1)
    return [i >= first and bool((i + 1) % every) for i in range(n)]


def _mlps(read: _Reader, n: int, width: int, glu: bool) -> list[tuple[int, int]]:
    """Return the hidden units of the MLP of each layer that a token passes, and those that there are."""
    experts = read.number(_EXPERTS, 1, 0)
    # GPT-2 and its like leave it out; of a kind that is not known it may be nested, as in dbrx.
    dense = read.number(_FFN, None if glu or read.kind not in _KINDS else 4 * width)
    if experts < 2:
        return [(dense, dense)] * n
    active = read.number(_ACTIVE)
    own = read.number(("moe_intermediate_size",), dense)
    shared = read.number(("n_shared_experts",), 0, 0) * own
    shared = read.number(("shared_expert_intermediate_size",), shared, 0)
    sparse = (active * own + shared, experts * own + shared)
    is_dense = set(read.numbers("mlp_only_layers"))
    is_dense |= set(range(read.number(("first_k_dense_replace",), 0, 0)))
    step = read.number(("decoder_sparse_step",), 1)
    return [(dense, dense) if i in is_dense or (i + 1) % step else sparse for i in range(n)]
