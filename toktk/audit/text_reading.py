"""One reading of a text, and where there are repeats to show a part of another: its figures for an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.audit.text_figures import (
    BYTES,
    DOCUMENTS,
    EMPTY,
    LONGEST,
    N_SIZES,
    RAW_BYTES,
    REPEATED_CHARACTER,
    SHORT,
    TextFigures,
)
from toktk.audit.text_repeats import (
    EXAMPLES,
    EqualDocuments,
    NearDocuments,
    SharedLines,
    UInt64,
)
from toktk.audit.text_tables import FAULTS, composing_pairs, entity_names, fault_classes
from toktk.audit.text_translations import Translations
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.corpus.units import GroupNumbers
from toktk.pieces.scripts import script_table

if TYPE_CHECKING:
    from toktk.arrow import pa
    from toktk.corpus import Corpus
    from toktk.corpus.options import Progress
    from toktk.lab.meter import Meter

MOST_GROUPS = 1000
"""Groups that are told apart, by appearance; of further ones there is one row. Each takes 2 kB."""

FURTHER = "(further groups)"

SHORT_BYTES = 10
"""A document of fewer is short: less than two words, or than four characters of Chinese."""

REPETITIVE_BYTES = 200
"""A shorter document is not called repetitive: a table's rule or a laugh is a line of its own."""

REPETITIVE_SHARE = 0.6
"""Of a document's bytes in one character, word or line. Real prose is below a fifth, tables below a half."""

_AROUND = 24  # bytes of an excerpt on either side
_EXCERPT = 60  # characters of how something begins

REPETITIONS = ("repeated character", "repeated word", "repeated line")
LONG = "longest"


def read_figures(corpus: Corpus, meter: Meter) -> TextFigures:
    """Read a text, and return its figures.

    Raises:
        CorpusError: it cannot be read, or has no documents.
    """
    reader = _Reader()
    with meter.step("audit", corpus.name, corpus.size, corpus.unit) as advance:
        for batch in corpus.batches(advance):
            reader.see(batch)
        figures = reader.figures(corpus)
    wanted = reader.largest()
    if any(wanted.values()) and corpus.is_at_hand:  # nothing is downloaded twice for examples
        with meter.step("quote", corpus.name, corpus.size, corpus.unit) as advance:
            figures.examples.update(excerpts_of(corpus, wanted, advance))
    return figures


