"""Results: records that print themselves, go to files, and speak Arrow."""

from __future__ import annotations

import operator
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk import arrow, shapes
from toktk.errors import MetricError, StorageError, ToktkError, did_you_mean, in_a_line
from toktk.paths import atomic_write
from toktk.pieces.table import POOLED
from toktk.report import tabular
from toktk.report.document_counts import DocumentCounts
from toktk.report.ngrams import unit_of
from toktk.report.records import COLUMNS, NUMBERS, OLDEST, SCHEMA, Record, visible_records
from toktk.report.tables import PAGE_WIDTH, PIPE_WIDTH, Page, results_page
from toktk.visible import json_text

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.costs.flop_equivalent import LossCurve
    from toktk.costs.price import Context
    from toktk.report.cost import Costs
    from toktk.report.cost_question import ModelSpec

_SCHEMA_KEY, _ABOUT_KEY = b"toktk.schema", b"toktk.about"
_ABOUT = {
    "unreached?": [
        {"family": str, "sizes": [int], "available": (int, None), "least?": (int, None)}
    ],
    "engines?": {...: [str]},
    "hashes?": {...: str},
    "asked?": [str],
    "scripts?": {...: str},
}
_NEVER_NULL = ("tokenizer", "family", "corpus", "group", "metric", "unit", "signature")


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """Records in a fixed order; the same records always give the same bytes in every format.

    What the tables say beside the figures is in `about`; see `toktk.report.tables.results_page`. `documents`
    are the counts that intervals rest on, None where they are not known.
    """

    records: tuple[Record, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    documents: DocumentCounts | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def page(self, width: int = PIPE_WIDTH) -> Page:
        """Return the tables that the commands show, for a terminal of `width` characters."""
        return results_page(self.records, self.about, width)

    def __repr__(self) -> str:
        width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
        return self.page(width).text(width).rstrip("\n") or "Results(no records)"

    def _repr_html_(self) -> str:
        return self.page().html()

    def where(self, **columns: Any) -> Results:
        """Return the records whose columns have these values, such as ``where(metric="tokens")``.

        Raises:
            ToktkError: there is no such column.
        """
        unknown = columns.keys() - set(COLUMNS)
        if unknown:
            names = f"Columns: {', '.join(COLUMNS)}."
            raise ToktkError(f"results have no column {min(unknown)!r}.", names)
        wanted = columns.items()
        chosen = (r for r in self.records if all(getattr(r, name) == v for name, v in wanted))
        return Results(tuple(chosen), self.about, self.documents)

    def plot(self, metric: str = "bytes_per_token", group: str = POOLED) -> Any:
        """Return an altair chart of one metric: a line over sizes for each family, or bars of tokenizers.

        Bands and lines are 95 % intervals.

        Raises:
            MetricError: there are no such figures.
        """
        chosen = visible_records(self.where(metric=metric, group=group).records)
        drawn = [_in_script(record) for record in chosen if record.value is not None]
        if not drawn:
            metrics = dict.fromkeys(record.metric for record in self.records)
            raise MetricError(
                f"no figures of {metric!r} to draw{did_you_mean(metric, metrics)}.",
                f"Found: {', '.join(metrics) or 'no figures'}.",
            )
        from toktk.report import charts

        first = drawn[0]
        names = {"family": "family", "tokenizer": "label", "size": "size"}
        names |= {name: name for name in ("value", "low", "high")}
        points = [{to: getattr(record, of) for of, to in names.items()} for record in drawn]
        families = list(dict.fromkeys(record.family for record in drawn))
        title = f"{first.metric}, {first.group}, {first.corpus}"
        if len(families) == len(drawn):
            return charts.bars(points, unit_of(first)).properties(title=title)
        chart = charts.size_curve(points, points, (), (), families, unit_of(first))
        return chart.properties(title=title, width=charts.WIDTH)

    def cost(
        self,
        model: ModelSpec | Sequence[ModelSpec] = (),
        *,
        context: str | int | Context = "8192B",
        serving_ratio: float | None = None,
        baseline: str | int | None = None,
        weights: Mapping[str, float] | None = None,
        prices: str | Path | Mapping[str, Any] | None = None,
        compute: float | None = None,
        parity: float = 1.0,
        insist: bool = False,
        losses: str | Path | Sequence[LossCurve] | None = None,
    ) -> Costs:
        """Return what each tokenizer costs models, as `toktk cost` shows it; nothing is measured again.

        Args:
            model: a preset such as "7b", a config.json, what one holds, or a `toktk.costs.models.Model`; or
                several. By default all presets. Of one alone, laws of the size answer too.
            context: tokens ("8k" or 8192), bytes of text ("8192B") or "none".
            serving_ratio: bytes served for each byte trained on.
            baseline: a label or a size that costs are relative to; see `toktk.report.costing.baseline_of`.
            weights: {group: weight}; by default the text as it is.
            prices: for a million tokens: a file, or what one holds; see `toktk.costs.price_table`.
            compute, parity, insist, losses: for laws and flop-equivalent bits per byte of one model; see
                `toktk.report.cost_question.Question`. Losses are a file (`toktk.costs.losses.read_losses`) or
                curves (`toktk.costs.flop_equivalent.fit_losses`).

        Raises:
            CostError: a model, a price or a weight is none, or the figures lack counts.
            LawError: losses that no curve can be fitted to, or laws that are asked with what is no number.
        """
        from toktk.report.cost import Costs
        from toktk.report.cost_question import question_of

        asked = question_of(
            model,
            context,
            baseline,
            prices,
            losses,
            serving_ratio=serving_ratio,
            weights=weights,
            compute=compute,
            parity=parity,
            insist=insist,
        )
        return Costs.of(self.records, self.documents, asked)

    def rows(self) -> Iterator[tuple[str | int | float | None, ...]]:
        """Yield each record as a tuple in the order of `COLUMNS`."""
        return map(operator.attrgetter(*COLUMNS), self.records)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, a row for each record."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return a polars DataFrame, a row for each record.

        Raises:
            ToktkError: polars is not installed.
        """
        try:
            import polars
        except ImportError as error:
            raise ToktkError("polars is not installed.", "Run: pip install polars") from error
        return polars.DataFrame(self.to_arrow())

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table: strings, int64 for size and n, float64 for the values."""
        import pyarrow as pa

        types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
        about = json_text(self.about, sort_keys=True)
        schema = pa.schema(
            [pa.field(name, types[NUMBERS.get(name, str)]) for name in COLUMNS],
            metadata={_SCHEMA_KEY: str(SCHEMA), _ABOUT_KEY: about},
        )
        # One column after the other, for there may be a million records.
        return pa.Table.from_arrays([*map(self._column, schema)], schema=schema)

    def _column(self, of: pa.Field) -> pa.Array:
        values = [getattr(record, of.name) for record in self.records]
        if of.name in NUMBERS:
            return arrow.from_list(values, of.type)
        number_of = {name: i for i, name in enumerate(dict.fromkeys(values))}
        numbers = np.fromiter(map(number_of.__getitem__, values), np.int32, len(values))
        return arrow.from_names([*number_of], numbers)

    def write_parquet(self, path: Path) -> None:
        """Write a Parquet file, whole or not at all.

        Raises:
            StorageError: the file cannot be written.
        """
        table = self.to_arrow()
        with atomic_write(path) as temporary:
            arrow.write_parquet(table, temporary)

    @classmethod
    def read_parquet(cls, path: Path) -> Results:
        """Read what `write_parquet` wrote.

        Raises:
            StorageError: the file is missing, damaged, or of another schema.
        """
        import pyarrow as pa

        def refused(found: object) -> StorageError:
            return StorageError(
                f"cannot read results from {path}.",
                f"Found: {in_a_line(found)}.",
                "Read it with the toktk that wrote it, or measure again.",
            )

        try:
            table = arrow.read_parquet(path)
            metadata = table.schema.metadata or {}
            schema = metadata.get(_SCHEMA_KEY, b"none").decode()
            expected = cls(()).to_arrow().schema
            if schema == str(OLDEST):
                expected = expected.remove(expected.get_field_index("n_effective"))
            if schema not in (str(OLDEST), str(SCHEMA)) or table.schema != expected:
                columns = ", ".join(f"{field.name} ({field.type})" for field in table.schema)
                raise refused(
                    f"schema {schema} with the columns {columns}; this toktk reads schema {SCHEMA}"
                )
            about = shapes.parse(metadata.get(_ABOUT_KEY, b"{}"))
            if wrong := shapes.misfit(about, _ABOUT):
                raise refused(f"{wrong}, in {_ABOUT_KEY.decode()}")
            if any(len(engine) != 2 for engine in about.get("engines", {}).values()):
                raise refused("an engine that is no pair of name and reason")
            rows = table.to_pylist()
            if missing := [n for n in _NEVER_NULL if table.column(n).null_count]:
                raise refused(f"nulls in {', '.join(missing)}")
            return cls(tuple(Record(**row) for row in rows), about)
        except (OSError, ValueError, MetricError, pa.ArrowException) as error:
            raise refused(error) from error

    def to_json(self) -> str:
        """Return ``{"schema": 3, "records": [...]}`` with one record a line."""
        records = [dict(zip(COLUMNS, row, strict=True)) for row in self.rows()]
        lines = [json_text(record, allow_nan=False) for record in records]
        body = ",\n".join(lines)
        return f'{{"schema": {SCHEMA}, "records": [\n{body}\n]}}\n'

    def to_csv(self) -> str:
        """Return the records as CSV with a header; null is an empty cell, text is as it is.

        A spreadsheet runs text that begins with ``=``, such as the name of a group.
        """
        return tabular.to_csv(COLUMNS, self.rows())

    def to_markdown(self) -> str:
        """Return the tables that the commands show, in Markdown, with legend and notes."""
        return self.page(PAGE_WIDTH).markdown()

    def to_latex(self) -> str:
        """Return the tables that the commands show, in LaTeX, with legend and notes."""
        return self.page(PAGE_WIDTH).latex()


def _in_script(record: Record) -> Record:
    r"""Return a record whose names end no script: altair writes them into one as they are."""
    names = ("tokenizer", "family", "corpus", "group", "metric")
    return replace(record, **{n: getattr(record, n).replace("<", r"\x3c") for n in names})
