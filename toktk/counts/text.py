"""A text that was counted: a corpus of tables and sampled documents, without the text.

Of several counts with weights, and with a temperature, occurrences are multiplied by whole numbers, as the
documents of corpora are (`toktk.corpus.mixture`). So figures are those of the text itself, to the last digit;
intervals as well, but that a count knows of every document which one stands before it (see `Sample`).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.mixture import balanced_factors, whole_factors
from toktk.corpus.options import Progress
from toktk.counts.merged import Counts
from toktk.counts.part import HELD_OUT, TRAINING
from toktk.errors import CorpusError, as_usage
from toktk.kernels.constants import BYTES
from toktk.pieces.counter import ONE_GROUP, merge
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.pieces.table import PieceTable, are_pieces, may_hold, multiplied, weighted_sum
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.visible import listed

_MOST_GROUPS = 1000  # that run.json names
_NAMES = {TRAINING: "train", HELD_OUT: "test"}


class NotCounted(CorpusError):
    """What was asked for cannot be told from counts."""


class CountedText(Corpus):
    """One side of a count, or of several together. To read it is a `NotCounted` error.

    Args:
        counts: cut alike.
        side: `TRAINING` or `HELD_OUT`.
        weights: the share of bytes that each count is to have; none: as they are.
        temperature: of the groups; see `Corpus.balanced`.

    Raises:
        CorpusError: no document is on this side.
    """

    def __init__(
        self,
        counts: Sequence[Counts],
        side: str,
        weights: Sequence[float] = (),
        temperature: float | None = None,
    ) -> None:
        names = [f"{each.name} ({_NAMES[side]})" if each.held_out else each.name for each in counts]
        super().__init__(" + ".join(names), ())
        self.counts, self.side = tuple(counts), side
        self.weights, self.temperature = tuple(weights), temperature
        self.groups = tuple(sorted({name for each in counts for name in each.totals(side).groups}))
        if not self.groups:
            raise CorpusError(
                f"no documents in {self.name}.",
                f"Found: a count with none on its {side} side.",
                "Count more text, or hold out another share of it.",
            )

    @property
    def size(self) -> None:
        """Unknown: nothing is read."""
        return None

    @property
    def is_at_hand(self) -> bool:
        """It is not, see `Corpus`."""
        return False

    @property
    def replaced(self) -> int:
        """Invalid sequences that were replaced by U+FFFD when it was counted."""
        return sum(each.replaced for each in self.counts)

    @property
    def null_rows(self) -> int:
        """Rows whose text is null, skipped when it was counted."""
        return sum(each.null_rows for each in self.counts)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256, in hex, of what was counted, and how often that counts."""
        parts = zip(self.counts, self.factors, strict=True)
        counted = [[each.fingerprint(self.side), self._floor(each), times] for each, times in parts]
        return hashlib.sha256(json.dumps(sorted(counted, key=json.dumps)).encode()).hexdigest()

    @property
    def pretokenizer(self) -> Pretokenizer:
        """What it was cut by, but for special tokens and symbols."""
        return self.counts[0].pretokenizer

    @functools.cached_property
    def factors(self) -> list[dict[str, int]]:
        """How often a document of each group counts, in each of the counts."""
        sizes = []
        for each in self.counts:
            of_side = each.totals(self.side)
            n_bytes = of_side.totals[:, BYTES].tolist()
            sizes.append(dict(zip(of_side.groups, n_bytes, strict=True)))
        whole: Sequence[int] = [1] * len(sizes)
        if len(self.weights) > 1:
            in_all = [max(sum(of_count.values()), 1) for of_count in sizes]
            whole = whole_factors([w / n for w, n in zip(self.weights, in_all, strict=True)])
        balance: Mapping[str, int] = {}
        if self.temperature is not None:
            by_group = Counter[str]()
            for of_count, times in zip(sizes, whole, strict=True):
                by_group.update({group: times * n for group, n in of_count.items()})
            balance = balanced_factors(by_group, self.temperature)
        return [
            {group: times * balance.get(group, 1) for group in of_count}
            for of_count, times in zip(sizes, whole, strict=True)
        ]

    def check_cut(self, pretokenizer: Pretokenizer) -> None:
        """Raise NotCounted if it was cut by another pattern or normalizer."""
        cut, own = (replace(each, added=()) for each in (pretokenizer, self.pretokenizer))
        if cut.key != own.key:
            names = [each.name if cut.name != own.name else each.signature for each in (own, cut)]
            raise NotCounted(
                f"{self.name} was cut by {names[0]} when it was counted, not by {names[1]}.",
                "Found: counts of pieces, which do not tell how another pretokenizer cuts the text.",
                f"Count the text once more with that one, or keep to {names[0]}.",
            )

    @property
    def n_pieces(self) -> int:
        """Different pieces, summed over the counts."""
        return sum(each.about["sides"][self.side]["distinct"] for each in self.counts)

    def table(
        self,
        pretokenizer: Pretokenizer,
        by_group: bool,
        advance: Progress = lambda pieces: None,
    ) -> PieceTable:
        """Return the pieces of the text, as `toktk.pieces.counting.count_corpus` would.

        Args:
            advance: called with pieces that were read, `n_pieces` in all.

        Raises:
            NotCounted: the counts do not tell them, as after another cut.
            StorageError: the counts cannot be read.
        """
        self.check_cut(pretokenizer)
        tables = []
        for counts, factors in zip(self.counts, self.factors, strict=True):
            apart = by_group or len({*factors.values()}) > 1
            table = counts.table(self.side, apart, advance)
            self._check_added(counts, table, pretokenizer.added)
            times = [factors[group] for group in table.groups] if apart else [*factors.values()][:1]
            if apart and not by_group:
                table = weighted_sum(table, times, ONE_GROUP)
            else:
                table = multiplied(table, times)
            tables.append(replace(table, pretokenizer=pretokenizer.signature))
        return tables[0] if len(tables) == 1 else merge(tables)

    def _check_added(self, counts: Counts, table: PieceTable, added: Sequence[str]) -> None:
        """Raise NotCounted unless the table is that of text cut at just these strings."""
        cut = counts.cut_of(self.side)
        is_whole = cut.normalizer.is_identity and self._floor(counts) <= 1
        absent = [string for string in added if string not in cut.added]
        if doubtful := [s for s in absent if not is_whole or may_hold(table, s)]:
            raise NotCounted(
                f"{self.name} was not cut at {listed(doubtful)} when it was counted.",
                "Found: counts that do not tell how often they stand in the text.",
                "Count it once more with --special or --symbol, or leave them out; with --no-split-special "
                "special tokens are text.",
            )
        others = [string for string in cut.added if string not in added]
        if there := [string for string in others if are_pieces(table, [string]).any()]:
            raise NotCounted(
                f"{self.name} was cut at {listed(there)} when it was counted.",
                "Found: counts that do not tell how the text is cut where they stand in it as text.",
                "Count it once more without them, or measure other text with --eval.",
            )

    def _floor(self, counts: Counts) -> int:
        """How often a piece occurs at least, of those that were not left out of this side."""
        return counts.min_count if self.side == TRAINING else 1

    def sample(self) -> SampledDocuments:
        """Return the documents that intervals rest on, as `toktk.pieces.sample.Sample` draws them.

        Raises:
            NotCounted: none were kept of this side.
            StorageError: they cannot be read.
        """
        for each in self.counts:
            if self.side != each.sampled_side:
                raise NotCounted(
                    f"cannot measure on {self.name}.",
                    "Found: a count that keeps documents of the held-out side alone.",
                    "Measure on that, or on other text.",
                )
            if self._floor(each) > 1:
                raise NotCounted(
                    f"cannot measure on {self.name}.",
                    f"Found: pieces that occur fewer than {each.min_count} times were left out.",
                    "Merge the counts once more without --min-count, or measure on other text.",
                )
        seen = []
        for each, factors in zip(self.counts, self.factors, strict=True):
            documents, of_side = each.sample(), each.totals(self.side)
            times = np.array([factors[group] for group in documents.groups], np.int64)
            if len(self.counts) == 1 and (times == 1).all():
                return documents
            number = {name: g for g, name in enumerate(of_side.groups)}
            rows = [number[group] for group in documents.groups]
            seen.append(Sample.of(documents, of_side.totals[rows], times))
        whole = Sample()
        whole.merge(seen)
        return whole.finish()

    def first_documents(self, n: int) -> Corpus:
        """Return at most `n` sampled documents of each group, as a text."""
        documents = self.sample()
        starts = np.searchsorted(documents.group, np.arange(len(documents.groups)))
        rank = np.arange(len(documents)) - starts[documents.group]
        buffers = [None, pa.py_buffer(documents.offsets), pa.py_buffer(documents.data)]
        texts = pa.Array.from_buffers(pa.large_string(), len(documents), buffers)
        chosen = np.flatnonzero(rank < n)
        names = [documents.groups[g] for g in documents.group[chosen].tolist()]
        return Corpus.of(texts.take(arrow.from_numpy(chosen)), groups=names, name=self.name)

    @property
    def remarks(self) -> list[str]:
        """What whoever reads figures of it should know; see `Corpus`."""
        text = " + ".join(each.name for each in self.counts)
        remarks = [
            f"{text}: its counts are read and not its text, so special tokens in it, and tokenizers that "
            "were trained on it, are not noticed."
        ]
        return [*remarks, *self._own_remarks()]

    def _own_remarks(self) -> list[str]:
        remarks = []
        for each, factors in zip(self.counts, self.factors, strict=True):
            if len(different := {*factors.values()}) > 1:
                shown = listed([f"{group} {times}" for group, times in factors.items()])
                remarks.append(f"{each.name}: a document of each group counts so often: {shown}.")
            elif different != {1}:
                (times,) = different
                remarks.append(f"{each.name}: every document counts {times} times.")
            if self.side == TRAINING:
                remarks += [f"{each.name}: {effect}" for effect in each.effect]
        return remarks

    def balanced(self, temperature: float) -> CountedText:
        """See `Corpus.balanced`.

        Raises:
            NotCounted: groups were not kept apart.
        """
        pooled = [each.name for each in self.counts if not each.about["groups"]]
        if pooled and self.side == TRAINING:
            raise NotCounted(
                f"cannot balance the groups of {listed(pooled)}.",
                "Found: all of its training text counted as one group.",
                "Count it once more without --no-groups, or leave the temperature out.",
            )
        return CountedText(self.counts, self.side, self.weights, temperature)

    def describe(self) -> dict[str, Any]:
        """Return what run.json says of it, from which `again` makes it once more."""
        described = super().describe()
        if own := self._own_remarks():
            described["remarks"] = own
        described["counts"] = {
            "folders": [each.place.shown for each in self.counts],
            "side": self.side,
            "weights": [*self.weights],
            # As text: JSON has no infinity.
            "temperature": None if self.temperature is None else repr(float(self.temperature)),
        }
        described["parts"] = [
            {
                "name": each.name,
                "fingerprint": each.fingerprint(self.side),
                "selection": self._selected(each),
                "counted": each.describe(),
                **({"times": factors} if len(factors) <= _MOST_GROUPS else {}),
            }
            for each, factors in zip(self.counts, self.factors, strict=True)
        ]
        return described

    def _selected(self, counts: Counts) -> str:
        of_side = counts.about["sides"][self.side]
        rare = self._floor(counts)
        told = f"count: {of_side['documents']:,} documents, {of_side['bytes']:,} bytes"
        if counts.held_out:
            told = f"{self.side} side, {counts.held_out:g} being held out, of a {told}"
        return f"{told}, without pieces that occur fewer than {rare} times" if rare > 1 else told

    def batches(self, progress: Progress | None = None) -> NoReturn:
        """Raise NotCounted: there is no text."""
        raise NotCounted(
            f"the text of {self.name} is not at hand.",
            "Found: its counts alone.",
            "Give the text itself with -c.",
        )

    def split(self, test: float = 0) -> NoReturn:
        """Raise NotCounted, as all that chooses documents does."""
        self.batches()

    def limit(self, documents: int, seed: int = 0) -> NoReturn:
        """Raise NotCounted."""
        self.batches()

    def in_folds(self, n: int) -> NoReturn:
        """Raise NotCounted."""
        self.batches()

    def resampled(self, multiplicities: Sequence[int]) -> NoReturn:
        """Raise NotCounted."""
        self.batches()


