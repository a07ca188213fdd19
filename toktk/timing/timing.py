"""One figure of the timing protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """What was timed, and what came out.

    Attributes:
        tokenizer: its label.
        engine: "toktk", or a library.
        version: of the engine.
        threads: how many it was allowed.
        what: ids (how many documents have the reference library's ids), load (seconds from the file to
            the first ids, in a fresh process, the library imported), cold (the first text of a fresh
            engine), warm (text it has not seen, after other text), cold_ratio and warm_ratio (speed,
            over the reference library's), memory (bytes by which the peak rose from before loading to
            after all timing), or pathological:<kind> (exponent of CPU time against length, and MB/s at
            the longest).
        value: None where it was not measured; `note` says why.
        low, high: of load, cold and warm the quartiles, of ratios and exponents the 95 % interval.
        unit: "s", "MB/s" (10**6 bytes of UTF-8), "ratio", "bytes", "documents" or "exponent".
        n: slices, processes, documents or lengths behind the value.
        note: what else is to be known.
        verified: the ids were compared with the reference library's on the very text, and are equal.
    """

    tokenizer: str
    engine: str
    version: str
    threads: int
    what: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    n: int | None
    note: str
    verified: bool
