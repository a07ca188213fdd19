"""The tables of what laws say of the size, and of losses that a user brings."""

from __future__ import annotations

from collections.abc import Iterator

from toktk.costs.domain import written
from toktk.costs.flop_equivalent import FlopEquivalent
from toktk.costs.price import BACKWARD
from toktk.report.costing import CostFigures
from toktk.report.table import NULL, Head, Row, Table
from toktk.sizes import written_size
from toktk.visible import visible_name

_STATES = {
    "infeasible": "it costs so much more to serve that nothing is left to train on",
    "not asked": "its losses do not reach so few or so many FLOPs; --insist extrapolates",
    "extrapolated": "its losses do not reach so few or so many FLOPs",
    "doubtful": "its losses do not tell the exponent of its curve",
}


def laws_table(figures: CostFigures) -> Table:
    """Return what the measured curve and each law say of the size of each family."""
    several = len(figures.laws) > 1
    is_beyond = any(answer.outside for own in figures.laws for answer in own.answers)
    heads = [
        *([Head("family", right=False, folds=True)] if several else []),
        Head("law", right=False, style="bold"),
        Head("size"),
        Head("as good"),
        Head("fit", right=False),
        *([Head("beyond it", right=False, folds=True)] if is_beyond else []),
        Head("training\nFLOPs", spare=1),
    ]
    rows: list[Row] = []
    for own in figures.laws:
        for answer in own.answers:
            is_first = answer is own.answers[0]
            span = NULL
            if answer.low is not None and answer.high is not None:
                span = f"{answer.low:,}…{answer.high:,}"
            cells = (
                *([visible_name(own.family) if is_first else ""] if several else []),
                answer.key,
                NULL if answer.size is None else f"{answer.size:,}",
                span,
                NULL if answer.key == "measured" else answer.fit,
                *([", ".join(answer.outside)] if is_beyond else []),
                NULL if answer.compute is None else written("compute", answer.compute),
            )
            rows.append(Row(cells, rule_above=is_first and bool(rows)))
    model = visible_name(figures.asked.models[0].name)
    return Table(f"what laws say of the size for {model}", "", heads, rows, [*_remarks(figures)])


def _remarks(figures: CostFigures) -> Iterator[str]:
    """Yield what is to know of answers, each remark once, after those that it is of."""
    of_remark: dict[str, dict[str, list[str]]] = {}
    for own in figures.laws:
        for answer in own.answers:
            for remark in answer.remarks:
                of_remark.setdefault(remark, {}).setdefault(own.family, []).append(answer.key)
    for remark, keys in of_remark.items():
        whose = [
            " ".join([visible_name(family)] * (len(figures.laws) > 1) + [", ".join(own)])
            for family, own in keys.items()
        ]
        yield f"{NULL} {'; '.join(whose)}: {remark}."


def laws_legend(figures: CostFigures) -> Iterator[str]:
    """Yield a line for each law: its name, and where it was fitted."""
    if not figures.laws:
        return
    yield "as good      sizes whose cost or loss is within 1 %, where the law tells them"
    told = "as asked" if figures.asked.compute is not None else "those that each holds optimal"
    yield f"fit          inside of what a law was fitted to or not; training FLOPs: {told}"
    measured, *laws = figures.laws[0].answers
    yield f"measured     {measured.law}; no law, and nothing of quality"
    for answer in laws:
        yield f"{answer.key:<11}  {answer.law}: fitted to {answer.fitted}"


def losses_table(figures: CostFigures) -> Table:
    """Return the flop-equivalent bits per byte of each tokenizer with losses."""
    sizes = {r.tokenizer: r.size or 0 for r in figures.records}
    known = [e.bits_per_byte for e in figures.equivalents if e.bits_per_byte is not None]
    curves = {curve.tokenizer: curve for curve in figures.asked.losses or ()}
    heads = [
        Head("size", style="bold"),
        Head("tokenizer", right=False, folds=True),
        Head("serving"),
        Head("FLOPs left\nto train"),
        Head("feBPB"),
        Head("losses at\nFLOPs", right=False, spare=1),
        Head("", right=False),
    ]
    rows = []
    for each in figures.equivalents:
        bits, curve = each.bits_per_byte, curves[each.tokenizer]
        cells = (
            written_size(sizes[each.tokenizer]),
            visible_name(each.tokenizer),
            f"{each.serving:.3f}",
            NULL if each.compute <= 0 else written("compute", each.compute),
            NULL if bits is None else f"{bits:.4f}",
            f"{written('compute', curve.low)}…{written('compute', curve.high)}",
            _state(each),
        )
        is_best = len(known) > 1 and bits == min(known)
        rows.append(Row(cells, best=frozenset([4] if is_best else [])))
    baseline = visible_name(figures.baseline)
    states = dict.fromkeys(filter(None, map(_state, figures.equivalents)))
    notes = [f"{NULL} {state}: {_STATES[state]}." for state in states]
    title = f"flop-equivalent bits per byte of these losses, relative to {baseline}"
    return Table(title, "", heads, rows, notes)


def _state(each: FlopEquivalent) -> str:
    """Return in a word or two why there is no figure, or what to doubt of it."""
    if each.compute <= 0:
        return "infeasible"
    if each.outside:
        return "not asked" if each.bits_per_byte is None else "extrapolated"
    return "doubtful" if each.note else ""


def losses_legend(figures: CostFigures) -> Iterator[str]:
    """Yield how flop-equivalent bits per byte come about."""
    if not figures.equivalents:
        return
    asked, base = figures.asked, figures.baseline
    (budget,) = [each.compute for each in figures.equivalents if each.tokenizer == base]
    yield "serving      s: FLOPs to serve a byte, over those of the baseline"
    ratio = (1 + BACKWARD) * asked.rho
    yield (
        "feBPB        flop-equivalent bits per byte: its losses, a C^-b + c, at C (1 + rho (1 - s)) FLOPs; C "
        f"{written('compute', budget)}, rho {asked.rho:.3g}: {ratio:,.10g} bytes served for each trained on"
    )
