"""Where a law was fitted, and whether a question lies inside."""

from __future__ import annotations

from dataclasses import dataclass

from toktk.errors import LawError

Range = tuple[float, float]

_ROUNDING = 1e-9
# Between these, no formula here overflows.
_BOUNDS = {"parameters": (1e-10, 1e15)}
_OTHER_BOUNDS = 1e-100, 1e100


@dataclass(frozen=True)
class Domain:
    """What a law was fitted to; both ends of a range are inside, and None says nothing.

    Attributes:
        law: what it is called.
        source: where it is published.
        corpus: the text that its models were trained on.
        parameters: of the models, without embedding and head.
        compute: FLOPs of their training.
        sizes: ids of their vocabularies.
        bytes_per_token: of their tokenizers, on that text.
    """

    law: str
    source: str
    corpus: str
    year: int | None = None
    parameters: Range | None = None
    compute: Range | None = None
    sizes: Range | None = None
    bytes_per_token: Range | None = None

    def __str__(self) -> str:
        ranges = [
            f"{written(name, span[0])} to {written(name, span[1])} {_UNITS[name]}"
            for name in _UNITS
            if (span := getattr(self, name)) is not None
        ]
        return f"{', '.join(ranges)}; {self.corpus}"

    def outside(self, **asked: float | None) -> tuple[str, ...]:
        """Return what of a question lies outside, as ``7B parameters``; none: it is inside.

        `asked` has the names of the ranges; None is not asked.
        """
        beyond = []
        for name, value in asked.items():
            span: Range | None = getattr(self, name)
            if span is None or value is None:
                continue
            # A hair's breadth beyond an end is a matter of rounding.
            if not span[0] * (1 - _ROUNDING) <= value <= span[1] * (1 + _ROUNDING):
                beyond.append(f"{written(name, value)} {_UNITS[name]}")
        return tuple(beyond)

    def check(self, insist: bool = False, **asked: float | None) -> tuple[str, ...]:
        """Return what lies outside; it is refused unless the asker insists.

        Raises:
            LawError: something does, and nobody insists.
        """
        beyond = self.outside(**asked)
        if beyond and not insist:
            raise LawError(
                f"{self.law} was not fitted to {', '.join(beyond)}.",
                f"Fitted to: {self}.",
                "Ask inside of that, or insist (--insist, insist=True): it is then an extrapolation.",
            )
        return beyond


_UNITS = {
    "parameters": "parameters",
    "compute": "FLOPs",
    "sizes": "ids",
    "bytes_per_token": "bytes per token",
}


def written(name: str, value: float) -> str:
    """Return a quantity of a question as people write it: ``1.13B`` parameters, ``2e+21`` FLOPs."""
    if name == "compute":
        return f"{value:.3g}"
    if name == "sizes":
        return f"{value:,.0f}"
    for letter, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if value >= scale:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.3g}"


def positive(law: str, **asked: float | None) -> None:
    """Refuse what is no positive number, or beyond all models; None is not asked.

    Raises:
        LawError: something is.
    """
    for name, value in asked.items():
        least, most = _BOUNDS.get(name, _OTHER_BOUNDS)
        if value is not None and not least <= value <= most:
            raise LawError(
                f"{law} needs {name.replace('_', ' ')} above 0, and at most {most:g}.",
                f"Found: {value!r}.",
            )
