"""toktk: train tokenizers at every vocabulary size and measure what each costs in every language."""

from __future__ import annotations

# Nothing is imported here that takes time: signals are seen to only after this file. Type checkers take
# this name for true.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from toktk.corpus import Corpus, load_corpus
    from toktk.counts.text import open_counts
    from toktk.lab.compare import compare
    from toktk.lab.measure import evaluate
    from toktk.lab.train import train
    from toktk.loading.load import load
    from toktk.report.results import Results
    from toktk.shards.encode import encode_corpus
    from toktk.tokenizer import Tokenizer

__version__ = "0.1.0"

__all__ = [
    "Corpus",
    "Results",
    "Tokenizer",
    "compare",
    "encode_corpus",
    "evaluate",
    "load",
    "load_corpus",
    "open_counts",
    "train",
]

# Imported when they are first used, so that `import toktk` is quick.
_PLACES = {
    "Corpus": "toktk.corpus",
    "Results": "toktk.report.results",
    "Tokenizer": "toktk.tokenizer",
    "compare": "toktk.lab.compare",
    "encode_corpus": "toktk.shards.encode",
    "evaluate": "toktk.lab.measure",
    "load": "toktk.loading.load",
    "load_corpus": "toktk.corpus",
    "open_counts": "toktk.counts.text",
    "train": "toktk.lab.train",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'toktk' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
