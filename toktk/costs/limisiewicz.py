"""Limisiewicz et al. 2026: how many bytes a token should have, from the FLOPs of training.

C are the FLOPs, T the bytes per token of English text, B the bytes that are trained on, N the parameters
of the body, without embedding and head:

    B* = B0 C^a T^b,  N* = N0 C^(1 - a) T^(1 - b),  L* = L0 C^g + F ln(C^d T / T0)^2 + E,  T* = T0 / C^d

L* is the loss of the best N and B, in bits per byte. A script that spends more bytes on the same content
has tokens of more bytes as well, so T is divided by its parity, the bytes it takes for the content of an
English byte, before the law is asked, and T* is multiplied by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toktk.costs.curve import FLAT, Float64, MeasuredCurve, Region
from toktk.costs.domain import Domain, positive


@dataclass(frozen=True)
class Limisiewicz:
    """The law with one set of constants; `SUBWORD` and `LATENT` are the authors'.

    Its methods take `insist`: answer outside of the domain too, which raises LawError else. All of them
    raise LawError for what is no positive number.
    """

    domain: Domain
    b0: float
    n0: float
    alpha: float
    beta: float
    l0: float
    gamma: float
    f: float
    delta: float
    t0: float
    e: float

    def bytes_per_token(self, compute: float, parity: float = 1.0, insist: bool = False) -> float:
        """Return T*, the bytes of a token that are best for so many FLOPs."""
        self._check(insist, compute, parity=parity)
        return float(parity * self.t0 / compute**self.delta)

    def bits_per_byte(
        self, compute: float, bytes_per_token: float, parity: float = 1.0, insist: bool = False
    ) -> float:
        """Return L*, the bits per byte of the best model for FLOPs and bytes per token."""
        self._check(insist, compute, bytes_per_token, parity)
        return float(self._loss(compute, math.log(bytes_per_token / parity)))

    def training_bytes(
        self, compute: float, bytes_per_token: float, parity: float = 1.0, insist: bool = False
    ) -> float:
        """Return B*, the bytes to train on."""
        self._check(insist, compute, bytes_per_token, parity)
        return float(self.b0 * compute**self.alpha * (bytes_per_token / parity) ** self.beta)

    def parameters(
        self, compute: float, bytes_per_token: float, parity: float = 1.0, insist: bool = False
    ) -> float:
        """Return N*, the parameters of the body."""
        self._check(insist, compute, bytes_per_token, parity)
        data = (bytes_per_token / parity) ** (1 - self.beta)
        return float(self.n0 * compute ** (1 - self.alpha) * data)

    def compute_of(self, parameters: float, insist: bool = False) -> float:
        """Return the FLOPs at which a body of so many parameters is the best one, with T* bytes per token."""
        positive(self.domain.law, parameters=parameters)
        self.domain.check(insist, parameters=parameters)
        exponent = 1 - self.alpha - self.delta * (1 - self.beta)
        compute = (parameters / (self.n0 * self.t0 ** (1 - self.beta))) ** (1 / exponent)
        self._check(insist, compute)
        return float(compute)

    def best_size(
        self,
        curve: MeasuredCurve,
        compute: float,
        parity: float = 1.0,
        flat: float = FLAT,
        insist: bool = False,
    ) -> Region:
        """Return the size of a measured curve whose bytes per token have the least L*.

        Within `flat` of the least bits per byte, sizes are as good.
        """
        best = self.bytes_per_token(compute, parity, insist)
        self._check(insist, compute, best, parity)

        def loss(_: Float64, tokens_per_byte: Float64) -> Float64:
            return self._loss(compute, -np.log(tokens_per_byte * parity))

        region = curve.least(loss, flat)
        self._check(insist, compute, float(1 / curve.at(region.size)[0]), parity)
        return region

    def _loss(self, compute: float, log: npt.ArrayLike) -> Float64:
        """Return L*, float64, from the logarithm of T, a number or an array."""
        distance = np.asarray(log) + (self.delta * math.log(compute) - math.log(self.t0))
        return np.asarray(self.l0 * compute**self.gamma + self.f * distance**2 + self.e)

    def _check(
        self,
        insist: bool,
        compute: float,
        bytes_per_token: float | None = None,
        parity: float = 1.0,
    ) -> None:
        positive(self.domain.law, compute=compute, bytes_per_token=bytes_per_token, parity=parity)
        fair = None if bytes_per_token is None else bytes_per_token / parity
        self.domain.check(insist, compute=compute, bytes_per_token=fair)


_SUBWORD = Domain(
    law="Limisiewicz et al. 2026 (subword)",
    source="Compute Optimal Tokenization, arXiv 2605.01188",
    year=2026,
    corpus="DCLM, English, context of 8,192 bytes",
    parameters=(50e6, 7e9),
    compute=(5e18, 2e21),
    bytes_per_token=(1.01, 6.16),
)
SUBWORD = Limisiewicz(
    _SUBWORD, 2.8, 0.059, 0.501, 0.446, 1087.0, -0.181, 0.0575, 0.129, 1577.0, 0.680
)
"""Of 320 models with characters, BPE (some with tokens left out) and SuperBPE."""
LATENT = Limisiewicz(
    replace(_SUBWORD, law="Limisiewicz et al. 2026 (latent)", bytes_per_token=None),
    *(17.5, 0.0095, 0.465, 0.471, 3342.0, -0.206, 0.032, 0.035, 18.2, 0.70),
)
"""Of 988 models that join bytes by themselves (BLT)."""

LANGUAGES = {
    "en": (1.0, 62.1, 3.71),
    "fr": (1.2, 57.8, 4.16),
    "vi": (1.4, 61.2, 5.11),
    "ar": (1.6, 75.8, 4.58),
    "ru": (2.0, 96.3, 5.67),
    "hi": (2.6, 95.5, 8.09),
}
"""{language: (parity, B* / N*, T*)} as the authors found them with latent models at 1e20 FLOPs."""
