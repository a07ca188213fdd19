"""What the cells of a sweep hold: piece tables, tokenizers, figures; in and out of a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.models.bpe import BpeModel
from toktk.models.model import Model, is_storable, model_from_arrays
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Reading:
    """What a pass over a corpus met: invalid sequences replaced, rows without text."""

    replaced: int = 0
    null_rows: int = 0


@dataclass(frozen=True)
class Pieces:
    """A counted corpus."""

    table: PieceTable
    reading: Reading

    def save(self, folder: Path) -> None:
        """Write plain arrays: to sort them for Parquet takes about as long as counting does."""
        table = self.table
        with (folder / "pieces.npz").open("wb") as file:
            np.savez(
                file,
                data=table.data,
                lengths=_narrow(np.diff(table.offsets)),
                entries=_narrow(np.diff(table.rows)),
                entry_group=_narrow(table.entry_group),
                entry_count=_narrow(table.entry_count),
                totals=table.totals,
                aligned=table.aligned,
            )
        write_json(
            folder,
            groups=table.groups,
            pretokenizer=table.pretokenizer,
            reading=vars(self.reading),
        )

    @classmethod
    def load(cls, folder: Path) -> Pieces:
        """Read what `save` wrote."""
        meta = read_json(folder)
        with np.load(folder / "pieces.npz", allow_pickle=False) as arrays:
            table = PieceTable(
                arrays["data"],
                _offsets(arrays["lengths"]),
                _offsets(arrays["entries"]),
                arrays["entry_group"].astype(np.int32),
                arrays["entry_count"].astype(np.int64),
                tuple(meta["groups"]),
                arrays["totals"],
                arrays["aligned"],
                meta["pretokenizer"],
            )
        return cls(table, Reading(**meta["reading"]))


@dataclass(frozen=True)
class Training:
    """What a trainer returned.

    Attributes:
        tokenizers: one for each size that was reached, ascending.
        available: ids that the text gives, where the trainer told and a size was not reached.
        reading: of the pass over the training text; None where the trainer read it itself.
    """

    tokenizers: tuple[Tokenizer, ...]
    available: int | None
    reading: Reading | None

    @property
    def nested(self) -> bool:
        """Whether each tokenizer is the beginning of the last: then one encoding serves all."""
        last = self.tokenizers[-1]
        return all(
            tokenizer.pretokenizer == last.pretokenizer and tokenizer.model.is_prefix_of(last.model)
            for tokenizer in self.tokenizers
        )

    @property
    def storable(self) -> bool:
        """Whether every model is of a known kind; a plug-in may bring another."""
        return all(is_storable(tokenizer.model) for tokenizer in self.tokenizers)

    def save(self, folder: Path) -> None:
        """Write the models, merges only once if they are nested, and the rest as JSON."""
        last = self.tokenizers[-1].model
        one_list = self.nested and isinstance(last, BpeModel)
        kept = self.tokenizers[-1:] if one_list else self.tokenizers
        with (folder / "models.npz").open("wb") as file:
            arrays: dict[str, Any] = {
                f"{i}/{name}": array
                for i, tokenizer in enumerate(kept)
                for name, array in tokenizer.model.to_arrays().items()
            }
            np.savez(file, **arrays)
        write_json(
            folder,
            available=self.available,
            reading=None if self.reading is None else vars(self.reading),
            tokenizers=[
                {
                    "name": tokenizer.name,
                    "pretokenizer": tokenizer.pretokenizer.to_json(),
                    "kind": tokenizer.model.kind,
                    "stored": 0 if one_list else i,
                    "merges": _n_merges(tokenizer.model) if one_list else None,
                }
                for i, tokenizer in enumerate(self.tokenizers)
            ],
        )

    @classmethod
    def load(cls, folder: Path) -> Training:
        """Read what `save` wrote."""
        meta = read_json(folder)
        stored: dict[int, dict[str, npt.NDArray[Any]]] = {}
        with np.load(folder / "models.npz", allow_pickle=False) as arrays:
            for name in arrays.files:
                i, _, part = name.partition("/")
                stored.setdefault(int(i), {})[part] = arrays[name]
        tokenizers = []
        for one in meta["tokenizers"]:
            parts = stored[one["stored"]]
            if one["merges"] is not None:
                parts = {**parts, "merges": parts["merges"][: one["merges"]]}
            model = model_from_arrays(one["kind"], parts)
            pretokenizer = Pretokenizer.from_json(one["pretokenizer"])
            tokenizers.append(Tokenizer(one["name"], pretokenizer, model))
        reading = meta["reading"]
        return cls(
            tuple(tokenizers), meta["available"], None if reading is None else Reading(**reading)
        )


def _n_merges(model: Model) -> int | None:
    return len(model.merges) if isinstance(model, BpeModel) else None


@dataclass(frozen=True)
class Measured:
    """The figures of one trainer and pretokenizer at every size.

    `curves` has the columns tokenizer (without size), trainer, pretokenizer, group, size, tokens.
    """

    results: Results
    curves: pa.Table
    reading: Reading

    def save(self, folder: Path) -> None:
        """Write records and curves as Parquet."""
        import pyarrow.parquet as pq

        self.results.write_parquet(folder / "results.parquet")
        pq.write_table(self.curves, folder / "curves.parquet", compression="zstd")
        write_json(folder, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> Measured:
        """Read what `save` wrote."""
        return cls(
            Results.read_parquet(folder / "results.parquet"),
            arrow.read_parquet(folder / "curves.parquet"),
            Reading(**read_json(folder)["reading"]),
        )


def _narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return non-negative integers in the narrowest type that holds them: half a cell's bytes."""
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))


def _offsets(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(lengths.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def write_json(folder: Path, **meta: Any) -> None:
    """Write what a cell holds besides arrays."""
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def read_json(folder: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return meta