def open_counts(
    where: str | Path | Sequence[str | Path], weights: Sequence[float] = ()
) -> tuple[CountedText, CountedText | None]:
    """Return the text to train on and the text to measure on that merged counts are of.

    `toktk.train` takes the first, and `toktk.evaluate` the second: None where nothing was held out. No text
    is read.

    Args:
        where: the folder of a count, or of several, which become one text; paths or addresses.
        weights: the share of the training text's bytes that each is to have; none: as they are.

    Raises:
        StorageError: a count is not there, not merged, or damaged.
        CorpusError: the counts do not go together.
    """
    counts = _opened(where, weights)
    training = CountedText(counts, TRAINING, weights)
    return training, None if without_held_out(counts) else CountedText(counts, HELD_OUT)


def counts_to_measure(
    where: str | Path | Sequence[str | Path], weights: Sequence[float] = ()
) -> CountedText:
    """Return what `toktk bench` measures on: what was held out, and where nothing was, all.

    Raises:
        StorageError, CorpusError: see `open_counts`.
    """
    counts = _opened(where, weights)
    without = without_held_out(counts)
    if 0 < len(without) < len(counts):
        raise CorpusError(
            "cannot measure on these counts together.",
            f"Found: nothing was held out of {listed(without)}.",
            "Measure on each, or count all with the same --hold-out.",
        )
    return CountedText(counts, TRAINING if without else HELD_OUT, weights)


