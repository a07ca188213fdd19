"""What tokenizers cost models: figures from stored counts, as records and as tables.

Schema history of the JSON (`SCHEMA`):
    1   baseline, corpus, context, serving_ratio, records (the columns of a `CostRecord`), choices, models,
        notes.
    2   also compute, parity, insist and rho; laws (what each says of a family, with fit and note) and
        flop_equivalents (with the curve of each); records of laws, without tokenizer and size.
"""

from __future__ import annotations

import operator
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from toktk import arrow
from toktk.report import tabular
from toktk.report.cost_question import Question
from toktk.report.cost_tables import costs_page
from toktk.report.costing import Choice, CostFigures, CostRecord, cost_figures
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record
from toktk.report.tables import PAGE_WIDTH, PIPE_WIDTH, Page
from toktk.visible import json_text

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 2
NUMBERS = {"size": int, "value": float, "low": float, "high": float, "n": int, "n_effective": float}
COLUMNS = tuple(field.name for field in fields(CostRecord))
_row = operator.attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True, repr=False)
class Costs:
    """What tokenizers cost models; prints itself, goes to files, and speaks Arrow."""

    figures: CostFigures

    @classmethod
    def of(
        cls, records: Sequence[Record], documents: DocumentCounts | None, asked: Question
    ) -> Costs:
        """Return what the tokenizers of some records cost; see `toktk.report.costing.cost_figures`."""
        return cls(cost_figures(records, documents, asked))

    @property
    def records(self) -> tuple[CostRecord, ...]:
        """One figure each."""
        return self.figures.records

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Of each family and model the cheapest size, and those that are as cheap."""
        return self.figures.choices

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[CostRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
        return self.page(width).text(width).rstrip("\n")

    def _repr_html_(self) -> str:
        return self.page().html()

    def page(self, width: int = PIPE_WIDTH) -> Page:
        """Return the tables that the command shows, which fit any `width`."""
        return costs_page(self.figures)

    def where(self, **columns: Any) -> tuple[CostRecord, ...]:
        """Return the records whose columns have these values, such as ``where(model="7b")``."""
        wanted = columns.items()
        return tuple(r for r in self.records if all(getattr(r, n) == v for n, v in wanted))

    def rows(self) -> Iterator[tuple[str | int | float | None, ...]]:
        """Yield each record as a tuple in the order of `COLUMNS`."""
        return map(_row, self.records)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table: strings, int64 for size and n, float64 for the values."""
        import pyarrow as pa

        types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
        schema = pa.schema([pa.field(name, types[NUMBERS.get(name, str)]) for name in COLUMNS])
        columns = list(zip(*self.rows(), strict=True)) or [()] * len(COLUMNS)
        arrays = [arrow.from_list(c, f.type) for c, f in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, a row for each record."""
        return self.to_arrow().to_pandas()

    def to_json(self) -> str:
        """Return ``{"schema": 2, "baseline": …, "records": [...], "choices": [...], …}``, a record a line."""
        figures, asked = self.figures, self.figures.asked
        curves = {curve.tokenizer: curve for curve in asked.losses or ()}
        parts: dict[str, Sequence[object]] = {
            "records": [dict(zip(COLUMNS, row, strict=True)) for row in self.rows()],
            "choices": [asdict(choice) for choice in self.choices],
            "laws": [
                {"family": own.family, **answer.to_dict()}
                for own in figures.laws
                for answer in own.answers
            ],
            "flop_equivalents": [
                {**asdict(each), "curve": asdict(curves[each.tokenizer])}
                for each in figures.equivalents
            ],
            "models": [model.describe() for model in asked.models],
            "notes": list(figures.notes),
        }
        lists = []
        for name, items in parts.items():
            body = ",\n".join(json_text(item, allow_nan=False) for item in items)
            lists.append(f'"{name}": [\n{body}\n]' if items else f'"{name}": []')
        head = json_text(
            {
                "schema": SCHEMA,
                "baseline": figures.baseline,
                "corpus": figures.corpus,
                "context": str(asked.context),
                "serving_ratio": asked.serving_ratio,
                "compute": asked.compute,
                "parity": asked.parity,
                "insist": asked.insist,
                "rho": asked.rho,
            }
        )
        return f"{head[:-1]}, {', '.join(lists)}}}\n"

    def to_csv(self) -> str:
        """Return the records as CSV with a header; null is an empty cell, text is as it is."""
        return tabular.to_csv(COLUMNS, self.rows())

    def to_markdown(self) -> str:
        """Return the tables in Markdown, with legend and notes."""
        return self.page(PAGE_WIDTH).markdown()

    def to_latex(self) -> str:
        """Return the tables in LaTeX, with legend and notes."""
        return self.page(PAGE_WIDTH).latex()
