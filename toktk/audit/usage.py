"""Usage: the ids that a text never uses, what that says of other texts, and those of one document."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.audit.finding import Finding
from toktk.audit.subject import EXAMPLES, Flags, Subject, Text, percent, plural, shown
from toktk.stats.interval import MIN_EFFECTIVE, WHY, Interval, effective_number
from toktk.stats.jackknife import jackknife_spread

_BLOCKS = 64


def usage(subject: Subject, text: Text, second: Text | None = None) -> list[Finding]:
    """Return which tokens the text never uses, and which stand in one document alone."""
    ids = subject.ordinary
    return [_never_used(subject, ids, text, second), _of_one_document(subject, ids, text)]


def used_in(text: Text, n_ids: int, documents: slice = slice(None)) -> Flags:
    """Return bool[ids]: which are used in some documents of a text."""
    ends = text.ends[:-1][documents], text.ends[1:][documents]
    first, last = (int(ends[0][0]), int(ends[1][-1])) if ends[0].size else (0, 0)
    return np.bincount(text.ids[first:last], minlength=n_ids) > 0


def never_used(text: Text, ids: Int64, n_ids: int) -> Interval:
    """Return how many of `ids` a text never uses, and between what that lies for as much text like it.

    By a jackknife over 64 blocks of documents: without a block, the ids that it alone has are unused too.
    """
    used = used_in(text, n_ids)[ids]
    n_never = int((~used).sum())
    unit = _units(text)
    n_units = int(unit[-1]) + 1 if unit.size else 0
    sizes = np.bincount(unit, np.diff(text.offsets)) if unit.size else np.zeros(0)
    n_effective = effective_number(sizes)
    if not text.is_all:
        return Interval(n_never, None, None, n_units, n_effective, "part")
    n_blocks = min(_BLOCKS, n_units)
    if n_blocks < 2:
        return Interval(n_never, None, None, n_units, n_effective, "few")
    block = np.repeat(unit * n_blocks // n_units, np.diff(text.ends))
    pairs = np.unique(text.ids.astype(np.int64) * n_blocks + block)
    in_blocks = np.bincount(pairs // n_blocks, minlength=n_ids)
    is_counted = np.zeros(n_ids, dtype=np.bool_)
    is_counted[ids] = True
    alone = pairs[(in_blocks == 1)[pairs // n_blocks] & is_counted[pairs // n_blocks]]
    gone = np.bincount(alone % n_blocks, minlength=n_blocks)
    values = np.append(n_never, n_never + gone).astype(np.float64)
    n_effective, why, spread = jackknife_spread(values, n_units, None, n_effective)
    if spread is None:
        return Interval(n_never, None, None, n_units, n_effective, why)
    reach = spread.reach(0.95)
    low, high = max(0.0, n_never - reach), min(float(ids.size), n_never + reach)
    return Interval(n_never, low, high, n_units, n_effective, None, spread.one_decides)


def _never_used(subject: Subject, ids: Int64, text: Text, second: Text | None) -> Finding:
    n_ids, n = len(subject.tokens), ids.size
    used = used_in(text, n_ids)[ids]
    unused = ids[~used].tolist()
    interval = never_used(text, ids, n_ids)
    finding = functools.partial(subject.of_ids, "never-used", ids=unused, of=n)
    if not unused:
        return finding("ok", f"each of {plural(n, 'token')} is used in {text.described}.")
    if interval.low is None or interval.high is None:
        about = f"no interval: {WHY[interval.why or 'few']}"
    else:
        about = f"95% on as much text like it: {interval.low:,.0f} to {interval.high:,.0f}"
    message = (
        f"on this text, {text.described}, {len(unused):,} of {n:,} tokens ({percent(len(unused), n)}) are "
        f"never used ({about}). {_elsewhere(ids, used, text, second, n_ids)}"
    )
    advice = "Take none of them for useless before other text says so too: the number falls as text grows."
    return finding("info", message, advice=advice)


def _elsewhere(ids: Int64, used: Flags, text: Text, second: Text | None, n_ids: int) -> str:
    """Say how many of the tokens that one text does not use another one does."""
    if second is not None:
        there = used_in(second, n_ids)[ids][~used]
        n, k = there.size, int(there.sum())
        return f"Of these, {k:,} ({percent(k, n)}) are used in {second.described}, and {n - k:,} in neither."
    middle = _middle(text)
    if not 0 < middle < len(text):
        return "One document has no halves to compare."
    first, other = (
        used_in(text, n_ids, part)[ids] for part in (slice(0, middle), slice(middle, None))
    )
    n, k = int((~first).sum()), int((other & ~first).sum())
    share = percent(k, n)
    return f"Of {n:,} that one half of its documents does not use, the other half uses {k:,} ({share})."


def _middle(text: Text) -> int:
    """Return the first document of the second half; languages of a line stay together."""
    unit = _units(text)
    return int(np.searchsorted(unit, (int(unit[-1]) + 1) // 2)) if unit.size else 0


def _units(text: Text) -> Int64:
    """Return int64[D]: the number of each document's unit, from 0."""
    is_new: npt.NDArray[np.bool_] = np.ones(len(text), dtype=np.bool_)
    is_new[1:] = text.unit[1:] != text.unit[:-1]
    return np.asarray(np.cumsum(is_new) - 1, dtype=np.int64)


def _of_one_document(subject: Subject, ids: Int64, text: Text) -> Finding:
    check = "one-document"
    n_documents = len(text)
    if n_documents < MIN_EFFECTIVE:
        why = f"{plural(n_documents, 'document')}, fewer than {MIN_EFFECTIVE}."
        return subject.not_checked(check, why)
    documents = np.repeat(np.arange(n_documents), np.diff(text.ends))
    pairs, times = np.unique(
        text.ids.astype(np.int64) * n_documents + documents, return_counts=True
    )
    token = pairs // n_documents
    in_documents = np.bincount(token, minlength=len(subject.tokens))
    often = np.zeros(len(subject.tokens), dtype=np.int64)
    np.add.at(often, token, times)
    single = ids[in_documents[ids] == 1]
    repeated = single[often[single] > 1]
    n = int((in_documents[ids] > 0).sum())
    message = (
        f"on this text, {single.size:,} of {n:,} tokens that are used ({percent(single.size, n)}) stand in "
        f"one document alone, {repeated.size:,} of them more than once in it."
    )
    order = np.argsort(-often[repeated], kind="stable")
    examples = tuple(shown(subject.tokens[i]) for i in repeated[order][:EXAMPLES].tolist())
    return subject.of_ids(
        check, "info" if single.size else "ok", message, single.tolist(), of=n, examples=examples
    )
