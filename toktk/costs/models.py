"""Models as data: the shape of a transformer, as far as the costs of a tokenizer depend on it.

Presets have the shapes of published models. `toktk.costs.config` reads others from a config.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toktk.errors import CostError, as_usage, did_you_mean

_MULTIPLE = 256  # to which the width of a gated MLP is rounded up where none is given
_HEAD = 128  # the width of a head, where none is given

MOST = 10**9
"""What no number of a shape exceeds: products of all of them are finite."""

MOST_LAYERS = 10_000
"""Layers that a model has at most: each is held by itself."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a transformer.

    Attributes:
        active: hidden units of the MLP that a token passes through.
        stored: those that there are: more than `active` where there are experts.
        window: positions that attention reaches back, the token's own included; None: all.
    """

    active: int
    stored: int
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """The shape of a decoder: attention and MLP in each layer, an embedding below, a head above.

    Attributes:
        width: d, numbers in a residual stream.
        heads, kv_heads, head_dim: heads of queries, heads of keys and values, and the width of each.
        glu: whether the MLP is gated, which takes a third matrix.
        tied: whether the head is the embedding's matrix.
        layers: from below; they may differ.
        assumed: what was not said and is taken to be so, in words.
    """

    name: str
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    glu: bool
    tied: bool
    layers: tuple[Layer, ...]
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in ("width", "heads", "kv_heads", "head_dim"):
            _positive(what, getattr(self, what))
        _positive("layers", len(self.layers))
        for layer in self.layers:
            _positive("ffn", layer.active)
            if layer.window is not None:
                _positive("window", layer.window)
            if layer.stored < layer.active:
                raise _refused(
                    f"a token passes through {layer.active:,} units of an MLP of {layer.stored:,}.",
                    "Give no more active experts than experts.",
                )
        if self.heads % self.kv_heads:
            raise _refused(
                f"{self.heads} heads of queries cannot share {self.kv_heads} of keys and values.",
                "Give kv_heads that divide the heads.",
            )

    @classmethod
    def of(
        cls,
        name: str,
        *,
        width: int,
        layers: int,
        heads: int | None = None,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        ffn: int | None = None,
        glu: bool = True,
        tied: bool = False,
        experts: int = 1,
        active_experts: int | None = None,
        window: int | None = None,
    ) -> Model:
        """Return a model whose layers are all alike.

        Args:
            heads: by default as many of 128 numbers as fit into the width.
            kv_heads: by default as many as heads.
            head_dim: by default the width over the heads.
            ffn: the width of the MLP, or of one expert; by default 4 times that of the model, or gated
                8/3 times, rounded up to a multiple of 256.
            experts, active_experts: how many MLPs a layer has, and through how many a token passes; by
                default through all.

        Raises:
            CostError: a number is not positive or too large, or they do not go together.
        """
        given = {
            "width": width,
            "layers": layers,
            "heads": heads,
            "kv_heads": kv_heads,
            "head_dim": head_dim,
            "ffn": ffn,
            "experts": experts,
            "active_experts": active_experts,
        }
        for what, number in given.items():
            if number is not None:
                _positive(what, number)
        heads = heads or max(1, width // (head_dim or _HEAD))
        if head_dim is None and width % heads:
            raise _refused(
                f"a width of {width:,} does not fall into {heads} heads.",
                "Give heads that divide it, or head_dim.",
            )
        unit = ffn or (-(-8 * width // (3 * _MULTIPLE)) * _MULTIPLE if glu else 4 * width)
        active = experts if active_experts is None else active_experts
        layer = Layer(active * unit, experts * unit, window)
        own = head_dim or width // heads
        return cls(name, width, heads, kv_heads or heads, own, glu, tied, (layer,) * layers)

    @property
    def matrices(self) -> int:
        """How many matrices an MLP has."""
        return 3 if self.glu else 2

    def describe(self) -> dict[str, Any]:
        """Return the shape, JSON-able; of layers what they have in common, or a list."""
        about: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("name", "width", "heads", "kv_heads", "head_dim", "glu", "tied")
        }
        about["layers"] = len(self.layers)
        for name in ("active", "stored", "window"):
            values = [getattr(layer, name) for layer in self.layers]
            about[name] = values[0] if len(set(values)) == 1 else values
        return {**about, "assumed": [*self.assumed]}


def preset(name: str) -> Model:
    """Return the preset of that name, in either case of letters.

    Raises:
        CostError: there is none.
    """
    name = name.lower()
    if name not in PRESETS:
        raise _refused(
            f"unknown model {name!r}{did_you_mean(name, PRESETS)}.",
            f"Known: {', '.join(PRESETS)}.",
            "Or give a config.json, or --width and --layers.",
        )
    return PRESETS[name]


def _positive(what: str, number: object) -> None:
    most = MOST_LAYERS if what == "layers" else MOST
    if type(number) is not int or not 1 <= number <= most:
        raise _refused(
            f"{what} of a model is {number!r:.40}.", f"Give a whole number from 1 to {most:,}."
        )


def _refused(what: str, *lines: str) -> CostError:
    return as_usage(CostError(what, *lines))


def _presets(models: Sequence[Model]) -> dict[str, Model]:
    return {model.name: model for model in models}


PRESETS = _presets(
    [
        # GPT-3 Small and Medium (Brown et al. 2020, table 2.1); tied as in GPT-2 (Radford et al. 2019).
        Model.of("125m", width=768, layers=12, heads=12, ffn=3072, glu=False, tied=True),
        Model.of("350m", width=1024, layers=24, heads=16, ffn=4096, glu=False, tied=True),
        # Llama-3.2-1B and -3B (config.json of meta-llama/Llama-3.2-1B and -3B).
        Model.of("1b", width=2048, layers=16, heads=32, kv_heads=8, ffn=8192, tied=True),
        Model.of("3b", width=3072, layers=28, heads=24, kv_heads=8, ffn=8192, tied=True),
        # Llama-3-8B and Llama-3-70B (Grattafiori et al. 2024, table 3). The body of the first has 7.0 billion
        # parameters; Mistral-7B (Jiang et al. 2023, table 1) has the same shape.
        Model.of("7b", width=4096, layers=32, heads=32, kv_heads=8, ffn=14336),
        Model.of("70b", width=8192, layers=80, heads=64, kv_heads=8, ffn=28672),
        # Qwen3-30B-A3B (Yang et al. 2025, table 2; config.json of Qwen/Qwen3-30B-A3B).
        Model.of(
            "moe", width=2048, layers=48, heads=32, kv_heads=4, head_dim=128, ffn=768,
            experts=128, active_experts=8,
        ),
    ]
)  # fmt: skip
"""Models of published shapes, by name, ascending by what a token costs but for the last."""
