"""Merges of equal rank, as a list that has one rank for each.

SentencePiece ranks a merge by the score of the token that it makes. Tokens may have equal scores,
and of their merges the leftmost in the text goes first. In a list of merges each has its place, and
only equal ones go from left to right. Some order in the list gives the same ids nevertheless:

Take the moment when the best rank at hand is that of the group G, and let no token of G be a part
of a merge that ranks better. Then only merges of G happen until none is left: SentencePiece takes
the leftmost, the list its first. Suppose the list takes m = (b, c), and SentencePiece, going on from
there, would never make this merge. It takes the leftmost, so it does not join c with what follows
while b stands before it. It joins b with some a before it: p = (a, b). If a stood there already, p was
at hand for the list too. If not, some merge o of G that a is made by was. So where p and all such o
stand before m in the list, or are m again, further left, the list does not take m. It is enough too
that all such o stand before the merge q of G that b is made by, or are q again: then the list did not
take q. (It did so now, if G cannot come to b at another moment.) Hence each merge that the list makes
is one that SentencePiece makes. They end alike, for merges that touch no common token can change
places.

So an order is right if, for all a, b, c with merges p = (a, b) and m = (b, c) in G, p stands before m,
and what G makes a by before m or q. Where neither b nor c is made in G, the neighbors a, b, c stand in
some text only if SentencePiece comes to them in the text abc alone: no merge has crossed its ends,
so those within were the same. Where it never does, the order does not matter. Where it does, a list
with m before p gives other ids for abc.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np

from toktk.arrays import Int64, packed
from toktk.errors import FormatError, clipped
from toktk.models.pairs import PairModel

_MOST = 100_000  # neighbors and conditions that are looked at, some microseconds each
_WHAT = "cannot write tokenizer.json: for merges of equal rank, no order is known to be right."
_KEEP = "Keep the SentencePiece model, whose rule it is that the leftmost goes first."

_Merge = tuple[int, int, int, int]


def in_list_order(model: PairModel) -> PairModel:
    """Return a model that gives the same ids, and whose pairs have different ranks.

    Raises:
        FormatError: there is none, or none that is proven; the error names a text.
    """
    pairs = model.pairs[np.argsort(model.pairs[:, 3], kind="stable")]
    _, starts, sizes = np.unique(pairs[:, 3], return_index=True, return_counts=True)
    if (sizes == 1).all():
        return model
    tied = np.flatnonzero(sizes > 1)
    for start, end in zip(starts[tied], starts[tied] + sizes[tied], strict=True):
        group = pairs[start:end]
        within_better = np.isin(pairs[:start, :2], group[:, 2]).any(axis=1)
        if within_better.any():
            i = int(pairs[within_better.argmax(), 2])
            raise FormatError(
                _WHAT,
                f"Found: the token {clipped(model.tokens[i])}, the id {i:,}, ranks better than "
                "tokens of equal rank that it consists of.",
                _KEEP,
            )
        once = not np.isin(pairs[:end, :2], pairs[end:, 2]).any()
        merges = [tuple(row) for row in group.tolist()]
        pairs[start:end] = group[_order(model, pairs, merges, once)]
    pairs[:, 3] = np.arange(len(pairs))
    return replace(model, pairs=pairs)


def _order(model: PairModel, pairs: Int64, group: list[_Merge], once: bool) -> list[int]:
    """Return the indices of the merges of one rank in an order that a list can have them in.

    `once`: when none of them is left in a text, none comes again.
    """
    makes, begins = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for i, (left, _, new, _) in enumerate(group):
        makes[new].append(i)
        begins[left].append(i)
    n, before = 0, dict[tuple[int, int], set[tuple[int, int]]]()
    for i, (left, right, *_) in enumerate(group):
        for j in begins.get(right, ()):
            made_first = makes[right] if once and right in makes else [j]
            needed = {(i, j)} | {(o, q) for o in _makers(left, group, makes) for q in made_first}
            n += len(needed)
            if n > _MOST:
                found = f"{len(group):,} of equal rank that overlap in too many ways"
                raise FormatError(_WHAT, f"Found: {found}.", _KEEP)
            before[i, j] = {(first, second) for first, second in needed if first != second}
    doubtful = [(i, j) for i, j in before if not {group[j][0], group[j][1]} & makes.keys()]
    neighbors = [(*group[i][:2], group[j][1]) for i, j in doubtful]
    for overlap, does_arise in zip(doubtful, _arise(model, pairs, neighbors), strict=True):
        if not does_arise:
            del before[overlap]
    sorter = TopologicalSorter[int](dict.fromkeys(range(len(group)), ()))
    for first, second in sorted(set().union(*before.values())):
        sorter.add(second, first)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        edges = list(pairwise(error.args[1]))
        edge = next((edge for edge in edges if edge in before), edges[0])
        i, j = edge if edge in before else next(at for at in before if edge in before[at])
        text = b"".join([model.tokens[k] for k in (*group[i][:2], group[j][1])])
        needs = "needs" if (i, j) == edge else "can need"
        new, other = (group[k][2] for k in edge)
        raise FormatError(
            _WHAT,
            f"Found: the text {clipped(text)} {needs} the id {new:,}, {clipped(model.tokens[new])}, "
            f"before {other:,}, {clipped(model.tokens[other])}, and another text behind it.",
            _KEEP,
        ) from error


def _makers(token: int, group: list[_Merge], makes: dict[int, list[int]]) -> set[int]:
    """Return the merges of the group that `token` is made by, those of its parts included."""
    found, waiting = set[int](), [token]
    while waiting:
        for i in makes.get(waiting.pop(), ()):
            if i not in found:
                found.add(i)
                waiting += group[i][:2]
    return found


def _arise(model: PairModel, pairs: Int64, neighbors: list[tuple[int, int, int]]) -> list[bool]:
    """Tell of each three tokens whether merging their text alone comes to just these three."""
    texts = [b"".join([model.tokens[i] for i in three]) for three in neighbors]
    unmerged = replace(model, pairs=pairs[:0], whole=np.zeros_like(model.whole))
    ids, ends = unmerged.encode_pieces(*packed(texts))
    symbols, bounds = ids.tolist(), [0, *ends.tolist()]
    merges = {(left, right): (rank, new) for left, right, new, rank in reversed(pairs.tolist())}
    return [
        _down_to(3, symbols[start:end], merges) == list(three)
        for three, (start, end) in zip(neighbors, pairwise(bounds), strict=True)
    ]


def _down_to(
    n: int, symbols: list[int], merges: dict[tuple[int, int], tuple[int, int]]
) -> list[int]:
    """Merge by lowest rank and from the left until `n` symbols are left, or nothing merges."""
    while len(symbols) > n:
        at_hand = [(*merges[two], i) for i, two in enumerate(pairwise(symbols)) if two in merges]
        if not at_hand:
            break
        _, i, new = min((rank, i, new) for rank, new, i in at_hand)
        symbols[i : i + 2] = [new]
    return symbols
