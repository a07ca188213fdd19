"""Tokenizers that are measured together, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toktk import arrow
from toktk.arrays import Int64, read_arrays, write_arrays
from toktk.lab.reading import Reading
from toktk.report.document_counts import DocumentCounts
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TokenizerFamily:
    """Tokenizers that are measured together because they differ in size alone.

    Attributes:
        tokenizers: {label: tokenizer}, ascending by size.
        trainer: its trainer's name; None for tokenizers that were not trained here: for all who read figures
            each is a family by itself, and they are measured together only because one encoding serves them.
        inference: how the vocabularies are run.
    """

    label: str
    tokenizers: Mapping[str, Tokenizer]
    trainer: str | None = None
    inference: str = "own"

    def name_of(self, label: str) -> str:
        """Return the family that records of a tokenizer name."""
        return label if self.trainer is None else self.label

    def by_cut(self) -> dict[str, Tokenizer]:
        """Return the first tokenizer of those that cut text alike, by key of the pretokenizer; mostly one."""
        found: dict[str, Tokenizer] = {}
        for tokenizer in self.tokenizers.values():
            found.setdefault(tokenizer.pretokenizer.key, tokenizer)
        return found


@dataclass(frozen=True)
class FamilyFigures:
    """The figures of one family at every size.

    Attributes:
        curves: tokens by group and size, with the columns tokenizer (the family's label), trainer,
            pretokenizer, group, size, tokens.
        reading: what the pass over the text met.
        token_counts: {label: int64[ids]}, how often each id occurs in the text.
    """

    results: Results
    curves: pa.Table
    reading: Reading
    token_counts: Mapping[str, Int64]

    def save(self, folder: Path) -> None:
        """Write records and curves as Parquet."""
        self.results.write_parquet(folder / "results.parquet")
        if self.results.documents is not None:
            self.results.documents.write_parquet(folder / "documents.parquet", in_haste=True)
        arrow.write_parquet(self.curves, folder / "curves.parquet")
        labels = [*self.token_counts]  # any name of a file would have to be one of an array
        arrays = {str(i): self.token_counts[label] for i, label in enumerate(labels)}
        write_arrays(folder, arrays, reading=vars(self.reading), labels=labels)

    @classmethod
    def load(cls, folder: Path) -> FamilyFigures:
        """Read what `save` wrote."""
        results = Results.read_parquet(folder / "results.parquet")
        counts = DocumentCounts.read_parquet(folder / "documents.parquet")
        arrays, about = read_arrays(folder)
        return cls(
            replace(results, documents=counts),
            arrow.read_parquet(folder / "curves.parquet"),
            Reading(**about["reading"]),
            {label: arrays[str(i)] for i, label in enumerate(about["labels"])},
        )
