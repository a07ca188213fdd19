"""Speed: what is said of given timings; no clock runs here."""

from __future__ import annotations

from audited import of_ranks

from toktk.audit.speed import growth, speed
from toktk.timing.figures import Timing, ends, exponent

SIZES = [1 << k for k in (14, 16, 18, 20)]


def timing(kind: str, seconds: list[float] | None, engine: str = "toktk", note: str = "") -> Timing:
    """Return the timing of a kind of text, fitted to these seconds."""
    interval = None if seconds is None else exponent(SIZES[: len(seconds)], seconds)
    return Timing(
        "t", engine, "1", 1, what=f"pathological:{kind}", unit="exponent", n=len(seconds or ()),
        note=note, verified=True, **ends(interval),
    )  # fmt: skip


def growing(power: float, noise: tuple[float, ...] = (1, 1.02, 0.99, 1.01)) -> list[float]:
    return [1e-9 * size**power * factor for size, factor in zip(SIZES, noise, strict=True)]


def test_linear_time_is_fine():
    timings = [timing("letter", growing(1)), timing("spaces", growing(1.1))]
    (found,) = growth("t", timings)
    assert (found.severity, found.count, found.of) == ("ok", 0, 2)
    assert "exponents 1.00 to 1.10" in found.message


def test_quadratic_time_is_told():
    timings = [timing("letter", growing(1)), timing("spaces", growing(2), "tiktoken")]
    (found,) = growth("t", timings)
    assert found.severity == "warning"
    assert found.message.startswith(
        "spaces: the time of tiktoken 1 grows as the length to the power of 2.00"
    )


def test_noise_is_no_finding():
    noisy = growing(1.2, (1.0, 2.5, 0.7, 2.0))
    (found,) = growth("t", [timing("letter", noisy)])
    assert found.severity == "ok"


def test_an_engine_that_ends_is_told():
    (found,) = growth(
        "t", [timing("emoji", growing(1), note="stopped after 4 s at 1,048,576 bytes")]
    )
    assert found.severity == "warning"
    assert "toktk 1 ended with: stopped after 4 s" in found.message


def test_without_lengths_nothing_is_known():
    (found,) = growth("t", [timing("letter", None)])
    assert found.message.startswith("not checked")
    (found,) = speed(of_ranks([]))
    assert found.message.startswith("not checked")
