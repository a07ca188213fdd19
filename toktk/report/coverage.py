"""The coverage curve on the terminal: how many of the tokens the most frequent ids are."""

from __future__ import annotations

import math
from collections.abc import Mapping

from toktk.report.table import NULL, Head, Row, Table
from toktk.report.tables import Page
from toktk.visible import visible_name

_LEGEND = (
    "first   the share of the tokens of this text that are one of the so many ids that occur most",
)


def coverage_page(shares: Mapping[str, Mapping[int, float | None]]) -> Page | None:
    """Return the table: a row for each tokenizer, a column for each number of ids; None without figures."""
    sizes = sorted({n for own in shares.values() for n, share in own.items() if share is not None})
    if not sizes:
        return None
    heads = [Head("tokenizer", right=False, style="bold", folds=True)]
    # 16k ids are the usual size of a draft vocabulary; what is far from it goes first.
    spare = {n: i + 1 for i, n in enumerate(sorted(sizes, key=lambda n: (-abs(n - 2**14), n)))}
    heads += [Head(f"first\n{n // 1024}k", spare=spare[n]) for n in sizes]
    rows = [
        Row((visible_name(label), *(_percent(own.get(n)) for n in sizes)))
        for label, own in shares.items()
    ]
    detail = "1k is 1,024; – where there are no more ids"
    return Page([Table("tokens that the most frequent ids cover", detail, heads, rows)], _LEGEND)


def _percent(share: float | None) -> str:
    # Down, so that no share below the whole is shown as the whole.
    return NULL if share is None else f"{math.floor(1000 * share + 1e-9) / 10:.1f}%"
