"""Sizes as people write them: of vocabularies, ``50k`` is 50,000 ids in all; and of files."""

from __future__ import annotations

import re
from fractions import Fraction

DEFAULT_SIZES = (8_000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
# Token ids are int32 wherever they are stored.
MAX_SIZE = 2**31 - 1

# Of a number, so many digits that no size is lost, and none becomes too large to compute with.
_SIZE = re.compile(r"(?!.{40})([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)(k|m|ki|mi)?", re.IGNORECASE)
_BYTES = re.compile(r"(?!.{40})(\d+(?:\.\d+)?) ?([kmgt]i?)?b?", re.IGNORECASE | re.ASCII)
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SCALE |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def size_label(size: int) -> str:
    """Return ``50k`` for 50000, ``1.5k`` for 1500, ``50257`` as it is."""
    return f"{size / 1000:g}k" if size % 100 == 0 and size >= 1000 else str(size)


def written_size(size: int) -> str:
    """Return what tables show: as `size_label`, but ``50,257``."""
    label = size_label(size)
    return label if label.endswith("k") else f"{size:,}"


def why_unreached(available: int | None, least: int | None) -> str:
    """Return why sizes cannot be reached, as far as that is known.

    `available` is how many ids the text gives, `least` how many are taken whatever it says.
    """
    taken = [] if least is None else [f"{least:,} ids are taken before anything is learned"]
    given = [] if available is None else [f"the text gives {available:,} tokens"]
    return ", ".join((*taken, *given))


def parse_size(text: str) -> int:
    """Return 50000 for ``50k``: k is 1000, M a million, Ki 1024, Mi 1024 * 1024.

    Raises:
        ValueError: `text` is no size; the message says what is.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r:.60} is not a vocabulary size; write 32000, 32k, 1.5k, 1M or 50Ki, and"
            " several as 8k,16k."
        )
    number = Fraction(match[1].replace("_", "")) * _SCALE[(match[2] or "").lower()]
    if number.denominator != 1:
        raise ValueError(f"{text!r} is {float(number):g} tokens, not a whole number.")
    if not 1 <= number <= MAX_SIZE:
        hint = "; a comma separates sizes, 50,000 is written 50000 or 50k" if not number else ""
        raise ValueError(f"{text!r} is not between 1 and {MAX_SIZE:,} tokens{hint}.")
    return int(number)


def parse_bytes(text: str) -> int:
    """Return the bytes of a size such as ``5GB``, ``1.5 GiB`` or ``1000``.

    Raises:
        ValueError: it is no size.
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r:.60} is not a size; write 5GB, 500MB, 2GiB or a number of bytes."
        )
    return int(Fraction(match[1]) * _SCALE[(match[2] or "").lower()])


def bytes_label(size: float) -> str:
    """Return a number of bytes for people, in units of 1000: ``0 B``, ``12 kB``, ``1.2 GB``."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.{1 if units[0] != 'B' and size < 9.95 else 0}f} {units[0]}"
