"""What a vocabulary consists of, and which of it a text uses: by rank, by length, by script."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, read_arrays, write_arrays
from toktk.cache import Store
from toktk.models.lookup import Tokens
from toktk.models.vocabulary import unpacked
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
    tokens: Tokens, special_tokens: Sequence[str], counts: Int64, key: str = ""
) -> dict[str, Any]:
    """Return what a text uses of a vocabulary, JSON-able.

    Args:
        tokens: those of each id.
        counts: int64[ids], how often each id occurs in the text.
        key: tells these tokens from any others; with it, what does not depend on the text is kept.

    Returns:
        ``ids``, ``used``, ``never``: numbers of tokens; special tokens do not count. ``ranks``: [rank,
        count] of the most frequent tokens, thinned out. ``lengths``: [label, used, never] by bytes.
        ``scripts``: [name, used, never]. ``unused``, ``top``: examples, [text, id, count].
    """
    ids = _ordinary(tokens, {name.encode() for name in special_tokens})
    never_used = counts[ids] == 0
    never = ids[never_used]
    scripts, script_of = _scripts_of(tokens, ids, key)
    names = [
        *scripts,
        PARTIAL,
        NO_LETTERS,
    ]  # the last two as the numbers of `scripts_of_tokens` have them
    occurring = np.flatnonzero(counts)
    frequent = occurring[np.argsort(-counts[occurring], kind="stable")]
    lengths = np.minimum(tokens.lengths[ids], LONGEST + 1)
    return {
        "ids": ids.size,
        "used": ids.size - never.size,
        "never": never.size,
        "ranks": [*_ranks(counts[frequent])],
        "lengths": [
            [f"{length}" if length <= LONGEST else f"{LONGEST + 1}+", *used]
            for length, used in _by(lengths, never_used).items()
        ],
        "scripts": _scripts({names[n]: used for n, used in _by(script_of, never_used).items()}),
        "unused": _examples(tokens, counts, _spread(never)),
        "top": _examples(tokens, counts, frequent[:_EXAMPLES]),
    }


def _ordinary(tokens: Tokens, specials: Collection[bytes]) -> Int64:
    """Return the ids whose tokens are neither empty nor spelled as a special token."""
    lengths = tokens.lengths
    chosen = lengths > 0
    alike = np.flatnonzero(chosen & np.isin(lengths, [*{*map(len, specials)}]))
    alike = alike[
        np.isin(tokens.data[tokens.offsets[alike]], [*{name[0] for name in specials if name}])
    ]
    chosen[[i for i in alike.tolist() if tokens.spelled(i) in specials]] = False
    return np.flatnonzero(chosen)


def _scripts_of(tokens: Tokens, ids: Int64, key: str) -> tuple[Sequence[str], Int64]:
    """Return what `scripts_of_tokens` does of the tokens of some ids, of none as well."""
    store, asked = Store(), ["scripts", key, unicodedata.unidata_version]
    stored = store.read("assets", asked, read_arrays) if key else None
    if stored is not None:
        return stored[1]["names"], stored[0]["scripts"].astype(np.int64)
    spelled = unpacked(*tokens.gathered(ids))
    names, scripts = scripts_of_tokens(spelled) if spelled else ((), np.empty(0, dtype=np.int64))
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
    """Return {kind: [used, never used]} of small numbers of kinds, ascending."""
    least = int(kinds.min(initial=0))
    counts = [*np.bincount(2 * (kinds - least) + never_used).tolist(), 0]
    pairs = zip(counts[::2], counts[1::2], strict=False)
    return {least + n: [*pair] for n, pair in enumerate(pairs) if any(pair)}


def _scripts(scripts: Mapping[str, Sequence[int]]) -> list[list[Any]]:
    order = sorted(scripts, key=lambda name: (-sum(scripts[name]), name))
    least = _LEAST_SHARE * sum(map(sum, scripts.values()))
    named = [name for name in order[:_NAMED_SCRIPTS] if sum(scripts[name]) >= least]
    rows = [[visible(name), *scripts[name]] for name in named]
    rest = [scripts[name] for name in order[len(named) :]]
    if rest:
        rows.append([f"{len(rest)} others", *map(sum, zip(*rest, strict=True))])
    return rows


def _spread(ids: Int64) -> Int64:
    """Return examples from all over the vocabulary."""
    if ids.size <= _EXAMPLES:
        return ids
    return ids[[round(i * (ids.size - 1) / (_EXAMPLES - 1)) for i in range(_EXAMPLES)]]


def _examples(tokens: Tokens, counts: Int64, ids: Int64) -> list[list[Any]]:
    return [[_clipped(tokens.spelled(i)), i, int(counts[i])] for i in ids.tolist()]


def _clipped(token: bytes) -> str:
    return signs(token[:_CLIPPED]) + "…" * (len(token) > _CLIPPED)
