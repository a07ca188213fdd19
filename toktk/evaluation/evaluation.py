"""Evaluation of models over the pieces of a text: as few encodings as give the figures of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from toktk.arrays import Bytes, Ids, Int64, read_only
from toktk.encoder import Encoder
from toktk.errors import MetricError
from toktk.evaluation.alone import count_documents
from toktk.evaluation.base import (
    ChosenPieces,
    Counts,
    Evaluation,
    Flags,
    PieceCounts,
    Totals,
    slices_of,
    sum_by_group,
    totals_of,
)
from toktk.evaluation.merges import evaluate_merges
from toktk.evaluation.symbols import SymbolCounts
from toktk.evaluation.viterbi import count_viterbi
from toktk.models.bpe import BpeModel
from toktk.models.counts import CountsModel
from toktk.models.model import Model, bytes_lost, spells_all, token_lengths
from toktk.models.symbols import SymbolsModel, symbols_of
from toktk.models.unigram import UnigramModel
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.registry import OWN, package_of
from toktk.runtime import Threads

SLICE = 1 << 23
"""Bytes of pieces that a thread encodes at a time."""

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class _SizedEvaluation(Evaluation):
    """The counts of vocabularies of different sizes, which are known at these sizes alone."""

    by_size: dict[int, Counts]

    def _at(self, size: int) -> Counts:
        if size not in self.by_size:
            raise MetricError(
                f"{size:,} tokens were not evaluated.",
                f"Found: {', '.join(f'{size:,}' for size in self.by_size)}.",
            )
        return self.by_size[size]

    @property
    def sizes(self) -> Int64:
        return np.array(sorted(self.by_size), dtype=np.int64)

    def tokens(self, size: int) -> Int64:
        return self._at(size).tokens

    def single_token_words(self, size: int) -> Int64:
        return self._at(size).single_token_words

    def token_counts(self, size: int) -> Int64:
        return self._at(size).token_counts

    def of_pieces(self, size: int) -> PieceCounts:
        return self._at(size).of_pieces

    def n_ids(self, size: int) -> int:
        return self._at(size).n_ids

    def unknown(self, size: int) -> Int64 | None:
        return self._at(size).unknown

    def lost(self, size: int) -> Int64:
        lost = self._at(size).lost
        return super().lost(size) if lost is None else lost


def evaluate(
    table: PieceTable,
    models: Sequence[Model],
    *,
    every_size: bool = True,
    sizes: Sequence[int] = (),
    jobs: int = 1,
    totals: tuple[Totals, Flags] | None = None,
    chosen: ChosenPieces | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Return for each model the evaluation that has its figures, at `vocab_size` of the model.

    Models share one encoding, and one evaluation, where it serves all of them: merge lists that are prefixes
    of a longer one, and unigram vocabularies of different sizes. Any other model is encoded by itself.

    Args:
        table: the text, cut as the models want it.
        every_size: whether merge lists are wanted at all sizes. If not, one that serves no other
            model is encoded at its own size alone, in about half the time.
        sizes: of all sizes, those that are kept with very many groups, besides those of `models` and 256.
        jobs: threads; they change no figure.
        totals: `totals_of` the table, where it is known already.
        chosen: the pieces that `Evaluation.of_pieces` tells of; by default none.
        progress: called with pieces encoded since the last call, ``len(table) * len(models)`` in all, by
            any thread.
    """
    known, is_word = totals or totals_of(table)
    progress = progress or (lambda pieces: None)
    chosen = chosen or ChosenPieces.none(len(table))
    evaluations: dict[int, Evaluation] = {}
    for symbols in sorted(set(map(symbols_of, models)) - {()}):
        alike = {
            i: model
            for i, model in enumerate(models)
            if isinstance(model, SymbolsModel) and model.symbols == symbols
        }
        counted = SymbolCounts.of(table, is_word, symbols, chosen)
        others = evaluate(
            counted.rest,
            [model.model for model in alike.values()],
            every_size=every_size,
            sizes=sizes,
            jobs=jobs,
            totals=(known, counted.is_word),
            chosen=counted.chosen,
            progress=progress,
        )
        progress((len(table) - len(counted.rest)) * len(alike))
        shared: dict[tuple[int, int], Evaluation] = {}
        for (i, model), other in zip(alike.items(), others, strict=True):
            first_id = len(model.special_tokens)
            key = id(other), first_id
            evaluations[i] = shared.setdefault(key, counted.beside(other, first_id))
    for i, counting in enumerate(models):
        if isinstance(counting, CountsModel):
            evaluations[i] = count_documents(table, counting, known, chosen)
            progress(len(table))
    plain = [i for i in range(len(models)) if i not in evaluations]
    for served in sharing(models, plain):
        first = models[served[0]]
        if isinstance(first, BpeModel) and (every_size or len(served) > 1):
            wanted = sorted({*sizes, *(models[i].vocab_size for i in served)})
            reached = [size for size in wanted if first.base_size <= size <= first.vocab_size]
            evaluation: Evaluation = evaluate_merges(
                table,
                first,
                reached,
                is_word,
                jobs,
                known,
                chosen,
                partial(_told, progress, len(served)),
            )
        else:
            if len(served) > 1:
                unigrams = [m for m in (models[i] for i in served) if isinstance(m, UnigramModel)]
                by_size = count_viterbi(table, unigrams, is_word, jobs, chosen, progress)
            else:
                by_size = {first.vocab_size: _count(table, first, is_word, jobs, chosen, progress)}
            evaluation = _SizedEvaluation(**vars(known), by_size=by_size)
        evaluations |= dict.fromkeys(served, evaluation)
    return [evaluations[i] for i in range(len(models))]


