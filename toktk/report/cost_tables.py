"""The tables of costs: sizes by models, what is cheapest to each, one model in detail, prices by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from toktk.costs.models import Model
from toktk.costs.price import body_parameters
from toktk.pieces.table import POOLED
from toktk.report.cost_law_tables import (
    laws_legend,
    laws_table,
    losses_legend,
    losses_table,
)
from toktk.report.costing import AS_CHEAP, CHEAPEST, FLAT, Choice, CostFigures, CostRecord
from toktk.report.table import NULL, Head, Row, Table, folded, shortened
from toktk.report.tables import Page, on_text
from toktk.report.token_rates import WEIGHTED
from toktk.sizes import written_size
from toktk.visible import visible, visible_name

_LONGEST_HEAD = 8
_OTHERS = "not trained here"
_MARKS = {CHEAPEST: "*", AS_CHEAP: "~"}
_TOLD = f"{FLAT:.0%}".replace("%", " %")
_NOT_QUALITY = "cost, not quality: what a model learns is another question."
_BUDGET = "compared for equal text, in bytes: not for equal tokens, nor for equal arithmetic."

Figures = Mapping[tuple[str | None, str | None, str], CostRecord]
"""Records by tokenizer, model and metric, which is without what stands in brackets; prices apart."""


def costs_page(figures: CostFigures) -> Page:
    """Return the tables of costs: with one model in detail, else the relative costs of all."""
    by_key = {
        (r.tokenizer, r.model, r.metric.partition("[")[0]): r
        for r in figures.records
        if not r.metric.startswith("price_")
    }
    models = figures.asked.models
    rows = _Rows(figures, by_key)
    first = _detail(rows, models[0]) if len(models) == 1 else _relative(rows, models)
    tables = [first]
    if figures.choices:
        tables.append(_choices(rows))
    if figures.laws:
        tables.append(laws_table(figures))
    if figures.equivalents:
        tables.append(losses_table(figures))
    if figures.asked.prices is not None:
        tables.append(_prices(figures))
    notes = [_NOT_QUALITY, _BUDGET, *figures.notes]
    if len(models) != 1 and any(choice.family is not None for choice in figures.choices):
        notes.append("of one model, as with --model 1b, laws of the size are asked as well.")
    lines = [f"{NULL} {visible(note)}{'' if note.endswith('.') else '.'}" for note in notes]
    last = tables[-1]
    tables[-1] = replace(last, notes=[*last.notes, *lines])
    legend = [*_legend(figures), *laws_legend(figures), *losses_legend(figures), _models(models)]
    return Page(tables, legend)


class _Rows:
    """The tokenizers in the order of rows: by size those that were trained, then the others."""

    def __init__(self, figures: CostFigures, by_key: Figures) -> None:
        self.figures = figures
        self.by_key = by_key
        own = {r.tokenizer: r for r in figures.records if r.tokenizer is not None}
        trained = [r for r in own.values() if r.trainer]
        others = [r for r in own.values() if not r.trainer]
        families = list(dict.fromkeys(r.family for r in trained))
        self.trained = sorted(trained, key=lambda r: (r.size, families.index(r.family)))
        self.others = others
        self.several = len(families) > 1 or bool(others)
        self.names = {
            label: written_size(r.size or 0) if r.trainer else visible_name(label)
            for label, r in own.items()
        }

    def heads(self) -> list[Head]:
        """Return the headings of the columns that name a tokenizer."""
        heads = [Head("size", style="bold")]
        if self.several:
            heads.append(Head("tokenizer", right=False, folds=True))
        return heads

    def rows(self, cells: Sequence[tuple[str, ...]], best: Sequence[frozenset[int]]) -> list[Row]:
        """Return a row for each tokenizer with its cells, in the order of `records`."""
        rows = []
        before = None
        at = 2 if self.several else 1
        for i, record in enumerate(self.records):
            is_new = record.size != before or (not record.trainer and i == len(self.trained))
            size = written_size(record.size or 0) if is_new or not record.trainer else ""
            name = (record.family if record.trainer else record.tokenizer) or ""
            names = (size, visible_name(name)) if self.several else (size,)
            rule = bool(i) and i == len(self.trained)
            bold = frozenset(at + column for column in best[i])
            rows.append(Row((*names, *cells[i]), rule_above=rule, best=bold))
            before = record.size
        return rows

    @property
    def records(self) -> list[CostRecord]:
        """A record of each tokenizer."""
        return [*self.trained, *self.others]

    def value(self, record: CostRecord, model: Model | None, metric: str) -> float | None:
        """Return a figure of a tokenizer."""
        name = None if model is None else model.name
        own = self.by_key.get((record.tokenizer, name, metric))
        return None if own is None else own.value

    def relative(self, record: CostRecord, model: Model) -> tuple[str, bool]:
        """Return the relative cost with its mark, and whether it is the least."""
        own = self.by_key[record.tokenizer, model.name, "relative_flops"]
        note = own.note or ""
        mark = next((sign for begin, sign in _MARKS.items() if note.startswith(begin)), " ")
        return f"{_ratio(own.value)}{mark}", note.startswith(CHEAPEST)

    def detail(self) -> str:
        """Return what the figures are of."""
        weights = self.figures.asked.weights or {}
        weighed = ", ".join(f"{visible_name(g)}={w:g}" for g, w in weights.items())
        return on_text(visible_name(self.figures.corpus)) + (
            f", weighted {weighed}" if weighed else ""
        )


def _relative(rows: _Rows, models: Sequence[Model]) -> Table:
    heads = [*rows.heads(), Head("bytes/\ntoken", spare=1)]
    for i, name in enumerate(visible_name(model.name) for model in models):
        spare = len(models) + 1 - i if i else 0  # figures are not cut: the last models are left out
        heads.append(Head(f"{shortened(name, _LONGEST_HEAD)} ", spare=spare, whole=name))
    cells, best = [], []
    for record in rows.records:
        relative = [rows.relative(record, model) for model in models]
        per_token = 1 / (rows.value(record, None, "tokens_per_byte") or 1)
        cells.append((f"{per_token:.3f}", *(text for text, _ in relative)))
        best.append(frozenset(1 + i for i, (_, is_least) in enumerate(relative) if is_least))
    baseline = visible_name(rows.figures.baseline)
    title = f"FLOPs per byte of text, relative to {baseline}"
    return Table(title, rows.detail(), heads, rows.rows(cells, best))


def _detail(rows: _Rows, model: Model) -> Table:
    asked = rows.figures.asked
    ratio = asked.serving_ratio
    in_bytes = asked.context.in_bytes
    heads = [
        *rows.heads(),
        Head("bytes/\ntoken", spare=6),
        Head("embed-\ndings"),
        Head("share"),
        Head("head of\nFLOPs", spare=1),
        Head("train\nFLOPs/B"),
        Head("serve\nFLOPs/B", spare=4),
        *([] if ratio is None else [Head(f"train +\n{ratio:g} serve")]),
        Head("rela- \ntive "),
        Head("95%"),
        Head("KV\nB/byte", spare=5),
    ]
    if asked.context.amount is not None:
        heads += [Head("context\ntokens" if in_bytes else "context\nbytes", spare=3)]
        heads += [Head("logits", spare=2)]
    cells, best = [], []
    for record in rows.records:
        relative, is_least = rows.relative(record, model)

        def value(metric: str, of: Model | None = model, record: CostRecord = record) -> float:
            return rows.value(record, of, metric) or 0.0

        own = rows.by_key[record.tokenizer, model.name, "relative_flops"]
        row = [
            f"{1 / (value('tokens_per_byte', None) or 1):.3f}",
            amount(value("embedding_parameters"), "B"),
            f"{value('embedding_share'):.1%}",
            f"{value('head_share'):.1%}",
            amount(value("train_flops_per_byte")),
            amount(value("serve_flops_per_byte")),
            *([] if ratio is None else [amount(value("lifetime_flops_per_byte"))]),
            relative,
            NULL if record.tokenizer == rows.figures.baseline else _bounds(own),
            amount(value("kv_bytes_per_byte")),
        ]
        if asked.context.amount is not None:
            row.append(f"{value('context_tokens' if in_bytes else 'context_bytes'):,.0f}")
            row.append(amount(value("logits_bytes")) + "B")
        cells.append(tuple(row))
        best.append(frozenset([6 if ratio is None else 7] if is_least else []))
    baseline = visible_name(rows.figures.baseline)
    title = f"what each costs {visible_name(model.name)}, relative to {baseline}"
    return Table(title, rows.detail(), heads, rows.rows(cells, best))


def _choices(rows: _Rows) -> Table:
    choices, names = rows.figures.choices, rows.names
    families = list(dict.fromkeys(choice.family for choice in choices))
    pairs = {choice: f"{names[choice.first]}→{names[choice.second]}" for choice in choices}
    one_pair = len(set(pairs.values())) == 1  # which needs no column
    heads = [
        *([Head("family", right=False, folds=True)] if len(families) > 1 else []),
        Head("model", right=False, style="bold", folds=True),
        Head("cheap-\nest", right=False, folds=True),
        Head("flat\nregion", right=False, folds=True),
        *([] if one_pair else [Head("from→to", right=False, folds=True)]),
        Head("pays\nbelow"),
        Head("has"),
        Head("95%"),
        Head("verdict", right=False),
        Head("embed-\ndings", spare=1),
    ]
    lines: list[Row] = []
    before = None
    for choice in choices:
        is_new = choice.family != before
        family = visible_name(choice.family) if choice.family is not None else _OTHERS
        shares = [
            rows.by_key[label, choice.model, "embedding_share"].value or 0.0
            for label in (choice.first, choice.second)
        ]
        interval = NULL
        if choice.low is not None and choice.high is not None:
            interval = f"{choice.low:.3f}…{choice.high:.3f}"
        cells = (
            *([family if is_new else ""] if len(families) > 1 else []),
            visible_name(choice.model),
            names[choice.cheapest],
            _region(choice, names),
            *([] if one_pair else [pairs[choice]]),
            f"{choice.needed:.4f}",
            f"{choice.ratio:.4f}",
            interval,
            choice.verdict or NULL,
            "→".join(f"{100 * share:.2g}" for share in shares) + "%",
        )
        lines.append(Row(cells, rule_above=is_new and bool(lines)))
        before = choice.family
    which = next(iter(pairs.values())) if one_pair else "the largest"
    return Table(f"which size costs least, and whether {which} pays", "", heads, lines)


def _region(choice: Choice, names: Mapping[str, str]) -> str:
    """Return the flat region: ``8k–32k`` where it is one run of sizes, else all of them."""
    at = [choice.sizes.index(label) for label in choice.flat]
    shown = [names[label] for label in choice.flat]
    is_run = at == [*range(at[0], at[-1] + 1)]
    if choice.family is not None and len(at) > 1 and is_run:
        return f"{shown[0]}–{shown[-1]}"
    return ", ".join(shown)


def _prices(figures: CostFigures) -> Table:
    prices = [r for r in figures.records if r.metric == "price_per_million_chars"]
    labels = list(dict.fromkeys(r.tokenizer or "" for r in prices))
    groups = dict.fromkeys(r.group for r in prices)
    by_key = {(r.tokenizer, r.group): r.value for r in prices}
    heads = [Head("group", right=False, style="bold", folds=True)]
    heads += [
        Head("\n".join(folded(name, _LONGEST_HEAD)), spare=len(labels) - i, whole=name)
        for i, name in enumerate(map(visible_name, labels))
    ]
    lines = []
    whole = [group for group in (POOLED, WEIGHTED) if group in groups]
    for group in (*whole, *(g for g in groups if g not in whole)):
        values = [by_key.get((label, group)) for label in labels]
        known = [value for value in values if value is not None]
        best = [1 + i for i, v in enumerate(values) if len(known) > 1 and v == min(known)]
        cells = [NULL if value is None else f"{value:.4g}" for value in values]
        lines.append(Row((visible_name(group), *cells), best=frozenset(best)))
    unit = visible(prices[0].unit) if prices else ""
    return Table("price of text", unit, heads, lines)


def _legend(figures: CostFigures) -> Iterator[str]:
    asked = figures.asked
    told = f"no dearer by {_TOLD}, or the paired 95 % interval cannot tell"
    of_family = " of its family" if any(choice.family for choice in figures.choices) else ""
    yield f"*, ~         * costs least{of_family}, ~ is as cheap: {told}"
    if figures.choices:
        yield "pays below   tokens of the larger over those of the smaller, below which it costs less"
        yield "has, 95%     what they are on this text, and where they lie on text like it"
    if len(asked.models) == 1:
        yield "embeddings   parameters of embedding and head; share: of all parameters"
        yield "FLOPs/B      FLOPs for a byte of text; KV: cache of keys and values, 16 bits a number"
        if asked.serving_ratio is not None:
            ratio = f"{asked.serving_ratio:g}"
            yield f"train +      training on a byte and serving {ratio} for it"
        if asked.context.amount is not None:
            yield "logits       of one text of that context, 32 bits a number"
    elif figures.choices:
        yield "embeddings   share of embedding and head in all parameters, at both sizes"
    yield f"context      {_context(figures)}"


def _context(figures: CostFigures) -> str:
    context = figures.asked.context
    if context.amount is None:
        return "none: attention is left out, which is the rule 6 N"
    if context.in_bytes:
        return (
            f"{context.amount:,} bytes of text for each, in fewer tokens where tokens are longer; "
            "attention is counted"
        )
    return (
        f"{context.amount:,} tokens for each, which is more text where tokens are longer; attention is "
        "counted"
    )


def _models(models: Sequence[Model]) -> str:
    """Return the shapes of models in a line, of one alone with all that counts."""
    shapes = []
    for model in models:
        body, active = (body_parameters(model, stored=stored) for stored in (True, False))
        sparse = f" ({amount(active, 'B')} active)" if active != body else ""
        shape = f"{visible_name(model.name)} {amount(body, 'B')}{sparse}, width {model.width:,}"
        if len(models) == 1:
            windows = {layer.window for layer in model.layers if layer.window is not None}
            shape += f", {len(model.layers)} layers, {model.heads} heads, {model.kv_heads} of keys"
            shape += f" and values, {'tied' if model.tied else 'untied'}"
            shape += "".join(f", windows of {window:,}" for window in sorted(windows))
        shapes.append(shape)
    return f"models       parameters without embeddings: {'; '.join(shapes)}"


def amount(value: float, giga: str = "G") -> str:
    """Return a number to three digits: ``38.4M``, ``1.05G``."""
    units = ["", "k", "M", giga, "T", "P"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    digits = (
        0 if value >= 99.95 or (not units[0] and value.is_integer()) else 1 if value >= 9.995 else 2
    )
    return f"{value:.{digits}f}{units[0]}"


def _ratio(value: float | None) -> str:
    if value is None:
        return NULL
    return f"{value:.3f}" if value < 9.9995 else f"{value:.2f}"


def _bounds(record: CostRecord) -> str:
    if record.low is None or record.high is None:
        return NULL
    return f"{record.low:.3f}…{record.high:.3f}"
