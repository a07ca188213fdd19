"""Compare ids with tokenizers and tiktoken at all code points, each in eight contexts.

For each split pattern a small BPE tokenizer is made whose ids show where text is cut: next to a character
of several bytes, there is a merge across every place that can be cut. It is written as tokenizer.json and
.tiktoken, and each file is read back; toktk's own engine must give the ids of the library that owns the
file. Tokenizers named on the command line are compared in the same way. The exit code is 1 if an id differs.

    python benchmarks/code_points.py
    python benchmarks/code_points.py hf:org/name path/to/tokenizer.json
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from toktk.arrays import packed
from toktk.encoder import Encoder
from toktk.loading.load import Loaded, open_tokenizer
from toktk.models.bpe import BpeModel
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

CONTEXTS = ("{}", "a{}b", " {}", "1{}1", "{}'s", ".{}.", "A{0}{0}a", "{}\n")
OWN = {"words": r"\w+|[^\w\s]+|\s+", "scripts": r"\p{Han}+|(?i:k|sk)+|[\p{P}\p{S}]+|\d|\s+|[^\s]"}
_AT_ONCE = 5000  # code points of one document


def revealing_model() -> BpeModel:
    """Return a model that merges two bytes unless both are of one character."""
    empty = BpeModel((), np.empty((0, 3), dtype=np.int64))
    ascii_, inner, lead = range(0x80), range(0x80, 0xC0), range(0xC2, 0xF5)
    pairs = itertools.chain(
        itertools.product(ascii_, lead),
        itertools.product(inner, ascii_),
        itertools.product(inner, lead),
        itertools.product(ascii_, ascii_),
    )
    byte_ids = empty.byte_ids
    merges = [(byte_ids[a], byte_ids[b], 256 + i) for i, (a, b) in enumerate(pairs)]
    return BpeModel((), np.array(merges, dtype=np.int64))


def files_of(pattern: str, folder: Path) -> list[str]:
    """Write a tokenizer that cuts by `pattern`; return its files that hold ids."""
    tokenizer = Tokenizer("revealing", Pretokenizer.of(pattern), revealing_model())
    saved = tokenizer.save(folder)
    for note in saved.notes:
        print("  note:", note)
    # A folder of its own for each, so that a spec names one file.
    return [
        str(path)
        for path in saved.files
        if not path.name.endswith((".tiktoken.json", "_config.json"))
    ]


def documents(codes: Sequence[int], context: str) -> Iterator[str]:
    """Yield texts with each code point in a context."""
    for at in range(0, len(codes), _AT_ONCE):
        yield "\n".join(context.format(chr(code)) for code in codes[at : at + _AT_ONCE])


def differences(loaded: Loaded, codes: Sequence[int]) -> list[str]:
    """Return the contexts, with the first text of code points, in which ids differ; all must be equal."""
    if loaded.native is None:
        return [f"no native engine: {loaded.why}"]
    encoder, library = Encoder(loaded.native.pretokenizer, loaded.native.model), loaded.build()
    differing = []
    for context in CONTEXTS:
        for text in documents(codes, context):
            data, offsets = packed([text.encode()])
            ids = encoder.encode_batch(data, offsets)[0]
            if not np.array_equal(ids, library.encode_pieces(data, offsets)[0]):
                differing.append(f"{context!r}: from {text[:12]!r}")
    return differing


def main() -> int:
    """Compare, print a line for each tokenizer, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tokenizers", nargs="*", help="specs; default: each named pattern")
    wanted = parser.parse_args().tokenizers
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name, pattern in ({} if wanted else {**PATTERNS, **OWN}).items():
            wanted += files_of(pattern, Path(temporary) / name)
        for spec in wanted:
            start = time.perf_counter()
            loaded = open_tokenizer(spec)
            differing = differences(loaded, codes)
            failures += bool(differing)
            n, seconds = len(codes) * len(CONTEXTS), time.perf_counter() - start
            verdict = f"{len(differing)} texts differ, {differing[0]}" if differing else "equal"
            print(f"{spec}: {n:,} by {loaded.library}: {verdict} ({seconds:.0f} s)", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
