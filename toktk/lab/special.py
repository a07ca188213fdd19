"""Special tokens that stand in the text that is measured: how often, and what a library makes of them.

All figures take them for text, as toktk's encoder and SentencePiece do. Hugging Face tokenizers and
transformers find them unless told otherwise, and tiktoken's ``encode`` refuses the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.corpus import Corpus
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.encoder import Encoder
from toktk.lab.counted import CountedCorpora
from toktk.models.symbols import symbols_of
from toktk.pieces.beside import finder
from toktk.pieces.table import gather
from toktk.tokenizer import NATIVE, Tokenizer
from toktk.visible import listed

_NAMED = 100  # in run.json


def special_in_text(
    corpus: Corpus, tokenizers: Mapping[str, Tokenizer], counted: CountedCorpora
) -> dict[str, dict[str, Any]]:
    """Return for each tokenizer whose special tokens stand in the text what run.json says of them.

    These are ``occurrences``, by name, the most frequent first; ``names``, how many there are; ``n``, the
    occurrences of all; ``as_text`` and ``found``, the tokens of the documents that hold any, where the
    names are text, as in all figures, and where each is one token, as Hugging Face tokenizers has it. The
    last two are null for a tokenizer that a library runs. All count documents by their weights.

    `counted` was told to seek these names, so that a text without any is not read again.
    """
    names = {label: t.model.special_tokens for label, t in tokenizers.items()}
    if not any(names.values()) or not counted.holds_sought(corpus):
        return {}
    sought = finder([name for of_label in names.values() for name in of_label])
    tallies = {label: _Tally(t) for label, t in tokenizers.items() if names[label]}
    with counted.meter.step("look for special tokens", corpus.name, corpus.size, corpus.unit) as on:
        for batch in corpus.batches(on):
            data, offsets = spans(batch.column(TEXT))
            _, _, owner, is_name = sought.prepare(data, offsets)
            if owner is None or is_name is None:
                continue
            holding = np.unique(owner[is_name])  # few, and the other documents tell nothing
            data, offsets = gather(data, offsets, holding)
            weights = arrow.to_numpy(batch.column(WEIGHT))[holding]
            for tally in tallies.values():
                tally.add(data, offsets, weights, counted.jobs)
    return {label: tally.described() for label, tally in tallies.items() if tally.occurrences}


def special_lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is said of `special_in_text`: a sentence for each tokenizer."""
    return [f"{label}: {_sentence(about)}" for label, about in found.items()]


class _Tally:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self.occurrences: Counter[str] = Counter()
        special, symbols = tokenizer.model.special_tokens, symbols_of(tokenizer.model)
        self._special = np.array([name.encode() for name in special], dtype=object)
        # Symbols are found in either case; they are sought here so that none is cut by a special token.
        self._finder = finder((*special, *symbols))
        is_native = tokenizer.engine == NATIVE
        self._encoder = Encoder(tokenizer.pretokenizer, tokenizer.model) if is_native else None
        self._as_text = self._found = 0

    def add(self, data: Bytes, offsets: Int64, weights: Int64, jobs: int) -> None:
        raw, parts, owner, is_name = self._finder.prepare(data, offsets)
        if owner is None or is_name is None:
            return
        names = np.flatnonzero(is_name)
        bounds = zip(parts[names].tolist(), parts[names + 1].tolist(), strict=True)
        spelled = np.array([raw[begin:end].tobytes() for begin, end in bounds], dtype=object)
        is_special = np.isin(spelled, self._special)
        holding = names[is_special]
        for name, weight in zip(spelled[is_special], weights[owner[holding]].tolist(), strict=True):
            self.occurrences[name.decode()] += weight
        if self._encoder is None or not holding.size:
            return
        documents = np.unique(owner[holding])
        among = np.isin(owner, documents)
        others = np.flatnonzero(~is_name & among)
        found = np.bincount(owner[is_name & among], minlength=weights.size)
        counts = self._encoder.count_batch(*gather(raw, parts, others), jobs)
        found += np.bincount(owner[others], counts, minlength=weights.size).astype(np.int64)
        self._found += int(found @ weights)
        as_text = self._encoder.count_batch(*gather(data, offsets, documents), jobs)
        self._as_text += int(as_text @ weights[documents])

    def described(self) -> dict[str, Any]:
        known = self._encoder is not None
        return {
            "occurrences": dict(self.occurrences.most_common(_NAMED)),
            "names": len(self.occurrences),
            "n": self.occurrences.total(),
            "as_text": self._as_text if known else None,
            "found": self._found if known else None,
        }


def _sentence(about: Mapping[str, Any]) -> str:
    most = [*about["occurrences"].items()]
    named = listed([f"{name} ({n:,})" for name, n in most], about["names"])
    effect = ""
    if about["as_text"]:
        more = about["found"] / about["as_text"] - 1
        share = f"{abs(more):.1%}"
        than = f"{share} {'more' if more > 0 else 'fewer'}" if share != "0.0%" else "about as many"
        effect = f" and needs {than} tokens for these documents"
    return (
        f"special tokens stand in the text: {named}. They are text in all figures; Hugging Face "
        f"tokenizers finds them, unless told otherwise,{effect}."
    ).replace(",.", ".")
