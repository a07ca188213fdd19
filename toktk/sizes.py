"""Vocabulary sizes as people write them: ``50k`` is 50,000 ids in all."""

from __future__ import annotations

import re
from fractions import Fraction

DEFAULT_SIZES = (8_000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
# Token ids are int32 wherever they are stored.
MAX_SIZE = 2**31 - 1

_SIZE = re.compile(r"([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)(k|m|ki|mi)?", re.IGNORECASE)
_SCALE = {"": 1, "k": 1000, "m": 1000_000, "ki": 1024, "mi": 1024 * 1024}


def size_label(size: int) -> str:
    """Return ``50k`` for 50000, ``1.5k`` for 1500, ``50257`` as it is."""
    return f"{size / 1000:g}k" if size % 100 == 0 and size >= 1000 else str(size)


def parse_size(text: str) -> int:
    """Return 50000 for ``50k``: k is 1000, M a million, Ki 1024, Mi 1024 * 1024.

    Raises:
        ValueError: `text` is no size; the message says what is.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a vocabulary size; write 32000, 32k, 1.5k, 1M or 50Ki, and"
            " several as 8k,16k."
        )
    number = Fraction(match[1].replace("_", "")) * _SCALE[(match[2] or "").lower()]
    if number.denominator != 1:
        raise ValueError(f"{text!r} is {float(number):g} tokens, not a whole number.")
    if not 1 <= number <= MAX_SIZE:
        hint = "; a comma separates sizes, 50,000 is written 50000 or 50k" if not number else ""
        raise ValueError(f"{text!r} is not between 1 and {MAX_SIZE:,} tokens{hint}.")
    return int(number)