def without_held_out(counts: Sequence[Counts]) -> list[str]:
    """Return the names of those of which no document was held out."""
    return [each.name for each in counts if not each.totals(HELD_OUT).groups]


def counted_again(described: dict[str, Any], folders: Sequence[str]) -> CountedText:
    """Return a text that run.json describes, of what is in `folders` now; see `CountedText.describe`."""
    temperature = described["temperature"]
    return CountedText(
        _opened(folders, described["weights"]),
        described["side"],
        described["weights"],
        None if temperature is None else float(temperature),
    )


def _opened(where: str | Path | Sequence[str | Path], weights: Sequence[float]) -> list[Counts]:
    folders = [where] if isinstance(where, (str, Path)) else where
    if not folders or (weights and len(weights) != len(folders)):
        raise as_usage(
            CorpusError(
                "each count needs a weight, or none has one.",
                f"Found: {len(weights)} for {len(folders)}.",
                "Give as many weights as counts: --counts de/ --weight 0.3 --counts en/ --weight 0.7.",
            )
        )
    if any(not 0 < weight < float("inf") for weight in weights):
        raise as_usage(
            CorpusError(
                "a weight is a number above 0, and not infinite.",
                f"Found: {listed([*map(str, weights)])}.",
            )
        )
    counts = [Counts.open(str(folder)) for folder in folders]
    first = counts[0]
    for other in counts[1:]:
        cuts = [each.pretokenizer for each in (first, other)]
        if cuts[0].key != cuts[1].key:
            raise CorpusError(
                f"{first.name} and {other.name} were cut differently when they were counted.",
                f"Found: {' and '.join(cut.signature for cut in cuts)}.",
                "Count both with the same pretokenizer.",
            )
    return counts
