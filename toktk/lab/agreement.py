"""What several trainings of a family agree on: tokens, token boundaries in a text, and its tokens in all."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, packed, read_only
from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.encoder import Encoder
from toktk.kernels.constants import BYTES
from toktk.lab.counted import CountedCorpora
from toktk.lab.train import Training
from toktk.models.bpe import BpeModel
from toktk.models.model import Model, surface_lengths
from toktk.models.unigram import UnigramModel
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.registry import guarded
from toktk.runtime import Threads, gc_off
from toktk.stats.ratio import ratio_interval
from toktk.stats.vocabularies import mean_f1, mean_jaccard, ranks, relative_deviation
from toktk.tokenizer import Tokenizer

Flags = npt.NDArray[np.bool_]
UInt64 = npt.NDArray[np.uint64]


class Figures(NamedTuple):
    """Of one size, on one text; see `toktk.report.stability.Stability`."""

    bytes_per_token: float | None
    training_sd: float | None
    low: float | None
    high: float | None
    n: int | None
    n_effective: float | None
    boundaries: float | None


NOT_MEASURED = Figures(None, None, None, None, None, None, None)


class Overlap(NamedTuple):
    """Of the vocabularies of one size; see `toktk.report.stability.Stability`."""

    overlap: float | None
    tokens: float
    core: int


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Tokens of several vocabularies, and their ranks in each; see `toktk.stats.vocabularies.ranks`.

    `data`, `offsets` are the bytes of each token.
    """

    places: Int64
    spelled: pa.Array

    @classmethod
    def of(cls, models: Sequence[Model]) -> _Ranked:
        from toktk.kernels.hash import hash_spans

        spelled, hashes, starts = [], [], [0]
        for model in models:
            data, offsets = _learned(model)
            hashes.append(hash_spans(data, offsets))
            buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
            n = offsets.size - 1
            spelled.append(pa.Array.from_buffers(pa.large_binary(), n, buffers))
            starts.append(starts[-1] + n)
        _, places = ranks(hashes)
        owner = places.argmin(axis=1)
        rows = places.min(axis=1) + np.array(starts)[owner]
        return cls(places, pa.concat_arrays(spelled).take(arrow.from_numpy(rows)))


def _learned(model: Model) -> tuple[Bytes, Int64]:
    """Return the bytes of the tokens that are no special ones, and where they begin; holes are left out."""
    n_special = len(model.special_tokens)
    if isinstance(model, BpeModel):
        data, offsets = model.packed_tokens
        return data[offsets[n_special] :], offsets[n_special:] - offsets[n_special]
    with gc_off():
        return packed([token for token in model.tokens[n_special:] if token])


def _lengths(model: Model) -> Int64:
    """Return int64[ids]: the bytes of text that each token stands for."""
    if isinstance(model, BpeModel):
        return np.diff(model.packed_tokens[1])
    with gc_off():
        return surface_lengths(model)


@dataclass(frozen=True, eq=False)
class Vocabularies:
    """The vocabularies of several trainings at several sizes, special tokens left out.

    Attributes:
        ranked: by size; where each vocabulary is the beginning of the next, that of the largest serves all.
        learned: of each size how many ids are no special tokens.
    """

    ranked: Mapping[int, _Ranked]
    learned: Mapping[int, int]

    @classmethod
    def of(cls, trainings: Sequence[Training], sizes: Sequence[int]) -> Vocabularies:
        """Return those of these trainings, at sizes that all reach."""
        models = {size: [_at(training, size).model for training in trainings] for size in sizes}
        if all(training.nested for training in trainings):
            ranked = dict.fromkeys(sizes, _Ranked.of(models[sizes[-1]]))
        else:
            ranked = {size: _Ranked.of(models[size]) for size in sizes}
        return cls(ranked, {size: size - len(models[size][0].special_tokens) for size in sizes})

    @functools.cache  # noqa: B019 - as long as it is needed at all
    def _has(self, size: int) -> Flags:
        """Return bool[T, S]: which token each vocabulary of a size has."""
        has: Flags = self.ranked[size].places < self.learned[size]
        return has

    def overlap(self, size: int) -> Overlap:
        """Return what the vocabularies of a size have in common."""
        has = self._has(size)
        return Overlap(mean_jaccard(has), float(has.sum(axis=0).mean()), int(has.all(axis=1).sum()))

    def confidence(self, family: str, size: int) -> pa.Table:
        """Return the tokens of a size and how many trainings have each, the surest first."""
        has = self._has(size)
        counts = has.sum(axis=1)
        first = np.where(has, self.ranked[size].places, np.iinfo(np.int64).max).min(axis=1)
        rows = np.lexsort((first, -counts))
        rows = rows[counts[rows] > 0]
        spelled = self.ranked[size].spelled.take(arrow.from_numpy(rows)).cast(pa.binary())
        names = arrow.from_list([family], pa.string())
        n = rows.size
        return pa.table(
            {
                "family": pa.DictionaryArray.from_arrays(
                    arrow.from_numpy(np.zeros(n, np.int32)), names
                ),
                "size": arrow.from_numpy(np.full(n, size)),
                "token": spelled,
                "trainings": arrow.from_numpy(counts[rows]),
                "confidence": arrow.from_numpy(counts[rows] / has.shape[1]),
            }
        )


def _at(training: Training, size: int) -> Tokenizer:
    return next(t for t in training.tokenizers if t.vocab_size == size)


