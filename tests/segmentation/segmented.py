"""Segmentations by hand: a text, and how it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from hypothesis import strategies as st

from toktk.segmentation.segmentation import Segmentation

NOWHERE = -1


def cut(*tokens: bytes | str, name: str = "one", nowhere: Sequence[int] = ()) -> Segmentation:
    """Return the segmentation of which these are the tokens; those at `nowhere` have no place."""
    parts = [t.encode() if isinstance(t, str) else t for t in tokens]
    edges = [*accumulate(map(len, parts), initial=0)]
    spans = [*pairwise(edges)]
    places = np.array(
        [(NOWHERE, NOWHERE) if i in nowhere else span for i, span in enumerate(spans)]
    )
    starts, ends = places.reshape(-1, 2).T.astype(np.int64)
    ids = np.arange(len(parts), dtype=np.uint32)
    return Segmentation(name, 1000, "none", "native", "", b"".join(parts), ids, starts, ends, parts)


@st.composite
def several(draw: st.DrawFn) -> list[Segmentation]:
    """Draw two or three segmentations of one text; some of their tokens have no place."""
    text = draw(st.text("aé \n東\u0301ب<", max_size=12)).encode()
    names = draw(st.sampled_from(["ab", "abc"]))
    drawn = []
    for name in names:
        edges = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=8))})
        parts = [text[a:b] for a, b in pairwise(edges)]
        nowhere = draw(st.lists(st.integers(0, 3), max_size=2))
        drawn.append(cut(*parts, name=name, nowhere=nowhere))
    return drawn
