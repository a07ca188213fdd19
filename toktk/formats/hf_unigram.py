"""Scores of Unigram models in ``tokenizer.json``, as Hugging Face tokenizers reads them."""

from __future__ import annotations

_POWERS = [float(f"1e{exponent}") for exponent in range(309)]
_MOST = 2**64 - 1


def decimal(text: str) -> float:
    """Return the float64 that the library reads; that of a long decimal is one beside the nearest.

    Its reader of JSON takes the digits as an integer of 64 bits, without those that do not fit, and then
    divides by a power of ten: two roundings, where Python has one. Where sums are nearly equal, that
    decides ids.
    """
    number, _, exponent = text.lstrip("-").lower().partition("e")
    whole, _, fraction = number.partition(".")
    digits = (whole + fraction).lstrip("0")
    kept = digits[:20] if int(digits[:20] or "0") <= _MOST else digits[:19]
    value = float(int(kept or "0"))
    power = int(exponent[:1000] or "0") + len(digits) - len(fraction) - len(kept)
    while abs(power) >= len(_POWERS) and value not in (0.0, float("inf")):
        value, power = (value * 1e308, power - 308) if power > 0 else (value / 1e308, power + 308)
    if abs(power) < len(_POWERS):
        value = value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
    return -value if text.startswith("-") else value