def figures_of(
    family: str,
    trainings: Sequence[Training],
    sizes: Sequence[int],
    measured: Corpus,
    counted: CountedCorpora,
) -> dict[int, Figures]:
    """Return what the trainings make of a text whose groups are folds, at each size.

    Raises:
        FormatError: a library fails at the text.
    """
    cut = trainings[0].tokenizers[0].pretokenizer
    table = counted.get(measured, cut, by_group=True).table
    figures: dict[int, Figures] = {}
    total = len(table) * len(trainings) * len(sizes)
    with (
        counted.meter.step("compare", family, total, "pieces") as advance,
        Threads(min(counted.jobs, len(trainings))) as pool,
    ):
        longest = [training.tokenizers[-1].model for training in trainings]
        segmented: list[_Segmented] = []
        levels: list[npt.NDArray[np.int32]] = []
        if all(training.nested for training in trainings) and isinstance(longest[0], BpeModel):
            for of_training in pool.map(functools.partial(_levels, table), longest):
                levels.append(of_training)
                advance(len(table) * len(sizes))
        for size in sizes:
            models = [_at(training, size).model for training in trainings]
            if levels:
                segmented = [*map(functools.partial(_cut, table), levels, models)]
                figures[size] = _figures(table, segmented)
                continue
            segmented.clear()
            with guarded(f"the model of {family}", *models):
                for one in pool.map(functools.partial(_segment, table), models):
                    segmented.append(one)
                    advance(len(table))
            figures[size] = _figures(table, segmented)
    return figures


class _Segmented(NamedTuple):
    """A text, as one model encodes its pieces.

    Attributes:
        tokens: int64[n], of each piece.
        boundaries: bool[bytes of all pieces], whether a token ends behind a byte, ends of pieces left out.
        spelled: bool[n], whether the tokens spell the piece.
    """

    tokens: Int64
    boundaries: Flags
    spelled: Flags


def _levels(table: PieceTable, model: Model) -> npt.NDArray[np.int32]:
    """Return int32[bytes]: up to how many merges tokens end behind a byte; see `end_levels`."""
    from toktk.kernels.bpe_boundaries import end_levels
    from toktk.kernels.bpe_encode import SHORT

    if not isinstance(model, BpeModel):
        raise TypeError(f"{type(model).__name__} is no merge list")
    levels = np.empty(table.data.size, dtype=np.int32)
    room = max(SHORT, int(np.diff(table.offsets).max(initial=0)))
    data, offsets = read_only(table.data, np.uint8), read_only(table.offsets, np.int64)
    scratch = np.empty(7 * room, dtype=np.int64)
    end_levels(data, offsets, model.byte_ids, model.pair_table, levels, scratch)
    return levels


def _cut(table: PieceTable, levels: npt.NDArray[np.int32], model: Model) -> _Segmented:
    """Return the text as a beginning of the merge list encodes it."""
    if not isinstance(model, BpeModel):
        raise TypeError(f"{type(model).__name__} is no merge list")
    ends = levels >= len(model.merges)
    tokens = np.diff(np.concatenate([[0], np.cumsum(ends)])[table.offsets])
    ends[table.offsets[1:][np.diff(table.offsets) > 0] - 1] = False
    return _Segmented(tokens, ends, np.ones(len(table), dtype=np.bool_))


def _segment(table: PieceTable, model: Model) -> _Segmented:
    if isinstance(model, UnigramModel) and model.single:  # a piece is a document, and is cut again
        encoder = Encoder(Pretokenizer.of("none"), model)
        ids, starts = encoder.encode_batch(table.data, table.offsets)
        ends = starts[1:]
    else:
        ids, ends = model.encode_pieces(table.data, table.offsets)
    tokens = np.diff(ends, prepend=0)
    behind = np.concatenate([[0], np.cumsum(_lengths(model)[ids])])
    spelled = np.diff(behind[ends], prepend=0) == np.diff(table.offsets)
    # Where all pieces are spelled, bytes of tokens are bytes of pieces.
    shift = table.offsets[:-1] - behind[ends - tokens]
    at = behind[1:] + np.repeat(shift, tokens)
    boundaries = np.zeros(table.data.size + 1, dtype=np.bool_)
    boundaries[at[np.repeat(spelled, tokens)]] = True
    boundaries[table.offsets] = False
    return _Segmented(tokens, boundaries[:-1], spelled)


def _figures(table: PieceTable, segmented: Sequence[_Segmented]) -> Figures:
    sums = np.array([table.counts @ one.tokens for one in segmented])
    of_piece = np.repeat(np.arange(len(table)), np.diff(table.rows))
    in_all = np.sum([one.tokens for one in segmented], axis=0)
    of_fold = np.zeros(
        len(table.groups), dtype=np.int64
    )  # whole numbers, in whatever order pieces come
    np.add.at(of_fold, table.entry_group, in_all[of_piece] * table.entry_count)
    tokens = of_fold / len(segmented)
    n_bytes = table.totals[:, BYTES]
    value = float(n_bytes.sum() / sums.mean()) if sums.any() else None
    spelled = np.logical_and.reduce([one.spelled for one in segmented])
    boundaries = np.stack([one.boundaries for one in segmented]).T
    weights = np.repeat(np.where(spelled, table.counts, 0), np.diff(table.offsets))
    there = n_bytes > 0  # of the folds, those that hold a document
    interval = ratio_interval(n_bytes[there], tokens[there])
    return Figures(
        value,
        relative_deviation(sums),
        interval.low,
        interval.high,
        interval.n,
        interval.n_effective,
        mean_f1(boundaries, weights),
    )
