"""What a vocabulary consists of, and which of it a text uses: by rank, by length, by script."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, read_arrays, write_arrays
from toktk.cache import Store
from toktk.pieces.scripts import scripts_of_tokens
from toktk.segmentation.signs import signs
from toktk.visible import visible

LONGEST = 16
"""Bytes; tokens that are longer share a bar."""

PARTIAL, NO_LETTERS = "parts of characters", "no letters"

_RANKS = 60  # points of a curve
_EXAMPLES = 30
_NAMED_SCRIPTS = 14
_LEAST_SHARE = 0.0005  # of the tokens, below which a script is one of the others
_CLIPPED = 40  # bytes of a token that is an example


def vocabulary_use(
    tokens: Sequence[bytes], special_tokens: Sequence[str], counts: Int64, key: str = ""
) -> dict[str, Any]:
    """Return what a text uses of a vocabulary, JSON-able.

    Args:
        tokens: the bytes of each id.
        counts: int64[ids], how often each id occurs in the text.
        key: tells these tokens from any others; with it, what does not depend on the text is kept.

    Returns:
        ``ids``, ``used``, ``never``: numbers of tokens; special tokens do not count. ``ranks``: [rank,
        count] of the most frequent tokens, thinned out. ``lengths``: [label, used, never] by bytes.
        ``scripts``: [name, used, never]. ``unused``, ``top``: examples, [text, id, count].
    """
    specials = {name.encode() for name in special_tokens}
    is_token = np.array([token != b"" and token not in specials for token in tokens])
    never_used = (counts == 0)[is_token]
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))[is_token]
    ids = np.flatnonzero(is_token)
    never = ids[never_used]
    scripts, script_of = _scripts_of([tokens[i] for i in ids.tolist()], key)
    names = [
        *scripts,
        PARTIAL,
        NO_LETTERS,
    ]  # the last two as the numbers of `scripts_of_tokens` have them
    occurs = counts.tolist()
    frequent = np.argsort(-counts, kind="stable")[: int(np.count_nonzero(counts))]
    return {
        "ids": ids.size,
        "used": ids.size - never.size,
        "never": never.size,
        "ranks": [*_ranks(counts[frequent])],
        "lengths": [
            [f"{length}" if length <= LONGEST else f"{LONGEST + 1}+", *used]
            for length, used in _by(np.minimum(lengths, LONGEST + 1), never_used).items()
        ],
        "scripts": _scripts({names[n]: used for n, used in _by(script_of, never_used).items()}),
        "unused": _examples(tokens, occurs, _spread(never.tolist())),
        "top": _examples(tokens, occurs, frequent[:_EXAMPLES].tolist()),
    }


def _scripts_of(tokens: Sequence[bytes], key: str) -> tuple[Sequence[str], Int64]:
    """Return what `scripts_of_tokens` does, of no token as well."""
    store, asked = Store(), ["scripts", key, unicodedata.unidata_version]
    stored = store.read("assets", asked, read_arrays) if key else None
    if stored is not None:
        return stored[1]["names"], stored[0]["scripts"].astype(np.int64)
    names, scripts = scripts_of_tokens(tokens) if tokens else ((), np.empty(0, dtype=np.int64))
    if key:
        arrays = {"scripts": scripts.astype(np.int16)}
        store.write("assets", asked, lambda folder: write_arrays(folder, arrays, names=[*names]))
    return names, scripts


def _ranks(counts: Int64) -> Iterator[list[int]]:
    if not counts.size:
        return
    wanted = np.unique(np.rint(np.geomspace(1, counts.size, _RANKS)).astype(np.int64))
    for rank in wanted.tolist():
        yield [rank, int(counts[rank - 1])]


def _by(kinds: Int64, never_used: npt.NDArray[np.bool_]) -> dict[int, list[int]]:
    """Return {kind: [used, never used]}, in the order of kinds."""
    numbers, at = np.unique(kinds, return_inverse=True)
    counts = np.bincount(2 * at + never_used, minlength=2 * numbers.size).reshape(-1, 2)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _scripts(scripts: Mapping[str, Sequence[int]]) -> list[list[Any]]:
    order = sorted(scripts, key=lambda name: (-sum(scripts[name]), name))
    least = _LEAST_SHARE * sum(map(sum, scripts.values()))
    named = [name for name in order[:_NAMED_SCRIPTS] if sum(scripts[name]) >= least]
    rows = [[visible(name), *scripts[name]] for name in named]
    rest = [scripts[name] for name in order[len(named) :]]
    if rest:
        rows.append([f"{len(rest)} others", *map(sum, zip(*rest, strict=True))])
    return rows


def _spread(ids: Sequence[int]) -> list[int]:
    """Return examples from all over the vocabulary."""
    if len(ids) <= _EXAMPLES:
        return [*ids]
    return [ids[round(i * (len(ids) - 1) / (_EXAMPLES - 1))] for i in range(_EXAMPLES)]


def _examples(
    tokens: Sequence[bytes], counts: Sequence[int], ids: Sequence[int]
) -> list[list[Any]]:
    return [[_clipped(tokens[i]), i, counts[i]] for i in ids]


def _clipped(token: bytes) -> str:
    return signs(token[:_CLIPPED]) + "…" * (len(token) > _CLIPPED)