def _told(progress: Progress, n: int, pieces: int) -> None:
    """Tell of pieces that serve `n` models."""
    progress(pieces * n)


def sharing(models: Sequence[Model], chosen: Sequence[int]) -> list[list[int]]:
    """Return those `chosen`, by index, that share an encoding, list by list; the longest merges first."""
    merges = [len(model.merges) if isinstance(model, BpeModel) else 0 for model in models]
    lists: list[list[int]] = []
    for i in sorted(chosen, key=lambda i: -merges[i]):
        for served in lists:
            if _joins(models[i], [models[j] for j in served]):
                served.append(i)
                break
        else:
            lists.append([i])
    return lists


def _joins(model: Model, others: Sequence[Model]) -> bool:
    """Tell whether one encoding serves a model together with these, which share one already."""
    if isinstance(model, BpeModel):
        return model.is_prefix_of(others[0])
    if model.vocab_size in {other.vocab_size for other in others}:
        return False
    # `single` sums in float32, which the kernel for several vocabularies does not.
    return all(isinstance(m, UnigramModel) and not m.single for m in (model, *others))


def encoder_of(model: Model) -> Callable[[Bytes, Int64], tuple[Ids, Int64]]:
    """Return what gives the ids of pieces, and where those of each end; calls from threads are safe.

    It raises an IndexError where a plug-in gives what no vocabulary has: kernels write where ids say.
    """
    if isinstance(model, UnigramModel) and model.single:
        encoder = Encoder(Pretokenizer.of("none"), model)  # a piece is a document, and is cut again
        return lambda data, offsets: _without_begin(*encoder.encode_batch(data, offsets))
    if package_of(model) == OWN:
        return model.encode_pieces

    def encode(data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        ids, ends = map(np.asarray, model.encode_pieces(data, offsets))
        n_ids, n_pieces = model.vocab_size, offsets.size - 1
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < n_ids:
            raise IndexError(f"the id {ids.max()} is beyond the {n_ids:,} of the vocabulary")
        bounds = np.concatenate([[0], ends, [ids.size]])
        if ends.size != n_pieces or (np.diff(bounds) < 0).any() or bounds[-2] != ids.size:
            raise IndexError(f"the {ids.size:,} ids are not dealt to the {n_pieces:,} pieces")
        return ids, ends

    return encode


def _without_begin(ids: Ids, ends: Int64) -> tuple[Ids, Int64]:
    return ids, ends[1:]


def _count(
    table: PieceTable,
    model: Model,
    is_word: Flags,
    jobs: int,
    chosen: ChosenPieces,
    progress: Progress,
) -> Counts:
    """Encode each piece by any model and count what comes out."""
    from toktk.kernels.group_ids import count_ids

    lengths, unknown, lost = np.zeros((3, len(table)), dtype=np.int64)
    counts = np.zeros(model.vocab_size, dtype=np.int64)
    slices = slices_of(table, max(jobs, int(table.offsets[-1]) // SLICE))
    unknown_id: int | None = getattr(model, "unknown_id", None)
    encode = encoder_of(model)
    lossless = spells_all(model)
    tokens = np.zeros(chosen.spelled.size, dtype=np.int32)
    first_of = np.full(chosen.spelled.size, -1, dtype=np.int64)
    n_spelled = 0
    ids_of: list[Ids] = []

    def run(first: int, last: int) -> tuple[Ids, Int64, Int64 | int]:
        begin, end = table.offsets[first], table.offsets[last]
        data, offsets = table.data[begin:end], table.offsets[first : last + 1] - begin
        ids, ends = encode(data, offsets)
        return ids, ends, 0 if lossless else bytes_lost(model, data, offsets, ids, ends)

    with Threads(jobs) as pool:
        encoded = pool.map(run, *zip(*slices, strict=True))
        for (first, last), (ids, ends, lost_here) in zip(slices, encoded, strict=True):
            lost[first:last] = lost_here
            own = np.empty(ids.size, dtype=np.uint32)
            occurrences, rows = table.counts[first:last], chosen.rows[first:last]
            n = count_ids(
                read_only(ids, np.uint32),
                read_only(ends, np.int64),
                read_only(occurrences, np.int64),
                read_only(rows, np.int32),
                read_only(chosen.spelled, np.uint8),
                *(lengths[first:last], counts, tokens, n_spelled, own, first_of),
            )
            own.resize(n, refcheck=False)  # in place
            ids_of.append(own)
            n_spelled += n
            if unknown_id is not None:
                pieces = np.searchsorted(ends, np.flatnonzero(ids == unknown_id), "right")
                np.add.at(unknown[first:last], pieces, 1)
            progress(last - first)
    return Counts(
        tokens=sum_by_group(table, lengths),
        single_token_words=sum_by_group(table, ((lengths == 1) & (is_word != 0)).astype(np.int64)),
        token_counts=counts,
        n_ids=int(np.count_nonzero(token_lengths(model))),
        unknown=None if unknown_id is None else sum_by_group(table, unknown),
        lost=None if lossless else sum_by_group(table, lost),
        of_pieces=PieceCounts(
            tokens,
            np.concatenate(ids_of),
            first_of,
            None if unknown_id is None else chosen.by_row(unknown),
            None if lossless else chosen.by_row(lost),
        ),
    )