class _Reader:
    """What is found out of a text, batch by batch."""

    def __init__(self) -> None:
        from toktk.kernels.faults import N_FAULTS

        self._numbers = GroupNumbers()
        self._tables = fault_classes(), entity_names(), composing_pairs()
        self._script_names, self._scripts = script_table()
        self._sizes = np.zeros((0, N_SIZES), np.int64)
        self._faults = np.zeros((0, N_FAULTS, 2), np.int64)
        self._script_totals = np.zeros((0, len(self._script_names), 2), np.int64)
        self._own = np.zeros(N_FAULTS, np.int64)
        self._equal, self._near, self._lines = EqualDocuments(), NearDocuments(), SharedLines()
        self._translations = Translations()
        self._examples: dict[str, list[str]] = {}
        self._longest = 0

    def see(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""
        from toktk.kernels.hash import hash_spans

        data, offsets = spans(batch.column(TEXT))
        groups = np.minimum(self._numbers.of(batch), MOST_GROUPS - 1)
        weights = arrow.to_numpy(batch.column(WEIGHT))
        self._make_room()
        self._measure(data, offsets, groups, weights)
        self._look_for_faults(data, offsets, groups)
        self._look_for_repetition(data, offsets, groups)
        hashes = hash_spans(data, offsets)
        self._equal.see(data, offsets, groups, hashes)
        self._near.see(data, offsets, groups, hashes)
        self._lines.see(data, offsets)
        self._translations.see(batch, offsets, groups)

    def _make_room(self) -> None:
        """Give every group that was met a row."""
        n = min(len(self._numbers), MOST_GROUPS)
        if n <= len(self._sizes):
            return
        more = min(max(n, 2 * len(self._sizes)), MOST_GROUPS) - len(self._sizes)
        for name in ("_sizes", "_faults", "_script_totals"):
            known = getattr(self, name)
            setattr(
                self, name, np.concatenate([known, np.zeros((more, *known.shape[1:]), np.int64)])
            )

    def _measure(self, data: Bytes, offsets: Int64, groups: Int64, weights: Int64) -> None:
        """Add sizes and scripts."""
        from toktk.kernels.script_totals import add_scripts

        lengths, visible = np.diff(offsets), np.empty(groups.size, np.int64)
        add_scripts(data, offsets, groups, weights, self._scripts, self._script_totals, visible)
        columns = {
            DOCUMENTS: np.ones_like(lengths),
            BYTES: lengths * weights,
            RAW_BYTES: lengths,
            EMPTY: (visible == 0).astype(np.int64),
            SHORT: ((visible > 0) & (lengths < SHORT_BYTES)).astype(np.int64),
        }
        for column, numbers in columns.items():
            np.add.at(self._sizes[:, column], groups, numbers)
        np.maximum.at(self._sizes[:, LONGEST], groups, lengths)
        if lengths.size and lengths.max() > self._longest:
            longest = int(lengths.argmax())
            self._longest = int(lengths[longest])
            self._examples[LONG] = [_text(data, *offsets[longest : longest + 2].tolist())]

    def _look_for_faults(self, data: Bytes, offsets: Int64, groups: Int64) -> None:
        from toktk.kernels.faults import count_faults
        from toktk.kernels.mojibake import count_mojibake

        spots = np.zeros((len(FAULTS), 1 + EXAMPLES), np.int64)
        report = self._faults, spots, self._own
        count_faults(data, offsets, groups, *self._tables, *report)
        count_mojibake(data, offsets, groups, *report)
        for fault, (n, *places) in zip(FAULTS, spots.tolist(), strict=True):
            for place in places[:n]:
                self._show(fault, _around(data, offsets, place))

    def _look_for_repetition(self, data: Bytes, offsets: Int64, groups: Int64) -> None:
        from toktk.kernels.repetition import find_repetitive

        units, places = np.empty(groups.size, np.uint8), np.empty(groups.size, np.int64)
        find_repetitive(data, offsets, REPETITIVE_BYTES, REPETITIVE_SHARE, units, places)
        for unit, kind in enumerate(REPETITIONS):
            repetitive = np.flatnonzero(units == unit + 1)
            np.add.at(self._sizes[:, REPEATED_CHARACTER + unit], groups[repetitive], 1)
            for d in repetitive[:EXAMPLES].tolist():
                self._show(kind, _text(data, int(places[d]), int(offsets[d + 1])))

    def _show(self, kind: str, text: str) -> None:
        shown = self._examples.setdefault(kind, [])
        if len(shown) < EXAMPLES and text not in shown:
            shown.append(text)

    def figures(self, corpus: Corpus) -> TextFigures:
        """Return the figures of all that was seen."""
        names = self._numbers.names
        groups = names if len(names) <= MOST_GROUPS else [*names[: MOST_GROUPS - 1], FURTHER]
        n = len(groups)
        reference, translations = self._translations.figures(groups)
        return TextFigures(
            tuple(groups),
            self._sizes[:n],
            self._faults[:n],
            self._script_names,
            self._script_totals[:n],
            self._equal.figures(groups),
            self._near.figures(groups),
            self._lines.figures(),
            reference,
            translations,
            corpus.replaced,
            corpus.null_rows,
            self._examples,
        )

    def largest(self) -> dict[str, list[int]]:
        """Return the hashes of what is there most often: of equal and near documents, and of lines."""
        return {
            "equal": self._equal.largest(),
            "near": self._near.largest(),
            "lines": self._lines.largest(),
        }


def excerpts_of(
    corpus: Corpus, wanted: Mapping[str, Sequence[int]], progress: Progress
) -> dict[str, list[str]]:
    """Return how the documents and lines of some hashes begin, of each kind of repeats.

    The text is read until all are met.
    """
    from toktk.kernels.hash import hash_spans

    documents: dict[int, str | None] = dict.fromkeys([*wanted["equal"], *wanted["near"]])
    lines: dict[int, str | None] = dict.fromkeys(wanted["lines"])
    for batch in corpus.batches(progress):
        data, offsets = spans(batch.column(TEXT))
        _quote(data, documents, hash_spans(data, offsets), offsets[:-1], offsets[1:])
        if None in lines.values():
            _quote(data, lines, *SharedLines.hashed(data, offsets)[:3])
        if None not in (*documents.values(), *lines.values()):
            break
    quoted = {**documents, **lines}
    return {kind: [text for h in hashes if (text := quoted[h])] for kind, hashes in wanted.items()}


def _quote(
    data: Bytes, quoted: dict[int, str | None], hashes: UInt64, begins: Int64, ends: Int64
) -> None:
    """Give the hashes that have no excerpt yet the one of the first span with it."""
    missing = np.array(sorted(h for h, text in quoted.items() if text is None), np.uint64)
    for i in np.flatnonzero(np.isin(hashes, missing)).tolist():
        h = int(hashes[i])
        if quoted[h] is None:
            quoted[h] = _text(data, int(begins[i]), int(ends[i]))


def _text(data: Bytes, begin: int, end: int) -> str:
    text = data[begin : min(end, begin + 4 * _EXCERPT)].tobytes().decode(errors="ignore")
    return text[:_EXCERPT]


def _around(data: Bytes, offsets: Int64, place: int) -> str:
    """Return the text around a byte, of its document."""
    document = int(np.searchsorted(offsets, place, side="right")) - 1
    begin, end = int(offsets[document]), int(offsets[document + 1])
    around = data[max(begin, place - _AROUND) : min(end, place + _AROUND)]
    return around.tobytes().decode(errors="ignore")
